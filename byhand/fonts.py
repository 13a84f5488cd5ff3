"""Find a font with Chinese letters among those installed, and use it for one figure only.

Order: the names worth trying, the search, the settings that a figure is made under.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager

# In order of how well they draw simplified Chinese. The Japanese and traditional faces come last:
# they have the letters, some in another shape.
CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Sarasa Gothic SC",
    "LXGW WenKai",
    "Droid Sans Fallback",
    "Noto Serif CJK SC",
    "Songti SC",
    "STHeiti",
    "Heiti TC",
    "SimSun",
    "Arial Unicode MS",
    "Noto Sans CJK JP",
    "Noto Sans CJK TC",
    "Source Han Sans",
    "AR PL UMing CN",
    "AR PL UKai CN",
)
INSTALL = (
    "install Noto Sans CJK SC (Debian, Ubuntu: apt install fonts-noto-cjk; macOS and Windows have "
    "a Chinese font already), then restart the kernel"
)
_told: set[str] = set()


@cache
def chinese() -> str | None:
    """The name of the first installed font that has Chinese letters, or None."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in CHINESE if name in installed), None)


def families() -> list[str]:
    """The fonts to try for each letter: Matplotlib's own first, then the Chinese one."""
    found = chinese()
    return ["DejaVu Sans", found] if found else ["DejaVu Sans"]


def has_chinese(text: str) -> bool:
    """Whether a letter of `text` needs a Chinese (or Japanese, Korean) font: 注意 does, Größe does not."""
    return any(unicodedata.east_asian_width(letter) in "WF" for letter in text)


def tell_if_missing(*texts: str) -> None:
    """Print one sentence, once a session, if `texts` need a Chinese font and none is installed."""
    if chinese() is None and not _told and any(map(has_chinese, texts)):
        _told.add("chinese")
        print(f"No font with Chinese letters was found, so they show as boxes: {INSTALL}.")


@contextmanager
def style() -> Iterator[None]:
    """Make a figure of your own in the course's style: `with plot.style(): fig, ax = plt.subplots()`.

    Chinese letters render, nothing is set for other figures.
    """
    settings: Any = {
        "font.family": families(),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "figure.max_open_warning": 0,
        "figure.dpi": 110,
    }
    # Not rc_context: it would also undo what the notebook's backend sets when the first figure loads it.
    before: Any = {name: mpl.rcParams[name] for name in settings}
    mpl.rcParams.update(settings)
    try:
        yield
    finally:
        mpl.rcParams.update(before)


@contextmanager
def quiet() -> Iterator[None]:
    """No warning for letters without a picture: `tell_if_missing` has said what to install."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        yield
