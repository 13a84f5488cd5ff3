"""A test of a submission, and the state of the learner's notebook that it questions.

    State: keeper --fork--> process that answers      Test: visible half, later the hidden one

Tests of one state share a process as long as it lives; the keeper answers no test, so that it can be
forked again. Order: State, Test.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType

from autograder.author.lesson import Cell
from autograder.judge import halves
from autograder.judge.names import Names
from autograder.judge.questions import JudgePeer
from autograder.verdict import Fault, Status
from autograder.wire.channel import Channel


@dataclass
class State:
    """keeper: None if the process that answers is all there is. tests: how many it was given to."""

    keeper: JudgePeer | None
    fork: Callable[[JudgePeer], Channel]
    answering: Channel | None = None
    tests: int = 0

    def process(self) -> Channel:
        """One that answers from this state. Raises Gone or RemoteError if there is none any more."""
        if self.keeper is not None and (self.answering is None or self.answering.closed):
            self.answering, self.tests = self.fork(self.keeper), 0
        assert self.answering is not None
        self.tests += 1
        return self.answering

    def end(self) -> None:
        """Let go of the process that answers; the next test gets a fresh one."""
        if self.answering is not None:
            self.answering.close()


@dataclass
class Test:
    """A test cell at its place. ended: how the notebook's process ended before it, "" if it did not."""

    cell: Cell
    place: int
    ended: str = ""
    reason: str = ""  # why there is no process to question
    state: State | None = None
    peer: JudgePeer | None = None
    failure: tuple[Status, Fault, str] | None = None
    _names: Names | None = None
    _steps: Generator[None] | None = None
    _context: contextvars.Context = field(default_factory=contextvars.copy_context)

    @property
    def lost(self) -> bool:
        """Whether nothing was heard of the process that was to answer."""
        return self.peer is None or (self.peer.gone is not None and not self.peer.answers)

    def begin(self, peer: JudgePeer) -> None:
        """Question this peer, from the start."""
        self.peer, self._names, self._steps = peer, Names(peer), None
        self._context = contextvars.copy_context()

    def run(self, hidden: bool) -> None:
        """Run one half; whatever the test raises is raised."""
        assert self._names is not None
        code = halves.halves(self.cell.source, self.cell.grade_id)
        if code is None:
            self._context.run(self._run_whole, hidden)
            return
        if self._steps is None:
            exec(code, self._names)
            self._steps = self._names.pop(halves.NAME)()
        self._context.run(next, self._steps, None)

    def close(self) -> None:
        """Leave what a half that stopped early has entered, in the context in which it was entered."""
        if self._steps is not None:
            with suppress(Exception):
                self._context.run(self._steps.close)

    def _run_whole(self, hidden: bool) -> None:
        """For a cell that cannot be halved: visible checks run again with the hidden ones."""
        assert self.peer is not None
        visible = halves.visible_part(self.cell.source)
        if not hidden or visible != self.cell.source:
            exec(_compiled(self.cell.source if hidden else visible, self.cell.grade_id), Names(self.peer))


@lru_cache(maxsize=256)
def _compiled(source: str, name: str) -> CodeType:
    return compile(source, f"<{name}>", "exec")
