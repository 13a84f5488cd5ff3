"""Numbers of verified types as plain NumPy arrays, and how near two of them are.

An object is only asked for its numbers once its exact type is known, so that a subclass
cannot answer for them. torch is used where a tensor is involved, never imported here.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SCALARS = frozenset(np.dtype(code).type for code in "?bhilqBHILQefdgFDG")
# Relative or absolute, by the name of the result's dtype; what is not a float compares exactly.
TOLERANCES = {
    "float64": 1e-9,
    "complex128": 1e-9,
    "float32": 2e-5,
    "complex64": 2e-5,
    "float16": 1e-2,
    "bfloat16": 5e-2,
}
_KNOWN_WRONG_TOLERANCE = 1e-4  # known wrong numbers are written by hand, with few digits
_MOST = 100_000  # longer lists are never a small example's known mistake


def is_tensor(value: object) -> bool:
    """Whether value is exactly a torch.Tensor or nn.Parameter."""
    torch = sys.modules.get("torch")
    return torch is not None and type(value) in (torch.Tensor, torch.nn.Parameter)


def is_array(value: object) -> bool:
    return type(value) is np.ndarray


@lru_cache(maxsize=64)
def dtype_name(dtype: object) -> str:
    return str(dtype).removeprefix("torch.")


def of_tensor(tensor: Any) -> Array:
    """A tensor's numbers as float64, complex128, int64 or bool on the CPU."""
    torch = sys.modules["torch"]
    # Not tensor.detach(): a tensor can carry an attribute of that name.
    plain = torch.Tensor.detach(tensor).cpu()
    if plain.is_complex():
        plain = plain.to(torch.complex128).resolve_conj()
    elif plain.is_floating_point():
        plain = plain.to(torch.float64)
    result: Array = plain.resolve_neg().numpy()
    return result


def numbers(value: Any, room: int = _MOST) -> Array | None:
    """The numbers of an array, tensor, scalar or nested list, or None if it is anything else.

    room: how many entries lists may hold in all; a list may contain itself.
    """
    kind = type(value)
    if kind is np.ndarray or kind in SCALARS:
        return np.asarray(value) if value.dtype.kind in "biufc" else None
    if is_tensor(value):
        return of_tensor(value) if _readable(value) else None
    if kind is bool or kind is float or kind is complex or (kind is int and value.bit_length() < 63):
        return np.asarray(value)
    if kind is list or kind is tuple:
        return _of_list(value, room)
    return None


def _readable(tensor: Any) -> bool:
    return str(tensor.layout) == "torch.strided" and tensor.device.type != "meta" and not tensor.is_quantized


def _of_list(items: Any, room: int) -> Array | None:
    if not 0 < len(items) <= room:
        return None
    parts: list[Array] = []
    for item in items:
        part = numbers(item, room // (len(items) + 1))
        if part is None or part.shape != (parts[0] if parts else part).shape or part.size > room:
            return None
        parts.append(part)
    return np.stack(parts)


def differing(got: Array, want: Array, tolerance: float) -> NDArray[np.bool_]:
    """Which entries differ. NaN equals NaN only, an infinity equals itself only. Shapes are equal."""
    if got.dtype.kind in "biu" and want.dtype.kind in "biu":
        return np.asarray(got != want)
    got, want = _wide(got), _wide(want)
    with np.errstate(all="ignore"):
        near = np.abs(got - want) <= tolerance * np.maximum(1.0, np.abs(want))
        near &= np.isfinite(want)  # what is near a finite number is finite
        if near.all():
            return np.asarray(~near)
        same = (got == want) | (np.isnan(got) & np.isnan(want))
    return np.asarray(~(near | same))


def _wide(numbers: Array) -> Array:
    return numbers.astype(np.complex128 if numbers.dtype.kind == "c" else np.float64, copy=False)


def _distance(left: Array, right: Array) -> float:
    left, right = _wide(left), _wide(right)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(all="ignore"):
        gap = np.where(same, 0.0, np.abs(left - right))
    return float(np.max(np.nan_to_num(gap, nan=np.inf), initial=0.0))


def matches(known: Any, got: Any, want: Any) -> bool:
    """Whether got is what a known mistake gives: same shape, near it, and nearer than to `want`.

    known: numbers, text, or a list, tuple or dict of them; ... stands for anything.
    """
    if known is Ellipsis:
        return True
    wrong = numbers(known)
    if wrong is not None and (is_array(got) or is_tensor(got)) and tuple(got.shape) != wrong.shape:
        return False  # before a huge answer is turned into numbers
    mine, right = numbers(got), numbers(want)
    if wrong is not None and mine is not None:
        if wrong.shape != mine.shape or bool(differing(mine, wrong, _KNOWN_WRONG_TOLERANCE).any()):
            return False
        return right is None or right.shape != mine.shape or _distance(mine, wrong) <= _distance(mine, right)
    if type(known) in (list, tuple) and type(got) in (list, tuple) and len(known) == len(got):
        aims = want if type(want) in (list, tuple) and len(want) == len(got) else [None] * len(got)
        return all(matches(*each) for each in zip(known, got, aims, strict=True))
    if type(known) is dict and type(got) is dict and all(type(key) is str for key in got):
        aims = want if type(want) is dict else {}
        return known.keys() == got.keys() and all(matches(known[k], got[k], aims.get(k)) for k in known)
    return type(known) is type(got) and type(got) in (str, bytes, int, type(None)) and known == got
