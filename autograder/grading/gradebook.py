"""Save results into nbgrader's gradebook: one writer, many students in one transaction.

    Book(course, lesson) --read--> what is there --save(rows)--> students, submissions, grades, comments

nbgrader's own tables and late-penalty plug-in, with SQLAlchemy's core instead of one commit per cell.
What people gave by hand (scores, comments, extra credit, extensions, flags) is never written to. A row
that already says the same is left alone, so saving twice changes nothing.
Order: rows, the book, then the parts of one save.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from nbgrader import api
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.exc import DBAPIError, OperationalError

from autograder.author.lesson import Lesson, LessonError
from autograder.course import COURSE_ID, Course

LOCKED_SECONDS = 30  # how long to wait for someone else's transaction on SQLite
LONGEST_NAME = 128  # characters of a student's id, as nbgrader's table has it


@dataclass(frozen=True)
class Row:
    """What grading says about one student. scores: grade_id -> points, None where a person must look.

    unanswered: solution cells that got no answer. fresh: this content was not in the gradebook
    before, so a score given by hand needs another look.
    """

    student: str
    timestamp: datetime.datetime | None
    scores: Mapping[str, float | None]
    unanswered: frozenset[str] = field(default_factory=frozenset)
    fresh: bool = True


class Book:
    """The gradebook of one course, open for one lesson. Raises LessonError, with the next step."""

    def __init__(self, course: Course, lesson: Lesson) -> None:
        self.lesson = lesson
        self._config = course.config()
        url = self._config.CourseDirectory.get("db_url", f"sqlite:///{course.root / 'gradebook.db'}")
        self.url = str(url)
        options = {"timeout": LOCKED_SECONDS} if self.url.startswith("sqlite") else {}
        with self._said():
            self._engine = sa.create_engine(self.url, connect_args=options, pool_pre_ping=True)
            self._make_tables()
            with self._engine.connect() as connection:
                self._read_structure(connection)
        self._late = AssignLatePenalties(config=self._config)
        self._late.init_plugin()

    def close(self) -> None:
        self._engine.dispose()

    def scores(self, students: Sequence[str]) -> dict[str, dict[str, float | None]]:
        """The automatic scores that the gradebook holds, for those of the students it knows."""
        grade, submitted, notebook = (
            table.__table__ for table in (api.Grade, api.SubmittedAssignment, api.SubmittedNotebook)
        )
        query = (
            sa.select(submitted.c.student_id, grade.c.cell_id, grade.c.auto_score)
            .join(notebook, notebook.c.assignment_id == submitted.c.id)
            .join(grade, grade.c.notebook_id == notebook.c.id)
            .where(notebook.c.notebook_id == self.notebook, submitted.c.student_id.in_(students))
        )
        names = {cell_id: name for name, cell_id in self.graded.items()}
        found: dict[str, dict[str, float | None]] = {}
        with self._said(), self._engine.connect() as connection:
            for student, cell_id, score in connection.execute(query):
                found.setdefault(student, {})[names.get(cell_id, "")] = score
        return found

    def save(self, rows: Sequence[Row]) -> None:
        """Bring the gradebook to what these rows say, in one transaction: all of them or none."""
        if rows:
            with self._said(), self._engine.begin() as connection:
                _Save(connection, self, rows).run()

    def penalty(self, student: str, score: float, seconds_late: float) -> float | None:
        """What nbgrader's late-submission plug-in takes off, within 0 and the score."""
        taken = self._late.plugin_inst.late_submission_penalty(student, score, seconds_late)
        return None if taken is None else min(max(float(taken), 0.0), score)

    def _make_tables(self) -> None:
        if not sa.inspect(self._engine).has_table("grade"):
            api.Gradebook(self.url, COURSE_ID).close()

    def _read_structure(self, connection: sa.Connection) -> None:
        assignment, notebook, cell = (
            table.__table__ for table in (api.Assignment, api.Notebook, api.BaseCell)
        )
        name = self.lesson.name
        found = connection.execute(
            sa.select(assignment.c.id, assignment.c.duedate, notebook.c.id)
            .join(notebook, notebook.c.assignment_id == assignment.c.id)
            .where(assignment.c.name == name, notebook.c.name == name)
        ).first()
        if found is None:
            raise LessonError(f"the gradebook does not know {name}.\n  Next: autograder release {name}")
        self.assignment, self.duedate, self.notebook = found
        cells = connection.execute(
            sa.select(cell.c.name, cell.c.id, cell.c.type).where(cell.c.notebook_id == self.notebook)
        ).all()
        self.graded = {row.name: row.id for row in cells if row.type in ("GradeCell", "TaskCell")}
        self.commented = {row.name: row.id for row in cells if row.type in ("SolutionCell", "TaskCell")}
        table = api.GradeCell.__table__
        points: dict[str, float] = dict(
            connection.execute(
                sa.select(table.c.id, table.c.max_score).where(table.c.id.in_(self.graded.values()))
            ).all()
        )
        self._compare({grade_id: points.get(cell_id, 0.0) for grade_id, cell_id in self.graded.items()})

    def _compare(self, held: Mapping[str, float]) -> None:
        """Refuse to mix two versions of a lesson: points would be saved for tests that are no more."""
        asked = {cell.grade_id: cell.points for cell in self.lesson.of_kind("test", "written")}
        for grade_id in sorted(set(asked) | set(held)):
            if asked.get(grade_id) != held.get(grade_id):
                shown = [
                    f"{points:g} points" if points is not None else "nothing"
                    for points in (asked.get(grade_id), held.get(grade_id))
                ]
                raise LessonError(
                    f"{self.lesson.name}: the source gives {shown[0]} for {grade_id}, the gradebook "
                    f"{shown[1]}.\n  Next: autograder release {self.lesson.name}, then grade again."
                )

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Turn what a database says when it is locked, full or gone into a sentence."""
        place = sa.engine.make_url(self.url).render_as_string(hide_password=True)
        try:
            yield
        except OperationalError as error:
            reason = str(error.orig).strip().splitlines()[0]
            raise LessonError(
                f"the gradebook {place} cannot be used: {reason}.\n"
                "  Results so far are kept. Next: mend that, then give the same command again."
            ) from error
        except (DBAPIError, sa.exc.ArgumentError, ImportError) as error:
            reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
            raise LessonError(f"the gradebook {place} refused: {reason}") from error


class _Save:
    """One transaction. Each step reads the rows of all students at once and writes what differs."""

    def __init__(self, connection: sa.Connection, book: Book, rows: Sequence[Row]) -> None:
        self.connection, self.book = connection, book
        self.rows = {row.student: row for row in rows}

    def run(self) -> None:
        self._students()
        submissions = self._submissions()
        wanted = [(row["id"], self.book.notebook) for row in submissions.values()]
        notebooks = self._ensure(api.SubmittedNotebook, ("assignment_id", "notebook_id"), wanted)
        by_student = {
            student: notebooks[row["id"], self.book.notebook] for student, row in submissions.items()
        }
        totals = self._grades({student: row["id"] for student, row in by_student.items()})
        self._comments({student: row["id"] for student, row in by_student.items()})
        self._penalties(submissions, by_student, totals)

    def _students(self) -> None:
        table = api.Student.__table__
        known = set(self.connection.scalars(sa.select(table.c.id).where(table.c.id.in_(self.rows))))
        new = [{"id": student} for student in self.rows if student not in known]
        if new:
            self.connection.execute(sa.insert(table), new)

    def _submissions(self) -> dict[str, dict[str, Any]]:
        """Each student's submission, with the time it says now."""
        wanted = [(self.book.assignment, student) for student in self.rows]
        found = self._ensure(api.SubmittedAssignment, ("assignment_id", "student_id"), wanted)
        submissions = {student: found[self.book.assignment, student] for student in self.rows}
        changes = []
        for student, held in submissions.items():
            time = self.rows[student].timestamp
            if time is not None and held["timestamp"] != time:
                held["timestamp"] = time
                changes.append({"row": held["id"], "timestamp": time})
        self._update(api.SubmittedAssignment, changes)
        return submissions

    def _grades(self, notebooks: Mapping[str, str]) -> dict[str, float]:
        """Save automatic scores; returns each student's score as nbgrader counts it, manual ones first."""
        wanted = [(notebook, cell) for notebook in notebooks.values() for cell in self.book.graded.values()]
        held = self._ensure(api.Grade, ("notebook_id", "cell_id"), wanted)
        changes, totals = [], dict.fromkeys(notebooks, 0.0)
        for student, notebook in notebooks.items():
            row = self.rows[student]
            for grade_id, cell in self.book.graded.items():
                grade, score = held[notebook, cell], row.scores.get(grade_id)
                manual = grade["manual_score"]
                look = score is None or manual is not None
                held_now = (grade["auto_score"], grade["needs_manual_grade"])
                if (row.fresh or held_now[0] != score) and held_now != (score, look):
                    changes.append({"row": grade["id"], "auto_score": score, "needs_manual_grade": look})
                counted = (score or 0.0) if manual is None else manual
                totals[student] += counted + (grade["extra_credit"] or 0.0)
        self._update(api.Grade, changes)
        return totals

    def _comments(self, notebooks: Mapping[str, str]) -> None:
        """nbgrader's remark on an empty answer; a person's comment takes precedence over it."""
        wanted = [
            (notebook, cell) for notebook in notebooks.values() for cell in self.book.commented.values()
        ]
        held = self._ensure(api.Comment, ("notebook_id", "cell_id"), wanted)
        changes = []
        for student, notebook in notebooks.items():
            for grade_id, cell in self.book.commented.items():
                said = "No response." if grade_id in self.rows[student].unanswered else None
                if held[notebook, cell]["auto_comment"] != said:
                    changes.append({"row": held[notebook, cell]["id"], "auto_comment": said})
        self._update(api.Comment, changes)

    def _penalties(
        self,
        submissions: Mapping[str, Mapping[str, Any]],
        notebooks: Mapping[str, Mapping[str, Any]],
        totals: Mapping[str, float],
    ) -> None:
        changes = []
        for student, submission in submissions.items():
            taken = None
            if submission["timestamp"] and self.book.duedate:
                due = self.book.duedate + (submission["extension"] or datetime.timedelta(0))
                late = (submission["timestamp"] - due).total_seconds()
                taken = self.book.penalty(student, totals[student], late) if late > 0 else None
            if notebooks[student]["late_submission_penalty"] != taken:
                changes.append({"row": notebooks[student]["id"], "late_submission_penalty": taken})
        self._update(api.SubmittedNotebook, changes)

    def _ensure(
        self, model: Any, keys: tuple[str, str], wanted: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """The rows with these pairs of keys, made first where missing."""
        table = model.__table__
        first, second = (table.c[key] for key in keys)
        query = sa.select(table).where(
            first.in_({pair[0] for pair in wanted}), second.in_({pair[1] for pair in wanted})
        )
        found = {(row[keys[0]], row[keys[1]]): dict(row) for row in self.connection.execute(query).mappings()}
        blank: dict[str, Any] = {column.name: None for column in table.columns}
        defaults = {"needs_manual_grade": True, "flagged": False}
        blank |= {name: value for name, value in defaults.items() if name in blank}
        new = [
            {**blank, "id": api.new_uuid(), keys[0]: pair[0], keys[1]: pair[1]}
            for pair in wanted
            if pair not in found
        ]
        if new:
            self.connection.execute(sa.insert(table), new)
        return found | {(row[keys[0]], row[keys[1]]): row for row in new}

    def _update(self, model: Any, changes: Sequence[dict[str, Any]]) -> None:
        if changes:
            table = model.__table__
            columns: dict[str, Any] = {name: sa.bindparam(name) for name in changes[0] if name != "row"}
            self.connection.execute(
                sa.update(table).where(table.c.id == sa.bindparam("row")).values(columns), list(changes)
            )
