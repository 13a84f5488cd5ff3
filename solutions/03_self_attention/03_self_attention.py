# %% [markdown]
# # 03 · Self-attention: every token asks every other
# **Goal.** Write the heart of the Transformer: masks, attention for whole batches, heads, the finished layer. The checks compare its numbers and gradients with PyTorch's own.
#
# **Why.** In lesson 02 one decoder looked at one sentence, a step at a time. Here all tokens look at once. Translators, chatbots and image models are built on this layer, again and again.
#
# You need lesson 01 and a little PyTorch. About 85 minutes.

# %%
import numpy as np
import torch
from torch import nn

from byhand import blocks, check, plot

# %% [markdown]
# ## The idea: one sentence, three roles
# Each token plays three parts: as a **query** it asks, as a **key** it is found, as a **value** it tells. Three learned matrices make them from one vector: $q = xW_q$, $k = xW_k$, $v = xW_v$. That is **self**-attention; with keys and values of another text, **cross**-attention.
#
# Here the query matrix is made by hand: verbs (*tired*, too) and pronouns ask for nouns, links for verbs; the factor 8 makes them ask sharply. Keys and values are the words themselves.

# %%
words = ["the", "cat", "slept", "because", "it", "was", "tired"]
kinds = ["article", "noun", "verb", "link", "pronoun"]
kind_of = ["article", "noun", "verb", "link", "pronoun", "verb", "verb"]
asks_for = {"article": "noun", "noun": "article", "verb": "noun", "link": "verb", "pronoun": "noun"}
x = torch.eye(5)[[kinds.index(kind) for kind in kind_of]]  # (T, E): a 1 at the kind of word
w_query = 8 * torch.eye(5)[[kinds.index(asks_for[kind]) for kind in kinds]]  # kind -> the kind it asks for
output, weights = blocks.attention((x @ w_query)[None], x[None], x[None])
caption = "What to see: each row is one word that asks. 'it' finds 'cat', and so do the verbs and 'the'."
ax = plot.weights(weights[0], queries=words, keys=words, caption=caption)

# %% [markdown]
# **Question:** why do the weights of *because* spread over three words? What would *it* do with a second noun?
# <details><summary>Answer</summary>Three verbs fit equally well, and one row adds up to 1. <em>it</em> would look at both nouns alike.</details>
#
# ### Before you start
# Letters of the whole course: `B` sentences, `T` queries, `S` keys, `H` heads, `D` features of a head, `E = H · D` of the model, in the order `(B, H, T, D)`. A mask is boolean: **True means "may attend"**. It broadcasts to `(…, T, S)`. Results keep the dtype and stay differentiable; inputs stay unchanged.

# %% [markdown]
# ### Exercise 1 · `padding_mask` — 1 point, difficulty 1/3, importance 3/3, about 5 minutes
# Sentences of a batch lie in one tensor, so short ones are filled up at the end with padding. Nobody may attend to it. From the lengths, tell real tokens from padding (attention will take the mask as `mask[:, None, None, :]`):
# $$\text{mask}_{bj} = (j < \text{length}_b)$$
# A length above `max_len` cannot be right: raise a `ValueError` that names `lengths` or `max_len` and both numbers.
#
# **Predict first:** how many True has the mask for lengths 3 and 1?
# <details><summary>Answer</summary>Four, as many as real tokens, whatever max_len is.</details>
# <details><summary>Hint 1 · idea</summary>Compare every position with every length: a column of lengths against a row of positions.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>(1, S)</code> compared with <code>(B, 1)</code> is <code>(B, S)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary><code>torch.arange</code> gives the positions; it takes <code>device=lengths.device</code>. An extra axis comes from <code>[:, None]</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "padding_mask", "locked": false, "solution": true, "task": false}
def padding_mask(lengths, max_len):
    """Which positions hold real tokens.

    lengths: (B,) int32 or int64, at least 1. max_len: S, the padded length.
    Returns: (B, S) bool on the device of lengths, True at real tokens.
    Raises: ValueError if a length is above max_len; the message holds both numbers.
    """
    ### BEGIN SOLUTION
    if lengths.max() > max_len:
        raise ValueError(f"lengths go up to {lengths.max()}, but max_len is {max_len}")
    positions = torch.arange(max_len, device=lengths.device)  # (S,)
    return positions[None, :] < lengths[:, None]  # (1, S) < (B, 1) -> (B, S)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_padding_mask", "locked": true, "points": 1, "solution": false, "task": false}
with check.exercise("padding_mask"):
    lengths = torch.tensor([3, 1])
    wrong = {
        "True and False are swapped: True means a real token.": [[0, 0, 0, 1], [0, 1, 1, 1]],
        "one position too many: length 3 means positions 0, 1 and 2.": [[1, 1, 1, 1], [1, 1, 0, 0]],
        "one position too few: positions count from 0.": [[1, 1, 0, 0], [0, 0, 0, 0]],
        "padding comes after the real tokens, not before.": [[0, 1, 1, 1], [0, 0, 0, 1]],
    }
    want = torch.tensor([[True, True, True, False], [True, False, False, False]])
    got, axes = padding_mask(lengths, 4), ("sentence", "key")
    check.values("padding_mask(lengths, 4)", got, want, axes=axes, known_wrong=wrong)
    call, said = "padding_mask(torch.tensor([2, 5]), 4)", ("length", "max_len")
    check.raises(call, lambda: padding_mask(torch.tensor([2, 5]), 4), mentions=(said, "5", "4"))
    check.source("padding_mask", check.ready.MASKS, allow_text="a comparison.")
    ### BEGIN HIDDEN TESTS
    rng = check.rng()
    for B, S, room, bits in [(1, 1, 0, 64), (9, 5, 2, 64), (9, 7, 0, 64), (2, 300, 9, 32)]:
        numbers = [int(n) for n in rng.integers(1, S + 1, size=B)]
        lengths = torch.tensor(numbers, dtype=getattr(torch, f"int{bits}"))
        want = torch.tensor([[j < n for j in range(S + room)] for n in numbers])
        call = f"padding_mask(torch.tensor({numbers}, dtype=torch.int{bits}), {S + room})"
        check.values(call, padding_mask(lengths, S + room), want, axes=axes)
    check.kept("padding_mask(lengths, 309)", padding_mask, lengths, 309)
    for numbers, S in [([9, 2, 3], 8), ([1, 7, 1], 3), ([2], 1)]:
        call, words = f"padding_mask(torch.tensor({numbers}), {S})", (said, str(max(numbers)), str(S))
        check.raises(call, lambda n=numbers, s=S: padding_mask(torch.tensor(n), s), mentions=words)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2 · `causal_mask` — 2 points, difficulty 2/3, importance 3/3, about 6 minutes
