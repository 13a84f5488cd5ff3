"""How long a lesson takes: the stated formula, and what a trial of the lesson adds to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograder.author import lesson, minutes
from autograder.author.lesson import Cell, Lesson


def test_minutes_follow_the_stated_formula():
    task = "# %%\ndef f():\n    ### BEGIN SOLUTION\n    # why\n    x = 1\n    return x\n    ### END SOLUTION"
    assert minutes.of_cell(Cell("markdown", "word " * 90 + "**Predict first:**")) == pytest.approx(
        1 + 92 / 180
    )
    assert minutes.of_cell(Cell("solution", task)) == pytest.approx(1 / 20 + 2 * 1.5)
    assert minutes.of_cell(Cell("test", "assert f()")) == 0


def test_a_refusal_of_arguments_takes_no_minutes():
    refusal = "### BEGIN SOLUTION\nif x < 0:\n    raise ValueError(x)\n### END SOLUTION"
    assert minutes.of_cell(Cell("solution", refusal)) == 0


def test_an_exercise_begins_at_its_heading():
    lesson = Lesson(
        "x",
        (
            Cell("markdown", "word " * 900),
            Cell("markdown", "### Exercise 1 · `f` — 2 points, about 7 minutes\n" + "word " * 180),
            Cell("solution", "### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "f"),
            Cell("test", "", "test_f", 2.0),
        ),
    )
    assert minutes.of_exercises(lesson) == {"f": 7}
    assert minutes.stated(lesson) == {"f": 7}


@pytest.mark.parametrize("name", lesson.names())
def test_headings_and_first_cell_say_what_the_formula_says(name):
    read = lesson.read(name)
    estimated = minutes.of_exercises(read)
    assert minutes.stated(read) == {exercise: estimated[exercise] for exercise in minutes.stated(read)}
    assert set(minutes.stated(read)) == set(read.exercises)
    assert minutes.promised(read) == minutes.of_lesson(read)


def test_estimates_are_written_into_headings_and_first_cell_alone():
    source = "# # 1\n# About 9 minutes.\n\n# ### Exercise 1 · `f` — about 7 minutes\n"
    cells = (
        Cell("markdown", "# 1\nAbout 9 minutes."),
        Cell("markdown", "### Exercise 1 · `f` — about 7 minutes"),
        Cell("solution", "### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "f"),
        Cell("test", "", "test_f", 1.0),
    )
    wanted = source.replace("About 9", "About 10").replace("about 7", "about 6")
    assert minutes.written(lesson.Lesson("1", cells), source) == wanted


def test_what_a_trial_took_takes_the_place_of_the_guess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cells = (Cell("solution", "", "f"), Cell("test", "", "test_f", 1.0), Cell("written", "", "why", 2.0))
    monkeypatch.setattr(minutes, "SOLUTIONS", tmp_path)
    assert minutes.of_exercises(Lesson("1", cells)) == {"f": 4, "why": 0}  # two failed checks are the guess
    (tmp_path / "1").mkdir()
    took = {"exercises": {"f": {"attempts": 4, "hints": 0, "seconds": 90.0}}, "seconds": 600.0}
    (tmp_path / "1" / "tried.json").write_text(json.dumps(took), "utf-8")
    assert minutes.of_exercises(Lesson("1", cells)) == {"f": 8, "why": 0}  # 3 · 2 + 1.5, rounded up
    assert minutes.of_lesson(Lesson("1", cells)) == 20  # 7.5 and 10 more


@pytest.mark.parametrize("name", lesson.names())
def test_a_trial_names_exercises_that_the_lesson_has(name: str):
    assert set(minutes.tried(name)["exercises"]) <= set(lesson.read(name).exercises)
