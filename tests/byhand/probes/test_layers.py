"""The checks that lesson 06's small layers share tell right answers from wrong ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from byhand import blocks, check
from byhand.probes import layers as probe_layers


def follows(make):
    reference = lambda x, part, *sizes: x @ part["weight"].T + part["bias"]  # noqa: E731
    probe_layers.follows("Linear", make, reference, [((3, 2), (4, 3))])


class Positive(nn.Linear):
    def forward(self, x):
        return super().forward(x).relu()


class Changed(nn.Linear):
    def forward(self, x):
        x.detach().mul_(2)
        return super().forward(x)


class Cut(nn.Linear):
    def forward(self, x):
        return nn.functional.linear(x, self.weight, self.bias.detach())


def test_names_and_shapes_or_numbers_of_parameters_are_compared():
    probe_layers.has("Linear(2, 1)", nn.Linear(2, 1), {"weight": (1, 2), "bias": (1,)})
    probe_layers.has("LayerNorm(2)", nn.LayerNorm(2), {"weight": [1.0, 1.0], "bias": [0.0, 0.0]})
    with pytest.raises(check.CheckFailed, match=r"the parameters of Linear\(2, 1\)"):
        probe_layers.has("Linear(2, 1)", nn.Linear(2, 1, bias=False), {"weight": (1, 2), "bias": (1,)})
    with pytest.raises(check.CheckFailed, match="the parameters of LayerNorm"):
        probe_layers.has("LayerNorm(2)", nn.LayerNorm(2), {"weight": [0.0, 0.0], "bias": [0.0, 0.0]})


def test_a_layer_that_follows_its_reference_passes():
    follows(nn.Linear)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Positive, "entries differ"),
        (lambda *sizes: nn.Linear(*sizes).requires_grad_(False), "no gradient arrives at weight"),
        (Changed, "changes its input in place"),
        (Cut, "no gradient arrives at bias"),
    ],
)
def test_a_layer_that_does_not_is_noticed(wrong, said):
    with pytest.raises(check.CheckFailed, match=said):
        follows(wrong)


def test_random_parameters_are_the_layers_own_afterwards():
    layer = nn.Linear(3, 2)
    drawn = probe_layers.redrawn(layer, torch.Generator().manual_seed(0))
    assert all(torch.equal(part, drawn[name]) for name, part in layer.named_parameters())


HEADS = [("TextClassifier", blocks.TextClassifier, True), ("TokenTagger", blocks.TokenTagger, False)]


@pytest.mark.parametrize(("name", "make", "pools"), HEADS)
def test_the_courses_own_heads_pass(name, make, pools):
    probe_layers.head(name, make, pools)
    assert probe_layers.small_head(make, 7.0).encoder.pad_id == 0


class Pooled(blocks.TextClassifier):
    def forward(self, tokens):
        return self.head(self.encoder(tokens).mean(dim=1))


class Cold(blocks.TextClassifier):
    def forward(self, tokens):
        rows = self.encoder(tokens).detach()
        return self.head(blocks.mean_pool(rows, tokens != self.encoder.pad_id))


@pytest.mark.parametrize(("wrong", "said"), [(Pooled, "differ"), (Cold, "reaches the encoder")])
def test_a_head_that_counts_padding_or_cuts_the_gradient_is_noticed(wrong, said):
    with pytest.raises(check.CheckFailed, match=said):
        probe_layers.head("TextClassifier", wrong, pools=True)


def test_a_copied_encoder_is_noticed():
    copied = lambda encoder, n: blocks.TextClassifier(  # noqa: E731
        probe_layers.KnownEncoder(encoder.table.detach(), 0), n
    )
    with pytest.raises(check.CheckFailed, match="keep that one"):
        probe_layers.small_head(copied, 7.0)
