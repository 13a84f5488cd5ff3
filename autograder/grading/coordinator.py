"""Grade a class: what is new in submitted/ goes to workers, and results to gradebook and autograded/.

    submitted/ --stage, key--> known? --Dispatcher--> result kept --> autograded/ --> gradebook --> marked

The last four steps happen in this order for each submission (the gradebook takes them in batches), so
after a crash the next run does what is missing and nothing twice. One process writes; workers do not.
If the grader itself fails several times in a row, it grades the lesson's own solutions in between: only
if that fails, too, does the class stop. Order: summary, the run, its steps, then students and times.
"""

from __future__ import annotations

import datetime
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal

from nbgrader.utils import parse_utc

from autograder.author.lesson import Lesson, LessonError
from autograder.author.released import released
from autograder.course import Course
from autograder.grading import autograded, logs
from autograder.grading.dispatch import Dispatcher
from autograder.grading.gradebook import LONGEST_NAME, Book, Row
from autograder.grading.job import Graded, Job, Settings, composed, grader_failed, own_solutions, take
from autograder.grading.worklist import Done, Worklist, grader_version, key_of, lesson_digest
from autograder.intake.stage import Staged, stage
from autograder.verdict import Report, Verdict

BATCH = 50  # submissions in one transaction
BATCH_SECONDS = 2.0  # but nobody's result waits longer than this for it
CHUNK = 50  # students looked at together
DOUBTFUL = 3  # failures of the grader's own in a row: is it the submissions, or this machine?
SEED_BITS = 31
State = Literal["graded", "saved", "unchanged", "again", "refused"]


@dataclass(frozen=True)
class Outcome:
    """What became of one student. saved: the same content was graded before."""

    student: str
    state: State
    points: float = 0.0
    max_points: float = 0.0
    reason: str = ""


@dataclass
class Plan:
    """What there is to do for one student."""

    student: str
    staged: Staged
    key: str
    timestamp: datetime.datetime | None
    before: Done | None
    fresh: bool = True


