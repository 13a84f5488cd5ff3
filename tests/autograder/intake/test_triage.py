"""What is taken of a submission, however it arrives: rebuilding and repairs."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from autograder.author.lesson import read
from autograder.author.release import learner_notebook, to_bytes
from autograder.author.released import released
from autograder.intake.triage import rebuild
from tests.places import TINY

NAME = "90_tiny"
LESSON = read(NAME, TINY)
RELEASED = released(LESSON)
BLANK = json.loads(to_bytes(learner_notebook(LESSON)))
DOT = "def dot(query, keys):\n    return SCALE * (keys @ query)"
SHARE = "def share(scores):\n    return scores / scores.sum()"


def notebook(**answers: str) -> dict[str, Any]:
    """The released notebook with some answers written into it."""
    book = copy.deepcopy(BLANK)
    for grade_id, text in answers.items():
        cell_of(book, grade_id)["source"] = text
    return book


def cell_of(book: dict[str, Any], grade_id: str) -> dict[str, Any]:
    return next(
        cell for cell in book["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id
    )


def index_of(book: dict[str, Any], grade_id: str) -> int:
    return book["cells"].index(cell_of(book, grade_id))


def own(text: str, kind: str = "code") -> dict[str, Any]:
    return {
        "cell_type": kind,
        "id": "own",
        "metadata": {},
        "source": text,
        "outputs": [],
        "execution_count": None,
    }


def take(book: object) -> Any:
    return rebuild(LESSON, RELEASED, json.dumps(book).encode())


def text_of(rebuilt: Any, grade_id: str) -> str:
    return next(cell.source for cell in rebuilt.cells if cell.grade_id == grade_id)


def strip_metadata(book: dict[str, Any], ids: bool = False) -> dict[str, Any]:
    for cell in book["cells"]:
        cell["metadata"] = {}
        if ids:
            cell.pop("id")
    return book


# ---- rebuild


def test_answers_are_put_into_the_lessons_own_cells():
    rebuilt = take(notebook(dot=DOT, share=SHARE))
    assert text_of(rebuilt, "dot") == DOT
    assert text_of(rebuilt, "share") == SHARE
    assert rebuilt.answered == {"dot", "share"}
    assert rebuilt.notes == ()


def test_an_untouched_notebook_counts_as_unanswered():
    rebuilt = take(BLANK)
    assert rebuilt.answered == frozenset()
    assert "Not written yet" in text_of(rebuilt, "dot")


def test_tests_come_from_the_source_whatever_is_handed_in():
    book = notebook(dot=DOT)
    cell_of(book, "test_dot")["source"] = "pass"
    book["cells"].remove(cell_of(book, "test_share"))
    cell_of(book, "test_dot")["metadata"]["tags"] = ["skip-execution"]
    rebuilt = take(book)
    for cell in LESSON.of_kind("test"):
        assert text_of(rebuilt, cell.grade_id) == cell.source
    assert [cell.points for cell in rebuilt.cells] == [cell.points for cell in LESSON.cells]


def test_a_test_renamed_or_copied_is_no_test_of_ours():
    book = notebook(dot=DOT)
    forged = copy.deepcopy(cell_of(book, "test_dot"))
    forged["metadata"]["nbgrader"]["grade_id"] = "test_forged"
    forged["source"] = "print('mine')"
    book["cells"].append(forged)
    rebuilt = take(book)
    assert [cell.kind for cell in rebuilt.cells if cell.source == "print('mine')"] == ["code"]
    assert sum(cell.kind == "test" for cell in rebuilt.cells) == 2


def test_own_cells_stay_behind_the_cell_they_came_after():
    book = notebook(dot=DOT)
    book["cells"].insert(index_of(book, "dot"), own("import math"))
    book["cells"].insert(index_of(book, "dot") + 1, own("print(dot)"))
    book["cells"].insert(0, own("first = 1"))
    rebuilt = take(book)
    order = [cell.source for cell in rebuilt.cells]
    assert order[0] == "first = 1"
    assert order.index("import math") + 1 == order.index(DOT) == order.index("print(dot)") - 1
    assert {rebuilt.cells[place].source for place in rebuilt.own} == {
        "first = 1",
        "import math",
        "print(dot)",
    }


def test_moving_a_lessons_cell_does_not_carry_own_cells_along():
    book = notebook(dot=DOT)
    book["cells"].insert(index_of(book, "dot"), own("helper = 1"))
    book["cells"].insert(0, book["cells"].pop(index_of(book, "doubled")))
    order = [cell.source for cell in take(book).cells]
    assert order.index("helper = 1") < order.index(DOT)


def test_a_changed_set_up_cell_runs_as_changed_and_a_deleted_one_comes_back():
    book = notebook(dot=DOT)
    book["cells"][1]["source"] += "\nimport math"
    assert take(book).cells[1].source.endswith("import math")
    del book["cells"][1]
    assert take(book).cells[1].source == LESSON.cells[1].source


def test_the_hand_graded_answer_is_taken_and_known_as_answered():
    rebuilt = take(notebook(doubled="They stay."))
    assert text_of(rebuilt, "doubled") == "They stay."
    assert rebuilt.answered == {"doubled"}


# ---- repairs


@pytest.mark.parametrize("ids", [False, True], ids=["VS Code keeps ids", "Colab drops them"])
def test_stripped_metadata_loses_no_answer(ids: bool):
    rebuilt = take(strip_metadata(notebook(dot=DOT, share=SHARE), ids))
    assert text_of(rebuilt, "dot") == DOT
    assert text_of(rebuilt, "share") == SHARE
    assert rebuilt.own == frozenset()


def test_a_copied_cell_counts_as_last_written():
    book = notebook(dot=DOT.replace("SCALE", "0"))
    later = copy.deepcopy(cell_of(book, "dot")) | {"source": DOT}
    book["cells"].insert(index_of(book, "dot") + 1, later)
    rebuilt = take(book)
    assert text_of(rebuilt, "dot") == DOT
    assert rebuilt.notes == ("The cell dot was there 2 times; the last complete one was graded.",)


def test_a_copy_that_is_still_the_stub_never_replaces_an_answer():
    book = notebook(dot=DOT)
    book["cells"].append(copy.deepcopy(cell_of(BLANK, "dot")))
    rebuilt = take(book)
    assert text_of(rebuilt, "dot") == DOT
    assert rebuilt.notes == ()


def test_a_split_solution_cell_is_joined():
    book = notebook(dot="def dot(query, keys):\n    scores = keys @ query")
    rest = copy.deepcopy(cell_of(book, "dot")) | {"source": "    return SCALE * scores"}
    book["cells"].insert(index_of(book, "dot") + 1, rest)
    rebuilt = take(book)
    assert (
        text_of(rebuilt, "dot")
        == "def dot(query, keys):\n    scores = keys @ query\n    return SCALE * scores"
    )
    assert "joined" in rebuilt.notes[0]


def test_a_helper_split_off_still_runs():
    book = notebook(dot="helper = 1")
    whole = copy.deepcopy(cell_of(book, "dot")) | {"source": DOT}
    book["cells"].insert(index_of(book, "dot") + 1, whole)
    rebuilt = take(book)
    assert text_of(rebuilt, "dot") == DOT
    assert "helper = 1" in [cell.source for cell in rebuilt.cells if cell.kind == "code"]


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_an_answer_in_a_text_cell_is_graded_as_code(kind: str):
    book = notebook(dot=DOT)
    cell_of(book, "dot")["cell_type"] = kind
    rebuilt = take(book)
    assert text_of(rebuilt, "dot") == DOT
    assert "text cell" in rebuilt.notes[0]


def test_a_deleted_solution_is_found_where_it_moved_to():
    book = notebook()
    book["cells"].remove(cell_of(book, "dot"))
    book["cells"].insert(2, own(DOT))
    rebuilt = take(book)
    assert text_of(rebuilt, "dot") == DOT
    assert rebuilt.notes == ("The cell dot was found by its name in a cell of your own.",)


def test_a_solution_that_is_nowhere_is_said_to_be_missing():
    book = notebook(share=SHARE)
    book["cells"].remove(cell_of(book, "dot"))
    rebuilt = take(book)
    assert text_of(rebuilt, "dot") == ""
    assert rebuilt.notes == ("The cell dot was missing from the notebook.",)


def test_an_emptied_solution_is_unanswered():
    rebuilt = take(notebook(dot=" \n"))
    assert "dot" not in rebuilt.answered


@pytest.mark.parametrize("version", [2, 3])
def test_worksheets_of_old_formats_are_read(version: int):
    book = notebook(dot=DOT)
    cells = [{**cell, "input": cell["source"]} for cell in book["cells"]]
    for cell in cells:
        if cell["cell_type"] == "code":
            del cell["source"]
    rebuilt = take(
        {"nbformat": version, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}
    )
    assert text_of(rebuilt, "dot") == DOT
    assert f"format {version}" in rebuilt.notes[0]


def test_a_format_of_the_future_is_read_as_far_as_it_goes():
    rebuilt = take(notebook(dot=DOT) | {"nbformat": 99})
    assert text_of(rebuilt, "dot") == DOT
    assert "format 99" in rebuilt.notes[0]


def test_schema_versions_and_duplicate_ids_do_not_matter():
    book = notebook(dot=DOT)
    for cell in book["cells"]:
        cell["id"] = "same"
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["schema_version"] = 99
    assert text_of(take(book), "dot") == DOT
