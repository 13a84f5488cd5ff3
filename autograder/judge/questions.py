"""The judge's side of the conversation: what it asks, what it believes, what it lets be done.

Whatever the learner's process sends, an answer is plain data, a Remote, an error of the learner's code
(RemoteError), or the end of the conversation (Gone). What it may see of a test's objects says shown.py.
Order: errors, text of strangers, JudgePeer.
"""

from __future__ import annotations

import builtins
import re
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from autograder.judge.outputs import steady
from autograder.judge.remote import Call, Remote
from autograder.judge.shown import is_module, is_test_made, readable
from autograder.wire.channel import Channel, Closed, Late
from autograder.wire.encode import Handle, Limits
from autograder.wire.errors import Unsendable, WireError
from autograder.wire.peer import Peer
from byhand.checking.failed import Origin

MAX_TEXT = 1500
HIDDEN_TEXT = 200
_KINDS = {"generator", "function", "method", "module", "coroutine", "cell", "mappingproxy"}
_GRACE = 2.0  # seconds after the learner's own alarm before the judge stops waiting
_NO_ANSWER = "something that is no answer"
_IDENTIFIER = re.compile(r"[^\w.<>]", re.ASCII)
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


_ENDINGS = {
    "memory": "{} used more memory than a submission may",
    "time": "{} was cut off: the time for the whole submission is over",
}


