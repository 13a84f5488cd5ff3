"""Judge one submission: run its cells over there, then the lesson's tests here, as they stand.

    cells ---> learner's process ---> outputs, and forks of it that keep the states tests ask about
    tests, visible half ---> forks            then tests, hidden half ---> forks

All visible halves run before any hidden one, so that what a learner's error says about a visible check
may be shown: it cannot know hidden inputs yet. In the hidden round only the kind of error is shown.
Names a test sees are in names.py, which tests share a process in sharing.py, what errors mean in explain.py.
Order: limits, Judge: cells, then states, then tests.
"""

from __future__ import annotations

import contextlib
import io
import random
import socket
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from autograder.author.lesson import Cell
from autograder.judge import outputs
from autograder.judge.explain import error_text, explained
from autograder.judge.halves import halves
from autograder.judge.names import JudgeHost, Outside
from autograder.judge.questions import Budget, Gone, JudgePeer, RemoteError, clean
from autograder.judge.rounds import State, Test
from autograder.judge.sharing import kept_until
from autograder.verdict import CellRun, Fault, Status, Verdict
from autograder.wire.channel import Channel
from autograder.wire.encode import Limits as WireLimits
from byhand import check

MESSAGE = 2000
_CELLS_SHARE = 0.7  # of a submission's seconds that its cells may use; the rest is for the tests
_Failure = tuple[Status, Fault, str]


