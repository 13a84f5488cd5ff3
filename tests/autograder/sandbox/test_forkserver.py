"""The fork server looks at a session's memory the sooner, the less is left, as instructors are told."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from autograder.sandbox import forkserver
from autograder.sandbox.forkserver import GROWTH, SELDOM, TICK, Session
from autograder.sandbox.session import Ending, Session as Held

MOST = 1 << 40  # bytes: far more than anything fills in a moment
README = Path(forkserver.__file__).parents[1] / "README.md"


def seconds_until_the_next_look(monkeypatch: pytest.MonkeyPatch, used: int) -> float:
    now = time.monotonic()
    monkeypatch.setattr(forkserver.time, "monotonic", lambda: now)
    monkeypatch.setattr(forkserver.procs, "memory", lambda *_: used)
    session = Session(0, None, 0, MOST, now + 60, 60.0, 0, 0, next_look=now)  # type: ignore[arg-type]
    session.look()
    assert (session.peak, session.why) == (used, "")
    return session.next_look - now


@pytest.mark.parametrize(
    ("left", "seconds"),
    [(0, TICK), (GROWTH // 1000, TICK), (GROWTH // 10, 0.1), (GROWTH, SELDOM), (MOST, SELDOM)],
)
def test_memory_is_looked_at_again_before_the_rest_can_be_filled(
    monkeypatch: pytest.MonkeyPatch, left: int, seconds: float
) -> None:
    assert seconds_until_the_next_look(monkeypatch, MOST - left) == pytest.approx(seconds, rel=1e-3)


def test_how_a_session_ended_is_heard_though_a_request_of_ours_was_not() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    session = Held(socket.socketpair()[0], ours)
    forkserver.send(theirs, {"ended": "time", "code": -9, "peak": 7, "cpu_seconds": 1.0, "trouble": ""})
    ours.send(b"{}")
    theirs.close()  # with our request unread
    assert session.wait(5) == Ending("time", code=-9, peak_bytes=7, cpu_seconds=1.0)


def test_a_fork_server_that_is_gone_is_its_own_fault() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    assert Held(socket.socketpair()[0], ours).kill().why == "server"


def test_the_page_for_instructors_has_these_numbers() -> None:
    said = " ".join(README.read_text(encoding="utf-8").split())
    per_core = GROWTH // (os.cpu_count() or 1)
    assert f"at {per_core >> 30} GiB a second and core" in said
    assert f"sooner than after {TICK * 1000:g} milliseconds nor later than after {SELDOM * 1000:g}." in said
    assert f"at that speed {round(TICK * per_core / (1 << 20), -1):g} MiB for each core" in said
