"""A learner's process and a judge for tests: plain forks and a socket pair, no sandbox.

with learner("def f(x): return x") as names:  names["f"](1) runs over there
judged(solution("softmax", text), check_of("softmax", text))  a whole submission
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np  # noqa: F401 - loaded before the fork, as in the sandbox
import torch

from autograder.author.lesson import Cell
from autograder.judge.judge import Judge, Judged
from autograder.judge.names import Names
from autograder.judge.questions import Budget, JudgePeer
from autograder.learner import shell, supervisor as learner_side
from autograder.wire.channel import Channel
from autograder.wire.encode import Limits as WireLimits


@dataclass
class Limits:
    """Those of the sandbox that the judge keeps, small enough for tests."""

    cell_seconds: float = 20.0
    call_seconds: float = 20.0
    submission_seconds: float = 60.0
    output_bytes: int = 20_000
    message_bytes: int = 8 << 20


def warm() -> None:
    """What the fork server does before the first fork; this process keeps its streams and its main module."""
    torch.set_num_threads(1)
    kept, main = (sys.stdout, sys.stderr, sys.displayhook, sys.excepthook), sys.modules["__main__"]
    learner_side.warm()
    sys.stdout, sys.stderr, sys.displayhook, sys.excepthook = kept
    sys.modules["__main__"] = main


@contextlib.contextmanager
def process() -> Iterator[socket.socket]:
    """A learner's process, as a socket to it; gone afterwards with all it forked."""
    warm()
    ours, theirs = socket.socketpair()
    folder = tempfile.mkdtemp()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            _inside(theirs, folder)
        os._exit(0)
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        shutil.rmtree(folder)


def _inside(sock: socket.socket, folder: str) -> None:
    """What the fork server does in a child, short of the walls: nothing of ours stays open."""
    os.setsid()
    os.chdir(folder)
    sys.modules["__main__"] = shell.Shell.instance().user_module
    os.dup2(sock.detach(), 3)
    os.closerange(4, 4096)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    sys.stdout, sys.stderr = shell._Stream("stdout"), shell._Stream("stderr")  # type: ignore[assignment]
    learner_side.serve(socket.socket(fileno=3))


def peer_of(sock: socket.socket, limits: Limits) -> JudgePeer:
    budget = Budget(limits.call_seconds, time.monotonic() + limits.submission_seconds)
    wire = WireLimits(bytes=limits.message_bytes)
    return JudgePeer(Channel(sock, limits.message_bytes, 8 * limits.message_bytes), wire, budget)


@contextlib.contextmanager
def learner(text: str, limits: Limits | None = None) -> Iterator[Names]:
    """The names that a cell of this text defines, in a process of its own."""
    limits = limits or Limits()
    with process() as sock:
        main = peer_of(sock, limits)
        _, error = main.question("cell", 0, ("softmax", text, limits.cell_seconds, 10_000), "the cell")
        assert error is None, error
        ours, theirs = socket.socketpair()
        main.passing = theirs
        main.question("snapshot", 0, (limits.call_seconds, limits.message_bytes), "a snapshot")
        theirs.close()
        peer = peer_of(ours, limits)
        peer.sources = {"softmax": text}
        yield Names(peer)


def peer(names: Names) -> JudgePeer:
    return names._peer


def code(text: str) -> Cell:
    return Cell("code", text)


def solution(name: str, text: str) -> Cell:
    return Cell("solution", text, name)


def check_of(name: str, text: str, points: float = 1.0) -> Cell:
    return Cell("test", text, f"test_{name}", points)


def judged(*cells: Cell, limits: Limits | None = None, seed: int = 1) -> Judged:
    """The judgement on a submission of these cells."""
    with process() as sock:
        return Judge(cells, seed, limits or Limits(), None, None).run(sock)
