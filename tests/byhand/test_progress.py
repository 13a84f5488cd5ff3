"""byhand.progress: what passes is counted with its points, whatever state the files are in."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from byhand import check, progress
from byhand.checking.host import _write_progress


def cell(grade_id: str, points: float, *, solution: bool = False) -> dict[str, Any]:
    meta = {"grade": True, "solution": solution, "grade_id": grade_id, "points": points}
    return {"cell_type": "code", "metadata": {"nbgrader": meta}, "source": ""}


@pytest.fixture
def course(tmp_path: Path) -> tuple[Path, Path]:
    """A course of two lessons, the first of them fetched, nothing checked yet: (work, lessons)."""
    work, lessons = tmp_path / "work", tmp_path / "lessons"
    first = [{"metadata": {}}, cell("test_softmax", 2), cell("test_softmax_2", 1), cell("test_attend", 4)]
    second = [cell("test_mask", 5)]
    for name, cells in {"01_scoring": [*first, cell("choose", 3, solution=True)], "02_masks": second}.items():
        (lessons / name).mkdir(parents=True)
        (lessons / name / f"{name}.ipynb").write_text(json.dumps({"cells": cells}))
    (work / "01_scoring").mkdir(parents=True)
    (work / "01_scoring" / "01_scoring.ipynb").write_text(
        (lessons / "01_scoring" / "01_scoring.ipynb").read_text()
    )
    return work, lessons


def record(work: Path, **passed: bool) -> None:
    for name, result in passed.items():
        _write_progress(work / "01_scoring" / progress.RECORD, name, result)


def test_points_of_all_tests_of_an_exercise_are_added(course: tuple[Path, Path]) -> None:
    scoring, masks = progress.read(*course)
    assert [(each.name, each.points) for each in scoring.exercises] == [
        ("softmax", 3),
        ("attend", 4),
        ("choose", 3),
    ]
    assert masks.points("open") == 5


def test_what_check_records_is_counted(course: tuple[Path, Path]) -> None:
    record(course[0], softmax=True, attend=False)
    scoring = progress.read(*course)[0]
    assert [each.state for each in scoring.exercises] == ["passed", "failed", "written"]
    assert progress.line(scoring, bar=False) == (
        "01_scoring  1 of 2 exercises pass, 3 of 10 points, 3 points are graded by a person. Next: attend."
    )


def test_the_next_exercise_is_the_first_that_does_not_pass(course: tuple[Path, Path]) -> None:
    record(course[0], attend=True)
    assert progress.read(*course)[0].next == "softmax"
    record(course[0], softmax=True)
    assert progress.read(*course)[0].next == ""


@pytest.mark.parametrize("damaged", ["", "[]", '{"softmax": 1}', '{"softmax": {}}', "\x00"])
def test_a_damaged_record_counts_as_nothing_checked(course: tuple[Path, Path], damaged: str) -> None:
    (course[0] / "01_scoring" / progress.RECORD).write_text(damaged)
    assert progress.read(*course)[0].count("open") == 2


@pytest.mark.parametrize("damaged", ["", "{}", "[1]", '{"cells": [{"metadata": null}]}'])
def test_a_damaged_copy_still_has_the_points_of_the_lesson(course: tuple[Path, Path], damaged: str) -> None:
    (course[0] / "01_scoring" / "01_scoring.ipynb").write_text(damaged)
    assert progress.read(*course)[0].points("open") == 7


def test_folders_that_are_no_lesson_are_left_out(course: tuple[Path, Path]) -> None:
    (course[0] / "my notes").mkdir()
    (course[0] / "my notes" / "notes.ipynb").write_text(json.dumps({"cells": [cell("test_a", 1)]}))
    assert [lesson.name for lesson in progress.read(*course)] == ["01_scoring", "02_masks"]


def test_without_any_lesson_the_next_step_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert progress.read(tmp_path, tmp_path) == []
    assert progress.text([]) == "No lesson is here yet. Next: byhand lab."


def test_the_bar_is_as_long_as_the_share_of_points(course: tuple[Path, Path]) -> None:
    record(course[0], softmax=True)
    drawn = progress.line(progress.read(*course)[0], width=20)
    assert (drawn.count("█"), drawn.count("░")) == (6, 14)


def test_a_terminal_without_block_letters_gets_plain_ones(course: tuple[Path, Path]) -> None:
    said = progress.text(progress.read(*course), "ascii")
    assert said.isascii()
    assert "." * 24 in said


def test_the_figure_has_a_tile_for_each_exercise_in_the_colour_of_its_state(
    course: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    plt.switch_backend("agg")
    record(course[0], softmax=True, attend=False)
    found = progress.read(*course)
    monkeypatch.setattr(progress, "read", lambda work: found)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = progress.show()
        assert ax is not None
        ax.figure.canvas.draw()
    widths = [tile.get_width() for tile in ax.patches]
    assert widths == [3, 4, 3, 5]
    assert len({tile.get_facecolor() for tile in ax.patches}) == 4
    assert "1 of 2 exercises pass" in ax.figure.alt
    plt.close("all")


def test_beside_an_open_lesson_its_own_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BYHAND_WORK", raising=False)
    (tmp_path / "01_scoring").mkdir()
    monkeypatch.chdir(tmp_path / "01_scoring")
    assert progress.work_folder() == tmp_path


def test_byhand_work_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_WORK", str(tmp_path))
    assert progress.work_folder() == tmp_path


def test_the_record_is_the_one_that_check_writes() -> None:
    from byhand.checking import host as _host

    assert progress.RECORD == _host.PROGRESS
    assert isinstance(check.host, _host.Host)
