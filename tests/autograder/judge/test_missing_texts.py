"""A grader without the texts that a test needs says so, and no learner loses a point by it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from autograder.author import lesson
from autograder.judge import engine
from autograder.judge.judges import Judges
from autograder.sandbox.worker import Limits, Worker
from byhand import reviews
from tests.pair import judged


@pytest.fixture
def no_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine as it is before `byhand data`."""
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    reviews.examples.cache_clear()
    reviews.encoded.cache_clear()


@pytest.mark.usefixtures("no_texts")
@pytest.mark.parametrize("answer", ["", "def train_sentiment(): return 1 / 0"])
def test_without_the_reviews_training_is_unchecked_and_the_sentence_names_the_command(answer: str) -> None:
    read = lesson.read("06_encoder")
    cells = [lesson.Cell("solution", answer, "train_sentiment")]
    cells += [cell for cell in read.of_kind("test") if cell.exercise == "train_sentiment"]
    (verdict,) = judged(*cells).verdicts
    assert (verdict.status, verdict.fault, verdict.points) == ("unchecked", "grader", 0.0)
    assert verdict.message.startswith(
        "train_sentiment could not be checked: on the grader's machine, the rev"
    )
    assert "Next: `byhand data reviews`" in verdict.message


def test_the_grader_looks_for_texts_in_the_folder_that_byhand_data_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path))
    look = f"import os\nassert f() == 1\nassert os.environ.get('BYHAND_DATA') == {str(tmp_path)!r}\n"
    cells = [lesson.Cell("solution", "def f(): return 1", "f"), lesson.Cell("test", look, "test_f", 1.0)]
    judges = Judges()  # the others' may be running already, with the folder of their own start
    monkeypatch.setattr(engine, "_judges", judges)
    with Worker() as worker, contextlib.closing(judges):
        report = engine.grade("90_tiny", cells, {}, 1, Limits(), worker)
    assert [verdict.status for verdict in report.verdicts] == ["passed"]


def test_texts_that_are_missing_only_after_an_answer_are_the_graders_fault_too() -> None:
    late = "from byhand.data import DataError\nf()\nraise DataError('no texts. Next: `byhand data x`.')\n"
    cells = lesson.Cell("solution", "def f(): return 1", "f"), lesson.Cell("test", late, "test_f", 1.0)
    (verdict,) = judged(*cells).verdicts
    assert (verdict.status, verdict.fault) == ("unchecked", "grader")
    assert verdict.message.endswith("no texts. Next: `byhand data x`.")
