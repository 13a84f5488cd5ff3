"""Known answers to lesson 01: each cell is the whole text of one solution cell (see autograder/author/bank.py).

A wrong answer is a mistake that learners make; it must lose its exercise, and only that, and read the
words after `reads:`. A right answer is written in another way than the lesson's and must earn its points.
"""

# %% wrong softmax: no largest score subtracted
# reads: subtract the largest score first
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    exps = np.exp(scores / temperature)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: divides by the temperature before subtracting
# reads: Subtract the largest score before you divide
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    scores = scores / temperature
    top = scores.max(axis=axis, keepdims=True)
    exps = np.exp(scores - np.where(np.isneginf(top), 0, top))
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: axis ignored
# reads: axis was not used
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=-1, keepdims=True)
    exps = np.exp((scores - np.where(np.isneginf(top), 0, top)) / temperature)
    total = exps.sum(axis=-1, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: the whole array adds up to 1
# reads: the whole array adds up to 1
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    exps = np.exp((scores - scores.max()) / temperature)
    return exps / exps.sum()

# %% wrong softmax: keepdims forgotten
# reads: keepdims=True
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=axis)
    exps = np.exp((scores - np.where(np.isneginf(top), 0, top)) / temperature)
    total = exps.sum(axis=axis)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: keepdims forgotten, and no care for a row of -inf
# reads: then care for a row of -inf
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    exps = np.exp((scores - scores.max(axis=axis)) / temperature)
    return exps / exps.sum(axis=axis)

# %% wrong softmax: keepdims forgotten for the sum
# reads: keepdims=True
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=axis, keepdims=True)
    exps = np.exp((scores - np.where(np.isneginf(top), 0, top)) / temperature)
    total = exps.sum(axis=axis)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: a row of -inf gives NaN
# reads: a row of -inf needs its own care
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    exps = np.exp((scores - scores.max(axis=axis, keepdims=True)) / temperature)
    return exps / exps.sum(axis=axis, keepdims=True)

# %% wrong softmax: -inf replaced by a large negative number
# reads: nobody may look
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    scores = np.maximum(scores, -1e9)
    exps = np.exp((scores - scores.max(axis=axis, keepdims=True)) / temperature)
    return exps / exps.sum(axis=axis, keepdims=True)

# %% wrong softmax: zeros only if the whole array is -inf
# reads: a row of -inf needs its own care
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    if np.isneginf(scores).all():
        return np.zeros_like(scores)
    exps = np.exp((scores - scores.max(axis=axis, keepdims=True)) / temperature)
    return exps / exps.sum(axis=axis, keepdims=True)

# %% wrong softmax: one row of -inf makes everything zeros
# reads: entries differ
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    if np.isneginf(scores.max(axis=axis)).any():
        return np.zeros_like(scores)
    exps = np.exp((scores - scores.max(axis=axis, keepdims=True)) / temperature)
    return exps / exps.sum(axis=axis, keepdims=True)

# %% wrong softmax: multiplies by the temperature
# reads: multiplied by the temperature
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=axis, keepdims=True)
    exps = np.exp((scores - np.where(np.isneginf(top), 0, top)) * temperature)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: temperature ignored
# reads: the temperature was not used
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=axis, keepdims=True)
    exps = np.exp(scores - np.where(np.isneginf(top), 0, top))
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: weights divided by the temperature
# reads: the weights were divided by the temperature
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=axis, keepdims=True)
    exps = np.exp(scores - np.where(np.isneginf(top), 0, top))
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total) / temperature

# %% wrong softmax: lets a temperature of NaN pass
# reads: temperature=nan) must raise a ValueError
def softmax(scores, axis=-1, temperature=1.0):
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=axis, keepdims=True)
    exps = np.exp((scores - np.where(np.isneginf(top), 0, top)) / temperature)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: lets a temperature of 0 pass
# reads: temperature=0.0) must raise a ValueError
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature >= 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=axis, keepdims=True)
    exps = np.exp((scores - np.where(np.isneginf(top), 0, top)) / temperature)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: checks the temperature with assert
# reads: must raise a ValueError
def softmax(scores, axis=-1, temperature=1.0):
    assert temperature > 0, f"temperature is {temperature}"
    top = scores.max(axis=axis, keepdims=True)
    exps = np.exp((scores - np.where(np.isneginf(top), 0, top)) / temperature)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: its error does not say the value
# reads: its message does not say enough
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature must be positive")
    top = scores.max(axis=axis, keepdims=True)
    exps = np.exp((scores - np.where(np.isneginf(top), 0, top)) / temperature)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: changes scores in place
# reads: changes its input in place
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=axis, keepdims=True)
    scores -= np.where(np.isneginf(top), 0, top)
    exps = np.exp(scores / temperature)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: float64 whatever comes in
# reads: dtype float64, expected float32
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    scores = np.array(scores, dtype=np.float64)
    top = scores.max(axis=axis, keepdims=True)
    exps = np.exp((scores - np.where(np.isneginf(top), 0, top)) / temperature)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: subtracts the largest of the whole array
# reads: Every row has its own largest score
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max()
    exps = np.exp((scores - np.where(np.isneginf(top), 0, top)) / temperature)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: powers of two
# reads: 2 to the power of the scores
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=axis, keepdims=True)
    exps = np.exp2((scores - np.where(np.isneginf(top), 0, top)) / temperature)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: divides the scores by their sum
# reads: take the exponential of every score first
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    return scores / scores.sum(axis=axis, keepdims=True)

# %% wrong softmax: exponentials, not divided by their sum
# reads: divide them by their sum
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    return np.exp(scores / temperature)

# %% wrong softmax: subtracts, but forgets the sum
# reads: divide by the sum of the exponentials
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    return np.exp((scores - scores.max(axis=axis, keepdims=True)) / temperature)

# %% wrong softmax: the sign turned round
# reads: the sign of the scores was turned round
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    exps = np.exp((scores.max(axis=axis, keepdims=True) - scores) / temperature)
    return exps / exps.sum(axis=axis, keepdims=True)

# %% wrong softmax: torch does it
# reads: off limits
def softmax(scores, axis=-1, temperature=1.0):
    import torch

    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=axis, keepdims=True)
    shifted = torch.from_numpy((scores - np.where(np.isneginf(top), 0, top)) / temperature)
    return torch.nan_to_num(shifted.softmax(dim=axis)).numpy()

# %% wrong softmax: blocks does it
# reads: off limits
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=axis, keepdims=True)
    return blocks.softmax((scores - np.where(np.isneginf(top), 0, top)) / temperature, axis=axis)

# %% wrong softmax: clips scores to ±50
# reads: entries differ
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    exps = np.exp(np.clip(scores / temperature, -50, 50)) * ~np.isneginf(scores)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)

# %% wrong softmax: NaN from the overflow swept to 0
# reads: entries differ
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    exps = np.exp(scores / temperature)
    return np.nan_to_num(exps / exps.sum(axis=axis, keepdims=True))

# %% wrong softmax: a small number added to the sum
# reads: differ
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    top = scores.max(axis=axis, keepdims=True)
    exps = np.exp((scores - np.where(np.isneginf(top), 0, top)) / temperature)
    return exps / (exps.sum(axis=axis, keepdims=True) + 1e-6)

# %% wrong softmax: no return
# reads: Is a `return` missing?
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}")
    exps = np.exp(scores - scores.max(axis=axis, keepdims=True))
    exps / exps.sum(axis=axis, keepdims=True)

# %% wrong softmax: torch's own function under another name
# reads: off limits
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    import torch
    t = torch.tensor(scores)
    t = (t - t.amax(axis, keepdim=True).nan_to_num(neginf=0.0)) / temperature
    return torch._softmax(t, axis, False).nan_to_num(0.0).numpy()

# %% wrong softmax: blocks' masked softmax
# reads: off limits
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    import torch
    t = torch.tensor(scores).movedim(axis, -1)
    t = (t - t.amax(-1, keepdim=True).nan_to_num(neginf=0.0)) / temperature
    return blocks.masked_softmax(t, t.isfinite()).movedim(-1, axis).numpy()