# A model that writes must not see what comes next. While it writes, earlier keys are kept, so $T$ new queries meet $S \ge T$ keys. The **last** query and the **last** key are the same token: count from the end. Query $i$ may attend to key $j$ exactly when
# $$j \le i + (S - T)$$
# Fewer keys than queries: a `ValueError` that names `n_keys` or `n_queries` and both numbers.
#
# **Predict first:** how many True has `causal_mask(3, 5)`?
# <details><summary>Answer</summary>3 + 4 + 5 = 12: the last query sees everything.</details>
# <details><summary>Hint 1 · idea</summary>Write the position of every query, then compare as in Exercise 1.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Query positions <code>(T, 1)</code>, key positions <code>(1, S)</code>, result <code>(T, S)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary>The first of 2 queries against 4 keys sits at position 2, not 0.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "causal_mask", "locked": false, "solution": true, "task": false}
def causal_mask(n_queries, n_keys):
    """Which keys each query may attend to: its own and all before.

    n_queries: T, how many tokens ask. n_keys: S, how many can be seen; the last ones are the queries' own.
    Returns: (T, S) bool, True where query i may attend to key j.
    Raises: ValueError if S < T; the message holds both numbers.
    Source: Vaswani et al. 2017, section 3.2.3; the shift S - T is for keys kept from earlier steps.
    """
    ### BEGIN SOLUTION
    if n_keys < n_queries:
        raise ValueError(f"n_keys is {n_keys}, but n_queries is {n_queries}")
    query_positions = torch.arange(n_queries)[:, None] + (n_keys - n_queries)  # (T, 1)
    return torch.arange(n_keys)[None, :] <= query_positions  # (T, S)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_causal_mask", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("causal_mask"):
    wrong = {
        "row 0 stops at key 0: align at the end, two older keys come first.": [[1, 0, 0, 0], [1, 1, 0, 0]],
        "True and False are swapped: True means the query MAY attend.": [[0, 0, 0, 1], [0, 0, 0, 0]],
        "each query may attend to its own key, too.": [[1, 1, 0, 0], [1, 1, 1, 0]],
        "this is the future: a query sees keys up to its own.": [[0, 0, 1, 1], [0, 0, 0, 1]],
        "True means MAY attend; and align at the end, query 0 is key 2.": [[0, 1, 1, 1], [0, 0, 1, 1]],
        "the triangle is the wrong way round: a later query sees more.": [[1, 1, 1, 1], [0, 1, 1, 1]],
        "one key too many: query 0 saw the next token.": [[1, 1, 1, 1], [1, 1, 1, 1]],
    }
    want, axes = torch.tensor([[True, True, True, False], [True, True, True, True]]), ("query", "key")
    check.values("causal_mask(2, 4)", causal_mask(2, 4), want, axes=axes, known_wrong=wrong)
    said = ("keys", "queries")
    check.raises("causal_mask(3, 2)", lambda: causal_mask(3, 2), mentions=(said, "2", "3"))
    check.source("causal_mask", check.ready.MASKS, allow_text="a comparison, or torch.tril.")
    ### BEGIN HIDDEN TESTS
    random = check.rng().integers(2, 30, (3, 2)).tolist()
    for T, S in [(1, 1), (1, 6), (5, 5), (3, 8), (2, 3), *map(sorted, random)]:
        want = torch.tensor([[j <= i + S - T for j in range(S)] for i in range(T)])
        check.values(f"causal_mask({T}, {S})", causal_mask(T, S), want, axes=axes)
    check.refuses("causal_mask", causal_mask, [([said, "2", "1"], 2, 1), ([said, "9", "4"], 9, 4)])
    ### END HIDDEN TESTS

# %% [markdown]
# A sentence of three real tokens, padded to five, in a model that writes: both masks, joined by `&`. **Question:** the rows of the padding still attend to real tokens. Why does that do no harm?
# <details><summary>Answer</summary>Nobody reads the rows of the padding: later masks and the loss leave them out.</details>

# %%
both = causal_mask(5, 5) & padding_mask(torch.tensor([3]), 5)  # (T, S) & (1, S) -> (T, S)
tokens = ["I", "am", "here", "[pad]", "[pad]"]
caption = "What to see: nothing above the diagonal, nothing in the two columns of the padding."
ax = plot.mask(both, queries=tokens, keys=tokens, caption=caption)

# %% [markdown]
# ### Exercise 3 · `scaled_dot_product_attention` — 4 points, difficulty 3/3, importance 3/3, about 15 minutes
# Lesson 01 for all queries, heads and sentences at once. The formula is the same; the axes in front go along.
# $$\text{weights} = \text{softmax}\!\left(\frac{QK^\top}{\sqrt D}\right), \qquad \text{output} = \text{weights} \cdot V$$
# 1. Where `mask` is False, the score is −∞ **before** the softmax.
# 2. A query that may attend to nothing gets weights 0, output 0, and **finite gradients**: a NaN in one row spoils every parameter.
# 3. It works in half precision, too, which ends at 65,504: block with −∞, not with −1e9.
#
# No ready-made attention; torch's softmax is allowed. The tests of sizes at its top are given.
#
# **Predict first:** all keys are the same. What is the output?
# <details><summary>Answer</summary>The mean of the values, whatever the query: equal scores, equal weights.</details>
# <details><summary>Hint 1 · idea</summary>Score, scale, mask, softmax, sum. <code>@</code> does all the axes in front by itself.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>transpose(-2, -1)</code> turns keys <code>(…, S, D)</code> round; <code>masked_fill</code> writes a number where a mask is True.</details>
# <details><summary>Hint 3 · nearly there</summary>Find rows whose mask has no True (<code>any</code>, <code>keepdim</code>). Give their scores a harmless 0 before the softmax; write weight 0 at every blocked place after it.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "scaled_dot_product_attention", "locked": false, "solution": true, "task": false}
def scaled_dot_product_attention(q, k, v, mask=None):
    """Attention of T queries to S keys, in each of the leading axes.

    q: (…, T, D), k: (…, S, D), v: (…, S, Dv), leading sizes equal. mask: bool, broadcasts to (…, T, S).
    Returns: output (…, T, Dv) and weights (…, T, S); zeros for a query that may attend to nothing.
    Raises: ValueError if sizes do not fit.
    Source: Vaswani et al. 2017, section 3.2.1.
    """
    shape = (*q.shape[:-1], k.shape[-2])  # given: the shape of scores and weights, (…, T, S)
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"k has {k.shape[-2]} rows, but v has {v.shape[-2]}")
    if mask is not None:
        ends = zip(mask.shape[::-1], shape[::-1], strict=False)  # sizes from the last axis on
        if mask.ndim > len(shape) or any(size not in (1, full) for size, full in ends):
            raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {shape}")
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5  # (…, T, S)
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        nothing = ~mask.any(dim=-1, keepdim=True)  # (…, T, 1): queries that may attend to nothing
        scores = scores.masked_fill(~mask, float("-inf")).masked_fill(nothing, 0.0)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return weights @ v, weights  # (…, T, Dv), (…, T, S)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_scaled_dot_product_attention", "locked": true, "points": 4, "solution": false, "task": false}
from torch.nn import functional

