"""Grade one submission in an ordinary Jupyter kernel, the way nbgrader does: tests and answers share it.

    texts of cells, data files, seed --one fresh kernel--> Report

The kernel is believed, so this is for a class you trust, for comparison, and where the split grader
cannot run. Its one function has the split grader's contract: text of cells in, Report out.
Order of this file: grade, the kernel, what its outputs mean.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbclient.exceptions import DeadKernelError
from nbformat import v4
from nbgrader.preprocessors import Execute
from traitlets import Dict, Set

from autograder import shown
from autograder.lesson import Cell
from autograder.verdict import CellRun, Fault, Report, Status, Verdict

MAX_MESSAGE = 2_000
INLINE = "module://matplotlib_inline.backend_inline"  # figures become outputs
TIMED_OUT = "CellTimeoutError"  # nbgrader's name for it


def grade(lesson: str, cells: Sequence[Cell], files: Mapping[str, bytes], seed: int, seconds: int) -> Report:
    """Verdicts of all test cells; each cell may run for `seconds`. Whatever the answers do, this returns."""
    began = time.monotonic()
    notebook: Any = v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=[_node(cell) for cell in cells],
        metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    )
    with tempfile.TemporaryDirectory(prefix="submission-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        finished, stopped, fault = _run(notebook, folder, seed, seconds)
    verdicts = tuple(
        _verdict(cell, notebook.cells[place], place in finished, stopped, fault, seconds)
        for place, cell in enumerate(cells)
        if cell.kind == "test"
    )
    runs = tuple(
        CellRun(place, tuple(dict(output) for output in shown.outputs(notebook.cells[place].outputs)))
        for place, cell in enumerate(cells)
        if cell.kind in ("code", "solution") and notebook.cells[place].outputs
    )
    notes = (stopped,) if stopped else ()
    return Report(lesson, seed, verdicts, runs, notes, sandboxed=False, seconds=time.monotonic() - began)


def _node(cell: Cell) -> Any:
    make: Any = v4.new_code_cell if cell.kind in ("code", "solution", "test") else v4.new_markdown_cell
    return make(cell.source)


class Kernel(Execute):  # type: ignore[misc]
    """nbgrader's own execution, with variables that only this kernel gets."""

    variables = Dict({})
    finished = Set(set(), help="places of cells after which the kernel said that all went well")

    def setup_kernel(self, **options: Any) -> Any:
        return super().setup_kernel(env={**os.environ, **self.variables}, **options)

    def on_cell_executed(self, **news: Any) -> None:
        super().on_cell_executed(**news)
        if news["execute_reply"]["content"]["status"] == "ok":
            self.finished.add(news["cell_index"])


def _run(notebook: Any, folder: str, seed: int, seconds: int) -> tuple[set[int], str, Fault]:
    """Run all cells in place. Returns which finished well, and why and by whose fault it stopped early."""
    variables = {"BYHAND_SEED": str(seed), "BYHAND_GRADING": "1", "MPLBACKEND": INLINE}
    kernel = Kernel(timeout=seconds, variables=variables, extra_arguments=["--log-level=40"])
    try:
        kernel.preprocess(notebook, {"metadata": {"path": folder}})
    except DeadKernelError:
        return (
            kernel.finished,
            "The answers ended the kernel, so the cells after that did not run.",
            "learner",
        )
    except Exception as error:  # whatever goes wrong around a kernel must not stop the class
        said = f"{type(error).__name__}: {error}"[:MAX_MESSAGE]
        if any(cell.get("execution_count") for cell in notebook.cells):
            return kernel.finished, f"Running the notebook stopped: {said}", "learner"
        return set(), f"No kernel could be started: {said}", "grader"
    return kernel.finished, "", ""


def _verdict(cell: Cell, node: Any, finished: bool, stopped: str, fault: Fault, seconds: int) -> Verdict:
    """Points need a cell that finished without any error; prints and warnings cost nothing."""
    error = next((output for output in node.outputs if output.output_type == "error"), None)
    if error is not None:
        return _lost(cell, "failed", "learner", _message(error, seconds))
    if not finished:  # a kernel that ends in the middle of a cell leaves no error in it
        return _lost(cell, "unchecked", fault or "learner", stopped or "The check did not run to its end.")
    return Verdict(cell.grade_id, cell.exercise, cell.points, cell.points, "passed")


def _lost(cell: Cell, status: Status, fault: Fault, message: str) -> Verdict:
    return Verdict(cell.grade_id, cell.exercise, 0.0, cell.points, status, fault, message)


def _message(error: Any, seconds: int) -> str:
    """What the check said, or which error the answer raised; no traceback."""
    if error.ename in ("CheckFailed", "AssertionError") and error.evalue:
        return str(error.evalue)[:MAX_MESSAGE]
    if error.ename in (TIMED_OUT, "KeyboardInterrupt"):
        return f"The check was stopped after {seconds} s: does a loop never end?"
    return f"Your code raised {error.ename}: {error.evalue}"[:MAX_MESSAGE]
