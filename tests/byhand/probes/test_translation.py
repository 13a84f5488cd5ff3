"""The checks of lesson 07's first half tell right answers from wrong ones, and compare with what is right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from byhand import blocks, check, two_sides
from byhand.probes import (
    decoder as probe_decoder,
    loss as probe_loss,
    pieces as probe_pieces,
    translation as probe_translation,
)
from byhand.translation import pieces

THREE = ("q_proj", "k_proj", "v_proj")


def rng():
    return torch.Generator().manual_seed(3)


def as_torchs(parts, attentions):
    """The parameters of a block under the names of torch's layers."""
    homes = {"self_attn": attentions[0], "multihead_attn": attentions[-1]}
    homes = dict(list(homes.items())[: len(attentions)])
    found = {}
    for kind in ("weight", "bias"):
        for theirs, ours in homes.items():
            found[f"{theirs}.in_proj_{kind}"] = torch.cat([parts[f"{ours}.{one}.{kind}"] for one in THREE])
            found[f"{theirs}.out_proj.{kind}"] = parts[f"{ours}.out_proj.{kind}"]
        for number in range(1, len(attentions) + 2):
            found[f"norm{number}.{kind}"] = parts[f"norm{number}.{kind}"]
        found[f"linear1.{kind}"] = parts[f"feed_forward.up.{kind}"]
        found[f"linear2.{kind}"] = parts[f"feed_forward.down.{kind}"]
    return found


@pytest.mark.parametrize("attentions", [("attention",), probe_decoder.ATTENTIONS])
def test_the_slow_formulas_are_torchs_layers_in_value_and_gradient(attentions):
    decodes, draws = len(attentions) == 2, rng()
    make = nn.TransformerDecoderLayer if decodes else nn.TransformerEncoderLayer
    theirs = make(6, 3, 10, 0.0, "gelu", batch_first=True, norm_first=True, dtype=torch.float64)
    shapes = probe_decoder.block_shapes(6, 10, attentions)
    parts = {name: torch.randn(shape, generator=draws).double() for name, shape in shapes.items()}
    theirs.load_state_dict(as_torchs(parts, attentions))
    x, memory = (torch.randn(2, n, 6, generator=draws).double().requires_grad_() for n in (5, 4))
    own, other = torch.ones(5, 5).tril() > 0, torch.tensor([[True] * 4, [True, False, True, False]])
    if decodes:
        want = theirs(x, memory, ~own, memory_key_padding_mask=~other)
        got = probe_decoder.stepped(parts, 3, x, own, memory, other[:, None, None])
    else:
        want, got = theirs(x, ~own), probe_decoder.stepped(parts, 3, x, own)
    assert torch.allclose(got, want, atol=1e-10)
    leaves = [x, memory] if decodes else [x]
    slopes = [torch.autograd.grad(one.square().sum(), leaves) for one in (got, want)]
    assert all(torch.allclose(mine, other, atol=1e-8) for mine, other in zip(*slopes, strict=True))


def test_the_courses_own_block_and_transformer_pass():
    assert probe_decoder.small(blocks.DecoderBlock)
    probe_decoder.block(blocks.DecoderBlock, rng())
    probe_translation.seen(blocks.Transformer)
    probe_translation.transformer(blocks.Transformer)


class Blind(blocks.DecoderBlock):
    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return super().forward(x, memory, self_mask)


class Wet(blocks.DecoderBlock):
    def forward(self, *given, **masks):
        return self.dropout(super().forward(*given, **masks))


@pytest.mark.parametrize(("wrong", "said"), [(Blind, "memory_mask"), (Wet, "never on the stream")])
def test_a_block_without_a_mask_or_with_dropout_on_the_stream_is_noticed(wrong, said):
    with pytest.raises(check.CheckFailed, match=said):
        probe_decoder.block(wrong, rng())


class Late(blocks.Transformer):
    def decode(self, tgt, memory, src_mask):
        x = self.embed(tgt)
        for block in self.decoder:
            x = block(x, memory, None, src_mask[:, None, None])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)


class Shifted(blocks.Transformer):
    def forward(self, src, tgt):
        return super().forward(src, tgt.roll(1, 1))


