"""When the judge itself runs out of time or memory, or dies: unchecked, and the class goes on."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder.author import lesson
from autograder.course import Course
from autograder.grading import grade
from autograder.grading.dispatch import Place
from autograder.grading.job import Settings
from autograder.judge import engine, judges
from autograder.sandbox.worker import Limits, Worker, available
from autograder.verdict import Report
from autograder.wire.channel import Channel
from tests.classroom import DOT, Here, hand_in, make_course, rows, run
from tests.pair import check_of, solution

LIMITS = Limits(cell_seconds=20, call_seconds=20, submission_seconds=60, message_bytes=64 << 20)
ARRAY = solution("f", "import numpy as np\ndef f(): return np.zeros(1 << 20)")
DEEP = solution("f", "def f():\n    x = []\n    for _ in range(50): x = [x]\n    return x")


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    assert available() is None, available()
    with Worker() as started:
        yield started


def outcome(
    worker: Worker, test: str, answer: lesson.Cell = ARRAY, limits: Limits = LIMITS
) -> tuple[str, str]:
    report: Report = engine.grade("90_tiny", (answer, check_of("f", test)), {}, 1, limits, worker)
    [verdict] = report.verdicts
    assert verdict.points == 0.0
    return verdict.status, verdict.fault


def test_an_answer_too_large_to_look_at_is_the_learners_fault(worker: Worker) -> None:
    test = "import numpy as np\nnp.tile(f(), 1 << 12)\n"
    assert outcome(worker, test) == ("unchecked", "learner")


def test_an_answer_too_deep_to_look_at_is_the_learners_fault(worker: Worker) -> None:
    test = "def depth(x): return 1 + depth(x[0] if x else x)\ndepth(f())\n"
    assert outcome(worker, test, DEEP) == ("unchecked", "learner")


def test_memory_that_a_test_takes_before_any_answer_is_the_graders_fault(worker: Worker) -> None:
    test = "import numpy as np\nnp.ones(1 << 33)\nf()\n"
    assert outcome(worker, test) == ("unchecked", "grader")


def test_a_judge_without_end_is_the_graders_fault(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "MARGIN", 1.0)
    limits = replace(LIMITS, submission_seconds=3.0)
    assert outcome(worker, "f()\nwhile True: pass\n", limits=limits) == ("unchecked", "grader")
    assert outcome(worker, "f()\n1 / 0\n") == ("failed", "learner")  # and the next judge works


def kill_judges(monkeypatch: pytest.MonkeyPatch, dies: Callable[[str], bool]) -> None:
    """Kill the judge of each submission whose text `dies` says so of, once it waits for its work."""
    tell = judges._tell

    def told(channel: Channel, message: dict[str, Any]) -> None:
        if "cells" in message and dies(json.dumps(message)):
            os.kill(json.loads(channel.receive())["pid"], signal.SIGKILL)
        else:
            tell(channel, message)

    monkeypatch.setattr(judges, "_tell", told)


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.setattr(grade, "local", lambda *_: Place(Here, 1))
    made = make_course(tmp_path)
    for number in range(10):
        hand_in(made, f"a{number}", dot=f"{DOT}  # {number} KILLER")
    for name in ("bo", "cy"):
        hand_in(made, name, dot=f"{DOT}  # {name}")
    return made


def test_ten_neighbours_that_kill_their_judges_stop_nobody_else(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_judges(monkeypatch, lambda text: "KILLER" in text)
    assert run(course, Settings()) == 1  # ten are left for a person, and named
    assert {name: row["test_dot"][0] for name, row in rows(course).items()} == {
        **{f"a{number}": None for number in range(10)}, "bo": 2.0, "cy": 2.0,
    }  # fmt: skip


def test_where_every_judge_dies_the_class_stops(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_judges(monkeypatch, lambda text: True)
    with pytest.raises(lesson.LessonError, match=r"on the lesson's own solutions, too.*without a judgement"):
        run(course, Settings())
    assert len(rows(course)) < 10
