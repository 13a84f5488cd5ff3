"""What the functions of lesson 05 share: checks of their arguments, given, and the tests of what they return.

    attends.check_sizes(...)   for use in an answer; at_least and check_mask, too
    attends.as_masked(...)     equal full attention under a mask, gradients included
    attends.refuses_sizes(...) sizes that do not fit raise a ValueError that names them
    attends.in_one_gib(...)    65,536 tokens run in 1 GiB
    and more: extreme scores, masks that do not fit, gradients past -inf, a cache that stays small
The mask comes from the test; nothing here says how to do without one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from byhand import blocks, check

Function = Callable[..., Tensor]
STABLE = "Is the softmax a stable one?"


def check_sizes(q: Tensor, k: Tensor, v: Tensor, aligned: bool = False, same: bool = False) -> None:
    """Raise a ValueError if sizes do not fit. aligned: S >= T is needed. same: S = T is needed."""
    sizes = f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)}"
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"{sizes} do not fit")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"{sizes}: each key needs a value")
    if aligned and k.shape[-2] < q.shape[-2]:
        raise ValueError(f"{sizes}: fewer keys than queries")
    if same and k.shape[-2] != q.shape[-2]:
        raise ValueError(f"{sizes}: as many keys as queries are needed")


def at_least(least: int, **numbers: int) -> None:
    """Raise a ValueError that names the number that is below `least`: at_least(0, window=window)."""
    for name, number in numbers.items():
        if number < least:
            raise ValueError(f"{name} must be at least {least}, got {number}")


def check_mask(mask: Tensor | None, scores: Sequence[int]) -> None:
    """Raise a ValueError if the mask does not broadcast to the shape of the scores."""
    if mask is None:
        return
    ends = zip(tuple(mask.shape)[::-1], tuple(scores)[::-1], strict=False)  # sizes from the last axis on
    if mask.ndim > len(scores) or any(size not in (1, full) for size, full in ends):
        raise ValueError(f"mask {tuple(mask.shape)} does not broadcast to {tuple(scores)}")


def as_masked(
    call: str,
    function: Function,
    mask: Callable[..., Tensor],
    sizes: Sequence[Sequence[Any]],
    *options: Sequence[Any],
) -> None:
    """function(q, k, v, *more) equals full attention under mask(T, S, *more), for random inputs.

    sizes: (leading sizes, T, S, D, Dv, *more). options: each a list of `more`, for which views, scores
    of ±10,000 and gradients are tried, too. call: with the names of all arguments, for messages.
    """

    def slow(q: Tensor, k: Tensor, v: Tensor, *more: Any) -> Tensor:
        return blocks.attention(q, k, v, mask(q.shape[-2], k.shape[-2], *more))[0]

    cases = [((*lead, T, D), (*lead, S, D), (*lead, S, Dv), *more) for lead, T, S, D, Dv, *more in sizes]
    check.agrees(call, function, slow, cases, make=check.randn)
    large = [
        torch.tensor(rows, dtype=torch.float64)[:, None]
        for rows in ([200.0, -200, 200], [50, 49.9921875, -50])
    ]
    for more in options:
        views = [check.randn(2, 5, 3, 4).transpose(1, 2) for _ in "qkv"]
        check.agrees(call, function, slow, [(*views, *more)], note="These inputs are views.")
        given = *large, check.randn(3, 2), *more
        check.agrees(call, function, slow, [given], tolerance=1e-3, note=STABLE)
        leaves = check.randn(4, 2), check.randn(4, 2), check.randn(4, 1)
        check.gradient(_with(call, more), partial(_called, function, more), leaves)


def _called(function: Function, more: Sequence[Any], q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return function(q, k, v, *more)


def _with(call: str, more: Sequence[Any]) -> str:
    """The call, with the options' values in place of their names."""
    return f"{call.split('(')[0]}({', '.join(['q', 'k', 'v', *map(repr, more)])})"


def refuses_sizes(name: str, function: Function, *more: Any, aligned: bool = False) -> None:
    """Sizes of q, k and v that do not fit raise. aligned: fewer keys than queries, too."""
    cases: list[tuple[Any, ...]] = [
        ("35", (2, 3), (4, 5), (4, 6)),
        ("31", (2, 3), (4, 1), (4, 6)),
        ("45", (2, 3), (4, 3), (5, 6)),
    ]
    cases += [("41", (2, 3), (4, 3), (1, 6)), ("21", (2, 4, 3), (1, 4, 3), (1, 4, 6))]
    if aligned:
        cases.append(("54", (5, 3), (4, 3), (4, 6)))
    cases = [(*case, *more) for case in cases]
    check.refuses(name, function, cases, mentions=[("q", "k", "v")], make=torch.ones)


