# %% [markdown]
# # 01 · Scoring: which inputs matter?
#
# **Goal.** Write attention for one query: a softmax, six ways to score, a weighted sum. Then repair three published
# mistakes.
#
# **Why.** To translate a word or finish a sentence, a model must look at *some* of its input now and at other parts
# later. Attention decides where. All later lessons are built from what you write here.
#
# You need Python and the matrix product. About 70 minutes, in as many evenings as you like: on the next one, click
# where you stopped and choose *Run › Run All Above Selected Cell*.

# %%
import numpy as np

from byhand import blocks, check, plot

# %% [markdown]
# ## The idea: ask, compare, mix
# The **query** is what we look for right now. Every input has a **key**, by which it is found, and a **value**, what
# it has to say. Attention gives every key a **score** against the query, turns scores into **weights** that add up
# to 1, and returns the **weighted sum of the values**. Below, animals and fruits lie on a small map.
#
# **Try:** drag the query towards *pear*. Then lower the temperature. What happens to the weights?

# %%
names = ["cat", "dog", "apple", "pear"]
animals_and_fruits = np.array([[1.0, 0.3], [0.8, 0.7], [-0.6, 0.8], [-1.0, 0.4]])  # keys (S, D) = (4, 2)
plot.explore(animals_and_fruits, labels=names, score="dot", temperature=0.5)

# %% [markdown]
# ### Before you start
# Shapes: `query (D_q,)`, `keys (S, D_k)`, `values (S, D_v)`, a row for each of `S` inputs. Float32 in, float32 out.
# **Sizes that do not fit must raise an error.** `*`, `+`, `-` and `einsum` stretch a size of 1 in silence; `@` refuses.
#
# In an exercise, replace the `raise` line by your code, run the cell, run the check below it. Checks are folded: **···** shows what they try.

# %%
print("query (2,) times keys (3, 1):", (np.array([10.0, 20.0]) * np.array([[1.0], [2.0], [3.0]])).tolist())
x = np.array([[1.0, 5.0], [2.0, 8.0]])
print("row means:", x.mean(axis=-1), "kept as a column:", x.mean(axis=-1, keepdims=True).tolist())

# %% [markdown]
# ### Exercise 1 · `softmax` — 3 points, difficulty 2/3, importance 3/3, about 9 minutes
# Scores are any numbers. Weights are shares: never negative, together 1, more for a higher score.
# $$a_i = \frac{e^{s_i/\tau}}{\sum_j e^{s_j/\tau}} \qquad (\tau\text{: the temperature})$$
# 1. Scores reach ±10,000, but $e^{10000}$ is infinite. So **subtract the largest score along `axis` first**, then
#    divide by $\tau$. It changes no weight.
# 2. A score of `-inf` means "may not look": weight 0. If all along the axis are `-inf`, all weights are 0.
# 3. `scores` itself stays unchanged. No ready-made softmax (scipy, torch, blocks).
#
# **Predict first:** what is `softmax` of `[7, 7, 7, 7]`?
# <details><summary>Answer</summary>Four times 0.25: only differences between scores count.</details>
# <details><summary>Hint 1 · idea</summary>Make every score positive with <code>np.exp</code>, then divide by the sum. The subtraction comes before both.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Four lines: largest score, exponentials, their sum, division. Largest and sum both need <code>axis=axis, keepdims=True</code>.</details>
# <details><summary>Hint 3 · nearly there</summary>Left over: the row of <code>-inf</code>. Its largest is <code>-inf</code>; let <code>np.where</code> put 0 there. Then its sum is 0; put 1 there.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "softmax", "locked": false, "solution": true, "task": false}
def softmax(scores, axis=-1, temperature=1.0):
    """Turn scores into weights that add up to 1 along `axis`.

    scores: floats of any shape, finite or -inf. temperature: above 0; small means one winner.
    Returns: weights, shape and dtype of scores; zeros where all scores along the axis are -inf.
    Raises: ValueError if temperature is not above 0.
    Example: scores 0 and log 3 -> weights 0.25 and 0.75.
    """
    if not temperature > 0:  # given; "not >" and not "<=", because it catches NaN, too
        raise ValueError(f"temperature must be above 0, got {temperature}")
    ### BEGIN SOLUTION
    largest = scores.max(axis=axis, keepdims=True)
    exps = np.exp((scores - np.where(largest == -np.inf, 0, largest)) / temperature)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_softmax", "locked": true, "points": 3, "solution": false, "task": false}
with check.exercise("softmax"):
    check.source("softmax", check.ready.SOFTMAX, allow_text="np.exp, max and sum.")
    wrong = {
        "each score was divided by the sum; take the exponential of every score first.": [0.0, 1.0],
        "these are the exponentials; divide them by their sum.": [1.0, 3.0],
        "these are exponentials after the subtraction; divide by the sum of the exponentials.": [1 / 3, 1.0],
        "the sign of the scores was turned round: the higher score must get more.": [0.75, 0.25],
        "this is 2 to the power of the scores; the formula has e, np.exp.": [0.31831, 0.68169],
        "the temperature was not used.": [0.25, 0.75],
        "scores were multiplied by the temperature; divide.": [0.366025, 0.633975],
        "the weights were divided by the temperature; divide the scores.": [0.5, 1.5],
        "axis was not used: axis=0 means that each column adds up to 1.": [[0.5, 0.5], [0.75, 0.25]],
        "the whole array adds up to 1; take the sum along axis only.": [[1 / 6, 1 / 6], [0.5, 1 / 6]],
        "e to the power 10000 is infinite; subtract the largest score first.": [np.nan, np.nan, 0.0],
        "-inf minus -inf is not a number; a row of -inf needs its own care.": [[np.nan] * 2, [0.25, 0.75]],
        "a row of -inf shares nothing out; nobody may look, so all are 0.": [[0.5, 0.5], [0.25, 0.75]],
        "the largest and the sum do not line up with the rows; use keepdims=True.": [[0, 0], [1, 0.5]],
        "the sum does not line up with the rows; use keepdims=True.": [[0, 0], [1 / 3, 0.75]],
        "use keepdims=True for the largest and the sum; then care for a row of -inf.": [[np.nan, 0]] * 2,
    }
    scores, rules = np.array([0.0, np.log(3.0)]), {"axes": ("key",), "known_wrong": wrong}  # their exps: 1, 3
    check.values("softmax(scores)", softmax(scores), np.array([0.25, 0.75]), **rules)
    got = softmax(scores, temperature=0.5)
    check.values("softmax(scores, temperature=0.5)", got, np.array([0.1, 0.9]), **rules)
    table, want = np.array([[0.0, 0.0], [np.log(3.0), 0.0]]), np.array([[0.25, 0.5], [0.75, 0.5]])
    rules["axes"] = ("row", "column")
    check.values("softmax(table, axis=0)", softmax(table, axis=0), want, **rules)
    large = np.array([1e4, 1e4, -np.inf])
    check.values("softmax(large)", softmax(large), np.array([0.5, 0.5, 0.0]), known_wrong=wrong)
    blocked, want = np.array([[-np.inf, -np.inf], [0.0, np.log(3.0)]]), np.array([[0.0, 0.0], [0.25, 0.75]])
    check.values("softmax(blocked)", softmax(blocked), want, **rules)
    ### BEGIN HIDDEN TESTS
    cases, slow = [], lambda scores, axis, temperature: blocks.softmax(scores / temperature, axis)
    for shape in [(1,), (5,), (3, 4), (2, 1, 3, 2)]:
        for axis in range(-len(shape), len(shape)):
            scores = np.where(check.rng().random(shape) < 0.3, -np.inf, 3 * check.normal(*shape))
            cases.append((scores, axis, (0.3, 1.0, 4.0)[axis % 3]))
    check.agrees("softmax(scores, axis, temperature)", softmax, slow, cases, every=False, note="Mind -inf.")
    note = "Subtract the largest score before you divide: in float16, 1e4 / 0.01 is infinite."
    for step, kind in {0.5: "f8", 2.0**-7: "f8", 5e3: "f8", 0.25: "f4", 8.0: "f2"}.items():
        dtype, want = np.dtype(kind).type, np.array([0.7310585786300049, 0.2689414213699951], kind)
        for numbers in ([1e4, 1e4 - step], [step - 1e4, -1e4]):
            got = softmax(dtype(numbers), temperature=step)
            check.values(f"softmax(np.{want.dtype}({numbers}), temperature={step})", got, want)
        got, want = softmax(dtype([1e4, 1e4, 9.9e3]), temperature=0.01), dtype([0.5, 0.5, 0.0])
        check.values(f"softmax(np.{want.dtype}([1e4, 1e4, 9.9e3]), temperature=0.01)", got, want, note=note)
    call, note = "softmax(np.array([[1e4, 1e4], [-1e4, -np.inf]]))", "Every row has its own largest score."
    got = softmax(np.array([[1e4, 1e4], [-1e4, -np.inf]]))
    check.values(call, got, np.array([[0.5, 0.5], [1.0, 0.0]]), note=note)
    for t, said in [(0.0, ("0", "0.0", "0.00")), (-2.0, ("-2", "-2.0", "-2.00")), (float("nan"), ("nan",))]:
        call, bad = f"softmax(np.zeros(2), temperature={t})", lambda t=t: softmax(np.zeros(2), temperature=t)
        check.raises(call, bad, mentions=("temperature", said))
    ### END HIDDEN TESTS

