"""The data that may cross between judge and learner, as bytes: never pickle, never code.

    encode(value) -> bytes        decode.decode(bytes) -> value of the exact plain types, or WireError

One byte says what follows; lengths are checked against what is left before anything is made. What
is no data (functions, modules, any other object) crosses as a handle, a number that means nothing
to its reader. Order: limits and handles, encoding. Arrays and tensors are in arrays.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from autograder.wire import arrays
from autograder.wire.errors import Unsendable, WireError

__all__ = ["Encoder", "Handle", "Limits", "Unsendable", "WireError", "encode"]

INT_BYTES = 1024  # 2,466 digits, below the 4,300 at which Python refuses to print
NAME_LENGTH = 200
_U16, _U32, _F64 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<d")
TYPES: dict[str, type] = {
    t.__name__: t for t in (bool, int, float, complex, str, bytes, list, tuple, dict, set)
}


@dataclass(frozen=True)
class Limits:
    """What one message may hold."""

    bytes: int = 256 << 20
    items: int = 1_000_000
    depth: int = 60
    weak_keys: int = 10_000  # keys whose hash a stranger could choose


@dataclass(frozen=True)
class Handle:
    """An object that stayed where it is. yours: it is the reader's own, coming back to it."""

    id: int
    type_name: str = ""
    callable: bool = False
    module: bool = False
    yours: bool = False


class Encoder:
    """Turns values into bytes. `export` makes a Handle of what is no data; `shared` maps the id() of
    an object that the other side already has to its number there; `lend`, if given, numbers every
    mutable object that is sent, so that changes to it can be reported back."""

    def __init__(
        self,
        export: Callable[[Any], Handle] | None = None,
        shared: dict[int, int] | None = None,
        lend: Callable[[Any], int] | None = None,
        link: Callable[[Any], int] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.leaves: list[Any] = []  # tensors sent that require a gradient, in order
        self._export, self._lend, self._link = export, lend, link
        self._shared = {} if shared is None else shared
        self._parts: list[bytes] = []
        self._most = self.limits.bytes
        self._size = self._depth = 0
        self._items = 1

    def encode(self, value: Any) -> bytes:
        self._value(value)
        return b"".join(self._parts)

    def put(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size > self._most:
            raise Unsendable(f"more than {self._most:,} bytes")

    def _value(self, value: Any) -> None:
        kind = type(value)
        if kind in _ATOMS:
            self.put(_ATOMS[kind](value))
        elif kind in _CONTAINERS:
            self._container(kind, value)
        elif kind is type and value in TYPES.values():
            self.put(b"k" + _text(value.__name__))
        else:
            self._array_or_object(value)

    def _container(self, kind: type, value: Any) -> None:
        if kind in (list, dict, set) and self._known(value):
            return
        tag, size = _CONTAINERS[kind]
        self._depth += 1
        if self._depth > self.limits.depth:
            raise Unsendable(f"nested more than {self.limits.depth} deep")
        items = _items(value)
        self._items += len(items)
        if self._items > self.limits.items:
            raise Unsendable(f"more than {self.limits.items:,} items")
        self.put(tag + _U32.pack(len(value)) if size else tag)
        for item in items:
            self._value(item)
        self._depth -= 1

    def _known(self, value: Any) -> bool:
        """Write a reference if the other side has this very object; else lend it, if we do."""
        number = self._shared.get(id(value))
        if number is not None:
            self.put(b"R" + _U32.pack(number))
            return True
        if self._lend:
            self._lend(value)
        return False

    def _array_or_object(self, value: Any) -> None:
        if arrays.is_array(value):
            if self._link and arrays.has_history(value) and id(value) not in self._shared:
                # Not lent: the reader numbers only what it can change in place, and a link it cannot.
                self.put(b"L" + _U32.pack(self._link(value)))
                return
            if self._known(value):
                return
            if arrays.needs_grad(value):
                self.leaves.append(value)
        data = arrays.encode(value)
        if data is not None:
            self.put(data)
        elif self._export is None:
            raise Unsendable(f"a {type(value).__name__}")
        else:
            handle = self._export(value)
            if handle.yours:
                self.put(b"H" + struct.pack("<Q", handle.id))
                return
            flags = handle.callable | handle.module << 1
            head = struct.pack("<QB", handle.id, flags)
            self.put(b"h" + head + _text(handle.type_name[:NAME_LENGTH]))


def _items(value: Any) -> Sequence[Any]:
    if type(value) is dict:
        return [part for pair in value.items() for part in pair]
    if type(value) in (slice, range):
        return (value.start, value.stop, value.step)
    return value if type(value) in (list, tuple) else list(value)


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return _U32.pack(len(data)) + data


def _int(number: int) -> bytes:
    size = number.bit_length() // 8 + 1
    if size > INT_BYTES:
        raise Unsendable(f"an int of more than {INT_BYTES} bytes")
    return b"i" + _U16.pack(size) + number.to_bytes(size, "little", signed=True)


_ATOMS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"N",
    type(...): lambda _: b"E",
    bool: lambda value: b"T" if value else b"F",
    int: _int,
    float: lambda value: b"f" + _F64.pack(value),
    complex: lambda value: b"c" + struct.pack("<dd", value.real, value.imag),
    str: lambda value: b"s" + _text(value),
    bytes: lambda value: b"b" + _U32.pack(len(value)) + value,
}
_CONTAINERS: dict[type, tuple[bytes, bool]] = {
    list: (b"l", True),
    tuple: (b"t", True),
    dict: (b"d", True),
    set: (b"S", True),
    frozenset: (b"Z", True),
    slice: (b":", False),
    range: (b"r", False),
}


def encode(value: Any, limits: Limits | None = None) -> bytes:
    """Plain data as bytes; what is no data raises Unsendable."""
    return Encoder(limits=limits).encode(value)
