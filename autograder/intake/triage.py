"""Rebuild a submission from the lesson's source: of the notebook handed in, only texts are taken.

    notebook bytes --handed--> its cells --match--> Rebuilt(cells, notes), or one sentence why not

The result holds the lesson's cells in the lesson's order. A solution cell gets the learner's text, a
set-up cell too if they changed it, a test cell always the source's. Cells of the learner's own stand
after the known cell they came after. Metadata, outputs, tags, points, kernels have no effect.

A handed-in cell is known by the first that fits: its grade_id, its cell id as released, its text as
released, or (for a solution still missing) a top-level `def` or `class` of the right name.
A grade_id used more than once, after a copy or a split: see `_one_answer`. Never raises.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autograder.author.lesson import Cell, Lesson
from autograder.author.released import Released
from autograder.intake.handed import Handed, UnreadableError, read

_DEFINES = re.compile(r"^(?:async[ \t]+)?(?:def|class)[ \t]+([^\W\d]\w*)", re.MULTILINE)


@dataclass(frozen=True)
class Rebuilt:
    """What is graded. `problem` is one sentence for the learner when there is nothing to grade.

    answered: grade_ids of solution and written cells whose text is not the released one.
    own: places in `cells` that hold cells of the learner's own.
    """

    cells: tuple[Cell, ...]
    answered: frozenset[str] = frozenset()
    own: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()
    problem: str = ""


def rebuild(lesson: Lesson, released: Released, notebook: bytes) -> Rebuilt:
    """The lesson with this submission's answers in it. Whatever the bytes are, this returns."""
    try:
        handed, notes = read(notebook)
    except UnreadableError as why:
        return unanswered(lesson, str(why))
    places = _places(lesson, released, handed)
    if all(place is None for place in places):
        return unanswered(lesson, f"The notebook holds no cell of {lesson.name}; is it of another lesson?")
    texts: dict[int, str] = {}
    for place, cell in enumerate(lesson.cells):
        if cell.kind in ("solution", "written"):
            notes += _take_answer(cell, place, released, handed, places, texts)
        elif cell.kind == "code":
            _take_set_up(place, released, handed, places, texts)
    return _assemble(lesson, released, handed, places, texts, notes)


def unanswered(lesson: Lesson, problem: str) -> Rebuilt:
    """The lesson without any answer, for a submission that cannot be read."""
    blank = ("solution", "written")
    cells = tuple(replace(cell, source="") if cell.kind in blank else cell for cell in lesson.cells)
    return Rebuilt(cells, problem=problem)


def _places(lesson: Lesson, released: Released, handed: Sequence[Handed]) -> list[int | None]:
    """For each handed-in cell its place in the lesson, None for a cell of the learner's own."""
    by_name = {cell.grade_id: place for place, cell in enumerate(lesson.cells) if cell.grade_id}
    places: list[int | None] = [by_name.get(cell.grade_id) for cell in handed]
    taken = set(places)
    for number, cell in enumerate(handed):
        place = released.by_id.get(cell.cell_id)
        if places[number] is None and place not in taken:
            places[number] = place
            taken.add(place)
    for number, cell in enumerate(handed):
        same = released.by_text.get(cell.source.strip(), []) if places[number] is None else []
        free = [place for place in same if place not in taken]
        if free:
            places[number] = free[0]
            taken.add(free[0])
    return places


def _take_answer(
    cell: Cell,
    place: int,
    released: Released,
    handed: Sequence[Handed],
    places: list[int | None],
    texts: dict[int, str],
) -> list[str]:
    """Put the learner's text of one solution cell into `texts`; say what was unusual about it."""
    copies = [number for number, found in enumerate(places) if found == place]
    answers = [number for number in copies if not released.is_stub(place, handed[number].source)]
    if not answers and cell.kind == "solution":
        answers = _defined_elsewhere(cell.grade_id, handed, places)
        if answers:
            places[answers[0]] = place
            texts[place] = handed[answers[0]].source
            return [f"The cell {cell.grade_id} was found by its name in a cell of your own."]
    if not answers:
        texts[place] = handed[copies[0]].source if copies else ""
        return [] if copies else [f"The cell {cell.grade_id} was missing from the notebook."]
    texts[place], chosen = _one_answer(cell, answers, handed)
    for number in answers:
        if number not in chosen:
            places[number] = None  # it ran in their notebook too, so it stays, as a cell of their own
    if len(answers) > 1:
        how = "the parts were joined" if len(chosen) > 1 else "the last complete one was graded"
        return [f"The cell {cell.grade_id} was there {len(answers)} times; {how}."]
    if cell.kind == "solution" and not handed[answers[0]].code:
        return [f"The cell {cell.grade_id} had become a text cell; its text was graded as code."]
    return []


