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
    body = "seen.append(x[0])\n    if x[0] == 3: raise ValueError('three')\n    return x"
    text = f"seen = []\ndef f(x):\n    {body}"
    with learner(text) as names:
        answers = results(names, CASES)
        assert [next(answers)[0] for _ in range(3)] == [0, 1, 2]
        with pytest.raises(RemoteError, match="three") as raised:
            next(answers)
        assert list(names["seen"]) == [0, 1, 2, 3]  # once each
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


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("([x] * 99, None)", "more results than calls"),
        ("([x] * 5, {})", "more results than calls"),
        ("[x] * 5", "results that are none"),
        ("([x], {'names': ['ValueError']})", "no answer: an error of no known form"),
        ("([x], 3)", "no answer: an error of no known form"),
    ],
)
def test_results_of_no_known_form_end_the_conversation(answer: str, words: str) -> None:
    text = (
        "import gc\nfrom autograder.learner.supervisor import Learner\n"
        "def f(x):\n"
        "    for one in gc.get_objects():\n"
        f"        if type(one) is Learner: one._questions['calls'] = lambda f, cases: {answer}\n"
        "    return x\n"
    )
    with learner(text) as names, pytest.raises(Gone, match=rf"^f.* answered with .*{words}\.$"):
        list(results(names, CASES))


def nothing() -> None:
    """Called before each call."""


def test_a_message_ends_when_its_calls_have_taken_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "LONG", -1.0)
    assert together.calls(float, [[1], [2], [3]], nothing) == ([1.0], None)


def test_a_message_ends_when_its_results_are_large_together() -> None:
    results, _ = together.calls(np.zeros, [[together.LARGE // 2]] * 9, nothing)
    assert len(results) == 3


def test_no_call_is_made_twice() -> None:
    calls: list[int] = []

    def odd(number: int) -> list[int]:
        calls.append(number)
        return [number]

    assert together.calls(odd, [[1], [2]], nothing) == ([[1]], None)
    assert calls == [1]


def test_each_call_has_the_time_of_one() -> None:
    text = "import time\ndef f(x):\n    time.sleep(0.4 if x[0] else 0)\n    return x"
    with learner(text, Limits(call_seconds=0.7)) as names:
        assert len(list(results(names, CASES))) == len(CASES)


def test_the_end_of_the_time_is_not_taken_for_an_error_of_one_call() -> None:
    def late() -> None:
        raise OutOfTime

    with pytest.raises(OutOfTime):
        together.calls(late, [[]], nothing)
