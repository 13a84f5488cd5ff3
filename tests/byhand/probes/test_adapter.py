"""Lesson 08's tuned translator is graded by the learner's functions, or the course's where those failed."""

from __future__ import annotations

import contextlib

import pytest
import torch

from byhand import check, data
from byhand.probes import adapter as probe_adapter
from byhand.translation import tuning

GOOD = {"menus BLEU": 20.0, "menus chrF": 20.0, "general BLEU": 20.0}
PARTS = {"up.lora_a": torch.zeros(1, 2), "up.lora_b": torch.zeros(2, 1)}
FACTS = tuning.metadata(1, 2.0, ["up"])


@pytest.fixture(autouse=True)
def marked(monkeypatch: pytest.MonkeyPatch):
    """What the model scores is what it "says": no translator is needed."""
    monkeypatch.setattr(tuning, "exam", lambda name, split: ())
    monkeypatch.setattr(tuning, "bars", lambda split: dict.fromkeys(tuning.MARKS, 10.0))
    monkeypatch.setattr(tuning, "marks_of", lambda decoder, split: decoder([]))
    monkeypatch.setattr(tuning, "adapted", lambda parts, facts: "the course's")
    monkeypatch.setattr(tuning, "marks", lambda model, split: GOOD)
    host = check.Host()
    host.text_of = lambda name: "def tune_translator(): ..."  # type: ignore[method-assign]
    monkeypatch.setattr(check, "host", host)
    return host


def graded(tune, parts=PARTS, facts=FACTS):
    probe_adapter.graded(tune, lambda model, rows: model, lambda file: (parts, facts), "test")


def test_marks_at_the_bars_pass():
    graded(lambda: dict.fromkeys(tuning.MARKS, 10.0))


def test_a_mark_below_its_bar_fails_with_both_numbers():
    with pytest.raises(check.CheckFailed, match=r"general BLEU is 9\.5, at least 10\.0"):
        graded(lambda: GOOD | {"general BLEU": 9.5})


def test_an_error_of_the_training_cell_is_raised_as_it_is():
    with pytest.raises(ZeroDivisionError):
        graded(lambda: 1 / 0)


def test_a_file_with_more_than_corrections_fails_before_anything_runs():
    with pytest.raises(check.CheckFailed, match=r"weights\.safetensors: it holds embedding"):
        graded(lambda: GOOD, parts=PARTS | {"embedding.weight": torch.zeros(1)})


@pytest.mark.parametrize("tune", [dict, lambda: 1 / 0, lambda: dict.fromkeys(tuning.MARKS, 0.0)])
def test_a_failed_earlier_exercise_does_not_cost_this_one(marked, tune):
    marked.record("inject_lora", False, "")
    graded(tune)


def test_who_has_not_written_the_training_gets_nothing_for_a_file(marked, monkeypatch):
    marked.record("inject_lora", False, "")
    text = "def tune_translator():\n    raise NotImplementedError('Not written yet')"
    monkeypatch.setattr(marked, "text_of", lambda name: text)
    with pytest.raises(ZeroDivisionError):
        graded(lambda: 1 / 0)


def test_without_the_texts_that_is_what_it_says(monkeypatch):
    def missing(name, split):
        raise data.DataError("the texts are not there. Next: `byhand data`.")

    monkeypatch.setattr(tuning, "exam", missing)
    with pytest.raises(data.DataError):
        graded(lambda: GOOD)


@pytest.mark.parametrize(("split", "passes"), [("valid", True), ("test", False)])
def test_while_hidden_checks_are_to_come_a_part_may_still_turn_out_mistaken(monkeypatch, split, passes):
    monkeypatch.setenv("BYHAND_GRADING", "1")
    with contextlib.nullcontext() if passes else pytest.raises(ZeroDivisionError):
        probe_adapter.graded(lambda: 1 / 0, lambda model, rows: model, lambda file: (PARTS, FACTS), split)
