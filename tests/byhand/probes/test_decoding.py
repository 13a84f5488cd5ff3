"""The checks of lesson 07's greedy decoding and beam search tell right answers from wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from byhand import blocks, check
from byhand.probes import decoding as probe_decoding, known_translation

Toy = known_translation.toy(lambda self, src: self.read(src), lambda self, *a, **k: self.say(*a, **k))


def searched(model, src, beam, penalty, bos, eos, most, pruned=0.0, counted=1, stop=all):
    """Beam search with its usual mistakes: pruned by normalised sums, another length, another stop."""
    with torch.no_grad():
        memory, mask = model.encode(src), src != model.pad_id
        return [
            _row(model, memory[[b]], mask[[b]], beam, penalty, bos, eos, most, pruned, counted, stop)
            for b in range(len(src))
        ]


def _row(model, memory, mask, beam, penalty, bos, eos, most, pruned, counted, stop):
    kept = [(0.0, [])]
    for _ in range(most):
        pool = []
        for total, ids in kept:
            if ids[-1:] == [eos]:
                pool.append((total, ids))
                continue
            gains = model.decode(torch.tensor([[bos, *ids]]), memory, mask)[0, -1].log_softmax(-1)
            pool += [(total + gain, [*ids, token]) for token, gain in enumerate(gains.tolist())]
        kept = sorted(pool, key=lambda one: one[0] / len(one[1]) ** pruned, reverse=True)[:beam]
        if stop(ids[-1] == eos for _, ids in kept):
            break
    score, ids = max((total / max(1, len(ids) - 1 + counted) ** penalty, ids) for total, ids in kept)
    return ids[:-1] if ids[-1] == eos else ids, score


def greedy(model, src, bos, eos, most):
    return [ids for ids, _ in searched(model, src, 1, 1.0, bos, eos, most)]


def rng():
    return np.random.default_rng(0)


def test_right_answers_pass():
    probe_decoding.greedy(greedy, Toy, blocks.Transformer, rng())
    probe_decoding.beams(searched, Toy, blocks.Transformer, rng())


def _first(model, src, bos, eos, most):
    """All rows stop with the shortest."""
    rows = greedy(model, src, bos, eos, most)
    return [row[: min(map(len, rows))] for row in rows]


def _graph(model, src, bos, eos, most):
    with torch.no_grad():
        rows = greedy(model, src, bos, eos, most)
        model._encoded.clear(), model._asked.clear()
    model.decode(src[:, :1], model.encode(src), src != model.pad_id)
    return rows


def _endless(model, src, bos, eos, most):
    rows = greedy(model, src, bos, eos, most)
    with torch.no_grad():
        for _ in range(100):
            model.decode(src[:, :1], model.read(src), src != model.pad_id)
            model._encoded.pop()
    return rows


def _trained(model, src, bos, eos, most):
    rows = greedy(model, src, bos, eos, most)
    model.train()
    return rows


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda model, src, bos, eos, most: greedy(model, src, bos, eos, most + 1), "elements|was called"),
        (lambda model, src, bos, eos, most: greedy(model, src, 1, 2, most), "model.pad_id is"),
        (_first, "elements"),
        (_graph, "gradients are recorded"),
        (_endless, "stop when every row has ended"),
        (_trained, "model.training afterwards"),
    ],
)
def test_a_greedy_answer_that_is_wrong_is_noticed(wrong, said):
    with pytest.raises(check.CheckFailed, match=said):
        probe_decoding.greedy(wrong, Toy, blocks.Transformer, rng())


@pytest.mark.parametrize("wrong", [{"pruned": 1.0}, {"counted": 0}, {"stop": any}])
def test_a_beam_that_is_wrong_is_noticed(wrong):
    with pytest.raises(check.CheckFailed, match="The arguments are beam"):
        probe_decoding.beams(lambda *given: searched(*given, **wrong), Toy, blocks.Transformer, rng())


def test_the_small_examples_name_the_mistake():
    model = Toy(5, pad_id=0, tables=known_translation.TABLES)
    src = torch.tensor([[3, 4, 4], [4, 0, 0]])
    want = searched(model, src, 2, 2.0, 1, 2, 4)
    assert [ids for ids, _ in want] == [[4, 4], [3, 3]]
    for wrong, said in (
        ({"counted": 0}, "eos_id counts"),
        ({"pruned": 2.0}, "sums alone"),
        ({"stop": any}, "first"),
    ):
        got = searched(model, src, 2, 2.0, 1, 2, 4, **wrong)
        with pytest.raises(check.CheckFailed, match=said):
            check.values("beam_search(…)", got, want, known_wrong=known_translation.BEAM)


def test_every_text_is_listed_once_for_the_exhaustive_optimum():
    texts = list(probe_decoding._texts(V=3, eos=1, most=3))
    assert len(texts) == len(set(texts)) == 1 + 2 + 4 * 3
