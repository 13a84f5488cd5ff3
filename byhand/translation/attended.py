"""Where a translation looked: cross-attention of any model with the course's names, by layer and head.

    maps = translation.attended(model, vocabulary, "Save the file")
    maps.source, maps.target, maps.weights      pieces, pieces, (L, H, T, S)

Row t belongs to the piece that is being written, row 0 to the first one. The weights are those that the
layer returns beside its output; a layer that returns none (fused attention never has them in memory) is
asked for its queries and keys instead, and the softmax is taken here.
Order: the result, the function, the hooks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from byhand.translation.decode import at_rest, greedy, sources
from byhand.translation.vocabulary import BOS, EOS, Vocabulary

END = "⟨end⟩"


@dataclass(frozen=True)
class Maps:
    """Cross-attention of one translation. weights: (L, H, T, S), each row sums to 1."""

    source: list[str]
    target: list[str]
    weights: Tensor

    def mean(self, layer: int | None = -1) -> Tensor:
        """(T, S): the mean over the heads of one layer; None: of all layers too."""
        chosen = self.weights if layer is None else self.weights[layer, None]
        return chosen.mean(dim=(0, 1))


def attended(
    model: nn.Module,
    vocabulary: Vocabulary,
    text: str,
    target: str | None = None,
    *,
    n_heads: int | None = None,
    max_len: int = 64,
) -> Maps:
    """Translate `text` greedily, or take the translation `target`, and see which pieces each step read.

    n_heads: of the layers, where they do not say so themselves.
    Raises: ValueError if the model has no decoder blocks with a part `cross_attention`.
    """
    ids = (
        greedy(model, sources(vocabulary, [text]), max_len)[0]
        if target is None
        else vocabulary.encode(target)
    )
    net: Any = model
    device = next(model.parameters()).device
    src = torch.tensor(sources(vocabulary, [text]), device=device)
    given = torch.tensor([[BOS, *ids]], device=device)
    with at_rest(model), _watch(model, n_heads) as seen:
        net.decode(given, net.encode(src), src.ne(net.pad_id))
    weights = torch.stack([layer.weights() for layer in seen]).float().cpu()
    source = [*vocabulary.pieces(text)[: src.shape[1] - 1], END]
    return Maps(source, [*names(vocabulary, ids), END], weights)


def names(vocabulary: Vocabulary, ids: Sequence[int]) -> list[str]:
    """A label for each id: its piece, with ▁ where a space comes before it."""
    return [END if number == EOS else vocabulary.piece(number) for number in ids]


@dataclass
class _Seen:
    """What one cross-attention layer computed last."""

    layer: nn.Module
    n_heads: int | None
    found: dict[str, Any] = field(default_factory=dict)

    def weights(self) -> Tensor:
        """(H, T, S). Raises: ValueError if the layer showed neither weights nor queries and keys."""
        output = self.found.get("output")
        if isinstance(output, tuple) and len(output) > 1 and isinstance(output[1], Tensor):
            weights: Tensor = output[1].detach()[0]
            return weights
        if "q_proj" not in self.found or "k_proj" not in self.found:
            raise ValueError(
                "cross_attention returned no weights, and did not call its q_proj and k_proj. "
                "Next: let its forward return (output, weights)."
            )
        heads = self.n_heads or getattr(self.layer, "n_heads", None)
        if not isinstance(heads, int):
            raise ValueError("cross_attention has no attribute n_heads. Next: pass n_heads=….")
        q, k = (
            self.found[name].detach()[0].unflatten(-1, (heads, -1)).transpose(0, 1).float()
            for name in ("q_proj", "k_proj")
        )  # (H, T, D), (H, S, D)
        taken: Tensor = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
        return taken


@contextlib.contextmanager
def _watch(model: nn.Module, n_heads: int | None) -> Iterator[list[_Seen]]:
    """Inside, every cross-attention layer notes what it and its projections return."""
    layers = [module for name, module in model.named_modules() if name.split(".")[-1] == "cross_attention"]
    if not layers:
        raise ValueError("the model has no part called cross_attention, so there is nothing to see.")
    seen, hooks = [_Seen(layer, n_heads) for layer in layers], []
    for one in seen:
        parts = {"output": one.layer} | {
            name: part
            for name in ("q_proj", "k_proj")
            if isinstance(part := getattr(one.layer, name, None), nn.Module)
        }
        for name, part in parts.items():

            def note(
                module: nn.Module, args: Any, output: Any, *, name: str = name, one: _Seen = one
            ) -> None:
                one.found[name] = output

            hooks.append(part.register_forward_hook(note))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
