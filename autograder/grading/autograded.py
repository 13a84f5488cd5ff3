"""Write autograded/STUDENT/LESSON as nbgrader, its formgrader and its feedback expect it.

    rebuilt cells + Report --compose--> notebook bytes --publish--> autograded/ana/01_scoring/

Learner's cells stand with what they printed and drew, test cells with what they said. Test cells show
what learners were given, never the hidden part. Whatever came from the learner is made harmless for
the browsers of graders and learners: no scripts, no frames, no links that act. Order: as above.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import bleach  # type: ignore[import-untyped]

from autograder.author.lesson import Cell, Lesson
from autograder.author.released import Released
from autograder.grading.worklist import clear_half_written, write_whole
from autograder.intake.triage import Rebuilt
from autograder.verdict import Report, Verdict

READ_ONLY = 0o444  # as nbgrader leaves them
MAX_TEXT = 200_000  # characters of one output, should the grader have let more through
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_TABLE = ("caption", "col", "colgroup", "table", "tbody", "td", "tfoot", "th", "thead", "tr")
_TEXT = ("b", "br", "code", "div", "em", "h1", "h2", "h3", "h4", "hr", "i", "li", "ol", "p", "pre", "small")
_TAGS = frozenset((*_TABLE, *_TEXT, "span", "strong", "sub", "sup", "ul"))
_ATTRIBUTES = {"*": ["class"], "td": ["colspan", "rowspan"], "th": ["colspan", "rowspan", "scope"]}


def compose(lesson: Lesson, released: Released, rebuilt: Rebuilt, report: Report) -> bytes:
    """The autograded notebook. The same report gives the same bytes."""
    runs = {run.index: run.outputs for run in report.runs}
    verdicts = {verdict.test: verdict for verdict in report.verdicts}
    cells = [_note_cell(report)] if report.notes else []
    places = iter(range(len(lesson.cells)))
    for index, cell in enumerate(rebuilt.cells):
        if index in rebuilt.own:
            node = {"id": f"own-{index}", "metadata": {}, "source": _shown(cell)}
        else:
            place = next(places)
            text = released.texts[place] if cell.kind in ("test", "markdown") else _shown(cell)
            node = {"id": released.ids[place], "metadata": released.metadata[place], "source": text}
        cells.append(_typed(node, cell, runs.get(index, ()), verdicts.get(cell.grade_id)))
    about = {"seed": report.seed, "sandboxed": report.sandboxed}
    metadata = {**released.notebook_metadata, "autograder": about}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _typed(
    node: dict[str, Any], cell: Cell, outputs: Iterable[Mapping[str, Any]], verdict: Verdict | None
) -> dict[str, Any]:
    if cell.kind in ("markdown", "written"):
        return {**node, "cell_type": "markdown"}
    if cell.kind == "test":
        made = _test_outputs(verdict)
    else:
        made = [kept for output in outputs if (kept := harmless(output)) is not None]
    return {**node, "cell_type": "code", "execution_count": None, "outputs": made}


def _test_outputs(verdict: Verdict | None) -> list[dict[str, Any]]:
    """What a check says, in the form by which nbgrader knows a pass (a stream) from a failure (an error)."""
    if verdict is None:
        return [_stream("This check was not run.")]
    message = verdict.message[:MAX_TEXT]
    if verdict.status == "passed":
        return [_stream(message or f"{verdict.exercise}: passed.")]
    if verdict.status == "unchecked" and verdict.fault == "grader":
        return [_stream(f"Could not be checked: {message} This is the grader's fault and costs no points.")]
    name = "CheckFailed" if verdict.status == "failed" else "NotChecked"
    return [{"output_type": "error", "ename": name, "evalue": message, "traceback": [message]}]


def _stream(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text + "\n"}


def _note_cell(report: Report) -> dict[str, Any]:
    lines = "\n".join(f"- {_plain(note)}" for note in report.notes)
    text = f"**About this submission**\n\n{lines}"
    return {"id": "autograder-notes", "cell_type": "markdown", "metadata": {}, "source": text}


def _plain(text: str) -> str:
    """Text that markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|!$&])", r"\\\1", text.replace("\n", " "))


def _shown(cell: Cell) -> str:
    """What a learner wrote. In markdown their tags would act in the grader's browser, so they become text."""
    return cell.source if cell.kind in ("code", "solution") else _TAG.sub("&lt;", cell.source)


def harmless(output: Mapping[str, Any]) -> dict[str, Any] | None:
    """An output that can be shown to others: text, pictures, and of HTML only tables and the like."""
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": "stream", "name": name, "text": _text(output.get("text"))}
    if kind == "error":
        lines = [_text(line) for line in _lines(output.get("traceback"))]
        said = {"ename": _text(output.get("ename")), "evalue": _text(output.get("evalue"))}
        return {"output_type": "error", **said, "traceback": lines}
    if kind not in ("display_data", "execute_result"):
        return None
    data = _harmless_data(output.get("data"))
    if not data:
        return None
    extra = {"execution_count": None} if kind == "execute_result" else {}
    return {"output_type": kind, "data": data, "metadata": _alt(data), **extra}


def _harmless_data(data: object) -> dict[str, str]:
    kept: dict[str, str] = {}
    for kind, value in data.items() if isinstance(data, Mapping) else ():
        if kind == "text/plain":
            kept[kind] = _text(value)
        elif kind in ("image/png", "image/jpeg") and isinstance(value, str) and _BASE64.fullmatch(value):
            kept[kind] = value
        elif kind == "text/html" and len(_text(value)) < MAX_TEXT:
            kept[kind] = bleach.clean(_text(value), tags=_TAGS, attributes=_ATTRIBUTES, strip=True)
    return kept


def _alt(data: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """A picture's words in the place where pages look for the alt text; pages escape it."""
    words = data.get("text/plain", "")
    return {kind: {"alt": words} for kind in data if kind.startswith("image/") and words}


def _text(value: object) -> str:
    return "".join(_lines(value))[:MAX_TEXT]


def _lines(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [line for line in value if isinstance(line, str)] if isinstance(value, Sequence) else []


def publish(folder: Path, lesson: str, notebook: bytes, timestamp: str, secret: str) -> None:
    """Put the notebook into its folder in one step, with the two files nbgrader's exchange looks for."""
    folder.mkdir(parents=True, exist_ok=True)
    clear_half_written(folder)
    for name, text in (("timestamp.txt", timestamp), ("submission_secret.txt", secret)):
        if text:
            write_whole(folder / name, text.encode(), READ_ONLY)
        else:
            (folder / name).unlink(missing_ok=True)
    for other in folder.glob("*.ipynb"):
        if other.stem != lesson:
            other.unlink()
    write_whole(folder / f"{lesson}.ipynb", notebook, READ_ONLY)