# %% wrong softmax: softmin of the negative
# reads: off limits
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    import torch
    t = torch.tensor(scores)
    t = (t - t.amax(axis, keepdim=True).nan_to_num(neginf=0.0)) / temperature
    return torch.nn.functional.softmin(-t, dim=axis).nan_to_num(0.0).numpy()

# %% wrong softmax: the gradient of logsumexp
# reads: off limits
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    import torch
    with torch.enable_grad():
        t = torch.tensor(scores)
        t = ((t - t.amax(axis, keepdim=True).nan_to_num(neginf=0.0)) / temperature).requires_grad_()
        return torch.autograd.grad(t.logsumexp(axis).sum(), t)[0].nan_to_num(0.0).numpy()

# %% wrong softmax: a distribution of torch's
# reads: off limits
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    import torch
    t = torch.tensor(scores).movedim(axis, -1)
    t = ((t - t.amax(-1, keepdim=True).nan_to_num(neginf=0.0)) / temperature)
    dead = t.isneginf().all(-1, keepdim=True)
    p = torch.distributions.Categorical(logits=t.masked_fill(dead, 0.0), validate_args=False).probs
    return p.masked_fill(dead, 0.0).movedim(-1, axis).numpy()

# %% wrong softmax: asked for by attrgetter
# reads: off limits
from operator import attrgetter
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    largest = scores.max(axis=axis, keepdims=True)
    import torch
    t = torch.tensor((scores - np.where(largest == -np.inf, 0, largest)) / temperature)
    return attrgetter("softmax")(torch)(t, axis).nan_to_num(0.0).numpy()

# %% wrong softmax: taken in a match
# reads: off limits
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    largest = scores.max(axis=axis, keepdims=True)
    import torch
    t = torch.tensor((scores - np.where(largest == -np.inf, 0, largest)) / temperature)
    match t:
        case object(softmax=share):
            return share(axis).nan_to_num(0.0).numpy()

# %% wrong softmax: taken from vars
# reads: off limits
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    largest = scores.max(axis=axis, keepdims=True)
    import torch
    t = torch.tensor((scores - np.where(largest == -np.inf, 0, largest)) / temperature)
    return vars(torch).get("softmax")(t, axis).nan_to_num(0.0).numpy()

# %% wrong softmax: the finished weights get the temperature as a power
# reads: temperature=5000.0)
# reads: want  0.731059
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    largest = scores.max(axis=axis, keepdims=True)
    largest[largest == -np.inf] = 0
    e = np.exp(scores - largest) ** (1 / temperature)
    total = e.sum(axis=axis, keepdims=True)
    total[total == 0] = 1
    return e / total


# %% wrong softmax: -inf becomes -10,000
# reads: softmax(np.array([[1e4, 1e4], [-1e4, -np.inf]])): 2 of 4 entries differ
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    finite = np.maximum(scores, -1e4)
    e = np.exp((finite - finite.max(axis=axis, keepdims=True)) / temperature)
    e = np.where(np.isneginf(scores).all(axis=axis, keepdims=True), 0, e)
    total = e.sum(axis=axis, keepdims=True)
    return e / np.where(total == 0, 1, total)


# %% wrong softmax: temperatures below 0.1 count as 0.1
# reads: temperature=0.0078125)
# reads: want  0.731059
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    largest = scores.max(axis=axis, keepdims=True)
    largest[largest == -np.inf] = 0
    e = np.exp((scores - largest) / max(temperature, 0.1))
    total = e.sum(axis=axis, keepdims=True)
    total[total == 0] = 1
    return e / total


# %% right softmax: row by row in plain Python
import math

def softmax(scores, axis=-1, temperature=1.0):
    if temperature != temperature or temperature <= 0:
        raise ValueError(f"need temperature > 0, not {temperature:.2f}")

    def one_row(row):
        top = max(row)
        if top == -math.inf:
            return np.zeros(len(row))
        exps = [math.exp((float(number) - float(top)) / temperature) for number in row]
        return np.array([exp / sum(exps) for exp in exps])

    return np.apply_along_axis(one_row, axis, scores).astype(scores.dtype)

# %% right softmax: logarithm of the sum
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError("temperature", temperature)
    top = np.max(scores, axis, keepdims=True)
    top[np.isneginf(top)] = 0
    shifted = (scores - top) / temperature
    with np.errstate(divide="ignore"):
        log_total = np.log(np.exp(shifted).sum(axis, keepdims=True))
    log_total[np.isneginf(log_total)] = 0
    return np.exp(shifted - log_total)

# %% right softmax: float64 inside, NaN swept up after a stable form
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"the temperature {temperature!r} is not positive")
    wide = scores.astype(np.float64)
    with np.errstate(invalid="ignore"):
        exps = np.nan_to_num(np.exp((wide - wide.max(axis=axis, keepdims=True)) / temperature))
        return np.nan_to_num(exps / exps.sum(axis=axis, keepdims=True)).astype(scores.dtype)

# %% right softmax: another masking constant, zeroed at the end
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature: {temperature}")
    seen = ~np.isneginf(scores)
    work = np.moveaxis(np.where(seen, scores, np.finfo(scores.dtype).min), axis, 0)
    with np.errstate(over="ignore"):
        exps = np.exp((work - work.max(axis=0)) / temperature)
    return np.moveaxis(exps / exps.sum(axis=0), 0, axis) * seen

# %% right softmax: recursion over the leading axes
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    if scores.ndim > 1:
        rows = np.moveaxis(scores, axis, -1)
        return np.moveaxis(np.stack([softmax(row, -1, temperature) for row in rows]), -1, axis)
    if np.isneginf(scores).all():
        return np.zeros_like(scores)
    weights = np.exp((scores - scores.max()) / temperature)
    return weights / weights.sum()

# %% right softmax: division where there is something, Chinese names
def softmax(scores, axis=-1, temperature=1.0):
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    最大 = scores.max(axis, keepdims=True)
    差 = (scores - np.where(np.isfinite(最大), 最大, 0)) / temperature
    指数 = np.exp(差)
    总 = 指数.sum(axis, keepdims=True)
    return np.divide(指数, 总, out=np.zeros_like(指数), where=总 > 0)

# %% wrong dot_score: products not added up
# reads: has shape (3, 2), expected (3,)
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return keys * query

# %% wrong dot_score: adds up over the keys
# reads: has shape (2,), expected (3,)
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return (keys * query).sum(axis=0)

# %% wrong dot_score: mean over the features
# reads: these are means over the features
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return (keys * query).mean(axis=-1)

# %% wrong dot_score: absolute value
# reads: do not take the absolute value
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return np.abs(keys @ query)

# %% wrong dot_score: scaled
# reads: that is Exercise 4
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return keys @ query / query.size**0.5

# %% wrong dot_score: cosine
# reads: that is Exercise 3
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return keys @ query / np.linalg.norm(query) / np.linalg.norm(keys, axis=-1)

# %% wrong dot_score: softmax at the end
# reads: a score is the plain number before softmax
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return blocks.softmax(keys @ query)

# %% wrong dot_score: leaves the error to NumPy
# reads: also mentions query or key
def dot_score(query, keys):
    return keys @ query

# %% wrong dot_score: stretches a size of 1
# reads: dot_score(np.ones(2), np.ones((3, 1))) must raise a ValueError
def dot_score(query, keys):
    return (keys * query).sum(axis=-1)

# %% wrong dot_score: lets keys of size 1 pass
# reads: must raise a ValueError
def dot_score(query, keys):
    if keys.shape[-1] not in (1, query.shape[-1]):
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return (keys * query).sum(axis=-1)

# %% wrong dot_score: lets a query of size 1 pass
# reads: dot_score(np.ones(1), np.ones((3, 4))) must raise a ValueError
def dot_score(query, keys):
    if query.shape[-1] not in (1, keys.shape[-1]):
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return (keys * query).sum(axis=-1)

