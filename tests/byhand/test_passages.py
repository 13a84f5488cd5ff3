"""byhand.passages: prose out of notebooks, without formulas, answers, code and marks."""

from __future__ import annotations

import json
from pathlib import Path

from byhand import passages

PROSE = """### Heading
A mask is **boolean** and `True` means that the query may attend to the key, as in $S \\ge T$.

<details><summary>Answer</summary>This is the answer to a question, and it must never be found.</details>

- The first item of a list that is long enough to be a passage of its own.
- short

| a table | is no passage | however long it may be and whatever it may hold |
"""


def notebook(folder: Path, name: str) -> None:
    cells = [{"cell_type": "markdown", "source": [PROSE]}, {"cell_type": "code", "source": [PROSE]}]
    (folder / name).mkdir()
    (folder / name / f"{name}.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")


def test_prose_becomes_plain_passages_each_once_in_its_first_lesson(tmp_path: Path) -> None:
    notebook(tmp_path, "01_one")
    notebook(tmp_path, "02_two")
    assert passages.course(tmp_path) == [
        (
            "01_one",
            "A mask is boolean and True means that the query may attend to the key, as in S T .",
        ),
        ("01_one", "The first item of a list that is long enough to be a passage of its own."),
    ]


def test_the_course_has_passages_of_each_lesson() -> None:
    found = passages.course()
    assert {passage.lesson for passage in found} == {
        path.parent.name for path in passages.LESSONS.glob("*/*.ipynb")
    }
    assert all(passages.SHORTEST <= len(passage.text) <= passages.LONGEST for passage in found)
