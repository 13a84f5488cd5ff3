"""The checks of lesson 07's cache tell right answers from wrong ones, and count what it costs."""

from __future__ import annotations

import pytest
import torch

from byhand import blocks, check
from byhand.probes import cache as probe_cache


class Cache:
    """Keeps its own keys and values, and the source's; the mistakes are switches."""

    start, repeat, forget, norm = True, False, False, True

    def __init__(self, model, src):
        self.model, self.n, self.own = model, 0, [None] * len(model.decoder)
        self.mask = (src != model.pad_id)[:, None, None]
        with torch.no_grad():
            self.memory = model.encode(src)
            self.cross = [self.pair(block.cross_attention, self.memory) for block in model.decoder]

    def pair(self, layer, x):
        return tuple(blocks.split_heads(part(x), layer.n_heads) for part in (layer.k_proj, layer.v_proj))

    def __len__(self):
        return self.n

    def reorder(self, rows):
        self.mask, self.memory = self.mask[rows], self.memory[rows]
        self.cross = [tuple(part[rows] for part in pair) for pair in self.cross]
        if not self.forget:
            self.own = [pair and tuple(part[rows] for part in pair) for pair in self.own]

    @torch.no_grad()
    def step(self, token):
        x = self.model.embed(token[:, None], start=self.n if self.start else 0)
        for n, block in enumerate(self.model.decoder):
            new = self.pair(block.self_attention, block.norm1(x))
            both = zip(self.own[n] or (), new, strict=False)
            self.own[n] = tuple(torch.cat(two, dim=2) for two in both) or new
            x = x + self.look(block.self_attention, block.norm1(x), self.own[n])
            if self.repeat:
                self.cross[n] = self.pair(block.cross_attention, self.memory)
            x = x + self.look(block.cross_attention, block.norm2(x), self.cross[n], self.mask)
            x = x + block.feed_forward(block.norm3(x))
        self.n += 1
        x = self.model.decoder_norm(x) if self.norm else x
        return x[:, 0] @ self.model.embedding.weight.T

    def look(self, layer, x, pair, mask=None):
        q = blocks.split_heads(layer.q_proj(x), layer.n_heads)
        found = torch.nn.functional.scaled_dot_product_attention(q, *pair, attn_mask=mask)
        return layer.out_proj(blocks.merge_heads(found))


def whole(make):
    probe_cache.small(make, blocks.Transformer)
    probe_cache.cache(make, blocks.Transformer, probe_cache.counted, torch.Generator().manual_seed(0))


def test_a_cache_that_is_right_passes():
    whole(Cache)


@pytest.mark.parametrize(
    ("switch", "said"),
    [
        ({"start": False}, "placed at position 0"),
        ({"norm": False}, "decoder_norm is missing"),
        ({"forget": True}, "row i goes on|Row i goes on"),
        ({"repeat": True}, "times the operations of a perfect cache"),
    ],
)
def test_a_cache_that_is_not_is_noticed_and_the_mistake_named(switch, said):
    with pytest.raises(check.CheckFailed, match=said):
        whole(type("Wrong", (Cache,), switch))


def test_the_time_is_looked_at_from_outside_the_answer(monkeypatch):
    limits = []
    monkeypatch.setattr(check, "cost", lambda call, run, max_seconds: (run(), limits.append(max_seconds)))
    probe_cache._times(Cache, blocks.Transformer, torch.Generator().manual_seed(0))
    assert len(limits) == 1
    assert limits[0] > 0


def test_the_perfect_cache_is_what_is_counted_where_attention_is_plain_products():
    """Two steps of a cache with explicit matrix products: counted equals the formula."""

    class Plain(Cache):
        def look(self, layer, x, pair, mask=None):
            q = blocks.split_heads(layer.q_proj(x), layer.n_heads)
            weights = (q @ pair[0].transpose(-2, -1)).softmax(-1)
            return layer.out_proj(blocks.merge_heads(weights @ pair[1]))

    sizes = (7, 8, 2, 12, 1, 9)
    model, src = blocks.Transformer(*sizes).eval(), torch.tensor([[1, 2, 3, 4, 5]])
    held, total = probe_cache.counted(Plain, model, src)
    fused = 4 * 5 * 5 * 8  # torch counts nothing for its fused kernel, in which the encoder attends
    for token in (3, 4):
        total += probe_cache.counted(held.step, torch.tensor([token]))[1]
    assert total + fused == probe_cache.perfect(1, 5, 2, sizes)
