"""Make .venv: the packages of requirements.lock and this course itself. bootstrap.py decides when.

    environment -> PyTorch -> the other packages -> this course -> texts

Steps are kept apart: what one run installed the next run finds, so an interrupted set-up goes on.
Order of this file: set_up, the environment, PyTorch, running pip, what can go wrong with it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from byhand.bootstrap import WANTED, SetUpError, python_of, runs, stamp

# Measured on Linux: what stays, and the downloads beside it, with PyTorch's CPU and with its NVIDIA build.
NEEDED_MB = 1700 + 400 + 200
NEEDED_WITH_NVIDIA_MB = 5500 + 2900 + 200

Version = tuple[int, ...]


def set_up(root: Path) -> None:
    """Make the environment, or go on with one that is half there. Raises SetUpError."""
    began = time.monotonic()
    lock = root / "requirements.lock"
    stamp(root).unlink(missing_ok=True)
    check_space(root)
    print("Setting up the course: once, some minutes. All that pip says goes to .venv/setup.log.", flush=True)
    accepted = torch_range(root)
    resumed = make_venv(root, bool(torch_of(base_python(), accepted)))
    steps = Steps(root)
    if resumed:
        steps.run("Looking at what is in .venv already", "-c", DROP_INCOMPLETE)
    own_torch = torch_of(str(python_of(root)), accepted)
    if own_torch:
        print(f"  PyTorch {own_torch} is there already and is left as it is.", flush=True)
        if own_torch.split("+")[0] != locked_torch(lock):
            lock = without_torch(lock, root)
    else:
        steps.pip(f"PyTorch {locked_torch(lock)}", "-c", str(lock), "torch")
    steps.pip("Jupyter, nbgrader and the rest", "-r", str(lock))
    steps.pip("This course", "--no-deps", "--no-build-isolation", "-e", str(root))
    fetch_texts(steps)
    print(f"Ready after {clock(time.monotonic() - began)}.", flush=True)


def fetch_texts(steps: Steps) -> None:
    """Fetch the texts of later lessons. The course works without them, so no failure ends the set-up."""
    try:
        steps.run("Texts of lessons 06 to 08", "-m", "byhand.cli", "data", "--quiet")
    except SetUpError:
        print("  They are not all there; .venv/setup.log says why. Lessons 01 to 05 need none.")
        print("  Next: when you are online, make data (or byhand data).", flush=True)


def check_space(root: Path) -> None:
    """Refuse to begin what cannot end. What an earlier set-up installed needs no space again."""
    free = shutil.disk_usage(root).free // 10**6
    installed = sum(path.lstat().st_size for path in (root / ".venv").rglob("*")) // 10**6
    needed = max(NEEDED_MB - installed, 100)
    if free < needed:
        raise SetUpError(
            f"not enough space: {free:,} MB are free on the disk of {root}, about {needed:,} MB are needed.\n"
            "  Next: free some, or move the repository to a larger disk; then run this again."
        )


# ---- the environment


def base_python() -> str:
    """The Python behind an activated environment: .venv must not hang on that environment."""
    return getattr(sys, "_base_executable", None) or sys.executable


def make_venv(root: Path, system_packages: bool) -> bool:
    """See that .venv is an environment in which pip runs. True if it was there and is gone on with."""
    venv, python = root / ".venv", str(python_of(root))
    if usable(root):
        if not runs([python, "-m", "pip", "--version"]):
            make([python, "-m", "ensurepip"], venv)
        return True
    if venv.exists():
        print("  .venv was made elsewhere or with a Python that is gone: it is made anew.", flush=True)
    options = ["--clear", "--system-site-packages"] if system_packages else ["--clear"]
    make([base_python(), "-m", "venv", *options, str(venv)], venv)
    return False


def make(command: list[str], venv: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=quiet())
    said = done.stdout + done.stderr
    if done.returncode and ("ensurepip" in said or "No module named venv" in said):
        raise SetUpError(
            f"{base_python()} cannot make environments: its module venv or ensurepip is not installed.\n"
            "  Next: on Debian or Ubuntu run sudo apt install python3-venv; without root use conda with\n"
            "  environment.yml (see the README); then run this again."
        )
    if done.returncode:
        raise SetUpError(
            f"the environment {venv} could not be made. Next: mend what this says.\n{tail(said)}"
        )


def usable(root: Path) -> bool:
    """Whether .venv's Python runs, fits, and was made at this path: nothing that works is ever cleared."""
    fit = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] not in {WANTED})"
    settings = root / ".venv" / "pyvenv.cfg"
    if not settings.is_file() or not runs([str(python_of(root)), "-c", fit]):
        return False
    made_at = re.search(r"^command = .* -m venv (?:--\S+ )*(.+)$", settings.read_text("utf-8"), re.MULTILINE)
    return made_at is None or Path(made_at[1]).resolve() == settings.parent.resolve()


