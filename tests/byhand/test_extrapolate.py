"""Lesson 04's experiment: its texts, its readers, and that a second call goes on where the first ended."""

from __future__ import annotations

import torch

from byhand import extrapolate

GENERATOR = torch.Generator().manual_seed(0)


def test_answers_are_the_last_letter_up_to_each_gap():
    tokens, answers, gaps = extrapolate.last_letter(5, 20, GENERATOR)
    for row, told, asked in zip(tokens.tolist(), answers.tolist(), gaps.tolist(), strict=True):
        for place, here in enumerate(asked):
            assert here == (row[place] == extrapolate.LETTERS)
            letters = [token for token in row[: place + 1] if token < extrapolate.LETTERS]
            assert told[place] == letters[-1]


def test_the_other_task_asks_for_the_token_three_back():
    tokens, answers, asked = extrapolate.three_back(2, 9, GENERATOR)
    assert (answers[:, 3:] == tokens[:, :-3]).all()
    assert asked[0].tolist() == [False] * 3 + [True] * 6


def test_training_goes_on_with_the_next_reader_and_draws_the_same_ones(capsys):
    ways = {"none": {}, "zeros": {"add": lambda T, E: torch.zeros(T, E)}}
    readers = {}
    extrapolate.train_all(readers, {"none": {}}, 2)
    first = readers["none"]
    extrapolate.train_all(readers, ways, 2)
    assert readers["none"] is first
    states = [list(reader.state_dict().values()) for reader in readers.values()]
    assert all(torch.equal(*pair) for pair in zip(*states, strict=True))
    assert "zeros" in capsys.readouterr().out


def test_accuracy_has_a_number_for_each_stretch_and_a_line_for_guessing(capsys):
    curves = extrapolate.accuracy({"none": extrapolate.Reader()}, length=32)
    assert curves["none"].shape == (4,)
    assert curves["guessing"].tolist() == [0.125] * 4


def test_nothing_is_trained_while_grading(monkeypatch):
    monkeypatch.setenv("BYHAND_GRADING", "1")
    readers = {}
    extrapolate.train_all(readers, {"none": {}}, 2)
    assert readers == {}
