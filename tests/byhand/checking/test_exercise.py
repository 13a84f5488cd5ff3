"""check.exercise, its random inputs, and the seam that a judge replaces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from byhand import check
from byhand.checking import host as _host

STUB = "Not written yet: replace this line with your code, run this cell, then run the check below."


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> check.Host:
    for name in ("BYHAND_GRADING", "BYHAND_SEED"):
        monkeypatch.delenv(name, raising=False)
    fresh = check.Host()
    monkeypatch.setattr(check, "host", fresh)
    return fresh


def said(error: BaseException | None, name: str = "attend", needs: tuple[str, ...] = ()) -> str:
    """What an exercise whose body raises `error` ends with: the message and the notes."""
    try:
        with check.exercise(name, needs=needs):
            if error is not None:
                raise error
    except Exception as raised:
        notes = getattr(raised, "__notes__", [])
        return "\n".join([f"{type(raised).__name__}: {raised}", *notes])
    return ""


# Outcomes


def test_a_pass_prints_one_line_that_promises_no_more_than_was_checked(
    capfd: pytest.CaptureFixture[str], host: check.Host
) -> None:
    assert said(None) == ""
    line = "attend: the visible checks pass. Hidden checks with other inputs run when you submit.\n"
    assert capfd.readouterr() == (line, "")
    assert host.passed("attend") is True


def test_a_pass_while_grading_says_passed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BYHAND_GRADING", "1")
    said(None)
    assert capfd.readouterr() == ("attend: passed.\n", "")


def test_a_failure_is_recorded_and_prints_nothing(
    capfd: pytest.CaptureFixture[str], host: check.Host
) -> None:
    assert said(check.CheckFailed("f(x) is wrong.")) == "CheckFailed: f(x) is wrong."
    assert host.passed("attend") is False
    assert host.passed("softmax") is None
    assert capfd.readouterr() == ("", "")


def test_a_stub_reads_that_it_is_not_written_yet() -> None:
    for text in (STUB, ""):
        message = said(NotImplementedError(text), "softmax")
        assert message.startswith("CheckFailed: softmax is not written yet. Replace its line")


def test_a_stub_of_an_earlier_exercise_is_named() -> None:
    error = NotImplementedError(STUB)
    error.origin = check.Origin(("NotImplementedError",), STUB, function="softmax")  # type: ignore[attr-defined]
    message = said(error, "attend", needs=("softmax",))
    assert message.startswith("CheckFailed: attend calls softmax. softmax is not written yet.")


def test_another_not_implemented_error_keeps_its_text() -> None:
    text = 'Module [Encoder] is missing the required "forward" function'
    message = said(NotImplementedError(text))
    assert "uses something that is not implemented" in message
    assert text in message


def test_a_cell_that_was_never_run_is_named() -> None:
    message = said(NameError("name 'attend' is not defined"))
    assert message.startswith("CheckFailed: attend does not exist yet. Run the cell that defines it")
    assert said(NameError("name 'wieghts' is not defined")).startswith("NameError: name 'wieghts'")


def test_other_errors_of_the_learner_come_through_as_they_are() -> None:
    error = ZeroDivisionError("division by zero")
    with pytest.raises(ZeroDivisionError) as raised, check.exercise("softmax"):
        raise error
    assert raised.value is error


def test_an_interrupt_is_no_verdict(host: check.Host) -> None:
    with pytest.raises(KeyboardInterrupt), check.exercise("softmax"):
        raise KeyboardInterrupt
    assert host.passed("softmax") is None


def test_a_failure_says_which_needed_exercise_to_mend_first(host: check.Host) -> None:
    advice = "attend may call softmax, which has not passed here: mend that first."
    host.record("softmax", False, "")
    assert said(check.CheckFailed("wrong."), needs=("softmax",)) == f"CheckFailed: wrong.\n  {advice}"
    assert said(ValueError("odd"), needs=("softmax",)) == f"ValueError: odd\n{advice}"
    host.record("softmax", True, "")
    assert said(check.CheckFailed("wrong."), needs=("softmax",)) == "CheckFailed: wrong."


def test_after_a_restart_needed_exercises_are_to_be_run_not_mended(host: check.Host) -> None:
    host.record("softmax", True, "")
    both = said(check.CheckFailed("wrong."), needs=("softmax", "dot_score", "cosine_score"))
    assert both.endswith(
        "attend may call dot_score or cosine_score, which have not been checked here: run those first."
    )


def test_the_advice_survives_a_long_message(host: check.Host) -> None:
    host.record("softmax", False, "")
    assert said(check.CheckFailed("x" * 5000), needs=("softmax",)).endswith("mend that first.")


def test_an_error_whose_text_raises_does_not_stop_the_check(host: check.Host) -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    with pytest.raises(MuteError), check.exercise("softmax"):
        raise MuteError
    assert host.passed("softmax") is False


# Random inputs


def draws(name: str, count: int = 2) -> list[float]:
    with check.exercise(name):
        return [float(check.rng().random()) for _ in range(count)]


def test_the_same_seed_gives_the_same_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_SEED", "7")
    assert draws("softmax") == draws("softmax")
    with check.exercise("softmax"):
        first = torch.rand(3, generator=check.generator())
    with check.exercise("softmax"):
        assert torch.equal(first, torch.rand(3, generator=check.generator()))


def test_exercises_and_calls_do_not_share_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_SEED", "7")
    assert len({*draws("softmax", 3), *draws("attend", 3)}) == 6


def test_outside_an_exercise_inputs_belong_to_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_SEED", "7")
    inside = draws("softmax", 2)
    outside = [float(check.rng().random()) for _ in range(2)]
    assert outside[0] == outside[1]
    assert outside[0] not in inside


def test_without_a_seed_inputs_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    assert draws("softmax") != draws("softmax")
    monkeypatch.setenv("BYHAND_SEED", "not a number")
    assert draws("softmax") != draws("softmax")


def test_random_inputs_leave_the_global_state_alone() -> None:
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    with check.exercise("softmax"):
        check.rng().random()
        torch.rand(1, generator=check.generator())
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # type: ignore[index]


# The seam


class JudgeHost(check.Host):
    """A judge's host, as small as one can be."""

    grading = True

    def __init__(self) -> None:
        super().__init__()
        self.records: list[tuple[str, bool, str]] = []

    def rng_seed(self) -> int:
        return 3

    def type_name(self, value: object) -> str:
        return "Sneaky" if isinstance(value, type(self)) else super().type_name(value)

    def record(self, name: str, passed: bool, message: str) -> None:
        self.records.append((name, passed, message))


