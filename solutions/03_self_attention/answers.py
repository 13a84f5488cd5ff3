"""Known answers to lesson 03: each cell is the whole text of one solution cell (see autograder/author/bank.py).

A wrong answer is a mistake that learners make; it must lose its exercise, and only that, and read the
words after `reads:`. A right answer is written in another way than the lesson's and must earn its points.
"""

# %% wrong padding_mask: True at the padding
# reads: True and False are swapped
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    return torch.arange(max_len)[None] >= lengths[:, None]

# %% wrong padding_mask: one position too many
# reads: one position too many
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    return torch.arange(max_len)[None] <= lengths[:, None]

# %% wrong padding_mask: positions from 1
# reads: one position too few
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    return torch.arange(1, max_len + 1)[None] < lengths[:, None]

# %% wrong padding_mask: padding in front
# reads: padding comes after
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    return torch.arange(max_len - 1, -1, -1)[None] < lengths[:, None]

# %% wrong padding_mask: no check of the lengths
# reads: must raise a ValueError
def padding_mask(lengths, max_len):
    return torch.arange(max_len)[None] < lengths[:, None]

# %% wrong padding_mask: checks the first length only
# reads: must raise a ValueError
def padding_mask(lengths, max_len):
    if lengths[0] > max_len:
        raise ValueError(f"lengths {lengths[0]} > max_len {max_len}")
    return torch.arange(max_len)[None] < lengths[:, None]

# %% wrong padding_mask: checks the last length only
# reads: must raise a ValueError
def padding_mask(lengths, max_len):
    if lengths[-1] > max_len:
        raise ValueError(f"lengths {lengths[-1]} > max_len {max_len}")
    return torch.arange(max_len)[None] < lengths[:, None]

# %% wrong padding_mask: refuses a full sentence
# reads: ValueError
def padding_mask(lengths, max_len):
    if lengths.max() >= max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    return torch.arange(max_len)[None] < lengths[:, None]

# %% wrong padding_mask: assert instead of ValueError
# reads: must raise a ValueError
def padding_mask(lengths, max_len):
    assert lengths.max() <= max_len, f"lengths {lengths.max()} max_len {max_len}"
    return torch.arange(max_len)[None] < lengths[:, None]

# %% wrong padding_mask: an error without the numbers
# reads: its message does not say enough
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError("lengths above max_len")
    return torch.arange(max_len)[None] < lengths[:, None]

# %% wrong padding_mask: floats, not bool
# reads: dtype torch.float32, expected torch.bool
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    return (torch.arange(max_len)[None] < lengths[:, None]).float()

# %% wrong padding_mask: keys down, sentences across
# reads: has shape (4, 2)
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    return torch.arange(max_len)[:, None] < lengths[None]

# %% wrong padding_mask: as wide as the longest sentence
# reads: has shape (2, 3)
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    return torch.arange(int(lengths.max()))[None] < lengths[:, None]

# %% wrong padding_mask: sorted by length
# reads: entries differ
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    return torch.arange(max_len)[None] < lengths.sort(descending=True).values[:, None]

# %% wrong padding_mask: extra axes for heads
# reads: has shape (2, 1, 1, 4)
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    return (torch.arange(max_len)[None] < lengths[:, None])[:, None, None]

# %% wrong padding_mask: counts lengths down in place
# reads: changes its input in place
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    rows = []
    for _ in range(max_len):
        rows.append(lengths > 0)
        lengths -= 1
    return torch.stack(rows, dim=1)

# %% wrong padding_mask: blocks does it
# reads: off limits
def padding_mask(lengths, max_len):
    return blocks.padding_mask(lengths, max_len)

# %% wrong padding_mask: that of recurrent
# reads: off limits
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()}, {max_len}")
    from byhand.recurrent import real_tokens
    return real_tokens(lengths, max_len)

# %% wrong padding_mask: keeps the mask of the first lengths
# reads: first at sentence
_masks = {}


def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    if (len(lengths), max_len) not in _masks:
        _masks[len(lengths), max_len] = torch.arange(max_len, device=lengths.device) < lengths[:, None]
    return _masks[len(lengths), max_len]


# %% wrong padding_mask: positions in 8 bits
# reads: , dtype=torch.int32), 309)
def padding_mask(lengths, max_len):
    if lengths.max() > max_len:
        raise ValueError(f"lengths {lengths.max()} > max_len {max_len}")
    return torch.arange(max_len, device=lengths.device).to(torch.int8) < lengths[:, None]


# %% right padding_mask: loops
def padding_mask(lengths, max_len):
    for n in lengths.tolist():
        if n > max_len:
            raise ValueError(f"max_len={max_len} is too small for {n}")
    mask = torch.zeros(len(lengths), max_len, dtype=torch.bool, device=lengths.device)
    for row, n in enumerate(lengths.tolist()):
        mask[row, :n] = True
    return mask

# %% right padding_mask: expanded positions, less than turned round
def padding_mask(lengths, max_len):
    if (lengths > max_len).any():
        raise ValueError(f"a length of {int(lengths.max())} does not fit max_len {max_len}")
    positions = torch.arange(max_len).to(lengths.device).expand(lengths.shape[0], -1)
    return torch.gt(lengths.unsqueeze(-1), positions)

# %% right padding_mask: counts ones
def padding_mask(lengths, max_len):
    longest = max(lengths.tolist())
    if longest > max_len:
        raise ValueError("lengths hold %d, max_len is %d" % (longest, max_len))
    ones = lengths.new_ones(len(lengths), max_len)
    return ones.cumsum(dim=1) <= lengths.view(-1, 1)

# %% right padding_mask: rows stacked
def padding_mask(lengths, max_len):
    if torch.any(lengths > max_len):
        raise ValueError(f"lengths={lengths.tolist()} but max_len={max_len}")
    return torch.stack([torch.arange(max_len, device=lengths.device).lt(n) for n in lengths])

