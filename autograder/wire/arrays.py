"""Arrays, tensors and their dtypes as bytes: raw buffers of fixed dtypes, never objects.

    b"a" ndarray  b"x" tensor:  dtype name, flags, shape, order of axes in memory, buffer
    b"g" NumPy scalar  b"n" dtype  b"q" scalar type  b"y" torch dtype  b"v" device  b"z" torch.Size

Only the exact types cross; a subclass is an object and gets a handle (encode.py), so nothing that
arrives can lie about how it compares. Order: encoding, then decoding.
"""

from __future__ import annotations

import math
import re
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from autograder.wire.decode import Decoder

MAX_AXES = 24
MAX_SIZE = 1 << 40
_NP_CODES = "?bBhHiIqQlLefdFD"  # of two names for one dtype the last one stays
_NP_DTYPES = {np.dtype(code).str: np.dtype(code) for code in _NP_CODES}
_NP_TYPES = {np.dtype(code).type: np.dtype(code) for code in _NP_CODES}
_TORCH_NAMES = {"bool", "bfloat16", "complex64", "complex128"} | {
    f"{kind}{bits}"
    for kind, sizes in {"int": (8, 16, 32, 64), "uint": (8, 16, 32, 64), "float": (16, 32, 64)}.items()
    for bits in sizes
}
_DEVICE = re.compile(r"(cpu|meta|cuda|mps)(:\d{1,3})?")
_STRAIGHT = [bytes(range(axes)) for axes in range(MAX_AXES + 1)]  # the order of axes of most arrays
_SIZES = [struct.Struct(f"<{axes}Q") for axes in range(MAX_AXES + 1)]
U8, U64 = struct.Struct("<B"), struct.Struct("<Q")
_WRITABLE, _GRAD, _PARAMETER, _META, _HAS_GRAD = 1, 2, 4, 8, 16


class WireError(Exception):
    """Bytes that are no message. The text says what is wrong with them, in a few words."""


class Unsendable(WireError):  # noqa: N818
    """A value that is too large, too deep, or no data. The text completes 'it is ...'."""


def _torch() -> Any:
    return sys.modules.get("torch")


def is_array(value: Any) -> bool:
    """Whether value is exactly an ndarray, a tensor or a Parameter."""
    if type(value) is np.ndarray:
        return True
    torch = _torch()
    return torch is not None and type(value) in (torch.Tensor, torch.nn.Parameter)


def needs_grad(value: Any) -> bool:
    return type(value) is not np.ndarray and bool(value.requires_grad)


def has_history(value: Any) -> bool:
    """Whether value is a tensor that was computed from others that require a gradient."""
    return type(value) is not np.ndarray and value.grad_fn is not None


def encode(value: Any) -> bytes | None:
    """value's bytes; None if it is nothing of this module's."""
    kind = type(value)
    if kind is np.ndarray:
        return _ndarray(value)
    if kind in _NP_TYPES:
        return b"g" + _name(_NP_TYPES[kind].str) + value.tobytes()  # type: ignore[no-any-return]
    if isinstance(value, np.dtype):
        return b"n" + _name(value.str) if _NP_DTYPES.get(value.str) == value else None
    if kind is type and value in _NP_TYPES:
        return b"q" + _name(_NP_TYPES[value].str)
    torch = _torch()
    if torch is None:
        return None
    if kind in (torch.Tensor, torch.nn.Parameter):
        return _tensor(torch, value)
    if kind is torch.dtype:
        name = str(value).removeprefix("torch.")
        return b"y" + _name(name) if name in _TORCH_NAMES else None
    if kind is torch.device:
        return b"v" + _name(str(value))
    if kind is torch.Size:
        return b"z" + _shape(value)
    return None


def _name(text: str) -> bytes:
    return U8.pack(len(text)) + text.encode("ascii")


def _shape(shape: tuple[int, ...]) -> bytes:
    return U8.pack(len(shape)) + _SIZES[len(shape)].pack(*shape)


