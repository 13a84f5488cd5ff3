"""The warm-up: it starts no thread, and it makes forks cheap without changing what they see."""

import subprocess
import sys

from matplotlib.font_manager import findSystemFonts

from tests.inside.ask import ask, session, worker
from tests.places import ROOT

PROGRAM = """
import os, tempfile
os.environ.update(MPLCONFIGDIR=tempfile.mkdtemp(), OMP_NUM_THREADS="1")
from autograder.sandbox import warm
warm.libraries()
held = [bytes([i % 256]) * 100_000 for i in range(200)]
warm.settle()
import gc, torch
pid = os.fork()
if pid == 0:
    x = torch.ones(200, 200, requires_grad=True)
    (x @ x).sum().backward()
    right = all(piece == bytes([i % 256]) * 100_000 for i, piece in enumerate(held))
    os._exit(0 if right and float(x.grad[0, 0]) == 400.0 else 1)
print(len(os.listdir("/proc/self/task")), gc.get_freeze_count() > 10_000, os.waitpid(pid, 0)[1])
"""


def test_a_fork_of_the_warm_process_computes_and_finds_its_memory_unchanged():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True,
        cwd=ROOT,
    )  # fmt: skip
    threads, frozen, status = done.stdout.split()
    assert (threads, frozen, status) == ("1", "True", "0")


def test_the_fonts_of_the_machine_are_known_inside():
    outside = [path for path in findSystemFonts() if path.startswith("/usr/share/fonts/")]
    text = "from matplotlib.font_manager import fontManager as m; answer = [font.fname for font in m.ttflist]"
    with worker() as own, session(own) as one:
        inside = ask(one, text)
    assert {path for path in outside if path.endswith(".ttf")} <= set(inside)
