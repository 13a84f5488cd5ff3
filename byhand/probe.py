"""What the hidden checks of lesson 02 compare with: slow loops in float64, and modules that take notes.

    probe.attention("AdditiveAttention(3, 2, 4)", layer, score)     every property of such a layer
    probe.encoded(encoder, V, E, H, src, lengths)                   what an LSTM with its weights gives
    probe.stepped(decoder, ...)                                     likewise for one step of a decoder

Answers may be in another process: layers are asked only through calls, and parameters are read as
copies. Order: modules that take notes, gradients, attention, encoder, decoder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from byhand import check

Score = Callable[[list[float], list[float], dict[str, Any]], float]
AXES = (("text", "feature"), ("text", "key"))


class KnownAttention(nn.Module):
    """Equal weights for all that may be looked at; notes what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Tensor, ...]] = []

    def forward(self, query: Tensor, keys: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        self.asked.append((query, keys, mask))
        weights = mask.to(keys.dtype) / mask.sum(dim=-1, keepdim=True)
        return (weights[:, None] @ keys).squeeze(1), weights


class KnownEncoder(nn.Module):
    """Tells the decoder the text's first token; notes what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen: list[tuple[Tensor, ...]] = []

    def forward(self, src: Tensor, lengths: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        self.seen.append((src, lengths))
        memory = self.weight * src[..., None].float()
        return memory, (memory[None, :, 0], torch.zeros(1, len(src), 1))


class KnownDecoder(nn.Module):
    """Writes scripts[first token], symbol by symbol, whatever it is fed; notes what it was asked."""

    def __init__(self, scripts: Mapping[int, Sequence[int]]) -> None:
        super().__init__()
        self.scripts = scripts
        self.seen: list[tuple[Any, ...]] = []

    def says(self, text: int, at: int) -> int:
        """What it writes for this text at this step; a script's last symbol goes on for ever."""
        script = self.scripts[text]
        return script[min(at, len(script) - 1)]

    def write(self, token: Tensor, state: Any, memory: Tensor, mask: Tensor) -> tuple[Tensor, Any, Tensor]:
        self.seen.append((token, memory, mask, torch.is_grad_enabled()))
        logits = memory.sum() * 0 - torch.ones(len(token), 12)
        for row, (text, at) in enumerate(zip(state[0].flatten(), state[1].flatten(), strict=True)):
            logits[row, self.says(int(text), int(at))] = 3.0
        return logits, (state[0], state[1] + 1), mask.float()


# Gradients


def arrive(layer: Any, output: Callable[[], Tensor]) -> None:
    """Every parameter of the layer gets a finite gradient that is not all 0 from output()."""
    layer.zero_grad()
    output().backward()  # type: ignore[no-untyped-call]
    for name, part in layer.named_parameters():
        reached(f"the gradient of {name}", part.grad)


def reached(call: str, grad: Tensor | None) -> None:
    good = grad is not None and bool(grad.isfinite().all()) and bool((grad != 0).any())
    check.true(call, good, "it does not arrive, or it is not finite; is something detached?")


# Attention


def attention(name: str, make: Any, sizes: Sequence[int], score: Score, rng: torch.Generator) -> None:
    """make(*sizes) is attention of one query for each text, with score(query, key, parameters)."""
    for dtype in (torch.float64, torch.float32):
        for texts, n_keys in ((1, 1), (3, 4), (4, 2)):
            layer = _random(make(*sizes).to(dtype), dtype, rng)
            given = _asked(sizes, texts, n_keys, dtype, rng)
            call = f"{name}, {texts} texts, {n_keys} keys, {dtype}"
            check.values(call, layer(*given), _attended(layer, score, *given), axes=AXES)
    layer, (query, keys, _) = make(*sizes).double(), _asked(sizes, 3, 4, torch.float64, rng)
    mask = torch.tensor([[True] * 4, [True, True, False, False], [False] * 4])
    context, weights = layer(query, keys, mask)
    longer = torch.cat([keys, 50 + torch.zeros_like(keys[:, :2])], dim=1)
    wide = torch.cat([mask, torch.zeros(3, 2, dtype=torch.bool)], dim=1)
    want = context, torch.cat([weights, torch.zeros_like(weights[:, :2])], dim=1)
    check.values(f"{name}(query, keys with padding, mask)", layer(query, longer, wide), want, axes=AXES)
    call = f"{name}(query[1:2], keys[1:2, :2], mask[1:2, :2])"
    got, want = layer(query[1:2], keys[1:2, :2], mask[1:2, :2]), (context[1:2], weights[1:2, :2])
    check.values(call, got, want, axes=AXES, note="Texts of a batch are independent.")
    call = f"{name}(query, keys, mask)"
    check.kept(call, layer, query, keys, mask)
    check.gradient(call, lambda query, keys: layer(query, keys, mask), (query, keys))
    arrive(layer, lambda: layer(query, keys, mask)[0].square().sum())
    _refuses(name, layer, query, keys, mask)


def _refuses(name: str, layer: Any, query: Tensor, keys: Tensor, mask: Tensor) -> None:
    wide = torch.cat([keys, keys[..., :1]], dim=-1)
    cases = {
        "query for 1 text, keys for 3": (query[:1], keys, mask),
        "query for 3 texts, keys for 1": (query, keys[:1], mask[:1]),
        "keys one feature too long": (query, wide, mask),
        "a mask one key too long": (query, keys, torch.cat([mask, mask[:, :1]], dim=1)),
    }
    for what, given in cases.items():
        check.raises(f"{name}(query, keys, mask), {what},", partial(layer, *given), error=Exception)


def _asked(
    sizes: Sequence[int], texts: int, n_keys: int, dtype: torch.dtype, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    query = torch.randn(texts, sizes[0], generator=rng, dtype=torch.float64).to(dtype)
    memory = torch.randn(texts, n_keys, sizes[1], generator=rng, dtype=torch.float64).to(dtype)
    return query, memory, torch.rand(texts, n_keys, generator=rng) < 0.7


def _random(layer: Any, dtype: torch.dtype, rng: torch.Generator) -> Any:
    """The layer, with every parameter drawn anew."""
    shapes = {name: part.shape for name, part in layer.named_parameters()}
    drawn = {name: torch.randn(shape, generator=rng, dtype=torch.float64) for name, shape in shapes.items()}
    layer.load_state_dict({name: part.to(dtype) for name, part in drawn.items()})
    return layer


def _attended(layer: Any, score: Score, query: Tensor, keys: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    parts = {name: part.detach().tolist() for name, part in layer.named_parameters()}
    contexts, shares = [], []
    for q, rows, may in zip(query.tolist(), keys.tolist(), mask.tolist(), strict=True):
        scores = [score(q, key, parts) for key in rows]
        exps = [math.exp(s - max(scores)) if m else 0.0 for s, m in zip(scores, may, strict=True)]
        shares.append([one / (sum(exps) or 1.0) for one in exps])
        contexts.append([dot(shares[-1], column) for column in zip(*rows, strict=True)])
    return torch.tensor(contexts, dtype=query.dtype), torch.tensor(shares, dtype=query.dtype)


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


# Encoder and decoder


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
    return min(results, key=lambda one: float((one[0] - got).abs().max()))


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
        results, key=lambda one: sum(float((a - b).abs().max()) for a, b in zip(one, got, strict=True))
    )