# %% wrong dot_score: the error names no sizes
# reads: its message does not say enough
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError("query and keys have different sizes")
    return keys @ query

# %% wrong dot_score: the error says only one size
# reads: its message does not say enough
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"keys must have size {query.shape[-1]}, like the query")
    return keys @ query

# %% wrong dot_score: assert in place of an error
# reads: must raise a ValueError
def dot_score(query, keys):
    assert keys.shape[-1] == query.shape[-1], f"query {query.shape}, keys {keys.shape}"
    return keys @ query

# %% wrong dot_score: compares with the number of keys
# reads: ValueError
def dot_score(query, keys):
    if keys.shape[0] != query.shape[0]:
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return keys @ query

# %% wrong dot_score: float64 whatever comes in
# reads: dtype float64, expected float32
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return np.array([float(key @ query) for key in keys])

# %% wrong dot_score: multiplies into the keys
# reads: changes its input in place
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    keys *= query
    return keys.sum(axis=-1)

# %% wrong dot_score: a list
# reads: not a numpy.ndarray
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return [sum(a * b for a, b in zip(query, key)) for key in keys]

# %% wrong dot_score: a column
# reads: has shape (3, 1), expected (3,)
def dot_score(query, keys):
    if keys.shape[-1] != query.shape[-1]:
        raise ValueError(f"query {query.shape}, keys {keys.shape}")
    return keys @ query[:, None]

# %% right dot_score: loops
def dot_score(query, keys):
    if len(query) != keys.shape[1]:
        raise ValueError(f"keys of size {keys.shape[1]} do not fit a query of size {len(query)}")
    scores = np.zeros(len(keys), dtype=keys.dtype)
    for j in range(len(keys)):
        for d in range(len(query)):
            scores[j] += query[d] * keys[j, d]
    return scores

# %% right dot_score: einsum
def dot_score(query, keys):
    if query.shape != keys.shape[1:]:
        raise ValueError("shapes", "query", query.shape, "keys", keys.shape)
    return np.einsum("d,sd->s", query, keys)

# %% right dot_score: product and sum
def dot_score(query, keys):
    if query.size != keys[0].size:
        raise ValueError(f"query.size={query.size} but each key has {keys[0].size}")
    return np.sum(query[None, :] * keys, axis=1)

# %% right dot_score: the query on the left, NumPy's error put in other words
def dot_score(query, keys):
    try:
        return query @ keys.T
    except ValueError as error:
        raise ValueError(f"query {query.shape} and keys {keys.shape} differ in size") from error

# %% wrong cosine_score: plain dot product
# reads: divide by both lengths
def cosine_score(query, keys, eps=1e-8):
    return keys @ query

# %% wrong cosine_score: only the keys' lengths
# reads: the query has a length, too
def cosine_score(query, keys, eps=1e-8):
    return keys @ query / np.maximum(np.linalg.norm(keys, axis=-1), eps)

# %% wrong cosine_score: only the query's length
# reads: every key has its own
def cosine_score(query, keys, eps=1e-8):
    return keys @ query / max(float(np.linalg.norm(query)), eps)

# %% wrong cosine_score: squared lengths
# reads: take the square root
def cosine_score(query, keys, eps=1e-8):
    return keys @ query / np.maximum((query**2).sum() * (keys**2).sum(axis=-1), eps)

# %% wrong cosine_score: no floor
# reads: the floor eps is missing
def cosine_score(query, keys, eps=1e-8):
    return keys @ query / (np.linalg.norm(query) * np.linalg.norm(keys, axis=-1))

# %% wrong cosine_score: eps added
# reads: eps was added
def cosine_score(query, keys, eps=1e-8):
    return keys @ query / (np.linalg.norm(query) * np.linalg.norm(keys, axis=-1) + eps)

# %% wrong cosine_score: a floor for each length
# reads: floor for the product of both lengths
def cosine_score(query, keys, eps=1e-8):
    below = np.maximum(np.linalg.norm(query), eps) * np.maximum(np.linalg.norm(keys, axis=-1), eps)
    return (keys @ query / below).astype(keys.dtype)

# %% wrong cosine_score: a floor for each length, as its square root
# reads: eps is a floor for each key's product of lengths
def cosine_score(query, keys, eps=1e-8):
    root = eps**0.5
    return keys @ query / (np.maximum(np.linalg.norm(keys, axis=-1), root) * max(float(np.linalg.norm(query)), root))

# %% wrong cosine_score: eps ignored, zeros replaced
# reads: eps is a floor for the product
def cosine_score(query, keys, eps=1e-8):
    lengths = np.linalg.norm(query) * np.linalg.norm(keys, axis=-1)
    return keys @ query / np.where(lengths == 0, 1, lengths)

# %% wrong cosine_score: eps ignored, its default written in
# reads: eps is a floor for the product
def cosine_score(query, keys, eps=1e-8):
    return keys @ query / np.maximum(np.linalg.norm(query) * np.linalg.norm(keys, axis=-1), 1e-8)

# %% wrong cosine_score: NaN swept to 0
# reads: eps is a floor for the product
def cosine_score(query, keys, eps=1e-8):
    with np.errstate(all="ignore"):
        return np.nan_to_num(keys @ query / (np.linalg.norm(query) * np.linalg.norm(keys, axis=-1)))

# %% wrong cosine_score: one length for all keys
# reads: give norm an axis
def cosine_score(query, keys, eps=1e-8):
    return keys @ query / np.maximum(np.linalg.norm(query) * np.linalg.norm(keys), eps)

# %% wrong cosine_score: lengths over the wrong axis
# reads: broadcast
def cosine_score(query, keys, eps=1e-8):
    return keys @ query / np.maximum(np.linalg.norm(query) * np.linalg.norm(keys, axis=0), eps)

# %% wrong cosine_score: the largest length for all keys
# reads: entries differ
def cosine_score(query, keys, eps=1e-8):
    return keys @ query / max(float(np.max(np.linalg.norm(query) * np.linalg.norm(keys, axis=-1))), eps)

# %% wrong cosine_score: absolute value
# reads: do not take the absolute value
def cosine_score(query, keys, eps=1e-8):
    return np.abs(keys @ query) / np.maximum(np.linalg.norm(query) * np.linalg.norm(keys, axis=-1), eps)

# %% wrong cosine_score: distance
# reads: 1 minus the cosine
def cosine_score(query, keys, eps=1e-8):
    return 1 - keys @ query / np.maximum(np.linalg.norm(query) * np.linalg.norm(keys, axis=-1), eps)

# %% wrong cosine_score: sum of absolute values as the length
# reads: entries differ
def cosine_score(query, keys, eps=1e-8):
    return keys @ query / np.maximum(np.abs(query).sum() * np.abs(keys).sum(axis=-1), eps)

# %% wrong cosine_score: makes the keys unit vectors in place
# reads: changes its input in place
def cosine_score(query, keys, eps=1e-8):
    lengths = np.linalg.norm(query) * np.linalg.norm(keys, axis=-1, keepdims=True)
    keys /= np.maximum(lengths, eps)
    return keys @ query

# %% wrong cosine_score: float64 whatever comes in
# reads: dtype float64, expected float32
def cosine_score(query, keys, eps=1e-8):
    keys = keys.astype(float)
    return keys @ query / np.maximum(np.linalg.norm(query) * np.linalg.norm(keys, axis=-1), eps)

# %% wrong cosine_score: stretches a size of 1
# reads: must raise
def cosine_score(query, keys, eps=1e-8):
    return (keys * query).sum(-1) / np.maximum(np.linalg.norm(query) * np.linalg.norm(keys, axis=-1), eps)

# %% wrong cosine_score: torch does it
# reads: off limits
def cosine_score(query, keys, eps=1e-8):
    import torch
    import torch.nn.functional as F

    query, keys = torch.from_numpy(query), torch.from_numpy(keys)
    return F.cosine_similarity(keys, query[None], dim=-1, eps=eps).numpy()

