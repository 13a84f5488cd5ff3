"""Read a lesson's one source, solutions/NN_name/NN_name.py, into cells.

    solutions/01_scoring/01_scoring.py --jupytext--> Lesson(name, cells)

Everything that needs to know what a lesson asks (release, triage, judge, the bank of known
answers, the README's tables) reads it here, so that there is one reading of the markers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import jupytext

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = ROOT / "solutions"
LESSONS = ROOT / "lessons"

Kind = Literal["markdown", "code", "solution", "test", "written"]

# Exact, because nbgrader leaves a misspelt hidden test in the learner's notebook without a word.
MARKERS = ("### BEGIN SOLUTION", "### END SOLUTION", "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
_LIKE_A_MARKER = re.compile(r"#+\s*(begin|end)\b.*\b(solution|hidden|test)", re.IGNORECASE)


class LessonError(Exception):
    """A lesson source breaks a rule; the message names file, cell, and what to write instead."""


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson's source, hidden tests and solutions included.

    grade_id is "" for cells that nbgrader does not know; points are 0 unless it grades them.
    """

    kind: Kind
    source: str
    grade_id: str = ""
    points: float = 0.0

    @property
    def exercise(self) -> str:
        """The exercise a test belongs to: test_softmax and test_softmax_2 belong to softmax."""
        if self.kind != "test":
            return self.grade_id
        return re.sub(r"_\d+$", "", self.grade_id.removeprefix("test_"))


@dataclass(frozen=True)
class Lesson:
    """A lesson as its author wrote it, cells in order."""

    name: str
    cells: tuple[Cell, ...]

    def of_kind(self, *kinds: Kind) -> Iterator[Cell]:
        return (cell for cell in self.cells if cell.kind in kinds)

    @cached_property
    def exercises(self) -> dict[str, float]:
        """Exercise name -> points of all its tests (or of its hand-graded answer), in lesson order."""
        points: dict[str, float] = {}
        for cell in self.of_kind("test", "written"):
            points[cell.exercise] = points.get(cell.exercise, 0.0) + cell.points
        return points

    @property
    def points(self) -> float:
        return sum(self.exercises.values())


def names() -> list[str]:
    """Every lesson's name, in course order."""
    return sorted(path.parent.name for path in SOLUTIONS.glob("*/*.py") if path.stem == path.parent.name)


def read(name: str, solutions: Path = SOLUTIONS) -> Lesson:
    """The lesson called `name`. Raises LessonError, naming the cell, if its source breaks a rule."""
    path = solutions / name / f"{name}.py"
    if not path.is_file():
        raise LessonError(f"no lesson source at {path}.")
    notebook = jupytext.read(path, fmt="py:percent")
    cells = tuple(_cell(raw, f"{path.name}, cell {number}") for number, raw in enumerate(notebook.cells, 1))
    _check_ids(cells, path.name)
    return Lesson(name, cells)


def weights(name: str, solutions: Path = SOLUTIONS) -> list[Path]:
    """The files of trained weights that the lesson's author hands in beside the notebook."""
    return sorted((solutions / name).resolve().glob("*.safetensors"))


def _cell(raw: Any, where: str) -> Cell:
    kind = _kind(raw, where)
    meta = raw.metadata.get("nbgrader", {})
    grade_id = meta.get("grade_id", "")
    place = f"{where} ({grade_id or kind})"
    _check_markers(raw.source, kind, place)
    if kind == "test" and not grade_id.startswith("test_"):
        raise LessonError(f"{place}: a test cell's grade_id starts with test_, then the exercise's name.")
    return Cell(kind, raw.source, grade_id, float(meta.get("points", 0)))


def _kind(raw: Any, where: str) -> Kind:
    meta = raw.metadata.get("nbgrader")
    if meta is None:
        return "markdown" if raw.cell_type == "markdown" else "code"
    if meta.get("schema_version") != 3:
        raise LessonError(f"{where}: schema_version is {meta.get('schema_version')!r}, nbgrader needs 3.")
    roles = {(False, True): "solution", (True, False): "test", (True, True): "written"}
    kind = roles.get((bool(meta.get("grade")), bool(meta.get("solution"))))
    if kind is None:
        raise LessonError(f"{where}: grade and solution are both false; drop the nbgrader metadata.")
    return kind  # type: ignore[return-value]


def _check_markers(source: str, kind: Kind, place: str) -> None:
    for line in source.splitlines():
        if kind != "markdown" and _LIKE_A_MARKER.search(line) and line.strip() not in MARKERS:
            choice = ", ".join(MARKERS)
            raise LessonError(f"{place}: {line.strip()!r} looks like a marker; write one of: {choice}.")
    needed = {"solution": "SOLUTION", "test": "HIDDEN TESTS"}.get(kind)
    for name in ("SOLUTION", "HIDDEN TESTS"):
        begins, ends = source.count(f"### BEGIN {name}"), source.count(f"### END {name}")
        if begins != ends:
            raise LessonError(f"{place}: {begins} '### BEGIN {name}' but {ends} '### END {name}'.")
        if name == needed and begins == 0:
            raise LessonError(f"{place}: a {kind} cell needs '### BEGIN {name}' and '### END {name}'.")
        if begins and name != needed and kind != "written":
            raise LessonError(f"{place}: '### BEGIN {name}' has no place in a {kind} cell.")


def _check_ids(cells: tuple[Cell, ...], file: str) -> None:
    ids = [cell.grade_id for cell in cells if cell.grade_id]
    twice = sorted({grade_id for grade_id in ids if ids.count(grade_id) > 1})
    if twice:
        raise LessonError(f"{file}: grade_id {', '.join(twice)} is used more than once.")
    solved = {cell.grade_id for cell in cells if cell.kind == "solution"}
    for cell in cells:
        if cell.kind == "test" and cell.exercise not in solved:
            raise LessonError(
                f"{file}: {cell.grade_id} tests {cell.exercise}, which no solution cell is called."
            )
