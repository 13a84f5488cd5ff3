"""`autograder bench`: this grader and stock nbgrader on the same class, in one run on this machine.

    a class from the bank --autograder grade--------------> submissions a minute, points
                          --nbgrader autograde, × cores---> submissions a minute, points

Both go end to end, from submitted/ to gradebook and autograded/, each in as many processes as there are
cores, stock nbgrader with half its share before and half after; then both make the feedback pages of the
same graded class. Stock nbgrader runs as it comes: no configuration but its folders. Absolute figures are
this machine's; the ratios are what to compare.
Order of this file: the command, the class, the two ways, the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from nbgrader.api import Gradebook

from autograder import cli, sample
from autograder.author import release
from autograder.author.lesson import ROOT, Lesson, read
from autograder.author.readme import FIGURES
from autograder.course import COURSE_ID, Course
from autograder.grading.dispatch import cores

STOCK = 8  # submissions for stock nbgrader: it takes seconds for each
OURS = 96
NBGRADER = (sys.executable, "-m", "nbgrader")
Scores = dict[str, float]  # student -> points that a machine gave

STOCK_CONFIG = """c = get_config()
c.CourseDirectory.course_id = {course!r}
c.CourseDirectory.root = {root!r}
"""


@dataclass(frozen=True)
class Measured:
    """One way of grading. seconds: for the whole class, end to end; feedback: for so many pages."""

    count: int
    seconds: float
    pages: int
    feedback: float
    scores: Scores

    @property
    def rate(self) -> float:
        return 60 * self.count / self.seconds

    @property
    def page_rate(self) -> float:
        return 60 * self.pages / self.feedback


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
    parser.add_argument(
        "--scale",
        type=int,
        nargs="+",
        metavar="N",
        help="instead, grade classes of these sizes by this grader",
    )
    parser.add_argument("--write", action="store_true", help="into autograder/results/ too")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    [name] = cli.lesson_names([options.lesson])
    lesson = read(name)
    if options.scale:
        from autograder.bench import scale

        return scale.run(lesson, options.scale, options.write, options.json)
    with tempfile.TemporaryDirectory(prefix="bench-") as name_of_folder:
        folder = Path(name_of_folder)
        half = options.stock // 2  # half before and half after: a machine's speed drifts
        before = _stock(folder / "before", lesson, range(half))
        ours = _ours(folder / "ours", lesson, options.count)
        stock = _joined(before, _stock(folder / "after", lesson, range(half, options.stock)))
        seconds = _stock_pages(folder / "pages", folder / "ours" / "course", lesson)
    stock = replace(stock, pages=options.count, feedback=seconds)
    differing = sorted(s for s in stock.scores if s in ours.scores and stock.scores[s] != ours.scores[s])
    figures = _json(name, ours, stock, differing)
    if options.write:
        FIGURES.write_text(figures + "\n", encoding="utf-8")
    print(figures if options.json else _table(name, ours, stock, differing))
    return 0


def submissions(lesson: Lesson, numbers: range) -> dict[str, bytes]:
    """A class made from the bank: every known answer gets its turn, and no two are the same text.

    numbers: which of its members. No endless loops: time is measured.
    """
    members = [one for one in sample.members(lesson) if not one.file and "endless" not in one.did]
    blank = release.to_bytes(release.learner_notebook(lesson))
    notebooks: dict[str, bytes] = {}
    for number in numbers:
        content = json.loads(blank)
        answers = members[number % len(members)].answers
        for cell in content["cells"]:
            grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
            if grade_id in answers:
                own = (
                    f"\n# {number}" if cell["cell_type"] == "code" else ""
                )  # else equal answers are graded once
                cell["source"] = answers[grade_id] + own
        content["metadata"]["number"] = number
        notebooks[f"{chr(97 + number % cores())}{number:05}"] = json.dumps(content).encode()
    return notebooks


def hand_in(root: Path, lesson: Lesson, numbers: range) -> None:
    for student, notebook in submissions(lesson, numbers).items():
        path = root / "submitted" / student / lesson.name / f"{lesson.name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(notebook)


def _ours(folder: Path, lesson: Lesson, count: int) -> Measured:
    course = Course(folder / "course", folder / "exchange", folder / "work").prepare()
    release.release(lesson.name, course)
    hand_in(course.root, lesson, range(count))
    environment = {**os.environ, **course.environment(), "PYTHONPATH": str(ROOT)}
    here = [sys.executable, "-m"]
    seconds = _timed([[*here, "autograder.cli", "grade", lesson.name]], course.root, environment)
    pages = [[*here, "autograder.cli", "feedback", lesson.name]]
    return Measured(count, seconds, count, _timed(pages, course.root, environment), scores(course.root))


def _stock(root: Path, lesson: Lesson, numbers: range) -> Measured:
    """nbgrader as it comes, one process for each core, each with its own share of the class's members."""
    source = root / "source" / lesson.name / f"{lesson.name}.ipynb"
    source.parent.mkdir(parents=True)
    source.write_bytes(release.to_bytes(release.source_notebook(lesson)))
    environment = _plain(root)
    _timed([[*NBGRADER, "generate_assignment", lesson.name]], root, environment)
    hand_in(root, lesson, numbers)
    grade = [[*NBGRADER, "autograde", lesson.name, share] for share in _shares(len(numbers))]
    return Measured(len(numbers), _timed(grade, root, environment), 0, 0.0, scores(root))


