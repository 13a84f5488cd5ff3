"""Texts of one's own: folders, tables and hub data sets give pairs; what does not fit is a sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from byhand import data
from byhand.data import split
from tests import parcel

PAIRS = sorted(parcel.sentences()[:20])
ENGLISH, CHINESE = ("\n".join(side) + "\n" for side in zip(*PAIRS, strict=True))
RECORDS = [
    {"id": at, "translation": {"en": english, "zh": chinese}} for at, (english, chinese) in enumerate(PAIRS)
]

# The part of the package `datasets` that is used, for a data set of one local file.
STUB = """
import json
def load_dataset(name, split, **more):
    if name == "owner/none":
        raise FileNotFoundError("Dataset 'owner/none' doesn't exist on the Hub\\nmore")
    return [json.loads(line) for line in open(name + "/" + split + ".jsonl", encoding="utf-8")]
"""


def test_files_side_by_side_are_joined_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_text(ENGLISH, encoding="utf-8")
    (tmp_path / "a.zh").write_text(CHINESE, encoding="utf-8-sig")
    assert data.from_files(tmp_path) == PAIRS
    assert data.from_files(tmp_path)[0].english == PAIRS[0][0]


def test_tables_in_the_folder_are_read_too(tmp_path: Path) -> None:
    lines = [f"{english}\t{chinese}\n" for english, chinese in PAIRS[:5]]
    (tmp_path / "a.tsv").write_text("".join(lines), encoding="utf-8")
    rows = [f'"{english}","{chinese}"\n' for english, chinese in PAIRS[5:10]]
    (tmp_path / "b.csv").write_text("en,zh\n" + "".join(rows), encoding="utf-8")
    records = [json.dumps({"en": english, "zh": chinese}) for english, chinese in PAIRS[10:]]
    (tmp_path / "c.jsonl").write_text("\n".join(records), encoding="utf-8")
    assert data.from_files(tmp_path) == PAIRS


def test_what_fails_the_rules_goes_unless_all_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("Open the door\t打开门\nDoor\t门\n", encoding="utf-8")
    assert data.from_files(tmp_path) == [("Open the door", "打开门")]
    assert len(data.from_files(tmp_path, clean=False)) == 2


def test_a_column_inside_a_column_is_named_with_a_dot(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    assert data.from_table(path, "translation.en", "translation.zh") == PAIRS
    with pytest.raises(
        data.DataError, match=r"has no column 'translation\.de'\.\n  Its columns: id, translation"
    ):
        data.from_table(path, "translation.en", "translation.de")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds no text: neither"),
        ({"a.en": b"one\n"}, "a.en has no translation: there is no a.zh beside it."),
        ({"a.en": b"one\ntwo\n", "a.zh": b"one\n"}, "a.en has 2 lines, a.zh 1."),
        ({"a.tsv": b"one\n"}, "a.tsv, line 1: 1 columns, not 2"),
        ({"a.tsv": b"\xff\xfe\n"}, "a.tsv is not UTF-8"),
        ({"a.tsv": b"one\ttwo\n"}, "gave no pairs: none of its 1 rows passed the rules"),
    ],
)
def test_what_does_not_fit_is_a_sentence(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(data.DataError) as raised:
        data.from_files(tmp_path)
    assert said in str(raised.value)


def test_a_hub_data_set_is_read_by_its_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "datasets.py").write_text(STUB, encoding="utf-8")
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, RECORDS)), encoding="utf-8")
    monkeypatch.delitem(sys.modules, "datasets", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    columns = ("translation.en", "translation.zh")
    assert data.from_hub(str(tmp_path), *columns, split="test") == PAIRS
    with pytest.raises(
        data.DataError, match=r"owner/none could not be loaded \(FileNotFoundError: [^\n]*Hub\)"
    ):
        data.from_hub("owner/none", *columns)
    monkeypatch.delitem(sys.modules, "datasets")


def test_without_the_optional_package_the_next_step_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        data.DataError, match=r"-m pip install datasets\n  Without it: data\.from_table reads"
    ):
        data.from_hub("owner/name", "en", "zh")


def test_own_texts_are_split_without_leaks() -> None:
    made = data.splits([data.Pair(*row) for row in parcel.sentences()], valid=0.2, test=0.2)
    assert {name: len(rows) > 0 for name, rows in made.items()} == {
        "train": True,
        "valid": True,
        "test": True,
    }
    assert split.leaks(made, lambda pair: pair.english) == (0, 0)
