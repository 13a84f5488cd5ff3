"""Arrays, tensors and their dtypes as bytes: raw buffers of fixed dtypes, never objects.

    b"a" ndarray  b"x" tensor:  length of the head, head (heads.py), buffer
    b"g" NumPy scalar  b"n" dtype  b"q" scalar type  b"y" torch dtype  b"v" device  b"z" torch.Size

Only the exact types cross; a subclass is an object and gets a handle (encode.py), so nothing that
arrives can lie about how it compares. Order: encoding, then decoding.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.wire.errors import WireError
from autograder.wire.heads import (
    MAX_AXES,
    NP_CODES,
    NP_DTYPES,
    STRAIGHT,
    U8,
    ascii_of,
    checked,
    np_dtype,
    read,
    read_np,
    shape_of,
    written,
)

if TYPE_CHECKING:
    import torch

    from autograder.wire.decode import Decoder

_NP_TYPES = {np.dtype(code).type: np.dtype(code) for code in NP_CODES}
_TORCH_NAMES = {"bool", "bfloat16", "complex64", "complex128"} | {
    f"{kind}{bits}"
    for kind, sizes in {"int": (8, 16, 32, 64), "uint": (8, 16, 32, 64), "float": (16, 32, 64)}.items()
    for bits in sizes
}
_DEVICE = re.compile(r"(cpu|meta|cuda|mps)(:\d{1,3})?")
_WRITABLE, _GRAD, _PARAMETER, _META, _HAS_GRAD = 1, 2, 4, 8, 16


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
        return b"n" + _name(value.str) if NP_DTYPES.get(value.str) == value else None
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
        return b"z" + shape_of(value)
    return None


def _name(text: str) -> bytes:
    return U8.pack(len(text)) + text.encode("ascii")


def _order(strides: tuple[int, ...]) -> bytes:
    """The axes, widest step in memory first, so that a transposed array arrives transposed."""
    return bytes(sorted(range(len(strides)), key=lambda axis: -abs(strides[axis])))


def _ndarray(value: np.ndarray[Any, Any]) -> bytes | None:
    name = value.dtype.str
    if NP_DTYPES.get(name) != value.dtype or value.ndim > MAX_AXES:
        return None
    order, plain = STRAIGHT[value.ndim], value
    if not value.flags.c_contiguous:
        order = _order(value.strides)
        plain = value.transpose(list(order))
    head = written(name, _WRITABLE * value.flags.writeable, value.shape, order)
    return b"a" + head + plain.tobytes()


def _tensor(torch: Any, value: torch.Tensor) -> bytes | None:
    name = str(value.dtype).removeprefix("torch.")
    plain = value.layout is torch.strided and value.device.type in ("cpu", "meta") and not value.is_quantized
    if name not in _TORCH_NAMES or not plain or value.ndim > MAX_AXES:
        return None
    flags = _GRAD * value.requires_grad | _PARAMETER * (type(value) is torch.nn.Parameter)
    flags |= _META * (value.device.type == "meta")
    gradient = value.grad if value.is_leaf else None
    flags |= _HAS_GRAD * (gradient is not None)
    order = STRAIGHT[value.ndim] if value.is_contiguous() else _order(value.stride())
    head = b"x" + written(name, flags, tuple(value.shape), order)
    if flags & _META:
        return head
    straight = value.detach().resolve_conj().resolve_neg().permute(tuple(order)).reshape(-1)
    flat = torch.empty(value.numel(), dtype=value.dtype).copy_(straight)
    buffer: bytes = flat.view(torch.uint8).numpy().tobytes()
    inner: bytes | None = b""
    if gradient is not None:
        inner = encode(gradient.detach()) if type(gradient) is torch.Tensor else None
    return head + buffer + (b"N" if inner is None else inner)


# Decoding


def decode(tag: int, source: Decoder) -> Any:
    """The value after `tag`; WireError if the tag is unknown or what follows does not fit."""
    read = _READERS.get(tag)
    if read is None:
        raise WireError(f"unknown tag {chr(tag)!r}")
    return read(source)


def _read_name(source: Decoder) -> str:
    return ascii_of(source.take(source.unpack(U8)))


def _read_np_dtype(source: Decoder) -> np.dtype[Any]:
    return np_dtype(_read_name(source))


def _read_scalar(source: Decoder) -> Any:
    dtype = _read_np_dtype(source)
    return _array(source.take(dtype.itemsize), dtype)[0]


def _read_size(source: Decoder) -> torch.Size:
    import torch

    return torch.Size(checked(source.unpack(U8), source.unpack_all))


def _read_device(source: Decoder) -> torch.device:
    import torch

    name = _read_name(source)
    if not _DEVICE.fullmatch(name):
        raise WireError("a device of no known kind")
    return torch.device(name)


def _torch_dtype(name: str) -> torch.dtype:
    import torch

    if name not in _TORCH_NAMES:
        raise WireError("a tensor of no known dtype")
    return getattr(torch, name)  # type: ignore[no-any-return]


def _array(data: memoryview, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """A writable array of its own memory. A bool byte other than 0 and 1 would compare as it likes."""
    flat = np.frombuffer(bytearray(data), dtype)
    if dtype.kind == "b" and flat.size and flat.view(np.uint8).max() > 1:
        raise WireError("a bool that is neither 0 nor 1")
    return flat


def _read_ndarray(source: Decoder) -> np.ndarray[Any, Any]:
    head, dtype, size = read_np(bytes(source.take(source.unpack(U8))))
    value: np.ndarray[Any, Any] = head.of(_array(source.take(size), dtype))
    if not head.flags & _WRITABLE:
        value.flags.writeable = False
    return value


def _read_tensor(source: Decoder, nested: bool = False) -> torch.Tensor:
    import torch

    head = read(bytes(source.take(source.unpack(U8))))
    dtype, flags = _torch_dtype(head.name), head.flags
    if nested and flags & _HAS_GRAD:
        raise WireError("a gradient of a gradient")
    if flags & _GRAD and not (dtype.is_floating_point or dtype.is_complex):
        raise WireError(f"a gradient of {dtype}")
    if flags & _META:
        value = torch.empty(head.shape, dtype=dtype, device="meta")
    else:
        data = source.take(math.prod(head.shape) * dtype.itemsize)
        kind = np.dtype(np.bool_ if dtype is torch.bool else np.uint8)
        flat = torch.from_numpy(_array(data, kind))
        value = head.of(flat.view(dtype) if len(data) else torch.empty(0, dtype=dtype))
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
    ord("y"): lambda source: _torch_dtype(_read_name(source)),
    ord("v"): _read_device,
    ord("z"): _read_size,
}
