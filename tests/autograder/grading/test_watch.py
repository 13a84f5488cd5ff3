"""What arrives in the exchange: what is taken in, from whom, and that feedback comes back."""

from __future__ import annotations

import datetime
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from nbgrader.utils import notebook_hash

from autograder.author.lesson import LessonError
from autograder.course import COURSE_ID, Course
from autograder.grading import collect, grade, watch
from autograder.grading.collect import Inbound, take_in
from autograder.grading.coordinator import Plan
from autograder.grading.dispatch import Dispatcher, Place
from autograder.grading.watch import Watcher
from byhand import check
from tests.classroom import (
    DOT,
    NAME,
    SHARE,
    TINY,
    TRIAL,
    WRONG_DOT,
    Here,
    hand_in,
    make_course,
    notebook,
    options,
    rows,
)

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.setattr(check, "host", check.host)  # the trial grader sets both
    monkeypatch.setenv("BYHAND_SEED", "0")
    return make_course(tmp_path)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def watcher(course: Course, lines: list[str]) -> Iterator[Watcher]:
    with ExitStack() as stack:
        grading = grade.open_grading(stack, course, NAME, TINY, TRIAL)
        dispatcher = stack.enter_context(Dispatcher[Plan](Place(Here, 1)))
        yield Watcher(grading, dispatcher, course.api(), lines.append)


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """Submissions arrive now, however long the tests before this one took."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.datetime.now(datetime.UTC))


def arrive(course: Course, student: str, minutes: float = 0, secret: str = "s", **answers: str) -> Path:
    """A folder in inbound as `nbgrader submit` leaves it."""
    stamp = (NOW + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
    folder = course.exchange / COURSE_ID / "inbound" / f"{student}+{NAME}+{stamp}"
    folder.mkdir(parents=True)
    (folder / f"{NAME}.ipynb").write_bytes(notebook(answers))
    (folder / "timestamp.txt").write_text(stamp)
    (folder / "submission_secret.txt").write_text(secret)
    return folder


def taken(course: Course) -> list[str]:
    found, _ = Inbound(course, NAME).look()
    for arrival in found:
        take_in(course, NAME, arrival)
    return sorted(arrival.student for arrival in found)


# ---- collecting


def test_a_submission_is_brought_to_submitted_with_its_time(course: Course):
    arrive(course, "ana", dot=DOT)
    assert taken(course) == ["ana"]
    folder = course.step("submitted", NAME, "ana")
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{NAME}.ipynb",
        "submission_secret.txt",
        "timestamp.txt",
    ]
    assert (folder / "timestamp.txt").read_text() == NOW.strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def test_the_newest_counts_and_an_older_one_never_replaces_it(course: Course):
    arrive(course, "ana", 0, dot=WRONG_DOT)
    arrive(course, "ana", 5, dot=DOT)
    assert taken(course) == ["ana"]
    assert DOT.encode()[:10] in (course.step("submitted", NAME, "ana") / f"{NAME}.ipynb").read_bytes()
    arrive(course, "ana", 2, dot=WRONG_DOT)
    assert taken(course) == []


@pytest.mark.parametrize("name", ["ana+b", "安", "a b", "x*"])
def test_odd_but_honest_names_are_taken(course: Course, name: str):
    arrive(course, name)
    assert taken(course) == [name]


@pytest.mark.parametrize("name", ["..", ".hidden", "a\nb", "x" * 129])
def test_names_that_would_lead_elsewhere_are_refused(course: Course, name: str):
    arrive(course, name)
    found, refused = Inbound(course, NAME).look()
    assert found == []
    assert "no student's name" in refused[0]


@pytest.mark.parametrize(
    "name", ["rubbish", f"ana+{NAME}+no time", f"ana+{NAME}", "ana+other+2026-03-01 12:00:00 UTC"]
)
def test_what_is_no_submission_of_this_lesson_is_passed_over(course: Course, name: str):
    (course.exchange / COURSE_ID / "inbound" / name).mkdir(parents=True)
    assert Inbound(course, NAME).look() == ([], [])


def test_a_folder_owned_by_another_student_is_refused(course: Course, monkeypatch: pytest.MonkeyPatch):
    arrive(course, "ana")
    owner = os.getuid()
    monkeypatch.setattr(collect.os, "getuid", lambda: owner + 1)
    found, refused = Inbound(course, NAME).look()
    assert found == []
    assert f"belongs to user {owner}, not to ana" in refused[0]


def test_links_in_a_submission_are_not_copied(course: Course, tmp_path: Path):
    (tmp_path / "secret").write_text("key")
    folder = arrive(course, "ana")
    (folder / "weights.safetensors").symlink_to(tmp_path / "secret")
    (folder / "inner").symlink_to(tmp_path)
    taken(course)
    assert "secret" not in {path.name for path in course.step("submitted", NAME, "ana").rglob("*")}
    assert not (course.step("submitted", NAME, "ana") / "weights.safetensors").exists()


def test_a_link_to_a_folder_is_no_submission(course: Course, tmp_path: Path):
    stamp = NOW.strftime("%Y-%m-%d %H:%M:%S UTC")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "submission_secret.txt").write_text("s")
    (course.exchange / COURSE_ID / "inbound" / f"ana+{NAME}+{stamp}").symlink_to(tmp_path / "elsewhere")
    found, refused = Inbound(course, NAME).look()
    assert found == []
    assert "not a folder" in refused[0]


def test_a_submission_still_being_written_is_left_until_it_is_whole(course: Course):
    folder = arrive(course, "ana")
    (folder / "submission_secret.txt").unlink()
    inbound = Inbound(course, NAME)
    assert inbound.look() == ([], [])
    (folder / "submission_secret.txt").write_text("s")
    assert [found.student for found in inbound.look()[0]] == ["ana"]


def test_a_forged_time_is_pointed_out(course: Course):
    arrive(course, "ana", minutes=-600)
    [found], _ = Inbound(course, NAME).look()
    assert "ana claims" in take_in(course, NAME, found)


def test_more_files_than_allowed_are_left(course: Course, monkeypatch: pytest.MonkeyPatch):
    folder = arrive(course, "ana")
    monkeypatch.setattr(collect, "FILES", 20)
    for number in range(50):
        (folder / f"z{number}").write_text("x")
    taken(course)
    assert len(list(course.step("submitted", NAME, "ana").iterdir())) <= 21


# ---- watching


def test_a_submission_is_graded_and_its_feedback_released(watcher: Watcher, lines: list[str]):
    course = watcher.grading.course
    arrive(course, "ana", secret="ana's", dot=DOT, share=SHARE)
    [outcome] = watcher.round()
    assert (outcome.student, outcome.points) == ("ana", 5.0)
    page = notebook_hash(secret="ana's", notebook_id=NAME)
    released = course.exchange / COURSE_ID / "feedback" / f"{page}.html"
    assert "Score: 5.0 / 6.0" in released.read_text()
    assert lines == ["ana: 5 of 6; feedback returned"]
    assert watcher.round() == []


def test_one_broken_submission_does_not_stop_the_watch(watcher: Watcher):
    course = watcher.grading.course
    (arrive(course, "bad") / f"{NAME}.ipynb").write_bytes(b"{")
    arrive(course, "zoe", dot=DOT)
    assert {outcome.student: outcome.points for outcome in watcher.round()} == {"bad": 0.0, "zoe": 2.0}


def test_what_an_earlier_watch_left_is_caught_up(watcher: Watcher, lines: list[str]):
    course = watcher.grading.course
    folder = hand_in(course, "ana", timestamp="2026-03-01 12:00:00 UTC", dot=DOT)
    (folder / "submission_secret.txt").write_text("s")
    watcher.catch_up()
    assert rows(course)["ana"]["test_dot"][0] == 2.0
    assert (course.step("feedback", NAME, "ana") / f"{NAME}.html").exists()
    lines.clear()
    watcher.catch_up()
    assert lines == []


def test_feedback_that_was_not_made_before_a_crash_is_made(watcher: Watcher, lines: list[str]):
    course = watcher.grading.course
    folder = hand_in(course, "ana", timestamp="2026-03-01 12:00:00 UTC", dot=DOT)
    (folder / "submission_secret.txt").write_text("s")
    watcher.grading.report = lambda outcome: None
    watcher.grading.run(["ana"], watcher._dispatcher)
    watcher.catch_up()
    assert lines == ["ana: graded before; feedback returned"]


def test_feedback_that_fails_is_said_and_the_watch_goes_on(
    watcher: Watcher, lines: list[str], monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: object) -> str:
        raise LessonError("no room")

    monkeypatch.setattr(watch, "result_of", broken)
    arrive(watcher.grading.course, "ana", dot=DOT)
    assert len(watcher.round()) == 1
    assert lines == ["ana: 2 of 6; feedback was not returned: no room"]


def test_the_watch_ends_when_asked_to(
    course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(grade, "local", lambda *_: Place(Here, 1))
    arrive(course, "ana", dot=DOT)
    until = time.monotonic() + 60
    done = course.root / "feedback" / "ana" / NAME / f"{NAME}.html"
    stop = lambda: done.exists() or time.monotonic() > until  # noqa: E731
    assert watch.run(course, NAME, options(), TRIAL, TINY, stop) == 0
    assert "feedback returned" in capsys.readouterr().out
