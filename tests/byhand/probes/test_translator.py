"""What lesson 07 asks of weights handed in: a toy translator that looks words up shows what passes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from byhand import blocks, check, translation
from byhand.checking.host import Host
from byhand.data import Pair
from byhand.probes import translator as probe_translator
from tests.translator import PAIRS, VOCABULARY, recipe

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


class Untrained(blocks.Transformer):
    right = False


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


class Echo(Toy):
    """As a training without the shift leaves it: sure that each id comes once more."""

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        return 20 * self.one * functional.one_hot(tgt, len(VOCABULARY))


def test_one_that_repeats_what_it_reads_is_told_of_the_shift_and_how_to_begin_anew() -> None:
    with pytest.raises(check.CheckFailed, match=r"repeats each id that it reads[^$]*train\.forget\(\)"):
        trained(Echo(right=False))


def test_an_untrained_one_is_not_told_that_it_repeats() -> None:
    sizes = recipe().sizes(len(VOCABULARY))
    with pytest.raises(check.CheckFailed, match=r"does the loss still fall\?[^$]*train\.forget\(\)"):
        trained(Untrained(**sizes))


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


@pytest.mark.parametrize("noise", [0.0, 1e-4])
def test_the_shipped_translator_is_nobodys_own_even_a_little_disguised(
    monkeypatch: pytest.MonkeyPatch, noise: float
) -> None:
    base = translation.base()
    english = ["Open the file", "She is a teacher", "Failed to connect to the device", "Turn off the lights"]
    chinese = translation.translate(base.model(), base.vocabulary, english)
    monkeypatch.setattr(
        translation, "exam", lambda split, n=4: [Pair(*two) for two in zip(english, chinese, strict=True)]
    )
    copy = base.model()
    with torch.no_grad():
        for part in copy.parameters():
            part += noise * torch.randn(part.shape, generator=torch.Generator().manual_seed(0))
    with pytest.raises(check.CheckFailed, match=r"100% of the translations are the shipped translator's"):
        probe_translator.trained(lambda: copy, translation.base, translation.greedy, "test", 36.0, True)


def test_what_goes_wrong_in_the_learners_code_is_raised_as_it_is() -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("head")

    with pytest.raises(KeyError, match="head"):
        trained(Toy(), decode=broken)
