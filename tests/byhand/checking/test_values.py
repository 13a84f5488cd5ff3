"""check.values and check.shape: what they refuse, in which words, and what they accept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from byhand import check
from tests.byhand.checking.message import said

MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=torch.bool)
KNOWN = {"row 0 stops at key 0, but two older keys come before query 0.": [[1, 0, 0, 0], [1, 1, 0, 0]]}


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


def test_a_float_of_fewer_digits_is_near_enough_but_half_precision_is_held_to_float32() -> None:
    assert said(np.float32(0.3), 0.3) == ""
    assert said(torch.tensor(0.3), 0.3) == ""
    assert said(0.3 + 1e-8, 0.3) != ""
    assert said(np.float16(0.3), 0.3) != ""


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


def test_true_wants_exactly_true() -> None:
    check.true("f(x)", True, "no")
    check.true("f(x)", np.bool_(True), "no")
    for condition in (False, np.bool_(False), 1, None, "yes", torch.tensor(True)):
        with pytest.raises(check.CheckFailed) as failure:
            check.true("f(x)", condition, "the weights do not sum to 1.")
        assert str(failure.value) == "f(x): the weights do not sum to 1."
