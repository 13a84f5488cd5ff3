"""The whole loop in a real browser: learn, validate, hand in, collect, grade, read the score.

The tests are the steps of one story, told once: each begins where the one above it ended.
A picture of every step is left in artefacts/browser/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from byhand.lab import ROOT
from tests.byhand.test_explore import CHROMIUM, FLAGS
from tests.byhand.test_lab import LESSON, served

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Locator, Page

pytestmark = pytest.mark.browser

PICTURES = ROOT / "artefacts" / "browser"
PATIENCE = 120_000  # milliseconds: the machine may be busy with other things
HEAD = "def softmax(scores, axis=-1, temperature=1.0):\n"
WRONG = f"""{HEAD}    exps = np.exp(scores / temperature)
    return exps / exps.sum()
"""
RIGHT = f"""{HEAD}    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {{temperature}}")
    largest = scores.max(axis=axis, keepdims=True)
    exps = np.exp((scores - np.where(largest == -np.inf, 0, largest)) / temperature)
    total = exps.sum(axis=axis, keepdims=True)
    return exps / np.where(total == 0, 1, total)
"""
WORDS = "Gaussian: what is near counts, wherever the village is."
COMMENT = "A is right. B and C are missing."


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab on a course of its own, whose folders are all new, with nobody's own settings."""
    root = tmp_path_factory.mktemp("class")
    names = {"AUTOGRADER_COURSE": "course", "AUTOGRADER_EXCHANGE": "exchange", "BYHAND_WORK": "work"}
    with served(ROOT, root, **{name: str(root / folder) for name, folder in names.items()}) as address:
        yield address


@pytest.fixture(scope="module")
def story(lab: str) -> Iterator[Page]:
    """The lesson, open in a tab that stays open from test to test."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    PICTURES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1400, "height": 900})
        opened.set_default_timeout(PATIENCE)
        opened.goto(lab)
        yield opened
        browser.close()


@pytest.fixture
def page(story: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The same tab; what it shows when the test ends, well or not, is kept."""
    yield story
    story.screenshot(path=PICTURES / f"{request.node.name.removeprefix('test_')}.png")


def shows(place: Locator, words: str | re.Pattern[str]) -> None:
    from playwright.sync_api import expect

    expect(place).to_contain_text(words)
    expect(place).to_be_visible()


def cell(page: Page, text: str) -> Locator:
    return page.locator(".jp-Notebook .jp-CodeCell", has_text=text)


def run(page: Page, text: str, new: str = "") -> None:
    """Click into the one cell with this text, type `new` instead if given, run it."""
    cell(page, text).locator(".cm-content").click()
    if new:
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(new)
    page.keyboard.press("Control+Enter")


def check_says(page: Page, words: str) -> None:
    """Run the answer, go on to its check and run that, as learners do; read what it says. It stays folded."""
    check = cell(page, "# Check of softmax: run this cell")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Control+Enter")
    shows(check.locator(".jp-OutputArea-output"), words)
    assert check.locator(".jp-InputPlaceholder").is_visible()


def choose(page: Page, *menu: str) -> None:
    for name in menu:
        page.get_by_role("menuitem", name=name, exact=True).click()


