"""The processes below one process, and what memory they hold, read from /proc.

The fork server looks at running sessions with this, a few dozen processes at most.
Order: the tree, memory, ending strays.
"""

from __future__ import annotations

import contextlib
import os
import signal

from autograder import isolate


def parents() -> dict[int, int]:
    """The parent of every process that /proc shows."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as line:
                found[int(name)] = int(line.read().rpartition(b")")[2].split()[1])
    return found


def descendants(pid: int) -> set[int]:
    """Every process that `pid` or one of its descendants started; orphans count for who adopted them."""
    parent_of = parents()
    family: set[int] = set()
    new = {pid}
    while new:
        new = {one for one, parent in parent_of.items() if parent in new and one not in family}
        family |= new
    return family


def memory(pid: int, inherited: int, others: set[int]) -> int:
    """Bytes that `pid` and `others` hold and that no file backs, less what `pid` inherited at its fork."""
    used = max(0, isolate.own_memory(pid) - inherited)
    for other in others:
        with contextlib.suppress(OSError):
            used += _share(other)
    return used


def _share(pid: int) -> int:
    """A process's memory, pages it shares counted by its share; all of them if it hides its maps."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/smaps_rollup") as lines:
        shares = [line.split()[1] for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:"))]
        if shares:
            return sum(map(int, shares)) * 1024
    return isolate.own_memory(pid)


def adopt_orphans() -> None:
    """Become the parent of what a killed child leaves running, so that it can be ended."""
    set_child_subreaper = 36
    isolate.prctl("adopt orphans", set_child_subreaper, 1)


def kill_if_ours(pid: int) -> None:
    """End a process if it is still below this one: its number may belong to somebody else by now."""
    if pid in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
