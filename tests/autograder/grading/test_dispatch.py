"""Jobs on several workers: none is lost, and a worker that dies takes only its own job with it."""

from __future__ import annotations

import os
import signal
import time
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import distributed
import pytest

from autograder.author.lesson import LessonError, read
from autograder.grading import dispatch, worklist
from autograder.grading.dispatch import Dispatcher, Place
from autograder.grading.job import Graded, Job, run as run_job
from autograder.grading.worklist import grader_version, lesson_digest
from autograder.intake.stage import Staged
from autograder.verdict import Report
from tests.classroom import (
    DOT,
    NAME,
    SHARE,
    TINY,
    TRIAL,
    WRONG_DOT,
    Here,
    hand_in,
    make_course,
    notebook,
    rows,
    run,
    two_workers,
)


def job(name: str) -> Job:
    digest = lesson_digest(read(NAME, TINY))
    staged = Staged(notebook({"dot": f"{DOT}  # {name}"}))
    return Job(NAME, str(TINY), staged, 1, TRIAL, digest, grader_version())


def dies_on_bob(job: Job) -> Graded:
    if b"BOB" in job.staged.notebook:
        os._exit(1)
    return run_job(job)


def test_a_worker_that_dies_takes_no_other_job_with_it():
    jobs = [(name, job(name)) for name in ("ANA", "BOB", "CY", "DAN")]
    with Dispatcher[str](dispatch.local(2, NAME, str(TINY), TRIAL), dies_on_bob) as dispatcher:
        found = dict(dispatcher.outcomes(jobs))
    assert {name for name, graded in found.items() if isinstance(graded, Graded)} == {"ANA", "CY", "DAN"}
    assert "ended 2 times" in str(found["BOB"])


def own_cores(job: Job) -> Graded:
    time.sleep(0.2)
    return replace(run_job(job), log=repr((os.getpid(), sorted(os.sched_getaffinity(0)))))


def cores_of(workers: int) -> list[list[int]]:
    """The cores of each worker that had a job."""
    jobs = [(number, job(str(number))) for number in range(4 * workers)]
    with Dispatcher[int](dispatch.local(workers, NAME, str(TINY), TRIAL), own_cores) as dispatcher:
        told = {one.log for _, one in dispatcher.outcomes(jobs) if isinstance(one, Graded)}
    return [cores for _, cores in map(literal_eval, told)]


def test_of_as_many_workers_as_cores_each_keeps_to_one_of_its_own():
    found = cores_of(dispatch.cores())
    assert all(len(cores) == 1 for cores in found)
    assert len(found) == len({tuple(cores) for cores in found})


def test_fewer_or_more_workers_than_cores_run_anywhere():
    assert {len(cores) for cores in cores_of(dispatch.cores() + 1)} == {dispatch.cores()}


def test_only_a_few_jobs_are_in_flight_however_large_the_class(monkeypatch: pytest.MonkeyPatch):
    asked = 0

    def class_of_many() -> Iterator[tuple[int, Job]]:
        nonlocal asked
        one = job("ANA")
        for number in range(100):
            asked += 1
            yield number, one

    with Dispatcher[int](Place(Here, 2), lambda job: Graded(None, b"", frozenset())) as dispatcher:  # type: ignore[arg-type]
        outcomes = dispatcher.outcomes(class_of_many())
        next(outcomes)
        assert asked <= dispatch.AHEAD * 2
        assert len(list(outcomes)) == 99


def test_a_worker_with_another_version_of_the_lesson_gives_no_points_and_takes_none():
    changed = Job(NAME, str(TINY), job("ANA").staged, 1, TRIAL, "another lesson", grader_version())
    report = run_job(changed).report
    assert {(verdict.status, verdict.fault) for verdict in report.verdicts} == {("unchecked", "grader")}
    assert "another version" in report.verdicts[0].message


@pytest.fixture
def cluster() -> Iterator[distributed.LocalCluster]:
    with two_workers() as made:
        yield made


def test_a_class_is_graded_on_a_dask_cluster_that_loses_a_worker(
    cluster: distributed.LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    course = make_course(tmp_path)
    for number in range(20):
        hand_in(course, f"s{number}", dot=(DOT, WRONG_DOT)[number % 2] + f"\n# {number}", share=SHARE)
    keep = worklist.Worklist.keep

    def lose_a_worker(self: worklist.Worklist, key: str, report: Report) -> None:
        keep(self, key, report)
        if len(list((self.folder / "results").glob("*.json"))) == 4:
            os.kill(cluster.workers[0].pid, signal.SIGKILL)

    monkeypatch.setattr(worklist.Worklist, "keep", lose_a_worker)
    assert run(course, scheduler=cluster.scheduler_address) == 0
    assert {name: row["test_dot"][0] for name, row in rows(course).items()} == {
        f"s{number}": (2.0, 0.0)[number % 2] for number in range(20)
    }


def test_workers_with_several_threads_are_refused():
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, protocol="tcp"
        ) as made,
        pytest.raises(LessonError, match="--nthreads 1"),
    ):
        dispatch.cluster(made.scheduler_address)


def test_no_scheduler_at_the_address_is_a_sentence():
    with pytest.raises(LessonError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        dispatch.cluster("tcp://127.0.0.1:1")