class Loud(blocks.Transformer):
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        nn.init.normal_(self.embedding.weight)


class Two(blocks.Transformer):
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.head = nn.Linear(sizes[1], sizes[0], bias=False)


class Tied(blocks.Transformer):
    def __init__(self, *sizes, **options):
        super().__init__(*sizes, **options)
        self.head = nn.Linear(sizes[1], sizes[0], bias=False)
        self.head.weight = self.embedding.weight


WRONG = [(Late, "later one"), (Shifted, "nothing is shifted"), (Loud, "blind guess"), (Two, "One table")]


@pytest.mark.parametrize(("wrong", "said"), WRONG)
def test_a_wrong_transformer_is_noticed(wrong, said):
    with pytest.raises(check.CheckFailed, match=said):
        probe_translation.transformer(wrong)


def test_what_is_made_of_lent_parts_decides_only_while_grading(monkeypatch):
    def checks(make):
        check.true("make", make == "lent", "wrong")

    with pytest.raises(check.CheckFailed):
        probe_translation.fairly(checks, "own", "lent")
    monkeypatch.setattr(check, "host", type("Grader", (check.Host,), {"grading": True})())
    probe_translation.fairly(checks, "own", "lent")
    with pytest.raises(check.CheckFailed):
        probe_translation.fairly(checks, "own", "wrong, too")


def test_a_second_name_for_the_one_table_is_free():
    probe_translation.transformer(Tied)


def test_the_slow_merges_are_the_courses_fast_ones():
    words = probe_pieces.some_words(np.random.default_rng(0), "abc▁你", 30, 12)
    merges = probe_pieces.learned(words, 40)
    assert merges == pieces.learn(words, 40)
    for word in words:
        assert probe_pieces.applied(word, merges) == pieces.Merger(merges).apply(word)


def test_merges_that_are_right_pass_and_others_do_not():
    draws = np.random.default_rng(0)
    probe_pieces.learning(pieces.learn, draws)
    probe_pieces.applying(lambda word, merges: pieces.Merger(merges).apply(word), draws)
    with pytest.raises(check.CheckFailed, match="learn_bpe"):
        probe_pieces.learning(lambda counts, n: pieces.learn(dict.fromkeys(counts, 1), n), draws)
    with pytest.raises(check.CheckFailed, match="apply_bpe"):
        probe_pieces.applying(lambda word, merges: tuple(word), draws)


def loss(logits, targets, smoothing=0.1, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)}, logits {tuple(logits.shape)}")
    flat = logits.flatten(0, -2), targets.flatten()
    total = functional.cross_entropy(*flat, ignore_index=pad_id, label_smoothing=smoothing, reduction="sum")
    return total / (targets != pad_id).sum().clamp(min=1)


def test_the_loss_is_compared_with_torchs_and_nothing_but_padding_is_0():
    probe_loss.smoothed(loss, rng())
    fixed = lambda logits, targets, smoothing=0.1, pad_id=0: loss(logits, targets, 0.1, pad_id)  # noqa: E731
    torchs = lambda *given, smoothing=0.1, pad_id=0: probe_loss._torchs(*given, smoothing, pad_id)  # noqa: E731
    for wrong, said in [(fixed, "differ"), (torchs, "All is padding")]:
        with pytest.raises(check.CheckFailed, match=said):
            probe_loss.smoothed(wrong, rng())


def test_a_rate_without_a_warm_up_or_made_a_tensor_is_noticed():
    right = lambda n, E, w: E**-0.5 * min(n**-0.5, n * w**-1.5) if n else 0.0  # noqa: E731
    probe_loss.warming(right, np.random.default_rng(0))
    for wrong in (
        lambda n, E, w: (E * n) ** -0.5 if n else 0.0,
        lambda n, E, w: torch.tensor(right(n, E, w)),
    ):
        with pytest.raises(check.CheckFailed, match="warmup_rate"):
            probe_loss.warming(wrong, np.random.default_rng(0))


def test_the_picture_of_both_sides_has_words_for_who_cannot_see_it():
    assert "arrow leads from the memory" in two_sides.draw().figure.alt
