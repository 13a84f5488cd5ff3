"""Known answers to lesson 05: each cell is the whole text of one solution cell (see autograder/author/bank.py).

A wrong answer is a mistake that learners make; it must lose its exercise, and only that, and read the
words after `reads:`. A right answer is written in another way than the lesson's and must earn its points.
"""

# %% wrong window_mask: aligned at the start
# reads: align at the end
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"{n_keys} keys for {n_queries} queries")
    if window < 0:
        raise ValueError(f"window = {window}")
    positions = torch.arange(n_queries)[:, None]
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance.abs() <= window
    if causal:
        mask = mask & (distance >= 0)
    return mask

# %% wrong window_mask: strictly nearer than window
# reads: exactly window is still seen
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"{n_keys} keys for {n_queries} queries")
    if window < 0:
        raise ValueError(f"window = {window}")
    positions = torch.arange(n_queries)[:, None] + n_keys - n_queries
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance.abs() < window
    if causal:
        mask = mask & (distance >= 0)
    return mask

# %% wrong window_mask: True means blocked
# reads: True and False are swapped
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"{n_keys} keys for {n_queries} queries")
    if window < 0:
        raise ValueError(f"window = {window}")
    positions = torch.arange(n_queries)[:, None] + n_keys - n_queries
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance.abs() <= window
    if causal:
        mask = mask & (distance >= 0)
    return ~mask

# %% wrong window_mask: always causal
# reads: reaches to both sides unless causal
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"{n_keys} keys for {n_queries} queries")
    if window < 0:
        raise ValueError(f"window = {window}")
    positions = torch.arange(n_queries)[:, None] + n_keys - n_queries
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance.abs() <= window
    mask = mask & (distance >= 0)
    return mask

# %% wrong window_mask: no absolute value
# reads: keys far behind are outside the window
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"{n_keys} keys for {n_queries} queries")
    if window < 0:
        raise ValueError(f"window = {window}")
    positions = torch.arange(n_queries)[:, None] + n_keys - n_queries
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance >= -window
    if causal:
        mask = mask & (distance >= 0)
    return mask

# %% wrong window_mask: causal not used
# reads: causal was not used
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"{n_keys} keys for {n_queries} queries")
    if window < 0:
        raise ValueError(f"window = {window}")
    positions = torch.arange(n_queries)[:, None] + n_keys - n_queries
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance.abs() <= window
    return mask

# %% wrong window_mask: causal looks into the future
# reads: causal means the past
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"{n_keys} keys for {n_queries} queries")
    if window < 0:
        raise ValueError(f"window = {window}")
    positions = torch.arange(n_queries)[:, None] + n_keys - n_queries
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance.abs() <= window
    if causal:
        mask = mask & (distance <= 0)
    return mask

# %% wrong window_mask: causal leaves out the own key
# reads: own key is seen
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"{n_keys} keys for {n_queries} queries")
    if window < 0:
        raise ValueError(f"window = {window}")
    positions = torch.arange(n_queries)[:, None] + n_keys - n_queries
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance.abs() <= window
    if causal:
        mask = mask & (distance > 0)
    return mask

# %% wrong window_mask: causal counts window keys in all
# reads: window + 1 keys
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"{n_keys} keys for {n_queries} queries")
    if window < 0:
        raise ValueError(f"window = {window}")
    positions = torch.arange(n_queries)[:, None] + n_keys - n_queries
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance.abs() <= window
    if causal:
        mask = (distance >= 0) & (distance < window)
    return mask

# %% wrong window_mask: causal forgets the window
# reads: the window was not used
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"{n_keys} keys for {n_queries} queries")
    if window < 0:
        raise ValueError(f"window = {window}")
    positions = torch.arange(n_queries)[:, None] + n_keys - n_queries
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance.abs() <= window
    if causal:
        mask = distance >= 0
    return mask

# %% wrong window_mask: fewer keys than queries pass
# reads: must raise a ValueError
def window_mask(n_queries, n_keys, window, causal=False):
    if window < 0:
        raise ValueError(f"window = {window}")
    positions = torch.arange(n_queries)[:, None] + n_keys - n_queries
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance.abs() <= window
    if causal:
        mask = mask & (distance >= 0)
    return mask

# %% wrong window_mask: a negative window passes
# reads: window_mask(2, 2, -1) must raise a ValueError
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"{n_keys} keys for {n_queries} queries")
    positions = torch.arange(n_queries)[:, None] + n_keys - n_queries
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance.abs() <= window
    if causal:
        mask = mask & (distance >= 0)
    return mask

# %% wrong window_mask: ones instead of booleans
# reads: dtype
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"{n_keys} keys for {n_queries} queries")
    if window < 0:
        raise ValueError(f"window = {window}")
    positions = torch.arange(n_queries)[:, None] + n_keys - n_queries
    distance = positions - torch.arange(n_keys)[None, :]
    mask = distance.abs() <= window
    if causal:
        mask = mask & (distance >= 0)
    return mask.float()

# %% wrong window_mask: blocks.window_mask
# reads: off limits
def window_mask(n_queries, n_keys, window, causal=False):
    return blocks.window_mask(n_queries, n_keys, window, causal)

# %% right window_mask: two loops
def window_mask(n_queries, n_keys, window, causal=False):
    if window < 0 or n_keys < n_queries:
        raise ValueError(f"window {window}, n_queries {n_queries}, n_keys {n_keys}")
    mask = torch.zeros(n_queries, n_keys, dtype=torch.bool)
    for i in range(n_queries):
        p = i + n_keys - n_queries
        for j in range(max(0, p - window), min(n_keys, p + window + 1)):
            mask[i, j] = not causal or j <= p
    return mask

# %% right window_mask: triangles
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"n_keys={n_keys} < n_queries={n_queries}")
    if window < 0:
        raise ValueError("window is " + str(window))
    shift = n_keys - n_queries
    ones = torch.ones((n_queries, n_keys), dtype=torch.bool)
    return torch.tril(torch.triu(ones, shift - window), shift if causal else shift + window)

# %% right window_mask: the last rows of a square
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries:
        raise ValueError(f"n_queries {n_queries} must not exceed n_keys {n_keys}")
    if window < 0:
        raise ValueError(f"window: {window}")
    p = torch.arange(n_keys)
    distance = p.unsqueeze(1) - p
    far = distance > window
    far |= distance < (0 if causal else -window)
    return far.logical_not()[n_keys - n_queries :]