# ---- PyTorch


def numbers(version: str) -> Version:
    """The release part of a version: "2.13.0+cu128" -> (2, 13, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def torch_range(root: Path) -> tuple[Version, Version]:
    """The versions of torch that pyproject.toml accepts: at least the first, below the second."""
    found = re.search(r'"torch>=([\d.]+),<([\d.]+)"', (root / "pyproject.toml").read_text(encoding="utf-8"))
    if not found:
        raise SetUpError('pyproject.toml has no dependency of the form "torch>=A,<B".')
    return numbers(found[1]), numbers(found[2])


def torch_of(python: str, accepted: tuple[Version, Version]) -> str:
    """The version of torch that `python` has already; "" if it has none in the accepted range."""
    version = ask(python, "print(m.version('torch'))")
    return version if version and accepted[0] <= numbers(version) < accepted[1] else ""


def ask(python: str, question: str) -> str:
    """What `python` prints about its packages; "" if it cannot."""
    code = f"import importlib.metadata as m; {question}"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def locked_torch(lock: Path) -> str:
    found = re.search(r"^torch==(\S+)$", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if not found:
        raise SetUpError(f"{lock.name} names no version of torch.")
    return found[1]


def without_torch(lock: Path, root: Path) -> Path:
    """A copy of the lock that says nothing of torch, nor of what the torch that is there asks for.

    setuptools stays, since it installs the course; its locked version is one that every torch accepts.
    """
    wants = ask(str(python_of(root)), "print('\\n'.join(m.requires('torch') or ()))")
    names = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in wants.splitlines()}
    dropped = (names | {"torch"}) - {"setuptools"}
    lines = lock.read_text(encoding="utf-8").splitlines(keepends=True)
    copy = root / ".venv" / "requirements-without-torch.txt"
    copy.write_text("".join(line for line in lines if line.split("==")[0] not in dropped), encoding="utf-8")
    return copy


# ---- running pip


class Steps:
    """Runs one step after another: a line and a clock for people, everything else into the log."""

    def __init__(self, root: Path) -> None:
        self.python, self.log = str(python_of(root)), root / ".venv" / "setup.log"

    def pip(self, what: str, *arguments: str) -> None:
        options = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off")
        self.run(what, "-m", "pip", "install", *options, *arguments)

    def run(self, what: str, *arguments: str) -> None:
        """Run .venv's Python. Raises SetUpError with the reason in words and the log's last lines."""
        began = time.monotonic()
        with self.log.open("ab") as out:
            start = out.tell()
            process = subprocess.Popen(
                [self.python, *arguments], stdout=out, stderr=out, env=quiet(), close_fds=False
            )
            try:
                while not ended(process):
                    show(what, time.monotonic() - began)
            finally:
                process.terminate()  # does nothing to a process that has ended
                process.wait()
        show(what, time.monotonic() - began, last=True)
        if process.returncode:
            said = self.log.read_bytes()[start:].decode("utf-8", "replace")
            raise SetUpError(f"{reason(said)}\n  The last lines of .venv/setup.log:\n{tail(said)}")


def ended(process: subprocess.Popen[bytes]) -> bool:
    """Wait a moment for the process to end, no longer than the clock takes to change."""
    try:
        process.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        return False
    return True


def quiet() -> dict[str, str]:
    """The user's environment, less what would lead pip or Python out of .venv."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "PIP_USER")
    }


