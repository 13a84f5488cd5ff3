"""Remember what was graded, so that an interrupted run continues and a repeated one does nothing.

    course/.autograder/LESSON/results/KEY.json   one report per content; KEY says what was graded by what
    course/.autograder/LESSON/done.jsonl         what each student's row in the gradebook was made from

A result is kept before the gradebook hears of it, and a row is marked done after. Killed between the
two, the next run finds the result and only saves it. A half-written file counts as none.
Order: the key, results, the record of what is done, and the lock that keeps it to one grader.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from autograder.author.lesson import Lesson
from autograder.verdict import Report

PACKAGE = Path(__file__).resolve().parents[1]

# Modules that bring work to the grader and results away, and so cannot change a verdict.
AROUND = (
    "bench/", "feedback/", "cli.py", "course.py", "demo.py", "nbgrader_config.py", "sample.py",
    *(f"author/{name}.py" for name in ("bank", "lock", "minutes", "readme", "train_reference", "trial")),
    *(f"grading/{name}.py" for name in ("autograded", "collect", "coordinator", "dispatch", "grade")),
    *(f"grading/{name}.py" for name in ("gradebook", "logs", "replay", "watch", "worklist")),
)  # fmt: skip


class BusyError(Exception):
    """Another process is grading this lesson; the message says which."""


@cache
def grader_version() -> str:
    """A hash of all code that takes part in a verdict."""
    total = hashlib.sha256()
    for package in (PACKAGE, PACKAGE.parent / "byhand"):
        for path in sorted(package.rglob("*.py")):
            name = path.relative_to(package).as_posix()
            if package != PACKAGE or not name.startswith(AROUND):
                total.update(name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]


def lesson_digest(lesson: Lesson) -> str:
    """A hash of what a lesson asks and runs. Its explanations are left out: rewording regrades nobody."""
    cells = [[cell.kind, cell.grade_id, cell.points, cell.source] for cell in lesson.cells]
    asked = [cell for cell in cells if cell[0] != "markdown"]
    return hashlib.sha256(json.dumps([lesson.name, asked]).encode()).hexdigest()


def key_of(submission: str, lesson: str, settings: Mapping[str, Any]) -> str:
    """The name of a result: digests of submission and lesson, limits and sandbox, and the grader itself."""
    parts = [submission, lesson, grader_version(), sorted(settings.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


@dataclass(frozen=True)
class Done:
    """What a student's row in the gradebook was last made from."""

    student: str
    key: str
    timestamp: str
    size: int  # bytes of the autograded notebook: after a power cut a file may be there but empty
    scores: dict[str, float | None] = field(default_factory=dict)
    complete: bool = True  # False: something could not be checked and is to be graded again


class Worklist:
    """Results and the done list of one lesson. Use as a context manager: it holds the lesson's lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._results = folder / "results"
        self._journal = folder / "done.jsonl"
        self._lock: int | None = None
        self._done: dict[str, Done] = {}

    def __enter__(self) -> Worklist:
        self._results.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._lock, 20).decode("ascii", "replace").strip()
            os.close(self._lock)
            raise BusyError(f"process {holder or '?'} is grading {self.folder.name} already.") from None
        os.ftruncate(self._lock, 0)
        os.write(self._lock, str(os.getpid()).encode())
        clear_half_written(self._results)
        self._done = self._read_lines()
        self._tidy()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def look(self) -> Worklist:
        """Read what is done without the lock, for those who write nothing."""
        self._done = self._read_lines()
        return self

    def students(self) -> list[str]:
        return list(self._done)

    def result(self, key: str) -> Report | None:
        """The report kept under this key, or None."""
        try:
            return Report.from_json(json.loads((self._results / f"{key}.json").read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, key: str, report: Report) -> None:
        """Write a report so that it is there whole or not at all."""
        write_whole(self._results / f"{key}.json", json.dumps(report.to_json()).encode())

    def done(self, student: str) -> Done | None:
        return self._done.get(student)

    def mark(self, entries: Iterable[Done]) -> None:
        """Record rows that are in the gradebook now."""
        new = list(entries)
        text = "".join(json.dumps(asdict(entry)) + "\n" for entry in new)
        with self._journal.open("ab") as journal:
            journal.write(text.encode())
        self._done.update((entry.student, entry) for entry in new)

    def _read_lines(self) -> dict[str, Done]:
        """The last entry of each student. A line that the power cut short is passed over."""
        done: dict[str, Done] = {}
        for line in self._journal.read_bytes().splitlines() if self._journal.exists() else ():
            try:
                entry = Done(**json.loads(line))
            except (ValueError, TypeError):
                continue
            done[entry.student] = entry
        return done

    def _tidy(self) -> None:
        """Write the journal anew if it has grown long, or ends in half a line."""
        data = self._journal.read_bytes() if self._journal.exists() else b""
        if data.count(b"\n") > 2 * len(self._done) + 100 or (data and not data.endswith(b"\n")):
            text = "".join(json.dumps(asdict(entry)) + "\n" for entry in self._done.values())
            write_whole(self._journal, text.encode())


def clear_half_written(folder: Path) -> None:
    """Remove what write_whole left behind when it was killed."""
    for path in folder.glob(".writing-*"):
        path.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file in one step: a reader, or a crash, sees the old bytes or the new ones."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(handle, mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
