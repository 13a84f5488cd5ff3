"""The learner's side of the conversation: run cells, then answer for what they defined.

    serve(socket) forks: supervisor (first process of the sandbox, does nothing)
                         main: runs cells as the judge asks, forks a snapshot before each test
                         snapshots: wait; answer the calls of one test each

A test speaks to the state its place in the notebook gives it, though all cells have run and all they
showed was handed over before the first test sent anything: what a check passes in can reach no output.
The learner's code can change everything here; the judge trusts none of it.
Order: Learner (what may be asked), errors as data, processes.
"""

from __future__ import annotations

import gc
import inspect
import os
import random
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from autograder.learner import alarm, shell as shells, together
from autograder.learner.passed import number_of, stand_in
from autograder.sandbox.rehearse import Asker, rehearse
from autograder.wire import envelope
from autograder.wire.channel import Channel, Closed
from autograder.wire.encode import Handle, Limits
from autograder.wire.peer import Peer

FRAME = 256 << 20
_NONE: Mapping[str, Any] = {}
TEXT = 1500  # characters of an error's text that are sent


class Learner(Peer):
    """Answers about the objects of one IPython shell."""

    caught = (BaseException,)

    def __init__(self, sock: socket.socket, shell: shells.Shell) -> None:
        super().__init__(Channel(sock, FRAME), Limits())
        self.shell = shell
        self.objects: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}
        self.passed: socket.socket | None = None
        self.errors: dict[int, int] = {}  # id of an error of the judge's callable -> its number there
        self.seconds = 60.0
        self._last, self._timed = 0, False
        self._questions: dict[str, Callable[..., Any]] = {
            "cell": self.cell,
            "snapshot": self.snapshot,
            "name": self.name,
            "call": lambda function, args, kwargs=_NONE: function(*args, **kwargs),
            "calls": self.calls,
            "get": lambda thing, name: getattr(thing, name),
            "set": lambda thing, name, value: setattr(thing, name, value),
            "item": lambda thing, key: thing[key],
            "put": lambda thing, key, value: thing.__setitem__(key, value),
            "len": len,
            "in": lambda thing, item: item in thing,
            "iterate": iter,
            "next": self.next,
        }

    def receive(self) -> tuple[Any, ...]:
        data, self.passed = self.channel.receive_passing()
        return envelope.unpack(data, self.limits)

    def run(self) -> None:
        """Answer until the judge hangs up."""
        while True:
            self._answer(self.receive())
            self.lent = type(self.lent)()

    def perform(self, op: str, target: Any, arguments: Any) -> Any:
        question = self._questions[op]
        if target == 0:
            return question(*arguments)
        if self._timed:
            return question(self.objects[target], *arguments)
        self._timed = True
        alarm.ring_after(self.seconds)
        try:
            return question(self.objects[target], *arguments)
        finally:
            alarm.ring_after(0)
            self._timed = False

    # Questions

    def cell(self, label: str, text: str, seconds: float, most: int) -> tuple[list[Any], Any]:
        alarm.ring_after(seconds)
        outputs, error = shells.run(self.shell, label, text, most)
        alarm.ring_after(0)
        return outputs, None if error is None else self.error_data(error)

    def snapshot(self, seconds: float, most: int) -> None:
        """Fork a process that keeps this state and answers on the socket that came with the question,
        giving each answer so many seconds and bytes."""
        assert self.passed is not None
        state = random.getstate()
        if os.fork() == 0:
            random.setstate(state)  # Python gives every fork another seed
            self.seconds, self.limits = seconds, Limits(bytes=most - envelope.ROOM)
            _own_process(self, self.passed)
        self.passed.close()

    def name(self, name: str) -> Any:
        if name not in self.shell.user_ns:
            raise NameError(f"name '{name}' is not defined", name=name)
        return self.shell.user_ns[name]

    def calls(self, function: Any, cases: Sequence[Sequence[Any]]) -> tuple[list[Any], Any]:
        """Results, and as data the error that ended them; each call has the time of one."""

        def begin() -> None:
            if self._depth == 0:  # else this is part of an answer whose time runs already
                alarm.ring_after(self.seconds)

        results, error = together.calls(function, cases, begin)
        return results, None if error is None else self.error_data(error)

    def next(self, iterator: Any, most: int) -> tuple[list[Any], bool]:
        """Up to `most` items, and whether the iterator has ended."""
        items: list[Any] = []
        for item in iterator:
            items.append(item)
            if len(items) == most:
                return items, False
        return items, True

    # Objects on both sides

    def export(self, value: Any) -> Handle:
        passed = number_of(value)
        if passed:
            return Handle(passed, yours=True)
        number = self.numbers.get(id(value))
        if number is None:
            self._last += 1
            number = self.numbers[id(value)] = self._last
            self.objects[number] = value
        return Handle(number, _type_name(type(value)), callable(value), inspect.ismodule(value))

    def own(self, number: int) -> Any:
        return self.objects[number]

    def drop(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            if number in self.objects:
                self.numbers.pop(id(self.objects.pop(number)), None)

    def stand_in(self, handle: Handle) -> Any:
        return stand_in(self, handle)

    def error_data(self, error: BaseException) -> dict[str, Any]:
        bases = [cls for cls in type(error).__mro__[:12] if issubclass(cls, BaseException)]
        names = [_cut(_type_name(cls), 80) for cls in bases]
        label, line, function = _innermost_cell(error)
        return {
            "names": names,
            "text": _text(error),
            "label": label,
            "line": line,
            "function": function,
            "raised": self.errors.get(id(error), 0),
            "late": isinstance(error, alarm.OutOfTime),
        }

    def error_of(self, data: Any) -> BaseException:
        """The error that the judge's callable raised, as this side's exception of the same name."""
        kind = getattr(__import__("builtins"), data["name"], Exception)
        error: BaseException = kind("raised by what the check passed in")
        self.errors[id(error)] = data["number"]
        self.objects[-data["number"]] = error  # kept, so that its id stays its own
        return error


# Errors as data


def _innermost_cell(error: BaseException) -> tuple[str, int, str]:
    """Label of the cell, line in it, and function in which the error arose, as far as cells go."""
    found = ("", 0, "")
    if isinstance(error, SyntaxError) and str(error.filename).startswith(shells.CELL):
        found = (str(error.filename)[len(shells.CELL) : -1], error.lineno or 0, "")
    trace, steps = error.__traceback__, 0
    while trace is not None and steps < 5000:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(shells.CELL):
            found = (code.co_filename[len(shells.CELL) : -1], trace.tb_lineno or 0, _qualified(code))
        trace, steps = trace.tb_next, steps + 1
    return found


def _qualified(code: Any) -> str:
    name = getattr(code, "co_qualname", code.co_name)
    return "" if name == "<module>" else _cut(name, 80)


def _text(error: BaseException) -> str:
    try:
        return _cut(str(error), TEXT)
    except Exception:
        return ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _type_name(cls: type) -> str:
    try:
        module, name = cls.__module__, cls.__qualname__
    except AttributeError:
        return "object"
    return name if module in ("builtins", "__main__") else f"{module}.{name}"


# Processes


def warm() -> None:
    """Load what every child needs, once, in the process that will be forked."""
    shell = shells.warm()
    nobody = socket.socketpair()[0]
    learner = Learner(nobody, shell)
    learner.objects[1] = lambda *arrays, **_: arrays[1] * 2
    rehearse(Asker(learner.channel, Limits()), learner, "call", 1)
    nobody.close()
    gc.collect()
    gc.freeze()


def serve(sock: socket.socket) -> None:
    """Serve one submission on this socket; returns when all its processes have ended."""
    shell = shells.warm()
    if os.fork() == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _seed()
        _own_process(Learner(sock, shell), None)
    sock.close()
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def _own_process(learner: Learner, sock: socket.socket | None) -> NoReturn:
    """The rest of a forked process's life: answer on the socket, or on the one it has."""
    try:
        alarm.listen()
        if sock is not None:
            learner.channel.close()
            learner.channel = Channel(sock, FRAME)
            _one_thread()
        learner.run()
    except Closed:
        pass
    finally:
        os._exit(0)


def _one_thread() -> None:
    """A fork has none of its parent's threads, and torch would wait for them."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def _seed() -> None:
    """The same submission gives the same results every time; tests draw from seeds of their own."""
    random.seed(0)
    sys.modules["numpy"].random.seed(0)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.default_generator.manual_seed(0)