def _one_answer(cell: Cell, answers: list[int], handed: Sequence[Handed]) -> tuple[str, set[int]]:
    """The text that counts, and which of the handed-in cells it came from.

    Several cells of one name come from copy and paste (each complete) or from splitting a cell (the
    rest is no Python by itself, but is with what was before it). Parts are joined; then the last that
    defines the name counts, because in their notebook it replaced those before it.
    """
    if cell.kind == "written":
        return "\n\n".join(handed[number].source for number in answers), set(answers)
    groups: list[list[int]] = []
    for number in answers:
        joined = "\n".join(handed[part].source for part in [*(groups[-1] if groups else []), number])
        if groups and _names_defined(handed[number].source) is None and _names_defined(joined) is not None:
            groups[-1].append(number)
        else:
            groups.append([number])
    texts = ["\n".join(handed[part].source for part in group) for group in groups]
    complete = [place for place, text in enumerate(texts) if cell.grade_id in (_names_defined(text) or ())]
    best = complete[-1] if complete else -1
    return texts[best], set(groups[best])


def _names_defined(source: str) -> set[str] | None:
    """Names that the text gives a meaning at its top level; None if it is not Python."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names: set[str] = set()
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign):
            names |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return names


def _defined_elsewhere(name: str, handed: Sequence[Handed], places: Sequence[int | None]) -> list[int]:
    """Own cells that define `name`, the last first: metadata may be lost, or the answer moved."""
    own = [number for number, place in enumerate(places) if place is None and handed[number].code]
    return [number for number in reversed(own) if name in _DEFINES.findall(handed[number].source)]


def _take_set_up(
    place: int,
    released: Released,
    handed: Sequence[Handed],
    places: Sequence[int | None],
    texts: dict[int, str],
) -> None:
    """A set-up cell the learner changed runs as they changed it, as it did in their notebook."""
    for number, found in enumerate(places):
        if found == place and handed[number].code and not released.is_stub(place, handed[number].source):
            texts[place] = handed[number].source


def _assemble(
    lesson: Lesson,
    released: Released,
    handed: Sequence[Handed],
    places: Sequence[int | None],
    texts: dict[int, str],
    notes: list[str],
) -> Rebuilt:
    after = _own_cells(handed, places)
    cells: list[Cell] = list(after.get(-1, ()))
    own = set(range(len(cells)))
    for place, cell in enumerate(lesson.cells):
        cells.append(replace(cell, source=texts[place]) if place in texts else cell)
        own |= set(range(len(cells), len(cells) + len(after.get(place, ()))))
        cells += after.get(place, ())
    asked = ("solution", "written")
    answered = {
        lesson.cells[place].grade_id
        for place, text in texts.items()
        if lesson.cells[place].kind in asked and not released.is_stub(place, text)
    }
    return Rebuilt(tuple(cells), frozenset(answered), frozenset(own), tuple(notes))


def _own_cells(handed: Sequence[Handed], places: Sequence[int | None]) -> dict[int, list[Cell]]:
    """The learner's own cells in their order, by the place of the known cell they come after (-1: none).

    Known cells that were moved out of the lesson's order say nothing about where an own cell belongs,
    so only the longest run of known cells in lesson order counts.
    """
    anchors = _longest_rising(places)
    after: dict[int, list[Cell]] = {}
    last = -1
    for number, place in enumerate(places):
        if number in anchors and place is not None:
            last = place
        elif place is None and handed[number].source.strip():
            kind = "code" if handed[number].code else "markdown"
            after.setdefault(last, []).append(Cell(kind, handed[number].source))  # type: ignore[arg-type]
    return after


def _longest_rising(places: Sequence[int | None]) -> set[int]:
    """Positions of a longest strictly rising subsequence of the places that are not None."""
    tails: list[int] = []  # last place of the best run of each length
    ends: list[int] = []  # its position
    before: dict[int, int | None] = {}
    for position, place in enumerate(places):
        if place is None:
            continue
        length = bisect_left(tails, place)
        before[position] = ends[length - 1] if length else None
        tails[length:] = [place, *tails[length + 1 :]]
        ends[length:] = [position, *ends[length + 1 :]]
    chain: set[int] = set()
    step: int | None = ends[-1] if ends else None
    while step is not None:
        chain.add(step)
        step = before[step]
    return chain
