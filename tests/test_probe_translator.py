"""What lesson 07 asks of weights handed in: a toy translator that looks words up shows what passes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from byhand import check, probe_translator, translation
from byhand._host import Host
from byhand.data import Pair
from tests.translator import PAIRS, VOCABULARY

TEXTS = [Pair(*pair) for pair in PAIRS[:40]]
MEANT = dict(PAIRS)


class Toy(nn.Module):
    """Translates by heart, as long as its one number is not 0."""

    def __init__(self, right: bool = True) -> None:
        super().__init__()
        self.one, self.right = nn.Parameter(torch.ones(1)), right


def greedy(model: Any, rows: list[list[int]], max_len: int) -> list[list[int]]:
    knows = model.right and bool(model.one.detach().abs() > 0)
    return [VOCABULARY.encode(MEANT[VOCABULARY.decode(row)] if knows else "x")[:max_len] for row in rows]


class File:
    vocabulary, arguments = VOCABULARY, {"max_len": 40}

    def model(self) -> nn.Module:
        raise ValueError("no weights for the course's classes")


@pytest.fixture(autouse=True)
def _texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "exam", lambda split, n=40: TEXTS[:n])
    monkeypatch.setattr(check, "host", Host())


def trained(model: Any, bar: float = 50.0, **more: Any) -> None:
    probe_translator.trained(lambda: model, File, more.pop("decode", greedy), "test", bar, **more)


def test_a_translator_above_the_bar_passes_if_its_weights_matter() -> None:
    trained(Toy(), strict=True)


def test_one_below_the_bar_reads_both_numbers() -> None:
    with pytest.raises(
        check.CheckFailed, match=r"BLEU on test's 40 sentences is 0\.0, at least 50\.0 is asked"
    ):
        trained(Toy(right=False))


def test_the_hopeless_are_not_asked_for_every_sentence() -> None:
    asked: list[int] = []

    def counted(model: Any, rows: list[list[int]], max_len: int) -> list[list[int]]:
        asked.append(len(rows))
        return greedy(model, rows, max_len)

    with pytest.raises(check.CheckFailed):
        trained(Toy(right=False), decode=counted)
    assert sum(asked) == probe_translator.FEW


def test_a_forgotten_return_is_named() -> None:
    with pytest.raises(check.CheckFailed, match=r"returned None\. Is a `return` missing"):
        trained(None)


def test_translations_that_need_no_weights_are_refused() -> None:
    by_heart = Toy()
    by_heart.load_state_dict = lambda *_, **__: None  # type: ignore[method-assign]
    with pytest.raises(check.CheckFailed, match="without weights; they must be learned"):
        trained(by_heart, strict=True)


def test_what_goes_wrong_in_the_learners_code_is_raised_as_it_is() -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("head")

    with pytest.raises(KeyError, match="head"):
        trained(Toy(), decode=broken)
