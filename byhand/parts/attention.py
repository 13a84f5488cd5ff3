"""Attention with queries, keys, values, masks and heads: what blocks takes over from lessons 03 and 05.

Apart from blocks, since a lesson that needs no torch should not wait for it to load.
Order: masks, attention, heads, the layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def padding_mask(lengths: Tensor, max_len: int) -> Tensor:
    """(B, S) bool for lengths (B,), True at real tokens. Raises: ValueError if a length exceeds max_len."""
    longest = int(lengths.max())
    if longest > max_len:
        raise ValueError(f"lengths go up to {longest}, but max_len is {max_len}")
    return lengths.unsqueeze(1) > torch.arange(max_len, device=lengths.device)


def causal_mask(n_queries: int, n_keys: int) -> Tensor:
    """(T, S) bool, True up to a query's own position; the last query is at the last key.

    Raises: ValueError if there are fewer keys than queries.
    """
    if n_keys < n_queries:
        raise ValueError(f"n_keys is {n_keys}, but n_queries is {n_queries}")
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(n_keys - n_queries)


def window_mask(n_queries: int, n_keys: int, window: int, causal: bool = False) -> Tensor:
    """(T, S) bool, True up to `window` positions from a query's own; the last query is at the last key.

    causal: not after its own. Raises: ValueError if S < T or window < 0.
    """
    if n_keys < n_queries:
        raise ValueError(f"n_keys is {n_keys}, but n_queries is {n_queries}")
    if window < 0:
        raise ValueError(f"window must not be below 0, got {window}")
    own, everywhere = n_keys - n_queries, torch.ones(n_queries, n_keys, dtype=torch.bool)
    return everywhere.triu(own - window).tril(own + (0 if causal else window))


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Lesson 03's scaled_dot_product_attention: (output (…, T, Dv), weights (…, T, S)).

    q: (…, T, D), k: (…, S, D), v: (…, S, Dv), their leading sizes equal. mask: bool, True = may attend;
    it broadcasts to (…, T, S). A query that may attend to nothing gets zeros and finite gradients.
    Raises: ValueError if sizes do not fit.
    """
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} keys, but v has {v.shape[-2]} values")
    leading, (n_queries, n_keys) = q.shape[:-2], (q.shape[-2], k.shape[-2])
    if mask is not None:
        mask = _stretched(mask, (*leading, n_queries, n_keys))
    # What a query reads from the rows of an identity matrix are its weights.
    rows = torch.eye(n_keys, dtype=q.dtype, device=q.device).expand(*leading, n_keys, n_keys)
    weights = functional.scaled_dot_product_attention(q, k, rows, attn_mask=mask)
    return weights @ v, weights


def _stretched(mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    try:
        return mask.expand(shape)
    except RuntimeError:
        raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to the scores {shape}") from None


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, T, E) -> (B, H, T, D). Raises: ValueError if E is not divisible by n_heads."""
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, not divisible by n_heads = {n_heads}")
    heads = torch.unflatten(x, -1, (n_heads, -1))  # (B, T, H, D)
    return heads.transpose(-3, -2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, D) -> (B, T, E)."""
    return x.transpose(-3, -2).flatten(-2)


class MultiHeadAttention(nn.Module):
    """Attention in n_heads parts of d_model features, with learned projections.

    forward(query (B, T, E), key (B, S, E), value (B, S, E), mask) -> (output (B, T, E),
    weights (B, H, T, S)). key None: query; value None: key. mask: bool, broadcasts to (B, H, T, S).
    Raises: ValueError if d_model is not divisible by n_heads, or for a mask with three axes.
    """

    def __init__(self, d_model: int, n_heads: int, bias: bool = True) -> None:
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model = {d_model} is not divisible by n_heads = {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias)
        self.k_proj = nn.Linear(d_model, d_model, bias)
        self.v_proj = nn.Linear(d_model, d_model, bias)
        self.out_proj = nn.Linear(d_model, d_model, bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask {tuple(mask.shape)} has 3 axes: heads or batch? Use mask[:, None]")
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        q, k, v = (split_heads(part, self.n_heads) for part in (q, k, v))  # (B, H, T or S, D)
        attended, weights = self.attend(q, k, v, mask)
        return self.out_proj(merge_heads(attended)), weights

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What the heads read, (B, H, T, D), and their weights."""
        return attention(q, k, v, mask)
