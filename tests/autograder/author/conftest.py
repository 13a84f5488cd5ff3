"""The tiny lesson with one place of its source changed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.author import lesson
from tests.places import TINY

NAME = "90_tiny"
Changed = Callable[[str, str], lesson.Lesson]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """changed(old, new): the tiny lesson, read anew. Once in a test."""

    def read(old: str, new: str) -> lesson.Lesson:
        shutil.copytree(TINY / NAME, tmp_path / NAME)
        source = tmp_path / NAME / f"{NAME}.py"
        text = source.read_text(encoding="utf-8")
        assert old in text
        source.write_text(text.replace(old, new, 1), encoding="utf-8")
        return lesson.read(NAME, tmp_path)

    return read
