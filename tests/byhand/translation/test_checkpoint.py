"""Translators as files: they come back whole, and what is wrong with one is said in a sentence."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from byhand import blocks, translation
from tests.translator import VOCABULARY, model, recipe

SIZES = recipe().sizes(len(VOCABULARY))


def metadata(**changes: Any) -> dict[str, str]:
    return {"arguments": json.dumps(SIZES), **VOCABULARY.metadata()} | changes


def test_a_translator_comes_back_from_its_file(tmp_path: Path) -> None:
    network = model(recipe()).eval()
    file = tmp_path / "w.safetensors"
    translation.write(file, network.state_dict(), SIZES, VOCABULARY, {"steps": "8"})
    found = translation.read(file)
    assert (found.arguments, found.facts) == (SIZES, {"steps": "8"})
    assert {part.dtype for part in found.state.values()} == {torch.float32}
    src = torch.tensor([[5, 6, 7]])
    back = found.model()
    assert not back.training
    assert torch.allclose(back(src, src), network(src, src), atol=0.05)


def test_the_weights_go_into_any_class_with_the_agreed_names(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    translation.write(file, model(recipe()).state_dict(), SIZES, VOCABULARY)

    class Mine(blocks.Transformer):
        pass

    assert type(translation.read(file).model(Mine)) is Mine


def test_other_sizes_are_refused_with_both_shapes(tmp_path: Path) -> None:
    found = translation.Checkpoint(SIZES | {"d_hidden": 48}, VOCABULARY, model(recipe()).state_dict())
    with pytest.raises(
        translation.WeightsError,
        match=r"feed_forward.up.weight is \(32, 16\) in the file, \(48, 16\) in the model",
    ):
        found.model()
    lacking = {name: part for name, part in found.state.items() if "encoder_norm" not in name}
    with pytest.raises(translation.WeightsError, match=r"the file lacks encoder_norm.weight and 1 more"):
        translation.Checkpoint(SIZES, VOCABULARY, lacking).model()


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "the file's metadata lack 'arguments'"),
        (metadata(arguments="[1]"), r"'arguments' is \[1\]; it must give vocab_size"),
        (metadata(arguments="{not json"), "is no translator"),
        (metadata(arguments=json.dumps(SIZES | {"d_model": "16"})), "d_model = '16', not a number"),
        (metadata(arguments=json.dumps(SIZES | {"run": "rm"})), "it must give vocab_size and others of"),
        (
            metadata(arguments=json.dumps(SIZES | {"vocab_size": 9})),
            r'"vocab_size" is 9, but .* make \d+ ids',
        ),
        (metadata(merges="7"), "have int as 'merges', not a list"),
    ],
)
def test_metadata_that_make_no_translator_are_named(
    tmp_path: Path, facts: dict[str, str], words: str
) -> None:
    file = tmp_path / "w.safetensors"
    save_file({"a": torch.ones(2)}, file, facts)
    with pytest.raises(translation.WeightsError, match=words):
        translation.read(file)


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(translation.WeightsError, match="not a whole safetensors file"):
        translation.read(file)


def test_a_missing_file_and_weights_of_nan_are_named(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    with pytest.raises(translation.WeightsError, match=r"there are no weights: .* does not exist"):
        translation.read(file)
    state = model(recipe()).state_dict()
    state["encoder_norm.bias"][3] = float("nan")
    translation.write(file, state, SIZES, VOCABULARY)
    with pytest.raises(translation.WeightsError, match=r"encoder_norm.bias holds numbers that are nan"):
        translation.read(file)


class Tied(nn.Module):
    """One parameter under two names, a buffer of its own that is stored, a number that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(3, 2), nn.Linear(2, 3, bias=False)
        self.out.weight = self.embedding.weight
        self.register_buffer("positions", torch.arange(4.0))
        self.fixed = nn.Parameter(torch.ones(1), requires_grad=False)


def test_buffers_frozen_numbers_and_second_names_are_free_when_weights_are_loaded() -> None:
    model, weight = Tied(), torch.ones(3, 2)
    for state in (
        {"embedding.weight": weight},
        {"embedding.weight": weight, "out.weight": weight, "positions": torch.zeros(9)},
    ):
        nn.init.zeros_(model.embedding.weight)
        translation.Checkpoint({}, VOCABULARY, state).into(model)
        assert torch.equal(model.out.weight, weight)
        assert torch.equal(model.get_buffer("positions"), torch.arange(4.0))


def test_a_name_that_the_model_lacks_is_said() -> None:
    state = {"embedding.weight": torch.ones(3, 2), "head.weight": torch.ones(1)}
    with pytest.raises(translation.WeightsError, match=r"the model has no head\.weight"):
        translation.Checkpoint({}, VOCABULARY, state).into(Tied())
