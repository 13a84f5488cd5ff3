"""Set-up: what it does once, what it goes on from, and the sentence for each thing that can go wrong.

A shell script plays Python and pip, so that no test installs anything.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from byhand import bootstrap, install
from tests.places import ROOT

# Notes every call; `-m venv` makes an environment whose Python is this script again; pip says and returns
# what the test put into the files says and status; torch is the version in the file torch, if there is one.
FAKE_PYTHON = """#!/bin/sh
here="{here}"
echo "$@" >> "$here/calls"
case "$*" in
  *"-m venv"*) for last; do :; done
    [ -f "$here/no_ensurepip" ] && echo "No module named ensurepip" && exit 1
    rm -rf "$last"; mkdir -p "$last/bin"; cp "$0" "$last/bin/python"
    echo "command = python -m $(echo "$*" | sed 's/^-m //')" > "$last/pyvenv.cfg" ;;
  *"-m pip install"*) cat "$here/says"; exit "$(cat "$here/status")" ;;
  *"byhand.cli data"*) exit "$(cat "$here/texts")" ;;
  *"version('torch')"*) cat "$here/torch" ;;
esac
"""


class Fake:
    """A repository folder with a difficult name, and a pretended Python for it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.here = folder / "课程 with space", folder / "fake"
        self.root.mkdir()
        self.here.mkdir()
        for name in ("requirements.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, self.root)
        self.python = self.here / "python"
        self.python.write_text(FAKE_PYTHON.format(here=self.here), encoding="utf-8")
        self.python.chmod(0o755)
        self.pip()
        self.texts()

    def pip(self, says: str = "", status: int = 0) -> None:
        (self.here / "says").write_text(says, encoding="utf-8")
        (self.here / "status").write_text(str(status), encoding="utf-8")

    def texts(self, status: int = 0) -> None:
        (self.here / "texts").write_text(str(status), encoding="utf-8")

    def has_torch(self, version: str) -> None:
        (self.here / "torch").write_text(version, encoding="utf-8")

    def calls(self, about: str = "") -> list[str]:  # since it was last asked
        path = self.here / "calls"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line for line in lines if about in line]

    def set_up(self) -> int:
        return bootstrap.main(self.root)


@pytest.fixture
def fake(tmp_path, monkeypatch) -> Fake:
    made = Fake(tmp_path)
    monkeypatch.setattr(install, "base_python", lambda: str(made.python))
    return made


# ---- once, then at once


def test_it_installs_torch_then_the_lock_then_the_course(fake):
    assert fake.set_up() == 0
    pip = fake.calls("pip install")
    assert pip[0].endswith(" torch")
    assert "-r " in pip[1]
    assert f"-e {fake.root}" in pip[2]
    assert len(pip) == 3


def test_a_second_run_starts_nothing(fake, capsys):
    fake.set_up()
    fake.calls()
    capsys.readouterr()
    assert fake.set_up() == 0
    assert fake.calls() == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_a_changed_version_file_is_installed(fake, name):
    fake.set_up()
    fake.calls()
    with (fake.root / name).open("a") as file:
        file.write("# changed\n")
    assert fake.set_up() == 0
    assert len(fake.calls("pip install")) == 3


def test_every_step_is_printed_with_its_time(fake, capsys):
    fake.set_up()
    assert re.search(r"^  PyTorch 2\.\d+\.\d+: \d+ s$", capsys.readouterr().out, flags=re.MULTILINE)


def test_it_fetches_the_texts_last(fake):
    fake.set_up()
    assert fake.calls()[-1] == "-m byhand.cli data --quiet"


def test_without_the_texts_set_up_succeeds_and_says_the_next_step(fake, capsys):
    fake.texts(status=2)
    assert fake.set_up() == 0
    assert bootstrap.is_ready(fake.root)
    assert "Lessons 01 to 05 need none.\n  Next: when you are online, make data" in capsys.readouterr().out


# ---- going on


def test_a_failed_step_leaves_set_up_unfinished(fake):
    fake.pip(status=1)
    assert fake.set_up() == 2
    assert not bootstrap.is_ready(fake.root)


def test_the_next_run_goes_on_in_the_same_environment(fake):
    fake.pip(status=1)
    fake.set_up()
    (fake.root / ".venv" / "installed").touch()
    fake.pip()
    assert fake.set_up() == 0
    assert (fake.root / ".venv" / "installed").exists()


def test_an_environment_made_by_hand_is_never_cleared(fake):
    subprocess.run([str(fake.python), "-m", "venv", str(fake.root / ".venv")], check=True)
    (fake.root / ".venv" / "mine").touch()
    assert fake.set_up() == 0
    assert (fake.root / ".venv" / "mine").exists()


def test_a_moved_folder_gets_a_new_environment(fake):
    fake.set_up()
    moved = fake.root.with_name("搬 moved")
    fake.root.rename(moved)
    fake.root = moved
    fake.calls()
    assert fake.set_up() == 0
    assert len(fake.calls("-m venv --clear")) == 1


def test_an_environment_whose_python_is_gone_is_made_anew(fake):
    fake.set_up()
    bootstrap.python_of(fake.root).unlink()
    fake.calls()
    assert fake.set_up() == 0
    assert len(fake.calls("-m venv --clear")) == 1


