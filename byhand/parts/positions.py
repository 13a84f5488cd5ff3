"""Position encodings: what blocks takes over from lesson 04.

Apart from blocks, since a lesson that needs no torch should not wait for it to load.
Order: clock hands, sinusoidal, rotary, ALiBi.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _hands(positions: Tensor, size: int, base: float) -> Tensor:
    """(T, ceil(size / 2)) complex numbers of length 1, one clock hand for each pair of features."""
    speeds = torch.logspace(0, -1, size + 1, base, dtype=torch.float64, device=positions.device)[:size:2]
    angles = torch.outer(positions.double(), speeds)
    return torch.polar(torch.ones_like(angles), angles)


def sinusoidal_encoding(n_positions: int, d_model: int, base: float = 10000.0) -> Tensor:
    """(n, E) float32: in each pair of columns the sine and cosine of p / base ** (2i / E)."""
    hands = _hands(torch.arange(n_positions), d_model, base)
    return torch.view_as_real(hands).flip(-1).flatten(-2)[:, :d_model].float()


def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """x (…, T, D) with neighbouring features turned by angles that grow with positions (T,).

    Raises: ValueError if D is odd or positions is not as long as x.
    """
    n_tokens, size = x.shape[-2:]
    if size % 2:
        raise ValueError(f"x has an odd number of features, {size}")
    if positions.shape != (n_tokens,):
        raise ValueError(f"x has {n_tokens} tokens, but positions has shape {tuple(positions.shape)}")
    wide = torch.promote_types(x.dtype, torch.float32)
    pairs = torch.view_as_complex(torch.unflatten(x.to(wide), -1, (-1, 2)).contiguous())
    turned = pairs * _hands(positions, size, base).to(pairs.dtype)
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)


def alibi_bias(n_heads: int, n_queries: int, n_keys: int) -> Tensor:
    """(H, T, S) float32: minus each head's slope times the distance; the last query is at the last key.

    Raises: ValueError if there are fewer keys than queries.
    """
    if n_keys < n_queries:
        raise ValueError(f"n_keys is {n_keys}, but n_queries is {n_queries}")
    whole = 2 ** int(math.log2(n_heads))
    few, many = (torch.logspace(-8 / n, -8, n, 2, dtype=torch.float64) for n in (whole, 2 * whole))
    slopes = torch.cat([few, many[::2]])[:n_heads]
    places = torch.arange(n_keys, dtype=torch.float64)[:, None]
    distances = torch.cdist(places[n_keys - n_queries :], places, p=1)
    return torch.einsum("h,ts->hts", -slopes, distances).float()
