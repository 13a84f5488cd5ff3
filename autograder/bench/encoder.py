"""How fast the course's encoder trains, beside the same model made of nn.TransformerEncoder.

    python -m autograder.bench.encoder      a line for each size: ms a step, and the ratio

Steps of both are taken in turn, so that other work on the machine slows both alike. Timed is processor time
of this process on one thread. Order: the model of torch's parts, one step, the comparison.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from byhand import blocks
from byhand._threads import one_thread

SIZES = ((64, 24, 32, 64, 2), (32, 64, 128, 512, 4))  # texts, tokens, d_model, d_hidden, layers
N_HEADS, VOCABULARY, ROUNDS = 4, 8000, 15


class Torchs(nn.Module):
    """TransformerEncoder of the lesson, made of nn.TransformerEncoder."""

    def __init__(self, d_model: int, d_hidden: int, n_layers: int, max_len: int) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Embedding(VOCABULARY, d_model), nn.Embedding(max_len, d_model)
        layer = nn.TransformerEncoderLayer(
            d_model, N_HEADS, d_hidden, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.dropout = nn.Dropout(0.1)
        self.encoder = nn.TransformerEncoder(
            layer, n_layers, nn.LayerNorm(d_model), enable_nested_tensor=False
        )

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.dropout(self.embedding(tokens) + self.positions.weight[: tokens.shape[1]])
        found: Tensor = self.encoder(x, src_key_padding_mask=tokens == 0)
        return found


def step_seconds(model: nn.Module, optimizer: torch.optim.Optimizer, tokens: Tensor) -> float:
    """Processor seconds of one training step."""
    started = time.process_time()
    optimizer.zero_grad(set_to_none=True)
    model(tokens).square().mean().backward()
    optimizer.step()
    return time.process_time() - started


@dataclass(frozen=True)
class Compared:
    """Medians of the seconds a step; ratio: torch's over the course's, so above 1 the course's is faster."""

    size: tuple[int, int, int, int, int]
    ours: float
    torchs: float

    @property
    def ratio(self) -> float:
        return self.torchs / self.ours

    def __str__(self) -> str:
        texts, tokens, d_model, d_hidden, layers = self.size
        return (
            f"{texts} texts of {tokens} tokens, E = {d_model}, hidden {d_hidden}, {layers} layers: "
            f"{1000 * self.ours:.1f} ms a step, torch's own {1000 * self.torchs:.1f} ms, "
            f"ratio {self.ratio:.2f}"
        )


def compare(rounds: int = ROUNDS) -> Iterator[Compared]:
    """Both encoders at each of SIZES."""
    with one_thread():
        for size in SIZES:
            yield _compared(size, rounds)


def _compared(size: tuple[int, int, int, int, int], rounds: int) -> Compared:
    texts, tokens, d_model, d_hidden, layers = size
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(1, VOCABULARY, (texts, tokens), generator=random)
    ids[torch.arange(tokens) >= torch.randint(tokens // 2, tokens + 1, (texts, 1), generator=random)] = 0
    ours = blocks.TransformerEncoder(VOCABULARY, d_model, N_HEADS, d_hidden, layers, tokens, dropout=0.1)
    both = [
        (model, torch.optim.Adam(model.parameters()))
        for model in (ours, Torchs(d_model, d_hidden, layers, tokens))
    ]
    taken = [[step_seconds(*pair, ids) for pair in both] for _ in range(rounds + 3)][3:]  # three to warm up
    mine, theirs = (statistics.median(column) for column in zip(*taken, strict=True))
    return Compared(size, mine, theirs)


if __name__ == "__main__":
    for line in compare():
        print(line)
