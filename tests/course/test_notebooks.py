"""Every lesson with its solutions, top to bottom in a fresh kernel, without network: no error, no warning.

Hidden checks run, too. Where a lesson hands in trained weights, the author's are there, as when grading;
all other training runs as it would for a learner.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient
from nbformat import v4

from autograder.author import lesson, release

OFFLINE = """import socket

def connect(self, address):
    if self.family != socket.AF_UNIX:
        raise OSError(f"offline: {address}")
    return was(self, address)

was, socket.socket.connect = socket.socket.connect, connect"""


def run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The cells of the lesson after they ran; an error in one of them is raised here."""
    weights = lesson.weights(name)
    for file in weights:
        shutil.copy(file, folder)
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    monkeypatch.delenv("BYHAND_SEED", raising=False)
    if weights:
        monkeypatch.setenv("BYHAND_GRADING", "1")
    notebook = release.source_notebook(lesson.read(name))
    notebook.cells.insert(0, v4.new_code_cell(OFFLINE))
    NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": folder}}
    ).execute()
    return list(notebook.cells)


@pytest.mark.parametrize("name", lesson.names())
def test_a_lesson_runs_from_top_to_bottom_without_a_warning(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = run(name, tmp_path, monkeypatch)
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert [one.text for one in outputs if one.get("name") == "stderr"] == []
    said = "".join(one.text for one in outputs if one.get("name") == "stdout")
    assert said.count(": passed.") + said.count(": the visible checks pass.") == len(
        [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("locked")]
    )


def test_a_warning_and_a_look_at_the_network_are_noticed(tmp_path: Path) -> None:
    notebook = v4.new_notebook(cells=[v4.new_code_cell(OFFLINE)])
    notebook.cells.append(v4.new_code_cell("import warnings\nwarnings.warn('careful')"))
    notebook.cells.append(v4.new_code_cell("import urllib.request as r\nr.urlopen('http://127.0.0.1:9')"))
    client = NotebookClient(notebook, allow_errors=True, resources={"metadata": {"path": tmp_path}})
    client.execute()
    assert "careful" in notebook.cells[1].outputs[0].text
    assert "offline" in notebook.cells[2].outputs[-1].evalue
