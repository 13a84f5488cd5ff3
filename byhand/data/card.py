"""Write the data card: the tables and pictures of data/README.md, from the texts themselves.

    python -m byhand.data.card              write data/README.md's tables and data/*.png
    python -m byhand.data.card --check      say which table is out of date (exit status 1)

A table lies between `<!-- begin NAME -->` and `<!-- end NAME -->`. Only the table of sources needs no
texts; pictures are drawn by draw.py. Order: tables, what they count, the command.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from byhand.data import cache, clean, draw, split
from byhand.data.cache import VIEWS
from byhand.data.read import Row
from byhand.data.sources import ROOT, SPLITS, DataError, collection, collections, source, sources

CARD = ROOT / "data" / "README.md"
LOOSE = 7  # tenths: the looser measure of likeness, by which the splits were not made
Splits = dict[str, list[Row]]
SIDES = ("English", "Chinese")


def load(name: str) -> Splits:
    return {part: cache.rows(name, part) for part in SPLITS}


# ---- tables


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; columns after the first two are numbers if the first row's are."""
    listed = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    line = ["---:" if re.fullmatch(r"[\d,.]+( %)?", cell) else "---" for cell in listed[0]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [list(head), line, *listed])


def from_where() -> str:
    """Every package: version, size, licence, whom to thank."""
    rows = []
    for name in sources():
        one = source(name)
        used = [other for other in collections() if one in uses(other)]
        size = f"{one.megabytes:.1f}"
        rows.append(
            [f"[{one}]({one.page}) ({one.client})", size, one.licence, one.attribution, ", ".join(used)]
        )
    return table(["package", "MB", "licence", "by", "used for"], rows)


def uses(name: str) -> set[object]:
    return {*collection(name).made_of(True), *collection(name).made_of(False)}


def counts() -> str:
    """How many texts each split of each collection has, and the checksum of its file."""
    rows = []
    for name in draw.made():
        about = cache.about(name)
        numbers = [about["count"][part] for part in SPLITS]
        sums = ", ".join(f"`{about['sha256'][part][:8]}`" for part in SPLITS)
        rows.append([f"`{name}`", collection(name).lessons, *numbers, sum(numbers), sums])
    return table(["collection", "lesson", *SPLITS, "together", "sha256 of the three files begins"], rows)


def by_source() -> str:
    """How many pairs each source of translations gives, alone."""
    rows = []
    for name in draw.made():
        wanted = collection(name)
        if wanted.kind == "pairs":
            for one in wanted.made_of(share_alike=True):
                raw = cache.load_raw(one)
                pairs = clean.pairs(raw)
                rows.append([f"`{name}`", str(one), len(raw), len(pairs), *lengths(pairs, words, han)])
    head = ["collection", "source", "entries", "clean pairs", "English words", "Chinese characters"]
    return table(head, rows)


def shapes() -> str:
    """How long texts are, and how many words of the test were never seen in training."""
    rows = []
    for name in draw.made():
        texts = load(name)
        every = [row for part in SPLITS for row in texts[part]]
        english, chinese = lengths(every, words, han)
        chinese = chinese if collection(name).kind == "pairs" else ""
        different = f"{len(tokens(every)):,}"
        rows.append([f"`{name}`", english, chinese, different, f"{unseen(texts):.1f} %"])
    new = unseen({"train": load("general")["train"], "test": load("domain")["test"]})
    rows.append(["test of `domain`, train of `general`", "", "", "", f"{new:.1f} %"])
    head = ["collection", "English words", "Chinese characters", "different words", "test words not in train"]
    return table(head, rows)


def overlap() -> str:
    """How many texts of valid and test are in train too: exactly, alike, and alike by a looser measure."""
    rows = []
    for name in draw.made():
        texts = load(name)
        views = VIEWS if collection(name).kind == "pairs" else VIEWS[:1]
        for view, side in zip(views, SIDES, strict=False):
            rows.append([f"`{name}`, {side}", *found(texts, view)])
    for one, other in (("domain", "general"), ("general", "domain")):
        rows += [across(one, other, view, side) for view, side in zip(VIEWS, SIDES, strict=True)]
    return table(["", "texts held out", "exactly", "alike (0.8)", "alike (0.7)"], rows)


def across(one: str, other: str, view: cache.View, side: str) -> list[object]:
    """The same for the test of one collection and the train split of another."""
    texts: Splits = {"train": load(other)["train"], "valid": [], "test": load(one)["test"]}
    return [f"test of `{one}` in train of `{other}`, {side}", *found(texts, view)]


def found(texts: Splits, view: cache.View) -> list[object]:
    """Texts held out, and how many of them are in train: exactly, alike, loosely alike."""
    held = len({view(row) for part in SPLITS[1:] for row in texts[part]})
    exact, near = split.leaks(texts, view)
    loose = split.leaks(texts, view, LOOSE)[1]
    return [held, exact, near, f"{loose} ({100 * loose / held:.1f} %)"]


def balance() -> str:
    """How many texts have each label."""
    rows = []
    for name in draw.made():
        if collection(name).kind == "labelled":
            texts = load(name)
            tally = {part: Counter(label for _, label in texts[part]) for part in SPLITS}
            rows += [
                [f"`{name}`", label, *(tally[part][label] for part in SPLITS)]
                for label in collection(name).labels
            ]
    return table(["collection", "label", *SPLITS], rows)


TABLES: dict[str, Callable[[], str]] = {
    "counts": counts, "sources": from_where, "by source": by_source, "shapes": shapes, "overlap": overlap,
    "balance": balance,
}  # fmt: skip


# ---- what they count


def words(row: Row) -> int:
    return len(clean.WORD.findall(row[0]))


def han(row: Row) -> int:
    return len(clean.HAN.findall(row[1]))


def lengths(rows: Sequence[Row], *counts: Callable[[Row], int]) -> list[str]:
    """Median, 95th percentile and largest, for each way to count."""
    ordered = [sorted(map(count, rows)) for count in counts]
    return [f"{found[len(found) // 2]} · {found[len(found) * 95 // 100]} · {found[-1]}" for found in ordered]


def tokens(rows: Iterable[Row]) -> Counter[str]:
    return Counter(word for row in rows for word in clean.WORD.findall(row[0].lower()))


def unseen(texts: Splits) -> float:
    """Of 100 words of the test, repeats counted, how many are in no text of train."""
    train, test = tokens(texts["train"]), tokens(texts["test"])
    return 100 * sum(count for word, count in test.items() if word not in train) / sum(test.values())


# ---- the command


def filled(text: str) -> str:
    """The card with every table made anew."""
    for name, make in TABLES.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        before, found, rest = text.partition(begin)
        if not found or end not in rest:
            raise DataError(f"{CARD} has no place for the table {name!r}: {begin.strip()} and {end}.")
        text = before + begin + make() + "\n" + end + rest.partition(end)[2]
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m byhand.data.card", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare; write nothing")
    options = parser.parse_args(arguments)
    absent = [name for name in draw.made() if not cache.usable(name)]
    if absent:
        print(f"not on this machine: {', '.join(absent)}. Next: byhand data", file=sys.stderr)
        return 2
    text = CARD.read_text(encoding="utf-8")
    new = filled(text)
    if options.check:
        print(
            "The data card is up to date."
            if new == text
            else "data/README.md: run python -m byhand.data.card"
        )
        return int(new != text)
    CARD.write_text(new, encoding="utf-8")
    print(f"Wrote {CARD.name} and {', '.join(draw.draw(CARD.parent))}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
