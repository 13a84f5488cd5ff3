"""Readers: each finds the translations in a file of its kind, and nothing that is not one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from byhand.data import read
from byhand.data.sources import DataError, Source
from tests import parcel

PO = """
msgid ""
msgstr "Language: zh\\n"

#: a.py:1
msgid "Open the door"
msgstr "打开门"

#, fuzzy
msgid "Close the door"
msgstr "打开门"

#, python-format
msgctxt "menu"
msgid ""
"Say \\"hello\\" "
"to %s\\n"
msgstr ""
"向 %s "
"问好\\n"

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d 个文件"

msgid "Not yet translated"
msgstr ""

#~ msgid "An old text"
#~ msgstr "旧文本"
"""


def found(reader: str, archive: dict[str, bytes], /, **options: str) -> list[tuple[str, str]]:
    source = Source("made-up", "made-up", "1.0", (), "", "", "", reader, options={"files": "*", **options})
    return list(read.READERS[reader](archive, source))


def test_a_catalogue_gives_translations_but_no_fuzzy_old_or_empty_ones() -> None:
    assert found("po", {"a.po": PO.encode()}) == [
        ("Open the door", "打开门"),
        ('Say "hello" to %s\n', "向 %s 问好\n"),
        ("%d files", "%d 个文件"),
    ]


def test_trees_are_joined_by_key() -> None:
    english = {"a": {"b": "One two", "c": "Only here"}, "d": "Three"}
    chinese = {"a": {"b": "一二", "e": "只在这里"}, "d": ["三"]}
    files = {"x/en.json": json.dumps(english).encode(), "x/zh.json": json.dumps(chinese).encode()}
    assert found("json_trees", files, files="*/zh.json", chinese="zh.json", english="en.json") == [
        ("One two", "一二")
    ]


def test_a_context_is_no_part_of_the_text() -> None:
    catalogue = {"": {"domain": "x"}, "menu\x04Open it": ["打开它"], "Close it": ["关闭它"]}
    assert found("jed", {"a.json": json.dumps(catalogue).encode()}) == [
        ("Open it", "打开它"),
        ("Close it", "关闭它"),
    ]


def test_messages_of_a_compiler_are_joined_by_key() -> None:
    code = rb'x: diag(1002, 1 /* Error */, "Not_closed_1002", "The \"text\" is not closed."),'
    files = {"code.js": code, "zh.json": '{"Not_closed_1002": "文本未关闭。", "Other_1": "别的"}'.encode()}
    rows = found("diagnostics", files, files="zh.json", english="code.js")
    assert rows == [('The "text" is not closed.', "文本未关闭。")]


def test_paragraphs_of_help_pages_are_joined_by_id() -> None:
    english = b'<p id="par_1" class="x">Open <b>it</b>\n now</p><h1 id="hd_2">Title</h1><p>none</p>'
    chinese = '<p id="par_1" dir="auto">现在打开</p><p id="par_9">别的</p>'.encode()
    files = {"/en/a.html": english, "/zh/a.html": chinese, "/zh/b.html": chinese}
    rows = found("help_pages", files, files="/zh/*", chinese="/zh/", english="/en/")
    assert rows == [("Open <b>it</b> now", "现在打开")]


def test_sentences_rated_near_zero_are_left_out() -> None:
    table = 'id,sentiment,text\n1,2.5,"Fine, really"\n2,-0.5,Dull\n3,0.4,Well\n'
    rows = found("rated", {"a.csv.gz": gzip.compress(table.encode())}, margin="0.5")
    assert rows == [("Fine, really", "positive"), ("Dull", "negative")]


def test_questions_come_with_the_name_of_their_class() -> None:
    rows = found(
        "questions", {"a.txt": b"HUM:ind Who is it ?\nLOC:city Where ?\n"}, HUM="human", LOC="location"
    )
    assert rows == [("Who is it ?", "human"), ("Where ?", "location")]


@pytest.mark.parametrize("kind", ["whl", "tgz", "deb"])
def test_every_kind_of_package_is_read_the_same(kind: str, tmp_path: Path) -> None:
    files = {"b/one.txt": "一".encode(), "a/two.txt": b"two"}
    path = tmp_path / f"made.{kind}"
    if kind == "whl":
        path = parcel.wheel(tmp_path, "made", files)
    else:
        path.write_bytes(parcel.tar(files) if kind == "tgz" else parcel.debian(files))
    archive = read.open_archive(path)
    assert {name: archive[name] for name in archive if name.endswith(".txt")} == files
    assert list(archive) == sorted(archive)


def test_a_debian_package_without_data_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.deb").write_bytes(b"!<arch>\n")
    with pytest.raises(DataError, match=r"without data\.tar: it is not whole"):
        read.open_archive(tmp_path / "a.deb")
