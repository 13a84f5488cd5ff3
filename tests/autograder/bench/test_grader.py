"""The benchmark compares like with like: the same class, different notebooks, points of both."""

import json

import pytest

from autograder import sample
from autograder.author import lesson
from autograder.bench import grader, scale
from autograder.judge import judges
from autograder.sandbox import wall
from autograder.sandbox.worker import SERVER
from tests.places import TINY


def test_the_class_holds_no_endless_loop_and_no_two_equal_notebooks(monkeypatch):
    read, members = lesson.read("90_tiny", TINY), sample.members
    monkeypatch.setattr(sample, "members", lambda one: members(one, TINY))
    made = grader.submissions(read, range(50))
    assert len(made) == len(set(made.values())) == 50
    assert not any(b"while True" in notebook for notebook in made.values())
    halves = grader.submissions(read, range(20)), grader.submissions(read, range(20, 50))
    assert halves[0] | halves[1] == made


def test_a_difference_in_points_is_told_with_both_values():
    ours = grader.Measured(2, 6.0, 8, 1.0, {"a": 5.0, "b": 3.0})
    stock = grader.Measured(2, 60.0, 8, 12.0, {"a": 5.0, "b": 0.0})
    said = grader._table("90_tiny", ours, stock, ["b"])
    assert "10.0 times the submissions a minute, 12.0 times the feedback pages." in said
    assert "b has 3 here, 0 there" in said


def test_both_halves_of_stock_nbgraders_share_count():
    both = grader._joined(
        grader.Measured(2, 6.0, 0, 0.0, {"a": 1.0}), grader.Measured(4, 18.0, 0, 0.0, {"b": 2.0})
    )
    assert (both.count, both.seconds, both.rate, both.scores) == (6, 24.0, 15.0, {"a": 1.0, "b": 2.0})


def test_the_figures_as_json_hold_the_ratio():
    ours, stock = grader.Measured(2, 6.0, 4, 1.0, {}), grader.Measured(1, 60.0, 2, 2.0, {})
    told = json.loads(grader._json("90_tiny", ours, stock, []))
    assert (told["ratio"], told["feedback_ratio"]) == (20.0, 4.0)
    assert told["machine"]["cores"] >= 1


LEARNER = "\0".join(wall.python(SERVER, {}, "/grader"))
JUDGES = f"python\0-c\0{judges.SERVER}\0007"
POOL = "python\0-c\0from multiprocessing.forkserver import main; …"


@pytest.mark.parametrize(
    ("line", "parents", "role"),
    [
        (LEARNER, "bwrap\0--unshare-pid\0" + LEARNER, "fork server"),
        (LEARNER, LEARNER, "submission"),
        ("bwrap\0--unshare-pid\0" + LEARNER, POOL, ""),
        (JUDGES, POOL, "judges' server"),
        (JUDGES, JUDGES, "judge"),
        (POOL, POOL, "worker"),
        ("sleep\0600", LEARNER, ""),
    ],
)
def test_a_process_is_known_by_its_command_and_its_parents(line: str, parents: str, role: str):
    assert scale.role_of(line, parents, is_root=False) == role


def spent(seconds: float) -> dict[str, float]:
    return dict.fromkeys(scale.PARTS, seconds)


def scales() -> list[scale.Scale]:
    return [
        scale.Scale(
            10, seconds=15.0, graded=10, processor=spent(1.5), machine=20.0, memory={"worker": 100.0}
        ),
        scale.Scale(110, seconds=25.0, graded=110, processor=spent(2.0), machine=36.0, processes_left=2),
    ]


def test_the_arithmetic_to_a_cluster_is_written_out():
    said = "\n".join(scale.arithmetic(scales(), workers=2))
    assert (
        "(25.0 - 15.0) s / (110 - 10) = 0.100 s on 2 workers, so 0.200 s of one worker; start-up is 14.0 s"
        in said
    )
    assert (
        "(2.0 - 1.5) s / (110 - 10) = 5.0 ms of processor time a submission: at most 12000 a minute" in said
    )
    assert "max(100,000 x 0.200 / 16, 100,000 x 0.0050) = max(1250, 500) s = 21 minutes; the workers" in said
    assert "= max(125, 500) s = 8 minutes; the writer set the pace" in said


def test_what_no_process_of_the_graders_spent_is_the_learners_and_the_machines():
    said = scale.processor_time(scales())
    assert said[4:] == [
        "| coordinator: the one writer | 5.0 |",
        "| worker: rebuild the notebook, compose the graded one | 5.0 |",
        "| sandbox: walls around a submission, and their end | 5.0 |",
        "| judge: the lesson's tests, and the questions that they put | 5.0 |",
        "| the learner's own processes, and all else on the machine | 140.0 |",
        "| together | 160.0 |",
        "",
    ]


def test_what_was_left_behind_is_in_the_table():
    said = scale.table({"lesson": "90_tiny", "cores": 2}, scales())
    assert said.splitlines()[7].startswith("| 110 | 25.0 | 264 |")
    assert said.splitlines()[7].endswith("| 2 |")
