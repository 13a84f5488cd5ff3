"""Spread jobs over workers through concurrent.futures.Executor, and outlive workers that die.

    local(jobs)          processes on this machine, the default
    cluster(address)     a Dask cluster, wherever its workers are

A Dispatcher keeps only a few jobs per worker in flight, so memory does not grow with the class. When a
worker dies, the jobs that were in flight run again, one at a time, so that one bad job cannot drag
others along; a job whose worker dies twice is reported as not checked, through the grader's fault.
Order: the two places, the dispatcher, then what a local worker does first.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.queues import SimpleQueue
from typing import Any, Generic, TypeVar

from autograder.author.lesson import LessonError
from autograder.grading.job import Graded, Job, Settings, prepare, run

AHEAD = 3  # jobs in flight per worker: one runs, two wait, so that none starves
ATTEMPTS = 2
Ticket = TypeVar("Ticket")


@dataclass
class Place:
    """Where jobs run: how to get an executor (again, after it broke), and how many jobs fit at once."""

    make: Callable[[], Executor]
    workers: int
    close: Callable[[], None] = lambda: None


def local(jobs: int, name: str, solutions: str, settings: Settings) -> Place:
    """`jobs` processes of this machine, each with its own warm sandbox.

    Where there is one for each core, each stays on its own: judge and learner take turns, and waking the
    other on another core takes three times as long.
    """

    def make() -> Executor:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["autograder.grading.job", "autograder.author.release"])
        seats = context.SimpleQueue()
        for core in _cores() if jobs == cores() else ():
            seats.put(core)
        return ProcessPoolExecutor(jobs, context, begin, (name, solutions, settings, seats))

    return Place(make, jobs)


def cluster(address: str) -> Place:
    """The Dask cluster whose scheduler listens at `address`. Raises LessonError if there is none."""
    try:
        from distributed import Client
    except ImportError:
        raise LessonError(
            "--scheduler needs Dask.\n"
            "  Next: pip install 'attention-by-hand[cluster]' here and on the workers."
        ) from None
    try:
        client: Any = Client(address, timeout="10s", set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise LessonError(f"no Dask scheduler answers at {address}: {error}") from None
    threads = list(client.ncores().values())
    why = "" if threads else "has no workers yet. Next: start some, try again."
    if any(number != 1 for number in threads):  # one warm sandbox per process, used by one job at a time
        why = "has workers with several threads. Next: start them with --nthreads 1, more of them instead."
    if why:
        client.close()
        raise LessonError(f"the Dask scheduler at {address} {why}")
    return Place(lambda: client.get_executor(pure=False), len(threads), client.close)


@dataclass(frozen=True)
class _Flight(Generic[Ticket]):
    ticket: Ticket
    job: Job
    attempt: int = 1


class Dispatcher(Generic[Ticket]):
    """An executor that is made again when it breaks. Use as a context manager."""

    def __init__(self, place: Place, function: Callable[[Job], Graded] = run) -> None:
        self._place, self._function = place, function
        self._flying: dict[Future[Graded], _Flight[Ticket]] = {}
        self._again: deque[_Flight[Ticket]] = deque()

    def __enter__(self) -> Dispatcher[Ticket]:
        self._executor = self._place.make()
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._executor)
        self._place.close()

    def warm(self) -> None:
        """Wait until every worker has started, so that the first job need not."""
        wait([self._executor.submit(int) for _ in range(self._place.workers)])

    def outcomes(self, jobs: Iterable[tuple[Ticket, Job]]) -> Iterator[tuple[Ticket, Graded | str]]:
        """Each ticket with what came of its job, as they finish; a text says why nothing did."""
        waiting = iter(jobs)
        while True:
            self._launch(waiting)
            if not self._flying and not self._again:
                return
            finished, _ = wait(self._flying, return_when=FIRST_COMPLETED)
            for future in finished:
                yield from self._land(future)

    def _launch(self, waiting: Iterator[tuple[Ticket, Job]]) -> None:
        """Fill the workers; but while a job is suspected of killing them, it runs alone."""
        if self._again:
            if not self._flying:
                self._renew()
                self._submit(self._again.popleft())
            return
        while len(self._flying) < AHEAD * self._place.workers:
            found = next(waiting, None)
            if found is None or not self._submit(_Flight(*found)):
                return

    def _submit(self, flight: _Flight[Ticket]) -> bool:
        try:
            self._flying[self._executor.submit(self._function, flight.job)] = flight
        except RuntimeError:  # a worker has died since the last look
            self._again.append(flight)
            return False
        return True

    def _land(self, future: Future[Graded]) -> Iterator[tuple[Ticket, Graded | str]]:
        flight = self._flying.pop(future)
        try:
            outcome = future.result()
        except (Exception, CancelledError) as error:  # the worker died, or the cluster lost it
            if flight.attempt == ATTEMPTS:
                yield flight.ticket, f"its worker ended {ATTEMPTS} times ({type(error).__name__})"
            else:
                self._again.append(replace(flight, attempt=flight.attempt + 1))
            return
        yield flight.ticket, outcome

    def _renew(self) -> None:
        with suppress(Exception):
            _end(self._executor)
        self._executor = self._place.make()


def _end(executor: Executor) -> None:
    """Let an executor go, with what has not begun.

    A pool of ours is waited for, as Python would at exit. Let go without, its thread may then write to
    a closed pipe and print "Bad file descriptor": https://github.com/python/cpython/issues/83386.
    """
    if isinstance(executor, ProcessPoolExecutor):
        executor.shutdown(wait=True, cancel_futures=True)
    else:
        executor.shutdown(wait=False)


def begin(name: str, solutions: str, settings: Settings, seats: SimpleQueue[int]) -> None:
    """What a local worker does first: see to it that it ends with its coordinator, take its core, warm up.

    seats: the numbers of the cores that are free, none if workers may run anywhere.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if not seats.empty():
        os.sched_setaffinity(0, {seats.get()})
    with suppress(Exception):  # the first job meets the same error, and reports it
        prepare(name, solutions, settings)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def cores() -> int:
    """How many processors this process may use."""
    return len(_cores()) or os.cpu_count() or 1


def _cores() -> list[int]:
    """Their numbers; none where the system does not tell."""
    affinity: Any = getattr(os, "sched_getaffinity", None)
    return sorted(affinity(0)) if affinity else []