# %% right window_mask: a row for each query, rolled one key at a time
def window_mask(n_queries, n_keys, window, causal=False):
    if n_keys < n_queries or window < 0:
        raise ValueError(f"n_queries={n_queries}, n_keys={n_keys}, window={window}")
    room = n_keys + window  # keys before the first and after the last, so that nothing comes round
    row = torch.zeros(room + n_keys + room, dtype=torch.bool)
    first = room + n_keys - n_queries  # where query 0 stands in the row
    row[first - window : first + (0 if causal else window) + 1] = True
    return torch.stack([row.roll(i)[room : room + n_keys] for i in range(n_queries)])

# %% wrong local_attention: full attention under a mask
# reads: needs more than the 1,024 MiB
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    mask = blocks.window_mask(T, T, window, causal)
    return blocks.attention(q, k, v, mask)[0]

# %% wrong local_attention: torch's fused attention under a mask
# reads: needs more than the 1,024 MiB
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    mask = blocks.window_mask(T, T, window, causal)
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)

# %% wrong local_attention: an index table gathers all windows
# reads: needs more than the 1,024 MiB
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    window = min(window, T)
    offsets = torch.arange(-window, 1 if causal else window + 1)
    index = torch.arange(T)[:, None] + offsets
    outside = (index < 0) | (index >= T)
    index = index.clamp(0, T - 1)
    scores = (q[..., None, :] * k[..., index, :]).sum(-1) / q.shape[-1] ** 0.5
    weights = scores.masked_fill(outside, float("-inf")).softmax(-1)
    return (weights[..., None] * v[..., index, :]).sum(-2)

# %% wrong local_attention: no scale
# reads: the scale is missing
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1)
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: divided by D
# reads: divided by D
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1]
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: keys only from the own block, whose 64 queries are more than the small example has
# reads: Do windows cross the edges of your blocks
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, same=True)
    attends.at_least(0, window=window)
    parts = []
    for start in range(0, q.shape[-2], 64):
        part = slice(start, start + 64)
        scores = q[..., part, :] @ k[..., part, :].mT / math.sqrt(q.shape[-1])
        far = torch.arange(scores.shape[-1])[:, None] - torch.arange(scores.shape[-1])
        seen = (far.abs() <= window) & ((far >= 0) | (not causal))
        parts.append(scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v[..., part, :])
    return torch.cat(parts, dim=-2)

# %% wrong local_attention: keys only from the own block
# reads: a window crosses its edges
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = max(2, window)
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = start, end
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= max(window, size)
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: window_mask for a block, whose queries are then the last of the keys
# reads: window_mask puts the queries last
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, same=True)
    attends.at_least(0, window=window)
    T, parts = q.shape[-2], []
    for start in range(0, T, 64):
        end = min(start + 64, T)
        low, high = max(0, start - window), min(T, end + window)
        scores = q[..., start:end, :] @ k[..., low:high, :].mT / math.sqrt(q.shape[-1])
        seen = window_mask(end - start, high - low, window, causal)
        parts.append(scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v[..., low:high, :])
    return torch.cat(parts, dim=-2)

# %% wrong local_attention: window_mask for a block that is as long as the window
# reads: queries last; in a block, keys lie to their right, too
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, same=True)
    attends.at_least(0, window=window)
    T, block, parts = q.shape[-2], max(window, 1), []
    for start in range(0, T, block):
        end = min(start + block, T)
        low, high = max(0, start - window), min(T, end + window)
        scores = q[..., start:end, :] @ k[..., low:high, :].mT / math.sqrt(q.shape[-1])
        seen = window_mask(end - start, high - low, window, causal)
        parts.append(scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v[..., low:high, :])
    return torch.cat(parts, dim=-2)

# %% wrong local_attention: zero padding counted as keys
# reads: counted as keys of zeros
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    window = min(window, T)
    k = torch.nn.functional.pad(k, (0, 0, window, window))
    v = torch.nn.functional.pad(v, (0, 0, window, window))
    parts = []
    for start in range(0, T, 128):
        end = min(start + 128, T)
        distance = torch.arange(start, end)[:, None] - torch.arange(start - window, end + window)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        near = slice(start, end + 2 * window)
        scores = q[..., start:end, :] @ k[..., near, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., near, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: the mask after softmax
# reads: the mask came after softmax
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.softmax(-1) * mask
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: score 0 for keys too far away
# reads: got the score 0
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, 0.0).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: one key too few
# reads: one key too short
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() < max(window, 1)
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: causal ignored
# reads: causal was not used
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: always causal
# reads: reaches to both sides
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: keys of a block reach no further than the block
# reads: entries differ
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 4
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: blocks as long as the window, so window 0 stops
# reads: range() arg 3
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = window
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: the last, short block is lost
# reads: shape
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T - T % size if T > size else T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: scores clamped instead of a stable softmax
# reads: Is the softmax a stable one?
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.exp() * mask
        weights = weights / weights.sum(-1, keepdim=True)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: scales q in place
# reads: changes its input in place
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    q.div_(q.shape[-1] ** 0.5)
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1)
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: another length of k passes
# reads: must raise a ValueError
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong local_attention: the gradient is cut
# reads: gradient
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2).detach()

# %% wrong local_attention: leading axes folded with view
# reads: RuntimeError
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    leading = q.shape[:-2]
    q, k, v = (x.view(-1, T, x.shape[-1]) for x in (q, k, v))
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2).view(*leading, T, -1)

# %% right local_attention: a loop over blocks with a mask each
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% right local_attention: fused attention inside each block
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T = q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    size = 128
    parts = []
    for start in range(0, T, size):
        end = min(start + size, T)
        low, high = max(0, start - window), min(T, end + window)
        distance = torch.arange(start, end)[:, None] - torch.arange(low, high)
        mask = distance.abs() <= window
        if causal:
            mask &= distance >= 0
        near = k[..., low:high, :], v[..., low:high, :]
        parts.append(torch.nn.functional.scaled_dot_product_attention(q[..., start:end, :], *near, attn_mask=mask))
    return torch.cat(parts, -2)

