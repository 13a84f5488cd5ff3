"""The data card: what it says of packages and of texts is what is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from byhand.data import card, draw, sources, split
from byhand.data.sources import DataError


def block(name: str) -> str:
    text = card.CARD.read_text(encoding="utf-8")
    return text.partition(f"<!-- begin {name} -->\n")[2].partition(f"\n<!-- end {name} -->")[0]


def test_the_table_of_packages_and_licences_is_that_of_the_sources() -> None:
    assert block("sources") == card.from_where(), "run python -m byhand.data.card"


def test_every_package_is_thanked() -> None:
    table = block("sources")
    for name in sources.sources():
        assert str(sources.source(name)) in table
        assert sources.source(name).attribution in table


def test_every_table_has_its_place_and_is_filled() -> None:
    for name in card.TABLES:
        assert len(block(name).splitlines()) > 2, name


def test_every_picture_is_there_and_described() -> None:
    described = re.findall(r"!\[([^]]{60,})\]\((\w+\.png)\)", card.CARD.read_text(encoding="utf-8"))
    assert {name for _, name in described} == {"lengths.png", "nearest.png"}
    assert all((card.CARD.parent / name).is_file() for _, name in described)


def test_a_card_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(DataError, match="has no place for the table 'counts'"):
        card.filled("no markers")


def test_no_text_of_others_is_kept_in_the_repository() -> None:
    kept = sorted(path.name for path in card.CARD.parent.iterdir())
    assert kept == ["README.md", "base.md", "lengths.png", "nearest.png", "sources.toml"]


def test_lengths_are_median_95th_percentile_and_longest() -> None:
    rows = [("word " * n, "字" * 2 * n) for n in range(1, 101)]
    assert card.lengths(rows, card.words, card.han) == ["51 · 96 · 100", "102 · 192 · 200"]


def test_unseen_words_are_counted_as_often_as_they_come() -> None:
    texts = {"train": [("Open the door", "")], "test": [("open the gate, the old gate", "")]}
    assert card.unseen(texts) == pytest.approx(100 * 3 / 6)


def test_the_most_similar_text_is_found() -> None:
    others = ["openthedoor", "closethewindow", "打开门"]
    assert draw.nearest(["openthedoor", "openthedoors", "zzzz"], others) == pytest.approx([1.0, 8 / 9, 0.0])
    one, other = (split.grams(text) for text in ("openthedoors", "openthedoor"))
    assert len(one & other) / len(one | other) == pytest.approx(8 / 9)


@pytest.mark.slow
def test_the_card_says_what_fresh_downloads_give(tmp_path: Path) -> None:
    """Fetches everything anew, so it needs the internet: another byte of any text, and a table differs."""
    settings = {**os.environ, "BYHAND_DATA": str(tmp_path)}
    for command in (["byhand.cli", "data", "--quiet"], ["byhand.data.card", "--check"]):
        done = subprocess.run([sys.executable, "-m", *command], env=settings, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
