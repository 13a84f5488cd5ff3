"""Every property that layerwise_rates, EarlyStopping and forgetting must have (lesson 08).

    probe_rates.rates(layerwise_rates, make_model, step_once)

Order: rates by layer and what one step with them does, early stopping, forgetting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from byhand import check
from byhand.probes.tuning import BLOCK, STACK, Make, Plan, told, welcome

# layerwise_rates

SHARED = {
    "embedding": ("Embedding", 3, 4),
    "dropout": ("Dropout",),
    "body": ("Sequential", [("Linear", 4, 4), ("ReLU",), ("Linear", 4, 4)]),
    "head": {"weight": "=embedding.weight", "last": ("Linear", 4, 2)},
}
OWN = {"first": ("Linear", 2, 3), "mark": ("Parameter", 2), "rest": ("List", [BLOCK, ("LayerNorm", 4)])}


def step_once(rates: Callable[..., Any], model: nn.Module, base_rate: float, decay: float) -> None:
    """One step of gradient descent with these groups, where every gradient is 1: shows each one's rate."""
    groups = rates(model, base_rate, decay)
    for part in model.parameters():
        part.grad = torch.ones_like(part) if part.requires_grad else None
    torch.optim.SGD(groups, lr=0.0).step()


def rates(function: Callable[..., Any], make: Make, step: Callable[..., Any]) -> None:
    """The groups themselves, and which parameter moves at which rate."""
    plans: list[tuple[Plan, list[list[str]], Sequence[str]]] = [
        (STACK, [["embedding"], ["blocks.0"], ["blocks.1"], ["norm"], ["head"]], []),
        (STACK, [["embedding"], ["blocks.0"], ["blocks.1"], ["norm"], ["head"]], ["blocks.0", "norm"]),
        (STACK, [["embedding"], ["blocks.0"], ["blocks.1"], ["norm"], ["head"]], ["head"]),
        (STACK, [["embedding"], ["blocks.0"], ["blocks.1"], ["norm"], ["head"]], ["blocks.1.up"]),
        (SHARED, [["embedding", "head.weight"], ["body.0"], ["body.2"], ["head.last"]], []),
        (OWN, [["mark", "first"], ["rest.0"], ["rest.1"]], []),
        (OWN, [["mark", "first"], ["rest.0"], ["rest.1"]], ["first"]),
        (("Sequential", [("Linear", 2, 3), ("ReLU",), ("Linear", 3, 2)]), [["0"], ["2"]], []),
        ({"only": ("Linear", 2, 2)}, [["only"]], []),
        ("encoder", [["embedding"], ["positions"], ["blocks.0"], ["blocks.1"], ["norm"]], []),
    ]
    for plan, layers, frozen in plans:
        for base_rate, decay in ((0.25, 0.5), (1e-3, 0.9), (0.5, 1.0)):
            model, found = numbered(make, plan, frozen)
            call = told("layerwise_rates", plan, base_rate, decay)
            call += f", {', '.join(frozen)} frozen" if frozen else ""
            wanted = [(base_rate * decay ** (len(layers) - 1 - place), _of(layer, found))
                      for place, layer in enumerate(layers)]  # fmt: skip
            groups = function(model, base_rate, decay)
            grouped(call, groups, [(rate, names) for rate, names in wanted if names], found)
            before = {name: part.clone() for name, part in model.state_dict().items()}
            step(function, model, base_rate, decay)
            after = dict(model.state_dict())
            for rate, names in wanted:
                for name in names:
                    moved = float((before[name] - after[name]).double().mean())
                    say = f"{name} moved by {moved:.4g} where its rate is {rate:.4g}."
                    near = math.isclose(moved, rate, rel_tol=1e-2, abs_tol=1e-5)
                    check.true(f"a step of size 1 with {call}", near, say)


