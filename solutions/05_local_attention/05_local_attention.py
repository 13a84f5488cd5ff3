# %% [markdown]
# # 05 · Local attention: long texts on a small machine
#
# **Goal.** Write attention that reads 65,536 tokens in less than 1 GiB: windows, segments, a linear form, exact attention in blocks, and a cache that never grows.
#
# **Why.** Full attention compares everything with everything: twice the text, four times the work. Books, recordings, genomes and long chats are out of reach. Each exercise saves in another way, and you measure what it costs.
#
# You need lesson 03. About 140 minutes, in as many evenings as you like.

# %%
import math

import torch

from byhand import attends, blocks, check, meter, plot

append_twice = attends.append_twice  # for the check of Exercise 8

# %% [markdown]
# ## The idea: not everybody needs everybody
# In most texts, what a word needs is near. So let each query see a **window** of keys. A mask alone saves nothing: the hidden scores are computed, stored and thrown away. To save, never compute them.

# %%
caption = "What to see: only a band of width 7 is used. Twice the text is four times the square."
ax = plot.mask(blocks.window_mask(20, 20, 3), caption=caption)

# %% [markdown]
# **Question:** what share of the square is used at 65,536 tokens and a window of 128 to either side?
# <details><summary>Answer</summary>257 of 65,536 keys for each query, 0.4 percent.</details>
#
# ### Before you start
# Throughout: q `(…, T, D)`, k `(…, S, D)`, v `(…, S, Dv)`, the same leading axes, scale $1/\sqrt D$; functions return the output only. Queries are the **last** T of the S positions: query $i$ sits at position $p = i + S - T$. The checks of sizes are given: `attends.check_sizes` and the like. Inputs stay unchanged, dtypes too.

# %% [markdown]
# ### Exercise 1 · `window_mask` — 2 points, difficulty 2/3, importance 3/3, about 7 minutes
# A query at position $p = i + S - T$ sees the keys at most `window` away:
# $$|p - j| \le w, \qquad \text{if causal, also } j \le p$$
# So a causal query sees `window + 1` keys, its own among them. Fewer keys than queries, or a window below 0: a `ValueError` that names the argument and its numbers (given).
#
# **Predict first:** what does `window_mask(4, 4, 0)` look like?
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
    attends.at_least(0, window=window)
    ### BEGIN SOLUTION
    positions = torch.arange(n_queries)[:, None] + (n_keys - n_queries)  # (T, 1)
    ahead = torch.arange(n_keys) - positions  # (T, S), how far the key lies after the query
    return (ahead.abs() <= window) & (ahead <= (0 if causal else window))
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_window_mask", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("window_mask"):
    library = ("blocks.window_mask", "torch.nn.attention.")
    check.source("window_mask", forbid=library, allow_text="torch.arange and comparisons.")
    axes, said = ("query", "key"), ("keys", "queries")
    wrong = {
        "the first query sits at position S - T = 2, not 0; align at the end.": [[1, 1, 0, 0], [1, 1, 1, 0]],
        "a distance of exactly window is still seen.": [[0, 0, 1, 0], [0, 0, 0, 1]],
        "True and False are swapped: True means the query MAY attend.": [[1, 0, 0, 0], [1, 1, 0, 0]],
        "a window reaches to both sides unless causal.": [[0, 1, 1, 0], [0, 0, 1, 1]],
        "keys far behind are outside the window, too.": [[1, 1, 1, 1], [1, 1, 1, 1]],
    }
    want = torch.tensor([[0, 1, 1, 1], [0, 0, 1, 1]]) > 0
    check.values("window_mask(2, 4, 1)", window_mask(2, 4, 1), want, axes=axes, known_wrong=wrong)
    wrong = {
        "causal was not used: no key after the query's own.": [[0, 1, 1, 1], [0, 0, 1, 1]],
        "this is the future; causal means the past.": [[0, 0, 1, 1], [0, 0, 0, 1]],
        "causal: the query's own key is seen, too.": [[0, 1, 0, 0], [0, 0, 1, 0]],
        "causal: window + 1 keys, window before it and its own.": [[0, 0, 1, 0], [0, 0, 0, 1]],
        "causal, but the window was not used.": [[1, 1, 1, 0], [1, 1, 1, 1]],
    }
    got, want = window_mask(2, 4, 1, causal=True), torch.tensor([[0, 1, 1, 0], [0, 0, 1, 1]]) > 0
    check.values("window_mask(2, 4, 1, causal=True)", got, want, axes=axes, known_wrong=wrong)
    check.refuses("window_mask", window_mask, [([said, "2", "3"], 3, 2, 1), (["window", "-1"], 2, 2, -1)])
    ### BEGIN HIDDEN TESTS
    for T, S in [(1, 1), (1, 6), (5, 5), (3, 8), *map(sorted, check.rng().integers(2, 20, (2, 2)).tolist())]:
        for window, causal in [(w, c) for w in (0, 1, 2, 5, S, 40) for c in (False, True)]:
            near = [[abs(i + S - T - j) <= window for j in range(S)] for i in range(T)]
            past = [[j <= i + S - T or not causal for j in range(S)] for i in range(T)]
            got, call = window_mask(T, S, window, causal), f"window_mask({T}, {S}, {window}, causal={causal})"
            check.values(call, got, torch.tensor(near) & torch.tensor(past), axes=axes)
    cases = [([said, "2", "1"], 2, 1, 2, True), ([said, "9", "4"], 9, 4, 2), (["window", "-7"], 1, 3, -7)]
    check.refuses("window_mask", window_mask, cases)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2 · `local_attention` — 4 points, difficulty 3/3, importance 3/3, about 28 minutes
