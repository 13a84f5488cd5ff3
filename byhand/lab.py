"""`byhand lab`: the lesson, fetched for the learner through nbgrader's exchange, open in JupyterLab.

    lessons/NN/NN.ipynb --release--> exchange --fetch--> work/NN/NN.ipynb --> JupyterLab (byhand.serve)

A learner's file is never written to: what is newer is put beside it. The instructor's side is asked
by its command, as a process of its own, since byhand imports nothing of it.
Order: the command, which lesson, the folders, release and fetch, a newer release.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byhand import progress, serve
from byhand.cli import UserError, suggest

ROOT = Path(__file__).resolve().parent.parent
FETCHED = ".byhand/fetched.json"  # in the learner's folder: lesson -> sha256 of what was released then


@dataclass(frozen=True)
class Folders:
    """Where one learner on one machine has everything."""

    work: Path
    exchange: Path
    root: Path  # what JupyterLab shows: work and course are inside
    variables: dict[str, str]

    def released(self, name: str) -> Path | None:
        """The released notebook in the exchange, if it is there."""
        return next(iter(sorted(self.exchange.glob(f"*/outbound/{name}/{name}.ipynb"))), None)

    def own(self, name: str) -> Path:
        """The learner's notebook."""
        return self.work / name / f"{name}.ipynb"


