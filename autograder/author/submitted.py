"""What checks ask about a submission whose cells are all at hand, in the trial as in the judge's process."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from autograder.author.lesson import Cell
from byhand import check


class SubmittedHost(check.Host):
    """A host that knows each cell. seed: of the checks' random inputs."""

    grading = True

    def __init__(self, cells: Sequence[Cell], seed: int) -> None:
        super().__init__()
        self._seed, self._cells = seed, cells
        self._texts = {cell.grade_id: cell.source for cell in cells if cell.kind == "solution"}
        self._code = [cell.source for cell in cells if cell.kind in ("solution", "code")]

    def rng_seed(self) -> int:
        return self._seed

    def cells(self) -> Sequence[str]:
        return self._code

    def exercises(self) -> Collection[str]:
        return self._texts.keys()

    def text_of(self, name: str) -> str:
        return self._texts.get(name, "")

    def later(self, name: str) -> Sequence[str]:
        """The code between an exercise's solution cell and its last test: it may give its name anew."""
        places = [at for at, cell in enumerate(self._cells) if cell.exercise == name and cell.grade_id]
        between = self._cells[places[0] + 1 : places[-1]] if places else ()
        return [cell.source for cell in between if cell.kind in ("code", "solution")]
