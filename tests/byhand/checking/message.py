"""What a learner reads of a check that refuses."""

from collections.abc import Callable
from typing import Any

from byhand import check


def failure_of(function: Callable[..., Any], *args: Any, **options: Any) -> str:
    """The message, "" if nothing is refused."""
    try:
        function(*args, **options)
    except check.CheckFailed as failure:
        return str(failure)
    return ""


def said(got: Any, want: Any, call: str = "f(x)", **options: Any) -> str:
    """What check.values says of an answer."""
    return failure_of(check.values, call, got, want, **options)
