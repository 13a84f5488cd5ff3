"""A training as it happens: the bar, the two curves, lines for a log, and TensorBoard's files.

    ████░░░░ 40%, step 800 of 2,000, loss 3.1, 5 steps/s, 4:02 left, 6,100 tokens/s, MFU 41%, BLEU 8.2

Order: Watch, the curves, TensorBoard.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from byhand import _live
from byhand.checking.failed import notebook_shell
from byhand.translation.state import Run


class Watch(_live.Live):
    """Shows one training in a notebook, on a terminal, or, where neither is, as a line now and then."""

    def __init__(self, run: Run, quiet: bool, log: str = "") -> None:
        super().__init__(_live.title(run.file), run.steps, run.done)
        self.run, self.quiet = run, quiet
        self._events = _events(log) if log else None

    def noted(self, loss: float, step: int) -> None:
        """The loss of a step is there; on a GPU later than the step."""
        if self._events:
            self._events.add_scalar("loss", loss, step)

    def tick(self, losses: Sequence[float], seconds: float) -> None:
        if not self.quiet:
            super().tick(losses, seconds)

    def update(self, losses: Sequence[float], seconds: float) -> None:
        if not self.quiet:
            super().update(losses, seconds)

    def measured(self) -> None:
        """A new BLEU is there."""
        if self._events:
            step, bleu = self.run.bleus[-1]
            self._events.add_scalar("validation BLEU", bleu, step)
            self._events.add_scalar("tokens per second", self.run.tokens_per_second, step)
        if not self.quiet and notebook_shell() is None and not sys.stderr.isatty():
            print(self.words(self.run.losses, self.run.seconds), flush=True)

    def words(self, losses: Sequence[float], seconds: float) -> str:
        run = self.run
        parts = [super().words(losses, seconds)]
        if run.stepping:
            parts.append(f"{run.tokens_per_second:,.0f} tokens/s")
        if run.mfu:
            parts.append(f"MFU {run.mfu:.0%}")
        if run.bleus:
            parts.append(f"BLEU {run.bleus[-1][1]:.1f}")
        return ", ".join(parts)

    def figure(self, losses: Sequence[float]) -> Any:
        return curves(losses, self.run.bleus, self.name)

    def close(self) -> None:
        if self._events:
            self._events.close()
        if not self.quiet:
            super().close()


def curves(losses: Sequence[float], bleus: Sequence[tuple[int, float]], name: str) -> Any:
    """The loss, and on an axis of its own at the right the BLEU measured on validation texts."""
    figure = _live.curve(losses, name)
    if bleus:
        right = figure.axes[0].twinx()
        steps, values = zip(*bleus, strict=True)
        right.plot(steps, values, "o--", color="tab:orange", label="validation BLEU")
        right.set_ylabel("validation BLEU (0 to 100)")
        right.set_ylim(0, max(10.0, 1.2 * float(np.max(values))))
    return figure


def _events(folder: str) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ImportError(
            "TensorBoard is not installed, so its files cannot be written. "
            'Next: pip install "attention-by-hand[tensorboard]", or leave out log.'
        ) from None
    return SummaryWriter(folder)
