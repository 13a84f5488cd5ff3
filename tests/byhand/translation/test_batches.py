"""Batches of translations: every pair once an epoch, little padding, the same for the same step."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from byhand.translation import BOS, EOS, PAD, batches as loading
from byhand.translation.batches import Batch, Batches
from tests.translator import PAIRS, VOCABULARY, recipe


def rows(batch: Batch) -> list[tuple[list[int], list[int]]]:
    return [
        ([n for n in source if n != PAD], [n for n in target if n != PAD])
        for source, target in zip(batch.src.tolist(), batch.tgt.tolist(), strict=True)
    ]


def texts(share: loading.Share) -> list[tuple[str, str]]:
    decode = VOCABULARY.decode
    return [(decode(a), decode(b)) for batch in share.batches for a, b in rows(batch)]


def test_an_epoch_holds_every_pair_once() -> None:
    batches = Batches(PAIRS, VOCABULARY, recipe())
    found: list[tuple[str, str]] = []
    step = 0
    while len(found) < len(PAIRS):
        step += 1
        found += texts(batches.of(step))
    assert sorted(found) == sorted(PAIRS)
    assert texts(batches.of(step + 1)) != texts(batches.of(1))


def test_sources_end_with_eos_and_targets_are_between_bos_and_eos() -> None:
    batch = Batches(PAIRS, VOCABULARY, recipe()).of(1).batches[0]
    for source, target in rows(batch):
        assert source[-1] == EOS
        assert (target[0], target[-1]) == (BOS, EOS)


def test_a_batch_keeps_within_its_tokens_padding_counted() -> None:
    batches = Batches(PAIRS, VOCABULARY, recipe(tokens_per_batch=60))
    for step in range(1, 40):
        (batch,) = batches.of(step).batches
        assert batch.src.numel() + batch.tgt[:, 1:].numel() <= 60


def test_a_text_longer_than_a_batch_is_alone_and_cut_to_max_len() -> None:
    batches = Batches([("open " * 90, "门" * 90)], VOCABULARY, recipe(tokens_per_batch=10, max_len=30))
    (batch,) = batches.of(1).batches
    assert (batch.src.shape, batch.tgt[:, :-1].shape) == ((1, 30), (1, 30))
    assert (batch.src[0, -1], batch.tgt[0, -1]) == (EOS, EOS)


def test_bucketed_batches_hold_less_padding() -> None:
    def share_of_text(bucketed: bool) -> float:
        batches = Batches(PAIRS, VOCABULARY, recipe(bucketed=bucketed))
        shares = [batches.of(step) for step in range(1, 9)]
        cells = [batch.src.numel() + batch.tgt[:, 1:].numel() for share in shares for batch in share.batches]
        return sum(share.tokens for share in shares) / sum(cells)

    assert share_of_text(True) > share_of_text(False) + 0.05


def test_the_same_step_has_the_same_batches_in_whatever_order_it_is_asked_for() -> None:
    one, other = (Batches(PAIRS, VOCABULARY, recipe(seed=3)) for _ in range(2))
    forwards = [texts(one.of(step)) for step in range(1, 30)]
    backwards = [texts(other.of(step)) for step in range(29, 0, -1)]
    assert forwards == backwards[::-1]
    assert texts(Batches(PAIRS, VOCABULARY, recipe(seed=4)).of(1)) != forwards[0]


@pytest.mark.parametrize("world", [2, 5])
def test_processes_share_the_rows_of_the_same_batches(world: int) -> None:
    wanted = recipe(tokens_per_batch=90, accumulate=2)
    whole = Batches(PAIRS, VOCABULARY, wanted)
    parts = [Batches(PAIRS, VOCABULARY, wanted, rank, world) for rank in range(world)]
    for step in range(1, 12):
        shares = [part.of(step) for part in parts]
        together = [pair for share in shares for pair in texts(share) if pair[1]]
        assert sorted(together) == sorted(texts(whole.of(step)))
        assert {(share.predicted, share.tokens) for share in shares} == {whole.of(step)[1:]}


def test_rows_are_the_ids_filled_up_on_the_right_bit_for_bit() -> None:
    batches, generator = Batches(PAIRS, VOCABULARY, recipe()), np.random.default_rng(0)
    for side in (batches.sources, batches.targets):
        for width in (12, 20):
            which = generator.permutation(len(side))[:9]
            got = loading.Flat(side).rows(which, max(width, max(len(side[at]) for at in which)))
            want = torch.tensor([[*side[at], *[PAD] * (got.shape[1] - len(side[at]))] for at in which])
            assert got.dtype == torch.int64
            assert torch.equal(got, want)


def test_predicted_counts_target_ids_without_bos_and_padding() -> None:
    share = Batches(PAIRS, VOCABULARY, recipe(accumulate=3)).of(2)
    assert share.predicted == sum(int((batch.tgt[:, 1:] != PAD).sum()) for batch in share.batches)
    assert share.tokens == share.predicted + sum(int((batch.src != PAD).sum()) for batch in share.batches)


def test_bf16_batches_have_widths_of_eight() -> None:
    for step in range(1, 9):
        (batch,) = Batches(PAIRS, VOCABULARY, recipe(amp="bf16")).of(step).batches
        assert batch.src.shape[1] % 8 == 0
        assert batch.tgt[:, :-1].shape[1] % 8 == 0


def test_no_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="pairs is empty"):
        Batches([], VOCABULARY, recipe())


def test_loading_ahead_gives_the_same_batches_from_a_thread_that_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    batches, cpu = Batches(PAIRS, VOCABULARY, recipe()), torch.device("cpu")
    want = [texts(share) for share in loading.ahead(batches, range(1, 9), cpu)]
    before = threading.active_count()
    got = loading.from_thread(batches, range(1, 9), cpu)
    assert [texts(share) for share in got] == want
    assert threading.active_count() == before


def test_an_error_while_loading_is_raised_where_the_batch_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(tensor: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no memory can be pinned")

    monkeypatch.setattr(torch.Tensor, "pin_memory", broken)
    batches = Batches(PAIRS, VOCABULARY, recipe())
    with pytest.raises(RuntimeError, match="no memory can be pinned"):
        list(loading.from_thread(batches, range(1, 3), torch.device("cpu")))
