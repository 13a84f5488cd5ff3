# %% [markdown]
# # 02 · Attention inside a decoder
#
# **Goal.** Build the network in which attention was invented: one LSTM reads, another writes, and before each symbol it writes, it looks back. Train it on two tasks and watch where it looks.
#
# **Why.** Early neural translators, in 2014, squeezed a whole sentence into one vector. Long sentences did not fit. Attention removed that bottleneck, and at the end of this lesson you measure by how much.
#
# You need lesson 01 and the idea of an LSTM: a network that reads a sequence step by step and keeps a state. It takes about 115 minutes, training included, in as many evenings as you like.

# %%
import torch
from torch import nn

from byhand import blocks, check, generated, plot, recurrent, train

# %% [markdown]
# ## The idea: look back before every word
#
# - The **encoder** reads all symbols and leaves one vector for each: the **memory**, keys and values at once.
# - The **decoder** writes symbol by symbol. Its state is the **query**: *what do I need now?*
# - The weighted sum of the memory is the **context**. The decoder writes from its state *and* the context.
#
# Below: where a person would look while rewriting a date.
# **Question:** the yellow cells run from top right to bottom left, not from top left to bottom right. Why, and for which pair of languages would it be the usual diagonal?
#
# <details><summary>Answer</summary>The text begins with the day, the answer with the year: the order is reversed. English and French put most words in the same order, so there the picture is nearly the usual diagonal.</details>

# %%
person = torch.zeros(5, 3)  # (T, S): 5 symbols to write, 3 to read
person[[0, 1, 2, 3, 4], [2, 2, 1, 1, 0]] = 1.0
plot.alignment(
    person,
    ["22", "July", "2040"],
    ["2040", "-", "07", "-", "22"],
    caption="Each row is one symbol written. Yellow: the symbol looked at. Order is reversed, year first.",
)

# %% [markdown]
# ### The data: endless, and free
#
# Dates as people write them become ISO dates; English number words become Chinese numerals. A token is one **character** in dates and in both answers, one **word** in English numbers. The same seed gives the same pairs. Each answer belongs to one split, so what you train on is never what you are tested on.
#
# **Try:** other seeds. Which Chinese answers turn the English order round?

# %%
for text, answer in generated.dates(5, seed=1) + generated.numbers(7, seed=6):
    print(f"{text:<52} {answer}")

# %% [markdown]
# ### Shapes
#
# `B` texts at a time, padded with id 0 to the longest: `src (B, S)`, `lengths (B,)`. A target `(B, T)` ends with the end symbol, id 2. Decoding begins with id 1.
#
# A **mask** is boolean and `True` means *may attend*. Padding is `False`.

# %%
src, lengths, target = generated.DATES.batch(2, seed=3)
print("src", tuple(src.shape), " lengths", lengths.tolist(), " target", tuple(target.shape))
print(generated.DATES.target.named(target[0]))
ax = plot.mask(
    recurrent.real_tokens(lengths, src.shape[1]),
    queries=["text 0", "text 1"],
    caption="The shorter text ends in padding, which nobody may look at.",
)
ax.yaxis.label.set_visible(False)

# %% [markdown]
# ### Exercise 1 · `masked_softmax` — 2 points, difficulty 2/3, importance 3/3, about 9 minutes
#
# Softmax gives every key something, padding too. So blocked scores must count as $-\infty$, whose exponential is 0:
#
# $$a_j = \frac{m_j\, e^{s_j}}{\sum_k m_k\, e^{s_k}} \qquad m_j \in \{0, 1\}$$
#
# 1. Softmax runs over the last axis. Scores reach ±10,000.
# 2. If a whole row is blocked, its weights are 0, and gradients stay finite: one NaN spoils all training.
# 3. `mask` may be smaller than `scores` and is then stretched to their shape. It must never make the result **larger** than `scores`: raise an error instead. No ready-made masked softmax.
#
# **Predict first:** scores 5, 7, 7 with the first 7 blocked. Which weights?
# <details><summary>Answer</summary>About 0.12, 0, 0.88: as if the blocked key did not exist.</details>
# <details><summary>Hint 1 · idea</summary>Blocked scores become <code>-inf</code> before softmax. Then only rows in which all is blocked need care: there softmax divides 0 by 0.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Stretch the mask, fill, softmax, and put zeros where the mask is False. <code>mask.expand(shape)</code> refuses to enlarge.</details>
# <details><summary>Hint 3 · nearly there</summary>In rows without any True, fill in 0 instead of <code>-inf</code>, so that softmax is harmless; <code>mask.any(dim=-1, keepdim=True)</code> finds the other rows.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "masked_softmax", "locked": false, "solution": true, "task": false}
def masked_softmax(scores, mask):
    """Softmax over the last axis, among the keys whose mask is True.

    scores: (..., S) floats. mask: bool, True = may attend; it broadcasts to the shape of scores.
    Returns: weights, shape and dtype of scores; 0 where mask is False, a row of zeros where it is all False.
    Raises: an error if the mask would make the result larger than scores.
    """
    ### BEGIN SOLUTION
    mask = mask.expand(scores.shape)
    scores = scores.masked_fill(~mask, -torch.inf)
    scores = torch.where(mask.any(dim=-1, keepdim=True), scores, 0.0)  # nothing to see: any finite score
    return torch.where(mask, scores.softmax(dim=-1), 0.0)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_masked_softmax", "locked": true, "points": 2, "solution": false, "task": false}
import math

import torch

from byhand.probes import slow

