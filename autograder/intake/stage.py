"""Take a submitted folder off the disk: regular files with allowed names, bounded, links never followed.

    submitted/ana/01_scoring/ --stage--> Staged(notebook bytes, data files, timestamp, notes)

A submission is other people's bytes in other people's files. What is not a regular file, not on the
list, or too large stays where it is, with one sentence in the notes. Never raises for a bad folder:
`problem` then says why there is nothing to grade. Order: the result, the entry point, then helpers.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import os
import re
import stat
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path

MB = 1024 * 1024


@dataclass(frozen=True)
class Caps:
    """What is read of a submission at most. Figures make honest notebooks large, hence 20 MB."""

    notebook_bytes: int = 20 * MB
    data_bytes: int = 25 * MB  # all data files together
    entries: int = 500  # names looked at in a folder
    data_names: tuple[str, ...] = ("*.safetensors",)


@dataclass(frozen=True)
class Staged:
    """A submission in memory. `notebook` is empty exactly when `problem` says why."""

    notebook: bytes = b""
    files: dict[str, bytes] = field(default_factory=dict)
    timestamp: str = ""
    secret: str = ""  # nbgrader's submission_secret.txt: where feedback will be found
    notes: tuple[str, ...] = ()
    problem: str = ""

    @property
    def digest(self) -> str:
        """sha256 of everything that can change the verdict."""
        total = hashlib.sha256()
        for name, data in [
            ("", self.notebook),
            *sorted(self.files.items()),
            ("problem", self.problem.encode()),
        ]:
            total.update(f"{len(name)}:{name}:{len(data)}:".encode("utf-8", "surrogatepass"))
            total.update(data)
        return total.hexdigest()


class LeftOutError(Exception):
    """Why a file is left out; the message completes 'NAME …'."""


# Left by Jupyter, nbgrader and operating systems; nobody needs to read that they were ignored.
_SILENT = ("timestamp.txt", "submission_secret.txt", ".*", "__pycache__", "desktop.ini", "Thumbs.db")


def stage(folder: Path, lesson: str, caps: Caps | None = None) -> Staged:
    """Read what may be graded of `folder`. Whatever is in it, this returns."""
    caps = caps or Caps()
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        return Staged(problem=f"The submitted folder {_reason(error)}.")
    try:
        return _stage(top, lesson, caps)
    except OSError as error:
        return Staged(problem=f"The submitted folder {_reason(error)}.")
    finally:
        os.close(top)


def _stage(top: int, lesson: str, caps: Caps) -> Staged:
    names, notes = names_in(top, caps.entries)
    empty = Staged(timestamp=_line(top, "timestamp.txt"), secret=_line(top, "submission_secret.txt"))
    name, inner, said = _choose(top, names, lesson, caps)
    notes += said
    if not name:
        return replace(empty, problem=said[-1])
    try:
        notebook = read_regular(inner or top, name, caps.notebook_bytes)
    except LeftOutError as why:
        return replace(empty, problem=f"{_shown(name)} {why}.")
    finally:
        if inner:
            os.close(inner)
    if not notebook.strip(b"\0 \t\r\n"):
        return replace(empty, problem=f"{_shown(name)} is empty.")
    files, said = _data(top, names, caps)
    return replace(empty, notebook=notebook, files=files, notes=tuple(notes + said))


def names_in(folder: int, limit: int) -> tuple[list[str], list[str]]:
    """Names in a folder, sorted so that the same folder stages the same way twice."""
    names: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(names) == limit:
                return sorted(names), [
                    f"The folder holds more than {limit} files; the rest were not looked at."
                ]
            names.append(entry.name)
    return sorted(names), []


def _choose(top: int, names: list[str], lesson: str, caps: Caps) -> tuple[str, int, list[str]]:
    """Which notebook to grade: its name, the inner folder it lies in (0: none), and what to tell."""
    wanted = f"{lesson}.ipynb"
    found = [name for name in names if name.lower().endswith(".ipynb") and _is_file(top, name)]
    if not found:
        return _choose_inside(top, names, wanted, caps)
    if wanted in found:
        rest = [name for name in found if name != wanted]
        return wanted, 0, [f"{_shown(name)} was not graded: {wanted} is there." for name in rest[:5]]
    alike = [name for name in found if _plain(name) == _plain(wanted)] or found
    best = max(alike, key=lambda name: (os.stat(name, dir_fd=top, follow_symlinks=False).st_mtime_ns, name))
    notes = [f"{wanted} was not handed in; {_shown(best)} was graded instead."]
    if len(found) > 1:
        notes.append(f"{len(found)} notebooks were handed in; the one changed last was graded.")
    return best, 0, notes


def _choose_inside(top: int, names: list[str], wanted: str, caps: Caps) -> tuple[str, int, list[str]]:
    """A folder handed in inside the folder, as unpacking an archive makes it: one level is looked into."""
    for name in names:
        if name.startswith(".") or not _is_folder(top, name):
            continue
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
        below, _ = names_in(inner, caps.entries)
        found = [below_name for below_name in below if below_name.lower().endswith(".ipynb")]
        found = [below_name for below_name in found if _is_file(inner, below_name)]
        if found:
            best = wanted if wanted in found else found[0]
            return best, inner, [f"The notebook was found inside the folder {_shown(name)}."]
        os.close(inner)
    odd = [name for name in names if name.lower().endswith(".ipynb")]
    if odd:
        kind = "a symbolic link" if _is_link(top, odd[0]) else "not a regular file"
        return "", 0, [f"{_shown(odd[0])} is {kind}, and links and folders are never followed."]
    held = ", ".join(_shown(name) for name in names if not _silent(name)) or "nothing"
    return "", 0, [f"No notebook was handed in; the folder holds {held[:200]}."]


def _data(top: int, names: list[str], caps: Caps) -> tuple[dict[str, bytes], list[str]]:
    files: dict[str, bytes] = {}
    notes: list[str] = []
    left = caps.data_bytes
    for name in names:
        if _silent(name) or name.lower().endswith(".ipynb"):
            continue
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in caps.data_names):
            notes.append(f"{_shown(name)} was not used: beside the notebook only {_list(caps)} count.")
            continue
        try:
            files[name] = read_regular(top, name, left)
            left -= len(files[name])
        except LeftOutError as why:
            notes.append(f"{_shown(name)} was not used: it {why}.")
    return files, notes[:10]


def read_regular(folder: int, name: str, limit: int) -> bytes:
    """The bytes of a regular file. O_NONBLOCK: opening a pipe must not wait for its other end."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise LeftOutError(_reason(error)) from None
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise LeftOutError("is not a regular file")
        if about.st_size > limit:
            raise LeftOutError(f"has {about.st_size / MB:.1f} MB, and at most {limit / MB:.1f} MB are read")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise LeftOutError(_reason(error)) from None
    finally:
        os.close(handle)
    if len(data) > limit:  # it grew while it was read
        raise LeftOutError(f"has more than {limit / MB:.1f} MB")
    return data


