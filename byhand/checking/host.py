"""What checks need from where they run: a learner's notebook here, the judge's process when grading.

`byhand.check.host` is one object of this class. A judge sets its own, a subclass of Host that
overrides what differs: where the submitted text is, how to limit and differentiate code that runs
in another process, and what to do with a result.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from byhand.checking import cost, gradient, show, source
from byhand.checking.failed import notebook_shell

PROGRESS = ".progress.json"


class Host:
    """A learner's own notebook."""

    def __init__(self) -> None:
        self._passed: dict[str, bool] = {}

    @property
    def grading(self) -> bool:
        """Whether hidden checks run too."""
        return bool(os.environ.get("BYHAND_GRADING"))

    def rng_seed(self) -> int:
        """The seed of this run's random inputs: BYHAND_SEED, else a new one each time."""
        text = os.environ.get("BYHAND_SEED", "")
        return int(text) if text.lstrip("-").isdigit() else secrets.randbits(63)

    def type_name(self, value: object) -> str:
        """What to call the class of an answer; a judge names the class behind its remote reference."""
        return show.type_name(value)

    def cells(self) -> Sequence[str]:
        """The text of every cell the learner ran, oldest first."""
        shell = notebook_shell()
        return [str(text) for text in shell.history_manager.input_hist_raw] if shell else []

    def exercises(self) -> Collection[str] | None:
        """The names of all exercises. None: not known here; cells() holds old versions of cells, too."""
        return None

    def later(self, name: str) -> Sequence[str]:
        """The text of cells between the solution cell called `name` and its check, where that is known."""
        return ()

    def text_of(self, name: str) -> str:
        """The text of the solution cell called `name`, "" if there is none."""
        texts = (text for text in reversed(self.cells()) if name in text)
        return next((text for text in texts if _defines(text, name)), "")

    def results(self, function: Callable[..., Any], cases: Sequence[Sequence[Any]]) -> Iterator[Any]:
        """function(*case) for each case in order, each when it is asked for."""
        __tracebackhide__ = True
        for case in cases:
            yield function(*case)

    def limited(
        self, function: Callable[[], Any], max_bytes: int | None, max_seconds: float | None
    ) -> cost.Used:
        """Run the function under a memory limit; raises what it raises. Says what it used."""
        return cost.limited(function, max_bytes)

    def backward(
        self, function: Callable[..., Any], inputs: Sequence[Any], cotangent: Any = None
    ) -> tuple[Any, list[Any]]:
        """Run a function forward and backward: (output, the gradient of each input or None)."""
        return gradient.backward(function, inputs, cotangent)

    def passed(self, name: str) -> bool | None:
        """Whether the exercise passed when last checked in this session; None if it was not checked."""
        return self._passed.get(name)

    def written(self, name: str) -> bool:
        """Whether the solution cell called `name` has more than the line that a lesson puts there."""
        return "raise NotImplementedError" not in self.text_of(name)

    def excused(self, name: str, parts: Sequence[str], early: bool = False) -> bool:
        """Whether a training that is written may use the course's classes, since one of `parts` is mistaken.

        early: hidden checks are still to come, so a part may yet turn out to be.
        """
        return self.written(name) and (early or any(self.passed(part) is False for part in parts))

    def record(self, name: str, passed: bool, message: str) -> None:
        """Remember a result; in a notebook that is not being graded, also beside it in .progress.json."""
        self._passed[name] = passed
        if notebook_shell() is None or self.grading:
            return
        # A folder that cannot be written costs the learner a record, not a check.
        with contextlib.suppress(OSError):
            _write_progress(Path(PROGRESS), name, passed)


def _write_progress(path: Path, name: str, passed: bool) -> None:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    known[name] = {"passed": passed, "checked": datetime.now().astimezone().isoformat(timespec="seconds")}
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)


def _defines(text: str, name: str) -> bool:
    tree = source.parse(text)
    if isinstance(tree, SyntaxError):
        return False
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) and node.name == name:
            return True
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            return True
    return False
