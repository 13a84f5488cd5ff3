"""`autograder bench LESSON --scale 10 100 1000`: is the time linear, and the memory of every process flat?

    classes from the bank --autograder grade, watched from outside--> table, results/scale.json, scale.md

Each class is graded in a folder of its own, temporary files included, so that what is left can be counted.
What the largest class took is carried to 100,000 submissions with the arithmetic written out.
Order: the command, one class, watching processes, the table, where time goes, the arithmetic.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from autograder.author import release
from autograder.author.lesson import ROOT, Lesson
from autograder.bench import grader
from autograder.course import Course
from autograder.grading.dispatch import cores
from autograder.judge import judges
from autograder.sandbox import wall

RESULTS = ROOT / "autograder" / "results"
EVERY = 1.0  # seconds between looks: each costs some milliseconds
MANY = 100_000
CLUSTER = (16, 160, 1600)  # workers, for the arithmetic
ROLES = ("coordinator", "worker", "fork server", "submission", "judges' server", "judge")
SERVERS = ("fork server", "judges' server")  # the processor time of their children, once ended, is theirs
PARTS = {
    "coordinator": "coordinator: the one writer",
    "worker": "worker: rebuild the notebook, compose the graded one",
    "fork server": "sandbox: walls around a submission, and their end",
    "judges' server": "judge: the lesson's tests, and the questions that they put",
}


@dataclass
class Scale:
    """One class. memory: the most megabytes (RSS) of any one process, by role; files: most open ones;
    processor: seconds of processor time, by role; machine: of everything that ran meanwhile."""

    count: int
    seconds: float = 0.0
    graded: int = 0
    processor: dict[str, float] = field(default_factory=dict)
    machine: float = 0.0
    load: float = 0.0
    memory: dict[str, float] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    processes_left: int = 0
    mounts_left: int = 0
    temporary_left: int = 0

    @property
    def rate(self) -> float:
        return 60 * self.count / self.seconds


def run(lesson: Lesson, counts: Sequence[int], write: bool, as_json: bool) -> int:
    """Grade a class of each size, and say what it took. 1 if something was left or not graded."""
    about = {"lesson": lesson.name, "date": datetime.date.today().isoformat(), **grader.machine()}
    classes: list[Scale] = []
    for count in sorted(counts):
        print(f"{lesson.name}: a class of {count} …", file=sys.stderr, flush=True)
        classes.append(measured(lesson, count))
        told = {**about, "classes": [asdict(one) for one in classes]}
        text = table(about, classes)
        if write:  # after each class: the largest takes long, and may be stopped
            RESULTS.mkdir(exist_ok=True)
            (RESULTS / "scale.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
            (RESULTS / "scale.md").write_text(text + "\n", encoding="utf-8")
    print(json.dumps(told) if as_json else text)
    sound = all(one.graded == one.count and not _left(one) for one in classes)
    return 0 if sound else 1


def measured(lesson: Lesson, count: int) -> Scale:
    """Grade a class of this size in a folder of its own, end to end."""
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        folder = Path(name)
        course = Course(folder / "course", folder / "exchange", folder / "work").prepare()
        release.release(lesson.name, course)
        grader.hand_in(course.root, lesson, range(count))
        (folder / "temporary").mkdir()
        environment = {**os.environ, **course.environment(), "TMPDIR": str(folder / "temporary")}
        mounts = _mounts()
        scale = Scale(count, load=os.getloadavg()[0])
        command = [sys.executable, "-m", "autograder.cli", "grade", lesson.name]
        started, busy = time.monotonic(), _busy()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
            watch = Watch(process.pid, scale)
            watch.start()
            process.wait()
        scale.seconds, scale.machine = time.monotonic() - started, _busy() - busy
        scale.processes_left = watch.left()
        scale.mounts_left = max(0, _mounts() - mounts)
        scale.temporary_left = len(list((folder / "temporary").iterdir()))
        scale.graded = len(grader.scores(course.root))
    return scale


def _busy() -> float:
    """Seconds that the machine's processors have worked so far."""
    spent = psutil.cpu_times()
    names = ("user", "nice", "system", "irq", "softirq")  # not every system tells them all
    return float(sum(getattr(spent, name, 0.0) for name in names))


def _mounts() -> int:
    with suppress(OSError):
        return len(Path("/proc/self/mounts").read_text().splitlines())
    return 0


class Watch(threading.Thread):
    """Looks at a process and all below it, again and again, until it ends."""

    def __init__(self, pid: int, scale: Scale) -> None:
        super().__init__(daemon=True)
        self._root, self._scale = psutil.Process(pid), scale
        self._seen: dict[int, psutil.Process] = {}
        self._spent: dict[int, tuple[str, float]] = {}

    def run(self) -> None:
        with suppress(psutil.Error):
            while self._root.status() != psutil.STATUS_ZOMBIE:
                self._look()
                time.sleep(EVERY)

    def _look(self) -> None:
        family = {one.pid: one for one in [self._root, *self._root.children(recursive=True)]}
        self._seen |= family
        lines = {pid: _line(one) for pid, one in family.items()}
        for pid, one in family.items():
            with suppress(psutil.Error):
                parent = one.ppid()
                role = role_of(lines[pid], lines.get(parent, ""), pid == self._root.pid)
                if role:
                    memory, files = one.memory_info().rss / 2**20, one.num_fds()
                    self._scale.memory[role] = max(memory, self._scale.memory.get(role, 0.0))
                    self._scale.files[role] = max(files, self._scale.files.get(role, 0))
                    if role in PARTS:
                        spent = one.cpu_times()
                        below = spent.children_user + spent.children_system if role in SERVERS else 0.0
                        self._spent[pid] = role, spent.user + spent.system + below
        for role in PARTS:
            self._scale.processor[role] = sum(spent for of, spent in self._spent.values() if of == role)

    def left(self, patience: float = 5.0) -> int:
        """How many of the processes seen are still there, some seconds after the end."""
        self.join(patience)
        _, alive = psutil.wait_procs(
            [one for pid, one in self._seen.items() if pid != self._root.pid], timeout=patience
        )
        return sum(1 for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE)


