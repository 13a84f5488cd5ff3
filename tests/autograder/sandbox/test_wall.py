"""The outer wall: what bubblewrap is told to show."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import pytest

from autograder.sandbox import wall
from autograder.sandbox.worker import SandboxError, available
from tests.inside.ask import worker
from tests.places import ROOT


def shown() -> list[Path]:
    words = wall.bubblewrap({})
    return [Path(words[place + 1]) for place, word in enumerate(words) if word.startswith("--ro-bind")]


def test_nothing_that_holds_the_repository_or_a_home_is_shown():
    hidden = {ROOT, Path.home(), Path("/tmp"), Path("/var"), Path("/run"), Path("/etc"), Path("/")}
    for path in shown():
        assert not any(secret == path or path in secret.parents for secret in hidden), path


def test_what_the_repository_shows_is_byhand_the_environment_and_single_modules():
    inside = [path for path in shown() if ROOT in path.parents and Path(sys.prefix) not in path.parents]
    folders = [path for path in inside if path.is_dir()]
    assert folders == [ROOT / "byhand"]
    packages = {path.parent for path in inside} - {ROOT}
    assert packages == {ROOT / "autograder" / name for name in ("", "learner", "sandbox", "wire")}


def test_the_modules_are_those_that_are_imported_and_no_others():
    box = "autograder.sandbox"
    procs = {"autograder", box, f"{box}.procs", f"{box}.isolate", f"{box}.seccomp"}
    assert wall.modules(f"{box}.procs") == procs
    found = wall.modules(*wall.INSIDE_RUN)
    assert procs | {"autograder.wire.encode", "autograder.learner.shell"} <= found
    trusted = ("author", "judge", "grading", "intake", "feedback", "bench")
    assert not [name for name in found if name.split(".")[1:2] and name.split(".")[1] in trusted]


def test_every_worker_of_root_has_a_user_of_its_own():
    users = [wall.new_user() for _ in range(8)]
    assert len(set(users)) == 8 if wall.as_root() else set(users) == {0}


def test_the_environment_holds_nothing_of_ours(monkeypatch):
    monkeypatch.setenv("CANARY", "secret")
    assert "secret" not in "".join(wall.environment(wall.SCRATCH).values())


def test_no_network_and_no_capability_beyond_those_that_build_walls():
    words = wall.bubblewrap({})
    assert "--unshare-net" in words or "--unshare-all" in words
    assert "--share-net" not in words
    assert {"--die-with-parent", "--new-session"} <= set(words)
    kept = {words[place + 1] for place, word in enumerate(words) if word == "--cap-add"}
    building = {"CAP_SYS_ADMIN", "CAP_SETPCAP", "CAP_NET_ADMIN", "CAP_SETFCAP", "CAP_SETUID", "CAP_SETGID"}
    assert kept <= building


def test_an_older_kernel_is_named(monkeypatch):
    monkeypatch.setattr(wall, "OLDEST", (99, 1))
    assert "needs Linux 99.1 or newer; this machine runs " in str(wall.available.__wrapped__())


def test_an_environment_below_tmp_works():
    program = """
import sys; sys.path[:0] = sys.argv[1:]
from tests.inside.ask import ask, session, worker
text = "import sys; open('/submission/tmp/x', 'w'); answer = sys.executable"
planted = "import sys; open(sys.prefix + '/planted', 'w')"
with worker(warm=False) as own, session(own) as one, session(own) as two:
    print(ask(one, text), ask(one, planted), ask(two, "import colorsys; answer = 'lazy'"))
"""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        venv.create(folder, symlinks=False)
        command = [f"{folder}/bin/python", "-c", program, str(ROOT), *sys.path]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.startswith("/tmp/")
    assert "Read-only file system" in said
    assert said.endswith("lazy\n")


def test_without_bubblewrap_the_package_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    wall.available.cache_clear()
    try:
        with pytest.raises(SandboxError, match=r"apt install bubblewrap.*Nothing was graded"):
            worker().start()
    finally:
        wall.available.cache_clear()


def test_where_namespaces_are_forbidden_the_setting_is_named(monkeypatch, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    wall.available.cache_clear()
    try:
        said = available()
    finally:
        wall.available.cache_clear()
    assert said is not None
    assert "No permissions to create new namespace" in said
    assert "unconfined" in said or "sysctl" in said
