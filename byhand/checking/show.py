"""Words and numbers for messages: short, bounded, and without asking the shown object anything.

A learner's object may lie, so nothing here calls a method of an object whose exact type is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from byhand.checking.failed import clip
from byhand.checking.numbers import SCALARS

_FEW = 8


def type_name(value: object) -> str:
    """The name of an object's class as a learner knows it: list, numpy.ndarray, MyClass."""
    cls = type(value)
    name = str(type.__dict__["__name__"].__get__(cls))
    module = type.__dict__["__module__"].__get__(cls)
    if type(module) is not str or module in ("builtins", "__main__"):
        return clip(name, 80)
    return clip(f"{module}.{name}", 80)


def with_article(name: str) -> str:
    if name == "NoneType":
        return "None"
    return f"{'an' if name[:1] in 'aeiouAEIO' else 'a'} {name}"


def names_in_words(names: Sequence[str], last: str = "or") -> str:
    """("a", "b", "c") -> "a, b or c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def shape(sizes: Sequence[int], axes: Sequence[str] | None = None) -> str:
    """(2, 4) = (query, key), the names only if there is one for each axis."""
    text = _tuple([str(size) for size in sizes])
    return f"{text} = {_tuple(axes)}" if axes and len(axes) == len(sizes) else text


def _tuple(items: Sequence[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def place(index: Sequence[int], axes: Sequence[str] | None = None) -> str:
    """Where an entry is: query 0, key 1, or without names: index 3, [0, 1]."""
    if axes and len(axes) == len(index):
        return ", ".join(f"{axis} {at}" for axis, at in zip(axes, index, strict=True))
    return f"index {index[0]}" if len(index) == 1 else f"[{', '.join(str(at) for at in index)}]"


def pair(got: Any, want: Any) -> tuple[str, str]:
    """Two numbers or plain values as text, with enough digits to tell them apart."""
    for digits in (6, 9, 17):
        texts = value(got, digits), value(want, digits)
        if texts[0] != texts[1]:
            break
    return texts


def value(item: Any, digits: int = 6) -> str:
    """A plain value as text of at most 300 characters; anything else is shown as <its type>."""
    return clip(_value(item, digits, depth=0), 300)


def _value(item: Any, digits: int, depth: int) -> str:
    kind = type(item)
    if kind in SCALARS:
        return _value(item.item(), digits, depth)
    if kind is float:
        text = f"{item:.{digits}g}"
        return f"{text}.0" if text.lstrip("-").isdigit() else text
    if kind is complex:
        return f"{item:.{digits}g}"
    if kind is int:
        return str(item) if item.bit_length() < 300 else f"an int of {item.bit_length()} bits"
    if item is None or item is Ellipsis or kind is bool:
        return str(item)
    if kind is str or kind is bytes:
        return repr(item) if len(item) <= 200 else repr(item[:200]) + "…"
    if kind in (list, tuple, dict, set) and depth < 3:
        return _container(item, digits, depth)
    return f"<{type_name(item)}>"


def _container(item: Any, digits: int, depth: int) -> str:
    kind = type(item)
    few = [entry for _, entry in zip(range(_FEW), item, strict=False)]
    texts = [_value(entry, digits, depth + 1) for entry in few]
    if kind is dict:
        texts = [
            f"{text}: {_value(item[key], digits, depth + 1)}" for key, text in zip(few, texts, strict=True)
        ]
    if len(item) > _FEW:
        texts.append(f"… {len(item)} in all")
    if kind is tuple:
        return _tuple(texts)
    left, right = "[]" if kind is list else "{}"
    return f"{left}{', '.join(texts)}{right}" if texts or kind is not set else "set()"
