"""`autograder grade LESSON`: grade what is new in submitted/, in parallel, resumably.

    autograder grade 01_scoring                        whatever has not been graded yet
    autograder grade 01_scoring --student ana --force  ana again, with a fresh seed
    autograder grade 01_scoring --scheduler tcp://10.0.0.5:8786

Exit status: 0 everyone is graded, 1 some could not be, 2 the command could not do its work.
Order of this file: the options, the run, then what is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from autograder import cli, course as courses
from autograder.author import lesson
from autograder.author.lesson import SOLUTIONS, LessonError
from autograder.course import Course
from autograder.grading.coordinator import Grading, Outcome, Plan, students_of
from autograder.grading.dispatch import Dispatcher, Place, cluster, cores, local
from autograder.grading.gradebook import Book
from autograder.grading.job import Settings
from autograder.grading.worklist import BusyError, Worklist

SHOWN = 20  # troubled students named at the end; the logs name all


def add_parser(subparsers: Any) -> None:
    """`autograder grade`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "grade",
        help="grade what is new in submitted/",
        description="Grade a lesson's submissions into the gradebook and autograded/.",
        epilog="example: autograder grade 01_scoring --jobs 8",
    )
    parser.add_argument("lesson", metavar="LESSON")
    parser.add_argument(
        "--student", action="append", default=[], metavar="NAME", help="only this one (repeatable)"
    )
    parser.add_argument("--force", action="store_true", help="grade again what is graded, with new seeds")
    parser.add_argument(
        "--jobs", type=int, default=cores(), metavar="N", help="processes (default: %(default)s)"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="grade on the Dask cluster at this address")
    parser.add_argument("--dry-run", action="store_true", help="say what would be graded, and do nothing")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.add_argument("--limits", default="", metavar="NAME=N,…", help="e.g. cell_seconds=20,processes=32")
    parser.add_argument("--no-sandbox", action="store_true", help="dangerous: learners' code runs as you")
    parser.add_argument(
        "--watch", action="store_true", help="collect, grade and return feedback until stopped"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    [name] = cli.lesson_names([options.lesson])
    course = courses.here()
    settings = settings_of(course, options)
    if options.watch:
        from autograder.grading import watch

        return watch.run(course, name, options, settings)
    return grade(course, name, options, settings)


def settings_of(course: Course, options: argparse.Namespace) -> Settings:
    """Limits from nbgrader_config.py (c.Autograder.limits), then from --limits. Checks the sandbox."""
    held = course.config().get("Autograder", {}).get("limits", {})
    text = ",".join(f"{name}={number}" for name, number in dict(held).items())
    settings = Settings(limits_of(text) | limits_of(options.limits), not options.no_sandbox)
    check_sandbox(settings)
    return settings


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn a full disk, a missing permission, or another grader at work into a sentence."""
    try:
        yield
    except BusyError as error:
        raise LessonError(
            f"{error}\n  Next: wait for it, or stop it; it can be stopped at any moment."
        ) from None
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        raise LessonError(
            f"grading stopped: {error.strerror or error}{where}.\n"
            "  Results so far are kept. Next: mend that, then give the same command again."
        ) from error


def grade(
    course: Course, name: str, options: argparse.Namespace, settings: Settings, solutions: Path = SOLUTIONS
) -> int:
    """Grade one lesson as the options say, and print what came of it."""
    students = chosen(course, name, options.student)
    outcomes: list[Outcome] = []
    started = time.monotonic()
    with ExitStack() as stack:
        grading = open_grading(stack, course, name, solutions, settings, look=options.dry_run)
        grading.force = options.force
        if options.dry_run:
            return _say_plan(grading, students, options.json)
        bar = stack.enter_context(tqdm(total=len(students), unit="submission", disable=None, smoothing=0.1))

        def heard(outcome: Outcome) -> None:
            outcomes.append(outcome)
            bar.update()

        grading.report = heard
        dispatcher = stack.enter_context(Dispatcher[Plan](place(options, name, solutions, settings)))
        grading.run(students, dispatcher)
    return _say(course, name, outcomes, time.monotonic() - started, options.json)


def open_grading(
    stack: ExitStack, course: Course, name: str, solutions: Path, settings: Settings, look: bool = False
) -> Grading:
    """The lesson, its gradebook and its worklist (to `look` only: without its lock), until the stack ends."""
    stack.enter_context(told_plainly())
    read = lesson.read(name, solutions)
    worklist = Worklist(course.root / ".autograder" / name)
    worklist = worklist.look() if look else stack.enter_context(worklist)
    book = Book(course, read)
    stack.callback(book.close)
    return Grading(course, read, solutions, settings, book, worklist)


def place(options: argparse.Namespace, name: str, solutions: Path, settings: Settings) -> Place:
    if options.scheduler:
        return cluster(options.scheduler)
    return local(max(1, options.jobs), name, str(solutions), settings)


def chosen(course: Course, name: str, wanted: Sequence[str]) -> list[str]:
    """The students to grade. Raises LessonError for one who has handed in nothing."""
    there = students_of(course, name)
    missing = [student for student in wanted if student not in there]
    if missing:
        close = cli.suggest(missing[0], there)
        raise LessonError(
            f"{missing[0]} has handed in no {name}.{close}\n  {len(there)} students have. Nothing was graded."
        )
    if not there:
        raise LessonError(
            f"no submission of {name} in {course.root / 'submitted'}.\n"
            f"  Next: nbgrader collect {name}, or put folders there as STUDENT/{name}/{name}.ipynb."
        )
    return [student for student in there if student in set(wanted)] if wanted else there


def limits_of(text: str) -> dict[str, float]:
    """--limits as numbers. Raises LessonError for a name that is none, with those that are."""
    from autograder.sandbox.worker import Limits

    known: dict[str, Any] = {name: type(value) for name, value in asdict(Limits()).items()}
    limits: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, number = part.partition("=")
        try:
            limits[name] = known[name](float(number))
        except KeyError:
            names = ", ".join(known)
            raise LessonError(
                f"no limit is called {name}.{cli.suggest(name, list(known))}\n  Limits: {names}."
            ) from None
        except (ValueError, OverflowError):
            raise LessonError(f"the limit {name} needs a number, not {number!r}.") from None
        if not limits[name] > 0:
            raise LessonError(f"the limit {name} must be above 0, not {number}.")
    return limits


def check_sandbox(settings: Settings) -> None:
    """Refuse to begin where the sandbox cannot work; without it, say so loudly."""
    from autograder.sandbox import worker

    if not settings.sandbox:
        print(f"autograder: {worker.Worker.warning}", file=sys.stderr)
        return
    problem = worker.available()
    if problem:
        raise LessonError(f"{problem}\n  Nothing was graded.")


def _say_plan(grading: Grading, students: Sequence[str], as_json: bool) -> int:
    """What a run would do. Nothing is written."""
    plans = [(plan.student, done) for plan, done in grading.plan(students)]
    todo = [student for student, done in plans if not done]
    if as_json:
        print(json.dumps({"lesson": grading.lesson.name, "to_do": todo, "unchanged": len(plans) - len(todo)}))
    else:
        print(
            f"{grading.lesson.name}: {len(todo)} to do, {len(plans) - len(todo)} unchanged. Nothing was done."
        )
        for student in todo[:SHOWN]:
            print(f"  {student}")
    return 0


def _say(course: Course, name: str, outcomes: Sequence[Outcome], seconds: float, as_json: bool) -> int:
    counts = Counter(outcome.state for outcome in outcomes)
    trouble = [outcome for outcome in outcomes if outcome.state in ("again", "refused")]
    if as_json:
        students = [asdict(outcome) for outcome in sorted(outcomes, key=lambda outcome: outcome.student)]
        print(
            json.dumps(
                {"lesson": name, "seconds": round(seconds, 3), "students": students}, ensure_ascii=False
            )
        )
        return 1 if trouble else 0
    new = counts["graded"] + counts["again"]
    rate = f", {60 * new / seconds:.0f} a minute" if new and seconds else ""
    print(f"{name}: {counts['graded']} graded{rate}, {counts['saved']} from a kept result, "
          f"{counts['unchanged']} unchanged.")  # fmt: skip
    for outcome in trouble[:SHOWN]:
        what = "to be graded again" if outcome.state == "again" else "not graded"
        print(f"  {outcome.student!r}: {what}: {outcome.reason}")
    if len(trouble) > SHOWN:
        print(f"  and {len(trouble) - SHOWN} more; see {course.root / 'logs' / name}")
    if counts["again"]:
        print(f"  Nobody lost points by this. Next: mend the cause, then autograder grade {name}.")
    return 1 if trouble else 0