def _order(strides: tuple[int, ...]) -> list[int]:
    """The axes, widest step in memory first, so that a transposed array arrives transposed."""
    return sorted(range(len(strides)), key=lambda axis: -abs(strides[axis]))


def _ndarray(value: np.ndarray[Any, Any]) -> bytes | None:
    name = value.dtype.str
    if _NP_DTYPES.get(name) != value.dtype or value.ndim > MAX_AXES:
        return None
    order, plain = _STRAIGHT[value.ndim], value
    if not value.flags.c_contiguous:
        order = bytes(_order(value.strides))
        plain = value.transpose(list(order))
    flags = U8.pack(_WRITABLE * value.flags.writeable)
    head = b"a" + _name(name) + flags + _shape(value.shape) + order
    return head + U64.pack(value.nbytes) + plain.tobytes()


def _tensor(torch: Any, value: torch.Tensor) -> bytes | None:
    name = str(value.dtype).removeprefix("torch.")
    plain = value.layout is torch.strided and value.device.type in ("cpu", "meta") and not value.is_quantized
    if name not in _TORCH_NAMES or not plain or value.ndim > MAX_AXES:
        return None
    flags = _GRAD * value.requires_grad | _PARAMETER * (type(value) is torch.nn.Parameter)
    flags |= _META * (value.device.type == "meta")
    gradient = value.grad if value.is_leaf else None
    flags |= _HAS_GRAD * (gradient is not None)
    order = _STRAIGHT[value.ndim] if value.is_contiguous() else bytes(_order(value.stride()))
    head = b"x" + _name(name) + U8.pack(flags) + _shape(tuple(value.shape)) + order
    if flags & _META:
        return head
    straight = value.detach().resolve_conj().resolve_neg().permute(tuple(order)).reshape(-1)
    flat = torch.empty(value.numel(), dtype=value.dtype).copy_(straight)
    buffer: bytes = flat.view(torch.uint8).numpy().tobytes()
    inner: bytes | None = b""
    if gradient is not None:
        inner = encode(gradient.detach()) if type(gradient) is torch.Tensor else None
    return head + U64.pack(len(buffer)) + buffer + (b"N" if inner is None else inner)


def decode(tag: int, source: Decoder) -> Any:
    """The value after `tag`; WireError if the tag is unknown or what follows does not fit."""
    read = _READERS.get(tag)
    if read is None:
        raise WireError(f"unknown tag {chr(tag)!r}")
    return read(source)


def _read_name(source: Decoder) -> str:
    try:
        return str(source.take(source.unpack(U8)), "ascii")
    except UnicodeDecodeError as error:
        raise WireError("a name that is not ASCII") from error


def _read_np_dtype(source: Decoder) -> np.dtype[Any]:
    name = _read_name(source)
    if name not in _NP_DTYPES:
        raise WireError("an array of no known dtype")
    return _NP_DTYPES[name]


def _read_scalar(source: Decoder) -> Any:
    dtype = _read_np_dtype(source)
    return _array(source.take(dtype.itemsize), dtype)[0]


def _read_size(source: Decoder) -> torch.Size:
    import torch

    return torch.Size(_read_shape(source))


def _read_device(source: Decoder) -> torch.device:
    import torch

    name = _read_name(source)
    if not _DEVICE.fullmatch(name):
        raise WireError("a device of no known kind")
    return torch.device(name)


def _read_torch_dtype(source: Decoder) -> torch.dtype:
    import torch

    name = _read_name(source)
    if name not in _TORCH_NAMES:
        raise WireError("a tensor of no known dtype")
    return getattr(torch, name)  # type: ignore[no-any-return]


def _read_shape(source: Decoder) -> tuple[int, ...]:
    axes = source.unpack(U8)
    if axes > MAX_AXES:
        raise WireError(f"{axes} axes")
    shape: tuple[int, ...] = source.unpack_all(_SIZES[axes])
    if math.prod(size for size in shape if size) > MAX_SIZE:
        raise WireError("a shape beyond any memory")
    return shape


