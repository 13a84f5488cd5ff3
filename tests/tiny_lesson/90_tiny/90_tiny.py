# %% [markdown]
# # 90 Tiny: a lesson for tests
#
# Two exercises and one question, small enough that a test can grade a class of it.

# %%
import numpy as np

SCALE = 2.0  # a set-up cell of the lesson's own: graders run it before the answers

# %% [markdown]
# ### Exercise 90.1: the dot product (2 points, about 2 minutes)
#
# **Write** `dot(query, keys)`: one score per key, times `SCALE`.


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "dot", "locked": false, "solution": true, "task": false}
def dot(query, keys):
    """Scores (S,) of one query (D,) against keys (S, D): SCALE times the dot product."""
    ### BEGIN SOLUTION
    products = np.asarray(keys) * np.asarray(query)  # (S, D)
    return SCALE * products.sum(axis=-1)  # (S,)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_dot", "locked": true, "points": 2, "solution": false, "task": false}
import numpy as np

from byhand import check

with check.exercise("dot"):
    check.values(
        "dot(np.array([1.0, 2.0]), np.array([[1.0, 0.0], [0.0, 1.0]]))",
        dot(np.array([1.0, 2.0]), np.array([[1.0, 0.0], [0.0, 1.0]])),
        want=np.array([2.0, 4.0]),
        axes=("key",),
        known_wrong={"the scores were not multiplied by SCALE.": [1.0, 2.0]},
    )
    ### BEGIN HIDDEN TESTS
    generator = check.rng()
    for n_keys in (1, 5):
        secret_query, secret_keys = generator.normal(size=3), generator.normal(size=(n_keys, 3))
        secret_want = np.array([2.0 * sum(a * b for a, b in zip(secret_query, key)) for key in secret_keys])
        check.values(f"dot of a query and {n_keys} keys", dot(secret_query, secret_keys), want=secret_want)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 90.2: weights that sum to one (3 points, about 2 minutes)
#
# **Write** `share(scores)`: each score divided by the sum of all.


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "share", "locked": false, "solution": true, "task": false}
def share(scores):
    """Positive scores (S,) as weights (S,) that sum to 1."""
    ### BEGIN SOLUTION
    total_of_scores = np.sum(scores)
    return np.asarray(scores) / total_of_scores
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_share", "locked": true, "points": 3, "solution": false, "task": false}
import numpy as np

from byhand import check

with check.exercise("share"):
    check.values("share(np.array([1.0, 3.0]))", share(np.array([1.0, 3.0])), want=np.array([0.25, 0.75]))
    ### BEGIN HIDDEN TESTS
    secret_scores = check.rng().uniform(1.0, 2.0, size=6)
    secret_sum = 0.0
    for one_score in secret_scores:
        secret_sum += one_score
    check.values("share of six scores", share(secret_scores), want=secret_scores / secret_sum)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Question 90.3 (1 point, graded by hand)
#
# What happens to the weights when all scores are doubled?

# %% [markdown] nbgrader={"schema_version": 3, "grade": true, "grade_id": "doubled", "locked": false, "points": 1, "solution": true, "task": false}
# ### BEGIN SOLUTION
# Nothing: the factor cancels in the fraction.
# ### END SOLUTION