# %% right local_attention: all blocks at once, by unfold
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T, D = q.shape[-2:]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    window = min(window, T)
    size = max(window, 16)
    extra = -T % size
    pad = torch.nn.functional.pad
    q = pad(q, (0, 0, 0, extra)).unflatten(-2, (-1, size))
    k, v = (pad(x, (0, 0, window, window + extra)).unfold(-2, size + 2 * window, size) for x in (k, v))
    scores = torch.einsum("...nqd,...ndk->...nqk", q, k) / D**0.5
    at = torch.arange(size)[:, None] + window
    j = torch.arange(size + 2 * window)
    mask = (at - j).abs() <= window
    if causal:
        mask = mask & (j <= at)
    real = torch.arange(scores.shape[-3])[:, None, None] * size + j - window
    mask = mask & (real >= 0) & (real < T)
    weights = scores.masked_fill(~mask, -1e30).softmax(-1)
    return torch.einsum("...nqk,...ndk->...nqd", weights, v).flatten(-3, -2)[..., :T, :]

# %% right local_attention: one offset at a time, then softmax over offsets
def local_attention(q, k, v, window, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    T, D = q.shape[-2:]
    if k.shape[-2] != T:
        raise ValueError(f"q has {T} rows, k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window = {window}")
    window = min(window, T - 1)
    columns, offsets = [], range(-window, 1 if causal else window + 1)
    for offset in offsets:
        a, b = max(0, -offset), min(T, T - offset)
        inner = (q[..., a:b, :] * k[..., a + offset : b + offset, :]).sum(-1) / D**0.5
        columns.append(torch.nn.functional.pad(inner, (a, T - b), value=float("-inf")))
    weights = torch.stack(columns, -1).softmax(-1)
    output = torch.zeros_like(v)
    for number, offset in enumerate(offsets):
        a, b = max(0, -offset), min(T, T - offset)
        output[..., a:b, :] += weights[..., a:b, number, None] * v[..., a + offset : b + offset, :]
    return output

# %% wrong predictive_weights: renormalised
# reads: renormalised
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    mixed = weights * bell
    return mixed / mixed.sum(-1, keepdim=True)

# %% wrong predictive_weights: the 2 missing
# reads: the 2 in the exponent is missing
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / width**2)
    return weights * bell

# %% wrong predictive_weights: times width², since / 2 * width**2 has no bracket
# reads: the bracket is missing
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    return weights * torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / 2 * width**2)

# %% wrong predictive_weights: the width not squared
# reads: the width must be squared
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width))
    return weights * bell

# %% wrong predictive_weights: the distance not squared
# reads: the distance must be squared
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-(s - centre.unsqueeze(-1)).abs() / (2 * width**2))
    return weights * bell

# %% wrong predictive_weights: the centre rounded
# reads: the centre was rounded
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.round().unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights * bell

# %% wrong predictive_weights: the centre floored
# reads: the centre was rounded down
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.floor().unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights * bell

# %% wrong predictive_weights: positions from 1
# reads: positions count from 0
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights * bell

# %% wrong predictive_weights: no softmax
# reads: softmax is missing
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = scores
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights * bell

# %% wrong predictive_weights: the bell alone
# reads: this is the bell alone
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    return bell

# %% wrong predictive_weights: added
# reads: multiplied, not added
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights + bell

# %% wrong predictive_weights: a normal density
# reads: not a probability density
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights * bell / (width * (2 * torch.pi) ** 0.5)

# %% wrong predictive_weights: cut at two widths, as in the paper
# reads: keys were cut off
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    near = (s - centre.unsqueeze(-1)).abs() <= 2 * width
    return weights * bell * near

# %% wrong predictive_weights: a row of -inf gives nan
# reads: a row of -inf gives nan
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = scores.softmax(-1)
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights * bell

# %% wrong predictive_weights: nan replaced afterwards, so the gradient is nan
# reads: infinite or not a number
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = scores.softmax(-1).nan_to_num(0.0)
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights * bell

# %% wrong predictive_weights: the centre detached
# reads: gradient
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.detach().unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights * bell

# %% wrong predictive_weights: the centre without a new axis
# reads: centre needs a last axis
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre) ** 2) / (2 * width**2))
    return weights * bell

# %% wrong predictive_weights: positions in float64
# reads: dtype torch.float64, expected torch.float32
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=torch.float64)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights * bell

# %% wrong predictive_weights: a width of 0 passes
# reads: must raise a ValueError
def predictive_weights(scores, centre, width):
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights * bell

# %% wrong predictive_weights: sizes are not checked
# reads: must raise a ValueError
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    weights = blocks.masked_softmax(scores, ~scores.isneginf())
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights * bell

# %% right predictive_weights: exponentials by hand
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    top = scores.amax(-1, keepdim=True)
    exps = torch.exp(scores - torch.where(top.isneginf(), 0.0, top))
    total = exps.sum(-1, keepdim=True)
    weights = exps / torch.where(total == 0, 1.0, total)
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) ** 2) / (2 * width**2))
    return weights * bell

# %% right predictive_weights: a row of -inf filled with 0 first
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    nobody = torch.isneginf(scores).all(dim=-1, keepdim=True)
    weights = torch.softmax(scores.masked_fill(nobody, 0), dim=-1).masked_fill(nobody, 0)
    s = torch.arange(scores.shape[-1], dtype=scores.dtype)
    bell = torch.exp(-((s - centre.unsqueeze(-1)) / width) ** 2 / 2)
    return weights * bell

