"""Training as it happens: a bar with loss, rate and time left, and the loss curve.

In a notebook both are drawn in place, twice a second and every few seconds; in a terminal there is
the bar alone. Order: Live, a training's name, the words of the bar, the curve.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from byhand.checking.failed import notebook_shell

BAR_SECONDS, CURVE_SECONDS = 0.5, 3.0
RECENT = 20  # steps whose mean is shown as the loss
WIDTH = 100  # columns of the bar at least, so that a longer one is wiped out
DOTS = 200  # points of the curve at most
FULL, EMPTY = "█", "░"


class Live:
    """Shows one training. tick() costs next to nothing most of the time."""

    def __init__(self, name: str, steps: int, done: int) -> None:
        self.name, self.steps, self.first = name, steps, done
        self.started = self._bar_at = self._curve_at = time.monotonic()
        self._notebook = notebook_shell() is not None
        self._bar: Any = None
        self._curve: Any = None

    def tick(self, losses: Sequence[float], seconds: float) -> None:
        now = time.monotonic()
        if now - self._bar_at >= BAR_SECONDS:
            self._bar_at = now
            self._show_bar(losses, seconds)
        if self._notebook and now - self._curve_at >= CURVE_SECONDS:
            self.update(losses, seconds)
            self._curve_at = time.monotonic()

    def update(self, losses: Sequence[float], seconds: float) -> None:
        """Show bar and curve as they are now."""
        self._show_bar(losses, seconds)
        if self._notebook and losses:
            self._show_curve(losses)

    def words(self, losses: Sequence[float], seconds: float) -> str:
        """What the bar says."""
        return words(losses, self.steps, self.first, time.monotonic() - self.started, seconds)

    def figure(self, losses: Sequence[float]) -> Any:
        """What the curve shows."""
        return curve(losses, self.name)

    def _show_bar(self, losses: Sequence[float], seconds: float) -> None:
        text = self.words(losses, seconds)
        if not self._notebook:
            if sys.stderr.isatty():
                print(f"\r{text:<{WIDTH}}", end="", file=sys.stderr, flush=True)
            return
        from IPython.display import display

        if self._bar is None:
            self._bar = display({"text/plain": text}, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._bar.update({"text/plain": text}, raw=True)

    def _show_curve(self, losses: Sequence[float]) -> None:
        import matplotlib.pyplot as plt
        from IPython.display import display

        figure = self.figure(losses)
        if self._curve is None:
            self._curve = display(figure, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._curve.update(figure)
        plt.close(figure)

    def close(self) -> None:
        """The last line stays."""
        if not self._notebook and sys.stderr.isatty():
            print(file=sys.stderr)


def title(file: str) -> str:
    """What a training is called by the file that it writes: the one handed in says nothing of it."""
    path = Path(file)
    return "training" if path.name == "weights.safetensors" else path.stem.replace("_", " ")


def words(losses: Sequence[float], steps: int, first: int, passed: float, seconds: float) -> str:
    """████░░░░ 40%, step 240 of 600, loss 0.0213, 9.1 steps/s, 0:39 left.

    first: steps that were done before; passed: seconds since then; seconds: of all steps.
    """
    done = len(losses)
    share = done / steps if steps else 1.0
    filled = round(20 * min(1.0, share))
    parts = [f"{FULL * filled}{EMPTY * (20 - filled)} {share:.0%}", f"step {done:,} of {steps:,}"]
    if losses:
        parts.append(f"loss {float(np.mean(losses[-RECENT:])):.3g}")
    if done >= steps:
        return ", ".join([*parts, f"{clock(seconds)} in all"])
    if done > first and passed > 0:
        rate = (done - first) / passed
        parts += [f"{rate:.3g} steps/s", f"{clock((steps - done) / rate)} left"]
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """0:39, 12:05 or 1:02:10."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def curve(losses: Sequence[float], name: str) -> Any:
    """The figure of a loss curve, at most DOTS means of neighbouring steps."""
    from byhand import plot
    from byhand.figure import PlainLog

    groups = np.array_split(np.asarray(losses), min(DOTS, len(losses)))
    at = np.cumsum([len(group) for group in groups])
    means = [float(group.mean()) for group in groups]
    axes = plot.lines(
        at,
        {"loss": means},
        xlabel="step",
        ylabel="loss (log scale)",
        caption=told(losses, name),
    )
    if min(means) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(PlainLog())
        axes.yaxis.set_minor_formatter(PlainLog())
    return axes.figure


def told(losses: Sequence[float], name: str) -> str:
    """The curve's caption. One batch may jump, so it tells of means; too few steps have none to compare."""
    if len(losses) < 2 * RECENT:
        return f"{name}."
    begin, end = (float(np.mean(part)) for part in (losses[:RECENT], losses[-RECENT:]))
    steps = f"mean of the first {RECENT} steps {begin:.3g}, of the last {RECENT} steps {end:.3g}."
    return f"{name}, the loss {'falls' if end < begin else 'does not fall'}: {steps}"
