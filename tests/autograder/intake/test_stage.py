"""What is read off the disk of a submitted folder, whatever lies in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autograder.intake.stage import Caps, stage

NAME = "90_tiny"
GOOD = b'{"cells": []}'


def hand_in(folder: Path, **files: bytes) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


def test_notebook_and_allowed_data_files_are_staged(tmp_path: Path):
    folder = hand_in(
        tmp_path / "s", weights__safetensors=b"w", helper__py=b"h", timestamp__txt=b"2026-01-01 00:00:00\n"
    )
    (folder / f"{NAME}.ipynb").write_bytes(GOOD)
    staged = stage(folder, NAME)
    assert (staged.notebook, staged.files, staged.timestamp) == (
        GOOD,
        {"weights.safetensors": b"w"},
        "2026-01-01 00:00:00",
    )
    assert staged.notes == ("helper.py was not used: beside the notebook only *.safetensors count.",)


@pytest.mark.parametrize(
    "name",
    [
        f"{NAME} (1).ipynb",
        f"{NAME}-Copy1.ipynb",
        "90 tiny.ipynb",
        "随便.ipynb",
        "a*b+..?.ipynb",
        "a\nb.ipynb",
        "x.IPYNB",
    ],
)
def test_a_notebook_of_another_name_is_found(tmp_path: Path, name: str):
    folder = hand_in(tmp_path / "s", **{name: GOOD})
    staged = stage(folder, NAME)
    assert staged.notebook == GOOD
    assert f"{NAME}.ipynb was not handed in" in staged.notes[0]
    assert "\n" not in staged.notes[0]


def test_of_two_notebooks_the_right_name_counts(tmp_path: Path):
    folder = hand_in(tmp_path / "s", other__ipynb=b"no")
    (folder / f"{NAME}.ipynb").write_bytes(GOOD)
    staged = stage(folder, NAME)
    assert staged.notebook == GOOD
    assert staged.notes == (f"other.ipynb was not graded: {NAME}.ipynb is there.",)


def test_of_two_copies_the_one_changed_last_counts(tmp_path: Path):
    folder = hand_in(
        tmp_path / "s", **{f"{NAME} (1).ipynb": b"old", f"{NAME} (2).ipynb": GOOD, "z.ipynb": b"other"}
    )
    for age, name in enumerate([f"{NAME} (2).ipynb", f"{NAME} (1).ipynb"]):
        os.utime(folder / name, (1000 - age, 1000 - age))
    assert stage(folder, NAME).notebook == GOOD


def test_a_folder_inside_the_folder_is_looked_into(tmp_path: Path):
    folder = hand_in(tmp_path / "s")
    hand_in(folder / f"{NAME}.ipynb", **{f"{NAME}.ipynb": GOOD})
    assert stage(folder, NAME).notebook == GOOD


@pytest.mark.parametrize("target", ["file", "folder", "/etc/passwd", "nowhere"])
def test_links_are_never_followed(tmp_path: Path, target: str):
    (tmp_path / "file").write_bytes(GOOD)
    hand_in(tmp_path / "folder", **{f"{NAME}.ipynb": GOOD})
    folder = hand_in(tmp_path / "s")
    (folder / f"{NAME}.ipynb").symlink_to(tmp_path / target)
    (folder / "weights.safetensors").symlink_to(tmp_path / "file")
    staged = stage(folder, NAME)
    assert (staged.notebook, staged.files) == (b"", {})
    assert "symbolic link" in staged.problem


def test_a_submitted_folder_that_is_a_link_is_not_followed(tmp_path: Path):
    hand_in(tmp_path / "real", **{f"{NAME}.ipynb": GOOD})
    (tmp_path / "s").symlink_to(tmp_path / "real")
    assert stage(tmp_path / "s", NAME).problem


def test_a_pipe_does_not_hold_the_class_up(tmp_path: Path):
    folder = hand_in(tmp_path / "s")
    os.mkfifo(folder / f"{NAME}.ipynb")
    os.mkfifo(folder / "weights.safetensors")
    assert "not a regular file" in stage(folder, NAME).problem


@pytest.mark.parametrize("make", ["none", "missing", "file", "empty", "large"])
def test_nothing_to_grade_is_said_in_one_sentence(tmp_path: Path, make: str):
    folder = tmp_path / "s"
    if make == "file":
        folder.write_bytes(GOOD)
    elif make != "missing":
        hand_in(folder, notes__txt=b"x")
    if make in ("empty", "large"):
        (folder / f"{NAME}.ipynb").write_bytes(b"" if make == "empty" else b" " * 2000)
    staged = stage(folder, NAME, Caps(notebook_bytes=1000))
    reads = {
        "none": "holds notes.txt",
        "missing": "is not there",
        "file": "not a folder",
        "empty": "empty",
        "large": "MB",
    }
    assert reads[make] in staged.problem
    assert staged.notebook == b""


def test_data_files_share_one_cap(tmp_path: Path):
    folder = hand_in(tmp_path / "s", a__safetensors=b"x" * 600, b__safetensors=b"x" * 600)
    (folder / f"{NAME}.ipynb").write_bytes(GOOD)
    staged = stage(folder, NAME, Caps(data_bytes=1000))
    assert list(staged.files) == ["a.safetensors"]


def test_the_digest_changes_with_every_byte_that_counts(tmp_path: Path):
    folder = hand_in(tmp_path / "s", a__safetensors=b"x")
    (folder / f"{NAME}.ipynb").write_bytes(GOOD)
    first = stage(folder, NAME).digest
    assert stage(folder, NAME).digest == first
    (folder / "a.safetensors").write_bytes(b"y")
    assert stage(folder, NAME).digest != first
