"""Low-rank adaptation, as lesson 08 builds it: for later lessons, and where an answer of yours failed.

    names = lora.inject_lora(model, ["q_proj", "v_proj"], rank=4, alpha=8.0)

Order: the layer, putting it into a model, the names of what it trains.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class LoRALinear(nn.Module):
    """A frozen linear layer and a correction of rank `rank` that can be trained: (alpha / rank) · B A.

    Source: Hu et al. 2021, arXiv:2106.09685.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        self.base = linear.requires_grad_(False)
        self.scale = alpha / rank
        self.lora_a = nn.Parameter(linear.weight.new_empty(rank, linear.in_features))
        self.lora_b = nn.Parameter(linear.weight.new_zeros(linear.out_features, rank))
        nn.init.normal_(self.lora_a, std=linear.in_features**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.linear(x, self.lora_a)
        return torch.add(self.base(x), functional.linear(inner, self.lora_b), alpha=self.scale)

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        """A plain layer that gives the same, and shares no memory with this one."""
        weight, bias = self.base.weight, self.base.bias
        rows, columns = weight.shape
        merged = nn.Linear(columns, rows, bias is not None, weight.device, weight.dtype)
        merged.weight.copy_(torch.addmm(weight, self.lora_b, self.lora_a, alpha=self.scale))
        if bias is not None:
            merged.bias.copy_(bias)
        return merged


def inject_lora(model: nn.Module, targets: Sequence[str], rank: int, alpha: float) -> list[str]:
    """Put a LoRALinear in place of every nn.Linear that a target names; freeze all else. The full names.

    A target names a layer whose full name equals it or ends with "." + target.
    Raises: ValueError that names a target without a layer; then nothing has changed.
    """
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    for target in targets:
        if not any(fits(name, target) for name in linears):
            raise ValueError(
                f"no nn.Linear of the model is called {target!r}, nor ends with {'.' + target!r}"
            )
    chosen = [name for name in linears if any(fits(name, target) for target in targets)]
    model.requires_grad_(False)
    for name in chosen:
        home, _, last = name.rpartition(".")
        linear = model.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        setattr(model.get_submodule(home), last, LoRALinear(linear, rank, alpha))
    return chosen


def fits(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def trained(name: str) -> bool:
    """Whether a parameter of this name is one that LoRA trains: what a file of weights keeps."""
    return name.endswith(("lora_a", "lora_b"))
