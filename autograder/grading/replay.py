"""`autograder replay STUDENT LESSON`: grade again with the recorded seed and compare with what was recorded.

For disputes: the same submission, the same random inputs, the same checks. Nothing is written.

    autograder replay ana 01_scoring

Exit status: 0 identical, 1 different, 2 there is nothing to compare with.
Order of this file: the command, the comparison, then what is printed.
"""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autograder import cli, course as courses
from autograder.author.lesson import SOLUTIONS, LessonError, read
from autograder.course import Course
from autograder.grading.dispatch import Dispatcher, local
from autograder.grading.grade import settings_of
from autograder.grading.job import Graded, Job, Settings
from autograder.grading.worklist import Worklist, grader_version, key_of, lesson_digest
from autograder.intake.stage import stage
from autograder.verdict import Report, Verdict


def add_parser(subparsers: Any) -> None:
    """`autograder replay`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "replay",
        help="grade one submission again with its recorded seed and compare",
        description="Repeat the grading of one submission with its recorded seed. Nothing is written.",
        epilog="example: autograder replay ana 01_scoring",
    )
    parser.add_argument("student", metavar="STUDENT")
    parser.add_argument("lesson", metavar="LESSON")
    parser.add_argument("--limits", default="", metavar="NAME=N,…", help="as given to autograder grade")
    parser.add_argument("--no-sandbox", action="store_true", help="dangerous: learners' code runs as you")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    [name] = cli.lesson_names([options.lesson])
    course = courses.here()
    return replay(course, options.student, name, settings_of(course, options))


def replay(course: Course, student: str, name: str, settings: Settings, solutions: Path = SOLUTIONS) -> int:
    """Grade again with the recorded seed, and print whether the verdicts are the same."""
    lesson = read(name, solutions)
    worklist = Worklist(course.root / ".autograder" / name).look()
    done = worklist.done(student)
    recorded = worklist.result(done.key) if done else None
    if done is None or recorded is None:
        close = cli.suggest(student, worklist.students())
        raise LessonError(f"no complete grading of {student}'s {name} is recorded.{close}")
    staged = stage(course.step("submitted", name, student), name)
    digest = lesson_digest(lesson)
    if key_of(staged.digest, digest, settings.as_key()) != done.key:
        print("Note: the submission, the lesson, the limits or the grader changed since it was graded.")
    job = Job(name, str(solutions), staged, recorded.seed, settings, digest, grader_version())
    with ExitStack() as stack:
        place = local(1, name, str(solutions), settings)
        dispatcher = stack.enter_context(Dispatcher[str](place))
        [(_, graded)] = dispatcher.outcomes([(student, job)])
    if not isinstance(graded, Graded):
        raise LessonError(f"the replay could not be run: {graded}.")
    return _say(student, recorded, graded.report)


def differences(recorded: Report, again: Report) -> list[str]:
    """How two reports on one submission differ in their verdicts, as lines; empty if they do not."""
    before = {verdict.test: verdict for verdict in recorded.verdicts}
    after = {verdict.test: verdict for verdict in again.verdicts}
    lines: list[str] = []
    for test in dict.fromkeys([*before, *after]):
        if before.get(test) != after.get(test):
            was, now = _lines(before.get(test)), _lines(after.get(test))
            lines += [f"{test}:", *difflib.unified_diff(was, now, "recorded", "replayed", lineterm="")]
    return lines


def _lines(verdict: Verdict | None) -> list[str]:
    return json.dumps(asdict(verdict), indent=1, ensure_ascii=False).splitlines() if verdict else ["(none)"]


def _say(student: str, recorded: Report, again: Report) -> int:
    found: Sequence[str] = differences(recorded, again)
    print(f"{student}, {recorded.lesson}, seed {recorded.seed}:")
    for verdict in again.verdicts:
        print(f"  {verdict.test}: {verdict.status}, {verdict.points:g} of {verdict.max_points:g}")
        for line in verdict.message.splitlines():
            print(f"      {line}")
    print("The verdict is identical to the recorded one." if not found else "The verdict is DIFFERENT:")
    for line in found:
        print(f"  {line}")
    return 1 if found else 0
