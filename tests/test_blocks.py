"""byhand.blocks: parts of earlier lessons, right at the edges too."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from byhand import blocks


def slow_softmax(scores: list[float]) -> list[float]:
    top = max(scores)
    if top == -math.inf:
        return [0.0 for _ in scores]
    parts = [math.exp(score - top) for score in scores]
    return [part / math.fsum(parts) for part in parts]


@pytest.mark.parametrize("scores", [[0.0, 1.0], [1e4, -1e4, 1e4], [-math.inf, 2.0], [-math.inf] * 3, [7.0]])
def test_softmax_equals_the_slow_one(scores: list[float]) -> None:
    assert blocks.softmax(np.array(scores)).tolist() == pytest.approx(slow_softmax(scores), abs=1e-12)


def test_softmax_runs_along_the_given_axis() -> None:
    scores = np.random.default_rng(0).normal(size=(2, 3, 4))
    for axis in (0, 1, -1):
        want = np.apply_along_axis(lambda row: np.array(slow_softmax(row.tolist())), axis, scores)
        assert np.allclose(blocks.softmax(scores, axis=axis), want, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_softmax_keeps_the_dtype(dtype: str) -> None:
    weights = blocks.softmax(np.array([1e4, 0.0, -np.inf], dtype=dtype))
    assert type(weights) is np.ndarray
    assert weights.dtype == dtype
    assert weights.tolist() == [1.0, 0.0, 0.0]


def test_softmax_leaves_its_input_alone_and_takes_any_view() -> None:
    scores = np.arange(6.0)
    scores.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights = blocks.softmax(scores[::-2])
    assert weights.tolist() == pytest.approx(slow_softmax([5.0, 3.0, 1.0]))
    assert scores.tolist() == [0, 1, 2, 3, 4, 5]


def test_softmax_refuses_integers_with_the_remedy() -> None:
    with pytest.raises(TypeError, match="got dtype int64; write 1"):
        blocks.softmax(np.array([1, 2]))
