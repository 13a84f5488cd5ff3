"""check.values on plain values and containers, and the known mistakes it names."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import torch

from tests.byhand.checking.message import said

MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=torch.bool)
KNOWN = {
    "row 0 stops at key 0.": [[1, 0, 0, 0], [1, 1, 0, 0]],
    "queries and keys are swapped.": [[1, 1], [1, 1], [1, 1], [0, 1]],
}
Pair = namedtuple("Pair", "a b", module="__main__")  # as a learner's notebook makes it


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
        (Pair(1, 2), (1, 2), "Return a plain tuple; a class of your own, such as a named tuple, is not one."),
        ((1, 2), {"a": 1, "b": 2}, "returned a tuple, not a dict. Each result goes under its name."),
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


def test_what_is_wanted_itself_is_no_mistake() -> None:
    got, want = np.array([0.25 - 1e-8, 0.75]), np.array([0.25, 0.75])
    assert "Likely" not in said(got, want, known_wrong={"the temperature was not used.": [0.25, 0.75]})
    cause = {"these are the scores.": ([1.0], [5.0])}
    got = np.array([1.0]), np.array([5.0])
    assert "Likely cause" in said(got, (np.array([1.0]), np.array([2.0])), known_wrong=cause)


def test_a_known_mistake_of_one_tuple_element_is_named() -> None:
    want = (np.zeros(2), np.ones(2))
    got = (np.zeros(2), np.array([2.0, 3.0]))
    assert "Likely cause: c" in said(got, want, known_wrong={"c": (..., [2, 3])})
    assert "Likely cause: c" in said(got, want, known_wrong={"c": [2, 3]})
    assert "Likely" not in said(got, want, known_wrong={"c": ([1, 1], [2, 3])})


def test_known_mistakes_may_hold_nan_and_text() -> None:
    assert "Likely cause: c" in said(np.array([np.nan]), np.ones(1), known_wrong={"c": [np.nan]})
    assert "Likely cause: c" in said("ab", "ba", known_wrong={"c": "ab"})