def _read_layout(source: Decoder) -> tuple[tuple[int, ...], bytes]:
    shape = _read_shape(source)
    order = bytes(source.take(len(shape)))
    if order != _STRAIGHT[len(shape)] and sorted(order) != list(range(len(shape))):
        raise WireError("axes in no order")
    return shape, order


def _read_buffer(source: Decoder, shape: tuple[int, ...], itemsize: int) -> memoryview:
    """The buffer, if its announced length is what the shape needs. Nothing is allocated before."""
    size = source.unpack(U64)
    if size != math.prod(shape) * itemsize:
        raise WireError(f"{size:,} bytes for shape {shape} of {itemsize} bytes each")
    return source.take(size)


def _array(data: memoryview, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """A writable array of its own memory. A bool byte other than 0 and 1 would compare as it likes."""
    flat = np.frombuffer(bytearray(data), np.uint8)
    if dtype == np.bool_ and flat.size and flat.max() > 1:
        raise WireError("a bool that is neither 0 nor 1")
    return flat.view(dtype)


def _inverse(order: bytes) -> list[int]:
    return sorted(range(len(order)), key=order.__getitem__)


def _read_ndarray(source: Decoder) -> np.ndarray[Any, Any]:
    dtype = _read_np_dtype(source)
    flags = source.unpack(U8)
    shape, order = _read_layout(source)
    flat = _array(_read_buffer(source, shape, dtype.itemsize), dtype)
    if order == _STRAIGHT[len(shape)]:
        value = flat.reshape(shape)
    else:
        value = flat.reshape([shape[axis] for axis in order]).transpose(_inverse(order))
    value.flags.writeable = bool(flags & _WRITABLE)
    return value


def _read_tensor(source: Decoder, nested: bool = False) -> torch.Tensor:
    import torch

    dtype = _read_torch_dtype(source)
    flags = source.unpack(U8)
    shape, order = _read_layout(source)
    if nested and flags & _HAS_GRAD:
        raise WireError("a gradient of a gradient")
    if flags & _GRAD and not (dtype.is_floating_point or dtype.is_complex):
        raise WireError(f"a gradient of {dtype}")
    if flags & _META:
        value = torch.empty(shape, dtype=dtype, device="meta")
    else:
        data = _read_buffer(source, shape, dtype.itemsize)
        kind = np.dtype(np.bool_ if dtype is torch.bool else np.uint8)
        flat = torch.from_numpy(_array(data, kind))
        flat = flat.view(dtype) if len(data) else torch.empty(0, dtype=dtype)
        value = flat.reshape([shape[axis] for axis in order]).permute(_inverse(order))
    if flags & _PARAMETER:
        value = torch.nn.Parameter(value, requires_grad=bool(flags & _GRAD))
    elif flags & _GRAD:
        value.requires_grad_()
    if flags & _HAS_GRAD:
        value.grad = _read_gradient(source, value)
    return value


def _read_gradient(source: Decoder, value: torch.Tensor) -> torch.Tensor | None:
    tag = bytes(source.take(1))
    if tag == b"N":
        return None
    gradient = _read_tensor(source, nested=True) if tag == b"x" else None
    if gradient is None or gradient.shape != value.shape or gradient.dtype != value.dtype:
        raise WireError("a gradient that does not fit its tensor")
    if gradient.requires_grad or gradient.device != value.device:
        raise WireError("a gradient of its own kind")
    return gradient


_READERS: dict[int, Callable[[Decoder], Any]] = {
    ord("a"): _read_ndarray,
    ord("x"): _read_tensor,
    ord("g"): _read_scalar,
    ord("n"): _read_np_dtype,
    ord("q"): lambda source: _read_np_dtype(source).type,
    ord("y"): _read_torch_dtype,
    ord("v"): _read_device,
    ord("z"): _read_size,
}
