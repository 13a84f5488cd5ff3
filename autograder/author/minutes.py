"""How long a lesson takes, by a stated formula: an estimate from its source, not the stop-watch of a person.

    python -m autograder.author.minutes              every exercise and lesson, beside what the lesson says
    python -m autograder.author.minutes --write 01_scoring     put the estimates into that lesson's source

minutes = words / 180              prose, hints included; formulas count as words
        + lines of code / 20       code to read or run, the given part of an answer too
        + 1 a question             "Predict first", "Try"
        + 1.5 a line to write      the reference answer's lines, to think, type, check and mend
        + words to write / 15      the model answer of a written exercise

Not counted: test cells, lines that refuse wrong arguments, waiting for cells that train (they say how long).
"""

from __future__ import annotations

import re
import sys
from math import ceil

from autograder.author.lesson import SOLUTIONS, Cell, Lesson, names, read

WORDS, CODE_LINES, QUESTION, LINE_TO_WRITE, WORDS_TO_WRITE = 180, 20, 1.0, 1.5, 15

_HEADING = re.compile(r"^### Exercise [\d.]+ · `(\w+)`.*?(?:about (\d+) minutes)?$", re.MULTILINE)
_WHOLE = re.compile(r"([Aa]bout )(\d+) minutes")
_ANSWER = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)
_RAISE = re.compile(r"^ *if [^\n]*:\n *raise [^\n]*$", re.MULTILINE)


def of_cell(cell: Cell) -> float:
    """Minutes for one cell."""
    answer = "".join(_ANSWER.findall(cell.source))
    given = _ANSWER.sub("", cell.source)
    if cell.kind == "markdown":
        prose = re.sub(r"<[^>]+>", " ", given)
        asked = len(re.findall(r"\*\*(?:Predict first|Try)", prose))
        return len(prose.split()) / WORDS + asked * QUESTION
    if cell.kind == "written":
        return len(answer.split()) / WORDS_TO_WRITE
    if cell.kind == "test":
        return 0.0
    return _lines(given) / CODE_LINES + _lines(answer) * LINE_TO_WRITE


def _lines(code: str) -> int:
    """Lines that are neither blank nor comment nor a refusal of wrong arguments."""
    return sum(1 for line in _RAISE.sub("", code).splitlines() if line.strip() and line.strip()[0] != "#")


def of_exercises(lesson: Lesson) -> dict[str, int]:
    """Exercise -> whole minutes, from its heading to its check."""
    spent = dict.fromkeys(lesson.exercises, 0.0)
    for cell in lesson.cells:
        heading = _HEADING.search(cell.source) if cell.kind == "markdown" else None
        name = heading[1] if heading else cell.grade_id
        if name in spent:
            spent[name] += of_cell(cell)
    return {name: ceil(minutes) for name, minutes in spent.items()}


def of_lesson(lesson: Lesson) -> int:
    """Minutes for the whole lesson, to the next five."""
    return ceil(sum(map(of_cell, lesson.cells)) / 5) * 5


def stated(lesson: Lesson) -> dict[str, int]:
    """Exercise -> the minutes that its heading promises."""
    text = "\n".join(cell.source for cell in lesson.of_kind("markdown"))
    return {match[1]: int(match[2]) for match in _HEADING.finditer(text) if match[2]}


def promised(lesson: Lesson) -> int:
    """The minutes that its first cell promises for all of it; 0 if it names none."""
    found = _WHOLE.search(lesson.cells[0].source)
    return int(found[2]) if found else 0


def written(lesson: Lesson, source: str) -> str:
    """The lesson's source with the estimates in its headings and in its first cell."""
    estimated = of_exercises(lesson)

    def put(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}{match[3]}about {estimated[match[2]]} minutes"

    source = re.sub(r"(?m)^(# ### Exercise [\d.]+ · `)(\w+)(`.*)about \d+ minutes$", put, source)
    return _WHOLE.sub(rf"\g<1>{of_lesson(lesson)} minutes", source, count=1)


def main() -> int:
    """Print the estimates, or write them. Exit status 1 if a lesson says something else."""
    if sys.argv[1:2] == ["--write"]:
        for name in sys.argv[2:]:
            path = SOLUTIONS / name / f"{name}.py"
            path.write_text(written(read(name), path.read_text("utf-8")), "utf-8")
        return 0
    differ = False
    for name in names():
        lesson = read(name)
        said, estimated = stated(lesson), of_exercises(lesson)
        other = promised(lesson) != of_lesson(lesson)
        differ = differ or other
        print(f"{name}: {of_lesson(lesson)} minutes" + (f" (it says {promised(lesson)})" if other else ""))
        for exercise, minutes in estimated.items():
            other = said.get(exercise, minutes) != minutes
            differ = differ or other
            print(
                f"  {exercise:<28}{minutes:>4}" + (f"   (its heading says {said[exercise]})" if other else "")
            )
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
