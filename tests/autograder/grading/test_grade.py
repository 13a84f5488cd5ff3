"""`autograder grade` on a small class: what is graded, what is not graded again, and what is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from autograder.author.lesson import LessonError
from autograder.course import Course
from autograder.grading import grade, job, replay
from autograder.grading.dispatch import Place
from byhand import check
from tests.classroom import (
    DOT,
    NAME,
    SHARE,
    TINY,
    TRIAL,
    WRONG_DOT,
    WRONG_SHARE,
    Here,
    hand_in,
    make_course,
    options,
    rows,
    run,
)  # fmt: skip


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    Here.jobs = 0
    monkeypatch.setattr(check, "host", check.host)  # the trial grader sets both
    monkeypatch.setenv("BYHAND_SEED", "0")
    monkeypatch.setattr(grade, "local", lambda *_: Place(Here, 2))
    monkeypatch.setattr(replay, "local", lambda *_: Place(Here, 1))
    return make_course(tmp_path)


def autograded(course: Course, student: str) -> dict[str, Any]:
    return json.loads((course.step("autograded", NAME, student) / f"{NAME}.ipynb").read_bytes())


def points(course: Course, student: str) -> tuple[Any, ...]:
    return tuple(rows(course)[student][name][0] for name in ("test_dot", "test_share", "doubled"))


def test_everyone_gets_their_own_points(course: Course):
    hand_in(course, "ana", dot=DOT, share=SHARE, doubled="They stay.")
    hand_in(course, "bob", dot=WRONG_DOT, share=SHARE)
    hand_in(course, "陈 +*", dot=DOT, share=WRONG_SHARE)
    assert run(course) == 0
    assert points(course, "ana") == (2.0, 3.0, None)
    assert points(course, "bob") == (0.0, 3.0, 0.0)
    assert points(course, "陈 +*") == (2.0, 0.0, 0.0)


def test_one_broken_submission_stops_nobody_and_is_told_why(course: Course):
    (hand_in(course, "bad") / f"{NAME}.ipynb").write_bytes(b'{"cells": [')
    shutil.rmtree(hand_in(course, "file"))
    course.step("submitted", NAME, "file").write_text("a file where a folder should be")
    hand_in(course, "zoe", dot=DOT, share=SHARE)
    assert run(course) == 0
    assert points(course, "bad") == points(course, "file") == (0.0, 0.0, 0.0)
    assert points(course, "zoe") == (2.0, 3.0, 0.0)
    assert "cut off" in autograded(course, "bad")["cells"][0]["source"]
    assert "not a folder" in autograded(course, "file")["cells"][0]["source"]


def test_a_second_run_does_nothing(course: Course, capsys: pytest.CaptureFixture[str]):
    hand_in(course, "ana", dot=DOT)
    run(course)
    before = rows(course), autograded(course, "ana")
    assert run(course) == 0
    assert Here.jobs == 1
    assert (rows(course), autograded(course, "ana")) == before
    assert "0 graded" in capsys.readouterr().out.splitlines()[-1]


def test_equal_submissions_are_run_once(course: Course):
    for student in ("ana", "bob", "cy"):
        hand_in(course, student, dot=DOT)
    run(course)
    assert Here.jobs == 1
    assert points(course, "ana") == points(course, "bob") == points(course, "cy") == (2.0, 0.0, 0.0)


def test_only_what_changed_is_graded_again(course: Course):
    hand_in(course, "ana", dot=DOT)
    hand_in(course, "bob", dot=WRONG_DOT)
    run(course)
    hand_in(course, "bob", dot=DOT, share=SHARE)
    run(course)
    assert Here.jobs == 3
    assert points(course, "bob") == (2.0, 3.0, 0.0)


def test_a_later_timestamp_alone_updates_the_row_without_grading(course: Course):
    hand_in(course, "ana", timestamp="2026-03-01 12:00:00 UTC", dot=DOT)
    run(course)
    hand_in(course, "ana", timestamp="2026-03-02 12:00:00 UTC", dot=DOT)
    run(course)
    assert Here.jobs == 1
    copied = course.step("autograded", NAME, "ana") / "timestamp.txt"
    assert copied.read_text() == "2026-03-02 12:00:00 UTC"


def test_a_changed_test_grades_everyone_again(course: Course, tmp_path: Path):
    hand_in(course, "ana", dot=DOT)
    run(course)
    source = (TINY / NAME / f"{NAME}.py").read_text().replace("size=3", "size=4")
    (tmp_path / "new" / NAME).mkdir(parents=True)
    (tmp_path / "new" / NAME / f"{NAME}.py").write_text(source)
    run(course, solutions=tmp_path / "new")
    assert Here.jobs == 2


def test_force_grades_again_with_another_seed(course: Course):
    hand_in(course, "ana", dot=DOT)
    run(course)
    first = autograded(course, "ana")["metadata"]["autograder"]["seed"]
    run(course, force=True, student=["ana"])
    assert autograded(course, "ana")["metadata"]["autograder"]["seed"] != first


def test_a_lost_autograded_notebook_or_gradebook_row_is_made_again_without_grading(course: Course):
    hand_in(course, "ana", dot=DOT)
    run(course)
    before = rows(course), autograded(course, "ana")
    shutil.rmtree(course.step("autograded", NAME, "ana"))
    run(course)
    shutil.copy(make_course(course.root.parent / "other").root / "gradebook.db", course.root / "gradebook.db")
    run(course)
    assert Here.jobs == 1
    assert (rows(course), autograded(course, "ana")) == before


def test_only_the_named_student_is_graded(course: Course):
    hand_in(course, "ana", dot=DOT)
    hand_in(course, "bob", dot=DOT)
    run(course, student=["bob"])
    assert list(rows(course)) == ["bob"]


def test_an_unknown_student_is_named_with_the_likely_one(course: Course):
    hand_in(course, "anna", dot=DOT)
    with pytest.raises(LessonError, match=r"ana has handed in no 90_tiny\. Did you mean anna"):
        run(course, student=["ana"])


def test_no_submissions_is_a_sentence(course: Course):
    with pytest.raises(LessonError, match="no submission of 90_tiny"):
        run(course)


def test_dry_run_writes_nothing(course: Course, capsys: pytest.CaptureFixture[str]):
    hand_in(course, "ana", dot=DOT)
    before = sorted(course.root.rglob("*"))
    assert run(course, dry_run=True) == 0
    assert sorted(course.root.rglob("*")) == before
    assert "1 to do" in capsys.readouterr().out


def test_json_says_everything(course: Course, capsys: pytest.CaptureFixture[str]):
    hand_in(course, "ana", dot=DOT)
    run(course, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["students"] == [
        {"student": "ana", "state": "graded", "points": 2.0, "max_points": 6.0, "reason": ""}
    ]


def test_the_graders_fault_costs_no_points_and_is_graded_again(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    hand_in(course, "ana", dot=DOT)
    hand_in(course, "bob", dot=DOT + "  # BOB")
    with monkeypatch.context() as broken:
        broken.setattr("autograder.grading.job._grade", fails("no memory"))
        assert run(course) == 1
    assert "no memory" in capsys.readouterr().out
    assert rows(course)["bob"]["test_dot"] == (None, None, None, True)
    assert run(course) == 0
    assert points(course, "bob") == (2.0, 0.0, 0.0)


def test_a_grader_that_fails_on_the_lessons_own_solutions_too_stops(
    course: Course, monkeypatch: pytest.MonkeyPatch
):
    for number in range(19):
        hand_in(course, f"s{number:02}", dot=f"{DOT}  # {number}")
    with monkeypatch.context() as broken:
        broken.setattr("autograder.grading.job._grade", fails("no sandbox"))
        with pytest.raises(LessonError, match=r"times in a row, and on the lesson's own.*: .*no sandbox"):
            run(course)
    assert 3 <= len(rows(course)) < 19
    assert run(course) == 0
    assert len(rows(course)) == 19


def test_submissions_that_only_the_grader_fails_on_stop_nobody(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for number in range(19):
        hand_in(course, f"s{number:02}", dot=f"{DOT}  # {number}{' KILLER' if number < 15 else ''}")
    grade_well = job._grade

    def grade_some(work: job.Job, rebuilt: Any) -> Any:
        return fails("its judge ended")() if b"KILLER" in work.staged.notebook else grade_well(work, rebuilt)

    with monkeypatch.context() as broken:
        broken.setattr("autograder.grading.job._grade", grade_some)
        assert run(course) == 1
    assert capsys.readouterr().out.count("its judge ended") == 15
    assert [points(course, f"s{number:02}")[0] for number in range(19)] == [None] * 15 + [2.0] * 4
    assert len(rows(course)) == 19  # the lesson's own solutions are nobody's


def fails(reason: str) -> Any:
    def grade_badly(*_: object) -> None:
        raise RuntimeError(reason)

    return grade_badly


def test_replay_reproduces_the_verdict_from_the_recorded_seed(
    course: Course, capsys: pytest.CaptureFixture[str]
):
    hand_in(course, "ana", dot=WRONG_DOT, share="def share(scores):\n    return np.array([0.25, 0.75])")
    run(course)
    assert replay.replay(course, "ana", NAME, TRIAL, TINY) == 0
    assert "identical" in capsys.readouterr().out


def test_replay_says_how_a_verdict_differs(course: Course, capsys: pytest.CaptureFixture[str]):
    hand_in(course, "ana", dot=WRONG_DOT)
    run(course)
    hand_in(course, "ana", dot=DOT)
    assert replay.replay(course, "ana", NAME, TRIAL, TINY) == 1
    said = capsys.readouterr().out
    assert "changed since" in said
    assert "DIFFERENT" in said
    with pytest.raises(LessonError, match="Did you mean ana"):
        replay.replay(course, "anna", NAME, TRIAL, TINY)


def test_autograded_notebooks_hold_no_hidden_line_and_no_script(course: Course):
    hand_in(course, "ana", dot=WRONG_DOT, doubled="<script>alert(1)</script> & <img src=x onerror=y>")
    run(course)
    text = (course.step("autograded", NAME, "ana") / f"{NAME}.ipynb").read_text()
    assert "secret_" not in text
    assert "HIDDEN" not in text
    assert "<script" not in text
    assert "<img" not in text


def test_nbgrader_makes_feedback_from_the_autograded_notebook(course: Course):
    hand_in(course, "ana", timestamp="2026-03-01 12:00:00 UTC", dot=WRONG_DOT, share=SHARE)
    run(course)
    result = course.api().generate_feedback(NAME, "ana")
    assert result["success"], result
    page = (course.step("feedback", NAME, "ana") / f"{NAME}.html").read_text()
    assert "not multiplied by SCALE" in page
    assert "Score: 3.0 / 6.0" in page


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("cel_seconds=1", "Did you mean cell_seconds"),
        ("cell_seconds=x", "needs a number"),
        ("cell_seconds=0", "above 0"),
    ],
)
def test_a_wrong_limit_is_named(text: str, reads: str):
    with pytest.raises(LessonError, match=reads):
        grade.limits_of(text)


def test_limits_keep_their_kind():
    assert grade.limits_of("cell_seconds=2,processes=8") == {"cell_seconds": 2.0, "processes": 8}


def test_limits_of_the_course_are_set_once_and_the_commands_come_on_top(
    course: Course, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(grade, "check_sandbox", lambda settings: None)
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write("\nc.Autograder.limits = {'cell_seconds': 20, 'processes': 8}\n")
    settings = grade.settings_of(course, options(limits="processes=9", no_sandbox=False))
    assert settings.limits == {"cell_seconds": 20.0, "processes": 9}