# %% [markdown]
# One set of scores, three temperatures. **Question:** the order of the keys never changes. What does? What would
# temperature 100 show?
# <details><summary>Answer</summary>How much the best key leads. At 100 all four get nearly 0.25.</details>

# %%
some_scores = np.array([2.0, 1.5, -0.5, -1.0])
shares = {f"temperature {t}": softmax(some_scores, temperature=t) for t in (0.5, 1.0, 3.0)}
ax = plot.bars(shares, names, ylabel="weight", caption="What to see: heat makes all shares alike.")

# %% [markdown]
# ### Exercise 2 · `dot_score` — 1 point, difficulty 1/3, importance 3/3, about 4 minutes
# The simplest score asks: do query and key point the same way? Multiply feature by feature, add up.
# $$s_j = q \cdot k_j = \sum_d q_d\, k_{jd}$$
# If the sizes differ, raise a `ValueError` that names `query` or `keys` and both sizes; `@` would name neither.
#
# **Predict first:** a key gets twice as long. What happens to its score?
# <details><summary>Answer</summary>It doubles, so a long key beats a short one that fits better.</details>
# <details><summary>Hint 1 · idea</summary>One dot product for each row of keys is one matrix product.</details>
# <details><summary>Hint 2 · shape of the answer</summary>An <code>if</code> with a <code>raise</code>, as in softmax, then one line.</details>
# <details><summary>Hint 3 · nearly there</summary><code>(S, D) @ (D,)</code> is <code>(S,)</code>. The size to compare is <code>shape[-1]</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "dot_score", "locked": false, "solution": true, "task": false}
def dot_score(query, keys):
    """Score each key by its dot product with the query.

    query: (D,), keys: (S, D). Returns: (S,).
    Raises: ValueError if the sizes D differ; the message names an argument and both sizes.
    Source: Luong et al. 2015, section 3.1, "dot".
    """
    ### BEGIN SOLUTION
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query has size {query.shape[-1]}, keys have size {keys.shape[-1]}")
    return keys @ query  # (S,)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_dot_score", "locked": true, "points": 1, "solution": false, "task": false}
with check.exercise("dot_score"):
    query, keys = np.array([1.0, 2.0]), np.array([[3.0, 4.0], [5.0, 6.0], [0.0, -1.0]])
    wrong = {
        "a negative score is fine; do not take the absolute value.": [11.0, 17.0, 2.0],
        "these are means over the features; the dot product is a sum.": [5.5, 8.5, -1.0],
        "divided by the square root of the size; that is Exercise 4.": [7.778175, 12.020815, -1.414214],
        "divided by both lengths; that is Exercise 3.": [0.98387, 0.973417, -0.894427],
        "these are weights; a score is the plain number before softmax.": [0.002473, 0.997527, 0.0],
    }
    got, want, said = dot_score(query, keys), np.array([11.0, 17.0, -2.0]), [("query", "key")]
    check.values("dot_score(query, keys)", got, want, axes=("key",), known_wrong=wrong)
    check.refuses("dot_score", dot_score, [("21", (2,), (3, 1))], mentions=said)
    ### BEGIN HIDDEN TESTS
    slow = lambda query, keys: [np.vdot(query, key) for key in keys]
    cases = [((D,), (S, D)) for S, D in [(1, 1), (4, 4), (1, 6), (7, 1), (5, 64)]]
    check.agrees("dot_score(query, keys)", dot_score, slow, cases, every=False, axes=("key",))
    cases = [("74", (7,), (3, 4)), ("14", (1,), (3, 4)), ("41", (4,), (3, 1)), ("48", (4,), (3, 8))]
    check.refuses("dot_score", dot_score, cases, mentions=said)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 3 · `cosine_score` — 2 points, difficulty 2/3, importance 2/3, about 6 minutes
