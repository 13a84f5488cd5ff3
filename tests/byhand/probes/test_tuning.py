"""The checks of lesson 08's freeze, and the models that they build, do what they say."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
import torch
from torch import nn

from byhand import check
from byhand.probes import tuning as probe_tuning
from byhand.probes.tuning import make_model


def freeze(model, patterns, names=lambda named: named, keep=lambda part: part.requires_grad):
    named = names(list(model.named_parameters(remove_duplicate=False)))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, part in named:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            part.requires_grad_(False)
    return sum(part.numel() for part in model.parameters() if keep(part))


def test_a_plan_becomes_a_model_with_these_names_in_this_order():
    plan = {"own": ("Parameter", 2, 3), "list": ("List", [("Linear", 2, 3, {"bias": False})]),
            "deep": {"norm": ("LayerNorm", 3)}, "same": {"weight": "=deep.norm.weight"}}  # fmt: skip
    shapes = {name: tuple(part.shape) for name, part in make_model(plan).named_parameters()}
    assert shapes == {
        "own": (2, 3),
        "list.0.weight": (3, 2),
        "deep.norm.weight": (3,),
        "deep.norm.bias": (3,),
    }
    model = make_model(plan)
    assert model.same.weight is model.deep.norm.weight


def test_a_model_by_plan_runs_its_parts_one_after_the_other():
    model = make_model({"a": ("Linear", 2, 3), "list": ("List", [("ReLU",), ("Linear", 3, 1)])})
    x = torch.ones(4, 2)
    assert torch.equal(model(x), model.list[1](model.a(x).relu()))


def test_both_models_of_a_pair_hold_the_same_numbers():
    model, mine = probe_tuning.pair(make_model, probe_tuning.STACK)
    assert model is not mine
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), mine.parameters(), strict=True))


def test_a_right_freeze_passes():
    probe_tuning.freezes(freeze, make_model)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda model, patterns: freeze(model, patterns, keep=lambda part: True), "the value differs"),
        (lambda model, patterns: freeze(model.requires_grad_(True), patterns), "was frozen before"),
        (lambda model, patterns: freeze(model.requires_grad_(False), patterns), "must go on training"),
        (lambda model, patterns: freeze(nn.ModuleList([model]), patterns and ["0.*"]), "must go on training"),
    ],
    ids=["counts all", "thaws", "freezes all", "any pattern is *"],
)
def test_a_wrong_freeze_is_told_what_is_wrong(wrong, said):
    with pytest.raises(check.CheckFailed, match=said):
        probe_tuning.freezes(wrong, make_model)


def test_a_freeze_that_changes_before_it_complains_is_caught():
    def hasty(model, patterns):
        for pattern in patterns:
            freeze(model, [pattern])
        return freeze(model, patterns)

    with pytest.raises(check.CheckFailed, match="look for every pattern first"):
        probe_tuning.freezes(hasty, make_model)
