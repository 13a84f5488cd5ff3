"""Write the README's tables between their markers, so that no number in it is typed by hand.

    python -m autograder.author.readme              run every known answer, then write README.md
    python -m autograder.author.readme --check      say which table is out of date, with exit status 1

A table lies between `<!-- begin NAME -->` and `<!-- end NAME -->`; TABLES says who makes it.
Order of this file: the tables, the markers, the command.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autograder.author import bank, minutes, trial
from autograder.author.lesson import ROOT, SOLUTIONS, Lesson, names, read

README = ROOT / "README.md"
RESULTS = ROOT / "autograder" / "results"
FIGURES = RESULTS / "bench.json"  # what `autograder bench --write` measured last
TRANSLATION = RESULTS / "translation.json"  # what `python -m autograder.bench.translation --write` did
ATTACKS = RESULTS / "attacks.json"  # what `python -m tests.attacks --all-attacks --write` found last

Key = tuple[str, str, str]  # lesson, exercise, "right" or "wrong"


def here() -> list[str]:
    """The lessons that are finished: a lesson without its bank of known answers is still being written."""
    return [name for name in names() if (SOLUTIONS / name / "answers.py").is_file()]


def known_answers() -> Counter[Key]:
    """How many known answers the banks hold."""
    return Counter((name, answer.exercise, answer.verdict) for name in here() for answer in bank.read(name))


def kept_promises() -> Counter[Key]:
    """How many of them did what their bank promises, each run now."""
    return Counter(
        (name, tried.answer.exercise, tried.answer.verdict)
        for name in here()
        for tried in trial.run_bank(name)
        if not tried.problem
    )


def takes() -> str:
    """The first screen's line of facts about time."""
    hours = sum(minutes.of_lesson(read(name)) for name in here()) / 60
    return (
        "**For** people who know Python and matrix products. "
        f"**Takes** about {hours:.0f} hours, in {len(here())} lessons ([how that is counted](#how-long)).\n"
        "**Runs** on a laptop, no GPU needed. After set-up, no internet."
    )


def lessons() -> str:
    """One row for each lesson that is here."""
    rows = ["| lesson | you will write | minutes | points |", "|---|---|---:|---:|"]
    for name in here():
        lesson = read(name)
        link = f"[{name[:2]} {title(lesson)}](lessons/{name}/{name}.ipynb)"
        rows.append(f"| {link} | {goal(lesson)} | {minutes.of_lesson(lesson)} | {lesson.points:g} |")
    return "\n".join(rows)


def title(lesson: Lesson) -> str:
    """The lesson's title, less its number and its question: '# 01 · Scoring: which …?' -> 'Scoring'."""
    return re.sub(r"^# \d+ · ([^:\n]+).*", r"\1", lesson.cells[0].source.splitlines()[0]).strip()


def goal(lesson: Lesson) -> str:
    """What its goal says after "Write", "Build" or "You write"."""
    begins = r"\*\*Goal\.\*\* (?:Write|Build|[^.]+\. You write) "
    found = re.search(begins + r"(.+?)\.\s", lesson.cells[0].source, flags=re.DOTALL)
    return " ".join(found[1].split()) if found else ", ".join(f"`{name}`" for name in lesson.exercises)


