"""blocks' encoder: equal to torch's layer, blind to padding, with the heads that lesson 06 puts on it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from byhand import blocks


def torchs_block(ours: nn.Module, theirs: nn.TransformerEncoderLayer) -> None:
    """Give torch's layer the parameters of ours."""
    part = dict(ours.named_parameters())
    names = ("q_proj", "k_proj", "v_proj")
    state = {
        f"self_attn.in_proj_{kind}": torch.cat([part[f"attention.{name}.{kind}"] for name in names])
        for kind in ("weight", "bias")
    }
    homes = {"self_attn.out_proj": "attention.out_proj", "norm1": "norm1", "norm2": "norm2"}
    homes |= {"linear1": "feed_forward.up", "linear2": "feed_forward.down"}
    state |= {f"{a}.{kind}": part[f"{b}.{kind}"] for a, b in homes.items() for kind in ("weight", "bias")}
    theirs.load_state_dict(state)


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_encoder_block_equals_torchs_in_value_and_gradient(norm_first: bool) -> None:
    torch.manual_seed(0)
    ours = blocks.EncoderBlock(8, 2, 12, norm_first=norm_first, eps=1e-3).double()
    theirs = nn.TransformerEncoderLayer(
        8, 2, 12, 0.0, "gelu", 1e-3, batch_first=True, norm_first=norm_first, dtype=torch.float64
    )
    for parameter in ours.parameters():
        parameter.data = torch.randn_like(parameter)
    torchs_block(ours, theirs)
    x = torch.randn(2, 5, 8, dtype=torch.float64, requires_grad=True)
    real = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    got, want = ours(x, real[:, None, None]), theirs(x, src_key_padding_mask=~real)
    assert torch.allclose(got, want)
    slopes = [torch.autograd.grad(result.square().sum(), x)[0] for result in (got, want)]
    assert torch.allclose(*slopes)


def test_dropout_of_the_block_leaves_the_stream_alone() -> None:
    block = blocks.EncoderBlock(8, 2, 12, dropout=1.0)
    x = torch.randn(2, 5, 8)
    assert torch.equal(block(x), x)


def test_the_encoder_does_not_see_padding_and_keeps_the_columns() -> None:
    encoder = blocks.TransformerEncoder(11, 8, 2, 12, 2, max_len=6, pad_id=3).eval()
    tokens = torch.tensor([[5, 1, 3, 3, 3, 3], [3, 3, 3, 3, 3, 3]])
    out = encoder(tokens)
    assert out.shape == (2, 6, 8)
    assert torch.allclose(out[:1, :2], encoder(tokens[:1, :2]), atol=1e-6)
    assert bool(out.isfinite().all())
    with pytest.raises(ValueError, match="tokens has 7 columns, max_len is 6"):
        encoder(torch.ones(1, 7, dtype=torch.long))


def test_mean_pool_counts_real_tokens_only() -> None:
    x = torch.tensor([[[1.0], [5.0], [3.0]], [[7.0], [8.0], [9.0]]])
    mask = torch.tensor([[True, False, True], [False] * 3])
    assert blocks.mean_pool(x, mask).tolist() == [[2.0], [0.0]]
    with pytest.raises(ValueError, match=r"mask \(2, 2\) does not fit x \(2, 3, 1\)"):
        blocks.mean_pool(x, mask[:, :2])


def test_classifier_and_tagger_put_a_layer_on_the_encoder_they_are_given() -> None:
    encoder = blocks.TransformerEncoder(11, 8, 2, 12, 1, max_len=6).eval()
    classifier, tagger = blocks.TextClassifier(encoder, 3), blocks.TokenTagger(encoder, 4)
    assert classifier.encoder is encoder
    tokens = torch.tensor([[5, 1, 0], [2, 0, 0]])
    assert torch.equal(tagger(tokens), tagger.head(encoder(tokens)))
    assert torch.allclose(classifier(tokens)[1], classifier.head(encoder(tokens)[1, 0]), atol=1e-6)
