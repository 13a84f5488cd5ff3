"""What learners were given: text, cell id and metadata of each of a lesson's cells.

Triage compares with it (is this still the stub? which cell is this?), and autograded notebooks show
test cells as learners saw them, so that no page made from one can hold a hidden test.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from autograder.author.lesson import Lesson


@dataclass(frozen=True)
class Released:
    """One entry per cell of the lesson, in its order."""

    texts: tuple[str, ...]
    ids: tuple[str, ...]
    metadata: tuple[dict[str, Any], ...]
    notebook_metadata: dict[str, Any]

    @cached_property
    def by_id(self) -> dict[str, int]:
        return {cell_id: place for place, cell_id in enumerate(self.ids)}

    @cached_property
    def by_text(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for place, text in enumerate(self.texts):
            places.setdefault(text.strip(), []).append(place)
        return places

    def is_stub(self, place: int, text: str) -> bool:
        """Whether `text` holds no answer yet: nothing at all, or what was released."""
        return not text.strip() or text.strip() == self.texts[place].strip()


@lru_cache(maxsize=16)
def released(lesson: Lesson) -> Released:
    """Made from the source, so that it cannot be of another version than the tests are."""
    from autograder.author.release import learner_notebook  # loads nbgrader, which takes a second

    notebook = learner_notebook(lesson)
    cells = notebook.cells
    return Released(
        tuple(cell.source for cell in cells),
        tuple(cell.id for cell in cells),
        tuple(dict(cell.metadata) for cell in cells),
        dict(notebook.metadata),
    )
