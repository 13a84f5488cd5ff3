"""A test cell stops before its hidden checks and goes on there, with its names as they were."""

from __future__ import annotations

from typing import Any

import pytest

from autograder.judge.halves import NAME, halves, visible_part

CELL = """import math
seen = []
with open(seen_by(seen)) as stream:
    size: int = 3
    seen.append("visible")
    ### BEGIN HIDDEN TESTS
    def later(x):
        return [size * y for y in seen]
    seen.append(math.pi if later(1) else size)
    ### END HIDDEN TESTS
"""
PLAIN = CELL.replace("size: int = 3", "size = 3").replace("open(seen_by(seen)) as stream", "context")


def started(source: str) -> tuple[dict[str, Any], Any]:
    code = halves(source, "test_f")
    assert code is not None
    import contextlib

    names: dict[str, Any] = {"context": contextlib.nullcontext()}
    exec(code, names)
    return names, names.pop(NAME)()


def test_the_hidden_half_goes_on_with_the_names_of_the_visible_one() -> None:
    names, run = started(PLAIN)
    next(run, None)
    assert names["seen"] == ["visible"]
    assert "later" not in names
    next(run, None)
    assert names["seen"][1] == pytest.approx(3.14159, abs=1e-5)
    assert names["later"](1)[0] == "visible" * 3


def test_an_error_names_the_line_of_the_cell() -> None:
    source = "x = 1\n### BEGIN HIDDEN TESTS\ny = 2\nraise ValueError\n### END HIDDEN TESTS\n"
    _, run = started(source)
    next(run, None)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        next(run, None)
    assert [entry.lineno for entry in caught.traceback][-1] == 3


@pytest.mark.parametrize(
    "source",
    [
        "f(1)\n",
        "### BEGIN HIDDEN TESTS\nf(1)\n### END HIDDEN TESTS\nf(2)\n",
        "def g():\n    ### BEGIN HIDDEN TESTS\n    f(1)\n    ### END HIDDEN TESTS\n",
        CELL,  # an annotated name cannot be global in a function
        "f(1\n### BEGIN HIDDEN TESTS\nf(2)\n### END HIDDEN TESTS\n",
    ],
)
def test_what_cannot_be_halved_is_left_whole(source: str) -> None:
    assert halves(source, "test_f") is None


def test_the_visible_part_holds_nothing_of_the_hidden_one() -> None:
    assert "math.pi" not in visible_part(PLAIN)
    assert len(visible_part(PLAIN).splitlines()) == len(PLAIN.splitlines())
