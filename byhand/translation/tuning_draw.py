"""Pictures of lesson 08: what was gained for how many numbers trained, what was lost, when to stop.

Each draws the numbers of tuning.measured(), which come from `python -m byhand.translation.tuning_runs`.
Order: directions of a change, means over seeds, gained, lost, stopping.
"""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.axes import Axes

from byhand import plot
from byhand.figure import begin, end
from byhand.translation import tuning
from byhand.translation.tuning_ways import PIECES

ONE, LORA = "#31688e", "#c2410c"


def directions(*, title: str = "", caption: str = "") -> Axes:
    """How much of full fine-tuning's change the best directions hold, beside a change at random."""
    found = next(run["spectrum"] for run in tuning.measured()["runs"] if "spectrum" in run)
    size = int(tuning.base().arguments["d_model"])
    noise = torch.randn(size, size, generator=torch.Generator().manual_seed(0))
    squares = torch.linalg.svdvals(noise).square()
    share = (squares.cumsum(0) / squares.sum())[: len(found)].tolist()
    series = {"full fine-tuning": found, "random numbers": share}
    ranks = range(1, len(found) + 1)
    across, up = "rank: directions kept", "share of the change"
    return plot.lines(ranks, series, xlabel=across, ylabel=up, title=title, caption=caption)


def directions_in_words() -> str:
    """The same as a sentence."""
    found = next(run["spectrum"] for run in tuning.measured()["runs"] if "spectrum" in run)
    half = next((rank for rank, share in enumerate(found, 1) if share >= 0.5), 0)
    where = f"half of it at rank {half}" if half else f"{found[-1]:.0%} at rank {len(found)}"
    return f"of the change of a matrix, on average {found[0]:.0%} lies in one direction, {where}."


def means(mark: str, numbers: dict[str, Any] | None = None) -> dict[str, tuple[float, float, float]]:
    """Way -> (share trained, mean change of a mark against the base, its standard deviation over seeds)."""
    found = numbers or tuning.measured()
    base, most = found["base"]["test"][mark], min(run["steps"] for run in found["runs"])
    runs = [run for run in found["runs"] if run["steps"] == most]
    result = {}
    for way in dict.fromkeys(run["way"] for run in runs):
        own = [run for run in runs if run["way"] == way]
        mean, spread = tuning.mean_and_spread([run["test"][mark] - base for run in own])
        result[str(way)] = (own[0]["trained"], mean, spread)
    return dict(sorted(result.items(), key=lambda row: row[1][0]))


def gained(mark: str = "menus BLEU", *, title: str = "", caption: str = "") -> Axes:
    """What each way gained on menus, against the share of numbers that it trains."""
    rows = means(mark)
    ax = begin(None, 6.4, 3.8)
    highest = max(rows, key=lambda way: rows[way][1])
    for way, (share, mean, spread) in rows.items():
        colour, many = (LORA if way.startswith("LoRA") else ONE), share > 0.2
        ax.errorbar(100 * share, mean, spread, fmt="o", color=colour, capsize=3, markersize=5)
        place, side = ((8, -12), "left") if not many else ((-8, 6 if way == highest else -4), "right")
        if many and way != highest and share == rows[highest][0]:
            place = (-2, -26)  # clear of its twin above it and of the table alone at its left
        ax.annotate(
            way,
            (100 * share, mean),
            place,
            textcoords="offset points",
            fontsize="small",
            ha=side,
            color=colour,
        )
    ax.axhline(0, color="black", linewidth=0.8)
    ax.margins(x=0.12, y=0.15)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda number, _: f"{number:g}")
    ax.set(xlabel="numbers trained (% of all)", ylabel=f"{mark} gained")
    ax.grid(alpha=0.25)
    see = "; ".join(f"{way}: {share:.1%} trained, {mean:+.1f}" for way, (share, mean, _) in rows.items())
    return end(ax, title, caption, see, own=True)


