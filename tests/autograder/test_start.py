"""A command of the grader starts without what it does not need."""

import subprocess
import sys

import pytest

SEEN = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*sorted(name for name in sys.argv[2:] if sys.modules.get(name)))
"""


@pytest.mark.parametrize(
    "module",
    ["autograder.cli", "autograder.grading.grade", "autograder.feedback.generate", "autograder.grading.job"],
)
def test_a_command_loads_no_torch_and_no_parser_of_addresses(module: str):
    unwanted = ["torch", "matplotlib", "rfc3987_syntax", "distributed"]
    command = [sys.executable, "-c", SEEN, module, *unwanted]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.split() == []


def test_notebooks_are_validated_all_the_same():
    import nbformat

    import autograder

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.validate(notebook)
    notebook.cells[0]["outputs"] = 3
    with pytest.raises(nbformat.ValidationError):
        nbformat.validate(notebook)
    assert autograder.__doc__