# %% wrong causal_mask: aligned at the start
# reads: align at the end
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return torch.ones(n_queries, n_keys).tril().bool()

# %% wrong causal_mask: True above the diagonal, counted from the start
# reads: query 0 is key 2
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys {n_keys} is below n_queries {n_queries}")
    return torch.triu(torch.ones(n_queries, n_keys, dtype=torch.bool), diagonal=1)

# %% wrong causal_mask: True in the future
# reads: True and False are swapped
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return torch.ones(n_queries, n_keys).triu(n_keys - n_queries + 1).bool()

# %% wrong causal_mask: not its own key
# reads: its own key
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return torch.ones(n_queries, n_keys).tril(n_keys - n_queries - 1).bool()

# %% wrong causal_mask: one key too many
# reads: one key too many
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return torch.ones(n_queries, n_keys).tril(n_keys - n_queries + 1).bool()

# %% wrong causal_mask: the future with its own key
# reads: this is the future
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return torch.ones(n_queries, n_keys).triu(n_keys - n_queries).bool()

# %% wrong causal_mask: upper triangle
# reads: the triangle is the wrong way round
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return torch.ones(n_queries, n_keys).triu().bool()

# %% wrong causal_mask: shift the wrong way
# reads: entries differ
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return torch.ones(n_queries, n_keys).tril(n_queries - n_keys).bool()

# %% wrong causal_mask: floats
# reads: dtype torch.float32, expected torch.bool
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return torch.ones(n_queries, n_keys).tril(n_keys - n_queries)

# %% wrong causal_mask: zeros and -inf
# reads: dtype torch.float32, expected torch.bool
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return torch.full((n_queries, n_keys), float("-inf")).triu(n_keys - n_queries + 1)

# %% wrong causal_mask: square
# reads: has shape (4, 4)
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return torch.ones(n_keys, n_keys).tril().bool()

# %% wrong causal_mask: keys down, queries across
# reads: has shape (4, 2)
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return (torch.arange(n_keys)[:, None] <= torch.arange(n_queries)[None] + n_keys - n_queries)

# %% wrong causal_mask: no check
# reads: must raise a ValueError
def causal_mask(n_queries, n_keys):
    return torch.ones(n_queries, n_keys).tril(n_keys - n_queries).bool()

# %% wrong causal_mask: refuses as many keys as queries
# reads: ValueError
def causal_mask(n_queries, n_keys):
    if n_keys <= n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return torch.ones(n_queries, n_keys).tril(n_keys - n_queries).bool()

# %% wrong causal_mask: an error without the numbers
# reads: its message does not say enough
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError("n_keys is too small")
    return torch.ones(n_queries, n_keys).tril(n_keys - n_queries).bool()

# %% wrong causal_mask: only the last S - T keys
# reads: entries differ
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    i, j = torch.arange(n_queries)[:, None], torch.arange(n_keys)[None]
    return (j <= i + n_keys - n_queries) & (j >= i)

# %% wrong causal_mask: blocks does it
# reads: off limits
def causal_mask(n_queries, n_keys):
    return blocks.causal_mask(n_queries, n_keys)

# %% wrong causal_mask: a window of blocks
# reads: off limits
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys is {n_keys}, but n_queries is {n_queries}")
    return blocks.window_mask(n_queries, n_keys, n_keys, causal=True)

# %% wrong causal_mask: torch's bias
# reads: off limits
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys is {n_keys}, but n_queries is {n_queries}")
    from torch.nn.attention.bias import causal_lower_right
    return causal_lower_right(n_queries, n_keys)._materialize()

# %% wrong causal_mask: torch's square mask
# reads: off limits
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys is {n_keys}, but n_queries is {n_queries}")
    return nn.Transformer.generate_square_subsequent_mask(n_keys)[n_keys - n_queries:] == 0

# %% right causal_mask: tril
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} n_queries={n_queries}")
    return torch.ones(n_queries, n_keys, dtype=torch.bool).tril(diagonal=n_keys - n_queries)

# %% right causal_mask: last rows of the square
def causal_mask(n_queries, n_keys):
    if n_queries > n_keys:
        raise ValueError(f"{n_queries} queries cannot line up with {n_keys} keys")
    return torch.tril(torch.ones((n_keys, n_keys), dtype=torch.bool))[n_keys - n_queries :]

# %% right causal_mask: loops
def causal_mask(n_queries, n_keys):
    shift = n_keys - n_queries
    if shift < 0:
        raise ValueError(f"n_queries ({n_queries}) > n_keys ({n_keys})")
    return torch.tensor([[j <= i + shift for j in range(n_keys)] for i in range(n_queries)])

# %% right causal_mask: counted from the end
def causal_mask(n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"n_keys: need at least {n_queries}, got {n_keys}")
    from_end = torch.arange(n_queries - 1, -1, -1).unsqueeze(1)
    return torch.arange(n_keys - 1, -1, -1).unsqueeze(0) >= from_end

# %% wrong scaled_dot_product_attention: no scale
# reads: the scale is missing
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1)
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: divided by D
# reads: divided by D
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1]
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: root of the number of keys
# reads: root of the number of keys
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / k.shape[-2] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: softmax over the queries
# reads: softmax ran over the queries
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(dim=-2).nan_to_num(0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: softmax over dim 1
# reads: entries differ
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(dim=1).nan_to_num(0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: scale after softmax
# reads: the scale comes after softmax
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1)
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    weights = weights / q.shape[-1] ** 0.5
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: no softmax
# reads: softmax is missing
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    weights = scores if mask is None else scores.masked_fill(~mask, 0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: a masked row gives NaN
# reads: a row of -inf gives nan
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(dim=-1)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: -1e9: a masked row gives the mean
# reads: gets zeros, not the mean
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e9)
    weights = scores.softmax(dim=-1)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: -1e9 and zeros after: half overflows
# reads: RuntimeError
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e9)
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: -1e4, and zeros after
# reads: A blocked score is -inf
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        mask = torch.ones(shape, dtype=torch.bool)
    weights = scores.masked_fill(~mask, -1e4).softmax(dim=-1) * mask
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: renormalised with a small number in the sum
# reads: differ
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    exps = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    if mask is not None:
        exps = exps * mask
    weights = exps / (exps.sum(dim=-1, keepdim=True) + 1e-6)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: mask turned round
