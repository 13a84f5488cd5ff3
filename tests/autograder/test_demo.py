"""autograder demo: the sample class is made from the bank, and the comparison can fail."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from autograder import demo, sample
from autograder.author import bank, lesson
from autograder.grading.job import Settings
from tests.places import TINY

NAME = "90_tiny"


@pytest.fixture(scope="module")
def tiny() -> lesson.Lesson:
    return lesson.read(NAME, TINY)


@pytest.fixture(scope="module")
def members(tiny: lesson.Lesson) -> list[sample.Member]:
    return sample.members(tiny, TINY)


def as_promised(members: list[sample.Member]) -> demo.Points:
    return {member.name: dict(member.expected) for member in members}


def test_the_class_has_24_learners_of_every_sort(members: list[sample.Member]) -> None:
    assert len({member.name for member in members}) == len(members) == 24
    did = [member.did for member in members]
    for sort, count in {
        "right": 6,
        "left it": 2,
        "did every other": 2,
        "an endless loop": 1,
        "handed in no": 1,
    }.items():
        assert sum(text.startswith(sort) for text in did) == count


def test_every_wrong_answer_of_a_small_bank_is_handed_in(members: list[sample.Member]) -> None:
    wrong = {answer.source for answer in bank.read(NAME, TINY) if answer.verdict == "wrong"}
    assert wrong <= {source for member in members for source in member.answers.values()}


def test_the_class_is_the_same_each_time(tiny: lesson.Lesson, members: list[sample.Member]) -> None:
    assert sample.members(tiny, TINY) == members


def test_right_answers_chosen_beside_a_mistake_do_not_call_it(tiny: lesson.Lesson) -> None:
    """Else the mistake would cost a second exercise, and the expected points would be wrong."""
    calling = bank.Answer(
        "right", "share", "calls dot", "def share(scores):\n    return dot(scores, scores)\n"
    )
    right = {"dot": [], "share": [calling]}
    assert sample._chosen(tiny, right, 0, ())["share"] == calling.source
    assert "total_of_scores" in sample._chosen(tiny, right, 0, ["dot"])["share"]  # the reference instead


def renaming(name: str) -> bank.Answer:
    source = f'save_file(renamed(weights), "weights.safetensors")\n\n\nclass {name}: ...\n'
    return bank.Answer("right", name, "other names", source)


@pytest.mark.parametrize(
    ("trains", "kept"), [("fit.fit(dot())", True), ("fit.fit(blocks.dot())", False), ("share()", True)]
)
def test_an_answer_that_renames_weights_goes_with_one_that_trains_it(
    tiny: lesson.Lesson, trains: str, kept: bool
) -> None:
    """Else the weights would not fit the model that is trained, and the expected points would be wrong."""
    right = {"dot": [renaming("dot")], "share": [bank.Answer("right", "share", "trains", trains)]}
    chosen = sample._chosen(tiny, right, 0, ())
    assert chosen["share"] == trains
    assert ("renamed(" in chosen["dot"]) is kept


def test_who_trains_may_rewrite_the_weights(tiny: lesson.Lesson) -> None:
    halved = bank.Answer("right", "share", "halves", renaming("share").source + "fit.fit(dot())\n")
    assert sample._chosen(tiny, {"dot": [], "share": [halved]}, 0, ())["share"] == halved.source


def test_a_class_takes_the_whole_loop_and_gets_what_it_deserves(
    tiny: lesson.Lesson, members: list[sample.Member], tmp_path: Path
) -> None:
    few = [members[0], members[6], members[20], members[22], members[23]]
    place = demo.Demo(tiny, tmp_path / "示例 class", TINY)
    settings = Settings({"call_seconds": 2.0})
    demo.run_class(place, few[-1:], settings, jobs=1)
    points = demo.run_class(place, few, settings, jobs=2)  # over the first
    assert list(demo.differences(few, points)) == []
    assert len((place.folder / "grades.csv").read_text().splitlines()) == 1 + len(few)
    pages = list(place.folder.glob(f"learners/*/{NAME}/feedback/*/{NAME}.html"))
    assert len(pages) == len(few)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["02_rnn_attention", "03_self_attention", "04_positions", "05_local_attention"]
)
def test_the_class_of_a_real_lesson_gets_what_it_deserves(name: str, tmp_path: Path) -> None:
    assert demo.run(argparse.Namespace(lesson=name, to=tmp_path / "class", jobs=1)) == 0


def test_a_wrong_point_in_the_gradebook_is_named(members: list[sample.Member]) -> None:
    points = as_promised(members)
    points["gus"]["dot"] = 2.0
    (said,) = demo.differences(members, points)
    assert said == "gus, dot: expected 0, got 2 (dot: forgets the scale)."


def test_a_learner_missing_from_the_gradebook_is_named(members: list[sample.Member]) -> None:
    points = as_promised(members)
    del points["yuki"]
    assert list(demo.differences(members, points)) == [
        "yuki has no row in the gradebook (handed in no notebook)."
    ]


@pytest.mark.parametrize(("points_of_gus", "status"), [(0.0, 0), (2.0, 1)])
def test_the_exit_status_says_whether_all_agree(
    tiny: lesson.Lesson,
    members: list[sample.Member],
    points_of_gus: float,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    points = as_promised(members)
    points["gus"]["dot"] = points_of_gus
    monkeypatch.setattr(demo, "run_class", lambda *_: points)
    monkeypatch.setattr(demo.lessons, "read", lambda name: tiny)
    monkeypatch.setattr(demo.lessons, "names", lambda: [NAME])
    monkeypatch.setattr(sample, "members", lambda lesson: members)
    assert demo.run(argparse.Namespace(lesson=NAME, to=tmp_path, jobs=1)) == status


def test_a_folder_of_someone_else_is_left_alone(tiny: lesson.Lesson, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(lesson.LessonError, match="is not empty and holds no earlier demo"):
        demo.run_class(demo.Demo(tiny, tmp_path, TINY), [], Settings(), jobs=1)
    assert (tmp_path / "thesis.txt").read_text() == "precious"
