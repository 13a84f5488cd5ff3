"""autograder.author.train_reference: a lesson's own cells write the weights that are handed in."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.author import train_reference
from autograder.author.lesson import Cell, Lesson

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


TRAINS = """
import torch
from byhand import train

with train.seeded(0):
    model = torch.nn.Linear(2, 1)
met = []

def batches(step):
    met.append(step)
    return torch.ones(3, 2)

train.fit(model, lambda batch: model(batch).mean(), batches, 2)
"""


def shown(seed: int, capsys: pytest.CaptureFixture[str], target: Path | None = None) -> str:
    with train_reference.another(seed):
        made = lesson(("code", TRAINS))
        assert train_reference.train(made, target, "met, model.weight.tolist(), model.training")
    return capsys.readouterr().out.splitlines()[-1]


def test_another_seed_starts_elsewhere_and_meets_other_batches(capsys: pytest.CaptureFixture[str]) -> None:
    first, same, other = shown(0, capsys), shown(0, capsys), shown(3, capsys)
    assert first == same
    assert first.startswith("[1, 2] ")
    assert other.startswith(f"[{3 * train_reference.FAR + 1}, {3 * train_reference.FAR + 2}] ")
    assert other.split("] ", 1)[1] != first.split("] ", 1)[1]


def test_with_another_seed_the_weights_of_the_lesson_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_reference, "SOLUTIONS", tmp_path)
    monkeypatch.setattr(train_reference, "names", lambda: ["99_tiny"])
    monkeypatch.setattr(train_reference, "read", lambda name: lesson(("code", TRAINS)))
    (tmp_path / "99_tiny").mkdir()
    assert train_reference.main(["99_tiny", "--seed", "1", "--show", "len(met)"]) == 0
    assert capsys.readouterr().out.endswith("2\n")
    assert list((tmp_path / "99_tiny").iterdir()) == []
    assert train_reference.main(["99_tiny"]) == 0
    assert (tmp_path / "99_tiny" / "weights.safetensors").is_file()
