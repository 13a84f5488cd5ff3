"""What a test cell sees in the judge's process: names, and the host of byhand.check."""

from __future__ import annotations

import builtins
import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from autograder.author.lesson import Cell
from autograder.author.submitted import SubmittedHost
from autograder.judge.questions import JudgePeer
from autograder.judge.remote import Remote, together, type_name
from byhand.checking.cost import Used

QUICK = 0.1  # seconds of a call whose like may be asked for together

# What lessons import at their top: a test cell has its own, whatever the learner's are.
_LENT = {
    "attends": "byhand.attends",
    "blocks": "byhand.blocks",
    "check": "byhand.check",
    "math": "math",
    "np": "numpy",
    "torch": "torch",
}


class Outside(Protocol):
    """What the judge asks of whoever holds the sandbox."""

    def limit(self, growth: int | None) -> None: ...
    def why(self) -> str: ...


class Names(dict[str, Any]):
    """The globals of a test cell: its own, builtins, lent modules, then the learner's globals.

    A callable of the learner's is asked for once: a test means the same function wherever it names it.
    """

    def __init__(self, peer: JudgePeer) -> None:
        super().__init__(vars(builtins) | {"__name__": "__main__", "__builtins__": builtins})
        self._peer = peer
        self._callables: dict[str, Remote] = {}

    def __missing__(self, name: str) -> Any:
        if name in self._callables:
            return self._callables[name]
        if name in _LENT:
            self[name] = importlib.import_module(_LENT[name])
            return self[name]
        if name.startswith("__"):
            raise NameError(f"name {name!r} is not defined")
        value = self._peer.question("name", 0, (name,), name, name)
        if type(value) is Remote and value._remote_callable:
            self._callables[name] = value
        return value


class JudgeHost(SubmittedHost):
    """What byhand.check needs to know, when the answer under test runs in another process."""

    def __init__(self, cells: Sequence[Cell], seed: int, outside: Outside | None) -> None:
        super().__init__(cells, seed)
        self._outside = outside
        self._failed: set[str] = set()

    def type_name(self, value: object) -> str:
        return type_name(value) or super().type_name(value)

    def results(self, function: Callable[..., Any], cases: Sequence[Sequence[Any]]) -> Iterator[Any]:
        """The first call shows how long one takes; where it is short, the others go in one message."""
        began = time.monotonic()
        yield from super().results(function, cases[:1])
        quick = time.monotonic() - began < QUICK
        done, error = together(function, cases[1:]) if quick and type(function) is Remote else ([], None)
        yield from done
        if error is not None:
            raise error
        yield from super().results(function, cases[1 + len(done) :])

    def limited(self, function: Callable[[], Any], max_bytes: int | None, max_seconds: float | None) -> Used:
        """The limit is set from outside on every process of the submission; time is what the judge waits."""
        outside = self._outside if max_bytes is not None else None
        if outside is not None:
            outside.limit(max_bytes)
        try:
            start = time.perf_counter()
            function()
            return Used(time.perf_counter() - start)
        finally:
            if outside is not None:
                outside.limit(None)

    def passed(self, name: str) -> bool | None:
        return False if name in self._failed else self._passed.get(name)

    def record(self, name: str, passed: bool, message: str) -> None:
        self._passed[name] = passed
        if not passed:
            self._failed.add(name)
