"""Grade one submission in a worker process: bytes in, a report and a notebook out.

    Job(lesson, staged, seed, …) --run--> triage --> grader --> Graded(report, autograded notebook)

A job carries bytes, not paths, so that the worker may be another machine. Each worker keeps one warm
sandbox. Whatever happens, `run` answers: what goes wrong on our side is a report whose checks are
"unchecked" through the grader's fault, which costs nobody points. Order: job, run, graders, helpers.
"""

from __future__ import annotations

import threading
import time
import traceback
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from autograder.author import lesson
from autograder.author.lesson import Lesson
from autograder.author.needed import needed
from autograder.author.released import Released, released
from autograder.grading import autograded
from autograder.grading.worklist import grader_version, lesson_digest
from autograder.intake.stage import Staged
from autograder.intake.triage import Rebuilt, rebuild, unanswered
from autograder.verdict import Report, Verdict


@dataclass(frozen=True)
class Settings:
    """How to grade, the same for a whole run. limits: fields of worker.Limits that differ from its own."""

    limits: Mapping[str, float] = field(default_factory=dict)
    sandbox: bool = True
    grader: str = "engine"  # or "trial": no sandbox, for tests of everything around the grader

    def as_key(self) -> dict[str, Any]:
        return {"limits": dict(sorted(self.limits.items())), "sandbox": self.sandbox, "grader": self.grader}


@dataclass(frozen=True)
class Job:
    """One submission to grade. lesson_digest and version: what the coordinator has, to be compared."""

    lesson: str
    solutions: str
    staged: Staged
    seed: int
    settings: Settings
    lesson_digest: str
    version: str


@dataclass(frozen=True)
class Graded:
    """The answer to a job. answered: see Rebuilt; log: for the instructor, empty when nothing went wrong."""

    report: Report
    notebook: bytes
    answered: frozenset[str]
    log: str = ""


def prepare(name: str, solutions: str, settings: Settings) -> None:
    """Load in a new worker what every job needs, before the first one waits for it."""
    if settings.grader != "engine":
        _materials(name, solutions)
        return
    warming = threading.Thread(target=_warm_judges)
    warming.start()
    read, given = _materials(name, solutions)
    # In this thread: the sandbox ends with the thread that began it.
    worker = _worker(settings.sandbox, _trains(name, solutions))
    warming.join()
    _rehearse(read, given, Path(solutions), worker)


def _warm_judges() -> None:
    from autograder.judge import engine

    with suppress(Exception):  # the first job meets the same error, and reports it
        engine.start()


def _rehearse(read: Lesson, given: Released, solutions: Path, worker: Any) -> None:
    from autograder.judge import engine

    own = own_solutions(read, solutions)
    engine.rehearse(_without_pictures(read, take(read, given, own)).cells, own.files, worker)


def own_solutions(read: Lesson, solutions: Path) -> Staged:
    """The lesson's own solutions, as if they were handed in."""
    from autograder.author.release import source_notebook, to_bytes  # loads nbgrader, which takes a second

    files = {path.name: path.read_bytes() for path in lesson.weights(read.name, solutions)}
    return Staged(to_bytes(source_notebook(read)), files)


def run(job: Job) -> Graded:
    """Grade a submission. Never raises."""
    started = time.monotonic()
    read, given = _materials(job.lesson, job.solutions)
    rebuilt, log = take(read, given, job.staged), ""
    try:
        if (lesson_digest(read), grader_version()) != (job.lesson_digest, job.version):
            raise RuntimeError("this worker has another version of the grader or of the lesson")
        if rebuilt.problem:
            report = nothing_to_grade(read, job.seed, rebuilt.problem)
        else:
            report = _grade(job, _without_pictures(read, rebuilt))
    except Exception as error:  # whatever it is, the class goes on
        log = traceback.format_exc()
        report = grader_failed(read, job.seed, f"{type(error).__name__}: {error}")
    notes = (*job.staged.notes, *rebuilt.notes, *report.notes)
    sandboxed = report.sandboxed and job.settings.sandbox
    report = replace(report, notes=notes, sandboxed=sandboxed, seconds=time.monotonic() - started)
    return replace(composed(read, given, rebuilt, report), log=log)


def composed(read: Lesson, given: Released, rebuilt: Rebuilt, report: Report) -> Graded:
    """A report together with the notebook that shows it."""
    return Graded(report, autograded.compose(read, given, rebuilt, report), rebuilt.answered)


def take(read: Lesson, given: Released, staged: Staged) -> Rebuilt:
    """What of a staged submission is graded."""
    return unanswered(read, staged.problem) if staged.problem else rebuild(read, given, staged.notebook)


def nothing_to_grade(read: Lesson, seed: int, problem: str) -> Report:
    """The report on a submission that cannot be read: no points, and why."""
    said = f"Nothing could be graded: {problem}"
    verdicts = tuple(
        Verdict(cell.grade_id, cell.exercise, 0.0, cell.points, "unchecked", "learner", said)
        for cell in read.of_kind("test")
    )
    return Report(read.name, seed, verdicts, notes=(said,))


def grader_failed(read: Lesson, seed: int, reason: str) -> Report:
    """The report when our own side failed: nothing is known, so nothing is lost."""
    verdicts = tuple(
        Verdict(cell.grade_id, cell.exercise, 0.0, cell.points, "unchecked", "grader", reason)
        for cell in read.of_kind("test")
    )
    return Report(read.name, seed, verdicts)


def _without_pictures(read: Lesson, rebuilt: Rebuilt) -> Rebuilt:
    """Empty the lesson's own cells that nothing graded depends on, unless the learner changed them."""
    given = {cell.source for cell in read.of_kind("code")}
    always = {place for place, cell in enumerate(rebuilt.cells)
              if place in rebuilt.own or cell.source not in given}  # fmt: skip
    kept = set(needed(rebuilt.cells, always))
    cells = tuple(
        replace(cell, source="") if cell.kind == "code" and place not in kept else cell
        for place, cell in enumerate(rebuilt.cells)
    )
    return replace(rebuilt, cells=cells)


def _grade(job: Job, rebuilt: Rebuilt) -> Report:
    if job.settings.grader == "trial":
        from autograder.author import trial

        warnings.simplefilter("ignore")
        return trial.run(job.lesson, rebuilt.cells, job.seed)
    from autograder.judge import engine
    from autograder.sandbox.session import SandboxError
    from autograder.sandbox.worker import Limits

    worker = _worker(job.settings.sandbox, _trains(job.lesson, job.solutions))
    limits = Limits(**job.settings.limits)  # type: ignore[arg-type]
    order = (job.lesson, rebuilt.cells, job.staged.files, job.seed, limits, worker)
    try:
        return engine.grade(*order)
    except SandboxError:  # the worker starts another; a second failure in a row is reported
        return engine.grade(*order)


@lru_cache(maxsize=8)
def _materials(name: str, solutions: str) -> tuple[Lesson, Released]:
    read = lesson.read(name, Path(solutions))
    return read, released(read)


@lru_cache(maxsize=8)
def _trains(name: str, solutions: str) -> bool:
    cells = _materials(name, solutions)[0].of_kind("code", "solution", "test")
    return any("train.fit(" in cell.source for cell in cells)


@lru_cache(maxsize=4)
def _worker(sandbox: bool, optimizers: bool) -> Any:
    """This process's warm sandbox, with torch's optimizers or without; it ends with the process."""
    from autograder.sandbox.worker import Worker

    return Worker(sandboxed=sandbox, optimizers=optimizers).__enter__()
