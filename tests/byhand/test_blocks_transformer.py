"""blocks' encoder-decoder: equal to torch's layers, blind to padding and to the future."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from byhand import blocks


def torchs_decoder(ours: nn.Module, theirs: nn.TransformerDecoderLayer) -> None:
    """Give torch's layer the parameters of ours."""
    part = dict(ours.named_parameters())
    state = {
        f"{b}.in_proj_{kind}": torch.cat([part[f"{a}.{name}_proj.{kind}"] for name in "qkv"])
        for a, b in (("self_attention", "self_attn"), ("cross_attention", "multihead_attn"))
        for kind in ("weight", "bias")
    }
    homes = {
        "self_attention.out_proj": "self_attn.out_proj",
        "cross_attention.out_proj": "multihead_attn.out_proj",
    }
    homes |= {"feed_forward.up": "linear1", "feed_forward.down": "linear2"}
    homes |= {name: name for name in ("norm1", "norm2", "norm3")}
    state |= {f"{b}.{kind}": part[f"{a}.{kind}"] for a, b in homes.items() for kind in ("weight", "bias")}
    theirs.load_state_dict(state)


def small(**sizes: int) -> nn.Module:
    torch.manual_seed(0)
    wanted = {
        "vocab_size": 11,
        "d_model": 8,
        "n_heads": 2,
        "d_hidden": 12,
        "n_layers": 2,
        "max_len": 9,
    } | sizes
    return blocks.Transformer(**wanted).eval()


def test_the_decoder_block_equals_torchs_in_value_and_gradient() -> None:
    torch.manual_seed(0)
    ours = blocks.DecoderBlock(8, 2, 12).double()
    theirs = nn.TransformerDecoderLayer(
        8, 2, 12, 0.0, "gelu", batch_first=True, norm_first=True, dtype=torch.float64
    )
    for parameter in ours.parameters():
        parameter.data = torch.randn_like(parameter)
    torchs_decoder(ours, theirs)
    x, memory = (torch.randn(2, n, 8, dtype=torch.float64, requires_grad=True) for n in (4, 5))
    causal, real = blocks.causal_mask(4, 4), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    got = ours(x, memory, causal, real[:, None, None])
    want = theirs(x, memory, tgt_mask=~causal, memory_key_padding_mask=~real)
    assert torch.allclose(got, want)
    ours_slopes, theirs_slopes = (torch.autograd.grad(out.square().sum(), (x, memory)) for out in (got, want))
    for mine, right in zip(ours_slopes, theirs_slopes, strict=True):
        assert torch.allclose(mine, right)


def test_dropout_of_the_decoder_block_leaves_the_stream_alone() -> None:
    x = torch.randn(2, 5, 8)
    assert torch.equal(blocks.DecoderBlock(8, 2, 12, dropout=1.0)(x, torch.randn(2, 3, 8)), x)


def test_the_parts_of_the_model_have_the_agreed_names() -> None:
    model = small()
    assert [name for name, _ in model.named_children()][:1] == ["embedding"]
    names = set(model.state_dict())
    wanted = {"encoder.1.attention.q_proj.weight", "decoder.1.cross_attention.out_proj.bias"}
    wanted |= {"decoder.0.norm3.weight", "decoder.0.self_attention.v_proj.weight", "encoder_norm.weight"}
    assert wanted <= names
    assert {"decoder_norm.bias", "encoder.0.feed_forward.up.weight"} <= names
    assert sum(tuple(part.shape) == (11, 8) for part in model.parameters()) == 1


@pytest.mark.parametrize("d_model", [32, 512])
@torch.no_grad()
def test_the_first_loss_is_near_that_of_a_guess(d_model: int) -> None:
    model = small(vocab_size=1000, d_model=d_model)
    src, tgt = torch.randint(4, 1000, (8, 9)), torch.randint(4, 1000, (8, 9))
    loss = functional.cross_entropy(model(src, tgt).flatten(0, 1), torch.randint(4, 1000, (72,)))
    assert float(loss) < math.log(1000) + 1
    copied = functional.cross_entropy(model(src, tgt).flatten(0, 1), tgt.flatten())
    assert float(copied) > 1  # the token just read is not taken for the next one


def test_the_model_does_not_see_padding_or_later_tokens() -> None:
    model = small()
    src, tgt = torch.tensor([[5, 6, 7, 0, 0], [5, 4, 3, 8, 9]]), torch.tensor([[1, 5, 6], [1, 7, 8]])
    out = model(src, tgt)
    assert torch.allclose(out[:1], model(src[:1, :3], tgt[:1]), atol=1e-5)
    changed = model(src, torch.cat([tgt[:, :2], tgt[:, 2:] + 1], dim=1))
    assert torch.allclose(changed[:, :2], out[:, :2], atol=1e-6)
    assert not torch.allclose(changed[:, 2], out[:, 2], atol=1e-3)


def test_a_source_of_padding_gives_finite_logits_and_gradients() -> None:
    model = small()
    out = model(torch.zeros(1, 4, dtype=torch.long), torch.tensor([[1, 5]]))
    out.sum().backward()
    gradients = [part.grad for part in model.parameters() if isinstance(part.grad, Tensor)]
    assert bool(out.isfinite().all())
    assert all(bool(part.isfinite().all()) for part in gradients)


def test_embedding_starts_at_a_position_and_ends_at_max_len() -> None:
    model = small()
    tokens = torch.tensor([[3, 4, 5]])
    assert torch.allclose(model.embed(tokens)[:, 2:], model.embed(tokens[:, 2:], start=2))
    want = model.embedding.weight[3] * 8**0.5 + blocks.sinusoidal_encoding(9, 8)[6]
    assert torch.allclose(model.embed(tokens, start=6)[0, 0], want)
    with pytest.raises(ValueError, match="positions 7 to 9, max_len is 9"):
        model.embed(tokens, start=7)
