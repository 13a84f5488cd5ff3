"""The command byhand: what is typed wrong gets a sentence and exit status 2, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from byhand import cli, doctor, lab, progress
from tests.places import ROOT


@pytest.mark.parametrize(("typed", "meant"), [("progres", "progress"), ("docter", "doctor"), ("lba", "lab")])
def test_a_misspelt_command_gets_a_suggestion(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([typed]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"byhand: no command is called {typed}. Did you mean {meant}?\n")


def test_an_unknown_command_gets_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["xyzzy"]) == 2
    assert capsys.readouterr().err == (
        "byhand: no command is called xyzzy.\n  Commands: lab, progress, data, doctor.\n"
    )


@pytest.mark.parametrize("arguments", [[], ["lab", "--colour"], ["doctor", "now"]])
def test_a_wrong_option_is_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_command_explains_itself_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([verb, "--help"])
    assert left.value.code == 0
    assert f"example: byhand {verb}" in capsys.readouterr().out


def test_the_status_of_a_command_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for status in (0, 1):
        monkeypatch.setattr(doctor, "run", lambda options, status=status: status)
        assert cli.main(["doctor"]) == status


@pytest.mark.parametrize("error", [cli.UserError("the disk is full."), OSError(28, "the disk is full.")])
def test_what_a_user_can_cause_is_a_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(options: object) -> int:
        raise error

    monkeypatch.setattr(progress, "run", broken)
    assert cli.main(["progress"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("byhand: ")
    assert "the disk is full." in printed


def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(lab, "run", stopped)
    assert cli.main(["lab"]) == 2
    assert capsys.readouterr().err == "byhand: stopped.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["lab", "99"], "no lesson is called 99"), (["lab", "--port", "70000"], "from 1 to 65535")],
)
def test_run_as_a_module_its_own_errors_are_sentences_too(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "byhand.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
