"""Bytes of a stranger back into values: exact plain types, or WireError within fixed bounds.

    Decoder(data).decode()

Nothing is made before its announced length is checked against the bytes that are left; depth, number
of items and keys whose hash a stranger could choose are counted. The format is encode.py's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from autograder.wire import arrays
from autograder.wire.encode import INT_BYTES, NAME_LENGTH, TYPES, Handle, Limits
from autograder.wire.errors import WireError

U16, U32, _U64 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<Q")
_F64, _COMPLEX, _HANDLE = struct.Struct("<d"), struct.Struct("<dd"), struct.Struct("<QB")
_SMALL = 2**61 - 1  # below it an int is its own hash, so keys cannot be made to collide


class Decoder:
    """Rebuilds a value from bytes of a stranger. `own` finds the reader's object of a number, `stand_in`
    makes what represents the sender's Handle, `borrowed` (if given) collects mutable objects in order,
    `links` holds tensors that carry a gradient across."""

    def __init__(
        self,
        data: bytes | bytearray | memoryview,
        own: Callable[[int], Any] | None = None,
        stand_in: Callable[[Handle], Any] | None = None,
        shared: Sequence[Any] = (),
        borrowed: Callable[[Any], None] | None = None,
        links: Sequence[Any] = (),
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.leaves: list[Any] = []
        self._data, self._at, self._end = memoryview(data), 0, len(data)
        self._own, self._stand_in, self._shared = own, stand_in, shared
        self._borrowed, self._links = borrowed or (lambda _: None), links
        self._items, self._depth, self._weak = 1, 0, 0

    def decode(self) -> Any:
        """The one value that the bytes hold; anything malformed, or left over, is a WireError."""
        if self._end > self.limits.bytes:
            raise WireError(f"a message of {self._end:,} bytes")
        value = self._value()
        if self._at != self._end:
            raise WireError(f"{self._end - self._at} bytes after the value")
        return value

    def take(self, size: int) -> memoryview:
        """The next `size` bytes. Checked before anything is made of them."""
        at, end = self._at, self._at + size
        if size < 0 or end > self._end:
            raise WireError(f"{size:,} bytes announced, {self._end - at:,} left")
        self._at = end
        return self._data[at:end]

    def rest(self) -> memoryview:
        """What is left."""
        return self.take(self._end - self._at)

    def unpack_all(self, form: struct.Struct) -> tuple[Any, ...]:
        """The next numbers."""
        try:
            values = form.unpack_from(self._data, self._at)
        except struct.error:
            raise WireError(f"{form.size} bytes announced, {self._end - self._at:,} left") from None
        self._at += form.size
        return values

    def unpack(self, form: struct.Struct) -> Any:
        """The next number."""
        return self.unpack_all(form)[0]

    def text(self, limit: int | None = None) -> str:
        size = self.unpack(U32)
        if limit is not None and size > limit * 4:
            raise WireError(f"a name of {size:,} bytes")
        try:
            return str(self.take(size), "utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise WireError("text that is not UTF-8") from error

    def _value(self) -> Any:
        at = self._at
        if at >= self._end:
            raise WireError("a value announced, 0 bytes left")
        self._at, tag = at + 1, self._data[at]
        read = _READERS.get(tag)
        if read is not None:
            return read(self)
        value = arrays.decode(tag, self)
        if arrays.is_array(value):
            self._borrowed(value)
            if arrays.needs_grad(value):
                self.leaves.append(value)
        return value

    def _sized(self) -> int:
        count: int = self.unpack(U32)
        if count > self._end - self._at:
            raise WireError(f"{count:,} items announced, {self._end - self._at:,} bytes left")
        return count

    def many(self, count: int, into: list[Any] | None = None) -> list[Any]:
        self._depth += 1
        if self._depth > self.limits.depth:
            raise WireError(f"nested more than {self.limits.depth} deep")
        self._items += count
        if self._items > self.limits.items:
            raise WireError(f"more than {self.limits.items:,} items")
        values = [] if into is None else into
        for _ in range(count):
            values.append(self._value())
        self._depth -= 1
        return values

    def read_int(self) -> int:
        size = self.unpack(U16)
        if size > INT_BYTES:
            raise WireError(f"an int of {size:,} bytes")
        return int.from_bytes(self.take(size), "little", signed=True)

    def read_list(self) -> list[Any]:
        values: list[Any] = []
        self._borrowed(values)
        return self.many(self._sized(), values)

    def read_dict(self) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        self._borrowed(result)
        flat = self.many(2 * self._sized())
        result.update((self._key(key), value) for key, value in zip(flat[::2], flat[1::2], strict=True))
        return result

    def read_set(self) -> set[Any]:
        result: set[Any] = set()
        self._borrowed(result)
        result.update(self._key(value) for value in self.many(self._sized()))
        return result

    def read_frozenset(self) -> frozenset[Any]:
        return frozenset(self._key(value) for value in self.many(self._sized()))

    def _key(self, value: Any) -> Any:
        if type(value) not in (str, bytes, bool, type(None)) and not (
            type(value) is int and abs(value) < _SMALL
        ):
            self._weak += 1
            if self._weak > self.limits.weak_keys:
                raise WireError(f"more than {self.limits.weak_keys:,} keys that are neither text nor numbers")
            try:
                hash(value)
            except TypeError as error:
                raise WireError(f"a {type(value).__name__} as a key") from error
        return value

    def read_slice(self) -> slice:
        return slice(*self.many(3))

    def read_range(self) -> range:
        parts = self.many(3)
        if not all(type(part) is int for part in parts) or parts[2] == 0:
            raise WireError("a range of no such numbers")
        return range(*parts)

    def read_type(self) -> type:
        name = self.text(NAME_LENGTH)
        if name not in TYPES:
            raise WireError("a type that is no data")
        return TYPES[name]

    def read_handle(self) -> Any:
        number, flags = self.unpack_all(_HANDLE)
        name = self.text(NAME_LENGTH)
        if self._stand_in is None:
            raise WireError("an object where only data may be")
        return self._stand_in(Handle(number, name, bool(flags & 1), bool(flags & 2)))

    def read_own(self) -> Any:
        number = self.unpack(_U64)
        if self._own is None:
            raise WireError("a handle where only data may be")
        return self._own(number)

    def read_shared(self) -> Any:
        return _at(self._shared, self.unpack(U32))

    def read_link(self) -> Any:
        return _at(self._links, self.unpack(U32))


def _at(values: Sequence[Any], index: int) -> Any:
    if index >= len(values):
        raise WireError(f"reference {index} of {len(values)}")
    return values[index]


_READERS: dict[int, Callable[[Decoder], Any]] = {
    ord("N"): lambda _: None,
    ord("E"): lambda _: ...,
    ord("T"): lambda _: True,
    ord("F"): lambda _: False,
    ord("i"): Decoder.read_int,
    ord("f"): lambda decoder: decoder.unpack(_F64),
    ord("c"): lambda decoder: complex(*decoder.unpack_all(_COMPLEX)),
    ord("s"): Decoder.text,
    ord("b"): lambda decoder: bytes(decoder.take(decoder.unpack(U32))),
    ord("l"): Decoder.read_list,
    ord("t"): lambda decoder: tuple(decoder.many(decoder._sized())),
    ord("d"): Decoder.read_dict,
    ord("S"): Decoder.read_set,
    ord("Z"): Decoder.read_frozenset,
    ord(":"): Decoder.read_slice,
    ord("r"): Decoder.read_range,
    ord("k"): Decoder.read_type,
    ord("h"): Decoder.read_handle,
    ord("H"): Decoder.read_own,
    ord("R"): Decoder.read_shared,
    ord("L"): Decoder.read_link,
}


def decode(data: bytes | bytearray | memoryview, limits: Limits | None = None) -> Any:
    """Plain data of bytes; whatever is malformed raises WireError."""
    return Decoder(data, limits=limits).decode()
