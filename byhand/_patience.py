"""Interrupts while training: the step that runs is finished first."""

from __future__ import annotations

import signal
import threading


class Patience:
    """A first interrupt waits for the end of the step; a second one does not."""

    over = False

    def __enter__(self) -> Patience:
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def _interrupt(self, number: int, frame: object) -> None:
        if self.over:
            raise KeyboardInterrupt
        self.over = True

    def __exit__(self, *_: object) -> None:
        if self._main:
            signal.signal(signal.SIGINT, self._before)
