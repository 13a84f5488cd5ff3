"""`autograder grade LESSON --watch`: collect, grade, and return feedback within seconds, until stopped.

    exchange inbound --collect--> submitted/ --Grading--> gradebook --Pages--> feedback --> exchange

What was handed in while nobody watched is taken in first. Stopping it at any moment loses nothing.
Order of this file: the loop, one round, feedback.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from nbgrader.apps.api import NbGraderAPI

from autograder.author.lesson import SOLUTIONS, LessonError
from autograder.course import Course, result_of
from autograder.feedback.generate import MADE, Pages
from autograder.grading import grade
from autograder.grading.collect import Inbound, take_in
from autograder.grading.coordinator import Grading, Outcome, Plan, students_of
from autograder.grading.dispatch import Dispatcher
from autograder.grading.job import Settings

POLL_SECONDS = 0.5
RETRY_SECONDS = 60.0  # until what could not be graded is tried again
Say = Callable[[str], None]


def run(
    course: Course,
    name: str,
    options: argparse.Namespace,
    settings: Settings,
    solutions: Path = SOLUTIONS,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Watch until interrupted, or until `stop` says so. Always 0: there is no end to have failed at."""
    with ExitStack() as stack:
        grading = grade.open_grading(stack, course, name, solutions, settings)
        place = grade.place(options, name, solutions, settings)
        dispatcher = stack.enter_context(Dispatcher[Plan](place))
        watcher = Watcher(grading, dispatcher, course.api())
        dispatcher.warm()
        print(f"{name}: watching {watcher.inbound.folder}; Ctrl+C stops.", flush=True)
        try:
            watcher.catch_up()
            while not stop():
                started = time.monotonic()
                watcher.round()
                time.sleep(max(0.0, POLL_SECONDS - (time.monotonic() - started)))
        except KeyboardInterrupt:
            print(f"{name}: stopped. What has been handed in is safe; watch again at any time.")
    return 0


def _print(line: str) -> None:
    print(line, flush=True)


class Watcher:
    """One lesson being watched. `catch_up` once, then `round` again and again."""

    def __init__(
        self, grading: Grading, dispatcher: Dispatcher[Plan], api: NbGraderAPI, say: Say = _print
    ) -> None:
        self.grading, self._dispatcher, self._api, self._say = grading, dispatcher, api, say
        self._pages = Pages(grading.course, grading.lesson.name)
        self.inbound = Inbound(grading.course, grading.lesson.name)
        grading.report = self._heard
        self._heard_of: list[Outcome] = []
        self._owed: set[str] = set()
        self._retry = 0.0

    def catch_up(self) -> None:
        """Do what an earlier watch was stopped before: grade what it collected, return what it graded."""
        course, name = self.grading.course, self.grading.lesson.name
        students = students_of(course, name)
        self.grading.run(students, self._dispatcher)
        for student in students:
            page = course.step("feedback", name, student) / f"{name}.html"
            book = course.step("autograded", name, student) / f"{name}.ipynb"
            if book.exists() and (not page.exists() or page.stat().st_mtime < book.stat().st_mtime):
                self._say(f"{student}: graded before{self._feedback(student)}")

    def round(self) -> list[Outcome]:
        """Collect and grade what is new, and return feedback on it. Returns what came of each."""
        arrivals, refused = self.inbound.look()
        for line in refused:
            self._say(line)
        students: list[str] = []
        for arrival in arrivals:
            try:
                odd = take_in(self.grading.course, self.grading.lesson.name, arrival)
            except FileNotFoundError:  # withdrawn while it was copied
                continue
            students.append(arrival.student)
            if odd:
                self._say(f"  look at this before you trust it: {odd}")
        if self._owed and time.monotonic() > self._retry:
            students += sorted(self._owed - set(students))
            self._owed.clear()
        self._heard_of = []
        if students:
            self.grading.run(students, self._dispatcher)
        return self._heard_of

    def _heard(self, outcome: Outcome) -> None:
        """Called when a student's row is in the gradebook: now their feedback can be made."""
        self._heard_of.append(outcome)
        points = f"{outcome.points:g} of {outcome.max_points:g}"
        if outcome.state == "again":
            self._owed.add(outcome.student)
            self._retry = time.monotonic() + RETRY_SECONDS
            self._say(f"{outcome.student}: to be graded again: {outcome.reason}")
        elif outcome.state in ("graded", "saved"):
            self._say(f"{outcome.student}: {points}{self._feedback(outcome.student)}")

    def _feedback(self, student: str) -> str:
        """The page, then nbgrader's own release; what goes wrong there does not stop the watch."""
        [(_, said)] = self._pages.make([student])
        if said not in MADE:
            return f"; feedback was not returned: {said}"
        try:
            result_of("release_feedback", self._api.release_feedback(self.grading.lesson.name, student))
        except LessonError as error:
            return f"; feedback was not returned: {error}"
        return "; feedback returned"