def _line(process: psutil.Process) -> str:
    try:
        return "\0".join(process.cmdline())
    except psutil.Error:
        return ""


def role_of(line: str, parents: str, is_root: bool) -> str:
    """What a process is, by its command and its parent's: a fork has the command of what it came from."""
    if is_root:
        return "coordinator"
    for word, server, child in (
        ("multiprocessing.forkserver", "", "worker"),
        (judges.SERVER, "judges' server", "judge"),
        (wall.INSIDE_RUN[0], "fork server", "submission"),
    ):
        if word in line and "bwrap" not in line.split("\0")[0]:
            return child if word in parents and "bwrap" not in parents.split("\0")[0] else server
    return ""


def _left(one: Scale) -> int:
    return one.processes_left + one.mounts_left + one.temporary_left


def table(about: Mapping[str, Any], classes: Sequence[Scale]) -> str:
    """The measurements and the arithmetic, as Markdown."""
    told = {key: value for key, value in about.items() if key not in ("lesson", "load")}
    machine = ", ".join(f"{key} {value}" for key, value in told.items())
    header = ["class", "seconds", "a minute", "load", *ROLES, "open files", "left"]
    rows = [
        [one.count, f"{one.seconds:.1f}", f"{one.rate:.0f}", f"{one.load:.1f}",
         *(f"{one.memory[role]:.0f}" if role in one.memory else "–" for role in ROLES),
         max(one.files.values(), default=0), _left(one)]
        for one in classes
    ]  # fmt: skip
    lines = [
        f"# Scale: {about['lesson']}",
        "",
        f"Made by `autograder bench {about['lesson']} --scale {' '.join(str(one.count) for one in classes)} "
        f"--write` ({machine}).",
        "",
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(map(str, row)) + " |" for row in rows),
        "",
        "Seconds are end to end, from submitted/ to gradebook and autograded/, start-up included; load is",
        "that of the machine before the class began. The columns of processes are the most megabytes (RSS,",
        "memory shared with others included) that any one process of that role took; open files the most of",
        "any one; left counts processes, mounts and temporary files still there afterwards.",
        "",
        *processor_time(classes),
        *arithmetic(classes, cores()),
    ]
    return "\n".join(lines)


def processor_time(classes: Sequence[Scale]) -> list[str]:
    """Where the time of one more submission goes, from the smallest and the largest class."""
    small, large = classes[0], classes[-1]
    if small is large:
        return []
    more = large.count - small.count
    each = {role: 1000 * (large.processor[role] - small.processor[role]) / more for role in PARTS}
    whole = 1000 * (large.machine - small.machine) / more
    rest = whole - sum(each.values())
    lines = [
        "## Where the time goes",
        "",
        "| milliseconds of processor time | each submission |",
        "|---|---:|",
    ]
    lines += [f"| {PARTS[role]} | {spent:.1f} |" for role, spent in each.items()]
    lines += [f"| the learner's own processes, and all else on the machine | {rest:.1f} |"]
    return [*lines, f"| together | {whole:.1f} |", ""]


def arithmetic(classes: Sequence[Scale], workers: int) -> list[str]:
    """From the smallest and the largest class measured to 100,000 submissions on a cluster."""
    small, large = classes[0], classes[-1]
    if small is large:
        return ["Two classes of different size are needed to carry this further."]
    each = (large.seconds - small.seconds) / (large.count - small.count)
    start = max(0.0, small.seconds - each * small.count)
    alone = each * workers
    before, after = (one.processor["coordinator"] for one in (small, large))
    writer = (after - before) / (large.count - small.count)
    lines = [
        f"## {MANY:,} submissions",
        "",
        f"- One more submission costs ({large.seconds:.1f} - {small.seconds:.1f}) s / ({large.count} - "
        f"{small.count}) = {each:.3f} s on {workers} workers, so {alone:.3f} s of one worker; "
        f"start-up is {start:.1f} s.",
        f"- The one writer spends ({after:.1f} - {before:.1f}) s / "
        f"({large.count} - {small.count}) = {1000 * writer:.1f} ms of processor time a submission: "
        f"at most {60 / writer:.0f} a minute, however many the workers.",
    ]
    for number in CLUSTER:
        theirs, its = MANY * alone / number, MANY * writer
        most = "the writer" if its > theirs else "the workers"
        lines.append(
            f"- {number} workers as fast as these: max({MANY:,} x {alone:.3f} / {number}, "
            f"{MANY:,} x {writer:.4f}) = max({theirs:.0f}, {its:.0f}) s = "
            f"{max(theirs, its) / 60:.0f} minutes; {most} set the pace."
        )
    return [*lines, "", "An extrapolation: no cluster of that size was at hand."]
