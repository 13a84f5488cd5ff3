"""`byhand data`: fetch the texts of lessons 06 to 08 once, and say what is there.

    byhand data                     all that lessons need (92 MB to download; weights are fetched when needed)
    byhand data general domain      only these
    byhand data --list              what is there, from where, under which licence, with samples
    byhand data --no-share-alike    without texts that ask to share alike; another source instead
    byhand data --from FOLDER       packages that somebody has downloaded already

Order: the command, fetching and making, the list.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from byhand.data import cache
from byhand.data.sources import Collection, DataError, collection, collections, home

SAMPLES = 2


def add_parser(subparsers: Any) -> None:
    """`byhand data`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "data",
        help="fetch the texts of lessons 06 to 08, once",
        description="Fetch texts by others, check, clean and split them. Afterwards no network is needed.",
        epilog="example: byhand data --list",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(collections())}")
    parser.add_argument("--list", action="store_true", help="say what is there; fetch nothing")
    parser.add_argument(
        "--share-alike",
        action=argparse.BooleanOptionalAction,
        help="use texts under share-alike licences (the default; --no-share-alike is remembered)",
    )
    parser.add_argument(
        "--from", dest="offered", type=Path, metavar="FOLDER", help="take packages from this folder"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    wanted = [collection(name) for name in options.names or collections()]
    if options.list:
        print("\n\n".join(map(described, wanted)))
        return 0
    if options.offered is not None and not options.offered.is_dir():
        raise DataError(f"{options.offered} is no folder.\n  Next: name the one that holds the packages.")
    if not options.names:
        wanted = [one for one in wanted if one.default]
    failed = get(wanted, remembered(options.share_alike), options.offered, options.quiet)
    for error in failed:
        print(f"byhand: {error}", file=sys.stderr)
    return 2 if failed else 0


def remembered(choice: bool | None) -> bool:
    """Whether share-alike texts are wanted: what was said now, else what was said last, else yes."""
    path = home() / "share_alike"
    if choice is None:
        return not path.is_file() or path.read_text(encoding="utf-8").strip() != "no"
    cache.write(path, b"yes\n" if choice else b"no\n")
    return choice


# ---- fetching and making


def get(
    wanted: Sequence[Collection], share_alike: bool, offered: Path | None = None, quiet: bool = False
) -> list[DataError]:
    """Make these collections where they are not there yet. What could not be had is returned, in words."""
    from byhand.data import fetch

    failed: list[DataError] = []
    models = [one for one in wanted if one.kind == "weights"]
    texts = [one for one in wanted if one.kind != "weights"]
    todo = [one for one in texts if not cache.is_current(one, share_alike)]
    failed += fetch.fetch(
        [source for one in todo for source in cache.ingredients(one, share_alike)], offered, quiet
    )
    for one in todo:
        if all(cache.raw_file(source).is_file() for source in cache.ingredients(one, share_alike)):
            if not quiet:
                print(f"Cleaning and splitting {one.name} …", flush=True)
            cache.make(one, share_alike)
    for one in models:
        try:
            if not cache.is_current(one, True):
                fetch.weights(one, offered, quiet)
        except DataError as error:
            failed.append(error)
    for one in wanted:
        print(line(one), flush=True)
    return failed


def line(wanted: Collection) -> str:
    """One collection in one line."""
    found = cache.usable(wanted.name)
    if not found:
        return f"{wanted.name:<10} not there"
    counts = found.get("count")
    if not counts:
        return f"{wanted.name:<10} there: {home() / wanted.name}"
    told = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    return (
        f"{wanted.name:<10} {sum(counts.values()):,} {'pairs' if wanted.kind == 'pairs' else 'texts'}: {told}"
    )


# ---- the list


def described(wanted: Collection) -> str:
    """What a collection is, how many texts it has, from where, under which licence, and a few of them."""
    found = cache.usable(wanted.name)
    share_alike = bool(found.get("share_alike", True))
    lines = [line(wanted), f"  {wanted.about}; lesson {wanted.lessons}"]
    for source in wanted.made_of(share_alike):
        lines.append(f"  from {source}, {source.megabytes:.1f} MB: {source.licence}. {source.attribution}.")
    if not found:
        name = "" if wanted.default else f" {wanted.name}"
        return "\n".join([*lines, f"  Next: byhand data{name}"])
    if wanted.kind != "weights":
        rows = cache.rows(wanted.name, "train")
        lines += [f"    {a} → {b}" for a, b in rows[:: max(1, len(rows) // SAMPLES)][:SAMPLES]]
    return "\n".join(lines)