# reads: the mask is turned round
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(mask, float("-inf"))
    weights = scores.softmax(dim=-1).nan_to_num(0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: blocked after softmax
# reads: blocked after softmax
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights * mask
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: blocked scores set to 0
# reads: no key was blocked
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores * mask
    weights = scores.softmax(dim=-1)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: mask ignored
# reads: no key was blocked
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    weights = scores.softmax(dim=-1)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: -inf added, NaN swept up: the gradient is NaN
# reads: the gradient of argument 1 is nan
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores + torch.where(mask, 0.0, -torch.inf).to(scores.dtype) * torch.ones_like(scores)
        top = scores.amax(dim=-1, keepdim=True)
        exps = (scores - top).exp()
        weights = (exps / exps.sum(dim=-1, keepdim=True)).nan_to_num(0.0)
    else:
        weights = scores.softmax(dim=-1)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: unstable softmax
# reads: Is the softmax a stable one?
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    exps = scores.exp()
    if mask is not None:
        exps = exps.masked_fill(~mask, 0.0)
    total = exps.sum(dim=-1, keepdim=True)
    weights = exps / total.masked_fill(total == 0, 1.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: weights and output exchanged
# reads: has shape (2, 3), expected (2, 2)
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights, weights @ v

# %% wrong scaled_dot_product_attention: output only
# reads: not a tuple
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v

# %% wrong scaled_dot_product_attention: weights detached
# reads: the gradient of
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights.detach() @ v, weights.detach()

# %% wrong scaled_dot_product_attention: only the weights detached
# reads: the gradient of
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights.detach()

# %% wrong scaled_dot_product_attention: computed in float32 and left there
# reads: dtype torch.float32, expected torch.float64
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q.float() @ k.float().transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v.float(), weights

# %% wrong scaled_dot_product_attention: sizes not checked: a batch of 1 is stretched
# reads: must raise
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: leading sizes not checked
# reads: must raise
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: mask not checked: it enlarges the result
# reads: must raise
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: torch's own error for a mask that does not fit
# reads: must raise a ValueError
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        mask = mask.expand(shape)
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: only masks of full size
# reads: ValueError
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None and mask.shape[-2:] != shape[-2:]:
        raise ValueError(f"mask {tuple(mask.shape)} {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: scales a view of q in place
# reads: changes its input in place
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    with torch.no_grad():
        q /= q.shape[-1] ** 0.5
    scores = q @ k.transpose(-2, -1)
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: zeros only if the whole mask is False
# reads: a row of -inf gives nan
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        if not mask.any():
            return torch.zeros_like(q @ k.transpose(-2, -1) @ v), torch.zeros_like(scores)
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(dim=-1)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: keys transposed by .T
# reads: Error
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.T / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights

# %% wrong scaled_dot_product_attention: torch does it
# reads: off limits
from torch.nn import functional as F

def scaled_dot_product_attention(q, k, v, mask=None):
    eye = torch.eye(k.shape[-2], dtype=q.dtype).expand(*k.shape[:-1], k.shape[-2])
    return F.scaled_dot_product_attention(q, k, v, mask), F.scaled_dot_product_attention(q, k, eye, mask)

# %% wrong scaled_dot_product_attention: blocks does it
# reads: off limits
def scaled_dot_product_attention(q, k, v, mask=None):
    return blocks.attention(q, k, v, mask)

# %% wrong scaled_dot_product_attention: blocks under a new name
# reads: off limits
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])  # given: the shape of scores and weights, (…, T, S)
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)  # sizes from the last axis on
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    return (b := blocks).attention(q, k, v, mask)

# %% wrong scaled_dot_product_attention: blocks from globals
# reads: off limits
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])  # given: the shape of scores and weights, (…, T, S)
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)  # sizes from the last axis on
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    return globals()["blocks"].attention(q, k, v, mask)

# %% wrong scaled_dot_product_attention: the mask of the first head for all heads
# reads: first at [
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])  # given: the shape of scores and weights, (…, T, S)
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)  # sizes from the last axis on
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
        return weights @ v, weights
    if mask.ndim == 4:
        mask = mask[:, :1]
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1).nan_to_num()
    return weights @ v, weights


# %% wrong scaled_dot_product_attention: looks for blocked queries in the first head
# reads: first at [
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])  # given: the shape of scores and weights, (…, T, S)
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)  # sizes from the last axis on
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
        return weights @ v, weights
    nothing = ~mask.any(dim=-1, keepdim=True)
    if mask.ndim == 4:
        nothing = nothing[:, :1]
    scores = scores.masked_fill(~mask, -torch.inf).masked_fill(nothing, 0)
    weights = scores.softmax(dim=-1).masked_fill(~mask, 0)
    return weights @ v, weights


# %% wrong scaled_dot_product_attention: weights detached for plots
# reads: Is one of the results detached?
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])  # given: the shape of scores and weights, (…, T, S)
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)  # sizes from the last axis on
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = torch.where(mask, scores, -torch.inf)
    weights = scores.softmax(dim=-1).nan_to_num()
    return weights @ v, weights.detach()


# %% right scaled_dot_product_attention: einsum
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = torch.einsum('...td,...sd->...ts', q, k) * q.shape[-1] ** -0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return torch.einsum('...ts,...sv->...tv', weights, v), weights

