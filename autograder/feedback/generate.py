"""`autograder feedback LESSON`: nbgrader's feedback pages for a class, in parallel; and what they hide.

    autograded/STUDENT/LESSON --page.FeedbackPage--> feedback/STUDENT/LESSON/LESSON.html

`nbgrader generate_feedback` and the formgrader's button make the same pages, one after the other, by the
same steps, set in nbgrader_config. Of a test cell the learner sees what was released to them and what the
check said, never a hidden line and never a traceback through the test.
Order: what is hidden, the command, a class, one page.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from nbgrader import utils
from nbgrader.preprocessors import ClearHiddenTests, NbGraderPreprocessor
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm
from traitlets import Bool, List

from autograder import cli, course as courses
from autograder.author.lesson import LessonError
from autograder.course import Course
from autograder.grading.dispatch import cores

NAMES_ONLY = "This check did not pass. Run it in your own notebook: it shows what it compares."
CHUNK = 24  # pages that a process makes before it says so
SHOWN = 20  # failures named at the end
MADE = ("new", "same")  # what is said of a page that was made; anything else says why not
MODE = 0o644  # as nbgrader leaves them


class HideTests(NbGraderPreprocessor):  # type: ignore[misc]
    """Reduces each test cell to its visible part and the check's message."""

    names_only = Bool(False, help="say only that a check failed, not how").tag(config=True)
    display_data_priority: Any = List(help="unused: nbconvert sets it for every step").tag(config=True)

    def preprocess(self, notebook: Any, resources: Any) -> tuple[Any, Any]:
        clear = ClearHiddenTests()
        for node in notebook.cells:
            if not utils.is_grade(node) or utils.is_solution(node):
                continue
            clear._remove_hidden_test_region(node)
            node.outputs = [self._message(output) for output in node.get("outputs", ())]
        return notebook, resources

    def _message(self, output: Any) -> Any:
        if output.output_type == "error":
            message = NAMES_ONLY if self.names_only else output.evalue or output.ename
            output.evalue, output.traceback = message, message.splitlines()
        return output