# %% right predictive_weights: a loop over keys
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width = {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre {tuple(centre.shape)}, scores {tuple(scores.shape)}")
    weights = blocks.masked_softmax(scores, scores > float("-inf"))
    columns = []
    for s in range(scores.shape[-1]):
        columns.append(weights[..., s] * torch.exp(-(s - centre) ** 2 / (2 * width ** 2)))
    return torch.stack(columns, dim=-1)

# %% right predictive_weights: one exponential of summed logarithms
def predictive_weights(scores, centre, width):
    if not width > 0:
        raise ValueError(f"width must be above 0, got {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre is {tuple(centre.shape)}, but scores are {tuple(scores.shape)}")
    some = scores.isneginf().all(-1, keepdim=True)
    safe = scores.masked_fill(some, 0.0)
    away = torch.arange(scores.shape[-1]).to(scores) - centre.unsqueeze(-1)
    return torch.exp(safe - safe.logsumexp(-1, keepdim=True) - 0.5 * (away / width).square()).masked_fill(some, 0.0)

# %% wrong global_mask: rows only
# reads: its column is missing
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[position, :] = True
    return mask

# %% wrong global_mask: columns only
# reads: its row is missing
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[:, position] = True
    return mask

# %% wrong global_mask: no window
# reads: the window is missing
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = torch.zeros(n, n, dtype=torch.bool)
    for position in global_positions:
        mask[position, :] = True
        mask[:, position] = True
    return mask

# %% wrong global_mask: global tokens not used
# reads: the global token was not used
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        pass
    return mask

# %% wrong global_mask: global tokens see only each other
# reads: the global token was not used
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[position, list(global_positions)] = True
    return mask

# %% wrong global_mask: True means blocked
# reads: True and False are swapped
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[position, :] = True
        mask[:, position] = True
    return ~mask

# %% wrong global_mask: causal
# reads: not causal
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[position, :] = True
        mask[:, position] = True
    return mask.tril()

# %% wrong global_mask: only the first global position
# reads: entries differ
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[position, :] = True
        mask[:, position] = True
        break
    return mask

# %% wrong global_mask: repeats switch off again
# reads: entries differ
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[position, :] = True if list(global_positions).count(position) == 1 else False
        mask[:, position] = True
    return mask

# %% wrong global_mask: a tuple as an index
# reads: entr
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    mask = blocks.window_mask(n, n, window)
    mask[global_positions] = True
    mask[:, global_positions] = True
    return mask

# %% wrong global_mask: -1 means the last
# reads: global_mask(5, 1, [-1]) must raise a ValueError
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[position, :] = True
        mask[:, position] = True
    return mask

# %% wrong global_mask: n itself passes
# reads: IndexError
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position > n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[position, :] = True
        mask[:, position] = True
    return mask

# %% wrong global_mask: errors are IndexErrors of the library
# reads: IndexError
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        pass
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[position, :] = True
        mask[:, position] = True
    return mask

# %% wrong global_mask: strictly nearer than window
# reads: entr
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() < window
    for position in global_positions:
        mask[position, :] = True
        mask[:, position] = True
    return mask

# %% wrong global_mask: a negative window passes
# reads: must raise a ValueError
def global_mask(n, window, global_positions):
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[position, :] = True
        mask[:, position] = True
    return mask

# %% wrong global_mask: repeats removed from the learner's list in place
# reads: in place
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    if type(global_positions) is list:
        global_positions.sort()
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[position, :] = True
        mask[:, position] = True
    return mask

# %% right global_mask: a loop over rows and columns
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    for position in global_positions:
        mask[position, :] = True
        mask[:, position] = True
    return mask

# %% right global_mask: a flag for each position
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    chosen = torch.zeros(n, dtype=torch.bool)
    chosen[list(global_positions)] = True
    return mask | chosen[:, None] | chosen[None, :]

# %% right global_mask: a list of lists
def global_mask(n, window, global_positions):
    chosen = set(global_positions)
    if window < 0 or any(p not in range(n) for p in chosen):
        raise ValueError(f"window {window}, global_positions {sorted(chosen)}, n {n}")
    return torch.tensor(
        [[abs(i - j) <= window or i in chosen or j in chosen for j in range(n)] for i in range(n)]
    )

# %% right global_mask: isin
def global_mask(n, window, global_positions):
    if window < 0:
        raise ValueError(f"window = {window}")
    for position in global_positions:
        if position < 0 or position >= n:
            raise ValueError(f"position {position} of global_positions is outside n = {n}")
    i = torch.arange(n)
    mask = (i[:, None] - i).abs() <= window
    chosen = torch.isin(i, torch.tensor(global_positions, dtype=torch.long))
    return mask | chosen | chosen.unsqueeze(1)

# %% wrong segment_attention: full attention under a mask
# reads: needs more than the 1,024 MiB
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    p = torch.arange(S - T, S)[:, None]
    j = torch.arange(S)
    back = p // segment - j // segment
    mask = (j <= p) & (back <= 1)
    return blocks.attention(q, k, v, mask)[0]

# %% wrong segment_attention: the own segment only
# reads: the one before is seen, too
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = number * segment, last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: not causal
# reads: the future was seen
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns < S
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: the future of the own segment
# reads: the future was seen within the segment
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns // segment <= rows // segment
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: all the past
# reads: the segment before the last one is too far
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = 0, last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: two segments before
# reads: entr
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 2) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: a sliding window
# reads: a sliding window of 2
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    p = torch.arange(S - T, S)[:, None]
    j = torch.arange(S)
    back = p // segment - j // segment
    mask = (j <= p) & (p - j <= segment)
    return blocks.attention(q, k, v, mask)[0]