with check.exercise("scaled_dot_product_attention"):
    log3 = float(np.log(3.0))
    q = torch.tensor([[2 * log3, 0, 0, 0], [0, 0, 0, 0]], dtype=torch.float64)
    k = torch.tensor([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.float64)
    v = torch.tensor([[0, 5], [10, 0], [5, 5]], dtype=torch.float64)
    wrong = {
        "the scale is missing: divide the scores by the root of D = 4.": [[8.636364, 0.909091], [5, 10 / 3]],
        "divided by D; the scale is its square root.": [[5.980762, 2.679492], [5, 10 / 3]],
        "divided by the root of the number of keys; D counts features.": [[7.300098, 1.799934], [5, 10 / 3]],
        "softmax ran over the queries; each query shares its weights among the keys.": [[10, 5], [5, 5]],
        "the scale comes after softmax; divide the scores.": [[4.318182, 0.454545], [2.5, 5 / 3]],
        "softmax is missing.": [[10.986123, 0.0], [0.0, 0.0]],
    }
    third, pair_of_axes = [1 / 3] * 3, (("query", "feature"), ("query", "key"))
    outputs = torch.tensor([[7, 2], [5, 10 / 3]], dtype=torch.float64)
    want = (outputs, torch.tensor([[0.2, 0.6, 0.2], third], dtype=torch.float64))
    got = scaled_dot_product_attention(q, k, v)
    check.values("scaled_dot_product_attention(q, k, v)", got, want, axes=pair_of_axes, known_wrong=wrong)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    call = "scaled_dot_product_attention(q, k, v, mask)"
    check.kept(call, scaled_dot_product_attention, q, k, v, mask)
    wrong = {
        "a row of -inf gives nan; where nothing may be seen, zeros.": [[7.5, 1.25], [np.nan] * 2],
        "a query that may attend to nothing gets zeros, not the mean.": [[7.5, 1.25], [5, 10 / 3]],
        "the mask is turned round: True means MAY attend.": [[5, 5], [5, 10 / 3]],
        "the weights were blocked after softmax, so a row no longer adds up to 1.": [[6, 1], [0, 0]],
        "no key was blocked: give it the score -inf; 0 is an ordinary score.": [[7, 2], [5, 10 / 3]],
    }
    outputs = torch.tensor([[7.5, 1.25], [0, 0]], dtype=torch.float64)
    want = (outputs, torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64))
    got = scaled_dot_product_attention(q, k, v, mask)
    check.values(call, got, want, axes=pair_of_axes, known_wrong=wrong)
    call, half = "scaled_dot_product_attention(q[None].half(), …, mask)", [x[None].half() for x in (q, k, v)]
    got, want = scaled_dot_product_attention(*half, mask), tuple(part[None].half() for part in want)
    check.values(call, got, want, note="One more axis in front, and half precision, which ends at 65,504.")
    call = "scaled_dot_product_attention(q, k, v, mask), where a query may attend to nothing"
    check.gradient(call, lambda q, k, v: scaled_dot_product_attention(q, k, v, mask), (q, k, v))
    library, allowed = (*check.ready.ATTENTION, "MultiHeadAttention"), "@, masked_fill and torch.softmax."
    check.source("scaled_dot_product_attention", forbid=library, allow_text=allowed)
    ### BEGIN HIDDEN TESTS
    generator, random = check.generator(), check.randn

    def slow(q, k, v, mask):  # query by query, in float64
        output, weights = torch.zeros(*q.shape[:-1], v.shape[-1]).double(), torch.zeros(mask.shape).double()
        for at in np.ndindex(*q.shape[:-1]):
            query, keys, values = q[at].tolist(), k[at[:-1]].tolist(), v[at[:-1]].double()
            seen = [j for j in range(len(keys)) if mask[(*at, j)]]
            scores = [np.dot(query, keys[j]) / len(query) ** 0.5 for j in seen]
            exps = [float(np.exp(score - max(scores))) for score in scores]
            for j, one in zip(seen, exps, strict=True):
                weights[(*at, j)] = one / sum(exps)
                output[at] += one / sum(exps) * values[j]
        return output, weights

    sizes = [((), 1, 1, 1, 1, None), ((), 3, 5, 4, 2, (3, 5)), ((2,), 3, 3, 3, 3, (2, 1, 3))]
    sizes += [((2, 3), 4, 6, 8, 5, (2, 1, 4, 6)), ((2, 2), 3, 4, 2, 1, (4,)), ((3,), 2, 5, 6, 4, (2, 1))]
    sizes += [((2, 1, 2), 2, 3, 4, 4, (2, 1, 1, 1, 3)), ((2,), 2, 2, 2, 2, (1,)), ((2,), 2, 3, 4, 1, None)]
    sizes += [((2, 3), 2, 4, 2, 2, (3, 1, 4))]  # one mask for each head
    for leading, T, S, D, D_v, mask_shape in sizes:
        mask = None if mask_shape is None else torch.rand(mask_shape, generator=generator) > 0.4
        full = torch.ones(*leading, T, S) > 0 if mask is None else mask.expand(*leading, T, S)
        given = [random(*leading, *size) for size in ((T, D), (S, D), (S, D_v))]
        if mask_shape == (2, 1, 4, 6):
            mask[0, 0, 1], mask[1, 0, :, 2] = False, False  # a blocked query; a key that nobody may see
            given[1][1, :, 2], given[2][1, :, 2] = 300.0, -300.0
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
            q, k, v = (part.to(dtype) for part in given)
            want = tuple(part.to(dtype) for part in slow(q, k, v, full))
            shapes = f"q {(*leading, T, D)}, k {(*leading, S, D)}, v {(*leading, S, D_v)}"
            call = f"scaled_dot_product_attention(q, k, v, mask), {shapes}, mask {mask_shape}, {dtype}"
            check.values(call, scaled_dot_product_attention(q, k, v, mask), want)
    q, k, v = (random(2, 5, 3, 4).transpose(1, 2) for _ in range(3))
    got, call = scaled_dot_product_attention(q, k, v), "scaled_dot_product_attention(q, k, v) of views"
    check.values(call, got, slow(q, k, v, torch.ones(2, 3, 5, 5)))
    q = torch.tensor([[200.0, 0, 0, 0], [-200.0, 0, 0, 0]])  # scaled scores up to 10000 and down to -10000
    k, v = torch.tensor([[100.0, 0, 0, 0], [99.9921875, 0, 0, 0], [-100.0, 1, 1, 1]]), random(3, 2).float()
    note = "Is the softmax a stable one? A blocked score is -inf, not merely small."
    for mask in (None, torch.tensor([[True, True, True], [True, True, False]])):
        want = tuple(part.float() for part in slow(q, k, v, torch.ones(2, 3) if mask is None else mask))
        call = "scaled_dot_product_attention(q, k, v, mask) with scores of ±10000"
        check.values(call, scaled_dot_product_attention(q, k, v, mask), want, tolerance=1e-3, note=note)
    q, k, v = random(2, 2, 3, 2), random(2, 2, 5, 2), random(2, 2, 5, 1)
    mask = torch.rand((2, 2, 3, 5), generator=generator) > 0.5  # another one for each head
    mask[..., 0], mask[0, 0, 1], mask[1, 1, 2], mask[1, 0, :, 3] = True, False, False, False
    for one in (mask, None, torch.zeros(5, dtype=torch.bool)):
        call = f"scaled_dot_product_attention(q, k, v, {'None' if one is None else 'mask'})"
        check.gradient(call, lambda q, k, v, m=one: scaled_dot_product_attention(q, k, v, m), (q, k, v))
    cotangent = random(2, 2, 3, 1)
    for dtype in (torch.float64, torch.float32):
        sides = []
        for function in (scaled_dot_product_attention, functional.scaled_dot_product_attention):
            leaves = [part.to(dtype).clone().requires_grad_() for part in (q, k, v)]
            output = function(*leaves, mask) if sides else function(*leaves, mask)[0]
            (output * cotangent.to(dtype)).sum().backward()
            sides.append([output.detach(), *(leaf.grad for leaf in leaves)])
        names = ("the output", *(f"the gradient of {name}" for name in "qkv"))
        for name, got, want in zip(names, *sides, strict=True):
            check.values(f"{name}, {dtype}, against torch's own attention", got, want)
    cases = [((2, 3), (4, 5), (4, 6), None, "35"), ((2, 3), (4, 1), (4, 6), None, "31")]
    cases += [((2, 1), (4, 3), (4, 6), None, "13"), ((2, 3), (4, 3), (5, 6), None, "45")]
    cases += [((2, 3), (4, 3), (1, 6), None, "41"), ((2, 3), (1, 3), (4, 6), None, "41")]
    cases += [((2, 5, 3), (1, 4, 3), (1, 4, 6), None, "21"), ((1, 5, 3), (2, 4, 3), (2, 4, 6), None, "12")]
    cases += [((2, 5, 3), (2, 4, 3), (1, 4, 6), None, "21"), ((2, 5, 3), (4, 3), (4, 6), None, "")]
    cases += [((2, 3), (4, 3), (4, 6), (2, 7), "74"), ((2, 3), (4, 3), (4, 6), (3, 4), "32")]
    cases += [((2, 3), (4, 3), (4, 6), (5, 2, 4), ""), ((1, 3), (4, 3), (4, 6), (2, 4), "21")]
    for *shapes, mask_shape, numbers in cases:
        said = (("mask",) if mask_shape else ("q", "k", "v"), *numbers)
        call = f"scaled_dot_product_attention(q, k, v, mask) with q, k, v {shapes} and mask {mask_shape}"
        tensors = [*map(torch.ones, shapes), None if mask_shape is None else torch.ones(mask_shape) > 0]
        check.raises(call, lambda t=tensors: scaled_dot_product_attention(*t), mentions=said)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 4 · `split_heads` — 2 points, difficulty 2/3, importance 3/3, about 6 minutes
