"""Bytes of a stranger back into values: exact plain types, or WireError within fixed bounds.

    Decoder(data).decode()

Nothing is made before its announced length is checked against the bytes that are left; depth, number
of items and keys whose hash a stranger could choose are counted. The format is wire.py's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from autograder import arrays
from autograder.arrays import WireError
from autograder.wire import INT_BYTES, NAME_LENGTH, TYPES, Handle, Limits

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
        self._data, self._at = memoryview(data), 0
        self._own, self._stand_in, self._shared = own, stand_in, shared
        self._borrowed, self._links = borrowed or (lambda _: None), links
        self._items = self._depth = self._weak = 0

    def decode(self) -> Any:
        """The one value that the bytes hold; anything malformed, or left over, is a WireError."""
        if len(self._data) > self.limits.bytes:
            raise WireError(f"a message of {len(self._data):,} bytes")
        value = self._value()
        if self._at != len(self._data):
            raise WireError(f"{len(self._data) - self._at} bytes after the value")
        return value

    def take(self, size: int) -> memoryview:
        """The next `size` bytes. Checked before anything is made of them."""
        if size < 0 or size > len(self._data) - self._at:
            raise WireError(f"{size:,} bytes announced, {len(self._data) - self._at:,} left")
        self._at += size
        return self._data[self._at - size : self._at]

    def unpack(self, form: str) -> Any:
        values = struct.unpack(form, self.take(struct.calcsize(form)))
        return values[0] if len(values) == 1 else values

    def text(self, limit: int | None = None) -> str:
        size = self.unpack("<I")
        if limit is not None and size > limit * 4:
            raise WireError(f"a name of {size:,} bytes")
        try:
            return str(self.take(size), "utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise WireError("text that is not UTF-8") from error

    def _value(self) -> Any:
        self._items += 1
        if self._items > self.limits.items:
            raise WireError(f"more than {self.limits.items:,} items")
        tag = bytes(self.take(1))
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
        count: int = self.unpack("<I")
        if count > len(self._data) - self._at:
            raise WireError(f"{count:,} items announced, {len(self._data) - self._at:,} bytes left")
        return count

    def many(self, count: int, into: list[Any] | None = None) -> list[Any]:
        self._depth += 1
        if self._depth > self.limits.depth:
            raise WireError(f"nested more than {self.limits.depth} deep")
        values = [] if into is None else into
        for _ in range(count):
            values.append(self._value())
        self._depth -= 1
        return values

    def read_int(self) -> int:
        size = self.unpack("<H")
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
        number, flags = self.unpack("<QB")
        name = self.text(NAME_LENGTH)
        if self._stand_in is None:
            raise WireError("an object where only data may be")
        return self._stand_in(Handle(number, name, bool(flags & 1), bool(flags & 2)))

    def read_own(self) -> Any:
        number = self.unpack("<Q")
        if self._own is None:
            raise WireError("a handle where only data may be")
        return self._own(number)

    def read_shared(self) -> Any:
        return _at(self._shared, self.unpack("<I"))

    def read_link(self) -> Any:
        return _at(self._links, self.unpack("<I"))


def _at(values: Sequence[Any], index: int) -> Any:
    if index >= len(values):
        raise WireError(f"reference {index} of {len(values)}")
    return values[index]


_READERS: dict[bytes, Callable[[Decoder], Any]] = {
    b"N": lambda _: None,
    b"E": lambda _: ...,
    b"T": lambda _: True,
    b"F": lambda _: False,
    b"i": Decoder.read_int,
    b"f": lambda decoder: decoder.unpack("<d"),
    b"c": lambda decoder: complex(*decoder.unpack("<dd")),
    b"s": Decoder.text,
    b"b": lambda decoder: bytes(decoder.take(decoder.unpack("<I"))),
    b"l": Decoder.read_list,
    b"t": lambda decoder: tuple(decoder.many(decoder._sized())),
    b"d": Decoder.read_dict,
    b"S": Decoder.read_set,
    b"Z": Decoder.read_frozenset,
    b":": Decoder.read_slice,
    b"r": Decoder.read_range,
    b"k": Decoder.read_type,
    b"h": Decoder.read_handle,
    b"H": Decoder.read_own,
    b"R": Decoder.read_shared,
    b"L": Decoder.read_link,
}


def decode(data: bytes | bytearray | memoryview, limits: Limits | None = None) -> Any:
    """Plain data of bytes; whatever is malformed raises WireError."""
    return Decoder(data, limits=limits).decode()
