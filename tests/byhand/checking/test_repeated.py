"""Checks that exercises repeat: a reference over many inputs, sizes that do not fit, lent names."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from byhand import check


def double(x):
    return 2 * x


def test_agrees_accepts_the_reference_in_every_dtype():
    check.agrees("f(x)", double, lambda x: [2 * one for one in x], [((3,),), (np.ones(2),)])


def test_agrees_names_the_call_its_shapes_and_dtype():
    with pytest.raises(check.CheckFailed, match=r"^f\(x\) with x \(3,\), float64: all 3 entries differ"):
        check.agrees("f(x)", lambda x: 3 * x, double, [((3,),)])


def test_agrees_refuses_another_dtype():
    with pytest.raises(check.CheckFailed, match="dtype float64, expected float32"):
        check.agrees("f(x)", lambda x: x * np.float64(2), double, [((3,),)])


def test_agrees_refuses_an_answer_that_changes_its_input():
    def changing(x):
        x *= 2
        return x

    with pytest.raises(check.CheckFailed, match=r"f\(x\) changes its input in place"):
        check.agrees("f(x)", changing, double, [((3,),)])


def test_an_error_in_agrees_says_for_which_inputs():
    with pytest.raises(ZeroDivisionError) as raised:
        check.agrees("f(x, window)", lambda x, window: x[:: 1 // window], lambda x, window: x, [((3,), 0)])
    assert raised.value.__notes__ == ["The call was f(x, window) with x (3,), window 0, float64."]
    with pytest.raises(ZeroDivisionError) as raised:
        check.agrees("f(x)", lambda x: 1 // 0, lambda x: x, [((3,),)], note="One row.")
    assert raised.value.__notes__ == ["The call was f(x) with x (3,), float64. One row."]


def test_agrees_makes_no_call_after_one_that_is_wrong():
    seen = []
    with pytest.raises(check.CheckFailed):
        check.agrees("f(x)", lambda x: seen.append(x) or 3 * x, double, [((2,),)] * 4)
    assert len(seen) == 1


def test_agrees_works_on_tensors_and_passes_other_arguments_as_they_are():
    function = lambda x, power: x**power  # noqa: E731
    check.agrees("f(x, power)", function, function, [((2, 3), 2)], make=check.randn)


def test_agrees_compares_every_part_of_a_tuple():
    pair = lambda x: (x, 2 * x)  # noqa: E731
    check.agrees("f(x)", pair, pair, [((2,),)])
    with pytest.raises(check.CheckFailed, match=r"\[1\]"):
        check.agrees("f(x)", lambda x: (x, x), pair, [((2,),)])


def test_random_inputs_differ_from_call_to_call_and_repeat_with_the_seed(monkeypatch):
    monkeypatch.setenv("BYHAND_SEED", "7")
    drawn = []
    for _ in range(2):
        with check.exercise("f"):
            drawn.append((check.normal(3).tolist(), check.normal(3).tolist(), check.randn(2).tolist()))
    assert drawn[0] == drawn[1]
    assert drawn[0][0] != drawn[0][1]


def add(x, y):
    if x.shape != y.shape:
        raise ValueError(f"x {x.shape} and y {y.shape}")
    return x + y


def test_refuses_accepts_an_answer_that_names_argument_and_sizes():
    check.refuses("add", add, [("32", (3,), (2,)), ((1,), (4,))], mentions=["x"])


def test_refuses_says_which_call_was_not_refused():
    with pytest.raises(check.CheckFailed, match=r"add\(np.ones\(3\), np.ones\(\(1, 3\)\)\) must raise"):
        check.refuses("add", np.add, [((3,), (1, 3))])


def test_refuses_wants_the_sizes_in_the_message():
    with pytest.raises(check.CheckFailed, match="does not say enough"):
        check.refuses("add", add, [("97", (3,), (2,))])


def test_learns_compares_gradients_of_inputs_and_parameters():
    layer = torch.nn.Linear(2, 1)
    x, cotangent = check.randn(3, 2).float(), torch.ones(3, 1)
    want = {
        "x": layer.weight.detach().expand(3, 2),
        "weight": x.sum(0, keepdim=True),
        "bias": torch.full((1,), 3.0),
    }
    check.learns("layer(x)", layer, layer, {"x": x}, cotangent, want)
    with pytest.raises(check.CheckFailed, match="the gradient of bias in layer"):
        check.learns("layer(x)", layer, layer, {"x": x}, cotangent, {"bias": torch.zeros(1)})
    with pytest.raises(check.CheckFailed, match="cut off from its gradient"):
        check.learns("layer(x)", layer, lambda x: layer(x).detach(), {"x": x}, cotangent, want)


def test_agrees_can_try_later_dtypes_at_the_ends_only() -> None:
    seen = []

    def double(x):
        seen.append((len(x), str(x.dtype)))
        return 2 * x

    check.agrees("double(x)", double, lambda x: x + x, [((1,),), ((2,),), ((3,),)], every=False)
    assert seen == [(1, "float64"), (1, "float32"), (2, "float64"), (3, "float64"), (3, "float32")]
