"""`autograder bench`: this grader and stock nbgrader on the same class, in one run on this machine.

    a class from the bank --autograder grade--------------> submissions a minute, points
                          --nbgrader autograde, × cores---> submissions a minute, points

Both go end to end, from submitted/ to gradebook and autograded/, each in as many processes as there are
cores. Stock nbgrader runs as it comes: no configuration but its folders. Absolute figures are this
machine's; the ratio is what to compare. Order of this file: the command, the two ways, the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from nbgrader.api import Gradebook

from autograder import cli, release, sample
from autograder.course import COURSE_ID, Course
from autograder.dispatch import cores
from autograder.lesson import Lesson, read

STOCK = 8  # submissions for stock nbgrader: it takes seconds for each
OURS = 96
Scores = dict[str, float]  # student -> points that a machine gave

STOCK_CONFIG = """c = get_config()
c.CourseDirectory.course_id = {course!r}
c.CourseDirectory.root = {root!r}
"""


@dataclass(frozen=True)
class Measured:
    """One way of grading. seconds: for the whole class, end to end; feedback: for all pages of it."""

    count: int
    seconds: float
    feedback: float
    scores: Scores

    @property
    def rate(self) -> float:
        return 60 * self.count / self.seconds


def add_parser(subparsers: Any) -> None:
    """`autograder bench`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "bench",
        help="compare with stock nbgrader on the same class",
        description="Grade a class by this grader and by stock nbgrader, and print both rates.",
        epilog="example: autograder bench 01_scoring --count 240",
    )
    parser.add_argument("lesson", nargs="?", default="01_scoring", metavar="LESSON")
    parser.add_argument("--count", type=int, default=OURS, help="submissions for this grader (%(default)s)")
    parser.add_argument(
        "--stock", type=int, default=STOCK, help="submissions for stock nbgrader (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    [name] = cli.lesson_names([options.lesson])
    lesson = read(name)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ours = _ours(Path(folder) / "ours", lesson, options.count)
        stock = _stock(Path(folder) / "stock", lesson, options.stock)
    differing = sorted(s for s in stock.scores if s in ours.scores and stock.scores[s] != ours.scores[s])
    print(_json(name, ours, stock, differing) if options.json else _table(name, ours, stock, differing))
    return 0


def submissions(lesson: Lesson, count: int) -> dict[str, bytes]:
    """A class made from the bank: every known answer gets its turn. No endless loops: time is measured."""
    members = [one for one in sample.members(lesson) if not one.file and "endless" not in one.did]
    blank = release.to_bytes(release.learner_notebook(lesson))
    notebooks: dict[str, bytes] = {}
    for number in range(count):
        content = json.loads(blank)
        for cell in content["cells"]:
            grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
            cell["source"] = members[number % len(members)].answers.get(grade_id, cell["source"])
        content["metadata"]["number"] = number  # else equal submissions are graded once
        notebooks[f"{chr(97 + number % cores())}{number:05}"] = json.dumps(content).encode()
    return notebooks


def _hand_in(root: Path, lesson: Lesson, count: int) -> None:
    for student, notebook in submissions(lesson, count).items():
        path = root / "submitted" / student / lesson.name / f"{lesson.name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(notebook)


def _ours(folder: Path, lesson: Lesson, count: int) -> Measured:
    course = Course(folder / "course", folder / "exchange", folder / "work").prepare()
    release.release(lesson.name, course)
    _hand_in(course.root, lesson, count)
    environment = {**os.environ, **course.environment()}
    here = [sys.executable, "-m"]
    seconds = _timed([[*here, "autograder.cli", "grade", lesson.name]], course.root, environment)
    pages = [[*here, "nbgrader", "generate_feedback", lesson.name]]
    return Measured(count, seconds, _timed(pages, course.root, environment), _scores(course.root))


def _stock(root: Path, lesson: Lesson, count: int) -> Measured:
    """nbgrader as it comes, one process for each core, each with its own share of the class."""
    source = root / "source" / lesson.name / f"{lesson.name}.ipynb"
    source.parent.mkdir(parents=True)
    source.write_bytes(release.to_bytes(release.source_notebook(lesson)))
    config = STOCK_CONFIG.format(course=COURSE_ID, root=str(root))
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    here = [sys.executable, "-m", "nbgrader"]
    _timed([[*here, "generate_assignment", lesson.name]], root, environment)
    _hand_in(root, lesson, count)
    shares = [f"--student={chr(97 + core)}*" for core in range(min(cores(), count))]
    grade = [[*here, "autograde", lesson.name, share] for share in shares]
    pages = [[*here, "generate_feedback", lesson.name]]
    return Measured(count, _timed(grade, root, environment), _timed(pages, root, environment), _scores(root))


def _timed(commands: Sequence[Sequence[str]], folder: Path, environment: Mapping[str, str]) -> float:
    """Seconds that these commands take, run at the same time. What they print goes into the folder."""
    started = time.monotonic()
    with (folder / "bench.log").open("ab") as log:
        running = [
            subprocess.Popen(command, cwd=folder, env=dict(environment), stdout=log, stderr=log)
            for command in commands
        ]
        for process in running:
            process.wait()
    return time.monotonic() - started


def _scores(root: Path) -> Scores:
    with closing(Gradebook(f"sqlite:///{root / 'gradebook.db'}", COURSE_ID)) as book:
        rows = book.db.execute(
            sa.text(
                "select s.student_id, sum(coalesce(g.auto_score, 0)) from grade g "
                "join submitted_notebook n on n.id = g.notebook_id "
                "join submitted_assignment s on s.id = n.assignment_id group by s.student_id"
            )
        )
        return {student: float(points) for student, points in rows}


def _json(name: str, ours: Measured, stock: Measured, differing: Sequence[str]) -> str:
    figure: Callable[[Measured], dict[str, float]] = lambda one: {  # noqa: E731
        "submissions": one.count,
        "seconds": round(one.seconds, 1),
        "per_minute": round(one.rate, 1),
        "feedback_seconds_each": round(one.feedback / one.count, 3),
    }
    return json.dumps(
        {"lesson": name, "machine": _machine(), "autograder": figure(ours), "nbgrader": figure(stock),
         "ratio": round(ours.rate / stock.rate, 1), "points_differ": list(differing)}
    )  # fmt: skip


def _differs(student: str, ours: Measured, stock: Measured) -> str:
    """nbgrader gives 0 for a test cell that printed a warning, for example."""
    return f"Points differ: {student} has {ours.scores[student]:g} here, {stock.scores[student]:g} there."


def _machine() -> dict[str, Any]:
    packages = {name: version(name) for name in ("nbgrader", "torch", "numpy", "nbclient")}
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"cores": cores(), "python": platform.python_version(), "load": load, **packages}


def _table(name: str, ours: Measured, stock: Measured, differing: Sequence[str]) -> str:
    machine = ", ".join(f"{key} {value}" for key, value in _machine().items())
    rows = [("this grader", ours), ("nbgrader autograde", stock)]
    lines = [
        f"{name}, from submitted/ to gradebook and autograded/, start-up included ({machine})",
        "",
        f"{'':20}{'submissions':>12}{'seconds':>10}{'a minute':>10}{'feedback, s each':>18}",
        *(
            f"{label:20}{one.count:>12}{one.seconds:>10.1f}{one.rate:>10.1f}{one.feedback / one.count:>18.3f}"
            for label, one in rows
        ),
        "",
        f"{ours.rate / stock.rate:.1f} times the submissions a minute.",
        *(_differs(student, ours, stock) for student in differing),
        "" if differing else "Both give the same points.",
    ]
    return "\n".join(lines)
