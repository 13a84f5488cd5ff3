"""What checks are told of a submission whose cells are all at hand."""

from __future__ import annotations

from autograder.author.lesson import Cell
from autograder.author.submitted import SubmittedHost
from tests.pair import check_of, code, solution

AFTER = code("f = print")
CELLS = (code("import math"), solution("f", "def f(): ..."), AFTER, Cell("markdown", "f"),
         check_of("f", "f()"), code("f = None"))  # fmt: skip


def test_what_stands_between_an_answer_and_its_test_may_define_it_anew() -> None:
    assert SubmittedHost(CELLS, 1).later("f") == [AFTER.source]


def test_an_exercise_that_is_not_there_has_nothing_after_it_and_no_text() -> None:
    host = SubmittedHost(CELLS, 1)
    assert host.later("g") == []
    assert host.text_of("g") == ""


def test_the_learners_code_is_that_of_all_code_cells_without_the_tests() -> None:
    host = SubmittedHost(CELLS, 7)
    assert list(host.cells()) == ["import math", "def f(): ...", "f = print", "f = None"]
    assert (list(host.exercises()), host.rng_seed()) == (["f"], 7)