# Now save: **compute only near the diagonal**. Cut the queries into blocks. A block from `start` to `end` can see nothing outside `start − window … end + window`, so slice these keys, score, mask what is still too far, softmax, sum. Here T = S.
# $$\text{work} \approx T \cdot (\text{block} + 2w) \quad\text{instead of}\quad T^2$$
# The check runs 65,536 tokens, window 128, in 1 GiB. A mask for all of them would take 4 GiB. Ready-made windowed attention (`flex_attention`) is off limits.
#
# **Predict first:** which blocks see fewer keys than the others?
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
    attends.check_sizes(q, k, v, same=True)
    attends.at_least(0, window=window)
    ### BEGIN SOLUTION
    T, D = q.shape[-2:]
    window = min(window, T)
    block = max(window, 64)
    # One block's scores with all keys in reach; at the ends of the text, a part of it is cut out.
    places = torch.arange(-window, block + window, device=q.device)
    ahead = places - places[window : window + block, None]  # how far a key lies after a query
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
with check.exercise("local_attention", needs=("window_mask",)):
    library = ("flex_attention", "blocks.local_attention")
    check.source("local_attention", forbid=library, allow_text="slices, @, a mask and softmax.")
    q = torch.tensor([[2 * math.log(3), 0, 0, 0]], dtype=torch.float64).repeat(4, 1)  # exp(score): 1, 3, 1, 3
    k, v = torch.eye(4).double()[[1, 0, 1, 0]], torch.tensor([[0.0], [8], [4], [12]]).double()
    both, past, axes = [[6], [5.6], [64 / 7], [10]], [[0], [6], [7], [10]], ("query", "feature")
    wrong = {
        "the scale is missing: divide by the root of D = 4.": [[7.2], [76 / 11], [184 / 19], [11.2]],
        "divided by D; the scale is its root.": [[5.071797], [4.78461], [8.655945], [9.071797]],
        "missing neighbours at the ends were counted as keys of zeros.": [[4.8], [5.6], [64 / 7], [8]],
        "the mask came after softmax, so weights no longer add up to 1.": [[3], [3.5], [8], [5]],
        "keys too far away got the score 0; give them -inf.": [[20 / 3], [20 / 3], [8], [8]],
        "the window was not used.": [[8], [8], [8], [8]],
        "the window reaches one key too far.": [[5.6], [8], [8], [9.142857]],
        "the window is one key too short.": [[0], [8], [4], [12]],
        "queries see only keys of their own block; a window crosses its edges.": [[6], [6], [10], [10]],
        "queries see only the past; without causal, a window reaches to both sides.": past,
        "window_mask puts queries last; in a block, keys lie to their right, too.": [[6], [7], [10], [10]],
    }
    got, want = local_attention(q, k, v, 1), torch.tensor(both, dtype=torch.float64)
    check.values("local_attention(q, k, v, 1)", got, want, axes=axes, known_wrong=wrong)
    check.kept("local_attention(q, k, v, 1)", local_attention, q, k, v, 1)
    wrong = {"causal was not used.": both, "this is the future; causal: the past.": [[6], [7], [10], [12]]}
    got, want = local_attention(q, k, v, 1, causal=True), torch.tensor(past, dtype=torch.float64)
    check.values("local_attention(q, k, v, 1, causal=True)", got, want, axes=axes, known_wrong=wrong)
    zeros, places = torch.zeros(999, 4), torch.arange(999.0)[:, None]  # equal scores: the mean of 7 places
    want = torch.tensor([[(max(p - 3, 0) + min(p + 3, 998)) / 2] for p in range(999)])
    got, call = local_attention(zeros, zeros, places, 3), "local_attention(zeros, zeros, places, 3)"
    note = "Do windows cross the edges of your blocks, to both sides? window_mask puts the queries last."
    check.values(call, got, want, axes=axes, note=note)
    check.values("local_attention(q, k, v, 0), itself alone", local_attention(q, k, v, 0), v, axes=axes)
    attends.in_one_gib("local_attention", local_attention, 128)
    ### BEGIN HIDDEN TESTS
    call, q, k, v, output = attends.in_one_gib("local_attention", local_attention, 128, True)
    for i in (0, 130, 40000, 65535):
        seen = slice(max(0, i - 128), i + 1)
        want, _ = blocks.attention(q[0, 0, i : i + 1], k[0, 0, seen], v[0, 0, seen])
        check.values(f"query {i} of {call[:-1]}", output[0, 0, i], want[0])
    far, two = lambda T: torch.arange(T) - torch.arange(T)[:, None], (False, True)
    mask = lambda T, S, window, causal: (far(T).abs() <= window) & ((far(T) <= 0) | (not causal))
    sizes = [((), 1, 1, 1, 0), ((), 5, 3, 2, 0), ((2,), 7, 4, 4, 2), ((2, 3), 6, 8, 5, 1), ((), 9, 2, 3, 8)]
    sizes += [((), 9, 2, 3, 9), ((1, 2), 5, 4, 1, 10**6), ((), 150, 4, 2, 3), ((), 131, 2, 2, 65)]
    sizes = [(n, T, T, *more, causal) for n, T, *more in [*sizes, ((), 64, 1, 1, 7)] for causal in two]
    call = "local_attention(q, k, v, window, causal)"
    attends.as_masked(call, local_attention, mask, sizes, (1, False), (1, True))
    attends.refuses_sizes("local_attention", local_attention, 1, aligned=True)
    cases = [("45", (4, 3), (5, 3), (5, 6), 1), ("14", (1, 3), (4, 3), (4, 6), 1)]
    cases += [(["window", "-1"], (4, 2), (4, 2), (4, 2), -1)]
    check.refuses("local_attention", local_attention, cases, make=torch.ones)
    ### END HIDDEN TESTS

# %% [markdown]
# **A trick to see weights:** with the identity matrix as values, the output *is* the weights. **Question:** why are the weights in the corners larger than those in the middle, though all scores are equal?
# <details><summary>Answer</summary>At the ends a query sees fewer keys, and its weights add up to 1 all the same.</details>

# %%
nothing, identity = torch.zeros(10, 4), torch.eye(10)
caption = "What to see: equal scores, shared among at most 5 keys. Outside the band the weight is exactly 0."
ax = plot.weights(local_attention(nothing, nothing, identity, 2), caption=caption)