class JudgeLimits(Protocol):
    """Those of worker.Limits that the judge keeps."""

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
        self.kept_until = kept_until(cells)
        self.waiting: list[Test] = []  # tests whose state is still that of the learner's first process

    def channel(self, sock: socket.socket) -> Channel:
        return Channel(sock, self.limits.message_bytes, 8 * self.limits.message_bytes)

    def peer(self, channel: Channel, budget: Budget) -> JudgePeer:
        peer = JudgePeer(channel, self.wire, budget)
        peer.sources = self.sources
        peer.why = self.outside.why if self.outside is not None else peer.why
        return peer

    def run(self, sock: socket.socket) -> Judged:
        main = self.peer(self.channel(sock), Budget(self.limits.cell_seconds, self.cells_until))
        tests = [test for at in range(len(self.cells)) if (test := self._cell(at, main)) is not None]
        main.budget = Budget(self.limits.call_seconds, self.until)
        self._keep(State(main, self._fork))
        previous, check.host = check.host, self.host
        try:
            with _quiet():
                for hidden in (False, True):
                    for test in tests:
                        self._run_half(test, hidden)
                for test in tests:
                    test.close()
        finally:
            check.host = previous
        asked = [test for test in tests if not test.ended]
        lost_at = self.ended[0] if self.ended and asked and all(test.lost for test in asked) else None
        return Judged(tuple(map(self._verdict, tests)), tuple(self.runs), lost_at)

    # Cells

    def _cell(self, at: int, main: JudgePeer) -> Test | None:
        """Run a cell of the learner's side, or prepare a test to run later."""
        cell = self.cells[at]
        if self.waiting and self.kept_until[self.waiting[-1].place] == at:
            self._keep(self._kept(main))
        if self.stop_at is not None and at >= self.stop_at and self.ended is None:
            self.ended = at, f"the cell {self.labels[at]} used up the memory or ended every process"
        if cell.kind == "test":
            test = Test(cell, at, ended=self.ended[1] if self.ended else "")
            if self.ended is None:
                self.waiting.append(test)
            return test
        if cell.kind in ("code", "solution") and cell.source.strip() and self.ended is None:
            self._run(at, main)
        return None

    def _run(self, at: int, main: JudgePeer) -> None:
        label, most = self.labels[at], self.limits.output_bytes
        arguments = (label, self.cells[at].source, self.limits.cell_seconds, most)
        try:
            told = main.question("cell", 0, arguments, f"the cell {label}")
            if type(told) is not tuple or len(told) != 2:
                main.end(f"the cell {label} answered with no outputs")
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

    # States

    def _keep(self, state: State | None) -> None:
        """Give the waiting tests their state, None if it cannot be had."""
        for test in self.waiting:
            test.state, test.reason = state, self.ended[1] if self.ended else "its process ended"
        self.waiting = []

    def _kept(self, main: JudgePeer) -> State | None:
        """The state of the learner's process as it is now: a fork that only waits to be forked again, or,
        for one test, answers itself."""
        try:
            fork = self._fork(main)
        except (Gone, RemoteError):
            return None
        if len(self.waiting) == 1:
            return State(None, self._fork, fork)
        return State(self.peer(fork, Budget(self.limits.call_seconds, self.until)), self._fork)

    def _fork(self, keeper: JudgePeer) -> Channel:
        """A fork of this process of the learner's."""
        ours, theirs = socket.socketpair()
        try:
            keeper.passing = theirs
            wanted = (self.limits.call_seconds, self.limits.message_bytes)
            keeper.question("snapshot", 0, wanted, "a copy of the notebook's process")
            return self.channel(ours)
        except (Gone, RemoteError):
            ours.close()
            raise
        finally:
            theirs.close()

    # Tests

    def _run_half(self, test: Test, hidden: bool) -> None:
        """Run a half of a test. If the process vanished that other tests have questioned too, the test
        starts again in one of its own; what it says is then only shown if no hidden check ran before."""
        if test.ended or test.state is None or test.failure is not None:
            return
        moved = test.peer is not None and test.peer.channel.closed
        if test.peer is None or moved:
            test.failure = self._begun(test)
        if moved:
            test.failure = test.failure or self._outcome(test, False, hidden)
        test.failure = test.failure or self._outcome(test, hidden, hidden)
        if test.peer is not None and test.peer.vanished and test.state.tests > 1:
            test.state.end()
            test.failure = self._begun(test) or self._outcome(test, False, hidden)
            if hidden:
                test.failure = test.failure or self._outcome(test, True, hidden)

    def _begun(self, test: Test) -> _Failure | None:
        """Start the test in a process of its state; why not, if there is none any more."""
        assert test.state is not None
        try:
            channel = test.state.process()
        except (Gone, RemoteError) as problem:
            test.peer, test.reason = None, str(problem).rstrip(".")
            return "unchecked", "learner", ""
        test.begin(self.peer(channel, Budget(self.limits.call_seconds, self.until)))
        return None

    def _outcome(self, test: Test, hidden: bool, secret: bool) -> _Failure | None:
        """Why this half of the test fails, None if it does not. secret: say only which kind of error."""
        assert test.peer is not None
        test.peer.hidden = secret
        self._seed(test.cell)
        try:
            test.run(hidden)
        except BaseException as error:
            return explained(test.cell, test.peer, error)
        if test.peer.gone is not None:
            return "failed", "learner", test.peer.gone.reason
        self.host.record(test.cell.exercise, True, "")
        return None

    def _seed(self, cell: Cell) -> None:
        """A test that draws without check.rng() still draws the same for the same seed."""
        number = (self.seed * 1_000_003 + sum(map(ord, cell.grade_id))) % 2**32
        random.seed(number)
        np.random.seed(number)
        if "torch" in sys.modules:
            sys.modules["torch"].default_generator.manual_seed(number)

    def _verdict(self, test: Test) -> Verdict:
        cell = test.cell
        status, fault, message = test.failure or ("passed", "", "")
        if test.peer is None:
            status, fault = "unchecked", "learner"
            message = f"{cell.exercise} could not be checked: {test.ended or test.reason}."
        if message and status == "failed" and (why := self.broken.get(cell.exercise)):
            message = f"{message}\n  {why}"
        points = cell.points if status == "passed" else 0.0
        text = clean(message, MESSAGE)
        return Verdict(cell.grade_id, cell.exercise, points, cell.points, status, fault, text)


def prepare(tests: Sequence[Sequence[str]]) -> None:
    """Read and compile the lesson's tests (their texts and names) once for all submissions."""
    for source, name in tests:
        halves(source, name)
    kept_until([Cell("test", source, name) for source, name in tests])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What a test prints or warns of is for notebooks; here verdicts speak."""
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
