"""Frames on a stream socket: four bytes of length, then that many bytes, all before a deadline.

The judge reads from a stranger: a length beyond the limit is refused before memory is taken, a
silent or slow sender runs into the deadline. What arrives after a frame, at most _AHEAD bytes, waits for
the next one. The kernel does the waiting, a tick at a time, so that a frame takes one call and no poll.
"""

from __future__ import annotations

import array
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, TypeVar

from autograder.wire.errors import WireError

T = TypeVar("T")
_LENGTH, _FD = struct.Struct("<I"), struct.Struct("i")
_ONE_SOCKET = socket.CMSG_LEN(_FD.size)
_CHUNK = 1 << 20
_AHEAD = 1 << 16
_TICK = 0.2  # seconds after which a waiting call looks at the deadline
_TIMEOUT = struct.pack("ll", 0, int(_TICK * 1e6))


class Closed(Exception):  # noqa: N818
    """The other side is gone."""


class Late(Exception):  # noqa: N818
    """The deadline passed."""


class Channel:
    """One end of a conversation. `deadline` is on time.monotonic(); None waits for ever."""

    def __init__(self, sock: socket.socket, frame_bytes: int = 256 << 20, total_bytes: int = 0) -> None:
        self._sock = sock
        self._limit = frame_bytes
        self._budget = total_bytes or None
        self._early = b""  # read with the frame before
        self.deadline: float | None = None
        sock.setblocking(True)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, _TIMEOUT)

    @property
    def closed(self) -> bool:
        """Whether this end was closed."""
        return self._sock.fileno() < 0

    def close(self) -> None:
        self._sock.close()

    def send(self, data: bytes, passing: socket.socket | None = None) -> None:
        """Send one frame, and with its first byte a socket."""
        if len(data) > self._limit:
            raise WireError(f"a frame of {len(data):,} bytes")
        view = memoryview(_LENGTH.pack(len(data)) + data)
        if passing is not None:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [passing.fileno()]))]
            while not (sent := self._try(self._sock.sendmsg, [view[:1]], rights)):
                continue
            view = view[sent:]
        while view:
            view = view[self._try(self._sock.send, view[:_CHUNK]) or 0 :]

    def receive(self) -> bytes | bytearray:
        """One frame. A length beyond the limit, or beyond what this side may still hear, is a WireError."""
        data = self._early
        while len(data) < _LENGTH.size:
            data += self._part(_AHEAD)
        (size,) = _LENGTH.unpack_from(data)
        if size > self._limit:
            raise WireError(f"a frame of {size:,} bytes")
        if self._budget is not None:
            self._budget -= size
            if self._budget < 0:
                raise WireError("more data than one submission may send")
        end = _LENGTH.size + size
        self._early = data[end:]
        frame = data[_LENGTH.size : end]
        return frame if len(frame) == size else self._filled(bytearray(frame), size)

    def receive_passing(self) -> tuple[bytes | bytearray, socket.socket | None]:
        """One frame, and the socket that came with it if any. For a side that trusts the other.

        Sender and reader must take turns: a frame that came early would lose its socket.
        """
        passed: list[Any] = []
        while not self._early:
            told = self._try(self._sock.recvmsg, _AHEAD, _ONE_SOCKET)
            if told is not None and not told[0]:
                raise Closed
            if told is not None:
                self._early += told[0]
                passed = told[1]
        fds = [_FD.unpack_from(data)[0] for _, kind, data in passed if kind == socket.SCM_RIGHTS]
        return self.receive(), socket.socket(fileno=fds[0]) if fds else None

    def _filled(self, frame: bytearray, size: int) -> bytearray:
        """The frame with the rest of its bytes. Memory grows with what has arrived."""
        while len(frame) < size:
            frame += self._part(min(_CHUNK, size - len(frame)))
        return frame

    def _part(self, most: int) -> bytes:
        """Some bytes, at most so many."""
        while True:
            part = self._try(self._sock.recv, most)
            if part:
                return part
            if part is not None:
                raise Closed

    def _try(self, call: Callable[..., T], *arguments: Any) -> T | None:
        """What a call on the socket gives, None if nothing happened for a tick. Late, Closed."""
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise Late
        try:
            return call(*arguments)
        except BlockingIOError:
            return None
        except OSError as error:
            raise Closed from error