# If long texts have long vectors, they win the dot products. Divide by both lengths and only the **direction**
# counts: 1 the same, 0 unrelated, −1 opposite.
# $$s_j = \frac{q \cdot k_j}{\max(\lVert q\rVert\,\lVert k_j\rVert,\ \varepsilon)}$$
# The floor $\varepsilon$ keeps zeros from giving 0/0. It is a floor for the **product** of the lengths, not added. No
# ready-made cosine.
#
# **Predict first:** the key is −3 times the query. Which score?
# <details><summary>Answer</summary>−1: the opposite direction, and the factor 3 cancels.</details>
# <details><summary>Hint 1 · idea</summary>The dot products above the line, one positive number for each key below.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>np.linalg.norm</code> gives lengths: one for the query, <code>(S,)</code> for the keys if you name the axis.</details>
# <details><summary>Hint 3 · nearly there</summary><code>np.maximum</code> compares entry by entry; <code>np.max</code> would leave only one number.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "cosine_score", "locked": false, "solution": true, "task": false}
def cosine_score(query, keys, eps=1e-8):
    """Score each key by the cosine of its angle with the query.

    query: (D,), keys: (S, D). eps: the least product of both lengths to divide by.
    Returns: (S,), from -1 to 1. Raises: an error if the sizes D differ.
    Example: query (3, 4), key (8, 6) -> 48 / 50 = 0.96.
    """
    ### BEGIN SOLUTION
    lengths = np.linalg.norm(query) * np.linalg.norm(keys, axis=-1)  # (S,)
    return (keys @ query) / np.maximum(lengths, eps)  # (S,)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_cosine_score", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("cosine_score"):
    check.source("cosine_score", check.ready.COSINE, allow_text="@ and np.linalg.norm.")
    query, keys = np.array([3.0, 4.0]), np.array([[3.0, 4.0], [-6.0, -8.0], [8.0, 6.0], [0.0, 0.0]])
    wrong = {
        "these are dot products; divide by both lengths.": [25.0, -50.0, 48.0, 0.0],
        "divided by the keys' lengths only; the query has a length, too.": [5.0, -5.0, 4.8, 0.0],
        "divided by the query's length only; every key has its own.": [5.0, -10.0, 9.6, 0.0],
        "divided by squared lengths; take the square root.": [0.04, -0.02, 0.0192, 0.0],
        "all keys got one length together; give norm an axis.": [1 / 3, -2 / 3, 0.64, 0.0],
        "0 / 0 is not a number: the floor eps is missing.": [1.0, -1.0, 0.96, np.nan],
        "a cosine may be negative; do not take the absolute value.": [1.0, 1.0, 0.96, 0.0],
        "this is 1 minus the cosine, a distance.": [0.0, 2.0, 0.04, 1.0],
        "eps was added; it is a floor: the larger of the two counts.": [1 / 3],
        "eps is a floor for the product of both lengths, and 0.25 is below it.": [1.0],
    }
    got, want = cosine_score(query, keys), np.array([1.0, -1.0, 0.96, 0.0])
    check.values("cosine_score(query, keys)", got, want, axes=("key",), known_wrong=wrong)
    small, same = np.array([0.3, 0.4]), np.array([[0.3, 0.4]])  # the product of both lengths is 0.25
    got = cosine_score(small, same, eps=0.5)
    check.values("cosine_score(small, same, eps=0.5)", got, np.array([0.5]), axes=("key",), known_wrong=wrong)
    ### BEGIN HIDDEN TESTS
    long = lambda x: np.vdot(x, x) ** 0.5
    one = lambda query, key, eps: np.vdot(query, key) / max(long(query) * long(key), eps)
    slow = lambda query, keys, eps=1e-8: np.array([one(query, key, eps) for key in keys])
    sizes = [(1, 1, 1), (4, 4, 3), (6, 2, 1e-5), (3, 16, 1), (5, 3, 1)]
    cases = [(size * check.normal(D), size * check.normal(S, D)) for S, D, size in sizes]
    call, note = "cosine_score(query, keys)", "The floor is 1e-8 unless given."
    check.agrees(call, cosine_score, slow, cases, every=False, axes=("key",), note=note)
    query, keys, note = *cases[-1], "eps is a floor for each key's product of lengths."
    for eps in (0.5, 2.0, 10.0):
        got = cosine_score(query, keys, eps=eps)
        check.values(f"cosine_score(query, keys, eps={eps})", got, slow(query, keys, eps), note=note)
    got = cosine_score(np.array([0.003, 0.004]), np.array([[30.0, 40.0]]), eps=0.1)
    note = "The product of both lengths is 0.25, above the floor; neither length has a floor of its own."
    call = "cosine_score(np.array([0.003, 0.004]), np.array([[30.0, 40.0]]), eps=0.1)"
    check.values(call, got, np.array([1.0]), note=note)
    got, note = cosine_score(query, 1e-3 * keys), "It is the same as for keys."
    check.values("cosine_score(query, 1e-3 * keys)", got, slow(query, keys), note=note)
    check.values("cosine_score(np.zeros(3), keys)", cosine_score(np.zeros(3), keys), np.zeros(5))
    cases = [((4,), (3, 1)), ((1,), (3, 4)), ((2,), (3, 3))]
    check.refuses("cosine_score", cosine_score, cases, error=Exception)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 4 · `scaled_dot_score` — 2 points, difficulty 1/3, importance 3/3, about 4 minutes
# The more random products you add, the wider their sum spreads: with features of variance 1, a dot product has
# variance $D$. At $D = 512$, scores of ±23 are normal, and softmax gives one key everything. Dividing by $\sqrt D$
# brings the variance back to 1. Transformers use this score.
# $$s_j = \frac{q \cdot k_j}{\sqrt D}$$
# $D$ counts the features, not the keys. Float32 stays float32: `np.sqrt(4)` is a float64 and spreads.
#
# **Predict first:** why $\sqrt D$ and not $D$?
# <details><summary>Answer</summary>Dividing by c divides the variance by c². To undo D, c² must be D.</details>
# <details><summary>Hint 1 · idea</summary>The dot products, all divided by the same number.</details>
# <details><summary>Hint 2 · shape of the answer</summary>One line; D is the last entry of a shape.</details>
# <details><summary>Hint 3 · nearly there</summary>A plain Python float never widens an array, and <code>math.sqrt(4)</code> is one. So is <code>4 ** 0.5</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "scaled_dot_score", "locked": false, "solution": true, "task": false}
def scaled_dot_score(query, keys):
    """Score each key by its dot product with the query, over the square root of their size.

    query: (D,), keys: (S, D). Returns: (S,), variance about 1 if features have mean 0 and variance 1.
    Raises: an error if the sizes D differ.
    Source: Vaswani et al. 2017, section 3.2.1.
    """
    ### BEGIN SOLUTION
    return (keys @ query) / keys.shape[-1] ** 0.5  # (S,)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_scaled_dot_score", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("scaled_dot_score"):
    query, keys = np.float32([1, 2, 3, 4]), np.float32([[1, 1, 1, 1], [4, 0, 0, 0], [0, 0, 0, -2]])
    wrong = {
        "not scaled yet: divide by the square root of D = 4.": [10.0, 4.0, -8.0],
        "divided by D; divide by its square root.": [2.5, 1.0, -2.0],
        "divided by the root of 3, the number of keys; D = 4 counts features.": [5.7735, 2.3094, -4.6188],
        "multiplied by the square root of D; divide.": [20.0, 8.0, -16.0],
        "divided by both lengths; that is the cosine.": [0.912871, 0.182574, -0.730297],
    }
    got, want = scaled_dot_score(query, keys), np.float32([5, 2, -4])
    note = "If it is the dtype: np.sqrt of an int gives a float64; divide by a plain Python float."
    check.values("scaled_dot_score(query, keys)", got, want, axes=("key",), known_wrong=wrong, note=note)
    ### BEGIN HIDDEN TESTS
    slow = lambda query, keys: [np.vdot(query, key) / len(key) ** 0.5 for key in keys]
    cases = [((D,), (S, D)) for S, D in [(1, 1), (1, 3), (9, 2), (5, 5), (4, 99)]]
    check.agrees("scaled_dot_score(query, keys)", scaled_dot_score, slow, cases, every=False, axes=("key",))
    for D in (4, 64):
        spread = scaled_dot_score(np.ones(D), check.normal(500, D)).var()
        call = f"scaled_dot_score(np.ones({D}), np.random.normal(size=(500, {D}))).var()"
        check.true(call, 0.7 < spread < 1.35, f"the variance is {spread:.3g}, expected about 1 at any size.")
    cases = [((4,), (3, 1)), ((1,), (3, 4)), ((2,), (3, 3))]
    check.refuses("scaled_dot_score", scaled_dot_score, cases, error=Exception)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 5 · `bilinear_score` — 2 points, difficulty 2/3, importance 2/3, about 5 minutes
