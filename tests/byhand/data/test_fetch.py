"""Fetching packages: what is good is read; what is cut off, changed, missing or out of reach is named."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from byhand import cli, data
from byhand.data import cache, fetch, read, sources
from byhand.data.sources import DataError, File, Source
from tests import parcel

LOST = "Without it there is no general (lesson 07); lessons 01 to 05 need no data."


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of two made-up packages, which is all that pip knows; both are needed for `general`."""
    wheels = [
        parcel.wheel(tmp_path / "index", name, parcel.graded(name, parcel.sentences()[at::2]))
        for at, name in enumerate(("even", "odd"))
    ]
    listed = [parcel.source(path, path.name.split("-")[0]) for path in wheels]
    text = parcel.collection("general", "even,odd") + "".join(listed)
    (tmp_path / "sources.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(sources, "SOURCES", tmp_path / "sources.toml")
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", (tmp_path / "index").as_uri())
    sources._file.cache_clear()
    yield tmp_path / "index"
    sources._file.cache_clear()


def failing(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What `byhand data` says when it fails, and proof that nothing half-made is used."""
    assert cli.main(["data", "--quiet", *more]) == 2
    assert not data.is_there("general")
    printed = capsys.readouterr()
    assert printed.out == "general    not there\n"
    return printed.err


def even(index: Path) -> Path:
    return index / "even-1.0-py3-none-any.whl"


# ---- good


def test_each_package_is_downloaded_by_pip_and_its_rows_are_kept(index: Path) -> None:
    assert cli.main(["data", "--quiet"]) == 0
    assert cache.load_raw(sources.source("even")) == parcel.sentences()[::2]
    assert list(sources.home().glob("download-*")) == []


def test_two_sources_in_one_package_are_one_download(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sources.SOURCES.open("a", encoding="utf-8") as file:
        file.write(parcel.source(even(index), "again"))
    sources._file.cache_clear()
    calls = []
    download = fetch.download
    monkeypatch.setattr(
        fetch, "download", lambda source, *more: [calls.append(source.name), download(source, *more)][1]
    )
    assert fetch.fetch([sources.source("even"), sources.source("again")], quiet=True) == []
    assert calls == ["even"]
    assert cache.load_raw(sources.source("again")) == cache.load_raw(sources.source("even"))


def test_an_interrupted_fetch_goes_on_where_it_was(
    index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []
    download = fetch.download

    def once(source: Source, *more: Any) -> Path:
        calls.append(source.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return download(source, *more)

    monkeypatch.setattr(fetch, "download", once)
    assert cli.main(["data", "--quiet"]) == 2
    assert capsys.readouterr().err == "byhand: stopped.\n"
    assert list(sources.home().glob("download-*")) == []
    assert cli.main(["data", "--quiet"]) == 0
    assert calls == ["even", "odd", "odd"]


def test_what_is_fetched_is_said_with_its_size(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "--from", str(index)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["Fetching 0 MB: even 1.0, odd 1.0.", "Cleaning and splitting general …"]
    assert printed[2].startswith("general    180 pairs: ")


# ---- not good


def test_a_cut_off_package_is_named_with_both_sizes(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = even(index).read_bytes()
    even(index).write_bytes(whole[:1000])
    said = failing(capsys, "--from", str(index))
    assert f"even 1.0: even-1.0-py3-none-any.whl is cut off: it has 1,000 bytes, not {len(whole):,}." in said
    assert LOST in said


def test_a_changed_package_is_named_with_both_checksums(
    index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = even(index).read_bytes()
    even(index).write_bytes(whole[:-1] + b"x")
    said = failing(capsys, "--from", str(index))
    wanted = sources.source("even").files[0].sha256[:12]
    found = fetch.sha256(even(index))[:12]
    assert f"even-1.0-py3-none-any.whl was changed: its sha256 is {found}…, not {wanted}…." in said
    assert LOST in said


def test_what_pip_downloads_is_checked_too(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parcel.wheel(index, "even", parcel.graded("even", [("Something else", "别的东西")]))
    said = failing(capsys)
    assert "even 1.0: even-1.0-py3-none-any.whl is cut off" in said
    assert "Nothing of it was read." in said


def test_a_package_that_the_index_lacks_is_named_and_the_others_are_fetched(
    index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    even(index).unlink()
    said = failing(capsys)
    assert said.startswith(
        "byhand: even 1.0 (0.0 MB) could not be downloaded: your package index does not have it."
    )
    assert LOST in said
    assert cache.raw_file(sources.source("odd")).is_file()


def test_an_index_out_of_reach_is_said_once(
    index: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setattr(fetch, "TRIES", "1")
    said = failing(capsys)
    assert said.count("byhand:") == 1
    assert "even 1.0 (0.0 MB) could not be downloaded: the package index cannot be reached." in said
    assert "byhand data --from FOLDER" in said


def test_any_other_failure_shows_what_pip_says() -> None:
    said = str(fetch.trouble(sources.source("hsk"), "noise\nERROR: the disk is full\n"))
    assert (
        "hsk-sentences-audio 1.0.0 (0.9 MB) could not be downloaded. pip says:\n    ERROR: the disk is full"
        in said
    )


def test_a_python_without_pip_is_told_how_to_get_it() -> None:
    said = str(fetch.trouble(sources.source("hsk"), f"{sys.executable}: No module named pip\n"))
    assert said.endswith(f"Next: {sys.executable} -m ensurepip")


def test_a_client_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(
        DataError, match=r"typescript 5\.9\.3 is fetched with npm, which this machine does not have"
    ):
        fetch.npm(sources.source("typescript"), File("a", 1), Path())


def test_a_package_built_otherwise_than_described_is_named(tmp_path: Path) -> None:
    path = parcel.wheel(tmp_path, "odd", {"odd/sentences.json": b'[{"text": 1}]'})
    source = Source("odd", "odd", "1.0", (), "", "", "", "hsk", options={"files": "*/sentences.json"})
    with pytest.raises(DataError, match=r"odd 1\.0 is not built as data/sources\.toml says \(KeyError"):
        fetch.rows(source, [path])
    other = Source("odd", "odd", "1.0", (), "", "", "", "hsk", options={"files": "*/texts.json"})
    with pytest.raises(DataError, match=r"odd 1\.0 holds no file like \*/texts\.json: it is another package"):
        fetch.rows(other, [path])


def test_a_package_is_never_imported_nor_installed(index: Path) -> None:
    parcel.wheel(
        index, "even", {**parcel.graded("even", parcel.sentences()), "even/__init__.py": b"raise OSError"}
    )
    archive = read.open_archive(even(index))
    assert list(read.hsk(archive, sources.source("even"))) == parcel.sentences()
    assert "even" not in sys.modules


# ---- the real list


def test_every_source_of_the_course_has_a_checksum_a_size_a_licence_and_a_reader() -> None:
    for name in sources.sources():
        source = sources.source(name)
        assert source.reader in {*read.READERS, "model"}
        assert source.licence
        assert source.attribution
        assert source.client in fetch.COMMANDS
        for file in source.files:
            assert file.bytes > 0
            assert len(file.sha256) == 64 or source.client == "apt"


def test_every_collection_is_made_of_sources_that_are_listed() -> None:
    used = set()
    for name in sources.collections():
        wanted = sources.collection(name)
        for share_alike in (True, False):
            used |= {source.name for source in wanted.made_of(share_alike)}
        assert not any(source.share_alike for source in wanted.made_of(share_alike=False))
    assert used == set(sources.sources())
