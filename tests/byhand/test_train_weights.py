"""What byhand.train writes and reads: files of weights, what is loaded while grading, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from byhand import _weights, train
from tests.training import FILE, fit, model, weights

pytestmark = pytest.mark.usefixtures("own_folder")


def test_files_are_safetensors_with_their_facts():
    fit(model(), 3, metadata={"sizes": json.dumps([3, 4])})
    with safe_open(FILE, framework="pt") as file:
        assert file.metadata()["sizes"] == "[3, 4]"
        assert file.metadata()["steps"] == "3"
    assert {path.suffix for path in Path().rglob("*") if path.is_file()} == {".safetensors"}


def test_only_what_is_asked_for_is_kept_and_loaded():
    network = model()
    fit(network, 3, keep=lambda name: name.startswith("2."))
    assert set(load_file(FILE)) == {"2.weight", "2.bias"}
    other = model(seed=5)
    train.load(other, FILE, keep=lambda name: name.startswith("2."))
    assert other.state_dict()["2.weight"].equal(network.state_dict()["2.weight"])


@pytest.fixture
def grading(monkeypatch: pytest.MonkeyPatch):
    return lambda: monkeypatch.setenv("BYHAND_GRADING", "1")


def test_while_grading_the_weights_are_loaded_and_nothing_is_trained(grading, capsys):
    trained = model()
    fit(trained, 5)
    grading()
    network, asked = model(seed=1), []
    fit(network, 9, batches=lambda step: asked.append(step))
    assert weights(network) == weights(trained)
    assert not asked
    assert not network.training
    assert "Nothing is trained while grading" in capsys.readouterr().out


def test_while_grading_missing_weights_are_said_and_nothing_is_trained(grading):
    grading()
    with pytest.raises(train.WeightsError, match=r"no weights: weights\.safetensors is not beside"):
        fit(model(), 5)
    assert not list(Path().iterdir())


def test_while_grading_an_experiment_is_passed_over(grading):
    grading()
    network = model()
    before = weights(network)
    fit(network, 5, file="experiment.safetensors", handed_in=False)
    assert weights(network) == before
    assert not list(Path().iterdir())


def test_an_experiments_weights_are_not_handed_in():
    fit(model(), 2, file="experiment.safetensors", handed_in=False)
    assert not list(Path().glob("*.safetensors"))
    assert fit(model(seed=2), 3, file="experiment.safetensors", handed_in=False).done == 3


def test_weights_in_half_precision_are_welcome():
    network = model()
    save_file({name: part.half() for name, part in network.state_dict().items()}, FILE)
    train.load(network, FILE)
    assert network.state_dict()["0.weight"].dtype == torch.float32


def spoiled(state: dict[str, torch.Tensor], how: str) -> dict[str, torch.Tensor]:
    if how == "lacks":
        return {name: part for name, part in state.items() if name != "0.bias"}
    if how == "extra":
        return state | {"new": torch.zeros(1)}
    if how == "shape":
        return state | {"0.weight": torch.zeros(4, 5)}
    return state | {how: torch.full_like(state[how], math.nan)}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("lacks", r"lacks 0\.bias"),
        ("extra", "the model has no new"),
        ("shape", r"0\.weight is \(4, 5\) in the file, \(4, 3\) in the model"),
        ("2.bias", r"2\.bias holds numbers that are nan"),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_words_and_not_loaded(how: str, words: str):
    network = model()
    before = weights(network)
    save_file(spoiled(network.state_dict(), how), FILE)
    with pytest.raises(train.WeightsError, match=words):
        train.load(network, FILE)
    assert weights(network) == before


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"\xff" * 5000, b"PK\x03\x04" + bytes(100)])
def test_a_file_that_is_none_is_refused_in_words(content: bytes):
    Path(FILE).write_bytes(content)
    with pytest.raises(train.WeightsError, match="is not a whole safetensors file"):
        train.read(FILE)


def test_tied_weights_are_written_and_read():
    network = nn.ModuleDict({"one": nn.Linear(3, 3), "two": nn.Linear(3, 3)})
    network["two"].weight = network["one"].weight
    _weights.write(Path(FILE), network.state_dict(), {})
    train.load(network, FILE)
    assert network["one"].weight is network["two"].weight