# %% wrong segment_attention: no scale
# reads: the scale is missing
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: zeros before the first segment
# reads: zeros were counted as keys
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        if number == 0:
            none = scores.new_zeros(*scores.shape[:-1], segment)
            padded = torch.cat([none, scores.masked_fill(~mask, float("-inf"))], -1).softmax(-1)
            parts.append(padded[..., segment:] @ v[..., low:high, :])
            continue
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: segments counted from the first query
# reads: all the past was seen
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    parts = []
    for first in range(0, T, segment):
        last = min(first + segment, T)
        rows = torch.arange(first, last)[:, None] + S - T
        low, high = max(0, first + S - T - segment), last + S - T
        if first == 0:
            low = 0
        scores = q[..., first:last, :] @ k[..., low:high, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(torch.arange(low, high) > rows, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: a loop from the first query on
# reads: count from the first key
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    attends.at_least(1, segment=segment)
    S, shift, parts = k.shape[-2], k.shape[-2] - q.shape[-2], []
    for start in range(shift, S, segment):
        end, low = min(start + segment, S), max(0, start - segment)
        scores = q[..., start - shift : end - shift, :] @ k[..., low:end, :].mT / math.sqrt(q.shape[-1])
        future = torch.arange(low, end) > torch.arange(start, end)[:, None]
        parts.append(scores.masked_fill(future, -torch.inf).softmax(-1) @ v[..., low:end, :])
    return torch.cat(parts, dim=-2)

# %% wrong segment_attention: queries aligned at the start
# reads: they are the last positions
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = 0
    parts = []
    for number in range(shift // segment, (T - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, T)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: the segment before without a gradient
# reads: gradient
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts, before = [], k.detach()
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        start = number * segment
        keys = torch.cat([before[..., low:start, :], k[..., start:high, :]], -2) if low < start else k[..., low:high, :]
        scores = q[..., first - shift : last - shift, :] @ keys.transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: the last, ragged segment is lost
# reads: shape
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, max(S // segment, shift // segment + 1)):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: fewer keys than queries pass
# reads: must raise a ValueError
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=False)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: a segment of 0 passes
# reads: ZeroDivisionError
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% wrong segment_attention: no stable softmax
# reads: Is the softmax a stable one?
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.exp() * mask
        parts.append(weights @ v[..., low:high, :] / weights.sum(-1, keepdim=True))
    return torch.cat(parts, -2)

# %% right segment_attention: a loop over segment numbers
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% right segment_attention: fused attention in each segment
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        part = q[..., first - shift : last - shift, :], k[..., low:high, :], v[..., low:high, :]
        parts.append(torch.nn.functional.scaled_dot_product_attention(*part, attn_mask=mask))
    return torch.cat(parts, -2)

# %% right segment_attention: the given causal mask for each segment
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        mask = blocks.causal_mask(last - first, high - low)
        scores = q[..., first - shift : last - shift, :] @ k[..., low:high, :].transpose(-2, -1)
        scores = scores / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        parts.append(weights @ v[..., low:high, :])
    return torch.cat(parts, -2)

# %% right segment_attention: two softmax parts joined, einsum
def segment_attention(q, k, v, segment):
    attends.check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment = {segment}")
    T, S = q.shape[-2], k.shape[-2]
    shift = S - T
    parts = []
    for number in range(shift // segment, (S - 1) // segment + 1):
        first, last = max(number * segment, shift), min((number + 1) * segment, S)
        low, high = max((number - 1) * segment, 0), last
        rows = torch.arange(first, last)[:, None]
        columns = torch.arange(low, high)
        mask = columns <= rows
        asked = q[..., first - shift : last - shift, :]
        scores = torch.einsum("...td,...sd->...ts", asked, k[..., low:high, :]) * asked.shape[-1] ** -0.5
        scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
        exps = torch.exp(scores - scores.amax(-1, keepdim=True)) * mask
        parts.append(exps @ v[..., low:high, :] / exps.sum(-1, keepdim=True))
    return torch.cat(parts, -2)

# %% wrong linear_attention: not normalised
# reads: divide by the normaliser
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return upper

# %% wrong linear_attention: exponential instead of elu + 1
# reads: this is the exponential
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = q.exp(), k.exp()
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% wrong linear_attention: scaled
# reads: there is no 1/√D here
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q / q.shape[-1] ** 0.5) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% wrong linear_attention: relu + 1
# reads: this is relu + 1
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.relu(q) + 1, torch.nn.functional.relu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% wrong linear_attention: elu without the 1
# reads: the 1 of
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q), torch.nn.functional.elu(k)
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return upper / lower

# %% wrong linear_attention: φ for q only
# reads: k was left as it was
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, k
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% wrong linear_attention: softmax attention
# reads: this is softmax attention
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    mask = blocks.causal_mask(q.shape[-2], k.shape[-2]) if causal else None
    return blocks.attention(q, k, v, mask)[0]

# %% wrong linear_attention: the right numbers by a (T, S) table
# reads: needs more than the 1,024 MiB
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    scores = q @ k.transpose(-2, -1)
    if causal:
        scores = scores.tril(k.shape[-2] - q.shape[-2])
    total = scores.sum(-1, keepdim=True)
    return scores @ v / total.masked_fill(total == 0, 1)

# %% wrong linear_attention: softmax of the products
# reads: there is no exponential here
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    scores = q @ k.transpose(-2, -1)
    if causal:
        scores = scores.tril(k.shape[-2] - q.shape[-2])
    scores = scores.softmax(-1)
    total = scores.sum(-1, keepdim=True)
    return scores @ v / total.masked_fill(total == 0, 1)

# %% wrong linear_attention: causal ignored
# reads: causal was not used
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if False:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% wrong linear_attention: sums from the end
# reads: causal means the past
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.einsum("...sd,...se->...sde", k, v).flip(-3).cumsum(-3).flip(-3)[..., -T:, :, :]
        lower = k.flip(-2).cumsum(-2).flip(-2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% wrong linear_attention: the running sum only above
# reads: below it, too
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = k.sum(-2, keepdim=True)
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = (q * lower).sum(-1, keepdim=True)
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% wrong linear_attention: the running sum only below
# reads: above it, too
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.einsum("...sd,...se->...de", k, v).unsqueeze(-3).expand(*q.shape, v.shape[-1])
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% wrong linear_attention: causal for as many queries as keys only
# reads: linear_attention(q[2:], k, v, causal=True) has shape (3, 1), expected (1, 1)
# reads: at position 2 of three
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        upper = (q[..., None] * (k[..., None] * v[..., None, :]).cumsum(-3)).sum(-2)
        lower = (q * k.cumsum(-2)).sum(-1, keepdim=True)
    else:
        upper = q @ (k.mT @ v)
        lower = q @ k.sum(-2)[..., None]
    return upper / torch.where(lower == 0, 1.0, lower)

# %% wrong linear_attention: causal aligned at the start
# reads: they are the last positions
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., :T, :, :]
        lower = torch.cumsum(k, -2)[..., :T, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% wrong linear_attention: 0 / 0 is nan
# reads: the output is 0
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return upper / lower

# %% wrong linear_attention: eps below the line
# reads: No eps
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return upper / (lower + 1e-6)

# %% wrong linear_attention: a floor below the line
# reads: a small sum below the line divides as it is
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return upper / lower.clamp(min=1e-3)

# %% wrong linear_attention: a tiny floor below the line
# reads: a small sum below the line divides as it is
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return upper / lower.clamp(min=1e-12)

# %% wrong linear_attention: nan replaced afterwards, so the gradient is nan
# reads: gradient
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return (upper / lower).nan_to_num(0.0)

# %% wrong linear_attention: fewer keys than queries pass
# reads: torch.ones((4, 6)), True) must raise a ValueError
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=False)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% wrong linear_attention: fewer keys than queries never pass
# reads: ValueError
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=True)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% wrong linear_attention: sizes are not checked
# reads: must raise a ValueError
def linear_attention(q, k, v, causal=False):
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% right linear_attention: einsum
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        upper = torch.cumsum(torch.einsum("...sd,...se->...sde", k, v), -3)[..., -T:, :, :]
        lower = torch.cumsum(k, -2)[..., -T:, :]
        upper = torch.einsum("...td,...tde->...te", q, upper)
        lower = torch.einsum("...td,...td->...t", q, lower)[..., None]
    else:
        upper = q @ torch.einsum("...sd,...se->...de", k, v)
        lower = (q @ k.sum(-2)[..., None])
    return torch.where(lower == 0, 0.0, upper / torch.where(lower == 0, 1.0, lower))

# %% right linear_attention: chunks with a running state
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    v = torch.cat([v, torch.ones_like(v[..., :1])], -1)  # the last column sums the normaliser
    if not causal:
        both = q @ (k.transpose(-2, -1) @ v)
    else:
        shift, parts = k.shape[-2] - q.shape[-2], []
        state = k[..., :shift, :].transpose(-2, -1) @ v[..., :shift, :]
        for start in range(0, q.shape[-2], 64):
            now, there = q[..., start : start + 64, :], slice(start + shift, start + shift + 64)
            keys, values = k[..., there, :], v[..., there, :]
            parts.append(now @ state + (now @ keys.transpose(-2, -1)).tril() @ values)
            state = state + keys.transpose(-2, -1) @ values
        both = torch.cat(parts, -2)
    output, total = both[..., :-1], both[..., -1:]
    return output / (total + (total == 0))

# %% right linear_attention: the recurrence, a key at a time
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = (torch.where(x > 0, x + 1, x.clamp(max=0).exp()) for x in (q, k))
    if not causal:
        total = (q * k.sum(-2, keepdim=True)).sum(-1, keepdim=True)
        return q @ (k.mT @ v) / torch.where(total == 0, 1, total)
    shift = k.shape[-2] - q.shape[-2]
    state, count, outputs = torch.zeros_like(k[..., 0, :, None] * v[..., 0, None, :]), 0, []
    for j, (key, value) in enumerate(zip(k.unbind(-2), v.unbind(-2), strict=True)):
        state, count = state + key[..., None] * value[..., None, :], count + key
        if j >= shift:
            asked = q[..., j - shift, :]
            total = (asked * count).sum(-1, keepdim=True)
            outputs.append((asked[..., None, :] @ state).squeeze(-2) / torch.where(total == 0, 1, total))
    return torch.stack(outputs, -2)

# %% right linear_attention: a running sum for each feature of the query
def linear_attention(q, k, v, causal=False):
    attends.check_sizes(q, k, v, aligned=causal)
    q, k = (torch.exp(x.clamp(max=0)) + x.clamp(min=0) for x in (q, k))
    output, total = 0, 0
    for d in range(q.shape[-1]):
        asked, found = q[..., d, None], k[..., d, None]
        if causal:
            last = slice(k.shape[-2] - q.shape[-2], None)
            upper = (found * v).cumsum(-2)[..., last, :]
            lower = found.cumsum(-2)[..., last, :]
        else:
            upper, lower = (found * v).sum(-2, keepdim=True), found.sum(-2, keepdim=True)
        output, total = output + asked * upper, total + asked * lower
    return output / torch.where(total == 0, torch.ones_like(total), total)

# %% wrong online_attention: all scores at once
# reads: needs more than the 1,024 MiB
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is None:
        mask = torch.ones(k.shape[-2], dtype=torch.bool)
    try:
        mask = mask.expand(shape)
    except RuntimeError:
        raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    return blocks.masked_softmax(scores, mask) @ v

# %% wrong online_attention: all scores at once, and no maximum
# reads: subtract the largest score so far
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    attends.at_least(1, block_size=block_size)
    attends.check_mask(mask, (*q.shape[:-1], k.shape[-2]))
    e = (q @ k.mT / math.sqrt(q.shape[-1])).exp()
    e = e if mask is None else e * mask
    total = e.sum(-1, keepdim=True)
    return e @ v / total.masked_fill(total == 0, 1)

# %% wrong online_attention: a mask is sliced without expand
# reads: non-zero size
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    attends.at_least(1, block_size=block_size)
    attends.check_mask(mask, (*q.shape[:-1], k.shape[-2]))
    m = q.new_full((*q.shape[:-1], 1), -torch.inf)
    l, o = torch.zeros_like(m), q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        part = slice(start, start + block_size)
        s = q @ k[..., part, :].mT / math.sqrt(q.shape[-1])
        if mask is not None:
            s = s.masked_fill(~mask[..., part], -torch.inf)
        new = torch.maximum(m, s.amax(-1, keepdim=True)).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old, e = (m - safe).exp(), (s - safe).exp()
        l, o, m = l * old + e.sum(-1, keepdim=True), o * old + e @ v[..., part, :], new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: torch's fused attention
# reads: off limits
def online_attention(q, k, v, block_size, mask=None):
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)

