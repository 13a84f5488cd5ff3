"""byhand.plot: what a picture shows, says to a screen reader, and leaves untouched."""

from __future__ import annotations

import base64
import re
import struct
import warnings
from html.parser import HTMLParser
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import select_figure_formats
from matplotlib.axes import Axes
from matplotlib.text import Text

from byhand import figure, fonts, plot

pytestmark = pytest.mark.usefixtures("paper")
WEIGHTS = np.array([[0.25, 0.75, 0.0], [0.001, 0.5, 0.499]])


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_figure().findobj(Text) if text.get_text()]


def drawn(ax: Axes) -> Any:
    ax.figure.canvas.draw()
    return ax.figure


EVERY = {
    "weights": lambda **more: plot.weights(WEIGHTS, **more),
    "mask": lambda **more: plot.mask(WEIGHTS > 0, **more),
    "bars": lambda **more: plot.bars([1.0, -2.0], **more),
    "lines": lambda **more: plot.lines([1, 2], {"a": [3, 4]}, xlabel="x", ylabel="y", **more),
    "points": lambda **more: plot.points([[0, 1], [1, 0]], [1, 1], [0.5, 0.5], **more),
    "alignment": lambda **more: plot.alignment(WEIGHTS, ["a", "b", "c"], ["x", "y"], **more),
}


@pytest.mark.parametrize("kind", EVERY)
def test_every_picture_has_its_title_caption_and_alt_text(kind: str) -> None:
    ax = EVERY[kind](title="The title", caption="What to see.")
    assert ax.get_title(loc="left") == "The title"
    assert "What to see." in texts(ax)
    assert drawn(ax).alt.startswith("The title. What to see.")


def test_lines_say_where_each_begins_and_ends() -> None:
    series = {"a": [np.nan, 1.5, 2, 4], "b": [3, 1, 0.25, np.inf], "c": [np.nan] * 4}
    ax = plot.lines(range(4), series, xlabel="step", ylabel="loss")
    said = "a from 1.50 to 4.00; b from 3.00 to 0.25; c without a finite number."
    assert ax.figure.alt == f"Lines of loss against step: {said}"


def test_weights_say_the_key_that_leads_and_where_none_does() -> None:
    ax = plot.weights(torch.tensor([[0.2] * 4, [0.4, 0.1, 0.4, 0.1], [0.7, 0.1, 0.1, 0.1]]))
    equal = "query 0: equal on 4 keys (0.20 each); query 1: equal on 2 keys (0.40 each)"
    assert ax.figure.alt.endswith(f"{equal}; query 2: most on key 0 (0.70).")


def shown(ax: Axes, monkeypatch: pytest.MonkeyPatch, kind: str = "png") -> dict[str, Any]:
    """What a notebook keeps of the figure that a cell drew."""
    shell = InteractiveShell()
    select_figure_formats(shell, kind, bbox_inches="tight")
    monkeypatch.setattr(figure, "notebook_shell", lambda: shell)
    data: dict[str, Any] = shell.display_formatter.format(ax.figure)[0]
    return data


class Tags(HTMLParser):
    """The elements of a page with their attributes, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def image(page: str) -> dict[str, str | None]:
    """The attributes of the page's one element, an <img>."""
    ((tag, attributes),) = Tags(page).found
    assert tag == "img"
    return attributes


def test_a_notebook_shows_one_picture_whose_alt_text_is_the_figure_s(monkeypatch: pytest.MonkeyPatch) -> None:
    ax = plot.weights(WEIGHTS, title="\"a\" <b> & 'c' 猫", caption="What to see.")
    data = shown(ax, monkeypatch)
    assert set(data) == {"text/html", "text/plain"}
    drawn_as = image(data["text/html"])
    assert drawn_as["alt"] == data["text/plain"] == ax.figure.alt
    assert set(drawn_as) == {"alt", "src"}
    assert str(drawn_as["src"]).startswith("data:image/png;base64,")


