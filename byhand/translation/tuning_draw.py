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
from byhand.translation.tuning_ways import BOTH, PIECES

LONGER = "in both, for longer"
ONE, LORA, OWN = "#31688e", "#c2410c", "#15803d"


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
    base, result = found["base"]["test"][mark], {}
    for way in dict.fromkeys(run["way"] for run in found["runs"]):
        own = runs_of(way, found)
        mean, spread = tuning.mean_and_spread([run["test"][mark] - base for run in own])
        result[str(way)] = (own[0]["trained"], mean, spread)
    return dict(sorted(result.items(), key=lambda row: row[1][0]))


def runs_of(way: str, numbers: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs of a way over seeds; of those that went on too long, none."""
    own = [run for run in numbers["runs"] if run["way"] == way]
    least = min(run["steps"] for run in own)
    return [run for run in own if run["steps"] == least]


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
    kinds |= {LONGER: BOTH} if BOTH in rows else {}
    return {kind: (rows[way][1] / most, rows[way][2] / most) for kind, way in kinds.items()}


def by_size(mark: str = "menus BLEU", *, title: str = "", caption: str = "") -> Axes:
    """The share of full fine-tuning's gain that LoRA reaches, against the size of the base."""
    ax, seen = begin(None, 6.4, 3.6), []
    for (kind, rows), colour in zip(_by_kind(mark).items(), (ONE, LORA, OWN), strict=False):
        sizes = [size for size, _ in rows]
        heights, spreads = ([100 * row[at] for _, row in rows] for at in (0, 1))
        ax.errorbar(sizes, heights, spreads, fmt="o-", color=colour, capsize=3, markersize=5, label=kind)
        seen.append(f"{kind}: " + ", ".join(f"{height:.0f} %" for height in heights))
    ax.set(xlabel="numbers of the base (millions)", ylabel=f"% of the gain in {mark}", ylim=(0, 105))
    ax.set_xticks(every := [tuning.measured(base)["facts"]["numbers"] / 1e6 for base in tuning.BASES])
    ax.set_xticklabels([f"{size:.1f}" for size in every])
    ax.legend(title="LoRA", loc="lower center", fontsize="small")
    ax.grid(alpha=0.25)
    return end(ax, title, caption, "; ".join(seen), own=True)


def _by_kind(mark: str) -> dict[str, list[tuple[float, tuple[float, float]]]]:
    """Kind of LoRA -> millions of numbers of a base, and what was reached there: see shares."""
    found: dict[str, list[tuple[float, tuple[float, float]]]] = {}
    for base in map(tuning.measured, tuning.BASES):
        for kind, share in shares(mark, base).items():
            found.setdefault(kind, []).append((base["facts"]["numbers"] / 1e6, share))
    return found


def by_size_in_words(mark: str = "menus BLEU") -> str:
    """The same as a sentence, which is the figure's caption."""
    said = []
    for kind, rows in _by_kind(mark).items():
        first, last = (f"{rows[at][1][0]:.0%}" for at in (0, -1))
        said.append(f"{kind} {first} and {last}" if len(rows) > 1 else f"{kind} {last}, in the largest alone")
    reached = f"LoRA's share of what full fine-tuning gains in {mark}, in the smallest and the largest base"
    return f"What to see: {reached}: {'; '.join(said)}."


def at_its_best() -> str:
    """On the largest base: all numbers; LoRA with its own rate and steps; all numbers for too long."""
    found = tuning.measured(tuning.BASES[-1])
    full, both = (runs_of(way, found) for way in ("full", BOTH))
    long = [run for run in found["runs"] if run["way"] == "full" and run not in full]
    reached, forgotten = (shares(mark, found)[LONGER][0] for mark in ("menus BLEU", "general BLEU"))
    parts = [_told(runs, found["base"]["test"]) for runs in (full, both, long)]
    share = f"So LoRA reaches {reached:.0%} of the gain and forgets {forgotten:.0%} as much. For longer:"
    return "\n".join([*parts[:2], share, parts[2]])


def _told(runs: list[dict[str, Any]], base: tuning.Marks) -> str:
    """What some runs of one way changed on average, from seed to seed with what deviation."""
    first, marks = runs[0], []
    for mark in ("menus BLEU", "general BLEU"):
        mean, spread = tuning.mean_and_spread([run["test"][mark] - base[mark] for run in runs])
        marks.append(f"{mark} {mean:+.1f}" + (f" ± {spread:.1f}" if len(runs) > 1 else ""))
    loss, _ = tuning.mean_and_spread([run["valid"][-1][1] for run in runs])
    head = (
        f"{first['way']}, {first['trained']:.1%} of the numbers, {first['steps']:,} steps, seeds: {len(runs)}"
    )
    return f"{head}\n  {', '.join(marks)}, loss on other menus {loss:.2f}"


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
