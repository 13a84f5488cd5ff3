# %% [markdown]
# # 05 · Local attention: long texts on a small machine
#
# **Goal.** Write attention that reads 65,536 tokens in less than 1 GiB: windows, segments, a linear form, exact
# attention in blocks, and a cache that never grows.
#
# **Why.** Full attention compares everything with everything: twice the text, four times the work. Books, recordings,
# genomes and long chats are out of reach. Each exercise saves in another way, and you measure what it costs.
#
# You need lesson 03. About 85 minutes, in as many evenings as you like.

# %%
import time
import weakref

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from byhand import blocks, check, plot

# %% [markdown]
# ## The idea: not everybody needs everybody
#
# In most texts, what a word needs is near. So let each query see a **window** of keys. A mask alone saves nothing:
# the hidden scores are computed, stored and thrown away. To save, never compute them.

# %%
caption = (
    "What to see: only a band of width 7 is used. Twice the text, twice the band, but four times the square."
)
ax = plot.mask(blocks.window_mask(20, 20, 3), caption=caption)

# %% [markdown]
# **Question:** what share of the square is used at 65,536 tokens and a window of 128 to either side?
#
# <details><summary>Answer</summary>257 of 65,536 keys for each query, 0.4 percent.</details>
#
# ### Before you start
#
# Throughout: q `(…, T, D)`, k `(…, S, D)`, v `(…, S, Dv)`, the same leading axes, scale $1/\sqrt D$; functions return
# the output only. Queries are the **last** T of the S positions: query $i$ sits at position $p = i + S - T$. The checks
# of sizes are given: call `check_sizes`, as the cells below do. Inputs stay unchanged, dtypes too.


# %%
def check_sizes(q, k, v, aligned=False):
    """Given: raise a ValueError if sizes do not fit. aligned: each query has a key at its own position, S >= T."""
    sizes = f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)}"
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"{sizes} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"{sizes}: each key needs a value")
    if aligned and k.shape[-2] < q.shape[-2]:
        raise ValueError(f"{sizes}: fewer keys than queries")


# %% [markdown]
# ### Exercise 1 · `window_mask` — 2 points, difficulty 2/3, importance 3/3, about 6 minutes
#
# A query at position $p = i + S - T$ sees the keys at most `window` away:
#
# $$|p - j| \le w, \qquad \text{if causal, also } j \le p$$
#
# So a causal query sees `window + 1` keys, its own among them. Fewer keys than queries, or a window below 0: a
# `ValueError` that names the argument and its numbers.
#
# **Predict first:** what does `window_mask(4, 4, 0)` look like?
#
# <details><summary>Answer</summary>Only the diagonal: everybody sees just themselves.</details>
# <details><summary>Hint 1 · idea</summary>Make the table of all distances, position of the query minus position of the key.</details>
# <details><summary>Hint 2 · shape of the answer</summary>A column <code>(T, 1)</code> minus a row <code>(S,)</code> is <code>(T, S)</code>; then compare.</details>
# <details><summary>Hint 3 · nearly there</summary>The column starts at S − T. Causal: the distance itself, without <code>abs</code>, is at least 0. Join with <code>&</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "window_mask", "locked": false, "solution": true, "task": false}
def window_mask(n_queries, n_keys, window, causal=False):
    """Which keys each query may attend to: those at most `window` positions away.

    n_queries: T, n_keys: S; the queries are the last T positions. causal: no key after the query's own.
    Returns: (T, S) bool, True = may attend.
    Raises: ValueError if S < T or window < 0.
    """
    if n_keys < n_queries:
        raise ValueError(f"n_keys is {n_keys}, but n_queries is {n_queries}")
    if window < 0:
        raise ValueError(f"window must not be below 0, got {window}")
    ### BEGIN SOLUTION
    positions = torch.arange(n_queries)[:, None] + (n_keys - n_queries)  # (T, 1)
    ahead = torch.arange(n_keys) - positions  # (T, S), how far the key lies after the query
    return (ahead.abs() <= window) & (ahead <= (0 if causal else window))
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_window_mask", "locked": true, "points": 2, "solution": false, "task": false}
import torch

from byhand import check

with check.exercise("window_mask"):
    check.source("window_mask", forbid=("blocks.window_mask",), allow_text="torch.arange and comparisons.")
    wrong = {
        "the first query sits at position S - T = 2, not 0; align at the end.": [[1, 1, 0, 0], [1, 1, 1, 0]],
        "a distance of exactly window is still seen.": [[0, 0, 1, 0], [0, 0, 0, 1]],
        "True and False are swapped: True means the query MAY attend.": [[1, 0, 0, 0], [1, 1, 0, 0]],
        "a window reaches to both sides unless causal.": [[0, 1, 1, 0], [0, 0, 1, 1]],
        "keys far behind are outside the window, too.": [[1, 1, 1, 1], [1, 1, 1, 1]],
    }
    want, axes = torch.tensor([[False, True, True, True], [False, False, True, True]]), ("query", "key")
    check.values("window_mask(2, 4, 1)", window_mask(2, 4, 1), want, axes=axes, known_wrong=wrong)
    wrong = {
        "causal was not used: no key after the query's own.": [[0, 1, 1, 1], [0, 0, 1, 1]],
        "this is the future; causal means the past.": [[0, 0, 1, 1], [0, 0, 0, 1]],
        "causal: the query's own key is seen, too.": [[0, 1, 0, 0], [0, 0, 1, 0]],
        "causal: window + 1 keys, window before it and its own.": [[0, 0, 1, 0], [0, 0, 0, 1]],
        "causal, but the window was not used.": [[1, 1, 1, 0], [1, 1, 1, 1]],
    }
    want, got = (
        torch.tensor([[False, True, True, False], [False, False, True, True]]),
        window_mask(2, 4, 1, True),
    )
    check.values("window_mask(2, 4, 1, causal=True)", got, want, axes=axes, known_wrong=wrong)
    said = ("keys", "queries")
    check.raises("window_mask(3, 2, 1)", lambda: window_mask(3, 2, 1), mentions=(said, "2", "3"))
    check.raises("window_mask(2, 2, -1)", lambda: window_mask(2, 2, -1), mentions=("window", "-1"))
    ### BEGIN HIDDEN TESTS
    random = check.rng().integers(2, 20, (3, 2)).tolist()
    for T, S in [(1, 1), (1, 6), (5, 5), (3, 8), *map(sorted, random)]:
        for window in (0, 1, 2, 5, S, 40):
            for causal in (False, True):
                rows = [[abs(i + S - T - j) <= window for j in range(S)] for i in range(T)]
                want = torch.tensor(rows) & torch.tensor(
                    [[j <= i + S - T or not causal for j in range(S)] for i in range(T)]
                )
                call = f"window_mask({T}, {S}, {window}, causal={causal})"
                check.values(call, window_mask(T, S, window, causal=causal), want, axes=axes)
    for T, S, causal in [(2, 1, True), (9, 4, False)]:
        call = f"window_mask({T}, {S}, 2, causal={causal})"
        refused = lambda T=T, S=S, c=causal: window_mask(T, S, 2, causal=c)  # noqa: E731
        check.raises(call, refused, mentions=(said, str(T), str(S)))
    call = "window_mask(1, 3, -7, causal=True)"
    check.raises(call, lambda: window_mask(1, 3, -7, causal=True), mentions=("window", "-7"))
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2 · `local_attention` — 4 points, difficulty 3/3, importance 3/3, about 16 minutes
#
# Now save: **compute only near the diagonal**. Cut the queries into blocks. A block from `start` to `end` can see
# nothing outside `start − window … end + window`, so slice these keys, score, mask what is still too far, softmax, sum.
# Here T = S.
#
# $$\text{work} \approx T \cdot (\text{block} + 2w) \quad\text{instead of}\quad T^2$$
#
# The check runs 65,536 tokens, window 128, in 1 GiB. A mask for all of them would take 4 GiB. Ready-made windowed
# attention (`flex_attention`) is off limits.
#
# **Predict first:** which blocks see fewer keys than the others?
#
# <details><summary>Answer</summary>The first and the last ones: the text ends there. Nothing stands in for missing keys.</details>
# <details><summary>Hint 1 · idea</summary>A Python loop over blocks of queries; each turn is attention with a mask, as in lesson 03; join the parts at the end.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Slice with <code>[..., low:high, :]</code>, where low is at least 0 and high at most T. The block's mask compares positions low … high − 1 with start … end − 1.</details>
# <details><summary>Hint 3 · nearly there</summary><code>torch.cat</code> along axis −2. Choose blocks about as long as the window, but at least some dozens: window 0 works then, too.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "local_attention", "locked": false, "solution": true, "task": false}
def local_attention(q, k, v, window, causal=False):
    """Attention of each query to the keys at most `window` positions away, in O(T · window) memory.

    q, k: (…, T, D), v: (…, T, Dv). causal: no key after the query's own.
    Returns: (…, T, Dv), the same as full attention under window_mask(T, T, window, causal).
    Raises: ValueError if sizes do not fit, q and k differ in length, or window < 0.
    Source: Beltagy et al. 2020, section 3.1, "sliding window".
    """
    check_sizes(q, k, v, aligned=True)
    if q.shape[-2] != k.shape[-2]:
        raise ValueError(f"q has length {q.shape[-2]}, but k has {k.shape[-2]}")
    if window < 0:
        raise ValueError(f"window must not be below 0, got {window}")
    ### BEGIN SOLUTION
    T, D = q.shape[-2:]
    window = min(window, T)
    block = max(window, 64)
    # One block's scores with all keys in reach; at the ends of the text, a part of it is cut out.
    ahead = (
        torch.arange(-window, block + window, device=q.device) - torch.arange(block, device=q.device)[:, None]
    )
    seen = (ahead.abs() <= window) & (ahead <= (0 if causal else window))  # (block, block + 2 window)
    bias = torch.zeros(seen.shape, dtype=q.dtype, device=q.device).masked_fill(~seen, float("-inf"))
    q, outputs = q / D**0.5, []
    for start in range(0, T, block):
        end = min(start + block, T)
        low, high = max(0, start - window), min(T, end + window)
        scores = q[..., start:end, :] @ k[..., low:high, :].transpose(-2, -1)  # (…, block, keys in reach)
        scores = scores + bias[: end - start, low - start + window : high - start + window]
        outputs.append(scores.softmax(dim=-1) @ v[..., low:high, :])
    return torch.cat(outputs, dim=-2)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_local_attention", "locked": true, "points": 4, "solution": false, "task": false}
import math

import numpy as np
import torch

