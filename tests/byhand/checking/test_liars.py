"""check.values asks nothing of an object before its exact type is known, and keeps to its bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from byhand import check
from tests.byhand.checking.message import said

# Objects that lie


class Agreeable:
    """Says yes to everything."""

    shape = (2,)
    dtype = np.dtype("float64")

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("a")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return np.array([1.0, 2.0])

    def __getattr__(self, name: str) -> Any:
        raise AssertionError("a check asked an object of unknown type")


class LyingArray(np.ndarray):
    def __eq__(self, other: object) -> Any:
        return np.ones(self.shape, bool)

    __hash__ = None  # type: ignore[assignment]


class LyingTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return torch.tensor([1.0, 2.0])


class LyingMeta(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        return "numpy.ndarray"

    def __instancecheck__(cls, other: object) -> bool:
        return True


class Disguised(metaclass=LyingMeta):
    @property
    def __class__(self) -> Any:
        return np.ndarray


@pytest.mark.parametrize(
    "want", [np.array([1.0, 2.0]), torch.tensor([1.0, 2.0]), 1.0, 1, "a", [1], {"a": 1}, None]
)
@pytest.mark.parametrize("liar", ["Agreeable", "Disguised"])
def test_an_object_that_agrees_with_everything_is_refused_by_type(liar: str, want: Any) -> None:
    assert liar in said(globals()[liar](), want, known_wrong={"c": [1.0, 2.0]})


def test_subclasses_of_array_tensor_and_plain_types_are_refused() -> None:
    array = np.array([1.0, 2.0])
    assert "LyingArray, not a numpy.ndarray" in said(array.view(LyingArray), array)
    assert "MaskedArray" in said(np.ma.masked_array(array, mask=[False, True]), array)
    liar = torch.zeros(2).as_subclass(LyingTensor)
    assert "LyingTensor, not a torch.Tensor" in said(liar, torch.tensor([1.0, 2.0]))
    assert "not an int" in said(type("Int", (int,), {"__eq__": lambda *_: True})(5), 3)
    assert "not a str" in said(type("Str", (str,), {"__eq__": lambda *_: True})("x"), "y")
    assert "not a dict" in said(type("Dict", (dict,), {})(), {})


def test_a_tensor_with_methods_of_its_own_cannot_answer_for_itself() -> None:
    liar = torch.zeros(2)
    want = torch.tensor([1.0, 2.0])
    for name in ("detach", "cpu", "to", "numpy", "__eq__"):
        setattr(liar, name, lambda *_: want)
    assert "all 2 entries differ" in said(liar, want)


def test_a_lying_dict_key_or_list_element_is_refused() -> None:
    assert "has a key that is a" in said({Agreeable(): 1}, {"a": 1})
    assert "Agreeable, not an int" in said([Agreeable()], [1])
    assert "Agreeable, not a torch.Tensor" in said(
        (torch.ones(1), Agreeable()), (torch.ones(1), torch.ones(1))
    )


def test_huge_and_circular_answers_are_handled_in_bounds() -> None:
    circle: list[Any] = []
    circle.append(circle)
    nested: Any = [1.0] * 50
    for _ in range(20):
        nested = [nested] * 50
    huge = torch.zeros(1).expand(10**12)
    for answer in (circle, nested, huge, [0] * 10**6, "x" * 10**7, 2 ** (10**6)):
        text = said(answer, np.array([1.0, 2.0]), known_wrong={"c": [0.0, 0.0]})
        assert 0 < len(text) <= 2000
        assert 0 < len(said(answer, [1, 2])) <= 2000
    assert len(said(2 ** (10**6), 3)) < 200


def test_shape_and_true_are_not_fooled_either() -> None:
    with pytest.raises(check.CheckFailed, match="Agreeable, not an array"):
        check.shape("f(x)", Agreeable(), (2,))
    with pytest.raises(check.CheckFailed, match="weights differ"):
        check.true("f(x)", Agreeable(), "weights differ")
