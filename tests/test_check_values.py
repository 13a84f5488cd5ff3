"""check.values and check.shape: what they refuse, in which words, and what they accept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from byhand import check

MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=torch.bool)
KNOWN = {
    "row 0 stops at key 0, but two older keys come before query 0.": [[1, 0, 0, 0], [1, 1, 0, 0]],
    "queries and keys are swapped.": [[1, 1], [1, 1], [1, 1], [0, 1]],
}


def said(got: Any, want: Any, call: str = "f(x)", **options: Any) -> str:
    """The message, "" if the answer is accepted."""
    try:
        check.values(call, got, want, **options)
    except check.CheckFailed as failure:
        return str(failure)
    return ""


# Words


def test_wrong_entries_read_as_in_the_style_guide() -> None:
    got = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0]]).bool()
    assert said(got, MASK, "causal_mask(2, 4)", axes=("query", "key"), known_wrong=KNOWN) == (
        "causal_mask(2, 4): 4 of 8 entries differ, first at query 0, key 1.\n"
        "  got   False\n"
        "  want  True\n"
        "  Likely cause: row 0 stops at key 0, but two older keys come before query 0."
    )


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (
            torch.zeros(4, 4).bool(),
            "causal_mask(2, 4) has shape (4, 4), expected (2, 4) = (query, key).",
        ),
        (MASK.float(), "causal_mask(2, 4) has dtype torch.float32, expected torch.bool."),
        (None, "causal_mask(2, 4) returned None, not a torch.Tensor. Is a `return` missing?"),
        (MASK.numpy(), "causal_mask(2, 4) returned a numpy.ndarray, not a torch.Tensor. Stay in torch"),
        (MASK.tolist(), "causal_mask(2, 4) returned a list, not a torch.Tensor."),
        (True, "causal_mask(2, 4) returned a bool, not a torch.Tensor."),
        (MASK.to_sparse(), "has layout torch.sparse_coo, expected torch.strided"),
        (MASK.to("meta"), "is on device meta, expected cpu"),
    ],
)
def test_wrong_kinds_of_tensor_are_named(got: Any, words: str) -> None:
    assert words in said(got, MASK, "causal_mask(2, 4)", axes=("query", "key"))


@pytest.mark.parametrize(
    ("got", "words"),
    [
        ([1.0, 2.0], "f(x) returned a list, not a numpy.ndarray. Is it several results, or should np.array"),
        (torch.ones(2), "f(x) returned a torch.Tensor, not a numpy.ndarray. This exercise is NumPy"),
        (
            np.float64(1),
            "f(x) returned a numpy.float64, not a numpy.ndarray. It is one number; expected shape",
        ),
        (np.ones((1, 2)), "f(x) has shape (1, 2), expected (2,) = (key,)."),
        (np.ones((2, 1)), "f(x) has shape (2, 1), expected (2,) = (key,)."),
        (np.ones(2, np.float32), "f(x) has dtype float32, expected float64."),
        (np.array([1.0, 2.0], object), "f(x) has dtype object, expected float64."),
        (np.array(1.0), "f(x) has shape (), expected (2,) = (key,)."),
    ],
)
def test_wrong_kinds_of_array_are_named(got: Any, words: str) -> None:
    assert words in said(got, np.array([1.0, 2.0]), axes=("key",))


def test_one_entry_and_all_entries_are_counted_in_plain_english() -> None:
    assert "1 of 3 entries differs, first at index 2." in said(np.array([1.0, 2, 4]), np.array([1.0, 2, 3]))
    assert "all 2 entries differ, first at [0, 0]." in said(np.ones((1, 2)), np.zeros((1, 2)))
    assert "the only entry differs." in said(np.ones(1), np.zeros(1))
    assert "f(x): the value differs." in said(torch.tensor(1.0), torch.tensor(2.0))


def test_numbers_that_look_alike_are_shown_with_more_digits() -> None:
    text = said(np.array([1.0000001]), np.array([1.0]))
    assert "got   1.0000001\n  want  1.0" in text


def test_a_note_is_the_last_line() -> None:
    assert said(np.ones(1), np.zeros(1), note="Zero keys score zero.").endswith("\n  Zero keys score zero.")


def test_an_element_of_a_tuple_is_named_with_its_index_and_axes() -> None:
    want = (torch.zeros(2), torch.zeros(2, 3))
    text = said((torch.zeros(2), torch.eye(2, 3)), want, axes=(("value",), ("query", "key")))
    assert text.startswith("f(x)[1]: 2 of 6 entries differ, first at query 0, key 0.")
    assert said((torch.zeros(2), None), want).startswith("f(x)[1] is None, not a torch.Tensor.")


def test_long_messages_are_cut_at_2000_characters() -> None:
    text = said(np.zeros(3), np.ones(3), call="f(" + "x" * 5000 + ")", note="n" * 5000)
    assert len(text) <= 2000
    assert text.startswith("f(xxx")


# Tolerance, NaN, infinity


@pytest.mark.parametrize(
    ("dtype", "inside", "outside"),
    [
        (torch.float64, 5e-10, 2e-9),
        (torch.float32, 1e-5, 4e-5),
        (torch.float16, 5e-3, 2e-2),
        (torch.bfloat16, 3e-2, 1e-1),
    ],
)
def test_each_dtype_has_its_own_tolerance(dtype: torch.dtype, inside: float, outside: float) -> None:
    want = torch.tensor([1.0, 1.0], dtype=dtype)
    assert said(want + inside, want) == ""
    assert "differ" in said(want + outside, want)


def test_tolerance_is_relative_for_large_and_absolute_for_small_numbers() -> None:
    assert said(np.array([1e6 + 1e-4]), np.array([1e6])) == ""
    assert said(np.array([1e-10]), np.array([0.0])) == ""
    assert said(np.array([1e-8]), np.array([0.0])) != ""
    assert said(np.array([1.1]), np.array([1.0]), tolerance=0.2) == ""


def test_nan_does_not_pass_for_a_number_and_is_counted() -> None:
    text = said(np.array([np.nan, np.nan, 1.0]), np.array([0.0, 1.0, 1.0]))
    assert "got   nan" in text
    assert "2 of 3 entries are nan." in text
    assert said(float("nan"), 0.0) != ""


def test_a_number_does_not_pass_for_nan() -> None:
    assert said(np.array([0.0, 1.0]), np.array([np.nan, 1.0])) != ""
    assert said(np.array([np.nan, 1.0]), np.array([np.nan, 1.0])) == ""


def test_infinities_equal_only_themselves() -> None:
    want = np.array([np.inf, -np.inf, 0.0])
    assert said(want.copy(), want) == ""
    assert said(-want, want) != ""
    assert said(np.array([1e308, -np.inf, 0.0]), want) != ""
    assert said(np.array([np.inf]), np.array([1e308])) != ""


# Right answers in other clothes


@pytest.mark.parametrize(
    "got",
    [
        torch.arange(6.0).view(3, 2).T.contiguous().T,
        torch.arange(6.0).view(3, 2).requires_grad_(),
        torch.nn.Parameter(torch.arange(6.0).view(3, 2)),
        torch.arange(12.0).view(3, 4)[:, ::2] / 2 + torch.tensor([[0.0], [1], [2]]) * 0,
        (torch.arange(6.0).view(3, 2).requires_grad_() * 1),
    ],
)
def test_views_parameters_and_graphs_are_fine(got: torch.Tensor) -> None:
    want = torch.arange(6.0).view(3, 2)
    assert said(got, want) == ""


def test_array_views_are_fine() -> None:
    want = np.arange(6.0).reshape(2, 3)
    assert said(np.arange(6.0)[::-1].reshape(2, 3)[::-1, ::-1], want) == ""
    assert said(np.asfortranarray(want), want) == ""
    assert said(np.broadcast_to(1.0, (2, 3)), np.ones((2, 3))) == ""


@pytest.mark.parametrize("got", [0.5, np.float64(0.5), np.float32(0.5), np.array(0.5), torch.tensor(0.5)])
def test_a_float_may_be_a_python_numpy_or_torch_number(got: Any) -> None:
    assert said(got, 0.5) == ""


def test_a_whole_float_may_be_an_int() -> None:
    assert said(0, 0.0) == ""


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (None, "returned None, not a float. Is a `return` missing?"),
        (True, "returned a bool, not a float."),
        ("0.5", "returned a str, not a float."),
        (np.array([0.5]), "has shape (1,), expected a single number."),
        (torch.tensor(True), "expected a float"),
        (0.25, "the value differs.\n  got   0.25\n  want  0.5"),
        (10**400, "expected a float"),
    ],
)
def test_what_is_no_such_float_is_refused(got: Any, words: str) -> None:
    assert words in said(got, 0.5)


def test_a_zero_dimensional_array_may_be_a_numpy_scalar() -> None:
    assert said(np.float64(2.0), np.array(2.0)) == ""
    assert "dtype float32" in said(np.float32(2.0), np.array(2.0))


# Plain values and containers


@pytest.mark.parametrize(
    "value",
    [3, True, "夏天", None, [1, 2], (1, "a"), {"a": [1.0]}, {1, 2}, b"x", torch.float32, [], {}, [[], [1]]],
)
def test_plain_values_equal_themselves(value: Any) -> None:
    assert said(value, value) == ""


@pytest.mark.parametrize(
    ("got", "want", "words"),
    [
        (np.int64(3), 3, "returned a numpy.int64, not an int. Wrap it in int(...)."),
        (torch.tensor(3), 3, "returned a torch.Tensor, not an int. Wrap it in int(...)."),
        (True, 1, "returned a bool, not an int."),
        (1, True, "returned an int, not a bool."),
        (3.0, 3, "returned a float, not an int."),
        (4, 3, "the value differs.\n  got   4\n  want  3"),
        ("abd", "abc", "got   'abd'\n  want  'abc'"),
        ((1, 2), [1, 2], "returned a tuple, not a list. Wrap it in list(...)."),
        ([1, 2, 4], [1, 2, 3], "1 of 3 elements differs, first at index 2.\n  got   4\n  want  3"),
        ([1, 2.0], [1, 2], "f(x)[1] is a float, not an int."),
        ([1], [1, 2], "has 1 element, expected 2.\n  got   [1]\n  want  [1, 2]"),
        ([[1], [2]], [[1], [3]], "f(x)[1][0]: the value differs"),
        ({"a": 1}, {"a": 1, "b": 2}, "lacks the key 'b'"),
        ({"a": 1, "c": 2}, {"a": 1}, "has a key 'c' too many"),
        ({"a": 1.5}, {"a": 1.0}, "f(x)['a']: the value differs"),
        ([True], [1], "f(x)[0] is a bool, not an int."),
        ("x", None, "returned a str, not None."),
    ],
)
def test_wrong_plain_values_are_named(got: Any, want: Any, words: str) -> None:
    assert words in said(got, want)


# Known mistakes


def test_a_known_mistake_is_named_with_a_wrong_shape() -> None:
    text = said(MASK.T, MASK, axes=("query", "key"), known_wrong=KNOWN)
    assert text.splitlines() == [
        "f(x) has shape (4, 2), expected (2, 4) = (query, key).",
        "  Likely cause: queries and keys are swapped.",
    ]


def test_a_known_mistake_is_named_with_a_wrong_type() -> None:
    cause = {"the items were listed.": [1, 0]}
    assert "Likely cause: the items were listed." in said([1, 0], np.array([1.0, 2.0]), known_wrong=cause)
    assert "Likely cause" in said(np.array([7.0]), 3.0, known_wrong={"not summed.": [7.0]})


def test_known_mistakes_may_be_written_with_four_digits() -> None:
    got = np.exp([1.0, 2.0]) / np.exp([1.0, 2.0]).sum()
    assert "Likely cause: c" in said(got, np.zeros(2), known_wrong={"c": [0.2689, 0.7311]})


def test_an_unknown_mistake_gets_no_cause() -> None:
    assert "Likely" not in said(np.array([5.0, 6.0]), np.zeros(2), known_wrong={"c": [0.2689, 0.7311]})


def test_a_near_miss_is_not_taken_for_a_known_mistake_further_away() -> None:
    got, want = np.array([1.000001]), np.array([1.0])
    assert "Likely" not in said(got, want, known_wrong={"c": [1.00009]})


def test_a_known_mistake_of_one_tuple_element_is_named() -> None:
    want = (np.zeros(2), np.ones(2))
    got = (np.zeros(2), np.array([2.0, 3.0]))
    assert "Likely cause: c" in said(got, want, known_wrong={"c": (..., [2, 3])})
    assert "Likely cause: c" in said(got, want, known_wrong={"c": [2, 3]})
    assert "Likely" not in said(got, want, known_wrong={"c": ([1, 1], [2, 3])})


def test_known_mistakes_may_hold_nan_and_text() -> None:
    assert "Likely cause: c" in said(np.array([np.nan]), np.ones(1), known_wrong={"c": [np.nan]})
    assert "Likely cause: c" in said("ab", "ba", known_wrong={"c": "ab"})


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
    @property  # type: ignore[misc]
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


# Authors' own mistakes


def test_comparing_with_something_unknown_is_the_authors_error() -> None:
    with pytest.raises(TypeError, match="cannot compare"):
        check.values("f(x)", 1, object())


def test_values_returns_none_and_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert check.values("f(x)", np.ones(2), np.ones(2)) is None  # type: ignore[func-returns-value]
    assert said(np.array([np.nan, 1e308]), np.array([1.0, -1e308])) != ""
    assert capfd.readouterr() == ("", "")


# check.shape and check.true


def test_shape_accepts_and_names_shapes() -> None:
    check.shape("f(x)", np.ones((2, 3)), (2, 3))
    check.shape("f(x)", torch.ones(2, 3), (2, 3))
    with pytest.raises(check.CheckFailed) as failure:
        check.shape("f(x)", torch.ones(3, 2), (2, 3), axes=("query", "key"))
    assert str(failure.value) == "f(x) has shape (3, 2), expected (2, 3) = (query, key)."
    with pytest.raises(check.CheckFailed, match="returned a list, not an array or tensor"):
        check.shape("f(x)", [1], (1,))
    with pytest.raises(check.CheckFailed, match="Agreeable"):
        check.shape("f(x)", Agreeable(), (2,))


def test_true_wants_exactly_true() -> None:
    check.true("f(x)", True, "no")
    check.true("f(x)", np.bool_(True), "no")
    for condition in (False, np.bool_(False), 1, None, "yes", Agreeable()):
        with pytest.raises(check.CheckFailed) as failure:
            check.true("f(x)", condition, "the weights do not sum to 1.")
        assert str(failure.value) == "f(x): the weights do not sum to 1."
