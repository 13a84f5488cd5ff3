"""Check an answer and say, in the learner's words, what is wrong with it.

    with check.exercise("softmax"):
        check.values("softmax(scores)", softmax(scores), want=np.array([0.25, 0.75]), axes=("key",))

Every check returns None or raises CheckFailed. They print nothing, save the one line of an exercise
that passed, and touch no random state. `host` is what they need from where they run (see checking/host.py).
Order: exercise and random inputs, values and shapes, behaviour, gradients, source and cost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Literal

import numpy as np

from byhand.checking import (
    behaviour as _behaviour,
    compare as _compare,
    cost as _cost,
    evasions as _evasions,
    gradient as _gradient,
    helpers as _helpers,
    numbers as _numbers,
    ready,
    show as _show,
)
from byhand.checking.failed import CheckFailed, Origin, clip, hide_dispatch, origin_of
from byhand.checking.host import Host
from byhand.checking.repeated import agrees, learns, normal, randn, refuses

__all__ = ["CheckFailed", "Host", "Origin", "agrees", "backward", "cost", "exercise", "generator", "gradient"]
__all__ += ["host", "kept", "normal", "raises", "randn", "refuses", "rng", "shape", "source", "true"]
__all__ += ["learns", "ready", "values"]

host = Host()


# Exercises and their random inputs


class exercise:  # noqa: N801 - reads as a word of the test cell: `with check.exercise("softmax"):`
    """The checks of one exercise: prints one line if all pass, and records the result.

    needs: earlier exercises the answer may call; a failure says so if one of them has not passed.
    """

    def __init__(self, name: str, needs: Sequence[str] = ()) -> None:
        self.name = name
        self.needs = tuple(needs)
        self.seed = host.rng_seed()
        self.streams = 0
        self.draws: np.random.Generator | None = None
        self._token: Token[exercise | None] | None = None

    def __enter__(self) -> exercise:
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        if self._token is not None:
            _current.reset(self._token)
        if error is None:
            host.record(self.name, True, "")
            visible = "the visible checks pass. Hidden checks with other inputs run when you submit."
            print(f"{self.name}: {'passed.' if host.grading else visible}")
            return False
        if not isinstance(error, Exception):
            return False
        failure = self._failure(error)
        host.record(self.name, False, str(failure or origin_of(error)))
        if failure is None:
            return False
        raise failure from failure.__cause__

    def _failure(self, error: Exception) -> CheckFailed | None:
        """What to raise instead, or None to let the learner's own error through."""
        advice = self._advice()
        if isinstance(error, CheckFailed):
            if not advice:
                return None
            failure = CheckFailed(f"{clip(str(error), 1600)}\n  {advice}")
            failure.__cause__ = error.__cause__
            return failure
        missing = _behaviour.not_written(self.name, self.needs, origin_of(error))
        if missing:
            return CheckFailed(missing)
        hide_dispatch(error)
        if advice:
            error.add_note(advice)
        return None

    def _advice(self) -> str:
        failed = [need for need in self.needs if host.passed(need) is False]
        behind = failed or [need for need in self.needs if host.passed(need) is None]
        if not behind:
            return ""
        they = "those" if len(behind) > 1 else "that"
        then = f"not passed here: mend {they}" if failed else f"not been checked here: run {they}"
        has = "have" if len(behind) > 1 else "has"
        return f"{self.name} may call {_show.names_in_words(behind)}, which {has} {then} first."


_current: ContextVar[exercise | None] = ContextVar("exercise", default=None)


