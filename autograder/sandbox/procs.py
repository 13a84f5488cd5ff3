"""The processes below one process, and what memory they hold, read from /proc.

The fork server looks at running sessions with this, a few dozen processes at most.
Order: the tree, memory, ending.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time

from autograder.sandbox import isolate


def children(pid: int) -> set[int]:
    """The processes whose parent is `pid`, among them orphans that it adopted."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as numbers:
                found |= {int(number) for number in numbers.read().split()}
    return found


def descendants(pid: int) -> set[int]:
    """The children of `pid`, theirs, and so on."""
    family: set[int] = set()
    new = children(pid)
    while new:
        family |= new
        new = set().union(*map(children, new)) - family
    return family


def memory(pid: int, inherited: int, most: int) -> int:
    """Bytes that `pid` and its descendants hold beyond what a fork of this process inherits.

    Pages that they share count for each; only when that makes more than `most` is each one's share
    worked out, which is slow.
    """
    family = {pid} | descendants(pid)
    image = _image("self")
    simple = exact = 0
    for one in family:
        with contextlib.suppress(OSError):
            simple += max(0, isolate.own_memory(one) - (inherited if _image(one) == image else 0))
    if simple <= most:
        return simple
    for one in family:
        with contextlib.suppress(OSError):
            exact += _share(one)
    return min(simple, exact)


def _image(pid: int | str) -> bytes:
    """Where the program's stack began: the same for forks, another after exec. Nobody can forge it."""
    with open(f"/proc/{pid}/stat", "rb") as line:
        return line.read().rpartition(b")")[2].split()[25]


def _share(pid: int) -> int:
    """A process's memory, pages it shares counted by its share; all of them if it hides its maps."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as lines:
        shares = [line.split()[1] for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:"))]
        if shares:
            return sum(map(int, shares)) * 1024
    return isolate.own_memory(pid)


def tell_own_memory(link: socket.socket) -> None:
    """A stand-in for the learner process that only tells how many bytes are its own; for measuring."""
    with open("/proc/self/smaps_rollup") as lines:
        private = [int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_")]
    link.sendall(str(sum(private)).encode())


def adopt_orphans() -> None:
    """Become the parent of what a killed child leaves running, so that it can be ended."""
    set_child_subreaper = 36
    isolate.prctl("adopt orphans", set_child_subreaper, 1)


def kill_family(pid: int) -> None:
    """End a child of this process with all its descendants that can be seen now."""
    for one in (pid, *descendants(pid)):
        with contextlib.suppress(OSError):
            os.kill(one, signal.SIGKILL)


def kill_all_below() -> None:
    """End and collect every process below this one, the orphans that come up meanwhile too."""
    until = time.monotonic() + 5
    while (strays := children(os.getpid())) and time.monotonic() < until:
        for stray in strays:
            kill_family(stray)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(stray, 0)


def wait_or_kill(process: subprocess.Popen[bytes], seconds: float = 5.0) -> None:
    """Until a process that was asked to end has ended; it is killed after `seconds`."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
