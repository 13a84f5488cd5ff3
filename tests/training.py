"""A model of a few numbers, batches for it, and its training. No test in here."""

from __future__ import annotations

import torch
from torch import nn

from byhand import train

FILE = "weights.safetensors"


def model(size: int = 3, seed: int = 0) -> nn.Module:
    with train.seeded(seed):
        return nn.Sequential(nn.Linear(size, 4), nn.Dropout(0.5), nn.Linear(4, 1))


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
    return x, x.sum(dim=1, keepdim=True)


def fit(network: nn.Module, steps: int, **more) -> train.Run:
    def loss(given):
        return (network(given[0]) - given[1]).square().mean()

    return train.fit(network, **{"loss": loss, "batches": batch, "steps": steps, "rate": 0.02} | more)


def weights(network: nn.Module) -> list[list[float]]:
    return [part.flatten().tolist() for part in network.state_dict().values()]
