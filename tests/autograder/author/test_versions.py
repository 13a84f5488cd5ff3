"""One set of versions: pyproject.toml's ranges, requirements.lock, environment.yml, and what is installed."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from autograder.author import lock
from byhand import bootstrap, install
from tests.places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = [PROJECT["optional-dependencies"][extra] for extra in sorted(lock.EXTRAS)]
RANGES = [*PROJECT["dependencies"], *(requirement for extra in EXTRAS for requirement in extra)]
LOCK_LINES = [
    line
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
LOCKED = dict(line.split("==") for line in LOCK_LINES)


def conda() -> dict[str, str]:
    """Name -> exact version of environment.yml's pip section."""
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    lines = next(entry["pip"] for entry in dependencies if isinstance(entry, dict))
    exact = [re.fullmatch(r"([\w.-]+)(?:\[\w+\])?==(\S+)", line) for line in lines if line != "-e ."]
    assert all(exact), f"not an exact version in environment.yml: {lines}"
    return {canonicalize_name(match[1]): match[2] for match in exact if match}


def test_every_line_of_the_lock_is_one_exact_version():
    exact = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.]*")
    assert [line for line in LOCK_LINES if not exact.fullmatch(line)] == []
    assert len(LOCKED) == len(LOCK_LINES)


def test_the_lock_names_no_place_to_download_from():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"https?:|--\w+|^-\w| @ |\+cpu|\+cu", text, flags=re.MULTILINE) == []


@pytest.mark.parametrize("line", RANGES)
def test_the_lock_is_inside_the_range_of_pyproject(line):
    requirement = Requirement(line)
    assert requirement.specifier.contains(LOCKED[canonicalize_name(requirement.name)])


def test_conda_names_every_package_of_pyproject_and_no_other():
    assert set(conda()) == {canonicalize_name(Requirement(line).name) for line in RANGES}


def test_conda_has_the_versions_of_the_lock():
    assert conda() == {name: LOCKED[name] for name in conda()}


def test_the_lock_holds_what_pyproject_leads_to_here():
    missing = set(lock.closure()) - set(LOCKED)
    assert missing == set(), "run make lock"


def test_the_installed_versions_are_the_locked_ones():
    found = {canonicalize_name(dist.name) for dist in metadata.distributions()} & set(LOCKED)
    other = {name for name in found if metadata.version(name) != LOCKED[name]} - {"torch"}
    own_torch = metadata.version("torch").split("+")[0] != LOCKED["torch"]
    asked = {canonicalize_name(Requirement(line).name) for line in metadata.requires("torch") or ()}
    assert other - (asked if own_torch else set()) == set()


def test_the_installed_torch_is_in_the_range_of_pyproject():
    low, high = install.torch_range(ROOT)
    assert low <= install.numbers(metadata.version("torch")) < high


def test_set_up_accepts_the_pythons_of_pyproject():
    wanted = Requirement(f"python{PROJECT['requires-python']}").specifier
    minors = [f"3.{minor}" for minor in range(6, 20)]
    assert [minor for minor in minors if wanted.contains(Version(f"{minor}.2"))] == list(bootstrap.WANTED)


def test_an_old_python_can_read_the_first_step():
    ast.parse((ROOT / "byhand/bootstrap.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_set_up_itself_needs_no_package():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from byhand import bootstrap, install"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
