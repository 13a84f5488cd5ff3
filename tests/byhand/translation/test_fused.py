"""byhand.translation.fused: attention is swapped where that changes nothing, and put back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from byhand import blocks
from byhand.translation.fused import fused_where_same, without_cudnn

SIZES = {"vocab_size": 30, "d_model": 16, "n_heads": 2, "d_hidden": 32, "n_layers": 1, "max_len": 12}
SRC, TGT = torch.tensor([[4, 5, 6, 2], [7, 2, 0, 0]]), torch.tensor([[1, 8, 9], [1, 10, 11]])


class Learners(nn.Module):
    """An attention as lesson 03 leaves it: with weights, and without n_heads."""

    scale = 1.0

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        self.heads = n_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = (
            blocks.split_heads(part(x), self.heads)
            for part, x in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value))
        )
        output, weights = blocks.attention(q * self.scale, k, v, mask)
        return self.out_proj(blocks.merge_heads(output)), weights


class Unscaled(Learners):
    scale = 2.0


def of(attention: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    model = blocks.Transformer(**SIZES)
    for block in model.decoder:
        block.self_attention = attention(16, 2)
    return model


@pytest.mark.parametrize(("attention", "same"), [(Learners, True), (Unscaled, False)])
def test_attention_is_fused_only_where_the_model_then_says_the_same(
    attention: type[nn.Module], same: bool
) -> None:
    model = of(attention)
    want = model.eval()(SRC, TGT)
    with fused_where_same(model, 2, SRC, TGT) as found:
        assert found is same
        assert ("forward" in vars(model.decoder[0].self_attention)) is same
        torch.testing.assert_close(model(SRC, TGT), want, rtol=1e-4, atol=1e-5)
    assert "forward" not in vars(model.decoder[0].self_attention)


def test_a_model_without_such_layers_is_left_as_it_is() -> None:
    with fused_where_same(nn.Bilinear(4, 3, 2), 2, torch.zeros(2, 4), torch.zeros(2, 3)) as found:
        assert not found


def test_cudnns_attention_is_off_inside_and_afterwards_as_it_was() -> None:
    before = torch.backends.cuda.cudnn_sdp_enabled()
    with without_cudnn():
        assert not torch.backends.cuda.cudnn_sdp_enabled()
    assert torch.backends.cuda.cudnn_sdp_enabled() is before
