"""Gradients two ways: by autograd, and by moving each entry a little (float64 finite differences).

Order: wrong_gradient (the comparison), backward (autograd), slopes (finite differences).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from byhand.checking import behaviour, compare, numbers, show
from byhand.checking.failed import CheckFailed, origin_of

_STEP = 1e-6
_SEED = 0  # of the weights that turn an output into one number; any will do
_SLOPES = "got is autograd's, want comes from finite differences."
_CUT = "  Likely cause: .detach(), .item(), .numpy(), torch.tensor(...) or torch.no_grad() on the way."

Backward = Callable[[Callable[..., Any], Sequence[Any], Any], tuple[Any, list[Any]]]


def wrong_gradient(
    call: str,
    function: Callable[..., Any],
    inputs: Sequence[Any],
    rules: compare.Rules,
    run: Backward,
) -> str:
    """'' or how autograd's gradient (through `run`) differs from finite differences."""
    import torch

    if any(_is_float(item) and item.dtype != torch.float64 for item in inputs):
        raise TypeError(f"check.gradient needs float64 inputs ({call}).")
    tolerance = rules.tolerance or 0.0
    with torch.no_grad():
        result = function(*_plain(list(inputs)))
    outputs = outputs_of(result)
    text = _unusable(call, outputs, result, rules)
    if text:
        return text
    weights = [_weights(output) for output in outputs]

    def total(moved: Sequence[Any]) -> float:
        with torch.no_grad():
            again = outputs_of(function(*_plain(list(moved))))
        return float(sum((out * weight).sum() for out, weight in zip(again, weights, strict=True)))

    try:
        _, grads = run(function, inputs, weights)
    except Exception as error:
        raise CheckFailed(f"{call}: its gradient cannot be computed.\n  got   {origin_of(error)}") from error
    names = behaviour.argument_names(call, len(inputs))
    wanted = [slopes(total, inputs, at) if _is_float(item) else None for at, item in enumerate(inputs)]
    if all(grad is None for grad in grads) and any(_moves(want, tolerance) for want in wanted):
        return f"{call}: no gradient arrives, the result is cut off from its inputs.\n{_CUT}"
    for name, grad, want in zip(names, grads, wanted, strict=True):
        text = "" if want is None else _compared(f"{call}: the gradient of {name}", grad, want, tolerance)
        if text and len(outputs) > 1 and _SLOPES in text:
            text += "\n  Is one of the results detached?"
        if text:
            return text
    return ""


def _unusable(call: str, outputs: list[Any], result: Any, rules: compare.Rules) -> str:
    if not outputs:
        return compare.wrong_type(call, result, "torch.Tensor", rules)
    for output in outputs:
        if str(output.dtype) != "torch.float64":
            return f"{call} has dtype {output.dtype}, expected torch.float64, the dtype of its input."
        if not output.isfinite().all():
            return f"{call}: the result has entries that are nan or infinite, so it has no gradient."
    return ""


def _weights(output: Any) -> Any:
    numbers = np.random.default_rng(_SEED).uniform(0.5, 1.5, size=tuple(output.shape))
    return sys.modules["torch"].from_numpy(np.asarray(numbers))


def _moves(slope: Any, tolerance: float) -> bool:
    return slope is not None and bool((slope.abs() > tolerance).any())


def _compared(label: str, grad: Any, want: Any, tolerance: float) -> str:
    if grad is None:
        return f"{label} does not arrive.\n{_CUT}" if _moves(want, tolerance) else ""
    got, right = numbers.of_tensor(grad), numbers.of_tensor(want)
    missing = np.isnan(got)
    if missing.any():
        at = [int(where) for where in np.unravel_index(int(np.argmax(missing)), got.shape)]
        first = f", first at {show.place(at)}" if got.ndim else ""
        return f"{label} is nan in {int(missing.sum())} of {got.size} entries{first}."
    wrong = numbers.differing(got, right, tolerance)
    if not wrong.any():
        return ""
    text = compare.entries(label, got, right, wrong, None)
    return f"{text}\n  {_SLOPES}"


def outputs_of(result: Any) -> list[Any]:
    """The floating-point tensors of a result: itself, or those of a tuple or list."""
    import torch

    items = result if type(result) in (tuple, list) else [result]
    return [
        item
        for item in items
        if type(item) in (torch.Tensor, torch.nn.Parameter) and torch.Tensor.is_floating_point(item)
    ]


def backward(
    function: Callable[..., Any], inputs: Sequence[Any], cotangent: Any = None
) -> tuple[Any, list[Any]]:
    """(output without its graph, gradient of sum(cotangent · output) for each input).

    Floating-point tensors among the inputs are copied and differentiated; the rest is passed as it
    is, with gradient None. cotangent: a tensor, a list of one for each output tensor, None for ones.
    A gradient is None too where none arrives.
    """
    import torch

    with torch.enable_grad():
        given = [item.detach().clone().requires_grad_() if _is_float(item) else item for item in inputs]
        result = function(*given)
    outputs = outputs_of(result)
    cotangents = [cotangent] * len(outputs) if not isinstance(cotangent, list | tuple) else list(cotangent)
    pairs = [(out, cot) for out, cot in zip(outputs, cotangents, strict=True) if out.requires_grad]
    wanted = [item for item in given if _is_float(item)]
    found: list[Any] = [None] * len(wanted)
    if pairs and wanted:
        with torch.enable_grad():
            total = sum((out * (1.0 if cot is None else cot)).sum() for out, cot in pairs)
        found = list(torch.autograd.grad(total, wanted, allow_unused=True))
    arrived = iter(found)
    return _plain(result), [next(arrived) if _is_float(item) else None for item in given]


def _is_float(item: Any) -> bool:
    import torch

    return isinstance(item, torch.Tensor) and item.is_floating_point()


def _plain(result: Any) -> Any:
    import torch

    if isinstance(result, torch.Tensor):
        return result.detach().clone(memory_format=torch.contiguous_format)
    if type(result) in (tuple, list):
        return type(result)(_plain(item) for item in result)
    return result


def slopes(total: Callable[[Sequence[Any]], float], inputs: Sequence[Any], which: int) -> Any:
    """Central differences of total(inputs) for every entry of inputs[which], as a tensor of its shape."""
    import torch

    moved = _plain(list(inputs))
    flat = moved[which].view(-1)
    result = torch.empty_like(flat)
    for at in range(flat.numel()):
        start = float(flat[at])
        step = _STEP * max(1.0, abs(start))
        flat[at] = start + step
        above = total(moved)
        flat[at] = start - step
        below = total(moved)
        flat[at] = start
        result[at] = (above - below) / (2 * step)
    return result.view(moved[which].shape)