def test_a_judge_replaces_seed_names_and_record(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = JudgeHost()
    monkeypatch.setattr(check, "host", judge)
    assert draws("softmax") == draws("softmax")
    said(ValueError("odd"))
    assert judge.records[-1] == ("attend", False, "ValueError: odd")
    with pytest.raises(check.CheckFailed, match="returned a Sneaky, not a"):
        check.values("f(x)", judge, np.ones(2))


def test_an_attached_origin_stands_for_an_error_of_another_process() -> None:
    def remote() -> None:
        error = RuntimeError("from elsewhere")
        origin = check.Origin(
            ("MyError", "ValueError", "Exception"), "width must be > 0, got -1", place="cell 3"
        )
        error.origin = origin  # type: ignore[attr-defined]
        raise error

    check.raises("gaussian_score(q, k, -1)", remote, ValueError, mentions=("width", -1))
    with pytest.raises(check.CheckFailed) as failure:
        check.raises("gaussian_score(q, k, -1)", remote, TypeError)
    assert "got   MyError: width must be > 0, got -1" in str(failure.value)
    assert failure.value._render_traceback_()[-1] == "  It happened in cell 3"


def test_a_notebook_shows_long_lines_broken_at_spaces_and_indented() -> None:
    cause = "Likely cause: " + "the whole array adds up to one; " * 5
    lines = check.CheckFailed(f"softmax(x): wrong.\n  {cause}")._render_traceback_()
    assert max(map(len, lines)) <= 90
    assert " ".join(lines).split() == f"softmax(x): wrong. {cause}".split()
    assert lines[1].startswith("  Likely")
    assert lines[2].startswith("    ")


def test_a_notebook_shows_a_row_of_numbers_as_it_was_set() -> None:
    assert check.CheckFailed("f(x)\n  got   [1  2]")._render_traceback_() == ["f(x)", "  got   [1  2]"]


# The progress file


def progress_after(monkeypatch: pytest.MonkeyPatch, host: check.Host, *results: bool) -> None:
    monkeypatch.setattr(_host, "notebook_shell", lambda: object())
    for passed in results:
        host.record("softmax", passed, "")


def test_a_notebook_writes_its_results_beside_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: check.Host
) -> None:
    monkeypatch.chdir(tmp_path)
    progress_after(monkeypatch, host, False, True)
    host.record("attend", False, "")
    written: dict[str, Any] = json.loads((tmp_path / ".progress.json").read_text())
    assert {name: entry["passed"] for name, entry in written.items()} == {"softmax": True, "attend": False}
    assert [path.name for path in tmp_path.iterdir()] == [".progress.json"]


def test_a_broken_progress_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: check.Host
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("{", "[1]"):
        (tmp_path / ".progress.json").write_text(text)
        progress_after(monkeypatch, host, True)
        assert json.loads((tmp_path / ".progress.json").read_text())["softmax"]["passed"] is True


def test_nothing_is_written_while_grading_or_outside_a_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: check.Host
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_host, "notebook_shell", lambda: None)
    host.record("softmax", True, "")
    monkeypatch.setenv("BYHAND_GRADING", "1")
    progress_after(monkeypatch, host, True)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_costs_no_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: check.Host
) -> None:
    (tmp_path / ".progress.json").mkdir()
    monkeypatch.chdir(tmp_path)
    progress_after(monkeypatch, host, True)
    assert host.passed("softmax") is True
