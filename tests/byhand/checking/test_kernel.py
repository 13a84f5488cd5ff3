"""What a learner sees in a real notebook: messages without tracebacks, and their own errors with a line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = {
    "import": "import numpy as np\nfrom byhand import check",
    "not_run": 'with check.exercise("softmax"):\n    softmax(np.ones(2))',
    "stub": 'def softmax(x):\n    raise NotImplementedError("Not written yet: replace this line.")',
    "not_written": 'with check.exercise("softmax"):\n    softmax(np.ones(2))',
    "wrong": "def softmax(x):\n    return np.exp(x)",
    "failing": 'with check.exercise("softmax"):\n'
    '    check.values("softmax(zeros)", softmax(np.zeros(2)), np.array([0.5, 0.5]), axes=("key",))',
    "buggy": "def softmax(x):\n    total = 0\n    return x[5] / total",
    "own_error": 'with check.exercise("softmax", needs=("dot_score",)):\n    softmax(np.ones(2))',
    "other_error": 'with check.exercise("softmax"):\n'
    '    check.raises("softmax(x)", lambda: softmax(np.ones(2)), ValueError)',
    "right": "%matplotlib inline\ndef softmax(x):\n    part = np.exp(x)\n    return part / part.sum()",
    "passing": 'with check.exercise("softmax"):\n'
    '    check.values("softmax(zeros)", softmax(np.zeros(2)), np.array([0.5, 0.5]))',
    "allowed": 'check.source("softmax", forbid=("scipy.special.softmax",))',
    "forbidden": 'check.source("softmax", forbid=("numpy.exp",), allow_text="math.exp")',
    "layer": "from torch import nn\nclass Layer(nn.Module):\n    def forward(self, x):\n        return x[5]",
    "layer_error": 'with check.exercise("Layer"):\n    nn.Sequential(Layer())(np.ones(2))',
}


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[Any]], Path]:
    """The outputs of each cell after one run, and the notebook's folder."""
    folder = tmp_path_factory.mktemp("lesson")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS.values()])
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BYHAND_GRADING", raising=False)
        client = NotebookClient(
            book, allow_errors=True, resources={"metadata": {"path": str(folder)}}, timeout=120
        )
        client.execute()
    return {name: cell.outputs for name, cell in zip(CELLS, book.cells, strict=True)}, folder


Run = tuple[dict[str, list[Any]], Path]


def shown(notebook: Run, name: str) -> str:
    """The text that JupyterLab shows for a cell's error, colours removed."""
    (output,) = notebook[0][name]
    assert output.output_type == "error", output
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))


def test_a_failed_check_shows_its_message_and_nothing_else(notebook: Run) -> None:
    assert shown(notebook, "failing") == (
        "softmax(zeros): all 2 entries differ, first at key 0.\n  got   1.0\n  want  0.5"
    )


def test_a_stub_and_a_cell_never_run_show_one_sentence(notebook: Run) -> None:
    assert shown(notebook, "not_run").startswith("softmax does not exist yet. Run the cell")
    assert shown(notebook, "not_written").startswith("softmax is not written yet.")
    assert "Traceback" not in shown(notebook, "not_run") + shown(notebook, "not_written")


def test_a_learners_own_error_shows_their_line_and_what_to_mend_first(notebook: Run) -> None:
    text = shown(notebook, "own_error")
    assert "IndexError" in text
    assert "return x[5] / total" in text
    assert "softmax may call dot_score, which has not been checked here: run that first." in text
    assert "byhand/" not in text


def test_a_layers_own_error_shows_its_line_without_torchs_way_there(notebook: Run) -> None:
    text = shown(notebook, "layer_error")
    assert "nn.Sequential(Layer())(np.ones(2))" in text
    assert "return x[5]" in text
    assert "container.py" in text  # only the steps that every layer's call takes are left out
    assert "_call_impl" not in text


def test_a_wrong_error_says_where_in_the_learners_cell_it_happened(notebook: Run) -> None:
    assert shown(notebook, "other_error").splitlines() == [
        "softmax(x) must raise a ValueError with a message of its own.",
        "  got   IndexError: index 5 is out of bounds for axis 0 with size 2",
        "  It happened in cell In[7], line 3: return x[5] / total",
    ]


def test_a_pass_shows_one_line_and_writes_progress(notebook: Run) -> None:
    (output,) = notebook[0]["passing"]
    assert output.output_type == "stream"
    assert output.name == "stdout"
    assert output.text.startswith("softmax: the visible checks pass.")
    assert output.text.count("\n") == 1
    progress = json.loads((notebook[1] / ".progress.json").read_text())
    assert progress["softmax"]["passed"] is True


def test_source_reads_the_last_cell_that_defined_the_name(notebook: Run) -> None:
    assert notebook[0]["allowed"] == []
    assert shown(notebook, "forbidden").splitlines() == [
        "softmax: line 3 of its cell uses numpy.exp, which is off limits in this exercise.",
        "  Allowed instead: math.exp",
    ]
