"""The same submission, again and again, one at a time and two at a time: the same bytes, timings aside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from autograder.author import lesson
from autograder.grading.dispatch import Dispatcher, local
from autograder.grading.job import Graded, Job, Settings
from autograder.grading.worklist import grader_version, lesson_digest
from autograder.intake.stage import Staged
from tests.classroom import NAME, SHARE, notebook
from tests.places import TINY

SETTINGS = Settings({"cell_seconds": 30.0, "output_bytes": 400_000})
DOT = """
import random, sys, threading
import matplotlib.pyplot as plt
import torch

class Thing:
    pass

print(Thing(), [Thing() for _ in range(3)], Thing, print, threading.Lock(), lambda: 0)
print({"zebra", "ant", "mouse"}, {object: 1}.keys(), hash("word"), list({f"k{n}" for n in range(20)}))
print(random.random(), np.random.normal(), np.random.default_rng(3).normal(), torch.rand(2))
print(sorted(globals())[:40], repr(sys.stdout), file=sys.stderr)
plt.figure(); plt.imshow(np.random.rand(8, 8)); plt.title("drawn"); plt.show()
Thing()

def dot(query, keys):
    print("asked", Thing())
    if len(keys) == 5:
        raise TypeError(f"five keys are too many for {Thing()}")
    return SCALE * (keys @ query)
"""
OWN = "x = Thing()\nx.what"


def submission() -> Staged:
    book = json.loads(notebook({"dot": DOT, "share": SHARE}))
    own = {
        "cell_type": "code",
        "id": "own",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": OWN,
    }
    book["cells"].append(own)
    return Staged(json.dumps(book).encode(), files={"notes.safetensors": b"x"})


def graded(times: int, jobs: int) -> Iterator[bytes]:
    """What comes of grading it so often, by so many workers: report without its seconds, and notebook."""
    read = lesson.read(NAME, TINY)
    job = Job(NAME, str(TINY), submission(), 7, SETTINGS, lesson_digest(read), grader_version())
    with Dispatcher[int](local(jobs, NAME, str(TINY), SETTINGS)) as dispatcher:
        for _, made in dispatcher.outcomes((number, job) for number in range(times)):
            assert isinstance(made, Graded), made
            report = replace(made.report, seconds=0.0).to_json()
            yield json.dumps(report, sort_keys=True).encode() + made.notebook


def check(times: int) -> None:
    alone = list(graded(times, 1))
    together = list(graded(times, 2))
    assert b'"status": "passed"' in alone[0]
    assert b'"status": "failed"' in alone[0]
    assert b"image/png" in alone[0]
    assert len(alone) == len(together) == times
    assert len({*alone, *together}) == 1


def test_one_submission_gives_the_same_bytes_every_time():
    check(3)


@pytest.mark.slow
def test_one_submission_gives_the_same_bytes_twenty_times():
    check(20)
