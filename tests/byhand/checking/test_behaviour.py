"""check.raises, check.kept and check.cost: what they refuse, in which words, and what they accept."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from byhand import check
from byhand.checking import cost as _cost
from tests.byhand.checking.message import failure_of

MIB = 2**20


def throws(error: Exception) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


def raises(error: Exception, *mentions: Any, wanted: type[Exception] = ValueError) -> str:
    return failure_of(check.raises, "f(x)", throws(error), wanted, mentions)


# raises


def test_the_right_error_with_the_right_words_is_accepted() -> None:
    text = "Keys have size 4, but the query has size 3."
    assert raises(ValueError(text), ("keys", "query"), 3, 4) == ""
    assert raises(UnicodeError(text)) == ""


def test_no_error_at_all_is_refused_with_what_came_back() -> None:
    assert (
        failure_of(check.raises, "f(x)", lambda: None)
        == "f(x) must raise a ValueError, but it returned None."
    )
    assert failure_of(check.raises, "f(x)", lambda: [1]).endswith("but it returned a list.")


def test_where_any_error_will_do_it_is_called_an_error() -> None:
    said = failure_of(check.raises, "f(x)", lambda: None, Exception)
    assert said == "f(x) must raise an error, but it returned None."
    assert raises(ValueError("no"), "x", wanted=Exception).startswith("f(x) raises an error, but its message")


def test_another_error_is_refused_and_shown() -> None:
    text = raises(IndexError("out of range"))
    assert text.startswith("f(x) must raise a ValueError with a message of its own.")
    assert "got   IndexError: out of range" in text


def test_a_librarys_own_words_do_not_count() -> None:
    with pytest.raises(check.CheckFailed) as failure:
        check.raises("f(x)", lambda: np.ones((2, 3)) @ np.ones(4), mentions=(("query", "keys"), 3, 4))
    assert str(failure.value).endswith("want  a message that also mentions query or keys")


@pytest.mark.parametrize("text", ["got 13", "got 3.5", "got -3", "got 31", "three"])
def test_a_number_must_be_mentioned_whole(text: str) -> None:
    assert "also mentions 3" in raises(ValueError(text), 3)


@pytest.mark.parametrize("text", ["(3, 4)", "3.", "size=3", "3x4", "n:3", "3.0", "3e0", "2-3", "(3,128)"])
def test_a_number_may_stand_anywhere(text: str) -> None:
    assert raises(ValueError(text), 3) == ""


def test_negative_numbers_and_fractions_are_found() -> None:
    assert raises(ValueError("width must be > 0, got -1.0"), ("-1", "-1.0")) == ""
    assert raises(ValueError("got 0.5"), 0.5) == ""


def test_a_long_number_may_be_written_with_commas() -> None:
    assert raises(ValueError("max_len is 65,536"), 65536) == ""


def test_a_stub_is_no_error_of_the_right_kind() -> None:
    with pytest.raises(NotImplementedError):
        check.raises("f(x)", throws(NotImplementedError("Not written yet")), RuntimeError)


# kept


def changed(function: Callable[..., Any], *inputs: Any, call: str = "f(scores, mask)") -> str:
    return failure_of(check.kept, call, function, *inputs)


def test_an_input_changed_in_place_is_named_with_before_and_after() -> None:
    def spoil(scores: Any, mask: Any) -> None:
        mask[0, 1] = 5

    assert changed(spoil, np.zeros(2), np.ones((1, 2))) == (
        "f(scores, mask) changes its input in place; work on a copy.\n"
        "  mask: 1 of 2 entries differs, first at [0, 1].\n"
        "  after   5.0\n"
        "  before  1.0"
    )


@pytest.mark.parametrize(
    ("spoil", "given"),
    [
        (lambda x: x.add_(1e-12), torch.zeros(2, dtype=torch.float64)),
        (lambda x: x.unsqueeze_(0), torch.zeros(2)),
        (lambda x: x.sort(), np.array([2.0, 1.0])),
        (lambda x: x.append(1), [1]),
        (lambda x: x.update(a=2), {"a": 1}),
        (lambda x: x[0].__setitem__(0, 9.0), [np.zeros(1)]),
        (lambda x: x.__setitem__(0, np.nan), np.zeros(2)),
        (lambda x: x.__setitem__(0, 0.0), np.array([np.nan, 1.0])),
    ],
)
def test_every_kind_of_change_is_seen(spoil: Callable[[Any], Any], given: Any) -> None:
    assert changed(spoil, given, call="f(x)").startswith("f(x) changes its input in place")


def test_inputs_left_alone_are_fine() -> None:
    given = (np.array([1.0, np.nan]), torch.ones(2), [1, [2]], {"a": (1, 2)}, object(), len, "x", None)
    assert changed(lambda *inputs: inputs, *given) == ""


def test_keyword_inputs_are_watched_and_named() -> None:
    text = failure_of(check.kept, "f(x, mask=m)", lambda x, mask: mask.fill(1), np.ones(1), mask=np.zeros(1))
    assert "\n  mask: " in text


def test_inputs_without_a_name_in_the_call_are_counted() -> None:
    assert "\n  argument 1: " in changed(lambda x: x.fill(1), np.zeros(1), call="f(np.zeros(1))")
    assert "\n  argument 1: " in changed(lambda x: x.fill(1), np.zeros(1), call="f with zeros")


# cost


def cost(function: Callable[[], Any], **limits: Any) -> str:
    return failure_of(check.cost, "f(x)", function, **limits)


def test_too_much_memory_is_refused_and_the_limit_named() -> None:
    wanted = "f(x) needs more than the 64 MiB it may use."
    assert cost(lambda: np.ones(400 * MIB // 8), max_bytes=64 * MIB) == wanted
    assert cost(lambda: torch.ones(400 * MIB // 4), max_bytes=64 * MIB) == wanted
    assert cost(lambda: bytearray(400 * MIB), max_bytes=64 * MIB) == wanted


def test_little_memory_is_accepted() -> None:
    assert cost(lambda: torch.ones(MIB).exp().sum(), max_bytes=64 * MIB) == ""


@pytest.mark.parametrize("error", [None, ValueError("odd"), MemoryError()])
def test_the_limit_is_taken_back(error: Exception | None) -> None:
    if sys.platform != "linux":
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(ValueError, check.CheckFailed):
        check.cost("f(x)", throws(error) if error else lambda: None, max_bytes=64 * MIB)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_other_errors_of_the_function_come_through() -> None:
    with pytest.raises(ValueError, match="odd"):
        check.cost("f(x)", throws(ValueError("odd")), max_bytes=64 * MIB)


def test_an_exhausted_computer_is_not_blamed_on_a_missing_limit() -> None:
    with pytest.raises(MemoryError):
        check.cost("f(x)", throws(MemoryError()), max_seconds=5)


def clocks(monkeypatch: pytest.MonkeyPatch, wall: float, processor: float) -> None:
    walls, processors = iter([0.0, wall]), iter([0.0, processor])
    fake = SimpleNamespace(perf_counter=lambda: next(walls), process_time=lambda: next(processors))
    monkeypatch.setattr(_cost, "time", fake)


def test_too_much_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks(monkeypatch, wall=2.5, processor=3.0)
    assert cost(lambda: None, max_seconds=1.5) == "f(x) takes 2.50 seconds, it may take 1.5."


def test_time_that_other_programs_take_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks(monkeypatch, wall=9.0, processor=0.5)
    assert cost(lambda: None, max_seconds=1.5) == ""


def test_memory_is_sampled_where_the_address_space_cannot_be_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cost, "LINUX", False)

    def greedy() -> None:
        block = np.ones(200 * MIB // 8)
        time.sleep(0.05)
        del block

    assert cost(greedy, max_bytes=64 * MIB).endswith("MiB of memory, it may use 64 MiB.")
    assert cost(lambda: None, max_bytes=64 * MIB) == ""
