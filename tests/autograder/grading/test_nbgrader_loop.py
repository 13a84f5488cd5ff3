"""nbgrader's own commands and web pages, unpatched, on the course's folders."""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.server_extensions.assignment_list.handlers import AssignmentList

from autograder import course
from autograder.author import lesson, release
from tests.places import TINY

NAME = "90_tiny"
WRONG = {"dot": "def dot(query, keys):\n    return keys @ query\n", "doubled": "It depends."}
# Fails the hidden checks only.
LOOK = "def share(scores):\n    return scores / scores.sum() + 1e-3 * (len(scores) > 2)\n"


class Place:
    """A course folder, with plain `nbgrader` run in it as an instructor and as the learner ana."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.course = course.Course(root / "course", root / "course" / "exchange", root / "work").prepare()
        with (self.course.root / course.CONFIG_NAME).open("a", encoding="utf-8") as config:
            config.write(f"c.Submission.solutions = {str(TINY)!r}\n")
        source = self.course.step("source", NAME)
        source.mkdir(parents=True)
        notebook = release.source_notebook(lesson.read(NAME, TINY))
        (source / f"{NAME}.ipynb").write_bytes(release.to_bytes(notebook))

    def nbgrader(self, *words: str, folder: Path | None = None) -> str:
        command = [str(Path(sys.executable).parent / "nbgrader"), *words]
        environment = {**os.environ, **self.course.environment()}
        if folder is None:
            del environment["JUPYTER_CONFIG_PATH"]  # in course/, nbgrader finds its configuration by itself
        run = subprocess.run(
            command,
            cwd=folder or self.course.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr[-3000:]
        return run.stdout + run.stderr

    def learner(self, *words: str) -> str:
        return self.nbgrader(*words, "--student", "ana", folder=self.course.work)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The whole loop by nbgrader's commands, once; the tests look at what it left."""
    here = Place(tmp_path_factory.mktemp("课程 with spaces"))
    here.nbgrader("generate_assignment", NAME)
    here.nbgrader("release_assignment", NAME)
    here.learner("fetch_assignment", NAME)
    fetched = here.course.work / NAME / f"{NAME}.ipynb"
    notebook = json.loads(fetched.read_bytes())
    for cell in notebook["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        cell["source"] = {**WRONG, "share": LOOK}.get(grade_id, cell["source"])
    fetched.write_text(json.dumps(notebook))
    here.learner("submit", NAME)
    here.nbgrader("collect", NAME)
    here.nbgrader("autograde", NAME)
    here.nbgrader("generate_feedback", NAME)
    here.nbgrader("release_feedback", NAME)
    here.learner("fetch_feedback", NAME)
    here.nbgrader("export")
    return here


def page(place: Place) -> str:
    found = list((place.course.work / NAME / "feedback").glob(f"*/{NAME}.html"))
    assert len(found) == 1
    return html.unescape(found[0].read_text(encoding="utf-8"))


def test_nbgraders_commands_take_a_submission_from_release_to_csv(place: Place) -> None:
    header, row = (place.course.root / "grades.csv").read_text().splitlines()
    fields = dict(zip(header.split(","), row.split(","), strict=True))
    assert (fields["student_id"], fields["raw_score"], fields["max_score"]) == ("ana", "0.0", "6.0")


def test_feedback_says_what_the_check_said(place: Place) -> None:
    assert "Likely cause: the scores were not multiplied by SCALE." in page(place)
    assert "share of six scores" in page(place)


def test_feedback_shows_no_hidden_test_and_no_traceback_through_one(place: Place) -> None:
    source = lesson.read(NAME, TINY)
    hidden = [line for cell, line in release._secrets(source) if cell.kind == "test"]
    assert len(hidden) >= 6
    assert [line for line in hidden if line in page(place)] == []
    assert "Traceback (most recent" not in page(place)
    assert "HIDDEN TESTS" not in page(place)


def test_feedback_keeps_the_visible_check(place: Place) -> None:
    assert "known_wrong" in page(place)


def test_the_autograded_notebook_holds_the_seed_and_no_hidden_test(place: Place) -> None:
    path = place.course.step("autograded", NAME, "ana") / f"{NAME}.ipynb"
    notebook = json.loads(path.read_bytes())
    assert notebook["metadata"]["autograder"]["seed"] > 0
    assert "HIDDEN TESTS" not in path.read_text(encoding="utf-8")


def test_the_assignment_list_in_jupyterlab_finds_the_same_lesson(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in place.course.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(place.root)
    listing = AssignmentList()
    listing.root_dir = str(place.root)
    (found,) = listing.list_released_assignments(course_id=course.COURSE_ID)["value"]
    assert (found["assignment_id"], found["status"]) == (NAME, "fetched")
    assert found["path"] == os.path.join("work", NAME)


def test_environment_keeps_what_was_on_the_configuration_path(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/elsewhere")
    paths = place.course.environment()["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert paths == [str(place.course.root), "/elsewhere"]


def test_an_instructors_own_settings_are_kept(tmp_path: Path) -> None:
    here = course.Course(tmp_path / "course", tmp_path / "exchange", tmp_path / "work").prepare()
    file = here.root / course.CONFIG_NAME
    file.write_text(file.read_text() + 'c.CourseDirectory.course_id = "my-course"\n')
    assert here.prepare().config().CourseDirectory.course_id == "my-course"


def test_names_only_hides_what_the_check_compared() -> None:
    from autograder.feedback.generate import NAMES_ONLY, HideTests

    error = release.nbformat.v4.new_output(
        "error", ename="CheckFailed", evalue="got 1, want 2", traceback=["x"]
    )
    cell = release.nbformat.v4.new_code_cell("assert True", outputs=[error])
    cell.metadata["nbgrader"] = {"grade": True, "solution": False, "grade_id": "test_dot"}
    notebook = release.nbformat.v4.new_notebook(cells=[cell])
    HideTests(names_only=True).preprocess(notebook, {})
    assert notebook.cells[0].outputs[0].traceback == [NAMES_ONLY]
