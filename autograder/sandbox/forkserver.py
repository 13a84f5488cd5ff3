"""Fork one isolated child per submission from a process that has everything imported already.

Runs inside bubblewrap (or bare, with --no-sandbox), one thread only: a fork of a torch that has
started threads hangs. It reads no file of a submission, so no submission's data is in its memory.

    coordinator --spawn: socket, files, channel--> this server --fork--> child: serve(socket)
    coordinator <--one channel per session: limits, memory, how it ended--> this server

Closing a channel kills its session; closing the control socket ends the server and all sessions.
Order: messages, the child's life, Session (the server's side), the loop, main().
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import shutil
import signal
import site
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autograder.sandbox import isolate, procs, warm as warming

TICK, SELDOM = 0.025, 0.25  # seconds between two looks at the memory of a session, at least and at most
GROWTH = (2 << 30) * (os.cpu_count() or 1)  # bytes that a session can fill in a second
Serve = Callable[[socket.socket], None]

LONGEST = 65536  # bytes of one control message


def send(channel: socket.socket, message: dict[str, Any]) -> None:
    """Send one message; a coordinator that went away is noticed by the loop, not here."""
    with contextlib.suppress(OSError):
        channel.send(json.dumps(message).encode())


def child(
    job: dict[str, Any], walls: bool, serve: Serve,
    link: socket.socket, files: int, setup: int,
) -> None:  # fmt: skip
    """Build the walls, lay out the files, serve. Never returns; a wall that fails is told on `setup`."""
    code = 70
    try:
        os.setsid()
        isolate.prctl("end with the fork server", isolate.PDEATHSIG, signal.SIGKILL)
        if walls:
            isolate.enter(job["limits"]["disk_bytes"], ("/tmp", os.environ["HOME"]))
        else:
            os.chdir(job["folder"])
        os.environ["HOME"] = os.getcwd()
        os.environ["TMPDIR"] = tempfile.tempdir = isolate.TEMPORARY if walls else os.getcwd()
        isolate.lay_out(files)
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        if walls:
            isolate.leave_user()
        isolate.limit(job["limits"], own_user=walls)
        if walls:
            isolate.lock()
    except BaseException as problem:
        os.write(setup, f"{type(problem).__name__}: {problem}".encode()[:1000])
        os._exit(code)
    try:
        os.dup2(link.detach(), 3, inheritable=False)
        os.closerange(4, 1 << 20)
        serve(socket.socket(fileno=3))
        code = 0
    except SystemExit:
        code = 0
    finally:
        os._exit(code)


@dataclass
class Session:
    """A running child as the server sees it."""

    pid: int
    channel: socket.socket
    setup: int  # what the child says if its walls could not be built
    most: int  # bytes of memory, all its processes together
    deadline: float
    cpu: float  # seconds
    base: int  # bytes that the child inherited and did not ask for
    watch: int  # pidfd: readable once the child has ended
    next_look: float
    peak: int = 0
    why: str = ""
    folder: str = ""
    trouble: str | None = None

    def built(self) -> str:
        """Wait until the child's walls stand. What went wrong, or nothing."""
        if self.trouble is None:
            self.trouble = os.read(self.setup, 1000).decode(errors="replace")
        return self.trouble

    def look(self, now: bool = False) -> None:
        """Note the memory of the session's processes when it may be near its limit, or `now`; end it when
        over a limit."""
        moment = time.monotonic()
        if moment > self.deadline:
            self.end("time")
        if now or moment >= self.next_look:
            used = procs.memory(self.pid, self.base, self.most)
            self.peak = max(self.peak, used)
            self.next_look = moment + min(max((self.most - used) / GROWTH, TICK), SELDOM)
            if used > self.most:
                self.end("memory")

    def end(self, why: str) -> None:
        self.why = self.why or why
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def answer(self) -> None:
        """Do what the coordinator asks of this session; a closed channel asks for its end."""
        try:
            data = self.channel.recv(LONGEST)
        except OSError:
            data = b""
        request: dict[str, Any] = json.loads(data) if data else {"do": "kill"}
        if request["do"] == "kill":
            self.end("killed")
        elif request["do"] == "grow":
            send(self.channel, self.grow(request["bytes"]))
        elif request["do"] == "peak":
            self.look(now=True)
            send(self.channel, {"peak": self.peak})

    def grow(self, allowed: int | None) -> dict[str, Any]:
        """Let each process's address space grow by so many bytes from now. None: the session's own limit."""
        self.built()  # the child sets limits of its own before
        try:
            for pid in {self.pid} | procs.descendants(self.pid):
                hard = resource.prlimit(pid, resource.RLIMIT_AS)[1]
                soft = hard if allowed is None else isolate.address_space(pid) + allowed
                if hard != resource.RLIM_INFINITY:
                    soft = min(soft, hard)
                resource.prlimit(pid, resource.RLIMIT_AS, (soft, hard))
        except (OSError, ValueError) as problem:
            return {"problem": str(problem)}
        return {"limited": True}

    def finish(self, status: int, usage: resource.struct_rusage) -> None:
        """Tell the coordinator how the child ended, and leave nothing behind."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        trouble = self.built()
        code = os.waitstatus_to_exitcode(status)
        seconds = round(usage.ru_utime + usage.ru_stime, 6)
        why = "setup" if trouble else self.why or ("signal" if code < 0 else "exit")
        if why == "signal" and code == -signal.SIGKILL:
            if seconds > self.cpu / 2:  # the kernel's limit counts ticks of the clock, which is rough
                why = "time"
            elif not self.folder:  # nothing inside can kill the first process of its namespace
                why, trouble = (
                    "server",
                    "it was killed from outside, perhaps because the machine lacks memory",
                )
        send(self.channel, {
            "ended": why, "code": code, "peak": self.peak, "cpu_seconds": seconds, "trouble": trouble,
        })  # fmt: skip
        self.channel.close()
        os.close(self.setup)
        os.close(self.watch)


class Server:
    """Starts sessions for one coordinator, watches them, and ends with it."""

    def __init__(self, control: socket.socket, walls: bool, serve: Serve) -> None:
        self.control, self.walls, self.serve = control, walls, serve
        self.sessions: dict[int, Session] = {}
        self.strays: set[int] = set()
        self.own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def spawn(self, job: dict[str, Any], descriptors: list[int]) -> None:
        connected, files = socket.socket(fileno=descriptors[0]), descriptors[1]
        channel = socket.socket(fileno=descriptors[2])
        heard, told = os.pipe()
        if not self.walls:
            job["folder"] = tempfile.mkdtemp(prefix="submission-")
        try:
            pid = isolate.fork(self.own_pids) if self.walls else os.fork()
        except OSError as problem:
            send(channel, {"ended": "setup", "code": 0, "peak": 0, "cpu_seconds": 0, "trouble": str(problem)})
            pid = -1
        if pid == 0:
            child(job, self.walls, self.serve, connected, files, told)
        connected.close()
        os.close(files)
        os.close(told)
        if pid < 0:
            channel.close()
            os.close(heard)
            return
        limits = job["limits"]
        deadline = time.monotonic() + limits["submission_seconds"]
        session = Session(
            pid, channel, heard, limits["memory_bytes"], deadline, limits["cpu_seconds"],
            isolate.own_memory("self"), os.pidfd_open(pid), time.monotonic() + TICK,
            folder=job.get("folder", ""))  # fmt: skip
        self.sessions[pid] = session

    def reap(self) -> None:
        """Collect every child that has ended. Without walls, end the orphans that sessions left to us."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if session := self.sessions.pop(pid, None):
                session.finish(status, usage)
        self.strays = set() if self.walls else procs.children(os.getpid()) - set(self.sessions)
        for stray in self.strays:
            procs.kill_family(stray)

    def run(self) -> None:
        """Until the coordinator closes the control socket."""
        while True:
            waiting: dict[int, Session | None] = {self.control.fileno(): None}
            for session in self.sessions.values():
                waiting[session.watch] = session
                if not session.why:
                    waiting[session.channel.fileno()] = session
            pause = self.pause()
            poller = select.poll()
            for descriptor in waiting:
                poller.register(descriptor, select.POLLIN)
            ready = {descriptor for descriptor, _ in poller.poll(pause)}
            for session in list(self.sessions.values()):
                if session.channel.fileno() in ready and not session.why:
                    session.answer()
                session.look()
            self.reap()
            if self.control.fileno() in ready and not self.accept():
                return

    def pause(self) -> float | None:
        """Milliseconds until the next look at something; None if there is nothing to look at."""
        if self.strays:
            return TICK * 1000
        soonest = min((session.next_look for session in self.sessions.values()), default=None)
        return None if soonest is None else max(0.0, soonest - time.monotonic()) * 1000 + 1

    def accept(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self.control, LONGEST, 3)
        if not data:
            return False
        self.spawn(json.loads(data), list(descriptors))
        return True


def main(
    control: int, uid: int, walls: bool, serve: str, warm: bool, optimizers: bool, scratch: str = ""
) -> None:
    """Warm up, say so, serve. uid: the ordinary user to become first, 0 to stay.

    serve: "module:function" that each child calls with its socket; scratch: a folder to remove at the end;
    warm, optimizers: see worker.Worker."""
    began = time.monotonic()
    channel = socket.socket(fileno=control)
    channel.set_inheritable(False)
    if uid:
        os.chmod(os.environ["HOME"], 0o777)
        isolate.become(uid)
    if scratch:
        sys.path.append(scratch)
    site.sethelper()  # builtins that Python's start without site left out
    site.setquit()
    module, _, function = serve.partition(":")
    learner = importlib.import_module(module)
    if warm:
        warming.libraries(optimizers)
        getattr(learner, "warm", lambda: None)()
        warming.settle()
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        sys.exit(f"the fork server has {threads} threads after its warm-up; a fork of it could hang")
    if not walls:
        procs.adopt_orphans()
    send(channel, {"ready": round(time.monotonic() - began, 3)})
    Server(channel, walls, getattr(learner, function)).run()
    procs.kill_all_below()
    if scratch:
        shutil.rmtree(scratch, ignore_errors=True)