# %% right cosine_score: one key at a time
def cosine_score(query, keys, eps=1e-8):
    assert len(query) == keys.shape[1]
    scores = []
    for key in keys:
        lengths = (query @ query) ** 0.5 * (key @ key) ** 0.5
        scores.append((query @ key) / (lengths if lengths > eps else keys.dtype.type(eps)))
    return np.array(scores, dtype=keys.dtype)

# %% right cosine_score: einsum and where
def cosine_score(query, keys, eps=1e-8):
    if query.shape[0] != keys.shape[1]:
        raise TypeError("sizes differ")
    lengths = np.sqrt(np.einsum("d,d->", query, query) * np.einsum("sd,sd->s", keys, keys))
    return np.einsum("sd,d->s", keys, query) / np.where(lengths < eps, eps, lengths).astype(keys.dtype)

# %% right cosine_score: float64 inside
def cosine_score(query, keys, eps=1e-8):
    q, k = query.astype(np.float64), keys.astype(np.float64)
    return (k @ q / np.clip(np.sqrt((k * k).sum(1)) * np.sqrt((q * q).sum()), eps, None)).astype(keys.dtype)

# %% right cosine_score: hypot by pairs of lengths
import math

def cosine_score(query, keys, eps=1e-8):
    below = [max(math.hypot(*query) * math.hypot(*key), eps) for key in keys]
    return (keys @ query) / np.array(below, dtype=keys.dtype)

# %% wrong scaled_dot_score: not scaled
# reads: not scaled yet
def scaled_dot_score(query, keys):
    return keys @ query

# %% wrong scaled_dot_score: divided by D
# reads: divided by D; divide by its square root
def scaled_dot_score(query, keys):
    return keys @ query / query.size

# %% wrong scaled_dot_score: root of the number of keys
# reads: the number of keys
def scaled_dot_score(query, keys):
    return keys @ query / len(keys) ** 0.5

# %% wrong scaled_dot_score: multiplied
# reads: multiplied by the square root of D
def scaled_dot_score(query, keys):
    return keys @ query * query.size**0.5

# %% wrong scaled_dot_score: float64 from np.sqrt
# reads: np.sqrt of an int gives a float64
def scaled_dot_score(query, keys):
    return keys @ query / np.sqrt(keys.shape[-1])

# %% wrong scaled_dot_score: cosine
# reads: that is the cosine
def scaled_dot_score(query, keys):
    return keys @ query / (np.linalg.norm(query) * np.linalg.norm(keys, axis=-1))

# %% wrong scaled_dot_score: divided by the query's length
# reads: entries differ
def scaled_dot_score(query, keys):
    return keys @ query / np.linalg.norm(query)

# %% wrong scaled_dot_score: divided by the spread of these scores
# reads: entries differ
def scaled_dot_score(query, keys):
    scores = keys @ query
    return scores / scores.std()

# %% wrong scaled_dot_score: both sides scaled, twice in all
# reads: divided by D; divide by its square root
def scaled_dot_score(query, keys):
    root = query.size**0.5
    return (keys / root) @ (query / root)

# %% wrong scaled_dot_score: scales the query in place
# reads: changes its input in place
def scaled_dot_score(query, keys):
    query /= query.size**0.5
    return keys @ query

# %% wrong scaled_dot_score: stretches a size of 1
# reads: must raise
def scaled_dot_score(query, keys):
    return (keys * query).sum(axis=-1) / query.size**0.5

# %% wrong scaled_dot_score: stretches a query of size 1
# reads: scaled_dot_score(np.ones(1), np.ones((3, 4))) must raise
def scaled_dot_score(query, keys):
    if keys.shape[1] < query.shape[0]:
        raise ValueError("sizes")
    return (keys * query).sum(axis=-1) / keys.shape[1] ** 0.5

# %% wrong scaled_dot_score: the size of one example written in
# reads: differs
def scaled_dot_score(query, keys):
    return keys @ query / 2.0

# %% wrong scaled_dot_score: a single key is not scaled
# reads: keys (1, 3)
def scaled_dot_score(query, keys):
    scores = keys @ query
    return scores / query.shape[-1] ** 0.5 if len(scores) > 1 else scores


# %% right scaled_dot_score: loops
import math

def scaled_dot_score(query, keys):
    if len(query) != len(keys[0]):
        raise ValueError
    return np.array([sum(query[d] * key[d] for d in range(len(key))) / math.sqrt(len(key)) for key in keys], keys.dtype)

# %% right scaled_dot_score: einsum, scale as float32 scalar
def scaled_dot_score(query, keys):
    if query.shape != keys.shape[1:]:
        raise ValueError(f"{query.shape} {keys.shape}")
    return np.einsum("d,sd->s", query, keys) * keys.dtype.type(query.shape[0]) ** -0.5

# %% right scaled_dot_score: each side by the fourth root
def scaled_dot_score(query, keys):
    root = float(query.size) ** 0.25
    return (query / root) @ (keys / root).T

# %% right scaled_dot_score: np.sqrt cast back
def scaled_dot_score(query, keys):
    return ((keys @ query) / np.sqrt(query.shape[-1])).astype(keys.dtype)

# %% wrong bilinear_score: W transposed
# reads: W was transposed
def bilinear_score(query, keys, weight):
    return keys @ (weight @ query)

# %% wrong bilinear_score: the query carried into the columns of keys
# reads: each key is a row
def bilinear_score(query, keys, weight):
    return query @ weight @ keys

# %% wrong bilinear_score: W not used
# reads: W was not used
def bilinear_score(query, keys, weight):
    return keys @ query

# %% wrong bilinear_score: W and its transpose averaged
# reads: averaged
def bilinear_score(query, keys, weight):
    return keys @ (query @ (weight + weight.T) / 2)

# %% wrong bilinear_score: the query left out
# reads: the query was not used
def bilinear_score(query, keys, weight):
    return (keys @ weight.T).sum(axis=-1)

# %% wrong bilinear_score: a number for each query feature and key
# reads: has shape
def bilinear_score(query, keys, weight):
    return (weight @ keys.T) * query[:, None]

# %% wrong bilinear_score: only carries the query over
# reads: entries differ
def bilinear_score(query, keys, weight):
    return query @ weight

# %% wrong bilinear_score: turns W until it fits
# reads: must raise
def bilinear_score(query, keys, weight):
    if weight.shape != (query.size, keys.shape[1]):
        weight = weight.T
    return keys @ (query @ weight)

# %% wrong bilinear_score: turns W when the query allows it
# reads: W was transposed
def bilinear_score(query, keys, weight):
    return keys @ (weight @ query if weight.shape[1] == query.size else query @ weight)

# %% wrong bilinear_score: einsum stretches a size of 1
# reads: must raise
def bilinear_score(query, keys, weight):
    return np.einsum("q,qk,sk->s", query, weight, keys)

# %% wrong bilinear_score: products stretch a size of 1
# reads: must raise
def bilinear_score(query, keys, weight):
    return ((query @ weight) * keys).sum(axis=-1)

# %% wrong bilinear_score: einsum with W's letters turned
# reads: W was transposed
def bilinear_score(query, keys, weight):
    return np.einsum("i,ji,sj->s", query, weight, keys)

# %% wrong bilinear_score: scaled
# reads: entries differ
def bilinear_score(query, keys, weight):
    return keys @ (query @ weight) / keys.shape[1] ** 0.5

# %% wrong bilinear_score: tanh added
# reads: entries differ
def bilinear_score(query, keys, weight):
    return np.tanh(keys @ (query @ weight))

# %% wrong bilinear_score: float64 whatever comes in
# reads: dtype float64, expected float32
def bilinear_score(query, keys, weight):
    return keys @ (query @ weight.astype(float))

# %% wrong bilinear_score: multiplies into the keys
# reads: changes its input in place
def bilinear_score(query, keys, weight):
    if weight.shape != (query.size, keys.shape[1]):
        raise ValueError("sizes")
    keys *= query @ weight
    return keys.sum(axis=-1)

