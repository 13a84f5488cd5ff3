# %% [markdown]
# # 04 · Positions: who comes first?
#
# **Goal.** Give attention a sense of order. You write sinusoidal, learned, rotary and ALiBi positions, find out why a published formula explodes, and train all of them against each other.
#
# **Why.** Lesson 03 ended with a flaw: shuffle the tokens, and attention does not notice. How a model counts positions decides whether it can read a text longer than those it learned from.
#
# You need lesson 03. About 105 minutes.

# %%
import math

import numpy as np
import torch
from torch import nn

from byhand import blocks, check, extrapolate, plot

# %% [markdown]
# ## The idea: a clock for every token
# "Dog bites man" and "man bites dog" are the same set of words. A token must carry its place. A plain count 0, 1, 2, … grows without end, so read the place off **clocks** instead: a fast hand tells neighbours apart, a slow one tells page 1 from page 9. The sine of a hand's angle never leaves −1 to 1.
#
# **Question:** which hand tells token 3 from token 4 best? Which tells 3 from 40?
# <details><summary>Answer</summary>The fast hand; then the slow one, since the fast hand has gone round several times.</details>

# %%
places = torch.arange(64.0)
hands = {"fast hand": (places / 1).sin(), "middle hand": (places / 6).sin(), "slow hand": (places / 40).sin()}
caption = "What to see: the fast hand changes at once, the slow one makes a quarter turn in 64 tokens."
ax = plot.lines(places, hands, xlabel="position (tokens)", ylabel="sine of the hand's angle", caption=caption)

# %% [markdown]
# **Question:** below, every token asks every other, without positions. What do the two sentences share?
# <details><summary>Answer</summary>Each word gets the same output in both. Who bites whom is lost.</details>
#
# Three ways out: **add** a position to the token or write it beside (Exercises 1 to 7), **turn** queries and keys (8), or **lower the score** of what is far away (9). Letters as before: `B` batch, `T` queries, `S` keys, `H` heads, `D` head size, `E` model size. Float32 in, float32 out; inputs stay unchanged.

# %%
generator = torch.Generator().manual_seed(0)
dog, bites, man = torch.randn(3, 4, generator=generator)  # three random word vectors
for words in ([dog, bites, man], [man, bites, dog]):
    x = torch.stack(words)[None]  # (B, T, E) = (1, 3, 4)
    output, _ = blocks.attention(x, x, x)
    print("'bites' reads", [round(number, 4) for number in output[0, 1].tolist()])

