"""The outer wall: what bubblewrap shows to the sandbox, and whether it works on this machine.

The inside sees the system's libraries, the Python environment and the few modules it needs, all
read-only, at their own paths; no network, no processes, no environment of ours. It never sees the
repository's solutions, the course, or another submission.
Order: the view, the command, the environment, available().
"""

from __future__ import annotations

import ast
import functools
import itertools
import json
import os
import shutil
import site
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
INSIDE = "/grader"  # where the few modules lie inside the sandbox
INSIDE_RUN = ("autograder.sandbox.forkserver", "autograder.learner.supervisor")
FIRST_USER = 1_900_000_000  # users from here on belong to nobody
SCRATCH = "/cache"  # what the warm-up writes, read-only afterwards

OLDEST = (5, 14)  # the first Linux that counts processes per user namespace

SYSTEM = (
    "/bin", "/lib", "/lib32", "/lib64", "/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib",
    "/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/fontconfig", "/usr/share/zoneinfo",
    "/nix/store", "/etc/ld.so.cache", "/etc/fonts", "/etc/alternatives", "/etc/localtime",
)  # fmt: skip
DEVICE_LINKS = {
    "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
}  # fmt: skip

_counter = itertools.count()


def _program() -> str:
    return shutil.which("bwrap") or "bwrap"


def _python_paths() -> list[str]:
    """Folders of the Python environment, and nothing else of the places that hold it."""
    found = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *_site_paths()]
    for prefix in (sys.prefix, sys.base_prefix, str(Path(_interpreter()).parent.parent)):
        if prefix not in ("/", "/usr"):
            found += [f"{prefix}/{name}" for name in ("bin", "lib", "lib64", "share/fonts")]
    return [path for path in dict.fromkeys(found) if os.path.isdir(path)]


def _site_paths() -> list[str]:
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return [path for path in [*site.getsitepackages(), *user] if os.path.isdir(path)]


def _interpreter() -> str:
    return os.path.realpath(sys.executable)


def _system_view() -> list[str]:
    """bubblewrap's arguments for the system's libraries, programs, fonts and a bare /dev."""
    arguments = _folders([*SYSTEM, "/dev/pts/0", "/dev/shm/0"])
    for path in SYSTEM:
        if os.path.islink(path) and path.count("/") == 1:
            arguments += ["--symlink", os.readlink(path), path]
        else:
            arguments += ["--ro-bind-try", path, path]
    for name in ("null", "full", "random", "urandom"):  # no /dev/zero: mapped shared, it is uncounted memory
        arguments += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for name, target in DEVICE_LINKS.items():
        arguments += ["--symlink", target, f"/dev/{name}"]
    return [*arguments, "--proc", "/proc"]


def _folders(paths: Iterable[str]) -> list[str]:
    """Arguments that make the parents of `paths`: left to itself, bubblewrap closes some to other users."""
    parents = {str(parent): None for path in paths for parent in reversed(Path(path).parents)}
    return [word for parent in parents if parent != "/" for word in ("--dir", parent)]


def _capable(*numbers: int) -> bool:
    """Whether this process is root of the whole machine, with these capabilities."""
    try:
        everyone = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
        status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    except (OSError, ValueError):
        return False
    return everyone and os.geteuid() == 0 and all(int(status["CapEff"], 16) >> n & 1 for n in numbers)


def as_root() -> bool:
    """Root builds the walls itself and then becomes a user nobody else is; others need a user namespace."""
    set_gid, set_uid, set_pcap, net_admin, sys_admin, set_fcap = 6, 7, 8, 12, 21, 31
    return _capable(set_gid, set_uid, set_pcap, net_admin, sys_admin, set_fcap)


def bubblewrap(extra: Mapping[str, Path]) -> list[str]:
    """The command up to the program to run: namespaces, capabilities, mounts.

    extra: files and folders to show besides our own modules, by their place below /grader.
    """
    keep = ["CAP_SYS_ADMIN", "CAP_SETPCAP", "CAP_NET_ADMIN", "CAP_SETFCAP"]
    if as_root():
        spaces = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        keep += ["CAP_SETUID", "CAP_SETGID"]
    else:
        spaces = ["--unshare-all", "--uid", "0", "--gid", "0"]
    capabilities = [word for name in keep for word in ("--cap-add", name)]
    paths = _python_paths()
    bound = _folders(paths) + [word for path in paths for word in ("--ro-bind", path, path)]
    return [
        _program(), *spaces, "--cap-drop", "ALL", *capabilities, "--hostname", "sandbox",
        "--new-session", "--die-with-parent", "--tmpfs", "/tmp", *_system_view(), *bound,
        *_own_modules(extra), "--dir", "/submission", "--tmpfs", SCRATCH, "--remount-ro", "/", "--chdir", "/",
    ]  # fmt: skip