def pixels(data: dict[str, Any]) -> tuple[int, int]:
    found = re.search('base64,([^"]+)', data["text/html"])
    assert found is not None
    width, height = struct.unpack(">II", base64.b64decode(found[1])[16:24])
    return width, height


def test_a_retina_picture_has_twice_the_pixels_at_the_same_size(monkeypatch: pytest.MonkeyPatch) -> None:
    ax = plot.weights(WEIGHTS)
    usual, fine = (shown(ax, monkeypatch, kind) for kind in ("png", "retina"))
    assert pixels(fine) == pytest.approx([2 * size for size in pixels(usual)], abs=2)
    assert int(str(image(fine["text/html"])["width"])) == pixels(fine)[0] // 2


def test_a_notebook_set_to_svg_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(shown(plot.bars([1]), monkeypatch, "svg")) == {"image/svg+xml", "text/plain"}


def test_while_a_class_is_graded_it_is_a_png(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_GRADING", "1")
    assert set(shown(plot.bars([1]), monkeypatch)) == {"image/png", "text/plain"}


@pytest.mark.parametrize("kind", EVERY)
def test_no_global_setting_changes(kind: str) -> None:
    plt.figure()  # the first figure loads the backend, which sets its own
    before = dict(mpl.rcParams)
    drawn(EVERY[kind](title="标题"))
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("kind", EVERY)
def test_axes_of_ones_own_are_drawn_on(kind: str) -> None:
    own, ax = plt.subplots(layout="constrained")
    assert EVERY[kind](caption="Seen here.", ax=ax) is ax
    assert plt.get_fignums() == [own.number]
    assert "Seen here." in ax.get_xlabel()


@pytest.mark.parametrize("kind", EVERY)
def test_chinese_letters_are_drawn_where_a_font_has_them(kind: str) -> None:
    own, ax = plt.subplots(layout="constrained")  # a plain figure, which warns of letters it cannot draw
    EVERY[kind](title="注意力", caption="每一行之和为一。", ax=ax)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        own.canvas.draw()
    missing = [each for each in caught if "Glyph" in str(each.message)]
    assert bool(missing) == (fonts.chinese() is None)


def test_labels_inside_the_picture_have_the_chinese_font_too() -> None:
    ax = plot.points([[0, 1]], labels=["鱼"])
    label = next(text for text in ax.findobj(Text) if text.get_text() == "鱼")
    assert label.get_fontfamily() == fonts.families()


def test_without_a_chinese_font_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fonts, "chinese", lambda: None)
    monkeypatch.setattr(fonts, "_told", set())
    for _ in range(2):
        drawn(plot.weights(WEIGHTS, keys=["我", "爱", "你"]))
    printed = capsys.readouterr()
    assert printed.out.count("fonts-noto-cjk") == 1
    assert printed.err == ""


def test_latin_text_asks_for_no_chinese_font(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fonts, "chinese", lambda: None)
    monkeypatch.setattr(fonts, "_told", set())
    drawn(plot.bars([1, 2], ["Größe", "naïve → 1"]))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("values", [WEIGHTS, WEIGHTS / 100, WEIGHTS * 3])
def test_weights_are_coloured_from_0_to_1_whatever_they_are(values: Any) -> None:
    image = plot.weights(values).images[0]
    assert (image.norm.vmin, image.norm.vmax, image.cmap.name) == (0, 1, "viridis")


def test_a_weight_of_0_differs_from_a_small_one() -> None:
    shown = texts(plot.weights(WEIGHTS))
    assert "0" in shown
    assert "0.00" in shown  # 0.001


def test_numbers_are_left_out_where_they_would_not_fit() -> None:
    assert "0.04" in texts(plot.weights(np.full((12, 12), 0.04)))
    assert "0.04" not in texts(plot.weights(np.full((13, 2), 0.04)))


