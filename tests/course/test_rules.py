"""Rules that hold for every file of the grader and of what learners import."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.places import ROOT

GRADER = sorted((ROOT / "autograder").rglob("*.py"))
LEARNERS = sorted((ROOT / "byhand").rglob("*.py"))
FILES = GRADER + LEARNERS
# Where trusted text is run: test cells by the judge, the lesson's own text and bank on an author's
# machine, and its answers where they are timed.
RUNS_TRUSTED_TEXT = {"judge/rounds.py", "author/trial.py", "bench/attention.py"}
UNPICKLERS = {"pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(_tree(path)) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_is_unpickled(path):
    roots = {name.split(".")[0] for name in _imports(path)}
    assert roots & UNPICKLERS == set()
    loads = [call for call in _calls(path) if ast.unparse(call.func) == "torch.load"]
    assert loads == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_text_is_run_but_trusted_tests(path):
    run = {ast.unparse(call.func) for call in _calls(path)} & {"eval", "exec", "os.system", "os.popen"}
    assert run <= ({"exec"} if f"{path.parent.name}/{path.name}" in RUNS_TRUSTED_TEXT else set())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_command_goes_through_a_shell(path):
    through = [call for call in _calls(path) for word in call.keywords if word.arg == "shell"]
    assert through == []


@pytest.mark.parametrize("path", LEARNERS, ids=lambda path: path.name)
def test_what_learners_import_needs_neither_the_grader_nor_the_solutions(path):
    roots = {name.split(".")[0] for name in _imports(path)}
    assert roots & {"autograder", "solutions"} == set()


@pytest.mark.parametrize("path", GRADER, ids=lambda path: path.name)
def test_the_grader_imports_no_solutions(path):
    assert "solutions" not in {name.split(".")[0] for name in _imports(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_says_what_it_is(path):
    assert ast.get_docstring(_tree(path))