def in_one_gib(name: str, function: Function, *more: Any, shape: Sequence[int] = (1, 1, 65536, 16)) -> Any:
    """function runs on float32 inputs of this shape in 1 GiB. Returns (call, q, k, v, output)."""
    q, k, v = (check.randn(*shape, dtype=torch.float32) for _ in range(3))
    call = f"{_with(name, more)}, q, k, v = torch.randn(3, {', '.join(map(str, shape))}),"
    found: list[Any] = []
    check.cost(call, lambda: found.append(function(q, k, v, *more)), max_bytes=2**30)
    check.shape(call, found[0], shape)
    return call, q, k, v, found[0]


def extreme_scores(call: str, function: Function, *options: Sequence[Any]) -> None:
    """Scores up to ±10,000, rising, falling and equal. options: what follows q, k, v, of each case."""
    rows = {"rising": [-1e4, -1e3, 0, 1e3, 9999, 1e4], "falling": [1e4, 9999, 1e3, 0, -1e3, -1e4]}
    rows |= {"all -10000": [-1e4] * 6, "all 10000": [1e4] * 6, "a peak first": [1e4, 0, 0, 0, 0, 0]}
    q, along = torch.tensor([[2.0, 0, 0, 0]], dtype=torch.float64), torch.eye(4, dtype=torch.float64)[0]

    def slow(q: Tensor, k: Tensor, v: Tensor, *more: Any) -> Tensor:
        return blocks.attention(q, k, v)[0]

    for name, row in rows.items():
        note = f"The scores are {name}. Sums must shrink whenever a block brings a larger score."
        cases = [(q, torch.tensor(row)[:, None] * along, (6, 3), *more) for more in options]
        for dtype, tolerance in (("float64", 1e-9), ("float32", 1e-3)):
            rules: dict[str, Any] = {"dtypes": [dtype], "tolerance": tolerance, "note": note}
            check.agrees(call, function, slow, cases, make=check.randn, **rules)


def refuses_masks(name: str, function: Function, *more: Any) -> None:
    """A mask that does not broadcast to (…, T, S) raises a ValueError that names it and the sizes."""
    for T, shape, numbers in [(2, (2, 7), "74"), (2, (3, 4), "32"), (1, (2, 4), "21")]:
        q, k, v = torch.ones(T, 3), torch.ones(4, 3), torch.ones(4, 6)
        call = f"{name}(q, k, v, …, mask) with q {(T, 3)}, k (4, 3), v (4, 6) and mask {shape}"
        mask = torch.ones(shape, dtype=torch.bool)
        check.raises(call, partial(function, q, k, v, *more, mask), mentions=["mask", *numbers])


def reached(call: str, function: Callable[..., Tensor], **inputs: Tensor) -> None:
    """A finite gradient arrives at every input, by its name."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in inputs.values()]
    say = "it is infinite or not a number. Where a nan would come, change what goes in: "
    say += "nan_to_num mends what comes out, not its gradient."
    output = function(*leaves)
    (output * check.randn(*output.shape)).sum().backward()
    for name, leaf in zip(inputs, leaves, strict=True):
        what, found = f"the gradient of {name} in {call}", leaf.grad
        check.true(what, found is not None, "it is missing: something on the way is detached.")
        check.true(what, found is not None and bool(found.isfinite().all()), say)


def append_twice(make: Callable[[int], Any], x: Tensor) -> Any:
    """What the second of two appends returns. Runs where the answer runs: gradients through what a cache
    keeps from call to call do not cross to another process.
    """
    cache = make(3)
    cache.append(x[:2], 2 * x[:2])
    return cache.append(x[2:], 2 * x[2:])


def stays_small(make: Callable[[int], Any]) -> None:
    """Eight caches of 2 positions, each after 33 MiB of keys, need 180 MiB together at most; one of 1
    position, after sixteen of 33 MiB one after the other, 400 MiB: each crosses to another process and back.

    Tensors of 33 MiB are so large that freed memory goes back at once: nothing earlier hides what is kept.
    """
    k, v = torch.zeros(2**17, 66), torch.zeros(2**17, 1)
    caches = [make(2) for _ in range(8)]
    say = "together they need more than 180 MiB. Keep a copy of the end, not a view of a longer tensor."
    call = "each.append(k, v), k (131072, 66) float32, in 8 RollingCache(2)"
    _small(call, lambda: [each.append(k.clone(), v) and None for each in caches], 180, say)
    one, long, v = make(1), k.view(1, -1), torch.zeros(1, 1)
    say = "it needs more than 400 MiB. Forget what was kept before, results of earlier calls too."
    call = "16 times cache.append(k, v), k (1, 8650752) float32, RollingCache(1)"
    _small(call, lambda: [one.append(long, v) and None for _ in range(16)], 400, say)


def _small(call: str, function: Callable[[], Any], mebibytes: int, say: str) -> None:
    try:
        check.cost("", function, max_bytes=mebibytes << 20)
        small = True
    except (check.CheckFailed, MemoryError, RuntimeError):
        small = False
    check.true(call, small, say)
