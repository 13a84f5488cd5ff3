"""Where tensors are made that nobody said a device for."""

from __future__ import annotations

import contextlib

import torch


def made_on(device: torch.device | str) -> contextlib.AbstractContextManager[object]:
    """Inside, a tensor made without a word about where is made there: a model's own mask, say."""
    place = torch.device(device)
    return contextlib.nullcontext() if place.type == "cpu" else place
