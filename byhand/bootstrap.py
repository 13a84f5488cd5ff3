"""See that .venv is ready; if it is not, find a Python that fits and let byhand/install.py make it.

    python3 byhand/bootstrap.py      # make calls this first, each time; it returns at once when all is there

Needs nothing but Python, and is written so that Python 3.6 can still read it and say that it is too old.
Order of this file: main, is it ready, which Python, one set-up at a time.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WANTED = ("3.11", "3.12", "3.13")


class SetUpError(Exception):
    """Set-up cannot go on; the message says what, where, and the next step."""


def main(root: Path = ROOT) -> int:
    """Exit status 0: .venv is ready; 2: it is not, and stderr says why; 130: interrupted."""
    try:
        if is_ready(root):
            return 0
        if not fits(sys.version_info[:2]):
            return hand_over(find_python())
        with Turn(root):
            if not is_ready(root):
                sys.path.insert(0, str(ROOT))
                from byhand import install  # here, because it need not be readable by an old Python

                install.set_up(root)
                write_stamp(root)
    except KeyboardInterrupt:
        say("interrupted. What is installed stays; run the same command to go on.")
        return 130
    except Exception as error:
        # By name: this file runs as __main__, install.py knows it as byhand.bootstrap.
        if type(error).__name__ == "SetUpError":
            say(str(error))
        elif isinstance(error, OSError):
            say(f"{error}.\n  Next: see that {root} can be written to, then run this again.")
        else:
            raise
        return 2
    return 0


def say(text: str) -> None:
    print("set-up: " + text, file=sys.stderr, flush=True)


# ---- is it ready


def python_of(root: Path) -> Path:
    """The Python of the environment."""
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def stamp(root: Path) -> Path:
    """The file that set-up writes last; without it nothing starts."""
    return root / ".venv" / "ready"


def key(root: Path) -> str:
    """What the environment was made from, and where: a changed lock or a moved folder is set up again."""
    digest = hashlib.sha256(str(root).encode("utf-8"))
    for name in ("requirements.lock", "pyproject.toml"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def is_ready(root: Path) -> bool:
    written = stamp(root).read_text(encoding="utf-8") if stamp(root).is_file() else ""
    return written == key(root) and python_of(root).exists()


def write_stamp(root: Path) -> None:
    temporary = stamp(root).with_suffix(".tmp")
    temporary.write_text(key(root), encoding="utf-8")
    os.replace(str(temporary), str(stamp(root)))


# ---- which Python


def fits(version: "tuple[int, int]") -> bool:
    return "{}.{}".format(*version) in WANTED


def find_python() -> str:
    """A Python on PATH that fits. Raises SetUpError, naming the version found, if there is none."""
    for name in WANTED:
        path = shutil.which("python" + name)
        ask = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{name}')"
        if path and runs([path, "-c", ask]):
            return path
    raise SetUpError(
        "this is Python {} ({}).\n"
        "  The course needs {}, {} or {}, and none of these is on the PATH.\n"
        "  Next: install one (from python.org, your package manager, or conda with environment.yml),\n"
        "  then run this again.".format(sys.version.split()[0], sys.executable, *WANTED)
    )


def hand_over(python: str) -> int:
    """Run this file again with a Python that fits."""
    found = ".".join(str(part) for part in sys.version_info[:2])
    print(f"This is Python {found}; going on with {python}.", flush=True)
    return subprocess.call([python, str(Path(__file__).resolve())])


def runs(command: "list[str]") -> bool:
    """Whether a command can be started and ends well."""
    try:
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


# ---- one set-up at a time


class Turn:
    """While a set-up works in a folder, a second one waits.

    The lock goes with the open file, which pip inherits: it ends when both are gone, however they end.
    """

    def __init__(self, root: Path) -> None:
        folder = root / ".cache"
        folder.mkdir(exist_ok=True)
        self.file = open(str(folder / "setup.lock"), "a+b")  # noqa: SIM115
        os.set_inheritable(self.file.fileno(), True)

    def __enter__(self) -> None:
        if not self.take(wait=False):
            print("Another set-up is at work in this folder; waiting for it to end.", flush=True)
            while not self.take(wait=True):
                pass

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def take(self, wait: bool) -> bool:
        try:
            if sys.platform == "win32":
                import msvcrt

                self.file.seek(0)
                msvcrt.locking(self.file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(self.file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            return False
        return True


if __name__ == "__main__":
    sys.exit(main())
