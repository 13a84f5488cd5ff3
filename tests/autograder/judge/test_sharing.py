"""Tests share a process as long as no cell between them changes what they could see."""

from __future__ import annotations

import pytest

from autograder.author.lesson import Cell
from autograder.judge.sharing import kept_until
from tests.pair import check_of, code, judged, solution

TEST = "import numpy as np\nassert f(np.ones(1)) == 2\n"
ANSWER = "def f(x):\n    return 2 * helper(x)\n"


def until(*after: str) -> int:
    """Where the state of a test at place 2 must be kept, for cells of these texts after it."""
    cells = [
        code("import numpy as np\nfrom byhand import blocks"),
        solution("f", ANSWER),
        check_of("f", TEST),
    ]
    return kept_until([*cells, *(Cell("code", text) for text in after)])[2]


@pytest.mark.parametrize(
    "text",
    [
        "def g(x, axis=-1):\n    return x\n",
        "import numpy as np\nimport math\nfrom torch import nn",
        "from torch import nn\nclass G(nn.Module):\n    n = 3\n    def g(self, x: int | None): return x\n",
        "def g(x: np.ndarray, most=-np.inf) -> tuple[np.ndarray, float | None]: return x",
        "'''About g.'''\nLIMITS = (1, -2, [3])\n# and so on\n",
        "",
    ],
)
def test_a_cell_that_only_defines_new_names_changes_nothing(text: str) -> None:
    assert until(text) == 4


@pytest.mark.parametrize(
    "text",
    [
        "def f(x): return 3",
        "def helper(x): return x",  # the test would have met a NameError
        "import math as np",
        "np.exp = None",
        "print(f(1))",
        "x = f(1)",
        "x = [f(1)]",
        "x: int = f(1)",
        "def g(x=f(1)): return x",
        "@f\ndef g(x): return x",
        "class G(nn.Module, key=f): pass",
        "class G:\n    size = f(1)\n",
        "from math import *",
        "%matplotlib inline",
        "del f",
        "for i in range(3): pass",
        "if True:\n    def g(x): return x\n",
        "y = x = g = globals()",
        "a = (f := 3)",
        "class G:\n    pass\nclass H:\n    g = G\n",  # __set_name__
        "import mine_of_no_library",
        "from mine_of_no_library import y",
        "y = helper[0]",  # what a learner's class does when it is asked for an item, nobody knows
        "y = helper.t",
        "y = -helper",
        "y = {helper: 1}",
        "class G(helper): pass",
        "class G:\n    pass\nclass H(G):\n    pass\n",
        "def g(x: helper[0]): return x",
        "def broken(",
    ],
)
def test_any_other_cell_may_change_something(text: str) -> None:
    assert until(text) == 3


def test_a_test_after_a_change_questions_the_state_after_it() -> None:
    cells = (
        solution("f", "size = 1\ndef f(): return size"),
        check_of("f", "assert f() == 1\n"),
        code("size = 2"),
        solution("g", "def g(): return size"),
        check_of("g", "assert g() == 2\n"),
    )
    assert [verdict.points for verdict in judged(*cells).verdicts] == [1.0, 1.0]


def test_a_process_that_ends_in_a_hidden_check_costs_the_others_nothing() -> None:
    hidden = "assert {0}(1) == 1\n### BEGIN HIDDEN TESTS\nassert {0}(2) == 2\n### END HIDDEN TESTS\n"
    texts = {
        "a": "import os\ndef a(x):\n    return x if x == 1 else os._exit(0)",
        "b": "def b(x): return x",
        "c": "import os, threading, time\ndef c(x):\n    threading.Timer(0.05, os._exit, [0]).start()\n"
        "    return x",
        "d": "import time\ndef d(x):\n    time.sleep(0.2)\n    return x",
    }
    cells = [
        cell
        for name, text in texts.items()
        for cell in (solution(name, text), check_of(name, hidden.format(name)))
    ]
    result = {verdict.exercise: verdict for verdict in judged(*cells).verdicts}
    assert {name: verdict.points for name, verdict in result.items() if name != "c"} == {
        "a": 0,
        "b": 1,
        "d": 1,
    }
    assert result["a"].message == "a(int) ended the Python process."


def test_a_test_that_starts_again_shows_nothing_that_hidden_checks_could_have_left() -> None:
    spy = (
        "import os\ndef a(x):\n    if x == 1: return 1\n    open('seen', 'w').write(f'secret {x}')\n"
        "    os._exit(0)\n"
    )
    teller = "import os\ndef b(x):\n    if os.path.exists('seen'): raise ValueError(open('seen').read())\n"
    hidden = "{0}(1)\n### BEGIN HIDDEN TESTS\n{0}(31)\n### END HIDDEN TESTS\n"
    cells = (
        solution("a", spy),
        check_of("a", hidden.format("a")),
        solution("b", teller + "    return x\n"),
        check_of("b", hidden.format("b")),
    )
    message = judged(*cells).verdicts[1].message
    assert "ValueError" in message
    assert "31" not in message
