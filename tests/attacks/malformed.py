"""Malformed: submissions that no program made on purpose. What can be read is graded, the rest is explained."""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.attacks import FILE, RIGHT_DOT, RIGHT_SHARE, Attack, Files, Kit, in_cell, to_bytes

ALL = {"dot": 2.0, "share": 3.0}


def _right(kit: Kit) -> bytes:
    return kit.answered(dot=RIGHT_DOT, share=RIGHT_SHARE)


def _bytes(name: str, make: Any, **points: float) -> Attack:
    """An attack on the bytes of a notebook whose answers are right."""
    return Attack(name, lambda kit: {FILE: make(_right(kit))}, points)


def _changed(name: str, change: Any, **points: float) -> Attack:
    """A change to a notebook whose answers are right."""

    def files(kit: Kit) -> Files:
        notebook = json.loads(_right(kit))
        return {FILE: to_bytes(change(notebook) or notebook)}

    return Attack(name, files, points)


def _named(name: str, make: Any, **points: float) -> Attack:
    return Attack(name, lambda kit: make(_right(kit)), points)


def _grade_id(cell: dict[str, Any]) -> str:
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def _find(notebook: dict[str, Any], grade_id: str) -> dict[str, Any]:
    return next(cell for cell in notebook["cells"] if _grade_id(cell) == grade_id)


def _strip(notebook: dict[str, Any], ids: bool) -> None:
    for cell in notebook["cells"]:
        cell["metadata"] = {"colab": {"base_uri": "x"}}
        if ids:
            cell.pop("id", None)
    notebook["metadata"] = {"colab": {"provenance": []}}


def _all_cells(**values: Any) -> Any:
    return lambda notebook: [cell.update(values) for cell in notebook["cells"]] and None


def _without(grade_id: str) -> Any:
    return lambda notebook: notebook["cells"].remove(_find(notebook, grade_id))


def _copy_paste(notebook: dict[str, Any]) -> None:
    cell = _find(notebook, "dot")
    at = notebook["cells"].index(cell)
    stub = copy.deepcopy(cell)
    stub.update(
        id="copied", source="def dot(query, keys):\n    # YOUR CODE HERE\n    raise NotImplementedError()\n"
    )
    notebook["cells"].insert(at, stub)


def _version_3(notebook: dict[str, Any]) -> dict[str, Any]:
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cells.append(
                {
                    "cell_type": "code",
                    "language": "python",
                    "input": cell["source"],
                    "outputs": [],
                    "collapsed": False,
                    "metadata": cell["metadata"],
                    "prompt_number": 1,
                }
            )
        else:
            cells.append(
                {"cell_type": cell["cell_type"], "source": cell["source"], "metadata": cell["metadata"]}
            )
    return {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [{"cells": cells, "metadata": {}}],
    }


def _split(notebook: dict[str, Any]) -> None:
    cell = _find(notebook, "dot")
    at = notebook["cells"].index(cell)
    cell["source"] = "def helper(query, keys):\n    return SCALE * (keys @ query)\n"
    own = {"cell_type": "code", "metadata": {}, "id": "second", "outputs": [], "execution_count": None}
    notebook["cells"].insert(at + 1, {**own, "source": "dot = helper"})


def _folder(data: bytes) -> Files:
    return {f"{FILE}/inside.ipynb": data}


GARBAGE = {
    "empty": b"",
    "white space": b"  \n\n ",
    "not JSON": b"Dear teacher, my computer broke.",
    "a JSON list": b"[1, 2, 3]",
    "a JSON string": b'"notebook"',
    "a JSON number": b"5",
    "null": b"null",
    "an empty object": b"{}",
    "cells that are no list": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": {"a": 1}}',
    "cells that are no objects": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1, null, "x", []]}',
    "sources that are no text": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "source": {"a": 1}, "metadata": 5}]}',
    "binary": bytes(range(256)) * 20,
    "a PDF": b"%PDF-1.7\n" + bytes(1000),
    "a zip file": b"PK\x03\x04" + bytes(1000),
    "HTML": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "NUL bytes": bytes(10_000),
    "a merge conflict": b'{\n<<<<<<< HEAD\n "cells": [],\n=======\n "cells": []\n>>>>>>> other\n}',
    "NaN and Infinity": b'{"nbformat": NaN, "cells": Infinity}',
    "a notebook of another course": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "metadata": {}, "id": "a", "outputs": [], "execution_count": null, "source": "x = 1"}]}',
}

