"""One submission in the sandbox, as the coordinator holds it: limits, the connection, how it ended.

Order: Limits, Ending, Session, the files of a submission.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

MIB, GIB = 1 << 20, 1 << 30
LONGEST = 65536  # bytes of one control message
PATIENCE = 60.0  # seconds for the fork server to answer, on a machine that is very busy

Why = Literal["exit", "signal", "memory", "time", "killed", "setup", "server"]


class SandboxError(Exception):
    """The sandbox itself failed: the grader's fault, never the learner's. Says what and what next."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use. The first group is enforced here, the second by judge and wire."""

    memory_bytes: int = 2 * GIB  # growth of all its processes together, and of each one's address space
    processes: int = 64  # threads count too
    open_files: int = 256  # per process
    file_bytes: int = 256 * MIB  # the largest single file
    disk_bytes: int = 512 * MIB  # work folder, /tmp and /dev/shm together
    cpu_seconds: int = 600  # per process
    submission_seconds: float = 900.0

    cell_seconds: float = 120.0
    call_seconds: float = 60.0
    output_bytes: int = 1 * MIB
    message_bytes: int = 256 * MIB


@dataclass(frozen=True)
class Ending:
    """How a session ended.

    why: "exit" and "signal" by itself, "memory" and "time" at a limit, "killed" by us; "setup" when a wall
    could not be built and "server" when the fork server went away are the grader's fault.
    """

    why: Why
    code: int = 0  # exit status, or minus the signal
    peak_bytes: int = 0
    cpu_seconds: float = 0.0
    trouble: str = ""


class Session:
    """One submission's child. `socket` is connected to what serve() got inside."""

    def __init__(self, connected: socket.socket, channel: socket.socket) -> None:
        self.socket, self._channel = connected, channel
        self.ending: Ending | None = None

    def kill(self) -> Ending:
        """End it and everything it started. Returns once nothing of it is left."""
        self._ask({"do": "kill"})
        return self.wait(PATIENCE)

    def wait(self, timeout: float | None = None) -> Ending:
        """Until the process has ended; what it started has ended then too. Raises TimeoutError."""
        until = None if timeout is None else time.monotonic() + timeout
        while self.ending is None:
            left = None if until is None else max(0.0, until - time.monotonic())
            self._hear(left)
        return self.ending

    def limit_memory_growth(self, allowed: int | None) -> None:
        """From now on its address space may grow by this many bytes more. None: the session's limit again.

        A program that wants more gets MemoryError. Raises SandboxError if the limit could not be set.
        """
        answer = self._ask({"do": "grow", "bytes": allowed})
        if "problem" in answer:
            raise SandboxError(f"the memory limit of a submission could not be set: {answer['problem']}")

    def peak_bytes(self) -> int:
        """The most memory seen so far beyond what it began with, all its processes together."""
        return int(self._ask({"do": "peak"}).get("peak", self.ending.peak_bytes if self.ending else 0))

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request; the answer, or {} for a kill or when the session has ended."""
        with suppress(OSError):
            self._channel.send(json.dumps(request).encode())
        answer: dict[str, Any] = {}
        while not answer and self.ending is None and request["do"] != "kill":
            answer = self._hear(PATIENCE)
        return answer

    def _hear(self, timeout: float | None) -> dict[str, Any]:
        """One message of the fork server. The last one becomes `ending`, and counts as no answer."""
        if not select.select([self._channel], [], [], timeout)[0]:
            raise TimeoutError("the submission's process is still running")
        data = self._received()
        message: dict[str, Any] = (
            json.loads(data) if data else {"ended": "server", "trouble": "the fork server went away"}
        )
        if "ended" not in message:
            return dict(message)
        why = message.pop("ended")
        peak = message.pop("peak", 0)
        self.ending = Ending(why=why, peak_bytes=peak, **message)
        return {}

    def _received(self) -> bytes:
        """What the fork server said next, b"" if it is gone. If it hung up on a request of ours, the system
        tells of that first, and of what was said before only when asked again."""
        for _ in range(2):
            with suppress(OSError):
                return self._channel.recv(LONGEST)
        return b""

    def close(self) -> None:
        """Forget it; if it still runs, it is killed."""
        self.socket.close()
        self._channel.close()


def pack(files: Mapping[str, bytes]) -> int:
    """The files of a submission as one anonymous file: its length, a list of names and sizes, the contents.

    Raises ValueError for a name that is not a plain relative path.
    """
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name or name in ("", "."):
            raise ValueError(f"{name!r} is no name for a submission's file: it must stay in the work folder")
    index = json.dumps([[name, len(content)] for name, content in files.items()]).encode()
    descriptor = os.memfd_create("submission")
    with open(descriptor, "wb", closefd=False) as target:
        target.write(struct.pack("<Q", len(index)) + index)
        target.writelines(files.values())
    return descriptor
