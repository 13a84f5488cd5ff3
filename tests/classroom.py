"""A small class for tests: a course with the tiny lesson released, and submissions made from its bank."""

from __future__ import annotations

import atexit
import copy
import functools
import json
import logging
import shutil
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from autograder import course as courses
from autograder.author import lesson, release
from autograder.course import Course
from autograder.grading import grade
from autograder.grading.gradebook import Book
from autograder.grading.job import Settings
from tests.places import TINY

NAME = "90_tiny"
DOT = "def dot(query, keys):\n    return SCALE * (keys @ query)"
WRONG_DOT = "def dot(query, keys):\n    return keys @ query"
SHARE = "def share(scores):\n    return scores / scores.sum()"
WRONG_SHARE = "def share(scores):\n    return scores / scores.max()"
TRIAL = Settings(grader="trial", sandbox=False)
_BLANK: dict[str, Any] = {}


class Here(Executor):
    """Runs each job at once, in this process."""

    jobs = 0

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        Here.jobs += 1
        future: Future[Any] = Future()
        future.set_result(function(*arguments, **named))
        return future


@functools.cache
def _template() -> Path:
    """A released course, made once: nbgrader needs seconds for its database."""
    root = Path(tempfile.mkdtemp(prefix="classroom-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    release.release(NAME, courses.Course(root / "course", root / "exchange", root / "work").prepare(), TINY)
    return root


def make_course(root: Path) -> Course:
    shutil.copytree(_template(), root, dirs_exist_ok=True)
    return courses.Course(root / "course", root / "exchange", root / "work")


def notebook(answers: Mapping[str, str], solutions: Path = TINY) -> bytes:
    """The released notebook with these answers in it."""
    if not _BLANK:
        _BLANK.update(json.loads(release.to_bytes(release.learner_notebook(lesson.read(NAME, solutions)))))
    book = copy.deepcopy(_BLANK)
    for cell in book["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if grade_id in answers:
            cell["source"] = answers[grade_id]
    return json.dumps(book).encode()


def hand_in(course: Course, student: str, timestamp: str = "", **answers: str) -> Path:
    folder = course.step("submitted", NAME, student)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.ipynb").write_bytes(notebook(answers))
    if timestamp:
        (folder / "timestamp.txt").write_text(timestamp)
    return folder


def options(**changed: Any) -> Namespace:
    given = {"student": [], "force": False, "jobs": 1, "scheduler": None, "dry_run": False, "json": False}
    return Namespace(**{**given, **changed})


def run(course: Course, settings: Settings = TRIAL, solutions: Path = TINY, **changed: Any) -> int:
    return grade.grade(course, NAME, options(**changed), settings, solutions)


def rows(course: Course) -> dict[str, dict[str, Any]]:
    """What the gradebook says: student -> grade_id -> (auto, manual, extra, needs a person)."""
    url = f"sqlite:///{course.root / 'gradebook.db'}"
    query = """
        select s.student_id, b.name, g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade
        from grade g join base_cell b on b.id = g.cell_id join submitted_notebook n on n.id = g.notebook_id
        join submitted_assignment s on s.id = n.assignment_id order by 1, 2"""
    found: dict[str, dict[str, Any]] = {}
    with closing(sa.create_engine(url).connect()) as connection:
        for student, name, *values in connection.execute(sa.text(query)):
            found.setdefault(student, {})[name] = tuple(values)
    return found


def book(course: Course) -> Book:
    return Book(course, lesson.read(NAME, TINY))


def two_workers() -> Any:
    """A Dask cluster of two processes on this machine, to be used in a with statement."""
    import distributed  # takes a second, and few tests need it

    return distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
        protocol="tcp",
        silence_logs=logging.CRITICAL,
    )
