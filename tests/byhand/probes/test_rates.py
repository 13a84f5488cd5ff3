"""The checks of lesson 08's rates by layer, early stopping and forgetting tell right from wrong."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from byhand import check
from byhand.probes import rates as probe_rates
from byhand.probes.tuning import make_model


def by_layer(model, base_rate, decay, every=False, turned=False):
    layers = [list(model.parameters(recurse=False))]
    for child in model.children():
        for layer in child if isinstance(child, nn.ModuleList | nn.Sequential) else [child]:
            if list(layer.parameters()):
                layers.append(list(layer.parameters()))
    layers[:2] = [layers[0] + layers[1]]
    seen, groups = set(), []
    for number, layer in enumerate(layers):
        new = [part for part in layer if (every or part.requires_grad) and part not in seen]
        seen |= set(layer)
        power = number if turned else len(layers) - 1 - number
        if new:
            groups.append({"params": new, "lr": base_rate * decay**power})
    return groups


class Stopper:
    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience is {patience}")
        self.patience, self.min_delta, self.best, self.waited, self.over = (
            patience,
            min_delta,
            math.inf,
            0,
            False,
        )

    def update(self, loss):
        self.waited += 1
        if float(loss) < self.best - self.min_delta:
            self.best, self.waited = float(loss), 0
        self.over = self.over or math.isnan(float(loss)) or self.waited >= self.patience
        return self.over


class Forgetful(Stopper):
    def update(self, loss):
        self.over = False
        return super().update(loss)


class Drifting(Stopper):
    def update(self, loss):
        found = super().update(loss)
        self.best = min(self.best, float(loss))
        return found


def forgetting(before, after):
    if before.keys() != after.keys():
        raise ValueError(f"only on one side: {before.keys() ^ after.keys()}")
    return {name: before[name] - after[name] for name in before}


def test_one_step_moves_each_trained_parameter_by_its_rate():
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    model[0].bias.requires_grad_(False)
    before = [part.item() for part in model.parameters()]
    probe_rates.step_once(by_layer, model, 0.5, 0.5)
    moved = [old - part.item() for old, part in zip(before, model.parameters(), strict=True)]
    assert moved == pytest.approx([0.25, 0.0, 0.5, 0.5])


def test_right_answers_pass():
    probe_rates.rates(by_layer, make_model, probe_rates.step_once)
    probe_rates.stops(Stopper)
    probe_rates.forgets(forgetting)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda *given: by_layer(*given, turned=True), "the rates of"),
        (lambda *given: by_layer(*given, every=True), "frozen"),
        (lambda *given: by_layer(*given)[:-1], "the rates of"),
        (lambda *given: dict(enumerate(by_layer(*given))), "groups come as a list"),
        (lambda *given: [group | {"params": [torch.ones(1)]} for group in by_layer(*given)], "no parameter"),
    ],
)
def test_wrong_groups_are_told_what_is_wrong(wrong, said):
    with pytest.raises(check.CheckFailed, match=said):
        probe_rates.rates(wrong, make_model, probe_rates.step_once)


@pytest.mark.parametrize("wrong", [Forgetful, Drifting])
def test_a_wrong_stopper_is_caught(wrong):
    with pytest.raises(check.CheckFailed):
        probe_rates.stops(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda before, after: {name: max(0.0, loss) for name, loss in forgetting(before, after).items()},
        lambda before, after: dict(sorted(forgetting(before, after).items())),
        lambda before, after: {name: before[name] - after.get(name, 0.0) for name in before},
    ],
    ids=["no gains", "sorted", "names not compared"],
)
def test_a_wrong_forgetting_is_caught(wrong):
    with pytest.raises(check.CheckFailed):
        probe_rates.forgets(wrong)
