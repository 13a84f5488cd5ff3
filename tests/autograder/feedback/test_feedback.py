"""Feedback pages: nbgrader's own, element by element, made faster; in parallel, and by nbgrader's command."""

from __future__ import annotations

import json
from argparse import Namespace
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from nbconvert.exporters import HTMLExporter
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.api import Gradebook
from nbgrader.preprocessors import GetGrades

from autograder.author.lesson import LessonError
from autograder.course import COURSE_ID, Course
from autograder.feedback import generate, page as page_module
from autograder.feedback.generate import Pages
from tests.classroom import DOT, NAME, SHARE, WRONG_DOT, WRONG_SHARE, hand_in, make_course, run

WHEN = "2026-03-01 12:00:00 UTC"
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
STUDENTS = ("ana", "bo", "chen")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Three graded submissions with comments, points by hand, a late penalty, a picture and a table."""
    made = make_course(tmp_path_factory.mktemp("class"))
    hand_in(made, "ana", timestamp=WHEN, dot=WRONG_DOT, share=SHARE, doubled="Twice $x$ is $$2x$$ <b>so</b>.")
    hand_in(made, "bo", timestamp=WHEN, dot=DOT, share=WRONG_SHARE, doubled="![](attachment:lost.png)")
    hand_in(made, "chen", timestamp=WHEN, dot=DOT, share=SHARE)
    assert run(made) == 0
    with closing(Gradebook(f"sqlite:///{made.root / 'gradebook.db'}", COURSE_ID)) as book:
        book.find_grade("doubled", NAME, NAME, "ana").manual_score = 0.5
        book.find_grade("test_dot", NAME, NAME, "ana").extra_credit = 0.25
        book.find_comment("doubled", NAME, NAME, "ana").manual_comment = "Half right: *see* $x + x$."
        book.find_submission_notebook(NAME, NAME, "bo").late_submission_penalty = 1.5
        book.db.commit()
    _draw(made, "ana")
    return made


def _draw(course: Course, student: str) -> None:
    """Give the answer's cell outputs of every kind that the grader keeps."""
    path = course.step("autograded", NAME, student) / f"{NAME}.ipynb"
    notebook = json.loads(path.read_text())
    [cell] = [
        one for one in notebook["cells"] if one["metadata"].get("nbgrader", {}).get("grade_id") == "dot"
    ]
    show = {"output_type": "display_data", "metadata": {}}
    cell["outputs"] = [
        {**show, "data": {"image/png": PICTURE, "text/plain": "<Figure>"}},
        {**show, "data": {"image/png": PICTURE}, "metadata": {"image/png": {"alt": "a dot"}}},
        {**show, "data": {"text/html": "<table><tr><td>1 &amp; 2</td></tr></table><script>x</script>"}},
        {"output_type": "stream", "name": "stderr", "text": "\x1b[31mred\x1b[0m & <not a tag>\n"},
        {"output_type": "execute_result", "execution_count": 3, "data": {"text/plain": "3"}, "metadata": {}},
    ]
    path.chmod(0o644)
    path.write_text(json.dumps(notebook))


def pages(course: Course) -> dict[str, str]:
    return {student: page(course, student).read_text() for student in STUDENTS}


def page(course: Course, student: str) -> Path:
    return course.step("feedback", NAME, student) / f"{NAME}.html"


def by_nbgrader(course: Course, slowly: bool) -> dict[str, str]:
    config: Any = course.config()
    if slowly:
        config.GenerateFeedback.exporter_class = HTMLExporter
        config.GenerateFeedback.preprocessors = [generate.HideTests, GetGrades, CSSHTMLHeaderPreprocessor]
    result = course.api(config).generate_feedback(NAME, "*", force=True)
    assert result["success"], result
    return pages(course)


def by_command(course: Course, **options: Any) -> int:
    return generate.make(course, NAME, Namespace(**{"student": [], "jobs": 1, "json": False, **options}))


def test_pages_are_nbgraders_own_element_by_element(course: Course):
    slow = by_nbgrader(course, slowly=True)
    fast = by_nbgrader(course, slowly=False)
    assert {name: str(BeautifulSoup(text, "html.parser")) for name, text in fast.items()} == {
        name: page_module.named(text) for name, text in slow.items()
    }


