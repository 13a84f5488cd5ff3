"""The judge's references to a learner's objects.

    softmax = names["softmax"]      a Remote: calling it runs the learner's function over there
    softmax(scores)                 plain data, or another Remote; its errors are raised here

A Remote answers no question about itself from over there: it equals only itself, has no truth value
and no arithmetic, so an object cannot lie to a test. Order: Remote, how messages describe calls.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from autograder.wire.encode import Handle

if TYPE_CHECKING:
    from autograder.judge.questions import JudgePeer

SMALL = 1 << 20  # bytes of arguments that one message may take to several calls
MAX_ITEMS = 100_000  # that one iteration may give


class Remote:
    """A learner's object. `name` is how a message calls it."""

    __slots__ = (
        "__weakref__",
        "_remote_callable",
        "_remote_id",
        "_remote_name",
        "_remote_peer",
        "_remote_type",
    )
    __array_ufunc__ = None
    _remote_peer: JudgePeer
    _remote_callable: bool
    _remote_id: int
    _remote_name: str
    _remote_type: str

    def __init__(self, peer: JudgePeer, handle: Handle, name: str) -> None:
        object.__setattr__(self, "_remote_peer", peer)
        object.__setattr__(self, "_remote_id", handle.id)
        object.__setattr__(self, "_remote_callable", handle.callable)
        object.__setattr__(self, "_remote_type", handle.type_name)
        object.__setattr__(self, "_remote_name", name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = Call(self._remote_name, args, kwargs, self._remote_peer.hidden)
        arguments = (args, kwargs) if kwargs else (args,)
        return _ask(self, "call", arguments, call, self._remote_name + "(…)")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"a learner's object shows no {name}")
        return _ask(self, "get", (name,), f"{self._remote_name}.{name}", f"{self._remote_name}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "set", (name, value), f"{self._remote_name}.{name} = …")

    def __getitem__(self, key: Any) -> Any:
        return _ask(self, "item", (key,), f"{self._remote_name}[…]", f"{self._remote_name}[…]")

    def __setitem__(self, key: Any, value: Any) -> None:
        _ask(self, "put", (key, value), f"{self._remote_name}[…] = …")

    def __len__(self) -> int:
        size = _ask(self, "len", (), f"len({self._remote_name})")
        if type(size) is not int or not 0 <= size < 2**63:
            self._refuse("a length that is no number")
        return size

    def __contains__(self, item: Any) -> bool:
        return _ask(self, "in", (item,), f"… in {self._remote_name}") is True

    def __iter__(self) -> Iterator[Any]:
        iterator = _ask(self, "iterate", (), f"iter({self._remote_name})")
        if type(iterator) is not Remote:
            self._refuse("an iterator that is none")
        given, size = 0, 1
        while given < MAX_ITEMS:
            answer = _ask(
                iterator,
                "next",
                (size,),
                f"an item of {self._remote_name}",
                f"an item of {self._remote_name}",
            )
            if (
                type(answer) is not tuple
                or [type(part) for part in answer] != [list, bool]
                or len(answer[0]) > size
            ):
                self._refuse("items that are none")
            yield from answer[0]
            if answer[1]:
                return
            given, size = given + len(answer[0]), min(2 * size, 256)
            if not answer[0]:
                self._refuse("no items where some were announced")
        self._remote_peer.end(f"{self._remote_name} gives more than {MAX_ITEMS:,} items")

    def __next__(self) -> Any:
        answer = _ask(self, "next", (1,), f"next({self._remote_name})", f"an item of {self._remote_name}")
        if type(answer) is not tuple or len(answer) != 2 or type(answer[0]) is not list:
            self._refuse("items that are none")
        elif not answer[0]:
            raise StopIteration
        return answer[0][0]

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self._remote_name} is a {self._remote_type}, neither True nor False")

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(f"{self._remote_name} is a {self._remote_type}, not an array")

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<{self._remote_type} of the learner's>"

    def _refuse(self, what: str) -> NoReturn:
        self._remote_peer.end(f"{self._remote_name} answered with {what}")

    def __del__(self) -> None:
        self._remote_peer.dropped[0].append(self._remote_id)


def type_name(value: object) -> str | None:
    """The name of the class behind a Remote, None for anything else."""
    return value._remote_type if type(value) is Remote else None


def together(function: Remote, cases: Sequence[Sequence[Any]]) -> tuple[list[Any], BaseException | None]:
    """What the function gives for the first of these cases, in one message, and the error of the one after.

    The rest is to be asked for. Only numbers and small arrays go so.
    """
    small = all(sum(map(_weight, case)) < SMALL / len(cases) for case in cases)
    if len(cases) < 2 or not small:
        return [], None
    call = function._remote_name + "(…)"
    answer = _ask(function, "calls", ([list(case) for case in cases],), call, call)
    if type(answer) is not tuple or len(answer) != 2 or type(answer[0]) is not list:
        function._refuse("results that are none")
    found, error = answer
    if len(found) + (error is not None) > len(cases):
        function._refuse("more results than calls")
    if error is None:
        return found, None
    peer = function._remote_peer
    return found, peer.error_in(error, Call(function._remote_name, cases[len(found)], {}, peer.hidden))


def _weight(value: Any) -> float:
    if type(value) is np.ndarray:
        return value.nbytes
    return 8 if value is None or type(value) in (bool, int, float) else math.inf


def _ask(remote: Remote, op: str, arguments: Any, call: str | Call, result: str = "") -> Any:
    return remote._remote_peer.question(op, remote._remote_id, arguments, call, result)


@dataclass(frozen=True)
class Call:
    """A call as a message shows it, put into words only when a message needs them.

    Arguments by type and shape, never by value: small numbers only of visible calls.
    """

    name: str
    args: Sequence[Any]
    kwargs: dict[str, Any]
    hidden: bool

    def __str__(self) -> str:
        parts = [_described(value, self.hidden) for value in self.args]
        parts += [f"{name}={_described(value, self.hidden)}" for name, value in self.kwargs.items()]
        return f"{self.name}({', '.join(parts if len(parts) < 9 else [*parts[:8], '…'])})"


def _described(value: Any, hidden: bool) -> str:
    kind = type(value)
    if type(value) is Remote:
        return value._remote_name
    if value is None or kind is bool or (kind in (int, float) and not hidden and abs(value) < 1e6):
        return repr(value)
    if hasattr(value, "shape") and hasattr(value, "dtype") and isinstance(value.shape, tuple):
        word = "array" if kind.__module__ == "numpy" else "tensor"
        return f"{word} {tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if kind in (list, tuple, dict, set):
        return f"{kind.__name__} of {len(value)}"
    return kind.__name__
