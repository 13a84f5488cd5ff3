"""plot.explore: one output that is live in a browser, still elsewhere, and asks the internet for nothing."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from byhand import plot
from byhand.explore import SCORES

if TYPE_CHECKING:
    from playwright.sync_api import Page

KEYS = [[1.0, 0.2], [0.6, 0.9], [-0.8, 0.5], [-0.3, -1.0]]
VALUES = [[2.0, 0.0], [1.0, 1.5], [-1.0, 1.0], [-2.0, -1.0]]
LABELS = ["cat", "dog", "鱼", "<i>car</i> </script>"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def bundle(**more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    plt.switch_backend("agg")
    return plot.explore(KEYS, VALUES, LABELS, **more)._repr_mimebundle_()


def softmax(scores: Any, temperature: float) -> Any:
    parts = np.exp((scores - scores.max()) / temperature)
    return parts / parts.sum()


def by_hand(score: str, query: Any, temperature: float) -> Any:
    """The weights once more, in plain loops."""
    listed = []
    for key in np.array(KEYS):
        product = query[0] * key[0] + query[1] * key[1]
        lengths = float(np.hypot(*query) * np.hypot(*key))
        distance = float(((query - key) ** 2).sum())
        kinds = {
            "dot": product,
            "scaled": product / 2**0.5,
            "cosine": product / max(lengths, 1e-8),
            "gaussian": -distance / 2,
        }
        listed.append(kinds[score])
    return softmax(np.array(listed), temperature)


def test_one_output_holds_the_live_figure_a_picture_and_words() -> None:
    data, metadata = bundle(title="Drag")
    assert set(data) == {"text/html", "image/png", "text/plain"}
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert data["text/plain"] == metadata["image/png"]["alt"]
    assert re.search(r"cat 0\.\d\d, dog", data["text/plain"])


def test_nothing_is_fetched_from_anywhere() -> None:
    page = bundle()[0]["text/html"].replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert not re.findall(r"https?:|//cdn|\bimport\b|\bfetch\(|@import|<link|url\(", page)


def test_the_still_picture_leaves_no_figure_open() -> None:
    before = plt.get_fignums()
    bundle()
    assert plt.get_fignums() == before


@pytest.mark.parametrize("score", SCORES)
def test_it_starts_with_the_weights_of_its_score(score: str) -> None:
    figure = plot.explore(KEYS, query=[0.5, -0.25], score=score, temperature=0.5)
    assert figure.weights == pytest.approx(by_hand(score, np.array([0.5, -0.25]), 0.5), abs=1e-12)


def test_a_label_cannot_end_the_script() -> None:
    page = bundle()[0]["text/html"]
    assert page.count("</script>") == 1
    found = re.search(r"const data = (.*);", page)
    assert found is not None
    assert json.loads(found[1])["labels"] == LABELS


def test_while_a_class_is_graded_it_is_words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_GRADING", "1")
    assert set(bundle()[0]) == {"text/plain"}


def exported(tmp_path: Path) -> str:
    """A notebook whose one output is the figure, as nbconvert's page; addresses of its own left out."""
    import nbformat
    from nbconvert import HTMLExporter

    data, metadata = bundle()
    output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("plot.explore(keys)", outputs=[output])]
    )
    page, _ = HTMLExporter().from_notebook_node(notebook)
    return re.sub(r'<script[^>]+src="https?:[^"]*"[^>]*></script>', "", page)


WRONG = {
    "columns": ({"keys": [[1, 2, 3]]}, "keys has 3 columns"),
    "values": ({"keys": KEYS, "values": [[1, 2]]}, "values has 1 rows, but there are 4 keys"),
    "labels": ({"keys": KEYS, "labels": ["a"]}, "labels has 1 labels"),
    "score": ({"keys": KEYS, "score": "cosin"}, "Did you mean 'cosine'"),
    "temperature": ({"keys": KEYS, "temperature": 0}, "from 0.05 to 20"),
    "many": ({"keys": np.ones((13, 2))}, "13 rows; the figure has room for 12"),
    "nan": ({"keys": [[np.nan, 1]]}, "not finite"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_what_cannot_be_drawn_is_refused_with_a_reason(mistake: str) -> None:
    arguments, words = WRONG[mistake]
    with pytest.raises(ValueError, match=words):
        plot.explore(**arguments)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Page]:
    """Two figures on one page; a script error or a request to anywhere fails the test."""
    parts = [bundle()[0]["text/html"], bundle(score="gaussian", temperature=0.3)[0]["text/html"]]
    file = tmp_path / "page.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{''.join(parts)}", encoding="utf-8")
    opened = browser.new_page(viewport={"width": 920, "height": 900})
    trouble: list[str] = []
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.on("request", lambda request: trouble.append(request.url) if request.url[:4] == "http" else None)
    opened.goto(file.as_uri())
    yield opened
    opened.close()
    assert trouble == []


def shown(page: Page, number: int = 0) -> tuple[Any, Any, Any, float]:
    """What figure `number` shows: query, output, weights as written beside the bars, temperature."""
    root = page.locator(".byhand-explore").nth(number)
    now = json.loads(root.get_attribute("data-now") or "")
    weights = [float(text) for text in root.locator("[data-is=weight]").all_inner_texts()]
    return np.array(now["query"]), np.array(now["output"]), np.array(weights), now["temperature"]