def formgrader(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")


def row(page: Page, text: str) -> Locator:
    return formgrader(page).locator("tbody tr", has_text=text)


def finish(page: Page, words: str) -> None:
    """Read what nbgrader says that it did, and close it."""
    dialog = formgrader(page).locator(".modal.in")
    shows(dialog, words)
    dialog.get_by_role("button", name="OK", exact=True).click()
    dialog.wait_for(state="hidden")


# ---- the learner


def test_01_the_lesson_opens_on_its_title(page: Page) -> None:
    shows(page.locator(".jp-Notebook h1"), "Scoring: which inputs matter?")
    shows(page.locator(".jp-Notebook-ExecutionIndicator, .jp-Toolbar-kernelName").first, "Python 3")


def test_02_the_first_check_says_kindly_that_nothing_is_written_yet(page: Page) -> None:
    run(page, "from byhand import blocks, check, plot")
    run(page, "def softmax(")
    check_says(page, "softmax is not written yet. Replace its line")


def test_03_a_wrong_softmax_reads_its_own_mistake(page: Page) -> None:
    run(page, "def softmax(", WRONG)
    check_says(page, "Likely cause: the whole array adds up to 1; take the sum along axis only.")


def test_04_the_solution_passes(page: Page) -> None:
    run(page, "def softmax(", RIGHT)
    check_says(page, "softmax: the visible checks pass.")


def test_05_a_picture_is_one_image_that_its_caption_describes(page: Page) -> None:
    caption = "What to see: heat makes all shares alike."
    run(page, "plot.explore(animals_and_fruits")  # names what the bars stand for
    run(page, caption)
    pictures = cell(page, caption).locator(".jp-OutputArea-output img")
    pictures.first.wait_for()
    assert pictures.count() == 1
    assert (pictures.get_attribute("alt") or "").startswith(f"{caption} weight:")


def test_06_an_answer_in_words_is_written_into_its_place(page: Page) -> None:
    place = page.locator(".jp-Notebook .jp-MarkdownCell", has_text="Write your answer here.")
    for _ in range(2):  # the first click scrolls there, and the cells on the way grow as they are drawn
        place.locator(".jp-RenderedMarkdown").click()
    page.keyboard.press("Enter")
    shows(place.locator(".cm-content"), "Write your answer here.")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(WORDS)
    page.keyboard.press("Control+Enter")
    shows(page.locator(".jp-Notebook .jp-RenderedMarkdown", has_text=WORDS), WORDS)


def test_07_validate_names_what_is_left_to_do(page: Page) -> None:
    page.get_by_role("button", name="Validate", exact=True).click()
    dialog = page.locator(".jp-Dialog-content")
    shows(dialog, "dot_score is not written yet.")
    assert "softmax is not written yet" not in dialog.inner_text()


def test_08_what_is_handed_in_is_listed_as_submitted(page: Page) -> None:
    page.locator(".jp-Dialog").get_by_role("button", name="Ok", exact=True).click()
    page.keyboard.press("Control+s")
    choose(page, "Nbgrader", "Assignment List")
    shows(page.locator("#submitted_assignments_list"), "There are no submitted assignments.")
    page.locator("#fetched_assignments_list").get_by_role("button", name="Submit", exact=True).click()
    shows(page.locator("#submitted_assignments_list .item_name").first, LESSON)


# ---- the instructor


def test_09_the_formgrader_collects_the_submission(page: Page) -> None:
    choose(page, "Nbgrader", "Formgrader")
    row(page, LESSON).locator(".collect a").click()
    finish(page, "Successfully collected submissions")
    shows(row(page, LESSON).locator(".num-submissions"), "1")


def test_10_its_button_grades_in_the_sandbox(page: Page) -> None:
    row(page, LESSON).locator(".num-submissions a").click()
    row(page, "needs autograding").locator(".autograde a").click()
    finish(page, "Successfully autograded")
    shows(row(page, "needs manual grading").locator(".score"), re.compile(r"^3 / 25$"))


def test_11_the_graded_page_shows_the_points_and_the_message_of_an_exercise(page: Page) -> None:
    row(page, "needs manual grading").locator(".student-name a").click()
    row(page, LESSON).locator(".name a").click()
    graded = formgrader(page).locator("body")
    shows(graded, "Submission 1 / 1")
    shows(graded, "dot_score is not written yet.")
    points = {name: formgrader(page).locator(f"#test_{name}") for name in ("softmax", "dot_score")}
    points["softmax"].scroll_into_view_if_needed()
    assert {name: box.get_attribute("placeholder") for name, box in points.items()} == {
        "softmax": "3",
        "dot_score": "0",
    }


def test_12_points_and_a_comment_for_the_words_are_typed_beside_them(page: Page) -> None:
    graded = formgrader(page)
    shows(graded.locator(".nbgrader_cell", has_text=WORDS), WORDS)
    for box, text in (("choose_score", "2"), ("choose_score-comment", COMMENT)):
        with page.expect_response(lambda answer: answer.request.method == "PUT") as saved:
            graded.locator(f"#{box}").fill(text)
            graded.locator(f"#{box}").press("Escape")
        assert saved.value.ok


def test_13_feedback_goes_back_by_two_buttons(page: Page) -> None:
    formgrader(page).get_by_role("link", name="Manual Grading").click()
    formgrader(page).get_by_role("link", name="Manage Assignments").click()
    row(page, LESSON).locator(".generate-feedback a").click()
    finish(page, "Successfully generated feedback")
    row(page, LESSON).locator(".release-feedback a").click()
    finish(page, "Successfully released feedback")


# ---- the learner again


def test_14_the_learner_reads_the_score_and_no_hidden_check(page: Page) -> None:
    page.locator(".lm-TabBar-tab", has_text="Assignments").click()
    handed_in = page.locator("#submitted_assignments_list")
    handed_in.get_by_role("button", name="Fetch Feedback").click()
    handed_in.get_by_text("(view feedback)").click()
    page.locator(".jp-DirListing-item", has_text=f"{LESSON}.html").dblclick()
    feedback = page.frame_locator("iframe.jp-HTMLViewer-iframe, .jp-HTMLViewer iframe").locator("body")
    shows(feedback, re.compile(r"Score:\s*5\.0\s*/\s*25\.0"))
    shows(feedback, COMMENT)
    shows(feedback, "dot_score is not written yet.")
    assert "HIDDEN" not in feedback.inner_text()
    assert "check.rng()" not in feedback.inner_text()
