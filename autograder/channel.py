"""Frames on a stream socket: four bytes of length, then that many bytes, all before a deadline.

The judge reads from a stranger: a length beyond the limit is refused before memory is taken, a
silent or slow sender runs into the deadline, and nothing is read ahead.
"""

from __future__ import annotations

import array
import contextlib
import select
import socket
import struct
import time

from autograder.arrays import WireError

_CHUNK = 1 << 20


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
        self.deadline: float | None = None
        sock.setblocking(False)

    def close(self) -> None:
        self._sock.close()

    def send(self, data: bytes, passing: socket.socket | None = None) -> None:
        """Send one frame, and with its first byte a socket."""
        if len(data) > self._limit:
            raise WireError(f"a frame of {len(data):,} bytes")
        view = memoryview(struct.pack("<I", len(data)) + data)
        if passing is not None:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [passing.fileno()]))]
            self._wait(writing=True)
            with self._errors():
                view = view[self._sock.sendmsg([view[:1]], rights) :]
        while view:
            self._in_time()
            with self._errors():
                try:
                    view = view[self._sock.send(view[:_CHUNK]) :]
                except BlockingIOError:
                    self._wait(writing=True)

    def receive(self) -> bytearray:
        """One frame. A length beyond the limit, or beyond what this side may still hear, is a WireError."""
        (size,) = struct.unpack("<I", self._exactly(4))
        if size > self._limit:
            raise WireError(f"a frame of {size:,} bytes")
        if self._budget is not None:
            self._budget -= size
            if self._budget < 0:
                raise WireError("more data than one submission may send")
        return self._exactly(size)

    def receive_passing(self) -> tuple[bytearray, socket.socket | None]:
        """One frame, and the socket that came with it if any. For a side that trusts the other."""
        self._wait(writing=False)
        with self._errors():
            first, fds, _, _ = socket.recv_fds(self._sock, 4, 1)
        if not first:
            raise Closed
        (size,) = struct.unpack("<I", first + self._exactly(4 - len(first)))
        return self._exactly(size), socket.socket(fileno=fds[0]) if fds else None

    def _exactly(self, size: int) -> bytearray:
        """`size` bytes. Memory grows with what has arrived, not with what was announced."""
        data = bytearray()
        while len(data) < size:
            self._in_time()
            with self._errors():
                try:
                    part = self._sock.recv(min(_CHUNK, size - len(data)))
                except BlockingIOError:
                    self._wait(writing=False)
                    continue
                if not part:
                    raise Closed
                data += part
        return data

    def _in_time(self) -> float | None:
        """Seconds left, None if there is no deadline; Late if none are left."""
        left = None if self.deadline is None else self.deadline - time.monotonic()
        if left is not None and left <= 0:
            raise Late
        return left

    def _wait(self, writing: bool) -> None:
        left = self._in_time()
        poller = select.poll()
        poller.register(self._sock, select.POLLOUT if writing else select.POLLIN)
        if not poller.poll(None if left is None else left * 1000 + 1):
            raise Late

    @staticmethod
    @contextlib.contextmanager
    def _errors():  # type: ignore[no-untyped-def]
        try:
            yield
        except (BlockingIOError, Closed, Late):
            raise
        except OSError as error:
            raise Closed from error
