"""Calls that go to the learner's process in one message give what they give one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from autograder.judge import names as judge_names
from autograder.judge.names import JudgeHost, Names
from autograder.judge.questions import Gone, RemoteError
from autograder.learner import together
from autograder.learner.alarm import OutOfTime
from tests.pair import Limits, learner, peer

CASES = [[np.arange(3.0) + number] for number in range(6)]


def results(names: Names, cases: Sequence[Sequence[Any]]) -> Iterator[Any]:
    return JudgeHost([], 1, None).results(names["f"], cases)


def test_the_calls_after_the_first_take_one_message() -> None:
    with learner("def f(x): return 2 * x") as names:
        names["f"]  # asked for once
        before = peer(names)._asked
        got = list(results(names, CASES))
        assert peer(names)._asked - before == 2
    assert all(np.array_equal(one, 2 * case[0]) for one, case in zip(got, CASES, strict=True))


def test_each_result_is_as_it_was_when_its_call_ended() -> None:
    text = "import numpy as np\nroom = np.zeros(3)\ndef f(x):\n    room[:] = x\n    return room"
    with learner(text) as names:
        got = list(results(names, CASES))
    assert [list(one) for one in got] == [list(case[0]) for case in CASES]


def test_an_error_is_raised_by_its_own_call() -> None:
    with learner("def f(x):\n    if x[0] == 3: raise ValueError('three')\n    return x") as names:
        answers = results(names, CASES)
        assert [next(answers)[0] for _ in range(3)] == [0, 1, 2]
        with pytest.raises(RemoteError, match="three") as raised:
            next(answers)
    assert isinstance(raised.value, ValueError)
    assert raised.value.call == "f(array (3,) float64)"


def test_what_a_call_changes_in_place_is_changed_here() -> None:
    cases = [[case[0].copy()] for case in CASES]
    with learner("def f(x):\n    x += 10\n    return 1.0") as names:
        list(results(names, cases))
    assert [case[0][0] for case in cases] == [10, 11, 12, 13, 14, 15]


@pytest.mark.parametrize(
    "result", ["[x]", "{'x': x}", "'text'", "np.zeros(70_000) + x[0]", "(x, x[:1])", "x.T > 1"]
)
def test_results_of_any_kind_arrive_as_they_do_one_by_one(result: str) -> None:
    with learner(f"import numpy as np\ndef f(x): return {result}") as names:
        alone = [names["f"](*case) for case in CASES]
        got = list(results(names, CASES))
    assert list(map(repr, got)) == list(map(repr, alone))
    assert list(map(type, got)) == list(map(type, alone))


def test_calls_that_take_long_are_asked_for_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_names, "QUICK", 0.0)
    with learner("def f(x): return 2 * x") as names:
        names["f"]
        before = peer(names)._asked
        assert len(list(results(names, CASES))) == len(CASES)
        assert peer(names)._asked - before == len(CASES)


def test_large_arguments_are_sent_alone() -> None:
    cases = [[np.zeros(1 << 16)] for _ in range(4)]  # half a megabyte each
    with learner("def f(x): return x[0]") as names:
        names["f"]
        before = peer(names)._asked
        assert list(results(names, cases)) == [0.0] * 4
        assert peer(names)._asked - before == 4


def test_a_call_without_end_is_cut_off() -> None:
    text = "def f(x):\n    while x[0] == 3: pass\n    return x"
    with learner(text, Limits(call_seconds=1.0)) as names, pytest.raises(Gone, match="longer than 1 seconds"):
        list(results(names, CASES))


def test_more_results_than_calls_end_the_conversation() -> None:
    text = (
        "import gc\nfrom autograder.learner.supervisor import Learner\n"
        "def f(x):\n"
        "    for one in gc.get_objects():\n"
        "        if type(one) is Learner: one._questions['calls'] = lambda f, cases: [x] * 99\n"
        "    return x\n"
    )
    with learner(text) as names, pytest.raises(Gone, match="results that are none"):
        list(results(names, CASES))


def test_a_message_ends_when_its_calls_have_taken_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "LONG", -1.0)
    assert together.calls(float, [[1], [2], [3]]) == [1.0]


def test_the_end_of_the_time_is_not_taken_for_an_error_of_one_call() -> None:
    def late() -> None:
        raise OutOfTime

    with pytest.raises(OutOfTime):
        together.calls(late, [[]])
