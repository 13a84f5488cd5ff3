"""The whole way of one submission: sandbox, judge, report."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.author import lesson
from autograder.judge import engine
from autograder.sandbox.worker import Limits, Worker, available
from autograder.verdict import Report
from tests import places
from tests.pair import check_of, code, solution

TINY = lesson.read("90_tiny", places.TINY)
LIMITS = Limits(
    cell_seconds=20, call_seconds=20, submission_seconds=60, output_bytes=20_000, message_bytes=8 << 20
)
CHECK = "from byhand import check\nwith check.exercise('f'):\n    check.values('f(2)', f(2), want=4)\n"


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    assert available() is None, available()
    with Worker() as started:
        yield started


def graded(worker: Worker, *cells: lesson.Cell, limits: Limits = LIMITS, seed: int = 1) -> Report:
    return engine.grade("90_tiny", cells, {"data.txt": b"7"}, seed, limits, worker)


def test_the_lessons_own_solution_earns_every_point(worker: Worker) -> None:
    report = graded(worker, *TINY.cells)
    assert [verdict.status for verdict in report.verdicts] == ["passed", "passed"]
    assert (report.points, report.sandboxed, report.notes) == (5.0, True, ())
    assert Report.from_json(report.to_json()) == report


def test_the_same_submission_gets_the_same_report(worker: Worker) -> None:
    cells = [replace(cell, source=cell.source.replace("SCALE *", "")) for cell in TINY.cells]
    first, second = (replace(graded(worker, *cells), seconds=0.0) for _ in range(2))
    assert first == second
    assert first.points == 3.0


def test_the_learners_process_finds_its_files_and_none_of_ours(worker: Worker) -> None:
    look = f"print(open('data.txt').read())\nimport os\nprint(os.path.exists({str(places.TINY)!r}))"
    report = graded(worker, code(look))
    assert report.runs[0].outputs[0]["text"] == "7\nFalse\n"


def test_memory_is_limited_from_outside(worker: Worker) -> None:
    test = "from byhand import check\ncheck.cost('f()', lambda: f(), max_bytes=64 << 20)\n"
    small = graded(
        worker, solution("f", "import numpy as np\ndef f(): np.ones(1 << 20).sum()"), check_of("f", test)
    )
    large = graded(
        worker, solution("f", "import numpy as np\ndef f(): np.ones(1 << 26).sum()"), check_of("f", test)
    )
    assert small.verdicts[0].status == "passed"
    assert "needs more than the 64 MiB" in large.verdicts[0].message


def test_a_cell_that_takes_all_memory_in_many_processes_leaves_earlier_verdicts(worker: Worker) -> None:
    bomb = "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n"
    bomb += "        x = bytearray(os.urandom(1 << 20) * 100)\n        time.sleep(30)\n"
    bomb += "        os._exit(0)\ntime.sleep(30)"
    cells = (solution("f", "def f(x): return 2 * x"), check_of("f", CHECK), code(bomb), check_of("g", CHECK))
    report = graded(worker, *cells, limits=replace(LIMITS, memory_bytes=400 << 20))
    assert [(one.status, one.fault) for one in report.verdicts] == [("passed", ""), ("unchecked", "learner")]


def test_a_judge_that_dies_is_the_graders_fault_and_the_next_one_works(worker: Worker) -> None:
    killer = check_of("f", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    report = graded(worker, solution("f", "def f(x): return 2 * x"), killer)
    assert [(one.status, one.fault) for one in report.verdicts] == [("unchecked", "grader")]
    assert graded(worker, solution("f", "def f(x): return 2 * x"), check_of("f", CHECK)).points == 1.0


def test_a_judges_server_that_was_killed_is_started_again(worker: Worker) -> None:
    assert graded(worker, *TINY.cells).points == 5.0
    process = engine._judges._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert graded(worker, *TINY.cells).points == 5.0


def test_what_a_rehearsal_loads_every_later_judge_has(worker: Worker) -> None:
    rare = "import sys\nassert 'zipapp' in sys.modules\nf(1)\n"
    answer = solution("f", "def f(x): return x")
    assert graded(worker, answer, check_of("f", rare)).points == 0.0
    engine.rehearse((answer, check_of("f", "import zipapp\nf(1)\n")), {}, worker)
    assert graded(worker, answer, check_of("f", rare)).points == 1.0


def test_judges_are_shown_no_gpu_whose_threads_a_fork_would_lack(worker: Worker) -> None:
    blind = "import os\nassert os.environ['CUDA_VISIBLE_DEVICES'] == ''\nf(1)\n"
    assert graded(worker, solution("f", "def f(x): return x"), check_of("f", blind)).points == 1.0


def test_a_rehearsal_changes_no_verdict_and_no_random_number(worker: Worker) -> None:
    draws = "import numpy as np\nimport random\nfrom byhand import check\nwith check.exercise('f'):\n"
    draws += "    x = [random.random(), *np.random.rand(2), *check.rng().normal(size=2)]\n"
    draws += "    check.values('f(1)', f(1), want=x)\n"
    cells = solution("f", "def f(x): return [0.0] * 5"), check_of("f", draws)
    before = replace(graded(worker, *cells), seconds=0.0)
    engine.rehearse(cells, {}, worker)
    assert replace(graded(worker, *cells), seconds=0.0) == before


def test_a_rehearsal_that_ends_the_server_costs_nobody_a_verdict(worker: Worker) -> None:
    answer = solution("f", "def f(x): return 2 * x")
    killer = check_of("f", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    engine.rehearse((answer, killer), {}, worker)
    assert graded(worker, answer, check_of("f", CHECK)).points == 1.0


def test_a_rehearsal_ends_soon_however_long_the_answers_take(worker: Worker) -> None:
    slow = solution("f", "import time\ndef f(x): time.sleep(600)")
    started = time.monotonic()
    engine.rehearse((slow, check_of("f", CHECK)), {}, worker)
    assert time.monotonic() - started < 60


def test_a_fork_server_that_was_killed_is_started_again(worker: Worker) -> None:
    assert worker._process is not None
    worker._process.kill()
    worker._process.wait()
    assert graded(worker, *TINY.cells).points == 5.0


def test_nothing_of_a_submission_is_left_behind(worker: Worker) -> None:
    daemon = "import subprocess, os\nsubprocess.Popen(['sleep', '4321'], start_new_session=True)"
    graded(worker, code(daemon), solution("f", "def f(x): return 2 * x"), check_of("f", CHECK))
    time.sleep(0.2)
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"4321" in _read(path)]
    assert left == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
