"""The wire carries exact plain data, and makes of a stranger's bytes plain data or a WireError."""

from __future__ import annotations

import math
import struct
import time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from autograder.wire.decode import decode
from autograder.wire.encode import INT_BYTES, Handle, Limits, encode
from autograder.wire.errors import Unsendable, WireError

SMALL = Limits(bytes=1 << 16, items=2_000, depth=20, weak_keys=50)
PLAIN = {
    *(type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, slice, range),
    *(type(...), type, torch.dtype, torch.device, torch.Size, torch.Tensor, torch.nn.Parameter, np.ndarray),
}

keys = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.binary(), st.tuples(st.integers(), st.text())
)
atoms = st.one_of(
    keys,
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(st.characters(codec=None, categories=("Cs", "Lu", "Nd"))),
    st.sampled_from(
        [..., slice(1, None, -2), range(3, 9, 2), torch.float16, torch.device("cpu"), np.dtype("f4"), int]
    ),
)
values = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.tuples(inner, inner),
        st.dictionaries(keys, inner, max_size=4),
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4),
    ),
    max_leaves=20,
)


def exact(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(exact, one, other))
    if isinstance(one, dict):
        return exact(list(one.items()), list(other.items()))
    return bool(one == other)


@given(values)
def test_plain_data_arrives_as_it_was(value: Any) -> None:
    assert exact(decode(encode(value)), value)


@given(st.binary(max_size=300))
@settings(max_examples=400)
def test_arbitrary_bytes_make_plain_data_or_a_wire_error(data: bytes) -> None:
    try:
        value = decode(data, SMALL)
    except WireError:
        return
    assert type(value) in PLAIN or isinstance(value, np.generic | np.dtype)


@given(values, st.data())
@settings(max_examples=300)
def test_a_message_with_changed_bytes_makes_plain_data_or_a_wire_error(
    value: Any, data: st.DataObject
) -> None:
    message = bytearray(encode([value, np.ones((2, 3)), torch.ones(2, requires_grad=True)]))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(message, SMALL)
    except WireError:
        return


@given(values, st.data())
def test_a_cut_message_is_refused(value: Any, data: st.DataObject) -> None:
    message = encode((value, 1))
    with pytest.raises(WireError):
        decode(message[: data.draw(st.integers(0, len(message) - 1))])


def test_bytes_after_the_value_are_refused() -> None:
    with pytest.raises(WireError, match="after the value"):
        decode(encode(1) + b"N")


def test_nan_and_negative_zero_arrive() -> None:
    assert math.isnan(decode(encode(math.nan)))
    assert math.copysign(1, decode(encode(-0.0))) == -1


