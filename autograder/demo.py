"""`autograder demo`: a sample class goes through nbgrader's exchange for real and gets what it deserves.

    release → fetch → work → submit → collect → grade → feedback → release feedback → fetch it → CSV

Each step is nbgrader's own; each learner has a folder and a name of their own. Everything is made anew
in artefacts/demo/LESSON. Order of this file: the loop, its steps, the comparison, the command.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.apps.api import NbGraderAPI
from nbgrader.plugins import CsvExportPlugin
from tqdm import tqdm

from autograder import sample
from autograder.author import lesson as lessons, release
from autograder.author.lesson import ROOT, SOLUTIONS, Lesson, LessonError
from autograder.course import Course, result_of
from autograder.grading import grade
from autograder.grading.dispatch import cores
from autograder.grading.job import Settings
from autograder.sample import Member

LIMITS = {
    "cell_seconds": 60.0,
    "call_seconds": 20.0,
}  # on the wall clock: long for any known answer, on a machine that has other things to do, too


@dataclass(frozen=True)
class Demo:
    """Where one demonstration takes place."""

    lesson: Lesson
    folder: Path
    solutions: Path

    @property
    def course(self) -> Course:
        root = self.folder / "course"
        return Course(root, root / "exchange", self.folder / "learners")

    def config(self, student: str) -> Any:
        """nbgrader's settings as this learner has them."""
        config = self.course.config()
        config.CourseDirectory.student_id = student
        config.CourseDirectory.assignment_id = self.lesson.name
        config.Exchange.assignment_dir = str(self.folder / "learners" / student)
        config.Exchange.cache = str(self.folder / "learners" / student / ".nbgrader_cache")
        return config

    def log(self, what: str, text: str) -> None:
        with (self.folder / "log.txt").open("a", encoding="utf-8") as file:
            file.write(f"== {what}\n{text}\n")


Points = dict[str, dict[str, float | None]]  # learner -> exercise -> points; None waits for a person


def run_class(demo: Demo, members: list[Member], settings: Settings, jobs: int) -> Points:
    """Take the class through the whole loop. Returns the points in the gradebook."""
    _fresh(demo.folder)
    name, course = demo.lesson.name, demo.course
    release.release(name, course, demo.solutions)
    for member in tqdm(members, desc="fetch, work, submit", unit="learner"):
        _attend(demo, member)
    api = course.api()
    _step(demo, "collect", api.collect(name))
    _grade(demo, settings, jobs)
    _step(demo, "generate_feedback", api.generate_feedback(name))
    _step(demo, "release_feedback", api.release_feedback(name))
    for member in tqdm(members, desc="fetch feedback", unit="learner"):
        learner = course.api(demo.config(member.name))
        _step(demo, f"fetch_feedback {member.name}", learner.fetch_feedback(name, member.name))
    with api.gradebook as book:
        CsvExportPlugin(to=str(demo.folder / "grades.csv")).export(book)
    return gradebook_points(api, demo.lesson)