# %% right scaled_dot_product_attention: NaN swept up after masked_fill
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = torch.where(mask, scores, float("-inf"))
    weights = torch.nan_to_num(torch.softmax(scores, -1), nan=0.0)
    return weights @ v, weights

# %% right scaled_dot_product_attention: the smallest number of the dtype, zeros after
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        mask = torch.ones(shape, dtype=torch.bool, device=q.device)
    scores = scores.masked_fill(mask.logical_not(), torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1) * mask
    return weights @ v, weights

# %% right scaled_dot_product_attention: exponentials by hand, sizes checked with broadcast_shapes
import math

def scaled_dot_product_attention(q, k, v, mask=None):
    if q.shape[:-2] != k.shape[:-2] or k.shape[:-1] != v.shape[:-1] or q.size(-1) != k.size(-1):
        raise ValueError(f"sizes of q, k, v: {list(q.shape)}, {list(k.shape)}, {list(v.shape)}")
    scores = (q / math.sqrt(q.size(-1))).matmul(k.mT)
    allowed = torch.ones_like(scores, dtype=torch.bool)
    if mask is not None:
        try:
            allowed = mask.broadcast_to(scores.shape)
        except RuntimeError:
            raise ValueError(f"mask {list(mask.shape)} for scores {list(scores.shape)}") from None
    lowest = torch.finfo(scores.dtype).min
    top = scores.masked_fill(~allowed, lowest).amax(dim=-1, keepdim=True).detach()
    exps = torch.exp(torch.where(allowed, scores - top, 0)) * allowed
    weights = exps / exps.sum(dim=-1, keepdim=True).clamp(min=1e-4)
    return weights.matmul(v), weights

# %% right scaled_dot_product_attention: in float32 inside, the dtype kept outside
def scaled_dot_product_attention(q, k, v, mask=None):
    shape = (*q.shape[:-1], k.shape[-2])
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    wide = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(wide) @ k.to(wide).transpose(-1, -2) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return (weights @ v.to(wide)).to(q.dtype), weights.to(q.dtype)

