"""What a token costs, what a device can do, and how a training shows it."""

from __future__ import annotations

import importlib

import pytest
import torch

from byhand.translation import speed
from byhand.translation.average import Average
from tests.translator import VOCABULARY, model, recipe

WATCH = importlib.import_module("byhand.translation.watch")


def test_operations_are_those_of_every_matrix_product_forward_and_twice_backward() -> None:
    wanted, n_source, n_target = recipe(), 7, 5
    e, hidden, ids = wanted.d_model, wanted.d_hidden, len(VOCABULARY)
    encoder = n_source * (4 * e * e + 2 * e * hidden) + 2 * n_source * n_source * e
    decoder = n_target * (6 * e * e + 2 * e * hidden + e * ids) + n_source * 2 * e * e
    decoder += 2 * n_target * n_target * e + 2 * n_target * n_source * e
    want = 3 * 2 * (encoder + decoder) / (n_source + n_target)
    texts = [([5] * n, [5] * (n - 1)) for n in (n_source - 2, n_source, n_source + 2)]
    assert speed.flops_per_token(model(wanted), texts) == pytest.approx(want)


@pytest.mark.parametrize(
    ("name", "flops"),
    [
        ("NVIDIA H200", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA H100 NVL", 835e12),
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("Tesla T4", 65e12),
    ],
)
def test_the_peak_of_a_known_gpu_is_what_its_maker_states(
    name: str, flops: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    found = speed.peak(torch.device("cuda", 0))
    assert found is not None
    assert found.flops == flops
    assert "stated for" in found.said


@pytest.mark.parametrize(
    "name",
    [
        "Something New", "NVIDIA RTX A4000", "NVIDIA T400 4GB", "NVIDIA RTX A1000", "NVIDIA GB200",
        "NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA GeForce RTX 3090 Ti",
        "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
    ],
)  # fmt: skip
def test_the_peak_of_an_unknown_gpu_is_not_guessed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert speed.peak(torch.device("cuda", 0)) is None


def test_the_peak_of_a_cpu_is_measured_and_says_so() -> None:
    found = speed.peak(torch.device("cpu"))
    assert found is not None
    assert found.flops > 1e8
    assert "measured by one matrix product" in found.said


def test_the_average_is_the_mean_of_all_steps_and_then_of_about_the_window() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    average = Average(layer, window=4)
    for step, value in enumerate((2.0, 4.0, 6.0, 8.0, 10.0), 1):
        layer.weight.data.fill_(value)
        average.update(step)
    mean_of_four = (2 + 4 + 6 + 8) / 4
    with average.inside():
        assert layer.weight.item() == pytest.approx(mean_of_four + (10 - mean_of_four) / 4)
    assert layer.weight.item() == 10
    average.settle()
    assert layer.weight.item() == pytest.approx(6.25)


def test_without_a_window_the_weights_are_the_models_own() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    average = Average(layer, window=0)
    average.update(1)
    before = layer.weight.item()
    with average.inside():
        assert layer.weight.item() == before
    average.settle()
    assert layer.weight.item() == before


def test_the_curves_show_the_loss_and_bleu_on_an_axis_of_its_own() -> None:
    figure = WATCH.curves([5.0, 4.0, 3.0, 2.0], [(2, 7.5), (4, 12.0)], "weights")
    left, right = figure.axes
    assert left.get_ylabel().startswith("loss")
    assert right.get_ylabel() == "validation BLEU (0 to 100)"
    assert right.lines[0].get_xydata().tolist() == [[2, 7.5], [4, 12.0]]
    assert len(WATCH.curves([5.0, 4.0], [], "weights").axes) == 1
