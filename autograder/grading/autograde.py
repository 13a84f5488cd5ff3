"""What `nbgrader autograde`, and the formgrader's button, use for this course; set in nbgrader_config.

    submitted/ana/01_scoring --Submission: stage, rebuild, grade--> notebook --SaveVerdicts--> gradebook

The same job as `autograder grade` runs, so that a button is as safe as the command. Submission is an
exporter because nbgrader reads the file in its exporter, before any preprocessor, and a file that
cannot be read would cost the learner the row in the gradebook. Order of this file: grading, saving.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.preprocessors import SaveAutoGrades
from traitlets import Bool, Dict, Unicode

from autograder.author import lesson as lessons
from autograder.author.lesson import SOLUTIONS, Lesson
from autograder.author.release import learner_notebook
from autograder.grading.coordinator import SEED_BITS, scores_of
from autograder.grading.job import Graded, Job, Settings, run
from autograder.grading.worklist import grader_version, lesson_digest
from autograder.intake.stage import stage

KEY = "autograder"  # our part of nbconvert's resources


class Submission(NotebookExporter):
    """Reads and grades what was handed in, whatever it is.

    nbgrader converts twice: first from submitted/, to put right what learners changed, then its own
    result. Only the second is graded, so the first gets the lesson as it was released.
    """

    solutions = Unicode(str(SOLUTIONS), help="where the lessons' sources are").tag(config=True)
    limits = Dict({}, help="as in autograder grade --limits, by name").tag(config=True)
    sandbox = Bool(True, help="False is dangerous: learners' code then runs as you").tag(config=True)

    def from_filename(self, filename: str, resources: Any = None, **options: Any) -> Any:
        converter: Any = self.parent
        names, folders = resources["nbgrader"], converter.coursedir
        student, name = names["student"], names["assignment"]
        submitted = Path(folders.format_path(folders.submitted_directory, student, name))
        lesson = lessons.read(name, Path(self.solutions))
        resources["metadata"] = {"name": names["notebook"], "path": str(submitted)}
        if Path(filename).resolve().parent == submitted.resolve():
            notebook: Any = learner_notebook(lesson)
        else:
            graded = self._graded(lesson, submitted)
            resources[KEY] = scores_of(lesson, graded)
            notebook = nbformat.reads(graded.notebook.decode(), as_version=4)  # type: ignore[no-untyped-call]
            report = graded.report
            self.log.info("%s, %s: %g points, seed %d", student, name, report.points, report.seed)
        return self.from_notebook_node(notebook, resources=resources)  # type: ignore[no-untyped-call]

    def _graded(self, lesson: Lesson, submitted: Path) -> Graded:
        settings = Settings(dict(self.limits), bool(self.sandbox))
        staged, seed = stage(submitted, lesson.name), secrets.randbits(SEED_BITS)
        digest = lesson_digest(lesson)
        return run(Job(lesson.name, str(self.solutions), staged, seed, settings, digest, grader_version()))


class SaveVerdicts(SaveAutoGrades):  # type: ignore[misc]
    """Points are the verdict's and nothing else's: no partial credit from outputs, no points for errors.

    A grader's own fault is no grade: nbgrader then asks for a manual one, and grading again replaces it.
    """

    def _add_score(self, cell: Any, resources: Any) -> None:
        names = (self.notebook_id, self.assignment_id, self.student_id)
        scores, _ = resources[KEY]
        grade = self.gradebook.find_grade(cell.metadata["nbgrader"]["grade_id"], *names)
        grade.auto_score = scores[grade.name]
        grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        self.gradebook.db.commit()

    def _add_comment(self, cell: Any, resources: Any) -> None:
        names = (self.notebook_id, self.assignment_id, self.student_id)
        _, unanswered = resources[KEY]
        comment = self.gradebook.find_comment(cell.metadata["nbgrader"]["grade_id"], *names)
        comment.auto_comment = "No response." if comment.name in unanswered else None
        self.gradebook.db.commit()