# %% [markdown]
# ### Exercise 3 · `predictive_weights` — 2 points, difficulty 2/3, importance 2/3, about 11 minutes
# A fixed window assumes that query and key run side by side. In translation they do not. Luong's *local-p* lets the network **predict a centre** $c$, such as 4.3, and favours keys nearby:
# $$a_s = \text{softmax}(\text{scores})_s \cdot e^{-\frac{(s - c)^2}{2\,\text{width}^2}}, \qquad s = 0 \dots S-1$$
# 1. Do not round $c$: its gradient is how the network learns to look.
# 2. Do not renormalise. Far from everything, little is read.
# 3. A score of `-inf` gives weight 0; a row of them zeros, and finite gradients.
#
# **Predict first:** does every row still add up to 1?
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
with check.exercise("predictive_weights"):
    scores = torch.tensor([0.0, math.log(2.0), 0.0], dtype=torch.float64)  # softmax: 1/4, 1/2, 1/4
    centre, inf = torch.tensor(1.5, dtype=torch.float64), float("inf")
    width = math.sqrt(0.125 / math.log(2))  # the bell is 1/2 at a distance of 1/2, 1/512 at 3/2
    wrong = {
        "renormalised; the weights stay as they are, even below 1 in all.": [0.0013, 0.6658, 0.3329],
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
        "divide by all of 2 · width²; the bracket is missing.": [0.204094, 0.488857, 0.244428],
    }
    call, want = "predictive_weights(scores, centre, width)", torch.tensor([0.25 / 512, 0.25, 0.125]).double()
    check.values(call, predictive_weights(scores, centre, width), want, axes=("key",), known_wrong=wrong)
    wrong, want = {"centre needs a last axis.": want.repeat(3, 1)}, torch.stack([want, want.flip(0), want])
    got = predictive_weights(scores.repeat(3, 1), centre.new_tensor([1.5, 0.5, 1.5]), width)
    check.values("predictive_weights(3 rows, [1.5, 0.5, 1.5], width)", got, want, known_wrong=wrong)
    scores, centre = torch.tensor([[-inf, 0.0, 0.0], [-inf, -inf, -inf]]), torch.tensor([1.5, 0.0])
    wrong = {
        "a row of -inf gives nan; nobody may look there, so zeros.": [[0.0, 0.5, 0.5], [math.nan] * 3],
        "a row of -inf shares nothing out; zeros.": [[0.0, 0.5, 0.5], [1 / 3] * 3],
    }
    got, want = predictive_weights(scores, centre, 1e6), torch.tensor([[0, 0.5, 0.5], [0, 0, 0]])
    check.values("predictive_weights(scores with -inf, centre, 1e6)", got, want, known_wrong=wrong)
    call = "predictive_weights(scores with a row of -inf, centre, 2.0)"
    attends.reached(call, lambda s, c: predictive_weights(s, c, 2.0), scores=scores, centre=centre)
    ### BEGIN HIDDEN TESTS
    call = "predictive_weights(scores, centre, width)"
    bell = lambda s, centre, width: torch.exp(-((s - centre) ** 2) / (2 * width**2))
    bells = lambda S, *where: torch.stack([bell(s, *where) for s in range(S)], dim=-1)
    slow = lambda s, *where: blocks.masked_softmax(s, s > -inf) * bells(s.shape[-1], *where)
    sizes = [((), 1, 1.0), ((4,), 6, 0.7), ((2, 3), 3, 2), ((3,), 3, 0.9), ((2, 2, 2), 9, 1.5)]
    for lead, S, width in [*sizes, ((3, 3), 3, 10.0)]:
        scores = torch.where(check.randn(*lead, S) < -0.7, -inf, check.randn(*lead, S))
        case = scores, S * (check.randn(*lead) / 4 + 0.5), width
        check.agrees(call, predictive_weights, slow, [case], note="Some scores are -inf.")
    cases = [((4,), torch.tensor(far).double(), width) for far, width in ((-3.0, 2.0), (20.25, 6.0))]
    check.agrees(call, predictive_weights, slow, cases, make=check.randn)
    large, centre = torch.tensor([[1e4, 9999.0], [-1e4, -9999.0]]).double(), torch.tensor([0.5, 1.0]).double()
    rules = {"tolerance": 1e-3, "note": "Scores of ±10000."}  # float32 has few digits left there
    check.agrees(call, predictive_weights, slow, [(large, centre, 2.0)], **rules)
    scores, centre = check.randn(3, 4), 2 * check.randn(3)
    check.gradient(call, lambda s, c: predictive_weights(s, c, 1.3), (scores, centre))
    scores[0, 1], scores[2] = -inf, -inf
    attends.reached(call, lambda s, c: predictive_weights(s, c, 1.3), scores=scores, centre=centre)
    bad = [(0, ("0", "0.0")), (-2, ("-2", "-2.0")), (float("nan"), ("nan",))]
    cases, name = [(["width", said], (3, 4), (3,), width) for width, said in bad], ("centre", "scores")
    cases += [([name, "2", "3"], (2, 5), (3,), 1.0), ([name, "4", "1"], (4, 5), (1,), 1.0)]
    cases += [([name, "4", "5"], (4, 5), other, 1.0) for other in ((4, 1), ())]
    check.refuses("predictive_weights", predictive_weights, cases, make=torch.ones)
    ### END HIDDEN TESTS

# %% [markdown]
# Equal scores, three centres. **Question:** what has the middle one, between two keys, that a rounded one has not?
# <details><summary>Answer</summary>Two equal keys: it is undecided, and moving it a little changes both. After rounding, a small move changes nothing, so there is no gradient.</details>

# %%
centres = torch.tensor([2.0, 4.5, 9.0])
bells = predictive_weights(torch.zeros(3, 12), centres, 1.0)
bells = {f"c = {centre:g}": bell for centre, bell in zip(centres, bells, strict=True)}
caption = "What to see: a bell of weights around each predicted centre; none of them adds up to 1."
ax = plot.lines(range(12), bells, xlabel=plot.KEYS, ylabel="weight", caption=caption)

# %% [markdown]
# ### Exercise 4 · `global_mask` — 2 points, difficulty 1/3, importance 2/3, about 9 minutes
# With a window alone, news travels `window` tokens a layer. A few **global** tokens are short cuts: they see all, and all see them. In question answering, the tokens of the question are such.
# $$\text{mask}_{ij} = |i-j| \le w \;\text{ or }\; i \in G \;\text{ or }\; j \in G$$
# `global_positions` is a list or tuple, perhaps empty, perhaps with repeats. A position outside $0 \dots n-1$: a `ValueError` (given), as −1 would silently mean the last.
#
# **Predict first:** how many layers does news need from token 0 to token 999, with one global token?
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
    attends.at_least(0, window=window)
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
with check.exercise("global_mask", needs=("window_mask",)):
    axes, said = ("query", "key"), ("positions", "n ")
    one, no, two, last = [1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]
    left, right, outer = [1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]
    wrong = {
        "all must also see the global token: its column is missing.": [one, [1] * 4, [0, 0, 1, 0], last],
        "the global token must also see all: its row is missing.": [left, two, right, outer],
        "the window is missing.": [two, [1] * 4, two, two],
        "the global token was not used.": torch.eye(4).tolist(),
        "True and False are swapped.": [[0, 0, 1, 1], no, [1, 0, 0, 1], [1, 0, 1, 0]],
        "this mask is not causal: a global token sees to both sides.": [one, left, right, outer],
    }
    want = torch.tensor([left, [1] * 4, right, outer]) > 0
    check.values("global_mask(4, 0, [1])", global_mask(4, 0, [1]), want, axes=axes, known_wrong=wrong)
    note = "No global token leaves just the window. As an index, a tuple is no list."
    check.values("global_mask(3, 0, ())", global_mask(3, 0, ()), torch.eye(3) > 0, axes=axes, note=note)
    check.refuses("global_mask", global_mask, [([said, "4"], 4, 1, [4])])
    ### BEGIN HIDDEN TESTS
    rng, cases = check.rng(), [(1, 0, []), (1, 0, [0]), (6, 1, (0,)), (6, 2, [5, 0]), (7, 0, (3, 3, 3))]
    for n in map(int, rng.integers(3, 15, 5)):
        cases.append((n, int(rng.integers(0, 4)), rng.integers(0, n, size=3).tolist()))
    cases += [(5, 9, [2]), (8, 1, []), (9, 1, (2, 6)), (5, 0, (1, 3)), (4, 1, tuple(range(4)))]
    for n, window, where in cases:
        rows = [[abs(i - j) <= window or i in where or j in where for j in range(n)] for i in range(n)]
        got, call = global_mask(n, window, where), f"global_mask({n}, {window}, {where})"
        check.values(call, got, torch.tensor(rows), axes=axes)
    check.kept("global_mask(9, 1, positions)", global_mask, 9, 1, [7, 2, 2])
    cases = [([said, "-1", "5"], 5, 1, [-1]), ([said, "3"], 3, 1, [0, 3])]
    cases += [([said, "77"], 6, 1, [2, 77, 1]), ([said, "-4"], 4, 1, [3, -4]), (["window", "-3"], 4, -3, [1])]
    check.refuses("global_mask", global_mask, cases)
    ### END HIDDEN TESTS