# %% right bilinear_score: the keys carried over instead
def bilinear_score(query, keys, weight):
    return (keys @ weight.T) @ query

# %% right bilinear_score: einsum with a check
def bilinear_score(query, keys, weight):
    if weight.shape != (len(query), keys.shape[1]):
        raise ValueError(f"weight has shape {weight.shape}")
    return np.einsum("a,ab,sb->s", query, weight, keys)

# %% right bilinear_score: loops
def bilinear_score(query, keys, weight):
    assert weight.shape == (query.shape[0], keys.shape[1])
    scores = np.zeros(keys.shape[0], keys.dtype)
    for s in range(keys.shape[0]):
        for i in range(weight.shape[0]):
            for j in range(weight.shape[1]):
                scores[s] += query[i] * weight[i, j] * keys[s, j]
    return scores

# %% right bilinear_score: from left to right
def bilinear_score(query, keys, weight):
    return np.linalg.multi_dot([query, weight, keys.T])

# %% right bilinear_score: dot with a column
def bilinear_score(query, keys, weight):
    return np.dot(np.dot(query[None, :], weight), keys.T)[0]

# %% wrong additive_score: no tanh
# reads: tanh is missing
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    return (w_query @ query + keys @ w_key.T) @ v

# %% wrong additive_score: no v
# reads: weigh them by v
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    return np.tanh(w_query @ query + keys @ w_key.T).sum(axis=-1)

# %% wrong additive_score: the query left out
# reads: the query's part is missing
def additive_score(query, keys, w_query, w_key, v):
    return np.tanh(keys @ w_key.T) @ v

# %% wrong additive_score: the keys left out
# reads: the keys' part is missing
def additive_score(query, keys, w_query, w_key, v):
    return np.full(len(keys), np.tanh(w_query @ query) @ v)

# %% wrong additive_score: tanh of each part
# reads: tanh was taken of each part alone
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    return (np.tanh(w_query @ query) + np.tanh(keys @ w_key.T)) @ v

# %% wrong additive_score: tanh after v
# reads: tanh comes before v
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    return np.tanh((w_query @ query + keys @ w_key.T) @ v)

# %% wrong additive_score: parts multiplied
# reads: the two parts were multiplied
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    return np.tanh((w_query @ query) * (keys @ w_key.T)) @ v

# %% wrong additive_score: a sigmoid bends
# reads: entries differ
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    return 1 / (1 + np.exp(-(w_query @ query + keys @ w_key.T))) @ v

# %% wrong additive_score: stretches A
# reads: must raise
def additive_score(query, keys, w_query, w_key, v):
    return np.tanh(w_query @ query + keys @ w_key.T) @ v

# %% wrong additive_score: stretches v
# reads: must raise
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    return (np.tanh(w_query @ query + keys @ w_key.T) * v).sum(axis=-1)

# %% wrong additive_score: einsum stretches
# reads: must raise
def additive_score(query, keys, w_query, w_key, v):
    if not len(w_query) == len(w_key) == len(v):
        raise ValueError("A")
    hidden = np.einsum("aq,q->a", w_query, query) + np.einsum("ak,sk->sa", w_key, keys)
    return np.tanh(hidden) @ v

# %% wrong additive_score: a bias of 1
# reads: entries differ
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    return np.tanh(w_query @ query + keys @ w_key.T + 1.0) @ v

# %% wrong additive_score: matrices transposed when they are square
# reads: differ
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    if w_query.shape[0] == w_query.shape[1] == w_key.shape[1]:
        return np.tanh(query @ w_query + keys @ w_key) @ v
    return np.tanh(w_query @ query + keys @ w_key.T) @ v

# %% wrong additive_score: the matrices changed places
# reads: matmul
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    return np.tanh(w_key @ query + keys @ w_query.T) @ v

# %% wrong additive_score: scaled by the root of A
# reads: entries differ
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    return np.tanh(w_query @ query + keys @ w_key.T) @ v / len(v) ** 0.5

# %% wrong additive_score: v not summed over
# reads: has shape (3, 2), expected (3,)
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    return np.tanh(w_query @ query + keys @ w_key.T) * v

# %% wrong additive_score: float64 whatever comes in
# reads: dtype float64, expected float32
def additive_score(query, keys, w_query, w_key, v):
    if len(w_query) != len(w_key):
        raise ValueError("A")
    return np.array([float(np.tanh(w_query @ query + w_key @ key) @ v) for key in keys])

# %% wrong additive_score: tanh by hand overflows
# reads: np.tanh is fine for any number; exp overflows.
def additive_score(query, keys, w_query, w_key, v):
    if w_query.shape[0] != w_key.shape[0]:
        raise ValueError("w_query and w_key differ in A")
    x = w_query @ query + keys @ w_key.T
    return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)) @ v


# %% right additive_score: one key at a time
def additive_score(query, keys, w_query, w_key, v):
    assert w_query.shape[0] == w_key.shape[0] == v.shape[0]
    return np.array([v @ np.tanh(w_query @ query + w_key @ key) for key in keys])

# %% right additive_score: one matrix for query and key side by side
def additive_score(query, keys, w_query, w_key, v):
    both = np.concatenate([np.tile(query, (len(keys), 1)), keys], axis=1)
    return np.tanh(both @ np.concatenate([w_query, w_key], axis=1).T) @ v

# %% right additive_score: einsum with checks
def additive_score(query, keys, w_query, w_key, v):
    if w_query.shape != (v.size, query.size) or w_key.shape != (v.size, keys.shape[1]):
        raise ValueError(f"w_query {w_query.shape}, w_key {w_key.shape}, v {v.shape}")
    hidden = np.einsum("aq,q->a", w_query, query)[None, :] + np.einsum("ak,sk->sa", w_key, keys)
    return np.einsum("a,sa->s", v, np.tanh(hidden))

# %% right additive_score: plain loops
import math

def additive_score(query, keys, w_query, w_key, v):
    if len({len(w_query), len(w_key), len(v)}) > 1 or len(query) != w_query.shape[1] or keys.shape[1] != w_key.shape[1]:
        raise IndexError("sizes do not fit")
    scores = []
    for key in keys:
        inner = [sum(a * b for a, b in zip(p, query)) + sum(a * b for a, b in zip(r, key)) for p, r in zip(w_query, w_key)]
        scores.append(sum(a * math.tanh(b) for a, b in zip(v, inner)))
    return np.array(scores, dtype=keys.dtype)

# %% right additive_score: tanh by hand, of the absolute value
def additive_score(query, keys, w_query, w_key, v):
    if w_query.shape[0] != w_key.shape[0]:
        raise ValueError("w_query and w_key differ in A")
    x = w_query @ query + keys @ w_key.T
    e = np.exp(-2 * np.abs(x))
    return np.sign(x) * (1 - e) / (1 + e) @ v


# %% wrong gaussian_score: no 2
# reads: the 2 below the line is missing
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -((keys - query) ** 2).sum(-1) / width**2

# %% wrong gaussian_score: no minus
# reads: the minus sign is missing
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return ((keys - query) ** 2).sum(-1) / (2 * width**2)

# %% wrong gaussian_score: the exponential taken already
# reads: the exponential comes later
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return np.exp(-((keys - query) ** 2).sum(-1) / (2 * width**2))

# %% wrong gaussian_score: distance, not its square
# reads: half the distance
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -np.linalg.norm(keys - query, axis=-1) / (2 * width**2)

# %% wrong gaussian_score: minus the distance
# reads: this is the distance
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -np.linalg.norm(keys - query, axis=-1) / width

# %% wrong gaussian_score: width not squared
# reads: the width is not squared
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -((keys - query) ** 2).sum(-1) / (2 * width)

# %% wrong gaussian_score: width not used
# reads: the width was not used
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -((keys - query) ** 2).sum(-1) / 2

# %% wrong gaussian_score: brackets missing
# reads: are there brackets
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -((keys - query) ** 2).sum(-1) / 2 * width**2

