"""The numbers of lesson 08: every way of fine-tuning, the two that matter over several seeds, in tuning.json.

    python -m byhand.translation.tuning_runs            go on where the last call stopped
    python -m byhand.translation.tuning_runs --check    only say which runs are missing

A run belongs to one base: with another one all begin anew. Interrupt it at any moment; whole runs are kept.
Order: the ways, one run, the file, the command.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from byhand import data, lora, train
from byhand.translation import BOS, EOS, checkpoint, tuning
from byhand.translation.batches import Batch

OWN_SEEDS = tuple(range(8))  # of the lesson's own way: the spread of three runs refused right answers
SEEDS = (0, 1, 2)  # of full fine-tuning and of LoRA where menus need it; of the other ways the first alone
STEPS, LONG = 600, 1200  # of every run; of the one that goes on too long
EVERY = 60  # steps between two measurements of the validation loss
ALL = ("q_proj", "k_proj", "v_proj", "out_proj", "up", "down")
RANK, ALPHA, RATE = 3, 48.0, 3e-3  # the lesson's own
SCALE = ALPHA / RANK
ROWS = 1100  # with rank 33 in the table, 1.9 % of all numbers, as many as RANK in every linear layer
BAR_AT_LEAST = 1.0  # points that a bar is below the mean
SLACK = {"test": 1.0, "valid": 1.15}  # the 30 texts of the visible check are few; more lets the base through


@dataclass(frozen=True)
class Way:
    """A way of fine-tuning. keep: patterns of parameters to train, where not all are.

    rank: LoRA's, in every linear layer. table: that of a correction of the embedding table, which is also the
    head, in the rows of the ROWS pieces that menus use most.
    """

    name: str
    rate: float
    keep: tuple[str, ...] = ()
    rank: int = 0
    table: int = 0
    decay: float = 0.0  # of rates by layer

    def prepare(self, model: nn.Module) -> None:
        if self.rank:
            lora.inject_lora(model, ALL, self.rank, SCALE * self.rank)
        elif self.keep or self.table:
            for name, part in model.named_parameters():
                part.requires_grad_(any(fnmatchcase(name, pattern) for pattern in self.keep))
        if self.table:
            table: Any = model.get_submodule("embedding")
            change = Corrected(self.table, commonest_pieces(ROWS), table.embedding_dim)
            parametrize.register_parametrization(table, "weight", change)

    def optimizer(self, model: nn.Module) -> Callable[..., torch.optim.Optimizer]:
        if not self.decay:
            return torch.optim.Adam
        groups = by_layer(model, self.decay)
        return lambda _, lr: torch.optim.Adam([{"params": part, "lr": lr * share} for part, share in groups])


class Corrected(nn.Module):
    """Some rows of a frozen matrix get a trained correction, SCALE · B A; torch puts the sum in its place."""

    rows: Tensor

    def __init__(self, rank: int, rows: Sequence[int], width: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.tensor(rows))
        self.lora_a = nn.Parameter(torch.randn(rank, width) * width**-0.5)
        self.lora_b = nn.Parameter(torch.zeros(len(rows), rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight.index_add(0, self.rows, self.lora_b @ self.lora_a, alpha=SCALE)


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
    found = [
        Way("full", 1e-3),
        Way("full, rates by layer", 1.5e-3, decay=0.8),
        Way("table alone", 2e-3, keep=("embedding.weight", "decoder_norm.*")),
    ]
    found += [Way(f"LoRA, rank {rank}", RATE, rank=rank) for rank in (1, RANK, 8)]
    return [*found, Way("LoRA, pieces of menus", RATE, table=33)]


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


def run(way: Way, seed: int, steps: int = STEPS) -> dict[str, Any]:
    """Train once; marks, losses on menus not trained with, seconds, and the share of numbers trained."""
    model = tuning.seeded_start(seed, way.prepare)
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
    more = {"spectrum": spectrum(model)} if (way.name, seed, steps) == ("full", 0, STEPS) else {}
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


def spectrum(model: nn.Module, most: int = 32) -> list[float]:
    """Share of a matrix's change that its best 1, 2, … directions hold (singular values squared), mean."""
    before = dict(tuning.start().named_parameters())
    shares = []
    for name, part in model.named_parameters():
        if name.endswith("weight") and part.ndim == 2 and name != "embedding.weight":
            squares = torch.linalg.svdvals((part - before[name]).detach()).square()
            shares.append((squares.cumsum(0) / squares.sum())[:most])
    found: list[float] = torch.stack(shares).mean(dim=0).tolist()
    return [round(share, 4) for share in found]