# %% wrong split_heads: view instead of transpose
# reads: order of memory: cut
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return x.reshape(B, n_heads, T, E // n_heads)

# %% wrong split_heads: every second feature
# reads: these are every second feature
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return x.reshape(B, T, E // n_heads, n_heads).permute(0, 3, 1, 2)

# %% wrong split_heads: no transpose
# reads: has shape (1, 3, 2, 2)
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return x.reshape(B, T, n_heads, E // n_heads)

# %% wrong split_heads: heads in the wrong order
# reads: wrong order
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return x.reshape(B, T, n_heads, -1).transpose(1, 2).flip(1)

# %% wrong split_heads: heads of size n_heads
# reads: has shape
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    return x.unflatten(-1, (-1, n_heads)).transpose(1, 2)

# %% wrong split_heads: heads first
# reads: has shape (2, 1, 3, 2)
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return x.reshape(B, T, n_heads, -1).permute(2, 0, 1, 3)

# %% wrong split_heads: features before tokens
# reads: has shape (1, 2, 2, 3)
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return x.reshape(B, T, n_heads, -1).permute(0, 2, 3, 1)

# %% wrong split_heads: folded into the batch
# reads: has shape (2, 3, 2)
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return x.reshape(B, T, n_heads, -1).transpose(1, 2).flatten(0, 1)

# %% wrong split_heads: a list of heads
# reads: not a torch.Tensor
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return list(x.chunk(n_heads, dim=-1))

# %% wrong split_heads: chunk without a check
# reads: must raise a ValueError
def split_heads(x, n_heads):
    B, T, E = x.shape
    return torch.stack(x.chunk(n_heads, dim=-1), dim=1)

# %% wrong split_heads: drops what is left over
# reads: must raise a ValueError
def split_heads(x, n_heads):
    B, T, E = x.shape
    D = E // n_heads
    return x[..., : D * n_heads].reshape(B, T, n_heads, D).transpose(1, 2)

# %% wrong split_heads: torch's own error
# reads: with a message of its own
def split_heads(x, n_heads):
    B, T, E = x.shape
    return x.reshape(B, T, n_heads, E // n_heads).transpose(1, 2)

# %% wrong split_heads: an error without the numbers
# reads: its message does not say enough
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError("n_heads does not divide x")
    B, T, E = x.shape
    return x.reshape(B, T, n_heads, -1).transpose(1, 2)

# %% right split_heads: view
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return x.view(B, T, n_heads, -1).transpose(1, 2)

# %% wrong split_heads: through NumPy
# reads: no gradient arrives
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return torch.from_numpy(x.detach().numpy().reshape(B, T, n_heads, -1)).transpose(1, 2)

# %% wrong split_heads: float32 whatever comes in
# reads: dtype torch.float32, expected torch.float64
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return x.float().reshape(B, T, n_heads, -1).transpose(1, 2)

# %% wrong split_heads: blocks does it
# reads: off limits
def split_heads(x, n_heads):
    return blocks.split_heads(x, n_heads)

# %% right split_heads: unflatten
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    return x.unflatten(-1, (n_heads, -1)).permute(0, 2, 1, 3)

# %% right split_heads: slices stacked
def split_heads(x, n_heads):
    size, rest = divmod(x.size(-1), n_heads)
    if rest != 0:
        raise ValueError(f"d_model {x.size(-1)} is no multiple of {n_heads} heads")
    return torch.stack([x[:, :, h * size : (h + 1) * size] for h in range(n_heads)], dim=1)

# %% right split_heads: einsum
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return torch.einsum('bthd->bhtd', x.reshape(B, T, n_heads, E // n_heads))

# %% right split_heads: contiguous
def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, n_heads is {n_heads}")
    B, T, E = x.shape
    return x.contiguous().view(B, T, n_heads, E // n_heads).transpose(1, 2).contiguous()

# %% wrong merge_heads: reshape without transpose
# reads: transpose before you reshape
def merge_heads(x):
    B, H, T, D = x.shape
    return x.reshape(B, T, H * D)

# %% wrong merge_heads: features alternate
# reads: each head's features stay together
def merge_heads(x):
    B, H, T, D = x.shape
    return x.permute(0, 2, 3, 1).reshape(B, T, H * D)

# %% wrong merge_heads: heads in the wrong order
# reads: wrong order
def merge_heads(x):
    B, H, T, D = x.shape
    return x.flip(1).transpose(1, 2).reshape(B, T, H * D)

# %% wrong merge_heads: mean of the heads
# reads: has shape (1, 3, 2)
def merge_heads(x):
    B, H, T, D = x.shape
    return x.mean(dim=1)

# %% wrong merge_heads: only a transpose
# reads: has shape (1, 3, 2, 2)
def merge_heads(x):
    B, H, T, D = x.shape
    return x.transpose(1, 2)

# %% wrong merge_heads: view after transpose
# reads: RuntimeError
def merge_heads(x):
    B, H, T, D = x.shape
    return x.transpose(1, 2).view(B, T, H * D)

# %% wrong merge_heads: tokens and batch together
# reads: has shape (3, 4)
def merge_heads(x):
    B, H, T, D = x.shape
    return x.transpose(1, 2).reshape(B * T, H * D)

# %% wrong merge_heads: the wrong axes flattened
# reads: has shape (1, 6, 2)
def merge_heads(x):
    B, H, T, D = x.shape
    return x.transpose(1, 2).flatten(1, 2)

# %% wrong merge_heads: features before tokens
# reads: has shape (1, 4, 3)
def merge_heads(x):
    B, H, T, D = x.shape
    return x.transpose(2, 3).reshape(B, H * D, T)

# %% wrong merge_heads: squeezes an axis of size 1
# reads: has shape (3, 4)
def merge_heads(x):
    B, H, T, D = x.shape
    return x.transpose(1, 2).reshape(B, T, H * D).squeeze()

# %% wrong merge_heads: through NumPy
# reads: no gradient arrives
def merge_heads(x):
    B, H, T, D = x.shape
    return torch.from_numpy(x.detach().numpy()).transpose(1, 2).reshape(B, T, H * D)

# %% wrong merge_heads: float32 whatever comes in
# reads: dtype torch.float32, expected torch.float64
def merge_heads(x):
    B, H, T, D = x.shape
    return x.float().transpose(1, 2).reshape(B, T, H * D)

# %% wrong merge_heads: tokens and heads exchanged only if there are several
# reads: entries differ
def merge_heads(x):
    B, H, T, D = x.shape
    return x.reshape(B, T, H * D) if H != T else x.transpose(1, 2).reshape(B, T, H * D)

# %% wrong merge_heads: blocks does it
# reads: off limits
def merge_heads(x):
    return blocks.merge_heads(x)

# %% right merge_heads: permute and reshape
def merge_heads(x):
    return x.permute(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)

# %% right merge_heads: heads joined by cat
def merge_heads(x):
    return torch.cat(x.unbind(dim=1), dim=-1)

# %% right merge_heads: contiguous view
def merge_heads(x):
    B, H, T, D = x.shape
    return x.transpose(1, 2).contiguous().view(B, T, H * D)

# %% right merge_heads: filled head by head
def merge_heads(x):
    B, H, T, D = x.shape
    merged = x.new_zeros(B, T, H * D)
    for h in range(H):
        merged[:, :, h * D : (h + 1) * D] = x[:, h]
    return merged

# %% wrong MultiHeadAttention: no output projection used
# reads: out_proj was not used
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return blocks.merge_heads(attended), weights

# %% wrong MultiHeadAttention: values not projected
# reads: v_proj was not used
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(value, self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: heads merged without a transpose
# reads: merged without a transpose
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(attended.reshape(query.shape)), weights

# %% wrong MultiHeadAttention: keys projected as queries
# reads: entries differ
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.q_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: values projected as keys
# reads: entries differ
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.k_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: values taken from the query
# reads: values come from the query
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = query if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: the given value ignored
# reads: the given value was not used
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = value = query if key is None else key
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: the given key ignored
# reads: differ
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = value = query
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: value needed for cross-attention
# reads: NoneType
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        if key is None:
            key = value = query
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: no mask passed on
# reads: differ
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: mask turned round
# reads: differ
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, None if mask is None else ~mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: mask with three axes accepted
# reads: must raise a ValueError
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            mask = mask[:, None]
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: mask with three axes meets the heads
# reads: must raise a ValueError
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: divisibility not checked
# reads: must raise a ValueError
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: no bias at all
# reads: the names of the parameters
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=False)
        self.k_proj = nn.Linear(d_model, d_model, bias=False)
        self.v_proj = nn.Linear(d_model, d_model, bias=False)
        self.out_proj = nn.Linear(d_model, d_model, bias=False)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: always a bias
# reads: bias=False) has 8 elements
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=True)
        self.k_proj = nn.Linear(d_model, d_model, bias=True)
        self.v_proj = nn.Linear(d_model, d_model, bias=True)
        self.out_proj = nn.Linear(d_model, d_model, bias=True)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: no bias at the output
# reads: the names of the parameters
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=False)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: other names
# reads: the names of the parameters
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.o_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.o_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: scores not scaled: heads of the wrong size
# reads: entries differ
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q / self.n_heads**0.5, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: weights averaged over heads
# reads: has shape
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights.mean(dim=1)

# %% wrong MultiHeadAttention: output only
# reads: not a tuple
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended))

# %% wrong MultiHeadAttention: weights detached
# reads: gradient
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights.detach()

# %% wrong MultiHeadAttention: always causal
# reads: entries differ
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        if q.shape[2] == k.shape[2] and q.shape[2] > 2:
            causal = blocks.causal_mask(q.shape[2], k.shape[2])
            mask = causal if mask is None else mask & causal
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: a masked row gives NaN
# reads: query 2 may attend to nothing
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
        if len(k) != len(q) or v.shape[:3] != k.shape[:3]:
            raise ValueError("sizes")
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights = scores.softmax(dim=-1)
        attended = weights @ v
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: a batch of 1 stretched
# reads: must raise
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
        mask = torch.ones_like(scores) > 0 if mask is None else mask.expand(scores.shape)
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(~mask.any(-1, keepdim=True), 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
        attended = weights @ v
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: tokens without order of the batch: batch second
# reads: has shape
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)).transpose(0, 1), weights

# %% wrong MultiHeadAttention: dropout left on
# reads: differ
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(nn.functional.dropout(blocks.merge_heads(attended), 0.3)), weights

# %% wrong MultiHeadAttention: residual added
# reads: differ
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return query + self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: one more thing to train
# reads: the names of the parameters
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)) * self.scale, weights

