"""What lesson 07's loss and learning rate must hold.

    probe_loss.smoothed(label_smoothed_loss, check.generator())
    probe_loss.warming(warmup_rate, check.rng())

The loss is compared with torch's cross entropy, the rate with its two branches. Order: loss, rate.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from byhand import check
from byhand.probes.tuning import welcome

LIBRARY = (
    "cross_entropy", "nll_loss", "CrossEntropyLoss", "NLLLoss", "cross_entropy_loss",
    "nll_loss2d", "nll_loss_nd", "nll_loss_forward", "NLLLoss2d", "byhand.translation.",
)  # fmt: skip
RULES: dict[str, Any] = {"forbid": LIBRARY, "allow_text": "log_softmax, logsumexp, gather, sums."}
# Shape of logits, pad_id, smoothing, size of the logits
LOSSES: list[tuple[tuple[int, ...], int, float, float]] = [
    ((1, 2), 0, 0.1, 1),
    ((7, 5), 0, 0.1, 2),
    ((3, 4, 5), 2, 0.3, 2),
    ((2, 3, 4), 3, 0.0, 2),
    ((4, 4, 4), 3, 1.0, 2),
    ((2, 2, 3, 6), 5, 0.1, 2),
    ((5, 1, 3), 1, 0.2, 2),
    ((2, 6, 5), 4, 0.1, 1e4),
    ((3, 3, 3), 1, 0.6, 1e4),
]
# Shares of 0.1 in float32 are right, too: in a loss of float64 they are seen at the eighth digit.
NEAR = {torch.float64: 1e-6, torch.float32: None}
ZERO = "All is padding: the loss is 0, and so are its gradients."


def smoothed(loss: Any, rng: torch.Generator) -> None:
    """loss(logits, targets, smoothing, pad_id) is lesson 07's label_smoothed_loss."""
    for shape, pad, share, size in LOSSES:
        logits = size * torch.randn(shape, generator=rng, dtype=torch.float64)
        targets = torch.randint(shape[-1], shape[:-1], generator=rng)
        targets.view(-1)[0], targets.view(-1)[-1] = pad, (pad + 1) % shape[-1]
        want = _torchs(logits, targets, share, pad)
        told = f"label_smoothed_loss(logits {shape}, targets, {share}, pad_id={pad})"
        for dtype in (torch.float64, torch.float32):
            got = loss(logits.to(dtype), targets, smoothing=share, pad_id=pad)
            call = f"{told}, {dtype}, logits ± {size:g}"
            check.values(call, got, want.to(dtype), tolerance=NEAR[dtype])
    logits = torch.randn(3, 4, 5, generator=rng, dtype=torch.float64)
    targets, call = (
        torch.tensor([[1, 2, 0, 0], [4, 0, 3, 1], [0] * 4]),
        "label_smoothed_loss(logits, targets)",
    )
    note = "smoothing is 0.1 and pad_id 0 unless told otherwise."
    want = _torchs(logits, targets, 0.1, 0)
    check.kept(call, loss, logits, targets)  # before any other call: a second shift by the maximum is by 0
    check.values(call, loss(logits, targets), want, note=note, tolerance=NEAR[logits.dtype])
    call = "label_smoothed_loss(logits.transpose(0, 1), targets.T)"
    some = logits.transpose(0, 1), targets.T  # views, as slices of a batch are in train_translator
    why = "inputs may be views, whose axes reshape joins and view cannot."
    check.values(
        call,
        welcome(call, partial(loss, *some), why, RuntimeError),
        _torchs(*some, 0.1, 0),
        tolerance=NEAR[logits.dtype],
    )
    check.gradient(call, loss, (logits, targets))
    _edges(loss, logits, targets)


def _torchs(logits: Tensor, targets: Tensor, share: float, pad: int) -> Tensor:
    flat = logits.flatten(0, -2), targets.flatten()
    return functional.cross_entropy(*flat, ignore_index=pad, label_smoothing=share)


