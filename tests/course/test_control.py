"""The control of the attack corpus: stock nbgrader behind a wall of its own falls for what is known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from autograder.sandbox.worker import available
from tests.attacks import Attack, corpus
from tests.attacks.__main__ import KINDS, Verdict, counts, everything, grouped, keep, main, sample, table
from tests.attacks.stock import Control

ATTACKS = {attack.name: attack for attack in corpus()}


@pytest.fixture(scope="module")
def control() -> Iterator[Control]:
    assert available() is None, available()
    with Control() as made:
        yield made


def test_stock_nbgrader_gives_points_to_a_test_that_was_skipped(control: Control):
    attack = ATTACKS["skip-execution on tests"]
    outcome = control.run(attack)
    assert outcome.gained(attack)
    assert not outcome.harmed  # the honest submission beside it earned everything, so the control works
    assert outcome.left == []


def test_what_an_attack_leaves_in_the_control_is_found_and_ends_with_its_wall(control: Control):
    def files(kit):
        text = "\nimport subprocess\nsubprocess.Popen(['sleep', '4322'], start_new_session=True)"
        return {"90_tiny.ipynb": kit.answered(dot=text)}

    outcome = control.run(Attack("a sleeper", files))
    assert any("4322" in line for line in outcome.left)
    lines = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
    assert ["sleep", "4322"] not in [line[:2] for line in lines]


def test_an_attack_that_breaks_the_gradebook_earns_nothing_and_harms(control: Control, tmp_path: Path):
    (tmp_path / "result.json").write_text('{"status": 0, "left": [], "seconds": 1.0}')
    (tmp_path / "gradebook.db").write_text("no database, but " + 100 * "text ")
    outcome = control._outcome(tmp_path)
    assert (outcome.points, outcome.harmed) == ({}, True)
    (tmp_path / "result.json").unlink()
    assert control._outcome(tmp_path).harmed


def test_a_sample_holds_one_in_twelve_of_every_class_each_from_another_part_of_it():
    chosen = sample(everything())
    count = Counter(group for group, _ in chosen)
    assert {group: count[group] for group in grouped()} == {
        group: max(4, len(own) // 12) for group, own in grouped().items()
    }
    assert len({attack.name for _, attack in chosen}) == len(chosen)
    assert len(everything()) == len(ATTACKS)


def test_the_table_shows_both_graders_side_by_side():
    theirs = [Verdict("a", "fake", ("gained", "left")), Verdict("b", "steal", ())]
    ours = [Verdict("a", "fake", ()), Verdict("b", "steal", ())]
    said = table(ours, theirs, 476)
    [line] = [line for line in said.splitlines() if line.startswith("all ")]
    assert " ".join(line.split()) == "all 2 1 / 0 0 / 0 0 / 0 1 / 0 0 / 0"
    assert "Got through to this grader: none" in said
    assert all(kind in said for kind in KINDS)


def test_counts_of_whole_classes_are_kept_beside_those_of_the_others(tmp_path: Path):
    theirs = [Verdict("a", "fake", ("gained", "left")), Verdict("b", "steal", ())]
    ours = [Verdict("a", "fake", ()), Verdict("b", "steal", ("leaked",))]
    file = tmp_path / "attacks.json"
    keep(counts(ours[1:], theirs[1:]), file)
    keep(counts(ours[:1], theirs[:1]), file)
    found = json.loads(file.read_text())
    assert list(found) == ["steal", "fake"]  # in the corpus' order
    assert {name: row["attacks"] for name, row in found.items()} == {"steal": 1, "fake": 1}
    assert found["fake"]["stock"] == {"gained": 1, "lost": 0, "leaked": 0, "left": 1, "harmed": 0}
    assert found["steal"]["autograder"]["leaked"] == 1
    assert found["steal"]["nbgrader"] == version("nbgrader")


def test_counts_of_a_sample_are_not_kept(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--write"])
    assert "give --all-attacks, too" in capsys.readouterr().err
