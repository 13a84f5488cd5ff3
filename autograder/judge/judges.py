"""A warm process that forks one judge per submission: memory stays flat, no judge outlives its job.

    engine --socket of the learner's process, own line--> this server --fork--> judge.Judge
    engine <--line: limits asked for, then the judgement, as JSON--> judge

A judge that hangs or dies costs one submission its verdict (the grader's fault) and nobody else anything.
A rehearsal is judged by the server itself, unforked: what it loads, reads and compiles is then there for
every judge to come. Only the lesson's own solutions are rehearsed, never a submission.
Order: Judges (what the engine holds), then the server and its forks.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from autograder.author.lesson import Cell
from autograder.sandbox import procs, warm
from autograder.wire.channel import Channel, Closed, Late

ROOT = Path(__file__).resolve().parents[2]
SERVER = "import sys; from autograder.judge import judges; judges.main(int(sys.argv[1]))"
MARGIN = 60.0  # seconds beyond a submission's own that a judge may take
MEMORY = 8 << 30  # bytes by which a judge's address space may grow
PATIENCE = 180.0  # seconds until the server is warm, on a slow disk

JUDGE, REHEARSE, TESTS = b"judge", b"rehearse", b"tests"  # what the server is told

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class JudgeFailed(Exception):  # noqa: N818
    """A judge gave no judgement: the grader's fault."""


