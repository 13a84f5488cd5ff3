"""check.source: finds library calls however they are imported, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from byhand import check

FORBID = ("softmax",)


class Cells(check.Host):
    def __init__(self, text: str, *others: str, grading: bool = False) -> None:
        super().__init__()
        self.texts, self.graded, self.after = [*others, text], grading, list[str]()

    def exercises(self) -> Sequence[str] | None:
        return ("weights", "solved_before") if self.graded else None

    def cells(self) -> Sequence[str]:
        return self.texts

    def later(self, name: str) -> Sequence[str]:
        return self.after

    def text_of(self, name: str) -> str:
        return self.texts[-1]


def said(
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    *others: str,
    forbid: Sequence[str] = FORBID,
    allow: str | None = None,
    also: Sequence[str] = (),
    grading: bool = False,
    after: str = "",
    failed: str = "",
) -> str:
    host = Cells(text, *others, grading=grading)
    host.after = [after]
    host.record(failed, False, "")
    monkeypatch.setattr(check, "host", host)
    try:
        with check.exercise("weights", needs=[failed] if failed else []):
            check.source("weights", forbid, allow, also)
    except check.CheckFailed as failure:
        return str(failure)
    return ""


def test_the_call_its_line_and_what_is_allowed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import torch.nn as nn\n\ndef weights(x):\n    return nn.functional.softmax(x, -1)\n"
    assert said(monkeypatch, text, allow="torch.exp, torch.amax and sums.") == (
        "weights: line 4 of its cell uses torch.nn.functional.softmax, "
        "which is off limits in this exercise.\n"
        "  Allowed instead: torch.exp, torch.amax and sums."
    )


@pytest.mark.parametrize(
    "text",
    [
        "import torch\ny = torch.softmax(x, 0)",
        "import torch.nn.functional as F\ny = F.softmax(x)",
        "from torch.nn import functional\ny = functional.softmax(x)",
        "from scipy.special import softmax as s\ny = s(x)",
        "from scipy.special import softmax",
        "from scipy.special import *\ny = softmax(x)",
        "import torch\nf = torch.softmax\ny = f(x, 0)",
        "import torch\nt = torch\ny = t.softmax(x, 0)",
        "import torch\ny = getattr(torch, 'softmax')(x, 0)",
        "import torch\ny = vars(torch)['softmax'](x, 0)",
        "import torch\ny = torch.__dict__['softmax'](x, 0)",
        "y = __import__('torch').softmax(x, 0)",
        "import importlib\ny = importlib.import_module('scipy.special').softmax(x)",
        "from importlib import import_module as load\ny = load('scipy.special').softmax(x)",
        "y = x.softmax(-1)",
        "y = (x + 1).softmax(-1)",
        "y = f(x)[0].softmax(-1)",
        "import torch\ny = torch.nn.Softmax(-1)(x)\nz = torch.softmax(x, 0)",
        "import torch\nif (f := torch.softmax):\n    pass",
        "import torch\na, b = torch.exp, torch.softmax",
        "y = softmax(x)",
        "y = eval('torch.softmax(x, 0)')",
        "exec('import torch')",
        "%matplotlib inline\n!ls\nimport torch\ny = torch.softmax(x, 0)",
        "%%time\nimport torch\ny = torch.softmax(x, 0)",
        "files = !ls\nimport torch\ny = torch.softmax(x, 0)",
        "torch?\nimport torch\ny = torch.softmax(x, 0)",
        "def weights(x):\n    import torch as t\n    return (lambda: t.softmax(x, 0))()",
        "class A:\n    act = __import__('torch').softmax",
    ],
)
def test_a_forbidden_call_is_found(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert "off limits" in said(monkeypatch, text)


@pytest.mark.parametrize(
    "text",
    [
        "import numpy as np\ny = np.exp(x) / np.exp(x).sum()",
        "def softmax(x):\n    return x\ny = softmax(x)",
        "# torch.softmax is forbidden\ny = 'torch.softmax'",
        "def weights(x):\n    '''Like torch.softmax(x).'''\n    return x",
        "y = my_softmax(x)",
        "y = log_softmax_by_hand(x)",
        "softmaxes = 3",
        "def weights(x, softmax):\n    return softmax(x)",
        "softmax = lambda x: x\ny = softmax(2)",
        "model.eval()\nre.compile('a')",
        "y = scores['softmax']",
        "x = x.T\nx = x.mT\nx = x.T.real\nx = x.imag",
        "%timeit weights(x)\n!pip list\nweights?\ny = 1",
        "y = 7 % 3\n",
    ],
)
def test_what_only_looks_like_it_is_fine(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert said(monkeypatch, text) == ""


def test_a_dotted_entry_names_one_librarys_function(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from byhand import blocks\ny = blocks.softmax(x)"
    assert said(monkeypatch, text, forbid=("torch.softmax", "functional.softmax")) == ""
    assert "byhand.blocks.softmax" in said(monkeypatch, text, forbid=("blocks.softmax",))


def test_an_entry_with_a_leading_dot_leaves_bare_names_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, "y = softmax(x)", forbid=(".softmax",)) == ""
    assert "the method .softmax" in said(monkeypatch, "y = (x + 1).softmax(0)", forbid=(".softmax",))


@pytest.mark.parametrize(
    "text",
    [
        "import scipy.special",
        "import scipy as sp\ny = sp.stats.norm(x)",
        "from scipy import special",
        "from importlib import import_module as load\ny = load('scipy.special')",
        "y = __import__('scipy')",
    ],
)
def test_a_trailing_dot_names_a_whole_library(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert "off limits" in said(monkeypatch, text, forbid=("scipy.",))
    assert said(monkeypatch, text.replace("scipy", "scipy_like"), forbid=("scipy.",)) == ""


def test_a_star_makes_a_pattern_of_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    star = ("*.*[sS]oftmax*",)
    for text in ("import torch\ny = torch._softmax(x, 0)", "import torch\ny = torch.nn.LogSoftmax(0)"):
        assert "off limits" in said(monkeypatch, text, forbid=star)
    assert said(monkeypatch, "def my_softmax(x):\n    return x\ny = my_softmax(1)", forbid=star) == ""


def test_imports_of_other_cells_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    others = (
        "import torch.nn.functional as G",
        "from scipy.special import softmax as s",
        "this is no python",
    )
    assert "line 1 of its cell uses torch.nn.functional.softmax" in said(
        monkeypatch, "y = G.softmax(x)", *others
    )
    assert "scipy.special.softmax" in said(monkeypatch, "def weights(x):\n    return s(x)", *others)


def test_calls_in_other_cells_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, "y = 1", "import torch\nprint(torch.softmax(x, 0))") == ""


def test_a_name_of_the_cell_hides_one_of_another_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        said(monkeypatch, "def weights(s):\n    return s + 1", "from scipy.special import softmax as s") == ""
    )


def test_a_cell_that_is_missing_or_no_python_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "its cell was not found" in said(monkeypatch, " \n")
    assert "not valid Python, line 2" in said(monkeypatch, "x = 1\ny = = 2")
    assert "not valid Python" in said(monkeypatch, "%%bash\nls -l | grep softmax")


@pytest.mark.parametrize(
    "text", ["x = " + "(" * 5000 + ")" * 5000, "x\0", "x = " + "-" * 20000 + "1", "a" + ".b" * 3000]
)
def test_strange_cells_do_not_crash_it(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert isinstance(said(monkeypatch, text), str)


def test_many_aliases_end_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"x{i} = x{j}.a{i}" for i in range(30) for j in range(30)]
    assert said(monkeypatch, "\n".join(lines)) == ""


def test_a_notebooks_history_gives_the_last_cell_that_defines_the_name() -> None:
    class History(check.Host):
        def cells(self) -> Sequence[str]:
            return ["def weights(x):\n    return 1", "%magic\nweights = lambda x: 2", "weights(3)", "x = ="]

    assert History().text_of("weights") == "%magic\nweights = lambda x: 2"
    assert History().text_of("missing") == ""
