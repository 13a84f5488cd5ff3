"""The mean of a model's weights over its last steps: it translates better than any one of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class Average:
    """window: of about so many steps; 0: the model's own weights.

    The mean of all steps at first; from step `window` on each step moves it by 1 / window.
    """

    def __init__(self, model: nn.Module, window: int) -> None:
        self.window = window
        self.live = dict(model.named_parameters())
        self.mean = {name: part.detach().clone() for name, part in self.live.items()} if window else {}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step 1, 2, …"""
        if self.mean:
            torch._foreach_lerp_(
                list(self.mean.values()), list(self.live.values()), 1 / min(step, self.window)
            )

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Within, the model has the mean weights."""
        own = {name: self.live[name].detach().clone() for name in self.mean}
        self._set(self.mean)
        try:
            yield
        finally:
            self._set(own)

    def settle(self) -> None:
        """Leave the mean weights in the model."""
        self._set(self.mean)

    @torch.no_grad()
    def _set(self, weights: dict[str, Tensor]) -> None:
        for name, part in weights.items():
            self.live[name].copy_(part)
