"""No line of a solution or hidden test reaches a learner's notebook: the leak check can fail, and does."""

from __future__ import annotations

import pytest
from nbgrader import preprocessors

from autograder.author import lesson, release
from tests.autograder.author.conftest import Changed
from tests.places import TINY

NAME = "90_tiny"


@pytest.mark.parametrize("name", [*lesson.names(), NAME])
def test_no_solution_or_hidden_test_is_in_the_lesson(name: str) -> None:
    source = lesson.read(name, TINY if name == NAME else lesson.SOLUTIONS)
    shown = release.to_bytes(release.learner_notebook(source)).decode()
    assert "BEGIN SOLUTION" not in shown
    assert "HIDDEN TESTS" not in shown


@pytest.mark.parametrize("step", [preprocessors.ClearSolutions, preprocessors.ClearHiddenTests])
def test_a_clearing_step_left_out_is_noticed(step: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "STEPS", tuple(kept for kept in release.STEPS if kept is not step))
    with pytest.raises(lesson.LessonError, match="still in the learner's notebook"):
        release.learner_notebook(lesson.read(NAME, TINY))


def test_a_solution_line_quoted_in_the_text_is_refused_by_name(changed: Changed) -> None:
    quoted = "one score per key: `return SCALE * products.sum(axis=-1)`"
    source = changed("one score per key, times `SCALE`", quoted)
    with pytest.raises(lesson.LessonError, match="cell dot: the line 'return SCALE"):
        release.learner_notebook(source)


def test_a_hidden_test_line_quoted_in_the_text_is_refused_by_name(changed: Changed) -> None:
    line = "secret_scores = check.rng().uniform(1.0, 2.0, size=6)"
    source = changed("**Write** `share(scores)`", f"`{line}` **Write** `share(scores)`")
    with pytest.raises(lesson.LessonError, match="cell test_share"):
        release.learner_notebook(source)


def test_a_misspelt_marker_is_refused_by_name(changed: Changed) -> None:
    with pytest.raises(lesson.LessonError, match="BEGIN HIDDEN TEST' looks like a marker"):
        changed("### BEGIN HIDDEN TESTS", "### BEGIN HIDDEN TEST")
