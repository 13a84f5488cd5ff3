"""Try answers quickly, as their author: one forked process per run, no sandbox, no kernel.

    python -m autograder.author.trial 01_scoring              every known answer, and what each reads
    python -m autograder.author.trial 01_scoring softmax      those of one exercise

For code that is trusted (the lesson's own and its bank). Submissions go to the split grader.
Order of this file: one run, the bank, the command.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from autograder.author import bank
from autograder.author.lesson import SOLUTIONS, Cell, Lesson, LessonError, names, read, weights
from autograder.author.needed import needed, touched
from autograder.author.submitted import SubmittedHost
from autograder.verdict import Report, Verdict
from byhand import check

RUN_SECONDS = 60  # of processor time, for one answer with all its lesson's tests; an endless loop ends here
WAIT_SECONDS = 600  # of the clock, however busy the machine; an answer that only waits ends here


def run(lesson: str, cells: Sequence[Cell], seed: int, exercise: str = "") -> Report:
    """Verdicts of the test cells, run in this process after the other cells. Call it in a child.

    exercise: only the tests that can tell how it is answered; "" for all tests.
    """
    check.host = SubmittedHost(cells, seed)
    space: dict[str, Any] = {"__name__": "__main__"}
    broken: dict[str, str] = {}
    verdicts: list[Verdict] = []
    places = touched(cells, exercise) if exercise else needed(cells)
    for cell in (cells[place] for place in places):
        message = _said_by(cell, space)
        if cell.kind == "test":
            message = message and "\n".join(filter(None, (message, broken.get(cell.exercise))))
            verdicts.append(_verdict(cell, message))
        elif message:
            broken[cell.grade_id] = f"The cell {cell.grade_id or 'before it'} itself stopped: {message}"
    return Report(lesson, seed, tuple(verdicts), sandboxed=False)


def execute(cell: Cell, space: dict[str, Any]) -> None:
    """Run a cell of the lesson's own text, or of its bank's, in this process; its errors are raised."""
    exec(compile(cell.source, f"<{cell.grade_id or cell.kind}>", "exec"), space)


def _said_by(cell: Cell, space: dict[str, Any]) -> str:
    """Run a cell; "" if it went well, else what its learner reads."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            execute(cell, space)
    except AssertionError as error:
        return str(error) or "an assert failed"
    except BaseException as error:  # an answer may raise anything, SystemExit too
        return f"{type(error).__name__}: {error}"
    return ""


def _verdict(cell: Cell, message: str) -> Verdict:
    status = "failed" if message else "passed"
    return Verdict(
        cell.grade_id,
        cell.exercise,
        0.0 if message else cell.points,
        cell.points,
        status,  # type: ignore[arg-type]
        "learner" if message else "",
        message,
    )


@dataclass(frozen=True)
class Trial:
    """One known answer with its report; `problem` is "" when it did what the bank promises."""

    answer: bank.Answer
    report: Report
    problem: str


def with_answer(lesson: Lesson, answer: bank.Answer) -> list[Cell]:
    """The lesson's cells with the reference solutions, but this answer in its own solution cell."""
    if answer.exercise not in lesson.exercises:
        raise LessonError(
            f"{lesson.name}: the bank answers {answer.exercise!r}, which the lesson does not ask."
        )
    return [
        replace(cell, source=answer.source)
        if cell.kind == "solution" and cell.grade_id == answer.exercise
        else cell
        for cell in lesson.cells
    ]


def judge_answer(lesson: Lesson, answer: bank.Answer, report: Report) -> str:
    """Say how a report differs from what the bank promises; "" if it does not."""
    lost = {verdict.exercise for verdict in report.verdicts if verdict.points < verdict.max_points}
    message = "\n".join(verdict.message for verdict in report.verdicts if verdict.exercise == answer.exercise)
    if answer.verdict == "right":
        return f"lost points in {', '.join(sorted(lost))}" if lost else ""
    if answer.exercise not in lost:
        return "was accepted"
    if lost != {answer.exercise}:
        return f"also lost points in {', '.join(sorted(lost - {answer.exercise}))}"
    missing = [words for words in answer.reads if words not in message]
    return f"does not read {missing[0]!r}" if missing else ""


def run_bank(name: str, exercise: str = "", jobs: int = 2, solutions: Path = SOLUTIONS) -> Iterator[Trial]:
    """Try every known answer of a lesson (or of one exercise), in bank order, `jobs` at a time."""
    lesson = read(name, solutions)
    answers = [answer for answer in bank.read(name, solutions) if exercise in ("", answer.exercise)]
    _warm()
    context = multiprocessing.get_context("fork")
    with context.Pool(jobs, maxtasksperchild=1) as pool:
        work = ((lesson, answer, seed) for seed, answer in enumerate(answers, 1))
        yield from pool.imap(partial(_try, files=weights(name, solutions)), work)


def _warm() -> None:
    """Import once, before forking, what lessons use."""
    os.environ.setdefault("MPLBACKEND", "agg")
    import torch
    import torch.utils.flop_counter  # takes a second, and lesson 03 counts with it

    import byhand.plot  # noqa: F401

    torch.set_num_threads(1)  # a fork of a multi-threaded torch hangs


def _try(work: tuple[Lesson, bank.Answer, int], files: Sequence[Path] = ()) -> Trial:
    lesson, answer, seed = work
    for timer, ends, seconds in (
        (signal.ITIMER_PROF, signal.SIGPROF, RUN_SECONDS),
        (signal.ITIMER_REAL, signal.SIGALRM, WAIT_SECONDS),
    ):
        signal.signal(ends, _out_of_time)
        signal.setitimer(timer, seconds)
    warnings.simplefilter("ignore")
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for file in files:  # the weights that the lesson's author hands in
                shutil.copy(file, folder)
            report = run(lesson.name, with_answer(lesson, answer), seed, answer.exercise)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return Trial(answer, report, judge_answer(lesson, answer, report))


def _out_of_time(signum: int, frame: object) -> None:
    took = f"{RUN_SECONDS} s of processor time" if signum == signal.SIGPROF else f"{WAIT_SECONDS} s"
    raise TimeoutError(f"the answer took longer than {took}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every known answer, what it reads, and whether that is what the bank promises."""
    name, *rest = arguments if arguments is not None else sys.argv[1:]
    if name not in names():
        print(f"no lesson is called {name}. Lessons: {', '.join(names())}.", file=sys.stderr)
        return 2
    problems = 0
    for trial in run_bank(name, rest[0] if rest else ""):
        answer = trial.answer
        problems += bool(trial.problem)
        mark = "!!" if trial.problem else "ok"
        print(f"{mark} {answer.verdict} {answer.exercise}: {answer.name}  {trial.problem}")
        for verdict in trial.report.verdicts:
            if verdict.message and (trial.problem or verdict.exercise == answer.exercise):
                print("     | " + verdict.message.replace("\n", "\n     | "))
    print(f"{problems} known answers do not behave as promised.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
