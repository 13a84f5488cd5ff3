"""byhand doctor: each finding is marked for what it means, and says what to do."""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import pytest

from byhand import doctor, fonts
from byhand.doctor import Line


def only(look: Callable[[], Iterator[Line]]) -> Line:
    (found,) = look()
    return found


def run(monkeypatch: pytest.MonkeyPatch, *checks: Callable[[], Iterator[Line]]) -> int:
    monkeypatch.setattr(doctor, "CHECKS", checks)
    return doctor.run(argparse.Namespace())


def test_what_is_declared_is_what_pyproject_says() -> None:
    python, needs = doctor.declared()
    assert python == ">=3.11,<3.14"
    assert any(need.startswith("nbgrader") for need in needs)


def test_without_pyproject_the_installed_course_says_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    names = {need.split(">")[0] for need in doctor.declared()[1]}
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    assert {need.split(">")[0].split("<")[0] for need in doctor.declared()[1]} == names


@pytest.mark.parametrize(
    ("version", "mark"), [("3.10.9", "!!"), ("3.11.0", "ok"), ("3.13.7", "ok"), ("3.14.0", "!!")]
)
def test_python_is_measured_against_the_declared_range(
    monkeypatch: pytest.MonkeyPatch, version: str, mark: str
) -> None:
    monkeypatch.setattr(doctor.platform, "python_version", lambda: version)
    found = only(doctor.python)
    assert (found.mark, version in found.say) == (mark, True)


def test_a_package_outside_its_range_is_named_with_both_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "declared", lambda: (">=3.11", ["numpy>=99", "pytest>=1"]))
    wrong, right = doctor.packages()
    assert (wrong.mark, right.mark) == ("!!", "ok")
    assert wrong.say.startswith(f"numpy is {metadata.version('numpy')}, needed >=99: run `make lab`")
    assert "1 packages" in right.say


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "declared", lambda: (">=3.11", ["no-such-package-here>=1"]))
    assert str(next(doctor.packages())).startswith("!!   no-such-package-here is not installed: run")


def test_a_gpu_build_of_torch_is_in_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "declared", lambda: (">=3.11", ["torch>=2.6,<3"]))
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "2.9.1+cu130")
    assert only(doctor.packages).mark == "ok"


@pytest.mark.parametrize(("free", "mark"), [(doctor.FREE_DISK, "ok"), (doctor.FREE_DISK - 1, "!!")])
def test_too_little_disk_is_something_to_mend(monkeypatch: pytest.MonkeyPatch, free: int, mark: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert only(doctor.disk).mark == mark


def test_no_chinese_font_is_no_fault_but_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "chinese", lambda: None)
    found = only(doctor.chinese)
    assert found.mark == "--"
    assert "fonts-noto-cjk" in found.say


def test_a_sandbox_is_tried_not_only_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(shutil, "which", lambda name: "/somewhere/bwrap")
    refused = subprocess.CompletedProcess([], 1, "", "bwrap: No permissions to create new namespace\n")
    monkeypatch.setattr(subprocess, "run", lambda *given, **more: refused)
    found = only(doctor.sandbox)
    assert found.mark == "--"
    assert "No permissions to create new namespace" in found.say
    assert "unprivileged_userns_clone" in found.say


def test_no_bubblewrap_says_which_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "apt install bubblewrap" in only(doctor.sandbox).say


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_elsewhere_than_on_linux_a_sandbox_is_not_missed(
    monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    monkeypatch.setattr(doctor.sys, "platform", system)
    assert only(doctor.sandbox).mark == "--"


def test_a_port_in_use_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(doctor, "PORT", taken.getsockname()[1])
        assert only(doctor.port).mark == "--"
    assert only(doctor.port).mark == "ok"


def test_exit_status_and_last_line_say_whether_all_that_is_needed_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fine, extra, bad = (lambda mark=mark: iter([Line(mark, "thing")]) for mark in ("ok", "--", "!!"))
    assert run(monkeypatch, fine, extra) == 0
    assert capsys.readouterr().out.endswith("Ready: `byhand lab` opens the lesson.\n")
    assert run(monkeypatch, fine, bad) == 1
    assert capsys.readouterr().out == "ok   thing\n!!   thing\n1 to mend; see each line marked !!.\n"


def test_a_check_that_breaks_is_a_finding_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Iterator[Line]:
        raise ImportError("No module named 'torch'")

    assert run(monkeypatch, broken, doctor.data) == 1
    printed = capsys.readouterr().out
    assert "!!   broken could not be checked (ImportError: No module named 'torch')" in printed
    assert "lessons 01 to 05 need none" in printed


def test_every_line_here_is_one_sentence_with_its_mark() -> None:
    for found in doctor.examine():
        assert found.mark in ("ok", "!!", "--")
        assert "\n" not in found.say
        assert found.mark == "ok" or ":" in found.say