def show(what: str, seconds: float, last: bool = False) -> None:
    """A step and its clock; the clock runs on a terminal and is printed once elsewhere."""
    if sys.stdout.isatty():
        print(f"\r  {what} … {clock(seconds)} ", end="\n" if last else "", flush=True)
    elif last:
        print(f"  {what}: {clock(seconds)}", flush=True)


def clock(seconds: float) -> str:
    return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s" if seconds >= 60 else f"{seconds:.0f} s"


# ---- what can go wrong

NO_NETWORK = re.compile(
    r"NewConnectionError|Connection refused|ConnectTimeout|Read ?timed ?out|ProxyError"
    r"|name resolution|Max retries exceeded|getaddrinfo failed|Network is unreachable"
    r"|Connection(Reset|Aborted)",
    re.IGNORECASE,
)
NOISE = re.compile(
    r"Location .* is ignored|Retrying \(|\[notice\]|^ *Looking in"
    r"|^ *(Requirement already|Collecting|Obtaining|Downloading|Using cached|Processing|Installing)"
)

# An installer that was killed can leave a package that looks installed and is not whole. Without its
# .dist-info pip takes the package for missing and writes it again.
DROP_INCOMPLETE = """
import importlib.metadata, pathlib, shutil, sys
for dist in list(importlib.metadata.distributions()):
    home = pathlib.Path(dist._path)
    if home.suffix != ".dist-info" or pathlib.Path(sys.prefix) not in home.parents:
        continue
    def whole(file):
        path = pathlib.Path(file.locate())
        return path.is_file() and file.size in (None, path.stat().st_size)
    if not dist.files or not all(whole(file) for file in dist.files if file.suffix != ".pyc"):
        print("not whole, to be installed again:", home.name)
        shutil.rmtree(home)
"""


def reason(said: str) -> str:
    """Why pip failed, in a sentence, and the next step."""
    if "No space left on device" in said or "not enough space on the disk" in said:
        return (
            "the disk is full. What is installed stays.\n"
            f"  Next: free some space, then run this again. In all {NEEDED_MB:,} MB are needed, and\n"
            f"  {NEEDED_WITH_NVIDIA_MB:,} MB with PyTorch's NVIDIA build, which pip takes on Linux."
        )
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return (
            "pip does not trust the certificate of its package index, as behind some companies' proxies.\n"
            "  Next: set PIP_CERT to your network's certificate file, then run this again to go on."
        )
    if NO_NETWORK.search(said):
        return (
            "pip cannot reach its package index. What is installed stays.\n"
            "  Next: check the connection (behind a proxy: HTTPS_PROXY), then run this again to go on."
        )
    missing = re.search(r"No matching distribution found for (\S+)|ResolutionImpossible", said)
    if missing:
        return (
            f"pip finds no {missing[1] or 'set of packages'} for {sys.platform} and this Python"
            f" ({sys.version.split()[0]}).\n"
            "  Next: if the computer is offline, or PIP_NO_INDEX is set, change that and run this again; if\n"
            "  not, use another Python of 3.11 to 3.13, of 64 bits. What is installed stays."
        )
    return (
        "a step failed. What is installed stays.\n  Next: mend what the lines below say, then run this again."
    )


def tail(said: str, lines: int = 4) -> str:
    """The last lines that say something: errors, if there are any."""
    kept = [line.strip() for line in said.splitlines() if line.strip() and not NOISE.search(line)]
    errors = [line for line in kept if re.match(r"(ERROR|error|\w*Error)\b", line)]
    return "\n".join("    " + line[:160] for line in (errors or kept)[-lines:])