def modules(*names: str) -> set[str]:
    """The modules of autograder that `names` import, themselves included: the inside gets no others.

    Names and answers are dotted: "autograder.sandbox.procs".
    """
    found: set[str] = set()
    new = list(names)
    while new:
        name = new.pop()
        file = PACKAGE.parent / _file(name)
        if name in found or not file.is_file():
            continue
        found.add(name)
        new.append(name.rpartition(".")[0])  # the package that it is in
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == PACKAGE.name:
                new += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def _file(name: str) -> str:
    """Where a module of autograder lies, beginning with autograder/."""
    path = name.replace(".", "/")
    return f"{path}/__init__.py" if (PACKAGE.parent / path).is_dir() else f"{path}.py"


def _own_modules(extra: Mapping[str, Path]) -> list[str]:
    """Show the inside the modules it needs of this package, byhand, and `extra` (name inside: file)."""
    needed = map(_file, modules(*INSIDE_RUN))
    shown = {name: PACKAGE.parent / name for name in (*needed, "byhand")}
    shown |= extra
    arguments = _folders(f"{INSIDE}/{name}" for name in shown)
    for name, path in shown.items():
        arguments += ["--ro-bind", str(path), f"{INSIDE}/{name}"]
    return arguments


def environment(scratch: str) -> dict[str, str]:
    """All that the inside knows of an environment. One thread, one hash seed: same answers every time."""
    settings = {
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "HOME": scratch, "TMPDIR": scratch, "USER": "learner",
        "LOGNAME": "learner", "LANG": "C.UTF-8", "TZ": "UTC", "MPLBACKEND": "agg",
        "MPLCONFIGDIR": f"{scratch}/matplotlib", "IPYTHONDIR": f"{scratch}/ipython", "BYHAND_GRADING": "1",
        "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "MALLOC_ARENA_MAX": "2",
    }  # fmt: skip
    one = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return settings | dict.fromkeys(one, "1")


def python(function: str, options: Mapping[str, Any], package: str) -> list[str]:
    """The command that calls `function` ("module:name") with `options`; package: where autograder lies.

    The same Python, but without its site module: a .pth file may point into the repository.
    """
    module, name = function.split(":")
    code = (
        "import json, sys; package, site, options = map(json.loads, sys.argv[1:]); sys.argv[1:] = []; "
        f"sys.path[:0] = [package]; sys.path += site; import {module} as module; "
        f"sys.exit(module.{name}(**options))"
    )
    arguments = [json.dumps(value) for value in (package, _site_paths(), options)]
    return [_interpreter(), "-s", "-S", "-P", "-B", "-c", code, *arguments]


def new_user() -> int:
    """As root: a user number that nobody else on this machine has, for one worker. Else 0."""
    if not as_root():
        return 0
    return FIRST_USER + os.getpid() % (1 << 22) * 8 + next(_counter) % 8


@functools.cache
def available() -> str | None:
    """None if the sandbox works on this machine, else the sentence that says what would help."""
    if not sys.platform.startswith("linux"):
        return "The sandbox needs Linux. Grade in a Linux virtual machine, in WSL 2 or on a Linux server."
    release = os.uname().release
    if tuple(map(int, release.split("-")[0].split(".")[:2])) < OLDEST:
        return f"The sandbox needs Linux {OLDEST[0]}.{OLDEST[1]} or newer; this machine runs {release}."
    if shutil.which("bwrap") is None:
        return (
            "The sandbox needs bubblewrap, which is not installed. Install it: "
            "`apt install bubblewrap` (Debian, Ubuntu) or `dnf install bubblewrap` (Fedora, RHEL)."
        )
    command = [*bubblewrap({}), *python("autograder.sandbox.isolate:probe", {"uid": new_user()}, INSIDE)]
    try:
        tried = subprocess.run(
            command, env=environment(SCRATCH), capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"The sandbox could not be tried: {problem}."
    if tried.returncode == 0:
        return None
    said = (tried.stderr.strip().splitlines() or [f"exit status {tried.returncode}"])[-1]
    return f"The sandbox cannot be built here ({said}). {_advice()}"


def _advice() -> str:
    """Which setting most likely forbids user namespaces."""
    for name, bad, help_ in (
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1",
         "sysctl kernel.apparmor_restrict_unprivileged_userns=0 (or an AppArmor profile for bwrap)"),
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
    ):  # fmt: skip
        with suppress(OSError):
            if Path("/proc/sys", name).read_text().strip() == bad:
                return f"This machine forbids user namespaces; an administrator allows them with: {help_}."
    return (
        "In a container, start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
        "--security-opt systempaths=unconfined; elsewhere ask for unprivileged user namespaces."
    )
