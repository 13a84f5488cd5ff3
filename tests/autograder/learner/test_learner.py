"""What a test can do with a learner's objects, and what the learner's process makes of it."""

import numpy as np
import pytest
import torch
from torch import nn

from autograder.judge.questions import Gone, RemoteError
from autograder.judge.remote import Remote, type_name
from tests.pair import learner


def test_a_call_returns_plain_data() -> None:
    with learner("import numpy as np\ndef f(x, *, by): return {'sum': x + by, 'pair': (1, None)}") as names:
        got = names["f"](np.array([1.0, 2.0]), by=1)
    assert got["sum"].tolist() == [2.0, 3.0]
    assert got["pair"] == (1, None)


def test_a_name_the_learner_did_not_define_is_a_name_error() -> None:
    with learner("x = 1") as names, pytest.raises(NameError, match="name 'y' is not defined"):
        names["y"]


def test_a_learners_name_does_not_hide_a_builtin() -> None:
    with learner("len = abs = lambda *a: 7") as names:
        assert names["len"] is len
        assert names["abs"] is abs


def test_what_is_no_data_stays_there_and_is_called_by_its_class() -> None:
    with learner("class Model:\n    def go(self): return 3\nmodel = Model()\nmodels = [model]") as names:
        assert type(names["model"]) is Remote
        assert type_name(names["model"]) == "Model"
        assert names["model"].go() == 3
        assert names["models"][0] is names["model"]


def test_a_handle_given_back_is_the_same_object_there() -> None:
    with learner("class A: pass\na = A()\ndef same(x): return x is a") as names:
        assert names["same"](names["a"]) is True


def test_a_lying_object_equals_only_itself_and_has_no_truth_value() -> None:
    text = (
        "class Liar:\n    __bool__ = lambda self: True\n    __eq__ = lambda self, other: True\nliar = Liar()"
    )
    with learner(text) as names:
        liar = names["liar"]
        assert liar == liar
        assert not liar == 3  # noqa: SIM201 - the operator is what is tested
        with pytest.raises(TypeError, match="neither True nor False"):
            bool(liar)
        with pytest.raises(TypeError):
            np.asarray(liar)
        with pytest.raises(TypeError):
            torch.ones(1) + liar


def test_subclasses_of_array_and_tensor_are_objects_not_data() -> None:
    text = (
        "import numpy as np, torch\nclass A(np.ndarray): pass\n"
        "class T(torch.Tensor): pass\nclass F(float): pass\n"
        "a = np.ones(2).view(A)\nt = torch.ones(2).as_subclass(T)\nf = F(1.0)\no = np.array([None])"
    )
    with learner(text) as names:
        assert [type_name(names[name]) for name in "atfo"] == ["A", "T", "F", "numpy.ndarray"]


def test_items_length_membership_and_iteration_work_on_objects() -> None:
    with learner(
        "from collections import OrderedDict\nd = OrderedDict(a=1, b=2)\ng = (i for i in range(300))"
    ) as names:
        d = names["d"]
        assert (d["a"], len(d), "b" in d, list(d), dict(d)) == (1, 2, True, ["a", "b"], {"a": 1, "b": 2})
        assert list(names["g"]) == list(range(300))


def test_an_iterator_gives_its_next_item() -> None:
    with learner("g = iter([5, 6])") as names:
        g = names["g"]
        assert [next(g), next(g)] == [5, 6]
        with pytest.raises(StopIteration):
            next(g)


def test_an_endless_iterator_ends_the_conversation() -> None:
    with (
        learner("import itertools\ng = itertools.count()") as names,
        pytest.raises(Gone, match="more than 100,000"),
    ):
        list(names["g"])


def test_a_callable_passed_in_is_called_back() -> None:
    seen = []

    def score(query: object, keys: object) -> object:
        seen.append((query, keys))
        return np.array([0.5])

    with learner("def attend(q, k, score): return score(q, k) * 2") as names:
        assert names["attend"](1, [2], score).tolist() == [1.0]
    assert seen == [(1, [2])]


def test_an_array_passed_on_to_a_callable_is_the_very_array_of_the_test() -> None:
    query, seen = np.ones(2), []
    with learner("def attend(q, score): score(q)") as names:
        names["attend"](query, seen.append)
    assert seen[0] is query


def test_an_object_of_the_test_comes_back_as_itself_and_a_copy_of_it_does_not() -> None:
    layer = torch.nn.Linear(2, 2)
    text = "import copy\ndef same(x): return x\ndef copied(x): return copy.copy(x)"
    with learner(text) as names:
        for given in (layer, lambda: 1):
            assert names["same"](given) is given
            assert names["copied"](given) is not given


def test_an_error_of_a_callable_comes_back_as_itself() -> None:
    def score(_: object) -> None:
        raise AssertionError("called with the wrong thing")

    text = "def attend(q, score): return score(q)"
    with learner(text) as names, pytest.raises(AssertionError, match="called with the wrong thing"):
        names["attend"](1, score)


def test_an_error_of_a_callable_tells_the_learner_nothing_but_its_kind() -> None:
    def score() -> None:
        raise ValueError("secret")

    text = "def attend(score):\n    try: score()\n    except ValueError as e: return str(e)"
    with learner(text) as names:
        assert "secret" not in names["attend"](score)


