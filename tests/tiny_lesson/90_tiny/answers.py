"""Known answers of the tiny lesson: 2 right and 3 wrong ones of each exercise."""

# %% right dot: matrix product
def dot(query, keys):
    return SCALE * (keys @ query)


# %% right dot: a loop over keys
def dot(query, keys):
    return np.array([SCALE * sum(q * k for q, k in zip(query, key)) for key in keys])


# %% wrong dot: forgets the scale
# reads: not multiplied by SCALE
def dot(query, keys):
    return keys @ query


# %% wrong dot: returns a list
# reads: list
def dot(query, keys):
    return [SCALE * float(key @ query) for key in keys]


# %% wrong dot: right for two keys only
# reads: 1 keys
def dot(query, keys):
    return SCALE * np.array([keys[0] @ query, keys[-1] @ query])


# %% right share: by the mean
def share(scores):
    return scores / (scores.mean() * len(scores))


# %% right share: a list comprehension
def share(scores):
    whole = sum(scores)
    return np.array([score / whole for score in scores])


# %% wrong share: softmax
# reads: share(np.array([1.0, 3.0]))
def share(scores):
    powers = np.exp(scores)
    return powers / powers.sum()


# %% wrong share: remembers the example
# reads: share of six scores
def share(scores):
    return np.array([0.25, 0.75])


# %% wrong share: divides by the largest
# reads: share(np.array([1.0, 3.0]))
def share(scores):
    return scores / scores.max()