from byhand import check

with check.exercise("local_attention", needs=("window_mask",)):
    library = ("flex_attention", "blocks.local_attention")
    check.source("local_attention", forbid=library, allow_text="slices, @, a mask and softmax.")
    q = torch.zeros(4, 4, dtype=torch.float64)
    q[:, 0] = 2 * math.log(3)
    k = torch.tensor([[0.0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=torch.float64)
    v = torch.tensor([[0.0], [8], [4], [12]], dtype=torch.float64)  # exp(score) is 1, 3, 1, 3 for every query
    column = [[[a], [b], [c], [d]] for a, b, c, d in [(6, 5.6, 64 / 7, 10), (0, 6, 7, 10)]]
    wrong = {
        "the scale is missing: divide the scores by the root of D = 4.": [
            [7.2],
            [6.909091],
            [9.684211],
            [11.2],
        ],
        "divided by D; the scale is its root.": [[5.071797], [4.78461], [8.655945], [9.071797]],
        "missing neighbours at the ends were counted as keys of zeros.": [[4.8], [5.6], [9.142857], [8]],
        "the mask came after softmax, so weights no longer add up to 1.": [[3], [3.5], [8], [5]],
        "keys too far away got the score 0; give them -inf.": [[20 / 3], [20 / 3], [8], [8]],
        "the window was not used.": [[8], [8], [8], [8]],
        "the window reaches one key too far.": [[5.6], [8], [8], [9.142857]],
        "the window is one key too short.": [[0], [8], [4], [12]],
        "queries see only keys of their own block; a window crosses its edges.": [[6], [6], [10], [10]],
        "queries see only the past; without causal, a window reaches to both sides.": column[1],
    }
    got, want = local_attention(q, k, v, 1), torch.tensor(column[0], dtype=torch.float64)
    check.values("local_attention(q, k, v, 1)", got, want, axes=("query", "feature"), known_wrong=wrong)
    check.kept("local_attention(q, k, v, 1)", local_attention, q, k, v, 1)
    wrong = {
        "causal was not used.": column[0],
        "this is the future; causal means the past.": [[6], [7], [10], [12]],
    }
    got, want = local_attention(q, k, v, 1, causal=True), torch.tensor(column[1], dtype=torch.float64)
    check.values(
        "local_attention(q, k, v, 1, causal=True)", got, want, axes=("query", "feature"), known_wrong=wrong
    )
    shape = (1, 1, 65536, 16)
    q, k, v = (torch.randn(shape, generator=check.generator()) for _ in range(3))
    call = "local_attention(q, k, v, 128), q, k, v = torch.randn(3, 1, 1, 65536, 16),"
    check.cost(call, lambda: local_attention(q, k, v, 128), max_bytes=2**30)
    ### BEGIN HIDDEN TESTS
    generator = check.generator()

    def random(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def slow(q, k, v, window, causal, queries=None):  # query by query, in float64
        output = torch.zeros(*q.shape[:-1], v.shape[-1], dtype=torch.float64)
        for at in np.ndindex(*q.shape[:-1]) if queries is None else queries:
            last = at[-1] if causal else min(at[-1] + window, q.shape[-2] - 1)
            seen = [(*at[:-1], j) for j in range(max(0, at[-1] - window), last + 1)]
            scores = [float(q[at].double() @ k[j].double()) / q.shape[-1] ** 0.5 for j in seen]
            exps = [math.exp(score - max(scores)) for score in scores]
            output[at] = sum(e * v[j].double() for e, j in zip(exps, seen, strict=True)) / sum(exps)
        return output

    sizes = [((), 1, 1, 1, 0), ((), 5, 3, 2, 0), ((2,), 7, 4, 4, 2), ((2, 3), 6, 8, 5, 1), ((), 9, 2, 3, 8)]
    sizes += [
        ((), 9, 2, 3, 9),
        ((1, 2), 5, 4, 1, 10**6),
        ((), 150, 4, 2, 3),
        ((), 131, 2, 2, 65),
        ((), 64, 1, 1, 7),
    ]
    for leading, T, D, D_v, window in sizes:
        q, k, v = (random(*leading, T, size) for size in (D, D, D_v))
        for causal in (False, True):
            want = slow(q, k, v, window, causal)
            for dtype in (torch.float64, torch.float32):
                got = local_attention(*(part.to(dtype) for part in (q, k, v)), window, causal=causal)
                call = f"local_attention(q, k, v, {window}, causal={causal}), q and k {(*leading, T, D)}"
                check.values(f"{call}, v {(*leading, T, D_v)}, {dtype}", got, want.to(dtype))
    q, k, v = (random(2, 5, 3, 4).transpose(1, 2) for _ in range(3))
    call, want = "local_attention(q, k, v, 1) of transposed views", slow(q, k, v, 1, False)
    check.values(call, local_attention(q, k, v, 1), want)
    for causal in (False, True):
        call = f"local_attention(q, k, v, 2, causal={causal})"
        check.gradient(call, lambda q, k, v, c=causal: local_attention(q, k, v, 2, causal=c), (q, k, v))
    check.kept(call, local_attention, q, k, v, 2)
    large = torch.tensor([[200.0], [-200.0], [200.0]]), torch.tensor([[50.0], [49.9921875], [-50.0]])
    want = slow(*large, v[0, 0, :3].float(), 1, False).float()
    call, got = (
        "local_attention(q, k, v, 1), scores of ±10000",
        local_attention(*large, v[0, 0, :3].float(), 1),
    )
    check.values(call, got, want, tolerance=1e-3, note="Is the softmax a stable one?")
    shape, places = (1, 1, 65536, 16), [(0, 0, 0), (0, 0, 130), (0, 0, 40000), (0, 0, 65535)]
    q, k, v = (torch.randn(shape, generator=generator) for _ in range(3))
    found = []
    call = "local_attention(q, k, v, 128, causal=True), q, k, v = torch.randn(3, 1, 1, 65536, 16),"
    check.cost(call, lambda: found.append(local_attention(q, k, v, 128, causal=True)), max_bytes=2**30)
    check.shape(call, found[0], shape)
    wanted = slow(q, k, v, 128, True, places)
    for at in places:
        check.values(f"query {at[-1]} of {call[:-1]}", found[0][at], wanted[at].float())
    cases = [
        ((4, 3), (4, 5), (4, 6), 1, "35"),
        ((4, 3), (4, 1), (4, 6), 1, "31"),
        ((4, 3), (4, 3), (5, 6), 1, "45"),
    ]
    cases += [
        ((4, 3), (5, 3), (5, 6), 1, "45"),
        ((1, 3), (4, 3), (4, 6), 1, "14"),
        ((5, 3), (4, 3), (4, 6), 1, "54"),
    ]
    cases += [((2, 4, 3), (1, 4, 3), (1, 4, 6), 1, "21"), ((4, 3), (4, 3), (1, 6), 1, "41")]
    for *shapes, window, numbers in cases:
        call = f"local_attention(q, k, v, {window}) with q, k, v {shapes}"
        refused = lambda s=shapes, w=window: local_attention(*map(torch.ones, s), w)  # noqa: E731
        check.raises(call, refused, mentions=(("q", "k", "v"), *numbers))
    call = "local_attention(q, k, v, -1)"
    check.raises(call, lambda: local_attention(*torch.ones(3, 4, 2), -1), mentions=("window", "-1"))
    ### END HIDDEN TESTS

# %% [markdown]
# **A trick to see weights:** with the identity matrix as values, the output *is* the weights. **Question:** why are the
# weights in the corners larger than those in the middle, though all scores are equal?
#
# <details><summary>Answer</summary>At the ends a query sees fewer keys, and its weights add up to 1 all the same.</details>

# %%
nothing, identity = torch.zeros(10, 4), torch.eye(10)
caption = "What to see: equal scores, shared among at most 5 keys. Outside the band, nothing was computed."
ax = plot.weights(local_attention(nothing, nothing, identity, 2), caption=caption)

# %% [markdown]
# ### Exercise 3 · `predictive_weights` — 2 points, difficulty 2/3, importance 2/3, about 8 minutes
#
# A fixed window assumes that query and key run side by side. In translation they do not. Luong's *local-p* lets the
# network **predict a centre** $c$, such as 4.3, and favours keys nearby:
#
# $$a_s = \text{softmax}(\text{scores})_s \cdot e^{-\frac{(s - c)^2}{2\,\text{width}^2}}, \qquad s = 0 \dots S-1$$
#
# 1. Do not round $c$: its gradient is how the network learns to look.
# 2. Do not renormalise. Far from everything, little is read.
# 3. A score of `-inf` gives weight 0; a row of them zeros, and finite gradients.
#
# **Predict first:** does every row still add up to 1?
#
# <details><summary>Answer</summary>No, to less: the bell is at most 1.</details>
# <details><summary>Hint 1 · idea</summary>Two factors of shape (…, S): a safe softmax and a bell curve.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Positions <code>(S,)</code> minus the centre with a new last axis, <code>(…, 1)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary><code>blocks.masked_softmax(scores, mask)</code> does rows of −inf, if the mask says which scores are not −inf.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "predictive_weights", "locked": false, "solution": true, "task": false}
def predictive_weights(scores, centre, width):
    """Attention weights that fade with the distance from a predicted position.

    scores: (…, S), finite or -inf. centre: (…,), a position, may lie between two. width: above 0, in positions.
    Returns: (…, S), not renormalised; 0 where a score is -inf.
    Raises: ValueError if width is not above 0 or the sizes do not fit.
    Source: Luong et al. 2015, section 3.2, equation 10, without its cut to a window.
    """
    if not width > 0:
        raise ValueError(f"width must be above 0, got {width}")
    if centre.shape != scores.shape[:-1]:
        raise ValueError(f"centre is {tuple(centre.shape)}, but scores are {tuple(scores.shape)}")
    ### BEGIN SOLUTION
    weights = blocks.masked_softmax(scores, scores != float("-inf"))  # (…, S)
    positions = torch.arange(scores.shape[-1], dtype=scores.dtype, device=scores.device)  # (S,)
    distance = positions - centre[..., None]  # (…, S)
    return weights * torch.exp(-(distance**2) / (2 * width**2))
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_predictive_weights", "locked": true, "points": 2, "solution": false, "task": false}
import math

import numpy as np
import torch

from byhand import check

with check.exercise("predictive_weights"):
    scores = torch.tensor([0.0, math.log(2.0), 0.0], dtype=torch.float64)  # softmax: 1/4, 1/2, 1/4
    width = math.sqrt(0.125 / math.log(2))  # the bell is 1/2 at a distance of 1/2, 1/512 at 3/2
    wrong = {
        "renormalised; the weights stay as they are, even if they add up to less than 1.": [
            0.0013,
            0.6658,
            0.3329,
        ],
        "the 2 in the exponent is missing: divide by 2 · width².": [9.54e-7, 0.125, 0.0625],
        "the width must be squared.": [0.017677, 0.372507, 0.186253],
        "the distance must be squared.": [0.003906, 0.125, 0.0625],
        "the centre was rounded up; 1.5 lies between two keys.": [3.8e-6, 0.03125, 0.25],
        "the centre was rounded down; 1.5 lies between two keys.": [0.015625, 0.5, 0.015625],
        "positions count from 0.": [0.125, 0.25, 0.000488],
        "softmax is missing: it comes before the bell.": [0.0, 0.346574, 0.0],
        "these are the plain weights, without the bell.": [0.25, 0.5, 0.25],
        "this is the bell alone; multiply it by the softmax.": [0.001953, 0.5, 0.5],
        "softmax and bell are multiplied, not added.": [0.251953, 1.0, 0.75],
        "the bell is not a probability density; it is 1 at the centre.": [0.000459, 0.234859, 0.11743],
        "keys were cut off; the bell alone fades them.": [0.0, 0.25, 0.125],
    }
    centre, want = (
        torch.tensor(1.5, dtype=torch.float64),
        torch.tensor([0.25 / 512, 0.25, 0.125], dtype=torch.float64),
    )
    got = predictive_weights(scores, centre, width)
    check.values("predictive_weights(scores, centre, width)", got, want, axes=("key",), known_wrong=wrong)
    inf = float("inf")
    scores = torch.tensor([[-inf, 0.0, 0.0], [-inf, -inf, -inf]])
    wrong = {
        "a row of -inf gives nan; nobody may look there, so zeros.": [[0.0, 0.5, 0.5], [math.nan] * 3],
        "a row of -inf shares nothing out; zeros.": [[0.0, 0.5, 0.5], [1 / 3] * 3],
    }
    got, want = (
        predictive_weights(scores, torch.tensor([1.5, 0.0]), 1e6),
        torch.tensor([[0, 0.5, 0.5], [0, 0, 0]]),
    )
    call = "predictive_weights(scores with -inf, torch.tensor([1.5, 0.0]), 1e6)"
    check.values(call, got, want, axes=("query", "key"), known_wrong=wrong)
    ### BEGIN HIDDEN TESTS
    generator = check.generator()

    def random(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def slow(scores, centre, width):
        want = torch.zeros_like(scores)
        for at in np.ndindex(*scores.shape[:-1]):
            row = scores[at].tolist()
            if max(row) > -inf:
                exps = [math.exp(score - max(row)) for score in row]
                bell = [math.exp(-((s - float(centre[at])) ** 2) / (2 * width**2)) for s in range(len(row))]
                shares = [e * b / sum(exps) for e, b in zip(exps, bell, strict=True)]
                want[at] = torch.tensor(shares, dtype=torch.float64)
        return want

    def case(leading, S):
        scores = random(*leading, S)
        scores[torch.rand(scores.shape, generator=generator) < 0.25] = -inf
        return scores, S * torch.rand(leading, generator=generator, dtype=torch.float64) - 0.5

    for leading, S, width in [
        ((), 1, 1.0),
        ((4,), 6, 0.7),
        ((2, 3), 3, 2),
        ((3,), 3, 0.9),
        ((3, 3), 3, 10.0),
        ((2, 2, 2), 9, 1.5),
    ]:
        scores, centre = case(leading, S)
        for dtype in (torch.float64, torch.float32):
            got = predictive_weights(scores.to(dtype), centre.to(dtype), width)
            call = f"predictive_weights(scores, centre, {width}), scores {(*leading, S)}, some -inf, {dtype}"
            check.values(call, got, slow(scores, centre, width).to(dtype))
    for place, width in [(-3.0, 2.0), (20.25, 6.0)]:
        scores, centre = random(4), torch.tensor(place, dtype=torch.float64)
        call = f"predictive_weights(scores (4,), torch.tensor({place}), {width})"
        check.values(call, predictive_weights(scores, centre, width), slow(scores, centre, width))
    scores, centre = torch.tensor([[1e4, 9999.0], [-1e4, -9999.0]]), torch.tensor([0.5, 1.0])
    want = slow(scores.double(), centre.double(), 2.0).float()
    check.values(
        "predictive_weights(scores of ±10000, centre, 2.0)", predictive_weights(scores, centre, 2.0), want
    )
    scores, centre = random(3, 5), 4 * torch.rand(3, generator=generator, dtype=torch.float64)
    note = "predictive_weights(scores, centre, 1.3)"
    check.gradient(note, lambda s, c: predictive_weights(s, c, 1.3), (scores, centre))
    scores[0, 1], scores[2] = -inf, -inf
    leaves = scores.clone().requires_grad_(), centre.clone().requires_grad_()
    (predictive_weights(*leaves, 1.3) * random(3, 5)).sum().backward()
    for name, leaf in zip(("scores", "centre"), leaves, strict=True):
        reached = leaf.grad is not None and bool(leaf.grad.isfinite().all())
        check.true(
            f"the gradient of {name}, for scores of -inf", reached, "it is missing, infinite or not a number."
        )
    check.kept(note, predictive_weights, scores, centre, 1.3)
    for width, number in [(0, "0"), (-2, "-2"), (float("nan"), "nan")]:
        call, said = f"predictive_weights(scores, centre, {width})", ("width", (number, f"{number}.0"))
        check.raises(call, lambda w=width: predictive_weights(scores, centre, w), mentions=said)
    for s, c, numbers in [
        ((2, 5), (3,), "23"),
        ((4, 5), (1,), "41"),
        ((4, 5), (4, 1), "45"),
        ((4, 5), (), "45"),
    ]:
        call, said = (
            f"predictive_weights(torch.ones({s}), torch.ones({c}), 1.0)",
            (("centre", "scores"), *numbers),
        )
        check.raises(
            call, lambda s=s, c=c: predictive_weights(torch.ones(s), torch.ones(c), 1.0), mentions=said
        )
    ### END HIDDEN TESTS

# %% [markdown]
# Equal scores, three centres. **Question:** what has the middle one, between two keys, that a rounded one has not?
#
# <details><summary>Answer</summary>Two equal keys: it is undecided, and moving it a little changes both. After rounding, a small move changes nothing, so there is no gradient.</details>

# %%
centres = torch.tensor([2.0, 4.5, 9.0])
bells = dict(
    zip(("c = 2", "c = 4.5", "c = 9"), predictive_weights(torch.zeros(3, 12), centres, 1.0), strict=True)
)
caption = "What to see: a bell of weights around each predicted centre; none of them adds up to 1."
ax = plot.lines(range(12), bells, xlabel=plot.KEYS, ylabel="weight", caption=caption)

# %% [markdown]
# ### Exercise 4 · `global_mask` — 2 points, difficulty 1/3, importance 2/3, about 5 minutes
#
# With a window alone, news travels `window` tokens a layer. A few **global** tokens are short cuts: they see all, and
# all see them. A question's tokens in question answering are such, or the classification token.
#
# $$\text{mask}_{ij} = |i-j| \le w \;\text{ or }\; i \in G \;\text{ or }\; j \in G$$
#
# `global_positions` is a list or tuple, perhaps empty, perhaps with repeats. A position outside $0 \dots n-1$: a
# `ValueError`, as −1 would silently mean the last.
#
# **Predict first:** how many layers does news need from token 0 to token 999, with one global token?
#
# <details><summary>Answer</summary>Two: up to the global token, down to 999.</details>
# <details><summary>Hint 1 · idea</summary>Begin with the window, then switch on some rows and some columns.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Assigning True to <code>mask[list]</code> sets rows; to <code>mask[:, list]</code>, columns.</details>
# <details><summary>Hint 3 · nearly there</summary>A tuple as an index means one entry; <code>list(…)</code> of it means rows.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "global_mask", "locked": false, "solution": true, "task": false}
def global_mask(n, window, global_positions):
    """A window to both sides, and some positions that see all and are seen by all.

    n: how many tokens. global_positions: list or tuple of ints from 0 to n - 1.
    Returns: (n, n) bool, True = may attend.
    Raises: ValueError if window < 0, or for a position outside 0 to n - 1.
    Source: Beltagy et al. 2020 (Longformer), section 3.1.
    """
    if window < 0:
        raise ValueError(f"window must not be below 0, got {window}")
    for position in global_positions:
        if not 0 <= position < n:
            raise ValueError(f"global_positions has {position}, but n is {n}")
    ### BEGIN SOLUTION
    mask = blocks.window_mask(n, n, window)
    mask[list(global_positions)] = True
    mask[:, list(global_positions)] = True
    return mask
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_global_mask", "locked": true, "points": 2, "solution": false, "task": false}
import torch

from byhand import check

with check.exercise("global_mask", needs=("window_mask",)):
    wrong = {
        "all must also see the global token: its column is missing.": [
            [1, 0, 0, 0],
            [1, 1, 1, 1],
            [0, 0, 1, 0],
            [0, 0, 0, 1],
        ],
        "the global token must also see all: its row is missing.": [
            [1, 1, 0, 0],
            [0, 1, 0, 0],
            [0, 1, 1, 0],
            [0, 1, 0, 1],
        ],
        "the window is missing.": [[0, 1, 0, 0], [1, 1, 1, 1], [0, 1, 0, 0], [0, 1, 0, 0]],
        "the global token was not used.": torch.eye(4).tolist(),
        "True and False are swapped.": [[0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 0, 1], [1, 0, 1, 0]],
        "this mask is not causal: a global token sees to both sides.": [
            [1, 0, 0, 0],
            [1, 1, 0, 0],
            [0, 1, 1, 0],
            [0, 1, 0, 1],
        ],
    }
    want = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0], [0, 1, 0, 1]]) > 0
    got, axes = global_mask(4, 0, [1]), ("query", "key")
    check.values("global_mask(4, 0, [1])", got, want, axes=axes, known_wrong=wrong)
    got, want = global_mask(3, 0, ()), torch.eye(3) > 0
    check.values(
        "global_mask(3, 0, ())", got, want, axes=axes, note="No global token leaves just the window."
    )
    check.raises(
        "global_mask(4, 1, [4])", lambda: global_mask(4, 1, [4]), mentions=(("positions", "n "), "4")
    )
    ### BEGIN HIDDEN TESTS
    rng = check.rng()
    cases = [
        (1, 0, []),
        (1, 0, [0]),
        (6, 1, (0,)),
        (6, 2, [5, 0]),
        (7, 0, (3, 3, 3)),
        (5, 9, [2]),
        (8, 1, []),
    ]
    for _ in range(5):
        n = int(rng.integers(3, 15))
        cases.append((n, int(rng.integers(0, 4)), rng.integers(0, n, size=3).tolist()))
    cases += [(9, 1, (2, 6)), (5, 0, (1, 3)), (4, 1, tuple(range(4)))]
    for n, window, positions in cases:
        rows = [
            [abs(i - j) <= window or i in positions or j in positions for j in range(n)] for i in range(n)
        ]
        call = f"global_mask({n}, {window}, {positions})"
        check.values(call, global_mask(n, window, positions), torch.tensor(rows), axes=axes)
    check.kept("global_mask(9, 1, positions)", global_mask, 9, 1, [7, 2, 2])
    for n, positions, bad in [(5, [-1], "-1"), (3, (0, 3), "3"), (6, [2, 77, 1], "77"), (4, (3, -4), "-4")]:
        call, said = f"global_mask({n}, 1, {positions})", (("positions", "n "), bad, str(n))
        check.raises(call, lambda n=n, p=positions: global_mask(n, 1, p), mentions=said)
    check.raises("global_mask(4, -3, [1])", lambda: global_mask(4, -3, [1]), mentions=("window", "-3"))
    ### END HIDDEN TESTS

# %% [markdown]
# **Question:** tokens 0 and 12 are global. Which two layers carry news from token 5 to token 19? And why may a model that
# writes not have token 12?
#
# <details><summary>Answer</summary>5 → 0 or 12, then → 19. Token 12 sees what comes after it, and all before read it: the future would leak.</details>

# %%
caption = (
    "What to see: two full rows and two full columns cross the band; still only a small part of the square."
)
ax = plot.mask(global_mask(20, 2, [0, 12]), caption=caption)

# %% [markdown]
# ### Exercise 5 · `segment_attention` — 3 points, difficulty 3/3, importance 2/3, about 12 minutes
#
# Another cut: chapters. Position $p$ belongs to segment $\lfloor p / \text{segment} \rfloor$, counted from the first
# **key**. A query sees its own segment and the one before, never the future. So segments are **chained**: after $n$
# layers, news has come from $n$ segments back.
#
# $$\text{seg}(j) \in \{\text{seg}(p) - 1,\ \text{seg}(p)\} \quad\text{and}\quad j \le p$$
#
# Queries are the last T of S positions, so the first of them may begin within a segment; the last segment may be short.
# Memory $O(T \cdot \text{segment})$: 65,536 tokens run in 1 GiB.
#
# **Predict first:** how many keys can a query see, at least and at most?
#
# <details><summary>Answer</summary>In the first segment just itself, at least; later from segment + 1 to 2 · segment.</details>
# <details><summary>Hint 1 · idea</summary>A loop over the segments that hold queries; in each turn slice the queries of one segment, the keys of two.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Think in positions of keys; subtract S − T only where you slice q.</details>
# <details><summary>Hint 3 · nearly there</summary>In a turn, the last query sits at the last sliced key: <code>blocks.causal_mask(queries, keys)</code> is its mask.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "segment_attention", "locked": false, "solution": true, "task": false}
def segment_attention(q, k, v, segment):
    """Causal attention within a segment and the one before, in O(T · segment) memory.

    q: (…, T, D), k: (…, S, D), v: (…, S, Dv); the queries are the last T positions. segment: its length, at least 1.
    Returns: (…, T, Dv).
    Raises: ValueError if sizes do not fit, S < T, or segment < 1.
    Source: Dai et al. 2019 (Transformer-XL), section 3.2, but with gradients through both segments.
    """
    check_sizes(q, k, v, aligned=True)
    if segment < 1:
        raise ValueError(f"segment must be at least 1, got {segment}")
    ### BEGIN SOLUTION
    S, shift = k.shape[-2], k.shape[-2] - q.shape[-2]
    q, outputs = q / q.shape[-1] ** 0.5, []
    for begin in range(shift // segment * segment, S, segment):
        first, end = max(begin, shift), min(begin + segment, S)  # positions of this segment's queries
        low = max(0, begin - segment)
        scores = q[..., first - shift : end - shift, :] @ k[..., low:end, :].transpose(-2, -1)
        future = torch.arange(low, end, device=q.device) > torch.arange(first, end, device=q.device)[:, None]
        weights = scores.masked_fill(future, float("-inf")).softmax(dim=-1)
        outputs.append(weights @ v[..., low:end, :])  # (…, queries of the segment, Dv)
    return torch.cat(outputs, dim=-2)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_segment_attention", "locked": true, "points": 3, "solution": false, "task": false}
import math

import numpy as np
import torch

from byhand import check

with check.exercise("segment_attention"):
    check.source("segment_attention", forbid=("flex_attention",), allow_text="slices, @, a mask and softmax.")
    q = torch.zeros(5, 4, dtype=torch.float64)
    q[:, 0] = 2 * math.log(3)
    k = torch.zeros(5, 4, dtype=torch.float64)
    k[1, 0] = k[3, 0] = 1.0  # exp(score) is 1, 3, 1, 3, 1 for every query
    v = torch.tensor([[0.0], [8], [4], [12], [20]], dtype=torch.float64)
    wrong = {
        "only its own segment was seen; the one before is seen, too.": [[0], [6], [4], [10], [20]],
        "the future was seen within the segment.": [[6], [6], [8], [8], [12]],
        "all the past was seen; the segment before the last one is too far.": [
            [0],
            [6],
            [5.6],
            [8],
            [28 / 3],
        ],
        "a sliding window of 2: segments have fixed edges.": [[0], [6], [5.6], [64 / 7], [12]],
        "a sliding window of 1: segments have fixed edges.": [[0], [6], [7], [10], [14]],
        "the scale is missing: divide by the root of D = 4.": [[0], [7.2], [6.909091], [9.2], [12]],
        "before the first segment there is nothing; zeros were counted as keys.": [
            [0],
            [4],
            [5.6],
            [8],
            [12],
        ],
    }
    got, want = segment_attention(q, k, v, 2), torch.tensor([[0], [6], [5.6], [8], [12]], dtype=torch.float64)
    check.values("segment_attention(q, k, v, 2)", got, want, axes=("query", "feature"), known_wrong=wrong)
    wrong = {
        "queries were aligned with the first keys; they are the last positions.": [[0], [6]],
        "segments were counted from the first query; count from the first key.": [[8], [28 / 3]],
    }
    got, want = segment_attention(q[:2], k, v, 2), torch.tensor([[8], [12]], dtype=torch.float64)
    check.values("segment_attention(q[:2], k, v, 2)", got, want, axes=("query", "feature"), known_wrong=wrong)
    shape = (1, 1, 65536, 16)
    q, k, v = (torch.randn(shape, generator=check.generator()) for _ in range(3))
    call = "segment_attention(q, k, v, 128), q, k, v = torch.randn(3, 1, 1, 65536, 16),"
    check.cost(call, lambda: segment_attention(q, k, v, 128), max_bytes=2**30)
    ### BEGIN HIDDEN TESTS
    generator = check.generator()

    def random(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def slow(q, k, v, segment):  # query by query, in float64
        output = torch.zeros(*q.shape[:-1], v.shape[-1], dtype=torch.float64)
        for at in np.ndindex(*q.shape[:-1]):
            p = at[-1] + k.shape[-2] - q.shape[-2]
            seen = [(*at[:-1], j) for j in range(p + 1) if p // segment - j // segment in (0, 1)]
            scores = [float(q[at] @ k[j]) / q.shape[-1] ** 0.5 for j in seen]
            exps = [math.exp(score - max(scores)) for score in scores]
            output[at] = sum(e * v[j] for e, j in zip(exps, seen, strict=True)) / sum(exps)
        return output

    sizes = [
        ((), 1, 1, 1, 1, 1),
        ((), 6, 6, 3, 2, 1),
        ((2,), 7, 7, 4, 4, 3),
        ((2, 3), 8, 8, 2, 5, 4),
        ((), 9, 9, 2, 1, 20),
    ]
    sizes += [
        ((), 3, 8, 4, 2, 3),
        ((2,), 1, 9, 3, 3, 4),
        ((2, 2), 5, 7, 2, 3, 2),
        ((), 4, 12, 3, 2, 4),
        ((), 2, 9, 2, 2, 10**6),
    ]
    for leading, T, S, D, D_v, segment in sizes:
        q, k, v = random(*leading, T, D), random(*leading, S, D), random(*leading, S, D_v)
        want = slow(q, k, v, segment)
        for dtype in (torch.float64, torch.float32):
            got = segment_attention(*(part.to(dtype) for part in (q, k, v)), segment)
            call = f"segment_attention(q, k, v, {segment}), q {(*leading, T, D)}, k {(*leading, S, D)}"
            check.values(f"{call}, v {(*leading, S, D_v)}, {dtype}", got, want.to(dtype))
    q, k, v = (random(2, 5, 3, 4).transpose(1, 2) for _ in range(3))
    call = "segment_attention(q, k, v, 2)"
    check.values(f"{call} of transposed views", segment_attention(q, k, v, 2), slow(q, k, v, 2))
    check.gradient(call, lambda q, k, v: segment_attention(q, k, v, 2), (q[..., 2:, :], k, v))
    check.kept(call, segment_attention, q, k, v, 2)
    large = torch.tensor([[200.0], [-200.0], [200.0]]), torch.tensor([[50.0], [49.9921875], [-50.0]])
    got, want = (
        segment_attention(*large, v[0, 0, :3].float(), 2),
        slow(*large, v[0, 0, :3].float(), 2).float(),
    )
    note = "Is the softmax a stable one?"
    check.values("segment_attention(q, k, v, 2), scores of ±10000", got, want, tolerance=1e-3, note=note)
    cases = [((2, 3), (4, 5), (4, 6), "35"), ((2, 3), (4, 1), (4, 6), "31"), ((2, 3), (4, 3), (5, 6), "45")]
    cases += [
        ((5, 3), (4, 3), (4, 6), "54"),
        ((2, 4, 3), (1, 4, 3), (1, 4, 6), "21"),
        ((2, 3), (4, 3), (1, 6), "41"),
    ]
    for *shapes, numbers in cases:
        call = f"segment_attention(q, k, v, 2) with q, k, v {shapes}"
        refused = lambda s=shapes: segment_attention(*map(torch.ones, s), 2)  # noqa: E731
        check.raises(call, refused, mentions=(("q", "k", "v"), *numbers))
    for bad in (0, -3):
        call, said = f"segment_attention(q, k, v, {bad})", ("segment", str(bad))
        check.raises(call, lambda bad=bad: segment_attention(*torch.ones(3, 4, 2), bad), mentions=said)
    ### END HIDDEN TESTS

# %% [markdown]
# **Question:** query 4 begins a segment. How many keys does it see, and how far back can news have come to it after two
# such layers?
#
# <details><summary>Answer</summary>Five: itself and the whole segment before. After two layers from two segments back, had there been one: that is the chain.</details>

# %%
caption = (
    "What to see: stairs. Each query shares its weight among its own segment so far and the whole one before."
)
nothing, identity = torch.zeros(11, 4), torch.eye(11)
ax = plot.weights(segment_attention(nothing, nothing, identity, 4), caption=caption)

# %% [markdown]
# ### Exercise 6 · `linear_attention` — 3 points, difficulty 3/3, importance 2/3, about 12 minutes
#
# See all, yet linear? Replace $e^{q\cdot k}$ by $\varphi(q)\cdot\varphi(k)$ with $\varphi = \text{elu} + 1$, and
# change the **order of the products**:
#
# $$o_i = \frac{\varphi(q_i)^\top \left(\sum_j \varphi(k_j)\, v_j^\top\right)}{\varphi(q_i)^\top \sum_j \varphi(k_j)}$$
#
# The brackets are the same for all queries: $(D, D_v)$ and $(D,)$, whatever the length. Causal: sums over $j \le p$,
# **running sums**. No $1/\sqrt D$, no eps; where the lower line is 0, the output is 0. 65,536 tokens in 1 GiB.
#
# **Predict first:** can it give one key nearly all the weight?
#
# <details><summary>Answer</summary>Hardly: without an exponential, similar keys get similar weights. That is its price.</details>
# <details><summary>Hint 1 · idea</summary>First keys with values, <code>(…, D, S) @ (…, S, Dv)</code>; then the queries. No (T, S) anywhere.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Causal: outer products <code>(…, S, D, Dv)</code>, <code>cumsum</code> over S, keep the last T.</details>
# <details><summary>Hint 3 · nearly there</summary>Give both cases the axes (…, T or 1, D, Dv); then <code>(φ(q)[..., None] * sums).sum(-2)</code>, or an einsum, serves both. Replace a 0 below the line by 1.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "linear_attention", "locked": false, "solution": true, "task": false}
def linear_attention(q, k, v, causal=False):
    """Attention with φ(q) · φ(k) instead of exp(q · k), φ = elu + 1, in O(T · D · Dv).

    q: (…, T, D), k: (…, S, D), v: (…, S, Dv). causal: the queries are the last T positions and see no later key.
    Returns: (…, T, Dv); 0 where the normaliser is 0.
    Raises: ValueError if sizes do not fit, or if causal and S < T.
    Source: Katharopoulos et al. 2020, section 3.
    """
    check_sizes(q, k, v, aligned=causal)
    ### BEGIN SOLUTION
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    if causal:
        T = q.shape[-2]
        pairs = (k[..., None] * v[..., None, :]).cumsum(dim=-3)[..., -T:, :, :]  # (…, T, D, Dv)
        total = (q * k.cumsum(dim=-2)[..., -T:, :]).sum(dim=-1, keepdim=True)  # (…, T, 1)
        output = (q[..., None, :] @ pairs).squeeze(-2)  # (…, T, Dv)
    else:
        output = q @ (k.transpose(-2, -1) @ v)  # (…, T, D) @ (…, D, Dv)
        total = (q * k.sum(dim=-2, keepdim=True)).sum(dim=-1, keepdim=True)  # (…, T, 1)
    return output / total.masked_fill(total == 0, 1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_linear_attention", "locked": true, "points": 3, "solution": false, "task": false}
import math

import numpy as np
import torch

from byhand import check

with check.exercise("linear_attention"):
    q = torch.tensor(
        [[0.0, 0], [-math.log(2), 0], [2, 0]], dtype=torch.float64
    )  # φ: (1, 1), (1/2, 1), (3, 1)
    k = torch.tensor([[0.0, 0], [1, 0], [0, 2]], dtype=torch.float64)  # φ: (1, 1), (2, 1), (1, 3)
    v = torch.tensor([[0.0], [9], [18]], dtype=torch.float64)
    wrong = {
        "divide by the normaliser, the sum of φ(q) · φ(k).": [[99], [81], [171]],
        "φ is elu + 1; this is the exponential.": [[13.076], [13.894496], [10.29939]],
        "q was scaled; there is no 1/√D here.": [[11], [11.416046], [10.228094]],
        "this is relu + 1; φ is elu + 1.": [[11], [11], [10.058824]],
        "the 1 of φ = elu + 1 is missing.": [[math.nan], [9], [9]],
        "φ belongs to q and k; k was left as it was.": [[15], [16.2], [12.6]],
        "this is softmax attention.": [[9], [9], [9]],
        "softmax of φ(q) · φ(k); there is no exponential here.": [[14.176893], [14.72851], [11.019397]],
    }
    got, want = linear_attention(q, k, v), torch.tensor([[11], [81 / 7], [171 / 17]], dtype=torch.float64)
    check.values("linear_attention(q, k, v)", got, want, axes=("query", "feature"), known_wrong=wrong)
    wrong = {
        "causal was not used.": want,
        "this is the future; causal means the past.": [[11], [14.727273], [18]],
        "the running sum is above the line only; below it, too.": [[0], [2.571429], [171 / 17]],
        "the running sum is below the line only; above it, too.": [[49.5], [23.142857], [171 / 17]],
    }
    got, want = (
        linear_attention(q, k, v, causal=True),
        torch.tensor([[0], [36 / 7], [171 / 17]], dtype=torch.float64),
    )
    check.values(
        "linear_attention(q, k, v, causal=True)", got, want, axes=("query", "feature"), known_wrong=wrong
    )
    far, note = torch.full((2, 2), -1000.0), "Where the sum below the line is 0, the output is 0."
    for causal in (False, True):
        call = f"linear_attention(q, torch.full((2, 2), -1000.0), torch.ones(2, 1), causal={causal})"
        got = linear_attention(torch.zeros(2, 2), far, torch.ones(2, 1), causal=causal)
        check.values(call, got, torch.zeros(2, 1), note=note)
    shape = (1, 1, 65536, 16)
    q, k, v = (torch.randn(shape, generator=check.generator()) for _ in range(3))
    for causal in (False, True):
        call = f"linear_attention(q, k, v, causal={causal}), q, k, v = torch.randn(3, 1, 1, 65536, 16),"
        check.cost(call, lambda c=causal: linear_attention(q, k, v, causal=c), max_bytes=2**30)
    ### BEGIN HIDDEN TESTS
    generator = check.generator()

    def random(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def phi(x):
        return x + 1 if x > 0 else math.exp(x)

    def slow(q, k, v, causal):  # causal: its recurrence, a key at a time
        output = torch.zeros(*q.shape[:-1], v.shape[-1], dtype=torch.float64)
        shift = k.shape[-2] - q.shape[-2]
        for at in np.ndindex(*q.shape[:-1]):
            query, upper, lower = [phi(x) for x in q[at].tolist()], 0, 0
            for j in range(at[-1] + shift + 1 if causal else k.shape[-2]):
                key = [phi(x) for x in k[(*at[:-1], j)].tolist()]
                share = sum(a * b for a, b in zip(query, key, strict=True))
                upper, lower = upper + share * v[(*at[:-1], j)].double(), lower + share
            output[at] = upper / lower if lower else 0
        return output

    sizes = [
        ((), 1, 1, 1, 1, True),
        ((), 5, 5, 3, 2, True),
        ((2,), 6, 6, 4, 4, True),
        ((2, 3), 4, 7, 2, 5, True),
    ]
    sizes += [
        ((), 1, 8, 5, 1, True),
        ((2,), 6, 3, 4, 2, False),
        ((), 5, 1, 1, 3, False),
        ((2, 2), 3, 3, 3, 3, False),
    ]
    for leading, T, S, D, D_v, both in sizes:
        q, k, v = random(*leading, T, D), random(*leading, S, D), random(*leading, S, D_v)
        for causal in (False, True)[: 1 + both]:
            for dtype in (torch.float64, torch.float32):
                got = linear_attention(*(part.to(dtype) for part in (q, k, v)), causal=causal)
                call = (
                    f"linear_attention(q, k, v, causal={causal}), q {(*leading, T, D)}, k {(*leading, S, D)}"
                )
                check.values(f"{call}, v {(*leading, S, D_v)}, {dtype}", got, slow(q, k, v, causal).to(dtype))
    q, k, v = (random(2, 4, 3, 2).transpose(1, 2) for _ in range(3))
    for causal in (False, True):
        call, note = (
            f"linear_attention(q, k, v, causal={causal})",
            "No eps: small sums are divided by as they are.",
        )
        check.values(
            f"{call} of transposed views", linear_attention(q, k, v, causal=causal), slow(q, k, v, causal)
        )
        check.gradient(call, lambda q, k, v, c=causal: linear_attention(q, k, v, causal=c), (q, k, v))
        check.kept(call, linear_attention, q, k, v, causal=causal)
        got, want = linear_attention(q - 7, k - 7, v, causal=causal), slow(q - 7, k - 7, v, causal)
        check.values(
            f"linear_attention(q - 7, k - 7, v, causal={causal})", got, want, tolerance=1e-8, note=note
        )
        some = k.clone()
        some[:, 0], some[..., 0, :] = -1000.0, -1000.0
        got, want = linear_attention(q, some, v, causal=causal), slow(q, some, v, causal)
        check.values(f"linear_attention(q, keys, v, causal={causal}), some keys -1000", got, want)
        leaves = [part.clone().requires_grad_() for part in (q, some, v)]
        linear_attention(*leaves, causal=causal).sum().backward()
        finite = all(leaf.grad is not None and bool(leaf.grad.isfinite().all()) for leaf in leaves)
        check.true(
            f"the gradient of {call}, some keys -1000", finite, "it is missing, infinite or not a number."
        )
    cases = [((2, 3), (4, 5), (4, 6), False, "35"), ((2, 3), (4, 1), (4, 6), False, "31")]
    cases += [((2, 3), (4, 3), (5, 6), False, "45"), ((2, 3), (4, 3), (1, 6), True, "41")]
    cases += [((5, 3), (4, 3), (4, 6), True, "54"), ((2, 4, 3), (1, 4, 3), (1, 4, 6), False, "21")]
    for *shapes, causal, numbers in cases:
        call = f"linear_attention(q, k, v, causal={causal}) with q, k, v {shapes}"
        refused = lambda s=shapes, c=causal: linear_attention(*map(torch.ones, s), causal=c)  # noqa: E731
        check.raises(call, refused, mentions=(("q", "k", "v"), *numbers))
    ### END HIDDEN TESTS

# %% [markdown]
# One query asks for key 6, more and more loudly. **Question:** which of the two can focus?
#
# <details><summary>Answer</summary>Softmax. Linear weights cannot get sharper than φ lets them, however large the query.</details>

# %%
direction, loudness = torch.eye(6), (1.0, 4.0, 16.0)
bars = {}
for name, function in {"softmax": lambda *x: blocks.attention(*x)[0], "linear": linear_attention}.items():
    for loud in loudness[::2]:
        bars[f"{name}, query × {loud:g}"] = function(loud * direction[5:], direction, torch.eye(6))[0]
caption = "What to see: a louder query gives softmax's best key everything; the linear weights hardly move."
ax = plot.bars(bars, [f"key {number}" for number in range(1, 7)], ylabel="weight", caption=caption)

# %% [markdown]
# ### Exercise 7 · `online_attention` — 4 points, difficulty 3/3, importance 3/3, about 16 minutes
#
# Exact attention to all keys, without ever holding all scores: read keys **a block at a time**. FlashAttention does this.
# Keep per query the largest score $m$ so far, the sum $\ell$ of $e^{s-m}$, and the weighted sum $o$ of values. When a
# block brings a larger $m'$, all that was summed before shrinks:
#
# $$\ell \leftarrow \ell\, e^{m - m'} + \sum_j e^{s_j - m'}, \qquad o \leftarrow o\, e^{m - m'} + \sum_j e^{s_j - m'} v_j$$
#
# At the end, $o/\ell$. A masked key has the score −∞; who sees nothing gets 0 and finite gradients. Ready-made attention
# is off limits.
#
# **Predict first:** the first block is masked for a query. What is $m - m'$?
#
# <details><summary>Answer</summary>−∞ − (−∞) is nan. So subtract 0 while nothing has been seen.</details>
# <details><summary>Hint 1 · idea</summary>Start with m = −∞, ℓ = 0, o = 0; the loop is the formula.</details>
# <details><summary>Hint 2 · shape of the answer</summary>m and ℓ are <code>(…, T, 1)</code>, o is <code>(…, T, Dv)</code>. <code>mask.expand</code> to the scores' shape, then slice it like the keys.</details>
# <details><summary>Hint 3 · nearly there</summary>Subtract the new m with −∞ replaced by 0; then e^(−∞) is 0 by itself. Divide at the end by ℓ with 0 replaced by 1. The largest needs no gradient: <code>detach</code> it.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "online_attention", "locked": false, "solution": true, "task": false}
def online_attention(q, k, v, block_size, mask=None):
    """Exact attention, `block_size` keys at a time: memory O(T · block_size).

    q: (…, T, D), k: (…, S, D), v: (…, S, Dv). mask: bool, True = may attend, broadcasts to (…, T, S).
    Returns: (…, T, Dv); 0 for a query that may attend to nothing.
    Raises: ValueError if sizes do not fit or block_size < 1.
    Source: Milakov, Gimelshein 2018 (the running softmax); Dao et al. 2022 (FlashAttention).
    """
    check_sizes(q, k, v)
    if block_size < 1:
        raise ValueError(f"block_size must be at least 1, got {block_size}")
    shape = (*q.shape[:-1], k.shape[-2])  # given: the shape that all scores would have
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)  # sizes from the last axis on
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    ### BEGIN SOLUTION
    top = torch.full_like(q[..., :1], float("-inf"))  # (…, T, 1)
    total, output = torch.zeros_like(top), torch.zeros_like(top)  # output becomes (…, T, Dv)
    q, mask = q / q.shape[-1] ** 0.5, None if mask is None else mask.expand(shape)
    for start in range(0, k.shape[-2], block_size):
        part = slice(start, start + block_size)
        scores = q @ k[..., part, :].transpose(-2, -1)  # (…, T, block)
        scores = scores if mask is None else scores.masked_fill(~mask[..., part], float("-inf"))
        higher = torch.maximum(top, scores.detach().amax(dim=-1, keepdim=True))
        base = higher.masked_fill(higher == float("-inf"), 0)  # nothing seen so far: -inf - 0 is still -inf
        shrink, exps = torch.exp(top - base), torch.exp(scores - base)
        total = total * shrink + exps.sum(dim=-1, keepdim=True)
        output = output * shrink + exps @ v[..., part, :]
        top = higher
    return output / total.masked_fill(total == 0, 1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_online_attention", "locked": true, "points": 4, "solution": false, "task": false}
import math

import numpy as np
import torch

from byhand import check

with check.exercise("online_attention"):
    library = (
        ".scaled_dot_product_attention",
        "blocks.attention",
        "MultiheadAttention",
        "MultiHeadAttention",
    )
    library += ("multi_head_attention_forward", "flex_attention", "_math", "_for_cpu")
    check.source("online_attention", forbid=library, allow_text="@, torch.exp, amax and sum.")
    q = torch.tensor([[2 * math.log(3), 0, 0, 0], [0, 0, 0, 0]], dtype=torch.float64)
    k = torch.tensor([[0.0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.float64)
    v = torch.tensor([[0.0, 5], [10, 0], [5, 5]], dtype=torch.float64)  # exp(score): 1, 3, 1 and 1, 1, 1
    wrong = {
        "this is the mean of the blocks' outputs; blocks count by the sum of their exponentials.": [
            [6.25, 3.125],
            [5, 3.75],
        ],
        "this is the sum of the blocks' outputs; divide once, at the end.": [[12.5, 6.25], [10, 7.5]],
        "only the last block counts; the sums must go on.": [[5, 5], [5, 5]],
        "only whole blocks were read; the last one may be short.": [[7.5, 1.25], [5, 2.5]],
        "each block subtracted its own largest score, and nothing shrank.": [
            [6.428571, 2.857143],
            [5, 10 / 3],
        ],
        "divide by the sum at the end.": [[35 / 3, 10 / 3], [15, 10]],
        "the scale is missing: divide by the root of D = 4.": [[8.636364, 0.909091], [5, 10 / 3]],
        "divided by D; the scale is its root.": [[5.980762, 2.679492], [5, 10 / 3]],
    }
    got, want = online_attention(q, k, v, 2), torch.tensor([[7, 2], [5, 10 / 3]], dtype=torch.float64)
    check.values("online_attention(q, k, v, 2)", got, want, axes=("query", "feature"), known_wrong=wrong)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    wrong = {
        "who may attend to nothing gets zeros; 0 / 0 and -inf minus -inf are nan.": [
            [7.5, 1.25],
            [math.nan] * 2,
        ],
        "who may attend to nothing gets zeros, not a mean.": [[7.5, 1.25], [5, 10 / 3]],
        "the mask is turned round: True means MAY attend.": [[5, 5], [5, 10 / 3]],
        "the mask was not used.": [[7, 2], [5, 10 / 3]],
        "masked keys still count below the line.": [[6, 1], [0, 0]],
    }
    got, want = online_attention(q, k, v, 1, mask), torch.tensor([[7.5, 1.25], [0, 0]], dtype=torch.float64)
    check.values(
        "online_attention(q, k, v, 1, mask)", got, want, axes=("query", "feature"), known_wrong=wrong
    )
    ### BEGIN HIDDEN TESTS
    generator = check.generator()

    def random(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def slow(q, k, v, mask):  # query by query, in float64
        output = torch.zeros(*q.shape[:-1], v.shape[-1], dtype=torch.float64)
        for at in np.ndindex(*q.shape[:-1]):
            seen = [(*at[:-1], j) for j in range(k.shape[-2]) if mask[(*at, j)]]
            scores = [float(q[at].double() @ k[j].double()) / q.shape[-1] ** 0.5 for j in seen]
            exps = [math.exp(score - max(scores)) for score in scores]
            for e, j in zip(exps, seen, strict=True):
                output[at] += e / sum(exps) * v[j].double()
        return output

    sizes = [
        ((), 1, 1, 1, 1, None),
        ((), 3, 7, 4, 2, (3, 7)),
        ((2,), 6, 3, 3, 3, (2, 1, 3)),
        ((2,), 2, 5, 4, 1, None),
    ]
    sizes += [
        ((2, 3), 4, 6, 8, 5, (2, 1, 4, 6)),
        ((2, 2), 3, 4, 2, 1, (4,)),
        ((3,), 2, 5, 6, 4, (2, 1)),
        ((2,), 3, 4, 2, 2, (1,)),
    ]
    sizes += [
        ((2, 1, 2), 2, 3, 4, 4, (2, 1, 1, 1, 3)),
        ((2,), 3, 5, 2, 3, (2, 3, 1)),
        ((2, 2), 3, 3, 3, 3, (2, 1, 1, 1)),
    ]
    for leading, T, S, D, D_v, mask_shape in sizes:
        mask = None if mask_shape is None else torch.rand(mask_shape, generator=generator) > 0.4
        if mask_shape == (2, 1, 4, 6):
            mask[0, 0, 1], mask[0, 0, 2, :4], mask[1, 0, :, 2] = False, False, False
        full = torch.ones(*leading, T, S) > 0 if mask is None else mask.expand(*leading, T, S)
        given = [random(*leading, *size) for size in ((T, D), (S, D), (S, D_v))]
        want = slow(*given, full)
        for block in (1, 2, 3, S, S + 4):
            dtype = torch.float32 if block == 3 else torch.float64
            call = f"online_attention(q, k, v, {block}, mask), q {(*leading, T, D)}, k {(*leading, S, D)}"
            call += f", v {(*leading, S, D_v)}, mask {mask_shape}, {dtype}"
            got = online_attention(*(part.to(dtype) for part in given), block, mask)
            check.values(call, got, want.to(dtype))
    rows = {"rising": [-1e4, -1e3, 0, 1e3, 9999, 1e4], "falling": [1e4, 9999, 1e3, 0, -1e3, -1e4]}
    rows |= {"all -10000": [-1e4] * 6, "all 10000": [1e4] * 6, "a peak first": [1e4, 0, 0, 0, 0, 0]}
    q, v = torch.tensor([[2.0, 0, 0, 0]]), random(6, 3).float()
    for name, row in rows.items():
        k = torch.tensor([[score, 0, 0, 0] for score in row])
        for block in (1, 2, 4, 6):
            for dtype in (torch.float64, torch.float32):
                got, call = online_attention(q.to(dtype), k.to(dtype), v.to(dtype), block), f"scores {name}"
                want = slow(q, k, v, torch.ones(1, 6)).to(dtype)
                note = "What was summed must shrink whenever a block brings a larger score."
                call = f"online_attention(q, k, v, {block}), {call}, {dtype}"
                check.values(call, got, want, tolerance=1e-9 if dtype is torch.float64 else 1e-3, note=note)
    mask = torch.tensor([False, False, True, True, True, False])
    got, want = online_attention(q, k - 5e3, v, 2, mask), slow(q, k - 5e3, v, mask[None]).float()
    check.values("online_attention(q, k, v, 2, mask), scores of -10000, the first block masked", got, want)
    q, k, v = (random(2, n, 2, d).transpose(1, 2) for n, d in ((3, 4), (5, 4), (5, 2)))
    mask = torch.rand((2, 1, 3, 5), generator=generator) > 0.5
    mask[..., 0], mask[0, 0, 1], mask[1, 0, :, 3], mask[1, 0, 2, :2] = True, False, False, False
    for one in (mask, None, torch.zeros(5, dtype=torch.bool)):
        call = f"online_attention(q, k, v, 2, {'None' if one is None else 'mask'})"
        check.gradient(call, lambda q, k, v, m=one: online_attention(q, k, v, 2, m), (q, k, v))
    check.kept("online_attention(q, k, v, 2, mask)", online_attention, q, k, v, 2, mask)
    cases = [((2, 3), (4, 5), (4, 6), None, "35"), ((2, 3), (4, 1), (4, 6), None, "31")]
    cases += [((2, 3), (4, 3), (5, 6), None, "45"), ((2, 3), (4, 3), (1, 6), None, "41")]
    cases += [((2, 5, 3), (1, 4, 3), (1, 4, 6), None, "21"), ((2, 3), (4, 3), (4, 6), (2, 7), "74")]
    cases += [((2, 3), (4, 3), (4, 6), (3, 4), "32"), ((1, 3), (4, 3), (4, 6), (2, 4), "21")]
    for *shapes, mask_shape, numbers in cases:
        said = (("mask",) if mask_shape else ("q", "k", "v"), *numbers)
        call = f"online_attention(q, k, v, 3, mask) with q, k, v {shapes} and mask {mask_shape}"
        mask = None if mask_shape is None else torch.ones(mask_shape) > 0
        check.raises(
            call, lambda s=shapes, m=mask: online_attention(*map(torch.ones, s), 3, m), mentions=said
        )
    for bad in (0, -2):
        call, said = f"online_attention(q, k, v, {bad})", ("block", str(bad))
        check.raises(call, lambda bad=bad: online_attention(*torch.ones(3, 4, 2), bad), mentions=said)
    q, k, v = (torch.randn((20480, 4), generator=generator) for _ in range(3))
    call = "online_attention(q, k, v, 256), q, k, v = torch.randn(3, 20480, 4),"
    check.cost(call, lambda: online_attention(q, k, v, 256), max_bytes=2**30)
    ### END HIDDEN TESTS

# %% [markdown]
# The estimate after each block. **Question:** key 20 fits the query best. What do you see, and why is the result exact
# all the same?
#
# <details><summary>Answer</summary>A jump there: all before shrinks at once. Nothing is lost, since shrinking multiplies both sums alike.</details>

# %%
generator = torch.Generator().manual_seed(5)
keys, values = torch.randn(32, 8, generator=generator), torch.linspace(-1, 1, 32)[:, None]
query = 4 * keys[20:21]
running = [online_attention(query, keys[:n], values[:n], 4).item() for n in range(4, 33, 4)]
exact = [blocks.attention(query, keys, values)[0].item()] * len(running)
caption = (
    "What to see: the estimate jumps at the block that holds the best key, and ends at the exact output."
)
series = {"online, after so many keys": running, "full attention": exact}
ax = plot.lines(range(4, 33, 4), series, xlabel="keys read (tokens)", ylabel="output", caption=caption)

# %% [markdown]
# ### Exercise 8 · `RollingCache` — 2 points, difficulty 2/3, importance 3/3, about 8 minutes
#
# A model that writes keeps the keys and values of earlier tokens. With a window, old ones are never asked again, so
# forget them: the memory stays constant, however long the chat.
#
# `append(k, v)` adds $n \ge 1$ positions and returns keys and values of the **last** `window` positions, oldest first,
# or fewer if there were fewer. $n$ may exceed `window`.
#
# A slice such as `x[..., -3:, :]` is a **view**: it keeps all of `x` in memory. `clone` it.
#
# **Predict first:** which cache serves `window_mask(…, w, causal=True)`?
#
# <details><summary>Answer</summary>RollingCache(w + 1): the query's own key is one of them.</details>
# <details><summary>Hint 1 · idea</summary>Join what is kept with what is new along the axis of positions, keep the end.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Two attributes, None at first; <code>torch.cat(…, dim=-2)</code> and a slice from the end.</details>
# <details><summary>Hint 3 · nearly there</summary>Clone the slice, not the whole. The very first append needs it, too.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "RollingCache", "locked": false, "solution": true, "task": false}
class RollingCache:
    """Keys and values of the last `window` positions, in constant memory.

    append(k (…, n, D), v (…, n, Dv)) -> (keys, values) of the last `window` positions, oldest first.
    Raises: ValueError if window < 1, or if k and v differ in more than their last size.
    Source: Jiang et al. 2023 (Mistral 7B), section 2, "rolling buffer cache".
    """

    def __init__(self, window):
        if window < 1:
            raise ValueError(f"window must be at least 1, got {window}")
        ### BEGIN SOLUTION
        self.window, self.keys, self.values = window, None, None
        ### END SOLUTION

    def append(self, k, v):
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
        ### BEGIN SOLUTION
        if self.keys is not None:
            k, v = torch.cat([self.keys, k], dim=-2), torch.cat([self.values, v], dim=-2)
        self.keys = k[..., -self.window :, :].clone()  # a view would keep the longer tensor
        self.values = v[..., -self.window :, :].clone()
        return self.keys, self.values
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_RollingCache", "locked": true, "points": 2, "solution": false, "task": false}
import math

import torch

from byhand import check

with check.exercise("RollingCache"):
    cache, axes = RollingCache(2), (("position", "feature"),) * 2
    steps = [([[1.0]], [[1.0]]), ([[2.0]], [[1.0], [2.0]]), ([[3.0]], [[2.0], [3.0]])]
    steps += [([[4.0], [5.0], [6.0]], [[5.0], [6.0]])]
    known = {
        "one position too many: at most window are kept.": [[1.0], [2.0], [3.0]],
        "these are the first positions; keep the last.": [[1.0], [2.0]],
        "oldest first; the new positions go to the end.": [[2.0], [1.0]],
        "oldest first.": [[3.0], [2.0]],
        "nothing was forgotten.": [[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]],
        "a chunk longer than the window must be cut, too.": [[4.0], [5.0], [6.0]],
        "only the new positions are here; the older ones belong before them.": [[2.0]],
    }
    for new, wanted in steps:
        got, want = cache.append(torch.tensor(new), -torch.tensor(new)), torch.tensor(wanted)
        signs = {text: (numbers, [[-x for x in row] for row in numbers]) for text, numbers in known.items()}
        call = f"cache.append(torch.tensor({new}), …), cache = RollingCache(2), after {int(new[0][0]) - 1} positions"
        check.values(call, got, (want, -want), axes=axes, known_wrong=known | signs)
    k, call = (
        torch.arange(6.0).reshape(2, 3, 1),
        "RollingCache(2).append(k, -k), k = torch.arange(6.0).reshape(2, 3, 1),",
    )
    got, wanted, axes = RollingCache(2).append(k, -k), k[:, 1:], (("head", "position", "feature"),) * 2
    check.values(call, got, (wanted, -wanted), axes=axes)
    check.raises("RollingCache(0)", lambda: RollingCache(0), mentions=("window", "0"))
    k, v = torch.zeros(2**17, 66), torch.zeros(2**17, 1)  # 33 MiB: so large, freed memory goes back at once
    caches = [RollingCache(2) for _ in range(16)]

    def small():
        try:
            check.cost(
                "", lambda: [each.append(k.clone(), v) and None for each in caches], max_bytes=320 << 20
            )
        except (check.CheckFailed, MemoryError, RuntimeError):
            return False
        return True

    say = "together they need more than 320 MiB. Keep a copy of the last positions, not a view of a longer tensor."
    check.true("each.append(k, v), k (131072, 66) float32, in 16 RollingCache(2)", small(), say)
    ### BEGIN HIDDEN TESTS
    generator, rng = check.generator(), check.rng()

    def random(*shape, dtype=torch.float64):
        return torch.randn(shape, generator=generator, dtype=dtype)

    for leading, window, D, D_v in [((), 1, 2, 3), ((2,), 3, 4, 1), ((2, 3), 5, 2, 2), ((1, 2), 40, 3, 4)]:
        for dtype in (torch.float64, torch.float32):
            cache, past = RollingCache(window), [random(*leading, 0, size, dtype=dtype) for size in (D, D_v)]
            for n in [1, *rng.integers(1, 7, size=5).tolist(), window, window + 3, 1]:
                new = [random(*leading, n, size, dtype=dtype) for size in (D, D_v)]
                past = [torch.cat(pair, dim=-2) for pair in zip(past, new, strict=True)]
                call = f"cache.append(k, v), cache = RollingCache({window}), k {(*leading, n, D)}, position "
                call += f"{past[0].shape[-2] - n}, {dtype}"
                check.values(call, cache.append(*new), tuple(part[..., -window:, :] for part in past))
    one, other = RollingCache(3), RollingCache(3)
    one.append(random(2, 2), random(2, 2))
    k, v = random(1, 2), random(1, 2)
    check.values("other.append(k, v), after one.append(…); two caches", other.append(k, v), (k, v))
    check.kept("cache.append(k, v)", RollingCache(2).append, random(3, 2, 2), random(3, 2, 2))
    big = RollingCache(9)
    first = big.append(random(2, 2), random(2, 2))[0].clone()
    big.append(random(1, 2), random(1, 2))
    check.values(
        "keys, at the third append, of the first one", big.append(random(1, 2), random(1, 2))[0][:2], first
    )
    leaf = random(4, 2).requires_grad_()
    keys, values = RollingCache(3).append(leaf, 2 * leaf)
    linked = bool(keys.requires_grad and values.requires_grad)
    check.true("RollingCache(3).append(x, 2 * x)", linked, "the gradient of x is cut; do not detach.")
    (keys.sum() + values.sum()).backward()
    want = torch.tensor([[0.0, 0], [3, 3], [3, 3], [3, 3]], dtype=torch.float64)
    check.values(
        "the gradient of keys.sum() + values.sum() for RollingCache(3).append(x, 2 * x)", leaf.grad, want
    )
    w, T, q, k, v = 3, 11, random(2, 11, 4), random(2, 11, 4), random(2, 11, 5)
    cache, i = RollingCache(w + 1), torch.arange(T)
    seen = (i[:, None] - i >= 0) & (i[:, None] - i <= w)
    want = (q @ k.mT / 2).masked_fill(~seen, -math.inf).softmax(-1) @ v
    for t in range(T):
        keys, values = cache.append(k[:, t : t + 1], v[:, t : t + 1])
        got = (q[:, t : t + 1] @ keys.mT / 2).softmax(-1) @ values
        check.values(
            f"attention to RollingCache({w + 1}) at step {t}, as with a window of {w}",
            got,
            want[:, t : t + 1],
        )
    for bad in (-1, -8):
        check.raises(f"RollingCache({bad})", lambda bad=bad: RollingCache(bad), mentions=("window", str(bad)))
    for a, b, numbers in [((3, 2), (4, 2), "34"), ((2, 3, 2), (1, 3, 2), "21"), ((5, 2), (1, 2), "51")]:
        call = f"RollingCache(9).append(torch.ones({a}), torch.ones({b}))"
        refused = lambda a=a, b=b: RollingCache(9).append(torch.ones(a), torch.ones(b))  # noqa: E731
        check.raises(call, refused, mentions=(("k", "v"), *numbers))
    for shape in [(1, 5), (2, 1, 4)]:

        def refused(shape=shape):
            cache = RollingCache(4)
            cache.append(torch.ones(1, 1, 4), torch.ones(1, 1, 4))
            return cache.append(torch.ones(shape), torch.ones(shape))

        call = f"append, k and v {shape} after k and v (1, 1, 4),"
        check.raises(call, refused, error=Exception)
    ### END HIDDEN TESTS

# %% [markdown]
# ## Experiment: what does length cost?
#
# Time on one core and memory, against length, for all of them on your machine. The meter counts the bytes of all tensors that are
# alive at once. On log-log paper, cost $\sim T^n$ is a straight line of slope $n$.
#
# **Predict first:** which curves have slope 1, which slope 2? And which one is 1 in memory but 2 in time?


# %%
class Meter(TorchDispatchMode):
    """While it is on: peak, the bytes of all new tensors alive at the same time, at most."""

    def __init__(self):
        super().__init__()
        self.known, self.live, self.peak = weakref.WeakSet(), 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        old = {
            id(part.untyped_storage())
            for part in torch.utils._pytree.tree_leaves(args)
            if torch.is_tensor(part)
        }
        results = function(*args, **(kwargs or {}))
        for part in torch.utils._pytree.tree_leaves(results):
            storage = part.untyped_storage() if torch.is_tensor(part) else None
            if storage is not None and storage not in self.known and id(storage) not in old:
                self.known.add(storage)
                self.live += storage.nbytes()
                weakref.finalize(storage, self.free, storage.nbytes())
        self.peak = max(self.peak, self.live)
        return results

    def free(self, size):
        self.live -= size


def full(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    scores = scores if mask is None else scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1) @ v


fused = torch.nn.functional.scaled_dot_product_attention
quadratic = {
    "full": full,
    "full, window mask": lambda q, k, v: full(q, k, v, window_mask(len(q), len(q), 128)),
    "full, global mask": lambda q, k, v: full(q, k, v, global_mask(len(q), 128, [0])),
}
others = {
    "torch's fused": lambda q, k, v: fused(q[None, None], k[None, None], v[None, None]),
    "online": lambda q, k, v: online_attention(q, k, v, 256),
    "local": lambda q, k, v: local_attention(q, k, v, 128),
    "segment": lambda q, k, v: segment_attention(q, k, v, 128),
    "linear, causal": lambda q, k, v: linear_attention(q, k, v, causal=True),
}


def measure(function, n_tokens):
    """Seconds of the processor (the best of five, or of fewer if it is slow) and MiB."""
    q, k, v = torch.randn(3, n_tokens, 16, generator=torch.Generator().manual_seed(n_tokens))
    with torch.no_grad():
        with Meter() as meter:
            function(q, k, v)
        seconds = []
        while len(seconds) < 5 and sum(seconds) < 0.5:
            start = time.process_time()  # not the clock on the wall: other programs do not count
            function(q, k, v)
            seconds.append(time.process_time() - start)
    return min(seconds), max(meter.peak, 1) / 2**20


# %% [markdown]
# Quadratic ones stop at 4,096 tokens; at 16,384 each would need gigabytes. **Questions:** what does the mask save?
# Where do *local* and *full* cross?
#
# <details><summary>Answer</summary>Nothing: masked curves lie with the plain one or above. Here they cross near 500 tokens: a window nearly as long as the text is not worth the loop.</details>

# %%
lengths = [2**n for n in range(9, 15)]
seconds, mebibytes = {}, {}
n_threads = torch.get_num_threads()
torch.set_num_threads(1)  # one core, so that machines can be compared
for name, function in (quadratic | others).items():
    reach = [n for n in lengths if n <= 4096 or name in others]
    found = np.array([measure(function, n) for n in reach])  # (lengths, 2)
    steepness = [np.polyfit(np.log(reach[-3:]), np.log(found[-3:, column]), 1)[0] for column in (0, 1)]
    print(f"{name:<18} slope in time {steepness[0]:4.1f}, in memory {steepness[1]:4.1f}")
    missing = np.full((len(lengths) - len(reach), 2), np.nan)
    seconds[name], mebibytes[name] = np.concatenate([found, missing]).T
torch.set_num_threads(n_threads)
caption = "What to see: slope 2 for all that score every pair, slope 1 for local, segment and linear."
ax = plot.lines(
    lengths, seconds, xlabel="length T (tokens)", ylabel="time on one core (s)", log=True, caption=caption
)
caption = "What to see: online needs four times the time for twice the text, but only twice the memory."
ax = plot.lines(
    lengths, mebibytes, xlabel="length T (tokens)", ylabel="memory (MiB)", log=True, caption=caption
)

# %% [markdown]
# **Questions.** Which method is exact and still fits? Which is fastest at 16,384 tokens, and what does it give up?
#
# <details><summary>Answer</summary>Online (and torch's fused one, the same idea in C++) is exact. Local and segment give up far keys, linear gives up sharp weights.</details>
#
# PyTorch's FlexAttention compiles a window, given as a function of two positions, into one fused loop: on a GPU, or
# where a C++ compiler is installed. Compiling takes a while.

# %%
from torch.nn.attention.flex_attention import create_block_mask, flex_attention


def near(batch, head, i, j):
    return (i - j).abs() <= 128


def milliseconds(function):
    function()  # the first call compiles
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        function()[0, 0, -1, -1].item()  # reading a number waits for a GPU to finish
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds)


device = "cuda" if torch.cuda.is_available() else "cpu"
q, k, v = torch.randn(3, 1, 1, 16384, 16, device=device, generator=torch.Generator(device).manual_seed(1))
print(f"on {device}, 16,384 tokens")
print(f"  full, torch's fused  {milliseconds(lambda: fused(q, k, v)):8.1f} ms")
print(f"  your local_attention {milliseconds(lambda: local_attention(q, k, v, 128)):8.1f} ms")
try:
    compiled, pairs = (
        torch.compile(flex_attention),
        create_block_mask(near, None, None, 16384, 16384, device=device),
    )
    print(f"  FlexAttention        {milliseconds(lambda: compiled(q, k, v, block_mask=pairs)):8.1f} ms")
except Exception as error:  # compiling can fail in many ways; the lesson goes on
    print(f"  FlexAttention does not compile here ({type(error).__name__}). Nothing depends on it.")

# %% [markdown]
# ## Where this is used
#
# - **Windows, rolling cache**: chat models such as Mistral 7B.
# - **Windows and global tokens**: Longformer and BigBird: question answering and summaries of long documents.
# - **Windows in the plane**: Swin, for images. **Bands along time**: speech recognition while one speaks.
# - **Predicted centres**: translation, and speech synthesis, where reading moves steadily forward.
# - **Online softmax**: FlashAttention, inside nearly every large model.
#
# One honest limit: a model that answers a question about page 1 on page 300 needs some path between them. A window has
# one only through many layers, and models use it less than the arithmetic allows.
#
# ## Limits
#
# - Python loops cost time; fused kernels do the same in one go.
# - The meter counts tensors, not what a library allocates inside a call.
# - Linear attention in float32: running sums of very long texts lose digits.
#
# ## Summary
#
# 1. A mask saves nothing; what saves is not computing. Blocks near the diagonal cost $O(T \cdot w)$.
# 2. Exact attention needs little memory: a running maximum, a running sum, blocks of keys.
# 3. Linear attention and rolling caches keep a state of constant size; both give up something, so measure.

# %% [markdown]
# ## Questions and answers
#
# **Why is my masked version not faster?** It computes all scores, then hides them. `local_attention` never makes them.
#
# **How far does news travel through windows?** `window` tokens a layer, as through a stack of convolutions.
#
# **Is online attention an approximation?** No. Only rounding differs.
#
# **Why may the maximum be detached?** It cancels in the division, so its true gradient is 0.
#
# **A memory check fails, though I use blocks.** Look for one tensor of shape (T, S): a mask, an index table, a list of
# all blocks' scores.
#
# ## Further reading
#
# - Luong, Pham, Manning 2015 (arXiv:1508.04025), section 3.2: local attention, with a predicted centre.
# - Dai et al. 2019, *Transformer-XL* (arXiv:1901.02860): segments with a memory.
# - Beltagy, Peters, Cohan 2020, *Longformer* (arXiv:2004.05150): windows and global tokens.
# - Katharopoulos et al. 2020, *Transformers are RNNs* (arXiv:2006.16236): linear attention.
# - Milakov, Gimelshein 2018, *Online normalizer calculation for softmax* (arXiv:1805.02867).
# - Dao et al. 2022, *FlashAttention* (arXiv:2205.14135).
# - Jiang et al. 2023, *Mistral 7B* (arXiv:2310.06825): sliding windows and a rolling cache.