def numbered(make: Make, plan: Plan, frozen: Sequence[str]) -> tuple[Any, dict[float, str]]:
    """A model whose parameters hold 1, 2, 3, … all over, and the name of each number that is trained."""
    model = make(plan)
    shapes = {name: tuple(part.shape) for name, part in model.named_parameters()}
    model.load_state_dict(
        {name: torch.full(shape, float(number)) for number, (name, shape) in enumerate(shapes.items(), 1)},
        strict=False,
    )
    for name in frozen:
        model.get_submodule(name).requires_grad_(False)
    parts = model.named_parameters()
    return model, {float(n): name for n, (name, part) in enumerate(parts, 1) if part.requires_grad}


def _of(layer: list[str], found: dict[float, str]) -> list[str]:
    return [name for name in found.values() if any(f"{name}.".startswith(f"{part}.") for part in layer)]


def grouped(
    call: str,
    groups: Any,
    want: list[tuple[float, list[str]]],
    found: dict[float, str],
    known_wrong: dict[str, Any] | None = None,
) -> None:
    """The groups hold these parameters at these rates, in this order."""
    kind = check.host.type_name(groups)
    check.true(call, isinstance(groups, list | tuple), f"it returned a {kind}; groups come as a list.")
    for number, group in enumerate(groups):
        keys = isinstance(group, dict) and {"params", "lr"} <= set(group)
        check.true(call, keys, f"group {number} must be a dictionary with 'params' and 'lr'.")
    got, rates = [float(group["lr"]) for group in groups], [rate for rate, _ in want]
    check.values(f"the rates of {call}", got, rates, known_wrong=known_wrong, tolerance=1e-6)
    seen: set[str] = set()
    for number, (group, (_, names)) in enumerate(zip(groups, want, strict=True)):
        parts = list(group["params"])
        say = f"group {number} holds something that is no parameter of the model."
        known = all(isinstance(part, nn.Parameter) for part in parts)
        check.true(call, known, say)
        held = [found.get(float(part.detach().flatten()[0]), "a frozen parameter") for part in parts]
        twice = [name for name in held if name in seen or held.count(name) > 1]
        check.true(call, not twice, f"{twice and twice[0]} is there twice.")
        seen |= set(held)
        check.values(f"what group {number} of {call} holds", sorted(held), sorted(names))


# EarlyStopping

CURVES: list[tuple[int, float, list[float], list[bool]]] = [
    (1, 0.0, [2, 1, 1, 0.5], [False, False, True, True]),
    (2, 0.0, [3, 2, 2.5, 1.5, 1.75, 1.5, 0.5], [False] * 5 + [True, True]),
    (3, 0.0, [1, 2, 3, 0.5, 4, 5, 6, 0.25, 7], [False] * 6 + [True] * 3),
    (2, 0.25, [1, 0.875, 0.75, 0.5], [False, False, True, True]),
    (3, 0.25, [1, 0.875, 0.625, 0.5, 0.375, 0.375], [False] * 5 + [True]),
    (4, 0.5, [0, -1, -1.25, -1.5, -1.75, -1.75], [False] * 6),
    (2, 0.0, [math.inf, 1, 5, 5], [False, False, False, True]),
    (2, 0.0, [5, 4, 3, 2, 1], [False] * 5),
    (2, 0.0, [4e12, 3e12, 5e12, 2e12], [False] * 4),
]


