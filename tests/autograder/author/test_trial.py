"""The bank's proof: right answers earn all, wrong ones lose their exercise and read the promised words."""

import numpy as np
import pytest

from autograder.author import bank, trial
from autograder.author.lesson import read
from byhand import check
from tests.places import TINY


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    """A trial in this process changes these; put them back."""
    monkeypatch.setattr(check, "host", check.host)
    monkeypatch.setattr(np, "sum", np.sum)


def _tried(source: str, exercise: str = "dot", verdict: str = "wrong", reads: tuple[str, ...] = ()) -> str:
    lesson = read("90_tiny", TINY)
    answer = bank.Answer(verdict, exercise, "made up", source, reads)  # type: ignore[arg-type]
    return trial._try((lesson, answer, 1)).problem


def test_every_known_answer_of_the_tiny_lesson_behaves_as_its_bank_says():
    trials = list(trial.run_bank("90_tiny", solutions=TINY))
    assert len(trials) == 10
    assert [one.problem for one in trials] == [""] * 10


def test_a_wrong_answer_that_is_accepted_is_a_problem():
    assert _tried("def dot(query, keys):\n    return SCALE * (keys @ query)\n") == "was accepted"


def test_a_right_answer_that_loses_points_is_a_problem():
    problem = _tried("def dot(query, keys):\n    return keys @ query\n", verdict="right")
    assert problem == "lost points in dot"


def test_words_that_are_not_read_are_a_problem():
    problem = _tried("def dot(query, keys):\n    return keys @ query\n", reads=("the moon",))
    assert problem == "does not read 'the moon'"


def test_a_wrong_answer_that_costs_another_exercise_is_a_problem():
    source = "def dot(query, keys):\n    return keys @ query\nnp.sum = lambda scores: 7.0\n"
    assert "share" in _tried(source)


def test_a_cell_that_does_not_compile_says_so_to_its_learner():
    assert _tried("def dot(query, keys:\n    return 1\n", reads=("SyntaxError",)) == ""


@pytest.mark.parametrize(
    ("limit", "idles", "reads"),
    [
        ("RUN_SECONDS", "while True: pass", "longer than 0.3 s of processor time"),
        ("WAIT_SECONDS", "__import__('time').sleep(60)", "longer than 0.3 s"),
    ],
)
def test_an_answer_that_does_not_end_is_stopped(limit, idles, reads, monkeypatch):
    monkeypatch.setattr(trial, limit, 0.3)
    assert _tried(f"def dot(query, keys):\n    {idles}\n", reads=(reads,)) == ""


def test_waiting_is_no_processor_time(monkeypatch):
    monkeypatch.setattr(trial, "RUN_SECONDS", 0.3)
    sleeps = "    __import__('time').sleep(0.4)\n"
    assert _tried(f"def dot(query, keys):\n{sleeps}    return SCALE * (keys @ query)\n") == "was accepted"