class Gone(BaseException):
    """The learner's process can answer no more. Not an Exception, so that no test can catch it by chance.

    reason: a sentence for the learner.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RemoteError(Exception):
    """An error that the learner's code raised. `origin` is what is known of it; `call` is what was asked.

    Classes made by error_class() are also of the builtin class of that name, so that a test may say
    `except ValueError`.
    """

    origin: Origin
    call = ""
    label = ""
    line = 0


_SEEN: dict[str, type[RemoteError]] = {}
_NEVER = {
    "StopIteration",
    "StopAsyncIteration",
    "AssertionError",
    "Exception",
    "BaseExceptionGroup",
    "ExceptionGroup",
}


def error_class(names: Sequence[str]) -> type[RemoteError]:
    """A class for an error whose class and bases have these names."""
    for name in names:
        base = getattr(builtins, name, None)
        if not isinstance(base, type) or not issubclass(base, Exception) or name in _NEVER:
            continue
        if not issubclass(base, UnicodeError):
            if name not in _SEEN:
                _SEEN[name] = type(name, (RemoteError, base), {})
            return _SEEN[name]
    return RemoteError


def clean(text: str, most: int) -> str:
    """Text of a stranger for a message: no control characters, no lone surrogates, no more than `most`."""
    text = steady(_CONTROL.sub(" ", text[: 4 * most]))
    return text if len(text) <= most else text[: most - 1] + "…"


@dataclass
class Budget:
    """Seconds: of one call, and until when the submission must end (time.monotonic())."""

    call_seconds: float = 60.0
    until: float = field(default_factory=lambda: time.monotonic() + 900.0)


class JudgePeer(Peer):
    """The judge's side: asks a learner's process, shows it nothing but what a test passed in."""

    lends = True

    def __init__(self, channel: Channel, limits: Limits, budget: Budget) -> None:
        super().__init__(channel, limits)
        self.budget = budget
        self.why: Callable[[], str] = lambda: ""  # how the sandbox says that the learner's processes ended
        self.hidden = False  # whether the test is in its hidden part: messages then say less
        self.gone: Gone | None = None
        self.vanished = False  # gone because the process ended
        self.said: list[str] = []  # what errors of the learner's code said in this round
        self.answers = 0  # how many answers of the learner's code have arrived
        self.sources: dict[str, str] = {}  # label of a cell -> its text, for naming lines
        self._remotes: weakref.WeakValueDictionary[int, Remote] = weakref.WeakValueDictionary()
        self._shown: list[Any] = []
        self._raised: list[BaseException] = []
        self._naming = ""
        self._call: str | Call = ""

    def question(self, op: str, target: int, arguments: Any, call: str | Call, result: str = "") -> Any:
        """Ask; errors of the learner's code are raised, and whatever else is wrong ends the conversation."""
        if self.gone is not None:
            raise self.gone
        outer = self._naming, self._call
        self._naming, self._call = result, call
        if self._depth == 0:
            now = time.monotonic()
            self.channel.deadline = min(now + self.budget.call_seconds + _GRACE, self.budget.until)
        try:
            value = self.ask(op, target, arguments)
            self.answers += 1
            return value
        except Unsendable:
            raise  # the test's own argument
        except Late:
            self.end(f"{call} took longer than {self.budget.call_seconds:g} seconds")
        except Closed:
            self.vanished = True
            self.end(_ENDINGS.get(self.why(), "{} ended the Python process").format(call))
        except WireError as problem:
            self.end(f"{call} answered with {_NO_ANSWER}: {problem}")
        finally:
            self._naming, self._call = outer

    def gradients(self, graph: int, cotangents: list[Any]) -> Any:
        return self.question("grad", graph, cotangents, "the backward pass")

    def end(self, reason: str) -> NoReturn:
        """Stop talking to this learner's process, for good."""
        self.gone = self.gone or Gone(f"{reason}.")
        self.channel.close()
        raise self.gone

    # What arrives.

    def stand_in(self, handle: Handle) -> Any:
        remote = self._remotes.get(handle.id)
        if remote is None:
            name = self.shown_name(handle.type_name)
            remote = Remote(self, replace(handle, type_name=name), self._naming or name)
            self._remotes[handle.id] = remote
            if handle.id in self.dropped[0]:
                self.dropped[0].remove(handle.id)
        return remote

    def error_in(self, data: Any, call: str | Call) -> BaseException:
        """The error that one of several calls in a message raised, told beside their results."""
        outer, self._call = self._call, call
        try:
            return self.error_of(data)
        except WireError as problem:
            self.end(f"{call} answered with {_NO_ANSWER}: {problem}")
        finally:
            self._call = outer

    def error_of(self, data: Any) -> BaseException:
        names, text, label, line, function, raised, late = _error_fields(data)
        if 0 < raised <= len(self._raised):
            return self._raised[raised - 1]
        if late:
            self.end(f"{self._call} took longer than {self.budget.call_seconds:g} seconds")
        names = tuple(self.shown_name(name).rpartition(".")[2] for name in names)
        text = clean(text, HIDDEN_TEXT if self.hidden else MAX_TEXT)
        self.said.append(text)
        error = error_class(names)(text)
        error.call = str(self._call)
        lines = self.sources.get(label, "").splitlines()
        if 0 < line <= len(lines):
            error.label, error.line = label, line
        place = f"cell {label}, line {line}: {lines[line - 1].strip()}" if error.line else ""
        known = function if function.isidentifier() else ""
        error.origin = Origin(names, text, known, clean(place, 300))
        self.answers += 1
        return error

    def shown_name(self, name: str) -> str:
        """The name of a class as messages may show it: a made-up one could carry hidden inputs out."""
        name = _IDENTIFIER.sub("?", clean(name, 80)) or "object"
        last = name.rpartition(".")[2]
        known = hasattr(builtins, last) or last in _KINDS or _is_real(name)
        if not self.hidden or known or any(last in text for text in self.sources.values()):
            return name
        return "object"

    def scrubbed(self, message: str) -> str:
        """A message without what the learner's errors said, if hidden checks are running."""
        for text in sorted(self.said, key=len, reverse=True) if self.hidden else ():
            if len(text) > 3:
                message = message.replace(text, "(what it says is not shown for hidden checks)")
        return message

    # What the learner may do with what a test passed in.

    def export(self, value: Any) -> Handle:
        if type(value) is Remote:
            if value._remote_peer is not self:
                raise Unsendable("another process's object")
            return Handle(value._remote_id, yours=True)
        if not any(shown is value for shown in self._shown):
            if not (callable(value) or is_test_made(value)):
                raise Unsendable(f"a {type(value).__name__}, which is no data")
            self._shown.append(value)
        number = next(at for at, shown in enumerate(self._shown, 1) if shown is value)
        return Handle(number, type(value).__name__, callable(value), is_module(value))

    def own(self, number: int) -> Any:
        if not 0 < number <= len(self._shown):
            raise WireError("a handle of nothing")
        return self._shown[number - 1]

    def perform(self, op: str, target: Any, arguments: Any) -> Any:
        if type(target) is not int or type(arguments) is not tuple:
            raise WireError("a question of no known form")
        shown = self.own(target)
        if op == "call" and [type(part) for part in arguments] == [tuple, dict]:
            args, kwargs = arguments
            if not callable(shown) or any(type(key) is not str for key in kwargs):
                raise TypeError("this cannot be called so")
            return shown(*args, **kwargs)
        if op == "get" and [type(part) for part in arguments] == [str]:
            return readable(shown, arguments[0])
        if op == "train" and [type(part) for part in arguments] == [bool] and is_module(shown):
            shown.train(arguments[0])
            return None
        raise WireError("a question of no known form")

    def error_data(self, error: BaseException) -> dict[str, Any]:
        self._raised.append(error)
        name = next(
            (cls.__name__ for cls in type(error).__mro__ if cls.__module__ == "builtins"), "Exception"
        )
        return {"name": name, "number": len(self._raised)}


def _error_fields(data: Any) -> tuple[tuple[str, ...], str, str, int, str, int, bool]:
    """The fields of an error as told by the learner's side; WireError if it is told otherwise."""
    keys = {
        "names": list,
        "text": str,
        "label": str,
        "line": int,
        "function": str,
        "raised": int,
        "late": bool,
    }
    if type(data) is not dict or {key: type(value) for key, value in data.items()} != keys:
        raise WireError("an error of no known form")
    names = tuple(data["names"])
    if not 0 < len(names) <= 12 or any(type(name) is not str for name in names):
        raise WireError("an error of no known class")
    return names, data["text"], data["label"], data["line"], data["function"], data["raised"], data["late"]


def _is_real(name: str) -> bool:
    """Whether a dotted name is that of something in a library that is loaded here."""
    module, _, last = name.rpartition(".")
    return module in sys.modules and hasattr(sys.modules[module], last)
