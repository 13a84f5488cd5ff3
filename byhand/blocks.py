"""Parts of earlier lessons, for later exercises that need them: same names, same signatures.

They are built on torch's own functions, so they give no exercise away, and a mistake in an earlier
answer of yours does not spoil a later one. To use your own instead, write `softmax = my_softmax`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def softmax(scores: NDArray[Any], axis: int = -1) -> NDArray[Any]:
    """Weights along `axis` that sum to 1; where all scores are -inf the weights are 0.

    scores: a float array, `-inf` allowed; it is not changed. Returns: same shape and dtype.
    Raises: TypeError if scores are not floats.
    """
    import torch

    array = np.array(scores)
    if array.dtype.kind != "f":
        raise TypeError(f"softmax needs float scores, got dtype {array.dtype}; write 1.0 instead of 1.")
    tensor = torch.from_numpy(array)
    weights = torch.softmax(tensor, dim=axis)
    nothing = torch.isneginf(tensor).all(dim=axis, keepdim=True)
    result: NDArray[Any] = weights.masked_fill(nothing, 0.0).numpy()
    return result
