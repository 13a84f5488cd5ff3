"""The attack corpus: submissions that try to get points, data or time that are not theirs.

Each module is one class of attack from the threat model: `steal`, `fake`, `escape`, `exhaust`,
`malformed`; `fair` holds odd but right answers that must earn every point. They are written for the
tiny lesson, so that the whole corpus can be graded in a minute; `corpus()` lists it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Files = Mapping[str, "bytes | Path"]  # a Path stands for a symbolic link to it


@dataclass(frozen=True)
class Kit:
    """What an attacker is generously assumed to know: every path, and the notebook that was released.

    token: a word that attacks put into files, processes and outputs, so that what they leave can be found.
    """

    released: bytes
    course: Path
    solutions: Path
    token: str

    def notebook(self) -> dict[str, Any]:
        return json.loads(self.released)  # type: ignore[no-any-return]

    def answered(self, **answers: str) -> bytes:
        """The released notebook with these texts in the solution cells of these names."""
        notebook = self.notebook()
        for cell in notebook["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            if name in answers:
                cell["source"] = self.fill(answers[name])
        return to_bytes(notebook)

    def fill(self, text: str) -> str:
        """Put the paths an attack names into its text."""
        for word in ("course", "solutions", "token"):
            text = text.replace(f"@{word}@", str(getattr(self, word)))
        return text


@dataclass(frozen=True)
class Attack:
    """A submission and what must come of it. points: exercise -> points earned, 0 where not named."""

    name: str
    files: Callable[[Kit], Files]
    points: Mapping[str, float] = field(default_factory=dict)


FILE = "90_tiny.ipynb"
ZEROS = "\ndef dot(query, keys):\n    return np.zeros(len(keys))\n"  # wrong, but of the right type and shape
RIGHT_DOT = "\ndef dot(query, keys):\n    return SCALE * (keys @ query)\n"
RIGHT_SHARE = "\ndef share(scores):\n    return scores / scores.sum()\n"


def in_cell(name: str, text: str, **points: float) -> Attack:
    """An attack made of the text of one solution cell; the other exercise stays unanswered."""
    return Attack(name, lambda kit: {FILE: kit.answered(dot=text)}, points)


def changed(name: str, change: Callable[[dict[str, Any]], Any], **points: float) -> Attack:
    """An attack made by changing the notebook, a dict, in place; both answers in it are wrong."""

    def files(kit: Kit) -> Files:
        notebook = json.loads(kit.answered(dot=ZEROS, share="def share(scores):\n    return scores * 0\n"))
        result = change(notebook)
        return {FILE: to_bytes(notebook if result is None else result)}

    return Attack(name, files, points)


def to_bytes(notebook: Any) -> bytes:
    return json.dumps(notebook).encode("utf-8", errors="surrogatepass")


def corpus() -> list[Attack]:
    from tests.attacks import escape, exhaust, fair, fake, malformed, steal

    modules = (steal, fake, escape, exhaust, malformed, fair)
    return [attack for module in modules for attack in module.ATTACKS]
