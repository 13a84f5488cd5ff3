"""Read the texts out of a package's archive. Nothing of the package is installed or run.

    open_archive(path)               a wheel, an npm package or a Debian package: file names -> bytes
    READERS[source.reader](archive, source)

Rows are (English, Chinese), or (text, label) for labelled texts. Order: archives, translations, labels.
"""

from __future__ import annotations

import csv
import fnmatch
import gzip
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from byhand.data.sources import DataError, Source

Row = tuple[str, str]
Archive = Mapping[str, bytes]


class ZipArchive(Mapping[str, bytes]):
    """A wheel; a file is read when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.file = zipfile.ZipFile(path)

    def __getitem__(self, name: str) -> bytes:
        return self.file.read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.file.namelist()))

    def __len__(self) -> int:
        return len(self.file.namelist())


def open_archive(path: Path) -> Archive:
    """The files of a .whl, .tgz or .deb."""
    if path.suffix == ".whl":
        return ZipArchive(path)
    content = path.read_bytes()
    return _tar(content) if path.suffix == ".tgz" else _tar(_member(content, b"data.tar"))


def _tar(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        files = ((member.name, tar.extractfile(member)) for member in tar if member.isfile())
        return {name: file.read() for name, file in sorted(files, key=lambda pair: pair[0]) if file}


def _member(content: bytes, name: bytes) -> bytes:
    """A member of a Debian package, which is an `ar` archive: 60 bytes of header, then the file."""
    at = 8
    while at + 60 <= len(content):
        header, size = content[at : at + 60], int(content[at + 48 : at + 58])
        if header.startswith(name):
            return content[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    raise DataError(f"a Debian package without {name.decode()}: it is not whole.")


def matching(archive: Archive, source: Source) -> list[str]:
    """The files that the source names by a pattern; none is an error, for the package has changed."""
    patterns = source.options["files"].split()
    found = [name for name in archive if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    if not found:
        raise DataError(f"{source} holds no file like {' or '.join(patterns)}: it is another package.")
    return found


# ---- translations


def json_trees(archive: Archive, source: Source) -> Iterator[Row]:
    """A tree of texts for each language: the Chinese file's twin has the English under the same keys."""
    chinese, english = source.options["chinese"], source.options["english"]
    for name in matching(archive, source):
        twin = name.replace(chinese, english)
        if twin in archive:
            texts = dict(_leaves(json.loads(archive[twin])))
            for key, text in _leaves(json.loads(archive[name])):
                if key in texts:
                    yield texts[key], text


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(tree, str):
        yield path, tree
    elif isinstance(tree, dict):
        for key, branch in tree.items():
            yield from _leaves(branch, (*path, key))


def jed(archive: Archive, source: Source) -> Iterator[Row]:
    """JupyterLab's catalogues: English, perhaps after a context, -> [Chinese, ...]."""
    for name in matching(archive, source):
        for english, chinese in json.loads(archive[name]).items():
            if english and isinstance(chinese, list) and chinese:
                yield english.rpartition("\x04")[2], chinese[0]


def po(archive: Archive, source: Source) -> Iterator[Row]:
    """gettext's catalogues, without the entries that are marked fuzzy or obsolete."""
    for name in matching(archive, source):
        for entry in re.split(r"\n\s*\n", archive[name].decode("utf-8").replace("\r\n", "\n")):
            texts = po_entry(entry)
            english = texts.get("msgid_plural") or texts.get("msgid", "")
            chinese = texts.get("msgstr") or texts.get("msgstr[0]", "")
            if english and chinese:
                yield english, chinese


def po_entry(entry: str) -> dict[str, str]:
    """keyword -> text of one entry; empty if it is fuzzy or obsolete."""
    texts: dict[str, str] = {}
    keyword = ""
    for line in entry.splitlines():
        if line.startswith("#,") and "fuzzy" in line:
            return {}
        found = re.match(r'(msg\w+(?:\[\d+\])?)?\s*"(.*)"\s*$', line)
        if found and not line.startswith("#"):
            keyword = found[1] or keyword
            texts[keyword] = texts.get(keyword, "") + _unescaped(found[2])
    return texts


def _unescaped(text: str) -> str:
    signs = {"n": "\n", "t": " ", "r": ""}
    return re.sub(r"\\(.)", lambda found: signs.get(found[1], found[1]), text)


def hsk(archive: Archive, source: Source) -> Iterator[Row]:
    """A list of graded sentences with their translations."""
    for name in matching(archive, source):
        for sentence in json.loads(archive[name]):
            yield sentence["translation"]["en"], sentence["chinese"]


def diagnostics(archive: Archive, source: Source) -> Iterator[Row]:
    """A compiler's messages: the English in its code, the Chinese in a file, under the same key."""
    code = archive[source.options["english"]].decode("utf-8")
    call = re.compile(r'diag\(\d+, \d+ /\* \w+ \*/, ("(?:[^"\\]|\\.)*"), ("(?:[^"\\]|\\.)*")')
    texts = {json.loads(key): json.loads(text) for key, text in call.findall(code)}
    for name in matching(archive, source):
        for key, chinese in json.loads(archive[name]).items():
            if key in texts:
                yield texts[key], chinese


PARAGRAPH = re.compile(r'<(p|h[1-6]) id="(\w+)"[^>]*>(.*?)</\1>', re.DOTALL)


def help_pages(archive: Archive, source: Source) -> Iterator[Row]:
    """Pages of two languages whose paragraphs have the same ids."""
    chinese, english = source.options["chinese"], source.options["english"]
    for name in matching(archive, source):
        twin = name.replace(chinese, english)
        if twin in archive:
            texts = _paragraphs(archive[twin])
            for key, text in _paragraphs(archive[name]).items():
                if key in texts:
                    yield texts[key], text


def _paragraphs(page: bytes) -> dict[str, str]:
    text = re.sub(r"\s+", " ", page.decode("utf-8"))
    return {key: inside for _, key, inside in PARAGRAPH.findall(text)}


# ---- labelled texts


def rated(archive: Archive, source: Source) -> Iterator[Row]:
    """A table of sentences that people rated: clearly above zero or clearly below."""
    for name in matching(archive, source):
        table = csv.DictReader(io.StringIO(gzip.decompress(archive[name]).decode("utf-8")))
        for line in table:
            rating = float(line["sentiment"])
            if abs(rating) >= float(source.options["margin"]):
                yield line["text"], "positive" if rating > 0 else "negative"


def questions(archive: Archive, source: Source) -> Iterator[Row]:
    """Lines "CLASS:detail question"; the class is the label."""
    for name in matching(archive, source):
        for line in archive[name].decode("utf-8", "replace").splitlines():
            label, _, question = line.partition(" ")
            if question:
                yield question, source.options[label.partition(":")[0]]


Reader = Callable[[Archive, Source], Iterator[Row]]
READERS: dict[str, Reader] = {
    reader.__name__: reader
    for reader in (json_trees, jed, po, hsk, diagnostics, help_pages, rated, questions)
}