def add_parser(subparsers: Any) -> None:
    """`autograder feedback`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "feedback",
        help="make the feedback pages of a class",
        description="Make feedback pages: those of nbgrader generate_feedback, in several processes.",
        epilog="example: autograder feedback 01_scoring && nbgrader release_feedback 01_scoring",
    )
    parser.add_argument("lesson", metavar="LESSON")
    parser.add_argument(
        "--student", action="append", default=[], metavar="NAME", help="only this one (repeatable)"
    )
    parser.add_argument("--jobs", type=int, default=cores(), metavar="N", help="processes (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    [name] = cli.lesson_names([options.lesson])
    return make(courses.here(), name, options)


def make(course: Course, name: str, options: argparse.Namespace) -> int:
    """Make the pages that the options ask for, and say what came of it. 1 if one could not be made."""
    students = _chosen(course, name, options.student)
    started, failed, new = time.monotonic(), dict[str, str](), 0
    with tqdm(total=len(students), unit="page", disable=None) as bar:
        for student, said in made(course, name, students, max(1, options.jobs)):
            bar.update()
            new += said == "new"
            if said not in MADE:
                failed[student] = said
    seconds = time.monotonic() - started
    if options.json:
        told = {"lesson": name, "seconds": round(seconds, 3), "pages": len(students), "new": new}
        print(json.dumps({**told, "failed": failed}, ensure_ascii=False))
    else:
        print(
            f"{name}: {len(students) - len(failed)} pages in {seconds:.1f} s, {new} of them new or changed."
        )
        for student, why in list(failed.items())[:SHOWN]:
            print(f"  {student!r}: no page: {why}", file=sys.stderr)
        if len(failed) > SHOWN:
            print(f"  and {len(failed) - SHOWN} more", file=sys.stderr)
    return 1 if failed else 0


def _chosen(course: Course, name: str, wanted: Sequence[str]) -> list[str]:
    root = course.root / "autograded"
    there = sorted(path.parent.parent.name for path in root.glob(f"*/{name}/{name}.ipynb"))
    missing = [student for student in wanted if student not in there]
    if missing:
        raise LessonError(
            f"{missing[0]} has no graded {name}.{cli.suggest(missing[0], there)}\n"
            f"  {len(there)} students have. No page was made."
        )
    if not there:
        raise LessonError(f"nobody's {name} has been graded.\n  Next: autograder grade {name}")
    return [student for student in there if student in set(wanted)] if wanted else there


def made(course: Course, name: str, students: Sequence[str], jobs: int) -> Iterator[tuple[str, str]]:
    """Each student with "new", "same" (the page was there already), or why there is no page."""
    pages = Pages(course, name)
    chunks = [students[start : start + CHUNK] for start in range(0, len(students), CHUNK)]
    jobs = min(jobs, len(chunks))
    if jobs < 2 or "fork" not in multiprocessing.get_all_start_methods():
        for chunk in chunks:
            yield from pages.make(chunk)
        return
    context = multiprocessing.get_context("fork")  # the pages' templates and styles are warm already
    pages.make(chunks[0][:1])
    with ProcessPoolExecutor(jobs, context, _begin, (pages,)) as pool:
        for told in pool.map(_make, chunks):
            yield from told


_pages: list[Pages] = []  # of a worker process


def _begin(pages: Pages) -> None:
    _pages.append(pages)


def _make(students: Sequence[str]) -> list[tuple[str, str]]:
    return _pages[0].make(students)


class Pages:
    """The pages of one lesson: one exporter, with what it remembers, for all of them."""

    def __init__(self, course: Course, name: str) -> None:
        from nbgrader.converters import GenerateFeedback
        from nbgrader.coursedir import CourseDirectory

        from autograder.feedback.marks import PutMarks

        self.course, self.name = course, name
        config = course.config()
        folders = CourseDirectory(config=config)
        converter = GenerateFeedback(coursedir=folders, config=config)
        self._url = str(folders.db_url)
        self._exporter = converter.exporter_class(parent=converter, config=converter.config)
        for step in converter.preprocessors:
            self._exporter.register_preprocessor(step)
        self._marks = [step for step in self._exporter._preprocessors if isinstance(step, PutMarks)]

    def make(self, students: Sequence[str]) -> list[tuple[str, str]]:
        """Write the pages of these students. Marks of others are forgotten, so memory does not grow."""
        from autograder.feedback.marks import read

        try:
            for step in self._marks:
                step.known = read(self._url, self.name, self.name, students)
        except SQLAlchemyError as error:  # the gradebook is locked, or gone
            why = f"the gradebook cannot be read: {str(error).splitlines()[0]}"
            return [(student, why) for student in students]
        return [(student, self._made(student)) for student in students]

    def _made(self, student: str) -> str:
        try:
            return self._write(student)
        except Exception as error:  # one notebook that somebody spoilt stops nobody else's page
            return f"{type(error).__name__}: {error}"

    def _write(self, student: str) -> str:
        from autograder.grading.worklist import write_whole

        source = self.course.step("autograded", self.name, student)
        folder = self.course.step("feedback", self.name, student)
        names = {"student": student, "assignment": self.name, "notebook": self.name, "db_url": self._url}
        text, _ = self._exporter.from_filename(
            str(source / f"{self.name}.ipynb"), resources={"nbgrader": names, "unique_key": self.name}
        )
        folder.mkdir(parents=True, exist_ok=True)
        said = "same"
        for path, data in ((folder / f"{self.name}.html", text.encode()), *_beside(source, folder)):
            if _held(path) == data:
                os.utime(path)
            else:
                write_whole(path, data, MODE)
                said = "new"
        return said


def _beside(source: Path, folder: Path) -> list[tuple[Path, bytes]]:
    """What lies beside the notebook, which nbgrader takes along: the time and the secret of the exchange."""
    files = [path for path in sorted(source.iterdir()) if path.is_file() and path.suffix != ".ipynb"]
    return [(folder / path.name, path.read_bytes()) for path in files if not path.name.startswith(".")]


def _held(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
