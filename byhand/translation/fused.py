"""Swap the attention inside any model that has the course's names, and put it back afterwards.

    with translation.fused(model):      torch's fused kernels: no (T, S) weights in memory
    with translation.unfused(model):    scores, softmax and weights one after the other, as in lesson 03

A layer counts if it has q_proj, k_proj, v_proj and out_proj. What it takes may be named as its author
likes: the first tensor is the query, the next the key, the next the value, the one of bools the mask.
Order: the two swaps, fused where that is the same, the two kernels, the new forward.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from byhand.blocks import masked_softmax, merge_heads, split_heads
from byhand.translation.decode import at_rest

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")
Kernel = Callable[[Tensor, Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor | None]]


def fused(model: nn.Module, n_heads: int | None = None) -> contextlib.AbstractContextManager[nn.Module]:
    """Inside, attention is torch's fused scaled_dot_product_attention; weights come back as None.

    n_heads: of the layers, where they do not say so themselves. Raises: ValueError if there are no layers.
    """
    return _swapped(model, n_heads, _fused)


def unfused(model: nn.Module, n_heads: int | None = None) -> contextlib.AbstractContextManager[nn.Module]:
    """Inside, attention goes by the formula, its weights in memory; n_heads and errors as in fused."""
    return _swapped(model, n_heads, _by_formula)


@contextlib.contextmanager
def fused_where_same(model: nn.Module, n_heads: int, src: Tensor, tgt: Tensor) -> Iterator[bool]:
    """Inside, attention is fused if the model then says the same of these ids, else as it was; which of both.

    Tried on the CPU in float32, with a copy: a learner's attention may be any.
    """
    trial: Any = copy.deepcopy(model).to("cpu", torch.float32)
    ids = src.cpu(), tgt.cpu()
    try:
        with at_rest(trial):
            want = trial(*ids)
            with fused(trial, n_heads):
                same = bool((trial(*ids) - want).abs().max() <= 1e-4 * want.abs().max())
    except (ValueError, TypeError, RuntimeError, IndexError):  # no such layers, or others than these
        same = False
    with fused(model, n_heads) if same else contextlib.nullcontext():
        yield same


@contextlib.contextmanager
def without_cudnn() -> Iterator[None]:
    """Inside, torch's own kernels attend: cuDNN's would make a plan for every new shape of a batch."""
    before = torch.backends.cuda.cudnn_sdp_enabled()  # type: ignore[no-untyped-call]
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask), None


def _by_formula(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    scores = q @ k.mT / q.shape[-1] ** 0.5  # (B, H, T, S)
    weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
    return weights.to(v.dtype) @ v, weights


@contextlib.contextmanager
def _swapped(model: nn.Module, n_heads: int | None, kernel: Kernel) -> Iterator[nn.Module]:
    layers = [module for module in model.modules() if all(hasattr(module, name) for name in PROJECTIONS)]
    if not layers:
        raise ValueError(
            f"the model has no layer with {', '.join(PROJECTIONS)}, so there is nothing to swap."
        )
    before = [vars(layer).get("forward") for layer in layers]
    new = [partial(_forward, layer, _heads(layer, n_heads), kernel, _is_pair(layer)) for layer in layers]
    try:
        for layer, forward in zip(layers, new, strict=True):
            vars(layer)["forward"] = forward
        yield model
    finally:
        for layer, old in zip(layers, before, strict=True):
            vars(layer).pop("forward", None)
            if old is not None:
                vars(layer)["forward"] = old


def _heads(layer: nn.Module, given: int | None) -> int:
    found = given or getattr(layer, "n_heads", None)
    if not isinstance(found, int):
        raise ValueError(f"{type(layer).__name__} has no attribute n_heads. Next: pass n_heads=….")
    return found


def _is_pair(layer: Any) -> bool:
    """Whether the layer returns (output, weights), and not the output alone; tried with one token."""
    first = next(layer.parameters())
    token = first.new_zeros(1, 1, layer.q_proj.in_features)
    error = None
    with at_rest(layer):
        for count in (1, 2, 3):
            try:
                return isinstance(layer(*[token] * count), tuple)
            except TypeError as problem:  # it wants the key, or key and value, too
                error = problem
    raise ValueError(f"{type(layer).__name__} takes neither a query, nor query, key and value: {error}")


def _forward(
    layer: Any, n_heads: int, kernel: Kernel, is_pair: bool, *args: Any, **named: Any
) -> Tensor | tuple[Tensor, Tensor | None]:
    given = [part for part in (*args, *named.values()) if isinstance(part, Tensor)]
    masks = [part for part in given if part.dtype is torch.bool]
    features = [part for part in given if part.dtype is not torch.bool]
    query = features[0]
    key = features[1] if len(features) > 1 else query
    value = features[2] if len(features) > 2 else key
    q, k, v = (
        split_heads(projection(x), n_heads)
        for projection, x in ((layer.q_proj, query), (layer.k_proj, key), (layer.v_proj, value))
    )
    attended, weights = kernel(q, k, v, masks[0] if masks else None)
    output: Tensor = layer.out_proj(merge_heads(attended))
    return (output, weights) if is_pair else output
