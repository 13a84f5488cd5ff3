"""Refuse system calls that no lesson needs, for this process and all it starts, for good.

A second lock behind the namespaces: mounting, new namespaces, tracing, key rings, kernel
programs, clocks, raw sockets, and memory that no limit counts (memfd, System V shared memory).
A refused call fails with an error number, so that honest code sees an OSError.
Order: the table of calls, the program built from it, install().
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_ARCHES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column of the table, kernel's name

# name: (x86_64, aarch64); -1 where the architecture has no such call.
_REFUSED = {
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    "unshare": (272, 97), "setns": (308, 268),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "kcmp": (312, 272), "pidfd_getfd": (438, 438),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "syslog": (103, 116), "acct": (163, 89),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "sethostname": (170, 161), "setdomainname": (171, 162), "iopl": (172, -1), "ioperm": (173, -1),
    "modify_ldt": (154, -1), "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262), "personality": (135, 92), "vhangup": (153, 58), "setrlimit": (160, 164),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "move_pages": (279, 239), "migrate_pages": (256, 238),
    "mbind": (237, 235), "set_mempolicy": (238, 237),
}  # fmt: skip
_CLONE3, _CLONE, _SOCKET, _PRLIMIT = (435, 435), (56, 220), (41, 198), (302, 261)
_IOCTL, _MMAP = (16, 29), (9, 222)

_NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW* flag, the clock's included
_FAMILIES = (1, 2, 10)  # unix, IPv4, IPv6: each namespace has its own; vsock would reach the host
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: type into somebody's terminal

_SHARED_ANONYMOUS = 0x21  # memory of no file and no process: once unmapped, no limit would see it

_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NR, _ARCH, _ARG0, _ARG1, _ARG2, _ARG3 = (
    0,
    4,
    16,
    24,
    32,
    40,
)  # in struct seccomp_data, little-endian


def supported() -> bool:
    return platform.machine() in _ARCHES


def program() -> bytes:
    """The filter as the kernel's eight-byte instructions. Raises KeyError on an unknown architecture."""
    column, arch = _ARCHES[platform.machine()]
    deny = _ERRNO | errno.EPERM
    code = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NR)]
    if column == 0:  # the x32 calls are x86_64's under other numbers
        code += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, deny)]
    for numbers in _REFUSED.values():
        if numbers[column] >= 0:
            code += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, deny)]
    # glibc falls back to clone, whose flags a filter can read.
    code += [(_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    code += _rule(
        _CLONE[column], [(_LOAD, 0, 0, _ARG0), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), (_RETURN, 0, 0, deny)]
    )
    families = [(_EQUAL, len(_FAMILIES) - place, 0, family) for place, family in enumerate(_FAMILIES)]
    refusal = (_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT)
    code += _rule(_SOCKET[column], [(_LOAD, 0, 0, _ARG0), *families, refusal])
    # prlimit64 may read limits (no new value), never set them: either half of the pointer counts.
    pointer = [(_LOAD, 0, 0, _ARG2), (_EQUAL, 0, 2, 0), (_LOAD, 0, 0, _ARG2 + 4), (_EQUAL, 1, 0, 0)]
    code += _rule(_PRLIMIT[column], [*pointer, (_RETURN, 0, 0, deny)])
    typing = [(_EQUAL, 1, 0, _TERMINAL_INPUT[0]), (_EQUAL, 0, 1, _TERMINAL_INPUT[1])]
    code += _rule(_IOCTL[column], [(_LOAD, 0, 0, _ARG1), *typing, (_RETURN, 0, 0, deny)])
    flags = [(_LOAD, 0, 0, _ARG3), (_AND, 0, 0, _SHARED_ANONYMOUS), (_EQUAL, 0, 1, _SHARED_ANONYMOUS)]
    code += _rule(_MMAP[column], [*flags, (_RETURN, 0, 0, _ERRNO | errno.ENOMEM)])
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _rule(number: int, body: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Run `body` only for this call; what falls through it is allowed (the number is no longer loaded)."""
    return [(_EQUAL, 0, len(body) + 1, number), *body, (_RETURN, 0, 0, _ALLOW)]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def install() -> None:
    """Refuse the calls from now on. The process must have no_new_privs set. Raises OSError."""
    code = program()
    buffer = ctypes.create_string_buffer(code, len(code))
    wanted = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    set_seccomp, filter_mode = 22, 2
    if libc.prctl(set_seccomp, filter_mode, ctypes.byref(wanted), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"install the filter of system calls: {os.strerror(number)}")