with check.exercise("masked_softmax"):
    scores = torch.tensor([[0.0, math.log(3.0), 5.0], [1.0, 2.0, 3.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True, False], [False] * 3])
    right, free = [0.25, 0.75, 0], [0.0900, 0.2447, 0.6652]
    wrong = {
        "the mask was not used.": [[0.00656, 0.01968, 0.97376], free],
        "the mask is turned round: True means MAY attend.": [[0, 0, 1], free],
        "set to 0 after softmax; the rest no longer adds up to 1.": [[0.00656, 0.01968, 0], [0] * 3],
        "a score of 0 still gets weight, e to the power 0 is 1; fill in -inf.": [
            [0.2, 0.6, 0.2],
            [1 / 3] * 3,
        ],
        "a row in which all is blocked gives weights 0, not equal shares.": [right, [1 / 3] * 3],
        "a row in which all is blocked is 0 / 0; it needs its own care.": [right, [math.nan] * 3],
        "a row in which all is blocked looks nowhere, not everywhere.": [right, free],
    }
    check.kept("masked_softmax(scores, mask)", masked_softmax, scores, mask)
    got, want = masked_softmax(scores, mask), torch.tensor([right, [0.0] * 3], dtype=torch.float64)
    check.values("masked_softmax(scores, mask)", got, want, axes=("row", "key"), known_wrong=wrong)
    call = "masked_softmax(scores[0], mask), a mask of more rows than scores,"
    check.raises(call, lambda: masked_softmax(scores[0], mask), error=Exception)
    check.gradient("masked_softmax(scores, mask)", masked_softmax, (scores, mask))
    scores, mask, want = torch.tensor([1e4, 1e4, -1e4]), torch.tensor([True] * 3), torch.tensor([0.5, 0.5, 0])
    note = "Scores reach ±10,000; exp(10000) is infinite. By hand, subtract the largest allowed score first."
    call = "masked_softmax(torch.tensor([1e4, 1e4, -1e4]), torch.tensor([True] * 3))"
    check.values(call, masked_softmax(scores, mask), want, axes=("key",), note=note)
    check.source("masked_softmax", check.ready.MASKED, allow_text="torch.softmax, masked_fill, where.")
    ### BEGIN HIDDEN TESTS
    for numbers, may in [([-1e4, -1e4, -1e4], [True, True, False]), ([-1e4, 1e4], [True, False])]:
        scores, mask = torch.tensor(numbers), torch.tensor(may)
        note = "A blocked score must be lower than any real one, and must not count as the largest."
        call = f"masked_softmax(torch.tensor({numbers}), torch.tensor({may}))"
        check.values(call, masked_softmax(scores, mask), slow.masked_softmax(scores, mask), note=note)
    rng, small = check.generator(), [(1,), (), (4,), (3, 4), (3, 1), (1, 4), (2, 1, 4), (2, 3, 1), (2, 3, 4)]
    sizes = [((1,), (1,)), ((4,), (4,)), ((3, 4), (4,)), *[((2, 3, 4), one) for one in small]]
    for shape, mask_shape in sizes:
        for dtype, size in [(torch.float64, 2), (torch.float32, 2), (torch.float64, 1e4)]:
            scores = (size * torch.randn(shape, generator=rng, dtype=torch.float64)).to(dtype)
            mask = torch.rand(mask_shape, generator=rng) < 0.6
            call = f"masked_softmax(scores {shape}, mask {mask_shape}), {dtype}, scores about {size:g}"
            check.values(call, masked_softmax(scores, mask), slow.masked_softmax(scores, mask))
    scores = torch.randn(3, 4, generator=rng, dtype=torch.float64)
    mask = torch.tensor([[True, False, True, True], [False] * 4, [True] * 4])
    check.gradient("masked_softmax(scores, mask)", masked_softmax, (scores, mask))
    _, (grad, _) = check.backward(masked_softmax, (1e4 * scores, mask), scores.flip(0))
    call = "the gradient of masked_softmax(1e4 * scores, mask)"
    check.true(call, bool(grad.isfinite().all()), "it holds nan or infinite entries.")
    check.true(call, bool((grad[~mask] == 0).all()), "it is not 0 at masked entries.")
    more = ((4,), (3, 4)), ((1, 4), (3, 4)), ((5, 1), (4,)), ((3, 4), (3,)), ((3, 4), (2, 3, 4))
    for shape, larger in more:
        call = f"masked_softmax(torch.zeros({shape}), torch.ones({larger}, dtype=torch.bool))"
        given = torch.zeros(shape), torch.ones(larger, dtype=torch.bool)
        check.raises(call, lambda given=given: masked_softmax(*given), error=Exception)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2 · `AdditiveAttention` — 3 points, difficulty 2/3, importance 3/3, about 14 minutes
#
# Lesson 01's additive score, as a layer, for a batch:
#
# $$s_j = v^\top \tanh(W_q\, q + W_k\, k_j), \quad a = \text{masked softmax}(s), \quad c = \sum_j a_j k_j$$
#
# Make three `nn.Linear` layers **without bias**: `query_layer`, `key_layer` (both to `attention_size`) and `score_layer` (to 1), and nothing else to train. Keys are values, too, so the context is a sum of **keys**. `+`, `@` and `einsum` stretch a `B` of 1: if query and keys differ in `B`, raise an error. Use your `masked_softmax` or `blocks.masked_softmax`.
#
# **Predict first:** two padded keys are appended to every text. What changes?
# <details><summary>Answer</summary>Two more weights, both 0; the context stays. That is padding invariance.</details>
# <details><summary>Hint 1 · idea</summary>All keys at once: one row of attention_size numbers for each key, plus the query's row.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>(B, 1, A) + (B, S, A)</code>, then scores <code>(B, S, 1)</code> that lose their last axis. Name the axis that goes: <code>squeeze()</code> alone also drops B, where it is 1.</details>
# <details><summary>Hint 3 · nearly there</summary>The context is <code>(B, 1, S) @ (B, S, Dk)</code> without its middle axis. Return context, then weights.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "AdditiveAttention", "locked": false, "solution": true, "task": false}
class AdditiveAttention(nn.Module):
    """Score every key by a small network, mix the keys. Source: Bahdanau et al. 2015, appendix A.1.2.

    Layers without bias: query_layer (Dq to A), key_layer (Dk to A), score_layer (A to 1).
    """

    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        ### BEGIN SOLUTION
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)
        ### END SOLUTION

    def forward(self, query, keys, mask):
        """query (B, Dq), keys (B, S, Dk), mask (B, S) bool -> context (B, Dk), weights (B, S).

        Raises: an error if query and keys differ in B.
        """
        ### BEGIN SOLUTION
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_AdditiveAttention", "locked": true, "points": 3, "solution": false, "task": false}
import math

import torch

from byhand.probes import rnn as probe, slow