def rounded(marks: tuning.Marks) -> tuning.Marks:
    return {name: round(value, 2) for name, value in marks.items()}


# The file


def wanted() -> list[tuple[Way, int, int]]:
    """Every run: way, seed, steps. The lesson's own first, since its bars come of it; then the long one."""
    own = [way for way in ways() if way.rank == RANK]
    others = [way for way in ways() if way.rank != RANK]
    first = [(way, seed, STEPS) for way in own for seed in OWN_SEEDS]
    first += [(way, seed, STEPS) for way in (others[0], others[-1]) for seed in SEEDS]
    rest = [(way, SEEDS[0], STEPS) for way in others[1:-1]]
    return [*first, (others[0], 0, LONG), *rest]


def begin() -> dict[str, Any]:
    """What is there already, if it is of this base; else the base's own marks."""
    sha = hashlib.sha256(checkpoint.BASE.read_bytes()).hexdigest()
    if tuning.NUMBERS.is_file():
        found: dict[str, Any] = json.loads(tuning.NUMBERS.read_text(encoding="utf-8"))
        if found["facts"]["base"] == sha:
            return found
    model = tuning.start()
    size = sum(part.numel() for part in model.parameters())
    facts = {
        "base": sha,
        "numbers": size,
        "rank": RANK,
        "steps": STEPS,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    base = {"test": rounded(tuning.marks(model)), "valid": rounded(tuning.marks(model, "valid"))}
    return {"facts": facts, "base": base, "bars": {}, "runs": []}


def missing(found: dict[str, Any]) -> list[tuple[Way, int, int]]:
    done = {(one["way"], one["seed"], one["steps"], one["rate"]) for one in found["runs"]}
    return [
        (way, seed, steps) for way, seed, steps in wanted() if (way.name, seed, steps, way.rate) not in done
    ]


def bars(runs: Sequence[dict[str, Any]]) -> dict[str, tuning.Marks]:
    """Mean less two standard deviations of the lesson's own runs, at least BAR_AT_LEAST; times SLACK."""
    own = [one for one in runs if one["rank"] == RANK]
    found: dict[str, tuning.Marks] = {}
    for split, place in (("test", "test"), ("valid", "valid marks")):
        found[split] = {}
        for mark in tuning.MARKS:
            mean, spread = tuning.mean_and_spread([one[place][mark] for one in own])
            found[split][mark] = round(mean - SLACK[split] * max(2 * spread, BAR_AT_LEAST), 1)
    return found


def save(found: dict[str, Any]) -> None:
    found["facts"]["date"] = date.today().isoformat()
    rows = ",\n".join("  " + json.dumps(one) for one in found["runs"])
    head = {key: value for key, value in found.items() if key != "runs"}
    text = json.dumps(head, indent=1)[:-2] + ',\n "runs": [\n' + rows + "\n ]\n}\n"
    tuning.NUMBERS.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    found = begin()
    left = missing(found)
    if "--check" in (sys.argv[1:] if arguments is None else arguments):
        print("\n".join(f"{way.name}, seed {seed}, {steps} steps" for way, seed, steps in left) or "all done")
        return 1 if left else 0
    for way, seed, steps in left:
        one = run(way, seed, steps)
        print(f"{way.name:22} seed {seed} {one['trained']:7.2%} {one['test']} {one['seconds']} s", flush=True)
        known = [
            other
            for other in found["runs"]
            if (other["way"], other["seed"], other["steps"]) != (way.name, seed, steps)
        ]
        found["runs"] = [*known, one]
        if any(one["rank"] == RANK for one in found["runs"]):
            found["bars"] = bars(found["runs"])
        save(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
