"""Several calls of one function, asked for in one message: a question each costs more than most answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograder.learner.alarm import OutOfTime

LARGE = 1 << 16  # entries of an array that is not answered with others
LONG = 1.0  # seconds after which the judge asks for each further call alone, in a time of its own
_PLAIN = (type(None), bool, int, float, np.number, np.bool_)


def calls(function: Callable[..., Any], cases: Sequence[Sequence[Any]]) -> list[Any]:
    """What the function gives for each list of arguments, as it is when that call ends.

    It ends before a call that raises an error or gives anything but arrays and numbers: the judge asks for
    that call alone.
    """
    results: list[Any] = []
    until = time.monotonic() + LONG
    for case in cases:
        try:
            results.append(_kept(function(*case)))
        except OutOfTime:
            raise
        except BaseException:
            break
        if time.monotonic() > until:
            break
    return results


def _kept(result: Any) -> Any:
    """A copy that later calls cannot change. TypeError if it is not known how to make one."""
    if type(result) is np.ndarray and result.size < LARGE:
        copy = result.copy(order="K")
        copy.flags.writeable = result.flags.writeable
        return copy
    if type(result) is tuple:
        return tuple(map(_kept, result))
    if isinstance(result, _PLAIN):
        return result
    raise TypeError("a result that later calls may change")