with check.exercise("AdditiveAttention", needs=("masked_softmax",)):
    layer = AdditiveAttention(1, 2, 1)
    shapes = {name: tuple(part.shape) for name, part in layer.named_parameters()}
    names = {"query_layer.weight": (1, 1), "key_layer.weight": (1, 2), "score_layer.weight": (1, 1)}
    check.values("the parameters of AdditiveAttention(1, 2, 1)", shapes, names)
    weights = [[[math.log(2)]], [[1.0, 0.0]], [[math.log(3) / 0.8]]]  # tanh(log 3) is 0.8
    layer.load_state_dict({name: torch.tensor(w) for name, w in zip(names, weights, strict=True)})
    query, mask = torch.tensor([[1.0]]), torch.tensor([[True, True, False]])
    keys = torch.tensor([[[-math.log(2), 4.0], [math.log(1.5), 8.0], [9.0, 9.0]]])
    wrong = {
        "tanh is missing.": (..., [[0.181086, 0.818914, 0]]),
        "the query is missing, or tanh was taken of each part alone.": (..., [[0.205504, 0.794496, 0]]),
        "score_layer was not used.": (..., [[0.310026, 0.689974, 0]]),
        "the two parts were multiplied; add them.": (..., [[0.271034, 0.728966, 0]]),
        "the mask was not used.": (..., [[0.125830, 0.377490, 0.496680]]),
        "softmax ran over an axis of size 1; drop that axis first.": (..., [[1.0, 1.0, 0.0]]),
        "the second result is the scores; return the weights.": (..., [[0.0, 1.098612, 1.373265]]),
        "this is a mean; the weights add up to 1 already, so take the sum.": ([[0.043605, 7 / 3]], ...),
        "the results are the other way round: context first, then weights.": (..., [[0.130812, 7.0]]),
    }
    got, want = layer(query, keys, mask), (torch.tensor([[0.130812, 7.0]]), torch.tensor([[0.25, 0.75, 0.0]]))
    check.values("layer(query, keys, mask)", got, want, axes=probe.AXES, known_wrong=wrong)
    two = [torch.cat([one, one]) for one in (query, keys, mask)]
    want = tuple(torch.cat([one, one]) for one in want)
    check.values("layer(*two)", layer(*two), want, axes=probe.AXES, note="It is the same text twice.")
    call = "layer(query, *two[1:]), query for 1 text, keys for 2,"
    check.raises(call, lambda: layer(query, *two[1:]), error=Exception)
    library = ("manual_seed", "byhand.recurrent.", *check.ready.ATTENTION)
    check.source("AdditiveAttention", forbid=library, allow_text="nn.Linear, tanh, your masked_softmax.")

    ### BEGIN HIDDEN TESTS
    def score(query, key, parts):
        w_query, w_key, v = (parts[name] for name in names)
        both = zip(w_query, w_key, strict=True)
        return slow.dot(v[0], [math.tanh(slow.dot(a, query) + slow.dot(b, key)) for a, b in both])

    for sizes in [(1, 1, 1), (5, 2, 6), (4, 4, 4), (3, 6, 1), (1, 2, 4), (3, 2, 4)]:
        probe.attention(f"AdditiveAttention{sizes}", AdditiveAttention, sizes, score, check.generator())
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 3 · `BilinearAttention` — 2 points, difficulty 2/3, importance 2/3, about 6 minutes
#
# Luong's "general" score needs no tanh and no hidden layer, only one matrix:
#
# $$s_j = q^\top W k_j, \qquad W: (D_q, D_k)$$
#
# The rest is as before, and given: masked softmax, weighted sum of keys. You write the scores `(B, S)`, as a variable called `scores`, and the only parameter, `weight`. It is random at the start (equal entries would all learn the same) and divided by $\sqrt{D_k}$: else scores are large, and softmax is too sure before anything is learned. `nn.Linear` keeps its matrix the other way round. `@` and `einsum` stretch a `B` of 1: if query and keys differ in `B`, raise an error.
#
# **Predict first:** additive or bilinear, which needs less work for one more query?
#
# <details><summary>Answer</summary>Bilinear: carry the query over once, then one dot product a key. Additive takes a tanh for each key and hidden unit.</details>
# <details><summary>Hint 1 · idea</summary>First carry all queries over to the size of the keys.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>(B, Dq) @ (Dq, Dk)</code>, then with each of S keys of the same text: <code>(B, S)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary><code>nn.Parameter(torch.randn(...))</code>, divided by the root of Dk. <code>(B, S, Dk) @ (B, Dk, 1)</code> gives the scores.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "BilinearAttention", "locked": false, "solution": true, "task": false}
class BilinearAttention(nn.Module):
    """Score every key by q^T W k, mix the keys. Source: Luong et al. 2015, section 3.1, "general".

    The parameter `weight` is (Dq, Dk), random at the start.
    """

    def __init__(self, query_size, key_size):
        super().__init__()
        ### BEGIN SOLUTION
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)
        ### END SOLUTION

    def forward(self, query, keys, mask):
        """query (B, Dq), keys (B, S, Dk), mask (B, S) bool -> context (B, Dk), weights (B, S).

        Raises: an error if query and keys differ in B.
        """
        ### BEGIN SOLUTION
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1)  # (B, S)
        ### END SOLUTION
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_BilinearAttention", "locked": true, "points": 2, "solution": false, "task": false}
import math

import torch

from byhand.probes import rnn as probe, slow