# Query and key may differ in kind and in size. Let a learned matrix $W$ translate: it carries the query over to the
# keys, where the dot product works.
# $$s_j = q^\top W k_j, \qquad W: (D_q, D_k)$$
# If $W$ is square, $W^\top$ runs just as well and gives other scores.
#
# **Predict first:** which $W$ makes this the plain dot product?
# <details><summary>Answer</summary>The identity matrix.</details>
# <details><summary>Hint 1 · idea</summary>Carry the query over once, then score as in Exercise 2.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Two products: first <code>(D_k,)</code> comes out, then <code>(S,)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary>In the formula the query stands to the left of W. Keep it there and you need no transpose.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "bilinear_score", "locked": false, "solution": true, "task": false}
def bilinear_score(query, keys, weight):
    """Score each key by q^T W k.

    query: (D_q,), keys: (S, D_k), weight: (D_q, D_k). Returns: (S,). Raises: an error if sizes do not fit.
    Source: Luong et al. 2015, section 3.1, "general".
    """
    ### BEGIN SOLUTION
    carried = query @ weight  # (D_k,)
    return keys @ carried  # (S,)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_bilinear_score", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("bilinear_score"):
    query, keys = np.array([1.0, 2.0]), np.array([[1.0, 0.0], [1.0, 1.0]])
    weight = np.array([[1.0, 2.0], [3.0, 4.0]])
    wrong = {
        "W was transposed: the query meets the rows of W, the key its columns.": [5.0, 16.0],
        "W was not used.": [1.0, 3.0],
        "W and its transpose were averaged.": [6.0, 16.5],
        "the query was not used: these are sums over W k.": [4.0, 10.0],
        "the columns of keys were scored; each key is a row, so keys stand left of @.": [17.0, 10.0],
    }
    got, want = bilinear_score(query, keys, weight), np.array([7.0, 17.0])
    check.values("bilinear_score(query, keys, weight)", got, want, axes=("key",), known_wrong=wrong)
    longer, wide = np.array([[1.0, 0.0, 0.0]]), np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    check.values("bilinear_score(query, longer, wide)", bilinear_score(query, longer, wide), np.array([9.0]))
    ### BEGIN HIDDEN TESTS
    slow = lambda query, keys, W: [sum((W * query[:, None] * key).flat) for key in keys]
    for S, D_q, D_k in [(1, 1, 1), (3, 4, 4), (5, 2, 6), (2, 6, 3), (4, 1, 3), (3, 5, 1), (3, 3, 3)]:
        given = query, keys, weight = check.normal(D_q), check.normal(S, D_k), check.normal(D_q, D_k)
        rules = {"known_wrong": {"W was transposed.": slow(query, keys, weight.T)}} if D_q == D_k else {}
        check.agrees("bilinear_score(query, keys, weight)", bilinear_score, slow, [given], **rules)
    cases = [(2, 3, 3, 2), (2, 3, 1, 3), (2, 3, 2, 1), (1, 3, 2, 3), (2, 1, 2, 3), (2, 2, 3, 2)]
    cases = [((q,), (4, k), (a, b)) for q, k, a, b in cases]
    check.refuses("bilinear_score", bilinear_score, cases, error=Exception)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6 · `additive_score` — 2 points, difficulty 2/3, importance 2/3, about 6 minutes
