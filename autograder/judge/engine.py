"""Grade one submission: the learner's code in the sandbox, the tests in a judge of their own.

    grade() --files, limits--> worker.Worker --socket--> judges.Judges --> Report

This module connects the two and holds neither: what the learner's process sends goes to the judge
alone. If a cell brought down every process at once (memory of the whole submission), the submission
is run again up to that cell, so that the exercises before it keep their verdicts.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Mapping, Sequence
from typing import Any

from autograder.author.lesson import Cell
from autograder.judge.judges import JUDGE, REHEARSE, JudgeFailed, Judges, job_of
from autograder.sandbox.session import Limits, SandboxError, Session
from autograder.verdict import CellRun, Report, Verdict

REHEARSAL, REHEARSALS = 1.0, 3  # seconds; times

_judges = Judges()
atexit.register(_judges.close)


def start() -> None:
    """Warm the judges up now, before a first submission waits for it. Raises JudgeFailed."""
    _judges.start()


def rehearse(cells: Sequence[Cell], files: Mapping[str, bytes], worker: Any) -> None:
    """Judge a lesson's own solutions before the first submission, in the judges' server itself.

    What Python loads, caches and specialises meanwhile, every later judge inherits. Takes little more than
    REHEARSAL seconds at most, less for a short lesson. Raises: SandboxError.
    """
    until = time.monotonic() + REHEARSAL
    for _ in range(REHEARSALS):
        limits = Limits(submission_seconds=max(0.1, until - time.monotonic()))
        _judged(cells, files, 0, limits, worker, None, REHEARSE)
        if time.monotonic() > until:
            return


def grade(
    lesson_name: str,
    cells: Sequence[Cell],
    files: Mapping[str, bytes],
    seed: int,
    limits: Limits,
    worker: Any,
) -> Report:
    """The report on a rebuilt submission. Raises SandboxError if the sandbox itself fails.

    worker: a started worker.Worker.
    """
    started = time.monotonic()
    judged = _judged(cells, files, seed, limits, worker, None)
    if (lost := judged.get("lost_at")) is not None:
        again = _judged(cells, files, seed, limits, worker, lost)
        judged = again | {"runs": max(judged["runs"], again["runs"], key=len)}
    return Report(
        lesson_name,
        seed,
        tuple(Verdict(**verdict) for verdict in judged["verdicts"]),
        tuple(CellRun(run["index"], tuple(run["outputs"])) for run in judged["runs"]),
        () if worker.sandboxed else (worker.warning,),
        worker.sandboxed,
        time.monotonic() - started,
    )


def _judged(
    cells: Sequence[Cell],
    files: Mapping[str, bytes],
    seed: int,
    limits: Limits,
    worker: Any,
    stop_at: int | None,
    order: bytes = JUDGE,
) -> dict[str, Any]:
    session: Session = worker.submission(files, limits)
    job = job_of(cells, seed, limits, stop_at)
    try:
        judged = _judges.judge(
            session.socket, job, limits.submission_seconds, lambda asked: _answer(session, asked), order
        )
    except JudgeFailed as problem:
        judged = _unchecked(cells, str(problem))
    finally:
        ending = session.kill()
        session.close()
    if ending.why in ("setup", "server"):
        raise SandboxError(f"The sandbox failed while a submission ran: {ending.trouble}")
    return judged


def _answer(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """Do what the judge asks of the sandbox."""
    if "limit" in asked:
        try:
            session.limit_memory_growth(asked["limit"])
        except SandboxError as problem:
            return {"problem": str(problem)}
        return {}
    try:
        return {"why": session.wait(0.5).why}
    except TimeoutError:
        return {"why": ""}


def _unchecked(cells: Sequence[Cell], reason: str) -> dict[str, Any]:
    """The judgement when there is none: nothing is known, so nothing is lost."""
    tests = [cell for cell in cells if cell.kind == "test"]
    verdicts = [
        {"test": cell.grade_id, "exercise": cell.exercise, "points": 0.0, "max_points": cell.points,
         "status": "unchecked", "fault": "grader", "message": reason}
        for cell in tests
    ]  # fmt: skip
    return {"verdicts": verdicts, "runs": [], "lost_at": None}
