"""Run a function under a limit on memory and say what it used.

Linux: the address space may grow by so much and no more (RLIMIT_AS), so a large allocation fails
instead of being counted. Elsewhere the resident memory is sampled while the function runs.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINUX = sys.platform == "linux"
MIB = 2**20
_BETWEEN_SAMPLES = 0.002  # seconds


@dataclass(frozen=True)
class Used:
    """seconds: the smaller of wall and processor time. bytes: peak growth if it was sampled, else None."""

    seconds: float
    bytes: int | None = None


def limited(function: Callable[[], Any], max_bytes: int | None) -> Used:
    """Run the function; MemoryError or the library's own error if it asks for more than max_bytes."""
    peak: list[int] = []
    limit: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if max_bytes is not None:
        _start_threads()
        limit = _address_space(max_bytes) if LINUX else _sampled(peak)
    with limit:
        wall, processor = time.perf_counter(), time.process_time()
        function()
        seconds = min(time.perf_counter() - wall, time.process_time() - processor)
    return Used(seconds, peak[0] if peak else None)


def _start_threads() -> None:
    """Let torch start its threads before measuring: each one's stack is address space."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.ones(2**17).exp().sum()


@contextlib.contextmanager
def _address_space(growth: int) -> Iterator[None]:
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + growth
    if soft != resource.RLIM_INFINITY:
        wanted = min(wanted, soft)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def _sampled(peak: list[int]) -> Iterator[None]:
    """Append the largest growth of resident memory seen while the block ran."""
    import psutil

    process = psutil.Process()
    before = most = process.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(_BETWEEN_SAMPLES):
            most = max(most, process.memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        peak.append(max(most, process.memory_info().rss) - before)


def is_out_of_memory(names: tuple[str, ...], text: str) -> bool:
    """Whether an error, known by its class names and text, says that memory ran out."""
    said = text.lower()
    words = ("can't allocate memory", "cannot allocate memory", "out of memory", "not enough memory")
    return "MemoryError" in names or any(word in said for word in words)


def mib(size: int) -> str:
    return f"{size / MIB:,.0f} MiB" if size >= 10 * MIB else f"{size / MIB:.1f} MiB"
