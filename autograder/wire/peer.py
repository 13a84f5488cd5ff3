"""One side of the conversation between judge and learner: ask, be asked, in strict nesting.

    ask: op, target, arguments -->        <-- ok: value        <-- error: what it was

Whoever waits for an answer serves the other's questions meanwhile (a callable that a test passes in
is called back), and nothing else may arrive. Arguments go by copy and restore: `changes` tells of the
objects lent in this conversation that were changed in place. Tensors that carry a gradient stay with
their maker, who keeps the graph; the reader gets copies whose backward asks for it (through.py).
The messages are envelope.py's, lending is lent.py's, gradients are through.py's. Order: asking, being asked.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from autograder.wire import envelope
from autograder.wire.channel import Channel
from autograder.wire.decode import Decoder
from autograder.wire.encode import Encoder, Handle, Limits
from autograder.wire.errors import Unsendable, WireError
from autograder.wire.lent import Lent, restore

MAX_NESTING = 16
MAX_GRAPHS = 2000


class Peer:
    """A side that asks and answers. A subclass says which objects it shows and what may be done to them."""

    lends = False  # whether arguments are lent: the judge lends, the learner borrows

    def __init__(self, channel: Channel, limits: Limits) -> None:
        self.channel, self.limits = channel, limits
        self.lent = Lent()
        self.graphs: dict[int, tuple[list[Any], list[Any]]] = {}
        self.dropped: tuple[list[int], list[int]] = ([], [])  # objects and graphs of the other side
        self.passing: socket.socket | None = None  # to send along with the next message
        self._asked = self._graph = self._depth = 0

    # What a subclass says.

    def export(self, value: Any) -> Handle:
        raise Unsendable(f"a {type(value).__name__}")

    def own(self, number: int) -> Any:
        raise WireError("a handle of nothing")

    def stand_in(self, handle: Handle) -> Any:
        raise WireError("an object where only data may be")

    def perform(self, op: str, target: Any, arguments: Any) -> Any:
        raise WireError(f"an unknown question {op!r}")

    def drop(self, numbers: Sequence[int]) -> None:
        """Forget own objects that the other side no longer refers to."""

    def error_data(self, error: BaseException) -> dict[str, Any]:
        raise NotImplementedError

    def error_of(self, data: Any) -> BaseException:
        raise NotImplementedError

    def gradients(self, graph: int, cotangents: list[Any]) -> Any:
        """What the other side's graph makes of these cotangents."""
        return self.ask("grad", graph, cotangents)

    # Asking.

    def ask(self, op: str, target: int, arguments: Any = ()) -> Any:
        """Put a question, serve what the other side asks meanwhile, return the answer or raise its error."""
        if self._depth >= MAX_NESTING:
            raise WireError(f"more than {MAX_NESTING} calls back and forth")
        self._depth += 1
        try:
            self._asked += 1
            number = self._asked
            leaves = self._send_ask(number, op, target, arguments)
            while True:
                message = self.receive()
                if message[0] == "ask":
                    self._answer(message)
                elif message[1] != number:
                    raise WireError(f"an answer to call {message[1]}, not to {number}")
                else:
                    return self._result(message, leaves)
        finally:
            self._depth -= 1
            if self._depth == 0 and self.lends:
                self.lent = Lent()

    def _send_ask(self, number: int, op: str, target: int, arguments: Any) -> list[Any]:
        encoder = self._encoder()
        body = encoder.encode(arguments)
        objects, graphs = self.dropped
        self.dropped = ([], [])
        grad = _grad_enabled()
        self._send(("ask", number, op, target, grad, objects, graphs, self._changes(), body))
        return encoder.leaves

    def _encoder(self, link: Callable[[Any], int] | None = None) -> Encoder:
        lend = self.lent.add if self.lends else None
        return Encoder(self.export, self.lent.numbers, lend, link, self.limits)

    def _changes(self) -> bytes:
        """What the other side must do to the objects it lent."""
        if self.lends:
            return b""
        changed = self.lent.changes()
        if not changed:
            return b""
        parts = []
        for number, value in changed:
            known = {key: at for key, at in self.lent.numbers.items() if at != number}
            encoder = Encoder(self.export, known, limits=self.limits)
            parts.append((number, encoder.encode(value)))
        return Encoder(limits=self.limits).encode(parts)

    def _send(self, message: tuple[Any, ...]) -> None:
        passing, self.passing = self.passing, None
        self.channel.send(envelope.pack(message, self.limits), passing)

    def receive(self) -> tuple[Any, ...]:
        """The next message, its form checked; anything else is a WireError."""
        return envelope.unpack(self.channel.receive(), self.limits)

    def _decoder(self, body: memoryview, links: Sequence[Any] = ()) -> Decoder:
        borrow = None if self.lends else self.lent.borrow
        shared = self.lent.objects
        return Decoder(body, self.own, self.stand_in, shared, borrow, links, self.limits)

    def _result(self, message: tuple[Any, ...], leaves: list[Any]) -> Any:
        self._restore(message[-2] if message[0] == "ok" else message[-1])
        if message[0] == "error":
            raise self.error_of(message[2])
        _, _, graph, tensors, _, body = message
        links: Sequence[Any] = ()
        if tensors:
            links = _linked(self, graph, tensors, leaves)
        return self._decoded(self._decoder(body, links))

    def _decoded(self, decoder: Decoder) -> Any:
        value = decoder.decode()
        if not self.lends:
            self.lent.remember()
        return value

    def _restore(self, changes: memoryview) -> None:
        if not changes:
            return
        parts = Decoder(changes, limits=self.limits).decode()
        if type(parts) is not list or not self.lends:
            raise WireError("changes that are none")
        for part in parts:
            if type(part) is not tuple or [type(item) for item in part] != [int, bytes]:
                raise WireError("changes that are none")
            number, body = part
            if not 0 <= number < len(self.lent.objects):
                raise WireError(f"a change to object {number}, which was not lent")
            decoder = Decoder(body, self.own, self.stand_in, self.lent.objects, limits=self.limits)
            restore(self.lent.objects[number], decoder.decode())

    # Being asked.

    def _answer(self, message: tuple[Any, ...]) -> None:
        """Do what was asked and send the answer, or the error."""
        _, number, op, target, grad, objects, graphs, changes, body = message
        self._restore(changes)
        for graph in graphs:
            self.graphs.pop(graph, None)
        self.drop(objects)
        try:
            reply = self._performed(number, op, target, grad, body)
        except self.caught as error:
            if self.lends and isinstance(error, WireError) and not isinstance(error, Unsendable):
                raise
            reply = ("error", number, self.error_data(error), self._changes())
        self._send(reply)

    caught: tuple[type[BaseException], ...] = (Exception,)

    def _performed(self, number: int, op: str, target: Any, grad: bool, body: memoryview) -> tuple[Any, ...]:
        decoder = self._decoder(body)
        arguments = self._decoded(decoder)
        made: list[Any] = []

        def link(tensor: Any) -> int:
            made.append(tensor)
            return len(made) - 1

        before = _grad_enabled()
        _set_grad(grad)
        try:
            value = self._backward(target, arguments) if op == "grad" else self.perform(op, target, arguments)
            answer = self._encoder(link).encode(value)
        finally:
            _set_grad(before)
        graph = 0
        if made:
            self._graph += 1
            graph = self._graph
            if len(self.graphs) >= MAX_GRAPHS:
                self.graphs.pop(next(iter(self.graphs)))
            self.graphs[graph] = (made, decoder.leaves)
        tensors = [tensor.detach() for tensor in made]
        return "ok", number, graph, tensors, self._changes(), answer

    def _backward(self, graph: Any, cotangents: Any) -> list[Any]:
        """Gradients of a kept graph's leaves; parameters on this side collect theirs in .grad."""
        torch = sys.modules["torch"]
        if graph not in self.graphs:
            raise ValueError("this gradient is no longer kept")
        outputs, leaves = self.graphs[graph]
        pairs = [(out, cot) for out, cot in zip(outputs, cotangents, strict=True) if cot is not None]
        if not pairs:
            return [None] * len(leaves)
        for leaf in leaves:
            leaf.grad = None
        with torch.enable_grad():
            outs, cots = zip(*pairs, strict=True)
            torch.autograd.backward(outs, cots, retain_graph=True)
        gradients = [leaf.grad for leaf in leaves]
        for leaf in leaves:
            leaf.grad = None
        return gradients


def _grad_enabled() -> bool:
    torch = sys.modules.get("torch")
    return torch is None or bool(torch.is_grad_enabled())


def _set_grad(on: bool) -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.is_grad_enabled() is not on:
        torch.set_grad_enabled(on)


def _linked(peer: Peer, graph: int, tensors: list[Any], leaves: list[Any]) -> Sequence[Any]:
    from autograder.wire import through

    return through.link(peer, graph, tensors, leaves)