# %% [markdown]
# ### Exercise 1 · `sinusoidal_encoding` — 3 points, difficulty 2/3, importance 3/3, about 9 minutes
# Every pair $i$ of columns is one hand of a clock at position $p$: its sine, then its cosine. Pair 0 is the fastest.
# $$\text{PE}[p, 2i] = \sin\frac{p}{\text{base}^{2i/E}} \qquad \text{PE}[p, 2i+1] = \cos\frac{p}{\text{base}^{2i/E}}$$
# Both columns of a pair share the **same** exponent. If $E$ is odd, the last cosine has no place; the exponent still holds $E$ itself. The table is float32.
#
# **Predict first:** what is row 0?
# <details><summary>Answer</summary>0, 1, 0, 1, …: the sine and cosine of 0.</details>
# <details><summary>Hint 1 · idea</summary>Make a table of angles (n, E), then sines in the even columns, cosines in the odd ones.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Columns 0, 1, 2, 3, … need the exponents 0, 0, 2, 2, …, each divided by E. Positions are a column <code>(n, 1)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary><code>column // 2 * 2</code> rounds down to even. Fill <code>[:, 0::2]</code> and <code>[:, 1::2]</code>, or choose with <code>torch.where</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "sinusoidal_encoding", "locked": false, "solution": true, "task": false}
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    """A row of sines and cosines for each position.

    n_positions: n, at least 1. d_model: E, even or odd.
    Returns: (n, E) float32, all between -1 and 1; even columns sines, odd columns cosines.
    Example: 2 positions, E = 2 -> [[0, 1], [sin 1, cos 1]].
    Source: Vaswani et al. 2017, section 3.5.
    """
    ### BEGIN SOLUTION
    column = torch.arange(d_model)  # (E,)
    angles = torch.arange(n_positions)[:, None] / base ** (column // 2 * 2 / d_model)  # (n, E)
    return torch.where(column % 2 == 0, angles.sin(), angles.cos())
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_sinusoidal_encoding", "locked": true, "points": 3, "solution": false, "task": false}
with check.exercise("sinusoidal_encoding"):
    axes, sine, cosine, start = ("position", "column"), 0.841471, 0.540302, [0, 1, 0, 1]
    own, spread = [sine, 0.950415, 0.099833, 0.9995], [sine, 0.099833, cosine, 0.995004]
    late = [[sine, cosine, 0.099833, 0.995004], [0.909297, -0.416147, 0.198669, 0.980067]]
    wrong = {
        "each column has its own exponent; a sine and its cosine share one, 2i/E.": [start, own],
        "the exponent is 2i/E; the 2 is missing.": [start, [sine, cosine, 0.310984, 0.950415]],
        "all sines come first here; sine and cosine alternate.": [[0, 0, 1, 1], spread],
        "sine and cosine changed places.": [[1, 0, 1, 0], [cosine, sine, 0.995004, 0.099833]],
        "multiplied by the power of base; divide.": [start, [sine, cosine, -0.544021, -0.839072]],
        "base was not used, or the exponent is 4i/E.": [start, [sine, cosine, 0.01, 0.99995]],
        "positions count from 0.": late,
        "the exponent holds E itself, 3, not E + 1.": [[0, 1, 0], [0.841471, 0.540302, 0.031618]],
        "the exponent holds E itself, 3, not E − 1.": [[0, 1, 0], [0.841471, 0.540302, 0.001]],
    }
    want = torch.tensor([[0, 1, 0, 1], [0.84147098, 0.54030231, 0.09983342, 0.99500417]])
    got = sinusoidal_encoding(2, 4, base=100.0)  # the angles of row 1 are 1 and 1/10
    check.values("sinusoidal_encoding(2, 4, base=100.0)", got, want, axes=axes, known_wrong=wrong)
    try:
        got = sinusoidal_encoding(2, 3, base=1e3)
    except Exception as error:
        error.add_note("sinusoidal_encoding(2, 3, base=1e3) failed. E = 3 is odd: 2 sines, but 1 cosine.")
        raise
    want = torch.tensor([[0, 1, 0], [0.84147098, 0.54030231, 0.01]])
    check.values("sinusoidal_encoding(2, 3, base=1e3)", got, want, axes=axes, known_wrong=wrong)
    check.source("sinusoidal_encoding", ("blocks.sinusoidal_encoding",), allow_text="torch.sin, torch.cos.")
    ### BEGIN HIDDEN TESTS
    rng, trig = check.rng(), (math.sin, math.cos)
    entry = lambda p, j, E, base: trig[j % 2](p / base ** (2 * (j // 2) / E))
    slow = lambda n, E, base: torch.tensor([[entry(p, j, E, base) for j in range(E)] for p in range(n)])
    sizes = [(1, 1), (1, 2), (3, 1), (4, 4), (6, 5), (5, 6), (17, 9), (1000, 32), (1000, 7)]
    for n, E in [*sizes, *rng.integers(2, 40, (3, 2)).tolist()]:
        base, call = float(rng.integers(2, 500)), f"sinusoidal_encoding({n}, {E}"
        check.values(f"{call})", sinusoidal_encoding(n, E), slow(n, E, 1e4), axes=axes, tolerance=1e-4)
        got = sinusoidal_encoding(n, E, base=base)
        check.values(f"{call}, base={base})", got, slow(n, E, base), axes=axes, tolerance=1e-4)
    ### END HIDDEN TESTS

# %% [markdown]
# Which places are alike? Each row of the table is compared with row 32 by a dot product. **Question:** why is the curve the same to the left and to the right? Could a model tell "before" from "after" by it?
# <details><summary>Answer</summary>Sine times sine plus cosine times cosine is the cosine of the difference, the same for both signs. Not by the plain product, but a learned matrix between them can.</details>

# %%
table = sinusoidal_encoding(65, 64)  # (n, E)
alike = {"row 32 · row p": table @ table[32]}
caption = "What to see: the highest peak is at position 32; a fall with ripples, the same to both sides."
ax = plot.lines(range(65), alike, xlabel="position p (tokens)", ylabel="dot product", caption=caption)
_ = ax.set_ylim(bottom=0)

# %% [markdown]
# ### Exercise 2 · `offset_matrix` — 3 points, difficulty 3/3, importance 2/3, about 13 minutes
# Why sines *and* cosines? Because "five tokens further" is then one matrix, whatever the place. With $\theta_i = \text{base}^{-2i/E}$, every pair turns by $k\theta_i$:
# $$\begin{pmatrix}\sin (p+k)\theta\\ \cos (p+k)\theta\end{pmatrix} =
# \begin{pmatrix}\cos k\theta & \sin k\theta\\ -\sin k\theta & \cos k\theta\end{pmatrix}
# \begin{pmatrix}\sin p\theta\\ \cos p\theta\end{pmatrix}$$
# **Write** $M$, $(E, E)$ float32, with these blocks on its diagonal, zeros elsewhere. $k$ may be negative. An odd `d_model` has no pairs: a `ValueError` that names it and its value.
#
# **Predict first:** what is $M$ for $k = 0$? And $M_k M_{-k}$?
# <details><summary>Answer</summary>The identity, both times: go nowhere, or go there and back.</details>
# <details><summary>Hint 1 · idea</summary>One angle for each pair; four entries come from it.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Start from zeros <code>(E, E)</code>. The block of pair i lies in rows and columns 2i and 2i+1.</details>
# <details><summary>Hint 3 · nearly there</summary>If <code>even</code> holds 0, 2, 4, …, then <code>matrix[even, even + 1]</code> is the upper right entry of all blocks at once.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "offset_matrix", "locked": false, "solution": true, "task": false}
def offset_matrix(offset, d_model, base=10000.0):
    """The matrix that moves every sinusoidal position by `offset` tokens.

    offset: k, an int of any sign. d_model: E, even.
    Returns: M (E, E) float32 with PE[p + k] = M @ PE[p] for every p.
    Raises: ValueError if d_model is odd; the message holds its name and value.
    """
    ### BEGIN SOLUTION
    if d_model % 2:
        raise ValueError(f"d_model must be even, got {d_model}")
    even = torch.arange(0, d_model, 2)  # (E/2,)
    angles = offset / base ** (even / d_model)
    matrix = torch.zeros(d_model, d_model)
    matrix[even, even] = matrix[even + 1, even + 1] = angles.cos()
    matrix[even, even + 1] = angles.sin()
    matrix[even + 1, even] = -angles.sin()
    return matrix
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_offset_matrix", "locked": true, "points": 3, "solution": false, "task": false}
with check.exercise("offset_matrix"):
    axes, c, s = ("row", "column"), 0.54030231, 0.84147098
    top, c2, s2 = [[c, s, 0.0, 0.0], [-s, c, 0.0, 0.0]], 0.99500417, 0.09983342
    slow = [[0, 0, 0.950415, 0.310984], [0, 0, -0.310984, 0.950415]]
    halves = [[c, 0, s, 0], [0, c2, 0, s2], [-s, 0, c, 0], [0, -s2, 0, c2]]
    wrong = {
        "this matrix goes back: the minus sign belongs to the lower left entry.": [[c, -s], [s, c]],
        "sine and cosine changed places: the diagonal holds cosines.": [[s, c], [-c, s]],
        "a minus sign is missing in the lower left.": [[c, s], [s, c]],
        "entries are ordered in halves; sine and cosine of a pair are neighbours.": halves,
        "every pair turned by the same angle; slower hands turn less.": [*top, [0, 0, c, s], [0, 0, -s, c]],
        "the exponent is 2i/E; the 2 is missing.": [*top, *slow],
        "base was not used, or the exponent is 4i/E.": [*top, [0, 0, 0.99995, 0.01], [0, 0, -0.01, 0.99995]],
    }
    want = torch.tensor([[c, s], [-s, c]])
    check.values("offset_matrix(1, 2)", offset_matrix(1, 2), want, axes=axes, known_wrong=wrong)
    want = torch.tensor([*top, [0.0, 0.0, c2, s2], [0.0, 0.0, -s2, c2]])
    got = offset_matrix(1, 4, base=100.0)  # the angles are 1 and 1/10
    check.values("offset_matrix(1, 4, base=100.0)", got, want, axes=axes, known_wrong=wrong)
    check.refuses("offset_matrix", offset_matrix, [("5", 1, 5)], mentions=["d_model"])
    ### BEGIN HIDDEN TESTS
    rng = check.rng()
    turn = lambda a: torch.tensor([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
    slow = lambda k, E, base: torch.block_diag(*(turn(k / base ** (2 * i / E)) for i in range(E // 2)))
    rules = {"axes": axes, "note": "It must move every position: offset_matrix(k, E) @ PE[p] is PE[p + k]."}
    for offset in (0, 1, -1, int(rng.integers(2, 30)), -int(rng.integers(2, 30)), 300, -300):
        rules["tolerance"] = 1e-4 if abs(offset) > 30 else 2e-5
        for E in (2, 6, 8, 32):
            base, call = float(rng.integers(2, 500)), f"offset_matrix({offset}, {E}"
            check.values(f"{call})", offset_matrix(offset, E), slow(offset, E, 1e4), **rules)
            got = offset_matrix(offset, E, base=base)
            check.values(f"{call}, base={base})", got, slow(offset, E, base), **rules)
    check.refuses("offset_matrix", offset_matrix, [("1", 2, 1), ("7", 2, 7)], mentions=["d_model"])
    ### END HIDDEN TESTS

# %% [markdown]
# **Try:** move the first four positions five tokens on, and compare with the table. Remember these turning pairs: in Exercise 8 such pairs turn the queries and keys themselves.

# %%
moved = table[:4] @ offset_matrix(5, 64).T  # (4, E), every row times M
print("largest difference from rows 5 to 8:", float((moved - table[5:9]).abs().max()))

# %% [markdown]
# ### Exercise 3 · `article_encoding` — 2 points, difficulty 1/3, importance 1/3, about 9 minutes
# One explanation of attention prints another formula, in place of sines and cosines, and calls it hyperbolic. We name no source: what it does, you can measure. For position $p$ and column $j$, both from 0:
# $$\frac{1}{\cos a - \sin a}, \qquad a = \frac{p}{10000^{j/E}}$$
# Write it faithfully, to see what it does. Where $\cos a$ nearly equals $\sin a$, a rounding error becomes a large error: compute in **float64**, and only return float32.
#
# **Predict first:** where is the value infinite?
# <details><summary>Answer</summary>At a = π/4, and then after each half turn, π. No whole number hits it exactly, but many come close.</details>
# <details><summary>Hint 1 · idea</summary>A table of angles again, but here every column has its own exponent.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>torch.arange(…, dtype=torch.float64)</code> for rows and columns, <code>.float()</code> at the very end.</details>
# <details><summary>Hint 3 · nearly there</summary>Rows as <code>[:, None]</code>; then one expression gives the angles <code>(n, E)</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "article_encoding", "locked": false, "solution": true, "task": false}
def article_encoding(n_positions, d_model):
    """The published "hyperbolic" encoding, as printed: 1 / (cos a - sin a).

    Returns: (n, E) float32, computed in float64. Not bounded: see the next exercise.
    """
    ### BEGIN SOLUTION
    rows = torch.arange(n_positions, dtype=torch.float64)[:, None]  # (n, 1)
    columns = torch.arange(d_model, dtype=torch.float64)  # (E,)
    angles = rows / 10000 ** (columns / d_model)  # (n, E)
    return (1 / (angles.cos() - angles.sin())).float()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_article_encoding", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("article_encoding"):
    axes, one = ("position", "column"), [1, 1]
    wrong = {
        "the sign is turned round: cosine minus sine.": [[-1, -1], [3.320398, -1.010152]],
        "plus instead of minus below the line.": [one, [0.723708, 0.990148]],
        "this is cos a − sin a; the formula has 1 over it.": [one, [-0.301169, 0.98995]],
        "the bracket is missing: 1 / (cos a − sin a).": [one, [1.009345, 0.99005]],
        "the exponent is j/E; there is no 2 in this formula, and E is E itself.": [one, [-3.320398, 1.0001]],
        "p and j count from 0.": [[1.010152, 1.0001], [1.020619, 1.0002]],
        "multiplied by the power of 10000; divide.": [one, [-3.320398, 0.730629]],
        "rows are positions, columns are features: p is the row.": [[1, -3.320398], [1, 1.010152]],
        "pairs share exponents here; this formula has one for each column, j/E.": [one, [-3.320398] * 2],
    }
    got = article_encoding(2, 2)  # in row 1, the angles are 1 and 1/100
    want = torch.tensor([[1.0, 1.0], [-3.32039840, 1.01015186]])
    check.values("article_encoding(2, 2)", got, want, axes=axes, known_wrong=wrong)
    note = "Compute all in float64, exponents too; near a pole, float32 loses its right digits."
    got, want = article_encoding(424, 3)[423], torch.tensor([-0.74733696, 684.30666160, -5.63004838])
    check.values("article_encoding(424, 3)[423]", got, want, axes=("column",), tolerance=1e-5, note=note)
    ### BEGIN HIDDEN TESTS
    entry = lambda a: 1 / (math.cos(a) - math.sin(a))
    slow = lambda n, d: [[entry(i / 10000 ** (j / d)) for j in range(d)] for i in range(n)]
    sizes = [(1, 1), (1, 4), (5, 1), (4, 4), (7, 5), (3000, 8), (int(check.rng().integers(300, 900)), 33)]
    for n, d in sizes:
        call, got = f"article_encoding({n}, {d})", article_encoding(n, d)
        want = torch.tensor(slow(n, d), dtype=torch.float64)
        check.shape(call, got, (n, d), axes=axes)
        large = want.abs() >= 1e4  # beyond, only the size counts
        check.true(call, bool((got.abs() > 9e3)[large].all()), "next to a pole, values must be huge.")
        got, want = got.masked_fill(large, 0), want.masked_fill(large, 0).float()
        check.values(call, got, want, axes=axes, tolerance=1e-5, note=note)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 4 · `count_poles` — 1 point, difficulty 1/3, importance 1/3, about 8 minutes
# How often does that formula explode? Count the entries of the table whose absolute value is **strictly above** `limit`, and return an `int`.
#
# The count is of the **float64** values. `article_encoding` has already rounded to float32, so write the formula once more here.
#
# **Predict first:** a sinusoidal table: how many of its entries are above 1?
# <details><summary>Answer</summary>None, at any length.</details>
# <details><summary>Hint 1 · idea</summary>A comparison gives True and False; their sum is the count.</details>
# <details><summary>Hint 2 · shape of the answer</summary>The table in float64, its absolute values, a comparison, a sum.</details>
# <details><summary>Hint 3 · nearly there</summary>A sum of a tensor is a tensor; <code>int(…)</code> makes it a plain number.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "count_poles", "locked": false, "solution": true, "task": false}
def count_poles(n_positions, d_model, limit):
    """How many entries of the article's table exceed `limit` in absolute value.

    limit: above 0. Returns: an int, counted in float64; an entry equal to limit does not count.
    """
    ### BEGIN SOLUTION
    rows = torch.arange(n_positions, dtype=torch.float64)[:, None]  # (n, 1)
    angles = rows / 10000 ** (torch.arange(d_model, dtype=torch.float64) / d_model)  # (n, E)
    table = 1 / (angles.cos() - angles.sin())
    return int((table.abs() > limit).sum())
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_count_poles", "locked": true, "points": 1, "solution": false, "task": false}
with check.exercise("count_poles"):
    wrong = {"a negative entry is as bad: take absolute values.": 0, "this is the other side of limit.": 3}
    call = "count_poles(2, 2, 3.0)"  # the entries are 1, 1, -3.32 and 1.01
    check.values(call, count_poles(2, 2, 3.0), 1, known_wrong=wrong)
    wrong = {"an entry equal to limit does not count: strictly above.": 4, "count entries, not rows.": 1}
    call = "count_poles(2, 2, 1.0)"  # row 0 is exactly 1
    check.values(call, count_poles(2, 2, 1.0), 2, known_wrong=wrong)
    note = "Count float64 numbers, before any rounding."
    for n, limit in [(2, 3.32039837), (708, 499.15)]:  # one entry is just above, but not in float32
        check.values(f"count_poles({n}, 2, {limit})", count_poles(n, 2, limit), 1, note=note)
    ### BEGIN HIDDEN TESTS
    rng, entry = check.rng(), lambda a: abs(1 / (math.cos(a) - math.sin(a)))
    slow = lambda n, d: [entry(i / 10000 ** (j / d)) for i in range(n) for j in range(d)]
    for n, d in [(1, 3), (50, 1), (40, 7), (600, 16), (2000, 9), (int(rng.integers(100, 400)), 24)]:
        entries, limits = np.array(slow(n, d)), [0.5, 1e9]
        while len(limits) < 6:
            limit = round(float(10 ** rng.uniform(0, 2.5)), 3)
            limits += [limit] if (abs(entries / limit - 1) > 1e-8).all() else []
        for limit in limits:
            want = int((entries > limit).sum())
            check.values(f"count_poles({n}, {d}, {limit})", count_poles(n, d, limit), want)
    entries = slow(900, 16)
    both = [(x, float(np.float32(x)) - x) for x in entries if 2 < x < 100]  # with the error of float32
    # a limit between an entry and its rounded self; and one that changes sides if it is rounded, too
    for low, high, share in [(3e-8, 1, 0.5), (-1, -3e-8, 0.5), (1e-8, 2e-8, -0.4), (-2e-8, -1e-8, -0.4)]:
        limits = [entry + share * error for entry, error in both if low < error / entry < high]
        limit = limits[int(rng.integers(len(limits)))]
        want = sum(entry > limit for entry in entries)
        check.values(f"count_poles(900, 16, {limit!r})", count_poles(900, 16, limit), want, note=note)
    ### END HIDDEN TESTS

# %% [markdown]
# The formula between the whole numbers, your column 0 as dots on it, then its largest entry in tables of growing length. **Question:** which rows of a table lie next to the first two poles, in column 0? What would a layer make of one input a thousand times larger than all others?
# <details><summary>Answer</summary>Row 1 (π/4 = 0.79) and row 4 (5π/4 = 3.93). Its score drowns all others; gradients explode.</details>

# %%
a = torch.linspace(0, 8, 801)
curves = {"1 / (cos a − sin a)": (1 / (a.cos() - a.sin())).clamp(-40, 40), "sin a": a.sin()}
caption = "What to see: which dots lie next to a pole (cut off at ±40). The sine stays between −1 and 1."
ax = plot.lines(a, curves, xlabel="angle a (radians)", ylabel="value", caption=caption)
_ = ax.scatter(range(9), article_encoding(9, 1).clamp(-40, 40), color="black", zorder=3)

# %%
lengths = [2**power for power in range(2, 13)]  # 4 to 4096
largest = {"article": [float(article_encoding(n, 64).abs().max()) for n in lengths]}
largest["sinusoidal"] = [float(sinusoidal_encoding(n, 64).abs().max()) for n in lengths]
caption = "What to see: longer tables come ever closer to a pole; sinusoids never exceed 1."
ax = plot.lines(lengths, largest, xlabel="positions", ylabel="largest entry", log=True, caption=caption)
print("entries above 100 in article_encoding(512, 64):", count_poles(512, 64, 100.0), "of", 512 * 64)

# %% [markdown]
# ### Exercise 5 · `LearnedPositions` — 2 points, difficulty 2/3, importance 3/3, about 11 minutes
# Why choose the numbers by hand? Let training find them: one parameter `weight` `(max_positions, d_model)`, a row for each place. `x` is a piece of a text, and its first token stands at place `start`. Token $t$ of the piece gets
# $$x_t + \text{weight}_{\text{start} + t}$$
# Places outside the table do not exist: `start` below 0 or an end beyond it is a `ValueError` with the place and the size. Ending exactly at the end is fine. Features that do not fit must raise an error, too.
#
# **Predict first:** the table has 4 rows, the text 3 tokens. Which starts are allowed?
# <details><summary>Answer</summary>0 and 1.</details>
# <details><summary>Hint 1 · idea</summary>A slice of the parameter, added to every text of the batch.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>__init__</code> makes an <code>nn.Parameter</code>; <code>forward</code> has three checks and one line.</details>
# <details><summary>Hint 3 · nearly there</summary>A slice beyond the end is cut in silence, a negative start counts from the back, and one feature is stretched. So compare first.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "LearnedPositions", "locked": false, "solution": true, "task": false}
class LearnedPositions(nn.Module):
    """Adds a learned vector for each position.

    One parameter: weight (max_positions, d_model). forward(x (B, T, E), start=0) -> (B, T, E).
    Raises: ValueError if start is below 0, or start + T above max_positions.
    Source: Gehring et al. 2017 (arXiv:1705.03122); BERT and GPT-2 do the same.
    """

    def __init__(self, max_positions, d_model):
        super().__init__()
        ### BEGIN SOLUTION
        self.weight = nn.Parameter(0.1 * torch.randn(max_positions, d_model))
        ### END SOLUTION

    def forward(self, x, start=0):
        ### BEGIN SOLUTION
        max_positions, d_model = self.weight.shape
        end = start + x.shape[1]
        if start < 0 or end > max_positions:
            raise ValueError(f"start = {start}: x ends at {end}, but there are {max_positions} positions")
        if x.shape[-1] != d_model:
            raise ValueError(f"x has {x.shape[-1]} features, positions have {d_model}")
        return x + self.weight[start:end]  # (B, T, E) + (T, E)
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_LearnedPositions", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("LearnedPositions"):
    layer, call = LearnedPositions(4, 2), "the names and shapes of the parameters of LearnedPositions(4, 2)"
    axes = ("text", "token", "feature")
    got = sorted((name, list(part.shape)) for name, part in layer.named_parameters())
    check.values(call, got, [("weight", [4, 2])], note="One nn.Parameter, weight; a plain tensor is none.")
    layer.load_state_dict({"weight": torch.tensor([[1.0, 2], [3, 4], [5, 6], [7, 8]])}, strict=False)
    x = torch.tensor([[[10.0, 20], [30, 40]]])
    check.kept("layer(x)", layer, x)
    wrong = {
        "x itself is missing: add the positions to it.": [[[1, 2], [3, 4]]],
        "every token got the same row; token t gets row start + t.": [[[11, 22], [31, 42]]],
        "the rows come from the end of the table.": [[[15, 26], [37, 48]]],
        "positions count from 0.": [[[13, 24], [35, 46]]],
        "multiplied; add.": [[[10, 40], [90, 160]]],
    }
    check.values("layer(x)", layer(x), torch.tensor([[[11.0, 22], [33, 44]]]), axes=axes, known_wrong=wrong)
    wrong = {"start was not used.": [[[11, 22], [33, 44]]], "one row too early.": [[[13, 24], [35, 46]]]}
    got, want = layer(x, start=2), torch.tensor([[[15.0, 26], [37, 48]]])
    check.values("layer(x, start=2), which ends exactly at the end", got, want, axes=axes, known_wrong=wrong)
    # any number that tells where x lies will do: start, end, the last or the first missing place, the length
    check.raises("layer(x, start=-1)", lambda: layer(x, start=-1), mentions=("-1",))
    check.raises("layer(x, start=3)", lambda: layer(x, start=3), mentions=("4", ("5", "3", "2", "4")))
    check.raises("layer(x, start=6)", lambda: layer(x, start=6), mentions=("4", ("8", "7", "6", "2")))
    check.refuses("LearnedPositions(4, 2)", layer, [((1, 2, 1),)], error=Exception, make=torch.ones)
    check.source("LearnedPositions", forbid=("manual_seed",), allow_text="torch.randn or torch.zeros.")
    ### BEGIN HIDDEN TESTS
    sizes = [(1, 1, 1, 1, 0), (6, 3, 2, 6, 0), (7, 4, 3, 2, 5), (9, 2, 4, 4, 3), (5, 5, 2, 1, 4)]
    for (n, E, B, T, start), dtype in [(size, d) for size in sizes for d in (torch.float64, torch.float32)]:
        layer, table, x = LearnedPositions(n, E), check.randn(n, E).to(dtype), check.randn(B, T, E).to(dtype)
        layer.to(dtype)
        layer.load_state_dict({"weight": table}, strict=False)
        call = f"LearnedPositions({n}, {E})(x, start={start}), x {(B, T, E)} {dtype}"
        cotangent = check.randn(B, T, E).to(dtype)
        want = torch.stack([x[:, t] + table[start + t] for t in range(T)], dim=1)
        check.values(call, layer(x, start=start), want, axes=axes)
        want = {"x": cotangent, "weight": torch.zeros(n, E, dtype=dtype)}
        want["weight"][start : start + T] = cotangent.sum(0)
        check.learns(call, layer, lambda x: layer(x, start=start), {"x": x}, cotangent, want)
    layer = LearnedPositions(5, 3)
    starts = [(6, 0), (1, 5), (3, 3), (5, 1), (1, 50)]
    places = lambda T, start: tuple(str(n) for n in (start + T, start + T - 1, max(start, 5), start, T))
    cases = [(["5", places(T, start)], (2, T, 3), start) for T, start in starts]
    cases += [([str(start)], (2, 1, 3), start) for start in (-1, -3)]
    check.refuses("LearnedPositions(5, 3)", layer, cases, make=torch.zeros)
    for E, features in [(3, 1), (1, 3), (3, 4)]:
        name, layer = f"LearnedPositions(5, {E})", LearnedPositions(5, E)
        check.refuses(name, layer, [((2, 3, features),)], error=Exception, make=torch.zeros)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6 · `combine_positions` — 2 points, difficulty 2/3, importance 2/3, about 12 minutes
# Positions can be **added** to the tokens, or written beside them:
# $$\text{add: } x + P \;\; (B, T, E) \qquad \text{concat: } [x \mid P] \;\; (B, T, 2E)$$
# `positions` `(T, E)` is the same for every text. It is cast to the dtype of `x`, so that half precision stays half. A length other than `T`, even 1, is a `ValueError` that names `x` or `positions` and both lengths; an unknown `mode` is one that names `mode` and its value. A different number of features must raise an error, too.
#
# **Predict first:** which mode doubles the size of the next weight matrix?
# <details><summary>Answer</summary>Concat. In exchange, places and words never mix by accident.</details>
# <details><summary>Hint 1 · idea</summary>Two checks of sizes, one cast, then a branch for each mode.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>torch.cat</code> stretches nothing: give positions a batch axis first.</details>
# <details><summary>Hint 3 · nearly there</summary><code>positions.to(x.dtype).expand_as(x)</code> is <code>(B, T, E)</code>; the features are the last axis.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "combine_positions", "locked": false, "solution": true, "task": false}
def combine_positions(x, positions, mode):
    """Put positions into tokens, by "add" or "concat".

    x: (B, T, E). positions: (T, E), of any float dtype.
    Returns: (B, T, E) for "add", (B, T, 2E) with x first for "concat"; dtype of x.
    Raises: ValueError for another length than T, or another mode.
    """
    ### BEGIN SOLUTION
    if positions.shape != x.shape[1:]:
        raise ValueError(f"x is {tuple(x.shape)}, but positions is {tuple(positions.shape)}")
    positions = positions.to(x.dtype).expand_as(x)  # (B, T, E)
    if mode == "add":
        return x + positions
    if mode == "concat":
        return torch.cat([x, positions], dim=-1)  # (B, T, 2E)
    raise ValueError(f"mode must be 'add' or 'concat', got {mode!r}")
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_combine_positions", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("combine_positions"):
    axes, name = ("text", "token", "feature"), ("x", "positions")
    x, positions = torch.tensor([[[1.0, 2], [3, 4]]]), torch.tensor([[10.0, 20], [30, 40]])
    call = 'combine_positions(x, positions, "add")'
    check.kept(call, lambda x, positions: combine_positions(x, positions, "add"), x, positions)
    turns = [[[1, 10, 2, 20], [3, 30, 4, 40]]]
    wrong = {
        "every token got the same position.": [[[11, 22], [13, 24]]],
        "multiplied; add.": [[[10, 40], [90, 160]]],
        "x is missing.": [[[10, 20], [30, 40]]],
        "x comes first, then positions.": [[[10, 20, 1, 2], [30, 40, 3, 4]]],
        "x and positions alternate; first all of x, then all of positions.": turns,
    }
    got, want = combine_positions(x, positions, "add"), torch.tensor([[[11.0, 22], [33, 44]]])
    check.values(call, got, want, axes=axes, known_wrong=wrong)
    got = combine_positions(x.half(), positions, "add")
    check.values('combine_positions(x.half(), positions, "add")', got, want.half(), axes=axes)
    got, want = combine_positions(x, positions, "concat"), torch.tensor([[[1.0, 2, 10, 20], [3, 4, 30, 40]]])
    check.values('combine_positions(x, positions, "concat")', got, want, axes=axes, known_wrong=wrong)
    cases = [(["mode", "times"], (1, 2, 2), (2, 2), "times"), ([name, "2", "1"], (1, 2, 2), (1, 2), "add")]
    check.refuses("combine_positions", combine_positions, cases, make=torch.ones)
    cases = [((1, 2, 2), (2, 1), mode) for mode in ("add", "concat")]
    check.refuses("combine_positions", combine_positions, cases, error=Exception, make=torch.ones)
    ### BEGIN HIDDEN TESTS
    joined = lambda x, place, mode: torch.cat([x, place]) if mode == "concat" else x + place
    tokens = lambda row, places, mode: torch.stack([joined(x, places[t], mode) for t, x in enumerate(row)])
    slow = lambda x, places, mode: torch.stack([tokens(row, places.to(x), mode) for row in x])
    half, brain, single, double = torch.float16, torch.bfloat16, torch.float32, torch.float64
    kinds = [(own, own) for own in (single, double)] + [(own, single) for own in (double, half, brain)]
    kinds += [(single, double)]
    for B, T, E in [(1, 1, 1), (3, 3, 3), (2, 5, 4), (1, 4, 2), (4, 1, 3), (5, 2, 1)]:
        for mode, (own, other) in [(mode, kind) for mode in ("add", "concat") for kind in kinds]:
            x, positions = check.randn(B, T, E).to(own), check.randn(T, E).to(other)
            call = f"combine_positions(x, positions, {mode!r}), x {(B, T, E)} {own}, positions {other}"
            check.values(call, combine_positions(x, positions, mode), slow(x, positions, mode), axes=axes)
    for mode in ("add", "concat"):
        call, one = f"combine_positions(x, positions, {mode!r})", lambda x, p: combine_positions(x, p, mode)
        check.kept(call, one, check.randn(2, 3, 4), check.randn(3, 4))
        check.gradient(call, one, [check.randn(2, 3, 2), check.randn(3, 2)])
        cases = [([name, "4", str(n)], (4, 4, 3), (n, 3), mode) for n in (1, 3, 5, 8)]
        cases += [([name, "1", "4"], (2, 1, 3), (4, 3), mode)]
        check.refuses("combine_positions", combine_positions, cases, make=torch.ones)
        cases = [((2, 4, E), (4, features), mode) for E, features in [(3, 1), (1, 3), (3, 2)]]
        check.refuses("combine_positions", combine_positions, cases, error=Exception, make=torch.ones)
    cases = [(["mode", mode], (2, 3, 4), (3, 4), mode) for mode in ("ADD", "concatenate", "", "sub")]
    check.refuses("combine_positions", combine_positions, cases, make=torch.ones)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 7 · `ConcatProjection` — 2 points, difficulty 1/3, importance 1/3, about 7 minutes
# A published design writes positions beside the **result** of attention and projects back to $E$:
# $$y = [\text{attended} \mid P]\, W^\top + b, \qquad W: (E, 2E)$$
# It holds one layer, `proj = nn.Linear(2 * d_model, d_model)`; no activation, no residual. Another length or size of `positions` must raise an error, never be stretched.
#
# **Predict first:** for which $W$ and $b$ is this plain addition?
# <details><summary>Answer</summary>W = [I | I], two identity matrices side by side, and b = 0. So it can learn all that adding can, for 2E² + E parameters.</details>
# <details><summary>Hint 1 · idea</summary>Concat from Exercise 6, then one linear layer.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Check the shapes, give positions a batch axis, concatenate features, project.</details>
# <details><summary>Hint 3 · nearly there</summary><code>positions</code> must have the shape <code>attended.shape[1:]</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "ConcatProjection", "locked": false, "solution": true, "task": false}
class ConcatProjection(nn.Module):
    """Positions beside the attended values, projected back to their size.

    One layer: proj, nn.Linear(2 * d_model, d_model). forward(attended (B, T, E), positions (T, E)) -> (B, T, E).
    Raises: an error if positions do not have the length and size of attended.
    """

    def __init__(self, d_model):
        super().__init__()
        ### BEGIN SOLUTION
        self.proj = nn.Linear(2 * d_model, d_model)
        ### END SOLUTION

    def forward(self, attended, positions):
        ### BEGIN SOLUTION
        if positions.shape != attended.shape[1:]:
            raise ValueError(f"attended {tuple(attended.shape)}, positions {tuple(positions.shape)}")
        both = torch.cat([attended, positions.expand_as(attended)], dim=-1)  # (B, T, 2E)
        return self.proj(both)  # (B, T, E)
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_ConcatProjection", "locked": true, "points": 2, "solution": false, "task": false}
with check.exercise("ConcatProjection", needs=("combine_positions",)):
    layer, one, axes = ConcatProjection(2), torch.eye(2), ("text", "token", "feature")
    got = sorted((name, list(part.shape)) for name, part in layer.named_parameters())
    call = "the names and shapes of the parameters of ConcatProjection(2)"
    check.values(call, got, [("proj.bias", [2]), ("proj.weight", [2, 4])])
    W, b = torch.cat([one, 10 * one], dim=1), torch.tensor([100.0, -50])
    layer.load_state_dict({"proj.weight": W, "proj.bias": b}, strict=False)
    attended, positions = torch.tensor([[[1.0, 2], [3, 4]]]), torch.tensor([[5.0, 6], [7, 8]])
    wrong = {
        "attended comes first, then positions.": [[[115, -24], [137, -2]]],
        "attended was added once more; there is no residual.": [[[152, 14], [176, 38]]],
        "the bias is missing.": [[[51, 62], [73, 84]]],
        "every token got the same position.": [[[151, 12], [153, 14]]],
    }
    want = torch.tensor([[[151.0, 12], [173, 34]]])
    check.values("layer(attended, positions)", layer(attended, positions), want, axes=axes, known_wrong=wrong)
    wrong = {
        "an activation cut the negative numbers; there is none.": [[[49, 0], [27, 0]]],
        "attended was added once more; there is no residual.": [[[48, -114], [24, -138]]],
    }
    got, want = layer(-attended, -positions), torch.tensor([[[49.0, -112], [27, -134]]])
    check.values("layer(-attended, -positions)", got, want, axes=axes, known_wrong=wrong)
    check.refuses("ConcatProjection(2)", layer, [((1, 2, 2), (1, 2))], error=Exception, make=torch.ones)
    check.source("ConcatProjection", forbid=("manual_seed",), allow_text="nn.Linear and torch.cat.")
    ### BEGIN HIDDEN TESTS
    sizes = [(1, 1, 1), (3, 3, 3), (2, 5, 4), (4, 1, 2), (1, 3, 6)]
    for (B, T, E), dtype in [(size, d) for size in sizes for d in (torch.float64, torch.float32)]:
        layer, shapes = ConcatProjection(E), [(B, T, E), (T, E), (E, 2 * E), (E,)]
        leaves = attended, positions, W, b = [check.randn(*shape).requires_grad_() for shape in shapes]
        token = lambda x, place: x @ W[:, :E].T + place @ W[:, E:].T + b
        want = torch.stack([token(attended[:, t], positions[t]) for t in range(T)], dim=1)
        cotangent = check.randn(B, T, E)
        (want * cotangent).sum().backward()
        layer.to(dtype)
        layer.load_state_dict({"proj.weight": W.detach(), "proj.bias": b.detach()}, strict=False)
        given = {"attended": attended.detach().to(dtype), "positions": positions.detach().to(dtype)}
        call = f"ConcatProjection({E})(attended, positions), attended {(B, T, E)}, {dtype}"
        check.values(call, layer(*given.values()), want.detach().to(dtype), axes=axes)
        slopes = zip([*given, "proj.weight", "proj.bias"], leaves, strict=True)
        slopes = {name: leaf.grad.to(dtype) for name, leaf in slopes}
        check.learns(call, layer, layer, given, cotangent.to(dtype), slopes)
    layer = ConcatProjection(3)
    inputs = check.randn(2, 4, 3, dtype=torch.float32), check.randn(4, 3, dtype=torch.float32)
    check.kept("layer(attended, positions)", layer, *inputs)
    cases = [((2, 4, 3), shape) for shape in [(1, 3), (3, 3), (5, 3), (4, 1), (4, 2)]]
    cases += [((2, 1, 3), (4, 3)), ((2, 4, 2), (4, 4))]
    check.refuses("ConcatProjection(3)", layer, cases, error=Exception, make=torch.ones)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 8 · `apply_rope` — 3 points, difficulty 3/3, importance 3/3, about 12 minutes
# **Rotary positions** add nothing. They turn each pair of features of a query or key, $(0, 1), (2, 3), …$, by an angle that grows with its position $p$:
# $$\theta_i = \text{base}^{-2i/D}, \qquad
# \begin{pmatrix}x_{2i}\\x_{2i+1}\end{pmatrix} \to
# \begin{pmatrix}x_{2i}\cos p\theta_i - x_{2i+1}\sin p\theta_i\\ x_{2i}\sin p\theta_i + x_{2i+1}\cos p\theta_i\end{pmatrix}$$
# In Exercise 2 the sine stood first, so there the minus sign sits in the other corner. A score compares directions, so only the **difference** of two positions is left in it. Angles must be float32 or wider: float16 skips whole numbers beyond 2,048, bfloat16 beyond 256. The result has the dtype of `x`. Odd $D$: `ValueError` with its value. `positions` of another length: an error.
#
# **Predict first:** what does rope change at position 0?
# <details><summary>Answer</summary>Nothing: all angles are 0. And never the length of a vector.</details>
# <details><summary>Hint 1 · idea</summary>A table of angles (T, D/2), its cosine and sine; the first and second of every pair as two halves of the work.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>x[..., 0::2]</code> and <code>x[..., 1::2]</code> are the firsts and seconds, <code>(…, T, D/2)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary><code>torch.stack([first, second], dim=-1)</code> has <code>(…, T, D/2, 2)</code>; flatten its last two axes.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "apply_rope", "locked": false, "solution": true, "task": false}
def apply_rope(x, positions, base=10000.0):
    """Turn pairs of features by angles that grow with the position.

    x: (..., T, D) queries or keys. positions: (T,) ints, in any order.
    Returns: shape and dtype of x; angles in float32 or wider.
    Raises: ValueError if D is odd; an error if positions do not have length T.
    Source: Su et al. 2021 (arXiv:2104.09864), section 3.2.2.
    """
    ### BEGIN SOLUTION
    T, D = x.shape[-2:]
    if D % 2:
        raise ValueError(f"x has an odd number of features, D = {D}")
    if positions.shape != (T,):
        raise ValueError(f"x has {T} tokens, but positions is {tuple(positions.shape)}")
    angles = positions[:, None] * base ** (-torch.arange(0, D, 2) / D)  # (T, D/2)
    cos, sin = angles.cos(), angles.sin()
    x0, x1 = x[..., 0::2], x[..., 1::2]  # (..., T, D/2)
    turned = torch.stack([x0 * cos - x1 * sin, x0 * sin + x1 * cos], dim=-1)  # (..., T, D/2, 2)
    return turned.flatten(-2).to(x.dtype)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_apply_rope", "locked": true, "points": 3, "solution": false, "task": false}
with check.exercise("apply_rope"):
    axes, still, c, s = ("token", "feature"), [1.0, 0, 1, 0], 0.540302, 0.841471  # still: position 0
    x, positions = torch.tensor([[1.0, 0, 1, 0], [1, 0, 1, 0]]), torch.tensor([1, 0])
    turned, old = [c, s, 0.995004, 0.099833], [c, 0.454649, 0.995004, 0.099335]
    back, far, halves = [c, -s, 0.995004, -0.099833], [-0.301169, 0, 1.381773, 0], [c, 0.995004, s, 0.099833]
    wrong = {
        "turned the wrong way: the minus sign belongs to the first of a pair.": [back, still],
        "pairs are neighbours, (0, 1) and (2, 3); not (0, 2) and (1, 3).": [far, still],
        "the parts came back in halves; each pair stays together.": [halves, [1, 1, 0, 0]],
        "positions were not used; these are the angles of 0, 1, 2, ….": [still, turned],
        "the exponent is 2i/D; the 2 is missing.": [[c, s, 0.950415, 0.310984], still],
        "base was not used, or the exponent is 4i/D.": [[c, s, 0.99995, 0.01], still],
        "the exponent is negative: later pairs turn slower.": [[c, s, -0.839072, -0.544021], still],
        "every pair turned by the same angle; later pairs turn slower.": [[c, s, c, s], still],
        "the second of a pair needs the old first, before its turn.": [old, still],
        "x1 counts, too: x0 cos − x1 sin.": [[0, 0.540302]],
        "turned the wrong way: x0 cos − x1 sin.": [[0.841471, 0.540302]],
    }
    want = torch.tensor([[0.54030231, 0.84147098, 0.99500417, 0.09983342], still])
    got = apply_rope(x, positions, base=100.0)  # the angles of token 0 are 1 and 1/10
    check.values("apply_rope(x, positions, base=100.0)", got, want, axes=axes, known_wrong=wrong)
    got, want = apply_rope(torch.eye(2)[1:], torch.tensor([1])), torch.tensor([[-0.84147098, 0.54030231]])
    call = "apply_rope(torch.tensor([[0., 1.]]), torch.tensor([1]))"
    check.values(call, got, want, axes=axes, known_wrong=wrong)
    call, late = "apply_rope(torch.tensor([[1., 0.]]).half(), torch.tensor([2049]))", torch.tensor([2049])
    got, want = apply_rope(torch.eye(2)[:1].half(), late), torch.tensor([[0.776572, 0.630028]]).half()
    check.values(call, got, want, axes=axes, note="Angles in float32 or wider; the result in the dtype of x.")
    check.refuses("apply_rope", apply_rope, [("5", (2, 5), positions)], make=torch.ones)
    check.refuses("apply_rope", apply_rope, [((2, 4), late)], error=Exception, make=torch.ones)
    check.source("apply_rope", forbid=("blocks.apply_rope",), allow_text="cosines and sines.")
    ### BEGIN HIDDEN TESTS
    angles = lambda where, base, D: where[:, None] * base ** (-torch.arange(0, D, 2).double() / D)
    pairs = lambda x: torch.view_as_complex(x.double().unflatten(-1, (-1, 2)).contiguous())
    turns = lambda angle: torch.complex(angle.cos(), angle.sin())  # pairs as complex numbers, in float64
    slow = lambda x, *rest: torch.view_as_real(pairs(x) * turns(angles(*rest, x.shape[-1]))).flatten(-2)
    rng, random = check.rng(), lambda *shape: check.randn(*shape).tanh()
    check.kept("apply_rope(x, positions)", apply_rope, random(2, 3, 6), torch.tensor([2, 0, 7]))
    limits = {torch.float16: 1e-2, torch.bfloat16: 5e-2}
    for shape in [(1, 2), (3, 6), (4, 4), (2, 3, 8), (2, 3, 3, 4), (3, 1, 2, 2), (1, 4, 5, 10)]:
        for highest, tolerance in [(40, 1e-4), (4096, 1e-3)]:
            x, base = random(*shape), float(rng.integers(20, 900))
            others = rng.integers(0, highest, shape[-2] - 1).tolist()
            positions = torch.tensor([4096 % (highest + 1), *others])
            for dtype in (torch.float64, torch.float32, *limits):
                call = f"apply_rope(x, torch.tensor({positions.tolist()})), x {shape} {dtype}"
                want, limit = slow(x.to(dtype), positions, 1e4).to(dtype), limits.get(dtype, tolerance)
                note = "Angles in float32 or wider." if dtype in limits else None
                check.values(call, apply_rope(x.to(dtype), positions), want, tolerance=limit, note=note)
            call = f"apply_rope(x, torch.tensor({positions.tolist()}), base={base}), x {shape}"
            got = apply_rope(x, positions, base=base)
            check.values(call, got, slow(x, positions, base), tolerance=tolerance)
    x, call = random(2, 3, 6), "apply_rope(x, torch.zeros(3, dtype=torch.int64)), x float64"
    got = apply_rope(x, torch.zeros(3, dtype=torch.int64))
    check.values(call, got, x, note="x itself must stay float64; only angles may be float32.")
    positions = torch.tensor([2, 0, 7])
    check.gradient("apply_rope(x, positions)", lambda x: apply_rope(x, positions), [x])
    view = random(2, 3, 4, 8).transpose(1, 2)  # heads split from (B, T, H, D)
    got = apply_rope(view, positions)
    check.values("apply_rope of a transposed view", got, slow(view, positions, 1e4), tolerance=1e-4)
    q, k, turned = random(1, 16), random(1, 16), lambda x, p: apply_rope(x, torch.tensor([p]))
    check.shape("apply_rope(q, torch.tensor([5]))", turned(q, 5), (1, 16))
    scores = [float((turned(q, p + 5) * turned(k, p)).sum()) for p in (0, 9, 800, 4091)]
    call = "apply_rope(q, torch.tensor([p + 5])) times apply_rope(k, torch.tensor([p]))"
    check.values(call, scores, [scores[0]] * 4, tolerance=2e-3, note="Only the distance may count.")
    cases = [(str(D), (1, D), torch.tensor([3])) for D in (1, 7)]
    check.refuses("apply_rope", apply_rope, cases, make=torch.ones)
    cases = [((2, T, 4), torch.arange(n)) for T, n in [(4, 1), (1, 4), (4, 3), (4, 6)]]
    check.refuses("apply_rope", apply_rope, cases, error=Exception, make=torch.ones)
    ### END HIDDEN TESTS

# %% [markdown]
# One random query and key, their score against the distance; the query sits at 40, 400 or 4000. **Question:** why three lines but only one curve? Does the score simply fall with distance?
# <details><summary>Answer</summary>Only the distance counts, not the place. It falls for some queries and keys and swings for others; training decides.</details>

# %%
q, k = torch.randn(2, 1, 32, generator=torch.Generator().manual_seed(3))  # (T, D) = (1, 32) each
scores = {}
for place in (40, 400, 4000):
    keys = apply_rope(k.expand(40, 32), place - torch.arange(40))  # the same key at 40 places
    scores[f"query at {place}"] = (keys @ apply_rope(q, torch.tensor([place])).T)[:, 0]
caption = "What to see: the three lines lie on each other."
ax = plot.lines(range(40), scores, xlabel="distance (tokens)", ylabel="score", caption=caption)

# %% [markdown]
# ### Exercise 9 · `alibi_bias` — 3 points, difficulty 3/3, importance 2/3, about 14 minutes
# **ALiBi** leaves tokens alone and lowers scores: the further, the lower, with a slope $m_h$ for each head. Queries align with the end of the keys.
# $$\text{bias}_{hij} = -m_h\, \lvert i + S - T - j\rvert$$
# For $H$ a power of two, $m_h = 2^{-8h/H}$, $h = 1 … H$. For other $H$, as published: with $n$ the largest power of two below $H$, first the $n$ slopes of $n$ heads; then, of the slopes of $2n$ heads, the 1st, 3rd, 5th, … until there are $H$. Fewer keys than queries: `ValueError` with both numbers. What you say of future keys does not count.
#
# **Predict first:** the slopes of 2 heads? Of 3?
# <details><summary>Answer</summary>1/16 and 1/256; for 3 heads one more at the end, 1/4, the first of the four slopes for 4 heads.</details>
# <details><summary>Hint 1 · idea</summary>Two tables: slopes <code>(H,)</code> and distances <code>(T, S)</code>.</details>
# <details><summary>Hint 2 · shape of the answer</summary>A small function for powers of two, used for n and for 2n; <code>[::2]</code> takes every second.</details>
# <details><summary>Hint 3 · nearly there</summary><code>1 &lt;&lt; (H.bit_length() - 1)</code> is the largest power of two up to H. Slopes need two more axes, <code>[:, None, None]</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "alibi_bias", "locked": false, "solution": true, "task": false}
def alibi_bias(n_heads, n_queries, n_keys):
    """What ALiBi adds to the scores: the further a key, the lower.

    n_heads: H, any number above 0. n_queries: T. n_keys: S; the last query is at the last key.
    Returns: (H, T, S) float32; for past keys negative, at distance 0 it is 0, for future keys anything.
    Raises: ValueError if S < T; the message holds both numbers.
    Source: Press et al. 2022 (arXiv:2108.12409), and the code the authors published for other H.
    """
    ### BEGIN SOLUTION
    if n_keys < n_queries:
        raise ValueError(f"n_keys is {n_keys}, but n_queries is {n_queries}")

    def slopes(n):  # n a power of two
        return [2 ** (-8 * (h + 1) / n) for h in range(n)]

    n = 1 << (n_heads.bit_length() - 1)  # the largest power of two up to H
    slope = torch.tensor(slopes(n) + slopes(2 * n)[::2][: n_heads - n])  # (H,)
    query_positions = torch.arange(n_queries)[:, None] + n_keys - n_queries  # (T, 1)
    distance = (query_positions - torch.arange(n_keys)).abs()  # (T, S)
    return -slope[:, None, None] * distance  # (H, T, S)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_alibi_bias", "locked": true, "points": 3, "solution": false, "task": false}
with check.exercise("alibi_bias"):
    axes, few, fewer = ("head", "query", "key"), 1 / 16, 1 / 256

    def past(call, got, H, T, S):  # only past keys are compared: 0 for all that come later
        check.shape(call, got, (H, T, S), axes=axes)
        return got.masked_fill(torch.arange(S) > torch.arange(T)[:, None] + S - T, 0)

    biases = lambda *slopes: [[[-m, 0, 0], [-2 * m, -m, 0]] for m in slopes]  # with the future 0
    centred, three = [[[0, -m, 0], [-m, 0, -m]] for m in (few, fewer)], [0.25, few, few / 4]
    wrong = {
        "the sign is turned round: far keys get less.": biases(-few, -fewer),
        "query 0 sits at key 1: queries align with the end of the keys.": centred,
        "queries align with the end of the keys.": [[[0, 0, 0], [-m, 0, 0]] for m in (few, fewer)],
        "slopes count from h = 1, so the first is 2^(−8/H).": biases(1, few),
        "the slopes are in the wrong order: head 0 has the largest.": biases(fewer, few),
        "2 to the power −8h, not divided by H.": biases(fewer, 1 / 65536),
        "the slopes are those of 8 heads; they depend on H.": biases(0.5, 0.25),
        "the slopes are missing.": biases(1, 1),
    }
    call, want = "alibi_bias(2, 2, 3)", torch.tensor(biases(few, fewer))
    check.values(call, past(call, alibi_bias(2, 2, 3), 2, 2, 3), want, axes=axes, known_wrong=wrong)
    wrong = {
        "3 is no power of two: two slopes of 2 heads, then one of 4.": [0.15749, 0.024803, 0.003906],
        "the extra slope comes last; do not sort.": [0.25, 0.0625, 1 / 256],
        "the first three slopes of 4 heads; the published ones begin with those of 2.": three,
        "the extra slope is the first of those for 4 heads, not the last.": [0.0625, 1 / 256, 1 / 256],
        "of the slopes for 4 heads take the 1st, 3rd, …; this is the 2nd.": [0.0625, 1 / 256, 0.0625],
    }
    call, want = "alibi_bias(3, 1, 2)", torch.tensor([1 / 16, 1 / 256, 1 / 4])
    got = -past(call, alibi_bias(3, 1, 2), 3, 1, 2)[:, 0, 0]
    check.values("-alibi_bias(3, 1, 2)[:, 0, 0], the slopes", got, want, axes=("head",), known_wrong=wrong)
    check.refuses("alibi_bias", alibi_bias, [("32", 2, 3, 2)])
    check.source("alibi_bias", forbid=("blocks.alibi_bias",), allow_text="torch.arange and arithmetic.")
    ### BEGIN HIDDEN TESTS
    powers = lambda n: [2 ** (-8 * h / n) for h in range(1, n + 1)]
    slopes = lambda H, n: torch.tensor([*powers(n), *powers(2 * n)[::2]][:H])[:, None, None]
    behind = lambda T, S: torch.tensor([[max(i + S - T - j, 0) for j in range(S)] for i in range(T)])
    slow = lambda H, T, S: -slopes(H, max(2**e for e in range(9) if 2**e <= H)) * behind(T, S)
    heads = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16)
    sizes = [(H, *check.rng().integers([1, 5], [5, 9]).tolist()) for H in heads]
    for H, T, S in [*sizes, (8, 4, 4), (4, 1, 1), (20, 2, 3), (32, 3, 3), (2, 3, 300), (1, 1, 1)]:
        call, want = f"alibi_bias({H}, {T}, {S})", slow(H, T, S)
        got = past(call, alibi_bias(H, T, S), H, T, S)
        check.values(call, got, want, axes=axes)
        ratio = torch.where(want == 0, 1.0, got / torch.where(want == 0, 1.0, want))
        note = "The smallest slope counts, too."
        check.values(f"{call} divided by the right values", ratio, torch.ones(H, T, S), axes=axes, note=note)
    check.refuses("alibi_bias", alibi_bias, [("21", 4, 2, 1), ("94", 4, 9, 4)])
    ### END HIDDEN TESTS

# %% [markdown]
# All keys have the same score; only the bias differs. **Question:** which head sees the whole text? Which would find the nearest word?
# <details><summary>Answer</summary>Head 7, the smallest slope, sees nearly all alike. Head 0 sees what is near.</details>

# %%
bias = alibi_bias(8, 1, 12)[:, 0]  # (H, S): the last query
caption = "What to see: head 0 looks at the end, head 7 at everything."
ax = plot.weights(bias.softmax(dim=-1), queries=[f"head {h}" for h in range(8)], caption=caption)
_ = ax.set_ylabel("heads of the last query")

# %% [markdown]
# ## Experiment: trained at 32, tested at 128
# The task needs order: letters between gaps; at every gap, **name the last letter**. One small layer of causal attention, the same each time; only its positions differ. Texts of 32 tokens to learn from, 128 to be tested. Guessing gets one in eight right.
#
# **Predict first:** which of the six keep up beyond position 32?

# %%
extrapolate.show(*extrapolate.last_letter(1, 24, torch.Generator().manual_seed(1)))
readers = {}

# %% [markdown]
# The model calls your functions. If one is not written yet, put `blocks.` before its name, or leave out its line. Training takes some seconds for each, a minute or two for all on a busy computer. Results stay in `readers`: after an interrupt, run the cell again and it goes on with the next.

# %%
ways = {"none": {}, "sinusoidal": {"add": sinusoidal_encoding}, "article": {"add": article_encoding}}
ways |= {"ALiBi": {"bias": alibi_bias}}
ways |= {"learned": {"module": lambda: LearnedPositions(128, 32)}}
ways |= {"rotary": {"turn": apply_rope}}
extrapolate.train_all(readers, ways, steps=300)

# %% [markdown]
# Accuracy at each stretch of 8 positions, in 500 new texts of 128 tokens; a second or so for each line. **Questions:** where do lines fall, and which do not? Among those that were right up to 32, is there one that falls slowly?

# %%
curves = extrapolate.accuracy(readers)
caption = "What to see: how each line goes on to the right of position 32, where training ended."
ax = plot.lines(range(4, 128, 8), curves, xlabel="position (tokens)", ylabel="share right", caption=caption)
_ = ax.axvline(32, color="black", linewidth=0.8, linestyle="--")

# %% [markdown]
# <details><summary>How to read it</summary>ALiBi's line stays up. Learned, sinusoidal and rotary are down at guessing by position 60; none of them falls slowly. Learned rows beyond 32 never got a gradient, and unseen clock readings are as new to the model. Rotary knows distances, yet meets larger ones than it has learned: it lasts a stretch or so longer, then falls as fast. ALiBi only says "nearer counts more", and this task is made for that. Without positions, one layer can only count letters. The article's huge entries blur the words even where it was trained: its line is lower at 28 than at 4.</details>
#
# **Honest:** one task, one small layer, one seed. Now ask for **the letter three places back**: three of the models, trained anew, in half the time.
#
# **Predict first:** what does "nearer counts more" know about exactly three?

# %%
again, few = {}, {name: parts for name, parts in ways.items() if name in ("sinusoidal", "rotary", "ALiBi")}
extrapolate.train_all(again, few, steps=300, texts=extrapolate.three_back)
curves = extrapolate.accuracy(again, texts=extrapolate.three_back)
caption = "What to see: which lines are high up to position 32, and which one stays as it is."
ax = plot.lines(range(4, 128, 8), curves, xlabel="position (tokens)", ylabel="share right", caption=caption)
_ = ax.axvline(32, color="black", linewidth=0.8, linestyle="--")

# %% [markdown]
# <details><summary>Answer</summary>Little. ALiBi is as good at 128 as at 32, but good at neither: it can prefer near letters, not pick out the third. Rotary and sinusoidal are right up to 32, then fall. In our run sinusoidal came partly back near position 52, perhaps because after 44 tokens its two fastest hands (7 and nearly 4 rounds) stand almost as before. So the winner above won by its task.</details>

# %% [markdown]
# ## Where this is used
# - **Sinusoidal**: the first Transformer, for translation; lesson 07 uses it. Diffusion models read the time step so.
# - **Learned**: BERT and GPT-2, for tagging, sentiment, question answering; image Transformers, a row for each patch.
# - **Rotary**: most open language models, Llama and SmolLM2 among them.
# - **ALiBi**: BLOOM and MPT, both language models.
#
# An honest limit: a length that can be read is not a length that is understood. Test with texts as long as yours.
#
# ## Limits
# - Each method extrapolates only as far as the task resembles its built-in idea of order.
# - ALiBi makes the far past faint, by design; some questions are about the far past.
# - Long contexts of rotary models come from training on longer texts or from slowing the clocks, not from rope alone.
#
# ## Summary
# 1. Attention sees a set. Order comes in by adding a vector, turning queries and keys, or a bias on scores.
# 2. Sines and cosines are bounded, and a shift is one matrix; the article's formula has poles and neither property.
# 3. Rotary and ALiBi depend on the distance alone. That helps, yet does not make a model read any length.

# %% [markdown]
# ## Questions and answers
# **Why add and not concatenate?** Concat with a projection contains addition (Exercise 7). Adding is cheaper, and in many dimensions words and places find room side by side.
#
# **Must the base be 10,000?** No. It sets the slowest hand. Models for long contexts often use far larger bases.
#
# **My rotary code differs from a library's!** Many pair feature $i$ with $i + D/2$, not with its neighbour. Both work, but weights trained with one are wrong for the other.
#
# ## Further reading
# - Vaswani et al. 2017, *Attention is all you need* (arXiv:1706.03762), section 3.5.
# - Gehring et al. 2017, *Convolutional sequence to sequence learning* (arXiv:1705.03122): learned positions.
# - Su et al. 2021, *RoFormer* (arXiv:2104.09864): rotary positions.
# - Press, Smith, Lewis 2022, *Train short, test long* (arXiv:2108.12409): ALiBi.
# - Haviv et al. 2022 (arXiv:2203.16634) and Kazemnejad et al. 2023 (arXiv:2305.19466): models without positions.
