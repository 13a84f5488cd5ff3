"""What `nbgrader autograde`, and the formgrader's button, use for this course; set in nbgrader_config.

    submitted/ana/01_scoring --Submission: stage, rebuild--> notebook
        --Grade: texts of cells in, Report out--> outputs --SaveVerdicts--> gradebook, autograded/

Submission is an exporter because nbgrader reads the file in its exporter, before any preprocessor, and
a file that cannot be read would cost the learner the row in the gradebook.
Order of this file: reading, running, saving, and folders without a notebook.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import v4
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from traitlets import Integer, Unicode
from traitlets.utils.importstring import import_item

from autograder import shown
from autograder.course import Course
from autograder.lesson import Cell, Lesson
from autograder.released import Released, released
from autograder.stage import stage
from autograder.triage import Rebuilt, rebuild, unanswered
from autograder.verdict import Report, Verdict

KEY = "byhand"  # our part of a notebook's metadata and of nbconvert's resources
SEED_BITS = 48  # readers of JSON keep whole numbers below 2**53

Grader = Callable[[str, Sequence[Cell], Mapping[str, bytes], int, int], Report]


def cells_of(notebook: Any) -> tuple[Cell, ...]:
    """A notebook's cells as the graders take them."""
    return tuple(_cell(node) for node in notebook.cells)


def _cell(node: Any) -> Cell:
    meta = node.metadata.get("nbgrader", {})
    kinds = {(False, True): "solution", (True, False): "test", (True, True): "written"}
    plain = "code" if node.cell_type == "code" else "markdown"
    kind = kinds.get((bool(meta.get("grade")), bool(meta.get("solution"))), plain)
    return Cell(kind, node.source, meta.get("grade_id", ""), float(meta.get("points", 0)))  # type: ignore[arg-type]


def lesson_of(source: Path) -> Lesson:
    """The lesson as this course released it, from nbgrader's source notebook."""
    return Lesson(source.stem, cells_of(nbformat.read(source, as_version=4)))  # type: ignore[no-untyped-call]


class Submission(NotebookExporter):
    """Reads what was handed in, whatever it is, as the lesson with the learner's answers in it."""

    def from_filename(self, filename: str, resources: Any = None, **options: Any) -> Any:
        converter: Any = self.parent
        names, folders = resources["nbgrader"], converter.coursedir
        place = (names["student"], names["assignment"])
        submitted = Path(folders.format_path(folders.submitted_directory, *place))
        resources[KEY] = {"submitted": submitted}
        if Path(filename).resolve().parent != submitted.resolve():  # second pass: our own notebook
            return super().from_filename(filename, resources=resources, **options)
        source = Path(folders.format_path(folders.source_directory, ".", names["assignment"]))
        lesson = lesson_of(source / f"{names['notebook']}.ipynb")
        notebook = answered_notebook(lesson, *read(submitted, lesson))
        resources["metadata"] = {"name": names["notebook"], "path": str(submitted)}
        return self.from_notebook_node(notebook, resources=resources)  # type: ignore[no-untyped-call]


def read(submitted: Path, lesson: Lesson) -> tuple[Rebuilt, tuple[str, ...]]:
    """The rebuilt submission in a folder, and notes on its files. Never raises for what is in there."""
    staged = stage(submitted, lesson.name)
    if staged.problem:
        return unanswered(lesson, staged.problem), staged.notes
    return rebuild(lesson, released(lesson), staged.notebook), staged.notes


def answered_notebook(lesson: Lesson, rebuilt: Rebuilt, notes: tuple[str, ...]) -> Any:
    """A rebuilt submission as a notebook that nbgrader can go on with."""
    given = released(lesson)
    nodes, places = [], iter(range(len(lesson.cells)))
    for number, cell in enumerate(rebuilt.cells):
        place = None if number in rebuilt.own else next(places)
        nodes.append(_node(cell, given, rebuilt, place))
    for number, node in enumerate(nodes):
        node.id = f"cell-{number}"
    remarks = [*notes, *rebuilt.notes]
    about = {"problem": rebuilt.problem, "notes": remarks}
    said = [f"**This submission could not be graded.** {rebuilt.problem}"] if rebuilt.problem else []
    if said or remarks:
        nodes.append(v4.new_markdown_cell("\n\n".join([*said, *remarks]), id="about"))  # type: ignore[no-untyped-call]
    metadata = {**given.notebook_metadata, KEY: about}
    return v4.new_notebook(cells=nodes, metadata=metadata)  # type: ignore[no-untyped-call]


def _node(cell: Cell, given: Released, rebuilt: Rebuilt, place: int | None) -> Any:
    """A lesson's cell with the metadata nbgrader expects, or one of the learner's own without any."""
    make: Any = v4.new_code_cell if cell.kind in ("code", "solution", "test") else v4.new_markdown_cell
    node = make(cell.source)
    if place is None or cell.kind == "written":
        node.source = shown.prose(node) if node.cell_type == "markdown" else node.source
    if place is not None:
        node.metadata = nbformat.from_dict(given.metadata[place])  # type: ignore[no-untyped-call]
        if cell.kind in ("solution", "written") and cell.grade_id not in rebuilt.answered:
            node.source = given.texts[place]  # as released, so that nbgrader says "No response."
    return node


