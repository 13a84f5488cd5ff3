"""Feedback and the formgrader in a browser without a network: formulas are drawn, nothing is fetched."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nbconvert.exporters import HTMLExporter
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension

from autograder.course import Course
from autograder.feedback import generate
from tests.byhand.test_explore import CHROMIUM, FLAGS
from tests.classroom import DOT, NAME, SHARE, hand_in, make_course, run

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
ANSWER = "Twice $x_1$ is\n\n$$\\frac{x_1 + x_1}{1}$$\n\n[more](javascript:document.title='run')"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    made = make_course(tmp_path_factory.mktemp("class"))
    hand_in(made, "ana", timestamp="2026-03-01 12:00:00 UTC", dot=DOT, share=SHARE, doubled=ANSWER)
    assert run(made) == 0
    return made


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[Page]:
    """A browser that reaches nothing but files."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(offline=True).new_page()
        yield page
        browser.close()


def opened(page: Page, file: Path) -> list[str]:
    """Open a page; returns the addresses elsewhere that it asked for."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url[:4] != "file" else None)
    page.goto(file.as_uri())
    return asked


def drawn(page: Page) -> Any:
    """How much higher the fraction is than its numerator: above 1 only where the browser lays it out."""
    height = "tag => document.querySelector(tag).getBoundingClientRect().height"
    return page.evaluate(f"({height})('mfrac') / ({height})('mfrac > mrow')")


def test_a_released_feedback_page_draws_its_formulas(course: Course, offline: Page):
    assert generate.make(course, NAME, Namespace(student=[], jobs=1, json=False)) == 0
    asked = opened(offline, course.step("feedback", NAME, "ana") / f"{NAME}.html")
    assert drawn(offline) > 1.5
    assert "$" not in offline.locator(".nbgrader_cell", has_text="Twice").inner_text()
    assert asked == []


def test_a_page_runs_no_code_of_a_learners_link(course: Course, offline: Page):
    generate.make(course, NAME, Namespace(student=[], jobs=1, json=False))
    opened(offline, course.step("feedback", NAME, "ana") / f"{NAME}.html")
    offline.get_by_text("more", exact=True).click()
    assert offline.title() == NAME


def formgraders(course: Course, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the formgrader shows of ana's submission, made as its page handler makes it."""
    monkeypatch.chdir(course.root)
    extension = FormgradeExtension()
    extension.root_dir = str(course.root)
    extension.initialize([], root=str(course.root))
    exporter = HTMLExporter(config=extension.config)
    names = {"assignment_id": NAME, "notebook_id": NAME, "submission_id": "1", "index": 0, "total": 1}
    names |= {"base_url": "", "student": "ana", "last_name": "", "first_name": "", "notebook_path": ""}
    path = course.step("autograded", NAME, "ana") / f"{NAME}.ipynb"
    return str(exporter.from_filename(str(path), resources=names)[0])


def test_the_formgraders_page_draws_formulas_and_asks_only_its_own_server(
    course: Course, offline: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "page.html"
    file.write_text(formgraders(course, monkeypatch), encoding="utf-8")
    asked = opened(offline, file)
    assert drawn(offline) > 1.5
    assert asked == []
    assert "javascript:document" not in file.read_text()
