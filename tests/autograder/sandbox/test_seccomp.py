"""The filter of system calls: what it refuses, and that honest code does not notice it."""

import errno
import platform
import struct

import pytest

from autograder.sandbox import seccomp
from tests.inside.ask import ask, session, worker

MACHINE = {"x86_64": 0, "aarch64": 1}[platform.machine()]
REFUSED = {name: numbers[MACHINE] for name, numbers in seccomp._REFUSED.items() if numbers[MACHINE] >= 0}


@pytest.fixture(scope="module")
def inside():
    with worker(warm=False) as own, session(own) as one:
        yield one


def call(one, number, *arguments):
    """The error number that a system call gives inside, 0 if it works."""
    return ask(one, f"""
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        result = libc.syscall({number}, *[ctypes.c_ulong(a) for a in {arguments!r}])
        answer = ctypes.get_errno() if result == -1 else 0
    """)  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_dangerous_call_is_refused(inside, name):
    assert call(inside, REFUSED[name]) == errno.EPERM


@pytest.mark.parametrize("flag", [0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000])
def test_a_new_namespace_by_clone_is_refused(inside, flag):
    assert call(inside, seccomp._CLONE[MACHINE], flag | 17, 0, 0, 0, 0) == errno.EPERM


def test_clone3_whose_flags_cannot_be_read_seems_not_to_exist(inside):
    assert call(inside, seccomp._CLONE3[MACHINE], 0, 0) == errno.ENOSYS


@pytest.mark.parametrize("family", ["AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG"])
def test_a_socket_of_another_family_is_refused(inside, family):
    said = ask(inside, f"import socket; socket.socket(socket.{family}, socket.SOCK_RAW)")
    assert said.startswith("OSError: [Errno 97]")


@pytest.mark.parametrize("family", ["AF_UNIX", "AF_INET", "AF_INET6"])
def test_a_socket_of_an_ordinary_family_works(inside, family):
    assert ask(inside, f"import socket; socket.socket(socket.{family}).close(); answer = 1") == 1


def test_memory_that_no_limit_counts_is_refused(inside):
    assert ask(inside, "import mmap; mmap.mmap(-1, 4096)").startswith("OSError")
    assert ask(inside, "import os; os.memfd_create('x')").startswith("PermissionError")
    assert ask(inside, "open('/dev/zero')").startswith("FileNotFoundError")


def test_a_shared_mapping_of_a_file_works(inside):
    assert ask(inside, """
        import mmap
        with open("f", "wb+") as f:
            f.write(bytes(4096)); f.flush()
            mmap.mmap(f.fileno(), 4096)[0:1] = b"a"
            answer = 1
    """) == 1  # fmt: skip


def test_limits_can_be_read(inside):
    assert ask(inside, "import resource; answer = resource.getrlimit(resource.RLIMIT_NOFILE)") == [256, 256]


def test_typing_into_a_terminal_is_refused(inside):
    assert call(inside, seccomp._IOCTL[MACHINE], 0, 0x5412, 0) == errno.EPERM
    assert call(inside, seccomp._IOCTL[MACHINE], 0, 0x5401, 0) != errno.EPERM


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_jump_stays_inside_the_program(monkeypatch, machine):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    code = list(struct.iter_unpack("=HBBI", seccomp.program()))
    assert code[-1] == (seccomp._RETURN, 0, 0, seccomp._ALLOW)
    assert all(place + 1 + max(yes, no) < len(code) for place, (_, yes, no, _) in enumerate(code[:-1]))


def test_no_number_stands_for_two_calls():
    for column in (0, 1):
        numbers = [pair[column] for pair in seccomp._REFUSED.values() if pair[column] >= 0]
        assert len(numbers) == len(set(numbers))


def test_an_unknown_processor_is_said_to_be_unsupported(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert not seccomp.supported()
