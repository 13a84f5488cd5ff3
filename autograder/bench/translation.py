"""How fast the course's translator trains and decodes, beside torch's own parts and another toolkit.

    python -m autograder.bench.translation                 a line each; part of make bench
    python -m autograder.bench.translation --joey 10       and Joey NMT: 10 minutes of processor time each
    python -m autograder.bench.translation --write         into autograder/results/, for the README's table

What is compared takes turns, so that other work on the machine slows both alike. Timed is processor time
of this process on one thread. Order: the model of torch's parts, training, decoding, the command.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autograder.author.lesson import ROOT
from autograder.bench import joey
from autograder.bench.attention import reference
from byhand import blocks
from byhand._threads import one_thread
from byhand.blocks import sinusoidal_encoding
from byhand.translation import RECIPES, Recipe
from byhand.translation.batches import Batch, Share
from byhand.translation.ranks import Ranks
from byhand.translation.step import Stepper

FIGURES = ROOT / "autograder" / "results" / "translation.json"
LESSON, EXERCISE = "07_translation", "KVCache"
VOCABULARY = 8000
SIZES = ((64, 24, "cpu"), (32, 64, "gpu"))  # texts, tokens of each, whose sizes of the model
ROUNDS, N_DECODED, PROMISED = 9, 256, 5  # cached at least so many times as fast, at so many tokens


class Torchs(nn.Module):
    """Lesson 07's Transformer, made of nn.Transformer."""

    positions: Tensor

    def __init__(
        self, vocab_size: int, d_model: int, n_heads: int, d_hidden: int, n_layers: int, max_len: int,
        pad_id: int = 0, dropout: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedding, self.dropout = nn.Embedding(vocab_size, d_model), nn.Dropout(dropout)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)
        self.register_buffer("positions", sinusoidal_encoding(max_len, d_model), persistent=False)
        self.d_model, self.pad_id = d_model, pad_id
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that pre-norm keeps it from a fast path
            self.both = nn.Transformer(
                d_model, n_heads, n_layers, n_layers, d_hidden, dropout, "gelu", batch_first=True,
                norm_first=True,
            )  # fmt: skip
        for part in self.both.modules():
            if isinstance(part, nn.MultiheadAttention):
                part.dropout = 0.0  # the course drops no weights either

    def embed(self, tokens: Tensor) -> Tensor:
        scaled = self.embedding(tokens) * math.sqrt(self.d_model)
        embedded: Tensor = self.dropout(scaled + self.positions[: tokens.shape[1]])
        return embedded

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        padding = src == self.pad_id
        later = torch.ones(tgt.shape[1], tgt.shape[1], dtype=torch.bool, device=tgt.device).triu(1)
        x = self.both(
            self.embed(src), self.embed(tgt), tgt_mask=later, tgt_is_causal=True,
            src_key_padding_mask=padding, memory_key_padding_mask=padding,
        )  # fmt: skip
        return functional.linear(x, self.embedding.weight)


@dataclass(frozen=True)
class Compared:
    """Seconds of ours and theirs for the same work; ratio above 1: the course's is faster."""

    what: str
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        return self.theirs / self.ours

    def __str__(self) -> str:
        return (
            f"{self.what}: {1000 * self.ours:.1f} ms, the other {1000 * self.theirs:.1f} ms, "
            f"ratio {self.ratio:.2f}"
        )


def taken(function: Callable[[], Any]) -> float:
    """Processor seconds of one call."""
    started = time.process_time()
    function()
    return time.process_time() - started


# ---- training


def training(rounds: int = ROUNDS) -> Iterator[Compared]:
    """A step of the course's training: its own model, and the same sizes of nn.Transformer."""
    for texts, tokens, name in SIZES:
        recipe = replace(RECIPES[name], amp="none", compile=False)
        share = random_share(texts, tokens)
        with one_thread():
            steps = [_step(make, recipe, share) for make in (blocks.Transformer, Torchs)]
            found = [[taken(step) for step in steps] for _ in range(rounds + 3)][3:]  # three to warm up
        ours, theirs = (statistics.median(column) for column in zip(*found, strict=True))
        sizes = f"E = {recipe.d_model}, {recipe.n_layers} layers"
        yield Compared(f"a training step, {texts} texts of {tokens} tokens, {sizes}", ours, theirs)


def _step(make: Callable[..., nn.Module], recipe: Recipe, share: Share) -> Callable[[], None]:
    model = make(**recipe.sizes(VOCABULARY))
    stepper = Stepper(model, recipe, torch.device("cpu"), Ranks())
    number = iter(range(1, sys.maxsize))

    def step() -> None:
        stepper.step(next(number), share)
        list(stepper.read())

    return step


def random_share(texts: int, tokens: int) -> Share:
    """One batch of texts of half to all of `tokens` ids."""
    random = torch.Generator().manual_seed(0)
    src, tgt = (torch.randint(4, VOCABULARY, (texts, tokens + extra), generator=random) for extra in (0, 1))
    for ids in (src, tgt):
        lengths = torch.randint(tokens // 2, tokens + 1, (texts, 1), generator=random)
        ids[torch.arange(ids.shape[1]) >= lengths] = 0
    predicted = int((tgt[:, 1:] != 0).sum())
    return Share([Batch(src, tgt)], predicted, predicted + int((src != 0).sum()))


# ---- decoding


def decoding(name: str, n_tokens: int = N_DECODED) -> Compared:
    """n_tokens one after the other: with the lesson's KVCache, and by decode over all so far."""
    sizes = replace(RECIPES[name], max_len=max(n_tokens, 24) + 1).sizes(VOCABULARY)
    model: Any = blocks.Transformer(**sizes).eval()
    src = torch.randint(4, VOCABULARY, (1, 24), generator=torch.Generator().manual_seed(0))
    make_cache = reference(LESSON, EXERCISE)

    def cached() -> None:
        cache, token = make_cache(model, src), torch.ones(1, dtype=torch.long)
        for _ in range(n_tokens):
            token = cache.step(token).argmax(-1)

    def uncached() -> None:
        memory, made = model.encode(src), torch.ones(1, 1, dtype=torch.long)
        for _ in range(n_tokens):
            following = model.decode(made, memory, src != 0)[:, -1].argmax(-1)
            made = torch.cat([made, following[:, None]], dim=1)

    with one_thread(), torch.no_grad():
        pairs = [(taken(cached), taken(uncached)) for _ in range(3)]
    ours, theirs = (min(column) for column in zip(*pairs, strict=True))
    what = (
        f"{n_tokens} tokens with the cache, then without, E = {sizes['d_model']}, {sizes['n_layers']} layers"
    )
    return Compared(what, ours, theirs)


# ---- the command


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m autograder.bench.translation", description="Compare the translator with others."
    )
    parser.add_argument("--joey", type=float, metavar="MINUTES", help="train beside Joey NMT, so long each")
    parser.add_argument("--write", action="store_true", help="into autograder/results/ too")
    options = parser.parse_args(arguments)
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.is_file() else {}
    figures["training"], figures["decoding"] = [], []
    for key, compared in (("training", training()), ("decoding", map(decoding, ("cpu", "gpu")))):
        for one in compared:
            print(one, flush=True)
            figures[key].append({**asdict(one), "ratio": round(one.ratio, 2)})
    print(f"promised: training at least as fast, decoding at least {PROMISED} times")
    figures["machine"] = about()
    if options.joey:
        beside = joey.beside(options.joey)
        print(beside)
        figures["joey"] = {**asdict(beside), "machine": about()}
    if options.write:
        FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def about() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