def test_a_half_installed_package_is_dropped_and_a_whole_one_kept(tmp_path, monkeypatch):
    for name in ("whole", "half", "unfinished"):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (tmp_path / f"{name}.py").write_text("x = 1\n")
        if name != "unfinished":
            (info / "RECORD").write_text(f"{name}.py,,6\n")
    (tmp_path / "half.py").write_text("x")
    monkeypatch.setattr(sys, "prefix", str(tmp_path.parent))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    exec(install.DROP_INCOMPLETE, {})
    assert [path.name for path in tmp_path.glob("*.dist-info")] == ["whole-1.0.dist-info"]


def test_two_set_ups_take_turns(fake):
    first, second = bootstrap.Turn(fake.root), bootstrap.Turn(fake.root)
    with first:
        assert not second.take(wait=False)
    assert second.take(wait=False)
    second.file.close()


def test_an_interrupted_set_up_says_that_it_goes_on(fake, monkeypatch, capsys):
    def interrupt(root: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "set_up", interrupt)
    assert fake.set_up() == 130
    assert "run the same command to go on" in capsys.readouterr().err


# ---- PyTorch


def test_a_torch_in_the_range_is_left_alone(fake, capsys):
    fake.has_torch("2.7.1+cu128")
    assert fake.set_up() == 0
    calls = fake.calls()
    assert not any(line.endswith(" torch") for line in calls)
    assert any("--system-site-packages" in line for line in calls)
    assert "PyTorch 2.7.1+cu128 is there already and is left as it is." in capsys.readouterr().out


def test_a_torch_left_alone_keeps_what_it_asks_for(fake, monkeypatch):
    asks = "filelock\ntyping-extensions>=4.10.0\nsympy==1.13.1; python_version >= '3.9'\nsetuptools<82"
    monkeypatch.setattr(install, "ask", lambda python, question: asks)
    (fake.root / ".venv").mkdir()
    lock = ROOT / "requirements.lock"
    copy = install.without_torch(lock, fake.root)
    dropped = set(lock.read_text().splitlines()) - set(copy.read_text().splitlines())
    assert {line.split("==")[0] for line in dropped} == {"torch", "filelock", "typing-extensions", "sympy"}


def test_a_torch_outside_the_range_is_not_used(fake):
    fake.has_torch("1.13.1")
    assert fake.set_up() == 0
    calls = fake.calls()
    assert any(line.endswith(" torch") for line in calls)
    assert not any("--system-site-packages" in line for line in calls)


# ---- sentences

REFUSED = (
    "WARNING: Location 'file:///simple/torch/' is ignored: it is neither a file nor a directory.\n"
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(Connection refused)'\n"
    "ERROR: No matching distribution found for torch==2.13.0\n"
)


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        (REFUSED, "pip cannot reach its package index. What is installed stays."),
        ("SSLError(CERTIFICATE_VERIFY_FAILED)", "pip does not trust the certificate of its package index"),
        ("OSError: [Errno 28] No space left on device", "the disk is full. What is installed stays."),
        ("ERROR: No matching distribution found for torch==2.13.0", "pip finds no torch==2.13.0 for "),
        ("ERROR: something new", "a step failed. What is installed stays."),
    ],
)
def test_a_failure_of_pip_is_said_in_a_sentence(fake, capsys, says, sentence):
    fake.pip(says, status=1)
    assert fake.set_up() == 2
    error = capsys.readouterr().err
    assert error.startswith(f"set-up: {sentence}")
    assert "Next: " in error


def test_the_last_lines_of_the_log_are_shown_without_noise(fake, capsys):
    fake.pip(REFUSED, status=1)
    fake.set_up()
    error = capsys.readouterr().err
    assert "    ERROR: No matching distribution found for torch==2.13.0" in error
    assert "is ignored" not in error


def test_a_full_disk_is_noticed_before_anything_is_made(fake, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 0, 500 * 10**6))
    assert fake.set_up() == 2
    error = capsys.readouterr().err
    assert "500 MB are free" in error
    assert f"{install.NEEDED_MB:,} MB are needed" in error
    assert not (fake.root / ".venv").exists()


def test_a_python_without_ensurepip_is_told_the_package(fake, capsys):
    (fake.here / "no_ensurepip").touch()
    assert fake.set_up() == 2
    assert "apt install python3-venv" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_a_sentence(fake, capsys):
    (fake.root / ".cache").write_text("in the way")
    assert fake.set_up() == 2
    assert "Next: see that" in capsys.readouterr().err


def test_a_wrong_python_is_named_with_those_that_fit(fake, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "fits", lambda version: False)
    monkeypatch.setenv("PATH", str(fake.here))
    assert fake.set_up() == 2
    error = capsys.readouterr().err
    assert f"this is Python {sys.version.split()[0]}" in error
    assert "3.11, 3.12 or 3.13" in error


def test_a_wrong_python_hands_over_to_one_that_fits(fake, monkeypatch, capsys):
    broken, good = fake.here / "python3.11", fake.here / "python3.12"
    broken.write_text("#!/bin/sh\nexit 1\n")
    good.write_text('#!/bin/sh\ncase "$1" in -c) exit 0;; esac\nexit 7\n')
    for path in (broken, good):
        path.chmod(0o755)
    monkeypatch.setattr(bootstrap, "fits", lambda version: False)
    monkeypatch.setenv("PATH", str(fake.here))
    assert fake.set_up() == 7
    assert f"going on with {good}" in capsys.readouterr().out


def test_the_clock_runs_in_place_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    install.show("PyTorch", 61)
    assert capsys.readouterr().out == "\r  PyTorch … 1 min 01 s "


def test_settings_that_lead_pip_out_of_the_environment_are_dropped(monkeypatch):
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "kept")
    assert "PIP_USER" not in install.quiet()
    assert install.quiet()["PIP_INDEX_URL"] == "kept"
