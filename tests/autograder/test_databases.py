"""The gradebook in PostgreSQL, on a real server from Debian's package, says what it says in SQLite."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from autograder import course as courses
from autograder.author import release
from autograder.author.lesson import LessonError
from autograder.course import COURSE_ID, Course
from autograder.feedback.generate import Pages
from autograder.grading import grade
from autograder.grading.dispatch import Place
from byhand import check
from tests.classroom import DOT, NAME, SHARE, WRONG_DOT, Here, book, hand_in, run
from tests.places import TINY

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))


class Server:
    """A PostgreSQL server of our own, reached by a Unix socket; as root it runs as the user postgres."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = PROGRAMS[-1].parent
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        self._do("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "grader", "--no-sync")
        self.start()
        self._do("createdb", "-h", str(folder), "-U", "grader", "grades")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://grader@/grades?host={self.folder}"

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        log = str(self.folder / "log")
        self._do("pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        self._do("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def _do(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.programs / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self.user,
            cwd=self.folder,
        )


@pytest.fixture
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    made = Server(folder)
    yield made
    made.stop()
    shutil.rmtree(folder)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "host", check.host)  # the trial grader sets both
    monkeypatch.setenv("BYHAND_SEED", "0")
    monkeypatch.setattr(grade, "local", lambda *_: Place(Here, 1))


def course_on(root: Path, url: str = "") -> Course:
    course = courses.Course(root / "course", root / "exchange", root / "work").prepare()
    if url:
        with (course.root / "nbgrader_config.py").open("a") as config:
            config.write(f"\nc.CourseDirectory.db_url = {url!r}\n")
    release.release(NAME, course, TINY)
    return course


def as_nbgrader_says(course: Course, url: str) -> list[dict[str, Any]]:
    with Gradebook(url, COURSE_ID) as theirs:
        found = []
        for submission in theirs.assignment_submissions(NAME):
            told = submission.to_dict()
            told.pop("id")
            grades = [grade.to_dict() for notebook in submission.notebooks for grade in notebook.grades]
            for one in grades:
                one.pop("id")
            found.append({**told, "grades": sorted(grades, key=lambda one: one["name"])})
        return sorted(found, key=lambda one: one["student"])


def grade_a_class(course: Course, url: str) -> list[dict[str, Any]]:
    hand_in(course, "ana", timestamp="2026-03-01 12:00:00 UTC", dot=DOT, share=SHARE, doubled="Same.")
    hand_in(course, "陈", timestamp="2026-03-01 12:00:00.25 UTC", dot=WRONG_DOT)
    assert run(course) == 0
    with Gradebook(url, COURSE_ID) as theirs:
        one = theirs.find_grade("test_dot", NAME, NAME, "陈")
        one.manual_score, one.extra_credit = 1.5, 0.5
        theirs.db.commit()
    hand_in(course, "陈", timestamp="2026-03-02 12:00:00 UTC", dot=DOT)
    assert run(course) == 0
    return as_nbgrader_says(course, url)


def pages(course: Course) -> dict[str, str]:
    """The scores that the feedback pages show."""
    made = Pages(course, NAME)
    assert {said for _, said in made.make(["ana", "陈"])} == {"new"}
    texts = {
        path.parent.parent.name: path.read_text() for path in course.root.glob(f"feedback/*/{NAME}/*.html")
    }
    return {student: "".join(re.findall(r"Score: [-\d. /]+", text)) for student, text in texts.items()}


if PROGRAMS:

    def test_both_databases_say_the_same(tmp_path: Path, server: Server, quiet: None):
        lite = course_on(tmp_path / "lite")
        here = grade_a_class(lite, f"sqlite:///{lite.root / 'gradebook.db'}")
        post = course_on(tmp_path / "post", server.url)
        there = grade_a_class(post, server.url)
        assert there == here
        assert pages(post) == pages(lite)
        assert [one["score"] for one in here] == [5.0, 2.0]

    def test_a_server_that_goes_away_is_a_sentence_and_the_next_run_ends_the_work(
        tmp_path: Path, server: Server, quiet: None
    ):
        course = course_on(tmp_path, server.url)
        hand_in(course, "ana", dot=DOT)
        server.stop()
        with pytest.raises(LessonError, match=r"gradebook postgresql.*cannot be used"):
            run(course)
        server.start()
        assert run(course) == 0
        opened = book(course)
        assert opened.scores(["ana"])["ana"]["test_dot"] == 2.0
        opened.close()