def _stream() -> int:
    """A seed of its own for each call in each exercise, the same for the same BYHAND_SEED."""
    inside = _current.get()
    seed, name, number = (inside.seed, inside.name, inside.streams) if inside else (host.rng_seed(), "", 0)
    if inside:
        inside.streams += 1
    digest = hashlib.sha256(f"{seed}:{name}:{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def rng() -> np.random.Generator:
    """NumPy random inputs. Each call in an exercise gives another stream."""
    return np.random.default_rng(_stream())


def draws() -> np.random.Generator:
    """One stream for a whole exercise: a new one costs more than the few numbers that a case needs."""
    inside = _current.get()
    if inside is None:
        return rng()
    inside.draws = inside.draws or rng()
    return inside.draws


def generator() -> Any:
    """A torch.Generator for random inputs. Each call in an exercise gives another stream."""
    import torch

    return torch.Generator().manual_seed(_stream() % 2**63)


# Values and shapes


def values(
    call: str,
    got: Any,
    want: Any,
    *,
    axes: Any = None,
    known_wrong: Mapping[str, Any] | None = None,
    tolerance: float | None = None,
    note: str | None = None,
) -> None:
    """got equals want: type, shape, dtype, then values; nothing is reshaped or broadcast.

    call: as the learner would type it. axes: a name for each axis; for a tuple of arrays, a tuple
    of such names. known_wrong: {sentence: the numbers that this mistake gives}; in a tuple, `...`
    stands for any element. tolerance: relative or absolute, else the dtype's. note: a last line.
    """
    __tracebackhide__ = True
    rules = _compare.Rules(tolerance, host.type_name)
    wrong = _compare.problem(clip(call, 300), got, want, axes, rules)
    if wrong is None:
        return
    lines, pairs, matches = [wrong.text], ((got, want), (wrong.got, wrong.want)), _numbers.matches
    for sentence, known in (known_wrong or {}).items():
        if any(matches(known, one, aim) and not matches(known, aim, aim) for one, aim in pairs):
            lines.append(f"  Likely cause: {sentence}")
            break
    if note:
        lines.append(f"  {note}")
    raise CheckFailed("\n".join(lines))


def shape(call: str, got: Any, want: Sequence[int], axes: Sequence[str] | None = None) -> None:
    """got is an array or tensor of this shape."""
    __tracebackhide__ = True
    if not _numbers.is_array(got) and not _numbers.is_tensor(got):
        rules = _compare.Rules(None, host.type_name)
        raise CheckFailed(_compare.wrong_type(clip(call, 300), got, "array or tensor", rules))
    text = _compare.wrong_shape(clip(call, 300), got, want, axes)
    if text:
        raise CheckFailed(text)


def true(call: str, condition: object, say: str) -> None:
    """condition is exactly True. say: what is wrong if not."""
    __tracebackhide__ = True
    if type(condition) not in (bool, np.bool_) or not condition:
        raise CheckFailed(f"{call}: {say}")


# Behaviour


def raises(
    call: str,
    function: Callable[[], Any],
    error: type[Exception] = ValueError,
    mentions: Sequence[Any] = (),
) -> None:
    """function() raises this error, and its message mentions each entry (a tuple: any one of it).

    Numbers are found as whole numbers: 3 is not in "13" or "3.5". Words match in any case.
    """
    __tracebackhide__ = True
    try:
        got = function()
    except CheckFailed:
        raise
    except Exception as raised:
        origin = origin_of(raised)
        if origin.is_a(NotImplementedError) and error is not NotImplementedError:
            raise
        text = _behaviour.wrong_error(call, origin, error, mentions)
        if text:
            raise CheckFailed(text) from raised
        return
    name = host.type_name(got)
    what = "None" if name == "NoneType" else _show.with_article(name)
    wanted = _behaviour.error_in_words(error)
    raise CheckFailed(f"{call} must raise {wanted}, but it returned {what}.")


def kept(call: str, function: Callable[..., Any], *inputs: Any, **keywords: Any) -> None:
    """function(*inputs, **keywords) changes none of its arrays, tensors, lists or dicts."""
    __tracebackhide__ = True
    if text := _behaviour.changed(call, function, inputs, keywords, host.type_name):
        raise CheckFailed(text)


# Gradients


def backward(
    function: Callable[..., Any], inputs: Sequence[Any], cotangent: Any = None
) -> tuple[Any, list[Any]]:
    """(output, the gradient of each input or None), gradients as plain tensors."""
    return host.backward(function, inputs, cotangent)


def gradient(
    call: str, function: Callable[..., Any], inputs: Sequence[Any], *, tolerance: float = 1e-6
) -> None:
    """Autograd's gradient of function(*inputs) equals finite differences, in float64.

    inputs: float64 tensors are differentiated; anything else is passed as it is.
    """
    __tracebackhide__ = True
    rules = _compare.Rules(tolerance, host.type_name)
    text = _gradient.wrong_gradient(clip(call, 300), function, inputs, rules, host.backward)
    if text:
        raise CheckFailed(text)


# Source and cost


def source(
    name: str, forbid: Sequence[str] = (), allow_text: str | None = None, also: Sequence[str] = (),
    uses: Sequence[str] = (),
) -> None:  # fmt: skip
    """The text of the cell `name` uses nothing whose dotted name ends with an entry of forbid.

    Where submissions are graded, so do the helpers in other cells that it calls, and those named in `also`.
    "softmax" also forbids a bare softmax(x) that the cell does not define, ".softmax" does not,
    "functional.softmax" forbids that one function, "scipy." a whole library, "*.*softmax*" a pattern.
    allow_text: what the learner may use instead. uses: earlier exercises that it may call, those that the
    exercise needs aside; one that failed for itself is not read, so that a mistake costs nobody twice.
    """
    __tracebackhide__ = True
    inside, around = _current.get(), None
    if exercises := host.exercises():
        failed = [one for one in (*uses, *(inside.needs if inside else ())) if host.passed(one) is False]
        around = _helpers.Around(exercises, failed, host.later(name))
    if text := _evasions.forbidden(name, host.text_of(name), host.cells(), forbid, allow_text, around, also):
        raise CheckFailed(text)


def cost(
    call: str, function: Callable[[], Any], *, max_bytes: int | None = None, max_seconds: float | None = None
) -> None:
    """function() needs at most so much more memory and so many seconds."""
    __tracebackhide__ = True
    try:
        used = host.limited(function, max_bytes, max_seconds)
    except Exception as error:
        origin = origin_of(error)
        if max_bytes is None or not _cost.is_out_of_memory(origin.names, origin.text):
            raise
        raise CheckFailed(f"{call} needs more than the {_cost.mib(max_bytes)} it may use.") from error
    if max_bytes is not None and used.bytes is not None and used.bytes > max_bytes:
        text = f"{call} uses {_cost.mib(used.bytes)} of memory, it may use {_cost.mib(max_bytes)}."
        raise CheckFailed(text)
    if max_seconds is not None and used.seconds > max_seconds:
        raise CheckFailed(f"{call} takes {used.seconds:.2f} seconds, it may take {max_seconds:g}.")
