"""Grade the attack corpus in a made-up course full of canaries, and look at what it left behind.

    with Field(folder) as field: results = field.grade(corpus())

Canaries stand wherever an attack might read: hidden tests, sources, gradebook, another submission,
the grader's environment. `Result.leaks` names those that came out.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from autograder.author import lesson
from autograder.author.release import learner_notebook, to_bytes
from autograder.grading.coordinator import unsettled
from autograder.grading.dispatch import Dispatcher, local
from autograder.grading.job import Graded, Job, Settings
from autograder.grading.worklist import grader_version, lesson_digest
from autograder.intake.stage import stage
from tests.attacks import Attack, Kit
from tests.places import TINY

LESSON = "90_tiny"
SHARED_PLACES = ("/", "/tmp", "/var/tmp", "/dev/shm", "/run", "~", "~/.ipython/profile_default/startup")
LIMITS = {
    "memory_bytes": 512 << 20,
    "disk_bytes": 64 << 20,
    "file_bytes": 64 << 20,
    "cpu_seconds": 10,
    "cell_seconds": 3.0,
    "call_seconds": 3.0,
    "submission_seconds": 12.0,
}


@dataclass(frozen=True)
class Result:
    """What came of one attack. points: exercise -> points; faults: checks that the grader owes."""

    points: dict[str, float]
    faults: list[str]
    leaks: list[str]


class Field:
    """A course to attack, in a folder of its own. Use as a context manager."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder, self.settings = folder, settings or Settings(LIMITS)
        self.secret, self.token = secrets.token_hex(8), "attack" + secrets.token_hex(8)
        self.solutions, self.course = folder / "solutions", folder / "course"

    def __enter__(self) -> Field:
        with_canary(self.solutions, self.secret)
        self.lesson = lesson.read(LESSON, self.solutions)
        victim = self.course / "submitted" / "victim" / LESSON / f"{LESSON}.ipynb"
        for path in (
            self.course / "source" / LESSON / f"{LESSON}.ipynb",
            self.course / "gradebook.db",
            victim,
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'{{"canary": "CANARY-{self.secret}"}}', encoding="utf-8")
        os.environ["CANARY"] = f"CANARY-{self.secret}"
        self.kit = Kit(to_bytes(learner_notebook(self.lesson)), self.course, self.solutions, self.token)
        self._before = self._watched()
        return self

    def __exit__(self, *_: object) -> None:
        del os.environ["CANARY"]

    def grade(self, attacks: Iterable[Attack], jobs: int = 2) -> dict[str, Result]:
        """Grade them all. Returns attack's name -> result."""
        results: dict[str, Result] = {}
        place = local(jobs, LESSON, str(self.solutions), self.settings)
        with Dispatcher[Attack](place) as dispatcher:
            for attack, graded in dispatcher.outcomes((attack, self._job(attack)) for attack in attacks):
                results[attack.name] = self._result(graded)
        return results

    def _job(self, attack: Attack) -> Job:
        folder = self.folder / "handed in" / secrets.token_hex(8)
        folder.mkdir(parents=True)
        for name, data in attack.files(self.kit).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(data, Path):
                path.symlink_to(data)
            else:
                path.write_bytes(data)
        staged = stage(folder, LESSON)
        shutil.rmtree(folder)
        seed = secrets.randbits(48)
        digest, version = lesson_digest(self.lesson), grader_version()
        return Job(LESSON, str(self.solutions), staged, seed, self.settings, digest, version)

    def _result(self, graded: Graded | str) -> Result:
        if isinstance(graded, str):
            return Result({}, [graded], [])
        points: dict[str, float] = {}
        for verdict in graded.report.verdicts:
            points[verdict.exercise] = points.get(verdict.exercise, 0.0) + verdict.points
        said = json.dumps(graded.report.to_json(), ensure_ascii=False)
        leaks = [word for word in (self.secret, "HIDDEN-LEAK", "secret_") if word in said]
        if self.secret in graded.notebook.decode():
            leaks.append("canary in the notebook")
        return Result(points, [verdict.message for verdict in unsettled(graded.report)], leaks)

    def left_behind(self) -> list[str]:
        """Processes, files, and changes that attacks left where they had no business."""
        found = [f"process {line}" for line in _command_lines() if self.token in line]
        for place in (*SHARED_PLACES, str(self.course), str(self.solutions)):
            path = Path(place).expanduser()
            found += [f"file {entry}" for entry in path.glob(f"*{self.token}*")]
        after = self._watched()
        return found + [f"changed: {name}" for name, state in self._before.items() if after[name] != state]

    def _watched(self) -> dict[str, object]:
        mine = [
            path for folder in (self.course, self.solutions) for path in folder.rglob("*") if path.is_file()
        ]
        return {**{str(path): path.read_bytes() for path in mine}, "mounts": Path("/proc/mounts").read_text()}


def with_canary(solutions: Path, secret: str) -> None:
    """The tiny lesson, with a canary in its hidden tests."""
    shutil.copytree(TINY, solutions)
    source = solutions / LESSON / f"{LESSON}.py"
    marker = "    ### BEGIN HIDDEN TESTS\n"
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace(marker, f'{marker}    canary = "CANARY-{secret}"\n'), encoding="utf-8")


def _command_lines() -> list[str]:
    return [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
