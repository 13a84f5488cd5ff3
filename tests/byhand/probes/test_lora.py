"""The checks of lesson 08's LoRALinear and inject_lora tell right answers from wrong ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from byhand import check, lora
from byhand.probes import lora as probe_lora
from byhand.probes.tuning import make_model


class Unscaled(lora.LoRALinear):
    def forward(self, x):
        self.scale = 1.0
        return super().forward(x)


class Shared(lora.LoRALinear):
    def merge(self):
        merged = super().merge()
        merged.bias = self.base.bias
        return merged


class InPlace(lora.LoRALinear):
    def merge(self):
        with torch.no_grad():
            self.base.weight += self.scale * self.lora_b @ self.lora_a
        return self.base


class Thawed(lora.LoRALinear):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.base.requires_grad_(True)


class Cut(lora.LoRALinear):
    def forward(self, x):
        return self.base(x.detach()) + super().forward(x) - self.base(x)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Unscaled, "not scaled by alpha / rank"),
        (Shared, "shares memory|the names in"),
        (InPlace, "merging changed the layer"),
        (Thawed, "must be frozen"),
        (Cut, "the gradient of x"),
    ],
)
def test_a_wrong_layer_is_told_what_is_wrong(wrong, said):
    with pytest.raises(check.CheckFailed, match=said):
        probe_lora.corrects(wrong, make_model)


def last_only(model, targets, rank, alpha):
    return lora.inject_lora(model, targets, rank, alpha)[::-1]


def thawed(model, targets, rank, alpha):
    names = lora.inject_lora(model, targets, rank, alpha)
    model.requires_grad_(True)
    return names


def other_alpha(model, targets, rank, alpha):
    return lora.inject_lora(model, targets, rank, 2 * alpha)


def loose(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    return lora.inject_lora(model, [name for name in linears if name.endswith(tuple(targets))], rank, alpha)


def hasty(model, targets, rank, alpha):
    model.requires_grad_(False)
    return lora.inject_lora(model, targets, rank, alpha)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (last_only, "another order"),
        (thawed, "must be frozen"),
        (other_alpha, "the output after"),
        (loose, "neither equals a target nor ends with a dot"),
        (hasty, "look for every target first"),
    ],
)
def test_a_wrong_injection_is_told_what_is_wrong(wrong, said):
    with pytest.raises(check.CheckFailed, match=said):
        probe_lora.injects(wrong, make_model)