def test_pages_call_exercises_by_their_names(course: Course):
    by_command(course)
    for text in pages(course).values():
        contents, *_ = BeautifulSoup(text, "html.parser").select("#toc")
        links = [(link["href"], link.get_text()) for link in contents.select("a")]
        assert ("#test_dot", "dot") in links
        assert ("#test_share", "share") in links
        assert "Check of <code>dot</code>" in text
        assert "Test cell" not in text
        assert "Grade cell" not in text


def test_the_command_makes_the_same_bytes_as_nbgraders_command(course: Course):
    theirs = by_nbgrader(course, slowly=False)
    for student in STUDENTS:
        page(course, student).unlink()
    assert by_command(course) == 0
    assert pages(course) == theirs


def test_several_processes_make_the_same_pages(course: Course, monkeypatch: pytest.MonkeyPatch):
    assert by_command(course) == 0
    alone = pages(course)
    for student in STUDENTS:
        page(course, student).unlink()
    monkeypatch.setattr(generate, "CHUNK", 1)
    assert by_command(course, jobs=2) == 0
    assert pages(course) == alone


def test_a_page_shows_scores_comments_penalties_and_what_the_check_said(course: Course):
    by_command(course)
    ana, bo, _ = (BeautifulSoup(text, "html.parser").get_text(" ") for text in pages(course).values())
    assert "Score: 3.75 / 6.0" in ana
    assert "Half right: see" in " ".join(ana.split())
    assert "Likely cause: the scores were not multiplied by SCALE" in ana
    assert "Late submission penalty (Score: -1.5)" in bo


def test_a_page_shows_no_hidden_test_and_holds_nothing_that_acts_or_is_fetched(course: Course):
    by_command(course)
    for text in pages(course).values():
        assert "secret_" not in text
        assert "HIDDEN" not in text
        soup = BeautifulSoup(text, "html.parser")
        assert soup.find_all(["script", "iframe", "object", "embed", "link"]) == []
        assert all(image["src"].startswith("data:") for image in soup.find_all("img"))
        assert "default-src 'none'" in str(soup.meta.find_next("meta", {"http-equiv": True}))


def test_what_is_remembered_of_a_large_class_has_an_end(course: Course, monkeypatch: pytest.MonkeyPatch):
    by_command(course)
    whole = pages(course)
    monkeypatch.setattr(page_module, "KEPT", 4)
    made = Pages(course, NAME)
    made.make([*STUDENTS, *STUDENTS])
    assert len(made._exporter._cells) == 4
    assert pages(course) == whole


def test_a_page_that_is_right_already_is_not_written_again(
    course: Course, capsys: pytest.CaptureFixture[str]
):
    by_command(course)
    capsys.readouterr()
    by_command(course)
    assert ", 0 of them new" in capsys.readouterr().out


def test_a_new_comment_is_on_the_page_without_force(course: Course):
    by_command(course)
    with closing(Gradebook(f"sqlite:///{course.root / 'gradebook.db'}", COURSE_ID)) as book:
        book.find_comment("doubled", NAME, NAME, "chen").manual_comment = "Please answer this."
        book.db.commit()
    by_command(course)
    assert "Please answer this." in pages(course)["chen"]


def test_a_spoilt_notebook_stops_nobody_elses_page(course: Course, capsys: pytest.CaptureFixture[str]):
    path = course.step("autograded", NAME, "bo") / f"{NAME}.ipynb"
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_text("{")
    assert by_command(course) == 1
    assert "'bo': no page" in capsys.readouterr().err
    path.write_bytes(whole)
    assert by_command(course) == 0


def test_a_gradebook_that_cannot_be_read_is_said_of_each_student(course: Course):
    made = Pages(course, NAME)
    made._url = "sqlite:////nowhere/gradebook.db"
    [(_, said)] = made.make(["ana"])
    assert "the gradebook cannot be read" in said


def test_what_the_exchange_needs_lies_beside_the_page(course: Course):
    by_command(course)
    assert (page(course, "ana").parent / "timestamp.txt").read_text() == WHEN


def test_an_unknown_student_is_named_with_who_was_meant(course: Course):
    with pytest.raises(LessonError, match="Did you mean chen"):
        by_command(course, student=["chan"])


def test_an_instructor_can_reduce_checks_to_their_names(course: Course):
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write("\nc.HideTests.names_only = True\n")
    by_command(course)
    text = BeautifulSoup(pages(course)["ana"], "html.parser").get_text()
    assert "Likely cause" not in text
    assert generate.NAMES_ONLY in text
