"""The README is true: its tables, the commands it names, the files it points to, the message it quotes."""

import importlib.util
import json
import re
import shutil
from collections import Counter

import pytest

from autograder import cli
from autograder.author import readme, trial
from autograder.author.lesson import SOLUTIONS
from byhand import cli as byhand_cli
from tests.places import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = [TEXT, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")]
EVERYTHING = "\n".join(GUIDES)

FORGETS_THE_AXIS = """\
# %% wrong softmax: forgets the axis
# reads: along axis only
def softmax(scores, axis=-1, temperature=1.0):
    exps = np.exp(scores / temperature)
    return exps / exps.sum()
"""


# ---- what is generated


def test_the_tables_are_up_to_date():
    assert readme.main(["--check"]) == 0


def test_only_what_lies_between_the_markers_is_replaced():
    text = "before\n<!-- begin x -->\nold\n<!-- end x -->\nafter \\1"
    assert readme.between(text, "x", r"new \g<0>") == (
        "before\n<!-- begin x -->\nnew \\g<0>\n<!-- end x -->\nafter \\1"
    )


def test_a_missing_marker_is_named():
    with pytest.raises(ValueError, match="<!-- begin lessons -->"):
        readme.between("no markers", "lessons", "")


def test_an_answer_that_breaks_its_promise_shows_in_the_table(monkeypatch):
    every = Counter({("01_scoring", "softmax", "wrong"): 9, ("01_scoring", "softmax", "right"): 4})
    monkeypatch.setattr(readme, "known_answers", lambda: every)
    kept = Counter({("01_scoring", "softmax", "wrong"): 8, ("01_scoring", "softmax", "right"): 4})
    assert readme.known(kept).splitlines()[2:] == [
        "| 01 `softmax` | 9 | 8 | 4 | 4 |",
        "| **all** | **9** | **8** | **4** | **4** |",
    ]


def test_an_old_table_is_reported(monkeypatch, tmp_path, capsys):
    old = re.sub(r"\*\*Takes\*\* about \d+", "**Takes** about 1", TEXT)
    (tmp_path / "README.md").write_text(old, encoding="utf-8")
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    assert readme.main(["--check"]) == 1
    assert "'takes' is out of date" in capsys.readouterr().err


# ---- what is written by hand


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", EVERYTHING)) - {"to"}))
def test_a_make_target_that_is_named_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("module", sorted(set(re.findall(r"-m ((?:byhand|autograder)[\w.]*)", EVERYTHING))))
def test_a_module_that_is_run_exists(module):
    assert importlib.util.find_spec(module)


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"byhand\.cli (\w+)|`byhand (\w+)`", EVERYTHING))))
def test_a_verb_of_byhand_exists(verb):
    assert "".join(verb) in byhand_cli.VERBS


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"^autograder (\w+)", TEXT, flags=re.MULTILINE))))
def test_a_verb_of_autograder_exists(verb):
    assert verb in cli.VERBS


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)", EVERYTHING))))
def test_a_linked_file_exists(link):
    assert (ROOT / link).exists()


@pytest.mark.parametrize("anchor", sorted(set(re.findall(r"\]\((?:README\.md)?#([^)]+)\)", EVERYTHING))))
def test_a_linked_heading_exists(anchor):
    headings = re.findall(r"^#+ (.+)$", TEXT, flags=re.MULTILINE)
    assert anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]


def test_the_tree_names_every_folder_and_only_what_is_there():
    tree = TEXT.split("## Where things are")[1].split("```")[1]
    kept, ignored = tree.split("\n\n")
    named = re.findall(r"^([\w./-]+)  ", kept, flags=re.MULTILINE)
    assert [name for name in named if not (ROOT / name).exists()] == []
    packages = {f"{path.parent.relative_to(ROOT)}/" for path in ROOT.glob("*/__init__.py")}
    assert packages | {"lessons/", "solutions/", "data/"} <= set(named)
    skipped = (ROOT / ".gitignore").read_text().split()
    assert [
        name for name in re.findall(r"^([\w./-]+/) ", ignored, re.MULTILINE) if f"/{name}" not in skipped
    ] == []


def test_the_message_it_quotes_is_what_that_learner_reads(tmp_path):
    shutil.copytree(SOLUTIONS / "01_scoring", tmp_path / "01_scoring")
    (tmp_path / "01_scoring" / "answers.py").write_text(FORGETS_THE_AXIS, encoding="utf-8")
    (tried,) = trial.run_bank("01_scoring", jobs=1, solutions=tmp_path)
    (message,) = (verdict.message for verdict in tried.report.verdicts if verdict.message)
    assert f"```text\n{message}\n```" in TEXT


def test_joeys_table_stands_under_the_others_once_it_was_measured():
    figures = json.loads(readme.TRANSLATION.read_text(encoding="utf-8"))
    figures["joey"] = {
        "minutes": 2.0,
        "machine": figures["machine"],
        "sides": [
            {"name": name, "parameters": 1234567, "steps": 100, "tokens_per_second": 2345.6, "bleu": 7.89}
            for name in ("the course's", "Joey NMT")
        ],
    }
    lines = readme.beside_joey(figures)
    assert lines[-1] == "| Joey NMT | 1,234,567 | 100 | 2,346 | 7.9 |"
    assert "Beside Joey NMT, 2 minutes of processor time each" in lines[1]