def test_a_callables_insides_are_out_of_reach() -> None:
    text = "def look(f):\n    try: return repr(f.__globals__)\n    except AttributeError: return 'no'"
    with learner(text) as names:
        assert names["look"](lambda: 1) == "no"
    text = "def look(f): return f._learner.ask('get', 1, ('__globals__',))"
    with learner(text) as names, pytest.raises(RemoteError):
        names["look"](lambda: 1)


@pytest.mark.parametrize(
    ("value", "change", "after"),
    [
        (np.zeros(2), "x += 1", [1.0, 1.0]),
        (torch.zeros(2), "x.add_(1)", [1.0, 1.0]),
        ([1, 2], "x.reverse()", [2, 1]),
        ({"a": 1}, "x['b'] = 2", {"a": 1, "b": 2}),
        ({1}, "x.add(2)", {1, 2}),
        ([[1], [2]], "x[1].append(3)", [[1], [2, 3]]),
        (np.zeros((2, 2)).T, "x[0, 1] = 1", [[0.0, 1.0], [0.0, 0.0]]),
    ],
)
def test_a_change_in_place_reaches_the_tests_own_object(value: object, change: str, after: object) -> None:
    with learner(f"def f(x):\n    {change}") as names:
        names["f"](value)
    assert (value.tolist() if hasattr(value, "tolist") else value) == after


def test_a_change_in_place_is_seen_even_when_the_call_fails() -> None:
    value = np.zeros(1)
    with learner("def f(x):\n    x += 1\n    raise ValueError") as names, pytest.raises(ValueError):  # noqa: PT011
        names["f"](value)
    assert value.tolist() == [1.0]


def test_a_change_to_what_a_callable_returned_reaches_the_test() -> None:
    scores = np.zeros(2)
    with learner("def attend(score):\n    s = score()\n    s += 1") as names:
        names["attend"](lambda: scores)
    assert scores.tolist() == [1.0, 1.0]


def test_the_same_array_twice_is_one_array_there() -> None:
    x = np.zeros(1)
    with learner("def same(a, b): return a is b") as names:
        assert names["same"](x, x) is True


def test_an_array_returned_unchanged_is_the_tests_own() -> None:
    x = np.zeros(1)
    with learner("def f(x): return x") as names:
        assert names["f"](x) is x


def test_a_read_only_or_transposed_argument_arrives_as_such() -> None:
    x = np.arange(6.0).reshape(2, 3).T
    x.flags.writeable = False
    with learner("def f(x): return (x.flags.writeable, x.flags.c_contiguous, x.shape)") as names:
        assert names["f"](x) == (False, False, (3, 2))


def test_gradients_cross_the_boundary_both_ways() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with learner("def f(x): return (x ** 3).sum()") as names:
        y = names["f"](x * 2)
        assert y.requires_grad
        y.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [24.0, 96.0]


def test_a_gradient_passes_through_a_callable_of_the_test() -> None:
    weight = torch.tensor(3.0, requires_grad=True)
    x = torch.tensor(2.0, requires_grad=True)
    with learner("def f(x, g): return g(x * x) + x") as names:
        names["f"](x, lambda y: weight * y).backward()
    assert x.grad is not None
    assert (x.grad.item(), weight.grad.item()) == (13.0, 4.0)  # type: ignore[union-attr]


def test_a_detached_result_has_no_gradient() -> None:
    x = torch.ones(2, requires_grad=True)
    with learner("def f(x): return x.detach() * 2\ndef g(x): return x * 2") as names:
        assert not names["f"](x).requires_grad
        with torch.no_grad():
            assert not names["g"](x).requires_grad


def test_parameters_of_a_module_collect_gradients_there() -> None:
    text = """import torch
class M(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([2.0]))
    def forward(self, x): return x * self.w
"""
    with learner(text) as names:
        model = names["M"]()
        model(torch.tensor([5.0])).sum().backward()
        assert type(model.w) is nn.Parameter
        assert model.w.grad.tolist() == [5.0]
        assert [name for name, _ in model.named_parameters()] == ["w"]
        model.load_state_dict({"w": torch.tensor([7.0])})
        assert model.state_dict()["w"].tolist() == [7.0]
        assert model.eval().training is False


def test_a_module_of_the_test_can_be_registered_and_called() -> None:
    class Attention(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 3

    text = """import torch
class D(torch.nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.attention = attention
    def forward(self, x): return self.attention(x) + 1
"""
    attention = Attention()
    with learner(text) as names:
        decoder = names["D"](attention)
        assert decoder(torch.ones(1)).tolist() == [4.0]
        assert decoder.attention is attention
        decoder.eval()
    assert not attention.training


def test_a_module_of_the_test_shows_its_training_flag_as_it_is_now() -> None:
    layer = nn.Dropout().eval()
    text = "def f(layer):\n    before = layer.training\n    layer.train()\n    return before, layer.training"
    with learner(text) as names:
        assert names["f"](layer) == (False, True)
    assert layer.training


def test_a_change_is_found_after_a_callable_returned_a_tensor_with_a_gradient() -> None:
    weight, scores = torch.tensor(3.0, requires_grad=True), np.zeros(2)
    text = "def f(x, scale, score):\n    y = scale(x)\n    s = score()\n    s += 1\n    return y"
    with learner(text) as names:
        names["f"](torch.ones(()), lambda x: weight * x, lambda: scores).backward()
    assert scores.tolist() == [1.0, 1.0]
    assert weight.grad is not None
    assert weight.grad.item() == 1.0
