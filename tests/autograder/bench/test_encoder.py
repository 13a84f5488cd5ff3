"""autograder.bench.encoder: both models are the same, and both are measured at every size."""

from __future__ import annotations

import torch

from autograder.bench import encoder
from byhand import blocks


def test_both_models_hold_the_same_numbers_of_parameters() -> None:
    ours = blocks.TransformerEncoder(encoder.VOCABULARY, 32, encoder.N_HEADS, 64, 2, 24)
    theirs = encoder.Torchs(32, 64, 2, 24)
    counts = [sorted(part.numel() for part in model.parameters()) for model in (ours, theirs)]
    assert sum(counts[0]) == sum(counts[1])


def test_every_size_is_compared_and_threads_are_left_as_they_were(monkeypatch) -> None:
    monkeypatch.setattr(encoder, "SIZES", ((2, 5, 8, 12, 1), (3, 4, 8, 8, 2)))
    before = torch.get_num_threads()
    found = list(encoder.compare(rounds=2))
    assert [one.size for one in found] == list(encoder.SIZES)
    assert all(one.ours > 0 and one.torchs > 0 for one in found)
    assert torch.get_num_threads() == before


def test_a_ratio_above_one_means_that_the_courses_encoder_is_faster() -> None:
    compared = encoder.Compared((2, 5, 8, 12, 1), ours=0.010, torchs=0.015)
    assert compared.ratio == 1.5
    assert "10.0 ms a step, torch's own 15.0 ms, ratio 1.50" in str(compared)
