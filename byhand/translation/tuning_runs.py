"""The numbers of lesson 08: every way of fine-tuning, the two that matter over several seeds, in tuning.json.

    python -m byhand.translation.tuning_runs                 go on where the last call stopped
    python -m byhand.translation.tuning_runs --base large    the same for a larger base, in tuning_large.json
    python -m byhand.translation.tuning_runs --check         only say which runs are missing

A run belongs to one base: with another one all begin anew. Interrupt it at any moment; whole runs are kept.
Order: which runs, the file, the bars, the command.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from datetime import date
from typing import Any

import torch

from byhand.translation import tuning, tuning_bases as bases
from byhand.translation.checkpoint import Checkpoint
from byhand.translation.tuning_ways import BOTH, PIECES, RANK, RATE, ROWS, STEPS, Way, rounded, run, ways

OWN_SEEDS = tuple(range(8))  # of the lesson's own way: the spread of three runs refused right answers
SEEDS = (0, 1, 2)  # of full fine-tuning and of LoRA where menus need it; of the other ways the first alone
LONG = 1200  # steps of the run that goes on too long
OWN_STEPS = 2400  # of LoRA at its best: chosen, like its rate and dropout, by the loss on other menus
SHARE = 0.02  # of a larger base's numbers, that LoRA may train
BAR_AT_LEAST = 1.0  # points that a bar is below the mean
SLACK = {"test": 1.0, "valid": 1.15}  # the 30 texts of the visible check are few; more lets the base through

Planned = tuple[Way, int, int]  # way, seed, steps


# Which runs


def wanted(name: str = bases.SHIPPED) -> list[Planned]:
    """Every run on a base. The lesson's own first, since its bars come of it; then the long one."""
    if name != bases.SHIPPED:
        alike = [(way, seed, STEPS) for seed in SEEDS for way in compared(name)]
        return [*alike, *at_its_best()] if name == bases.LARGE else alike
    own = [way for way in ways() if way.rank == RANK]
    others = [way for way in ways() if way.rank != RANK]
    first = [(way, seed, STEPS) for way in own for seed in OWN_SEEDS]
    first += [(way, seed, STEPS) for way in (others[0], others[-1]) for seed in SEEDS]
    rest = [(way, SEEDS[0], STEPS) for way in others[1:-1]]
    return [*first, (others[0], 0, LONG), *rest]


def compared(name: str) -> list[Way]:
    """All numbers; LoRA in the layers as in the lesson; LoRA in the pieces of menus, SHARE of the numbers."""
    numbers, width = bases.size(name)
    full, own = (next(way for way in ways() if way.name == one) for one in ("full", f"LoRA, rank {RANK}"))
    return [full, own, Way(PIECES, RATE, table=int(SHARE * numbers) // (ROWS + width))]


def at_its_best() -> list[Planned]:
    """On the largest base: LoRA with the rate and the steps that suit it, and all numbers for too long."""
    full = compared(bases.LARGE)[0]
    both = Way(BOTH, 1.5e-3, keep=("*norm*",), rank=1, table=84, dropout=0.15, betas=(0.9, 0.98))
    return [*((both, seed, OWN_STEPS) for seed in SEEDS), (full, 0, LONG)]


def missing(found: dict[str, Any], name: str = bases.SHIPPED) -> list[Planned]:
    done = {(one["way"], one["seed"], one["steps"], one["rate"]) for one in found["runs"]}
    return [plan for plan in wanted(name) if (plan[0].name, *plan[1:], plan[0].rate) not in done]


# The file


def kept(name: str = bases.SHIPPED) -> dict[str, Any]:
    """What is there already, if it is of this base; else no runs."""
    if tuning.numbers(name).is_file():
        found: dict[str, Any] = json.loads(tuning.numbers(name).read_text(encoding="utf-8"))
        if found["facts"]["base"] == bases.known_by(name):
            return found
    return {"runs": []}


def begin(name: str, base: Checkpoint) -> dict[str, Any]:
    """The base's own marks, and no runs yet."""
    model = base.model()
    facts = {
        "base": bases.known_by(name),
        "numbers": bases.size(name)[0],
        "rank": RANK,
        "steps": STEPS,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    marks = {"test": rounded(tuning.marks(model)), "valid": rounded(tuning.marks(model, "valid"))}
    return {"facts": facts, "base": marks, "bars": {}, "runs": []}


def save(found: dict[str, Any], name: str = bases.SHIPPED) -> None:
    found["facts"]["date"] = date.today().isoformat()
    rows = ",\n".join("  " + json.dumps(one) for one in found["runs"])
    head = {key: value for key, value in found.items() if key != "runs"}
    text = json.dumps(head, indent=1)[:-2] + ',\n "runs": [\n' + rows + "\n ]\n}\n"
    tuning.numbers(name).write_text(text, encoding="utf-8")


# The bars


def bars(runs: Sequence[dict[str, Any]]) -> dict[str, tuning.Marks]:
    """Mean less two standard deviations of the lesson's own runs, at least BAR_AT_LEAST; times SLACK."""
    own = [one for one in runs if one["rank"] == RANK]
    found: dict[str, tuning.Marks] = {}
    for split, place in (("test", "test"), ("valid", "valid marks")):
        found[split] = {}
        for mark in tuning.MARKS:
            mean, spread = tuning.mean_and_spread([one[place][mark] for one in own])
            found[split][mark] = round(mean - SLACK[split] * max(2 * spread, BAR_AT_LEAST), 1)
    return found


# The command


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all runs are made; 1: some are missing, and were only to be named."""
    parser = argparse.ArgumentParser(prog="python -m byhand.translation.tuning_runs")
    parser.add_argument("--base", choices=[bases.SHIPPED, *bases.LARGER], default=bases.SHIPPED)
    parser.add_argument("--check", action="store_true", help="only say which runs are missing")
    options = parser.parse_args(arguments)
    name = options.base
    found = kept(name)
    left = missing(found, name)
    if options.check:
        print("\n".join(f"{way.name}, seed {seed}, {steps} steps" for way, seed, steps in left) or "all done")
        return 1 if left else 0
    if not left:
        return 0
    base = bases.checkpoint_of(name)
    found = found if found["runs"] else begin(name, base)
    for way, seed, steps in left:
        one = run(way, seed, steps, base)
        print(f"{way.name:22} seed {seed} {one['trained']:7.2%} {one['test']} {one['seconds']} s", flush=True)
        known = [
            other
            for other in found["runs"]
            if (other["way"], other["seed"], other["steps"]) != (way.name, seed, steps)
        ]
        found["runs"] = [*known, one]
        if name == bases.SHIPPED and any(one["rank"] == RANK for one in found["runs"]):
            found["bars"] = bars(found["runs"])
        save(found, name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
