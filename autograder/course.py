"""Where a course lives on disk, so that commands, nbgrader and JupyterLab use the same folders.

    course/nbgrader_config.py   what nbgrader, its web pages and JupyterLab read (made once, yours to edit)
    course/source … feedback    nbgrader's own steps; course/gradebook.db its records
    course/exchange             where lessons are released to and handed in
    work/                       the learner's folder: fetched lessons

AUTOGRADER_COURSE, AUTOGRADER_EXCHANGE and BYHAND_WORK name other folders.
Order of this file: the course, finding it, the command `autograder environment`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.author.lesson import ROOT, LessonError

if TYPE_CHECKING:
    from nbgrader.apps.api import NbGraderAPI
    from traitlets.config import Config

COURSE_ID = "attention-by-hand"
CONFIG_NAME = "nbgrader_config.py"
CONFIG_TEXT = '''"""What nbgrader reads for this course: the course's settings, then your own below."""

from pathlib import Path

from autograder.nbgrader_config import configure

c = get_config()
configure(c, Path(__file__).parent)
'''


@dataclass(frozen=True)
class Course:
    """Folders of one course, all absolute."""

    root: Path
    exchange: Path
    work: Path

    def prepare(self) -> Course:
        """Make the folders and nbgrader's configuration file; what is there stays as it is."""
        try:
            for folder in (self.root, self.exchange, self.work):
                folder.mkdir(parents=True, exist_ok=True)
            if not (self.root / CONFIG_NAME).exists():
                (self.root / CONFIG_NAME).write_text(CONFIG_TEXT, encoding="utf-8")
        except OSError as error:
            raise LessonError(
                f"the course folder cannot be made: {error}. Name another with AUTOGRADER_COURSE."
            ) from error
        return self

    def config(self) -> Config:
        """What nbgrader would read from this course's configuration file."""
        from traitlets.config.loader import PyFileConfigLoader

        if not (self.root / CONFIG_NAME).exists():
            self.prepare()
        config: Config = PyFileConfigLoader(CONFIG_NAME, path=str(self.root)).load_config()
        config.Exchange.root, config.Exchange.assignment_dir = str(self.exchange), str(self.work)
        return config

    def api(self, config: Config | None = None) -> NbGraderAPI:
        """nbgrader's own Python interface on this course."""
        from nbgrader.apps.api import NbGraderAPI

        os.environ["PATH"] = _path()
        warnings.filterwarnings("ignore", message="Object of type <Submitted")  # nbgrader under SQLAlchemy 2
        return NbGraderAPI(config=config or self.config())

    def step(self, name: str, lesson: str, student: str = ".") -> Path:
        """nbgrader's folder of one step: source, release, submitted, autograded, feedback."""
        return self.root / name / student / lesson

    def environment(self) -> dict[str, str]:
        """Variables that make nbgrader's pages in JupyterLab, and plain nbgrader, use this course."""
        earlier = os.environ.get("JUPYTER_CONFIG_PATH", "")
        paths = [
            str(self.root),
            *(path for path in earlier.split(os.pathsep) if path and path != str(self.root)),
        ]
        return {
            "PATH": _path(),
            "JUPYTER_CONFIG_PATH": os.pathsep.join(paths),
            "AUTOGRADER_COURSE": str(self.root),
            "AUTOGRADER_EXCHANGE": str(self.exchange),
            "BYHAND_WORK": str(self.work),
        }


def _path() -> str:
    """PATH with this Python's own commands first: nbgrader runs `alembic` by its bare name."""
    folder = str(Path(sys.executable).parent)
    others = [path for path in os.environ.get("PATH", os.defpath).split(os.pathsep) if path != folder]
    return os.pathsep.join([folder, *others])


def at(root: Path) -> Course:
    """The course in this folder; exchange and work from the environment, else beside it."""
    root = root.absolute()
    exchange = Path(os.environ.get("AUTOGRADER_EXCHANGE") or root / "exchange").absolute()
    work = Path(os.environ.get("BYHAND_WORK") or ROOT / "work").absolute()
    return Course(root, exchange, work)


def here() -> Course:
    """The course that commands use when none is named: course/ beside the lessons."""
    return at(Path(os.environ.get("AUTOGRADER_COURSE") or ROOT / "course"))


def result_of(what: str, result: dict[str, Any]) -> str:
    """The log of one nbgrader step. Raises LessonError, with nbgrader's own words, if it failed."""
    log = str(result.get("log", ""))
    if not result["success"]:
        raise LessonError(f"{what} did not work: {_reason(log, str(result.get('error', '')))}")
    return log


def _reason(log: str, error: str) -> str:
    """The line that says most: an exception inside nbgrader, else its own message."""
    raised = [line.strip() for line in log.splitlines() if re.match(r"\s*[\w.]+(Error|Exception): ", line)]
    said = [line.partition("] ")[2] for line in log.splitlines() if line.startswith(("[ERROR", "[CRIT"))]
    return (raised or said or error.strip().splitlines() or ["nbgrader gave no reason"])[-1]


def add_parser(subparsers: Any) -> None:
    """`autograder environment`: what JupyterLab needs to know."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "environment",
        help="print the variables with which nbgrader and JupyterLab find the course",
        description="Print the variables with which nbgrader and JupyterLab find the course folder.",
    )
    parser.add_argument(
        "--json", action="store_true", help="as JSON, with the folders JupyterLab should serve"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    course = here().prepare()
    variables = course.environment()
    if options.json:
        root_dir = os.path.commonpath([course.root, course.work])
        folders = {"course": str(course.root), "work": str(course.work), "root_dir": root_dir}
        json.dump({"environment": variables, **folders}, sys.stdout, indent=2, ensure_ascii=False)
        print()
    else:
        for name, value in variables.items():
            print(f"{name}={value}")
    return 0
