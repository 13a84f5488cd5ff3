"""Splitting: no text of the test was in training, not even nearly; nothing but a text decides its place."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from byhand.data import split
from byhand.data.sources import SPLITS
from tests import parcel

Row = tuple[str, str]
VIEWS: list[Callable[[Row], str]] = [lambda row: row[0].lower(), lambda row: row[1]]
PARTS = (200, 200)


def masked(n: int, seed: int = 0) -> list[Row]:
    """n rows of random letters: nothing is alike."""
    rng = random.Random(seed)
    letters, signs = "abcdefghijklmnop", "".join(map(chr, range(0x4E00, 0x4E80)))
    return [("".join(rng.choices(letters, k=20)), "".join(rng.choices(signs, k=10))) for _ in range(n)]


def places(rows: list[Row]) -> dict[Row, str]:
    return {row: name for name, found in split.split(rows, VIEWS, PARTS).items() for row in found}


def test_every_row_is_in_one_split_and_the_parts_are_about_as_asked() -> None:
    rows = masked(2000)
    found = split.split(rows, VIEWS, PARTS)
    assert sorted(itertools.chain(*found.values())) == sorted(rows)
    assert list(found) == list(SPLITS)
    assert all(300 < len(found[name]) < 500 for name in ("valid", "test"))


def test_the_order_of_the_rows_does_not_decide() -> None:
    rows = [*masked(300), *parcel.sentences()]
    rows += [(english, rows[at][1]) for at, (english, _) in enumerate(masked(300, seed=1))]
    shuffled = random.Random(1).sample(rows, len(rows))
    assert places(shuffled) == places(rows)


def test_rows_that_are_alike_to_nothing_new_stay_where_they_are() -> None:
    rows = masked(300)
    before, after = places(rows), places(rows + masked(300, seed=1))
    assert {row: after[row] for row in rows} == before


def test_rows_that_share_either_side_stay_together() -> None:
    rows = masked(300)
    chained = [(rows[at][0], rows[at + 1][1]) for at in range(299)]
    assert len(set(places(rows + chained).values())) == 1
    assert len(set(places(rows).values())) == 3


def test_no_text_of_valid_or_test_is_in_train_or_alike_to_one_there() -> None:
    rng, rows = random.Random(2), masked(400)
    near = [
        (text[:at] + "z" + text[at:], chinese[::-1])
        for text, chinese in rows
        for at in [rng.randrange(15, 20)]
    ]
    longer = [(one[0] + other[0], one[1]) for one, other in zip(rows, near, strict=True)]
    twice = [(text + "qq", chinese[::-1]) for text, chinese in longer]
    found = split.split([*rows, *near, *longer, *twice], VIEWS, PARTS)
    for view in VIEWS:
        assert split.leaks(found, view) == (0, 0)


def test_leaks_are_found_where_there_are_some() -> None:
    text = "there is a red door here"
    found = {"train": [text, "quite another"], "valid": [text], "test": [text + "s", "something else"]}
    assert split.leaks(found, str) == (1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_alike_finds_what_comparing_all_with_all_finds(seed: int) -> None:
    rng = random.Random(seed)
    texts = ["".join(rng.choices("abc", k=rng.randrange(4, 30))) for _ in range(60)]
    texts += [text[: rng.randrange(len(text))] + text for text in texts[:30]]
    texts += [text[:size] for text in texts[:30] for size in (7, 8)]  # 4 grams of 5: exactly 0.8

    def overlap(one: str, other: str) -> float:
        left, right = split.grams(one), split.grams(other)
        return len(left & right) / len(left | right)

    slow = {
        frozenset(pair)
        for pair in itertools.combinations(sorted(set(texts)), 2)
        if overlap(*pair) >= 0.8 - 1e-9
    }
    assert {frozenset(pair) for pair in split.alike(texts)} == slow
    assert slow


def test_grams_are_letters_of_english_and_signs_of_chinese() -> None:
    assert split.grams("abcde") == {"abcd", "bcde"}
    assert split.grams("打开门") == {"打开", "开门"}
    assert split.grams("a") == {"a"}