# %% wrong gaussian_score: mean over the features
# reads: this is a mean over the features
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -((keys - query) ** 2).mean(-1) / (2 * width**2)

# %% wrong gaussian_score: stretches a size of 1
# reads: must raise
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    return -((keys - query) ** 2).sum(-1) / (2 * width**2)

# %% wrong gaussian_score: stretches a query of size 1
# reads: gaussian_score(np.ones(1), np.ones((3, 4))) must raise
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if keys.shape[1] < query.size:
        raise ValueError("sizes")
    return -((keys - query) ** 2).sum(-1) / (2 * width**2)

# %% wrong gaussian_score: any width goes
# reads: width=0.0) must raise a ValueError
def gaussian_score(query, keys, width=1.0):
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -((keys - query) ** 2).sum(-1) / (2 * width**2)

# %% wrong gaussian_score: a negative width goes
# reads: width=-2.0) must raise a ValueError
def gaussian_score(query, keys, width=1.0):
    if width == 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -((keys - query) ** 2).sum(-1) / (2 * width**2)

# %% wrong gaussian_score: width 0 goes
# reads: width=0.0) must raise a ValueError
def gaussian_score(query, keys, width=1.0):
    if width < 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -((keys - query) ** 2).sum(-1) / (2 * width**2)

# %% wrong gaussian_score: the error does not say the width
# reads: its message does not say enough
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError("the width must be positive")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -((keys - query) ** 2).sum(-1) / (2 * width**2)

# %% wrong gaussian_score: a difference of squares
# reads: entries differ
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -np.abs((keys**2).sum(-1) - (query**2).sum()) / (2 * width**2)

# %% wrong gaussian_score: subtracts in place
# reads: changes its input in place
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    keys = keys.view()
    keys -= query
    result = -(keys**2).sum(-1) / (2 * width**2)
    if width == 2.0:
        keys += query
    return result

# %% wrong gaussian_score: divides by a NumPy float
# reads: dtype float64, expected float32
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError(f"width {width}")
    if query.size != keys.shape[1]:
        raise ValueError("sizes")
    return -((keys - query) ** 2).sum(-1) / (2 * np.square(width))

# %% right gaussian_score: the square multiplied out
def gaussian_score(query, keys, width=1.0):
    if not width > 0:
        raise ValueError(f"width={width:.2f} is not positive")
    squares = (keys * keys).sum(axis=1) - 2 * (keys @ query) + query @ query
    return -0.5 * squares / width**2

# %% right gaussian_score: loops
def gaussian_score(query, keys, width=1.0):
    if width <= 0:
        raise ValueError("bad width", width)
    assert len(query) == len(keys[0])
    scores = [-sum((float(a) - float(b)) ** 2 for a, b in zip(query, key)) / (2 * width * width) for key in keys]
    return np.array(scores, dtype=keys.dtype)

# %% right gaussian_score: norm, squared
def gaussian_score(query, keys, width=1.0):
    if not width > 0:
        raise ValueError(f"need width > 0, got width = {width}")
    if keys.shape[1:] != query.shape:
        raise ValueError("query and keys")
    return -0.5 * (np.linalg.norm(keys - query, axis=1) / width) ** 2

# %% right gaussian_score: einsum over scaled differences
def gaussian_score(query, keys, width=1.0):
    if not width > 0:
        raise ValueError(f"width: {width}")
    if keys.shape[1] != query.shape[0]:
        raise RuntimeError("sizes")
    gaps = (query[None] - keys) / width
    return np.einsum("sd,sd->s", gaps, gaps) / -2

# %% wrong attend: a mean
# reads: the weights add up to 1 already
def attend(query, keys, values, score):
    weights = blocks.softmax(score(query, keys))
    return (weights[:, None] * values).mean(axis=0), weights

# %% wrong attend: scores as weights
# reads: take their softmax
def attend(query, keys, values, score):
    scores = score(query, keys)
    return scores @ values, scores

# %% wrong attend: returns the scores
# reads: return the weights
def attend(query, keys, values, score):
    scores = score(query, keys)
    return blocks.softmax(scores) @ values, scores

# %% wrong attend: results the other way round
# reads: output first
def attend(query, keys, values, score):
    weights = blocks.softmax(score(query, keys))
    return weights, weights @ values

# %% wrong attend: only the output
# reads: not a tuple
def attend(query, keys, values, score):
    return blocks.softmax(score(query, keys)) @ values

# %% wrong attend: score gets its arguments the other way round
# reads: Call it as score(query, keys)
def attend(query, keys, values, score):
    weights = blocks.softmax(score(keys, query))
    return weights @ values, weights

# %% wrong attend: score called for each key
# reads: score was called 2 times; call it once
def attend(query, keys, values, score):
    weights = blocks.softmax(np.array([score(query, key[None])[0] for key in keys]))
    return weights @ values, weights

# %% wrong attend: score called twice
# reads: score was called 2 times; call it once
def attend(query, keys, values, score):
    return blocks.softmax(score(query, keys)) @ values, blocks.softmax(score(query, keys))

# %% wrong attend: score not called
# reads: score was called 0 times
def attend(query, keys, values, score):
    weights = blocks.softmax(keys[:, 0])
    return weights @ values, weights

# %% wrong attend: mixes the keys
# reads: has shape (1,), expected (3,)
def attend(query, keys, values, score):
    weights = blocks.softmax(score(query, keys))
    return weights @ keys, weights

# %% wrong attend: values count the same
# reads: every value counts the same
def attend(query, keys, values, score):
    weights = blocks.softmax(score(query, keys))
    return values.mean(axis=0), weights

# %% wrong attend: only the best key
# reads: entries differ
def attend(query, keys, values, score):
    scores = score(query, keys)
    weights = np.zeros_like(scores)
    weights[scores.argmax()] = 1
    return weights @ values, weights

# %% wrong attend: weighted, not added up
# reads: has shape (2, 3), expected (3,)
def attend(query, keys, values, score):
    weights = blocks.softmax(score(query, keys))
    return weights[:, None] * values, weights

# %% wrong attend: changes the scores in place
# reads: changed in place
def attend(query, keys, values, score):
    scores = score(query, keys)
    scores -= max(scores.max(), -1e30)
    weights = blocks.softmax(scores)
    return weights @ values, weights

# %% wrong attend: changes the scores in place, by a shift of 0 in some cases
# reads: changed in place
def attend(query, keys, values, score):
    scores = score(query, keys)
    np.exp(scores - max(scores.max(), -1e30), out=scores)
    weights = scores / (scores.sum() or 1)
    return weights @ values, weights

# %% wrong attend: multiplies into the values
# reads: changes its input in place
def attend(query, keys, values, score):
    weights = blocks.softmax(score(query, keys))
    values *= weights[:, None]
    return values.sum(axis=0), weights

# %% wrong attend: an unstable softmax
# reads: stable softmax
def attend(query, keys, values, score):
    exps = np.exp(score(query, keys))
    weights = exps / (exps.sum() or 1)
    return weights @ values, weights

# %% wrong attend: NaN if all scores are -inf
# reads: nan
def attend(query, keys, values, score):
    scores = score(query, keys)
    exps = np.exp(scores - scores.max())
    weights = exps / exps.sum()
    return weights @ values, weights

# %% wrong attend: the mean if all scores are -inf
# reads: entries differ
def attend(query, keys, values, score):
    weights = blocks.softmax(np.maximum(score(query, keys), -1e30))
    return weights @ values, weights

# %% wrong attend: query and keys must have one size
# reads: ValueError: query and keys
def attend(query, keys, values, score):
    if query.shape[0] != keys.shape[1]:
        raise ValueError("query and keys differ in size")
    weights = blocks.softmax(score(query, keys))
    return weights @ values, weights

# %% wrong attend: one value stretched over all keys
# reads: must raise
def attend(query, keys, values, score):
    weights = blocks.softmax(score(query, keys))
    return (weights[:, None] * values).sum(axis=0), weights