# The first attention in neural translation had no product of query and key. It asks a small network: add what it
# makes of the query to what it makes of the key, bend the sum by tanh, weigh it.
# $$s_j = v^\top \tanh(W_q\, q + W_k\, k_j)$$
# with $W_q: (A, D_q)$, $W_k: (A, D_k)$, $v: (A,)$, no bias. Mind the `+`: if only one matrix has $A = 1$, NumPy
# stretches.
#
# **Predict first:** with $A = 5$ and $v$ all ones, how large can a score get?
# <details><summary>Answer</summary>Below 5: tanh stays between −1 and 1.</details>
# <details><summary>Hint 1 · idea</summary>All keys at once: a row of A numbers for each key.</details>
# <details><summary>Hint 2 · shape of the answer</summary>The query's part is <code>(A,)</code>, the keys' part is <code>(S, A)</code>, their sum <code>(S, A)</code>; v brings it to <code>(S,)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary>For all rows at once, the keys stand left and the matrix is transposed. Compare <code>w_query.shape[0]</code> with <code>w_key.shape[0]</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "additive_score", "locked": false, "solution": true, "task": false}
def additive_score(query, keys, w_query, w_key, v):
    """Score each key by a small network without bias: v^T tanh(W_q q + W_k k).

    query: (D_q,), keys: (S, D_k), w_query: (A, D_q), w_key: (A, D_k), v: (A,). Returns: (S,).
    Raises: an error if the sizes do not fit, also where one of them is 1.
    Source: Bahdanau et al. 2015, appendix A.1.2.
    """
    ### BEGIN SOLUTION
    if w_query.shape[0] != w_key.shape[0]:
        raise ValueError(f"w_query has {w_query.shape[0]} rows, w_key has {w_key.shape[0]}")
    hidden = np.tanh(w_query @ query + keys @ w_key.T)  # (A,) + (S, A) -> (S, A)
    return hidden @ v  # (S,)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_additive_score", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("additive_score"):
    query, keys, v = np.array([1.0]), np.array([[0.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]), np.array([10.0, 5.0])
    w_query = np.log([[3.0], [2.0]])  # tanh(log 3) = 0.8, tanh(log 2) = 0.6
    w_key = np.array([[np.log(3.0), 0.0], [np.log(2.0), np.log(1.5)]])  # tanh(log 2 + log 1.5) = 0.8
    wrong = {
        "tanh is missing.": [14.451859, 0.0, 16.479184],
        "the entries were added up; weigh them by v.": [1.4, 0.0, 1.6],
        "the query's part is missing.": [0.0, -11.0, 1.923077],
        "the keys' part is missing.": [11.0, 11.0, 11.0],
        "tanh was taken of each part alone; add first, then bend.": [11.0, 0.0, 12.923077],
        "tanh comes before v, not after it.": [1.0, 0.0, 1.0],
        "the two parts were multiplied; add them.": [0.0, -10.591, 1.36931],
    }
    call, want = "additive_score(query, keys, w_query, w_key, v)", np.array([11.0, 0.0, 12.0])
    got = additive_score(query, keys, w_query, w_key, v)
    check.values(call, got, want, axes=("key",), known_wrong=wrong)
    ### BEGIN HIDDEN TESTS
    one = lambda q, k, A, B, v: sum(v[i] * np.tanh(A[i] @ q + B[i] @ k) for i in range(len(v)))
    slow = lambda query, keys, *weights: [one(query, key, *weights) for key in keys]
    sizes = [(1, 1, 1, 1), (4, 4, 4, 4), (5, 2, 3, 6), (3, 3, 3, 2), (2, 5, 1, 3), (6, 1, 4, 1)]
    cases = [((D_q,), (S, D_k), (A, D_q), (A, D_k), (A,)) for S, D_q, D_k, A in sizes]
    check.agrees(call, additive_score, slow, cases, every=False, axes=("key",))
    large, note = lambda *shape: 900 * check.normal(*shape), "np.tanh is fine for any number; exp overflows."
    check.agrees(call, additive_score, slow, cases[:2], dtypes=["float64"], make=large, note=note)
    fits, places = [(2,), (5, 3), (4, 2), (4, 3), (4,)], [2, 3, 4, 0, 1, 2, 3, 4]
    bad = [(1, 2), (1, 3), (1,), (1,), (5, 1), (4, 1), (4, 1), (3,)]
    cases = [[*fits[:at], shape, *fits[at + 1 :]] for at, shape in zip(places, bad, strict=True)]
    check.refuses("additive_score", additive_score, cases, error=Exception)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 7 · `gaussian_score` — 2 points, difficulty 2/3, importance 2/3, about 4 minutes
# On a map, "near" means a small distance, wherever the origin is. So score by distance:
# $$s_j = -\frac{\lVert q - k_j\rVert^2}{2 \cdot \text{width}^2}$$
# After softmax, the weights form a bell around the query; the width says how far it looks. `width` not above 0: a
# `ValueError` that names `width` and its value. Sizes again: **a subtraction stretches a size of 1**.
#
# **Predict first:** what is the highest score a key can reach, and where?
# <details><summary>Answer</summary>0, for a key exactly at the query.</details>
# <details><summary>Hint 1 · idea</summary>A row of differences for each key; square; add up the features.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Two checks, then <code>(S, D)</code> differences, then <code>(S,)</code> sums of squares, then sign and division.</details>
# <details><summary>Hint 3 · nearly there</summary>No square root: the distance appears squared. And there must be brackets round <code>2 * width ** 2</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "gaussian_score", "locked": false, "solution": true, "task": false}
def gaussian_score(query, keys, width=1.0):
    """Score each key by nearness: minus the squared distance, over twice the squared width.

    query: (D,), keys: (S, D). width: how far to look, in the unit of the keys. Returns: (S,), at most 0.
    Raises: ValueError if width is not above 0; an error if the sizes D differ.
    Source: the logarithm of a Gaussian kernel, as in Nadaraya 1964 and Watson 1964.
    """
    ### BEGIN SOLUTION
    if not width > 0:
        raise ValueError(f"width must be above 0, got {width}")
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query has size {query.shape[-1]}, keys have size {keys.shape[-1]}")
    return -np.sum((query - keys) ** 2, axis=-1) / (2 * width**2)  # (S,)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_gaussian_score", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("gaussian_score"):
    query, keys = np.array([1.0, 2.0]), np.array([[1.0, 2.0], [1.0, 4.0], [4.0, 6.0]])
    wrong = {
        "the 2 below the line is missing.": [0.0, -4.0, -25.0],
        "the minus sign is missing: far keys would win.": [0.0, 2.0, 12.5],
        "the exponential comes later, in softmax.": [1.0, 0.135335, 0.000004],
        "this is the distance; the formula has its square, over 2.": [0.0, -2.0, -5.0],
        "this is half the distance; the formula has its square.": [0.0, -1.0, -2.5],
        "this is a mean over the features; the squared distance is a sum.": [0.0, -1.0, -6.25],
    }
    got, want = gaussian_score(query, keys), np.array([0.0, -2.0, -12.5])
    check.values("gaussian_score(query, keys)", got, want, axes=("key",), known_wrong=wrong)
    check.kept("gaussian_score(query, keys)", gaussian_score, query, keys)
    wrong = {
        "the width is not squared.": [0.0, -1.0, -6.25],
        "the width was not used.": [0.0, -2.0, -12.5],
        "multiplied by the squared width; are there brackets round 2 * width ** 2?": [0.0, -8.0, -50.0],
    }
    got, want = gaussian_score(query, keys, width=2.0), np.array([0.0, -0.5, -3.125])
    check.values("gaussian_score(query, keys, width=2.0)", got, want, axes=("key",), known_wrong=wrong)
    ### BEGIN HIDDEN TESTS
    slow = lambda query, keys, width: [-sum((query - key) ** 2) / (2 * width**2) for key in keys]
    sizes = [(1, 1, 1.0), (4, 4, 0.3), (6, 1, 0.7), (1, 5, 50.0), (3, 16, 1), (4, 2, 0.2)]
    cases, rules = [((D,), (S, D), width) for S, D, width in sizes], {"every": False, "axes": ("key",)}
    check.agrees("gaussian_score(query, keys, width)", gaussian_score, slow, cases, **rules)
    for bad, said in [(0.0, ("0", "0.0", "0.00")), (-2.0, ("-2", "-2.0", "-2.00"))]:
        call = f"gaussian_score(query, keys, width={bad})"
        check.raises(call, lambda w=bad: gaussian_score(query, keys, width=w), mentions=("width", said))
    cases = [((4,), (3, 1)), ((1,), (3, 4)), ((2,), (3, 3))]
    check.refuses("gaussian_score", gaussian_score, cases, error=Exception)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 8 · `attend` — 3 points, difficulty 2/3, importance 3/3, about 6 minutes
# Now all of it, for **any** score:
# $$s = \text{score}(q, K), \qquad a = \text{softmax}(s), \qquad y = \sum_j a_j v_j$$
# `score` is a function you receive. Call it **once**, as `score(query, keys)`; leave unchanged what it returns. Return
# output and weights; if all scores are `-inf`, both are zeros. One value for each key, or raise an error. Use your
# `softmax`, or `blocks.softmax(scores)`, which does the same.
#
# **Predict first:** all scores are equal. What is the output?
# <details><summary>Answer</summary>The mean of the values.</details>
# <details><summary>Hint 1 · idea</summary>Three lines, one for each part of the formula.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Scores <code>(S,)</code>, weights <code>(S,)</code>; with <code>(S, D_v)</code> values the output is <code>(D_v,)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary>The weighted sum is one <code>@</code>, and <code>@</code> refuses sizes that do not fit. Return a tuple, output first.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "attend", "locked": false, "solution": true, "task": false}
def attend(query, keys, values, score):
    """Attention of one query: score every key, take shares, mix the values.

    query: (D_q,), keys: (S, D_k), values: (S, D_v). score: function (query, keys) -> (S,), called once.
    Returns: output (D_v,) and weights (S,); zeros if all scores are -inf.
    Raises: an error if there is not one value for each key.
    Source: Bahdanau et al. 2015, section 3.1, for any score.
    """
    ### BEGIN SOLUTION
    weights = blocks.softmax(score(query, keys))  # (S,)
    return weights @ values, weights  # (D_v,), (S,)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_attend", "locked": true, "points": 3, "solution": false, "task": false}
with check.exercise("attend", needs=("softmax",)):
    query, keys = np.array([1.0, 2.0, 3.0]), np.array([[4.0], [5.0]])
    values, seen = np.array([[0.0, 4.0, 8.0], [8.0, 0.0, 4.0]]), []

    def known_score(query, keys):
        seen.append((query, keys))
        return np.array([0.0, np.log(3.0)])  # so the weights are 0.25 and 0.75

    call, result = "attend(query, keys, values, known_score)", attend(query, keys, values, known_score)
    once, order = "times; call it once, for all keys together.", "Call it as score(query, keys)."
    check.true(call, len(seen) == 1, f"score was called {len(seen)} {once}")
    check.values("what score received", seen[0], (query, keys), note=order)
    wrong = {
        "this is a mean; the weights add up to 1 already, so take the sum.": ([3.0, 0.5, 2.5], ...),
        "the scores were used as weights; take their softmax.": ([8.7889, 0.0, 4.3944], ...),
        "the second result is the scores; return the weights.": ([6.0, 1.0, 5.0], [0.0, 1.0986]),
        "every value counts the same here; use the weights.": ([4.0, 2.0, 6.0], ...),
        "the results are the other way round: output first, then weights.": (..., [6.0, 1.0, 5.0]),
    }
    want = np.array([6.0, 1.0, 5.0]), np.array([0.25, 0.75])
    check.values(call, result, want, axes=(("feature",), ("key",)), known_wrong=wrong)

    ### BEGIN HIDDEN TESTS
    def run(query, keys, values, scores):
        given, seen, shares = scores.copy(), [], blocks.softmax(scores)
        score = lambda query, keys: seen.append((query, keys)) or given
        call = f"attend(query {query.shape}, keys {keys.shape}, values {values.shape}, score), {keys.dtype}, "
        call += f"with a score that returns {scores.tolist()},"
        want, results = (sum(a * v for a, v in zip(shares, values, strict=True)), shares), []
        kept = lambda *arrays: results.append(attend(*arrays, score))
        check.kept("attend(query, keys, values, score)", kept, query, keys, values)
        check.true(call, len(seen) == 1, f"score was called {len(seen)} {once}")
        check.values(f"what score received in {call}", seen[0], (query, keys), note=order)
        check.values(call, results[0], want, note="Output first, then weights; a stable softmax.")
        same = np.array_equal(given, scores)
        check.true(call, same, "what score returned was changed in place; work on a copy.")

    for S, D_q, D_k, D_v in [(1, 1, 1, 1), (3, 3, 3, 3), (5, 2, 4, 6), (4, 6, 1, 2), (2, 4, 4, 1)]:
        arrays = [check.normal(*shape) for shape in ((D_q,), (S, D_k), (S, D_v), (S,))]
        arrays[3][1:2] = -np.inf if S > 3 else 0.5
        for dtype in ("float64", "float32")[: 1 + (S > 3)]:
            run(*(array.astype(dtype) for array in arrays))
    query, keys, values = np.ones(2), np.ones((4, 3)), check.normal(4, 5)
    for scores in ([-np.inf] * 4, [1e4, -1e4, 1e4, 0.0], [-1e4] * 4):
        run(query, keys, values, np.array(scores))
    cases = [((2,), (4, 3), (rows, 5), lambda query, keys: np.zeros(4)) for rows in (1, 3)]
    check.refuses("attend", attend, cases, error=Exception)
    ### END HIDDEN TESTS

# %% [markdown]
# ### You have just written a regression from 1964
# Keys are places, values what was measured there, the query is a new place. Attention with the Gaussian score is
# Nadaraya–Watson regression: a mean in which near measurements count more.
# **Question:** which width follows the noise, which has stopped looking, and which line does the widest tend to?
# <details><summary>Answer</summary>0.05 runs after single points. 3.0 hardly looks; wider still, it becomes the mean of all measurements.</details>

# %%
rng = np.random.default_rng(1)
places = np.sort(rng.uniform(0, 6, size=(40, 1)), axis=0)  # keys (S, 1)
measured = np.sin(places) + 0.3 * rng.normal(size=(40, 1))  # values (S, 1)
across, curves = np.linspace(0, 6, 61), {}
for width in (0.05, 0.4, 3.0):
    near = lambda query, keys: gaussian_score(query, keys, width)
    curves[f"width {width}"] = [attend(np.array([x]), places, measured, near)[0][0] for x in across]
caption = "What to see: a narrow bell runs after each grey measurement, a wide one hardly notices them."
ax = plot.lines(across, curves, xlabel="place (query)", ylabel="prediction", caption=caption)
_ = ax.scatter(places, measured, s=12, color="grey")

# %% [markdown]
# Now move the query yourself and switch the score. **Question:** find a query for which dot and gaussian name
# different winners. What is special about the key that dot prefers?
# <details><summary>Answer</summary>It is long. Near the origin almost any query to the right will do: dot prefers the far key a.</details>

# %%
four_keys = np.array([[2.4, 0.6], [0.7, 0.8], [-0.8, 0.6], [-0.4, -0.9]])
plot.explore(four_keys, labels=["a", "b", "c", "d"], score="gaussian")

# %% [markdown]
# ## Three repairs
# Mistakes in attention rarely crash; the network around them still learns a little. Mend these three published ones.
#
# ### Exercise 9 · `repair_context` — 2 points, difficulty 1/3, importance 2/3, about 4 minutes
# An attention layer sums up the states of an RNN: `x` holds them all `(S, D)`, `h` is the last one `(D,)`. States
# are keys **and** values, unscaled. The published code ended in `y = a * x`. Meant was
# $$a = \text{softmax}(x\,h), \qquad y = \sum_s a_s\, x_s$$
# Such slips come from broadcasting: `(S, 1) * (S, D)` runs, and nothing reminds you of the last step.
#
# **Predict first:** which shape has the broken `y`?
# <details><summary>Answer</summary><code>(S, D)</code>, like x: nothing was summed up.</details>
# <details><summary>Hint 1 · idea</summary>Which axis counts the inputs? That one has to go.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Scores <code>(S,)</code>, weights <code>(S,)</code>, sum <code>(D,)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary>It is Exercise 8 with x as keys and as values.</details>

# %%
states = np.array([[0.9, 0.1, 0.2], [0.1, 0.9, 0.3], [0.2, 0.2, 0.8], [0.8, 0.3, 0.1]])  # (S, D) = (4, 3)
a = blocks.softmax(states @ states[-1])[:, None]  # (S, 1)
caption = "What to see: the published y = a * x, four states in, four out. Which row is the summary?"
features = {f"feature {number}": column for number, column in enumerate((a * states).T)}
ax = plot.bars(features, [f"row {number}" for number in range(4)], ylabel="entry of a * x", caption=caption)
_ = ax.set(xlabel="")


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "repair_context", "locked": false, "solution": true, "task": false}
def repair_context(x, h):
    """Summarise the states x by attention, with the state h as query and no scaling.

    x: (S, D), keys and values; h: (D,). Returns: (D,). Raises: an error if the sizes D differ.
    """
    ### BEGIN SOLUTION
    return blocks.softmax(x @ h) @ x  # (D,)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_repair_context", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("repair_context", needs=("softmax", "attend", "dot_score")):
    x, h = np.array([[0.0, 4.0, 0.0], [1.0, 8.0, 4.0]]), np.array([np.log(3.0), 0.0, 0.0])
    wrong = {
        "every state is still there: the sum over the states is missing.": [[0, 1, 0], [0.75, 6, 3]],
        "this is a mean; the weights add up to 1 already, so take the sum.": [0.375, 3.5, 1.5],
        "the scores were used as weights; take their softmax.": [1.0986, 8.7889, 4.3944],
        "scaled by the square root of D; this layer has no scale.": [0.65346, 6.613841, 2.613841],
        "this is the best state alone; mix all of them.": [1.0, 8.0, 4.0],
        "every state counts in full: softmax ran over an axis of length 1.": [1.0, 12.0, 4.0],
    }
    want = np.array([0.75, 7.0, 3.0])
    check.values("repair_context(x, h)", repair_context(x, h), want, axes=("feature",), known_wrong=wrong)
    ### BEGIN HIDDEN TESTS
    shares = lambda x, h: blocks.softmax(np.array([np.vdot(row, h) for row in x]))
    slow = lambda x, h: sum(share * row for share, row in zip(shares(x, h), x, strict=True))
    cases = [((S, D), (D,)) for S, D in [(1, 1), (3, 3), (6, 2), (1, 4), (4, 7)]]
    check.agrees("repair_context(x, h)", repair_context, slow, cases, every=False, axes=("feature",))
    cases, note = [[50 * check.normal(*shape) for shape in case] for case in cases], "Scores may be large."
    check.agrees("repair_context(x, h)", repair_context, slow, cases, dtypes=["float64"], note=note)
    cases = [((4, 3), (1,)), ((4, 1), (3,)), ((4, 2), (3,))]
    check.refuses("repair_context", repair_context, cases, error=Exception)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 10 · `repair_weights` — 1 point, difficulty 1/3, importance 2/3, about 4 minutes
