"""What the judge makes of errors, silence and too much, while it questions a learner's process."""

import math
import time

import numpy as np
import pytest
import torch

from autograder.judge.questions import Gone, RemoteError
from autograder.judge.shown import readable
from autograder.wire.errors import Unsendable
from tests.pair import Limits, check_of, judged, learner, peer, solution


def test_an_error_is_of_the_builtin_class_of_its_name() -> None:
    text = "class Mine(ValueError): pass\ndef f(x):\n    raise Mine('size 3 and 4')"
    with learner(text) as names, pytest.raises(ValueError, match="size 3 and 4") as caught:
        names["f"](1)
    error = caught.value
    assert isinstance(error, RemoteError)
    assert error.origin.names[:2] == ("Mine", "ValueError")
    assert (error.label, error.line, error.call) == ("softmax", 3, "f(1)")


@pytest.mark.parametrize(
    "what", ["SystemExit(0)", "KeyboardInterrupt", "GeneratorExit", "StopIteration", "AssertionError"]
)
def test_errors_that_end_programs_are_ordinary_errors_here(what: str) -> None:
    with learner(f"def f(): raise {what}") as names, pytest.raises(RemoteError) as caught:
        names["f"]()
    assert not isinstance(caught.value, AssertionError | StopIteration)


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        ("np.linalg.LinAlgError", "LinAlgError"),
        ("KeyError", "KeyError"),
        ("type('Secret' + str(7), (Exception,), {})", "object"),
        ("type('Secret' + str(7), (Exception,), {'__module__': 'numpy'})", "object"),
    ],
)
def test_a_hidden_check_names_the_errors_of_libraries_and_none_that_are_made_up(
    raised: str, shown: str
) -> None:
    with learner(f"import numpy as np\ndef f():\n    kind = {raised}\n    raise kind('no')") as names:
        peer(names).hidden = True
        with pytest.raises(RemoteError) as error:
            names["f"]()
    assert error.value.origin.names[0] == shown


def test_a_process_that_ends_is_told_and_asked_no_more() -> None:
    with learner("import os\ndef f(): os._exit(0)\ndef g(): return 1") as names:
        g = names["g"]
        with pytest.raises(Gone, match=r"f\(\) ended the Python process"):
            names["f"]()
        with pytest.raises(Gone):
            g()


def test_a_call_that_takes_too_long_is_cut_off() -> None:
    limits = Limits(call_seconds=0.3)
    with (
        learner("def f():\n    while True: pass", limits) as names,
        pytest.raises(Gone, match=r"longer than 0\.3 seconds"),
    ):
        names["f"]()


def test_a_call_that_swallows_the_interrupt_is_cut_off_too() -> None:
    text = "def f():\n while True:\n  try:\n   while True: pass\n  except BaseException: pass"
    started = time.monotonic()
    with learner(text, Limits(call_seconds=0.2)) as names, pytest.raises(Gone, match="longer than"):
        names["f"]()
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("10 ** 5000", "int"),
        ("(lambda l: [l.append(l), l][1])([])", "deep"),
        ("[0] * 2_000_000", "items"),
        ("b'x' * 20_000_000", "bytes"),
    ],
)
def test_a_result_too_large_to_send_is_an_error_of_that_call(text: str, what: str) -> None:
    with learner(f"def f(): return {text}\ndef g(): return 1") as names:
        with pytest.raises(RemoteError, match=what):
            names["f"]()
        assert names["g"]() == 1


def test_a_view_that_claims_a_huge_shape_is_refused() -> None:
    text = (
        "import numpy as np\ndef f(): return np.lib.stride_tricks.as_strided(np.zeros(1), (1 << 36,), (0,))"
    )
    with learner(text) as names, pytest.raises(RemoteError):
        names["f"]()


def test_callbacks_without_end_are_cut_off() -> None:
    def again(f: object) -> object:
        return f(again)  # type: ignore[operator]

    with learner("def f(g): return g(f)") as names, pytest.raises((Gone, RemoteError)):
        names["f"](again)


def test_what_cannot_be_sent_is_the_tests_own_mistake() -> None:
    with learner("def f(x): pass") as names, pytest.raises(Unsendable):
        names["f"](object())


def test_each_argument_type_arrives_as_itself() -> None:
    values = [
        None,
        True,
        3,
        2.5,
        1j,
        "é\ud800",
        b"x",
        [1],
        (1,),
        {"a": 1},
        {1},
        frozenset({1}),
        slice(1, 2),
        range(3),
    ]
    values += [..., np.float32(1), np.dtype("int8"), np.float32, float, torch.float16, torch.device("cpu")]
    with learner("def f(x): return (type(x).__name__, x)") as names:
        for value in values:
            assert names["f"](value) == (type(value).__name__, value)


def test_nan_and_infinity_arrive() -> None:
    with learner("def f(x): return x") as names:
        assert math.isnan(names["f"](math.nan))
        assert names["f"](-math.inf) == -math.inf


def test_dropped_handles_are_forgotten_there() -> None:
    text = "import weakref\nclass A: pass\nalive = weakref.WeakSet()\n"
    text += "def make():\n    a = A()\n    alive.add(a)\n    return a\n"
    with learner(text + "def count(): return len(alive)") as names:
        for _ in range(5):
            names["make"]()
        assert names["count"]() <= 1


def test_answers_are_the_same_every_time() -> None:
    text = "import random, numpy as np, torch\n"
    text += "def f(): return random.random(), np.random.rand(), torch.rand(1).item()"
    got = []
    for _ in range(2):
        with learner(text) as names:
            got.append(names["f"]())
    assert got[0] == got[1]


def test_a_fork_does_not_wait_for_threads_that_torch_had_before() -> None:
    text = "import torch\ntorch.set_num_threads(4)\na = torch.ones(400, 400)\na = a @ a"
    test_text = "x = f()\nassert x.shape == (400, 400)\n"
    limits = Limits(call_seconds=10)
    result = judged(solution("f", text + "\ndef f(): return a @ a"), check_of("f", test_text), limits=limits)
    assert result.verdicts[0].status == "passed", result.verdicts


class Given:
    """An object of a test's own class, as a learner's process may look at it."""

    size, name, shape = 3, "a", (2, (3, 4))
    pairs: tuple[object, ...] = (1, ([1], {"a": 1}, {1}))
    answers, table, names = [1], {"a": 1}, {1}

    def own(self) -> int:
        return self.size


Given.__module__ = "__main__"


@pytest.mark.parametrize("name", ["size", "name", "shape"])
def test_a_plain_value_of_what_a_test_passes_in_may_be_read(name: str) -> None:
    assert readable(Given(), name) is getattr(Given, name)


@pytest.mark.parametrize("name", ["answers", "table", "names", "pairs", "own"])
def test_what_a_test_notes_or_defines_elsewhere_is_not_for_use(name: str) -> None:
    with pytest.raises(AttributeError, match="of what the check passed in is not for use"):
        readable(Given(), name)


@pytest.mark.parametrize("name", ["__class__", "_secret", "nothing"])
def test_no_other_attribute_is_there(name: str) -> None:
    with pytest.raises(AttributeError, match=f"'Given' object has no attribute '{name}'"):
        readable(Given(), name)


def test_of_an_object_of_ours_nothing_can_be_read() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'args'"):
        readable(ValueError("known"), "args")