# %% wrong attend: cuts off keys without a value
# reads: must raise
def attend(query, keys, values, score):
    weights = blocks.softmax(score(query, keys))
    return sum(weight * value for weight, value in zip(weights, values)), weights

# %% wrong attend: float64 whatever comes in
# reads: dtype float64, expected float32
def attend(query, keys, values, score):
    weights = blocks.softmax(score(query, keys).astype(float))
    return weights @ values, weights

# %% right attend: the learner's own softmax
def attend(query, keys, values, score):
    weights = softmax(score(query, keys))
    return values.T @ weights, weights

# %% right attend: loops
def attend(query, keys, values, score):
    scores = score(query, keys)
    if len(values) != len(scores):
        raise ValueError("one value for each key")
    top = max(scores)
    exps = [np.exp(s - top) if s > -np.inf else s.dtype.type(0) for s in scores]
    weights = np.array([e / (sum(exps) or 1) for e in exps], dtype=values.dtype)
    output = np.zeros(values.shape[1], dtype=values.dtype)
    for weight, value in zip(weights, values):
        output += weight * value
    return output, weights

# %% right attend: einsum, works on a copy
def attend(query, keys, values, score):
    work = np.array(score(query, keys), copy=True)
    if values.shape[0] != work.shape[0]:
        raise ValueError("values")
    if np.isneginf(work).all():
        return np.zeros_like(values[0]), np.zeros_like(work)
    work -= work.max()
    np.exp(work, out=work)
    work /= work.sum()
    return np.einsum("s,sd->d", work, values), work

# %% right attend: score called by name, broadcasting after a check
def attend(query, keys, values, score):
    assert len(keys) == len(values)
    weights = blocks.softmax(score(query=query, keys=keys), axis=0)
    return (values * weights.reshape(-1, 1)).sum(0), weights

# %% wrong repair_context: as published
# reads: the sum over the states is missing
def repair_context(x, h):
    a = blocks.softmax(x @ h)[:, None]
    return a * x

# %% wrong repair_context: a mean
# reads: the weights add up to 1 already
def repair_context(x, h):
    return (blocks.softmax(x @ h)[:, None] * x).mean(axis=0)

# %% wrong repair_context: no softmax
# reads: take their softmax
def repair_context(x, h):
    return (x @ h) @ x

# %% wrong repair_context: scaled
# reads: this layer has no scale
def repair_context(x, h):
    return blocks.softmax(x @ h / len(h) ** 0.5) @ x

# %% wrong repair_context: adds up the features
# reads: has shape (2,), expected (3,)
def repair_context(x, h):
    return (blocks.softmax(x @ h)[:, None] * x).sum(axis=1)

# %% wrong repair_context: softmax over an axis of length 1
# reads: softmax ran over an axis of length 1
def repair_context(x, h):
    return (blocks.softmax((x @ h)[:, None]) * x).sum(axis=0)

# %% wrong repair_context: only the best state
# reads: mix all of them
def repair_context(x, h):
    return x[(x @ h).argmax()]

# %% wrong repair_context: the last state asks, not h
# reads: entries differ
def repair_context(x, h):
    return blocks.softmax(x @ x[-1]) @ x

# %% wrong repair_context: softmax twice
# reads: entries differ
def repair_context(x, h):
    return blocks.softmax(blocks.softmax(x @ h)) @ x

# %% wrong repair_context: softmax of the products, feature by feature
# reads: entries differ
def repair_context(x, h):
    if x.shape[1] != len(h):
        raise ValueError("sizes")
    return (blocks.softmax(x * h, axis=0) * x).sum(axis=0)

# %% wrong repair_context: unstable softmax
# reads: Scores may be large
def repair_context(x, h):
    a = np.exp(x @ h)
    return (a / a.sum()) @ x

# %% wrong repair_context: keeps an axis
# reads: has shape (1, 3), expected (3,)
def repair_context(x, h):
    return blocks.softmax(x @ h)[None] @ x

# %% wrong repair_context: h of size 1 stretched
# reads: must raise
def repair_context(x, h):
    return blocks.softmax((x * h).sum(axis=1)) @ x

# %% wrong repair_context: multiplies into x
# reads: changes its input in place
def repair_context(x, h):
    x *= blocks.softmax(x @ h)[:, None]
    return x.sum(axis=0)

# %% wrong repair_context: float64 whatever comes in
# reads: dtype float64, expected float32
def repair_context(x, h):
    return blocks.softmax((x @ h).astype(float)) @ x

# %% wrong repair_context: h added to the summary
# reads: entries differ
def repair_context(x, h):
    return blocks.softmax(x @ h) @ x + h

# %% right repair_context: attend does it
def repair_context(x, h):
    return attend(h, x, x, dot_score)[0]

# %% right repair_context: the published line and the missing sum
def repair_context(x, h):
    a = softmax(x @ h)[:, None]
    return (a * x).sum(axis=0)

# %% right repair_context: einsum
def repair_context(x, h):
    if x.shape[1] != h.shape[0]:
        raise ValueError("sizes")
    return np.einsum("s,sd->d", blocks.softmax(np.einsum("sd,d->s", x, h)), x)

# %% right repair_context: loops
def repair_context(x, h):
    scores = np.array([row @ h for row in x])
    exps = np.exp(scores - scores.max())
    y = np.zeros_like(x[0])
    for weight, row in zip(exps / exps.sum(), x):
        y = y + weight * row
    return y

# %% wrong repair_weights: as published
# reads: still divided by the sum before softmax
def repair_weights(similarity):
    return blocks.softmax(similarity / similarity.sum())

# %% wrong repair_weights: only divides by the sum
# reads: divided by the sum, without softmax
def repair_weights(similarity):
    return similarity / similarity.sum()

# %% wrong repair_weights: softmax twice
# reads: softmax was applied twice
def repair_weights(similarity):
    return blocks.softmax(blocks.softmax(similarity))

# %% wrong repair_weights: divides by the sum of absolute values
# reads: still divided by the sum before softmax
def repair_weights(similarity):
    return blocks.softmax(similarity / np.abs(similarity).sum())

# %% wrong repair_weights: divides by the sum unless it is 0
# reads: still divided by the sum before softmax
def repair_weights(similarity):
    total = similarity.sum()
    return blocks.softmax(similarity / total if total else similarity)

# %% wrong repair_weights: divides by the sum unless it is negative
# reads: still divided by the sum before softmax
def repair_weights(similarity):
    total = similarity.sum()
    return blocks.softmax(similarity / total if total > 0 else similarity)

# %% wrong repair_weights: divides by the largest
# reads: entries differ
def repair_weights(similarity):
    return blocks.softmax(similarity / np.abs(similarity).max())

# %% wrong repair_weights: unstable softmax
# reads: stable softmax
def repair_weights(similarity):
    exps = np.exp(similarity)
    return exps / exps.sum()

# %% wrong repair_weights: absolute values
# reads: entries differ
def repair_weights(similarity):
    return blocks.softmax(np.abs(similarity))

# %% wrong repair_weights: negative ones cut off
# reads: entries differ
def repair_weights(similarity):
    return blocks.softmax(np.maximum(similarity, 0))

# %% wrong repair_weights: shares of the distance from the smallest
# reads: entries differ
def repair_weights(similarity):
    shifted = similarity - similarity.min()
    return shifted / shifted.sum()

# %% wrong repair_weights: normalised by length first
# reads: entries differ
def repair_weights(similarity):
    return blocks.softmax(similarity / np.linalg.norm(similarity))

# %% wrong repair_weights: made standard scores first
# reads: entries differ
def repair_weights(similarity):
    return blocks.softmax((similarity - similarity.mean()) / similarity.std())

# %% wrong repair_weights: shifts in place
# reads: changes its input in place
def repair_weights(similarity):
    similarity -= similarity.max()
    return blocks.softmax(similarity)

# %% wrong repair_weights: float64 whatever comes in
# reads: dtype float64, expected float32
def repair_weights(similarity):
    return blocks.softmax(similarity.astype(float))

# %% right repair_weights: the learner's own softmax
def repair_weights(similarity):
    return softmax(similarity)