def _joined(one: Measured, other: Measured) -> Measured:
    both = one.count + other.count, one.seconds + other.seconds
    return Measured(*both, 0, 0.0, one.scores | other.scores)


def _stock_pages(root: Path, graded: Path, lesson: Lesson) -> float:
    """Seconds that nbgrader's own pages of a graded class take, as it comes, one process for each core."""
    root.mkdir()
    shutil.copytree(graded / "autograded", root / "autograded")
    shutil.copyfile(graded / "gradebook.db", root / "gradebook.db")
    environment = _plain(root)
    students = len(list((root / "autograded").iterdir()))
    pages = [[*NBGRADER, "generate_feedback", lesson.name, share] for share in _shares(students)]
    return _timed(pages, root, environment)


def _plain(root: Path) -> dict[str, str]:
    """Configure nothing but the folders. Returns the environment to run nbgrader in."""
    config = STOCK_CONFIG.format(course=COURSE_ID, root=str(root))
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def _shares(count: int) -> list[str]:
    """The class in as many parts as there are cores: hand_in begins names with a letter for each."""
    return [f"--student={chr(97 + core)}*" for core in range(min(cores(), count))]


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


def scores(root: Path) -> Scores:
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
        "pages": one.pages,
        "feedback_seconds": round(one.feedback, 2),
        "pages_per_minute": round(one.page_rate, 1),
    }
    return json.dumps(
        {"lesson": name, "date": date.today().isoformat(), "machine": machine(),
         "autograder": figure(ours), "nbgrader": figure(stock),
         "ratio": round(ours.rate / stock.rate, 1), "points_differ": list(differing),
         "feedback_ratio": round(ours.page_rate / stock.page_rate, 1)}, indent=1
    )  # fmt: skip


def _differs(student: str, ours: Measured, stock: Measured) -> str:
    """nbgrader gives 0 for a test cell that printed a warning, for example."""
    return f"Points differ: {student} has {ours.scores[student]:g} here, {stock.scores[student]:g} there."


def machine() -> dict[str, Any]:
    packages = {name: version(name) for name in ("nbgrader", "torch", "numpy", "nbclient")}
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"cores": cores(), "python": platform.python_version(), "load": load, **packages}


def _table(name: str, ours: Measured, stock: Measured, differing: Sequence[str]) -> str:
    where = ", ".join(f"{key} {value}" for key, value in machine().items())
    half = f"{'seconds':>10}{'a minute':>10}"
    rows = [("this grader", ours), ("nbgrader autograde", stock)]
    lines = [
        f"{name}, from submitted/ to gradebook and autograded/, start-up included ({where})",
        "",
        f"{'':20}{'submissions':>12}{half}{'pages':>8}{half}",
        *(
            f"{label:20}{one.count:>12}{one.seconds:>10.1f}{one.rate:>10.1f}"
            f"{one.pages:>8}{one.feedback:>10.1f}{one.page_rate:>10.1f}"
            for label, one in rows
        ),
        "",
        f"{ours.rate / stock.rate:.1f} times the submissions a minute, "
        f"{ours.page_rate / stock.page_rate:.1f} times the feedback pages.",
        *(_differs(student, ours, stock) for student in differing),
        "" if differing else "Both give the same points.",
    ]
    return "\n".join(lines)
