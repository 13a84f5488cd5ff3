"""Parts of earlier lessons, for later exercises that need them: same names, same signatures.

They are built on the libraries' own functions, so they give no exercise away, and a mistake in an earlier
answer of yours does not spoil a later one. To use your own instead, write `softmax = my_softmax`.
What is built on torch's layers is in modules of its own, loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.parts.attention import (
        MultiHeadAttention,
        attention,
        causal_mask,
        merge_heads,
        padding_mask,
        split_heads,
        window_mask,
    )
    from byhand.parts.encoder import (
        EncoderBlock,
        FeedForward,
        TextClassifier,
        TokenTagger,
        TransformerEncoder,
        mean_pool,
    )
    from byhand.parts.positions import alibi_bias, apply_rope, sinusoidal_encoding
    from byhand.parts.transformer import DecoderBlock, Transformer

__all__ = [
    "DecoderBlock",
    "EncoderBlock",
    "FeedForward",
    "MultiHeadAttention",
    "TextClassifier",
    "TokenTagger",
    "Transformer",
    "TransformerEncoder",
    "alibi_bias",
    "apply_rope",
    "attention",
    "causal_mask",
    "masked_softmax",
    "mean_pool",
    "merge_heads",
    "padding_mask",
    "sinusoidal_encoding",
    "softmax",
    "split_heads",
    "window_mask",
]
_HOMES = {
    "byhand.parts.attention": (
        "MultiHeadAttention",
        "attention",
        "causal_mask",
        "merge_heads",
        "padding_mask",
        "split_heads",
        "window_mask",
    ),
    "byhand.parts.positions": ("alibi_bias", "apply_rope", "sinusoidal_encoding"),
    "byhand.parts.encoder": (
        "EncoderBlock",
        "FeedForward",
        "TextClassifier",
        "TokenTagger",
        "TransformerEncoder",
        "mean_pool",
    ),
    "byhand.parts.transformer": ("DecoderBlock", "Transformer"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"blocks has no {name!r}. It has: {', '.join(__all__)}.")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})


def softmax(scores: NDArray[Any], axis: int = -1) -> NDArray[Any]:
    """Weights along `axis` that sum to 1; where all scores are -inf the weights are 0.

    scores: a float array, `-inf` allowed; it is not changed. Returns: same shape and dtype.
    Raises: TypeError if scores are not floats.
    """
    array = np.asarray(scores)
    if array.dtype.kind != "f":
        raise TypeError(f"softmax needs float scores, got dtype {array.dtype}; write 1.0 instead of 1.")
    wide = array.astype(np.result_type(array, np.float64))
    with np.errstate(invalid="ignore", over="ignore"):  # nan and inf among the scores give nan
        whole = np.logaddexp.reduce(wide, axis=axis, keepdims=True)  # log of the sum of all exp(scores)
        shares: NDArray[Any] = np.exp(wide - np.where(np.isneginf(whole), 0.0, whole))
    return shares.astype(array.dtype)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Weights over the last axis that sum to 1 where mask is True; all weights are 0 where nothing is.

    scores: floats; mask: bool, broadcasts to scores' shape and never enlarges it.
    """
    import torch

    allowed = mask.expand(scores.shape)
    nothing = ~allowed.any(dim=-1, keepdim=True)
    safe = scores.masked_fill(~allowed, float("-inf")).masked_fill(nothing, 0.0)
    return torch.softmax(safe, dim=-1).masked_fill(~allowed, 0.0)