def _fresh(folder: Path) -> None:
    """Empty the folder, if it is an earlier demonstration's or nobody's."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "log.txt").exists():
        raise LessonError(f"{folder} is not empty and holds no earlier demo. Name another folder with --to.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "log.txt").touch()


def _attend(demo: Demo, member: Member) -> None:
    """One learner fetches the lesson, works, and submits, under their own name."""
    from nbgrader.auth import Authenticator
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange import ExchangeFactory
    from nbgrader.utils import capture_log

    config = demo.config(member.name)
    home = demo.folder / "learners" / member.name
    home.mkdir(parents=True)
    exchange = ExchangeFactory(config=config)
    parts = {"coursedir": CourseDirectory(config=config), "authenticator": Authenticator(config=config)}
    fetch = exchange.FetchAssignment(config=config, **parts)
    _step(demo, f"fetch_assignment {member.name}", capture_log(fetch))
    sample.work(member, home / demo.lesson.name / f"{demo.lesson.name}.ipynb", demo.solutions)
    submit = exchange.Submit(config=config, **parts)
    _step(demo, f"submit {member.name}", capture_log(submit))


def _step(demo: Demo, what: str, result: dict[str, Any]) -> None:
    demo.log(what, result_of(f"nbgrader {what}", result))


def _grade(demo: Demo, settings: Settings, jobs: int) -> None:
    """Grade everyone as `autograder grade` does; what cannot be graded shows in the table."""
    options = argparse.Namespace(
        student=[], force=False, jobs=jobs, scheduler=None, dry_run=False, json=False
    )
    grade.grade(demo.course, demo.lesson.name, options, settings, demo.solutions)


def gradebook_points(api: NbGraderAPI, lesson: Lesson) -> Points:
    """Learner -> exercise -> points, as the gradebook has them."""
    exercise_of = {cell.grade_id: cell.exercise for cell in lesson.of_kind("test", "written")}
    points: Points = {}
    with api.gradebook as book:
        for submission in book.assignment_submissions(lesson.name):
            row = points.setdefault(submission.student.id, {})
            for grade in (grade for notebook in submission.notebooks for grade in notebook.grades):
                exercise = exercise_of[grade.name]
                score = None if grade.needs_manual_grade else grade.score
                before = row.get(exercise, 0.0)
                row[exercise] = None if score is None or before is None else before + score
    return points


def differences(members: list[Member], points: Points) -> Iterator[str]:
    """One sentence for each place where the gradebook differs from what the bank promises."""
    for member in members:
        row = points.get(member.name)
        if row is None:
            yield f"{member.name} has no row in the gradebook ({member.did})."
            continue
        for exercise, want in member.expected.items():
            if row.get(exercise) != want:
                got = _one(row.get(exercise))
                yield f"{member.name}, {exercise}: expected {_one(want)}, got {got} ({member.did})."


def table(lesson: Lesson, members: list[Member], points: Points) -> str:
    """Learners × exercises, each as expected/actual points."""
    columns = list(lesson.exercises)
    head = (
        f"{'learner':8}"
        + "".join(f"{number:>6}" for number, _ in enumerate(columns, 1))
        + "     total  what they did"
    )
    lines = ["expected/actual points; – waits for a person's grade", "", head]
    for member in members:
        row = points.get(member.name, {})
        pairs = [(member.expected[exercise], row.get(exercise, -1.0)) for exercise in columns]
        cells = "".join(f"{_one(want)}/{_one(got)}".rjust(6) for want, got in pairs)
        wanted, actual = (sum(pair[side] or 0.0 for pair in pairs) for side in (0, 1))
        lines.append(f"{member.name:8}{cells}{f'{wanted:g}/{actual:g}':>10}  {member.did[:58]}")
    legend = [f"{number} {name} ({lesson.exercises[name]:g})" for number, name in enumerate(columns, 1)]
    return "\n".join([*lines, "", "exercises (points): " + ", ".join(legend)])


def _one(points: float | None) -> str:
    return "–" if points is None else f"{points:g}"


def add_parser(subparsers: Any) -> None:
    """`autograder demo`."""
    parser = subparsers.add_parser(
        "demo",
        help="a sample class works, submits and is graded",
        description="Take a class of 24 known learners through nbgrader's whole loop and compare the "
        "gradebook with what their answers deserve. Exit status 0: all agree; 1: not all.",
        epilog="example: autograder demo 01_scoring",
    )
    parser.add_argument(
        "lesson", nargs="?", metavar="LESSON", help="which lesson (the first, if none is named)"
    )
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="where to (artefacts/demo/LESSON)")
    parser.add_argument(
        "--jobs", type=int, default=cores(), help="how many are graded at a time (%(default)s)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from autograder.cli import lesson_names

    known = lesson_names([options.lesson] if options.lesson else [])
    if not known:
        raise LessonError("there is no lesson in solutions/ to demonstrate.")
    lesson = lessons.read(known[0])
    folder = (options.to or ROOT / "artefacts" / "demo" / lesson.name).absolute()
    demo, members = Demo(lesson, folder, SOLUTIONS), sample.members(lesson)
    settings = Settings(LIMITS)
    grade.check_sandbox(settings)
    points = run_class(demo, members, settings, options.jobs)
    print(f"\n{lesson.name}: {table(lesson, members, points)}\n")
    wrong = list(differences(members, points))
    print("\n".join(wrong) or f"All {len(members)} learners have the points their answers deserve.")
    print(f"  gradebook       {folder / 'course' / 'gradebook.db'}")
    print(f"  feedback pages  {folder / 'course' / 'feedback'}")
    print(f"  grades as CSV   {folder / 'grades.csv'}")
    print(f"  what was said   {folder / 'log.txt'}")
    return 1 if wrong else 0
