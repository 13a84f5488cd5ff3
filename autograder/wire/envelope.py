"""The three messages of a conversation as bytes: a fixed head, then the parts whose lengths it gives.

    ("ask", number, op, target, grad, dropped objects, dropped graphs, changes, body)
    ("ok", number, graph, tensors, changes, body)      ("error", number, what, changes)

Each question of a test costs two of these, so a head is one struct and not a value of encode.py's.
Order: pack, unpack.
"""

from __future__ import annotations

import struct
from typing import Any

from autograder.wire.decode import Decoder
from autograder.wire.encode import Encoder, Limits, WireError

ROOM = 8192  # bytes that a message may need beyond the value in it
_ASK = struct.Struct("<8sIQBIII")  # op, number, target, grad; how many objects, graphs, bytes of changes
_OK = struct.Struct("<IIII")  # number, graph, bytes of tensors, of changes
_ERROR = struct.Struct("<II")  # number, bytes of changes


def pack(message: tuple[Any, ...], limits: Limits) -> bytes:
    """A message of one of the three forms as bytes."""
    kind, number = message[:2]
    if kind == "ask":
        _, _, op, target, grad, objects, graphs, changes, body = message
        head = _ASK.pack(op.encode(), number, target, grad, len(objects), len(graphs), len(changes))
        dropped = struct.pack(f"<{len(objects) + len(graphs)}Q", *objects, *graphs)
        return b"".join((b"?", head, dropped, changes, body))
    if kind == "ok":
        _, _, graph, tensors, changes, body = message
        told = Encoder(limits=limits).encode(tensors) if tensors else b""
        return b"".join((b"=", _OK.pack(number, graph, len(told), len(changes)), told, changes, body))
    _, _, what, changes = message
    return b"".join((b"!", _ERROR.pack(number, len(changes)), changes, Encoder(limits=limits).encode(what)))


def unpack(data: bytes | bytearray, limits: Limits) -> tuple[Any, ...]:
    """The message that the bytes hold; anything of another form is a WireError."""
    tag, view = data[:1], memoryview(data)
    if tag == b"?":
        return _ask(view)
    if tag == b"=":
        number, graph, told, changed = _head(_OK, view)
        written, changes, body = _parts(view, _OK, told, changed)
        tensors = Decoder(written, limits=limits).decode() if told else []
        if type(tensors) is not list:
            raise WireError("tensors that are none")
        return "ok", number, graph, tensors, changes, body
    if tag == b"!":
        number, changed = _head(_ERROR, view)
        changes, body = _parts(view, _ERROR, changed)
        what = Decoder(body, limits=limits).decode()
        if type(what) is not dict:
            raise WireError("an error of no known form")
        return "error", number, what, changes
    raise WireError("a message of no known form")


def _ask(view: memoryview) -> tuple[Any, ...]:
    op, number, target, grad, objects, graphs, changed = _head(_ASK, view)
    words, changes, body = _parts(view, _ASK, 8 * (objects + graphs), changed)
    dropped = struct.unpack(f"<{objects + graphs}Q", words)
    try:
        name = op.rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError:
        raise WireError("a question of no known form") from None
    return "ask", number, name, target, grad == 1, dropped[:objects], dropped[objects:], changes, body


def _head(form: struct.Struct, view: memoryview) -> tuple[Any, ...]:
    try:
        return form.unpack_from(view, 1)
    except struct.error:
        raise WireError(f"{form.size} bytes announced, {len(view) - 1} left") from None


def _parts(view: memoryview, head: struct.Struct, *sizes: int) -> list[memoryview]:
    """The parts after the head, whose lengths it gave, and the rest."""
    parts, at = [], 1 + head.size
    for size in sizes:
        if size > len(view) - at:
            raise WireError(f"{size:,} bytes announced, {len(view) - at:,} left")
        parts.append(view[at : at + size])
        at += size
    return [*parts, view[at:]]
