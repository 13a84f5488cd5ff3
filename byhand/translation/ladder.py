"""The speed ladder: what each change makes of a training step, one change and one number at a time.

    float32, eager → bfloat16 → compiled → fused attention → bucketed batches → larger batches

    rungs = ladder.climb(model, vocabulary, translation.recipe("cpu"))    any model with the course's names
    ladder.draw(rungs)

Each rung keeps the changes below it and is measured with the course's own training step, on a copy of
the model: target tokens a second, padding not counted. On a CPU that is one core and processor time, so
that other programs do not count; a change that makes a CPU slower is measured, but not kept.
Order: Rung, climb, one rung, the picture.
"""

from __future__ import annotations

import contextlib
import copy
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from byhand import blocks, data
from byhand._threads import one_thread
from byhand.translation import ranks
from byhand.translation.batches import Batches, ahead
from byhand.translation.fused import fused, unfused, without_cudnn
from byhand.translation.recipe import RECIPES, Recipe
from byhand.translation.step import OutOfMemory, Stepper, loss_of
from byhand.translation.vocabulary import Vocabulary

PAIRS = 8000  # texts are taken from these many, evenly spread
TIMES = 4  # how much larger than the recipe's the larger batches are
WARM_UP = 3  # steps that are not timed; a compiled rung compiles in them
GPU_WARM_UP, GPU_SECONDS = 10, 5.0  # on a GPU: its clock rises first, and a step is over in no time
COMPILES, FUSED = "compiled", "fused attention"
CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("float32, eager", {}),
    ("bfloat16", {"amp": "bf16"}),
    (COMPILES, {"compile": True}),
    (FUSED, {}),
    ("bucketed batches", {"bucketed": True}),
    ("larger batches", {"tokens_per_batch": TIMES}),
)


@dataclass(frozen=True)
class Rung:
    """rate: target tokens a second; first: seconds before the first timed step, compiling among them."""

    name: str
    rate: float
    first: float


def climb(
    model: nn.Module | None = None,
    vocabulary: Vocabulary | None = None,
    recipe: Recipe | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    *,
    steps: int = 16,
    device: str | torch.device | None = None,
    compile: bool | None = None,
    n_heads: int | None = None,
    quick: bool = False,
) -> list[Rung]:
    """Measure every rung and print a line for each. The model is left as it was.

    model: blocks.Transformer if none is given. compile: whether to try; None: on a GPU only, since on a
    CPU compiling alone takes minutes. n_heads: of the model's layers, if not the recipe's.
    quick: small and short, to see that everything runs.
    """
    place = torch.device(device) if device is not None else ranks.device()
    n_heads = n_heads or (recipe.n_heads if recipe else None)
    recipe = recipe or RECIPES["smoke" if quick else "gpu" if place.type == "cuda" else "cpu"]
    pairs = pairs if pairs is not None else data.pairs("general")
    many = 200 if quick else PAIRS
    pairs = [pairs[at] for at in range(0, len(pairs), max(1, len(pairs) // many))]
    vocabulary = vocabulary or Vocabulary.learn(pairs, recipe.n_merges)
    model = model or blocks.Transformer(**recipe.sizes(len(vocabulary)))
    lowest = replace(recipe, amp="none", compile=False, bucketed=False, accumulate=1)
    tries = compile if compile is not None else place.type == "cuda"
    with one_thread() if place.type == "cpu" else contextlib.nullcontext():
        measure = _Measure(copy.deepcopy(model).to(place), vocabulary, pairs, place, 2 if quick else steps)
        if place.type == "cuda" and not quick:
            measure.warm_up, measure.seconds = GPU_WARM_UP, GPU_SECONDS
        with without_cudnn():
            return list(_rungs(measure, lowest, tries, n_heads))


def _rungs(measure: _Measure, recipe: Recipe, tries: bool, n_heads: int | None) -> Iterator[Rung]:
    swap, kept = unfused, list[Rung]()
    for name, change in CHANGES:
        if name == COMPILES and not tries:
            print(f"{name:<17} left out: on a CPU compiling alone takes minutes; compile=True tries it")
            continue
        new = replace(
            recipe,
            **{
                key: TIMES * getattr(recipe, key) if value is TIMES else value
                for key, value in change.items()
            },
        )
        new_swap = fused if name == FUSED else swap
        try:
            with new_swap(measure.model, n_heads):
                rung = measure.rung(name, new)
        except OutOfMemory as problem:
            print(f"{name:<17} left out: {problem}")
            continue
        if rung is None:
            print(f"{name:<17} left out: there is no compiler that works here")
            continue
        pays = not kept or rung.rate > kept[-1].rate or measure.device.type != "cpu"
        print(_line(rung, kept, pays), flush=True)
        if pays:
            recipe, swap = new, new_swap
            kept.append(rung)
        yield rung


def _line(rung: Rung, kept: Sequence[Rung], pays: bool) -> str:
    said = f"{rung.name:<17} {rung.rate:9,.0f} target tokens/s"
    if kept:
        below, first = rung.rate / kept[-1].rate, rung.rate / kept[0].rate
        said += f", {below:5.2f} times the rung below, {first:5.2f} times the first"
    return said + ("" if pays else "; not kept, since it is slower here")


class _Measure:
    """Times training steps of one model: `steps` of them, and more until `seconds` are over."""

    warm_up, seconds = WARM_UP, 0.0

    def __init__(
        self, model: nn.Module, vocabulary: Vocabulary, pairs: Sequence[tuple[str, str]],
        device: torch.device, steps: int,
    ) -> None:  # fmt: skip
        self.model, self.vocabulary, self.pairs = model, vocabulary, pairs
        self.device, self.steps = device, steps

    def rung(self, name: str, recipe: Recipe) -> Rung | None:
        """None: it needs a compiler, and there is none."""
        torch._dynamo.reset()
        stepper = Stepper(self.model, recipe, self.device, ranks.Ranks())
        if recipe.compile and stepper.loss is loss_of:
            return None
        batches = Batches(self.pairs, self.vocabulary, recipe)
        began, started, tokens = self._now(), 0.0, 0
        with contextlib.closing(ahead(batches, range(1, sys.maxsize), self.device)) as shares:
            for number, share in enumerate(shares, 1):
                stepper.step(number, share)
                list(stepper.read())
                tokens += share.predicted
                if number == self.warm_up:
                    started, tokens = self._now(), 0
                elif number >= self.warm_up + self.steps and self._passed(started) >= self.seconds:
                    break
        return Rung(name, tokens / (self._now() - started), started - began)

    def _passed(self, started: float) -> float:
        """Seconds since then, without waiting for a GPU."""
        return (time.perf_counter() if self.device.type == "cuda" else time.process_time()) - started

    def _now(self) -> float:
        if self.device.type != "cuda":
            return time.process_time()
        torch.cuda.synchronize(self.device)
        return time.perf_counter()


def draw(rungs: Sequence[Rung], *, title: str = "", caption: str = "") -> Any:
    """A bar for each rung."""
    from byhand import plot

    rates = [rung.rate / 1000 for rung in rungs]
    names = [rung.name for rung in rungs]
    ax = plot.bars(rates, names, ylabel="thousand target tokens a second", title=title, caption=caption)
    ax.set_xlabel("one change after another")
    return ax
