"""Messages cross as they were; a stranger's bytes make a message of a known form or a WireError."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from autograder.wire.encode import Limits
from autograder.wire.envelope import pack, unpack
from autograder.wire.errors import WireError

LIMITS = Limits(bytes=1 << 16, items=2_000, depth=20, weak_keys=50)
MESSAGES: list[tuple[Any, ...]] = [
    ("ask", 1, "call", 7, True, (3, 2**64 - 1), (5,), b"changes", b"body"),
    ("ask", 2, "name", 0, False, (), (), b"", b""),
    ("ok", 3, 4, [1.5, "a"], b"changes", b"body"),
    ("ok", 3, 0, [], b"", b"T"),
    ("error", 5, {"names": ["ValueError"], "late": False}, b"changes"),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_arrives_as_it_was(message: tuple[Any, ...]) -> None:
    got = unpack(pack(message, LIMITS), LIMITS)
    assert tuple(bytes(part) if isinstance(part, memoryview) else part for part in got) == message


@given(st.sampled_from([b"", b"?", b"=", b"!"]), st.binary(max_size=200))
@settings(max_examples=400)
def test_arbitrary_bytes_make_a_message_or_a_wire_error(tag: bytes, data: bytes) -> None:
    try:
        message = unpack(tag + data, LIMITS)
    except WireError:
        return
    assert message[0] in ("ask", "ok", "error")


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_cut_in_its_head_is_refused(message: tuple[Any, ...]) -> None:
    with pytest.raises(WireError):
        unpack(pack(message, LIMITS)[:6], LIMITS)


@pytest.mark.parametrize("announced", [b"\xff" * 4, b"\0\0\1\0"])
def test_more_than_is_there_is_never_taken(announced: bytes) -> None:
    for data in (b"=" + b"\0" * 12 + announced, b"?" + b"\0" * 29 + announced, b"!" + b"\0" * 4 + announced):
        with pytest.raises(WireError):
            unpack(data, LIMITS)
