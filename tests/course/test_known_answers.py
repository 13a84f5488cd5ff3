"""Every lesson's bank of known answers: wrong ones rejected with the promised words, right ones accepted.

By the author's trial all of them, and by the split grader a sample, each by the tests it can touch; by
the split grader and every test, all in the slow suite.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from autograder.author import bank, lesson, release, trial
from autograder.author.lesson import Cell
from autograder.author.needed import needed, touched
from autograder.judge import engine
from autograder.sandbox.worker import Limits, Worker
from autograder.verdict import Report

LESSONS = lesson.names()
ANSWERS = [(name, answer) for name in LESSONS for answer in bank.read(name)]
WRONG, RIGHT = 9, 4  # at least so many for each exercise


def _id(case: tuple[str, bank.Answer]) -> str:
    name, answer = case
    return f"{name}-{answer.exercise}-{answer.verdict}-{answer.name}"


def _sample() -> list[tuple[str, bank.Answer]]:
    """The first right and the first wrong answer of each exercise."""
    first: dict[tuple[str, str, str], tuple[str, bank.Answer]] = {}
    for name, answer in ANSWERS:
        first.setdefault((name, answer.exercise, answer.verdict), (name, answer))
    return list(first.values())


@pytest.fixture(scope="module")
def worker():
    with Worker() as made:
        yield made


def _split(worker: Worker, name: str, cells: list[Cell], places: list[int]) -> Report:
    return engine.grade(name, [cells[place] for place in places], _files(name), 1, Limits(), worker)


def _files(name: str) -> dict[str, bytes]:
    """The weights that the lesson's author hands in."""
    return {path.name: path.read_bytes() for path in lesson.weights(name)}


@pytest.mark.parametrize("name", LESSONS)
def test_every_exercise_has_enough_known_answers(name):
    read = lesson.read(name)
    asked = {cell.exercise for cell in read.of_kind("test")}
    counts = Counter((answer.exercise, answer.verdict) for answer in bank.read(name))
    few = {e for e in asked if counts[e, "wrong"] < WRONG or counts[e, "right"] < RIGHT}
    assert few == set()


@pytest.mark.parametrize("name", LESSONS)
def test_every_known_answer_does_what_its_bank_promises(name):
    trials = list(trial.run_bank(name))
    problems = {f"{one.answer.exercise}: {one.answer.name}": one.problem for one in trials if one.problem}
    assert problems == {}
    assert len(trials) == len(bank.read(name))


@pytest.mark.parametrize("name", LESSONS)
def test_the_solutions_earn_every_point(worker, name):
    read = lesson.read(name)
    report = _split(worker, name, read.cells, needed(read.cells))
    assert [verdict.message for verdict in report.verdicts if verdict.status != "passed"] == []
    assert report.points == sum(cell.points for cell in read.of_kind("test"))


@pytest.mark.parametrize("name", LESSONS)
def test_the_untouched_lesson_earns_nothing(worker, name):
    read = lesson.read(name)
    given = iter(release.learner_notebook(read).cells)
    cells = [replace(cell, source=node.source) if cell.kind == "solution" else cell
             for cell, node in zip(read.cells, given, strict=True)]  # fmt: skip
    report = _split(worker, name, cells, needed(cells))
    assert [verdict.test for verdict in report.verdicts if verdict.points] == []


@pytest.mark.parametrize("case", _sample(), ids=_id)
def test_the_split_grader_agrees_on_a_sample(worker, case):
    assert _problem(worker, *case, touched) == ""


@pytest.mark.slow
@pytest.mark.parametrize("case", ANSWERS, ids=_id)
def test_the_split_grader_agrees_on_every_known_answer(worker, case):
    assert _problem(worker, *case, lambda cells, _: needed(cells)) == ""


def _problem(worker: Worker, name: str, answer: bank.Answer, choose: Callable[..., list[int]]) -> str:
    read = lesson.read(name)
    cells = trial.with_answer(read, answer)
    report = _split(worker, name, cells, choose(cells, answer.exercise))
    return trial.judge_answer(read, answer, report)