# A published formula normalised **twice**:
# $$a = \text{softmax}\!\left(\frac{s}{\sum_j s_j}\right)$$
# Such slips come from caution: "weights add up to 1, so divide by the sum". Softmax does that already, and a sum of
# similarities can be tiny, zero or negative. **Write** it so that it normalises once, for any real numbers, ±10,000 too.
# Your `softmax` and `blocks.softmax` are allowed.
#
# **Predict first:** similarities are 3, 1 and −6. Which one gets the most weight from the broken formula?
# <details><summary>Answer</summary>The last! The sum is −2, and dividing by it turns the order round.</details>
# <details><summary>Hint 1 · idea</summary>Which of the two normalisations works for all numbers?</details>
# <details><summary>Hint 2 · shape of the answer</summary>One call.</details>
# <details><summary>Hint 3 · nearly there</summary>Drop the fraction, keep the rest.</details>

# %%
similarity = np.array([3.0, 1.0, -6.0])
both = {"similarity": similarity, "weight (published)": blocks.softmax(similarity / similarity.sum())}
ax = plot.bars(both, ["a", "b", "c"], ylabel="similarity, weight", caption="What to see: c, the worst, wins.")


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "repair_weights", "locked": false, "solution": true, "task": false}
def repair_weights(similarity):
    """Attention weights of similarities (S,), any real numbers, normalised once. Returns: (S,)."""
    ### BEGIN SOLUTION
    return blocks.softmax(similarity)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_repair_weights", "locked": true, "points": 1, "solution": false, "task": false}