def add_parser(subparsers: Any) -> None:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "lab",
        help="open JupyterLab on a lesson",
        description="Fetch a lesson, if you have not yet, and open JupyterLab on it.",
        epilog="example: byhand lab 01_scoring",
    )
    parser.add_argument(
        "lesson", nargs="?", default="", metavar="LESSON", help="as 01_scoring or 1; else where you left off"
    )
    parser.add_argument("--folder", type=Path, metavar="FOLDER", help="where your lessons lie (work/)")
    parser.add_argument(
        "--port", type=int, default=serve.PORT, metavar="PORT", help=f"first to try ({serve.PORT})"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if not 1 <= options.port <= 65535:
        raise UserError(f"--port is {options.port}; a port is a number from 1 to 65535.")
    name = lesson_named(options.lesson, known(), options.folder)
    folders = ask_for_folders(options.folder)
    release(name, folders)
    fetch(name, folders)
    beside = put_newer_beside(name, folders)
    if beside:
        print(
            f"A newer {name} was released. Your own notebook is as you left it; the newer one is\n"
            f"  {beside}\n"
            f"  To change over, rename your folder {name} and run this again: it fetches the newer one."
        )
    page = folders.own(name).relative_to(folders.root)
    return serve.lab(
        folders.root, page.as_posix(), folders.work, folders.variables, options.port, not options.no_browser
    )


def known(lessons: Path = ROOT / "lessons") -> list[str]:
    """The lessons of this course, in order."""
    return sorted(path.parent.name for path in lessons.glob("*/*.ipynb") if path.stem == path.parent.name)


def lesson_named(typed: str, lessons: Sequence[str], folder: Path | None = None) -> str:
    """The lesson meant: its name, its number, or else the first with something left to do."""
    if not lessons:
        raise UserError(
            f"there is no lesson in {ROOT / 'lessons'}. Next: get the whole repository, or run make lessons."
        )
    if not typed:
        left = [lesson.name for lesson in progress.read(folder) if lesson.next]
        return next((name for name in left if name in lessons), lessons[0])
    word = Path(typed.removesuffix(".ipynb")).name
    number = re.fullmatch(r"0*(\d+)", word)
    for name in lessons:
        if name == word or (number and int(name.split("_")[0]) == int(number[1])):
            return name
    raise UserError(f"no lesson is called {typed}.{suggest(word, lessons)}\n  Lessons: {', '.join(lessons)}.")


def ask_for_folders(folder: Path | None) -> Folders:
    """The folders as the instructor's side has them configured."""
    extra = {"BYHAND_WORK": str(folder.absolute())} if folder else {}
    said = instructor(["environment", "--json"], {**os.environ, **extra})
    try:
        told = json.loads(said)
        variables = {str(name): str(value) for name, value in told["environment"].items()}
        return Folders(
            Path(told["work"]), Path(variables["AUTOGRADER_EXCHANGE"]), Path(told["root_dir"]), variables
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"`autograder environment --json` gave no folders ({error}). Next: byhand doctor."
        ) from error


def instructor(arguments: Sequence[str], environment: dict[str, str]) -> str:
    """What a command of the instructor's side prints."""
    return _said([sys.executable, "-m", "autograder.cli", *arguments], environment, ROOT)


def release(name: str, folders: Folders) -> None:
    """Have the lesson released, unless the exchange has just this one or this copy has no sources."""
    if not (ROOT / "solutions" / name).is_dir():
        return
    made, there = ROOT / "lessons" / name / f"{name}.ipynb", folders.released(name)
    if there is None or there.read_bytes() != made.read_bytes():
        print(f"Releasing {name} …", flush=True)
        instructor(["release", name], {**os.environ, **folders.variables})
        if folders.released(name) is None:
            raise UserError(f"{name} was released, but is not in {folders.exchange}. Next: byhand doctor.")


def fetch(name: str, folders: Folders) -> None:
    """Fetch the lesson, or what is missing of it, into the learner's folder; nothing there is replaced."""
    if folders.own(name).exists():
        return
    print(f"Fetching {name} to {folders.work} …", flush=True)
    folders.work.mkdir(parents=True, exist_ok=True)
    if folders.released(name) is None:  # a copy of the course for learners only: nothing to hand in to
        folders.own(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "lessons" / name / f"{name}.ipynb", folders.own(name))
        return
    command = [sys.executable, "-m", "nbgrader", "fetch_assignment", name, "--replace"]
    said = _said(command, {**os.environ, **folders.variables}, folders.work)
    if not folders.own(name).is_file():
        raise UserError(f"nbgrader fetched {name}, but {folders.own(name)} is not there: {_last(said)}")
    _remember(name, folders)


def put_newer_beside(name: str, folders: Folders) -> Path | None:
    """If another version was released since the learner fetched, a copy of it beside theirs; else None."""
    released, own = folders.released(name), folders.own(name)
    if released is None or _digest(released) == _fetched(folders).get(name):
        return None
    if name not in _fetched(folders) and _checks(own) == _checks(released):
        _remember(name, folders)  # fetched by the Assignment List
        return None
    for number in range(1, 1000):
        place = folders.work / f"{name}_new{'' if number == 1 else number}" / released.name
        if not place.parent.exists():
            shutil.copytree(released.parent, place.parent)
        if place.is_file() and place.read_bytes() == released.read_bytes():
            return place
    raise UserError(f"{folders.work} holds 999 newer versions of {name}; delete those you do not need.")


def _fetched(folders: Folders) -> dict[str, str]:
    try:
        told = json.loads((folders.work / FETCHED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _remember(name: str, folders: Folders) -> None:
    released = folders.released(name)
    if released is None:
        return
    record = folders.work / FETCHED
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(
        json.dumps({**_fetched(folders), name: _digest(released)}, indent=1) + "\n", encoding="utf-8"
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _checks(notebook: Path) -> dict[str, str]:
    """grade_id -> text of the cells that a learner leaves alone; empty if the file cannot be read."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        graded = [(cell["metadata"]["nbgrader"], cell) for cell in cells if "nbgrader" in cell["metadata"]]
        return {meta["grade_id"]: "".join(cell["source"]) for meta, cell in graded if meta.get("locked")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _said(command: Sequence[str], environment: dict[str, str], folder: Path) -> str:
    """The standard output of a command. Raises UserError with its own last words if it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise UserError(f"{command[0]} could not be started: {error}. Next: byhand doctor.") from error
    if done.returncode != 0:
        raise UserError(
            f"`{' '.join(command[2:])}` did not work: {_last(done.stderr or done.stdout)}\n"
            "  Next: byhand doctor."
        )
    return done.stdout


def _last(said: str) -> str:
    """The last line that says something, without the log's own marks."""
    lines = [re.sub(r"^\[.*?\]\s*|^\w+: ", "", line).strip() for line in said.splitlines()]
    return next((line for line in reversed(lines) if line), "it gave no reason")
