"""No line of a solution or hidden test reaches a learner's notebook: the leak check can fail, and does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from nbgrader import preprocessors

from autograder.author import lesson, release
from tests.places import TINY

NAME = "90_tiny"


def with_change(tmp_path: Path, old: str, new: str) -> lesson.Lesson:
    shutil.copytree(TINY / NAME, tmp_path / NAME)
    source = tmp_path / NAME / f"{NAME}.py"
    text = source.read_text(encoding="utf-8")
    assert old in text
    source.write_text(text.replace(old, new), encoding="utf-8")
    return lesson.read(NAME, tmp_path)


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


def test_a_solution_line_quoted_in_the_text_is_refused_by_name(tmp_path: Path) -> None:
    quoted = "one score per key: `return SCALE * products.sum(axis=-1)`"
    source = with_change(tmp_path, "one score per key, times `SCALE`", quoted)
    with pytest.raises(lesson.LessonError, match="cell dot: the line 'return SCALE"):
        release.learner_notebook(source)


def test_a_hidden_test_line_quoted_in_the_text_is_refused_by_name(tmp_path: Path) -> None:
    line = "secret_scores = check.rng().uniform(1.0, 2.0, size=6)"
    source = with_change(tmp_path, "**Write** `share(scores)`", f"`{line}` **Write** `share(scores)`")
    with pytest.raises(lesson.LessonError, match="cell test_share"):
        release.learner_notebook(source)


def test_a_misspelt_marker_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(lesson.LessonError, match="BEGIN HIDDEN TEST' looks like a marker"):
        with_change(tmp_path, "### BEGIN HIDDEN TESTS", "### BEGIN HIDDEN TEST")
