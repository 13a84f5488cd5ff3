"""Grading runs the cells that answers depend on, and leaves the lesson's pictures out."""

import pytest

from autograder.author import lesson
from autograder.author.lesson import Cell
from autograder.author.needed import LONGEST, needed, touched, used
from autograder.grading import job
from autograder.intake.triage import Rebuilt

SOLUTION = Cell("solution", "def f(x):\n    y = x * SCALE\n    return y\n", "f")
TEST = Cell("test", "import numpy as np\nwant = 3\nassert f(want) == helper()\n", "test_f", 1.0)


def _kept(source: str, *, first: bool = True, always: tuple[int, ...] = ()) -> bool:
    own = Cell("code", source)
    cells = [own, SOLUTION, TEST] if first else [SOLUTION, TEST, own]
    return cells.index(own) in needed(cells, always)


def test_a_cell_that_defines_what_a_solution_uses_is_needed():
    assert _kept("SCALE = 2")


def test_a_cell_that_defines_what_a_test_uses_is_needed():
    assert _kept("def helper():\n    return 6")


def test_a_cell_that_changes_what_is_used_is_needed():
    assert needed([Cell("code", "SCALE = []"), Cell("code", "SCALE.append(1)"), SOLUTION, TEST])[:2] == [0, 1]


def test_a_cell_that_a_needed_cell_uses_is_needed():
    assert needed([Cell("code", "base = 1"), Cell("code", "SCALE = base"), SOLUTION, TEST])[:2] == [0, 1]


def test_a_picture_is_not_needed():
    assert not _kept("shares = f(1)\nplot.bars(shares)", first=False)


def test_names_that_a_test_or_a_function_makes_itself_are_not_needed():
    assert not _kept("want = 5\ny = 7\nx = 8")


def test_a_cell_that_is_no_plain_python_is_kept():
    assert _kept("%matplotlib inline")
    assert _kept("nonlocal x")


def test_beside_an_answer_with_a_magic_every_cell_is_kept():
    magic = Cell("solution", "!ls\ndef f(x):\n    return x * SCALE\n", "f")
    assert needed([Cell("code", "SCALE = 2"), magic, TEST]) == [0, 1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "base += [1]", "del base", "class A:\n    base = base\n", "class A:\n    base += [1]\n",
        "class A:\n    if 0:\n        base = 0\n    b = base\n", "def g():\n    class A:\n        b = base\n",
        "for base in [base]: pass", "print(eval('base'))", "globals()['base']", "vars()['base']",
    ],
)  # fmt: skip
def test_a_cell_whose_names_an_answer_uses_in_unusual_ways_is_needed(text: str) -> None:
    answer = Cell("solution", f"def f(x):\n    return x\n{text}\n", "f")
    assert needed([Cell("code", "base = [2]"), answer]) == [0, 1]


def test_what_a_function_uses_of_a_later_cell_is_needed():
    cells = [Cell("code", "def helper():\n    return late"), Cell("code", "late = 3"), SOLUTION, TEST]
    assert needed(cells)[:2] == [0, 1]


def test_names_that_a_class_gives_itself_are_not_needed():
    text = (
        "class A:\n    size = 3\n    def again(self): ...\n    two, again = size * 2, again\n    del size\n"
    )
    assert needed([Cell("code", "size = again = 2"), Cell("solution", text, "A")]) == [1]


def test_beside_an_endless_cell_every_cell_is_kept_and_it_is_not_read():
    endless = Cell("code", "lambda:0\n" * (LONGEST // 8))
    assert needed([Cell("code", "unrelated = 1"), endless]) == [0, 1]
    with pytest.raises(SyntaxError, match="too long"):
        used(endless.source, tests=False)


def test_a_cell_that_must_run_is_kept():
    assert _kept("unrelated = 1", always=(0,))


def _sources(*cells: Cell, own: frozenset[int] = frozenset()) -> list[str]:
    read = lesson.Lesson("x", (Cell("code", "picture = 1"), SOLUTION, TEST))
    return [cell.source for cell in job._without_pictures(read, Rebuilt(cells, own=own)).cells]


def test_grading_empties_a_picture_and_keeps_its_place():
    assert _sources(Cell("code", "picture = 1"), SOLUTION, TEST)[0] == ""


def test_grading_runs_a_lesson_cell_that_the_learner_changed():
    assert _sources(Cell("code", "picture = 2"), SOLUTION, TEST)[0] == "picture = 2"


def test_grading_runs_every_cell_of_the_learners_own():
    cells = (Cell("code", "picture = 1"), SOLUTION, TEST)
    assert _sources(*cells, own=frozenset({0}))[0] == "picture = 1"


HELPER, UNRELATED = (
    Cell("code", "def helper():\n    return f(3)"),
    Cell("test", "assert g() == 1\n", "test_g", 1.0),
)
G = Cell("solution", "def g():\n    return 1\n", "g")


def test_an_answer_touches_its_own_test_and_no_other():
    assert touched([SOLUTION, TEST, G, UNRELATED], "g") == [2, 3]


def test_an_answer_touches_the_tests_that_use_it_by_way_of_another_cell():
    by_way = Cell("test", "assert helper() == 6\n", "test_h", 1.0)
    assert touched([Cell("code", "SCALE = 2"), SOLUTION, HELPER, by_way, G, UNRELATED], "f") == [0, 1, 2, 3]


def test_an_answer_that_does_more_than_define_touches_everything():
    meddling = Cell("solution", "def g():\n    return 1\nmath.pi = 3\n", "g")
    assert touched([SOLUTION, TEST, meddling, UNRELATED], "g") == [0, 1, 2, 3]
