"""The inner wall: shut one forked process into namespaces of its own, with limits, for one submission.

    fork in a new PID namespace -> own mounts, network, IPC -> own user namespace -> no capabilities,
    limits, no system calls that could undo any of it

Only the standard library and the C library, called through ctypes, so that nothing is compiled.
Everything here runs inside bubblewrap, in the fork server or its child. Each step that fails raises
OSError with the step's name: a wall that could not be built must stop the session.
Order: calls into the C library, what the fork server does, what its child does, step by step, probe().
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import socket
import struct
import sys
from collections.abc import Mapping, Sequence

from autograder.sandbox import seccomp

HOME = "/submission"  # the private file system
WORK, TEMPORARY, SHARED = "/submission/work", "/submission/tmp", "/submission/shm"
UID = 1000  # whom the learner's code believes to be

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
PDEATHSIG = 1
_KEEPCAPS, _NO_NEW_PRIVS, _DUMPABLE, _CAP_DROP = 8, 38, 4, 24
_KERNEL_SWITCHES = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs")

_libc = ctypes.CDLL(None, use_errno=True)


def _call(step: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{step}: {os.strerror(number)}")


def prctl(step: str, option: int, value: int) -> None:
    _call(step, _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def _unshare(step: str, flags: int) -> None:
    _call(step, _libc.unshare(flags))


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    texts = [text.encode() for text in (source, target, kind)]
    _call(f"mount {kind or 'again'} {target}", _libc.mount(*texts, ctypes.c_ulong(flags), options.encode()))


def become(uid: int) -> None:
    """Change to an ordinary user but keep the capabilities: files of root are then out of reach."""
    prctl("keep capabilities", _KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _call("read capabilities", _libc.capget(header, data))
    data[0], data[3] = data[1], data[4]  # effective = permitted
    _call("set capabilities", _libc.capset(header, data))
    prctl("own /proc/self", _DUMPABLE, 1)


def fork(own_pids: int) -> int:
    """Like os.fork(), but the child is the first process of a new PID namespace.

    own_pids: this process's own PID namespace (/proc/self/ns/pid), to come back to.
    """
    _unshare("new PID namespace", _NEWPID)
    try:
        pid = os.fork()
    except OSError:
        _call("return to the PID namespace", _libc.setns(own_pids, _NEWPID))
        raise
    if pid != 0:
        _call("return to the PID namespace", _libc.setns(own_pids, _NEWPID))
    return pid


def enter(disk_bytes: int, read_only: Sequence[str] = ()) -> None:
    """Give this process (the first of its PID namespace) mounts, network and IPC of its own.

    What it may write to is one file system in memory: its work folder, /tmp and /dev/shm together
    hold disk_bytes. read_only: file systems that the fork server could write to.
    """
    _unshare("new mount, network, IPC and host name namespaces", _NEWNS | _NEWNET | _NEWIPC | _NEWUTS)
    _mount("none", "/", "", _REC | _PRIVATE)
    files = max(1000, disk_bytes // 16384)
    _mount("tmpfs", HOME, "tmpfs", _NOSUID | _NODEV, f"size={disk_bytes},nr_inodes={files},mode=755")
    for folder in (WORK, TEMPORARY, SHARED):
        os.mkdir(folder, 0o700)
    for path in read_only:
        _mount("none", path, "", _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)
    _mount(SHARED, "/dev/shm", "", _BIND)
    _cover_tmp()
    _mount("devpts", "/dev/pts", "devpts", _NOSUID | _NOEXEC, "newinstance,ptmxmode=0666,mode=620,max=16")
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    _loopback_up()
    os.chdir(WORK)


def _cover_tmp() -> None:
    """Mount our own folder over /tmp; a Python environment that lies below /tmp stays, read-only."""
    below = {name: os.open(f"/tmp/{name}", os.O_PATH | os.O_DIRECTORY) for name in os.listdir("/tmp")}
    _mount(TEMPORARY, "/tmp", "", _BIND)
    for name, folder in below.items():
        os.mkdir(f"/tmp/{name}")
        _mount(f"/proc/self/fd/{folder}", f"/tmp/{name}", "", _BIND | _REC)
        os.close(folder)


def _loopback_up() -> None:
    """Let the submission talk to itself over 127.0.0.1; nobody else is in its network."""
    set_flags, up_and_running = 0x8914, 0x41
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", up_and_running))


def lay_out(files: int) -> None:
    """Write the submission's files below the current folder. files: see sandbox.pack."""
    with open(files, "rb", closefd=False) as source:
        source.seek(0)
        (length,) = struct.unpack("<Q", source.read(8))
        for name, size in json.loads(source.read(length)):
            if os.path.dirname(name):
                os.makedirs(os.path.dirname(name), exist_ok=True)
            with open(name, "wb") as target:
                while size:
                    piece = source.read(min(size, 1 << 20))
                    target.write(piece)
                    size -= len(piece)


