"""All of nbgrader's settings for this course, in one place; nbgrader itself is never patched.

course/nbgrader_config.py calls configure(); nbgrader's commands, the formgrader, and the Assignment
List in JupyterLab read that file, so they grade and show the same way.
Order of this file: what learners see, folders, grading.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograder import course as courses

CODE_STUB = (  # short lines: a scroll bar would hide the advice
    "# YOUR CODE HERE. Replace the next line, run this cell, then run the check below.\n"
    'raise NotImplementedError("Not written yet: replace this line.")'
)
TEXT_STUB = "*Write your answer here.*"


def teach(c: Any) -> Any:
    """What replaces a solution in the learner's notebook. Returns c, a traitlets Config."""
    c.ClearSolutions.code_stub = {"python": CODE_STUB}
    c.ClearSolutions.text_stub = TEXT_STUB
    return c


def configure(c: Any, root: Path) -> None:
    """Set everything nbgrader needs to run the course in the folder `root`."""
    course = courses.at(root)
    teach(c)
    c.CourseDirectory.course_id = courses.COURSE_ID
    c.CourseDirectory.root = str(course.root)
    c.Exchange.root = str(course.exchange)
    c.Exchange.assignment_dir = str(course.work)
    c.Exchange.cache = str(course.work / ".nbgrader_cache")
    c.ExchangeReleaseAssignment.force = True  # releasing again replaces what is there
    grade(c)


def grade(c: Any) -> None:
    """How submissions become points and feedback: the same from commands and from web pages."""
    from nbgrader import preprocessors as nbgraders

    from autograder.feedback import generate, marks, page
    from autograder.grading import autograde

    c.Autograde.exporter_class = autograde.Submission
    c.Autograde.autograde_preprocessors = [
        autograde.SaveVerdicts,
        nbgraders.AssignLatePenalties,
        nbgraders.CheckCellMetadata,
    ]
    c.GenerateFeedback.exporter_class = page.FeedbackPage
    c.GenerateFeedback.preprocessors = [generate.HideTests, marks.PutMarks, page.Style]
    show(c)


def show(c: Any) -> None:
    """How notebooks look in feedback and in the formgrader: nothing is fetched, nothing of learners acts."""
    from autograder.feedback.page import template_folders

    c.HTMLExporter.sanitize_html = True  # a submission's HTML and scripts are a stranger's
    c.HTMLExporter.filters = {"markdown2html": "autograder.feedback.formulas.markdown2html"}
    c.HTMLExporter.extra_template_basedirs = template_folders()
