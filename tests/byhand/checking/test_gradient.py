"""check.gradient and check.backward: cut, missing, nan and wrong gradients are named as such."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from byhand import check
from tests.byhand.checking.message import failure_of

X = torch.tensor([1.0, 2.0, -3.0], dtype=torch.float64)
Y = torch.tensor([[0.5, 1.0, 2.0], [1.5, -1.0, 3.0]], dtype=torch.float64)


def said(function: Callable[..., Any], *inputs: Any, call: str = "f(x, y)", **options: Any) -> str:
    return failure_of(check.gradient, call, function, inputs, **options)


class DoubledGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.exp()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return 2 * grad


class NanGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * torch.tensor([1.0, float("nan"), 1.0])


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: (x * y).exp(),
        lambda x, y: (torch.softmax(x * y, -1), x.sum()),
        lambda x, y: (y @ x).sum(),
        lambda x, y: y * 2,
        lambda x, y: torch.ones(3, dtype=torch.float64),
    ],
)
def test_right_gradients_are_accepted(function: Callable[..., Any]) -> None:
    assert said(function, X, Y) == ""


def test_inputs_that_are_no_floats_are_passed_as_they_are() -> None:
    mask = torch.tensor([True, False, True])

    def function(x: Tensor, mask: Tensor, scale: float, name: str) -> Tensor:
        assert mask.dtype == torch.bool
        assert name == "sum"
        return x.masked_fill(~mask, 0.0) * scale

    assert said(function, X, mask, 2.0, "sum") == ""


def test_a_view_and_a_single_number_can_be_inputs() -> None:
    assert said(lambda x, t: (x * t).sum(), Y.T[::2], torch.tensor(2.0, dtype=torch.float64)) == ""


def test_a_wrong_gradient_is_shown_with_input_entry_and_both_numbers() -> None:
    text = said(lambda x, y: DoubledGradient.apply(x) + y.sum(), torch.zeros(3, dtype=torch.float64), Y)
    lines = text.splitlines()
    assert lines[0] == "f(x, y): the gradient of x: all 3 entries differ, first at index 0."
    got, want = float(lines[1].split()[1]), float(lines[2].split()[1])
    assert got == pytest.approx(2 * want)
    assert lines[3] == "  got is autograd's, want comes from finite differences."


def test_one_detached_result_of_several_is_asked_for() -> None:
    text = said(lambda x, y: (x * y, (2 * x).detach()), X, Y)
    assert text.endswith("Is one of the results detached?")


def test_a_detached_result_is_named() -> None:
    text = said(lambda x, y: (x * y).detach(), X, Y)
    assert text.startswith("f(x, y): no gradient arrives, the result is cut off from its inputs.")
    assert "Likely cause: .detach(), .item(), .numpy()" in text
    assert "no gradient arrives" in said(lambda x: torch.tensor(x.tolist(), dtype=torch.float64) * 2, X)


def test_one_input_without_a_gradient_is_named() -> None:
    assert said(lambda x, y: x.detach() * y, X, Y).startswith("f(x, y): the gradient of x does not arrive.")


def test_one_detached_result_of_two_is_found() -> None:
    assert "the gradient of x" in said(lambda x: (x * 2, (x * 3).detach()), X, call="f(x)")


def test_a_nan_gradient_is_named_with_its_place() -> None:
    text = said(lambda x, y: NanGradient.apply(x), X, Y)
    assert text == "f(x, y): the gradient of x is nan in 1 of 3 entries, first at index 1."


def test_a_result_with_nan_or_infinity_is_named() -> None:
    assert "nan or infinite" in said(lambda x: (x - x) / (x - x), X)
    assert "nan or infinite" in said(lambda x: x / 0, X)


def test_a_result_of_another_dtype_or_type_is_named() -> None:
    assert "has dtype torch.float32, expected torch.float64" in said(lambda x: x.float(), X)
    assert "returned None, not a torch.Tensor" in said(lambda x: None, X)
    assert "returned a list, not a torch.Tensor" in said(lambda x: x.tolist(), X)


def test_a_graph_that_autograd_cannot_follow_is_explained() -> None:
    def in_place(x: Tensor) -> Tensor:
        x *= 2
        return x

    text = said(in_place, X, call="f(x)")
    assert text.startswith("f(x): its gradient cannot be computed.\n  got   RuntimeError:")
    assert X[0] == 1.0


def test_an_error_of_the_answer_itself_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        check.gradient("f(x)", lambda x: 1 / 0, (X,))


def test_float32_inputs_are_the_authors_error() -> None:
    with pytest.raises(TypeError, match="needs float64"):
        check.gradient("f(x)", lambda x: x, (X.float(),))


def test_the_tolerance_can_be_widened() -> None:
    assert said(lambda x: x * 1.0 + 0.1 * DoubledGradient.apply(x * 0), X, tolerance=1.0) == ""


def test_gradients_work_where_they_are_switched_off_and_leave_no_trace() -> None:
    state = torch.random.get_rng_state()
    with torch.no_grad():
        assert said(lambda x: x * x, X) == ""
    assert X.grad is None
    assert not X.requires_grad
    assert torch.equal(state, torch.random.get_rng_state())


# backward


def test_backward_gives_output_and_gradients_as_plain_tensors() -> None:
    output, (first, second) = check.backward(lambda x, y: (x * y).sum(-1), (X, Y))
    assert not output.requires_grad
    assert torch.equal(first, Y.sum(0))
    assert torch.equal(second, X.expand(2, 3))


def test_backward_takes_cotangents_one_for_each_output() -> None:
    _, (grad,) = check.backward(lambda x: x * 2, (X,), torch.tensor([1.0, 0.0, 3.0]))
    assert grad.tolist() == [2.0, 0.0, 6.0]
    _, (grad,) = check.backward(lambda x: (x * 2, "text", x.sum()), (X,), [torch.zeros(3), torch.tensor(5.0)])
    assert grad.tolist() == [5.0, 5.0, 5.0]


def test_backward_says_none_where_nothing_arrives() -> None:
    output, grads = check.backward(lambda x, y, n: x.detach() * n, (X, Y, 3))
    assert torch.equal(output, X * 3)
    assert grads == [None, None, None]


def test_a_judge_can_run_backward_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(check.Host):
        def backward(self, function: Any, inputs: Any, cotangent: Any = None) -> tuple[Any, list[Any]]:
            return None, [torch.full_like(item, np.nan) for item in inputs]

    monkeypatch.setattr(check, "host", Elsewhere())
    assert (
        said(lambda x: x, X, call="f(x)")
        == "f(x): the gradient of x is nan in 3 of 3 entries, first at index 0."
    )
