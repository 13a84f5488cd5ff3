"""Keep texts on this machine: what was read from each package, and the splits made of it.

    raw/horizon-27.0.0.jsonl.gz       rows as the package has them: a change of rules needs no download
    general/train.tsv                 English, a tab, Chinese; or text, a tab, label
    general/about.json                written last: without it, or with another key, nothing is there

The same packages give the same bytes of .tsv on every machine. Order: rows, collections, making, loading.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from byhand.data import clean, split
from byhand.data.read import Row
from byhand.data.sources import SOURCES, Collection, Source, collection, home

HERE = Path(__file__).parent
View = Callable[[Row], str]
RECIPE = ("read.py", "clean.py", "split.py")  # what decides which texts come out


# ---- rows of a source


def raw_file(source: Source) -> Path:
    """Where a source's rows are kept: another version, package or reader is another file."""
    key = _digest(source.name, source.version, [file.sha256 for file in source.files], _code("read.py"))
    return home() / "raw" / f"{source.name}-{key[:12]}.jsonl.gz"


def save_raw(source: Source, rows: Iterable[Row]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write(raw_file(source), gzip.compress(text.encode("utf-8"), mtime=0))


def load_raw(source: Source) -> list[Row]:
    text = gzip.decompress(raw_file(source).read_bytes()).decode("utf-8")
    return [(row[0], row[1]) for row in map(json.loads, text.split("\n")[:-1])]


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


# ---- collections


def key(wanted: Collection, share_alike: bool) -> str:
    """What a collection is made from: its sources, how it is split, and the recipe."""
    if wanted.kind == "weights":
        return _digest([file.sha256 for source in wanted.made_of(share_alike) for file in source.files])
    files = [raw_file(source).name for source in ingredients(wanted, share_alike)]
    return _digest(files, wanted.parts, wanted.labels, wanted.apart_from, *map(_code, RECIPE))


def ingredients(wanted: Collection, share_alike: bool) -> list[Source]:
    """The sources that making a collection takes: its own, and those of what it must differ from."""
    every = [wanted, *map(collection, wanted.apart_from)]
    return [source for one in every for source in one.made_of(share_alike)]


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _code(name: str) -> str:
    """What a file of the recipe does: comments and layout do not count."""
    return ast.dump(ast.parse((HERE / name).read_text(encoding="utf-8")))


def about(name: str) -> dict[str, Any]:
    """What is known of a collection that is there: counts, sources, checksums. Empty if it is not there."""
    path = home() / name / "about.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def is_current(wanted: Collection, share_alike: bool) -> bool:
    """Whether a collection is there, made by this recipe from these versions."""
    return about(wanted.name).get("key") == key(wanted, share_alike)


def usable(name: str) -> dict[str, Any]:
    """What is known of a collection that is there and was made by this version of the course.

    Where sources.toml is not shown, as in the grader's sandbox, what is there is taken as it is.
    """
    found = about(name)
    if not found or not SOURCES.is_file():
        return found
    return found if is_current(collection(name), found["share_alike"]) else {}


# ---- making

VIEWS: tuple[View, ...] = (lambda row: clean.mask(row[0]), lambda row: clean.mask(row[1]))


def make(wanted: Collection, share_alike: bool) -> None:
    """Clean and split the rows of a collection's sources, and write its files."""
    items = texts(wanted, share_alike)
    views = VIEWS if wanted.kind == "pairs" else VIEWS[:1]
    for other in map(collection, wanted.apart_from):
        items = split.apart(items, texts(other, share_alike), views)
    splits = split.split(items, views, wanted.parts)
    folder = home() / wanted.name
    (folder / "about.json").unlink(missing_ok=True)
    content = {name: "".join(f"{a}\t{b}\n" for a, b in rows).encode() for name, rows in splits.items()}
    for name, text in content.items():
        write(folder / f"{name}.tsv", text)
    say = {
        "share_alike": share_alike,
        "labels": list(wanted.labels),
        "sources": [str(source) for source in wanted.made_of(share_alike)],
        "count": {name: len(rows) for name, rows in splits.items()},
        "sha256": {name: hashlib.sha256(text).hexdigest() for name, text in content.items()},
    }
    write_about(wanted, say)


def write_about(wanted: Collection, say: dict[str, Any]) -> None:
    """Say that a collection is there: the last thing written."""
    text = json.dumps({"key": key(wanted, say["share_alike"]), **say}, indent=1) + "\n"
    write(home() / wanted.name / "about.json", text.encode())


def texts(wanted: Collection, share_alike: bool) -> Sequence[Row]:
    """All clean texts of a collection, before they are split."""
    rows = [row for source in wanted.made_of(share_alike) for row in load_raw(source)]
    return clean.pairs(rows) if wanted.kind == "pairs" else clean.labelled(rows)


# ---- loading


def rows(name: str, part: str) -> list[Row]:
    """The rows of one split's file."""
    text = (home() / name / f"{part}.tsv").read_text(encoding="utf-8")
    lines = (line.partition("\t") for line in text.split("\n")[:-1])
    return list(map(itemgetter(0, 2), lines))