@pytest.mark.parametrize("code", "?bBhHiIqQefdFD")
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_arrays_of_every_dtype_and_shape_arrive(code: str, shape: tuple[int, ...]) -> None:
    array = np.arange(math.prod(shape)).reshape(shape).astype(code)
    got = decode(encode(array))
    assert type(got) is np.ndarray
    assert (got.dtype, got.shape, got.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert got.flags.writeable


@pytest.mark.parametrize(
    "name",
    [
        "bool",
        "uint8",
        "int8",
        "int16",
        "int32",
        "int64",
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "complex64",
    ],
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_tensors_of_every_dtype_and_shape_arrive(name: str, shape: tuple[int, ...]) -> None:
    tensor = torch.arange(math.prod(shape)).reshape(shape).to(getattr(torch, name))
    got = decode(encode(tensor))
    assert type(got) is torch.Tensor
    assert (got.dtype, got.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(got, tensor)


def test_transposed_expanded_and_reversed_arrays_arrive() -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    for view in (array.transpose(2, 0, 1), array[:, ::-1, ::2], np.broadcast_to(array[:1], (5, 3, 4))):
        assert np.array_equal(decode(encode(view)), view)
    tensor = torch.arange(24.0).reshape(2, 3, 4)
    assert decode(encode(tensor.mT)).stride() == tensor.mT.stride()
    assert torch.equal(decode(encode(tensor[0, 0, 0].expand(2, 2))), torch.zeros(2, 2))


def test_parameters_gradients_and_flags_arrive() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.full((2,), 3.0)
    got = decode(encode(parameter))
    assert type(got) is torch.nn.Parameter
    assert got.grad is not None
    assert got.grad.tolist() == [3.0, 3.0]
    assert decode(encode(torch.ones(1, requires_grad=True))).requires_grad
    assert not decode(encode(torch.nn.Parameter(torch.ones(1), requires_grad=False))).requires_grad


def test_meta_tensors_arrive_without_data() -> None:
    got = decode(encode(torch.empty(3, 4, device="meta")))
    assert (got.device.type, got.shape) == ("meta", (3, 4))


def test_numpy_scalars_keep_their_type() -> None:
    for value in (np.float32(1.5), np.int64(-3), np.bool_(True), np.float16(2), np.complex64(1j)):
        got = decode(encode(value))
        assert type(got) is type(value)
        assert got == value


class Sub(float):
    """A subclass of what may cross."""


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Sub(1),
        len,
        np.array([None]),
        np.array(["a"]),
        np.ones(2).view(np.recarray),
        np.zeros(2, "f4,i4"),
        np.array(0, "M8[s]"),
        np.ones(1, ">f8"),
        torch.ones(2).to_sparse(),
        torch.nn.Linear(1, 1),
        np.longdouble(1),
    ],
)
def test_what_is_no_plain_data_is_not_sent(value: Any) -> None:
    with pytest.raises(Unsendable):
        encode(value)


def test_what_is_too_large_is_not_sent() -> None:
    with pytest.raises(Unsendable, match="int"):
        encode(1 << 8 * INT_BYTES)
    with pytest.raises(Unsendable, match="items"):
        encode([None] * 3_000, SMALL)
    with pytest.raises(Unsendable, match="bytes"):
        encode("x" * 70_000, SMALL)
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(Unsendable, match="deep"):
        encode(endless)


def u32(number: int) -> bytes:
    return struct.pack("<I", number)


def array_of(
    dtype: bytes, shape: tuple[int, ...], data: bytes = b"", tag: bytes = b"a", flags: int = 1
) -> bytes:
    sizes = struct.pack(f"<{len(shape)}Q", *shape)
    head = bytes([flags, len(shape)]) + sizes + bytes(range(len(shape))) + dtype
    return tag + bytes([len(head)]) + head + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"?",
        b"s" + u32(1 << 31) + b"x",
        b"b" + u32(0xFFFFFFFF),
        b"l" + u32(1 << 31),
        b"d" + u32(1) + b"N",
        b"d" + u32(1) + b"l" + u32(0) + b"N",  # a list as a key
        b"S" + u32(1) + b"d" + u32(0),
        b"i" + struct.pack("<H", 2000) + b"x" * 2000,
        b"s" + u32(2) + b"\xff\xfe",
        b"l" + u32(1) + (b"l" + u32(1)) * 100 + b"N",
        b"r" + b"N" * 3,
        b"r" + encode(0) + encode(5) + encode(0),
        b"k" + u32(4) + b"eval",
        b"k" + u32(6) + b"object",
        b"h" + struct.pack("<QB", 1, 0) + u32(1) + b"f",
        b"H" + struct.pack("<Q", 1),
        b"R" + u32(0),
        b"L" + u32(0),
        array_of(b"|O", (1,), b"x" * 8),
        array_of(b"<f8", (1 << 60,)),
        array_of(b"<f8", (1 << 63, 2), b"x" * 16),
        array_of(b"<f8", (4,), b"x" * 8),
        array_of(b"<f8", (1 << 33,), b"x" * 8),
        array_of(b"|b1", (1,), b"\2"),
        array_of(b"<f8", (0, 1 << 62)),
        b"a\xff\1" + bytes([200]) + b"\0" * 2000,
        b"a\1\1",
        b"a\x0d\1\1" + struct.pack("<Q", 1) + b"\1<f",  # axes in no order
        b"a\x0c\1\1" + struct.pack("<Q", 1) + b"\0\xff",  # a name that is not ASCII,
        array_of(b"float32", (), b"\0" * 3, b"x", 2),
        array_of(b"int64", (), b"\0" * 8, b"x", 2),  # an int with a gradient
        b"y\6object",
        b"v\3fpu",
        b"n\2|O",
        b"z" + bytes([255]),
    ],
)
def test_malformed_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(data)


def test_gradients_of_gradients_without_end_are_refused() -> None:
    one = array_of(b"float32", (), b"\0" * 4, b"x", 16)
    with pytest.raises(WireError, match="gradient"):
        decode(one * 5_000 + b"N")


def test_keys_made_to_collide_are_refused_before_they_cost_time() -> None:
    colliding = encode({(2**61 - 1) * number: None for number in range(1, 30_000)})
    started = time.monotonic()
    with pytest.raises(WireError, match="keys"):
        decode(colliding)
    assert time.monotonic() - started < 20


def test_many_items_in_few_bytes_are_refused() -> None:
    with pytest.raises(WireError, match="items"):
        decode(b"l" + u32(3_000) + b"N" * 3_000, SMALL)


def test_a_handle_is_only_read_by_who_expects_one() -> None:
    from autograder.wire.decode import Decoder
    from autograder.wire.encode import Encoder

    data = Encoder(export=lambda value: Handle(7, type(value).__name__, callable(value))).encode([len])
    assert Decoder(data, stand_in=lambda handle: handle).decode() == [
        Handle(7, "builtin_function_or_method", True)
    ]
    with pytest.raises(WireError):
        decode(data)
