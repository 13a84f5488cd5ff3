"""`python -m tests.attacks`: the attack corpus on stock nbgrader and on this grader, side by side.

    python -m tests.attacks                 a sample: one in twelve of each class, evenly spaced in its list
    python -m tests.attacks --all-attacks   all of them; about 8 s each for stock nbgrader on an idle machine

With `--all-attacks --write`, the counts of each class go into autograder/results/attacks.json, from which the
README's table is made; `--group` then brings one class up to date.
Exit status: 0 if this grader gave what each attack deserves and leaked, left and harmed nothing, else 1.
Order: the command, the two ways, counts and the table.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from autograder.author.readme import ATTACKS
from autograder.grading.dispatch import cores
from autograder.sandbox.worker import available
from tests.attacks import Attack, corpus
from tests.attacks.field import Field
from tests.attacks.stock import Control

ONE_IN, FEWEST = 12, 4  # of each class in a sample
KINDS = ("gained", "lost", "leaked", "left", "harmed")
MEANING = {
    "gained": "earned more points than its answers deserve",
    "lost": "a right answer earned less",
    "leaked": "a canary or a line of a hidden test came out in what the learner would be shown",
    "left": "processes or files were there afterwards",
    "harmed": "another submission of the class lost points, was not graded, or was changed",
}


@dataclass(frozen=True)
class Verdict:
    """What one attack did to one grader: a word of KINDS for each thing that should not be."""

    attack: str
    group: str
    did: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__.splitlines()[0])
    parser.add_argument("--all-attacks", action="store_true", help=f"not only one in {ONE_IN} of each class")
    parser.add_argument(
        "--group", action="append", choices=list(grouped()), help="only this class (repeatable)"
    )
    parser.add_argument("--jobs", type=int, default=cores(), help="at the same time (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every outcome to this file")
    parser.add_argument(
        "--write", action="store_true", help=f"the counts of whole classes into {ATTACKS.name}"
    )
    options = parser.parse_args(arguments)
    if options.write and not options.all_attacks:
        parser.error("--write keeps counts of whole classes: give --all-attacks, too.")
    if problem := available():
        print(f"The attacks need the sandbox, which does not work here. {problem}", file=sys.stderr)
        return 2
    chosen = everything() if options.all_attacks else sample(everything())
    chosen = [one for one in chosen if not options.group or one[0] in options.group]
    ours: list[Verdict] = []
    theirs: list[Verdict] = []
    for group in dict.fromkeys(group for group, _ in chosen):  # what is finished is kept
        own = [one for one in chosen if one[0] == group]
        print(f"{group}: {len(own)} submissions", flush=True)
        ours += by_us(own)
        theirs += by_stock(own, options.jobs)
        if options.json:
            told = {"nbgrader": version("nbgrader"), "autograder": list(map(asdict, ours)),
                    "stock": list(map(asdict, theirs))}  # fmt: skip
            options.json.write_text(json.dumps(told, indent=1), encoding="utf-8")
        if options.write:
            keep(counts(ours, theirs))
    print(table(ours, theirs, len(everything())))
    return 1 if any(one.did for one in ours) else 0


def everything() -> list[tuple[str, Attack]]:
    """Each attack with its class: the name of its module."""
    return [(group, attack) for group, attacks in grouped().items() for attack in attacks]


def grouped() -> Mapping[str, list[Attack]]:
    from tests.attacks import escape, exhaust, fair, fake, malformed, steal

    modules = {"steal": steal, "fake": fake, "escape": escape, "exhaust": exhaust, "malformed": malformed}
    groups = {name: list(module.ATTACKS) for name, module in modules.items()}
    assert sum(map(len, groups.values())) + len(fair.ATTACKS) == len(corpus())
    return {**groups, "must pass": list(fair.ATTACKS)}


def sample(attacks: Sequence[tuple[str, Attack]]) -> list[tuple[str, Attack]]:
    """One in twelve of every class, evenly spaced in its list: neighbours are of one kind."""
    chosen = []
    for group in dict.fromkeys(group for group, _ in attacks):
        own = [one for one in attacks if one[0] == group]
        each = max(FEWEST, len(own) // ONE_IN)
        chosen += [own[(2 * n + 1) * len(own) // (2 * each)] for n in range(each)]
    return chosen


def by_us(attacks: Sequence[tuple[str, Attack]]) -> Iterator[Verdict]:
    """This grader: all of them as one class."""
    with tempfile.TemporaryDirectory(prefix="field-") as folder, Field(Path(folder)) as field:
        results = field.grade(
            tqdm([attack for _, attack in attacks], desc="this grader", disable=None), cores()
        )
        remains = " ".join(field.left_behind())
    for group, attack in attacks:
        result, earned = results[attack.name], sum(attack.points.values())
        points = sum(result.points.values())
        found = {"gained": points > earned, "lost": points < earned, "leaked": bool(result.leaks),
                 "left": bool(remains), "harmed": bool(result.faults)}  # fmt: skip
        yield Verdict(attack.name, group, tuple(kind for kind in KINDS if found[kind]))


def by_stock(attacks: Sequence[tuple[str, Attack]], jobs: int) -> Iterator[Verdict]:
    """Stock nbgrader: each attack in a class of two, behind an outer wall."""
    with Control() as control, ThreadPoolExecutor(jobs) as pool:
        outcomes = pool.map(lambda one: control.run(one[1]), attacks)
        shown = tqdm(outcomes, total=len(attacks), desc="stock nbgrader", unit="attack", disable=None)
        for (group, attack), outcome in zip(attacks, shown, strict=True):
            found = {"gained": outcome.gained(attack), "lost": outcome.lost(attack), "leaked": bool(outcome.leaks),
                     "left": bool(outcome.left), "harmed": outcome.harmed}  # fmt: skip
            yield Verdict(attack.name, group, tuple(kind for kind in KINDS if found[kind]))


Counts = dict[str, Any]


def counts(ours: Sequence[Verdict], theirs: Sequence[Verdict]) -> dict[str, Counts]:
    """Of each class and of all: how many attacks, and what they did to whom."""
    rows = {}
    for group in [*dict.fromkeys(one.group for one in ours), "all"]:
        did = {
            name: {
                kind: sum(kind in one.did for one in side if group in (one.group, "all")) for kind in KINDS
            }
            for name, side in (("stock", theirs), ("autograder", ours))
        }
        rows[group] = {"attacks": sum(group in (one.group, "all") for one in ours), **did}
    return rows


def keep(rows: Mapping[str, Counts], file: Path = ATTACKS) -> None:
    """Write these classes' counts beside those of the others, each with its date and versions."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    about = {"date": datetime.date.today().isoformat(), "python": platform.python_version(),
             "nbgrader": version("nbgrader")}  # fmt: skip
    known |= {group: {**about, **row} for group, row in rows.items() if group != "all"}
    ordered = {group: known[group] for group in grouped() if group in known}
    file.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


def table(ours: Sequence[Verdict], theirs: Sequence[Verdict], all_of_them: int) -> str:
    """Counts by class and kind, this grader's beside stock nbgrader's; then what got through, by name."""
    lines = [
        f"Attacks: {len(ours)} of {all_of_them}. In each column stock nbgrader {version('nbgrader')} / this grader.",
        "",
        f"{'class':12}{'attacks':>8}" + "".join(f"{kind:>12}" for kind in KINDS),
    ]
    for group, row in counts(ours, theirs).items():
        both = [f"{row['stock'][kind]} / {row['autograder'][kind]}" for kind in KINDS]
        lines.append(f"{group:12}{row['attacks']:>8}" + "".join(f"{count:>12}" for count in both))
    lines += ["", *(f"{kind:8} {meaning}" for kind, meaning in MEANING.items())]
    for label, side in (("stock nbgrader", theirs), ("this grader", ours)):
        hit = [f"  {one.attack}: {', '.join(one.did)}" for one in side if one.did]
        lines += ["", f"Got through to {label}: {len(hit) or 'none'}", *hit]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
