"""A log per submission, course/logs/LESSON/STUDENT.log: what was decided, from what, and what went wrong.

For instructors only. Written whole each time, so it holds the last grading.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from autograder.course import Course
from autograder.grading.job import Graded
from autograder.grading.worklist import grader_version, write_whole


def path(course: Course, lesson: str, student: str) -> Path:
    return course.root / "logs" / lesson / f"{student}.log"


def write(course: Course, student: str, key: str, graded: Graded) -> None:
    """The log of one grading. `autograder replay` repeats it from the seed."""
    report = graded.report
    place = path(course, report.lesson, student)
    place.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    lines = [
        f"{now} {report.lesson} {student}",
        f"seed {report.seed}, result {key}, grader {grader_version()}, "
        f"{'in the sandbox' if report.sandboxed else 'WITHOUT the sandbox'}, {report.seconds:.2f} s",
        *(f"note: {note}" for note in report.notes),
    ]
    for verdict in report.verdicts:
        fault = f", fault: {verdict.fault}" if verdict.fault else ""
        lines.append(f"{verdict.test}: {verdict.status}, {verdict.points:g} of {verdict.max_points:g}{fault}")
        lines += [f"    {line}" for line in verdict.message.splitlines()]
    text = "\n".join([*lines, graded.log]).rstrip() + "\n"
    write_whole(place, text.encode("utf-8", "replace"))
