"""What is saved in nbgrader's gradebook, and what is left alone."""

from __future__ import annotations

import datetime
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder.author.lesson import LessonError, read
from autograder.course import COURSE_ID, Course
from autograder.grading import gradebook
from autograder.grading.gradebook import Book, Row
from tests.classroom import NAME, book, make_course, rows
from tests.places import TINY

DUE = datetime.datetime(2026, 3, 1, 12)
PASSED = {"test_dot": 2.0, "test_share": 3.0, "doubled": None}
FAILED = {"test_dot": 0.0, "test_share": 0.0, "doubled": 0.0}


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_course(tmp_path)


def save(course: Course, *rows: Row) -> None:
    opened = book(course)
    opened.save(rows)
    opened.close()


def nbgrader_of(course: Course) -> Gradebook:
    return Gradebook(f"sqlite:///{course.root / 'gradebook.db'}", COURSE_ID)


def test_scores_are_there_for_nbgrader_to_read(course: Course):
    save(course, Row("ana", DUE, PASSED), Row("bob", None, FAILED, frozenset({"dot"})))
    with nbgrader_of(course) as theirs:
        ana = theirs.find_submission(NAME, "ana")
        assert (ana.score, ana.max_score, ana.needs_manual_grade) == (5.0, 6.0, True)
        assert ana.timestamp == DUE
        assert (
            theirs.find_submission(NAME, "bob").score,
            theirs.find_submission(NAME, "bob").needs_manual_grade,
        ) == (0, False)
        assert theirs.find_comment("dot", NAME, NAME, "bob").comment == "No response."
        assert theirs.find_comment("dot", NAME, NAME, "ana").comment is None


def test_rows_are_those_that_nbgrader_makes_itself(course: Course):
    with nbgrader_of(course) as theirs:
        theirs.update_or_create_student("their")
        theirs.update_or_create_submission(NAME, "their")
    save(course, Row("our", None, dict.fromkeys(PASSED)))
    columns = {
        "grade": "auto_score, t.manual_score, t.extra_credit, t.needs_manual_grade",
        "comment": "auto_comment, t.manual_comment",
    }
    with closing(sqlite3.connect(course.root / "gradebook.db")) as data:
        for table, names in columns.items():
            made = data.execute(
                f"select s.student_id, t.cell_id, t.{names} from {table} t "
                "join submitted_notebook n on n.id = t.notebook_id "
                "join submitted_assignment s on s.id = n.assignment_id"
            ).fetchall()
            ours = sorted(row[1:] for row in made if row[0] == "our")
            assert ours == sorted(row[1:] for row in made if row[0] == "their")
            assert ours


def test_saving_twice_changes_nothing(course: Course):
    save(course, Row("ana", DUE, PASSED))
    with closing(sqlite3.connect(course.root / "gradebook.db")) as data:
        before = list(data.iterdump())
        save(course, Row("ana", DUE, PASSED))
        assert list(data.iterdump()) == before


def test_what_people_gave_by_hand_is_kept_and_looked_at_again(course: Course):
    save(course, Row("ana", DUE, FAILED))
    with nbgrader_of(course) as theirs:
        grade = theirs.find_grade("test_dot", NAME, NAME, "ana")
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 1.5, 0.25, False
        theirs.find_comment("dot", NAME, NAME, "ana").manual_comment = "Nearly."
        theirs.db.commit()
    save(course, Row("ana", DUE, PASSED))
    assert rows(course)["ana"]["test_dot"] == (2.0, 1.5, 0.25, True)
    with nbgrader_of(course) as theirs:
        assert theirs.find_comment("dot", NAME, NAME, "ana").comment == "Nearly."
        assert theirs.find_submission(NAME, "ana").score == 1.5 + 0.25 + 3


