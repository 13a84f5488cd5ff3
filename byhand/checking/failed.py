"""The error a failed check raises, and what is known about an error of the learner's own code.

Order: CheckFailed, then Origin (where an error came from), then how text is kept short and narrow.
"""

from __future__ import annotations

import linecache
import os
import sys
import textwrap
from dataclasses import dataclass
from types import FrameType
from typing import Any

MESSAGE_LIMIT = 2000
WIDTH = 90
DISPATCH = os.path.join("torch", "nn", "modules", "module.py")


class CheckFailed(AssertionError):  # noqa: N818 - a verdict on an answer, not an error of this program
    """An answer is not right. The message is written for the learner and is at most 2,000 characters."""

    def __init__(self, message: str) -> None:
        super().__init__(clip(message, MESSAGE_LIMIT))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: the message and, if known, the learner's line."""
        lines = str(self).splitlines()
        if self.__cause__ is not None and (place := origin_of(self.__cause__).place):
            lines.append(f"  It happened in {place}")
        return [part for line in lines for part in wrapped(line)]


@dataclass(frozen=True)
class Origin:
    """What is known about an error that the learner's code raised.

    A judge that runs the learner's code in another process attaches one as `error.origin`.
    names: the error's class and that class's bases, nearest first: ("ValueError", "Exception").
    function: qualified name of the innermost function of the learner's cells, "" if unknown.
    place: cell, line and text, as in "cell In[3], line 5: return x / 0", "" if unknown.
    """

    names: tuple[str, ...]
    text: str
    function: str = ""
    place: str = ""

    def is_a(self, error: type[BaseException]) -> bool:
        return error.__name__ in self.names

    def __str__(self) -> str:
        return clip(f"{self.names[0]}: {self.text}" if self.text else self.names[0], 600)


def origin_of(error: BaseException) -> Origin:
    """What is known about `error`: what the judge attached, else what its traceback says."""
    attached = getattr(error, "origin", None)
    if isinstance(attached, Origin):
        return attached
    names = tuple(clip(cls.__name__, 80) for cls in type(error).__mro__ if issubclass(cls, BaseException))
    frame, line = _innermost_cell(error)
    if frame is None:
        return Origin(names, _text(error))
    code = frame.f_code
    source = linecache.getline(code.co_filename, line).strip()
    place = clip(f"{_cell_name(code.co_filename)}, line {line}: {source}", 300)
    function = getattr(code, "co_qualname", code.co_name)
    return Origin(names, _text(error), "" if function == "<module>" else function, place)


def _innermost_cell(error: BaseException) -> tuple[FrameType | None, int]:
    found: tuple[FrameType | None, int] = (None, 0)
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        # A notebook cell has text in linecache but no file on disk.
        if linecache.getline(file, trace.tb_lineno) and not os.path.exists(file):
            found = (trace.tb_frame, trace.tb_lineno)
        trace = trace.tb_next
    return found


def hide_dispatch(error: BaseException) -> None:
    """Take the steps of torch's Module.__call__ out of the traceback; they push the learner's line away."""
    trace = error.__traceback__
    while trace is not None:
        after = trace.tb_next
        while after is not None and after.tb_frame.f_code.co_filename.endswith(DISPATCH):
            after = after.tb_next
        trace.tb_next = after
        trace = after


def _cell_name(file: str) -> str:
    shell = notebook_shell()
    try:
        kind, name = shell.compile.format_code_name(file)
    except Exception:
        return "the cell"
    return f"{str(kind).lower()} {name}"


def notebook_shell() -> Any:
    """IPython's shell if this process is a notebook's kernel, else None. Imports nothing."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def wrapped(line: str) -> list[str]:
    """A line as lines of at most 90 characters, broken at spaces, the later ones indented further.

    JupyterLab breaks longer ones anywhere, inside words too.
    """
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    options = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.wrap(line, WIDTH, subsequent_indent=indent, **options) or [""]  # type: ignore[arg-type]


def clip(text: str, limit: int) -> str:
    """The text, its middle cut out if it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    return f"{text[:head]} … {text[len(text) - (limit - head - 3) :]}"