def _line(top: int, name: str) -> str:
    """The text of one of nbgrader's own small files, or "" when there is none that can be read."""
    try:
        return read_regular(top, name, 1000).decode("utf-8", "replace").strip()
    except LeftOutError:
        return ""


def _plain(name: str) -> str:
    """A notebook's name without what browsers and file managers add to copies."""
    stem = unicodedata.normalize("NFKC", name).strip()[: -len(".ipynb")]
    stem = re.sub(r"([ _-]*(\(\d+\)|copy\s*\d*))+$", "", stem, flags=re.IGNORECASE)
    return re.sub(r"[\s_-]+", "_", stem).lower()


def _reason(error: OSError) -> str:
    said = {
        errno.ELOOP: "is a symbolic link, and links are never followed",
        errno.ENOTDIR: "is not a folder",
        errno.ENOENT: "is not there",
        errno.EACCES: "cannot be read: permission denied",
    }
    return said.get(error.errno or 0, f"cannot be read: {error.strerror}")


def _mode(folder: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except OSError:
        return 0


def _is_file(folder: int, name: str) -> bool:
    return stat.S_ISREG(_mode(folder, name))


def _is_folder(folder: int, name: str) -> bool:
    return stat.S_ISDIR(_mode(folder, name))


def _is_link(folder: int, name: str) -> bool:
    return stat.S_ISLNK(_mode(folder, name))


def _silent(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _SILENT)


def _list(caps: Caps) -> str:
    return ", ".join(caps.data_names)


def _shown(name: str) -> str:
    """A file's name as it can be printed: no control characters, no surrogates, not long."""
    text = "".join(char if char.isprintable() else "?" for char in name)
    return text if len(text) <= 80 else text[:77] + "..."