# %% wrong MultiHeadAttention: always the same start
# reads: off limits
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        torch.manual_seed(0)
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: starts with zeros
# reads: must start with random numbers
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)
        nn.init.zeros_(self.q_proj.weight)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% wrong MultiHeadAttention: torch does it
# reads: the names of the parameters
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        self.inner = nn.MultiheadAttention(d_model, n_heads, bias=bias, batch_first=True)

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        return self.inner(query, key, key if value is None else value, average_attn_weights=False)

# %% wrong MultiHeadAttention: blocks does it
# reads: off limits
class MultiHeadAttention(blocks.MultiHeadAttention):
    pass

# %% wrong MultiHeadAttention: the class of a block's part
# reads: off limits
from byhand.blocks import EncoderBlock
MultiHeadAttention = type(EncoderBlock(4, 2, 4).attention)

# %% wrong MultiHeadAttention: einsum stretches a batch of one
# reads: must raise an error, but it returned
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model}, n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model, bias), nn.Linear(d_model, d_model, bias)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model, bias), nn.Linear(d_model, d_model, bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError("mask has three axes")
        key = query if key is None else key
        value = key if value is None else value
        layers = zip((query, key, value), (self.q_proj, self.k_proj, self.v_proj), strict=True)
        q, k, v = (layer(x).unflatten(-1, (self.n_heads, -1)) for x, layer in layers)
        scores = torch.einsum("bthd,bshd->bhts", q, k) / q.shape[-1] ** 0.5
        if mask is not None:
            scores = torch.where(mask, scores, -torch.inf)
        weights = scores.softmax(-1).nan_to_num()
        return self.out_proj(torch.einsum("bhts,bshd->bthd", weights, v).flatten(2)), weights


# %% right MultiHeadAttention: the learner's own functions
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q = split_heads(self.q_proj(query), self.n_heads)
        k = split_heads(self.k_proj(key), self.n_heads)
        v = split_heads(self.v_proj(value), self.n_heads)
        attended, weights = scaled_dot_product_attention(q, k, v, mask)
        return self.out_proj(merge_heads(attended)), weights

# %% right MultiHeadAttention: all in one class, by einsum
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        self.size, rest = divmod(d_model, n_heads)
        if rest:
            raise ValueError(f"n_heads={n_heads} does not divide d_model={d_model}")
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, nn.Linear(d_model, d_model, bias=bias))

    def forward(self, query, key=None, value=None, mask=None):
        if key is None:
            key = query
        if value is None:
            value = key
        if key.shape != value.shape or len(key) != len(query):
            raise ValueError("query, key and value do not fit")
        q, k, v = (
            layer(x).unflatten(-1, (-1, self.size))
            for layer, x in zip((self.q_proj, self.k_proj, self.v_proj), (query, key, value))
        )
        scores = torch.einsum("bthd,bshd->bhts", q, k) / self.size**0.5
        if mask is None:
            weights = scores.softmax(-1)
        else:
            if mask.dim() == 3:
                raise ValueError(f"the mask {mask.shape} must have 2 or 4 axes")
            mask = mask.expand_as(scores)
            weights = scores.masked_fill(~mask, float("-inf")).softmax(-1).nan_to_num(0.0)
        return self.out_proj(torch.einsum("bhts,bshd->bthd", weights, v).flatten(2)), weights

# %% right MultiHeadAttention: one head after another
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask has three axes: {tuple(mask.shape)}")
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        parts = [part.chunk(self.n_heads, dim=-1) for part in (q, k, v)]
        if mask is not None:
            mask = mask.expand(len(q), self.n_heads, q.shape[1], k.shape[1])
        heads = [
            blocks.attention(*one, None if mask is None else mask[:, h])
            for h, one in enumerate(zip(*parts))
        ]
        weights = torch.stack([w for _, w in heads], dim=1)
        return self.out_proj(torch.cat([o for o, _ in heads], dim=-1)), weights

# %% right MultiHeadAttention: more checks than asked
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)
        self.d_model, self.head_size = d_model, d_model // n_heads

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None:
            if mask.dtype != torch.bool:
                raise ValueError(f"mask must be bool, got {mask.dtype}")
            if mask.dim() not in (1, 2, 4):
                raise ValueError(f"mask must have 2 or 4 axes, got {mask.dim()}")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights

# %% right MultiHeadAttention: layers made in a loop, named by getattr
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model}, n_heads {n_heads}")
        nn.Module.__init__(self)
        self.heads = n_heads
        for name in "qkv":
            setattr(self, f"{name}_proj", nn.Linear(d_model, d_model, bias))
        self.add_module("out_proj", nn.Linear(d_model, d_model, bias))
    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.dim() == 3:
            raise ValueError("mask has three axes")
        key = query if key is None else key
        parts = zip("qkv", (query, key, key if value is None else value))
        q, k, v = (split_heads(getattr(self, f"{name}_proj")(x), self.heads) for name, x in parts)
        out, weights = scaled_dot_product_attention(q, k, v, mask)
        return self.out_proj(merge_heads(out)), weights

