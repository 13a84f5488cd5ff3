"""What nbgrader's gradebook says about a class: scores, comments and penalties, in three queries.

nbgrader's own step asks the database a hundred times a page. The numbers are nbgrader's too: its scores
are columns that its tables compute. Order: one student's marks, the query, the step of a page.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from nbgrader import api, utils
from nbgrader.preprocessors import GetGrades

CHUNK = 500  # students in one query


@dataclass
class Marks:
    """One student's marks. cells: grade_id -> (score, maximum); comments: grade_id -> text."""

    score: float
    max_score: float
    penalty: float
    cells: dict[str, tuple[float, float]] = field(default_factory=dict)
    comments: dict[str, str | None] = field(default_factory=dict)


def read(url: str, assignment: str, notebook: str, students: Iterable[str]) -> dict[str, Marks]:
    """Marks by student, for those of the students whom the gradebook knows."""
    wanted, found = list(students), dict[str, Marks]()
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            for start in range(0, len(wanted), CHUNK):
                found |= _chunk(connection, assignment, notebook, wanted[start : start + CHUNK])
    finally:
        engine.dispose()
    return found


def _chunk(
    connection: sa.Connection, assignment: str, notebook: str, students: list[str]
) -> dict[str, Marks]:
    submitted, given, grade, comment = (
        api.SubmittedNotebook, api.SubmittedAssignment, api.Grade, api.Comment
    )  # fmt: skip
    where = sa.and_(
        given.student_id.in_(students), api.Assignment.name == assignment, api.Notebook.name == notebook
    )

    def of_cells(*columns: Any, table: Any) -> Any:
        return _joined(sa.select(given.student_id, api.BaseCell.name, *columns).select_from(table).join(
            submitted, submitted.id == table.notebook_id
        )).join(api.BaseCell, api.BaseCell.id == table.cell_id).where(where)  # fmt: skip

    totals = sa.select(
        given.student_id, submitted.score, submitted.max_score, submitted.late_submission_penalty
    )
    marks = {}
    for student, score, most, penalty in connection.execute(
        _joined(totals.select_from(submitted)).where(where)
    ):
        marks[student] = Marks(score - (penalty or 0), most, penalty or 0)
    for student, name, score, most in connection.execute(of_cells(grade.score, grade.max_score, table=grade)):
        marks[student].cells[name] = (score, most)
    for student, name, text in connection.execute(of_cells(comment.comment, table=comment)):
        marks[student].comments[name] = text
    return marks


def _joined(query: Any) -> Any:
    """From nbgrader's submitted notebook to its assignment, by way of both names."""
    submitted, given = api.SubmittedNotebook, api.SubmittedAssignment
    return (
        query.join(given, given.id == submitted.assignment_id)
        .join(api.Notebook, api.Notebook.id == submitted.notebook_id)
        .join(api.Assignment, api.Assignment.id == given.assignment_id)
    )


class PutMarks(GetGrades):  # type: ignore[misc]
    """nbgrader's GetGrades, which puts scores and comments into the page, from marks read for many at once.

    A student asked for alone is read alone; `known` may be filled beforehand.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.known: dict[str, Marks] = {}

    def preprocess(self, notebook: Any, resources: Any) -> tuple[Any, Any]:
        names = resources["nbgrader"]
        student = names["student"]
        if student not in self.known:
            self.known = read(names["db_url"], names["assignment"], names["notebook"], self._ahead(student))
        if student not in self.known:
            raise api.MissingEntry(f"the gradebook has no {names['assignment']} of {student}")
        marks = self.known[student]
        for cell in notebook.cells:
            self._mark(cell, marks)
        names["score"], names["max_score"] = marks.score, marks.max_score
        names["late_penalty"] = marks.penalty
        return notebook, resources

    def _ahead(self, student: str) -> list[str]:
        """This student and those whom nbgrader's command comes to next."""
        converter: Any = getattr(self.parent, "parent", None)
        paths = sorted(getattr(converter, "assignments", None) or ())
        students = [student]
        with suppress(ValueError, AttributeError, KeyError):
            named = [converter.init_single_notebook_resources(f"{path}/x.ipynb") for path in paths]
            every = [one["nbgrader"]["student"] for one in named]
            students = every[every.index(student) :][:CHUNK]
        return students

    @staticmethod
    def _mark(cell: Any, marks: Marks) -> None:
        graded = utils.is_grade(cell) or utils.is_task(cell)
        if graded or utils.is_solution(cell):
            about = cell.metadata.nbgrader
            if utils.is_solution(cell) or utils.is_task(cell):
                about["comment"] = marks.comments[about.grade_id]
            if graded:
                about["score"], about["points"] = marks.cells[about.grade_id]
