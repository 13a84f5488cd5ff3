"""Start and hold the place where learners' code runs: a fork server behind bubblewrap.

    Worker --bubblewrap--> forkserver --namespaces--> one child per submission

The outer wall (once per Worker) hides everything but the Python environment, read-only, and the few
modules that the inside needs; the inner wall (isolate.py, once per submission) separates submissions
from each other. Without walls (sandboxed=False) only limits remain, and `warning` says so.
A Worker must be started by a thread that lives as long as it: the sandbox dies with that thread.
Order: Limits, Session, the files of a submission, Worker.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Literal

from autograder import wall
from autograder.wall import available as available

MIB, GIB = 1 << 20, 1 << 30
LONGEST = 65536  # bytes of one control message
PATIENCE = 180.0  # seconds for the fork server to import everything, on a slow disk

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
        try:
            data = self._channel.recv(LONGEST)
        except OSError:
            data = b""
        message: dict[str, Any] = (
            json.loads(data) if data else {"ended": "server", "trouble": "the fork server went away"}
        )
        if "ended" not in message:
            return dict(message)
        why = message.pop("ended")
        peak = message.pop("peak", 0)
        self.ending = Ending(why=why, peak_bytes=peak, **message)
        return {}

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


class Worker(AbstractContextManager["Worker"]):
    """A warm fork server behind the outer wall. Restarts by itself when it was killed."""

    warning = (
        "Graded WITHOUT the sandbox: learners' code could read and change everything this account can. "
        "The report says so."
    )

    def __init__(
        self,
        sandboxed: bool = True,
        serve: str = "autograder.learner:serve",
        modules: Mapping[str, Path] | None = None,
    ) -> None:
        """serve: what runs in each child; modules: files it needs besides ours, by their place inside."""
        self.sandboxed, self._serve = sandboxed, serve
        self._modules = {name: path.resolve() for name, path in (modules or {}).items()}
        self.startup_seconds = 0.0
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._scratch = ""

    def start(self) -> Worker:
        """Start the fork server and wait until it is warm. Raises SandboxError with what helps."""
        if self.sandboxed and (problem := available()):
            raise SandboxError(f"{problem} Nothing was graded.")
        began = time.monotonic()
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with tempfile.TemporaryFile() as said, theirs:
            self._process = self._launch(theirs.fileno(), said.fileno())
            self._control = ours
            theirs.close()
            ready = select.select([ours], [], [], PATIENCE)[0] and ours.recv(LONGEST)
            if not ready:
                said.seek(0)
                lines = said.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
                self.close()
                raise SandboxError(f"The fork server did not start: {lines[-1]}")
        self.startup_seconds = time.monotonic() - began
        self.starts += 1
        return self

    def _launch(self, control: int, said: int) -> subprocess.Popen[bytes]:
        options = {
            "control": control,
            "uid": wall.new_user() if self.sandboxed else 0,
            "walls": self.sandboxed,
            "serve": self._serve,
            "cover_tmp": not wall.below_tmp(),
        }
        if self.sandboxed:
            command = wall.bubblewrap(self._modules) + wall.python("forkserver:main", options, wall.INSIDE)
            scratch = wall.SCRATCH
        else:
            scratch = self._scratch = tempfile.mkdtemp(prefix="autograder-")
            for name, path in self._modules.items():
                shutil.copy(path, Path(scratch, Path(name).name))
            options["scratch"] = scratch
            command = wall.python("forkserver:main", options, str(wall.PACKAGE.parent))
        return subprocess.Popen(
            command, env=wall.environment(scratch), pass_fds=[control], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=said, start_new_session=True, cwd="/",
        )  # fmt: skip

    def submission(self, files: Mapping[str, bytes], limits: Limits | None = None) -> Session:
        """Fork a child for one submission, with `files` in its work folder. Starts the server if need be."""
        content = pack(files)
        try:
            for _ in range(2):
                if self._control is None or self._process is None or self._process.poll() is not None:
                    self.start()
                with suppress(OSError):
                    return self._spawn(content, limits or Limits())
                self.close()
        finally:
            os.close(content)
        raise SandboxError("The fork server went away twice while a submission was handed to it.")

    def _spawn(self, content: int, limits: Limits) -> Session:
        assert self._control is not None
        ours, theirs = socket.socketpair()
        channel, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, far:
            job = json.dumps({"limits": asdict(limits)}).encode()
            try:
                socket.send_fds(self._control, [job], [theirs.fileno(), content, far.fileno()])
            except OSError:
                ours.close()
                channel.close()
                raise
        return Session(ours, channel)

    def close(self) -> None:
        """End the fork server and every session. Safe to call twice."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(5.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = ""

    def __enter__(self) -> Worker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