with check.exercise("BilinearAttention", needs=("masked_softmax",)):
    shapes = {name: tuple(part.shape) for name, part in BilinearAttention(3, 2).named_parameters()}
    check.values("the parameters of BilinearAttention(3, 2)", shapes, {"weight": (3, 2)})
    layer = BilinearAttention(2, 2)
    layer.load_state_dict({"weight": math.log(3.0) * torch.tensor([[1.0, 0.0], [1.0, -1.0]])})
    query, keys = torch.tensor([[1.0, 2.0]]), torch.tensor([[[1.0, 1.0], [1.0, 0.5], [5.0, 5.0]]])
    mask = torch.tensor([[True, True, False]])
    wrong = {
        "W was transposed: the query meets its rows, the key its columns.": (..., [[0.366025, 0.633975, 0]]),
        "W was not used.": (..., [[0.731059, 0.268941, 0]]),
        "the scores were divided by a root; this layer has no scale.": (..., [[0.314984, 0.685016, 0]]),
        "the mask was not used.": (..., [[0.011765, 0.035294, 0.952941]]),
        "the results are the other way round: context first, then weights.": (..., [[1.0, 0.625]]),
        "the second result is the scores; return the weights.": (..., [[1.098612, 2.197225, 5.493061]]),
    }
    got, want = layer(query, keys, mask), (torch.tensor([[1.0, 0.625]]), torch.tensor([[0.25, 0.75, 0.0]]))
    check.values("layer(query, keys, mask)", got, want, axes=probe.AXES, known_wrong=wrong)
    two = [torch.cat([one, one]) for one in (query, keys, mask)]
    want = tuple(torch.cat([one, one]) for one in want)
    check.values("layer(*two)", layer(*two), want, axes=probe.AXES, note="It is the same text twice.")
    call = "layer(query, *two[1:]), query for 1 text, keys for 2,"
    check.raises(call, lambda: layer(query, *two[1:]), error=Exception)
    allowed = "nn.Parameter, @, your masked_softmax."
    check.source("BilinearAttention", check.ready.BILINEAR, allow_text=allowed)
    ### BEGIN HIDDEN TESTS
    for sizes in [(3, 2), (2, 5)]:
        (_, start), (_, again) = (next(iter(BilinearAttention(*sizes).named_parameters())) for _ in range(2))
        call = f"BilinearAttention{sizes}.weight"
        different = len({*start.flatten().tolist()}) == start.numel()
        check.true(call, different, "its entries are equal at the start; draw them at random.")
        check.true(call, not torch.equal(start, again), "two new layers start the same; do not seed.")

    def score(query, key, parts):
        return slow.dot(query, [slow.dot(row, key) for row in parts["weight"]])

    for sizes in [(1, 1), (5, 2), (4, 4), (3, 6), (1, 2), (2, 1)]:
        probe.attention(f"BilinearAttention{sizes}", BilinearAttention, sizes, score, check.generator())
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 4 · `Encoder` — 3 points, difficulty 3/3, importance 3/3, about 18 minutes
#
# Embed the tokens, then read them with **one bidirectional LSTM layer**: one direction from the left, one from the right. Memory at a position is both halves side by side, forward half first. The decoder's first state is the **sum** of both directions' last states, for `h` and for `c`.
#
# 1. Positions from `lengths` on are padding, **whatever ids they hold**; those before are not. Memory there is 0, and nothing else may depend on them: neither on their number nor on the other texts of the batch.
# 2. `lengths` come in any order; `S` may be larger than all of them. If there is not one length for each text, raise an error.
#
# **Predict first:** the backward half reads from the right. Where is its last state?
#
# <details><summary>Answer</summary>At position 0, the first token: it ends where the text begins.</details>
# <details><summary>Hint 1 · idea</summary><code>pack_padded_sequence</code> in <code>torch.nn.utils.rnn</code> tells the LSTM where each text ends, so that the backward half starts at a real token.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Embed, pack, LSTM, unpack. The LSTM's <code>h</code> and <code>c</code> are <code>(2, B, hidden)</code>; sum over the first axis and keep it.</details>
# <details><summary>Hint 3 · nearly there</summary><code>enforce_sorted=False</code>, <code>batch_first=True</code> twice, and <code>total_length</code> so that memory has S columns again.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "Encoder", "locked": false, "solution": true, "task": false}
class Encoder(nn.Module):
    """Read texts with one bidirectional LSTM layer. Source: Bahdanau et al. 2015, section 3.2 (there, GRUs)."""

    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        ### BEGIN SOLUTION
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)
        ### END SOLUTION

    def forward(self, src, lengths):
        """src (B, S) ids, lengths (B,) ints from 1 to S -> memory (B, S, 2 * hidden), state.

        memory: 0 at padding. state: (h, c), each (1, B, hidden), the two directions' last states summed.
        Raises: an error if lengths is not one for each text.
        """
        ### BEGIN SOLUTION
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_Encoder", "locked": true, "points": 3, "solution": false, "task": false}
import torch

from byhand.probes import rnn as probe, slow

with check.exercise("Encoder"):
    H, src, lengths = 2, torch.tensor([[4, 5, 0], [6, 3, 4]]), torch.tensor([2, 3])
    encoder, axes = Encoder(7, 3, H).double(), ("layer", "text", "feature")
    call, (memory, (h, c)) = "encoder(src, lengths)", encoder(src, lengths)
    check.shape(f"memory of {call}", memory, (2, 3, 2 * H), axes=("text", "position", "feature"))
    check.shape(f"h of {call}", h, (1, 2, H), axes=axes)
    check.shape(f"c of {call}", c, (1, 2, H), axes=axes)
    say = "position 2 of text 0 is padding, but memory is not 0 there; pack the texts (Hint 1)."
    check.true(call, bool((memory[0, 2] == 0).all()), say)
    last, first = torch.stack([memory[0, 1, :H], memory[1, 2, :H]])[None], memory[None, :, 0, H:]
    wrong = {
        "this is the forward half alone; add the backward half's last state.": last.tolist(),
        "this is the backward half alone; add the forward half's last state.": first.tolist(),
        "this is the mean of both directions; take their sum.": (0.5 * (last + first)).tolist(),
    }
    note = "Forward half at each last token + backward half at 0. Only text 0 is wrong? Pack the texts."
    check.values(f"h of {call}", h, last + first, axes=axes, known_wrong=wrong, note=note)
    right = slow.encoded(encoder, (7, 3, H), src, lengths, memory)  # None: layers other than nn.LSTM
    if right is not None:
        wrong = {"this is h again.": h.tolist(), "take the sum, as for h.": (0.5 * right[1][1]).tolist()}
        check.values(f"c of {call}", c, right[1][1], known_wrong=wrong, note="The sum of both last c.")
    call, nothing = "encoder(torch.cat([src, src], dim=1), lengths)", torch.zeros_like(memory)
    want = torch.cat([memory, nothing], dim=1), (h, c)
    note = "Positions from lengths on are padding, whatever they hold; S may exceed every length."
    check.values(call, encoder(torch.cat([src, src], dim=1), lengths), want, note=note)
    check.raises("encoder(src, lengths[:1])", lambda: encoder(src, lengths[:1]), error=Exception)
    library = ("manual_seed", "recurrent.Encoder", "recurrent.from_weights")
    check.source("Encoder", forbid=library, allow_text="nn.Embedding, nn.LSTM.")
    ### BEGIN HIDDEN TESTS
    probe.encoder(Encoder, check.generator())
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 5 · `AttentionDecoder` — 4 points, difficulty 3/3, importance 3/3, about 15 minutes
#
# One step of writing, from the last token $y$ and the state $(h, c)$ to scores for the next token:
#
# $$\text{context} = \text{attention}(h, \text{memory}, \text{mask})$$
# $$(h', c') = \text{LSTM cell}\big([\text{embed}(y);\ \text{context}],\ (h, c)\big)$$
# $$\text{logits} = W\,[h';\ \text{context}] + b$$
#
# 1. Attention comes first, with the **previous** $h$, as `(B, hidden)`, and is called **once** a step.
# 2. `attention` is a layer you receive; store it as `self.attention`, so that it is trained, too.
# 3. States are `(1, B, hidden)`, as `Encoder` makes them. Logits are plain scores, no softmax.
#
# **Predict first:** which input sizes do the cell and the last layer have?
#
# <details><summary>Answer</summary>embed_size + memory_size, and hidden_size + memory_size.</details>
# <details><summary>Hint 1 · idea</summary>Two layers besides attention and the embedding: <code>nn.LSTMCell</code> and <code>nn.Linear</code>.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>step</code> is four lines, one for each formula above and the return. <code>torch.cat(..., dim=-1)</code> puts side by side.</details>
# <details><summary>Hint 3 · nearly there</summary>The cell wants states without their first axis: <code>state[0][0]</code> is h. Give the axis back at the end: <code>h[None]</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "AttentionDecoder", "locked": false, "solution": true, "task": false}
class AttentionDecoder(nn.Module):
    """Write one token at a time, looking at the memory before each. Source: Bahdanau et al. 2015, section 3.1."""

    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        ### BEGIN SOLUTION
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)
        ### END SOLUTION

    def step(self, token, state, memory, mask):
        """token (B,), state (h, c) each (1, B, hidden), memory (B, S, M), mask (B, S) bool.

        Returns: logits (B, V), the new state (h, c) each (1, B, hidden), attention's weights (B, S).
        """
        ### BEGIN SOLUTION
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_AttentionDecoder", "locked": true, "points": 4, "solution": false, "task": false}
import torch