class Judges:
    """The warm process, started when first needed and again when it was killed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._tests: list[list[str]] = []  # those that the server has compiled

    def judge(
        self,
        learner: socket.socket,
        job: dict[str, Any],
        seconds: float,
        answer: Answer,
        order: bytes = JUDGE,
    ) -> dict[str, Any]:
        """The judgement on one submission. `answer` replies to what the judge asks meanwhile."""
        tests = [[cell["source"], cell["grade_id"]] for cell in job["cells"] if cell["kind"] == "test"]
        line = self._hand_over(learner, tests, order)
        channel = Channel(line)
        channel.deadline = time.monotonic() + seconds + MARGIN
        pid = 0
        try:
            _tell(channel, job)
            while True:
                said = json.loads(channel.receive())
                if "judgement" in said:
                    return dict(said["judgement"])
                pid = said.get("pid", pid)
                if "pid" not in said:
                    _tell(channel, answer(said))
        except Closed:
            raise JudgeFailed("The judge's process ended without a judgement.") from None
        except Late:
            raise JudgeFailed(f"The judge took more than {seconds + MARGIN:g} seconds.") from None
        finally:
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            channel.close()

    def _hand_over(self, learner: socket.socket, tests: list[list[str]], order: bytes) -> socket.socket:
        for _ in range(2):
            if self._control is None or self._process is None or self._process.poll() is not None:
                self.start()
            ours, theirs = socket.socketpair()
            with theirs:
                assert self._control is not None
                with contextlib.suppress(OSError):
                    if tests != self._tests:
                        self._announce(tests)
                    socket.send_fds(self._control, [order], [learner.fileno(), theirs.fileno()])
                    return ours
            ours.close()
            self.close()
        raise JudgeFailed("The judges' server went away twice while a submission was handed to it.")

    def _announce(self, tests: list[list[str]]) -> None:
        """Let the server compile a lesson's tests, for all judges to come."""
        assert self._control is not None
        descriptor = os.memfd_create("tests")
        with open(descriptor, "wb") as file:
            file.write(json.dumps(tests).encode())
            file.flush()
            socket.send_fds(self._control, [TESTS], [descriptor])
        self._tests = tests

    def start(self) -> None:
        self.close()
        self._tests = []
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVER, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                cwd=ROOT,
                env=_environment(),
            )
        self._control = ours
        if not select.select([ours], [], [], PATIENCE)[0] or not ours.recv(16):
            self.close()
            raise JudgeFailed("The judges' server did not start.")

    def close(self) -> None:
        """End the server and its judges. Safe to call twice."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            procs.wait_or_kill(self._process)
            self._process = None


def _environment() -> dict[str, str]:
    """Without a GPU: a rehearsal's gradients would start threads for it, and forks could compute none."""
    names = ("PATH", "HOME", "LANG", "TMPDIR", "BYHAND_DATA")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    ours = {"BYHAND_GRADING": "1", "PYTHONHASHSEED": "0", "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)}
    one = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return kept | ours | dict.fromkeys(one, "1") | {"CUDA_VISIBLE_DEVICES": ""}


def job_of(cells: Sequence[Cell], seed: int, limits: Any, stop_at: int | None) -> dict[str, Any]:
    """What a judge is told: texts of what runs. limits: worker.Limits."""
    told = [
        {"kind": cell.kind, "source": "" if cell.kind in ("markdown", "written") else cell.source,
         "grade_id": cell.grade_id, "points": cell.points}
        for cell in cells
    ]  # fmt: skip
    return {"cells": told, "seed": seed, "limits": asdict(limits), "stop_at": stop_at}


def _tell(channel: Channel, message: dict[str, Any]) -> None:
    channel.send(json.dumps(message).encode())


# The server


def main(control: int) -> None:
    """Warm up, then fork a judge for every pair of sockets that arrives, until the engine hangs up."""
    line = socket.socket(fileno=control)
    line.set_inheritable(False)
    _warm()
    line.send(b"ready")
    children: set[int] = set()
    settled = False
    while True:
        ready = select.select([line], [], [], 1.0 if children else None)[0]
        while children and (done := os.waitpid(-1, os.WNOHANG)[0]):
            children.discard(done)
        if not ready:
            continue
        data, sockets, _, _ = socket.recv_fds(line, 16, 2)
        if not data:
            break
        if data != JUDGE:
            _prepare(data, sockets)
            settled = False
            continue
        if not settled:
            warm.settle()
            settled = True
        pid = os.fork()
        if pid == 0:
            line.close()
            _serve(*map(_socket, sockets))
        for descriptor in sockets:
            os.close(descriptor)
        children.add(pid)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _warm() -> None:
    """Load what every judge needs; what its lesson needs besides, a rehearsal loads."""
    import torch

    torch.set_num_threads(1)
    for name in ("judge.judge", "wire.through"):
        importlib.import_module(f"autograder.{name}")


def _socket(descriptor: int) -> socket.socket:
    return socket.socket(fileno=descriptor)


def _prepare(order: bytes, sockets: list[int]) -> None:
    """Learn, before the forks, what they then need not learn."""
    if order == REHEARSE:
        _rehearse(*map(_socket, sockets))
        return
    from autograder.judge import judge

    with open(sockets[0], "rb") as file:
        file.seek(0)
        judge.prepare(json.loads(file.read()))


def _rehearse(learner: socket.socket, line: socket.socket) -> None:
    """Judge in this process. What goes wrong is told to nobody: the first judge will meet it, too."""
    with contextlib.closing(Channel(line)) as channel, contextlib.suppress(Exception):
        _judge(learner, channel)
    learner.close()


def _serve(learner: socket.socket, line: socket.socket) -> None:
    """The life of one judge. Never returns."""
    gc.disable()  # its life is short, and a collection would touch, and so copy, every page
    channel = Channel(line)
    _tell(channel, {"pid": os.getpid()})
    space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (space + MEMORY, space + MEMORY))
    _judge(learner, channel)
    os._exit(0)


def _judge(learner: socket.socket, channel: Channel) -> None:
    """Hear of one job, and tell the judgement."""
    from autograder.judge import judge

    job = json.loads(channel.receive())

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        _tell(channel, request)
        return dict(json.loads(channel.receive()))

    cells = [Cell(**cell) for cell in job["cells"]]
    limits = SimpleNamespace(**job["limits"])
    judged = judge.Judge(cells, job["seed"], limits, Line(ask), job["stop_at"]).run(learner)
    _tell(channel, {"judgement": asdict(judged)})


class Line:
    """What a judge may ask of the engine, which holds the sandbox."""

    def __init__(self, ask: Answer) -> None:
        self._ask = ask

    def limit(self, growth: int | None) -> None:
        """Let the learner's processes grow by so many bytes from now; None: by what they were allowed."""
        problem = self._ask({"limit": growth}).get("problem")
        if problem:
            raise OSError(problem)

    def why(self) -> str:
        """How the learner's processes ended, "" if they have not."""
        return str(self._ask({"why": True})["why"])
