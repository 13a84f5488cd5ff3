"""The reading of a lesson's source refuses what nbgrader would accept in silence."""

import re

import pytest

from autograder.author import bank
from autograder.author.lesson import SOLUTIONS, LessonError, names, read
from tests.places import TINY


def test_exercises_come_in_order_with_their_points():
    assert read("90_tiny", TINY).exercises == {"dot": 2.0, "share": 3.0, "doubled": 1.0}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("### BEGIN HIDDEN TESTS", "### BEGIN HIDDEN TEST"),
        ("### BEGIN HIDDEN TESTS", "### begin hidden tests"),
        ("### BEGIN HIDDEN TESTS", "# BEGIN HIDDEN TESTS"),
        ("### BEGIN SOLUTION", "### BEGIN SOLUTIONS"),
        ("    ### END SOLUTION\n", ""),
        ("    ### END HIDDEN TESTS\n", ""),
    ],
)
def test_a_marker_that_is_not_exact_is_an_error_that_names_the_cell(changed, old, new):
    with pytest.raises(LessonError, match="dot"):
        changed(old, new)


def test_a_grade_id_used_twice_is_an_error(changed):
    with pytest.raises(LessonError, match="dot is used more than once"):
        changed('"grade_id": "share"', '"grade_id": "dot"')


def test_a_test_of_nothing_is_an_error(changed):
    with pytest.raises(LessonError, match="no solution cell"):
        changed('"grade_id": "test_share"', '"grade_id": "test_shares"')


def test_another_schema_version_is_an_error(changed):
    with pytest.raises(LessonError, match="schema_version"):
        changed('"schema_version": 3', '"schema_version": 99')


def test_a_lesson_that_does_not_exist_is_an_error():
    with pytest.raises(LessonError, match="no lesson source"):
        read("91_none", TINY)


def _bank(tmp_path, text):
    (tmp_path / "90_tiny").mkdir()
    (tmp_path / "90_tiny" / "answers.py").write_text(text, encoding="utf-8")
    return bank.read("90_tiny", tmp_path)


def test_a_bank_gives_each_answer_its_promised_words(tmp_path):
    (answer,) = _bank(tmp_path, "# %% wrong dot: forgets\n# reads: one\n# reads: two\nx = 1\n")
    assert answer == bank.Answer("wrong", "dot", "forgets", "x = 1\n", ("one", "two"))


@pytest.mark.parametrize(
    "text",
    [
        "# %% bad dot: forgets\nx = 1\n",
        "# %% wrong dot: promises nothing\nx = 1\n",
        "# %% right dot: twice\nx = 1\n# %% right dot: twice\nx = 2\n",
    ],
)
def test_a_bank_with_an_unclear_answer_is_an_error(tmp_path, text):
    with pytest.raises(LessonError):
        _bank(tmp_path, text)


@pytest.mark.parametrize("name", names())
def test_no_lesson_source_has_more_than_900_lines(name):
    source = SOLUTIONS / name / f"{name}.py"
    assert source.read_text(encoding="utf-8").count("\n") <= 900


@pytest.mark.parametrize("name", names())
def test_checks_read_files_that_were_handed_in_where_the_learner_s_code_runs(name):
    """`train` of a check's own would read in the judge's folder, where there is no such file."""
    tests = [cell.source for cell in read(name).of_kind("test") if "train." in cell.source]
    imports = [
        line for source in tests for line in source.split("\n") if line.startswith("from byhand import")
    ]
    assert [line for line in imports if "train" in line.replace(",", " ").split()] == []


@pytest.mark.parametrize("name", names())
def test_answers_to_unfold_hold_no_markdown_which_jupyterlab_shows_as_it_is(name):
    prose = "\n".join(cell.source for cell in read(name).of_kind("markdown"))
    answers = re.findall(r"<details>.*", prose)
    assert [one for one in answers if re.search(r"`[^`]+`|\*\w[^*]*\*|\]\(", one)] == []
