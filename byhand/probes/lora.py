"""Every property that a low-rank correction must have, alone and inside a model (lesson 08).

    probe_lora.corrects(LoRALinear, make_model)
    probe_lora.injects(inject_lora, make_model)

Order: one layer, what merging gives, putting it into a model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from byhand import check, lora
from byhand.probes.tuning import STACK, Make, pair, told, training, welcome

TURNED = "x may be a transposed view, whose axes reshape joins and view cannot."

# LoRALinear


def corrects(make_lora: Callable[..., Any], make: Make) -> None:
    """make_lora(linear, rank, alpha) adds alpha / rank · x Aᵀ Bᵀ to what the frozen layer gives."""
    rng = check.generator()
    cases: list[tuple[int, int, int, float, dict[str, Any], tuple[int, ...]]] = [
        (3, 4, 2, 6.0, {"dtype": torch.float64}, (5, 3)),
        (5, 2, 1, 2, {"dtype": torch.float64, "bias": False}, (2, 3, 5)),
        (1, 3, 4, 0.5, {"dtype": torch.float64}, (1,)),
        (4, 4, 3, 1.0, {}, (2, 4)),
        (6, 3, 2, 16, {"bias": False}, (2, 1, 3, 6)),
        (4, 3, 2, 3.0, {"dtype": torch.bfloat16}, (3, 4)),
    ]
    for columns, rows, rank, alpha, options, shape in cases:
        plan = ("Linear", columns, rows, options) if options else ("Linear", columns, rows)
        linear, mine = pair(make, plan)
        call = f"LoRALinear(make_model({plan}), {rank}, {alpha})"
        layer = make_lora(linear, rank, alpha)
        dtype = options.get("dtype", torch.float32)
        x = torch.randn(shape, generator=rng, dtype=torch.float64).to(dtype)
        starts(call, layer, mine, rank, x)
        _follows(call, layer, linear, alpha / rank, x, rng)
    _elsewhere(make_lora, make)
    for rank in (0, -2):
        linear = make(("Linear", 3, 4))
        call = f"LoRALinear(make_model(('Linear', 3, 4)), {rank}, 1.0)"
        check.raises(call, lambda: make_lora(linear, rank, 1.0), mentions=("rank", str(rank)))  # noqa: B023


def starts(call: str, layer: Any, mine: Any, rank: int, x: Tensor) -> None:
    """Its parameters, which of them train, and that at the start it gives what the layer gave."""
    rows, columns = mine.weight.shape
    want = {f"base.{name}": tuple(part.shape) for name, part in mine.named_parameters()}
    want |= {"lora_a": (rank, columns), "lora_b": (rows, rank)}
    parts = dict(layer.named_parameters())
    for name in ("lora_a", "lora_b"):
        say = f"{name} is a plain tensor, which nothing trains; make it an nn.Parameter."
        check.true(call, name in parts or not isinstance(getattr(layer, name, None), Tensor), say)
    got = {name: tuple(part.shape) for name, part in parts.items()}
    check.values(f"named_parameters() of {call}", dict(sorted(got.items())), dict(sorted(want.items())))
    for name, part in parts.items():
        trains = name in ("lora_a", "lora_b")
        say = f"{name} must {'be trained' if trains else 'be frozen'}: requires_grad is {part.requires_grad}."
        check.true(call, part.requires_grad is trains, say)
        say = f"{name} is {part.dtype}; it takes the dtype of the layer, {mine.weight.dtype}."
        check.true(call, part.dtype == mine.weight.dtype, say)
    check.true(call, not bool(parts["lora_b"].any()), "lora_b begins with zeros: nothing changes yet.")
    a = parts["lora_a"].detach().double()
    say = "lora_a begins with random numbers: at zeros, or all alike, it could not learn."
    check.true(call, bool(a.any()) and (a.numel() == 1 or float(a.std()) > 0), say)
    for name, part in mine.named_parameters():
        say = f"base.{name} is not the layer's; `base` is that very layer."
        check.true(call, torch.equal(parts[f"base.{name}"], part), say)
    check.values(f"{call}(x) at the start, against the layer itself", layer(x), mine(x).detach())


def _follows(call: str, layer: Any, linear: Any, scale: float, x: Tensor, rng: torch.Generator) -> None:
    """With any numbers: the output, its gradients, and the merged layer."""
    state = {
        name: torch.randn(tuple(part.shape), generator=rng, dtype=torch.float64).to(x.dtype)
        for name, part in layer.named_parameters()
    }
    layer.load_state_dict(state, strict=False)
    say = "`base` must be that very layer, not a copy: loading numbers into one did not change the other."
    check.true(call, torch.equal(dict(linear.state_dict())["weight"], state["base.weight"]), say)
    exact = {name: part.double() for name, part in state.items()}
    leaves = {name: exact[name].requires_grad_() for name in ("lora_a", "lora_b")}
    leaves["x"] = x.double().clone().requires_grad_()
    base = nn.functional.linear(leaves["x"], exact["base.weight"], exact.get("base.bias"))
    want = base + scale * (leaves["x"] @ leaves["lora_a"].T) @ leaves["lora_b"].T
    if x.dtype == torch.float64:
        plain, added = base.detach(), (want - base).detach()
        rank = len(leaves["lora_a"])
        wrong = {
            "the correction was not added.": plain,
            "the base layer's own result is missing.": added,
            "the correction is not scaled by alpha / rank.": plain + added / scale,
            "the correction is scaled by alpha; divide by rank, too.": plain + added * rank,
            "the correction is scaled by rank / alpha; it is alpha / rank.": plain + added / scale**2,
        }
        check.values(f"{call}(x)", layer(x), want.detach(), known_wrong=wrong)
        slopes = torch.autograd.grad(torch.cos(want).sum(), list(leaves.values()))
        _gradients(call, layer, x, dict(zip(leaves, slopes, strict=True)))
    check.values(f"{call}(x)", layer(x), want.detach().to(x.dtype))
    check.kept(f"{call}(x)", layer, x)
    turned = torch.stack([x, x], dim=-1).mT  # (…, 2, in), not contiguous
    told = f"{call}(torch.stack([x, x], dim=-1).mT)"
    got = welcome(told, partial(layer, turned), TURNED, RuntimeError)
    check.values(told, got, torch.stack([want, want], dim=-2).detach().to(x.dtype))
    for share in (1, 2):  # a second merge, after more training, has the newer corrections
        state["lora_b"] = share * state["lora_b"]
        layer.load_state_dict(state, strict=False)
        merges(call, layer, x, state, scale)


def _gradients(call: str, layer: Any, x: Tensor, want: dict[str, Tensor]) -> None:
    leaf = x.clone().requires_grad_()
    layer.zero_grad()
    torch.cos(layer(leaf)).sum().backward()  # type: ignore[no-untyped-call]
    slopes = {name: part.grad for name, part in layer.named_parameters()} | {"x": leaf.grad}
    for name, slope in slopes.items():
        told = f"the gradient of {name} in {call}(x)"
        if name in want:
            check.true(told, slope is not None, "none arrives; was the result detached?")
            check.values(told, slope, want[name])
        else:
            check.true(told, slope is None, "the frozen layer must get none.")


def merges(call: str, layer: Any, x: Tensor, state: dict[str, Tensor], scale: float) -> None:
    """merge() gives an nn.Linear with the same results, which shares nothing with the layer."""
    merged, call = layer.merge(), f"{call}.merge()"
    kind = check.host.type_name(merged)
    say = f"it is a {kind}; merge gives a new nn.Linear."
    check.true(call, kind.rpartition(".")[2] == "Linear", say)
    parts = dict(merged.state_dict())
    weight = state["base.weight"].double()
    weight = weight + scale * state["lora_b"].double() @ state["lora_a"].double()
    want = {"weight": weight} | ({"bias": state["base.bias"]} if "base.bias" in state else {})
    check.values(f"the names in {call}", sorted(parts), sorted(want))
    after = dict(layer.state_dict())
    say = "merging changed the layer itself; the sum belongs into a new layer."
    check.true(call, all(torch.equal(after[name], part.detach()) for name, part in state.items()), say)
    base, added = state["base.weight"].double(), weight - state["base.weight"].double()
    wrong = {
        "the correction is not scaled by alpha / rank.": (base + added / scale).detach().to(x.dtype),
        "the correction was not added.": base.detach().to(x.dtype),
        "the base layer's own weight is missing.": added.detach().to(x.dtype),
    }
    note = "The check loaded other numbers into the layer; want is W + alpha / rank · B A of those."
    for name, part in want.items():
        known = wrong if name == "weight" else {}
        check.values(
            f"{name} of {call}", parts[name], part.detach().to(x.dtype), known_wrong=known, note=note
        )
    if x.dtype == torch.float64 or x.dtype == torch.float32:
        mine, theirs = layer(x).detach(), merged(x).detach()
        error = float((mine - theirs).abs().max() / mine.abs().max())
        check.true(f"{call}(x)", error < 1e-6, f"it is off by {error:.1e} of the largest output.")
    before, nothing = merged(x).detach(), {name: 0 * part for name, part in state.items()}
    layer.load_state_dict(nothing, strict=False)
    say = "it shares memory with the layer: other numbers there changed its result."
    check.true(call, torch.equal(merged(x), before), say)


def _elsewhere(make_lora: Callable[..., Any], make: Make) -> None:
    """On another device (here one without memory) everything is made there; two layers differ."""
    plan = ("Linear", 3, 4, {"device": "meta"})
    layer, call = make_lora(make(plan), 2, 4.0), f"LoRALinear(make_model({plan}), 2, 4.0)"
    for name, part in layer.named_parameters():
        where = str(part.device)
        check.true(call, where == "meta", f"{name} is on {where}; it belongs where the layer is, on meta.")
    one, other = (dict(make_lora(make(("Linear", 5, 2)), 3, 1.0).named_parameters()) for _ in range(2))
    say = "lora_a is the same in every new layer; draw it at random."
    check.true("LoRALinear(…)", not torch.equal(one["lora_a"], other["lora_a"]), say)


# inject_lora

FLAT = {"q_proj": ("Linear", 4, 4), "xq_proj": ("Linear", 4, 4), "down": ("Linear", 4, 3, {"bias": False})}
DEEP = {
    "own": ("Parameter", 3),
    "first": ("Sequential", [("Linear", 4, 6), ("ReLU",), ("Linear", 6, 4), ("LayerNorm", 4)]),
    "layers": ("List", [{"attention": {"q": ("Linear", 4, 4)}, "q": ("Linear", 4, 4)}] * 3),
    "base": ("Linear", 4, 4),
}


def injects(function: Callable[..., Any], make: Make) -> None:
    """inject_lora(model, targets, rank, alpha): which layers, what trains then, and what comes out."""
    for plan, targets, rank, alpha in [
        (STACK, ["up"], 2, 6.0),
        (STACK, ("head", "blocks.1.down"), 1, 3.0),
        (STACK, ["down", "1.down", "up"], 3, 1.0),
        (FLAT, ["q_proj"], 2, 4.0),
        (FLAT, ["down", "q_proj"], 2, 8),
        (DEEP, ["q"], 2, 5.0),
        (DEEP, ["attention.q", "layers.1.q", "first.2"], 1, 2.0),
        (DEEP, ["base"], 2, 4.0),
        (DEEP, ["0"], 2, 4.0),
        ("encoder", ["q_proj", "v_proj", "feed_forward.down"], 2, 4.0),
    ]:
        model, mine = pair(make, plan)
        call = told("inject_lora", plan, targets, rank, alpha)
        linears = [name for name, part in mine.named_modules() if isinstance(part, nn.Linear)]
        want = [name for name in linears if any(lora.fits(name, target) for target in targets)]
        why = "each target is the name of an nn.Linear, or its end after a dot."
        found = welcome(call, partial(function, model, targets, rank, alpha), why)
        _chosen(call, plain(found), want, linears)
        injected(call, model, mine, want, rank, alpha / rank)
    _unmatched(function, make)


def plain(names: Any) -> Any:
    """A tuple of names is as good as a list."""
    return list(names) if isinstance(names, tuple) else names


def _chosen(call: str, got: Any, want: list[str], linears: list[str]) -> None:
    if isinstance(got, list) and sorted(map(str, got)) == sorted(want) and got != want:
        check.true(call, False, f"the names are in another order than named_modules() gives them: {got}.")
    extra = [name for name in got if name not in want] if isinstance(got, list) else []
    if extra and extra[0] in linears:
        say = f"{extra[0]} neither equals a target nor ends with a dot and a target."
        check.true(call, False, say)
    check.values(call, got, want)


def injected(call: str, model: Any, mine: nn.Module, names: list[str], rank: int, scale: float) -> None:
    """The parameters, their flags and the output, before and after the correction is other than 0."""
    want: dict[str, tuple[int, ...]] = {}
    for name, part in mine.named_parameters():
        home, _, last = name.rpartition(".")
        want[f"{home}.base.{last}" if home in names else name] = tuple(part.shape)
    for name in names:
        rows, columns = mine.get_submodule(name).weight.shape  # type: ignore[misc]
        want |= {f"{name}.lora_a": (rank, columns), f"{name}.lora_b": (rows, rank)}
    parts = dict(model.named_parameters())
    got = {name: tuple(part.shape) for name, part in parts.items()}
    for name in names:
        say = f"{name} is still the old layer; its parent must hold the LoRALinear under the old name."
        check.true(f"after {call}", f"{name}.base.weight" in parts or f"{name}.weight" not in parts, say)
    check.values(f"named_parameters() after {call}", dict(sorted(got.items())), dict(sorted(want.items())))
    for name, part in parts.items():
        trains = lora.trained(name)
        say = f"{name} must {'be trained' if trains else 'be frozen'}: requires_grad is {part.requires_grad}."
        check.true(f"after {call}", part.requires_grad is trains, say)
    x = _input(mine)
    before = mine(x).detach()
    check.values(f"the output after {call}, which is still the old one", model(x), before)
    drawn = {f"{name}.{part}": check.randn(*want[f"{name}.{part}"], dtype=torch.float64)
             for name in names for part in ("lora_a", "lora_b")}  # fmt: skip
    model.double(), mine.double()  # in float32 a LayerNorm of four can blow rounding up to a difference
    x = x.double() if x.is_floating_point() else x
    model.load_state_dict(drawn, strict=False)
    with torch.no_grad():
        for name in names:
            correction = scale * drawn[f"{name}.lora_b"] @ drawn[f"{name}.lora_a"]
            mine.get_submodule(name).weight.add_(correction)  # type: ignore[operator]
    say = "With lora_a and lora_b drawn anew; compared with alpha / rank · B A added to the old weights."
    check.values(f"the output after {call}", model(x), mine(x).detach(), tolerance=1e-4, note=say)


def _input(model: nn.Module) -> Tensor:
    if any(isinstance(part, nn.Embedding) for part in model.modules()):
        return torch.randint(1, 5, (2, 5), generator=check.generator())
    drawn: Tensor = check.randn(2, 4, dtype=torch.float32)
    return drawn


def _unmatched(function: Callable[..., Any], make: Make) -> None:
    for plan, targets, bad in [
        (STACK, ["up", "q_proj"], "q_proj"),
        (STACK, ["norm"], "norm"),
        (STACK, ["head", "p"], "p"),
        (FLAT, ["down", "proj"], "proj"),
        (DEEP, ["first", "q"], "first"),
    ]:
        model, mine = pair(make, plan)
        call = told("inject_lora", plan, targets, 2, 4.0)
        check.raises(call, lambda: function(model, targets, 2, 4.0), mentions=(repr(bad).strip("'"),))  # noqa: B023
        names = [name for name, _ in model.named_modules()]
        say = "it raises, but has changed the model before: look for every target first."
        check.true(call, names == [name for name, _ in mine.named_modules()], say)
        check.true(call, training(model) == training(mine), say)
