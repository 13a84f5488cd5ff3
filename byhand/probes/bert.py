"""Every property that lesson 06's load_minilm must have, tried with small made-up weights.

    probe_bert.loading(load_minilm, check.generator())

What is right comes from BERT made of torch's own layers (minilm.reference).
Order: asking with a mask, what is right, eps, what is refused.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from byhand import check, minilm

AXES = ("text", "token", "feature")


def attended(model: Any, tokens: Tensor, real: Tensor) -> Any:
    """model(tokens, mask), with a mask for every query; one that takes (B, T) gets that."""
    try:
        return model(tokens, real[:, None, None])
    except Exception:
        return model(tokens, real)


def loading(load: Any, rng: torch.Generator) -> None:
    """load(state_dict, n_heads) is lesson 06's load_minilm."""
    sizes = [(2, (11, 8, 12, 2, 6)), (4, (7, 4, 5, 1, 9)), (3, (20, 12, 30, 3, 5)), (1, (5, 12, 6, 11, 3))]
    for kinds, (H, (V, E, F, L, P)) in enumerate(sizes, 1):
        state = minilm.made_up(rng, V, E, F, L, P)
        state["embeddings.token_type_embeddings.weight"] = torch.randn(kinds, E, generator=rng)
        before = {name: part.clone() for name, part in state.items()}
        call = f"load_minilm(state_dict, n_heads={H}), {L} layers of size {E}"
        model = load(state, n_heads=H)
        check.true(call, model.training is False, "the model must be in eval mode.")
        tokens = torch.randint(V, (3, P), generator=rng)
        real = torch.arange(P) < torch.tensor([[P], [2], [1]])
        everything = torch.ones_like(real)
        want = minilm.reference(state, H, tokens, everything).float()
        check.values(f"{call}: model(tokens)", model(tokens), want, axes=AXES, tolerance=1e-4)
        want = minilm.reference(state, H, tokens, real).float()
        note = "Compared at real tokens with BERT made of torch's own layers."
        check.values(
            f"{call}: model(tokens, mask)",
            attended(model, tokens, real)[real],
            want[real],
            note=note,
            tolerance=1e-4,
        )
        check.values(
            f"{call}: model(tokens[:, :2])",
            model(tokens[:, :2]),
            minilm.reference(state, H, tokens[:, :2], everything[:, :2]).float(),
            axes=AXES,
            tolerance=1e-4,
        )
        check.values(
            "the keys of state_dict afterwards", sorted(state), sorted(before), note="It must stay as it is."
        )
        for name, part in state.items():
            check.values(f"state_dict[{name!r}] afterwards", part, before[name])
            part.mul_(0)
        check.values(
            f"{call}, after state_dict was overwritten",
            model(tokens)[:, :1],
            minilm.reference(before, H, tokens, everything)[:, :1].float(),
            note="Copy the numbers.",
            tolerance=1e-4,
        )
    _eps(load, rng)
    _refuses(load, rng)


def _eps(load: Any, rng: torch.Generator) -> None:
    """All norms have eps 1e-12: what they read here has a variance of about 1e-6."""
    state, tokens = minilm.made_up(rng, 11, 8, 12, 2, 6), torch.tensor([[1, 2, 3], [4, 5, 6]])
    last = "encoder.layer.1.output.LayerNorm."
    for name, part in state.items():
        small = name.startswith("embeddings.") or "LayerNorm" in name or ".output.dense." in name
        if small and not name.startswith(last) and part.is_floating_point():
            part.mul_(1e-3)
    want = minilm.reference(state, 2, tokens, tokens > 0).float()
    note = "What the norms read is small here. Is the eps of all of them 1e-12?"
    call = "load_minilm(state_dict with small numbers)(tokens)"
    check.values(call, load(state, n_heads=2)(tokens), want, axes=AXES, note=note, tolerance=1e-3)


def _refuses(load: Any, rng: torch.Generator) -> None:
    """Half-precision weights are read; missing, extra and misshapen keys are named."""
    state = minilm.made_up(rng, 11, 8, 12, 2, 6)
    half = {name: part.half() if part.is_floating_point() else part for name, part in state.items()}
    tokens = torch.tensor([[1, 2, 3]])
    model = load(half, n_heads=2)
    want = minilm.reference(half, 2, tokens, tokens > 0).float()
    check.values("load_minilm(half precision)(tokens)", model(tokens), want, axes=AXES, tolerance=1e-4)
    bare = {name: part for name, part in state.items() if "pooler" not in name and "position_ids" not in name}
    check.shape(
        "load_minilm(without the keys to be ignored)(tokens)", load(bare, n_heads=2)(tokens), (1, 3, 8)
    )
    for name in sorted(bare):
        call = f"load_minilm without {name}"
        lacking = {key: part for key, part in state.items() if key != name}
        check.raises(call, lambda one=lacking: load(one, n_heads=2), mentions=(name,))  # type: ignore[misc]
    gap = "encoder.layer.2."  # or the layer that seems to be missing before the third
    wide = "encoder.layer.1.attention.self.query.weight"
    extra = [
        "encoder.layer.0.extra.weight",
        "embeddings.more.weight",
        "head.bias",
        "encoder.layer.3.output.dense.bias",
        "encoder.layer.0.position_ids",
        "encoder.pooler.dense.bias",
    ]
    for name in extra:
        call, more = f"load_minilm with {name} besides", state | {name: torch.ones(8)}
        check.raises(call, lambda one=more: load(one, n_heads=2), mentions=((name, gap),))  # type: ignore[misc]
    for name, shape in [
        (wide, (8, 7)),
        ("encoder.layer.0.output.LayerNorm.bias", (1,)),
        ("encoder.layer.1.output.dense.bias", (12,)),
        ("encoder.layer.1.output.dense.weight", (12, 8)),
        ("embeddings.LayerNorm.weight", (9,)),
        ("encoder.layer.1.intermediate.dense.bias", (8,)),
        ("embeddings.position_embeddings.weight", (6, 9)),
        ("embeddings.token_type_embeddings.weight", (2, 1)),
    ]:
        call, odd = f"load_minilm with {name} of shape {shape}", state | {name: torch.ones(shape)}
        check.raises(call, lambda one=odd: load(one, n_heads=2), mentions=(name,))  # type: ignore[misc]
