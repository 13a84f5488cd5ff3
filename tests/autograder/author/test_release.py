"""autograder.author.release: one source, one direction, the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder import cli, course
from autograder.author import lesson, release
from tests.places import TINY

NAME = "90_tiny"


def tiny() -> lesson.Lesson:
    return lesson.read(NAME, TINY)


def test_the_same_source_gives_the_same_bytes_in_another_process() -> None:
    code = (
        "import hashlib, pathlib; from autograder.author import lesson, release;"
        f"found = lesson.read({NAME!r}, pathlib.Path({str(TINY)!r}));"
        "print(hashlib.sha256(release.to_bytes(release.learner_notebook(found))).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout != ""


def test_lessons_are_up_to_date_byte_for_byte() -> None:
    assert release.regenerate(lesson.names(), check=True) == []
    assert release.without_source() == []


def test_check_names_a_notebook_edited_by_hand_and_leaves_it(tmp_path: Path) -> None:
    (path,) = release.regenerate([NAME], solutions=TINY, lessons=tmp_path)
    edited = path.read_bytes().replace(b"90 Tiny", b"91 Tiny")
    path.write_bytes(edited)
    assert release.regenerate([NAME], check=True, solutions=TINY, lessons=tmp_path) == [path]
    assert path.read_bytes() == edited
    assert release.regenerate([NAME], solutions=TINY, lessons=tmp_path) == [path]
    assert release.regenerate([NAME], check=True, solutions=TINY, lessons=tmp_path) == []


def test_a_notebook_without_a_source_is_named(tmp_path: Path) -> None:
    release.regenerate([NAME], solutions=TINY, lessons=tmp_path)
    assert [path.stem for path in release.without_source(tmp_path / "none", tmp_path)] == [NAME]


def test_a_cell_keeps_its_id_when_another_cell_changes(changed) -> None:
    before = {cell.id for cell in release.learner_notebook(tiny()).cells}
    after = {cell.id for cell in release.learner_notebook(changed("# 90 Tiny", "# 90 Small")).cells}
    assert len(before - after) == 1


def test_cells_with_the_same_text_have_different_ids() -> None:
    twice = lesson.Lesson("two", (lesson.Cell("code", "x = 1"), lesson.Cell("code", "x = 1")))
    first, second = release.source_notebook(twice).cells
    assert first.id != second.id


def test_no_pairing_metadata_and_no_outputs_are_written() -> None:
    notebook = json.loads(release.to_bytes(release.learner_notebook(tiny())))
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert all(not cell.get("outputs") for cell in notebook["cells"])


def test_the_notebook_is_valid_and_locks_its_tests() -> None:
    notebook = release.learner_notebook(tiny())
    nbformat.validate(notebook)
    tests = [
        cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id", "")[:4] == "test"
    ]
    assert [cell.metadata.editable for cell in tests] == [False, False]


def test_a_learner_reads_what_to_do_in_place_of_the_solution() -> None:
    cells = release.learner_notebook(tiny()).cells
    stub = next(cell.source for cell in cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "dot")
    assert stub.startswith("def dot(query, keys):\n")
    assert "Not written yet: replace this line." in stub
    assert max(map(len, stub.splitlines())) < 90


def test_nbgrader_generates_the_same_bytes_and_releases_them(tmp_path: Path) -> None:
    root = tmp_path / "课程 with spaces"
    place = course.Course(root, root / "exchange", tmp_path / "work")
    for _ in range(2):  # releasing again is no error
        release.release(NAME, place, TINY)
    wanted = release.to_bytes(release.learner_notebook(tiny()))
    assert (place.step("release", NAME) / f"{NAME}.ipynb").read_bytes() == wanted
    released = place.exchange / course.COURSE_ID / "outbound" / NAME / f"{NAME}.ipynb"
    assert released.read_bytes() == wanted


def test_a_misspelt_lesson_is_one_sentence_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(lesson.LessonError, match=r"called 01_scorin\. Did you mean 01_scoring\?"):
        cli.lesson_names(["01_scorin"], ["01_scoring", "02_parallel"])
    assert cli.main(["lessons", "no_such_lesson"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("autograder: no lesson is called no_such_lesson.")
    assert "Traceback" not in error


def test_a_misspelt_command_is_one_sentence_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["relaese"]) == 2
    assert "no command is called relaese. Did you mean release?" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUTOGRADER_COURSE", str(tmp_path / "file" / "course"))
    assert cli.main(["environment"]) == 2
    error = capsys.readouterr().err
    assert "the course folder cannot be made" in error
    assert "AUTOGRADER_COURSE" in error
