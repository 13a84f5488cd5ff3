"""Lesson 07's notebook trains from nothing: the `smoke` recipe in place of `cpu`, no weights before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbclient import NotebookClient

from autograder.author import lesson, release
from byhand import translation


def test_lesson_07_trains_the_learners_classes_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BYHAND_GRADING", raising=False)
    notebook = release.source_notebook(lesson.read("07_translation"))
    trains = next(at for at, cell in enumerate(notebook.cells) if cell.source.startswith("translator = "))
    needed = [
        cell for cell in notebook.cells[: trains + 1] if not cell.metadata.get("nbgrader", {}).get("grade")
    ]
    assert sum('recipe("cpu"' in cell.source for cell in needed) == 1
    for cell in needed:
        cell.source = cell.source.replace('recipe("cpu"', 'recipe("smoke"')
    notebook.cells = needed
    NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    found = translation.read(tmp_path / "weights.safetensors")
    assert found.facts["steps"] == str(translation.recipe("smoke").steps)
    assert found.model().training is False
    assert any("steps/s" in str(one) or "in all" in str(one) for one in notebook.cells[-1].outputs)
