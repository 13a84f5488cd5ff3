"""What a notebook file may hold, and what is said of one that cannot be read."""

from __future__ import annotations

import json

import pytest

from autograder.intake.triage import rebuild
from tests.autograder.intake.test_triage import DOT, LESSON, RELEASED, notebook, own, take, text_of


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_read(encoding: str):
    data = json.dumps(notebook(dot=DOT + "  # 注意")).encode(encoding)
    assert text_of(rebuild(LESSON, RELEASED, data), "dot").endswith("注意")


def test_lone_surrogates_and_nuls_cannot_reach_a_file():
    rebuilt = take(notebook(dot=DOT + "  # \ud800\0"))
    assert text_of(rebuilt, "dot") == DOT + "  # \ufffd"
    assert "NUL" in rebuilt.notes[0]


GOOD = json.dumps(notebook(dot=DOT)).encode()
UNREADABLE = {
    "empty": (b"", "is empty"),
    "only NULs": (b"\0" * 100, "is empty"),
    "truncated": (GOOD[: len(GOOD) // 2], "cut off"),
    "text": (b"hello", "line 1, column 1"),
    "web page": (b"<!DOCTYPE html><html>", "web page"),
    "merge": (GOOD[:-2] + b"<<<<<<< HEAD\n>>>>>>> x\n", "Git merge"),
    "list": (b"[1, 2]", "holds a list"),
    "string": (b'"abc"', "holds a text"),
    "number": (b"5", "holds a number"),
    "null": (b"null", "holds null"),
    "no cells": (b'{"nbformat": 4}', "no list of cells"),
    "cells is text": (b'{"cells": "abc"}', "no list of cells"),
    "another lesson": (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "1"}]}', "another lesson"),
    "deep": (b'{"cells": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "too deeply"),
    "deep object": (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "too deeply"),
    "a million lists": (b"[" + b"[]," * 1_000_001 + b"[]]", "more than 1000000"),
    "many cells": (json.dumps({"cells": [own("1")] * 2001}).encode(), "2001 cells"),
    "huge number": (b'{"nbformat": ' + b"9" * 100_000 + b"}", "no list of cells"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_said_in_one_sentence(case: str):
    data, reads = UNREADABLE[case]
    rebuilt = rebuild(LESSON, RELEASED, data)
    assert reads in rebuilt.problem
    assert rebuilt.problem.count("\n") == 0
    assert text_of(rebuilt, "dot") == ""


def test_cells_that_are_no_cells_are_left_out():
    book = notebook(dot=DOT)
    book["cells"] += [
        None,
        5,
        {"cell_type": "code"},
        {"cell_type": "code", "source": {"a": 1}},
        own("x" * 1_000_001),
    ]
    rebuilt = take(book)
    assert text_of(rebuilt, "dot") == DOT
    assert len(rebuilt.notes) == 5


@pytest.mark.parametrize("metadata", [None, [], "x", {"nbgrader": []}, {"nbgrader": {"grade_id": ["dot"]}}])
def test_odd_metadata_does_not_matter(metadata: object):
    book = notebook(dot=DOT)
    for cell in book["cells"]:
        cell["metadata"] = metadata
    assert text_of(take(book), "dot") == DOT
