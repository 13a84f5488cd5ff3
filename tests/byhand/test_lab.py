"""byhand lab: the lesson is there, nothing of the learner's is lost, and JupyterLab serves it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from byhand import lab, serve
from byhand.cli import UserError
from byhand.doctor import is_free
from tests.byhand.test_explore import CHROMIUM, FLAGS

if TYPE_CHECKING:
    from playwright.sync_api import Page

LESSON = "01_scoring"


def notebook(text: str = "", check: str = "check") -> str:
    meta = {"nbgrader": {"grade_id": "test_a", "grade": True, "locked": True, "solution": False, "points": 1}}
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "metadata": {}, "source": text},
        {"cell_type": "code", "metadata": meta, "source": check},
    ]
    return json.dumps({"cells": cells})


@pytest.fixture
def folders(tmp_path: Path) -> lab.Folders:
    """A lesson released and fetched."""
    made = lab.Folders(tmp_path / "work", tmp_path / "exchange", tmp_path, {})
    released = made.exchange / "course" / "outbound" / LESSON
    for place in (released, made.work / LESSON):
        place.mkdir(parents=True)
        (place / f"{LESSON}.ipynb").write_text(notebook())
    lab._remember(LESSON, made)
    return made


def release_again(folders: lab.Folders, content: str) -> None:
    released = folders.released(LESSON)
    assert released is not None
    released.write_text(content)


def test_the_same_release_leaves_everything_as_it_is(folders: lab.Folders) -> None:
    folders.own(LESSON).write_text("my answers")
    assert lab.put_newer_beside(LESSON, folders) is None
    assert [path.name for path in folders.work.iterdir() if path.name != ".byhand"] == [LESSON]


def test_a_newer_release_lands_beside_the_learner_s_own(folders: lab.Folders) -> None:
    folders.own(LESSON).write_text("my answers")
    release_again(folders, notebook("newer"))
    beside = lab.put_newer_beside(LESSON, folders)
    assert beside == folders.work / f"{LESSON}_new" / f"{LESSON}.ipynb"
    assert "newer" in beside.read_text()
    assert folders.own(LESSON).read_text() == "my answers"


def test_a_newer_release_is_put_there_once(folders: lab.Folders) -> None:
    release_again(folders, notebook("newer"))
    assert lab.put_newer_beside(LESSON, folders) == lab.put_newer_beside(LESSON, folders)


def test_answers_begun_in_a_newer_copy_survive_the_next_release(folders: lab.Folders) -> None:
    release_again(folders, notebook("second"))
    second = lab.put_newer_beside(LESSON, folders)
    assert second is not None
    second.write_text("my answers to the second")
    release_again(folders, notebook("third"))
    third = lab.put_newer_beside(LESSON, folders)
    assert third is not None
    assert third.parent.name == f"{LESSON}_new2"
    assert second.read_text() == "my answers to the second"


def test_a_lesson_fetched_by_the_assignment_list_is_recognised_by_its_checks(folders: lab.Folders) -> None:
    (folders.work / lab.FETCHED).unlink()
    folders.own(LESSON).write_text(notebook("with my answers"))
    assert lab.put_newer_beside(LESSON, folders) is None
    (folders.work / lab.FETCHED).unlink()
    release_again(folders, notebook(check="another check"))
    assert lab.put_newer_beside(LESSON, folders) is not None


def test_fetching_keeps_a_notebook_that_is_there(folders: lab.Folders) -> None:
    folders.own(LESSON).write_text("my answers")
    lab.fetch(LESSON, folders)
    assert folders.own(LESSON).read_text() == "my answers"


def test_without_sources_the_lesson_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    (tmp_path / "lessons" / LESSON).mkdir(parents=True)
    (tmp_path / "lessons" / LESSON / f"{LESSON}.ipynb").write_text("the lesson")
    made = lab.Folders(tmp_path / "work", tmp_path / "exchange", tmp_path, {})
    lab.release(LESSON, made)
    lab.fetch(LESSON, made)
    assert made.own(LESSON).read_text() == "the lesson"


@pytest.mark.parametrize(
    "typed", ["02_masks", "2", "02", "02_masks.ipynb", "lessons/02_masks/02_masks.ipynb"]
)
def test_a_lesson_has_a_name_and_a_number(typed: str) -> None:
    assert lab.lesson_named(typed, ["01_scoring", "02_masks"]) == "02_masks"


def test_an_unknown_lesson_gets_a_suggestion_and_the_list() -> None:
    with pytest.raises(
        UserError, match=r"no lesson is called 02_mask\. Did you mean 02_masks\?\n.*01_scoring, 02_masks"
    ):
        lab.lesson_named("02_mask", ["01_scoring", "02_masks"])


def test_without_a_name_it_is_the_first_lesson_with_something_left(tmp_path: Path) -> None:
    for name in ("01_scoring", "02_masks"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.ipynb").write_text(notebook())
    names = ["01_scoring", "02_masks"]
    assert lab.lesson_named("", names, tmp_path) == "01_scoring"
    (tmp_path / "01_scoring" / ".progress.json").write_text('{"a": {"passed": true}}')
    assert lab.lesson_named("", names, tmp_path) == "02_masks"


def test_a_command_that_fails_is_told_in_its_own_last_words(tmp_path: Path) -> None:
    failing = [sys.executable, "-c", "import sys; sys.exit('[Fetch | ERROR] no such lesson')"]
    with pytest.raises(UserError, match="did not work: no such lesson"):
        lab._said(failing, dict(os.environ), tmp_path)


def test_a_port_in_use_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert serve.free_port(port) > port


def test_a_server_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "lab.log"
    log.write_text("starting\nModuleNotFoundError: No module named 'jupyterlab'\n")
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    process.wait()
    with pytest.raises(UserError, match=r"did not start: ModuleNotFoundError.*\n.*lab\.log"):
        serve.wait_until_it_answers(process, 1, log)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the course under a path with a space and Chinese letters."""
    copy = tmp_path_factory.mktemp("copy") / "my 课程"
    for part in ("autograder", "byhand", "lessons", "solutions"):
        shutil.copytree(lab.ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return copy


@contextlib.contextmanager
def served(course: Path, own: Path, **folders: str) -> Iterator[str]:
    """`byhand lab` for real, from this copy of the course: the address it prints. Nothing is left behind.

    own: an empty folder for JupyterLab's settings and tabs, so that nobody's own have a say.
    """
    environment = {**os.environ, "PYTHONPATH": str(course), "PYTHONUNBUFFERED": "1"}
    for name in ("AUTOGRADER_COURSE", "AUTOGRADER_EXCHANGE", "BYHAND_WORK"):
        environment.pop(name, None)
    for name in ("SETTINGS", "WORKSPACES"):
        environment[f"JUPYTERLAB_{name}_DIR"] = str(own / name.lower())
    command = [sys.executable, "-m", "byhand.cli", "lab", LESSON, "--no-browser"]
    process = subprocess.Popen(
        command,
        cwd=course,
        env={**environment, **folders},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "Ctrl+C" in line:
            break
    found = re.search(r"http://\S+:(\d+)/\S+token=\w+", "".join(said))
    assert found is not None, "".join(said)
    yield found[0]
    process.send_signal(signal.SIGTERM)
    assert "JupyterLab has stopped. Your work is in" in process.stdout.read()
    assert process.wait(timeout=30) == 0
    assert is_free(int(found[1]))


@pytest.fixture(scope="module")
def running(course: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(course, tmp_path_factory.mktemp("jupyterlab")) as address:
        yield address


def ask(address: str, path: str) -> Any:
    base, token = address.partition("/lab/")[0], address.partition("token=")[2]
    request = urllib.request.Request(f"{base}/{path}", headers={"Authorization": f"token {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def test_the_lesson_is_fetched_and_served(running: str, course: Path) -> None:
    served = json.loads(ask(running, f"api/contents/work/{LESSON}/{LESSON}.ipynb"))
    assert served["content"]["cells"]
    released = course / "lessons" / LESSON / f"{LESSON}.ipynb"
    assert (course / "work" / LESSON / f"{LESSON}.ipynb").read_bytes() == released.read_bytes()


def test_the_assignment_list_has_the_lesson(running: str) -> None:
    listed = json.loads(ask(running, "assignments?course_id=attention-by-hand"))
    assert [(entry["assignment_id"], entry["status"]) for entry in listed["value"]] == [(LESSON, "fetched")]


def test_the_formgrader_is_one_click_away(running: str) -> None:
    assert "Manage Assignments" in ask(running, "formgrader/manage_assignments")


def test_without_the_token_nobody_reads_anything(running: str) -> None:
    base = running.partition("/lab/")[0]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{base}/api/contents", timeout=30)
    assert refused.value.code == 403
    refused.value.close()


@pytest.fixture
def page(running: str) -> Iterator[Page]:
    """A page of Chromium; its last sight is left in artefacts/lab.png."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page()
        yield opened
        opened.screenshot(path=lab.ROOT / "artefacts" / "lab.png")
        browser.close()


@pytest.mark.browser
def test_the_address_opens_the_lesson_and_asks_nothing(page: Page, running: str) -> None:
    base = running.partition("/lab/")[0]
    elsewhere: list[str] = []
    page.on("request", lambda sent: elsewhere.append(sent.url) if sent.url.startswith("http") else None)
    page.goto(running)
    page.wait_for_selector(f".lm-TabBar-tabLabel:has-text('{LESSON}.ipynb')", timeout=180_000)
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=180_000)
    page.wait_for_load_state("networkidle")
    assert page.locator(".jp-Dialog, .Toastify__toast").count() == 0
    assert [url for url in elsewhere if not url.startswith(base)] == []