# %% wrong online_attention: the mean of the blocks' outputs
# reads: the mean of the blocks' outputs
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    outputs = []
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        outputs.append(s.softmax(-1) @ v[..., start:end, :])
    return torch.stack(outputs).mean(0)

# %% wrong online_attention: the last block replaces the others
# reads: only the last block counts
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = e.sum(-1, keepdim=True)
        o = e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: whole blocks only
# reads: the last one may be short
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2] - block_size + 1, block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: each block its own largest, nothing shrinks
# reads: nothing shrank
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = s.max(-1, keepdim=True).values.detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l + e.sum(-1, keepdim=True)
        o = o + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: never divided
# reads: divide by the sum at the end
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o

# %% wrong online_attention: no scale
# reads: the scale is missing
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1)
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: the output does not shrink
# reads: the output must shrink, too
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: the sum does not shrink
# reads: the sum must shrink, too
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: shrinks the wrong way
# reads: differ
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = torch.where(m.isneginf(), 0.0, (safe - m).exp())
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: the maximum starts at 0
# reads: differ
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_zeros((*q.shape[:-1], 1))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: no maximum at all
# reads: differ
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.zeros_like(m)
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: the maximum of the first block for ever
# reads: differ
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = s.max(-1, keepdim=True).values.detach() if start == 0 else m
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: -inf minus -inf
# reads: zeros; 0 / 0
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = new
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: 0 / 0 at the end
# reads: zeros; 0 / 0
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / l