def drag(page: Page, right: float, up: float, number: int = 0) -> None:
    """Pull the query to a place in the plane, each from -1 to 1 of the half side."""
    handle = page.locator(".handle .ring").nth(number).bounding_box()
    box = page.locator(".plane.keys svg").nth(number).bounding_box()
    assert handle is not None
    assert box is not None
    across = box["x"] + box["width"] * (1 + right) / 2
    down = box["y"] + box["height"] * (1 - up) / 2
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(across, down, steps=4)
    page.mouse.up()


@pytest.mark.browser
@pytest.mark.parametrize("score", SCORES)
def test_dragging_shows_the_weights_and_output_that_numpy_gives(page: Page, score: str) -> None:
    page.locator(".byhand-explore").first.locator(f".scores input[value={score}]").check(force=True)
    before = shown(page)[2]
    drag(page, -0.5, 0.6)
    query, output, weights, temperature = shown(page)
    reach = 1.3 * np.abs(KEYS).max()
    assert query == pytest.approx([-0.5 * reach, 0.6 * reach], abs=0.02)
    assert not np.allclose(before, weights, atol=1e-2)
    exact = by_hand(score, query, temperature)
    assert weights == pytest.approx(exact, abs=1e-3)
    assert output == pytest.approx(exact @ np.array(VALUES), abs=1e-9)


@pytest.mark.browser
def test_the_temperature_slider_is_logarithmic_and_changes_the_weights(page: Page) -> None:
    slider = page.locator("input[type=range]").first
    sharpest = []
    for exponent in (-1.0, 0.0, 1.0):
        slider.fill(str(exponent))
        query, _, weights, temperature = shown(page)
        assert temperature == pytest.approx(10**exponent)
        assert weights == pytest.approx(by_hand("dot", query, temperature), abs=1e-3)
        sharpest.append(weights.max())
    assert sharpest[0] > sharpest[1] > sharpest[2]


@pytest.mark.browser
def test_arrow_keys_move_the_query(page: Page) -> None:
    start = shown(page)[0]
    page.locator(".handle").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    moved = shown(page)[0] - start
    assert moved[0] > 0
    assert moved[0] == pytest.approx(moved[1])
    page.keyboard.press("Shift+ArrowLeft")
    assert shown(page)[0][0] - start[0] == pytest.approx(moved[0] * 0.8)


@pytest.mark.browser
def test_jupyterlab_s_own_keys_are_off_where_the_figure_takes_keys(page: Page) -> None:
    root = page.locator(".byhand-explore").first
    takers = root.locator("input, [tabindex]")
    assert takers.count() == 6  # four scores, the slider, the query
    assert all(taker.get_attribute("data-lm-suppress-shortcuts") == "true" for taker in takers.all())


@pytest.mark.browser
def test_two_figures_on_a_page_do_not_touch_each_other(page: Page) -> None:
    second = shown(page, 1)
    drag(page, 0.4, -0.7, number=0)
    page.locator(".scores input[value=cosine]").first.check(force=True)
    assert all(np.array_equal(now, then) for now, then in zip(shown(page, 1), second, strict=True))
    assert (
        page.locator(".byhand-explore").nth(1).locator("input:checked").get_attribute("value") == "gaussian"
    )


@pytest.mark.browser
def test_the_query_stays_inside_the_drawn_square(page: Page) -> None:
    drag(page, 3, 0)
    assert shown(page)[0][0] == pytest.approx(1.3 * np.abs(KEYS).max())


@pytest.mark.browser
def test_labels_are_text_and_nothing_else(page: Page) -> None:
    root = page.locator(".byhand-explore").first
    assert root.locator("i", has_text="car").count() == 0
    assert root.locator("[role=rowheader]").all_inner_texts()[:4] == LABELS


@pytest.mark.browser
def test_without_scripts_the_still_picture_shows(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(f"<meta charset=utf-8>{bundle()[0]['text/html']}", encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator(".byhand-explore > img").is_visible()
    assert page.locator(".byhand-explore *:visible").count() == 1
    context.close()


@pytest.mark.browser
def test_it_is_live_in_a_page_made_by_nbconvert(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(exported(tmp_path), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(file.as_uri(), wait_until="commit")
    page.wait_for_selector(".byhand-explore.on")
    before = shown(page)[2]
    page.locator("input[type=range]").fill("-1")
    assert not np.allclose(shown(page)[2], before, atol=1e-2)
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize(("paper", "ink"), [("#111111", "#eeeeee"), ("#ffffff", "#1f2328")])
def test_it_follows_the_theme_of_the_page(browser: Any, tmp_path: Path, paper: str, ink: str) -> None:
    file = tmp_path / "page.html"
    theme = f"<style>:root {{ --jp-layout-color0: {paper}; --jp-content-font-color1: {ink} }}</style>"
    file.write_text(f"<meta charset=utf-8>{theme}{bundle()[0]['text/html']}", encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    root = page.locator(".byhand-explore")
    assert ("dark" in (root.get_attribute("class") or "").split()) == (paper == "#111111")
    colour = root.evaluate("node => getComputedStyle(node).backgroundColor")
    assert [int(part) for part in re.findall(r"\d+", colour)] == [int(paper[1:3], 16)] * 3
    page.evaluate("document.documentElement.style.setProperty('--jp-content-font-color1', '#fefefe')")
    page.evaluate("document.body.setAttribute('data-jp-theme-light', 'false')")
    page.wait_for_function("document.querySelector('.byhand-explore').classList.contains('dark')")
    page.close()
