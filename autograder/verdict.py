"""What grading one submission yields, as plain data that survives JSON.

Every way of running a lesson (an author's trial, nbgrader's own kernel, the split grader) answers
with a Report, so that gradebook, feedback and tests need not know which one ran.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["passed", "failed", "unchecked"]
Fault = Literal["", "learner", "grader"]


@dataclass(frozen=True)
class Verdict:
    """One test cell's outcome. `message` is written for the learner and holds no line of the test.

    unchecked means the check could not run; fault says because of whom. A grader's fault is no
    verdict on the learner: it is graded again.
    """

    test: str
    exercise: str
    points: float
    max_points: float
    status: Status
    fault: Fault = ""
    message: str = ""


@dataclass(frozen=True)
class CellRun:
    """What a learner's cell printed and drew: nbformat outputs, bounded. index: its place in the notebook."""

    index: int
    outputs: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Report:
    """All verdicts of one submission, with what is needed to reproduce them."""

    lesson: str
    seed: int
    verdicts: tuple[Verdict, ...]
    runs: tuple[CellRun, ...] = ()
    notes: tuple[str, ...] = ()
    sandboxed: bool = True
    seconds: float = 0.0

    @property
    def points(self) -> float:
        return sum(verdict.points for verdict in self.verdicts)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Report:
        verdicts = tuple(Verdict(**verdict) for verdict in data["verdicts"])
        runs = tuple(CellRun(run["index"], tuple(run["outputs"])) for run in data["runs"])
        return cls(**{**data, "verdicts": verdicts, "runs": runs, "notes": tuple(data["notes"])})