def test_one_query_is_one_row() -> None:
    assert plot.weights([0.5, 0.5]).images[0].get_array().shape == (1, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_tensors_with_gradients_are_drawn(dtype: torch.dtype) -> None:
    image = plot.weights(torch.tensor([[0.25, 0.75]], dtype=dtype, requires_grad=True)).images[0]
    assert image.get_array().tolist() == [[0.25, 0.75]]


def test_weights_that_are_not_numbers_are_drawn_and_named() -> None:
    assert "nan" in texts(plot.weights([[np.nan, np.nan], [0.0, 1.0]]))


def test_the_mask_legend_says_which_colour_may_attend() -> None:
    ax = plot.mask([[True, False]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["may attend", "blocked"]
    low, high = (ax.images[0].cmap(value) for value in (0, 1))
    patches = [patch.get_facecolor() for patch in ax.get_legend().get_patches()]
    assert patches == [high, low]


def test_an_alignment_has_its_source_on_top() -> None:
    ax = plot.alignment(WEIGHTS, ["the", "cat", "sat"], ["猫", "坐"])
    drawn(ax)
    assert ax.xaxis.get_label_position() == "top"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["猫", "坐"]


def test_grouped_bars_have_one_colour_and_name_each() -> None:
    ax = plot.bars({"dot": [1, 2], "cosine": [0.1, 0.2]}, ["a", "b"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["dot", "cosine"]
    assert len({bar.get_facecolor() for bar in ax.patches}) == 2


def test_the_area_of_a_point_is_its_weight() -> None:
    small, large = plot.points([[0, 1], [1, 0]], weights=[0.1, 0.9]).collections[0].get_sizes()
    assert (large - 25) / (small - 25) == pytest.approx(9)


def test_log_lines_have_two_log_axes() -> None:
    ax = plot.lines([1, 10], {"a": [1, 100]}, xlabel="T", ylabel="seconds", log=True)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_a_dashed_line_is_dashed_in_the_legend_too() -> None:
    ax = plot.lines([1, 2], {"a": [1, 2], "b": [1, 2]}, xlabel="x", ylabel="y", dashed=["b"])
    for drawn_as in (ax.get_lines(), ax.get_legend().get_lines()):
        assert [line.is_dashed() for line in drawn_as] == [False, True]


def test_many_figures_do_not_warn() -> None:
    for _ in range(25):
        plot.bars([1])


WRONG = {
    "labels": (lambda: plot.weights(WEIGHTS, keys=["a"]), "keys has 1 labels, but there are 3 columns"),
    "axes": (lambda: plot.weights(np.zeros((1, 2, 3))), r"weights has shape \(1, 2, 3\).*\(T, S\)"),
    "empty": (lambda: plot.bars([]), r"values has shape \(0,\)"),
    "words": (lambda: plot.bars(["a"]), "cannot be drawn"),
    "mask": (lambda: plot.mask([[0.0, 1.0]]), "a mask holds bool"),
    "bars": (lambda: plot.bars({"a": [1], "b": [1, 2]}), r"lengths \[1, 2\]"),
    "lines": (lambda: plot.lines([1], {"a": [1, 2]}, xlabel="", ylabel=""), "a has 2 numbers, but x has 1"),
    "plane": (lambda: plot.points([[1, 2, 3]]), r"shape \(1, 3\)"),
    "arrow": (lambda: plot.points([[1, 2]], [1]), r"query has shape \(1,\)"),
    "weights": (lambda: plot.points([[1, 2]], weights=[1, 2]), "weights has 2 entries, but there are 1 keys"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_picture_that_cannot_be_drawn_says_both_numbers(mistake: str) -> None:
    draw, words = WRONG[mistake]
    with pytest.raises(ValueError, match=words):
        draw()


def test_lines_of_a_caption_break_between_words_and_chinese_letters() -> None:
    assert figure.wrap("one two three", 8) == "one two\nthree"
    assert figure.wrap("每一行之和", 6) == "每一行\n之和"
    assert all(len(line) <= 20 for line in figure.wrap("word " * 30, 20).splitlines())


def test_a_bar_too_small_to_see_is_not_written_with_an_exponent() -> None:
    shown = texts(plot.bars([0.9, 3e-7]))
    assert "0.00" in shown
    assert not any("e-" in text for text in shown)
    assert "3e-07" in texts(plot.bars([3e-7, 2e-7]))