def in_words(mark: str) -> str:
    """What full fine-tuning and the lesson's LoRA changed, as a sentence."""
    rows, rank = means(mark), tuning.measured()["facts"]["rank"]
    (_, all_, _), (share, own, _) = rows["full"], rows[f"LoRA, rank {rank}"]
    base = tuning.measured()["base"]["test"][mark]
    return (
        f"{mark} of the base is {base:.1f}. All numbers change it by {all_:+.1f}, "
        f"LoRA of rank {rank} with {share:.1%} of them by {own:+.1f}."
    )


def verdict() -> str:
    """Gained and lost by the two kinds of LoRA, as shares of what full fine-tuning gains and loses."""
    lines = ["Of full fine-tuning's gain on menus, and of what it forgets:"]
    for way in (f"LoRA, rank {tuning.measured()['facts']['rank']}", PIECES):
        bleu, chrf, lost = (means(mark)[way][1] / means(mark)["full"][1] for mark in tuning.MARKS)
        trained = means("menus BLEU")[way][0]
        marks = f"{bleu:.0%} in BLEU, {chrf:.0%} in chrF; {lost:.0%} forgotten"
        lines.append(f"{way}, {trained:.1%} of the numbers: {marks}")
    return "\n".join(lines)


def shares(mark: str, found: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """For each kind of LoRA the share of what full fine-tuning changes, and its deviation over seeds."""
    rows = means(mark, found)
    most = rows["full"][1]
    kinds = {"in the layers": f"LoRA, rank {found['facts']['rank']}", "in the pieces of menus": PIECES}
    return {kind: (rows[way][1] / most, rows[way][2] / most) for kind, way in kinds.items()}


def by_size(mark: str = "menus BLEU", *, title: str = "", caption: str = "") -> Axes:
    """The share of full fine-tuning's gain that LoRA reaches, against the size of the base."""
    bases = list(map(tuning.measured, tuning.BASES))
    sizes = [one["facts"]["numbers"] / 1e6 for one in bases]
    ax, seen = begin(None, 6.4, 3.6), []
    for kind, colour in zip(shares(mark, bases[0]), (ONE, LORA), strict=True):
        found = [shares(mark, one)[kind] for one in bases]
        heights, spreads = ([100 * row[at] for row in found] for at in (0, 1))
        ax.errorbar(sizes, heights, spreads, fmt="o-", color=colour, capsize=3, markersize=5, label=kind)
        seen.append(f"{kind}: " + ", ".join(f"{height:.0f} %" for height in heights))
    ax.set(xlabel="numbers of the base (millions)", ylabel=f"% of the gain in {mark}", ylim=(0, 105))
    ax.set_xticks(sizes, [f"{size:.1f}" for size in sizes])
    ax.legend(title="LoRA", loc="lower right", fontsize="small")
    ax.grid(alpha=0.25)
    return end(ax, title, caption, "; ".join(seen), own=True)


def by_size_in_words(mark: str = "menus BLEU") -> str:
    """The same as a sentence, which is the figure's caption."""
    bases = list(map(tuning.measured, tuning.BASES))
    said = []
    for kind in shares(mark, bases[0]):
        first, *_, last = (shares(mark, one)[kind][0] for one in bases)
        said.append(f"{kind} {first:.0%} and {last:.0%}")
    reached = f"LoRA's share of what full fine-tuning gains in {mark}, in the smallest and the largest base"
    return f"What to see: {reached}: {'; '.join(said)}."


def lost(mark: str = "general BLEU", *, title: str = "", caption: str = "") -> Axes:
    """What each way lost elsewhere, from the fewest numbers trained to all."""
    rows = means(mark)
    heights = [-mean for _, mean, _ in rows.values()]
    ax = plot.bars(heights, list(rows), ylabel=f"{mark} lost", title=title, caption=caption)
    ax.set_xlabel("")
    return ax


def curve(numbers: dict[str, Any] | None = None) -> tuple[list[int], list[float]]:
    """Steps, and the loss on menus not trained with, of the full fine-tuning that went on too long."""
    long = max((numbers or tuning.measured())["runs"], key=lambda run: int(run["steps"]))
    steps, losses = zip(*long["valid"], strict=True)
    return [int(step) for step in steps], [float(loss) for loss in losses]
