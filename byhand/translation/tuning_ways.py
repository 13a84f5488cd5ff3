"""Ways of fine-tuning that lesson 08 compares, and one run of one of them: `tuning_runs` makes them all.

    way = Way("LoRA, rank 3", rate=3e-3, rank=3)
    run(way, seed=0)            marks, losses on menus not trained with, seconds, share of numbers trained

Order: a way, what it prepares, all of them, one run.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from byhand import data, lora, train
from byhand.translation import BOS, EOS, tuning
from byhand.translation.batches import Batch
from byhand.translation.checkpoint import Checkpoint

STEPS = 600  # of a run
EVERY = 60  # steps between two measurements of the validation loss
ALL = ("q_proj", "k_proj", "v_proj", "out_proj", "up", "down")
RANK, ALPHA, RATE = 3, 48.0, 3e-3  # the lesson's own
SCALE = ALPHA / RANK
PIECES, BOTH = "LoRA, pieces of menus", "LoRA, pieces and layers"
TABLE_ALPHA = 33 * SCALE  # whatever its rank: with SCALE itself, corrections of higher rank stepped too far
ROWS = 1100  # with rank 33 in the table, 1.9 % of all numbers, as many as RANK in every linear layer


@dataclass(frozen=True)
class Way:
    """A way of fine-tuning. keep: patterns of parameters to train as they are, where not all are.

    rank: LoRA's, in every linear layer. table: that of a correction of the embedding table, which is also the
    head, in the rows of the ROWS pieces that menus use most.
    """

    name: str
    rate: float
    keep: tuple[str, ...] = ()
    rank: int = 0
    table: int = 0
    decay: float = 0.0  # of rates by layer
    dropout: float | None = None  # None: as in the base
    betas: tuple[float, float] = (0.9, 0.999)  # Adam's

    def prepare(self, model: nn.Module) -> None:
        if self.rank:
            lora.inject_lora(model, ALL, self.rank, SCALE * self.rank)
        elif self.keep or self.table:
            model.requires_grad_(False)
        for name, weight in model.named_parameters():
            if any(fnmatchcase(name, pattern) for pattern in self.keep):
                weight.requires_grad_(True)
        if self.table:
            table: Any = model.get_submodule("embedding")
            change = Corrected(self.table, commonest_pieces(ROWS), table.embedding_dim)
            parametrize.register_parametrization(table, "weight", change)
        for part in model.modules():
            if isinstance(part, nn.Dropout) and self.dropout is not None:
                part.p = self.dropout

    def optimizer(self, model: nn.Module) -> Callable[..., torch.optim.Optimizer]:
        if not self.decay:
            return partial(torch.optim.Adam, betas=self.betas)
        groups = by_layer(model, self.decay)
        return lambda _, lr: torch.optim.Adam([{"params": part, "lr": lr * share} for part, share in groups])


class Corrected(nn.Module):
    """Some rows of a frozen matrix get a trained correction, TABLE_ALPHA / rank · B A; torch adds it."""

    rows: Tensor

    def __init__(self, rank: int, rows: Sequence[int], width: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.tensor(rows))
        self.scale = TABLE_ALPHA / rank
        self.lora_a = nn.Parameter(torch.randn(rank, width) * width**-0.5)
        self.lora_b = nn.Parameter(torch.zeros(len(rows), rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight.index_add(0, self.rows, self.lora_b @ self.lora_a, alpha=self.scale)


def commonest_pieces(count: int) -> list[int]:
    """The ids that begin and end texts, then those that menus to train on use most, in both languages."""
    encode, used = tuning.base().vocabulary.encode, Counter[int]()
    for pair in data.pairs("domain"):
        used.update([*encode(pair.english), *encode(pair.chinese)])
    return [BOS, EOS, *(piece for piece, _ in used.most_common(count - 2))]


def by_layer(model: Any, decay: float) -> list[tuple[list[nn.Parameter], float]]:
    """Embedding, encoder layers, decoder layers: each with its share of the rate."""
    layers = [model.embedding, *model.encoder, model.encoder_norm, *model.decoder, model.decoder_norm]
    return [(list(layer.parameters()), decay ** (len(layers) - 1 - at)) for at, layer in enumerate(layers)]


def ways() -> list[Way]:
    """All that lesson 08 compares."""
    found = [
        Way("full", 1e-3),
        Way("full, rates by layer", 1.5e-3, decay=0.8),
        Way("table alone", 2e-3, keep=("embedding.weight", "decoder_norm.*")),
    ]
    found += [Way(f"LoRA, rank {rank}", RATE, rank=rank) for rank in (1, RANK, 8)]
    return [*found, Way(PIECES, RATE, table=33)]


# One run


def rate_at(step: int, steps: int, peak: float) -> float:
    """Up in a line for 20 steps, then down to 0 in a line: as in the lesson."""
    return peak * min(step / 20, 1 - step / (steps + 1))


def loss_of(model: nn.Module, batch: Batch) -> Tensor:
    src, tgt = batch
    logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
    return functional.cross_entropy(
        logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
    )


def run(way: Way, seed: int, steps: int, base: Checkpoint) -> dict[str, Any]:
    """Train once; marks, losses on menus not trained with, seconds, and the share of numbers trained.

    base: what is fine-tuned; it has the shipped one's pieces.
    """
    model = tuning.seeded_start(seed, way.prepare, base)
    curve: list[tuple[int, float]] = []

    def batches(step: int) -> Batch:
        if step % EVERY == 1:
            curve.append((step - 1, tuning.valid_loss(model)))
            model.train()
        return tuning.batch(step, seed)

    started, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), quiet():
        done = train.fit(
                model, lambda batch: loss_of(model, batch), batches, steps,
                rate=lambda step: rate_at(step, steps, way.rate), optimizer=way.optimizer(model), seed=seed,
            )  # fmt: skip
    facts = {"seconds": round(time.perf_counter() - started, 1), "cpu": round(time.process_time() - cpu, 1)}
    curve.append((steps, tuning.valid_loss(model)))
    shown = (way.name, seed, steps) == ("full", 0, STEPS)
    more = {"spectrum": spectrum(base.model(), model)} if shown else {}
    return more | {
        "way": way.name, "seed": seed, "steps": steps, "rate": way.rate, "rank": way.rank,
        "trained": round(tuning.share_trained(model), 5), "loss": round(done.losses[-1], 4),
        "valid": [[step, round(loss, 4)] for step, loss in curve],
        "test": rounded(tuning.marks(model)), "valid marks": rounded(tuning.marks(model, "valid")), **facts,
    }  # fmt: skip


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def spectrum(base: nn.Module, model: nn.Module, most: int = 32) -> list[float]:
    """Share of a matrix's change that its best 1, 2, … directions hold (singular values squared), mean."""
    before = dict(base.named_parameters())
    shares = []
    for name, part in model.named_parameters():
        if name.endswith("weight") and part.ndim == 2 and name != "embedding.weight":
            squares = torch.linalg.svdvals((part - before[name]).detach()).square()
            shares.append((squares.cumsum(0) / squares.sum())[:most])
    found: list[float] = torch.stack(shares).mean(dim=0).tolist()
    return [round(share, 4) for share in found]


def rounded(marks: tuning.Marks) -> tuning.Marks:
    return {name: round(value, 2) for name, value in marks.items()}