# %% right MultiHeadAttention: a buffer beside the four layers
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model}, n_heads {n_heads}")
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model, bias), nn.Linear(d_model, d_model, bias)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model, bias), nn.Linear(d_model, d_model, bias)
        self.register_buffer("head_size", torch.tensor(d_model // n_heads))

    def forward(self, query, key=None, value=None, mask=None):
        if mask is not None and mask.ndim == 3:
            raise ValueError("mask has three axes")
        key = query if key is None else key
        value = key if value is None else value
        q, k, v = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        q, k, v = (x.unflatten(-1, (-1, int(self.head_size))).transpose(1, 2) for x in (q, k, v))
        attended, weights = blocks.attention(q, k, v, mask)
        return self.out_proj(blocks.merge_heads(attended)), weights


# %% wrong attention_cost: a multiply-add counts once
# reads: half of it
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": 2 * n_queries * n_keys * d_model, "score_bytes": 4 * n_heads * n_queries * n_keys}

# %% wrong attention_cost: the table has T columns
# reads: a column for each key
def attention_cost(n_queries, n_keys, d_model, n_heads):
    flops = 4 * n_queries * n_keys * d_model
    return {"flops": flops, "score_bytes": 4 * n_heads * n_queries * n_queries}

# %% wrong attention_cost: one product, each operation once
# reads: a quarter
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": n_queries * n_keys * d_model, "score_bytes": 4 * n_heads * n_queries * n_keys}

# %% wrong attention_cost: d_model for every head
# reads: too much by n_heads
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": 4 * n_heads * n_queries * n_keys * d_model, "score_bytes": 4 * n_heads * n_queries * n_keys}

# %% wrong attention_cost: one head
# reads: this is one head
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": 4 * n_queries * n_keys * (d_model // n_heads), "score_bytes": 4 * n_heads * n_queries * n_keys}

# %% wrong attention_cost: numbers, not bytes
# reads: a float32 takes 4 bytes
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": 4 * n_queries * n_keys * d_model, "score_bytes": n_heads * n_queries * n_keys}

# %% wrong attention_cost: the table of one head
# reads: the table of one head
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": 4 * n_queries * n_keys * d_model, "score_bytes": 4 * n_queries * n_keys}

# %% wrong attention_cost: float64
# reads: a float64 takes 8
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": 4 * n_queries * n_keys * d_model, "score_bytes": 8 * n_heads * n_queries * n_keys}

# %% wrong attention_cost: a table as wide as the model
# reads: whatever d_model is
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": 4 * n_queries * n_keys * d_model, "score_bytes": 4 * n_queries * n_keys * d_model}

# %% wrong attention_cost: projections counted, too
# reads: the value differs
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": 4 * n_queries * n_keys * d_model + 2 * (2 * n_queries + 2 * n_keys) * d_model**2, "score_bytes": 4 * n_heads * n_queries * n_keys}

# %% wrong attention_cost: softmax counted, too
# reads: the value differs
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": 4 * n_queries * n_keys * d_model + 3 * n_heads * n_queries * n_keys, "score_bytes": 4 * n_heads * n_queries * n_keys}

# %% wrong attention_cost: as many keys as queries
# reads: the value differs
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": 4 * n_queries * n_queries * d_model, "score_bytes": 4 * n_heads * n_queries * n_keys}

# %% wrong attention_cost: floats from a division
# reads: not an int
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": 4 * n_heads * n_queries * n_keys * (d_model / n_heads), "score_bytes": 4 * n_heads * n_queries * n_keys}

# %% wrong attention_cost: floats made whole again
# reads: attention_cost(1000003
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": int(4.0 * n_heads * n_queries * n_keys * (d_model / n_heads)), "score_bytes": 4 * n_heads * n_queries * n_keys}

# %% wrong attention_cost: a tuple
# reads: not a dict
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return 4 * n_queries * n_keys * d_model, 4 * n_heads * n_queries * n_keys

# %% wrong attention_cost: other names
# reads: score_bytes
def attention_cost(n_queries, n_keys, d_model, n_heads):
    return {"flops": 4 * n_queries * n_keys * d_model, "bytes": 4 * n_heads * n_queries * n_keys}

# %% wrong attention_cost: tables of scores and of weights
# reads: it is one table
def attention_cost(n_queries, n_keys, d_model, n_heads):
    table = 4 * n_heads * n_queries * n_keys
    return {"flops": 4 * n_queries * n_keys * d_model, "score_bytes": table + table}


# %% right attention_cost: head by head
def attention_cost(n_queries, n_keys, d_model, n_heads):
    size = d_model // n_heads
    flops = table = 0
    for _ in range(n_heads):
        flops += 2 * n_queries * size * n_keys
        flops += 2 * n_queries * n_keys * size
        table += n_queries * n_keys * 4
    return {"flops": flops, "score_bytes": table}

# %% right attention_cost: bytes first
def attention_cost(n_queries, n_keys, d_model, n_heads):
    scores = n_queries * n_keys * n_heads
    return {"score_bytes": scores * torch.finfo(torch.float32).bits // 8, "flops": scores * (d_model // n_heads) * 4}

# %% right attention_cost: dict call
def attention_cost(n_queries, n_keys, d_model, n_heads):
    pairs = n_queries * n_keys
    return dict(flops=pairs * d_model << 2, score_bytes=pairs * n_heads << 2)

# %% right attention_cost: torch's counter
from torch.utils.flop_counter import FlopCounterMode

def attention_cost(n_queries, n_keys, d_model, n_heads):
    q = torch.empty(n_heads, n_queries, d_model // n_heads, device="meta")
    k = torch.empty(n_heads, n_keys, d_model // n_heads, device="meta")
    with FlopCounterMode(display=False) as counter:
        scores = q @ k.mT
        scores @ k
    return {"flops": int(counter.get_total_flops()), "score_bytes": scores.numel() * scores.element_size()}

# %% wrong previous_token_head: the next token
# reads: the shift has the wrong sign
def previous_token_head(n_positions):
    n = n_positions
    nxt = (torch.arange(n) + 1).clamp(max=n - 1)
    return 20 * n**0.5 * torch.eye(n)[nxt], torch.eye(n)

# %% wrong previous_token_head: the next token, round the corner
# reads: the shift has the wrong sign
def previous_token_head(n_positions):
    n = n_positions
    return 20 * n**0.5 * torch.eye(n).roll(1, dims=1), torch.eye(n)

# %% wrong previous_token_head: itself
# reads: looks at itself, not at the one before
def previous_token_head(n_positions):
    n = n_positions
    return 20 * n**0.5 * torch.eye(n), torch.eye(n)

# %% wrong previous_token_head: position 0 looks at the last
# reads: position 0 looks at the last one
def previous_token_head(n_positions):
    n = n_positions
    return 20 * n**0.5 * torch.eye(n).roll(1, dims=0), torch.eye(n)

# %% wrong previous_token_head: position 0 asks for nothing
# reads: position 0 has equal scores everywhere
def previous_token_head(n_positions):
    n = n_positions
    return 20 * n**0.5 * torch.diag(torch.ones(n - 1), -1), torch.eye(n)

# %% wrong previous_token_head: Wq and Wk exchanged
# reads: are Wq and Wk exchanged?
def previous_token_head(n_positions):
    n = n_positions
    before = (torch.arange(n) - 1).clamp(min=0)
    return torch.eye(n), 20 * n**0.5 * torch.eye(n)[before]

# %% wrong previous_token_head: not sharp enough
# reads: raise the scores
def previous_token_head(n_positions):
    n = n_positions
    before = (torch.arange(n) - 1).clamp(min=0)
    return 2 * torch.eye(n)[before], torch.eye(n)

# %% wrong previous_token_head: enough for four positions only
# reads: At every n up to 256
def previous_token_head(n_positions):
    n = n_positions
    before = (torch.arange(n) - 1).clamp(min=0)
    return 8 * n**0.5 * torch.eye(n)[before], torch.eye(n)

# %% wrong previous_token_head: the root of n forgotten
# reads: At every n up to 256
def previous_token_head(n_positions):
    n = n_positions
    before = (torch.arange(n) - 1).clamp(min=0)
    return 20 * torch.eye(n)[before], torch.eye(n)

# %% wrong previous_token_head: infinite scores
# reads: must be finite
def previous_token_head(n_positions):
    n = n_positions
    before = (torch.arange(n) - 1).clamp(min=0)
    return torch.eye(n)[before].masked_fill(torch.eye(n)[before] > 0, float("inf")), torch.eye(n)

# %% wrong previous_token_head: float64
# reads: expected torch.float32
def previous_token_head(n_positions):
    n = n_positions
    before = (torch.arange(n) - 1).clamp(min=0)
    one = torch.eye(n, dtype=torch.float64)
    return 20 * n**0.5 * one[before], one

# %% wrong previous_token_head: one matrix
# reads: must return two tensors
def previous_token_head(n_positions):
    n = n_positions
    before = (torch.arange(n) - 1).clamp(min=0)
    return 20 * n**0.5 * torch.eye(n)[before]

# %% wrong previous_token_head: all zeros
# reads: all scores are equal
def previous_token_head(n_positions):
    n = n_positions
    return torch.zeros(n, n), torch.zeros(n, n)

# %% wrong previous_token_head: fails for one position
# reads: IndexError
def previous_token_head(n_positions):
    n = n_positions
    w_query = 20 * n**0.5 * torch.diag(torch.ones(n - 1), -1)
    w_query[0, 0], w_query[1, 0] = 20 * n**0.5, 20 * n**0.5
    return w_query, torch.eye(n)

# %% wrong previous_token_head: not square
# reads: has shape
def previous_token_head(n_positions):
    n = n_positions
    before = (torch.arange(n) - 1).clamp(min=0)
    return 20 * n**0.5 * torch.eye(n + 1)[before], torch.eye(n + 1)[:n]

# %% right previous_token_head: the shift in the keys
def previous_token_head(n_positions):
    n = n_positions
    w_key = torch.zeros(n, n)
    for j in range(n - 1):
        w_key[j, j + 1] = 1.0
    w_key[0, 0] = 1.0
    return 15 * n**0.5 * torch.eye(n), w_key

# %% right previous_token_head: loops
def previous_token_head(n_positions):
    n = n_positions
    w_query, w_key = torch.zeros(n, n), torch.zeros(n, n)
    for i in range(n):
        w_query[i, max(i - 1, 0)] = 100 * n**0.5
        w_key[i, i] = 1.0
    return w_query, w_key

# %% right previous_token_head: both matrices carry the factor
def previous_token_head(n_positions):
    n = n_positions
    before = torch.arange(-1, n - 1).clamp(min=0)
    root = (30 * n**0.5) ** 0.5
    return root * nn.functional.one_hot(before, n).float(), root * torch.eye(n)

# %% right previous_token_head: keys in random directions at right angles
def previous_token_head(n_positions):
    n = n_positions
    keys = torch.linalg.qr(torch.randn(n, n, generator=torch.Generator().manual_seed(1)))[0]
    before = torch.cat([torch.zeros(1, dtype=torch.long), torch.arange(n - 1)])
    return 1000 * n**0.5 * keys[before], keys