def stops(make: Callable[..., Any]) -> None:
    """EarlyStopping(patience, min_delta).update(loss), along curves, for floats and 0-d tensors."""
    for patience, min_delta, losses, want in CURVES:
        for kind in (float, torch.tensor):
            stopper = make(patience, min_delta) if min_delta else make(patience)
            told = f"patience {patience}, min_delta {min_delta}, {kind.__name__} losses {losses}"
            got = [stopper.update(kind(float(loss))) for loss in losses]
            check.values(f"update for {told}", got, want)
    for min_delta, losses, best in [(0.0, [2.0, 3, 1.5, 1.5, 4], 1.5), (0.5, [2.0, 1.75, 1.5, 1.25], 1.25),
                                    (0.5, [1.0, 0.75, 0.5], 1.0)]:  # fmt: skip
        stopper = make(9, min_delta)
        for loss in losses:
            stopper.update(loss)
        note = "Only an improvement, loss < best - min_delta, moves `best`."
        check.values(f"best after {losses}, min_delta {min_delta}", stopper.best, best, note=note)
    losses_of_nan: list[Any] = [math.nan, torch.tensor(math.nan)]
    for nan in losses_of_nan:
        stopper, told = make(5), "EarlyStopping(5), losses 1.0 and nan"
        stopper.update(1.0)
        last = f"{told}: the last update"
        why = "NaN ends the training."
        check.values(last, welcome(last, partial(stopper.update, nan), why), True)
        check.values(f"{told}: best", stopper.best, 1.0)
    check.values("EarlyStopping(3).update(nan), at once", make(3).update(math.nan), True)
    rng = check.rng()
    for _ in range(4):
        patience, min_delta = int(rng.integers(1, 5)), float(rng.integers(0, 3)) / 8
        losses = [float(number) / 8 for number in rng.integers(0, 40, size=14)]
        stopper, got = make(patience, min_delta), []
        for loss in losses:
            got.append(stopper.update(loss))
        told = f"update for patience {patience}, min_delta {min_delta}, losses {losses}"
        check.values(told, got, _plainly(patience, min_delta, losses))
    for patience in (0, -3):
        call = f"EarlyStopping({patience})"
        check.raises(call, lambda: make(patience), mentions=("patience", str(patience)))  # noqa: B023


def _plainly(patience: int, min_delta: float, losses: Sequence[float]) -> list[bool]:
    """By the rule: look back over the last `patience` updates, each time anew."""
    better, best = [], math.inf
    for loss in losses:
        better.append(loss < best - min_delta)
        best = loss if better[-1] else best
    found, over = [], False
    for place in range(1, len(losses) + 1):
        over = over or (place >= patience and not any(better[place - patience : place]))
        found.append(over)
    return found


# forgetting


def forgets(function: Callable[..., Any]) -> None:
    """forgetting(before, after): differences in before's order, gains negative, names that must agree."""
    cases: list[tuple[dict[str, float], dict[str, float]]] = [
        ({"b": 3.0, "a": 1.0}, {"a": 0.25, "b": 5.0}),
        ({}, {}),
        ({"only": 7}, {"only": 9}),
        ({"z": 0.5, "m": -2.0, "a": 100.0}, {"m": -1.0, "a": 0.0, "z": 0.5}),
    ]
    rng = check.rng()
    for n in (2, 3, 5):
        names = [f"text {number}" for number in rng.permutation(9)[:n]]
        marks = [[float(mark) / 8 for mark in rng.integers(0, 800, size=n)] for _ in range(2)]
        after = dict(zip(reversed(names), marks[1], strict=True))
        cases.append((dict(zip(names, marks[0], strict=True)), after))
    for before, after in cases:
        call = f"forgetting({before}, {after})"
        want = {name: before[name] - after[name] for name in before}
        check.kept(call, function, before, after)
        got = function(before, after)
        check.values(call, got, want)
        check.values(f"the order of the names in {call}", list(got), list(want))
    refused: list[tuple[dict[str, float], dict[str, float], list[str]]] = [
        ({"a": 1.0, "general": 1.0}, {"a": 1.0}, ["general"]),
        ({"a": 1.0}, {"a": 1.0, "domain": 2.0}, ["domain"]),
        ({"old": 1.0, "a": 1.0}, {"a": 1.0, "new": 2.0}, ["old", "new"]),
        ({"x1": 1.0, "x2": 1.0}, {}, ["x1", "x2"]),
        ({}, {"y1": 1.0, "y2": 2.0}, ["y1", "y2"]),
    ]
    for before, after, names in refused:
        call = f"forgetting({before}, {after})"
        check.raises(call, lambda: function(before, after), mentions=tuple(names))  # noqa: B023