def _edges(loss: Any, logits: Tensor, targets: Tensor) -> None:
    """Nothing but padding, targets that do not fit."""
    call = "label_smoothed_loss(logits, 0 * targets)"
    for given in (logits, 1e4 * logits):
        found, (grad, _) = check.backward(loss, (given, 0 * targets))
        check.values(call, found, torch.tensor(0.0).double(), note=ZERO)
        check.true(call, grad is not None, "it has no gradient; it must be 0, so that training can go on.")
        check.values(f"the gradient of {call}", grad, 0 * logits, note=ZERO)
    for shape in [(2, 2), (2, 4), (1, 3), (2, 1), (3,), (6,), (2, 3, 1), (3, 2), (1, 2, 3)]:
        ask = lambda shape=shape: loss(torch.zeros(2, 3, 4), torch.ones(shape, dtype=torch.long))  # noqa: E731
        names = (("logits", "targets"), *map(str, shape), "2", "3")
        check.raises(f"label_smoothed_loss(logits (2, 3, 4), targets {shape})", ask, mentions=names)


def warming(rate: Any, rng: Any) -> None:
    """rate(step, d_model, warmup_steps) is lesson 07's warmup_rate; rng: NumPy's."""
    drawn = [tuple(map(int, rng.integers(1, 9000, 3))) for _ in range(20)]
    sizes = [(1, 1, 1), (2, 1, 1), (1, 512, 4000), (3999, 512, 4000), (4000, 512, 4000), (4001, 512, 4000)]
    for n, size, warmup in [*sizes, (100_000, 256, 400), (7, 300, 10), *drawn]:
        call, got = f"warmup_rate({n}, {size}, {warmup})", rate(n, size, warmup)
        check.true(call, isinstance(got, float), "return a plain float.")
        before = n / math.sqrt(size) / math.sqrt(warmup) ** 3
        want = before if n <= warmup else 1 / math.sqrt(size) / math.sqrt(n)
        check.values(f"1,000,000 * {call}", 1e6 * got, 1e6 * want)
    for size, warmup in [(512, 4000), (3, 1)]:
        call, got = f"warmup_rate(0, {size}, {warmup})", rate(0, size, warmup)
        check.values(call, got, 0.0)


# What known mistakes give in the visible checks

LN2 = math.log(2)
SMOOTHED: dict[str, Any] = {
    "padding counts among the targets; divide by the 2 real ones.": 1.1 * LN2,
    "padding was treated as a target.": 5.3 / 3 * LN2,
    "padding still pays the smoothed part; leave it out of both.": 1.85 * LN2,
    "nothing was smoothed.": 1.5 * LN2,
    "each piece gets ε / V, the right one too; this is ε / (V - 1) for the others.": 1.7 * LN2,
    "the right piece keeps its whole share; it has 1 - ε.": 1.95 * LN2,
    "ε and 1 - ε are exchanged.": 2.1 * LN2,
    "all V pieces share ε, the padding's id too.": 5 / 3 * LN2,
    "this is the sum; divide by the number of real targets.": 3.3 * LN2,
    "ε times the sum over V; take the mean over V.": 3.0 * LN2,
    "the minus sign is missing.": -1.65 * LN2,
    "this is the logarithm to base 2; use the natural one.": 1.65,
}

WARMED: dict[str, Any] = {
    "1 / √d_model is missing.": [0.0625, 0.25, 0.125],
    "divide by √d_model, do not multiply.": [0.125, 0.5, 0.25],
    "divide by √d_model, not by d_model.": [0.015625, 0.0625, 0.03125],
    "take the smaller branch, not the larger.": [0.25, 0.125, 0.5],
    "after the warm-up the rate falls.": [0.03125, 0.125, 0.125],
    "steps count from 1 already; do not add one.": [0.0390625, 0.1212678, 0.0620174],
    "there is no warm-up.": [0.25, 0.125, 0.0625],
    "the line is n times w to the power of -1.5, not n / w.": [0.125, 0.125, 0.0625],
}
