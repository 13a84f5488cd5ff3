"""Help for tests of the sandbox: a worker whose children run what they are told, and asking them."""

import contextlib
import json
import shutil
import struct
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from autograder.sandbox.worker import Limits, Session, Worker

MIB = 1 << 20
LEARNER = Path(__file__).with_name("probe_learner.py")


def worker(**options: Any) -> Worker:
    return Worker(serve="probe_learner:serve", modules={"probe_learner.py": LEARNER}, **options)


def everything_below(one: Worker) -> set[int]:
    """The numbers of all processes that the worker has running."""
    assert one._process is not None
    return {process.pid for process in psutil.Process(one._process.pid).children(recursive=True)}


def settles(promise: Callable[[], bool], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while not promise() and time.monotonic() < until:
        time.sleep(0.02)
    return promise()


def ask(session: Session, text: str) -> Any:
    """Run the text in the session; what it left in `answer`, or "ErrorType: text"; None if it died."""
    data = textwrap.dedent(text).encode()
    answer = b""
    try:
        session.socket.sendall(struct.pack("<I", len(data)) + data)
        while not answer.endswith(b"\n"):
            piece = session.socket.recv(65536)
            if not piece:
                return None
            answer += piece
    except OSError:
        return None
    return json.loads(answer)


@contextlib.contextmanager
def session(of: Worker, files: dict[str, bytes] | None = None, **limits: Any) -> Iterator[Session]:
    one = of.submission(files or {}, Limits(**limits))
    one.socket.settimeout(60)
    try:
        yield one
    finally:
        one.kill()
        one.close()


def as_ordinary_user(command: list[str]) -> list[str]:
    """Run as a user with no rights, who sees our Python even where it lies below root's closed folder."""
    base = sys.base_prefix
    script = (
        'if [ -O /root ] && [ "${1#/root/}" != "$1" ]; then mount --bind "$1" '
        '/mnt && mount -t tmpfs -o mode=755 none /root && mkdir -p "$1" && mount --bind /mnt "$1"; '
        "fi; shift; "
        'exec setpriv --reuid 1234 --regid 1234 --clear-groups --inh-caps=-all "$@"'
    )
    return [str(shutil.which("unshare")), "-m", "sh", "-c", script, "sh", base, *command]
