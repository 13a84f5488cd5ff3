"""Lesson 02's parts for its own later exercises: use one of these where yours does not work yet.

Same names and signatures as in the lesson. A batch of B texts of at most S tokens is remembered as
memory (B, S, M); mask (B, S) is True at real tokens. Order: attention, encoder, decoder, decoding, training
for the experiment, a look inside, then how a translator is graded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from byhand import train
from byhand.blocks import masked_softmax
from byhand.generated import BOS, EOS, NUMBERS, PAD, Task

State = tuple[Tensor, Tensor]


class AdditiveAttention(nn.Module):
    """Bahdanau's attention: score_layer(tanh(query_layer(query) + key_layer(keys)))."""

    def __init__(self, query_size: int, key_size: int, attention_size: int) -> None:
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query: Tensor, keys: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """query (B, Dq), keys (B, S, Dk), mask (B, S) -> context (B, Dk), weights (B, S)."""
        if len(query) != len(keys):
            raise ValueError(f"query is for {len(query)} texts, keys are for {len(keys)}.")
        mixed = torch.tanh(self.query_layer(query).unsqueeze(1) + self.key_layer(keys))
        weights = masked_softmax(self.score_layer(mixed).squeeze(-1), mask)
        return torch.einsum("bs,bsd->bd", weights, keys), weights


class NoAttention(nn.Module):
    """Looks nowhere: context and weights are zeros, so all the decoder knows is its own state."""

    def forward(self, query: Tensor, keys: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """query (B, Dq), keys (B, S, Dk), mask (B, S) -> context (B, Dk), weights (B, S)."""
        return torch.zeros_like(keys[:, 0]), torch.zeros_like(keys[..., 0])


class Encoder(nn.Module):
    """One bidirectional LSTM layer over embedded tokens."""

    def __init__(self, vocab_size: int, embed_size: int, hidden_size: int, pad_id: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """src (B, S), lengths (B,) -> memory (B, S, 2 hidden), state (h, c) each (1, B, hidden)."""
        if lengths.shape != src.shape[:1]:
            raise ValueError(f"lengths has shape {tuple(lengths.shape)}, src has {len(src)} texts.")
        packed = pack_padded_sequence(self.embedding(src), lengths.cpu(), True, enforce_sorted=False)
        memory, (h, c) = self.lstm(packed)
        memory, _ = pad_packed_sequence(memory, True, total_length=src.shape[1])
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


class AttentionDecoder(nn.Module):
    """An LSTM cell that looks at the memory before each token it writes."""

    def __init__(
        self, vocab_size: int, embed_size: int, hidden_size: int, memory_size: int, attention: nn.Module
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token: Tensor, state: State, memory: Tensor, mask: Tensor) -> tuple[Tensor, State, Tensor]:
        """token (B,), state (h, c) each (1, B, hidden) -> logits (B, V), the new state, weights (B, S)."""
        h, c = state[0][0], state[1][0]
        context, weights = self.attention(h, memory, mask)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        return self.output_layer(torch.cat([h, context], dim=-1)), (h[None], c[None]), weights


def real_tokens(lengths: Tensor, longest: int) -> Tensor:
    """mask (B, S), True at the first lengths[b] of S = longest positions."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


@torch.no_grad()
def greedy_decode(
    encoder: Any, decoder: Any, src: Tensor, lengths: Tensor, bos_id: int, eos_id: int, max_len: int
) -> list[list[int]]:
    """The likeliest token, step by step: B lists of at most max_len ids, cut before the first eos_id."""
    memory, state = encoder(src, lengths)
    mask = real_tokens(lengths, src.shape[1])
    token = torch.full_like(src[:, 0], bos_id)
    columns = []
    for _ in range(max_len):
        logits, state, _ = decoder.step(token, state, memory, mask)
        token = logits.argmax(dim=-1)
        columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


def train_on_numbers(encoder: Any, decoder: Any, steps: int, file: str) -> None:
    """Train a translator of numbers in words (up to eight digits) by teacher forcing; an experiment."""

    def loss(batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        src, lengths, target = batch
        memory, state = encoder(src, lengths)
        mask, token, logits = real_tokens(lengths, src.shape[1]), torch.full_like(target[:, 0], BOS), []
        for right in target.T:
            scores, state, _ = decoder.step(token, state, memory, mask)
            logits.append(scores)
            token = right
        return nn.functional.cross_entropy(torch.stack(logits, dim=2), target, ignore_index=PAD)

    train.fit(
        nn.ModuleList([encoder, decoder]),
        loss,
        lambda step: NUMBERS.batch(64, seed=step, most=99_999_999),
        steps,
        rate=lambda step: 5e-3 * (1 - step / (steps + 1)),
        file=file,
        handed_in=False,
    )


@torch.no_grad()
def look(task: Task, encoder: Any, decoder: Any, text: str) -> tuple[list[str], Tensor]:
    """The symbols written for a text, and the weights (T, S) of each of them."""
    src, lengths = task.encode([text])
    (memory, state), mask = encoder(src, lengths), torch.ones_like(src, dtype=torch.bool)
    written, looked = [BOS], list[Tensor]()
    while len(looked) < 40 and written[-1] != EOS:
        logits, state, weights = decoder.step(torch.tensor(written[-1:]), state, memory, mask)
        written.append(int(logits.argmax()))
        looked.append(weights[0])
    return task.target.named(written[1:]), torch.stack(looked)


def exact_share(encoder: Any, decoder: Any, task: Task, n: int, seed: int, split: str) -> float:
    """Which share of n texts of the task comes out exactly as it should."""
    pairs = task.pairs(n, seed, split)
    longest = 2 + max(len(answer) for _, answer in pairs)
    rows = greedy_decode(encoder, decoder, *task.encode([text for text, _ in pairs]), BOS, EOS, longest)
    return sum(task.target.text(row) == answer for row, (_, answer) in zip(rows, pairs, strict=True)) / n


def from_weights(
    read: Callable[[], Mapping[str, Tensor]], task: Task
) -> tuple[Encoder, AttentionDecoder] | None:
    """This module's encoder and decoder with the weights that read() gives; None if they do not fit it.

    The weights are those of nn.ModuleList([encoder, decoder]) or of a ModuleDict with these two names.
    """
    try:
        parts = {
            name.replace("encoder.", "0.", 1).replace("decoder.", "1.", 1): w for name, w in read().items()
        }
        embed, hidden = parts["0.embedding.weight"].shape[1], parts["0.lstm.weight_hh_l0"].shape[1]
        attention = AdditiveAttention(hidden, 2 * hidden, parts["1.attention.key_layer.weight"].shape[0])
        encoder = Encoder(len(task.source), embed, hidden)
        width = parts["1.embedding.weight"].shape[1]
        decoder = AttentionDecoder(len(task.target), width, hidden, 2 * hidden, attention)
        nn.ModuleList([encoder, decoder]).load_state_dict(dict(parts))
    except Exception:  # weights of another model, or none: the caller says so
        return None
    return encoder.eval(), decoder.eval()
