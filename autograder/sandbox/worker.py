"""Start and hold the place where learners' code runs: a fork server behind bubblewrap.

    Worker --bubblewrap--> forkserver --namespaces--> one child per submission

The outer wall (once per Worker) hides everything but the Python environment, read-only, and the few
modules that the inside needs; the inner wall (isolate.py, once per submission) separates submissions
from each other. Without walls (sandboxed=False) only limits remain, and `warning` says so.
A Worker must be started by a thread that lives as long as it: the sandbox dies with that thread.
Order: Worker, then the self-test: `python -m autograder.sandbox.worker` tells what works on this machine.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from autograder.sandbox import procs, seccomp, wall
from autograder.sandbox.session import LONGEST, Ending, Limits, SandboxError, Session, pack
from autograder.sandbox.wall import available

__all__ = ["Ending", "Limits", "SandboxError", "Session", "Worker", "available"]

SERVER, LEARNER = f"{wall.INSIDE_RUN[0]}:main", f"{wall.INSIDE_RUN[1]}:serve"
PATIENCE = 180.0  # seconds for the fork server to import everything, on a slow disk


class Worker(AbstractContextManager["Worker"]):
    """A warm fork server behind the outer wall. Restarts by itself when it was killed."""

    warning = (
        "Graded WITHOUT the sandbox: learners' code could read and change everything this account can. "
        "The report says so."
    )

    def __init__(
        self,
        sandboxed: bool = True,
        serve: str = LEARNER,
        modules: Mapping[str, Path] | None = None,
        warm: bool = True,
        optimizers: bool = True,
    ) -> None:
        """serve: what runs in each child; modules: files it needs besides ours, by their place inside.

        warm: False loads no libraries in advance: a quick start for what needs none;
        optimizers: False leaves torch's out, which take a second to load.
        """
        self.sandboxed, self._serve = sandboxed, serve
        self._modules = {name: path.resolve() for name, path in (modules or {}).items()}
        self._warm, self._optimizers = warm, optimizers
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
            "warm": self._warm,
            "optimizers": self._optimizers,
        }
        if self.sandboxed:
            command = wall.bubblewrap(self._modules) + wall.python(SERVER, options, wall.INSIDE)
            scratch = wall.SCRATCH
        else:
            scratch = self._scratch = tempfile.mkdtemp(prefix="autograder-")
            for name, path in self._modules.items():
                shutil.copy(path, Path(scratch, Path(name).name))
            options["scratch"] = scratch
            command = wall.python(SERVER, options, str(wall.PACKAGE.parent))
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
            procs.wait_or_kill(self._process)
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


def _measure(worker: Worker, times: int) -> list[str]:
    """What a submission costs here: one that does nothing but tell how much memory is its own."""
    seconds, private = [], []
    for _ in range(times):
        began = time.perf_counter()
        session = worker.submission({"data.txt": b"1"})
        private.append(int(session.socket.recv(100) or 0))
        session.socket.close()
        ending = session.wait(PATIENCE)
        session.close()
        seconds.append(time.perf_counter() - began)
        if ending.why != "exit":
            raise SandboxError(f"A submission that does nothing ended by {ending.why}: {ending.trouble}")
    return [
        f"  start of the fork server   {worker.startup_seconds:.1f} s",
        f"  a submission, all walls    {statistics.median(seconds) * 1000:.1f} ms (median of {times})",
        f"  memory of its own          {statistics.median(private) / (1 << 20):.1f} MB",
    ]


def main() -> int:
    """Say whether the sandbox works here and what it costs. Exit status 0 if it does, else 2."""
    if problem := available():
        print(problem)
        return 2
    user = "root, who becomes an ordinary user inside" if wall.as_root() else "an ordinary user"
    print(f"The sandbox works here, started by {user}.")
    if not seccomp.supported():
        print("  The filter of system calls does not know this processor; all other walls stand.")
    with Worker(serve="autograder.sandbox.procs:tell_own_memory") as worker:
        print("\n".join(_measure(worker, 50)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