# %% wrong online_attention: a mask of -1e9
# reads: zeros, not a mean
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], -1e9)
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: the mask turned round
# reads: the mask is turned round
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: the mask not used
# reads: the mask was not used
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if False:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: masked keys count below the line
# reads: still count below the line
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            pass
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + (e if mask is None else e * mask[..., start:end]) @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: a mask whose last axis is 1 is sliced away
# reads: differ
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            part = mask[..., start:end] if mask.shape[-1] != 1 or start == 0 else torch.ones(1, dtype=torch.bool)
            s = s.masked_fill(~part, float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: nan replaced at the end, so the gradient is nan
# reads: gradient
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = new
        old = (m - safe).exp().nan_to_num(0.0)
        e = (s - safe).exp().nan_to_num(0.0)
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return (o / l).nan_to_num(0.0)

# %% wrong online_attention: weights detached
# reads: gradient
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp().detach()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: sums in float32
# reads: dtype
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m, dtype=torch.float32)
    o = torch.zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp().float()
        e = (s - safe).exp().float()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :].float()
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: a block of 0 passes
# reads: must raise a ValueError
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        block_size = 1
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% wrong online_attention: the meter's fused attention
# reads: off limits
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    attends.at_least(1, block_size=block_size)
    shape = (*q.shape[:-1], k.shape[-2])  # given: the shape that all scores would have
    attends.check_mask(mask, shape)
    four = [x.reshape(1, -1, *x.shape[-2:]) for x in (q, k, v)]
    m = None if mask is None else mask.expand(shape).reshape(1, -1, *shape[-2:])
    return meter.fused(*four, attn_mask=m).reshape(*q.shape[:-1], v.shape[-1])

# %% right online_attention: the formula, another safe base
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% right online_attention: two passes: first the maximum, then the sums
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = torch.full_like(q[..., :1], float("-inf"))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        m = torch.maximum(m, s.amax(-1, keepdim=True)).detach()
    m = m.masked_fill(m.isneginf(), 0.0)
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        e = (s - m).exp()
        l = l + e.sum(-1, keepdim=True)
        o = o + e @ v[..., start:end, :]
    return o / torch.where(l == 0, 1.0, l)

