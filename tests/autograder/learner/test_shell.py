"""A cell that is read as plain Python is one that IPython itself would leave alone."""

import sys
import warnings
from contextlib import suppress

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from IPython.core.async_helpers import _should_be_async
from IPython.core.inputtransformer2 import TransformerManager
from traitlets.config import Config

from autograder.author import lesson
from autograder.learner import shell as shells
from autograder.learner.shell import is_plain

PIECES = (
    *("x", "f(", ")", "[", "]", "=", "==", "!=", "%", "!", "?", "??", "%%time", "%time ", "!ls"),
    *("/f 1", ",a b", ";a b", ">>> ", "... ", "In [1]: ", '"', '"""', "'", "\\", " ", "    "),
    *("\t", "\n", "\n\n", "\r\n", "\x0c", "# ", ":", "def f():", "if x:", "1", ".", ","),
    *("await f", "async def f():", "$", "é", "\u2028", "\xa0", "\u3000"),
)


def _read(text: str) -> str | None:
    """How IPython reads a cell, None if it cannot."""
    with warnings.catch_warnings(), suppress(SyntaxError, ValueError):
        warnings.simplefilter("ignore")  # about lines that end in unusual ways
        return TransformerManager().transform_cell(text)
    return None


CHANGED = (
    *("x\nlines = !ls\n", "x\ny = %env\n", "x\nlen?\n", "?len\nx\n", "x\n  !ls\n", "%%time\nx\n"),
    *("x\n/f 1\n", "x\n,f 1\n", ">>> x\n... y\n", "In [1]: x\ny\n", "x\n   ...: y\n"),
    *("\nx\ny\n", "  x\n  y\n", "x\n    \ny\n", "x\u2028>>> \nx\n"),
    *("x\n\xa0>>> x\n", "x\n\u3000>>> x\n", "x\n\xa0 ...: x\n"),
)


@pytest.mark.parametrize("text", CHANGED)
def test_what_ipython_changes_is_not_read_as_plain(text: str) -> None:
    assert _read(text) != text
    assert not is_plain(text)


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_ipython_changes_nothing_in_what_is_read_as_plain(text: str) -> None:
    if is_plain(text):
        assert _read(text) in (text, text + "\n", None)


@pytest.mark.parametrize("name", lesson.names())
def test_most_cells_of_a_lesson_are_plain_and_ipython_leaves_them_alone(name: str) -> None:
    code = [cell.source for cell in lesson.read(name).cells if cell.kind not in ("markdown", "written")]
    plain = [text for text in code if is_plain(text)]
    assert len(plain) > len(code) / 2
    assert all(_read(text) in (text, text + "\n") for text in plain)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> shells.Shell:
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # which a shell replaces
    return shells.Shell(user_ns={}, config=Config({"HistoryManager": {"enabled": False}}))


def test_magic_a_shell_command_and_a_top_level_await_still_run(shell: shells.Shell) -> None:
    shell.run_cell("lines = !echo one\nvalue = %env HOME\n")
    shell.run_cell("import asyncio\nslept = await asyncio.sleep(0, 'awake')\n")
    assert list(shell.user_ns["lines"]) == ["one"]
    assert shell.user_ns["value"]
    assert shell.user_ns["slept"] == "awake"


def test_what_a_learner_adds_to_ipython_is_asked_for_every_cell(shell: shells.Shell) -> None:
    shell.input_transformers_post.append(lambda lines: [line.replace("one", "1") for line in lines])
    shell.run_cell("x = one\ny = one\n")
    assert shell.user_ns["y"] == 1


def test_a_cell_is_found_to_be_asynchronous_as_ipython_finds_it(shell: shells.Shell) -> None:
    for text in ("x = 1\ny = 2\n", "await f()\n", "async with f() as x:\n    pass\n", "awaiting = 1\n"):
        assert shell.should_run_async(text, transformed_cell=text) == _should_be_async(text)
