"""The benchmark compares like with like: the same class, different notebooks, points of both."""

import json
from pathlib import Path

from autograder import bench, lesson, sample

TINY = Path(__file__).parent / "tiny_lesson"


def test_the_class_holds_no_endless_loop_and_no_two_equal_notebooks(monkeypatch):
    read, members = lesson.read("90_tiny", TINY), sample.members
    monkeypatch.setattr(sample, "members", lambda one: members(one, TINY))
    made = bench.submissions(read, 50)
    assert len(made) == len(set(made.values())) == 50
    assert not any(b"while True" in notebook for notebook in made.values())


def test_a_difference_in_points_is_told_with_both_values():
    ours = bench.Measured(2, 6.0, 1.0, {"a": 5.0, "b": 3.0})
    stock = bench.Measured(2, 60.0, 2.0, {"a": 5.0, "b": 0.0})
    said = bench._table("90_tiny", ours, stock, ["b"])
    assert "10.0 times" in said
    assert "b has 3 here, 0 there" in said


def test_the_figures_as_json_hold_the_ratio():
    ours, stock = bench.Measured(2, 6.0, 1.0, {}), bench.Measured(1, 60.0, 2.0, {})
    told = json.loads(bench._json("90_tiny", ours, stock, []))
    assert told["ratio"] == 20.0
    assert told["machine"]["cores"] >= 1