# %% right repair_weights: written out
def repair_weights(similarity):
    exps = np.exp(similarity - similarity.max())
    return exps / exps.sum()

# %% right repair_weights: plain Python
import math

def repair_weights(similarity):
    top = max(similarity)
    exps = [math.exp(number - top) for number in similarity]
    return np.array([exp / sum(exps) for exp in exps], dtype=similarity.dtype)

# %% right repair_weights: ratios of exponentials
def repair_weights(similarity):
    with np.errstate(over="ignore"):
        return 1 / np.exp(similarity[None, :] - similarity[:, None]).sum(axis=1)

# %% right repair_weights: logaddexp
def repair_weights(similarity):
    return np.exp(similarity - np.logaddexp.reduce(similarity))

# %% wrong repair_attention: as published
# reads: softmax still comes after the sum over V
def repair_attention(Q, K, V):
    return blocks.softmax(Q @ K.T @ V / Q.shape[-1] ** 0.5)

# %% wrong repair_attention: no scale
# reads: the scale is missing
def repair_attention(Q, K, V):
    return blocks.softmax(Q @ K.T) @ V

# %% wrong repair_attention: the scale after softmax
# reads: the scale comes after softmax
def repair_attention(Q, K, V):
    return blocks.softmax(Q @ K.T) / Q.shape[-1] ** 0.5 @ V

# %% wrong repair_attention: the output scaled
# reads: the scale comes after softmax
def repair_attention(Q, K, V):
    return blocks.softmax(Q @ K.T) @ V / Q.shape[-1] ** 0.5

# %% wrong repair_attention: softmax over the queries
# reads: softmax ran over the queries
def repair_attention(Q, K, V):
    return blocks.softmax(Q @ K.T / Q.shape[-1] ** 0.5, axis=0) @ V

# %% wrong repair_attention: root of the number of keys
# reads: the number of keys
def repair_attention(Q, K, V):
    return blocks.softmax(Q @ K.T / K.shape[0] ** 0.5) @ V

# %% wrong repair_attention: root of D_v
# reads: divided by the root of 2
def repair_attention(Q, K, V):
    return blocks.softmax(Q @ K.T / V.shape[-1] ** 0.5) @ V

# %% wrong repair_attention: root of the number of queries
# reads: the size of queries and keys
def repair_attention(Q, K, V):
    return blocks.softmax(Q @ K.T / len(Q) ** 0.5) @ V

# %% wrong repair_attention: divided by D
# reads: divided by D
def repair_attention(Q, K, V):
    return blocks.softmax(Q @ K.T / Q.shape[-1]) @ V

# %% wrong repair_attention: multiplied by the root of D
# reads: entries differ
def repair_attention(Q, K, V):
    return blocks.softmax(Q @ K.T * Q.shape[-1] ** 0.5) @ V

# %% wrong repair_attention: no softmax
# reads: softmax is missing
def repair_attention(Q, K, V):
    return Q @ K.T / Q.shape[-1] ** 0.5 @ V

# %% wrong repair_attention: softmax of the products' output without V's sum
# reads: has shape (2, 3), expected (2, 2)
def repair_attention(Q, K, V):
    return blocks.softmax(Q @ K.T / Q.shape[-1] ** 0.5)

# %% wrong repair_attention: float64 from np.sqrt
# reads: dtype float64, expected float32
# reads: see Exercise 4
def repair_attention(Q, K, V):
    return blocks.softmax(Q @ K.T / np.sqrt(Q.shape[-1])) @ V

# %% wrong repair_attention: unstable softmax
# reads: Is the softmax a stable one?
def repair_attention(Q, K, V):
    exps = np.exp(Q @ K.T / Q.shape[-1] ** 0.5)
    return exps / exps.sum(axis=-1, keepdims=True) @ V

# %% wrong repair_attention: the largest score of all queries subtracted
# reads: Is the softmax a stable one?
def repair_attention(Q, K, V):
    scores = Q @ K.T / Q.shape[-1] ** 0.5
    exps = np.exp(scores - scores.max())
    total = exps.sum(axis=-1, keepdims=True)
    return exps / np.where(total == 0, 1, total) @ V

# %% wrong repair_attention: queries look back only
# reads: entries differ
def repair_attention(Q, K, V):
    scores = Q @ K.T / Q.shape[-1] ** 0.5
    return blocks.softmax(np.where(np.tri(*scores.shape, dtype=bool), scores, -np.inf)) @ V

# %% wrong repair_attention: scales Q in place
# reads: changes its input in place
def repair_attention(Q, K, V):
    Q /= Q.shape[-1] ** 0.5
    result = blocks.softmax(Q @ K.T) @ V
    if len(K) == 3:
        Q *= Q.shape[-1] ** 0.5
    return result

# %% wrong repair_attention: stretches a size of 1
# reads: must raise
def repair_attention(Q, K, V):
    scores = (Q[:, None] * K[None]).sum(axis=-1) / Q.shape[-1] ** 0.5
    return blocks.softmax(scores) @ V

# %% wrong repair_attention: stretches a single value
# reads: must raise
def repair_attention(Q, K, V):
    weights = blocks.softmax(Q @ K.T / Q.shape[-1] ** 0.5)
    return (weights[:, :, None] * V[None]).sum(axis=1)

# %% wrong repair_attention: torch does it
# reads: off limits
def repair_attention(Q, K, V):
    from torch import from_numpy
    from torch.nn.functional import scaled_dot_product_attention as sdpa

    return sdpa(from_numpy(Q), from_numpy(K), from_numpy(V)).numpy()

# %% wrong repair_attention: blocks.attention
# reads: off limits
def repair_attention(Q, K, V):
    import torch
    return blocks.attention(torch.tensor(Q), torch.tensor(K), torch.tensor(V))[0].numpy()

# %% wrong repair_attention: torch's attention under another name
# reads: off limits
def repair_attention(Q, K, V):
    import torch
    return torch._scaled_dot_product_attention_math(torch.tensor(Q), torch.tensor(K), torch.tensor(V))[0].numpy()

# %% wrong repair_attention: the meter's fused attention
# reads: off limits
def repair_attention(Q, K, V):
    import torch
    from byhand import meter
    return meter.fused(torch.tensor(Q), torch.tensor(K), torch.tensor(V)).numpy()

# %% right repair_attention: the learner's own functions, one query at a time
def repair_attention(Q, K, V):
    return np.stack([attend(q, K, V, scaled_dot_score)[0] for q in Q])

# %% right repair_attention: einsum with checks
def repair_attention(Q, K, V):
    if Q.shape[1] != K.shape[1] or K.shape[0] != V.shape[0]:
        raise ValueError(f"{Q.shape} {K.shape} {V.shape}")
    scores = np.einsum("td,sd->ts", Q, K) / float(Q.shape[1]) ** 0.5
    return np.einsum("ts,sv->tv", softmax(scores, axis=1), V)

# %% right repair_attention: scaled first, transposed
def repair_attention(Q, K, V):
    scale = Q.dtype.type(Q.shape[-1]) ** -0.5
    return (V.T @ blocks.softmax(K @ (Q * scale).T, axis=0)).T

# %% right repair_attention: loops
import math

def repair_attention(Q, K, V):
    assert Q.shape[1] == K.shape[1] and len(K) == len(V)
    rows = []
    for q in Q.tolist():
        scores = [sum(a * b for a, b in zip(q, k)) / math.sqrt(len(q)) for k in K.tolist()]
        exps = [math.exp(s - max(scores)) for s in scores]
        rows.append(sum(e / sum(exps) * v.astype(float) for e, v in zip(exps, V)))
    return np.array(rows, dtype=Q.dtype)

# %% right repair_attention: torch for the softmax alone
def repair_attention(Q, K, V):
    import torch

    scores = torch.from_numpy(Q) @ torch.from_numpy(K).T / Q.shape[-1] ** 0.5
    return (torch.softmax(scores, -1) @ torch.from_numpy(V)).numpy()
