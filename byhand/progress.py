"""How far a learner is: exercises whose visible checks pass, and their points, lesson by lesson.

    .progress.json (written by byhand.check) + points in the notebooks -> progress.show(), byhand progress

Hidden checks run when a lesson is graded, so this is what the learner knows, not the grade.
Order: what is read, reading it, the figure, the terminal, the command.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parent.parent
RECORD = ".progress.json"
LESSON = re.compile(r"\d\d_\w+")
COLOURS = {"passed": "#21918c", "failed": "#f0a202", "open": "#e4e4e4", "written": "#b9c8e0"}
WORDS = {
    "passed": "passes",
    "failed": "does not pass yet",
    "open": "not checked yet",
    "written": "written, graded by a person",
}


@dataclass(frozen=True)
class Exercise:
    """One exercise; state is passed, failed or open, or written where a person grades it."""

    name: str
    points: float
    state: str


@dataclass(frozen=True)
class Lesson:
    """A lesson and its exercises, in order."""

    name: str
    exercises: tuple[Exercise, ...]

    def points(self, *states: str) -> float:
        """The points of the exercises in these states."""
        return sum(each.points for each in self.exercises if each.state in states)

    def count(self, *states: str) -> int:
        return sum(each.state in states for each in self.exercises)

    @property
    def next(self) -> str:
        """The first exercise that does not pass yet, "" if there is none."""
        return next((each.name for each in self.exercises if each.state in ("failed", "open")), "")


def work_folder() -> Path:
    """Where this learner's lessons lie: BYHAND_WORK, else around an open lesson, else work/."""
    named = os.environ.get("BYHAND_WORK")
    if named:
        return Path(named)
    here = Path.cwd()
    return here.parent if LESSON.fullmatch(here.name) else ROOT / "work"


def read(work: Path | None = None, lessons: Path = ROOT / "lessons") -> list[Lesson]:
    """Every lesson of the course, with what the learner's checks said last."""
    work = work_folder() if work is None else work
    names = {path.parent.name for folder in (work, lessons) for path in folder.glob("*/*.ipynb")}
    found = []
    for name in sorted(name for name in names if LESSON.fullmatch(name)):
        places = [folder / name / f"{name}.ipynb" for folder in (work, lessons)]
        points = next(filter(None, map(_points, places)), {})
        states = _states(work / name / RECORD)
        exercises = (
            Exercise(exercise, worth, "written" if written else states.get(exercise, "open"))
            for exercise, (worth, written) in points.items()
        )
        found.append(Lesson(name, tuple(exercises)))
    return [lesson for lesson in found if lesson.exercises]


def _points(notebook: Path) -> dict[str, tuple[float, bool]]:
    """Exercise -> its points, and whether a person grades it. Empty if the file cannot be read."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        graded = [
            meta for meta in (cell["metadata"].get("nbgrader", {}) for cell in cells) if meta.get("grade")
        ]
        found: dict[str, tuple[float, bool]] = {}
        for meta in graded:
            written = bool(meta.get("solution"))
            name = (
                meta["grade_id"] if written else re.sub(r"_\d+$", "", meta["grade_id"].removeprefix("test_"))
            )
            found[name] = (found.get(name, (0.0, written))[0] + float(meta.get("points", 0)), written)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return found


def _states(record: Path) -> dict[str, str]:
    """Exercise -> passed or failed; empty if nothing was checked yet or the file is damaged."""
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        return {name: "passed" if entry["passed"] is True else "failed" for name, entry in known.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def show(work: Path | str | None = None) -> Axes | None:
    """Draw it: a row for each lesson, a tile for each exercise, as wide as its points."""
    found = read(None if work is None else Path(work))
    if not found:
        print(NOTHING)
        return None
    from matplotlib.patches import Patch

    from byhand.figure import begin, end, legend

    ax = begin(None, 8.6, 1.3 + 0.5 * len(found))
    for row, lesson in enumerate(found):
        _tiles(ax, row, lesson)
    most = max(lesson.points(*COLOURS) for lesson in found)
    ax.set(xlim=(0, most), ylim=(len(found) - 0.5, -0.5), xlabel="points")
    ax.set_yticks(range(len(found)), labels=[_label(lesson) for lesson in found])
    ax.tick_params(axis="y", length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    legend(
        ax, handles=[Patch(color=COLOURS[state], label=WORDS[state]) for state in COLOURS], fontsize="small"
    )
    return end(ax, "Your progress", AIM, " ".join(line(lesson, bar=False) for lesson in found), own=True)


def _tiles(ax: Axes, row: int, lesson: Lesson) -> None:
    start = 0.0
    for each in lesson.exercises:
        ax.barh(row, each.points, left=start, height=0.62, color=COLOURS[each.state], edgecolor="white", lw=2)
        start += each.points


def _label(lesson: Lesson) -> str:
    return f"{lesson.name}\n{lesson.points('passed'):g} of {lesson.points(*COLOURS):g} points"


AIM = "Green tiles are exercises whose visible checks pass; grading runs hidden checks too."
NOTHING = "No lesson is here yet. Next: byhand lab."


def line(lesson: Lesson, *, bar: bool = True, width: int = 24, signs: str = "█░") -> str:
    """One lesson in one line of a terminal."""
    checked, passed = lesson.count("passed", "failed", "open"), lesson.count("passed")
    total, earned = lesson.points(*COLOURS), lesson.points("passed")
    filled = round(width * earned / total) if total else 0
    drawn = f"{signs[0] * filled}{signs[1] * (width - filled)}  " if bar else ""
    parts = [f"{passed} of {checked} exercises pass", f"{earned:g} of {total:g} points"]
    written = lesson.points("written")
    if written:
        parts.append(f"{written:g} points are graded by a person")
    return f"{lesson.name}  {drawn}{', '.join(parts)}." + (f" Next: {lesson.next}." if lesson.next else "")


def text(found: list[Lesson], encoding: str = "utf-8") -> str:
    """All lessons for a terminal of this encoding."""
    if not found:
        return NOTHING
    try:
        "█░".encode(encoding)
        signs = "█░"
    except (UnicodeEncodeError, LookupError):
        signs = "#."
    longest = max(len(lesson.name) for lesson in found)
    return "\n".join(
        line(lesson, signs=signs).replace(lesson.name, lesson.name.ljust(longest), 1) for lesson in found
    )


def add_parser(subparsers: Any) -> None:
    """`byhand progress`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "progress",
        help="which exercises pass, and their points",
        description="Show which exercises pass their visible checks, and their points.",
        epilog="example: byhand progress",
    )
    parser.add_argument("--folder", type=Path, metavar="FOLDER", help="where your lessons lie (work/)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    print(text(read(options.folder), sys.stdout.encoding or "ascii"))
    return 0
