"""Bring what arrives in the exchange's inbound folder to submitted/, one submission at a time.

    inbound/ana+01_scoring+2026-03-01 12:00:00 UTC+x7Yp/ --> submitted/ana/01_scoring/

As `nbgrader collect --update` does, but for a folder anyone can write to: an odd name, a link or an
endless file stops nobody else's. A folder owned by neither the student it names nor the instructor is
refused, since it would replace that student's work. Order: what has arrived, then taking one in.
"""

from __future__ import annotations

import datetime
import os
import shutil
import stat as stats
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbgrader.utils import parse_utc

from autograder.course import COURSE_ID, Course
from autograder.grading.gradebook import LONGEST_NAME
from autograder.intake.stage import MB, LeftOutError, names_in, read_regular

SETTLED_SECONDS = 10.0  # a folder without its last file after this long gets no last file any more
FILES, BYTES = 200, 100 * MB  # of one submission, as nbgrader's own CourseDirectory.max_dir_size
DEPTH = 3


@dataclass(frozen=True)
class Arrival:
    """One folder in inbound. `doubt` says what a person should look at before trusting it."""

    student: str
    time: datetime.datetime
    folder: Path
    doubt: str = ""


class Inbound:
    """The inbound folder of one lesson. `look` tells of each folder once."""

    def __init__(self, course: Course, lesson: str) -> None:
        self.course, self.lesson = course, lesson
        self.folder = course.exchange / COURSE_ID / "inbound"
        self._seen: set[str] = set()

    def look(self) -> tuple[list[Arrival], list[str]]:
        """The newest complete new submission of each student, and sentences about what is refused."""
        newest: dict[str, Arrival] = {}
        refused: list[str] = []
        for name in self._new_names():
            found = self._read_name(name)
            if found is None or not self._complete(found.folder):
                continue
            self._seen.add(name)
            why = self._refusal(found)
            if why:
                refused.append(f"{name!r} was refused: {why}.")
            elif found.student not in newest or newest[found.student].time < found.time:
                newest[found.student] = found
        return [found for found in newest.values() if self._is_newer(found)], refused

    def _new_names(self) -> Iterator[str]:
        try:
            with os.scandir(self.folder) as entries:
                yield from [entry.name for entry in entries if entry.name not in self._seen]
        except FileNotFoundError:  # nothing was released yet
            return

    def _read_name(self, name: str) -> Arrival | None:
        """STUDENT+LESSON+TIME or STUDENT+LESSON+TIME+RANDOM; a student's name may hold a +."""
        for parts in (name.rsplit("+", 3)[:3], name.rsplit("+", 2)):
            if len(parts) == 3 and parts[1] == self.lesson:
                try:
                    return Arrival(parts[0], parse_utc(parts[2]), self.folder / name)
                except (ValueError, OverflowError, TypeError):
                    return None
        return None

    def _complete(self, folder: Path) -> bool:
        """nbgrader writes submission_secret.txt last."""
        try:
            age = time.time() - folder.lstat().st_ctime
        except OSError:
            return False
        return os.path.lexists(folder / "submission_secret.txt") or age > SETTLED_SECONDS

    def _refusal(self, found: Arrival) -> str:
        name = found.student
        if not name.isprintable() or name.startswith(".") or "/" in name or len(name) > LONGEST_NAME:
            return "that is no student's name"
        about = found.folder.lstat()
        if not stats.S_ISDIR(about.st_mode):
            return "it is not a folder"
        if about.st_uid not in (os.getuid(), _user_id(name)):
            return f"it belongs to user {about.st_uid}, not to {name}"
        return ""

    def _is_newer(self, found: Arrival) -> bool:
        try:
            held = self.course.step("submitted", self.lesson, found.student) / "timestamp.txt"
            return bool(parse_utc(held.read_text(encoding="utf-8").strip()) < found.time)
        except (OSError, ValueError, OverflowError, TypeError):
            return True


def take_in(course: Course, lesson: str, arrival: Arrival) -> str:
    """Copy a submission to submitted/, replacing the student's earlier one. Returns a doubt, or ""."""
    target = course.step("submitted", lesson, arrival.student)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=course.root, prefix=".collecting-"))
    try:
        top = os.open(arrival.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _copy(top, fresh, [FILES, BYTES], DEPTH)
        finally:
            os.close(top)
        stamp = arrival.time.strftime("%Y-%m-%d %H:%M:%S.%f UTC")
        (fresh / "timestamp.txt").write_text(stamp, encoding="utf-8")
        fresh.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return doubt(arrival)


def doubt(arrival: Arrival) -> str:
    """What is odd about the time it claims: the folder's own change time cannot be set by its owner."""
    arrived = datetime.datetime.fromtimestamp(arrival.folder.lstat().st_ctime, datetime.UTC)
    late = (arrived.replace(tzinfo=None) - arrival.time).total_seconds()
    if abs(late) < 600:
        return ""
    times = f"{arrival.time:%Y-%m-%d %H:%M}, but it arrived {arrived:%Y-%m-%d %H:%M} UTC"
    return f"{arrival.student} claims {times}."


def _copy(source: int, target: Path, left: list[int], depth: int) -> None:
    """Copy regular files and folders of an open folder; `left` counts down files and bytes."""
    for name in names_in(source, FILES)[0]:
        mode = os.stat(name, dir_fd=source, follow_symlinks=False).st_mode
        if stats.S_ISDIR(mode) and depth > 0:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=source)
            try:
                (target / name).mkdir()
                _copy(inner, target / name, left, depth - 1)
            finally:
                os.close(inner)
        elif stats.S_ISREG(mode) and left[0] > 0:
            try:
                data = read_regular(source, name, left[1])
            except LeftOutError:
                continue
            left[0], left[1] = left[0] - 1, left[1] - len(data)
            (target / name).write_bytes(data)


def _user_id(name: str) -> int | None:
    import pwd

    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        return None
