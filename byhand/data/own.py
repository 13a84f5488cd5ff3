"""Translations of your own: files in a folder, a table, or a data set of a hub when you are online.

    from_files("my_texts")                      a.en beside a.zh, line by line; or .tsv, .csv, .jsonl
    from_table("a.jsonl", "translation.en", "translation.zh")
    from_hub("owner/name", "english", "chinese")        needs the optional package `datasets`
    splits(pairs)                               train, valid, test, without leaks

All are cleaned by the rules of the course's own texts; clean=False keeps every row as it is.
Order: files, tables, the hub, splits.
"""

from __future__ import annotations

import csv
import importlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from byhand.data import clean as _clean, split as _split
from byhand.data.clean import Pair
from byhand.data.sources import DataError

TABLES = (".tsv", ".csv", ".jsonl")
Rows = Iterable[tuple[str, str]]


def _finish(rows: Rows, clean: bool, what: object) -> list[Pair]:
    raw = list(rows)
    found = _clean.pairs(raw) if clean else [Pair(*row) for row in raw]
    if found:
        return found
    why = f"none of its {len(raw)} rows passed the rules (clean=False keeps them)" if raw else "it is empty"
    raise DataError(f"{what} gave no pairs: {why}.")


# ---- files


def from_files(folder: str | Path, source: str = "en", target: str = "zh", clean: bool = True) -> list[Pair]:
    """Every pair of a folder: files name.en beside name.zh with as many lines, and tables.

    A .tsv has two columns and no header; .csv and .jsonl have columns named `source` and `target`.
    """
    place = Path(folder)
    if not place.is_dir():
        raise DataError(
            f"{place} is no folder.\n  Next: name one that holds files like a.{source} and a.{target}."
        )
    tables = [path for path in sorted(place.iterdir()) if path.suffix in TABLES]
    beside = [path for path in sorted(place.glob(f"*.{source}")) if path.is_file()]
    if not tables and not beside:
        raise DataError(
            f"{place} holds no text: neither *.{source} nor {', '.join('*' + suffix for suffix in TABLES)}.\n"
            f"  Next: put a.{source} and a.{target} there, with one sentence a line."
        )
    rows = [row for path in beside for row in _parallel(path, path.with_suffix(f".{target}"))]
    rows += [row for path in tables for row in _table(path, source, target)]
    return _finish(rows, clean, place)


def _parallel(source: Path, target: Path) -> list[tuple[str, str]]:
    if not target.is_file():
        raise DataError(f"{source} has no translation: there is no {target.name} beside it.")
    texts, translations = (_lines(path) for path in (source, target))
    if len(texts) != len(translations):
        raise DataError(
            f"in {source.parent}, {source.name} has {len(texts)} lines, {target.name} {len(translations)}.\n"
            "  Next: line n of one must be the translation of line n of the other."
        )
    return list(zip(texts, translations, strict=True))


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 ({error.reason} at byte {error.start}).\n  Next: save it as UTF-8."
        ) from None
    return text.removesuffix("\n").split("\n")


# ---- tables


def from_table(path: str | Path, source: str, target: str, clean: bool = True) -> list[Pair]:
    """The pairs of one .csv or .jsonl; "translation.en" is the column en inside the column translation."""
    return _finish(_table(Path(path), source, target), clean, path)


def _table(path: Path, source: str, target: str) -> list[tuple[str, str]]:
    lines = _lines(path)
    if path.suffix == ".tsv":
        return [_two(path, at, line) for at, line in enumerate(lines, 1) if line]
    records = csv.DictReader(lines) if path.suffix == ".csv" else (json.loads(line) for line in lines if line)
    return list(_columns(path, records, source, target))


def _two(path: Path, at: int, line: str) -> tuple[str, str]:
    columns = line.split("\t")
    if len(columns) != 2:
        raise DataError(f"{path}, line {at}: {len(columns)} columns, not 2 with one tab between them.")
    return columns[0], columns[1]


def _columns(what: object, records: Iterable[Mapping[str, Any]], *names: str) -> Iterator[tuple[str, str]]:
    for record in records:
        values = [_value(what, record, name) for name in names]
        if all(values):
            yield values[0], values[1]


def _value(what: object, record: Mapping[str, Any], name: str) -> str:
    value: Any = record
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise DataError(f"{what} has no column {name!r}.\n  Its columns: {', '.join(map(str, record))}.")
        value = value[part]
    return str(value or "")


# ---- the hub


def from_hub(
    name: str, source: str, target: str, split: str = "train", clean: bool = True, **more: Any
) -> list[Pair]:
    """Two columns of a data set of the hub: from_hub("owner/name", "translation.en", "translation.zh").

    more: what `datasets.load_dataset` takes besides, such as the name of a configuration (`name=`).
    Its licence is for you to read; nothing of it is kept by the course.
    """
    try:
        datasets: Any = importlib.import_module("datasets")
    except ImportError:
        raise DataError(
            f"{name} is read with the package `datasets`, which is not installed: it is an optional extra.\n"
            f"  Next: {sys.executable} -m pip install datasets\n"
            "  Without it: data.from_table reads a .csv or .jsonl, data.from_files a folder."
        ) from None
    try:
        found = datasets.load_dataset(name, split=split, **more)
    except (OSError, ValueError) as error:
        first = str(error).strip().split("\n")[0][:300]
        raise DataError(f"{name} could not be loaded ({type(error).__name__}: {first}).") from error
    return _finish(_columns(name, found, source, target), clean, name)


# ---- splits


def splits(pairs: Iterable[Pair], valid: float = 0.02, test: float = 0.02) -> dict[str, list[Pair]]:
    """train, valid and test, such that texts that are alike are in the same one."""
    views = [lambda pair: _clean.mask(pair.english), lambda pair: _clean.mask(pair.chinese)]
    return _split.split(list(pairs), views, (round(1000 * valid), round(1000 * test)))
