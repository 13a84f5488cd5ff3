"""autograder.train_reference: a lesson's own cells write the weights that are handed in."""

from __future__ import annotations

from pathlib import Path

from autograder import train_reference
from autograder.lesson import Cell, Lesson

WRITES = "from pathlib import Path\nPath('weights.safetensors').write_bytes(made)"


def lesson(*sources: tuple[str, str]) -> Lesson:
    return Lesson("99_tiny", tuple(Cell(kind, source) for kind, source in sources))  # type: ignore[arg-type]


def test_cells_run_in_order_until_the_weights_are_there(tmp_path: Path) -> None:
    made = lesson(("code", "made = b'one'"), ("test", "1 / 0"), ("code", WRITES), ("code", "1 / 0"))
    assert train_reference.train(made, tmp_path / "weights.safetensors")
    assert (tmp_path / "weights.safetensors").read_bytes() == b"one"


def test_without_a_training_cell_nothing_is_written(tmp_path: Path) -> None:
    assert not train_reference.train(lesson(("code", "made = b'one'")), tmp_path / "weights.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_lesson_is_named(capsys) -> None:
    assert train_reference.main(["06_encodr"]) == 2
    assert "no lesson is called 06_encodr" in capsys.readouterr().err