def leave_user() -> None:
    """Close the kernel's switches and become a user who owns none of the mounts."""
    switches = os.open("/proc/sys", os.O_PATH | os.O_DIRECTORY)
    for path in _KERNEL_SWITCHES:
        if path == "/proc/sys" or os.access(path, os.W_OK):
            _mount(path, path, "", _BIND)
            _mount("none", path, "", _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV | _NOEXEC)
    _own_user(switches)
    os.close(switches)


def _own_user(switches: int) -> None:
    """Move into a user namespace that owns none of the mounts, and let it have no others below it."""
    outside, group = os.geteuid(), os.getegid()
    _unshare("new user namespace", _NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{UID} {outside} 1"),
        ("gid_map", f"{UID} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as table:
            table.write(text)
    with contextlib.suppress(FileNotFoundError):  # kernels before 4.9
        most = os.open("user/max_user_namespaces", os.O_WRONLY, dir_fd=switches)
        os.write(most, b"0")
        os.close(most)


def limit(limits: Mapping[str, int], own_user: bool) -> int:
    """Set this process's limits (names as in worker.Limits). Returns its limit of address space.

    own_user: whether processes are counted for this submission alone.
    """
    space = address_space("self") + limits["memory_bytes"]
    wanted = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ]
    if own_user:
        wanted.append((resource.RLIMIT_NPROC, limits["processes"]))
    for what, most in wanted:
        hard = resource.getrlimit(what)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (value, value))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # short of memory, the kernel ends this process first
    return space


def lock() -> None:
    """Give up, for good, everything that could undo the walls: capabilities, privileges, system calls."""
    for capability in range(64):
        if _libc.prctl(_CAP_DROP, capability, 0, 0, 0) != 0:
            break  # past the last one that this kernel knows
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _call("drop capabilities", _libc.capset(header, nothing))
    prctl("no new privileges", _NO_NEW_PRIVS, 1)
    prctl("own /proc/self", _DUMPABLE, 1)
    if seccomp.supported():
        seccomp.install()


def address_space(pid: int | str) -> int:
    """Bytes of address space that a process has mapped."""
    with open(f"/proc/{pid}/statm") as sizes:
        return int(sizes.read().split()[0]) * resource.getpagesize()


def own_memory(pid: int | str) -> int:
    """Bytes of memory that a process holds and that belong to no file on a disk."""
    used = 0
    with open(f"/proc/{pid}/status") as lines:
        for line in lines:
            if line.startswith(("RssAnon:", "RssShmem:")):
                used += int(line.split()[1]) * 1024
    return used


def probe(uid: int) -> int:
    """Build every wall once, for nothing. 0, or 1 with the step that failed on stderr."""
    try:
        if uid:
            become(uid)
        own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        pid = fork(own_pids)
        if pid == 0:
            enter(1 << 20)
            leave_user()
            lock()
            os._exit(0)
    except OSError as problem:
        print(problem, file=sys.stderr, flush=True)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