# %% [markdown]
# **Question:** tokens 0 and 12 are global. Which two hops, one a layer, carry news from token 5 to token 19? And why may a model that writes have no such global tokens at all?
# <details><summary>Answer</summary>5 → 0 or 12, then → 19. A global token sees the whole text, and every token reads it: the future would leak, through token 0 as through 12.</details>

# %%
caption = "What to see: two full rows and columns cross the band: much of 20 tokens, little of a long text."
ax = plot.mask(global_mask(20, 2, [0, 12]), caption=caption)

# %% [markdown]
# ### Exercise 5 · `segment_attention` — 3 points, difficulty 3/3, importance 2/3, about 20 minutes
# Another cut: chapters. Position $p$ belongs to segment $\lfloor p / \text{segment} \rfloor$, counted from the first **key**. A query sees its own segment and the one before, never the future. So segments are **chained**: after $n$ layers, news has come from $n$ segments back.
# $$\text{seg}(j) \in \{\text{seg}(p) - 1,\ \text{seg}(p)\} \quad\text{and}\quad j \le p$$
# Queries are the last T of S positions, so the first of them may begin within a segment, and segments before it have no query; the last one may be short. Memory $O(T \cdot \text{segment})$: 65,536 tokens run in 1 GiB.
#
# **Predict first:** how many keys can a query see, at least and at most?
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
    attends.check_sizes(q, k, v, aligned=True)
    attends.at_least(1, segment=segment)
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
with check.exercise("segment_attention"):
    check.source("segment_attention", forbid=("flex_attention",), allow_text="slices, @, a mask and softmax.")
    q = torch.tensor([[2 * math.log(3), 0, 0, 0]], dtype=torch.float64).repeat(5, 1)
    k = torch.eye(4, dtype=torch.float64)[[1, 0, 1, 0, 1]]  # exp(score) is 1, 3, 1, 3, 1 for every query
    v = torch.tensor([[0.0], [8], [4], [12], [20]], dtype=torch.float64)
    near = [[0], [6], [5.6], [8], [12]]
    wrong = {
        "only its own segment was seen; the one before is seen, too.": [[0], [6], [4], [10], [20]],
        "the future was seen within the segment.": [[6], [6], [8], [8], [12]],
        "all the past was seen; the segment before the last one is too far.": [*near[:4], [28 / 3]],
        "a sliding window of 2: segments have fixed edges.": [[0], [6], [5.6], [64 / 7], [12]],
        "a sliding window of 1: segments have fixed edges.": [[0], [6], [7], [10], [14]],
        "the scale is missing: divide by the root of D = 4.": [[0], [7.2], [76 / 11], [9.2], [12]],
        "zeros were counted as keys before the first segment.": [[0], [4], [5.6], [8], [12]],
    }
    got, want = segment_attention(q, k, v, 2), torch.tensor(near, dtype=torch.float64)
    check.values("segment_attention(q, k, v, 2)", got, want, axes=("query", "feature"), known_wrong=wrong)
    wrong = {
        "queries were aligned with the first keys; they are the last positions.": [[0], [6]],
        "segments were counted from the first query; count from the first key.": [[64 / 7], [10.5]],
        "all the past was seen; the segment before the last one is too far.": [[8], [28 / 3]],
    }
    got, want = segment_attention(q[:2], k, v, 2), torch.tensor([[8], [12]], dtype=torch.float64)
    check.values("segment_attention(q[:2], k, v, 2)", got, want, axes=("query", "feature"), known_wrong=wrong)
    attends.in_one_gib("segment_attention", segment_attention, 128)
    ### BEGIN HIDDEN TESTS
    near = lambda key, query, segment: (query // segment - key // segment <= 1) & (key <= query)
    mask = lambda T, S, segment: near(torch.arange(S), torch.arange(S - T, S)[:, None], segment)
    sizes = [((), 1, 1, 1, 1, 1), ((), 6, 6, 3, 2, 1), ((2,), 7, 7, 4, 4, 3), ((2, 3), 8, 8, 2, 5, 4)]
    sizes += [((), 9, 9, 2, 1, 20), ((), 3, 8, 4, 2, 3), ((2,), 1, 9, 3, 3, 4), ((2, 2), 5, 7, 2, 3, 2)]
    sizes += [((), 4, 12, 3, 2, 4), ((), 2, 9, 2, 2, 10**6)]
    call = "segment_attention(q, k, v, segment)"
    attends.as_masked(call, segment_attention, mask, sizes, [2])
    attends.refuses_sizes("segment_attention", segment_attention, 2, aligned=True)
    cases = [([str(bad)], (4, 2), (4, 2), (4, 2), bad) for bad in (0, -3)]
    check.refuses("segment_attention", segment_attention, cases, mentions=["segment"], make=torch.ones)
    ### END HIDDEN TESTS

# %% [markdown]
# **Question:** with segments of 4, query 8 begins a segment. How many keys does it see, and how far back can news have come to it after two such layers?
# <details><summary>Answer</summary>Five: itself and the whole segment before. After two layers, from token 0: keys 4 to 7 have read segment 0. That is the chain.</details>

# %%
caption = "What to see: stairs. Weight goes to the own segment so far and the whole one before."
nothing, identity = torch.zeros(11, 4), torch.eye(11)
ax = plot.weights(segment_attention(nothing, nothing, identity, 4), caption=caption)

# %% [markdown]
# ### Exercise 6 · `linear_attention` — 3 points, difficulty 3/3, importance 2/3, about 18 minutes
# See all, yet linear? Replace $e^{q\cdot k}$ by $\varphi(q)\cdot\varphi(k)$ with $\varphi = \text{elu} + 1$, and change the **order of the products**:
# $$o_i = \frac{\varphi(q_i)^\top \left(\sum_j \varphi(k_j)\, v_j^\top\right)}{\varphi(q_i)^\top \sum_j \varphi(k_j)}$$
# The brackets are the same for all queries: $(D, D_v)$ and $(D,)$, whatever the length. Causal: sums over $j \le p$, **running sums**. No $1/\sqrt D$, no eps; where the denominator is 0, the output is 0 and gradients are finite. 65,536 tokens in 1 GiB.
#
# **Predict first:** can it give one key nearly all the weight?
# <details><summary>Answer</summary>Hardly: without an exponential, similar keys get similar weights. That is its price.</details>
# <details><summary>Hint 1 · idea</summary>First keys with values, <code>(…, D, S) @ (…, S, Dv)</code>; then the queries. No (T, S) anywhere.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Causal: outer products <code>(…, S, D, Dv)</code>, <code>cumsum</code> over S, keep the last T.</details>
# <details><summary>Hint 3 · nearly there</summary>Give both cases the axes (…, T or 1, D, Dv); then <code>(φ(q)[..., None] * sums).sum(-2)</code>, or an einsum, serves both. Replace a 0 below the line by 1.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "linear_attention", "locked": false, "solution": true, "task": false}
def linear_attention(q, k, v, causal=False):
    """Attention with φ(q) · φ(k) instead of exp(q · k), φ = elu + 1, in O(T · D · Dv).

    q: (…, T, D), k: (…, S, D), v: (…, S, Dv). causal: the queries are the last T positions and see no later key.
    Returns: (…, T, Dv); 0 where the denominator is 0.
    Raises: ValueError if sizes do not fit, or if causal and S < T.
    Source: Katharopoulos et al. 2020, section 3.
    """
    attends.check_sizes(q, k, v, aligned=causal)
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
with check.exercise("linear_attention"):
    q = torch.tensor([[0.0, 0], [-math.log(2), 0], [2, 0]], dtype=torch.float64)  # φ: 1, 1; 1/2, 1; 3, 1
    k = torch.tensor([[0.0, 0], [1, 0], [0, 2]], dtype=torch.float64)  # φ: (1, 1), (2, 1), (1, 3)
    v, rules = torch.tensor([[0.0], [9], [18]]).double(), {"axes": ("query", "feature"), "tolerance": 1e-6}
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
    check.values("linear_attention(q, k, v)", got, want, known_wrong=wrong, **rules)  # an eps is told below
    wrong = {
        "causal was not used.": want,
        "this is the future; causal means the past.": [[11], [14.727273], [18]],
        "the running sum is above the line only; below it, too.": [[0], [2.571429], [171 / 17]],
        "the running sum is below the line only; above it, too.": [[49.5], [23.142857], [171 / 17]],
        "queries were aligned with the first keys; they are the last positions.": [[0]],
    }
    got, want = linear_attention(q, k, v, True), q.new_tensor([[0], [36 / 7], [171 / 17]])
    check.values("linear_attention(q, k, v, causal=True)", got, want, known_wrong=wrong, **rules)
    call, got = "linear_attention(q[2:], k, v, causal=True)", linear_attention(q[2:], k, v, True)
    check.values(call, got, want[2:], known_wrong=wrong, note="One query, at position 2 of three.", **rules)
    far, note = torch.full((2, 2), -1000.0), "Where the sum below the line is 0, the output is 0."
    for causal in (False, True):
        got, call = linear_attention(q, k - 33, v**0, causal), f"linear_attention(q, k - 33, v**0, {causal})"
        check.values(call, got, v**0, note="No eps: a small sum below the line divides as it is.", **rules)
        call = f"linear_attention(q, torch.full((2, 2), -1000.0), torch.ones(2, 1), causal={causal})"
        got = linear_attention(torch.zeros(2, 2), far, torch.ones(2, 1), causal=causal)
        check.values(call, got, torch.zeros(2, 1), note=note)
        one = lambda q, k, v: linear_attention(q, k, v, causal=causal)
        attends.reached(call, one, q=torch.zeros(2, 2), k=far, v=torch.ones(2, 1))
        attends.in_one_gib("linear_attention", linear_attention, causal)

    ### BEGIN HIDDEN TESTS
    def slow(q, k, v, causal):  # causal: step by step, each with all keys up to it
        phi, S, steps = lambda x: torch.where(x > 0, x + 1, x.exp()), k.shape[-2], []
        for i, own in enumerate(range(S - q.shape[-2], S)):
            seen = slice(own + 1 if causal else None)
            share = (phi(q[..., i : i + 1, :]) * phi(k[..., seen, :])).sum(dim=-1, keepdim=True)
            total = share.sum(dim=-2)
            steps.append(torch.where(total == 0, 0, (share * v[..., seen, :]).sum(dim=-2) / total))
        return torch.stack(steps, dim=-2)

    sizes = [((), 1, 1, 1, 1), ((), 5, 5, 3, 2), ((2,), 6, 6, 4, 4), ((2, 3), 4, 7, 2, 5), ((), 1, 8, 5, 1)]
    cases = [((*n, T, D), (*n, S, D), (*n, S, D_v), True) for n, T, S, D, D_v in sizes]
    sizes += [((2,), 6, 3, 4, 2), ((), 5, 1, 1, 3), ((2, 2), 3, 3, 3, 3)]
    cases += [((*n, T, D), (*n, S, D), (*n, S, D_v), False) for n, T, S, D, D_v in sizes]
    for causal in (False, True):
        q, k, v = (check.randn(2, 4, 3, 2).transpose(1, 2) for _ in range(3))  # views
        some = k.clone()
        some[:, 0], some[..., 0, :] = -1000.0, -1000.0
        cases += [(q, k, v, causal), (q, some, v, causal)]
        call, one = f"linear_attention(q, k, v, {causal})", lambda q, k, v: linear_attention(q, k, v, causal)
        check.gradient(call, one, (check.randn(3, 2), check.randn(4, 2), check.randn(4, 1)))
        attends.reached(f"{call}, some keys -1000", one, q=q, k=some, v=v)
    check.agrees("linear_attention(q, k, v, causal)", linear_attention, slow, cases, make=check.randn)
    attends.refuses_sizes("linear_attention", linear_attention, False)
    attends.refuses_sizes("linear_attention", linear_attention, True, aligned=True)
    ### END HIDDEN TESTS

# %% [markdown]
# One query asks for key 5, more and more loudly. **Question:** which of the two can focus?
# <details><summary>Answer</summary>Softmax. Linear weights cannot get sharper than φ lets them, however large the query.</details>

# %%
direction, bars = torch.eye(6), {}
for name, function in {"softmax": lambda *x: blocks.attention(*x)[0], "linear": linear_attention}.items():
    for loud in (1, 16):
        bars[f"{name}, query × {loud}"] = function(loud * direction[5:], direction, torch.eye(6))[0]
caption = "What to see: a louder query lifts softmax's weight of key 5 from 0.23 to 0.99, linear's from 0.18 to 0.25."
ax = plot.bars(bars, list("012345"), ylabel="weight", caption=caption)

# %% [markdown]
# ### Exercise 7 · `online_attention` — 4 points, difficulty 3/3, importance 3/3, about 26 minutes
# Exact attention to all keys, without ever holding all scores: read keys **a block at a time**, as FlashAttention does. Keep per query the largest score $m$ so far, the sum $\ell$ of $e^{s-m}$, and the weighted sum $o$ of values. When a block brings a larger $m'$, all that was summed before shrinks:
# $$\ell \leftarrow \ell\, e^{m - m'} + \sum_j e^{s_j - m'}, \qquad o \leftarrow o\, e^{m - m'} + \sum_j e^{s_j - m'} v_j$$
# At the end, $o/\ell$. A masked key has the score −∞; who sees nothing gets 0 and finite gradients. 20,480 queries and keys run in 1 GiB; their scores would take 1.6. No ready-made attention.
#
# **Predict first:** the first block is masked for a query. What is $m - m'$?
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
    attends.check_sizes(q, k, v)
    attends.at_least(1, block_size=block_size)
    shape = (*q.shape[:-1], k.shape[-2])  # given: the shape that all scores would have
    attends.check_mask(mask, shape)
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
with check.exercise("online_attention"):
    check.source("online_attention", check.ready.ATTENTION, allow_text="@, torch.exp, amax and sum.")
    q = torch.tensor([[2 * math.log(3), 0, 0, 0], [0, 0, 0, 0]], dtype=torch.float64)
    k = torch.tensor([[0.0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.float64)
    v = torch.tensor([[0.0, 5], [10, 0], [5, 5]], dtype=torch.float64)  # exp(score): 1, 3, 1 and 1, 1, 1
    even, half, axes = [5, 10 / 3], [7.5, 1.25], ("query", "feature")
    wrong = {
        "this is the mean of the blocks' outputs; they count by their sums.": [[6.25, 3.125], [5, 3.75]],
        "this is the sum of the blocks' outputs; divide once, at the end.": [[12.5, 6.25], [10, 7.5]],
        "only the last block counts; the sums must go on.": [[5, 5], [5, 5]],
        "only whole blocks were read; the last one may be short.": [half, [5, 2.5]],
        "each block subtracted its own largest score, and nothing shrank.": [[45 / 7, 20 / 7], even],
        "divide by the sum at the end.": [[35 / 3, 10 / 3], [15, 10]],
        "the scale is missing: divide by the root of D = 4.": [[8.636364, 0.909091], even],
        "divided by D; the scale is its root.": [[5.980762, 2.679492], even],
    }
    got, want = online_attention(q, k, v, 2), torch.tensor([[7, 2], even], dtype=torch.float64)
    check.values("online_attention(q, k, v, 2)", got, want, axes=axes, known_wrong=wrong)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    wrong = {
        "who may attend to nothing gets zeros; 0 / 0 and -inf minus -inf are nan.": [half, [math.nan] * 2],
        "who may attend to nothing gets zeros, not a mean.": [half, even],
        "the mask is turned round: True means MAY attend.": [[5, 5], even],
        "the mask was not used.": [[7, 2], even],
        "masked keys still count below the line.": [[6, 1], [0, 0]],
        "the output shrank; the sum must shrink, too.": [[5, 5 / 6], [0, 0]],
        "the sum shrank; the output must shrink, too.": [[7.5, 3.75], [0, 0]],
    }
    got, want = online_attention(q, k, v, 1, mask), torch.tensor([half, [0, 0]], dtype=torch.float64)
    check.values("online_attention(q, k, v, 1, mask)", got, want, axes=axes, known_wrong=wrong)
    wrong = {"e^1000 is inf; subtract the largest score so far, and let sums shrink.": [[math.nan] * 2, even]}
    got, want = online_attention(1000 * q, k, v, 1), torch.tensor([[10, 0], even], dtype=torch.float64)
    check.values("online_attention(1000 * q, k, v, 1)", got, want, axes=axes, known_wrong=wrong)
    call, note = "online_attention(q, k, v, block_size, mask)", "A mask (T, 1) holds for every key."
    slow = lambda q, k, v, block, mask: blocks.attention(q, k, v, mask)[0]
    check.agrees(call, online_attention, slow, [(q, k, v, 2, mask[:, :1])], note=note)
    one, said = lambda q, k, v: online_attention(q, k, v, 1, mask), "online_attention(q, k, v, 1, mask)"
    attends.reached(said, one, q=q, k=k, v=v)
    attends.in_one_gib("online_attention", online_attention, 256, shape=(16384, 4))
    ### BEGIN HIDDEN TESTS
    generator = check.generator()
    may = lambda shape: shape and torch.rand(shape, generator=generator) > 0.4
    sizes = [((), 1, 1, 1, 1, None), ((), 3, 7, 4, 2, (3, 7)), ((2,), 6, 3, 3, 3, (2, 1, 3))]
    sizes += [((2,), 2, 5, 4, 1, None), ((2, 2), 3, 4, 2, 1, (4,)), ((3,), 2, 5, 6, 4, (2, 1))]
    sizes += [((2,), 3, 4, 2, 2, (1,)), ((2, 1, 2), 2, 3, 4, 4, (2, 1, 1, 1, 3))]
    sizes += [((2, 2), 3, 3, 3, 3, (2, 1, 1, 1)), ((2,), 3, 5, 2, 3, (2, 3, 1))]
    for n, T, S, D, D_v, shape in sizes:
        given = check.randn(*n, T, D), check.randn(*n, S, D), check.randn(*n, S, D_v)
        cases = [(*given, block, may(shape)) for block in (1, 3, S + 4)]
        check.agrees(call, online_attention, slow, cases)
    mask = may((2, 1, 4, 6))
    mask[0, 0, 1], mask[0, 0, 2, :4], mask[1, 0, :, 2] = False, False, False
    cases = [((2, 3, 4, 8), (2, 3, 6, 8), (2, 3, 6, 5), block, mask) for block in (1, 2, 3, 6)]
    check.agrees(call, online_attention, slow, cases, make=check.randn)
    attends.extreme_scores(call, online_attention, *((block, None) for block in (1, 2, 4)))
    mask, note = torch.tensor([0, 0, 1, 1, 1, 0]) > 0, "Scores of -10000, the first block masked."
    case = torch.tensor([[2.0]]).double(), torch.full((6, 1), -5e3).double(), (6, 3), 2, mask
    check.agrees(call, online_attention, slow, [case], make=check.randn, tolerance=1e-3, note=note)
    mask = torch.tensor([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 0, 0, 1, 1]]) > 0
    for one in (mask, None, torch.zeros(5, dtype=torch.bool)):
        given = check.randn(3, 2), check.randn(5, 2), check.randn(5, 1)
        what = f"online_attention(q, k, v, 2, {'None' if one is None else 'mask'})"
        check.gradient(what, lambda q, k, v: online_attention(q, k, v, 2, one), given)
    q, k, v = (check.randn(2, n, 2, d).transpose(1, 2) for n, d in ((3, 4), (5, 4), (5, 2)))
    check.agrees(call, online_attention, slow, [(q, k, v, 2, mask)], note="These are views.")
    attends.refuses_sizes("online_attention", online_attention, 3)
    attends.refuses_masks("online_attention", online_attention, 3)
    cases = [([str(bad)], (4, 2), (4, 2), (4, 2), bad) for bad in (0, -2)]
    check.refuses("online_attention", online_attention, cases, mentions=["block"], make=torch.ones)
    attends.in_one_gib("online_attention", online_attention, 256, shape=(20480, 4))
    ### END HIDDEN TESTS

# %% [markdown]
# The estimate after each block. **Question:** key 20 fits the query best. What do you see, and why is the result exact all the same?
# <details><summary>Answer</summary>A jump in the block of keys 20 to 23, so between the points at 20 and 24: all before shrinks at once. Nothing is lost, since shrinking multiplies both sums alike.</details>

# %%
generator = torch.Generator().manual_seed(5)
keys, values = torch.randn(32, 8, generator=generator), torch.linspace(-1, 1, 32)[:, None]
query = 4 * keys[20:21]
running = [online_attention(query, keys[:n], values[:n], 4).item() for n in range(4, 33, 4)]
exact = [blocks.attention(query, keys, values)[0].item()] * len(running)
caption = "What to see: the estimate jumps with the block of the best key (the point at 24); both lines end at the exact output."
series = {"online, after so many keys": running, "full attention": exact}
ax = plot.lines(range(4, 33, 4), series, xlabel="keys read (tokens)", ylabel="output", caption=caption)

# %% [markdown]
# ### Exercise 8 · `RollingCache` — 2 points, difficulty 2/3, importance 3/3, about 12 minutes
# A model that writes keeps the keys and values of earlier tokens. With a window, old ones are never asked again, so forget them: the memory stays constant, however long the chat.
#
# `append(k, v)` adds $n \ge 1$ positions and returns keys and values of the **last** `window` positions, oldest first, or fewer if there were fewer. $n$ may exceed `window`. A slice such as `x[..., -3:, :]` is a **view**: it keeps all of `x` in memory. `clone` it.
#
# **Predict first:** which cache serves `window_mask(…, w, causal=True)`?
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
        attends.at_least(1, window=window)
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
    wrong = known | {say: (rows, [[-row[0]] for row in rows]) for say, rows in known.items()}
    for new, wanted in steps:
        got, want = cache.append(torch.tensor(new), -torch.tensor(new)), torch.tensor(wanted)
        call = f"after {int(new[0][0]) - 1} positions in cache = RollingCache(2), cache.append(torch.tensor({new}), …)"
        check.values(call, got, (want, -want), axes=axes, known_wrong=wrong)
    k, call = torch.arange(6.0).view(2, 3, 1), "k = 0 to 5, shape (2, 3, 1); RollingCache(2).append(k, -k)"
    check.values(call, RollingCache(2).append(k, -k), (k[:, 1:], -k[:, 1:]))
    check.refuses("RollingCache", RollingCache, [("0", 0)], mentions=["window"])
    attends.stays_small(RollingCache)
    ### BEGIN HIDDEN TESTS
    for lead, window, D, D_v in [((), 1, 2, 3), ((2,), 3, 4, 1), ((2, 3), 5, 2, 2), ((1, 2), 40, 3, 4)]:
        for dtype in (torch.float64, torch.float32):
            cache = RollingCache(window)
            past = [torch.zeros(*lead, 0, size, dtype=dtype) for size in (D, D_v)]
            for n in [1, *check.rng().integers(1, 7, 3).tolist(), window, window + 3, 1]:
                new = [check.randn(*lead, n, size, dtype=dtype) for size in (D, D_v)]
                past = [torch.cat(pair, dim=-2) for pair in zip(past, new, strict=True)]
                call = f"cache.append(k, v), cache = RollingCache({window}), k {(*lead, n, D)}, position "
                call += f"{past[0].shape[-2] - n}, {dtype}"
                check.values(call, cache.append(*new), tuple(part[..., -window:, :] for part in past))
    one, other, big, new = RollingCache(3), RollingCache(3), RollingCache(9), check.randn(1, 2)
    one.append(check.randn(2, 2), check.randn(2, 2))
    check.values("other.append(k, v), after one.append(…); two caches", other.append(new, -new), (new, -new))
    check.kept("cache.append(k, v)", RollingCache(2).append, check.randn(3, 2, 2), check.randn(3, 2, 2))
    first = big.append(check.randn(2, 2), check.randn(2, 2))[0].clone()
    big.append(new, new)
    check.values("keys, at the third append, of the first one", big.append(new, new)[0][:2], first)
    call = "cache.append(x[2:], 2 * x[2:]), after cache.append(x[:2], 2 * x[:2]), cache = RollingCache(3)"
    check.gradient(call, lambda x: append_twice(RollingCache, x), [check.randn(4, 2)])
    q, k, v, cache = check.randn(2, 11, 4), check.randn(2, 11, 4), check.randn(2, 11, 5), RollingCache(4)
    want, _ = blocks.attention(q, k, v, blocks.window_mask(11, 11, 3, causal=True))
    for t in range(11):
        keys, values = cache.append(k[:, t : t + 1], v[:, t : t + 1])
        got = (q[:, t : t + 1] @ keys.mT / 2).softmax(-1) @ values
        check.values(f"attention to RollingCache(4) at step {t}, as in a window", got, want[:, t : t + 1])
    check.refuses("RollingCache", RollingCache, [(["-1"], -1), (["-8"], -8)], mentions=["window"])
    append = lambda k, v: RollingCache(9).append(k, v)
    cases, said = [("34", (3, 2), (4, 2)), ("21", (2, 3, 2), (1, 3, 2)), ("51", (5, 2), (1, 2))], [("k", "v")]
    check.refuses("RollingCache(9).append", append, cases, mentions=said, make=torch.ones)
    for shape in [(1, 5), (2, 1, 4)]:
        cache, call = RollingCache(4), f"cache.append, k and v {shape} after k and v (1, 1, 4):"
        cache.append(torch.ones(1, 1, 4), torch.ones(1, 1, 4))
        check.refuses(call, cache.append, [(shape, shape)], error=Exception, make=torch.ones)
    ### END HIDDEN TESTS

# %% [markdown]
# ## Experiment: what does length cost?
# Time on one core and memory, against length, for all of them on your machine. The meter counts the bytes of all tensors that are alive at once. On log-log paper, cost $\sim T^n$ is a straight line of slope $n$.
#
# **Predict first:** which curves have slope 1, which slope 2? And which two are 1 in memory but 2 in time?
# <details><summary>Answer</summary>Slope 2 in time: all that score every pair, masked or not. Slope 1: local, segment, linear. Online and torch's fused one score every pair but never hold all scores: 2 in time, 1 in memory.</details>

# %%
methods = {  # near curves get colours far apart
    "full": meter.full,
    "online": lambda q, k, v: online_attention(q, k, v, 256),
    "local": lambda q, k, v: local_attention(q, k, v, 128),
    "full, window mask": lambda q, k, v: meter.full(q, k, v, window_mask(len(q), len(q), 128)),
    "torch's fused": lambda q, k, v: meter.fused(q[None, None], k[None, None], v[None, None]),
    "segment": lambda q, k, v: segment_attention(q, k, v, 128),
    "full, global mask": lambda q, k, v: meter.full(q, k, v, global_mask(len(q), 128, [0])),
    "linear, causal": lambda q, k, v: linear_attention(q, k, v, causal=True),
}

# %% [markdown]
# A minute or two on a usual laptop, a line as each method is done. Those that hold all scores stop at 4,096 tokens; at 16,384 each would need gigabytes. Slopes are those of the last three lengths, about 1 or 2 on an idle computer: tables too large for the cache look steeper, and short texts flatter. **Questions:** what does the mask save? Where do *local* and *full* cross?
# <details><summary>Answer</summary>Nothing: masked curves lie with the plain one or above. Read off where the two meet: in shorter texts the loop costs more than it saves, as a window nearly as long as the text leaves little to save.</details>

# %%
lengths = [2**n for n in range(9, 15)]
along = {"xlabel": "length T (tokens)", "log": True, "dashed": ["full, global mask"]}
seconds, mebibytes = meter.curves(methods, lengths, short=[name for name in methods if "full" in name])
caption = "What to see: online is as steep as the full ones; local, segment and linear are half as steep."
above = plot.lines(lengths, seconds, ylabel="time on one core (s)", caption=caption, **along)
caption = "What to see: what holds all scores has slope 2; nothing else is steeper than 1, not even online."
below = plot.lines(lengths, mebibytes, ylabel="memory (MiB)", caption=caption, **along)
for ax in (above, below):
    ax.set_xticks(lengths, labels=[f"{length:,}" for length in lengths])
    ax.set_xticks([], minor=True)

# %% [markdown]
# **Questions.** Which method is exact and still fits? Which is fastest at 16,384 tokens (the last printed column), and what does it give up?
# <details><summary>Answer</summary>Online and torch's fused one, the same idea in C++, are exact. The fastest is usually local or segment; both give up far keys. Linear sees them all and gives up sharp weights.</details>
#
# Last, 16,384 tokens on this machine, beside torch's fused full attention. FlexAttention compiles a window, given as a function of two positions, into one fused loop: on a GPU, or where a C++ compiler is installed. Compiling takes a minute or two on a usual laptop.
#
# **Question:** why can a Python loop beat exact attention in C++?
# <details><summary>Answer</summary>It computes 1 score where the other computes about 40: some 400 keys for each query, not 16,384.</details>

# %%
ratios = meter.beside_torch(local_attention, window=128, n_tokens=16384)

# %% [markdown]
# ## Where this is used
# - **Windows, rolling cache**: chat models such as Mistral 7B.
# - **Windows and global tokens**: Longformer and BigBird: question answering and summaries of long documents.
# - **Windows in the plane**: Swin, for images. **Bands along time**: speech recognition while one speaks.
# - **Predicted centres**: translation, and speech synthesis, where reading moves steadily forward.
# - **Online softmax**: FlashAttention, inside nearly every large model.
#
# One honest limit: a question on page 300 about page 1 needs a path there; a window has one only through many layers.
#
# ## Limits
# - The meter counts tensors, not what a library allocates inside a call.
# - Linear attention in float32: running sums of very long texts lose digits.
#
# ## Summary
# 1. A mask saves nothing; what saves is not computing. Blocks near the diagonal cost $O(T \cdot w)$.
# 2. Exact attention needs little memory: a running maximum, a running sum, blocks of keys.
# 3. Linear attention, read token by token, and rolling caches keep a state of constant size; both give up something, so measure.

# %% [markdown]
# ## Questions and answers
# **Why is my masked version not faster?** It computes all scores, then hides them. `local_attention` never makes them.
#
# **Why may the maximum be detached?** It cancels in the division, so its true gradient is 0.
#
# **A memory check fails, though I use blocks.** Look for a (T, S): a mask, an index table, a list of all scores.
#
# ## Further reading
# - Luong, Pham, Manning 2015 (arXiv:1508.04025), section 3.2: local attention, with a predicted centre.
# - Dai et al. 2019, *Transformer-XL* (arXiv:1901.02860): segments with a memory.
# - Beltagy, Peters, Cohan 2020, *Longformer* (arXiv:2004.05150); Zaheer et al. 2020, *Big Bird* (arXiv:2007.14062): windows and global tokens.
# - Katharopoulos et al. 2020, *Transformers are RNNs* (arXiv:2006.16236): linear attention.
# - Milakov, Gimelshein 2018 (arXiv:1805.02867): the running softmax. Dao et al. 2022, *FlashAttention* (arXiv:2205.14135).
# - Jiang et al. 2023, *Mistral 7B* (arXiv:2310.06825): sliding windows and a rolling cache. Liu et al. 2021, *Swin Transformer* (arXiv:2103.14030): windows in the plane.
