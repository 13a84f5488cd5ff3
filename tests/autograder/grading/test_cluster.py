"""The whole grader, walls and all, on a Dask cluster of two processes."""

from __future__ import annotations

from pathlib import Path

from autograder.grading.job import Settings
from tests.classroom import (
    DOT,
    NAME,
    SHARE,
    WRONG_DOT,
    WRONG_SHARE,
    hand_in,
    make_course,
    rows,
    run,
    two_workers,
)

ENGINE = Settings({"cell_seconds": 60.0})
LOOK = "import os\nprint(os.path.exists('/etc/passwd'), os.getpid() < 100)\n"


def test_a_class_is_graded_by_the_engine_on_a_dask_cluster(tmp_path: Path):
    course = make_course(tmp_path)
    for number in range(6):
        dot = f"{LOOK}{(DOT, WRONG_DOT)[number % 2]}\n# {number}"
        hand_in(course, f"s{number}", dot=dot, share=(SHARE, WRONG_SHARE)[number % 3 == 0])
    with two_workers() as cluster:
        assert run(course, ENGINE, scheduler=cluster.scheduler_address) == 0
    assert {name: (row["test_dot"][0], row["test_share"][0]) for name, row in rows(course).items()} == {
        f"s{number}": ((2.0, 0.0)[number % 2], (3.0, 0.0)[number % 3 == 0]) for number in range(6)
    }
    for book in course.root.glob(f"autograded/*/{NAME}/{NAME}.ipynb"):
        assert "False True" in book.read_text()  # the walls stood: no password file, few processes
        assert '"sandboxed": true' in book.read_text()
