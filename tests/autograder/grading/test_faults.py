"""Pulling the plug: whatever dies or fills up, the next run ends where an undisturbed one would."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from autograder.author.lesson import ROOT
from autograder.course import Course
from tests.classroom import DOT, NAME, SHARE, WRONG_DOT, WRONG_SHARE, hand_in, make_course, rows

STUDENTS = 9
GRADE = """
import resource, sys, time
from pathlib import Path
from autograder.author import lesson
from autograder.grading import job, worklist
from autograder.course import Course
from tests import classroom

root, files, slow, walls = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "True"
if files:
    resource.setrlimit(resource.RLIMIT_FSIZE, (files, files))
keep = worklist.Worklist.keep
def slowly(self, key, report):
    time.sleep(slow)
    keep(self, key, report)
worklist.Worklist.keep = slowly
try:
    settings = job.Settings() if walls else classroom.TRIAL
    sys.exit(classroom.run(Course(root / "course", root / "exchange", root / "work"), settings, jobs=2))
except lesson.LessonError as error:
    print(f"autograder: {error}", file=sys.stderr)
    sys.exit(2)
"""


def start(
    course: Course, file_bytes: int = 0, slow: float = 0.0, walls: bool = False
) -> subprocess.Popen[str]:
    """Begin to grade. walls: by the engine in its sandbox, not by the quick trial."""
    options = map(str, (course.root.parent, file_bytes, slow, walls))
    # -B: with no room, Python writes its own .pyc files cut short, and fails when it reads them again.
    command = [sys.executable, "-B", "-c", GRADE, *options]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, text=True, start_new_session=True, **pipes)


def finish(course: Course, **options: Any) -> tuple[int, str]:
    process = start(course, **options)
    _, said = process.communicate(timeout=600)
    return process.returncode, said


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A class, half right and half wrong, each submission different."""
    course = make_course(tmp_path)
    for number in range(STUDENTS):
        dot = (DOT, WRONG_DOT)[number % 2] + f"\n# {number}"
        hand_in(course, f"s{number:02}", dot=dot, share=(SHARE, WRONG_SHARE)[number % 3 == 0])
    return course


EXPECTED = {
    f"s{number:02}": {
        "test_dot": ((2.0, 0.0)[number % 2], None, None, False),
        "test_share": ((3.0, 0.0)[number % 3 == 0], None, None, False),
        "doubled": (0.0, None, None, False),
    }
    for number in range(STUDENTS)
}


def results(course: Course) -> dict[str, int]:
    """The seed of every kept result: it changes if a submission is graded a second time."""
    kept = (course.root / ".autograder" / NAME / "results").glob("*.json")
    return {path.name: json.loads(path.read_text())["seed"] for path in kept}


def wait_for_results(course: Course, process: subprocess.Popen[str], wanted: int) -> None:
    while process.poll() is None and len(results(course)) < wanted:
        time.sleep(0.01)


def survivors(group: int) -> list[psutil.Process]:
    """Processes of the session that a grading run began."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.Error):
            continue
    return found


def kill_now_and_then(course: Course, kills: int, seed: int) -> None:
    """Grade, killing coordinator or a worker at random moments; then once to the end, and compare."""
    moments = random.Random(seed)
    kept: dict[str, int] = {}
    for _ in range(kills):
        process = start(course, slow=0.05)
        wait_for_results(course, process, min(STUDENTS - 1, len(kept) + moments.randrange(3)))
        time.sleep(moments.uniform(0, 0.3))
        others = [one for one in survivors(process.pid) if one.pid != process.pid]
        if others and moments.random() < 0.3:
            with suppress(psutil.NoSuchProcess):
                moments.choice(others).kill()
            time.sleep(moments.uniform(0, 0.3))
        process.kill()
        process.communicate()
        now = results(course)
        assert kept.items() <= now.items()  # nothing was graded a second time
        kept = now
    status, said = finish(course)
    assert status == 0, said
    assert rows(course) == EXPECTED
    assert kept.items() <= results(course).items()
    assert len(results(course)) == STUDENTS


def test_killed_at_random_moments_the_class_is_graded_once(course: Course):
    kill_now_and_then(course, kills=2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_killed_at_fifty_random_moments_the_class_is_graded_once(course: Course, seed: int):
    kill_now_and_then(course, kills=5, seed=100 + seed)


def test_a_killed_coordinator_leaves_no_process_behind(course: Course):
    process = start(course, slow=0.05)
    wait_for_results(course, process, 1)
    process.kill()
    process.communicate()
    until = time.monotonic() + 30
    while survivors(process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert survivors(process.pid) == []


def test_a_killed_worker_costs_nobody_anything(course: Course):
    process = start(course, slow=0.1)
    wait_for_results(course, process, 2)
    workers = [one for one in survivors(process.pid) if one.pid != process.pid]
    for worker in sorted(workers, key=lambda one: one.create_time())[-1:]:
        worker.send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert rows(course) == EXPECTED


@pytest.mark.parametrize("file_bytes", [1_000, 50_000], ids=["results", "gradebook"])
def test_a_full_disk_is_a_sentence_and_the_next_run_ends_the_work(course: Course, file_bytes: int):
    status, said = finish(course, file_bytes=file_bytes)
    assert status == 2
    assert "Traceback" not in said
    assert "Next:" in said
    status, said = finish(course)
    assert status == 0, said
    assert rows(course) == EXPECTED


def test_a_gradebook_that_is_gone_is_a_sentence_and_comes_back(course: Course):
    book = course.root / "gradebook.db"
    aside = book.rename(book.with_suffix(".aside"))
    book.mkdir()
    status, said = finish(course)
    assert (status, "Traceback" in said) == (2, False)
    book.rmdir()
    aside.rename(book)
    status, said = finish(course)
    assert status == 0, said
    assert rows(course) == EXPECTED


def test_two_graders_at_once_do_not_mix(course: Course):
    first = start(course, slow=60.0)
    while first.poll() is None and not (course.root / ".autograder" / NAME / "lock").exists():
        time.sleep(0.01)
    status, said = finish(course)
    first.kill()
    first.communicate()
    assert status == 2
    assert "is grading" in said
    status, said = finish(course)
    assert status == 0, said
    assert rows(course) == EXPECTED


def kill_parts(course: Course, kills: int, seed: int) -> int:
    """Grade by the engine while parts of it are killed: workers, walls, fork servers, judges, submissions.

    Returns how many were killed. Afterwards the class is graded to the end, and compared.
    """
    moments, killed = random.Random(seed), 0
    while killed < kills:
        process = start(course, walls=True)
        coordinator = psutil.Process(process.pid)
        while process.poll() is None and killed < kills:
            time.sleep(moments.uniform(0.05, 1.0))
            with suppress(psutil.NoSuchProcess):
                family = coordinator.children(recursive=True)
                moments.choice([coordinator, *family] if killed % 5 == 4 else family or [coordinator]).kill()
                killed += 1
        process.communicate(timeout=600)
        if len(results(course)) == STUDENTS:
            break
    kept = results(course)
    for _ in range(3):  # what a kill made unchecked is owed, and graded by the next run
        status, said = finish(course, walls=True)
        if status == 0:
            break
    assert status == 0, said
    assert rows(course) == EXPECTED
    assert kept.items() <= results(course).items()  # nothing was graded a second time
    return killed


def test_parts_of_the_engine_are_killed_and_no_verdict_changes(course: Course):
    assert kill_parts(course, kills=5, seed=1) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_parts_of_the_engine_are_killed_at_fifty_moments(course: Course, seed: int):
    assert kill_parts(course, kills=5, seed=100 + seed) > 0
