"""autograder.bench.translation: both sides do the same work, and both are measured."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from autograder.bench import joey, translation as bench
from byhand import blocks, data, translation
from byhand.translation.batches import Batches

SIZES = {"vocab_size": 30, "d_model": 16, "n_heads": 2, "d_hidden": 32, "n_layers": 2, "max_len": 12}


def of_torch(ours: blocks.Transformer) -> bench.Torchs:
    """The model of torch's parts with these weights."""
    theirs = bench.Torchs(**SIZES)
    theirs.embedding.load_state_dict(ours.embedding.state_dict())
    for side, blocks_of in (("encoder", ours.encoder), ("decoder", ours.decoder)):
        whole = getattr(theirs.both, side)
        whole.norm.load_state_dict(getattr(ours, f"{side}_norm").state_dict())
        for layer, block in zip(whole.layers, blocks_of, strict=True):
            cross = side == "decoder"
            attend(layer.self_attn, block.self_attention if cross else block.attention)
            if cross:
                attend(layer.multihead_attn, block.cross_attention)
            layer.linear1.load_state_dict(block.feed_forward.up.state_dict())
            layer.linear2.load_state_dict(block.feed_forward.down.state_dict())
            for name in ("norm1", "norm2", "norm3")[: 3 if cross else 2]:
                getattr(layer, name).load_state_dict(getattr(block, name).state_dict())
    return theirs


@torch.no_grad()
def attend(theirs, ours) -> None:
    for kind in ("weight", "bias"):
        parts = [getattr(getattr(ours, name), kind) for name in ("q_proj", "k_proj", "v_proj")]
        getattr(theirs, f"in_proj_{kind}").copy_(torch.cat(parts))
        getattr(theirs.out_proj, kind).copy_(getattr(ours.out_proj, kind))


def test_both_models_compute_the_same() -> None:
    torch.manual_seed(0)
    ours = blocks.Transformer(**SIZES)
    theirs = of_torch(ours)
    src, tgt = torch.tensor([[4, 5, 6, 2], [7, 2, 0, 0]]), torch.tensor([[1, 8, 9], [1, 10, 11]])
    torch.testing.assert_close(ours.eval()(src, tgt), theirs.eval()(src, tgt), rtol=1e-4, atol=1e-5)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())


def test_every_size_is_compared_and_threads_are_left_as_they_were(monkeypatch) -> None:
    monkeypatch.setattr(bench, "SIZES", ((2, 5, "smoke"), (3, 6, "smoke")))
    before = torch.get_num_threads()
    found = list(bench.training(rounds=1))
    assert ["2 texts of 5 tokens" in found[0].what, "3 texts of 6 tokens" in found[1].what] == [True, True]
    assert all(one.ours > 0 and one.theirs > 0 for one in found)
    assert torch.get_num_threads() == before


def test_random_texts_are_half_to_all_of_their_length() -> None:
    share = bench.random_share(50, 10)
    batch = share.batches[0]
    lengths = (batch.src != 0).sum(1)
    assert int(lengths.min()) == 5
    assert int(lengths.max()) == 10
    assert share.predicted == int((batch.tgt[:, 1:] != 0).sum())


def test_decoding_takes_as_many_steps_with_the_cache_as_without(monkeypatch) -> None:
    steps = []

    class Cache:
        def __init__(self, model, src):
            self.size = model.embedding.num_embeddings

        def step(self, token):
            steps.append(token)
            return torch.zeros(1, self.size)

    monkeypatch.setattr(bench, "reference", lambda lesson, exercise: Cache)
    found = bench.decoding("smoke", 7)
    assert len(steps) == 3 * 7
    assert found.ours < found.theirs


def test_a_ratio_above_one_means_that_ours_is_faster() -> None:
    compared = bench.Compared("a step", ours=0.010, theirs=0.015)
    assert str(compared) == "a step: 10.0 ms, the other 15.0 ms, ratio 1.50"


VOCABULARY = translation.Vocabulary("abc▁你好", [("a", "b")])


@pytest.mark.parametrize("text", ["ab c", "你好 abc", "a"])
def test_texts_for_joey_come_back_as_they_were(text: str) -> None:
    cut = joey.line(VOCABULARY, text)
    assert cut.split(" ") == VOCABULARY.pieces(text)
    assert joey.joined(cut) == text


def test_joey_gets_every_split_and_every_piece_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(
        data, "pairs", lambda name, split: [data.Pair("ab c", "你好"), data.Pair("a", "你\n")]
    )
    joey.write_texts(tmp_path, VOCABULARY)
    assert (tmp_path / "test.en").read_text(encoding="utf-8") == "ab ▁ c\na\n"
    assert (tmp_path / "valid.zh").read_text(encoding="utf-8").count("\n") == 2
    pieces = (tmp_path / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    assert len(pieces) == len(set(pieces)) == len(VOCABULARY) - 4


def test_joey_trains_the_same_sizes_and_rates(tmp_path) -> None:
    recipe, found = joey.recipe(), joey.settings(tmp_path, joey.recipe(), 1234)
    part = found["model"]["decoder"]
    assert [part[name] for name in ("num_layers", "num_heads", "hidden_size", "ff_size", "dropout")] == [
        recipe.n_layers, recipe.n_heads, recipe.d_model, recipe.d_hidden, recipe.dropout,
    ]  # fmt: skip
    training = found["training"]
    assert training["learning_rate"] == recipe.rate
    assert training["learning_rate_warmup"] == recipe.warmup
    assert training["label_smoothing"] == recipe.smoothing
    assert training["batch_size"] == 1234


def test_joeys_batches_hold_as_many_target_tokens_as_the_courses() -> None:
    lengths = np.random.default_rng(0).geometric(0.1, 500)
    pairs = [("a" * int(n), "你" * int(n // 2 + 1)) for n in lengths]
    ours = Batches(pairs, VOCABULARY, joey.recipe())
    size = joey.batch_size(ours)
    longer = ours.sizes[np.random.default_rng(0).permutation(500)].max(axis=1).tolist()
    n_ours = len(ours._epoch(0))
    assert joey.batches_of(longer, size) == pytest.approx(n_ours, rel=0.1)
    assert joey.batches_of([3, 5, 2, 2], 10) == 2  # 2 rows of 5 are 10; then 2 rows of 2, which end the epoch


def test_a_process_is_interrupted_when_its_processor_time_is_up(tmp_path) -> None:
    # In a function: Python 3.11 may raise between two rounds of a loop, outside of the try around it.
    busy = "import time\ndef busy():\n while True: time.time()\n"
    code = f"{busy}try: busy()\nexcept KeyboardInterrupt: print('saved')"
    used = joey.on_budget([sys.executable, "-IS", "-c", code], tmp_path, 0.5)
    assert used >= 0.5
    assert (tmp_path / "log.txt").read_text(encoding="utf-8") == "saved\n"


def test_a_process_that_ends_by_itself_is_an_error_with_its_last_words(tmp_path) -> None:
    with pytest.raises(RuntimeError, match="no such model"):
        joey.on_budget([sys.executable, "-c", "raise SystemExit('no such model')"], tmp_path, 60)
