"""Make a stranger's outputs and texts fit to be shown: bounded, and no HTML that can act.

Autograded notebooks are opened by the instructor's formgrader, feedback pages by learners; a script
in either would run with their rights. Order of this file: outputs, texts, bounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import nbformat
from nbconvert.preprocessors.sanitize import SanitizeHTML

MAX_TEXT = 20_000  # characters of one output
MAX_IMAGE = 2_000_000  # characters of one encoded picture
MAX_OUTPUTS = 50  # of one cell
ACTIVE = ("<script", "<svg", "<iframe")  # a figure that is nothing without them; its picture is shown

_sanitizer: Any = SanitizeHTML()  # type: ignore[no-untyped-call]


def outputs(raw: Iterable[Any]) -> list[Any]:
    """Outputs of one cell as they may be kept."""
    nodes = [nbformat.from_dict(dict(output)) for output in raw]  # type: ignore[no-untyped-call]
    kept = [_bounded(output) for output in nodes[:MAX_OUTPUTS]]
    if len(nodes) > MAX_OUTPUTS:
        text = f"… {len(nodes) - MAX_OUTPUTS} more outputs were left out.\n"
        kept.append(nbformat.v4.new_output("stream", name="stdout", text=text))  # type: ignore[no-untyped-call]
    safe: list[Any] = _sanitizer.sanitize_code_outputs(kept)
    return safe


def prose(node: Any) -> str:
    """A text cell of the learner's own."""
    return str(_sanitizer.sanitize_html_tags(_cut(node.source)))


def _bounded(output: Any) -> Any:
    if "text" in output:
        output.text = _cut(output.text)
    if "traceback" in output:
        output.traceback = [_cut(line) for line in output.traceback[-MAX_OUTPUTS:]]
        output.evalue = _cut(output.evalue)
    if "data" in output:
        output.data = {kind: value for kind, value in output.data.items() if _fits(kind, value, output.data)}
        output.data = output.data or {"text/plain": "(not shown here)"}
        output.metadata = {}
    return output


def _fits(kind: str, value: Any, data: dict[str, Any]) -> bool:
    if kind == "text/html" and "image/png" in data and any(tag in value.lower() for tag in ACTIVE):
        return False
    return len(str(value)) <= (MAX_IMAGE if kind.startswith("image/") else MAX_TEXT)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "\n… cut here.\n"
