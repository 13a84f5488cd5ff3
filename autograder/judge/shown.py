"""What a learner's code may see of objects that a test passes in: enough to use them, not what checks know.

readable(model, "training")     its value, or AttributeError
"""

from __future__ import annotations

import sys
import types
from typing import Any

_METHODS = ("parameters", "named_parameters", "state_dict", "eval")  # of torch's modules


def is_module(value: Any) -> bool:
    """Whether value is one of torch's modules."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def is_test_made(value: Any) -> bool:
    """Whether a test's own class made it."""
    return type(value).__module__ == "__main__" or is_module(value)


def readable(shown: Any, name: str) -> Any:
    """An attribute that the test's own class gives: nothing that leads on to functions' insides, and no list
    or dict, which is what a check notes or knows (and, lent, could be changed over there).

    Raises: AttributeError for any other.
    """
    if name.startswith("_") or not is_test_made(shown) or not hasattr(shown, name):
        raise AttributeError(f"{type(shown).__name__!r} object has no attribute {name!r}")
    value = getattr(shown, name)
    kept = _is_notes(value)
    if isinstance(value, types.MethodType):
        where = value.__func__.__code__.co_filename if isinstance(value.__func__, types.FunctionType) else ""
        kept = not where.startswith("<test") and name not in _METHODS
    if kept:
        raise AttributeError(f"{name!r} of what the check passed in is not for use")
    return value


def _is_notes(value: Any) -> bool:
    return isinstance(value, list | dict | set) or (type(value) is tuple and any(map(_is_notes, value)))
