"""What is said of an array before its buffer: flags, shape, order of axes in memory, name of its dtype.

A test sends arrays of few kinds again and again, so each head is written, read and checked once.
Order: what is known, Head, writing, reading.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from autograder.wire.errors import WireError

MAX_AXES = 24
MAX_SIZE = 1 << 40
NP_CODES = "?bBhHiIqQlLefdFD"  # of two names for one dtype the last one stays
NP_DTYPES = {np.dtype(code).str: np.dtype(code) for code in NP_CODES}
STRAIGHT = [bytes(range(axes)) for axes in range(MAX_AXES + 1)]  # the order of axes of most arrays
U8 = struct.Struct("<B")
_SIZES = [struct.Struct(f"<{axes}Q") for axes in range(MAX_AXES + 1)]


class Head(NamedTuple):
    """order: the axes, the widest step in memory first."""

    name: str  # of the dtype
    flags: int
    shape: tuple[int, ...]
    order: bytes

    @property
    def straight(self) -> bool:
        return self.order == STRAIGHT[len(self.shape)]

    def of(self, flat: Any) -> Any:
        """The flat array or tensor in this shape, laid out in memory as it was."""
        if self.straight:
            return flat.reshape(self.shape)
        inverse = sorted(range(len(self.order)), key=self.order.__getitem__)
        wide = flat.reshape([self.shape[axis] for axis in self.order])
        return wide.transpose(inverse) if type(flat) is np.ndarray else wide.permute(inverse)


def shape_of(shape: tuple[int, ...]) -> bytes:
    return U8.pack(len(shape)) + _SIZES[len(shape)].pack(*shape)


@lru_cache(maxsize=1024)
def written(name: str, flags: int, shape: tuple[int, ...], order: bytes) -> bytes:
    head = b"".join((U8.pack(flags), shape_of(shape), order, name.encode("ascii")))
    return U8.pack(len(head)) + head


@lru_cache(maxsize=1024)  # of a stranger's bytes, but at most 255 of them each
def read(head: bytes) -> Head:
    if len(head) < 2 or len(head) < 2 + 9 * head[1]:
        raise WireError("half a head of an array")
    flags, axes = head[:2]
    shape = checked(axes, lambda form: form.unpack_from(head, 2))
    order, name = head[2 + 8 * axes :][:axes], head[2 + 9 * axes :]
    if order != STRAIGHT[axes] and sorted(order) != list(range(axes)):
        raise WireError("axes in no order")
    return Head(ascii_of(name), flags, shape, order)


@lru_cache(maxsize=1024)
def read_np(head: bytes) -> tuple[Head, np.dtype[Any], int]:
    """The head, its dtype, and how many bytes the buffer has."""
    known = read(head)
    dtype = np_dtype(known.name)
    return known, dtype, math.prod(known.shape) * dtype.itemsize


def checked(axes: int, read: Callable[[struct.Struct], tuple[int, ...]]) -> tuple[int, ...]:
    if axes > MAX_AXES:
        raise WireError(f"{axes} axes")
    shape = read(_SIZES[axes])
    if math.prod(size for size in shape if size) > MAX_SIZE:
        raise WireError("a shape beyond any memory")
    return shape


def ascii_of(data: bytes | memoryview) -> str:
    try:
        return str(data, "ascii")
    except UnicodeDecodeError as error:
        raise WireError("a name that is not ASCII") from error


def np_dtype(name: str) -> np.dtype[Any]:
    if name not in NP_DTYPES:
        raise WireError("an array of no known dtype")
    return NP_DTYPES[name]
