"""byhand.reviews: weights handed in give the classifier back, whatever its encoder calls its parts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from byhand import blocks, reviews, train

OTHER_NAMES = {
    "as the course names them": {},
    "words, where, layers, final": {
        "encoder.embedding": "encoder.words",
        "encoder.positions": "encoder.where",
        "encoder.blocks": "encoder.layers",
        "encoder.norm.": "encoder.final.",
    },
    "a parameter of places": {"encoder.positions.weight": "encoder.places"},
    "blocks added one by one": {"encoder.blocks.": "encoder.block"},
}


def classifier(layers: int = 2) -> blocks.TextClassifier:
    encoder = blocks.TransformerEncoder(
        reviews.VOCABULARY_SIZE, 8, reviews.N_HEADS, 12, layers, reviews.MAX_LEN
    )
    return blocks.TextClassifier(encoder, 2).eval()


def renamed(model: torch.nn.Module, names: dict[str, str]) -> dict[str, Tensor]:
    state = dict(model.state_dict())
    for ours, theirs in names.items():
        state = {name.replace(ours, theirs): part for name, part in state.items()}
    return state


@pytest.mark.parametrize("names", OTHER_NAMES.values(), ids=OTHER_NAMES)
def test_weights_give_the_classifier_back_whatever_its_encoder_calls_its_parts(names: dict[str, str]) -> None:
    model, tokens = classifier(), torch.randint(1, 900, (3, 7))
    again = reviews.from_weights(lambda: renamed(model, names))
    assert again is not None
    assert torch.equal(again(tokens), model(tokens))


def test_the_eleventh_block_comes_after_the_tenth() -> None:
    model, tokens = classifier(layers=11), torch.randint(1, 900, (2, 5))
    again = reviews.from_weights(lambda: renamed(model, {"encoder.blocks.": "encoder.block"}))
    assert again is not None
    assert torch.equal(again(tokens), model(tokens))


def test_weights_of_another_model_or_none_give_nothing() -> None:
    def missing() -> dict[str, Tensor]:
        raise train.WeightsError("none")

    state = classifier().state_dict()
    two_tables = {**state, "encoder.other.weight": torch.zeros(reviews.MAX_LEN, 8)}
    lacking = {name: part for name, part in state.items() if name != "encoder.norm.bias"}
    for weights in (missing, lambda: two_tables, lambda: lacking, lambda: {"a": torch.zeros(2)}):
        assert reviews.from_weights(weights) is None
