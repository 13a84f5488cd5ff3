"""Every lesson with its solutions, top to bottom in a fresh kernel, without network: no error, no warning.

Hidden checks run, too, and all that a learner trains is trained; what takes a learner long is cut SHORT, and
the check of what comes of it is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient
from nbformat import v4

from autograder.author import lesson, release
from byhand import translation

SHORT = {  # lesson -> the exercise that trains long, what it says, and what is put there
    "07_translation": ("train_translator", 'recipe("cpu"', 'recipe("smoke"'),
    "08_fine_tuning": ("tune_translator", "steps = 600 ", "steps = 5 "),
}
Runs = dict[str, tuple[Path, Future[list[Any]]]]
OFFLINE = """import socket

def connect(self, address):
    if self.family != socket.AF_UNIX:
        raise OSError(f"offline: {address}")
    return was(self, address)

was, socket.socket.connect = socket.socket.connect, connect"""


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """The lessons that were asked for, two at a time: each with its folder."""
    here = [item for item in request.session.items if item.getparent(pytest.Module) is request.node]
    asked = [item.callspec.params["name"] for item in here if hasattr(item, "callspec")]
    folders = {name: tmp_path_factory.mktemp("lesson") for name in asked}
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setenv("PYTHONWARNINGS", "default")
        for variable in ("BYHAND_SEED", "BYHAND_GRADING"):
            patch.delenv(variable, raising=False)
        yield {name: (folder, pool.submit(run, name, folder)) for name, folder in folders.items()}


def run(name: str, folder: Path) -> list[Any]:
    """The cells of the lesson after they ran; an error in one of them is raised here."""
    notebook = release.source_notebook(lesson.read(name))
    if name in SHORT:
        notebook.cells = shortened(notebook.cells, *SHORT[name])
    notebook.cells.insert(0, v4.new_code_cell(OFFLINE))
    NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": folder}}
    ).execute()
    return list(notebook.cells)


def shortened(cells: list[Any], exercise: str, long: str, short: str) -> list[Any]:
    """The cells with a shorter training, and without the check of it."""
    kept = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("grade_id") != f"test_{exercise}"]
    assert len(kept) == len(cells) - 1
    assert sum(cell.source.count(long) for cell in kept) == 1
    for cell in kept:
        cell.source = cell.source.replace(long, short)
    return kept


@pytest.mark.parametrize("name", lesson.names())
def test_a_lesson_runs_from_top_to_bottom_without_a_warning(name: str, running: Runs) -> None:
    folder, future = running[name]
    cells = future.result()
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert [one.text for one in outputs if one.get("name") == "stderr"] == []
    said = "".join(one.text for one in outputs if one.get("name") == "stdout")
    assert said.count(": passed.") + said.count(": the visible checks pass.") == len(
        [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("locked")]
    )
    if name == "07_translation":  # the learner's classes were trained from nothing, and are in the file
        found = translation.read(folder / "weights.safetensors")
        assert found.facts["steps"] == str(translation.recipe("smoke").steps)


def test_a_warning_and_a_look_at_the_network_are_noticed(tmp_path: Path) -> None:
    notebook = v4.new_notebook(cells=[v4.new_code_cell(OFFLINE)])
    notebook.cells.append(v4.new_code_cell("import warnings\nwarnings.warn('careful')"))
    notebook.cells.append(v4.new_code_cell("import urllib.request as r\nr.urlopen('http://127.0.0.1:9')"))
    client = NotebookClient(notebook, allow_errors=True, resources={"metadata": {"path": tmp_path}})
    client.execute()
    assert "careful" in notebook.cells[1].outputs[0].text
    assert "offline" in notebook.cells[2].outputs[-1].evalue
