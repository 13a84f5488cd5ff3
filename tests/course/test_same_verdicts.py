"""Known answers get the same points from stock nbgrader as from the split grader.

    an exercise's answers --a block each--> one notebook --nbgrader's Execute, its determine_grade--> points

A block is what one answer can touch of its lesson, after a reset of the kernel's names, the checks'
memory and the files beside the notebook: a kernel for each answer would take hours. Only where the two
graders then differ, the answer is run alone. Two answers of each lesson here, all in the slow suite; of
one lesson: `pytest -m slow tests/course/test_same_verdicts.py -k 03_self`. Order: stock, split, what differs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from nbformat import v4
from nbgrader import utils
from nbgrader.preprocessors import Execute

from autograder.author import bank, lesson, trial
from autograder.author.bank import Answer
from autograder.author.lesson import ROOT, SOLUTIONS, Cell
from autograder.author.needed import touched
from autograder.judge import engine
from autograder.sandbox.worker import Limits, Worker

LESSONS = lesson.names()
EXERCISES = [(name, cell.exercise) for name in LESSONS for cell in lesson.read(name).of_kind("test")]
SECONDS = 600  # for a cell; nbgrader's own 30 are few on a machine that has other things to do
RESET = """
from byhand import check
check.host = check.Host()
import pathlib, shutil
for path in pathlib.Path().glob("*.safetensors"):
    path.unlink()
for path in pathlib.Path("given").iterdir():
    shutil.copy(path, ".")
"""
Points = dict[str, float]  # test's grade_id -> points
# Lesson, exercise, answer: what is forbidden stands in a helper, which stock nbgrader has no means to read.
STOCK_IS_WRONG = {("07_translation", "DecoderBlock", "lent gives the course's")}


def _cells(name: str, answer: Answer) -> list[Cell]:
    """What this answer can touch, with it."""
    cells = trial.with_answer(lesson.read(name), answer)
    return [cells[place] for place in touched(cells, answer.exercise)]


# Stock nbgrader


def by_stock(name: str, answers: Sequence[Answer], folder: Path) -> list[Points]:
    """What stock nbgrader gives, all of them in one kernel."""
    (folder / "given").mkdir()
    for file in (SOLUTIONS / name).glob("*.safetensors"):  # the author's weights, as handed in
        shutil.copy(file, folder / "given")
    blocks = [[_code(cell, number) for cell in _cells(name, one)] for number, one in enumerate(answers)]
    resets = [[_plain("get_ipython().reset(new_session=False)"), _plain(RESET)] for _ in answers]
    nodes = [node for pair in zip(resets, blocks, strict=True) for part in pair for node in part]
    book = v4.new_notebook(
        cells=nodes, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )
    run = Execute(timeout=SECONDS, extra_arguments=["--HistoryManager.hist_file=:memory:"])
    run.preprocess(book, {"metadata": {"path": str(folder)}})
    assert [node.outputs for reset in resets for node in reset if node.outputs] == []
    return [{_test(node): utils.determine_grade(node)[0] for node in block if utils.is_grade(node)}
            for block in blocks]  # fmt: skip


def _plain(source: str):
    return v4.new_code_cell(source)


def _code(cell: Cell, number: int):
    """A cell as nbgrader's own: a test's grade_id ends with the answer's number, for ids must be unique."""
    node = v4.new_code_cell(cell.source)
    graded = cell.kind == "test"
    if cell.grade_id:
        node.metadata["nbgrader"] = {
            "schema_version": 3, "grade": graded, "solution": not graded, "task": False, "locked": graded,
            "grade_id": f"{cell.grade_id}-{number}", "points": cell.points, "cell_type": "code",
        }  # fmt: skip
    return node


def _test(node) -> str:
    return node.metadata.nbgrader.grade_id.rpartition("-")[0]


# The split grader, and both


def by_split(worker: Worker, name: str, answer: Answer) -> Points:
    files = {path.name: path.read_bytes() for path in (SOLUTIONS / name).glob("*.safetensors")}
    report = engine.grade(name, _cells(name, answer), files, 1, Limits(), worker)
    return {verdict.test: verdict.points for verdict in report.verdicts}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as made:
        yield made


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, again and again; kernels begin as if graded, with this repository's modules."""
    monkeypatch.setenv("BYHAND_GRADING", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def made() -> Iterator[Path]:
        number = 0
        while True:
            number += 1
            (tmp_path / str(number)).mkdir()
            yield tmp_path / str(number)

    return made()


def differences(worker: Worker, name: str, answers: Sequence[Answer], folders: Iterator[Path]) -> list[str]:
    """One sentence for each answer that the graders do not agree on."""
    found = []
    for answer, stock in zip(answers, by_stock(name, answers, next(folders)), strict=True):
        split = by_split(worker, name, answer)
        if stock != split:
            [stock] = by_stock(name, [answer], next(folders))
        if stock != split:
            found.append(f"{answer.verdict} {answer.exercise}, {answer.name}: stock {stock}, split {split}")
        assert set(split) >= {f"test_{answer.exercise}"}
    return found


def _first_two(name: str) -> list[Answer]:
    answers = bank.read(name)
    return [next(one for one in answers if one.verdict == verdict) for verdict in ("right", "wrong")]


@pytest.mark.parametrize("name", LESSONS)
def test_stock_nbgrader_agrees_on_a_right_and_a_wrong_answer(worker, folders, name):
    right, wrong = _first_two(name)
    assert differences(worker, name, [right, wrong], folders) == []
    assert by_split(worker, name, right)[f"test_{right.exercise}"] > 0
    assert by_split(worker, name, wrong)[f"test_{wrong.exercise}"] == 0


def test_a_difference_between_the_graders_is_found(worker, folders, monkeypatch):
    right, _ = _first_two(LESSONS[0])
    monkeypatch.setattr(
        "tests.course.test_same_verdicts.by_split", lambda *_: {f"test_{right.exercise}": 0.0}
    )
    [said] = differences(worker, LESSONS[0], [right], folders)
    assert said.startswith(f"right {right.exercise}, {right.name}: stock")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_stock_nbgrader_agrees_on_every_known_answer(worker, folders, name, exercise):
    answers = [answer for answer in bank.read(name) if answer.exercise == exercise]
    agreed = [one for one in answers if (name, exercise, one.name) not in STOCK_IS_WRONG]
    assert differences(worker, name, agreed, folders) == []