class Grade(NbGraderPreprocessor):  # type: ignore[misc]
    """Runs the notebook by a grader (text of cells in, Report out) and shows its Report as outputs."""

    grader = Unicode("autograder.stock.grade", help="dotted name of the function that grades").tag(
        config=True
    )
    seconds = Integer(60, help="how long one cell may run").tag(config=True)

    def preprocess(self, notebook: Any, resources: Any) -> tuple[Any, Any]:
        name, about = resources["nbgrader"]["assignment"], notebook.metadata.setdefault(KEY, {})
        seed = secrets.randbits(SEED_BITS)
        cells = cells_of(notebook)
        if about.get("problem"):
            report = refused(name, cells, about["problem"], seed)
        else:
            files = stage(resources[KEY]["submitted"], name).files
            grade: Grader = import_item(self.grader)
            report = grade(name, cells, files, seed, self.seconds)
        show(notebook, report)
        about.update(seed=seed, grader=self.grader, sandboxed=report.sandboxed)
        about["notes"] = [*about.get("notes", ()), *report.notes]
        resources[KEY]["report"] = report
        who = resources["nbgrader"]["student"]
        self.log.info("%s, %s: %g points, seed %d, %s", who, name, report.points, seed, self.grader)
        return notebook, resources


def refused(name: str, cells: Sequence[Cell], problem: str, seed: int) -> Report:
    """The Report of a submission with nothing to grade in it."""
    tests = (cell for cell in cells if cell.kind == "test")
    verdicts = tuple(
        Verdict(test.grade_id, test.exercise, 0.0, test.points, "unchecked", "learner", problem)
        for test in tests
    )
    return Report(name, seed, verdicts, notes=(problem,))


def show(notebook: Any, report: Report) -> None:
    """Put a Report's outputs into the notebook: what learners' cells printed, what each check said."""
    runs = {run.index: run.outputs for run in report.runs}
    verdicts = {verdict.test: verdict for verdict in report.verdicts}
    for index, node in enumerate(notebook.cells):
        if node.cell_type != "code":
            continue
        node.execution_count = None
        node.outputs = shown.outputs(runs.get(index, ()))
        verdict = verdicts.get(node.metadata.get("nbgrader", {}).get("grade_id", ""))
        if verdict is not None:
            node.outputs = [_said(verdict)]


def _said(verdict: Verdict) -> Any:
    if verdict.status == "passed":
        text = f"{verdict.exercise}: passed.\n"
        return v4.new_output("stream", name="stdout", text=text)  # type: ignore[no-untyped-call]
    name = "CheckFailed" if verdict.status == "failed" else "CouldNotBeChecked"
    lines = verdict.message.splitlines() or [name]
    return v4.new_output("error", ename=name, evalue=verdict.message, traceback=lines)  # type: ignore[no-untyped-call]


class SaveVerdicts(SaveAutoGrades):  # type: ignore[misc]
    """Points are the verdict's and nothing else's: no partial credit from outputs, no points for errors.

    A grader's own fault is no grade: nbgrader then asks for a manual one, and grading again replaces it.
    """

    def _add_score(self, cell: Any, resources: Any) -> None:
        names = (self.notebook_id, self.assignment_id, self.student_id)
        grade = self.gradebook.find_grade(cell.metadata["nbgrader"]["grade_id"], *names)
        grade.auto_score = self._score(cell, resources[KEY]["report"])
        grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        self.gradebook.db.commit()

    def _score(self, cell: Any, report: Report) -> float | None:
        if utils.is_solution(cell):  # hand-graded: 0 if untouched, else for a person to say
            score: float | None = utils.determine_grade(cell, self.log)[0]
            return score
        verdicts = {verdict.test: verdict for verdict in report.verdicts}
        verdict = verdicts.get(cell.metadata["nbgrader"]["grade_id"])
        if verdict is None or verdict.fault == "grader":
            return None
        return float(cell.metadata["nbgrader"]["points"]) if verdict.status == "passed" else 0.0

    def _add_comment(self, cell: Any, resources: Any) -> None:
        super()._add_comment(cell, resources)
        report: Report = resources[KEY]["report"]
        if report.notes and not resources[KEY].get("commented"):
            resources[KEY]["commented"] = True  # once, at the first answer
            names = (self.notebook_id, self.assignment_id, self.student_id)
            comment = self.gradebook.find_comment(cell.metadata["nbgrader"]["grade_id"], *names)
            comment.auto_comment = " ".join(report.notes)
            self.gradebook.db.commit()


def without_notebook(course: Course, name: str) -> dict[str, str]:
    """Give a row of 0 points to submissions that nbgrader would pass over. Returns student -> why.

    nbgrader looks only at files called like the lesson; a folder without one never reaches a converter.
    """
    missing: dict[str, str] = {}
    for folder in sorted(course.root.glob(f"submitted/*/{name}")):
        staged = stage(folder, name)
        if (folder / f"{name}.ipynb").is_file():
            continue
        missing[folder.parent.name] = staged.problem or f"{name}.ipynb is missing. {' '.join(staged.notes)}"
    with course.api().gradebook as book:
        for student, why in missing.items():
            _save_zero(book, name, student, why)
    return missing


def _save_zero(book: Any, name: str, student: str, why: str) -> None:
    book.update_or_create_student(student)
    book.update_or_create_submission(name, student)
    notebook = book.find_submission_notebook(name, name, student)
    for grade in notebook.grades:
        grade.auto_score, grade.needs_manual_grade = 0.0, False
    for comment in notebook.comments[:1]:
        comment.auto_comment = why
    book.db.commit()
