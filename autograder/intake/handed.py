"""Read the cells of a notebook file that was handed in, whatever its bytes are.

nbformat's own reader validates, upgrades and refuses; a submission needs none of that, only the text
of each cell and the two names by which it may be recognised. Any nbformat is read that keeps cells in
`cells` (4 and later) or in `worksheets` (2 and 3). Order: the result, reading, then decoding.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

MAX_CELLS = 2000
MAX_TEXT = 1_000_000  # characters of one cell
MAX_NESTED = 1_000_000  # brackets in the file: what they become in memory is many times larger


class UnreadableError(Exception):
    """Why a notebook cannot be read: one sentence for the learner."""


@dataclass(frozen=True)
class Handed:
    """One handed-in cell. `code` is False for markdown and raw cells."""

    source: str
    code: bool
    grade_id: str = ""
    cell_id: str = ""


def read(data: bytes) -> tuple[list[Handed], list[str]]:
    """Cells in order, and what had to be mended. Raises UnreadableError, with the reason as a sentence."""
    notebook = _parse(data)
    if not isinstance(notebook, dict):
        kinds = {list: "a list", str: "a text", type(None): "null", bool: "a truth value"}
        kind = kinds.get(type(notebook), "a number")
        raise UnreadableError(f"The notebook file holds {kind} instead of a notebook.")
    raw_cells = _raw_cells(notebook)
    notes = [] if notebook.get("nbformat") == 4 else [_format_note(notebook.get("nbformat"))]
    if len(raw_cells) > MAX_CELLS:
        raise UnreadableError(f"The notebook has {len(raw_cells)} cells; at most {MAX_CELLS} are read.")
    cells: list[Handed] = []
    for number, raw in enumerate(raw_cells, 1):
        cell = _cell(raw)
        if cell is None or len(cell.source) > MAX_TEXT:
            why = "is not a cell" if cell is None else f"has more than {MAX_TEXT} characters"
            notes.append(f"Cell {number} of the notebook {why} and was left out.")
        else:
            cells.append(cell)
    if any("\0" in cell.source for cell in cells):
        notes.append("NUL characters in the notebook were removed.")
        cells = [
            Handed(cell.source.replace("\0", ""), cell.code, cell.grade_id, cell.cell_id) for cell in cells
        ]
    return cells, notes


def _raw_cells(notebook: dict[str, Any]) -> list[Any]:
    if isinstance(notebook.get("cells"), list):
        return list(notebook["cells"])
    sheets = notebook.get("worksheets")
    if isinstance(sheets, list):
        lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        return [raw for cells in lists if isinstance(cells, list) for raw in cells]
    raise UnreadableError("The notebook file has no list of cells; it is not a Jupyter notebook.")


def _format_note(version: object) -> str:
    shown = version if isinstance(version, int) and 0 <= version < 1000 else "unknown"
    return f"The notebook is saved in format {shown}, not 4; its cells were read all the same."


def _cell(raw: object) -> Handed | None:
    if not isinstance(raw, dict):
        return None
    code = raw.get("cell_type") == "code"
    text = raw.get("source", raw.get("input", raw.get("text")))
    if isinstance(text, list) and all(isinstance(line, str) for line in text):
        text = "".join(text)
    if not isinstance(text, str):
        return None
    metadata = raw.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return Handed(_clean(text), code, _name(grade_id), _name(raw.get("id")))


def _name(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 128 else ""


def _clean(text: str) -> str:
    """Lone surrogates cannot be written to any file; line ends as Python wants them."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parse(data: bytes) -> Any:
    if not data.strip(b"\0 \t\r\n"):
        raise UnreadableError("The notebook file is empty.")
    text = _decode(data).strip("\0 \t\r\n\ufeff")
    if text.count("{") + text.count("[") > MAX_NESTED:
        raise UnreadableError(f"The notebook file has more than {MAX_NESTED} lists and objects.")
    try:
        return json.loads(text, strict=False, parse_int=_number, parse_float=_number)
    except RecursionError:
        raise UnreadableError("The notebook file is nested too deeply to be read.") from None
    except json.JSONDecodeError as error:
        raise UnreadableError(_broken(text, error)) from None


def _number(digits: str) -> int | float:
    """Only small whole numbers matter here; a million digits must not be converted."""
    return int(digits) if len(digits) < 10 and digits.isdigit() else 0.0


def _broken(text: str, error: json.JSONDecodeError) -> str:
    start = text[:200].lower()
    if start.startswith(("<!doctype html", "<html")):
        return "The notebook file is a web page (perhaps of a login), not a notebook."
    if "<<<<<<<" in text and ">>>>>>>" in text:
        return "The notebook file holds the marks of an unfinished Git merge."
    if error.pos >= len(text) - 1 or error.msg.startswith("Unterminated string"):
        return f"The notebook file ends in the middle, at line {error.lineno}; was the upload cut off?"
    return f"The notebook file is not a notebook: it breaks at line {error.lineno}, column {error.colno}."


def _decode(data: bytes) -> str:
    """UTF-8, or what its first bytes say; bytes that are no text become U+FFFD inside strings."""
    return data.decode(json.detect_encoding(data), "replace")
