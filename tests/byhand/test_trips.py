"""byhand.trips: each word has a tag, splits share nothing, and words alone do not tell the tag."""

from __future__ import annotations

import pytest
import torch

from byhand import trips


def test_every_word_has_a_tag_and_an_id() -> None:
    for request in trips.requests(300, seed=0) + trips.requests(300, seed=0, split="new"):
        assert len(request.words) == len(request.tags)
        assert set(request.tags) <= set(trips.TAGS)
        assert set(request.words) <= set(trips.VOCABULARY.numbers)


def test_a_pattern_gets_its_tags_at_its_names() -> None:
    request = trips.requests(1, seed=0)[0]
    tagged = [tag for tag in request.tags if tag != "-"]
    assert tagged
    pattern = " ".join(word if tag == "-" else f"{{{tag}}}" for word, tag in zip(*request, strict=True))
    assert pattern in trips.SEEN


def test_the_same_seed_gives_the_same_requests() -> None:
    assert trips.requests(20, seed=3) == trips.requests(20, seed=3)
    assert trips.requests(20, seed=3) != trips.requests(20, seed=4)


def test_no_request_is_in_two_splits() -> None:
    found = [{r.words for r in trips.requests(400, seed, split)} for seed, split in enumerate(trips.SPLITS)]
    assert len(set().union(*found)) == sum(map(len, found))


def test_an_unknown_split_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match="'training'; the splits are train, test, exam, new"):
        trips.requests(1, seed=0, split="training")


def test_a_batch_marks_its_padding() -> None:
    tokens, tags = trips.batch(16, seed=0)
    assert tokens.shape == tags.shape
    assert torch.equal(tokens == 0, tags == trips.NO_TAG)
    assert int(tags.max()) < len(trips.TAGS)


def test_a_word_alone_seldom_tells_the_tag_of_a_name() -> None:
    baseline = trips.word_baseline(trips.requests(3000, seed=0))
    names, whole = trips.shares(baseline, trips.requests(500, seed=1, split="test"))
    assert 0.4 < names < 0.6
    assert whole < 0.1


def test_shares_count_names_and_whole_requests() -> None:
    asked = [
        trips.Request(("fly", "to", "rome"), ("-", "-", "to")),
        trips.Request(("from", "rome", "to", "lima"), ("-", "from", "-", "to")),
    ]
    said = [["-", "-", "to"], ["-", "to", "-", "to"]]
    answers = iter(said)
    assert trips.shares(lambda words: next(answers), asked) == (2 / 3, 1 / 2)


def test_a_model_becomes_a_tagger_by_its_largest_logit() -> None:
    def model(tokens: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(tokens % len(trips.TAGS), len(trips.TAGS)).float()

    said = ["rome", "monday"]
    want = [trips.TAGS[trips.VOCABULARY.numbers[word] % len(trips.TAGS)] for word in said]
    assert trips.tagger_of(model)(said) == want