from byhand.probes import known, rnn as probe

with check.exercise("AttentionDecoder"):
    attention, rng = known.Attention(), check.generator()
    decoder = AttentionDecoder(7, 3, 2, 6, attention).double()  # vocabulary, embedding, hidden, memory
    token, mask = torch.tensor([4, 1, 6]), torch.tensor([[True, True], [True, False], [True, True]])
    h, c, memory = (torch.randn(s, generator=rng).double() for s in ((1, 3, 2), (1, 3, 2), (3, 2, 6)))
    call, result = "decoder.step(token, (h, c), memory, mask)", decoder.step(token, (h, c), memory, mask)
    check.true(call, len(result) == 3, f"it returns {len(result)} things, expected logits, state, weights.")
    logits, (new_h, new_c), weights = result
    times = len(attention.asked)
    check.true(call, times == 1, f"attention was called {times} times; call it once a step.")
    wrong = {
        "attention got the new h; it comes first, with the previous one.": (new_h[0].tolist(), ..., ...),
        "attention got c; the query is h.": (c[0].tolist(), ..., ...),
    }
    note = "Call it as attention(h, memory, mask), with the previous h as (B, hidden)."
    want = h[0], memory, mask
    check.values("what attention received", attention.asked[0], want, known_wrong=wrong, note=note)
    want, note = mask.double() / mask.sum(dim=-1, keepdim=True), "Return attention's weights as they are."
    check.values(f"weights of {call}", weights, want, axes=("text", "key"), note=note)
    check.shape(f"logits of {call}", logits, (3, 7), axes=("text", "token id"))
    check.shape(f"new h of {call}", new_h, (1, 3, 2), axes=("layer", "text", "feature"))
    check.shape(f"new c of {call}", new_c, (1, 3, 2), axes=("layer", "text", "feature"))
    sums = torch.stack([logits.sum(dim=-1), logits.exp().sum(dim=-1)])
    plain = bool(((sums - 1).abs() > 1e-6).any(dim=-1).all())
    check.true(call, plain, "the logits are normalised already; return plain scores, without softmax.")
    probe.formulas(decoder, (7, 3, 2, 6), token, h, c, memory, mask)
    check.source("AttentionDecoder", forbid=("manual_seed", "byhand.recurrent."))
    ### BEGIN HIDDEN TESTS
    probe.decoder(AttentionDecoder, check.generator())
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6 · `sequence_loss` — 2 points, difficulty 2/3, importance 3/3, about 7 minutes
#
# How surprised is the model by the right tokens? For each, minus the natural logarithm of its probability; then the mean over **all real tokens of the batch**:
#
# $$L = -\frac{1}{N}\sum_{b,t:\ y_{bt} \ne \text{pad}} \log \text{softmax}(\text{logits}_{bt})_{y_{bt}}$$
#
# 1. $N$ counts real tokens. Padding neither adds nor dilutes.
# 2. If all is padding, the loss is 0, with gradients of 0.
# 3. Logits reach ±10,000. No ready-made cross entropy or NLL loss.
# 4. If targets do not fit the logits' `(B, T)`, raise an error.
#
# **Predict first:** the model knows nothing, `V` = 14. Which loss?
#
# <details><summary>Answer</summary>log 14 = 2.64. Look for it where your loss curve starts.</details>
# <details><summary>Hint 1 · idea</summary>Logarithms of probabilities first, then pick the one of each target.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>log_softmax</code> over V; <code>gather</code> along the last axis picks; then a masked sum over a count.</details>
# <details><summary>Hint 3 · nearly there</summary><code>gather</code> wants an index with as many axes, so <code>targets[..., None]</code>; and it never complains about too few rows. <code>clamp(min=1)</code> keeps the count off 0.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "sequence_loss", "locked": false, "solution": true, "task": false}
def sequence_loss(logits, targets, pad_id=0):
    """Mean cross entropy over all real tokens of the batch, natural logarithm.

    logits: (B, T, V) floats. targets: (B, T) ids; pad_id marks padding.
    Returns: a 0-d tensor, logits' dtype; 0 if all is padding.
    Raises: an error if targets is not (B, T).
    """
    ### BEGIN SOLUTION
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum() / real.sum().clamp(min=1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_sequence_loss", "locked": true, "points": 2, "solution": false, "task": false}
import math

import torch

from byhand.probes import slow

with check.exercise("sequence_loss"):
    counts = [[[2.0, 1.0, 1.0], [1.0, 2.0, 1.0]], [[4.0, 3.0, 1.0], [2.0, 1.0, 1.0]]]  # shares of each token
    logits, targets = torch.tensor(counts).log(), torch.tensor([[1, 1], [2, 0]])  # 1/4, 1/2, 1/8; padding
    wrong = {
        "padding counts among the tokens; divide by the 3 real ones.": 1.5 * math.log(2),
        "padding was treated as a token to predict.": 1.75 * math.log(2),
        "each text got its own mean; take one mean over all real tokens.": 2.25 * math.log(2),
        "(B, T, 1) times (B, T) is (B, T, T); drop the last axis of what gather gives.": 4 * math.log(2),
        "this is the sum; divide by the number of real tokens.": 6 * math.log(2),
        "this is divided by the number of texts; divide by that of real tokens.": 3 * math.log(2),
        "this is the logarithm to base 2; use the natural one.": 2.0,
        "the minus sign is missing.": -2 * math.log(2),
        "the logits were used as they are; take log_softmax first.": -1 / 3 * math.log(2),
    }
    got, want = sequence_loss(logits, targets), torch.tensor(2 * math.log(2))
    check.values("sequence_loss(logits, targets)", got, want, known_wrong=wrong)
    call = "sequence_loss(logits, targets[:1])"
    check.raises(call, lambda: sequence_loss(logits, targets[:1]), error=Exception)
    check.source("sequence_loss", check.ready.ENTROPY, allow_text="log_softmax, logsumexp, gather, sums.")
    got, note = sequence_loss(logits, 0 * targets), "All is padding: the loss is 0."
    check.values("sequence_loss(logits, 0 * targets)", got, torch.tensor(0.0), note=note)
    got, want = sequence_loss(1e4 * logits, targets), slow.sequence_loss(1e4 * logits, targets, 0)
    note = "A probability may round to 0, and its logarithm to -inf: use log_softmax."
    check.values("sequence_loss(1e4 * logits, targets)", got, want, note=note)
    ### BEGIN HIDDEN TESTS
    rng = check.generator()
    for B, T, V, pad_id in [(1, 1, 1, 5), (3, 4, 5, 0), (4, 4, 4, 2), (2, 7, 3, 0), (5, 1, 6, 5)]:
        for dtype, size in [(torch.float64, 2), (torch.float32, 2), (torch.float64, 1e4)]:
            logits = (size * torch.randn(B, T, V, generator=rng, dtype=torch.float64)).to(dtype)
            targets = torch.randint(V, (B, T), generator=rng)
            call = f"sequence_loss(logits ({B}, {T}, {V}), targets, pad_id={pad_id}), {dtype}, about {size:g}"
            want = slow.sequence_loss(logits, targets, pad_id)
            check.values(call, sequence_loss(logits, targets, pad_id=pad_id), want)
    logits, targets = torch.randn(2, 3, 4, generator=rng).double(), torch.tensor([[1, 2, 0], [3, 0, 0]])
    check.kept("sequence_loss(logits, targets)", sequence_loss, logits, targets)
    got = sequence_loss(torch.cat([logits, logits], dim=1), torch.cat([targets, 0 * targets], dim=1))
    want, note = slow.sequence_loss(logits, targets, 0), "Padding must not dilute."
    check.values("sequence_loss with more padding", got, want, note=note)
    sure = torch.tensor([[[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]]])
    call, got = "sequence_loss(sure, torch.tensor([[1, 1]]))", sequence_loss(sure, torch.tensor([[1, 1]]))
    check.values(call, got, torch.tensor(1e4), note="sure is [[[1e4, -1e4, 0], [-1e4, 1e4, 0]]].")
    check.gradient("sequence_loss(logits, targets)", sequence_loss, (logits, targets))
    call, zero = "sequence_loss(logits, torch.zeros(2, 3, dtype=torch.long))", torch.zeros(2, 3, 4).double()
    for given in (logits, 1e4 * logits):
        loss, (grad, _) = check.backward(sequence_loss, (given, 0 * targets))
        check.values(call, loss, torch.tensor(0.0).double(), note="All is padding: the loss is 0.")
        check.true(call, grad is not None, "it has no gradient; it must be 0, so that training can go on.")
        check.values(f"the gradient of {call}", grad, zero, note="All is padding: gradients are 0.")
    for shape in [(2, 2), (2, 4), (1, 3), (2, 1), (3,), (3, 3), (6,), (2, 3, 1)]:
        given = torch.zeros(2, 3, 4), torch.ones(shape, dtype=torch.long)
        shown = f"sequence_loss(torch.zeros(2, 3, 4), torch.ones({shape}, dtype=torch.long))"
        check.raises(shown, lambda given=given: sequence_loss(*given), error=Exception)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 7 · `greedy_decode` — 3 points, difficulty 2/3, importance 3/3, about 18 minutes
#
# Nobody knows the right answer now. Start with `bos_id`, ask for logits, take the likeliest token, feed it back, until the end symbol comes. A whole batch at once:
#
# 1. `encoder(src, lengths)` once, then `decoder.step(token, state, memory, mask)` for at most `max_len` steps. The mask is `(B, S)`, made from `lengths`.
# 2. Texts end at different steps. Cut each row before its **first** `eos_id`; what comes later is not part of it.
# 3. Return plain Python ints. Build no graph, and leave the modules in the mode (train or eval) they were in.
#
# **Predict first:** one text ends at step 2, another at step 9. How many steps?
#
# <details><summary>Answer</summary>9 are enough; going on to <code>max_len</code> gives the same result, only later. The first row's tokens after step 2 are thrown away.</details>
# <details><summary>Hint 1 · idea</summary>Collect one column of tokens a step; cut the rows at the end.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Under <code>torch.no_grad()</code>: encode, mask, a loop of two lines, stack to <code>(B, steps)</code>, cut.</details>
# <details><summary>Hint 3 · nearly there</summary><code>torch.arange(S) &lt; lengths[:, None]</code> is the mask; <code>.tolist()</code> makes ints; <code>row.index(eos_id)</code> finds the first one. A row without one says <code>ValueError: 2 is not in list</code>, so ask <code>eos_id in row</code> before.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "greedy_decode", "locked": false, "solution": true, "task": false}
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    """The likeliest token, step by step.

    src: (B, S) ids, lengths: (B,). At most max_len ids a text, counted from 1.
    Returns: a list of B lists of Python ints, each cut before its first eos_id.
    """
    ### BEGIN SOLUTION
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_greedy_decode", "locked": true, "points": 3, "solution": false, "task": false}
import torch

from byhand.probes import known, rnn as probe


class KnownDecoder(known.Decoder):
    """Writes scripts[first token of the text], symbol by symbol; notes what it is asked."""

    def step(self, token, state, memory, mask):
        return self.write(token, state, memory, mask)


with check.exercise("greedy_decode"):
    encoder = known.Encoder()
    decoder = KnownDecoder({4: [7, 8, 2], 5: [9, 2, 6, 2], 6: [10, 11, 10, 11, 10, 11]})
    src, lengths = torch.tensor([[4, 3, 3], [5, 3, 3], [6, 3, 0]]), torch.tensor([3, 2, 1])  # padding: any id
    wrong = {
        "bos_id belongs to no result.": [[1, 7, 8], [1, 9], [1, 10, 11, 10, 11]],
        "the end symbol is not part of the result.": [[7, 8, 2], [9, 2], [10, 11, 10, 11]],
        "a row goes on after its first end symbol; cut it there.": [[7, 8], [9, 6], [10, 11, 10, 11]],
        "a row was cut at its last end symbol; cut at the first.": [[7, 8, 2], [9, 2, 6], [10, 11, 10, 11]],
        "one step is missing: at most max_len = 4 ids.": [[7, 8], [9], [10, 11, 10]],
        "one step too many: at most max_len = 4 ids.": [[7, 8], [9], [10, 11, 10, 11, 10]],
        "all rows stopped with the first that ended.": [[7, 8], [9], [10, 11]],
        "hand the new state on to the next step.": [[7] * 4, [9] * 4, [10] * 4],
        "the steps became the rows; stack them along axis 1.": [[7, 9, 10], [8], [], []],
    }
    call, want = "greedy_decode(encoder, decoder, src, lengths, 1, 2, 4)", [[7, 8], [9], [10, 11, 10, 11]]
    got = greedy_decode(encoder, decoder, src, lengths, 1, 2, 4)
    check.values(call, got, want, known_wrong=wrong, note="bos_id is 1, eos_id is 2, max_len is 4.")
    modes = encoder.training, decoder.training
    check.values("(encoder.training, decoder.training) afterwards", modes, (True, True), note="As before.")
    times, seen = len(encoder.seen), decoder.seen
    check.true(call, times == 1, f"the encoder was called {times} times, expected once.")
    check.values("the tokens of step 1", seen[0][0], torch.tensor([1, 1, 1]), note="Start with bos_id.")
    check.values("the tokens of step 2", seen[1][0], torch.tensor([7, 9, 10]), note="Feed back the last one.")
    mask = torch.tensor([[True, True, True], [True, True, False], [True, False, False]])
    note = "Made from lengths; True means a real token."
    check.values("the mask of step 1", seen[0][2], mask, axes=("text", "position"), note=note)
    check.source("greedy_decode", forbid=("recurrent.greedy_decode", "recurrent.look"))
    ### BEGIN HIDDEN TESTS
    probe.decoding(greedy_decode, KnownDecoder, check.rng())
    ### END HIDDEN TESTS

# %% [markdown]
# ## Training
#
# While training, the decoder is fed the **right** tokens, not its own: one mistake must not spoil the rest of the answer. That is *teacher forcing*. The input of each step is the target of the step before; the first one is the begin symbol.


# %%
def teacher_forced(encoder, decoder, batch):
    """Logits (B, T, V) for every target token, given the right tokens before it."""
    src, lengths, target = batch
    read, state = encoder(src, lengths)
    may_attend, steps = recurrent.real_tokens(lengths, src.shape[1]), []
    fed = torch.cat([torch.full_like(target[:, :1], generated.BOS), target[:, :-1]], dim=1)  # moved by one
    for right_token in fed.T:
        scores, state, _ = decoder.step(right_token, state, read, may_attend)
        steps.append(scores)
    return torch.stack(steps, dim=1)


# %% [markdown]
# ### Exercise 8 · `train_dates` — 4 points, difficulty 2/3, importance 3/3, about 13 minutes
#
# **Train a translator of dates.** At least 98 % of dates it never saw must come out exactly. On a usual laptop that takes a minute or two; the bar says how long.
#
# 1. Encoder and decoder are given. If a class of yours does not work yet, take it from `recurrent`, which has all three.
# 2. `train.fit(model, loss, batches, steps, rate=rate)` runs the loop. `model` is one `nn.Module` (not a list) that holds both parts; `batches` and `loss` are functions: `batches(step)` gives a batch, `loss(batch)` a number to make smaller.
# 3. `train.fit` writes `weights.safetensors` beside the notebook. **Hand that file in**: grading does not train, it loads. Return encoder and decoder.
#
# **Predict first:** interrupt the training (■) and run the cell again. What do you see?
#
# <details><summary>Answer</summary>The curve goes on where it stopped. To start anew: <code>train.forget()</code>.</details>
# <details><summary>Hint 1 · idea</summary><code>nn.ModuleList</code> makes one module of several. The loss compares what is written with the target, <code>batch[2]</code>.</details>
# <details><summary>Hint 2 · shape of the answer</summary>An inner function of one line, one call of <code>fit</code>, one return.</details>
# <details><summary>Hint 3 · nearly there</summary>In the loss, <code>teacher_forced</code> comes first, then <code>sequence_loss</code>. A batch of 64 dates for each step: <code>generated.DATES.batch(64, seed=step)</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "train_dates", "locked": false, "solution": true, "task": false}
def train_dates():
    """Train a translator of dates; its weights go to weights.safetensors. Returns: encoder, decoder."""
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    ### BEGIN SOLUTION
    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder
    ### END SOLUTION


# %%
date_encoder, date_decoder = train_dates()

# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_train_dates", "locked": true, "points": 4, "solution": false, "task": false}
from byhand import check
from byhand.probes import dates as probe

with check.exercise("train_dates", needs=("AdditiveAttention", "Encoder", "AttentionDecoder")):
    probe.trained(train_dates, lambda: train.read("weights.safetensors"), "test", 200)
    ### BEGIN HIDDEN TESTS
    probe.trained(train_dates, lambda: train.read("weights.safetensors"), "exam", 500, strict=True)
    ### END HIDDEN TESTS

# %% [markdown]
# Your translator at work, and where it looks: the promise of the first picture, kept.
#
# **Questions:** which letters of *July* does it read? Where does it look for the hyphens, which stand nowhere?
#
# <details><summary>Answer</summary>Look at the row of the <code>7</code>. Often one or two letters are enough: memory at a letter has read the whole word. Hyphens are spread over several keys: the decoder's own state knows that a hyphen comes next.</details>


# %%
text = "Sunday, 22 July 2040"
symbols, looked = recurrent.look(generated.DATES, date_encoder, date_decoder, text)
plot.alignment(
    looked,
    ["␣" if letter == " " else letter for letter in text],
    symbols,
    caption="A trained translator of dates. Each row is one symbol written; the year is read first, the day last.",
)

# %% [markdown]
# ## Experiment: how much fits into a state of fixed size?
#
# Now numbers in words, up to eight digits, become Chinese numerals. Two translators, the same but for one layer:
#
# - **with attention**: yours;
# - **without**: `recurrent.NoAttention` gives zeros as context. All the decoder knows of the text is the encoder's last state, `h` and `c` of 24 numbers each, however long the text.
#
# The state is small on purpose: its limit shows within minutes. Without attention a step is cheaper, so it gets more than twice as many. **Predict first:** at which length does it fail? Each training takes a minute or two on a usual laptop; the bar says how long.


# %%
def number_translator(attention, steps, file):
    reader = Encoder(len(generated.NUMBERS.source), 32, 24)
    writer = AttentionDecoder(len(generated.NUMBERS.target), 32, 24, 48, attention)
    recurrent.train_on_numbers(reader, writer, steps, file)
    return reader, writer


with_attention = number_translator(AdditiveAttention(24, 48, 64), 700, "with_attention.safetensors")

# %% [markdown]
# **Question:** the next curve falls, too, with more than twice as many steps. Where does each of them end?
#
# <details><summary>Answer</summary>Compare the last numbers under the two curves: the second ends clearly higher, although it had more steps.</details>

# %%
without_attention = number_translator(recurrent.NoAttention(), 1800, "without_attention.safetensors")

# %% [markdown]
# Both now get numbers they never saw, each once, sorted by their length in words. Short ones are few: there one mistake moves a line.
# **Questions:** how far do both lines run together? What would a state twice as large change, and what would it not? Is it for lack of room, or of training?
#
# <details><summary>Answer</summary>Hardly: at two words. Short numbers are rare in training, so both dip at three, but without attention deeper. From eight words on that line falls to nearly 0, while the other stays above 0.9. A larger state holds longer numbers, but it is as large for every length: the fall comes later. To tell room from training, train more: with 3,600 steps the middle of the line rises, its end hardly; with a state of 64 numbers and 1,800 steps the end rises, too.</details>

# %%
both, scores = {"with attention": with_attention, "without attention": without_attention}, {}
pairs = sorted(set(generated.numbers(4000, seed=0, split="test", most=99_999_999, kinds=("whole",))))
source, lengths = generated.NUMBERS.encode([text for text, _ in pairs])
for name, (encoder, decoder) in both.items():
    rows = greedy_decode(encoder, decoder, source, lengths, generated.BOS, generated.EOS, 20)
    written = [generated.NUMBERS.target.text(row) for row in rows]
    right = torch.tensor([one == answer for one, (_, answer) in zip(written, pairs, strict=True)])
    scores[name] = [right[lengths == n].float().mean().item() for n in range(2, 15)]
print("numbers of 2 to 14 words:", [int((lengths == n).sum()) for n in range(2, 15)])
ax = plot.lines(
    range(2, 15),
    scores,
    xlabel="length of the number (words)",
    ylabel="share exactly right",
    caption="What to see: through a state of fixed size long numbers get lost; with attention they do not.",
)
_ = ax.set_ylim(0, 1.02)

# %% [markdown]
# ### Where order is turned round
#
# English says *four thirtieths*, Chinese 三十分之四: of thirty parts four. And Chinese counts in ten thousands: *twelve thousand* is 一万二千, one ten-thousand two thousand.
#
# **Questions:** which rows of the first picture jump back? In the second, which symbols look at *twelve*?
#
# <details><summary>Answer</summary>Chinese needs <em>thirtieths</em> for 三十分之, then jumps back to <em>four</em> for 四. In the second picture 一 and 二 look at <em>twelve</em>, on both sides of 万: one word, taken apart. Your model may look a little elsewhere.</details>

# %%
for words in ("ninety-one and four thirtieths", "twelve thousand three hundred and five"):
    symbols, looked = recurrent.look(generated.NUMBERS, *with_attention, words)
    plot.alignment(
        looked,
        generated.words(words),
        symbols,
        caption=f"{words}, as {''.join(symbols[:-1])}. Yellow: the word looked at while a symbol is written.",
    )

# %% [markdown]
# **Try:** other numbers, such as *forty-five percent*. Or swap `AdditiveAttention(24, 48, 64)` for your `BilinearAttention(24, 48)`, with another file name, and compare curves and pictures.
#
# ## Where this is used
#
# - **Translation.** In 2016 Google's translator moved to LSTMs with attention; since 2017 Transformers (lesson 07) have replaced the LSTMs and kept the attention between decoder and encoder.
# - **Speech recognition.** *Listen, attend and spell* writes letters while looking back at sound.
# - **Images.** *Show, attend and tell* writes a caption while looking at parts of a picture.
# - **Summaries and answers**: the decoder looks back at the text, and may copy from it.
#
# **One honest limit:** a weight is not a reason. Memory at a position has read the whole text in both directions, so a look at the comma can fetch the year.
#
# ## Limits
#
# - An LSTM reads one step after the other: a GPU waits. Lesson 03 reads all positions at once.
# - Each step scores every key: a text of 1,000 tokens, rewritten, takes a million scores.
# - Greedy decoding never takes a step back. Lesson 07 keeps several candidates.
# - Generated data is tidy. Real dates have typing errors, and the model has never seen one.
#
# ## Summary
#
# 1. The encoder leaves a vector for each token; the decoder's state is a query, and the context is what it reads.
# 2. Padding must not count: not in the softmax, not in the loss, not in the encoder.
# 3. Through a state of fixed size, long inputs get lost. Attention has no such limit, and it learns where to look from the loss alone.

# %% [markdown]
# ## Questions and answers
#
# **Who tells the model where to look?** Nobody. No weight has a target; the loss of the right symbol reaches the scores through softmax and the sum, because every step of it has a gradient.
#
# **Why the previous state as query, not the new one?** The new state is computed *from* the context (Bahdanau). Luong did it the other way round: state first, then attention. Both work.
#
# **Why one mask for softmax and another for the loss?** One hides padded *keys* from attention, the other padded *targets* from the mean.
#
# **My training gave 97 %.** Train 200 steps more: raise `steps` and run the cell again; it goes on from where it was.
#
# **Training crawls: less than a step a second.** Other programs use your cores, and torch's threads wait for each other. Interrupt, run `torch.set_num_threads(1)`, then the cell again.
#
# **The loss became nan.** `train.fit` stops and keeps the weights from before. Usual causes: a rate that is too high, or a softmax over a row in which all is blocked.
#
# ## Further reading
#
# - Sutskever, Vinyals, Le 2014, *Sequence to sequence learning with neural networks* (arXiv:1409.3215): the fixed vector.
# - Cho et al. 2014, *On the properties of neural machine translation* (arXiv:1409.1259): it fails on long sentences.
# - Bahdanau, Cho, Bengio 2015 (arXiv:1409.0473): this lesson's model; figure 3 has the famous alignments.
# - Luong, Pham, Manning 2015 (arXiv:1508.04025): the bilinear score, and looking at only a window.
# - Chan et al. 2016, *Listen, attend and spell* (arXiv:1508.01211); Xu et al. 2015, *Show, attend and tell* (arXiv:1502.03044).
