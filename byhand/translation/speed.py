"""How fast a training is, and how fast its device could be.

    MFU = tokens a second · floating point operations a token / the device's peak

Order: peaks, operations a token.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from byhand.translation.decode import at_rest
from byhand.translation.vocabulary import BOS

# In 10^12 a second, dense bfloat16 (T4, V100: half precision), as their makers state; the first that fits.
PEAKS = {
    "B200": 2250, "GH200": 989, "H200 NVL": 835, "H200": 989, "H100 NVL": 835, "H100 PCIe": 756, "H100": 989,
    "A100": 312, "A40": 150, "A10G": 70, "A10": 125, "L40S": 362, "L40": 181, "L4": 121, "RTX 4090": 165,
    "RTX 3090": 71, "T4": 65, "V100": 125,
}  # fmt: skip
# Words that make another device of these names: a slower or faster sister, or a slice of one.
OTHERS = re.compile(r"\b(Ti|SUPER|D|Laptop|Max-Q|MIG|GRID)\b")


COMPILING = 3  # steps at the start of a compiled training that take as long as the compiler does


@dataclass(frozen=True)
class Peak:
    """Operations a second that a device can do at most; said: where the number is from."""

    flops: float
    said: str


def peak(device: torch.device) -> Peak | None:
    """As stated for a known GPU; of a CPU as measured just now by one matrix product; else None."""
    if device.type == "cuda":
        found = known(torch.cuda.get_device_name(device))
        return Peak(PEAKS[found] * 1e12, f"{PEAKS[found]:,} TFLOP/s stated for {found}") if found else None
    if device.type != "cpu":
        return None
    flops = max(_product(768) for _ in range(10))
    return Peak(flops, f"{flops / 1e9:,.0f} GFLOP/s measured by one matrix product in float32")


def known(name: str) -> str | None:
    """The entry of PEAKS that a device's name holds as whole words."""
    if OTHERS.search(name):
        return None
    return next((part for part in PEAKS if re.search(rf"\b{part}\b", name)), None)


def _product(size: int) -> float:
    """Operations a second; by processor time, so that other programs do not count."""
    a = torch.ones(size, size)
    started = time.process_time()
    a @ a
    seconds = (time.process_time() - started) / torch.get_num_threads()
    return 2 * float(size) ** 3 / seconds


def flops_per_token(model: nn.Module, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> float:
    """Operations forward and backward for each token of texts (ids) of these mean lengths, without padding.

    Counted by torch while the model runs forward; backward costs twice that. Targets: with bos and eos.
    """
    n_source = round(mean(len(source) for source, _ in pairs))
    n_target = round(mean(len(target) - 1 for _, target in pairs))
    device = next(model.parameters()).device
    counter: Any = FlopCounterMode(display=False)
    # Not every fused kernel is known to the counter; plain matrix products are.
    with at_rest(model), sdpa_kernel(SDPBackend.MATH), counter:
        model(*(torch.full((1, length), BOS, device=device) for length in (n_source, n_target)))
    return 3.0 * float(counter.get_total_flops()) / (n_source + n_target)
