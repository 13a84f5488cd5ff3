"""What is remembered of a grading, and what makes it be done again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.author.lesson import read
from autograder.grading import worklist
from autograder.grading.worklist import BusyError, Done, Worklist, key_of, lesson_digest
from autograder.verdict import CellRun, Report, Verdict
from tests.places import TINY

LESSON = read("90_tiny", TINY)
REPORT = Report(
    "90_tiny",
    7,
    (Verdict("test_dot", "dot", 0.0, 2.0, "failed", "learner", "先 got 1"),),
    (CellRun(3, ({"output_type": "stream", "name": "stdout", "text": "hi"},)),),
    ("a note",),
)


def changed(**fields: object) -> str:
    """The lesson's digest after a change to its cell dot."""
    cells = [replace(cell, **fields) if cell.grade_id == "test_dot" else cell for cell in LESSON.cells]
    return lesson_digest(replace(LESSON, cells=tuple(cells)))


def test_a_result_comes_back_as_it_was_kept(tmp_path: Path):
    with Worklist(tmp_path / "w") as first:
        first.keep("k", REPORT)
    assert Worklist(tmp_path / "w").result("k") == REPORT


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b'{"lesson": 1}', b"\xff"])
def test_a_damaged_result_counts_as_none(tmp_path: Path, left: bytes):
    with Worklist(tmp_path) as found:
        (tmp_path / "results" / "k.json").write_bytes(left)
        assert found.result("k") is None
        assert found.result("other") is None


def test_done_students_are_known_to_the_next_run(tmp_path: Path):
    entry = Done("ana 安", "k", "2026-01-01", 5, {"test_dot": 2.0, "doubled": None})
    with Worklist(tmp_path) as first:
        first.mark([entry, Done("bob", "k", "", 5)])
        first.mark([Done("bob", "k2", "", 5)])
    with Worklist(tmp_path) as second:
        assert second.done("ana 安") == entry
        assert second.done("bob") == Done("bob", "k2", "", 5)
        assert second.done("cy") is None


def test_half_a_line_left_by_a_crash_costs_only_itself(tmp_path: Path):
    with Worklist(tmp_path) as first:
        first.mark([Done("ana", "k", "", 5), Done("bob", "k", "", 5)])
    journal = tmp_path / "done.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])
    with Worklist(tmp_path) as second:
        assert (second.done("ana"), second.done("bob")) == (Done("ana", "k", "", 5), None)
        second.mark([Done("cy", "k", "", 5)])
    with Worklist(tmp_path) as third:
        assert third.done("cy") == Done("cy", "k", "", 5)


def test_the_journal_does_not_grow_for_ever(tmp_path: Path):
    with Worklist(tmp_path) as first:
        for _ in range(200):
            first.mark([Done("ana", "k", "", 5)])
    with Worklist(tmp_path):
        assert len((tmp_path / "done.jsonl").read_text().splitlines()) == 1


def test_one_lesson_is_graded_by_one_process_at_a_time(tmp_path: Path):
    with Worklist(tmp_path), pytest.raises(BusyError, match=r"process \d+ is grading"), Worklist(tmp_path):
        pass
    with Worklist(tmp_path):
        pass


def test_half_written_files_are_cleared_away(tmp_path: Path):
    with Worklist(tmp_path):
        (tmp_path / "results" / ".writing-abc").write_text("half")
    with Worklist(tmp_path):
        assert not list((tmp_path / "results").iterdir())


def test_write_whole_leaves_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    worklist.write_whole(tmp_path / "f", b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(worklist.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        worklist.write_whole(tmp_path / "f", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_rewording_an_explanation_regrades_nobody():
    cells = [replace(c, source="Other words.") if c.kind == "markdown" else c for c in LESSON.cells]
    assert lesson_digest(replace(LESSON, cells=tuple(cells))) == lesson_digest(LESSON)


@pytest.mark.parametrize("fields", [{"source": "x"}, {"points": 9.0}, {"grade_id": "test_dot_2"}])
def test_a_changed_test_regrades(fields: dict[str, object]):
    assert changed(**fields) != lesson_digest(LESSON)


def test_every_part_of_the_key_counts(monkeypatch: pytest.MonkeyPatch):
    base = key_of("s", "l", {"limits": {}, "sandbox": True})
    assert base == key_of("s", "l", {"sandbox": True, "limits": {}})
    others = [
        key_of("t", "l", {"limits": {}, "sandbox": True}),
        key_of("s", "m", {"limits": {}, "sandbox": True}),
        key_of("s", "l", {"limits": {"cell_seconds": 1}, "sandbox": True}),
        key_of("s", "l", {"limits": {}, "sandbox": False}),
    ]
    monkeypatch.setattr(worklist, "grader_version", lambda: "another")
    others.append(key_of("s", "l", {"limits": {}, "sandbox": True}))
    assert len({base, *others}) == 6


def test_the_grader_version_covers_every_module_that_can_change_a_verdict():
    names = [path.relative_to(worklist.PACKAGE).as_posix() for path in worklist.PACKAGE.rglob("*.py")]
    counted = {name.removesuffix(".py") for name in names if not name.startswith(worklist.AROUND)}
    assert {"intake/triage", "intake/handed", "intake/stage", "grading/job", "sandbox/worker"} <= counted
    assert {"author/lesson", "judge/judge", "learner/shell", "wire/decode", "verdict"} <= counted
    assert [around for around in worklist.AROUND if not any(name.startswith(around) for name in names)] == []


def test_reports_survive_json():
    assert Report.from_json(json.loads(json.dumps(REPORT.to_json()))) == REPORT