ATTACKS = [
    *(Attack(name, lambda kit, data=data: {FILE: data}) for name, data in GARBAGE.items()),
    _bytes("truncated in the middle", lambda data: data[: len(data) // 2]),
    _bytes("truncated by one byte", lambda data: data[:-1]),
    _bytes("with a byte order mark", lambda data: b"\xef\xbb\xbf" + data, **ALL),
    _bytes("in UTF-16", lambda data: data.decode().encode("utf-16"), **ALL),
    _bytes("with Windows line ends", lambda data: data.replace(b"\\n", b"\\r\\n"), **ALL),
    _bytes(
        "with a lone surrogate", lambda data: data.replace(b'"cells"', b'"x": "\\ud800", "cells"', 1), **ALL
    ),
    _bytes(
        "with bytes that are not UTF-8", lambda data: data.replace(b"# 90 Tiny", b"# \xff\xfe Tiny", 1), **ALL
    ),
    _changed("nbformat 2", lambda nb: nb.update(nbformat=2), **ALL),
    _changed("nbformat 3 with worksheets", _version_3, **ALL),
    _changed("nbformat 99", lambda nb: nb.update(nbformat=99), **ALL),
    _changed("nbformat missing", lambda nb: nb.pop("nbformat") and None, **ALL),
    _changed("metadata stripped, ids kept", lambda nb: _strip(nb, ids=False), **ALL),
    _changed("metadata and ids stripped", lambda nb: _strip(nb, ids=True), **ALL),
    _changed("ids all the same", _all_cells(id="same"), **ALL),
    _changed("ids that are numbers", _all_cells(id=5), **ALL),
    _changed("metadata null", _all_cells(metadata=None), **ALL),
    _changed(
        "sources as single strings",
        lambda nb: [c.update(source="".join(c["source"])) for c in nb["cells"]] and None,
        **ALL,
    ),
    _changed("a copied cell that is still a stub", _copy_paste, **ALL),
    _changed(
        "schema_version 99",
        lambda nb: (
            [c["metadata"]["nbgrader"].update(schema_version=99) for c in nb["cells"] if _grade_id(c)]
            and None
        ),
        **ALL,
    ),
    _changed(
        "schema_version 1",
        lambda nb: (
            [c["metadata"]["nbgrader"].update(schema_version=1) for c in nb["cells"] if _grade_id(c)] and None
        ),
        **ALL,
    ),
    _changed("a solution cell deleted", _without("dot"), share=3.0),
    _changed("a solution cell emptied", lambda nb: _find(nb, "dot").update(source=""), share=3.0),
    _changed(
        "a solution cell made markdown", lambda nb: _find(nb, "dot").update(cell_type="markdown"), **ALL
    ),
    _changed("a solution cell split in two", _split, **ALL),
    _changed("a test cell deleted", _without("test_dot"), **ALL),
    _changed("the question deleted", _without("doubled"), **ALL),
    _changed("all cells in reverse", lambda nb: nb["cells"].reverse(), **ALL),
    _changed(
        "a kernel of another language",
        lambda nb: nb["metadata"].update(kernelspec={"name": "ir", "language": "R", "display_name": "R"}),
        **ALL,
    ),
    _changed("language_info missing", lambda nb: nb.update(metadata={}), **ALL),
    _changed(
        "a syntax error in one cell",
        lambda nb: _find(nb, "dot").update(source="def dot(query, keys:\n    return 1"),
        share=3.0,
    ),
    _changed(
        "a tab and space mixture",
        lambda nb: _find(nb, "dot").update(source="def dot(query, keys):\n\tx = 1\n        return x"),
        share=3.0,
    ),
    _changed(
        "NUL in a cell",
        lambda nb: _find(nb, "dot").update(source="def dot(query, keys):\0\n    return 1"),
        share=3.0,
    ),
    _changed(
        "a surrogate in a cell", lambda nb: _find(nb, "dot").update(source="# \ud800" + RIGHT_DOT), **ALL
    ),
    in_cell("a cell of bash", "%%bash\nrm -rf / --no-preserve-root\n"),
    in_cell(
        "a shell line and a wrong answer", "!rm -rf / 2>/dev/null\ndef dot(query, keys):\n    return 0\n"
    ),
    in_cell("a question to the user", "name = input()\ndef dot(query, keys):\n    return 0\n"),
    in_cell("an interactive backend", "%matplotlib notebook\n" + RIGHT_DOT, dot=2.0),
    in_cell("an unknown magic", "%nosuchmagic\n" + RIGHT_DOT),
    _named("a copy's name", lambda data: {"90_tiny (1).ipynb": data}, **ALL),
    _named("two notebooks, one by the right name", lambda data: {FILE: data, "scratch.ipynb": b"{}"}, **ALL),
    _named("no notebook", lambda data: {"notes.txt": b"sorry"}),
    _named("nothing at all", lambda data: {}),
    _named("a folder by the notebook's name", _folder, **ALL),
    _named(
        "odd names beside it",
        lambda data: {
            FILE: data,
            "中文 笔记.txt": b"x",
            "a*+b.txt": b"x",
            "line\nbreak.txt": b"x",
            "..hidden": b"x",
        },
        **ALL,
    ),
    _named(
        "folders beside it",
        lambda data: {FILE: data, ".ipynb_checkpoints/90_tiny-checkpoint.ipynb": b"{}", "venv/lib/x.py": b""},
        **ALL,
    ),
]