def test_a_reviewed_row_stays_reviewed_when_nothing_changed(course: Course):
    save(course, Row("ana", DUE, PASSED))
    with nbgrader_of(course) as theirs:
        grade = theirs.find_grade("doubled", NAME, NAME, "ana")
        grade.manual_score, grade.needs_manual_grade = 1.0, False
        theirs.db.commit()
    save(course, Row("ana", DUE, PASSED, fresh=False))
    assert rows(course)["ana"]["doubled"] == (None, 1.0, None, False)


def test_a_check_the_grader_owes_needs_a_person_and_no_points_are_lost(course: Course):
    save(course, Row("ana", DUE, PASSED | {"test_dot": None}))
    assert rows(course)["ana"]["test_dot"] == (None, None, None, True)


@pytest.mark.parametrize(
    ("handed_in", "extension", "lost"), [(1, 0, 5.0), (-1, 0, None), (1, 2, None), (3, 2, 5.0)]
)
def test_late_penalties_are_those_of_nbgraders_plug_in(
    course: Course, handed_in: int, extension: int, lost: float | None
):
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write("\nc.LateSubmissionPlugin.penalty_method = 'zero'\n")
    with nbgrader_of(course) as theirs:
        theirs.update_or_create_assignment(NAME, duedate=DUE)
    save(course, Row("ana", DUE, PASSED))
    with nbgrader_of(course) as theirs:
        theirs.grant_extension(NAME, "ana", hours=extension)
    save(course, Row("ana", DUE + datetime.timedelta(hours=handed_in), PASSED))
    with nbgrader_of(course) as theirs:
        assert theirs.find_submission_notebook(NAME, NAME, "ana").late_submission_penalty == lost


def test_a_batch_is_saved_whole_or_not_at_all(course: Course, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError("pulled the plug")

    monkeypatch.setattr(gradebook._Save, "_comments", broken)
    with pytest.raises(RuntimeError):
        save(course, Row("ana", DUE, PASSED))
    assert rows(course) == {}


def test_a_locked_gradebook_is_a_sentence(course: Course, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gradebook, "LOCKED_SECONDS", 0.1)
    opened = book(course)
    with closing(sqlite3.connect(course.root / "gradebook.db")) as other:
        other.execute("begin exclusive")
        with pytest.raises(LessonError, match=r"locked.*\n.*kept") as told:
            opened.save([Row("ana", DUE, PASSED)])
    assert "Traceback" not in str(told.value)
    opened.save([Row("ana", DUE, PASSED)])
    assert rows(course)["ana"]["test_dot"][0] == 2.0


def test_a_gradebook_that_is_no_database_is_a_sentence(course: Course):
    (course.root / "gradebook.db").write_text("not a database, but long enough to be looked at as one" * 30)
    with pytest.raises(LessonError, match=r"gradebook.*not a database"):
        book(course)


def test_a_database_that_is_gone_is_a_sentence_without_its_password(course: Course):
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write("\nc.CourseDirectory.db_url = 'postgresql+psycopg://me:hush@127.0.0.1:1/none'\n")
    with pytest.raises(LessonError, match="gradebook postgresql") as told:
        book(course)
    assert "hush" not in str(told.value)


def test_an_unreleased_lesson_names_the_next_step(course: Course):
    with closing(sqlite3.connect(course.root / "gradebook.db")) as data:
        data.execute("delete from assignment")
        data.commit()
    with pytest.raises(LessonError, match=f"autograder release {NAME}"):
        book(course)


def test_two_versions_of_a_lesson_are_not_mixed(course: Course, tmp_path: Path):
    source = (TINY / NAME / f"{NAME}.py").read_text().replace('"points": 2', '"points": 4')
    (tmp_path / "changed" / NAME).mkdir(parents=True)
    (tmp_path / "changed" / NAME / f"{NAME}.py").write_text(source)
    with pytest.raises(LessonError, match="4 points for test_dot, the gradebook 2 points"):
        Book(course, read(NAME, tmp_path / "changed"))
