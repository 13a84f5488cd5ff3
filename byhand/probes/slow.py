"""Lesson 02 by slow loops in float64, plainly right: what byhand.probes.rnn compares answers with.

Parameters are those of the layer under test, read as copies; where their names are the learner's own
they are found by shape. Order: softmax and loss, attention, LSTM, encoder, decoder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Score = Callable[[list[float], list[float], dict[str, Any]], float]


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def attended(layer: Any, score: Score, query: Tensor, keys: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    parts = {name: part.detach().tolist() for name, part in layer.named_parameters()}
    contexts, shares = [], []
    for q, rows, may in zip(query.tolist(), keys.tolist(), mask.tolist(), strict=True):
        shares.append(_softmax([score(q, key, parts) for key in rows], may))
        contexts.append([dot(shares[-1], column) for column in zip(*rows, strict=True)])
    return torch.tensor(contexts, dtype=query.dtype), torch.tensor(shares, dtype=query.dtype)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis where mask is True, row by row; zeros for a row without any True."""
    size = scores.shape[-1]
    rows, may = scores.double().reshape(-1, size), mask.expand(scores.shape).reshape(-1, size)
    shares = [_softmax(*pair) for pair in zip(rows.tolist(), may.tolist(), strict=True)]
    return torch.tensor(shares, dtype=scores.dtype).reshape(scores.shape)


def _softmax(scores: list[float], mask: list[bool]) -> list[float]:
    top = max((score for score, may in zip(scores, mask, strict=True) if may), default=0.0)
    exps = [math.exp(score - top) if may else 0.0 for score, may in zip(scores, mask, strict=True)]
    return [one / (math.fsum(exps) or 1.0) for one in exps]


def sequence_loss(logits: Tensor, targets: Tensor, pad_id: int) -> Tensor:
    """Mean of minus log softmax at the targets that are not pad_id; 0 if all are."""
    losses = []
    for row, target in zip(logits.double().flatten(0, 1).tolist(), targets.flatten().tolist(), strict=True):
        if target != pad_id:
            top = max(row)
            losses.append(top + math.log(math.fsum(math.exp(one - top) for one in row)) - row[target])
    return torch.tensor(math.fsum(losses) / max(1, len(losses)), dtype=logits.dtype)


def _grouped(layer: Any, *shapes: tuple[int, ...]) -> list[list[Tensor]]:
    """The layer's parameters by shape; names are the learner's own."""
    parts = [part.detach().double() for _, part in layer.named_parameters()]
    return [[part for part in parts if tuple(part.shape) == shape] for shape in shapes]


def _cell(x: Tensor, h: Tensor, c: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """One step of an LSTM. weights: input (4H, E), hidden (4H, H), both biases (4H,)."""
    i, f, g, o = (x @ weights[0].T + h @ weights[1].T + weights[2] + weights[3]).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def encoded(encoder: Any, sizes: tuple[int, int, int], src: Tensor, lengths: Tensor, got: Tensor) -> Any:
    """(memory, (h, c)) of a bidirectional LSTM with the encoder's weights, step by step.

    sizes: vocabulary, embedding, hidden. None if the parameters are not those of torch's LSTMs. Which
    direction came first is not known: of both results the one is given whose memory is nearer to `got`.
    """
    vocab, embed, hidden = sizes
    shapes = (vocab, embed), (4 * hidden, embed), (4 * hidden, hidden), (4 * hidden,)
    found = _grouped(encoder, *shapes)
    if [len(group) for group in found] != [1, 2, 2, 4] or len(set(shapes)) < 4:
        return None
    ways = [[found[1][d], found[2][d], *found[3][2 * d : 2 * d + 2]] for d in (0, 1)]
    results = [_read(found[0][0], src, lengths, *pair) for pair in (ways, ways[::-1])]
    return min(results, key=lambda one: float((one[0] - got).detach().abs().max()))


def _read(
    embedding: Tensor, src: Tensor, lengths: Tensor, left: Sequence[Tensor], right: Sequence[Tensor]
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    size = left[1].shape[1]
    memory = torch.zeros(*src.shape, 2 * size, dtype=torch.float64)
    last = torch.zeros(2, 1, len(src), size, dtype=torch.float64)
    for row, length in enumerate(lengths.tolist()):
        for way, half, order in ((left, 0, range(length)), (right, size, range(length)[::-1])):
            h = c = torch.zeros(size, dtype=torch.float64)
            for at in order:
                h, c = _cell(embedding[src[row, at]], h, c, way)
                memory[row, at, half : half + size] = h
            last[:, 0, row] += torch.stack([h, c])
    return memory, (last[0], last[1])


def stepped(
    decoder: Any, sizes: tuple[int, ...], token: Tensor, state: Any, context: Tensor, got: Any
) -> Any:
    """[logits, h, c] of one step with the decoder's weights, by the formulas; None for other layers.

    sizes: vocabulary, embedding, hidden, memory. What stands first in a concatenation is free: of the
    possible results the one that is nearest to `got` is given.
    """
    vocab, embed, hidden, memory = sizes
    shapes = (vocab, embed), (4 * hidden, embed + memory), (4 * hidden, hidden), (4 * hidden,)
    found = _grouped(decoder, *shapes, (vocab, hidden + memory), (vocab,))
    if [len(group) for group in found] != [1, 1, 1, 2, 1, 1]:
        return None
    embedding, out, bias = found[0][0], found[4][0], found[5][0]
    weights, results = [found[1][0], found[2][0], *found[3]], []
    for read in ([embedding[token], context], [context, embedding[token]]):
        h, c = _cell(torch.cat(read, dim=-1), state[0][0], state[1][0], weights)
        results += [[torch.cat(told, dim=-1) @ out.T + bias, h, c] for told in ([h, context], [context, h])]
    return min(
        results,
        key=lambda one: sum(float((a - b).detach().abs().max()) for a, b in zip(one, got, strict=True)),
    )
