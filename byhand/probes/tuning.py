"""Every property that the parts of fine-tuning must have (lesson 08), and the small models to try them on.

    model = make_model({"up": ("Linear", 3, 4), "norm": ("LayerNorm", 4)})
    probe_tuning.freezes(freeze, make_model)

A model that an answer changes must live where the answer does, so tests ask the notebook's `make_model`
for it and build a twin of their own. Order: models, freeze.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from byhand import blocks, check

Plan = Any  # nested dicts, lists and tuples of plain values: see make_model
Make = Callable[[Plan], Any]

BLOCK = {"up": ("Linear", 4, 6), "down": ("Linear", 6, 4)}
STACK = {
    "embedding": ("Embedding", 5, 4),
    "blocks": ("List", [BLOCK, BLOCK]),
    "norm": ("LayerNorm", 4),
    "head": ("Linear", 4, 5),
}  # what the visible checks try; 169 numbers


# Models


class _Chain(nn.Module):
    """Its parts in order, the elements of lists one after the other; parameters of its own are added."""

    def forward(self, x: Tensor) -> Tensor:
        for part in self.children():
            for one in part if isinstance(part, nn.ModuleList) else [part]:
                x = one(x)
        return x


def make_model(plan: Plan) -> nn.Module:
    """A model by plan: ("Linear", 3, 4), ("List", [plan, …]), ("Sequential", [plan, …]), {name: plan}.

    Other layers of torch.nn likewise; a dict as last entry holds options. ("Parameter", 2, 3) is a
    parameter of the dict it stands in, "=path" what that path already holds, "encoder" lesson 06's encoder.
    """
    if plan == "encoder":
        return blocks.TransformerEncoder(11, 8, 2, 12, 2, 6)
    if not isinstance(plan, dict):
        return _layer(plan)
    model = _Chain()
    _fill(model, model, plan)
    return model


def _layer(plan: Plan) -> nn.Module:
    kind, *arguments = plan
    if kind in ("List", "Sequential"):
        parts = [make_model(part) for part in arguments[0]]
        return nn.ModuleList(parts) if kind == "List" else nn.Sequential(*parts)
    options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
    made: nn.Module = getattr(nn, str(kind))(*arguments, **options)
    return made


def _fill(root: nn.Module, home: nn.Module, plan: dict[str, Plan]) -> None:
    for name, part in plan.items():
        if isinstance(part, str) and part.startswith("="):
            path, _, last = part[1:].rpartition(".")
            setattr(home, name, getattr(root.get_submodule(path), last))
        elif isinstance(part, tuple) and part[0] == "Parameter":
            setattr(home, name, nn.Parameter(torch.randn(part[1:])))
        elif isinstance(part, dict):
            inner = _Chain()
            setattr(home, name, inner)
            _fill(root, inner, part)
        else:
            setattr(home, name, make_model(part))


def pair(make: Make, plan: Plan) -> tuple[Any, nn.Module]:
    """A model of the notebook's and a twin here, with the same random numbers."""
    mine = make_model(plan)
    rng = check.generator()
    with torch.no_grad():
        for part in mine.parameters():
            part.copy_(torch.randn(part.shape, generator=rng, dtype=torch.float64))
    model = make(plan)
    model.load_state_dict(dict(mine.state_dict()))
    return model, mine


def training(model: Any) -> dict[str, bool]:
    """Which parameters are trained, by every name that they have."""
    return {name: part.requires_grad for name, part in model.named_parameters(remove_duplicate=False)}


def _same_state(call: str, model: Any, before: dict[str, Tensor], say: str) -> None:
    after = dict(model.state_dict())
    same = list(after) == list(before) and all(torch.equal(after[name], before[name]) for name in before)
    check.true(call, same, say)


# freeze

TOO_EARLY = "it raises, but has frozen parts before: look for every pattern first."
SHARED = {"embedding": ("Embedding", 5, 4), "body": BLOCK, "head": {"weight": "=embedding.weight"}}


