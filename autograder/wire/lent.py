"""Copy and restore: what the other side did to copies of mutable arguments is done to the originals.

Both sides number the arrays, tensors, lists, dicts and sets that cross during one outermost question
alike: the lender to find its originals again, the borrower to see what has changed since.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from autograder.wire import arrays
from autograder.wire.errors import WireError


class Lent:
    """Mutable objects that crossed during one question, numbered alike on both sides."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}
        self._before: dict[int, Any] = {}

    def add(self, value: Any) -> int:
        self.numbers[id(value)] = len(self.objects)
        self.objects.append(value)
        return len(self.objects) - 1

    def borrow(self, value: Any) -> None:
        self.add(value)

    def remember(self) -> None:
        """Note the state of what has arrived since the last call."""
        for number in range(len(self._before), len(self.objects)):
            self._before[number] = _state(self.objects[number])

    def changes(self) -> list[tuple[int, Any]]:
        """(number, object) of what is no longer as it was remembered, and remember it as it is now."""
        changed = []
        for number, before in self._before.items():
            value = self.objects[number]
            if not _same(value, before):
                changed.append((number, value))
                self._before[number] = _state(value)
        return changed


def _state(value: Any) -> Any:
    if type(value) is np.ndarray:
        return value.dtype, value.shape, value.tobytes()
    if arrays.is_array(value):
        return value.detach().clone(), value.requires_grad
    return list(value.items()) if type(value) is dict else list(value)


def _same(value: Any, before: Any) -> bool:
    if type(value) is np.ndarray:
        return bool((value.dtype, value.shape, value.tobytes()) == before)
    if arrays.is_array(value):
        old, grad = before
        torch = sys.modules["torch"]
        alike = value.dtype == old.dtype and value.requires_grad == grad and value.shape == old.shape
        return bool(alike and (value.device.type == "meta" or torch.equal(value.detach(), old)))
    now = _state(value)
    return len(now) == len(before) and all(map(_is, now, before))


def _is(one: Any, other: Any) -> bool:
    return one is other or (type(one) is tuple and len(one) == len(other) == 2 and all(map(_is, one, other)))


def restore(mine: Any, changed: Any) -> None:
    """Do to the object that was lent what the other side did to its copy."""
    if type(mine) is not type(changed):
        raise WireError(f"a {type(mine).__name__} that became a {type(changed).__name__}")
    if type(mine) is np.ndarray:
        if mine.shape != changed.shape or mine.dtype != changed.dtype:
            raise WireError("an array that changed its shape or dtype in place")
        writable, mine.flags.writeable = mine.flags.writeable, True
        mine[...] = changed
        mine.flags.writeable = writable
    elif arrays.is_array(mine):
        if mine.shape != changed.shape or mine.dtype != changed.dtype:
            raise WireError("a tensor that changed its shape or dtype in place")
        mine.detach().copy_(changed.detach())
        if mine.is_leaf:
            mine.requires_grad_(changed.requires_grad)
    elif type(mine) is list:
        mine[:] = changed
    else:
        mine.clear()
        mine.update(changed)
