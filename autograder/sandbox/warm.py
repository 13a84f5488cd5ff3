"""Warm a process up before it is forked: load everything, then lay its memory out for cheap forks.

A fork copies the table of pages, which is most of what a fork of a warmed torch costs; two-megabyte
pages make that table hundreds of times smaller.
Order: libraries(), settle().
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import sys

_LARGE = 2 << 20  # bytes of a large page on x86_64, and on aarch64 with pages of 4 KiB
_COLLAPSE = 25  # MADV_COLLAPSE, Linux 6.1


def libraries(optimizers: bool = True) -> None:
    """Load and run once what lessons use; the parts that load lazily too.

    optimizers: torch's, which load as many modules again as all the rest, for lessons that train.
    """
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    import numpy as np
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    np.linalg.svd(np.eye(3))
    np.random.default_rng(0).normal(size=3)
    np.testing.assert_allclose(np.ones(2), np.ones(2))
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    for optimizer in (torch.optim.AdamW, torch.optim.SGD) if optimizers else ():
        optimizer(layer.parameters(), lr=0.1).step()  # without gradients: backward starts threads for GPUs
    with torch.no_grad():
        heads = torch.ones(1, 1, 2, 4)
        torch.nn.functional.scaled_dot_product_attention(heads, heads, heads)
        torch.einsum("ij,jk->ik", torch.eye(2), torch.linalg.inv(torch.eye(2)))
        repr(torch.rand(3, generator=torch.Generator().manual_seed(0)))
    figure, axes = plt.subplots(layout="constrained")
    axes.imshow(np.eye(2))
    axes.set_title("a")
    with open(os.devnull, "wb") as nowhere:
        figure.savefig(nowhere, format="png")
    plt.close("all")
    for name in ("byhand", "byhand.check", "byhand.plot", "byhand.train", "byhand.blocks"):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)


def settle() -> None:
    """Call last: leave what is alive out of garbage collections, and gather memory into large pages.

    A kernel that knows no such request refuses it; forks are then slower and nothing else changes.
    """
    fonts = sys.modules.get("matplotlib.font_manager")
    if fonts is not None:
        fonts._get_font.cache_clear()  # else every fork does it, and copies what it clears
    gc.collect()
    gc.freeze()
    libc = ctypes.CDLL(None)
    with open("/proc/self/maps") as lines:
        areas = [line.split() for line in lines]
    for area, access, _, _, _, *name in areas:
        if not access.startswith("rw-p") or (name and name != ["[heap]"]):
            continue
        first, last = (int(bound, 16) for bound in area.split("-"))
        first, last = -(-first // _LARGE) * _LARGE, last // _LARGE * _LARGE
        if first < last:
            libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _COLLAPSE)