@dataclass
class Grading:
    """One lesson of one course, open for grading. The worklist must be entered (it holds the lock)."""

    course: Course
    lesson: Lesson
    solutions: Path
    settings: Settings
    book: Book
    worklist: Worklist
    report: Callable[[Outcome], None] = lambda outcome: None
    force: bool = False
    _batch: list[tuple[Row, Done, Outcome]] = field(default_factory=list)
    _batch_since: float = 0.0
    _failures: int = 0
    _probing: bool = False
    _twins: dict[str, list[Plan]] = field(default_factory=dict)

    def run(self, students: Iterable[str], dispatcher: Dispatcher[Plan]) -> None:
        """Grade these students; `report` hears of each one once it is in the gradebook."""
        for plan, graded in dispatcher.outcomes(self._jobs(students)):
            if isinstance(graded, str):
                graded = self._composed(plan, grader_failed(self.lesson, 0, graded))
            if not plan.student:
                self._doubt(graded.report)
                continue
            self._keep(plan, graded)
            for twin in [plan, *self._twins.pop(plan.key, [])]:
                self._take_in(twin, graded, "graded")
            self._failures = self._failures + 1 if nothing_known(graded.report) else 0
        self._flush()

    @cached_property
    def _probe(self) -> Plan:
        """The lesson's own solutions, as if they were handed in."""
        return Plan("", own_solutions(self.lesson, self.solutions), "", None, None)

    def _doubt(self, report: Report) -> None:
        """Go on if the lesson's own solutions were graded. Raises LessonError if they were not, either."""
        self._probing = False
        if nothing_known(report):
            self._flush()
            raise LessonError(
                f"the grader failed {self._failures} times in a row, and on the lesson's own solutions, too, "
                f"so it stopped: {unsettled(report)[0].message}\n"
                "  Nobody lost points by this. Next: mend the cause, then give the same command again."
            )
        self._failures = 0

    def plan(self, students: Sequence[str]) -> Iterator[tuple[Plan, bool]]:
        """For each student the plan, and whether it is done already. Writes nothing."""
        saved = self.book.scores(students)
        for student in students:
            staged = stage(self.course.step("submitted", self.lesson.name, student), self.lesson.name)
            key = key_of(staged.digest, lesson_digest(self.lesson), self.settings.as_key())
            before = self.worklist.done(student)
            plan = Plan(student, staged, key, self._time(student, staged), before)
            if before is not None and before.key == key:
                plan.fresh = False
                there = before.complete and before.timestamp == staged.timestamp
                done = there and before.scores == saved.get(student) and self._written(before)
            else:
                done = False
            yield plan, done and not self.force

    def _jobs(self, students: Iterable[str]) -> Iterator[tuple[Plan, Job]]:
        """Jobs for what no earlier run has graded; what needs none is dealt with on the way."""
        queue = iter(students)
        while chunk := list(islice(queue, CHUNK)):
            possible = [student for student in chunk if not self._refused(student)]
            for plan, done in self.plan(possible):
                if done and plan.before:
                    points = sum(score or 0.0 for score in plan.before.scores.values())
                    self.report(Outcome(plan.student, "unchanged", points, self.lesson.points))
                    continue
                kept = None if self.force else self.worklist.result(plan.key)
                if kept is not None:
                    self._take_in(plan, self._composed(plan, kept), "saved")
                elif plan.key in self._twins:
                    self._twins[plan.key].append(plan)
                else:
                    if self._failures >= DOUBTFUL and not self._probing:
                        self._probing = True
                        yield self._probe, self._job(self._probe)
                    self._twins[plan.key] = []
                    yield plan, self._job(plan)

    def _job(self, plan: Plan) -> Job:
        seed = secrets.randbits(SEED_BITS)
        digest = lesson_digest(self.lesson)
        return Job(
            self.lesson.name, str(self.solutions), plan.staged, seed, self.settings, digest, grader_version()
        )

    def _refused(self, student: str) -> bool:
        why = ""
        if len(student) > LONGEST_NAME:
            why = f"the name of the folder is longer than {LONGEST_NAME} characters"
        elif not student.isprintable():
            why = "the name of the folder holds characters that cannot be printed"
        if why:
            self.report(Outcome(student, "refused", reason=f"{why}, so nbgrader has no place for it"))
        return bool(why)

    def _composed(self, plan: Plan, report: Report) -> Graded:
        """The autograded notebook to a report that an earlier run kept."""
        given = released(self.lesson)
        return composed(self.lesson, given, take(self.lesson, given, plan.staged), report)

    def _keep(self, plan: Plan, graded: Graded) -> None:
        if not unsettled(graded.report):
            self.worklist.keep(plan.key, graded.report)

    def _take_in(self, plan: Plan, graded: Graded, state: State) -> None:
        """Write what belongs to one student, and queue their row."""
        folder = self.course.step("autograded", self.lesson.name, plan.student)
        name = self.lesson.name
        autograded.publish(folder, name, graded.notebook, plan.staged.timestamp, plan.staged.secret)
        logs.write(self.course, plan.student, plan.key, graded)
        again = unsettled(graded.report)
        scores, unanswered = scores_of(self.lesson, graded)
        row = Row(plan.student, plan.timestamp, scores, unanswered, plan.fresh)
        done = Done(plan.student, plan.key, plan.staged.timestamp, len(graded.notebook), scores, not again)
        reason = "; ".join(sorted({v.message for v in again}))
        points = sum(score or 0.0 for score in scores.values())
        outcome = Outcome(plan.student, "again" if again else state, points, self.lesson.points, reason)
        self._batch_since = self._batch_since if self._batch else time.monotonic()
        self._batch.append((row, done, outcome))
        if len(self._batch) >= BATCH or time.monotonic() - self._batch_since > BATCH_SECONDS:
            self._flush()

    def _flush(self) -> None:
        """Save the waiting rows in one transaction, then mark them done."""
        batch, self._batch = self._batch, []
        self.book.save([row for row, _, _ in batch])
        self.worklist.mark(done for _, done, _ in batch)
        for _, _, outcome in batch:
            self.report(outcome)

    def _written(self, before: Done) -> bool:
        folder = self.course.step("autograded", self.lesson.name, before.student)
        try:
            return (folder / f"{self.lesson.name}.ipynb").stat().st_size == before.size
        except OSError:
            return False

    def _time(self, student: str, staged: Staged) -> datetime.datetime | None:
        """When it was handed in: what nbgrader wrote down, or when the folder arrived if that is no time."""
        if not staged.timestamp:
            return None
        try:
            told: datetime.datetime = parse_utc(staged.timestamp)
            return told
        except (ValueError, OverflowError, TypeError):
            folder = self.course.step("submitted", self.lesson.name, student)
            arrived = datetime.datetime.fromtimestamp(folder.stat().st_mtime, datetime.UTC)
            return arrived.replace(tzinfo=None)


def scores_of(lesson: Lesson, graded: Graded) -> tuple[dict[str, float | None], frozenset[str]]:
    """Points by grade_id (None: a person must look), and which answers were left empty."""
    owed = {verdict.test for verdict in unsettled(graded.report)}
    points = {verdict.test: verdict.points for verdict in graded.report.verdicts}
    scores: dict[str, float | None] = {}
    for cell in lesson.of_kind("test", "written"):
        if cell.kind == "written":
            scores[cell.grade_id] = None if cell.grade_id in graded.answered else 0.0
        else:
            scores[cell.grade_id] = None if cell.grade_id in owed else points.get(cell.grade_id)
    asked = {cell.grade_id for cell in lesson.of_kind("solution", "written")}
    return scores, frozenset(asked - graded.answered)


def unsettled(report: Report) -> list[Verdict]:
    """Verdicts that the grader owes: they are nobody's points lost, and are graded again."""
    return [v for v in report.verdicts if v.status == "unchecked" and v.fault == "grader"]


def nothing_known(report: Report) -> bool:
    """Whether the grader failed on the whole submission."""
    return 0 < len(report.verdicts) == len(unsettled(report))


def students_of(course: Course, lesson: str) -> list[str]:
    """Students whose folder in submitted/ holds this lesson, sorted."""
    try:
        with os.scandir(course.root / "submitted") as entries:
            found = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return sorted(name for name in found if os.path.lexists(course.step("submitted", lesson, name)))
