"""The course's own prose, paragraph by paragraph, out of its notebooks: what lesson 06 searches.

    passages.course()    [Passage("03_self_attention", "Each token plays three parts. …"), …]

Order: all passages, those of one notebook.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LESSONS = Path(__file__).resolve().parent.parent / "lessons"
SHORTEST, LONGEST = 60, 600  # characters: no headings, no long lists

_PLAIN = (
    (re.compile(r"<details>.*?</details>", re.DOTALL), ""),  # answers and hints
    (re.compile(r"^#.*$", re.MULTILINE), ""),  # headings
    (re.compile(r"\$\$.*?\$\$|<[^>]+>|[*`]", re.DOTALL), ""),
    (re.compile(r"\\[a-z]+|[{}$]"), " "),
    (re.compile(r"^\s*(?:[->|]+|\d+\.)\s*", re.MULTILINE), ""),
    (re.compile(r"\s+"), " "),
)


class Passage(NamedTuple):
    """A paragraph and the lesson that it stands in."""

    lesson: str
    text: str


def course(folder: Path = LESSONS) -> list[Passage]:
    """Every paragraph of the lessons' prose, in order, each once."""
    found = {text: path.stem for path in sorted(folder.glob("*/*.ipynb"))[::-1] for text in of_notebook(path)}
    return sorted(Passage(lesson, text) for text, lesson in found.items())


def of_notebook(path: Path) -> Iterator[str]:
    """The paragraphs and list items of a notebook's markdown cells, without formulas and marks."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            for part in re.split(r"\n\s*\n|\n(?=\s*(?:-|\d+\.) )", "".join(cell["source"])):
                text = plain(part)
                if SHORTEST <= len(text) <= LONGEST and "|" not in text:
                    yield text


def plain(markdown: str) -> str:
    """The text as one reads it."""
    for pattern, instead in _PLAIN:
        markdown = pattern.sub(instead, markdown)
    return html.unescape(markdown).strip()
