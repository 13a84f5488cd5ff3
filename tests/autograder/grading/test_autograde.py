"""autograder.grading.autograde: points are verdicts, whatever a notebook prints, claims or breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder import course
from autograder.author import release
from tests.places import TINY

NAME = "90_tiny"
pytestmark = pytest.mark.filterwarnings("ignore:Object of type <Submitted")  # nbgrader under SQLAlchemy 2
DOT = "def dot(query, keys):\n    return SCALE * (keys @ query)\n"
SHARE = "def share(scores):\n    return scores / scores.sum()\n"


class Class:
    """A course with the tiny lesson released, whose submissions are written straight into submitted/."""

    def __init__(self, folder: Path) -> None:
        self.course = course.Course(folder / "course", folder / "course" / "exchange", folder / "work")
        release.release(NAME, self.course, TINY)
        config = self.course.config()
        config.Submission.solutions = str(TINY)
        config.Submission.limits = {"call_seconds": 2.0}
        self.api = self.course.api(config)
        self.count = 0

    def notebook(self, answers: dict[str, str] | None = None) -> dict[str, Any]:
        notebook = json.loads((self.course.step("release", NAME) / f"{NAME}.ipynb").read_bytes())
        for cell in notebook["cells"]:
            grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
            cell["source"] = (answers or {}).get(grade_id, "".join(cell["source"]))
        return notebook

    def hand_in(self, content: dict[str, Any] | bytes, file: str = f"{NAME}.ipynb") -> str:
        self.count += 1
        student = f"student{self.count}"
        folder = self.course.step("submitted", NAME, student)
        folder.mkdir(parents=True)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / file).write_bytes(data)
        (folder / "timestamp.txt").write_text("2026-11-21 10:00:00.000000 UTC")
        return student

    def graded(self, content: dict[str, Any] | bytes) -> tuple[dict[str, float | None], Any]:
        """Points by grade_id, and the autograded notebook, of one submission."""
        student = self.hand_in(content)
        result = self.api.autograde(NAME, student)
        assert result["success"], result["log"]
        autograded = self.course.step("autograded", NAME, student) / f"{NAME}.ipynb"
        return self.points(student), json.loads(autograded.read_bytes())

    def points(self, student: str) -> dict[str, float | None]:
        with self.api.gradebook as book:
            grades = book.find_submission_notebook(NAME, NAME, student).grades
            return {grade.name: grade.auto_score for grade in grades}

    def comments(self, student: str) -> str:
        with self.api.gradebook as book:
            found = book.find_submission_notebook(NAME, NAME, student).comments
            return " ".join(comment.auto_comment or "" for comment in found)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("AUTOGRADER_COURSE", "AUTOGRADER_EXCHANGE", "BYHAND_WORK"):
            patch.delenv(variable, raising=False)
        yield Class(tmp_path_factory.mktemp("课程 a"))


def test_right_answers_earn_all_points_and_text_waits_for_a_person(school: Class) -> None:
    answers = {"dot": DOT, "share": SHARE, "doubled": "Nothing changes."}
    points, notebook = school.graded(school.notebook(answers))
    assert points == {"test_dot": 2.0, "test_share": 3.0, "doubled": None}
    assert notebook["metadata"]["autograder"].keys() == {"seed", "sandboxed"}
    assert notebook["metadata"]["autograder"]["sandboxed"] is True


def test_the_untouched_lesson_earns_nothing(school: Class) -> None:
    points, _ = school.graded(school.notebook())
    assert points == {"test_dot": 0.0, "test_share": 0.0, "doubled": 0.0}


def test_each_submission_gets_a_seed_of_its_own(school: Class) -> None:
    seeds = {school.graded(b"{}")[1]["metadata"]["autograder"]["seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_warnings_and_prints_cost_nothing(school: Class) -> None:
    noisy = "import sys, warnings\n" + DOT.replace(
        "    return", "    print('x', file=sys.stderr)\n    return"
    )
    points, _ = school.graded(school.notebook({"dot": noisy}))
    assert points["test_dot"] == 2.0


def test_a_number_shown_by_the_answer_is_no_partial_credit(school: Class) -> None:
    shown = "import sys\ndef dot(query, keys):\n    sys.displayhook(1.5)\n    return keys @ query\n"
    points, _ = school.graded(school.notebook({"dot": shown}))
    assert points["test_dot"] == 0.0


def test_changed_points_and_tests_in_the_notebook_have_no_effect(school: Class) -> None:
    notebook = school.notebook({"dot": "def dot(query, keys):\n    return keys\n", "share": SHARE})
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "test_dot":
            cell["source"] = "pass"
            cell["metadata"]["nbgrader"]["points"] = 1000
            cell["metadata"]["tags"] = ["skip-execution"]
    points, _ = school.graded(notebook)
    assert points["test_dot"] == 0.0
    assert points["test_share"] == 3.0


def test_ending_the_kernel_keeps_the_points_earned_before(school: Class) -> None:
    points, _ = school.graded(
        school.notebook({"dot": DOT, "share": "import os\ndef share(scores):\n    os._exit(0)\n"})
    )
    assert points["test_dot"] == 2.0
    assert points["test_share"] == 0.0


def test_an_endless_loop_costs_its_own_exercise(school: Class) -> None:
    loop = "def dot(query, keys):\n    while True:\n        pass\n"
    points, notebook = school.graded(school.notebook({"dot": loop, "share": SHARE}))
    assert points["test_dot"] == 0.0
    assert points["test_share"] == 3.0
    assert "longer than" in json.dumps(notebook)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"This is an essay.", "is not a notebook"),
        (b"", "empty"),
        (b"[1, 2]", "a list"),
    ],
)
def test_what_is_no_notebook_gets_a_row_and_a_sentence(school: Class, content: bytes, why: str) -> None:
    points, notebook = school.graded(content)
    assert points == {"test_dot": 0.0, "test_share": 0.0, "doubled": 0.0}
    assert why in "".join(notebook["cells"][0]["source"])
    assert school.comments(f"student{school.count}").count("No response.") == 3


def test_a_schema_from_the_future_and_copied_cells_do_not_stop_the_class(school: Class) -> None:
    notebook = school.notebook({"dot": DOT})
    notebook["cells"].append(dict(notebook["cells"][3]))
    notebook["cells"][3]["metadata"]["nbgrader"]["schema_version"] = 99
    points, _ = school.graded(notebook)
    assert points["test_dot"] == 2.0


def test_scripts_of_a_learner_are_gone_from_the_autograded_notebook(school: Class) -> None:
    script = "<script>alert(1)</script>"
    display = f"{DOT}\nfrom IPython.display import HTML, display\ndisplay(HTML('{script}<b>kept</b>'))"
    notebook = school.notebook({"dot": display, "doubled": f"Nothing. {script}"})
    _, autograded = school.graded(notebook)
    written = next(cell for cell in autograded["cells"] if cell["source"] and "Nothing." in cell["source"][0])
    outputs = json.dumps([cell.get("outputs") for cell in autograded["cells"]])
    assert "<script" not in "".join(written["source"]) + outputs
    assert "<b>kept</b>" in outputs


def test_a_graders_own_fault_asks_for_a_person_and_takes_no_points(
    school: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("No sandbox could be started.")

    monkeypatch.setattr("autograder.grading.job._grade", broken)
    points, _ = school.graded(school.notebook({"dot": DOT}))
    assert points["test_dot"] is None


def test_grading_again_keeps_a_manual_grade(school: Class) -> None:
    student = school.hand_in(school.notebook({"doubled": "Nothing changes."}))
    school.api.autograde(NAME, student)
    with school.api.gradebook as book:
        book.find_grade("doubled", NAME, NAME, student).manual_score = 1.0
        book.db.commit()
    assert school.api.autograde(NAME, student, force=True)["success"]
    with school.api.gradebook as book:
        grade = book.find_grade("doubled", NAME, NAME, student)
        assert (grade.manual_score, grade.needs_manual_grade) == (1.0, True)
