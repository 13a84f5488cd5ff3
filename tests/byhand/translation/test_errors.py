"""Translations sorted from best to worst."""

from __future__ import annotations

import pytest
import torch

from byhand import translation
from byhand.translation import errors
from tests.translator import PAIRS, VOCABULARY, model, recipe


def test_translations_come_from_best_to_worst_each_with_its_own_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = [chinese for _, chinese in PAIRS]
    monkeypatch.setattr(errors, "translate", lambda *_: [*wanted[:1], *("x" for _ in wanted[1:])])
    found = errors.judged(torch.nn.Identity(), VOCABULARY, PAIRS)
    assert found[0] == (pytest.approx(100.0), PAIRS[0][0], wanted[0], wanted[0])
    assert [one.points for one in found] == sorted((one.points for one in found), reverse=True)
    assert {one.english for one in found} == {english for english, _ in PAIRS}


def test_what_is_judged_is_what_the_model_translates() -> None:
    network = model(recipe())
    found = errors.judged(network, VOCABULARY, PAIRS)
    made = {one.english: one.made for one in found}
    english = [pair[0] for pair in PAIRS]
    assert [made[text] for text in english] == translation.translate(network, VOCABULARY, english)


def test_it_is_shown_in_three_lines(capsys: pytest.CaptureFixture[str]) -> None:
    errors.show([errors.Judged(12.34, "the light", "灯光", "灯")])
    assert capsys.readouterr().out == " 12.3  the light\n       it says  灯光\n       wanted   灯\n"
