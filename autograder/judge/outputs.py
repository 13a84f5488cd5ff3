"""Outputs of a learner's cell as told by an untrusted process, rebuilt as nbformat outputs.

What does not have the form of an output is dropped; text is kept to a number of bytes. HTML is not
cleaned here: whoever shows it does that.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

MIMES = ("text/plain", "text/html", "text/markdown", "text/latex", "image/svg+xml", "image/png", "image/jpeg")
MAX_OUTPUTS = 250
MAX_NAME = 200
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,16}\b")


def rebuilt(told: Any, most: int) -> tuple[dict[str, Any], ...]:
    """The outputs among what was told, until `most` bytes are used up."""
    kept: list[dict[str, Any]] = []
    left = most
    for item in told[:MAX_OUTPUTS] if type(told) is list else []:
        output = _output(item) if type(item) is dict else None
        if output is None:
            continue
        left -= _weight(output)
        if left < 0:
            break
        kept.append(output)
    return tuple(kept)


def _output(item: dict[Any, Any]) -> dict[str, Any] | None:
    kind = item.get("output_type")
    if kind == "stream" and item.get("name") in ("stdout", "stderr"):
        return {"output_type": "stream", "name": item["name"], "text": _text(item.get("text"))}
    if kind in ("display_data", "execute_result"):
        output: dict[str, Any] = {"output_type": kind, "data": _bundle(item.get("data")), "metadata": {}}
        if kind == "execute_result":
            count = item.get("execution_count")
            output["execution_count"] = count if type(count) is int and 0 < count < 10**6 else None
        return output if output["data"] else None
    if kind == "error":
        trace = item.get("traceback")
        lines = [_text(line) for line in trace[:200]] if type(trace) is list else []
        name, value = _text(item.get("ename"))[:MAX_NAME], _text(item.get("evalue"))
        return {"output_type": "error", "ename": name, "evalue": value, "traceback": lines}
    return None


def _bundle(data: Any) -> dict[str, str]:
    if type(data) is not dict:
        return {}
    kept = {mime: _text(data[mime]) for mime in MIMES if type(data.get(mime)) is str}
    for mime in ("image/png", "image/jpeg"):
        if mime in kept and not _is_base64(kept[mime]):
            del kept[mime]
    return kept


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _text(value: Any) -> str:
    """Text that survives JSON and UTF-8 files: lone surrogates and NUL are replaced."""
    if type(value) is not str:
        return ""
    text = value.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return steady(text)


def steady(text: str) -> str:
    """Text without the addresses of objects, which differ each time it is run."""
    return _ADDRESS.sub("at 0x…", text)


def _weight(value: Any) -> int:
    if isinstance(value, dict):
        return 16 + sum(_weight(part) for part in value.values())
    if isinstance(value, list):
        return 16 + sum(map(_weight, value))
    return len(value.encode()) if isinstance(value, str) else 16
