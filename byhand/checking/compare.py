"""Compare an answer with what is wanted: type, shape, dtype, then values.

    problem(label, got, want, ...) -> None, or what is wrong and in which part of the answer

Never reshapes, never broadcasts, and asks nothing of an object before its exact type is known.
Order: problem, arrays and tensors, single numbers, containers, plain values.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from byhand.checking import numbers, show

_ATOMS = (int, bool, str, bytes, type(None), complex)
_KEYS = (*_ATOMS, float)


@dataclass(frozen=True)
class Problem:
    """What is wrong. got and want: the part of the answer it is about."""

    text: str
    got: Any
    want: Any


@dataclass(frozen=True)
class Rules:
    """How to compare: tolerance None means the one of the dtype."""

    tolerance: float | None = None
    type_name: Callable[[object], str] = show.type_name


def problem(label: str, got: Any, want: Any, axes: Any, rules: Rules) -> Problem | None:
    """What is wrong with `got`, or None. label: the call, as a learner would type it.

    axes: a name for each axis, or, for a tuple of arrays, such names for each element.
    """
    kind = type(want)
    if kind in numbers.SCALARS and kind not in (np.float64, np.float32, np.float16):
        return problem(label, got, want.item(), axes, rules)
    if kind is float or kind in numbers.SCALARS:
        return _number(label, got, want, rules)
    if numbers.is_array(want) or numbers.is_tensor(want):
        return _array(label, got, want, axes, rules)
    if kind is list or kind is tuple:
        return _sequence(label, got, want, axes, rules)
    if kind is dict:
        return _mapping(label, got, want, axes, rules)
    return _atom(label, got, want, rules)


# Types


def wrong_type(label: str, got: Any, wanted: str, rules: Rules) -> str:
    """'f() returned a list, not a numpy.ndarray.' and, if it is a usual mistake, what to do."""
    name = rules.type_name(got)
    verb = "returned" if label.endswith(")") else "is"
    hint = _hint(name, wanted)
    return f"{label} {verb} {show.with_article(name)}, not {show.with_article(wanted)}.{hint}"


def _hint(name: str, wanted: str) -> str:
    if name == "NoneType":
        return " Is a `return` missing?"
    if wanted == "numpy.ndarray" and name in ("list", "tuple"):
        return " Is it several results, or should np.array(...) make it one array?"
    if wanted == "torch.Tensor" and name in ("list", "tuple"):
        return " Is it several results, or should torch.stack(...) make it one tensor?"
    if wanted == "numpy.ndarray" and name == "torch.Tensor":
        return " This exercise is NumPy from start to end."
    if wanted == "torch.Tensor" and name.startswith("numpy."):
        return " Stay in torch: the way through NumPy cuts the gradient."
    if wanted in ("int", "bool") and name.startswith(("numpy.", "torch.Tensor")):
        return f" Wrap it in {wanted}(...)."
    if wanted == "dict" and name in ("list", "tuple", "set"):
        return " Each result goes under its name."
    if wanted in ("list", "tuple", "dict") and name.split(".")[0] in ("list", "tuple", "collections", "set"):
        return f" Wrap it in {wanted}(...)."
    if wanted in ("list", "tuple", "dict") and "." not in name and not hasattr(builtins, name):
        return f" Return a plain {wanted}; a class of your own, such as a named tuple, is not one."
    return ""


# Arrays and tensors


def _array(label: str, got: Any, want: Any, axes: Any, rules: Rules) -> Problem | None:
    if numbers.is_array(want):
        right_type = numbers.is_array(got) or (type(got) in numbers.SCALARS and want.ndim == 0)
        wanted = "numpy.ndarray"
    else:
        right_type, wanted = numbers.is_tensor(got), "torch.Tensor"
    if not right_type:
        text = wrong_type(label, got, wanted, rules)
        if type(got) in (int, float) or type(got) in numbers.SCALARS:
            text += f" It is one number; expected shape {show.shape(tuple(want.shape), axes)}."
        return Problem(text, got, want)
    text = wrong_shape(label, got, tuple(want.shape), axes) or _wrong_kind(label, got, want)
    text = text or _wrong_values(label, got, want, axes, rules)
    return Problem(text, got, want) if text else None


def wrong_shape(label: str, got: Any, want: Sequence[int], axes: Sequence[str] | None) -> str:
    """'' or what is wrong with the shape of an array or tensor of known type."""
    if tuple(got.shape) == tuple(want):
        return ""
    return f"{label} has shape {show.shape(tuple(got.shape))}, expected {show.shape(tuple(want), axes)}."


def _wrong_kind(label: str, got: Any, want: Any) -> str:
    if got.dtype != want.dtype:
        return f"{label} has dtype {got.dtype}, expected {want.dtype}."
    if numbers.is_tensor(want):
        if got.layout != want.layout:
            return f"{label} has layout {got.layout}, expected {want.layout}."
        if got.device.type != want.device.type:
            return f"{label} is on device {got.device}, expected {want.device}."
    return ""


def _wrong_values(label: str, got: Any, want: Any, axes: Any, rules: Rules) -> str:
    mine, right = numbers.numbers(got), numbers.numbers(want)
    if mine is None or right is None:
        raise TypeError(f"check.values cannot compare entries of dtype {want.dtype} ({label}).")
    tolerance = rules.tolerance
    if tolerance is None:
        tolerance = numbers.TOLERANCES.get(numbers.dtype_name(want.dtype), 0.0)
    wrong = numbers.differing(mine, right, tolerance)
    if not wrong.any():
        return ""
    return entries(label, mine, right, wrong, axes)


def entries(label: str, got: numbers.Array, want: numbers.Array, wrong: Any, axes: Any) -> str:
    """'f(): 4 of 8 entries differ, first at query 0, key 1.' with both entries below."""
    where = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    index = [int(at) for at in where]
    count = int(np.count_nonzero(wrong))
    left, right = show.pair(got[where], want[where])
    if wrong.ndim == 0:
        text = f"{label}: the value differs."
    elif wrong.size == 1:
        text = f"{label}: the only entry differs."
    else:
        many = _how_many(count, wrong.size, "entries")
        text = f"{label}: {many}, first at {show.place(index, axes)}."
    return f"{text}\n  got   {left}\n  want  {right}{_about_nan(got, want)}"


def _how_many(count: int, size: int, what: str) -> str:
    if count == size:
        return f"all {count} {what} differ"
    return f"{count} of {size} {what} {'differs' if count == 1 else 'differ'}"


def _about_nan(got: numbers.Array, want: numbers.Array) -> str:
    if got.dtype.kind not in "fc":
        return ""
    count = int(np.count_nonzero(np.isnan(got) & ~np.isnan(want)))
    if count == 0 or got.ndim == 0:
        return ""
    return f"\n  {count} of {got.size} entries {'is' if count == 1 else 'are'} nan."


# Single numbers


def _number(label: str, got: Any, want: Any, rules: Rules) -> Problem | None:
    is_number = type(got) in (float, int) or type(got) in numbers.SCALARS - {np.bool_}
    if not is_number and not numbers.is_array(got) and not numbers.is_tensor(got):
        return Problem(wrong_type(label, got, "float", rules), got, want)
    mine = numbers.numbers(got)
    if mine is None or mine.dtype.kind not in "fiu":
        kind = f"holds {got.dtype}" if hasattr(got, "dtype") else "is too large a number"
        return Problem(f"{label} {kind}, expected a float.", got, want)
    if mine.ndim:
        text = f"{label} has shape {show.shape(mine.shape)}, expected a single number."
        return Problem(text, got, want)
    tolerance = rules.tolerance
    if tolerance is None:
        own = numbers.TOLERANCES.get(numbers.dtype_name(getattr(got, "dtype", "float64")), 1e-9)
        tolerance = min(own, 2e-5)
    right = np.asarray(float(want))
    wrong = numbers.differing(mine, right, tolerance)
    return Problem(entries(label, mine, right, wrong, None), got, want) if wrong.any() else None


# Containers


def _sequence(label: str, got: Any, want: Any, axes: Any, rules: Rules) -> Problem | None:
    if type(got) is not type(want):
        return Problem(wrong_type(label, got, type(want).__name__, rules), got, want)
    if len(got) != len(want):
        left, right = show.pair(got, want)
        text = f"{label} has {_elements(len(got))}, expected {len(want)}.\n  got   {left}\n  want  {right}"
        return Problem(text, got, want)
    each = axes if axes and len(axes) == len(want) and not isinstance(axes[0], str) else [None] * len(want)
    found = [
        (at, wrong)
        for at in range(len(want))
        if (wrong := problem(f"{label}[{at}]", got[at], want[at], each[at], rules)) is not None
    ]
    if not found:
        return None
    at, first = found[0]
    plain = all(type(item) in (*_ATOMS, float) for item in want)
    if not plain or type(first.got) is not type(first.want) or len(want) == 1:
        return first
    left, right = show.pair(first.got, first.want)
    many = _how_many(len(found), len(want), "elements")
    where = show.place([at], axes if axes and isinstance(axes[0], str) else None)
    return Problem(f"{label}: {many}, first at {where}.\n  got   {left}\n  want  {right}", got, want)


def _elements(count: int) -> str:
    return f"{count} element" if count == 1 else f"{count} elements"


def _mapping(label: str, got: Any, want: Any, axes: Any, rules: Rules) -> Problem | None:
    if type(got) is not dict:
        return Problem(wrong_type(label, got, "dict", rules), got, want)
    odd = [key for key in got if not _plain_key(key)]
    if odd:
        text = f"{label} has a key that is {show.with_article(rules.type_name(odd[0]))}."
        return Problem(text, got, want)
    missing = [key for key in want if key not in got]
    extra = [key for key in got if key not in want]
    if missing or extra:
        said = [f"lacks the key {show.value(key)}" for key in missing[:1]]
        said += [f"has a key {show.value(key)} too many" for key in extra[:1]]
        return Problem(f"{label} {' and '.join(said)}.", got, want)
    for key in want:
        wrong = problem(f"{label}[{show.value(key)}]", got[key], want[key], axes, rules)
        if wrong:
            return wrong
    return None


def _plain_key(key: Any) -> bool:
    return type(key) in _KEYS or (type(key) is tuple and all(_plain_key(part) for part in key))


# Plain values


def _atom(label: str, got: Any, want: Any, rules: Rules) -> Problem | None:
    kind = type(want)
    if kind in (set, frozenset):
        plain = type(got) is kind and all(_plain_key(item) for item in got)
    elif kind in _ATOMS or kind.__module__ in ("torch", "numpy"):
        plain = type(got) is kind
    else:
        raise TypeError(
            f"check.values cannot compare with {show.with_article(show.type_name(want))} ({label})."
        )
    if not plain:
        return Problem(wrong_type(label, got, show.type_name(want), rules), got, want)
    if got == want or (kind is complex and got != got and want != want):
        return None
    left, right = show.pair(got, want)
    return Problem(f"{label}: the value differs.\n  got   {left}\n  want  {right}", got, want)
