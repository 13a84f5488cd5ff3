"""The learner's code is told when its time is over."""

from __future__ import annotations

import signal


class OutOfTime(BaseException):
    """Raised in the learner's code when its time is over."""


def listen() -> None:
    """Let the alarm of this process raise OutOfTime."""
    signal.signal(signal.SIGALRM, _raise)


def ring_after(seconds: float) -> None:
    """Once, and every half second after it in case the code goes on; 0 calls it off."""
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5 if seconds else 0)


def _raise(signum: int, frame: object) -> None:
    raise OutOfTime("the time is over")
