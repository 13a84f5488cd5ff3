"""The attack corpus on stock nbgrader, as a control: what the same submissions get where no wall stands.

    attack + an honest submission --outer wall--> nbgrader autograde --> points, leaks, what is left

Hostile code runs as nbgrader runs it, so all of it runs behind bubblewrap: no network, nothing of this
machine but libraries, a disk in memory, limits, an ordinary user, and an end by the clock. nbgrader has no
configuration but its folders. Order: the control, one attack, what came of it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from autograder.author import lesson, release
from autograder.bench.grader import STOCK_CONFIG
from autograder.course import COURSE_ID
from autograder.sandbox import wall
from tests.attacks import FILE, RIGHT_DOT, RIGHT_SHARE, Attack, Kit
from tests.attacks.field import LESSON, with_canary
from tests.inside.stock_driver import ATTACKER, VICTIM
from tests.places import ROOT

SECONDS = 90.0  # for both submissions; the honest one alone needs about 4
DISK = 512 << 20
EXTRA = ("share/jupyter", "etc/jupyter", "pyvenv.cfg")  # where kernels, and the environment, are described


@dataclass(frozen=True)
class Outcome:
    """What one attack got. points: exercise -> points; victim: what the honest submission got."""

    points: dict[str, float]
    leaks: list[str]
    left: list[str]
    victim: dict[str, float]
    late: bool = False
    seconds: float = 0.0
    honest: dict[str, float] = field(default_factory=lambda: {"dot": 2.0, "share": 3.0})

    def gained(self, attack: Attack) -> bool:
        return sum(self.points.values()) > sum(attack.points.values())

    def lost(self, attack: Attack) -> bool:
        return sum(self.points.values()) < sum(attack.points.values())

    @property
    def harmed(self) -> bool:
        return self.victim != self.honest


class Control:
    """A course of stock nbgrader with canaries in it, prepared once. Use as a context manager."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="control-")
        self.secret, self.token = secrets.token_hex(8), "attack" + secrets.token_hex(8)
        self._made = 0

    def __enter__(self) -> Control:
        base = Path(self._folder.name)
        self.solutions, self.course, self._base = base / "solutions", base / "course", base
        with_canary(self.solutions, self.secret)
        self._lesson = lesson.read(LESSON, self.solutions)
        source = self.course / "source" / LESSON / FILE
        source.parent.mkdir(parents=True)
        source.write_bytes(release.to_bytes(release.source_notebook(self._lesson)))
        config = STOCK_CONFIG.format(course=COURSE_ID, root=str(self.course))
        (self.course / "nbgrader_config.py").write_text(config, encoding="utf-8")
        said = subprocess.run(
            [sys.executable, "-m", "nbgrader", "generate_assignment", LESSON], cwd=self.course,
            env=self._environment(str(base)), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert said.returncode == 0, said.stderr
        self.kit = Kit(release.to_bytes(release.learner_notebook(self._lesson)), self.course, self.solutions,
                       self.token)  # fmt: skip
        self._hand_in(VICTIM, {FILE: self._honest()})
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def _honest(self) -> bytes:
        notebook = json.loads(self.kit.answered(dot=RIGHT_DOT, share=RIGHT_SHARE))
        notebook["cells"][0]["source"] += f"\n\nCANARY-{self.secret}"
        return json.dumps(notebook).encode()

    def _hand_in(self, student: str, files: Any, course: Path | None = None) -> None:
        folder = (course or self.course) / "submitted" / student / LESSON
        folder.mkdir(parents=True)
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(data) if isinstance(data, Path) else path.write_bytes(data)

    def run(self, attack: Attack) -> Outcome:
        """Grade one attack together with the honest submission."""
        with tempfile.TemporaryDirectory(prefix="attack-", dir=self._base) as name:
            folder = Path(name)
            course, out = folder / "course", folder / "out"
            shutil.copytree(self.course, course)
            out.mkdir()
            self._hand_in(ATTACKER, attack.files(self.kit), course)
            user = wall.new_user()
            command = [*self._wall(course, out), sys.executable, "/driver.py", str(self.course), "/out"]
            try:
                subprocess.run(
                    [*command, str(user), str(SECONDS)], env=self._environment("/tmp"), check=False,
                    stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS + 60,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return Outcome({}, [], ["the outer wall itself"], {}, True, SECONDS)
            return self._outcome(out)

    def _wall(self, course: Path, out: Path) -> list[str]:
        paths = [*wall._python_paths(), *(f"{sys.prefix}/{name}" for name in EXTRA)]
        shown = [path for path in [*paths, str(ROOT / "byhand"), str(self.solutions)] if os.path.exists(path)]
        bound = wall._folders(shown) + [word for path in shown for word in ("--ro-bind", path, path)]
        if wall.as_root():
            spaces = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
            spaces += ["--cap-drop", "ALL", *(word for name in ("SETUID", "SETGID", "CHOWN", "DAC_OVERRIDE")
                                              for word in ("--cap-add", f"CAP_{name}"))]  # fmt: skip
        else:
            spaces = ["--unshare-all"]
        driver = ROOT / "tests" / "inside" / "stock_driver.py"
        return [
            wall._program(), *spaces, "--new-session", "--die-with-parent", "--dir", "/etc",
            "--perms", "1777", "--size", str(DISK), "--tmpfs", "/tmp", *wall._system_view(), *bound,
            "--ro-bind", str(course), "/in", "--ro-bind", str(driver), "/driver.py", "--bind", str(out), "/out",
            *wall._folders([str(self.course)]), "--size", str(DISK), "--tmpfs", str(self.course), "--chdir", "/",
        ]  # fmt: skip

    def _environment(self, home: str) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
        return {"PATH": path, "HOME": home, "USER": "grader", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT),
                "CANARY": f"CANARY-{self.secret}", "MPLBACKEND": "agg", "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip

    def _outcome(self, out: Path) -> Outcome:
        try:
            told, points = json.loads((out / "result.json").read_text()), _points(out / "gradebook.db")
        except (OSError, ValueError, sa.exc.SQLAlchemyError):  # the attack broke it: nobody has points
            told, points = {"status": 0, "left": [], "seconds": 0.0}, {}
        found = out / "autograded" / ATTACKER / LESSON / FILE
        shown = _outputs(found.read_text(errors="replace")) if found.is_file() else ""
        leaks = [word for word in (self.secret, "secret_") if word in shown]
        late = told["status"] < 0
        return Outcome(points.get(ATTACKER, {}), leaks, told["left"], points.get(VICTIM, {}), late,
                       told["seconds"])  # fmt: skip


def _points(gradebook: Path) -> dict[str, dict[str, float]]:
    """Student -> exercise -> points that the machine gave."""
    query = """select s.student_id, b.name, g.auto_score from grade g join base_cell b on b.id = g.cell_id
        join submitted_notebook n on n.id = g.notebook_id
        join submitted_assignment s on s.id = n.assignment_id where b.name like 'test_%'"""
    found: dict[str, dict[str, float]] = {}
    engine = sa.create_engine(f"sqlite:///{gradebook}")
    with engine.connect() as connection:
        for student, name, score in connection.execute(sa.text(query)):
            found.setdefault(student, {})[name.removeprefix("test_")] = float(score or 0.0)
    engine.dispose()
    return found


def _outputs(text: str) -> str:
    """What a feedback page would show of a notebook: its outputs."""
    try:
        cells = json.loads(text)["cells"]
        return json.dumps([cell.get("outputs", []) for cell in cells])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
