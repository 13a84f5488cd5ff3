"""Lesson 04's experiment: one small reader for each kind of position, trained at 32 tokens, tested at 128.

    ways = {"none": {}, "rotary": {"turn": apply_rope}}    what differs: parts of a Reader
    extrapolate.train_all(readers, ways, 300)  ->  extrapolate.accuracy(readers)
The task: letters between gaps; at every gap, name the last letter (or, as another task, an earlier token).
Order: the texts, the model, training, testing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from byhand import blocks, check, train
from byhand._threads import one_thread

LETTERS, HEADS = 8, 4  # tokens 0 to 7 are letters; token 8 is a gap
Texts = Callable[[int, int, torch.Generator], tuple[Tensor, Tensor, Tensor]]


def last_letter(n: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, the last letter up to each place, and where an answer is asked for, the gaps: (n, length)."""
    tokens = torch.randint(LETTERS, (n, length), generator=generator)
    gaps = torch.rand(n, length, generator=generator) < 0.75
    gaps[:, 0] = False  # every text begins with a letter
    last = torch.where(gaps, 0, torch.arange(length)).cummax(dim=1).values  # where the last letter is
    return tokens.masked_fill(gaps, LETTERS), tokens.gather(1, last), gaps


def three_back(n: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, the one three places back, and where an answer is asked for, from the fourth: (n, length)."""
    tokens = torch.randint(LETTERS, (n, length), generator=generator)
    return tokens, tokens.roll(3, 1), torch.arange(length).expand(n, length) >= 3


def show(tokens: Tensor, answers: Tensor, asked: Tensor) -> None:
    """Print the first text and its answers, where they are asked for."""
    print("reads  ", "".join("ABCDEFGH_"[token] for token in tokens[0].tolist()))
    pairs = zip(answers[0].tolist(), asked[0].tolist(), strict=True)
    print("answers", "".join("ABCDEFGH"[answer] if here else " " for answer, here in pairs))


class Reader(nn.Module):
    """One layer of causal attention, four heads, that knows positions in one way.

    add: (T, E) -> table to add. module: () -> layer for x (B, T, E). turn: (q or k, positions) -> turned.
    bias: (H, T, T) -> what to add to the scores.
    """

    def __init__(
        self,
        add: Callable[[int, int], Tensor] | None = None,
        module: Callable[[], nn.Module] | None = None,
        turn: Callable[[Tensor, Tensor], Tensor] | None = None,
        bias: Callable[[int, int, int], Tensor] | None = None,
        E: int = 32,
    ) -> None:
        super().__init__()
        self.E, self.add, self.turn, self.bias = E, add, turn, bias
        self.words, self.placed = nn.Embedding(LETTERS + 1, E), (module or nn.Identity)()
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(E, E) for _ in range(3))
        self.out_proj, self.head = nn.Linear(E, E), nn.Linear(E, LETTERS)

    def forward(self, tokens: Tensor) -> Tensor:
        T, x = tokens.shape[1], self.placed(self.words(tokens))  # (B, T, E)
        if self.add:
            x = x + self.add(T, self.E)
        q, k, v = (blocks.split_heads(part(x), HEADS) for part in (self.q_proj, self.k_proj, self.v_proj))
        if self.turn:
            q, k = self.turn(q, torch.arange(T)), self.turn(k, torch.arange(T))
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5  # (B, H, T, T)
        if self.bias:
            scores = scores + self.bias(HEADS, T, T)
        weights = blocks.masked_softmax(scores, blocks.causal_mask(T, T))
        letters: Tensor = self.head(self.out_proj(blocks.merge_heads(weights @ v)))  # (B, T, letters)
        return letters


def trained(reader: Reader, name: str, steps: int, texts: Texts) -> Reader:
    """The reader after `steps` steps on texts of 32 tokens; prints how it goes."""
    optimizer, generator = torch.optim.Adam(reader.parameters(), 0.01), torch.Generator().manual_seed(0)
    started = time.monotonic()
    for step in range(1, steps + 1):
        tokens, answers, asked = texts(32, 32, generator)
        loss = nn.functional.cross_entropy(reader(tokens)[asked], answers[asked])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0 or step == steps:
            print(f"\r{name:<11} step {step} of {steps}, loss {loss:.3f}", end="", flush=True)
    print(f", {time.monotonic() - started:.0f} seconds")
    return reader


def train_all(
    readers: dict[str, Reader], ways: Mapping[str, Mapping[str, Any]], steps: int, texts: Texts = last_letter
) -> None:
    """Put a trained reader for each way into `readers`; one that is there already is kept.

    So after an interrupt the next call goes on with the next way. Nothing is trained while grading.
    """
    with one_thread():  # for tensors this small, one is fastest
        for name, parts in ways.items():
            if name not in readers and not check.host.grading:
                with train.seeded(0):
                    reader = Reader(**parts)
                readers[name] = trained(reader, name, steps, texts)


def accuracy(readers: Mapping[str, Reader], texts: Texts = last_letter, length: int = 128) -> dict[str, Any]:
    """The share right in each stretch of 8 positions of 500 new texts: {name: (length / 8,)}; prints two."""
    tokens, answers, asked = texts(500, length, torch.Generator().manual_seed(99))
    counts, curves = asked.view(500, -1, 8).sum(dim=(0, 2)), {}
    for name, reader in readers.items():
        with torch.no_grad(), one_thread():  # a few texts at a time stay in the cache: twice as fast
            told = torch.cat([reader(few).argmax(dim=-1) for few in tokens.chunk(20)])  # (500, length)
        right = (told == answers) & asked
        shares = right.view(500, -1, 8).sum(dim=(0, 2)) / counts
        curves[name] = shares
        print(f"{name:<11} up to 32: {shares[:4].mean():.2f}   from 97 to 128: {shares[12:].mean():.2f}")
    return curves | {"guessing": torch.full((length // 8,), 1 / LETTERS)}
