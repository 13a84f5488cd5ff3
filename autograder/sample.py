"""A sample class of 24, made from a lesson's bank of known answers.

Six are right, each in other words; twelve are right but for one or two named mistakes; two left the
lesson untouched, two did half of it; one has an endless loop; one handed in no notebook at all.
What each must get comes from the bank, never from a run. Where a lesson trains, all hand in its author's
weights, which a right answer that names its layers otherwise renames. Order: members, then their work.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autograder.author import bank
from autograder.author.bank import Answer
from autograder.author.lesson import SOLUTIONS, Lesson, LessonError, weights

NAMES = """
    ana bo chen dara eli fay gus hana ivo jun kofi lena
    mei nils omar priya quinn rosa sven tara uma vera wen yuki
"""
ESSAY = b"Attention is all you need, they say. I could not open the notebook, so here is an essay.\n"
RENAMES = re.compile(r"^(\w+\.)*save_file\(", re.MULTILINE)  # in a cell, not in a function
BY_HAND = "The weights would change with the scores, and the output with the weights."


Ways = Mapping[str, list[Answer]]  # exercise -> its known answers


@dataclass(frozen=True)
class Member:
    """One learner of the sample class. expected: points by exercise; None waits for a person's grade."""

    name: str
    did: str
    expected: dict[str, float | None]
    answers: dict[str, str] = field(default_factory=dict)
    file: bytes = b""  # handed in instead of the notebook, if not empty


def members(lesson: Lesson, solutions: Path = SOLUTIONS) -> list[Member]:
    """The class, always the same for the same lesson and bank."""
    answers = bank.read(lesson.name, solutions)
    exercises = [cell.exercise for cell in lesson.of_kind("test")]
    right = {
        exercise: _of(answers, "right", exercise) or [_reference(lesson, exercise)] for exercise in exercises
    }
    wrong = {exercise: _of(answers, "wrong", exercise) for exercise in exercises}
    if not any(wrong.values()):
        raise LessonError(
            f"{lesson.name}/answers.py holds no wrong answer, so a class cannot be made from it."
        )
    names = iter(NAMES.split())
    everyone = [_right(next(names), lesson, right, way) for way in range(6)]
    everyone += [_wrong(next(names), lesson, right, wrong, number) for number in range(12)]
    everyone += [Member(next(names), "left it untouched", _points(lesson, ())) for _ in range(2)]
    everyone += [_half(next(names), lesson, right, exercises[part::2]) for part in range(2)]
    everyone.append(_endless(next(names), lesson, right, exercises[0]))
    everyone.append(Member(next(names), "handed in no notebook", _points(lesson, ()), file=ESSAY))
    return everyone


def work(member: Member, notebook: Path, solutions: Path = SOLUTIONS) -> None:
    """Do what this learner does in a fetched notebook; who trained hands in the author's weights."""
    for file in weights(notebook.stem, solutions):
        shutil.copy(file, notebook.parent)
    if member.file:
        notebook.write_bytes(member.file)
        return
    content = json.loads(notebook.read_bytes())
    for cell in content["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        if grade_id in member.answers:
            cell["source"] = member.answers[grade_id]
    notebook.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _of(answers: Sequence[Answer], verdict: str, exercise: str) -> list[Answer]:
    return [answer for answer in answers if (answer.verdict, answer.exercise) == (verdict, exercise)]


def _reference(lesson: Lesson, exercise: str) -> Answer:
    source = next(cell.source for cell in lesson.of_kind("solution") if cell.grade_id == exercise)
    return Answer("right", exercise, "the reference", source)


def _chosen(lesson: Lesson, right: Ways, number: int, broken: Collection[str]) -> dict[str, str]:
    """A right answer for every exercise that is not broken, none of which calls a broken one."""
    chosen = {}
    for exercise in right.keys() - broken:
        ways = [*right[exercise], _reference(lesson, exercise)]
        alone = [way for way in ways if not _names(way.source) & set(broken)] or ways
        chosen[exercise] = alone[number % max(1, len(alone) - 1)].source
    return {exercise: _with_fitting_weights(lesson, exercise, chosen) for exercise in chosen}


def _with_fitting_weights(lesson: Lesson, exercise: str, chosen: Mapping[str, str]) -> str:
    """The chosen answer; the reference, if it renames weights that another answer trains without it."""
    trained = [source for other, source in chosen.items() if ".fit(" in source and other != exercise]
    unused = any(exercise not in _names(source) for source in trained)
    if unused and RENAMES.search(chosen[exercise]):
        return _reference(lesson, exercise).source
    return chosen[exercise]


def _names(source: str) -> set[str]:
    """Names a piece of code uses, whatever they mean there."""
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _points(lesson: Lesson, earned: Sequence[str], texts: bool = False) -> dict[str, float | None]:
    """Full points for `earned`, 0 for the rest; hand-graded texts wait for a person, if there are any."""
    written = {cell.grade_id for cell in lesson.of_kind("written")} if texts else set()
    full = lesson.exercises
    return {name: None if name in written else full[name] if name in earned else 0.0 for name in full}


def _texts(lesson: Lesson) -> dict[str, str]:
    return {cell.grade_id: BY_HAND for cell in lesson.of_kind("written")}


def _right(name: str, lesson: Lesson, right: Ways, way: int) -> Member:
    did, points = f"right, in way {way + 1}", _points(lesson, list(right), texts=True)
    return Member(name, did, points, {**_chosen(lesson, right, way, ()), **_texts(lesson)})


def _wrong(name: str, lesson: Lesson, right: Ways, wrong: Ways, number: int) -> Member:
    """Right but for one mistake, and a second one in another exercise where the lesson has many."""
    exercises = [exercise for exercise in wrong if wrong[exercise]]
    picks = {number % len(exercises)}
    if len(exercises) > 4:
        picks.add((number + len(exercises) // 2) % len(exercises))
    mistakes = [wrong[exercises[pick]][number % len(wrong[exercises[pick]])] for pick in sorted(picks)]
    broken = {mistake.exercise: mistake.source for mistake in mistakes}
    earned = [exercise for exercise in right if exercise not in broken]
    did = "; ".join(f"{mistake.exercise}: {mistake.name}" for mistake in mistakes)
    answers = {**_chosen(lesson, right, number, broken), **broken, **_texts(lesson)}
    return Member(name, did, _points(lesson, earned, texts=True), answers)


def _half(name: str, lesson: Lesson, right: Ways, done: list[str]) -> Member:
    answers = _chosen(lesson, right, 0, right.keys() - set(done))
    return Member(name, "did every other exercise", _points(lesson, done), answers)


def _endless(name: str, lesson: Lesson, right: Ways, exercise: str) -> Member:
    answers = _chosen(lesson, right, 0, [exercise])
    before, _, after = _reference(lesson, exercise).source.partition("### BEGIN SOLUTION")
    loop = f"{before}while True:\n        pass\n{after.partition('### END SOLUTION')[2]}"
    did = f"an endless loop in {exercise}"
    return Member(name, did, _points(lesson, list(answers)), {**answers, exercise: loop})