# One set of weights can follow one relation. So cut the $E$ features into $H$ **heads** of $D = E/H$, and let each attend by itself. Head $h$ takes the features $hD, \dots, (h+1)D - 1$ of **every** token:
# $$\text{heads}_{b,h,t,d} = x_{b,\,t,\,hD+d}$$
# If $H$ does not divide $E$, raise a `ValueError` with both numbers and `x` or `n_heads` in its message.
#
# **Predict first:** does `x.view(B, H, T, D)` do it? It has the right shape.
# <details><summary>Answer</summary>No. It deals the numbers out in the order of memory, so head 0 gets the first tokens whole. Try it below.</details>
# <details><summary>Hint 1 · idea</summary>Two steps: first cut the last axis in two, then change the order of the axes.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>(B, T, E)</code> → <code>(B, T, H, D)</code> → <code>(B, H, T, D)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary><code>reshape</code> or <code>unflatten</code> cuts, <code>transpose(1, 2)</code> swaps.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "split_heads", "locked": false, "solution": true, "task": false}
def split_heads(x, n_heads):
    """Cut the features of every token into heads.

    x: (B, T, E). Returns: (B, H, T, D), head h holds features h·D to (h+1)·D - 1.
    Raises: ValueError if E is not divisible by n_heads; the message holds both numbers.
    """
    ### BEGIN SOLUTION
    if x.shape[-1] % n_heads:
        raise ValueError(f"x has {x.shape[-1]} features, not divisible by n_heads = {n_heads}")
    heads = x.reshape(*x.shape[:-1], n_heads, -1)  # (B, T, H, D)
    return heads.transpose(1, 2)  # (B, H, T, D)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_split_heads", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("split_heads"):
    x = torch.tensor([[[0.0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]])  # 3 tokens, 4 features
    (a, b), (c, d) = [[0, 1], [2, 3]], [[10, 11], [12, 13]]
    even = [[0, 2], [10, 12], [20, 22]]
    wrong = {
        "order of memory: cut the last axis, then transpose.": [[[a, b, c], [d, [20, 21], [22, 23]]]],
        "these are every second feature; a head takes neighbours.": [[even, [[1, 3], [11, 13], [21, 23]]]],
        "the heads come in the wrong order.": [[[b, d, [22, 23]], [a, c, [20, 21]]]],
    }
    want = torch.tensor([[[[0.0, 1], [10, 11], [20, 21]], [[2, 3], [12, 13], [22, 23]]]])
    axes = ("sentence", "head", "token", "feature")
    check.values("split_heads(x, 2)", split_heads(x, 2), want, axes=axes, known_wrong=wrong)
    said = ("x", "n_heads", "d_model")
    check.refuses("split_heads", split_heads, [([said, "6", "4"], (1, 2, 6), 4)], make=torch.zeros)
    check.source("split_heads", forbid=("blocks.split_heads",), allow_text="reshape and transpose.")
    ### BEGIN HIDDEN TESTS
    part = lambda x, h, D: x[:, :, h * D : h * D + D]
    slow = lambda x, H: torch.stack([part(x, h, x.shape[2] // H) for h in range(H)], dim=1)  # slice by slice
    sizes = [(1, 1, 1, 1), (2, 3, 6, 3), (3, 2, 4, 4), (2, 4, 4, 1), (2, 2, 12, 2), (4, 4, 16, 4)]
    cases = [((B, T, E), H) for B, T, E, H in sizes] + [(check.randn(3, 2, 8).transpose(0, 1), 4)]
    check.agrees("split_heads(x, n_heads)", split_heads, slow, cases, make=check.randn, axes=axes)
    check.gradient("split_heads(x, 4)", lambda x: split_heads(x, 4), [check.randn(2, 3, 8)])
    cases = [([said, str(E), str(H)], (2, 4, E), H) for E, H in [(7, 2), (5, 10), (9, 4)]]
    check.refuses("split_heads", split_heads, cases, make=torch.zeros)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 5 · `merge_heads` — 1 point, difficulty 1/3, importance 3/3, about 4 minutes
# The way back: put the heads of each token side by side again. `merge_heads(split_heads(x, H))` is `x`.
#
# **Predict first:** after a transpose, `view` refuses and `reshape` does not. What does `reshape` do instead?
# <details><summary>Answer</summary>It copies the numbers into their new order.</details>
# <details><summary>Hint 1 · idea</summary>Undo the two steps of Exercise 4, the last one first.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>(B, H, T, D)</code> → <code>(B, T, H, D)</code> → <code>(B, T, E)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary>One <code>transpose</code>, then <code>flatten</code> or <code>reshape</code> the last two axes.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "merge_heads", "locked": false, "solution": true, "task": false}
def merge_heads(x):
    """Put the heads of every token side by side: the inverse of split_heads.

    x: (B, H, T, D). Returns: (B, T, E) with E = H·D.
    """
    ### BEGIN SOLUTION
    return x.transpose(1, 2).flatten(2)  # (B, T, H, D) -> (B, T, E)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_merge_heads", "locked": true, "points": 1, "solution": false, "task": false}
with check.exercise("merge_heads"):
    heads = torch.tensor([[[[0.0, 1], [10, 11], [20, 21]], [[2, 3], [12, 13], [22, 23]]]])  # (1, 2, 3, 2)
    wrong = {
        "transpose before you reshape.": [[[0, 1, 10, 11], [20, 21, 2, 3], [12, 13, 22, 23]]],
        "each head's features stay together.": [[[0, 2, 1, 3], [10, 12, 11, 13], [20, 22, 21, 23]]],
        "the heads come in the wrong order.": [[[2, 3, 0, 1], [12, 13, 10, 11], [22, 23, 20, 21]]],
    }
    want = torch.tensor([[[0.0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]])
    axes = ("sentence", "token", "feature")
    check.values("merge_heads(heads)", merge_heads(heads), want, axes=axes, known_wrong=wrong)
    check.source("merge_heads", forbid=("blocks.merge_heads",), allow_text="transpose and reshape.")
    ### BEGIN HIDDEN TESTS
    slow = lambda x: torch.stack(
        [x[:, h, :, d] for h in range(x.shape[1]) for d in range(x.shape[3])], dim=-1
    )
    cases = [(1, 1, 1, 1), (2, 3, 4, 5), (3, 4, 1, 2), (2, 1, 3, 3), (2, 2, 2, 2), (1, 6, 5, 1)]
    rules = {"make": check.randn, "axes": axes}
    check.agrees("merge_heads(x)", merge_heads, slow, [[case] for case in cases], **rules)
    whole = check.randn(2, 3, 8)
    parts = torch.stack(whole.split(2, dim=-1), dim=1)
    for name, x in [("contiguous", parts), ("a view", whole.reshape(2, 3, 4, 2).transpose(1, 2))]:
        check.values(f"merge_heads(x), x (2, 4, 3, 2), {name}", merge_heads(x), whole, axes=axes)
    check.gradient("merge_heads(x)", merge_heads, [parts])
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6 · `MultiHeadAttention` — 5 points, difficulty 3/3, importance 3/3, about 21 minutes
# The whole layer, like `nn.MultiheadAttention`:
# $$\text{project} \to \text{split} \to \text{attend} \to \text{merge} \to \text{project}$$
# 1. Four layers `nn.Linear(E, E)`: `q_proj`, `k_proj`, `v_proj`, `out_proj`, all with a bias or all without.
# 2. No `key`: it is the query. No `value`: it is the key.
# 3. A mask with three axes is a `ValueError` that names `mask`: is the first one batch or heads? Padding comes as `mask[:, None, None, :]`. Heads that do not divide `d_model`: a `ValueError` with both numbers. Other sizes that do not fit, even a 1, must raise some error.
#
# Use your own functions or those of `blocks`, but no ready-made layer.
#
# **Predict first:** which grows with `n_heads`: the parameters, the scores, or both?
# <details><summary>Answer</summary>The scores: one (T, S) table a head. The four layers stay E times E.</details>
# <details><summary>Hint 1 · idea</summary>Self-attention and cross-attention are the same lines; only the source of keys and values differs.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>__init__</code> makes four layers and keeps n_heads. <code>forward</code>: defaults, three projections split into heads, attention, merge, <code>out_proj</code>.</details>
# <details><summary>Hint 3 · nearly there</summary>A mask of shape <code>(B, 1, 1, S)</code> broadcasts to <code>(B, H, T, S)</code> by itself; pass it on as it is. Mind the order: key first, then value.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "MultiHeadAttention", "locked": false, "solution": true, "task": false}
class MultiHeadAttention(nn.Module):
    """Attention in n_heads heads, with learned projections.

    d_model: E, divisible by n_heads, else ValueError. bias: for all four layers.
    forward: query (B, T, E), key and value (B, S, E), mask bool that broadcasts to (B, H, T, S).
    Returns: output (B, T, E) and weights (B, H, T, S).
    Raises: ValueError for a mask with three axes, some error for sizes that do not fit.
    Source: Vaswani et al. 2017, section 3.2.2.
    """

    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        ### BEGIN SOLUTION
        if d_model % n_heads:
            raise ValueError(f"d_model = {d_model} is not divisible by n_heads = {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)
        ### END SOLUTION

    def forward(self, query, key=None, value=None, mask=None):
        ### BEGIN SOLUTION
        if mask is not None and mask.ndim == 3:
            raise ValueError(f"mask {tuple(mask.shape)} has 3 axes; write mask[:, None] for one per sentence")
        key = query if key is None else key
        value = key if value is None else value
        q = blocks.split_heads(self.q_proj(query), self.n_heads)  # (B, H, T, D)
        k = blocks.split_heads(self.k_proj(key), self.n_heads)  # (B, H, S, D)
        v = blocks.split_heads(self.v_proj(value), self.n_heads)  # (B, H, S, D)
        attended, weights = blocks.attention(q, k, v, mask)  # (B, H, T, D), (B, H, T, S)
        return self.out_proj(blocks.merge_heads(attended)), weights  # (B, T, E), (B, H, T, S)
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_MultiHeadAttention", "locked": true, "points": 5, "solution": false, "task": false}
from torch import nn

needs = ("scaled_dot_product_attention", "split_heads", "merge_heads")

with check.exercise("MultiHeadAttention", needs=needs):
    axes = (("sentence", "token", "feature"), ("sentence", "head", "query", "key"))
    layer = MultiHeadAttention(4, 2)
    names, one = ("q_proj", "k_proj", "v_proj", "out_proj"), torch.eye(4)
    got = sorted(name for name, _ in layer.named_parameters())
    want = sorted(f"{name}.{part}" for name in names for part in ("weight", "bias"))
    check.values("the names of the parameters of MultiHeadAttention(4, 2)", got, want)
    state = dict(zip([f"{name}.weight" for name in names], (0 * one, 0 * one, -one, 2 * one), strict=True))
    state |= {f"{name}.bias": torch.zeros(4) for name in names} | {"out_proj.bias": torch.ones(4)}
    layer.load_state_dict(state, strict=False)  # scores all 0, values -x, out_proj doubles and adds 1
    x = torch.tensor([[[0.0, 1, 2, 3], [4, 5, 6, 7]]])
    wrong = {
        "out_proj was not used.": [[[-2, -3, -4, -5]] * 2],
        "v_proj was not used.": [[[5, 7, 9, 11]] * 2],
        "the heads were merged without a transpose.": [[[-3, -5, -3, -5], [-7, -9, -7, -9]]],
        "out_proj ran before the heads were merged.": [[[-1, -2, -3, -4]] * 2],
    }
    want = (torch.tensor([[[-3.0, -5, -7, -9]] * 2]), torch.full((1, 2, 2, 2), 0.5))
    check.values("layer(x)", layer(x), want, axes=axes, known_wrong=wrong)
    wrong = {"values come from the query; without value, it is the key.": [[[-3, -5, -7, -9]] * 2]}
    want = (torch.tensor([[[-7.0, -11, -15, -19]] * 2]), torch.full((1, 2, 2, 2), 0.5))
    check.values("layer(x, 2 * x)", layer(x, 2 * x), want, axes=axes, known_wrong=wrong)
    wrong = {"the given value was not used.": [[[-7, -11, -15, -19]] * 2]}
    want = (torch.tensor([[[-11.0, -17, -23, -29]] * 2]), torch.full((1, 2, 2, 2), 0.5))
    check.values("layer(x, 2 * x, 3 * x)", layer(x, 2 * x, 3 * x), want, axes=axes, known_wrong=wrong)
    first = torch.tensor([[True, False]])  # one sentence whose second token is padding
    want = (torch.tensor([[[1.0, -1, -3, -5]] * 2]), torch.tensor([1.0, 0]).expand(1, 2, 2, 2))
    call = "layer(x, mask=first[:, None, None, :])"
    check.values(call, layer(x, mask=first[:, None, None, :]), want, axes=axes)
    check.values("layer(x, mask=first)", layer(x, mask=first), want, axes=axes)  # (1, 2) broadcasts, too
    got, want = sorted(name for name, _ in MultiHeadAttention(4, 2, False).named_parameters()), sorted(names)
    check.values("the parameters of MultiHeadAttention(4, 2, bias=False)", got, [f"{n}.weight" for n in want])
    call = "layer(x, mask=torch.ones(1, 2, 2, dtype=torch.bool))"
    check.raises(call, lambda: layer(x, mask=torch.ones(1, 2, 2, dtype=torch.bool)), mentions=("mask",))
    said = (("d_model", "n_heads"), "6", "4")
    check.raises("MultiHeadAttention(6, 4)", lambda: MultiHeadAttention(6, 4), mentions=said)
    allowed = "nn.Linear, and your functions or blocks.attention."
    check.source("MultiHeadAttention", forbid=(*check.ready.LAYERS, "manual_seed"), allow_text=allowed)
    ### BEGIN HIDDEN TESTS
    generator, random = check.generator(), check.randn

    def named(theirs, look):  # what `look` finds at each parameter of torch's layer, by the names of this one
        found, kinds = {}, ("weight", "bias")[: 1 + (theirs.in_proj_bias is not None)]
        for kind in kinds:
            whole = [*look(getattr(theirs, f"in_proj_{kind}")).chunk(3), look(getattr(theirs.out_proj, kind))]
            found |= zip([f"{name}.{kind}" for name in names], whole, strict=True)
        return found

    def pair(E, H, bias=True):  # torch's layer and the learner's, with the same random parameters
        layer = MultiHeadAttention(E, H, bias)
        theirs = nn.MultiheadAttention(E, H, bias=bias, batch_first=True, dtype=torch.float64)
        for parameter in theirs.parameters():
            parameter.data = 0.7 * random(*parameter.shape)
        state = named(theirs, torch.Tensor.detach)
        got = sorted((name, list(parameter.shape)) for name, parameter in layer.named_parameters())
        want, call = sorted((name, list(part.shape)) for name, part in state.items()), f"({E}, {H}, {bias})"
        check.values(f"the names and shapes of the parameters of MultiHeadAttention{call}", got, want)
        layer.to(torch.float64)
        layer.load_state_dict(state, strict=False)
        return theirs, layer

    def reference(theirs, query, key=None, value=None, mask=None):
        key = query if key is None else key
        shape = (len(query), theirs.num_heads, query.shape[1], key.shape[1])
        cut = None if mask is None else ~mask.expand(shape).flatten(0, 1)  # there, True means blocked
        return theirs(query, key, key if value is None else value, attn_mask=cut, average_attn_weights=False)

    three = ("query", "key", "value")
    cases = [(three[:1], 4, 4, 3, True, None), (three[:1], 3, 3, 2, True, (3, 3))]
    cases += [(three[:2], 3, 5, 6, True, (2, 1, 1, 5)), (three, 3, 4, 2, True, (2, 2, 3, 4))]
    cases += [(three, 4, 4, 1, False, None), (three, 1, 6, 3, False, (2, 1, 1, 6))]
    cases += [(("query", "value"), 4, 4, 3, True, (2, 1, 4, 4)), (three[:2], 5, 1, 2, True, None)]
    for which, T, S, H, bias, mask_shape in cases:
        theirs, layer = pair(6, H, bias)
        inputs = {name: random(2, T if name == "query" else S, 6) for name in which}
        options = {} if mask_shape is None else {"mask": torch.rand(mask_shape, generator=generator) > 0.4}
        for mask in options.values():
            mask[..., 0] = True
        call = f"layer({', '.join(which)}, mask=…) with T = {T}, S = {S}, {H} heads, bias={bias}, mask {mask_shape}"
        want, cotangents = None, (random(2, T, 6), random(2, H, T, S))
        for module in (theirs, layer):
            leaves = {name: part.clone().requires_grad_() for name, part in inputs.items()}
            if module is theirs:
                got = want = reference(theirs, **leaves, **options)
            else:
                got = layer(**leaves, **options)
                plain = tuple(part.detach() for part in want)
                check.values(f"{call}, against torch's", got, plain, axes=axes)
                whole = all(part.requires_grad for part in got)
                check.true(call, whole, "the result is cut off from its gradient.")
            module.zero_grad()
            sum((part * one).sum() for part, one in zip(got, cotangents, strict=True)).backward()
            inputs_of = {name: leaf.grad for name, leaf in leaves.items()}
            if module is theirs:
                slopes = inputs_of | named(theirs, lambda parameter: parameter.grad)
        found = inputs_of | {name: parameter.grad for name, parameter in layer.named_parameters()}
        for name, want in slopes.items():
            check.values(f"the gradient of {name} in {call}", found[name], want)
    theirs, layer = pair(8, 2)
    x, order, lengths = random(3, 5, 8), torch.randperm(5, generator=generator), torch.tensor([5, 3, 1])
    real = torch.arange(5) < lengths[:, None]
    padding, before = real[:, None, None, :], torch.arange(5)[:, None] >= torch.arange(5)
    changed, future = x.masked_fill(~real[..., None], 90.0), torch.cat([x[:, :3], random(3, 2, 8)], dim=1)
    padded = layer(x, mask=padding)[0]
    for call, got, want in [
        ("layer(x[:, order]), the tokens in another order", layer(x[:, order])[0], layer(x)[0][:, order]),
        ("layer(x, mask) after the padding changed", layer(changed, mask=padding)[0][real], padded[real]),
        ("layer(x, mask), a sentence alone without padding", layer(x[1:2, :3])[0], padded[1:2, :3]),
        ("layer(x, causal), the future changed", *(layer(y, mask=before)[0][:, :3] for y in (future, x))),
    ]:
        check.values(call, got, want)
    nothing, bias = before.clone(), layer.state_dict()["out_proj.bias"]
    nothing[2] = False
    leaf, call = x.clone().requires_grad_(), "layer(x, mask=mask), where query 2 may attend to nothing"
    output, weights = layer(leaf, mask=nothing)
    check.values(f"{call}: output[:, 2] is the bias of out_proj", output[:, 2], bias.expand(3, 8))
    check.values(f"{call}: weights[:, :, 2]", weights[:, :, 2], torch.zeros(3, 2, 5, dtype=torch.float64))
    layer.zero_grad()
    (output * random(3, 5, 8)).sum().backward()
    found = {"x": leaf.grad} | {name: parameter.grad for name, parameter in layer.named_parameters()}
    for name, slope in found.items():
        finite = slope is not None and bool(slope.isfinite().all())
        check.true(call, finite, f"the gradient of {name} is not finite.")
    one = random(3, 4, 8)
    check.kept("layer(query, key, value, mask)", layer, x, one, 2 * one, torch.ones(5, 4) > 0)
    theirs, layer = pair(8, 4)
    want = tuple(part.detach().float() for part in reference(theirs, x))
    layer.to(torch.float32)
    check.values("layer(x) in float32", layer(x.float()), want, axes=axes, tolerance=1e-4)
    fresh, again = (MultiHeadAttention(8, 4) for _ in range(2))
    differ = not torch.equal(fresh.q_proj.weight, again.q_proj.weight)
    check.true("MultiHeadAttention(8, 4), made twice", differ, "q_proj must start with random numbers.")
    cases = [([said[0], str(E), str(H)], E, H) for E, H in [(9, 2), (4, 8)]]
    check.refuses("MultiHeadAttention", MultiHeadAttention, cases)
    cases = [((2, 3, 8), (1, 4, 8), (1, 4, 8), None), ((2, 3, 8), (2, 4, 8), (2, 1, 8), None)]
    cases += [((2, 3, 8), (2, 4, 7), (2, 4, 8), None), ((1, 3, 8), (2, 4, 8), (2, 4, 8), None)]
    two, short = ((2, 3, 8), (2, 4, 8), (2, 4, 8)), ((1, 1, 8), (1, 4, 8), (1, 4, 8))
    cases += [(*two, mask) for mask in [(2, 4), (3, 1, 1, 4), (2, 3, 1, 4), (2, 3, 4), (4, 3, 4), (1, 1, 1)]]
    cases += [(*short, mask) for mask in [(3, 4), (2, 1, 1, 4), (2, 1, 4, 1, 4)]]
    for *shapes, mask_shape in cases:
        given = [*map(torch.ones, shapes), None if mask_shape is None else torch.ones(mask_shape) > 0]
        call = f"MultiHeadAttention(8, 4)(query, key, value, mask), shapes {shapes} and mask {mask_shape}"
        three_axes = mask_shape is not None and len(mask_shape) == 3
        error, said = (ValueError, ("mask",)) if three_axes else (Exception, ())
        check.raises(call, lambda given=given: fresh(*given), error=error, mentions=said)
    ### END HIDDEN TESTS

# %% [markdown]
# Your layer, before any training, with two heads and a causal mask.

# %%
generator = torch.Generator().manual_seed(3)
layer = MultiHeadAttention(16, 2)
for parameter in layer.parameters():
    parameter.data = torch.randn(parameter.shape, generator=generator) / 3
x = torch.randn(1, 6, 16, generator=generator)  # (B, T, E)
_, weights = layer(x, mask=causal_mask(6, 6))
caption = "What to see: above the diagonal exactly 0. Each row adds up to 1; the numbers are rounded."
other = "What to see: the same tokens, other weights. Query 4 looks at key 1; in head 0, at key 2."
ax = plot.weights(weights[0, 0].detach(), title="head 0", caption=caption)
ax = plot.weights(weights[0, 1].detach(), title="head 1", caption=other)

# %% [markdown]
# **Predict first:** change the last token under the causal mask, then two tokens of padding under the padding mask. Which rows of the output change?
# <details><summary>Answer</summary>Only the last one: all others may not see it. Then only the two of the padding, which nobody reads.</details>

# %%
padded = padding_mask(torch.tensor([4]), 6)[:, None, None, :]  # 4 real tokens, 2 of padding
for name, mask, first in [("last token", causal_mask(6, 6), 5), ("padding", padded, 4)]:
    changed = x.clone()
    changed[:, first:] += 1
    change = (layer(changed, mask=mask)[0] - layer(x, mask=mask)[0]).abs().amax(dim=(0, 2))  # (T,)
    print(f"{name} changed; largest change in each row:", *(f"{number:.2g}" for number in change.tolist()))

# %% [markdown]
# ### Exercise 7 · `attention_cost` — 2 points, difficulty 2/3, importance 2/3, about 6 minutes
# What does attention cost? Count the two matrix products, $QK^\top$ and weights · $V$, for one sentence and all heads. A product $(m, n) \cdot (n, p)$ has $m \cdot n \cdot p$ multiplications, each with an addition: 2 operations. Leave out softmax and projections.
#
# And the memory: one score table `(H, T, S)` in float32, 4 bytes a number. Results are whole numbers, `int`.
#
# **Predict first:** twice as many heads at the same `d_model`: what happens to each number?
# <details><summary>Answer</summary>The operations stay: more heads, each narrower. The score tables double.</details>
# <details><summary>Hint 1 · idea</summary>Count one head first, then multiply by the heads.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Which m, n, p has <code>(T, D) · (D, S)</code>, and which has <code>(T, S) · (S, D)</code>? They agree.</details>
# <details><summary>Hint 3 · nearly there</summary>H heads of size D make E. Stay with <code>*</code>: <code>/</code> gives a float.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "attention_cost", "locked": false, "solution": true, "task": false}
def attention_cost(n_queries, n_keys, d_model, n_heads):
    """Operations and memory of attention at batch 1.

    Returns: {"flops": int, "score_bytes": int}: both matrix products, a multiply-add counts 2;
    one float32 table of scores (H, T, S).
    """
    ### BEGIN SOLUTION
    one_product = 2 * n_queries * n_keys * d_model  # of all heads together, H · D = E
    return {"flops": 2 * one_product, "score_bytes": 4 * n_heads * n_queries * n_keys}
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_attention_cost", "locked": true, "points": 2, "solution": false, "task": false}
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

with check.exercise("attention_cost"):
    right = {"flops": 480, "score_bytes": 120}
    wrong = {
        "half of it: there are two products, and a multiply-add counts as 2.": {**right, "flops": 240},
        "a quarter: there are two products, and a multiply-add counts as 2.": {**right, "flops": 120},
        "too much by n_heads: a head has only d_model / n_heads features.": {**right, "flops": 1440},
        "this is one head; count all of them.": {**right, "flops": 160},
        "these are numbers; a float32 takes 4 bytes.": {**right, "score_bytes": 30},
        "this is the table of one head.": {**right, "score_bytes": 40},
        "a table has a column for each key: T times S scores.": {**right, "score_bytes": 48},
        "a float32 takes 4 bytes, a float64 takes 8; and it is one table.": {**right, "score_bytes": 240},
        "a table has T times S scores, whatever d_model is.": {**right, "score_bytes": 480},
    }
    check.values("attention_cost(2, 5, 12, 3)", attention_cost(2, 5, 12, 3), right, known_wrong=wrong)
    ### BEGIN HIDDEN TESTS
    rng = check.rng()
    sizes = [(1, 1, 1, 1), (512, 512, 768, 12), (1, 4096, 1024, 16), (1000003, 1000033, 12285, 5)]
    sizes += [tuple(int(n) for n in (*rng.integers(1, 99, 2), h * rng.integers(1, 9), h)) for h in (1, 3, 8)]
    for T, S, E, H in sizes:
        flops = sum(2 * T * S * (E // H) for _ in range(H) for _ in ("scores", "output"))
        want = {"flops": flops, "score_bytes": sum(4 * T * S for _ in range(H))}
        check.values(f"attention_cost({T}, {S}, {E}, {H})", attention_cost(T, S, E, H), want)
    for T, S, E, H in sizes[1:3]:
        q, k = torch.empty(1, H, T, E // H, device="meta"), torch.empty(1, H, S, E // H, device="meta")
        with FlopCounterMode(display=False) as counter:
            functional.scaled_dot_product_attention(q, k, k)
        got, want = attention_cost(T, S, E, H)["flops"], counter.get_total_flops()
        check.values(f"attention_cost({T}, {S}, {E}, {H})['flops'], as torch counts", got, want)
    ### END HIDDEN TESTS

# %% [markdown]
# Does PyTorch count the same? Its counter can run on the device `meta`, where tensors have shapes but no numbers. **Question:** in the picture, from which length on do the scores need more memory than keys and values together?
# <details><summary>Answer</summary>Above 128 tokens: 8 · T² numbers against 2 · 512 · T.</details>

# %%
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

lengths = [2**n for n in range(6, 14)]
for T in lengths[::3]:
    q = torch.empty(1, 8, T, 64, device="meta")  # (B, H, T, D)
    counter = FlopCounterMode(display=False)
    with counter:
        functional.scaled_dot_product_attention(q, q, q)
    print(f"T = {T}: you {attention_cost(T, T, 512, 8)['flops']:,}, torch {counter.get_total_flops():,}")
memory = {"scores (H, T, T)": [attention_cost(T, T, 512, 8)["score_bytes"] / 2**20 for T in lengths]}
memory["keys and values (T, E)"] = [2 * T * 512 * 4 / 2**20 for T in lengths]
caption = "What to see: one line climbs twice as steeply. Both axes are logarithmic."
ax = plot.lines(lengths, memory, xlabel="tokens T", ylabel="memory (MiB)", log=True, caption=caption)

# %% [markdown]
# ### Exercise 8 · `previous_token_head` — 3 points, difficulty 3/3, importance 2/3, about 11 minutes
# Attention is also a machine that you can program. Training often finds heads that look one token back. Build one **without** training: choose two matrices such that
# $$\text{softmax}\!\left(\frac{(XW_q)(XW_k)^\top}{\sqrt n}\right), \qquad X = I_n \text{ (token } i \text{ is row } i)$$
# gives each position weight at least 0.99 on the one **before** it; position 0 looks at itself. No mask, any $n$ from 1 to 256.
#
# **Predict first:** at $n = 256$, how far must the right score lie above the other 255?
# <details><summary>Answer</summary>e to the gap must be 99 · 255, so about 10.1. The division by the root of n must not eat it up.</details>
# <details><summary>Hint 1 · idea</summary>With X = I, the rows of Wq are the queries and those of Wk the keys. What must the query of position 3 resemble?</details>
# <details><summary>Hint 2 · shape of the answer</summary>Let keys be rows of the identity: position j answers to its own number. Then each query is one row of it, too, made longer.</details>
# <details><summary>Hint 3 · nearly there</summary>The row of position i is the identity's row i − 1, but position 0 keeps row 0. A factor of 20 times the root of n is enough.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "previous_token_head", "locked": false, "solution": true, "task": false}
def previous_token_head(n_positions):
    """Two matrices that make every position attend to the one before it, the first to itself.

    Returns: (Wq, Wk), both (n, n) float32, for softmax((X Wq)(X Wk)^T / sqrt(n)) with X = torch.eye(n).
    """
    ### BEGIN SOLUTION
    before = (torch.arange(n_positions) - 1).clamp(min=0)  # 0, 0, 1, 2, …
    w_key = torch.eye(n_positions)  # (n, n): position j answers to number j
    w_query = 20 * n_positions**0.5 * w_key[before]  # (n, n): position i calls number i - 1
    return w_query, w_key
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_previous_token_head", "locked": true, "points": 3, "solution": false, "task": false}
with check.exercise("previous_token_head"):

    def weights_of(n):
        call, pair = f"previous_token_head({n})", previous_token_head(n)
        check.true(call, type(pair) in (tuple, list) and len(pair) == 2, "must return two tensors, (Wq, Wk).")
        for name, matrix in zip(("Wq", "Wk"), pair, strict=True):
            check.shape(f"{name} of {call}", matrix, (n, n), axes=("position", "feature"))
            name, say = f"{name} of {call}", f"has dtype {matrix.dtype}, expected torch.float32."
            check.true(name, matrix.dtype == torch.float32, say)
            check.true(name, bool(matrix.isfinite().all()), "every entry must be finite.")
        scores = pair[0].double() @ pair[1].double().T / n**0.5
        return scores.softmax(dim=-1)

    def wanted(n):
        return torch.eye(n, dtype=torch.float64)[[max(i - 1, 0) for i in range(n)]]

    (a, b, c, d), flat = torch.eye(4).tolist(), [0.25] * 4
    wrong = {
        "each looks at the next one, the last at itself: the shift has the wrong sign.": [b, c, d, d],
        "each looks at the next one, the last at the first: the shift has the wrong sign.": [b, c, d, a],
        "each looks at the next one, the last at all: the shift has the wrong sign.": [b, c, d, flat],
        "this is the transpose of what was asked: are Wq and Wk exchanged?": [[0.5, 0.5, 0, 0], c, d, flat],
        "each position looks at itself, not at the one before.": [a, b, c, d],
        "position 0 looks at the last one; it should look at itself.": [d, a, b, c],
        "position 0 has equal scores everywhere; it should look at itself.": [flat, a, b, c],
        "all scores are equal: nothing tells positions apart.": [flat] * 4,
        "position 0 looks at itself and at the last one: clear its old 1.": [[0.5, 0, 0, 0.5], a, b, c],
    }
    call, axes = "softmax(Wq @ Wk.T / 4**0.5) with Wq, Wk = previous_token_head(4)", ("query", "key")
    note = "Weights must be at least 0.99. If the right place is largest but too small, raise the scores."
    check.values(call, weights_of(4), wanted(4), axes=axes, known_wrong=wrong, tolerance=0.01, note=note)
    note = "At every n up to 256, the gap must outweigh n - 1 other keys and the division by the root of n."

    def at_each(*sizes):
        for n in sizes:
            call = f"softmax(Wq @ Wk.T / {n}**0.5) with Wq, Wk = previous_token_head({n})"
            check.values(call, weights_of(n), wanted(n), axes=axes, tolerance=0.01, note=note)

    at_each(1, 256)
    ### BEGIN HIDDEN TESTS
    at_each(2, 3, 5, 16, 37, 100, 255)
    ### END HIDDEN TESTS

# %% [markdown]
# The head copies each word one place to the right, if values are the words themselves. Language models use such heads to continue "A B … A" with "B": the next head looks for a token whose *previous* one is the current. **Question:** why can no head find "the one before" if positions are not in $X$?
# <details><summary>Answer</summary>Without positions a word has the same key wherever it stands.</details>

# %%
sentence = ["a", "model", "reads", "a", "text"]
w_query, w_key = previous_token_head(5)
_, weights = blocks.attention(w_query[None], w_key[None], torch.eye(5)[None])
caption = "What to see: a staircase one step below the diagonal; the first word looks at itself."
ax = plot.weights(weights[0], queries=sentence, keys=sentence, caption=caption)

# %% [markdown]
# ## Experiment: who bit whom?
# Two sentences of the same three words in opposite order, random vectors for the words, one random layer.
#
# **Predict first:** in which sentence does *dog* attend more to *man*?

# %%
generator = torch.Generator().manual_seed(5)
layer = MultiHeadAttention(16, 1).double()
for parameter in layer.parameters():
    parameter.data = torch.randn(parameter.shape, generator=generator).double() / 4
vector_of = {word: torch.randn(16, generator=generator).double() for word in ("dog", "bites", "man")}
one, two = ["dog", "bites", "man"], ["man", "bites", "dog"]
read = {tuple(s): torch.stack([vector_of[word] for word in s])[None] for s in (one, two)}  # (1, T, E)
caption = "What to see: 'dog' gives 'man' the same weight in both sentences; its row has only moved."
for s in (one, two):
    weights = layer(read[tuple(s)])[1].detach()  # (B, H, T, S) = (1, 1, 3, 3)
    ax = plot.weights(weights[0, 0], queries=s, keys=s, title=" ".join(s), caption=caption)

# %% [markdown]
# The rows moved with the words: shuffle the tokens, and the outputs are shuffled in the same way (**permutation equivariance**). Now measure how far the output of each word differs between the sentences: as it is, with a causal mask, and with a vector for each position added to the words.
#
# **Predict first:** which bars are 0?

# %%
positions = torch.randn(3, 16, generator=generator).double()  # one for each place; lesson 04 has better ones
tries = {"as it is": (0, None), "causal mask": (0, causal_mask(3, 3)), "positions added": (1, None)}
distance = {}
for name, (times, mask) in tries.items():
    first, second = (layer(read[tuple(s)] + times * positions, mask=mask)[0][0] for s in (one, two))  # (T, E)
    distance[name] = (first - second.flip(0)).norm(dim=-1).detach()  # the same word in both
caption = "What to see: without mask and positions each word comes out the same: who bit whom is lost."
ax = plot.bars(distance, one, ylabel="distance of the outputs", caption=caption)
_ = ax.set_xlabel("word")

# %% [markdown]
# **Questions.** A causal mask tells order a little: how? Which word comes out differently although its place is the same in both sentences, and why?
# <details><summary>Answer</summary>A later word sees more. <em>bites</em>: it reads the words before it, and they differ.</details>
#
# So a model that reads whole sentences needs positions: lesson 04.
#
# ## Where this is used
# - **Translation and chat**: causal self-attention writes, cross-attention reads the source (lesson 07).
# - **Tagging, sentiment, question answering**: self-attention over the whole text, without a causal mask (lesson 06).
# - **Images and speech**: patches of a picture or slices of sound are the tokens.
# - **Protein structure**: AlphaFold 2 attends between residues.
#
# An honest limit: in a usual Transformer, most parameters are in the layers between, not in attention.
#
# ## Limits
# - Scores grow with $T \cdot S$: at 8,192 tokens and 8 heads, the table of one layer takes 2 GiB. Fused kernels never store it whole; lesson 05 computes less.
# - Without positions, a set of tokens and not a sequence.
# - Weights show where a head looked, not why the model decided; many heads can be removed with little loss.
#
# ## Summary
# 1. Queries ask, keys are found, values are passed on; all come from the tokens by learned matrices.
# 2. True means "may attend"; blocked scores are −∞ before the softmax, and a row with nothing gives zeros.
# 3. Heads are blocks of features that attend alone; without positions, order is invisible.

# %% [markdown]
# ## Questions and answers
# **Why three matrices? Would $x$ itself not do?** Then scores would be symmetric, and each token would mostly find itself. Separate roles let "it" look for nouns without nouns looking for "it".
#
# **`nn.MultiheadAttention` blocks the wrong tokens!** In its masks True means *blocked*. In `functional.scaled_dot_product_attention` and here True means *may attend*. Always try a mask on three tokens.
#
# **Why not −1e9 for blocked scores?** Half precision ends at 65,504, and a row of equal numbers gives the mean instead of nothing.
#
# **Are more heads better?** Each gets narrower. Usual head sizes are 64 to 128.
#
# **Should I use my layer in earnest?** Understand it, then use the fused function of the framework: same numbers, no score table in memory.
#
# ## Further reading
# - Vaswani et al. 2017, *Attention is all you need* (arXiv:1706.03762), section 3.2.
# - Cheng, Dong, Lapata 2016, *Long short-term memory-networks for machine reading* (arXiv:1601.06733): attention within one sentence, before the Transformer.
# - Michel, Levy, Neubig 2019, *Are sixteen heads really better than one?* (arXiv:1905.10650).
# - Olsson et al. 2022, *In-context learning and induction heads* (arXiv:2209.11895): what previous-token heads are for.
# - Dao et al. 2022, *FlashAttention* (arXiv:2205.14135): the exact result without the table.
# - Dosovitskiy et al. 2021, *An image is worth 16x16 words* (arXiv:2010.11929): patches as tokens.