def freezes(function: Callable[..., Any], make: Make) -> None:
    """freeze(model, patterns), against fnmatchcase on every name of every parameter."""
    cases: list[tuple[Plan, Sequence[str], str]] = [
        (STACK, [], ""),
        (STACK, ["*"], ""),
        (STACK, ["*.bias"], ""),
        (STACK, ["blocks.?.up.weight", "norm.*"], ""),
        (STACK, ("blocks.[!0].*", "head.bias", "head.*"), ""),
        (STACK, ["*norm*", "*.down.*"], "blocks.0"),
        (STACK, ["blocks.0.up.weight"], "head"),
        (STACK, ["head.*", "norm.weight"], "head"),
        (SHARED, ["embedding.*"], ""),
        (SHARED, ["head.weight"], ""),
        (SHARED, ["body.*"], ""),
        ({"Up": ("Linear", 2, 3), "up": ("Linear", 3, 2)}, ["up.*"], ""),
        ({"own": ("Parameter", 2, 3), "up": ("Linear", 2, 3)}, ["own"], ""),
        ("encoder", ["*.attention.*", "positions.weight"], ""),
    ]
    for plan, patterns, frozen in cases:
        model, mine = pair(make, plan)
        for one in (model, mine) if frozen else ():
            one.get_submodule(frozen).requires_grad_(False)
        want, call = training(mine), told("freeze", plan, patterns)
        twins = _names_of_each(mine)
        for names in twins:
            if any(fnmatchcase(name, pattern) for name in names for pattern in patterns):
                want |= dict.fromkeys(names, False)
        before = {name: part.clone() for name, part in mine.state_dict().items()}
        why = (
            "each pattern matches a whole name, frozen or not, by the shell's rules: * stands for dots, too."
        )
        got = welcome(call, partial(function, model, patterns), why)
        flags(call, training(model), want, patterns, frozen)
        left = sum(mine.get_parameter(names[0]).numel() for names in twins if want[names[0]])
        every = sum(
            part.numel() for name, part in mine.named_parameters(remove_duplicate=False) if want[name]
        )
        wrong = {"a parameter with two names was counted twice.": every} if every != left else {}
        check.values(call, got, left, known_wrong=wrong)
        _same_state(call, model, before, "the numbers of the model changed; only stop their training.")
    _refused(function, make)


def welcome(call: str, run: Callable[[], Any], why: str, error: type[Exception] = ValueError) -> Any:
    """run(), to which no such error is due. What a learner's error says, a hidden check may not show."""
    try:
        return run()
    except error:
        return check.true(call, False, f"no {error.__name__} is due: {why}")


def told(name: str, plan: Plan, *arguments: Any) -> str:
    """A call as a learner can repeat it."""
    known = "probe_tuning.STACK" if plan is STACK else "probe_tuning.SHARED" if plan is SHARED else repr(plan)
    return f"{name}({', '.join([f'make_model({known})', *map(repr, arguments)])})"


def _names_of_each(model: nn.Module) -> list[list[str]]:
    found: dict[int, list[str]] = {}
    for name, part in model.named_parameters(remove_duplicate=False):
        found.setdefault(id(part), []).append(name)
    return list(found.values())


def flags(
    call: str, got: dict[str, bool], want: dict[str, bool], patterns: Sequence[str], frozen: str
) -> None:
    for name, trains in want.items():
        if got.get(name) is trains:
            continue
        why = f"{name} matches {list(patterns)} and must stop training."
        if trains:
            why = f"{name} matches nothing and must go on training."
        elif frozen and name.startswith(f"{frozen}."):
            why = f"{name} was frozen before and does not match: it is left as it is, frozen."
        elif not any(fnmatchcase(name, pattern) for pattern in patterns):
            why = f"{name} is another name of a parameter that matches, and must stop training."
        check.true(call, False, why)


def _refused(function: Callable[..., Any], make: Make) -> None:
    """A pattern without a match: an error that names it, and nothing has changed."""
    cases = [
        (["head.*", "haed.*"], "haed.*"),
        (["HEAD.*"], "HEAD.*"),
        (["blocks"], "blocks"),
        (["weight", "*"], "weight"),
        (["norm.*", "blocks.2.*", "head.*"], "blocks.2.*"),
    ]
    buffers = {"norm": ("BatchNorm1d", 3), "up": ("Linear", 3, 2)}  # running_mean is a buffer, no parameter
    for plan, patterns, bad in [(STACK, *case) for case in cases] + [
        (buffers, ["norm.running_*"], "norm.running_*")
    ]:
        model, mine = pair(make, plan)
        call = told("freeze", plan, patterns)
        check.raises(call, lambda: function(model, patterns), mentions=(bad,))  # noqa: B023 - called at once
        check.true(call, training(model) == training(mine), TOO_EARLY)
