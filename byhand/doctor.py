"""Look at the machine and say what works, what does not, and what to do about it.

    ok  it works     !!  needed, and how to mend it     --  not needed to learn; what it would add

Order: the lines, needed things, things that add something, the command.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "attention-by-hand"
AGAIN = "run `make lab` or `python3 byhand/bootstrap.py` once more"
GIB = 2**30
FREE_DISK = GIB // 2  # lessons, feedback pages and a few checkpoints of at most 25 MB each
FREE_MEMORY = 2 * GIB  # a check of lesson 05 lets an answer use 1 GiB
PORT = 8888


@dataclass(frozen=True)
class Line:
    """One finding; mark is ok, !! or --."""

    mark: str
    say: str

    def __str__(self) -> str:
        return f"{self.mark:<4} {self.say}"


def declared() -> tuple[str, list[str]]:
    """The Python range and the requirements of this course: pyproject.toml, else what is installed."""
    file = ROOT / "pyproject.toml"
    if file.is_file():
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        return project["requires-python"], list(project["dependencies"])
    needs = metadata.requires(PACKAGE) or []
    return metadata.metadata(PACKAGE)["Requires-Python"], [need for need in needs if "extra ==" not in need]


def python() -> Iterator[Line]:
    from packaging.specifiers import SpecifierSet

    running, accepted = platform.python_version(), declared()[0]
    if running in SpecifierSet(accepted):
        yield Line("ok", f"Python {running}")
    else:
        yield Line("!!", f"Python {running}, needed {accepted}: install one of those, then {AGAIN}.")


def packages() -> Iterator[Line]:
    from packaging.requirements import Requirement

    good = []
    for need in map(Requirement, declared()[1]):
        try:
            version = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            yield Line("!!", f"{need.name} is not installed: {AGAIN}.")
            continue
        if need.specifier.contains(version, prereleases=True):
            good.append(f"{need.name} {version}")
        else:
            yield Line("!!", f"{need.name} is {version}, needed {need.specifier}: {AGAIN}.")
    yield Line("ok", f"{len(good)} packages in the accepted ranges: {', '.join(good)}")


def assignment_list() -> Iterator[Line]:
    place = Path(sys.prefix, "share", "jupyter", "labextensions", "@jupyter", "nbgrader")
    if place.is_dir():
        yield Line("ok", "JupyterLab has nbgrader's Assignment List")
    else:
        yield Line("!!", f"JupyterLab lacks nbgrader's Assignment List (no {place}): {AGAIN}.")


def disk() -> Iterator[Line]:
    free = shutil.disk_usage(ROOT).free
    if free >= FREE_DISK:
        yield Line("ok", f"disk: {free / GIB:.1f} GiB free")
    else:
        yield Line(
            "!!", f"disk: {free / GIB:.2f} GiB free, {FREE_DISK / GIB:g} needed: delete something large."
        )


def writable() -> Iterator[Line]:
    from byhand.progress import work_folder

    folder = work_folder()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(place, os.W_OK):
        yield Line("ok", f"your lessons' folder {folder} can be written")
    else:
        yield Line("!!", f"{place} cannot be written: name another with `byhand lab --folder FOLDER`.")


def data() -> Iterator[Line]:
    from byhand.data import is_there
    from byhand.data.sources import collection, collections

    wanted = [collection(name) for name in collections() if collection(name).default]
    missing = [one for one in wanted if not is_there(one.name)]
    if not missing:
        yield Line(
            "ok", f"data: {', '.join(one.name for one in wanted)} are there; lessons 01 to 05 need none"
        )
        return
    lessons = ", ".join(sorted({one.lessons for one in missing}))
    names = ", ".join(one.name for one in missing)
    yield Line(
        "--",
        f"data: {names} not here: lesson {lessons} needs it, lessons 01 to 05 need none; run `byhand data`.",
    )


def machine() -> Iterator[Line]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Line("ok", f"{cores} CPU core{'s' * (cores > 1)}")
    import psutil

    memory = psutil.virtual_memory()
    said = f"memory: {memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free"
    if memory.available >= FREE_MEMORY:
        yield Line("ok", said)
    else:
        yield Line("--", f"{said}: close other programs if a check of lesson 05 runs out of memory.")


def gpu() -> Iterator[Line]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch

        if torch.cuda.is_available():
            yield Line("ok", f"GPU: {torch.cuda.get_device_name(0)}")
        elif torch.backends.mps.is_available():
            yield Line("ok", "GPU: Apple (mps)")
        else:
            yield Line("--", "no GPU: every lesson runs on the CPU; a GPU makes lesson 07 faster.")


def chinese() -> Iterator[Line]:
    from byhand import fonts

    found = fonts.chinese()
    if found:
        yield Line("ok", f"Chinese labels: {found}")
    else:
        yield Line("--", f"no font with Chinese letters, so plots show boxes: {fonts.INSTALL}.")


def sandbox() -> Iterator[Line]:
    who = "only those who grade need it"
    if sys.platform != "linux":
        yield Line("--", f"sandbox: {platform.system()} has no bubblewrap; {who}, on Linux.")
        return
    program = shutil.which("bwrap")
    if program is None:
        yield Line("--", f"sandbox: bubblewrap is missing ({who}): apt install bubblewrap.")
        return
    try:
        command = [
            program,
            "--unshare-all",
            "--die-with-parent",
            "--ro-bind",
            "/",
            "/",
            "--proc",
            "/proc",
            "true",
        ]
        tried = subprocess.run(command, capture_output=True, text=True, timeout=20)
        trouble = (
            "" if tried.returncode == 0 else (tried.stderr.strip().splitlines() or ["no reason given"])[-1]
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        trouble = str(error)
    if not trouble:
        yield Line("ok", "sandbox: bubblewrap isolates a process")
    else:
        yield Line(
            "--",
            f"sandbox: bubblewrap cannot isolate ({trouble}); {who}. Allow user namespaces: "
            "sysctl kernel.unprivileged_userns_clone=1, on Ubuntu also "
            "kernel.apparmor_restrict_unprivileged_userns=0; in a container, start it with --privileged.",
        )


def port() -> Iterator[Line]:
    if is_free(PORT):
        yield Line("ok", f"port {PORT} is free")
    else:
        yield Line("--", f"port {PORT} is in use: byhand lab takes the next free one and says which.")


def is_free(number: int) -> bool:
    """Whether a server can listen on this port of the machine itself."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError, OverflowError):
            probe.bind(("127.0.0.1", number))
            return True
    return False


CHECKS: tuple[Callable[[], Iterator[Line]], ...] = (
    python,
    packages,
    assignment_list,
    disk,
    writable,
    data,
    machine,
    gpu,
    chinese,
    sandbox,
    port,
)


def examine() -> Iterator[Line]:
    """Every finding, in order. A check that breaks is a finding too."""
    for look in CHECKS:
        try:
            yield from look()
        except Exception as error:
            first = re.sub(r"\s+", " ", str(error))[:200]
            yield Line(
                "!!", f"{look.__name__} could not be checked ({type(error).__name__}: {first}): {AGAIN}."
            )


def add_parser(subparsers: Any) -> None:
    """`byhand doctor`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "doctor",
        help="what works on this machine, and what to do about the rest",
        description="Say what works on this machine. ok: it works; !!: needed; --: adds something.",
        epilog="example: byhand doctor",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    failed = 0
    for found in examine():
        print(found, flush=True)
        failed += found.mark == "!!"
    print(
        "Ready: `byhand lab` opens the lesson."
        if not failed
        else f"{failed} to mend; see each line marked !!."
    )
    return 1 if failed else 0
