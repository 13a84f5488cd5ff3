"""make and .ci/run: what each target needs, what clean keeps, what a machine that lacks something is told."""

import re
import shutil
import subprocess

from autograder import cli as autograder
from byhand import cli as byhand
from tests.places import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_clean_keeps_the_work_of_learners_and_instructors(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("work/__pycache__", "course/__pycache__", ".venv", "artefacts", "byhand/__pycache__"):
        (tmp_path / name).mkdir(parents=True)
    subprocess.run(["make", "-s", "clean"], cwd=tmp_path, check=True, capture_output=True)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_dir()}
    assert left == {"work", "work/__pycache__", "course", "course/__pycache__", "byhand"}


def test_help_says_what_every_target_does():
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE)
    shown = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert [target for target in targets if target != "ready"] == re.findall(
        r"^  make (\S+)", shown, re.MULTILINE
    )


def test_every_target_but_help_and_clean_sets_up_first():
    rules = re.findall(r"^([a-z-]+):(.*?)##", MAKEFILE, flags=re.MULTILINE)
    alone = {name for name, needs in rules if not {"ready", "test"} & set(needs.split())}
    assert alone == {"help", "clean"}


def test_ci_names_what_is_missing_where_it_cannot_install(tmp_path):
    for name in ("bash", "dirname", "id", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    done = subprocess.run(
        ["bash", str(ROOT / ".ci/run")], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "missing: make git python3" in done.stderr


def test_every_verb_that_make_calls_exists():
    called = re.findall(r"-m (byhand|autograder)\.cli (\w+)", MAKEFILE)
    verbs = {"byhand": byhand.VERBS, "autograder": autograder.VERBS}
    assert [verb for package, verb in called if verb not in verbs[package]] == []


def test_everything_runs_with_the_environments_python():
    run = re.findall(r"^\t@(\S+) -m ", MAKEFILE, flags=re.MULTILINE)
    assert len(run) > 8
    assert set(run) == {"$(PY)"}
