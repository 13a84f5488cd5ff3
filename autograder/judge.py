"""Judge one submission: run its cells over there, then the lesson's tests here, as they stand.

    cells ---> learner's process ---> outputs, and a snapshot of it before each test
    tests, visible part ---> snapshots       then tests, visible and hidden ---> snapshots

All visible parts run before any hidden one, so that what a learner's error says about a visible check
may be shown: it cannot know hidden inputs yet. In the hidden round only the kind of error is shown.
Names a test sees are in names.py, what errors mean in explain.py.
Order: limits, Judge (cells, then tests), parts of a test cell.
"""

from __future__ import annotations

import contextlib
import io
import random
import re
import socket
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from autograder import outputs
from autograder.channel import Channel
from autograder.explain import error_text, explained
from autograder.lesson import Cell
from autograder.names import JudgeHost, Names, Outside
from autograder.questions import Budget, Gone, JudgePeer, RemoteError, clean
from autograder.verdict import CellRun, Fault, Status, Verdict
from autograder.wire import Limits as WireLimits
from byhand import check

MESSAGE = 2000
_HIDDEN = re.compile(
    r"^([ \t]*)### BEGIN HIDDEN TESTS$.*?^[ \t]*### END HIDDEN TESTS$", re.MULTILINE | re.DOTALL
)
_CELLS_SHARE = 0.7  # of a submission's seconds that its cells may use; the rest is for the tests


class JudgeLimits(Protocol):
    """Those of sandbox.Limits that the judge keeps."""

    @property
    def cell_seconds(self) -> float: ...
    @property
    def call_seconds(self) -> float: ...
    @property
    def submission_seconds(self) -> float: ...
    @property
    def output_bytes(self) -> int: ...
    @property
    def message_bytes(self) -> int: ...


@dataclass(frozen=True)
class Judged:
    """lost_at: the cell after which nothing of the learner's processes was left, None if something was."""

    verdicts: tuple[Verdict, ...]
    runs: tuple[CellRun, ...]
    lost_at: int | None = None


@dataclass
class _Test:
    """A test cell with the process that it questions, or the reason why there is none."""

    cell: Cell
    peer: JudgePeer | None
    reason: str
    failure: tuple[Status, Fault, str] | None = None


