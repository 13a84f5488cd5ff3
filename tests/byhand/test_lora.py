"""LoRA as later lessons take it: the lesson's own checks pass, and peft, where installed, gives the same."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from byhand import blocks, lora
from byhand.probes import lora as probe_lora
from byhand.probes.tuning import make_model

TARGETS = ["q_proj", "v_proj", "feed_forward.up"]


def test_the_layer_has_every_property_that_the_lesson_asks():
    probe_lora.corrects(lora.LoRALinear, make_model)


def test_putting_it_into_a_model_does_all_that_the_lesson_asks():
    probe_lora.injects(lora.inject_lora, make_model)


def test_only_the_two_thin_matrices_count_as_trained():
    assert lora.trained("encoder.0.up.lora_a")
    assert lora.trained("encoder.0.up.lora_b")
    assert not lora.trained("encoder.0.up.base.weight")


def _drawn(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, part in model.named_parameters():
            if lora.trained(name):
                part.copy_(torch.randn(part.shape, generator=generator))
    return model


def test_peft_gives_the_same_outputs_gradients_and_number_of_parameters():
    peft = pytest.importorskip("peft")
    plain = blocks.TransformerEncoder(11, 8, 2, 12, 2, 6).eval()
    ours = copy.deepcopy(plain)
    names = lora.inject_lora(ours, TARGETS, 3, 6.0)
    _drawn(ours)
    config = peft.LoraConfig(r=3, lora_alpha=6.0, target_modules=TARGETS, lora_dropout=0.0, bias="none")
    theirs = peft.get_peft_model(copy.deepcopy(plain), config).eval()
    state = dict(ours.named_parameters())
    parts = {
        f"base_model.model.{name}.lora_{which}.default.weight": state[f"{name}.lora_{which.lower()}"]
        for name in names
        for which in ("A", "B")
    }
    missing = theirs.load_state_dict(parts, strict=False)
    assert missing.unexpected_keys == []
    tokens = torch.randint(1, 11, (3, 5), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(tokens), theirs(tokens))
    ours(tokens).square().sum().backward()
    theirs(tokens).square().sum().backward()
    got = dict(theirs.named_parameters())
    trained = [name for name, part in got.items() if part.requires_grad]
    assert sorted(trained) == sorted(parts)
    for name in names:
        for which in ("A", "B"):
            other = got[f"base_model.model.{name}.lora_{which}.default.weight"].grad
            torch.testing.assert_close(state[f"{name}.lora_{which.lower()}"].grad, other)
