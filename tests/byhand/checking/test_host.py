"""What a check's host says of an exercise: whether a training may lean on the course's own parts."""

from __future__ import annotations

import pytest

from byhand import check

WRITTEN, STUB_CELL = "def train(): return 1", "def train():\n    raise NotImplementedError"


@pytest.mark.parametrize(
    ("text", "passed", "early", "excused"),
    [
        (WRITTEN, False, False, True),
        (WRITTEN, True, False, False),
        (WRITTEN, None, False, False),
        (WRITTEN, True, True, True),
        (STUB_CELL, False, False, False),
        (STUB_CELL, True, True, False),
    ],
)
def test_a_written_training_is_excused_where_a_part_failed_or_still_may(
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    passed: bool | None,
    early: bool,
    excused: bool,
) -> None:
    host = check.Host()
    monkeypatch.setattr(host, "text_of", lambda name: text)
    if passed is not None:
        host.record("Layer", passed, "")
    assert host.excused("train", ("Layer", "other"), early) is excused