with check.exercise("repair_weights", needs=("softmax",)):
    similarity = np.array([0.0, np.log(3.0)])
    wrong = {
        "still divided by the sum before softmax; normalise once.": [0.268941, 0.731059],
        "divided by the sum, without softmax.": [0.0, 1.0],
        "softmax was applied twice; normalise once.": [0.377541, 0.622459],
    }
    got, want = repair_weights(similarity), np.array([0.25, 0.75])
    check.values("repair_weights(similarity)", got, want, axes=("key",), known_wrong=wrong)
    balanced = np.array([np.log(2.0), 0.0, -np.log(2.0)])  # their exponentials are 2, 1 and 0.5
    got, want = repair_weights(balanced), np.array([4.0, 2.0, 1.0]) / 7
    note = "These similarities add up to 0; dividing by that sum cannot be right."
    check.values("repair_weights(balanced)", got, want, axes=("key",), note=note)
    ### BEGIN HIDDEN TESTS
    cases = [[size * check.normal(S) - size] for S, size in [(1, 1), (2, 3), (6, 1), (33, 3)]]
    rules = {"axes": ("key",), "every": False, "note": "Normalise once, with a stable softmax."}
    check.agrees("repair_weights(similarity)", repair_weights, blocks.softmax, cases, **rules)
    pairs = [1e4, 1e4 - 1], [-1e4, -1e4 - 1], [-3.0, -4.0], [0.0, -1.0]
    cases = [[np.array(pair)] for pair in pairs] + [[1e4 * check.normal(9)]]
    rules |= {"dtypes": ["float64"]}  # float32 has too few digits for scores of ±10,000
    check.agrees("repair_weights(similarity)", repair_weights, blocks.softmax, cases, **rules)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 11 · `repair_attention` — 2 points, difficulty 2/3, importance 3/3, about 6 minutes
# A published formula for all queries at once mixed up the order:
# $$\text{softmax}\!\left(\frac{Q K^\top V}{\sqrt D}\right)$$
# Brackets lost in copying: softmax squeezes the *outputs* now; each row adds up to 1, whatever was measured. The right
# order is **score, scale, softmax over the keys, sum**. **Write** it, with $Q: (T, D)$, $K: (S, D)$, $V: (S, D_v)$,
# scale $1/\sqrt D$, without ready-made attention.
#
# **Predict first:** `V` is one column of temperatures near 15 °C. What does the broken formula predict?
# <details><summary>Answer</summary>Always 1: a softmax over a single number is 1. See the picture.</details>
# <details><summary>Hint 1 · idea</summary>Softmax belongs where queries meet keys. Which product is that?</details>
# <details><summary>Hint 2 · shape of the answer</summary>Scores <code>(T, S)</code>, weights <code>(T, S)</code> whose rows add up to 1, output <code>(T, D_v)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary>The bracket closes before V. Which axis of <code>(T, S)</code> counts the keys?</details>

# %%
hours = np.arange(24)
clock = 2 * np.stack([np.cos(hours * np.pi / 12), np.sin(hours * np.pi / 12)], axis=1)  # (24, 2)
temperature = 15 - 5 * np.cos((hours - 3) * np.pi / 12)[:, None]  # (24, 1), in °C
published = blocks.softmax(clock @ clock.T @ temperature / 2**0.5)
days = {"measured": temperature[:, 0], "published formula": published[:, 0]}
caption = "What to see: the published formula predicts the same number at every hour."
ax = plot.lines(hours, days, xlabel="hour of the day", ylabel="temperature (°C)", caption=caption)


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "repair_attention", "locked": false, "solution": true, "task": false}
def repair_attention(Q, K, V):
    """Scaled dot-product attention of T queries: score, scale, softmax over keys, sum.

    Q: (T, D), K: (S, D), V: (S, D_v). Returns: (T, D_v). Raises: an error if sizes do not fit.
    Source: Vaswani et al. 2017, equation 1.
    """
    ### BEGIN SOLUTION
    scores = Q @ K.T / Q.shape[-1] ** 0.5  # (T, S)
    return blocks.softmax(scores) @ V  # (T, D_v)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_repair_attention", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("repair_attention", needs=("softmax", "scaled_dot_score", "attend")):
    allowed = "products, and softmax or blocks.softmax."
    check.source("repair_attention", check.ready.ATTENTION, allow_text=allowed)
    Q, V = np.float32([[2 * np.log(3), 0, 0, 0], [0, 0, 0, 0]]), np.float32([[0, 5], [10, 0], [5, 5]])
    K, even = np.float32([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]), [5, 10 / 3]
    wrong = {
        "softmax still comes after the sum over V; it belongs to the scores.": [[1.0, 0.0], [0.5, 0.5]],
        "the scale is missing: divide the scores by the root of D = 4.": [[8.636364, 0.909091], even],
        "the scale comes after softmax; divide the scores.": [[4.318182, 0.454545], [2.5, 5 / 3]],
        "softmax ran over the queries; each query shares its weights among the keys.": [[10, 5], [5, 5]],
        "divided by the root of 3, the number of keys; D = 4 counts features.": [[7.300098, 1.799934], even],
        "divided by the root of 2, not of D = 4, the size of queries and keys.": [[7.770778, 1.486148], even],
        "divided by D; the scale is its square root.": [[5.980762, 2.679492], even],
        "softmax is missing.": [[10.986123, 0.0], [0.0, 0.0]],
    }
    rules = {"axes": ("query", "feature"), "known_wrong": wrong, "note": "A wrong dtype: see Exercise 4."}
    check.values("repair_attention(Q, K, V)", repair_attention(Q, K, V), np.float32([[7, 2], even]), **rules)
    ### BEGIN HIDDEN TESTS
    shares = lambda q, K: blocks.softmax(np.array([np.vdot(q, k) / len(q) ** 0.5 for k in K]))
    slow = lambda Q, K, V: [sum(a * v for a, v in zip(shares(q, K), V, strict=True)) for q in Q]
    sizes = [(1, 1, 1, 1), (3, 3, 3, 3), (2, 5, 4, 3), (5, 2, 3, 1), (4, 6, 1, 2), (2, 4, 16, 5)]
    cases = [((T, D), (S, D), (S, D_v)) for T, S, D, D_v in sizes]
    rules = {"axes": ("query", "feature"), "every": False, "note": "Is the softmax a stable one?"}
    check.agrees("repair_attention(Q, K, V)", repair_attention, slow, cases, **rules)
    cases = [(999 * check.normal(*Q), K, V) for Q, K, V in cases]
    check.agrees("repair_attention(Q, K, V)", repair_attention, slow, cases, dtypes=["float64"], **rules)
    cases = [((2, q), (4, k), (v, 5)) for q, k, v in [(3, 1, 4), (1, 3, 4), (3, 3, 1), (3, 3, 3)]]
    check.refuses("repair_attention", repair_attention, cases, error=Exception)
    ### END HIDDEN TESTS

