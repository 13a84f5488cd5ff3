"""When the judge itself runs out of time or memory: unchecked, and through the fault of whoever caused it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from autograder import engine, judges, lesson
from autograder.sandbox import Limits, Worker, available
from autograder.verdict import Report
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
