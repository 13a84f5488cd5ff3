"""Several calls of one function, asked for in one message: a question each costs more than most answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograder.learner.alarm import OutOfTime

LARGE = 1 << 16  # entries of an array, or of all results together, after which the judge asks anew
LONG = 1.0  # seconds after which it does so, too; less than the judge's own patience after an alarm
_PLAIN = (type(None), bool, int, float, np.number, np.bool_)


def calls(
    function: Callable[..., Any], cases: Sequence[Sequence[Any]], begin: Callable[[], None]
) -> tuple[list[Any], BaseException | None]:
    """What the function gives for each list of arguments, as it is when that call ends; an error ends it.

    begin() is called before each call. It also ends after a call that gives anything but small arrays and
    numbers, which a later one might change. No call is made twice.
    """
    results: list[Any] = []
    until, room = time.monotonic() + LONG, LARGE
    for case in cases:
        begin()
        try:
            result = function(*case)
        except OutOfTime:
            raise
        except BaseException as error:
            return results, error
        kept = _kept(result)
        if kept is None:
            return [*results, result], None
        copy, size = kept
        results.append(copy)
        room -= size
        if room < 0 or time.monotonic() > until:
            break
    return results, None


def _kept(result: Any) -> tuple[Any, int] | None:
    """A copy that later calls cannot change, and its entries. None if it is not known how to make one."""
    if type(result) is np.ndarray and result.size < LARGE:
        copy = result.copy(order="K")
        copy.flags.writeable = result.flags.writeable
        return copy, copy.size
    if type(result) is tuple:
        parts = [_kept(part) for part in result]
        known = [part for part in parts if part is not None]
        whole = len(known) == len(parts)
        return (tuple(part for part, _ in known), sum(size for _, size in known)) if whole else None
    return (result, 1) if isinstance(result, _PLAIN) else None
