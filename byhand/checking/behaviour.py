"""How a call behaves: whether it is written, which error it raises, whether it leaves its inputs alone.

Order: not_written (for check.exercise), wrong_error (check.raises), names and copies, changed (check.kept),
difference.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from byhand.checking import compare, numbers, show
from byhand.checking.failed import Origin

_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_WHOLE = rf"(?<![\d.]){_NUMBER}(?!\.?\d)"


def not_written(exercise: str, needs: Sequence[str], origin: Origin) -> str:
    """'' or what to do: the exercise, or one it calls, is still a stub or was never run."""
    for name in (exercise, *needs):
        if "NameError" in origin.names and f"'{name}'" in origin.text:
            return f"{name} does not exist yet. Run the cell that defines it, then run this check again."
    if not origin.is_a(NotImplementedError):
        return ""
    if origin.text and not origin.text.startswith("Not written yet"):
        return f"{exercise} uses something that is not implemented.\n  got   {origin}"
    where = origin.function.split(".")[0]
    name = where if where in needs else exercise
    first = "" if name == exercise else f"{exercise} calls {name}. "
    return (
        f"{first}{name} is not written yet. Replace its line `raise NotImplementedError(...)` "
        "with your code, run that cell, then run this check again."
    )


def error_in_words(error: type[Exception]) -> str:
    """ "a ValueError"; where any error will do, "an error"."""
    return "an error" if error is Exception else show.with_article(error.__name__)


def wrong_error(call: str, origin: Origin, error: type[Exception], mentions: Sequence[Any]) -> str:
    """'' or why this is not the error, or not the message, that was asked for."""
    wanted = error_in_words(error)
    if not origin.is_a(error):
        return f"{call} must raise {wanted} with a message of its own.\n  got   {origin}"
    choices = [entry if isinstance(entry, tuple) else (entry,) for entry in mentions]
    missing = [words for words in choices if not any(_mentioned(str(word), origin.text) for word in words)]
    if not missing:
        return ""
    said = "; ".join(show.names_in_words([str(word) for word in words]) for words in missing)
    return (
        f"{call} raises {wanted}, but its message does not say enough.\n"
        f"  got   {origin}\n  want  a message that also mentions {said}"
    )


def _mentioned(word: str, text: str) -> bool:
    """Words in any case; a number by its value, in any format: 3 is in "3.0", not in "13", "-3" or "3.5"."""
    if not re.fullmatch(_NUMBER, word):
        return word.lower() in text.lower()
    texts = (text, re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text))  # 65,536 is one number; (3,128) are two
    return any(float(found) == float(word) for each in texts for found in re.findall(_WHOLE, each))


@lru_cache(maxsize=256)  # a check says the same call again and again
def argument_names(call: str, count: int) -> tuple[str, ...]:
    """What the call's own text calls its first arguments, else "argument 1", …"""
    try:
        tree = ast.parse(call, mode="eval").body
    except (SyntaxError, ValueError):
        tree = ast.Constant(None)
    texts = [ast.unparse(argument) for argument in tree.args] if isinstance(tree, ast.Call) else []
    plain = [text if text.isidentifier() else "" for text in texts] + [""] * count
    return tuple(plain[at] or f"argument {at + 1}" for at in range(count))


def copy(item: Any) -> Any:
    """A copy to compare with later; `...` for what cannot change or cannot be compared."""
    if numbers.is_array(item):
        return item.copy()
    if numbers.is_tensor(item):
        return item.detach().clone()
    if type(item) is dict:
        return {key: copy(part) for key, part in item.items()}
    if type(item) in (list, tuple):
        return type(item)(copy(part) for part in item)
    return item if type(item) in (bool, int, float, str, bytes, type(None)) else ...


def same_array(one: Any, other: Any) -> bool:
    """Whether these are two NumPy arrays of the same bytes; False says nothing."""
    if not numbers.is_array(one) or not numbers.is_array(other):
        return False
    alike = one.dtype == other.dtype and one.shape == other.shape and one.dtype.kind in "biufc"
    return bool(alike and one.tobytes() == other.tobytes())


def changed(
    call: str,
    function: Callable[..., Any],
    inputs: Sequence[Any],
    keywords: Mapping[str, Any],
    type_name: Callable[[Any], str],
) -> str:
    """'' or which input function(*inputs, **keywords) changes, before and after."""
    given = [*inputs, *keywords.values()]
    before = [copy(item) for item in given]
    function(*inputs, **keywords)
    return difference(call, before, given, keywords, type_name)


def difference(
    call: str,
    before: Sequence[Any],
    given: Sequence[Any],
    keywords: Collection[str],
    type_name: Callable[[Any], str],
) -> str:
    """'' or which of the inputs given, the last of them by keyword, is not what its copy was before."""
    for place, (old, new) in enumerate(zip(before, given, strict=True)):
        if old is ... or same_array(old, new):
            continue
        name = [*argument_names(call, len(given) - len(keywords)), *keywords][place]
        wrong = compare.problem(name, new, old, None, compare.Rules(0.0, type_name))
        if wrong:
            text = wrong.text.replace("\n  got ", "\n  after ", 1).replace("\n  want ", "\n  before ", 1)
            return f"{call} changes its input in place; work on a copy.\n  {text}"
    return ""