def known(kept: Counter[Key]) -> str:
    """One row for each exercise with known answers: how many there are, and how many behave."""
    every = known_answers()
    rows = [
        "| exercise | wrong answers | rejected as promised | right answers | accepted |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, exercise in dict.fromkeys((name, exercise) for name, exercise, _ in every):
        wrong, right = (name, exercise, "wrong"), (name, exercise, "right")
        rows.append(
            f"| {name[:2]} `{exercise}` | {every[wrong]} | {kept[wrong]} | {every[right]} | {kept[right]} |"
        )
    totals = [
        sum(count for key, count in counter.items() if key[2] == verdict)
        for verdict in ("wrong", "right")
        for counter in (every, kept)
    ]
    return "\n".join([*rows, "| **all** | " + " | ".join(f"**{total}**" for total in totals) + " |"])


def bench() -> str:
    """How fast grading is beside stock nbgrader, from the last `autograder bench --write`."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    about, ratio, pages = figures["machine"], figures["ratio"], figures["feedback_ratio"]
    command = f"`autograder bench {figures['lesson']}`"
    rows = [
        f"| {label} | {figures[key]['submissions']} | {figures[key]['per_minute']:.0f} |"
        f" {figures[key]['pages_per_minute']:.0f} |"
        for label, key in (("this grader", "autograder"), ("stock nbgrader", "nbgrader"))
    ]
    return "\n".join(
        [
            f"One run of {command} on {about['cores']} cores, {figures['date']}, load"
            f" {about['load']:.1f} at its end, Python {about['python']}, nbgrader {about['nbgrader']},"
            f" torch {about['torch']}: start-up included, both in as many processes as cores,"
            " stock nbgrader with half its share before and half after.",
            "",
            "| | submissions | graded a minute | feedback pages a minute |",
            "|---|---:|---:|---:|",
            *rows,
            f"| **ratio** | | **{ratio:.1f}** | **{pages:.1f}** |",
        ]
    )


def translation() -> str:
    """How fast lesson 07 trains and decodes beside other code, from the last measurement."""
    figures = json.loads(TRANSLATION.read_text(encoding="utf-8"))
    about = figures["machine"]
    rows = [
        f"| {one['what']} | {1000 * one['ours']:.0f} | {1000 * one['theirs']:.0f} | {one['ratio']:.2f} |"
        for one in (*figures["training"], *figures["decoding"])
    ]
    said = (
        f"Lesson 07 on one of {about['cores']} cores, {about['date']}, load {about['load']}, Python"
        f" {about['python']}, torch {about['torch']}: processor time, taken in turns. Training stands beside"
        " the same sizes of `nn.Transformer`, the cache beside decoding without it."
    )
    return "\n".join(
        [
            said,
            "",
            "| | the course's, ms | the other, ms | ratio |",
            "|---|---:|---:|---:|",
            *rows,
            *beside_joey(figures),
        ]
    )


def beside_joey(figures: dict[str, Any]) -> list[str]:
    """Its rows, or none if that was not measured."""
    if "joey" not in figures:
        return []
    found = figures["joey"]
    rows = [
        f"| {side['name']} | {side['parameters']:,} | {side['steps']:,} | {side['tokens_per_second']:,.0f} |"
        f" {side['bleu']:.1f} |"
        for side in found["sides"]
    ]
    about = found["machine"]
    said = (
        f"Beside Joey NMT, {found['minutes']:g} minutes of processor time each, {about['date']}, load"
        f" {about['load']}, same texts and pieces:"
    )
    head = [
        "| | parameters | steps | target tokens a second | BLEU, test split |",
        "|---|---:|---:|---:|---:|",
    ]
    return ["", said, "", *head, *rows]


DID = {
    "gained": "points it did not earn",
    "lost": "a right answer lost points",
    "leaked": "hidden tests or canaries shown",
    "left": "processes or files left",
    "harmed": "another submission harmed",
}


def attacks() -> str:
    """What hostile submissions did to stock nbgrader and to this grader, from the last run of each class."""
    found = json.loads(ATTACKS.read_text(encoding="utf-8"))
    runs = ", ".join(sorted({f"{row['date']} (nbgrader {row['nbgrader']})" for row in found.values()}))
    rows = [
        f"`python -m tests.attacks --all-attacks`, {runs}. In each column: stock nbgrader / this grader.",
        "",
        "| class | submissions | " + " | ".join(DID.values()) + " |",
        "|---|---:|" + "---:|" * len(DID),
    ]
    total = Counter[str]()
    for name, row in found.items():
        own = {f"{side} {kind}": row[side][kind] for side in ("stock", "autograder") for kind in DID}
        own["attacks"] = row["attacks"]
        total.update(own)
        rows.append(_attacks_row(name, own))
    return "\n".join([*rows, _attacks_row("**all of these**", total)])


def _attacks_row(name: str, row: Mapping[str, int]) -> str:
    both = [f"{row[f'stock {kind}']} / {row[f'autograder {kind}']}" for kind in DID]
    return f"| {name} | {row['attacks']} | " + " | ".join(both) + " |"


TABLES: dict[str, Callable[[Counter[Key]], str]] = {
    "takes": lambda kept: takes(),
    "lessons": lambda kept: lessons(),
    "known answers": known,
    "bench": lambda kept: bench(),
    "translation": lambda kept: translation(),
    "attacks": lambda kept: attacks(),
}


def between(text: str, name: str, new: str) -> str:
    """The text with what lies between the markers of `name` replaced."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"README.md needs the line {begin} once, and {end} after it.")
    before, after = pattern.split(text)
    return f"{before}{begin}\n{new}\n{end}{after}"


def write(text: str, kept: Counter[Key]) -> str:
    """The README with all its tables made anew."""
    for name, table in TABLES.items():
        text = between(text, name, table(kept))
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m autograder.author.readme", description="Make README.md's tables."
    )
    parser.add_argument("--check", action="store_true", help="change nothing, say what is out of date")
    options = parser.parse_args(arguments)
    text = README.read_text(encoding="utf-8")
    if not options.check:
        README.write_text(write(text, kept_promises()), encoding="utf-8")
        return 0
    every = known_answers()  # that each behaves is what the tests of the banks prove
    old = [name for name, table in TABLES.items() if between(text, name, table(every)) != text]
    for name in old:
        print(f"README.md: the part '{name}' is out of date. Next: make lessons.", file=sys.stderr)
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