class Judge:
    """One submission's judge. `run` is called once."""

    def __init__(
        self,
        cells: Sequence[Cell],
        seed: int,
        limits: JudgeLimits,
        outside: Outside | None,
        stop_at: int | None,
    ) -> None:
        self.cells, self.limits, self.stop_at = cells, limits, stop_at
        self.seed, self.outside = seed, outside
        self.host = JudgeHost(cells, seed, outside)
        self.labels = {at: cell.grade_id or f"number {at + 1}" for at, cell in enumerate(cells)}
        self.sources = {self.labels[at]: cell.source for at, cell in enumerate(cells) if cell.kind != "test"}
        self.broken: dict[str, str] = {}  # label of a cell -> how it stopped
        self.runs: list[CellRun] = []
        self.ended: tuple[int, str] | None = None  # the cell that ended the learner's process, and how
        started = time.monotonic()
        self.until = started + limits.submission_seconds
        self.cells_until = started + limits.submission_seconds * _CELLS_SHARE
        self.wire = WireLimits(bytes=limits.message_bytes)

    def peer(self, sock: socket.socket, call_seconds: float, until: float) -> JudgePeer:
        channel = Channel(sock, self.limits.message_bytes, 8 * self.limits.message_bytes)
        peer = JudgePeer(channel, self.wire, Budget(call_seconds, until))
        peer.sources = self.sources
        peer.why = self.outside.why if self.outside is not None else peer.why
        return peer

    def run(self, sock: socket.socket) -> Judged:
        main = self.peer(sock, self.limits.cell_seconds, self.cells_until)
        tests = [test for at in range(len(self.cells)) if (test := self._cell(at, main)) is not None]
        previous, check.host = check.host, self.host
        try:
            for hidden in (False, True):
                for test in tests:
                    if test.peer is not None and test.failure is None:
                        test.failure = self._outcome(test, test.peer, hidden)
        finally:
            check.host = previous
        lost = [test for test in tests if test.peer is not None and test.peer.gone and not test.peer.answers]
        alive = [
            test for test in tests if test.peer is not None and test.peer not in [one.peer for one in lost]
        ]
        lost_at = self.ended[0] if self.ended and lost and not alive else None
        return Judged(tuple(map(self._verdict, tests)), tuple(self.runs), lost_at)

    # Cells

    def _cell(self, at: int, main: JudgePeer) -> _Test | None:
        """Run a cell of the learner's side, or prepare a test to run later."""
        cell = self.cells[at]
        if self.stop_at is not None and at >= self.stop_at and self.ended is None:
            self.ended = at, f"the cell {self.labels[at]} used up the memory or ended every process"
        if cell.kind == "test":
            return self._prepared(cell, main)
        if cell.kind in ("code", "solution") and self.ended is None:
            self._run(at, main)
        return None

    def _run(self, at: int, main: JudgePeer) -> None:
        label, most = self.labels[at], self.limits.output_bytes
        arguments = (label, self.cells[at].source, self.limits.cell_seconds, most)
        try:
            told = main.question("cell", 0, arguments, f"the cell {label}")
            if type(told) is not tuple or len(told) != 2:
                main.end("answered with no outputs")
            self.runs.append(CellRun(at, outputs.rebuilt(told[0], 2 * most)))
            if told[1] is not None:
                self._note_broken(label, main, told[1])
        except Gone as gone:
            self.ended = at, gone.reason.rstrip(".")
        except RemoteError as error:
            self.broken[label] = f"The cell {label} itself stopped: {error_text(error)}"

    def _note_broken(self, label: str, main: JudgePeer, told: Any) -> None:
        if type(told) is not dict or told.pop("late", None) is True:
            self.broken[label] = f"The cell {label} was stopped after {self.limits.cell_seconds:g} seconds."
            return
        error = main.error_of({**told, "late": False})
        if isinstance(error, RemoteError):
            self.broken[label] = f"The cell {label} itself stopped: {error_text(error)}"

    def _prepared(self, cell: Cell, main: JudgePeer) -> _Test:
        if self.ended is not None:
            return _Test(cell, None, self.ended[1])
        ours, theirs = socket.socketpair()
        try:
            main.passing = theirs
            wanted = (self.limits.call_seconds, self.limits.message_bytes)
            main.question("snapshot", 0, wanted, "a copy of the notebook's process")
            return _Test(cell, self.peer(ours, self.limits.call_seconds, self.until), "")
        except (Gone, RemoteError) as problem:
            ours.close()
            return _Test(cell, None, str(problem).rstrip("."))
        finally:
            theirs.close()

    # Tests

    def _outcome(self, test: _Test, peer: JudgePeer, hidden: bool) -> tuple[Status, Fault, str] | None:
        """Why the test fails in this round, None if it does not."""
        source = test.cell.source if hidden else visible_part(test.cell.source)
        if hidden and source == visible_part(source):
            return None
        peer.hidden, peer.said = hidden, []
        self._seed(test.cell)
        try:
            with _quiet():
                exec(compile(source, f"<{test.cell.grade_id}>", "exec"), Names(peer))
        except BaseException as error:
            return explained(test.cell, peer, error)
        if peer.gone is not None:
            return "failed", "learner", peer.gone.reason
        return None

    def _seed(self, cell: Cell) -> None:
        """A test that draws without check.rng() still draws the same for the same seed."""
        number = (self.seed * 1_000_003 + sum(map(ord, cell.grade_id))) % 2**32
        random.seed(number)
        np.random.seed(number)
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(number)

    def _verdict(self, test: _Test) -> Verdict:
        cell = test.cell
        status, fault, message = test.failure or ("passed", "", "")
        if test.peer is None:
            status, fault = "unchecked", "learner"
            message = f"{cell.exercise} could not be checked: {test.reason}."
        if message and status == "failed" and (why := self.broken.get(cell.exercise)):
            message = f"{message}\n  {why}"
        points = cell.points if status == "passed" else 0.0
        text = clean(message, MESSAGE)
        return Verdict(cell.grade_id, cell.exercise, points, cell.points, status, fault, text)


def visible_part(source: str) -> str:
    """The test cell without its hidden checks, lines where they were."""
    return _HIDDEN.sub(lambda found: f"{found[1]}pass" + "\n" * found[0].count("\n"), source)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What a test prints or warns of is for notebooks; here verdicts speak."""
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
