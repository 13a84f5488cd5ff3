"""Inside the outer wall: run stock nbgrader on two submissions, and say what is left of it.

    python stock_driver.py COURSE OUT UID SECONDS

COURSE is an empty tmpfs; /in holds the course as it was prepared. Written to OUT: gradebook.db, the
autograded notebooks, and result.json with the seconds taken and the processes still there afterwards.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

LESSON, ATTACKER, VICTIM = "90_tiny", "attacker", "victim"
MEMORY, FILE, PROCESSES = 3 << 30, 256 << 20, 200


def become(user: int) -> None:
    for which, most in (
        (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, FILE), (resource.RLIMIT_NPROC, PROCESSES)
    ):  # fmt: skip
        resource.setrlimit(which, (most, most))
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def left() -> list[str]:
    """Command lines of the processes that are neither this one nor the first of the namespace."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) in (1, os.getpid(), os.getppid()):
            continue
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if state != "Z":
            found.append(line[:100] or folder.name)
    return found


def main() -> None:
    course, out, user, seconds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    shutil.copytree("/in", course, symlinks=True, dirs_exist_ok=True)
    if user:
        for path in (course, *course.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)
    before, began = set(left()), time.monotonic()
    command = [sys.executable, "-m", "nbgrader", "autograde", LESSON, "--create"]
    with (out / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=course, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=lambda: become(user), start_new_session=True,
        )  # fmt: skip
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = -signal.SIGALRM
    taken = time.monotonic() - began
    if status != -signal.SIGALRM:
        time.sleep(0.5)  # what ends by itself may
    remains = sorted(set(left()) - before) if status != -signal.SIGALRM else []
    for path in [course / "gradebook.db", *course.glob(f"autograded/*/{LESSON}/*.ipynb")]:
        if path.is_file() and not path.is_symlink() and path.stat().st_size < FILE:
            target = out / path.relative_to(course)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    (out / "result.json").write_text(json.dumps({"status": status, "seconds": taken, "left": remains}))


if __name__ == "__main__":
    main()