# %% right online_attention: a very low start instead of -inf
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), -1e30)
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block_size):
        end = start + block_size
        s = q @ k[..., start:end, :].transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask[..., start:end], float("-inf"))
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = new
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ v[..., start:end, :]
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% right online_attention: split and zip over the blocks
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size = {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        try:
            mask = mask.expand(shape)
        except RuntimeError:
            raise ValueError(f"mask {tuple(mask.shape)} does not fit {shape}") from None
    m = q.new_full((*q.shape[:-1], 1), float("-inf"))
    l = torch.zeros_like(m)
    o = q.new_zeros((*q.shape[:-1], v.shape[-1]))
    allowed = torch.ones((), dtype=torch.bool).expand(shape) if mask is None else mask
    for keys, values, may in zip(*(x.split(block_size, d) for x, d in ((k, -2), (v, -2), (allowed, -1)))):
        s = torch.einsum("...td,...sd->...ts", q, keys) / q.shape[-1] ** 0.5
        s = torch.where(may, s, -torch.inf)
        new = torch.maximum(m, s.max(-1, keepdim=True).values).detach()
        safe = torch.where(new.isneginf(), 0.0, new)
        old = (m - safe).exp()
        e = (s - safe).exp()
        l = l * old + e.sum(-1, keepdim=True)
        o = o * old + e @ values
        m = new
    return o / torch.where(l == 0, 1.0, l)

# %% right online_attention: softmax of each block, joined by their logarithms
def online_attention(q, k, v, block_size, mask=None):
    attends.check_sizes(q, k, v)
    attends.at_least(1, block_size=block_size)
    shape = (*q.shape[:-1], k.shape[-2])
    attends.check_mask(mask, shape)
    out, total = 0, q.new_full((*q.shape[:-1], 1), -torch.inf)
    for start in range(0, shape[-1], block_size):
        part = slice(start, start + block_size)
        s = q @ k[..., part, :].mT / q.shape[-1] ** 0.5
        if mask is not None:
            s = s.masked_fill(~mask.expand(shape)[..., part], -torch.inf)
        dead = s.isneginf().all(-1, keepdim=True)
        safe = s.masked_fill(dead, 0.0)
        lse = safe.logsumexp(-1, keepdim=True).masked_fill(dead, -torch.inf)
        old = total.isneginf()
        both = torch.logaddexp(total.masked_fill(old, -1e300 if s.dtype == torch.float64 else -1e30), lse.masked_fill(dead, -1e300 if s.dtype == torch.float64 else -1e30))
        a = torch.where(old, 0.0, (total.masked_fill(old, 0) - both.masked_fill(old, 0)).exp())
        b = torch.where(dead, 0.0, (lse.masked_fill(dead, 0) - both.masked_fill(dead, 0)).exp())
        out = a * out + b * (safe.softmax(-1) @ v[..., part, :])
        total = torch.where(old & dead, -torch.inf, both)
    return out

# %% wrong RollingCache: nothing is forgotten
# reads: one position too many
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k
        self.v = v
        return self.k, self.v

# %% wrong RollingCache: keeps everything, returns the last
# reads: (131072, 66) float32
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k, self.v = k, v
        return k[..., -self.window :, :], v[..., -self.window :, :]

# %% wrong RollingCache: keeps a view
# reads: (131072, 66) float32
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k[..., -self.window :, :]
        self.v = v[..., -self.window :, :]
        return self.k, self.v

# %% wrong RollingCache: clones, then slices
# reads: (131072, 66) float32
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k.clone()[..., -self.window :, :]
        self.v = v.clone()[..., -self.window :, :]
        return self.k, self.v

# %% wrong RollingCache: a view is kept when it is contiguous
# reads: (131072, 66) float32
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k[..., -self.window :, :].contiguous()
        self.v = v[..., -self.window :, :].contiguous()
        return self.k, self.v

# %% wrong RollingCache: keeps the first positions
# reads: these are the first positions
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k[..., : self.window, :].clone()
        self.v = v[..., : self.window, :].clone()
        return self.k, self.v

# %% wrong RollingCache: one position too many
# reads: one position too many
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k[..., -self.window - 1 :, :].clone()
        self.v = v[..., -self.window - 1 :, :].clone()
        return self.k, self.v

# %% wrong RollingCache: the newest first
# reads: oldest first
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([k, self.k], dim=-2)
            v = torch.cat([v, self.v], dim=-2)
        self.k = k[..., : self.window, :].clone()
        self.v = v[..., : self.window, :].clone()
        return self.k, self.v

# %% wrong RollingCache: a ring in the order of its slots
# reads: oldest first
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window, self.seen, self.k, self.v = window, 0, None, None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is None:
            self.k = k.new_zeros(*k.shape[:-2], self.window, k.shape[-1])
            self.v = v.new_zeros(*v.shape[:-2], self.window, v.shape[-1])
        for n in range(k.shape[-2]):
            slot = self.seen % self.window
            self.k[..., slot, :] = k[..., n, :]
            self.v[..., slot, :] = v[..., n, :]
            self.seen += 1
        filled = min(self.seen, self.window)
        return self.k[..., :filled, :].clone(), self.v[..., :filled, :].clone()

# %% wrong RollingCache: returns the new ones only
# reads: the older ones belong before them
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        fresh = k, v
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k[..., -self.window :, :].clone()
        self.v = v[..., -self.window :, :].clone()
        return fresh[0][..., -self.window :, :], fresh[1][..., -self.window :, :]

# %% wrong RollingCache: a long chunk is only shortened by its own length
# reads: longer than the window must be cut
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        self.fresh = k.shape[-2]
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k[..., -max(self.window, self.fresh) :, :].clone()
        self.v = v[..., -max(self.window, self.fresh) :, :].clone()
        return self.k, self.v

# %% wrong RollingCache: positions on the first axis
# reads: shape
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([self.k, k], dim=0)
            v = torch.cat([self.v, v], dim=0)
        self.k = k[-self.window :].clone()
        self.v = v[-self.window :].clone()
        return self.k, self.v

# %% wrong RollingCache: a default list shared by all caches
# reads: Tensors must have same number of dimensions
class RollingCache:
    def __init__(self, window, kept=[]):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window, self.kept = window, kept

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.kept and self.kept[0].shape[-1] == k.shape[-1]:
            k = torch.cat([self.kept[0], k], dim=-2)
            v = torch.cat([self.kept[1], v], dim=-2)
        self.kept[:] = k[..., -self.window :, :].clone(), v[..., -self.window :, :].clone()
        return tuple(self.kept)

# %% wrong RollingCache: detached
# reads: no gradient arrives, the result is cut off
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k[..., -self.window :, :].detach().clone()
        self.v = v[..., -self.window :, :].detach().clone()
        return self.k, self.v

# %% wrong RollingCache: the past is detached
# reads: after cache.append(x[:2], 2 * x[:2]), cache = RollingCache(3): the gradient
class RollingCache:
    def __init__(self, window):
        attends.at_least(1, window=window)
        self.window, self.k, self.v = window, None, None

    def _join(self, old, new):
        both = new if old is None else torch.cat([old.detach(), new], dim=-2)
        return both[..., -self.window :, :].clone()

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        self.k, self.v = self._join(self.k, k), self._join(self.v, v)
        return self.k, self.v

# %% wrong RollingCache: values not cut
# reads: shape
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k[..., -self.window :, :].clone()
        self.v = v.clone()
        return self.k, self.v

# %% wrong RollingCache: a window of 0 passes
# reads: RollingCache(0) must raise a ValueError
class RollingCache:
    def __init__(self, window):
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k[..., -self.window :, :].clone()
        self.v = v[..., -self.window :, :].clone()
        return self.k, self.v

# %% wrong RollingCache: keys and values of other lengths pass
# reads: must raise a ValueError
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k[..., -self.window :, :].clone()
        self.v = v[..., -self.window :, :].clone()
        return self.k, self.v

# %% wrong RollingCache: results of all calls are kept
# reads: Forget what was kept before
class RollingCache:
    def __init__(self, window):
        attends.at_least(1, window=window)
        self.window, self.parts = window, []

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
        if self.parts:
            old = self.parts[-1]
            k, v = torch.cat([old[0], k], -2), torch.cat([old[1], v], -2)
        self.parts.append((k[..., -self.window:, :].clone(), v[..., -self.window:, :].clone()))
        return self.parts[-1]

# %% right RollingCache: cat and clone
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.k is not None:
            k = torch.cat([self.k, k], dim=-2)
            v = torch.cat([self.v, v], dim=-2)
        self.k = k[..., -self.window :, :].clone()
        self.v = v[..., -self.window :, :].clone()
        return self.k, self.v

# %% right RollingCache: one tensor for both
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window = window
        self.k = None
        self.v = None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        both = torch.cat([k, v], dim=-1)[..., -self.window :, :]
        if self.k is not None:
            both = torch.cat([self.k, both], dim=-2)[..., -self.window :, :]
        self.k = both.clone()
        return self.k.split((k.shape[-1], v.shape[-1]), dim=-1)

# %% right RollingCache: a queue of single positions
from collections import deque


class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window is {window}")
        self.kept = deque(maxlen=window)

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        new = min(k.shape[-2], self.kept.maxlen)
        for n in range(k.shape[-2] - new, k.shape[-2]):
            self.kept.append((k[..., n, :].clone(), v[..., n, :].clone()))
        keys, values = zip(*self.kept)
        return torch.stack(keys, dim=-2), torch.stack(values, dim=-2)

# %% right RollingCache: a ring put in order
class RollingCache:
    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window = {window}")
        self.window, self.seen, self.ring = window, 0, None

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)}, v {tuple(v.shape)}")
        if self.ring is None:
            self.ring = [x.new_zeros(*x.shape[:-2], self.window, x.shape[-1]) for x in (k, v)]
        skipped = max(0, k.shape[-2] - self.window)
        slots = torch.arange(self.seen + skipped, self.seen + k.shape[-2]) % self.window
        self.ring = [
            old.index_copy(-2, slots, new[..., skipped:, :]) for old, new in zip(self.ring, (k, v))
        ]
        self.seen += k.shape[-2]
        order = torch.arange(max(0, self.seen - self.window), self.seen) % self.window
        return tuple(part[..., order, :] for part in self.ring)
