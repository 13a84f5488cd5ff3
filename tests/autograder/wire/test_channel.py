"""Frames on a socket whose other end is a stranger's: bounded in bytes and in time."""

from __future__ import annotations

import os
import socket
import struct
import time

import pytest

from autograder.wire.channel import Channel, Closed, Late
from autograder.wire.errors import WireError


def u32(number: int) -> bytes:
    return struct.pack("<I", number)


def pair(limit: int = 1000, total: int = 0) -> tuple[Channel, socket.socket]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours, limit, total)
    channel.deadline = time.monotonic() + 0.3
    return channel, theirs


def test_a_frame_arrives() -> None:
    channel, theirs = pair()
    theirs.sendall(u32(3) + b"abc" + u32(0))
    assert (channel.receive(), channel.receive()) == (b"abc", b"")


def test_a_frame_of_two_gigabytes_is_refused_unread() -> None:
    channel, theirs = pair()
    theirs.sendall(u32(1 << 31))
    with pytest.raises(WireError, match="2,147,483,648"):
        channel.receive()


def test_a_sender_that_falls_silent_is_late() -> None:
    channel, theirs = pair()
    theirs.sendall(u32(10) + b"abc")
    with pytest.raises(Late):
        channel.receive()


def test_a_reader_that_never_reads_is_late() -> None:
    channel, _theirs = pair(1 << 24)
    with pytest.raises(Late):
        channel.send(b"x" * (1 << 23))


@pytest.mark.parametrize("sent", [b"", b"\1", u32(9) + b"abc"])
def test_a_sender_that_leaves_is_gone(sent: bytes) -> None:
    channel, theirs = pair()
    theirs.sendall(sent)
    theirs.close()
    with pytest.raises(Closed):
        channel.receive()


def test_more_than_the_budget_of_a_submission_is_refused() -> None:
    channel, theirs = pair(1000, total=15)
    theirs.sendall((u32(10) + b"x" * 10) * 2)
    channel.receive()
    with pytest.raises(WireError, match="one submission"):
        channel.receive()


def test_a_descriptor_sent_by_a_stranger_is_not_taken() -> None:
    channel, theirs = pair()
    before = len(os.listdir("/proc/self/fd"))
    socket.send_fds(theirs, [u32(1) + b"a"], [theirs.fileno()])
    assert channel.receive() == b"a"
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_socket_crosses_with_a_frame() -> None:
    channel, theirs = pair()
    reader, (ours, far) = Channel(theirs), socket.socketpair()
    channel.send(b"take this", passing=far)
    data, taken = reader.receive_passing()
    assert data == b"take this"
    assert taken is not None
    taken.sendall(b"hello")
    assert ours.recv(9) == b"hello"