# %% [markdown]
# The same picture with your repair. **Question:** your curve is flatter than the measurements. Why? And what happens
# if the clock face, now of radius 2, gets larger?
# <details><summary>Answer</summary>It mixes hours nearby. A larger clock face means larger scores, so fewer hours count.</details>

# %%
days["your repair"] = repair_attention(clock, clock, temperature)[:, 0]
caption = "What to see: your curve follows the measurements, a little flatter."
ax = plot.lines(hours, days, xlabel="hour of the day", ylabel="temperature (°C)", caption=caption)

# %% [markdown]
# ## Experiment: what does the size do?
# For each size $D$: 400 random queries, 64 random keys. How widely do scores spread? And how many keys does softmax
# really use? Entropy says it in bits: 6 bits mean all 64 keys alike, 0 bits mean one key.
#
# **Predict first:** sketch both curves, with and without $1/\sqrt D$.

# %%
rng, powers = np.random.default_rng(0), np.arange(11)
variance, entropy = {"dot": [], "scaled": []}, {"dot": [], "scaled": []}
for D in 2**powers:
    scores = rng.normal(size=(400, D)) @ rng.normal(size=(D, 64))  # (queries, keys)
    for name, s in {"dot": scores, "scaled": scores / D**0.5}.items():
        a = blocks.softmax(s)
        variance[name].append(s.var())
        entropy[name].append(-(a * np.log2(a + 1e-300)).sum(axis=-1).mean())
caption = "What to see: without the scale the variance is D itself; with it, 1 at any size."
ax = plot.lines(2**powers, variance, xlabel="size D", ylabel="variance", log=True, caption=caption)
caption = "What to see: without the scale, large sizes leave one key; with it, dozens go on sharing."
ax = plot.lines(powers, entropy, xlabel="log2 of D", ylabel="entropy of the weights (bits)", caption=caption)

# %% [markdown]
# **Questions.** At $D = 1024$ without the scale, about how many keys share the weight ($2^{\text{bits}}$)? A weight
# near 1 hardly moves when its score moves. What does that do to learning?
# <details><summary>Answer</summary>About one key, 2 to the power 0.2. Gradients nearly vanish, so the model hardly learns where to look.</details>
#
# Now all scores of one query, `[1, 2]`. **Question:** which two columns always rank keys alike? Where do the others
# disagree?
# <details><summary>Answer</summary>Dot and scaled: for one size, the scale changes no order. Cosine ties the first two, only gaussian punishes "three times as long", and bilinear, here with a quarter turn, prefers "at a right angle".</details>

# %%
cases = {"equal": [1.0, 2.0], "three times as long": [3.0, 6.0], "nearby": [1.5, 1.5]}
cases |= {"at a right angle": [2.0, -1.0], "opposite": [-1.0, -2.0], "zero": [0.0, 0.0]}
query, keys, turn = np.array([1.0, 2.0]), np.array(list(cases.values())), np.array([[0.0, -1.0], [1.0, 0.0]])
plain = {"dot": dot_score, "cosine": cosine_score, "scaled": scaled_dot_score, "gaussian": gaussian_score}
table = {name: score(query, keys) for name, score in plain.items()}
table["bilinear"] = bilinear_score(query, keys, turn)  # this W turns the query by a right angle
table["additive"] = additive_score(query, keys, np.eye(2), np.eye(2), np.ones(2))
print(f"{'key':<20}" + "".join(f"{name:>10}" for name in table))
for row, name in enumerate(cases):
    print(f"{name:<20}" + "".join(f"{scores[row] + 0.0:>10.2f}" for scores in table.values()))

# %% [markdown]
# ### Exercise 12 · `choose_score` — 3 points, difficulty 2/3, importance 3/3, about 6 minutes
# In each case **name a score, say which property decides, and say what would go wrong with one other score**. Two
# sentences a case are enough; several answers can be right.
#
# - **A.** Guess the rainfall at a village from 200 rain gauges and their coordinates.
# - **B.** Find texts on a topic. Some have ten words, some ten thousand, and their vectors grow with them.
# - **C.** A decoder state of size 512 must look at encoder states of size 256. There is plenty of training data.
#
# A person grades this, 1 point a case: ½ for a score that fits, ½ for a reason that names the property and what the
# other score would do. Double-click the line below the hints to write.
# <details><summary>Hint 1 · idea</summary>Ask: does length matter, does the origin matter, are the sizes equal?</details>
# <details><summary>Hint 2 · shape of the answer</summary>"…, because …. With …, … would win."</details>
# <details><summary>Hint 3 · nearly there</summary>Compare "three times as long" and "nearby" in the table, and the shapes each function accepts.</details>

# %% [markdown] nbgrader={"schema_version": 3, "grade": true, "grade_id": "choose_score", "locked": false, "points": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **A.** Gaussian: rain depends on distance, and its weights fade with it. With the dot product, a gauge far from the
# map's origin could win, wherever the village is.
#
# **B.** Cosine: it ignores length. With the dot product, the longest texts would win for every topic.
#
# **C.** Bilinear or additive: both accept two sizes and learn what belongs together. Dot, cosine and Gaussian compare
# feature with feature, so 512 against 256 is an error.
# ### END SOLUTION

# %% [markdown]
# ## Where this is used
# - **Scaled dot product**: Transformers, from translation (lesson 07) to large language models.
# - **Cosine**: semantic search and recommendations; in lesson 06 you search this course's own text.
# - **Additive and bilinear**: attention in recurrent translators, lesson 02.
# - **Gaussian**: smoothing measurements; favouring nearby words in local attention, lesson 05.
#
# ## Limits
# - Every query scores every key: a text that looks at itself costs four times as much at twice the length.
# - Order is invisible: shuffle keys and values together and the output stays. Lesson 04 adds positions.
# - A weight says where the model looked, not why it decided.
#
# ## Summary
# 1. Attention = score, softmax, weighted sum. The score says what "relevant" means.
# 2. Subtract the largest score before the exponential; where nobody may look, weights are 0.
# 3. Dot products grow with the size, so divide by $\sqrt D$. Broadcasting hides mistakes, so check shapes.

# %% [markdown]
# ## Questions and answers
# **Why the exponential, not just division by the sum?** Scores may be negative or add up to 0 (Exercise 10). The
# exponential makes them positive, and equal *differences* of scores give equal *ratios* of weights.
#
# **Why zeros for a row of `-inf`?** In a batch, some queries have nothing to look at. The plain formula gives NaN
# there, and one NaN spoils a whole training step.
#
# **My check passes here. Can grading still fail?** Yes, it tries more. Its message names a call you can type.
#
# **How do I hand in?** Save, choose *Nbgrader › Assignment List*, press *Submit*. You may submit again; the latest one
# counts. Once it is graded, *Fetch Feedback* and *view feedback* there list the page in the file browser on the left.
#
# ## Further reading
# - Nadaraya 1964, *On estimating regression*; Watson 1964, *Smooth regression analysis*: the weighted mean.
# - Bahdanau, Cho, Bengio 2015, *Neural machine translation by jointly learning to align and translate*
#   (arXiv:1409.0473): the additive score.
# - Luong, Pham, Manning 2015, *Effective approaches to attention-based neural machine translation* (arXiv:1508.04025).
# - Vaswani et al. 2017, *Attention is all you need* (arXiv:1706.03762), section 3.2.1: the scale.
# - Jain, Wallace 2019, *Attention is not explanation* (arXiv:1902.10186), and the reply: Wiegreffe, Pinter 2019,
#   *Attention is not not explanation* (arXiv:1908.04626).
