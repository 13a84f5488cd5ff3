"""Every property that greedy decoding and beam search must have (lesson 07).

    probe_decoding.greedy(translate_greedy, Toy, make_model, check.rng())
    probe_decoding.beams(beam_search, Toy, make_model, check.rng())

Toy is a known model of the test's own; make_model makes a blocks.Transformer where the answer runs. What
is right comes from plain loops over every hypothesis. Order: sources, greedy, beams.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from byhand import blocks, check
from byhand.probes.known_translation import Ids, Toy


def _batches(rng: Any, vocab_size: int, pad_id: int, B: int, S: int) -> Tensor:
    """Sources of several lengths, padded."""
    ids = [one for one in range(vocab_size) if one != pad_id]
    src = torch.tensor(rng.choice(ids, (B, S)))
    for row in range(1, B):
        src[row, S - int(rng.integers(0, S)) :] = pad_id
    return src


def _cut(ids: Sequence[int], eos: int) -> list[int]:
    return list(ids[: ids.index(eos)] if eos in ids else ids)


# Greedy


def greedy(translate: Any, toy: Callable[..., Any], make_model: Any, rng: Any) -> None:
    """translate(model, src, bos_id, eos_id, max_len) is translate_greedy."""
    for B, S, V, (pad, bos, eos), most in [
        (1, 1, 5, (0, 1, 2), 1),
        (3, 4, 6, (0, 1, 2), 6),
        (4, 3, 7, (5, 3, 0), 8),
        (2, 5, 6, (1, 0, 4), 30),
        (3, 2, 5, (2, 4, 1), 3),
    ]:
        model = toy(V, pad, seed=int(rng.integers(2**31)), favours={eos: 1.0, bos: 0.7, pad: 0.7})
        src = _batches(rng, V, pad, B, S)
        call = f"translate_greedy(model, src ({B}, {S}), bos_id={bos}, eos_id={eos}, max_len={most})"
        said = [_likeliest(model, source, bos, eos, most) for source in model.sources(src)]
        note = f"model.pad_id is {pad}."
        check.values(call, translate(model, src, bos, eos, most), [_cut(row, eos) for row in said], note=note)
        asked_well(call, model, src, sum(map(len, said)))
    model, src = toy(6, 0, scripts={3: [2, 4], 4: [5, 3, 2, 4]}), torch.tensor([[3, 5], [4, 0]])
    call = "translate_greedy(model, src, 1, 2, 40): rows end after 1 and 3 ids"
    check.values(call, translate(model, src, 1, 2, 40), [[], [5, 3]])
    asked_well(call, model, src, 4)
    model = toy(6, 0, seed=int(rng.integers(2**31)))
    src = _batches(rng, 6, 0, 2, 3)
    check.kept("translate_greedy(model, src, 1, 2, 3)", lambda src: translate(model, src, 1, 2, 3), src)
    for mode in (True, False):
        model.train(mode)
        translate(model, src, 1, 2, 3)
        check.values("model.training afterwards", model.training, mode, note="As it was before.")
    ours, theirs, src = _twins(make_model, rng, "greedy")
    call = "translate_greedy(model, src (3, 5), 1, 2, 12), a small Transformer"
    check.values(call, translate(theirs, src, 1, 2, 12), _greedy_rows(ours, src, 1, 2, 12))


def _likeliest(model: Toy, source: Ids, bos: int, eos: int, most: int) -> list[int]:
    """What is written, eos included."""
    ids = [bos]
    while len(ids) <= most and (len(ids) == 1 or ids[-1] != eos):
        logits = model.logits(source, tuple(ids))
        ids.append(logits.index(max(logits)))
    return ids[1:]


def asked_well(call: str, model: Toy, src: Tensor, most_steps: int, each_row: bool = False) -> None:
    """One encoding, no graph, this memory and mask, and no decoding after all rows have ended.

    each_row: every row may also be encoded alone, without its padding.
    """
    times = len(model._encoded)
    if each_row:
        check.true(call, 0 < times <= len(src), f"model.encode was called {times} times; once is enough.")
    else:
        check.true(call, times == 1, f"model.encode was called {times} times, expected once.")
        check.values(f"what model.encode received in {call}", model._encoded[0], src)
    times = len(model._asked)
    say = f"model.decode was called {times} times; stop when every row has ended, here {most_steps} at most."
    check.true(call, 0 < times <= most_steps, say)
    for tgt, memory, mask, graph in model._asked:
        check.true(call, not graph, "gradients are recorded while decoding; use torch.no_grad().")
        want = memory[..., 0] != model.pad_id
        note = "True at real tokens: src != model.pad_id."
        check.values(f"src_mask of decode, tgt {tuple(tgt.shape)}, in {call}", mask, want, note=note)


def _twins(make_model: Any, rng: Any, what: str) -> tuple[Any, Any, Tensor]:
    """The same small random Transformer here and where the answer runs, and a padded src."""
    ours = blocks.Transformer(9, 8, 2, 12, 2, max_len=24).eval()
    theirs = make_model(9, 8, 2, 12, 2, max_len=24)
    redrawn(ours, theirs, torch.Generator().manual_seed(int(rng.integers(2**31))))
    return ours, theirs, _batches(rng, 9, 0, 3, 5)


def redrawn(ours: Any, theirs: Any, generator: torch.Generator, spread: float = 0.5) -> None:
    """Draw the parameters of both models anew, alike; both are in eval mode then."""
    drawn = {
        name: spread * torch.randn(part.shape, generator=generator, dtype=torch.float64).to(part.dtype)
        for name, part in ours.named_parameters()
    }
    for model in (ours, theirs):
        model.load_state_dict(drawn, strict=False)
        model.eval()


@torch.no_grad()
def _greedy_rows(model: Any, src: Tensor, bos: int, eos: int, most: int) -> list[list[int]]:
    found = []
    for row in src:
        alone, ids = row[row != model.pad_id][None], [bos]
        while len(ids) <= most and (len(ids) == 1 or ids[-1] != eos):
            ids.append(int(model(alone, torch.tensor([ids]))[0, -1].argmax()))
        found.append(_cut(ids[1:], eos))
    return found


# Beams


def beams(search: Any, toy: Callable[..., Any], make_model: Any, rng: Any) -> None:
    """search(model, src, beam, length_penalty, bos_id, eos_id, max_len) is beam_search."""
    for B, S, V, (pad, bos, eos), beam, penalty, most in [
        (1, 1, 5, (0, 1, 2), 1, 1.0, 4),
        (3, 4, 5, (0, 1, 2), 2, 1.0, 5),
        (2, 3, 6, (5, 3, 0), 3, 0.0, 5),
        (2, 3, 5, (1, 0, 4), 3, 2.5, 6),
        (3, 2, 5, (2, 4, 1), 4, 0.6, 4),
        (2, 2, 4, (3, 2, 0), 7, 1.0, 3),
        (2, 2, 5, (0, 1, 2), 2, 1.5, 1),
        (2, 3, 5, (0, 1, 2), 2, 1.0, 60),
    ]:
        call = f"beam_search(model, src ({B}, {S}), {beam}, {penalty}, {bos}, {eos}, {most})"
        src = _batches(rng, V, pad, B, S)
        model, found = _clear(toy, rng, src, (V, pad, bos, eos), beam, penalty, most)
        want = [(_cut(ids, eos), score) for ids, score, _ in found]
        got = search(model, src, beam, penalty, bos, eos, most)
        note = f"The arguments are beam, length_penalty, bos_id, eos_id, max_len. V is {V}."
        check.values(call, got, want, note=note, tolerance=1e-4)
        steps = [steps for *_, steps in found]
        asked_well(call, model, src, beam * sum(steps), each_row=True)
    _optimum(search, toy, rng)
    ours, theirs, src = _twins(make_model, rng, "beam")
    call = "beam_search(model, src (3, 5), 1, 1.0, 1, 2, 8), a small Transformer: as greedy"
    got = [pair[0] for pair in search(theirs, src, 1, 1.0, 1, 2, 8)]
    check.values(call, got, _greedy_rows(ours, src, 1, 2, 8), note="A beam of 1 is greedy decoding.")
    model = toy(5, 0)
    for mode in (True, False):
        model.train(mode)
        call, run = (
            "beam_search(model, src, 2, 1.0, 1, 2, 2)",
            lambda src: search(model, src, 2, 1.0, 1, 2, 2),
        )
        check.kept(call, run, src % 5)
        check.values("model.training afterwards", model.training, mode, note="As it was before.")


def _clear(
    toy: Any, rng: Any, src: Tensor, ids: tuple[int, int, int, int], beam: int, penalty: float, most: int
) -> tuple[Any, list[tuple[Ids, float, int]]]:
    """A model for which no choice is close to a tie, and what is right for each row.

    A beam above V matters there: V hypotheses would not find all of it.
    """
    V, pad, bos, eos = ids
    while True:
        model = toy(V, pad, seed=int(rng.integers(2**31)), favours={eos: 0.5, bos: 0.3, pad: 0.3})
        found = [searched(model, one, beam, penalty, bos, eos, most) for one in model.sources(src)]
        few = [searched(model, one, min(beam, V), penalty, bos, eos, most) for one in model.sources(src)]
        matters = beam <= V or [one[0] for one in few] != [one[0] for one in found]
        if matters and min(margin for *_, margin in found) > 1e-3:
            return model, [one[:3] for one in found]


def searched(
    model: Toy, source: Ids, beam: int, penalty: float, bos: int, eos: int, most: int
) -> tuple[Ids, float, int, float]:
    """(ids with eos, score, steps, how close the closest choice was), one row by the definition."""
    kept: list[tuple[float, Ids]] = [(0.0, ())]
    steps, margin = 0, math.inf
    while steps < most and any(not ids or ids[-1] != eos for _, ids in kept):
        candidates = [one for one in kept if one[1] and one[1][-1] == eos]
        for total, ids in (one for one in kept if one not in candidates):
            each = model.log_probabilities(source, (bos, *ids))
            candidates += [(total + part, (*ids, token)) for token, part in enumerate(each)]
        candidates.sort(reverse=True)
        if len(candidates) > beam:
            margin = min(margin, candidates[beam - 1][0] - candidates[beam][0])
        kept, steps = candidates[:beam], steps + 1
    scored = sorted(((total / len(ids) ** penalty, ids) for total, ids in kept), reverse=True)
    if len(scored) > 1:
        margin = min(margin, scored[0][0] - scored[1][0])
    return scored[0][1], scored[0][0], steps, margin


def _optimum(search: Any, toy: Any, rng: Any) -> None:
    """A beam that holds everything finds the best of all texts."""
    (V, bos, eos, most), pad = (3, 0, 1, 3), 2
    src = torch.tensor([[0, 1], [1, pad]])
    for penalty in (0.0, 1.0, 2.0):
        model = _clear(toy, rng, src, (V, pad, bos, eos), V**most, penalty, most)[0]
        want = []
        for source in model.sources(src):
            each = (_scored(model, source, ids, bos, penalty) for ids in _texts(V, eos, most))
            score, ids = max(each)
            want.append((_cut(ids, eos), score))
        call = f"beam_search(model, src, {V**most}, {penalty}, {bos}, {eos}, {most}), V = {V}"
        note = "A beam that holds everything finds the best of all texts."
        check.values(
            call, search(model, src, V**most, penalty, bos, eos, most), want, note=note, tolerance=1e-4
        )


def _texts(V: int, eos: int, most: int) -> Iterator[Ids]:
    """Every text of at most `most` ids that ends with eos or has `most` ids."""
    for size in range(1, most + 1):
        for ids in itertools.product(range(V), repeat=size):
            if eos not in ids[:-1] and (size == most or ids[-1] == eos):
                yield ids


def _scored(model: Toy, source: Ids, ids: Ids, bos: int, penalty: float) -> tuple[float, Ids]:
    parts = (model.log_probabilities(source, (bos, *ids[:at]))[one] for at, one in enumerate(ids))
    return sum(parts) / len(ids) ** penalty, ids
