"""The training of lesson 07, top to bottom, for any model with the contract's forward(src, tgt).

    each step: batches ─ loss ─ gradients ─ Adam ─ mean of weights;   now and then: BLEU, a file

It can be interrupted at any moment and goes on exactly where it was. While grading nothing is trained:
the file that was handed in is loaded. Order: fit, Training, its clock.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from byhand import _weights, check, data, train
from byhand._patience import Patience
from byhand.translation import batches as loading, checkpoint, decode, ranks, speed
from byhand.translation.average import Average
from byhand.translation.batches import Batches, Share
from byhand.translation.fused import fused_where_same, without_cudnn
from byhand.translation.recipe import Recipe
from byhand.translation.state import Run, State
from byhand.translation.step import Loss, Stepper, out_of_memory, told_if_too_large
from byhand.translation.vocabulary import Vocabulary
from byhand.translation.watch import Watch

Pairs = Sequence[tuple[str, str]]
SAVE_SECONDS = 30.0  # a crash loses no more than this


def fit(
    model: nn.Module,
    vocabulary: Vocabulary,
    recipe: Recipe,
    pairs: Pairs | None = None,
    file: str = "weights.safetensors",
    device: str | torch.device | None = None,
    quiet: bool = False,
    valid: Pairs | None = None,
    log: str = "",
    loss: Loss | None = None,
) -> Run:
    """Train `model`, which recipe.sizes(len(vocabulary)) made, to recipe.steps steps, from where it stopped.

    pairs: the general training split; valid: its validation split, or none where pairs are given.
    device: the GPU if there is one; afterwards the model is where it was, in eval mode, with the averaged
    weights, as they are in `file`. log: a folder for TensorBoard's files.
    loss: (model, src (B, S), tgt (B, T) with bos and eos) -> the mean over the ids to predict; without it
    torch's, label-smoothed as the recipe says.
    Raises: train.Stopped when interrupted; train.NotANumberError; OutOfMemory; ValueError for a model
    of other sizes; while grading, WeightsError if `file` does not fit.
    """
    run = Run(file, recipe.steps)
    if check.host.grading:
        load(model, file)
        print(f"{file}: loaded. Nothing is trained while grading.")
        return run
    _fits(model, vocabulary, recipe)
    if pairs is None:
        valid = data.pairs("general", "valid") if valid is None else valid
        pairs = data.pairs("general")
    place = torch.device(device) if device is not None else ranks.device()
    home = next(model.parameters()).device
    try:
        training = Training(run, model.to(place), vocabulary, recipe, pairs, place, loss)
        training.run_through(Watch(run, quiet or not training.ranks.first, log), valid or ())
    finally:
        model.to(home)
    return run


def load(model: nn.Module, file: str | Path) -> None:
    """Put the weights of a translator's file into the model, which is in eval mode afterwards."""
    found = checkpoint.read(file)
    try:
        found.into(model)
    except _weights.WeightsError as problem:
        raise _weights.WeightsError(f"{file}: {problem}") from None
    model.eval()


def _fits(model: nn.Module, vocabulary: Vocabulary, recipe: Recipe) -> None:
    table = getattr(getattr(model, "embedding", None), "weight", None)
    want = (len(vocabulary), recipe.d_model)
    if isinstance(table, torch.Tensor) and tuple(table.shape) != want:
        raise ValueError(
            f"model.embedding.weight is {tuple(table.shape)}, but this vocabulary and recipe make {want}. "
            "Build the model with **recipe.sizes(len(vocabulary))."
        )


class Training:
    """All that one run needs, put together."""

    def __init__(
        self,
        run: Run,
        model: nn.Module,
        vocabulary: Vocabulary,
        recipe: Recipe,
        pairs: Pairs,
        device: torch.device,
        loss: Loss | None = None,
    ) -> None:
        self.run, self.model, self.vocabulary, self.recipe, self.device = (
            run,
            model,
            vocabulary,
            recipe,
            device,
        )
        self.ranks = ranks.here()
        self.batches = Batches(pairs, vocabulary, recipe, self.ranks.rank, self.ranks.world)
        self.stepper = Stepper(model, recipe, device, self.ranks, loss)
        self.average = Average(model, recipe.average)
        self.state = State(run, model, self.stepper.optimizer, self.average, vocabulary, recipe)

    def run_through(self, watch: Watch, valid: Pairs) -> None:
        """From where an earlier sitting stopped to the end, or to an interrupt."""
        self.watch, self.valid = watch, decode.spread(valid, self.recipe.eval_pairs)
        said = self.state.resume(self.ranks.first)
        watch.first = self.run.done
        if self.ranks.first and said:
            print(said)
        self._measure_device()
        self.ranks.wait()  # nobody writes before all have read
        try:
            if self.run.done < self.run.steps:
                with Patience() as patience, self._made_fast():
                    self._loop(patience)
        finally:
            self.average.settle()
            self.model.eval()
            watch.update(self.run.losses, self.run.seconds)
            watch.close()

    @contextlib.contextmanager
    def _made_fast(self) -> Iterator[None]:
        """Inside, attention takes a GPU's fast kernels, and a learner's loss gets its logits in float32."""
        with contextlib.ExitStack() as inside:
            if self.recipe.amp != "none":
                inside.callback(self.model.register_forward_hook(in_float32).remove)
            if self.device.type == "cuda":
                inside.enter_context(without_cudnn())
                batch = self.batches.of(1).batches[0]
                ids = batch.src[:2], batch.tgt[:2, :-1]
                same = inside.enter_context(fused_where_same(self.model, self.recipe.n_heads, *ids))
                if not same and not self.watch.quiet:
                    print("The model's attention is not the usual one, so torch's fused kernel is not used.")
            yield

    def _loop(self, patience: Patience) -> None:
        run, first, saved = self.run, self.run.done, time.monotonic()
        steps = range(first + 1, run.steps + 1)
        self.clock = Clock(run, speed.COMPILING if self.recipe.compile else 0)
        try:
            with contextlib.closing(loading.ahead(self.batches, steps, self.device)) as shares:
                for number in steps:
                    stop = self._step(number, shares, patience)
                    last, every = number == run.steps, self.recipe.eval_every
                    if last or stop or (every and number % every == 0):
                        stop |= self._note(everything=True)
                    if every and (last or number % every == 0):
                        self._measure_bleu(number)
                    if time.monotonic() - saved > SAVE_SECONDS:
                        self._note(everything=True)
                        self._save()
                        saved = time.monotonic()
                    if stop and not last:
                        at = f"after step {number:,} of {run.steps:,}"
                        raise train.Stopped(
                            f"Interrupted {at}; all is kept. Run this again to go on from there."
                        )
        finally:
            if self.stepper.whole:
                with contextlib.suppress(train.NotANumberError):  # what stopped it says more
                    self._note(everything=True)
                if run.done > first:
                    self._save()

    def _step(self, number: int, shares: Generator[Share, None, None], patience: Patience) -> bool:
        """Do one step; whether to stop after it."""
        self.clock.begin()
        with told_if_too_large(number, self.recipe, self.device):
            share = next(shares)
        self.stepper.gradients(number, share, patience.over)
        # On a GPU: the loss of the step before, while this one's gradients are still being computed.
        stop = self._note(everything=True)
        self.stepper.update()
        stop |= self._note()
        self.clock.stepped(share.tokens)
        self.stepper.whole = True
        self.watch.tick(self.run.losses, self.run.seconds)
        # Several processes stop after the same step: the one after they have told each other.
        return stop if self.ranks.world > 1 else patience.over

    def _note(self, everything: bool = False) -> bool:
        """Take in the steps whose loss is there; the weights are those after the last of them."""
        stop = False
        for loss, asked in self.stepper.read(everything):
            self.run.losses.append(loss)
            self.average.update(self.run.done)
            self.watch.noted(loss, self.run.done)
            stop |= asked
        return stop

    def _measure_device(self) -> None:
        found = speed.peak(self.device)
        self.run.peak = found.flops * self.ranks.world if found else 0.0
        if found and not self.watch.quiet:
            print(f"MFU is the share of {found.said}.")
        texts = list(zip(self.batches.sources, self.batches.targets, strict=True))
        self.run.flops_per_token = speed.flops_per_token(self.model, texts)

    def _measure_bleu(self, number: int) -> None:
        if not (self.ranks.first and self.valid):
            return
        said = f"BLEU after step {number:,} did not fit into {self.device}'s memory. "
        with self.average.inside(), out_of_memory(f"{said}Next: eval_every=0; training goes on from here."):
            found = decode.bleu_of(self.model, self.vocabulary, self.valid)
        self.run.bleus.append((number, found))
        self.watch.measured()

    def _save(self) -> None:
        self.clock.read()
        if self.ranks.first:
            self.state.write()


def in_float32(model: nn.Module, given: object, logits: Any) -> Any:
    """A forward hook: what autocast made bfloat16 is too coarse for sums over all ids."""
    return logits.float() if isinstance(logits, torch.Tensor) else logits


class Clock:
    """Adds to a run's seconds, processor seconds, and seconds and tokens of steps.

    skip: so many steps of this sitting count in neither of the last two, since they compile.
    """

    def __init__(self, run: Run, skip: int = 0) -> None:
        self.run, self.skip, self.at = run, skip, (time.perf_counter(), time.process_time())

    def read(self) -> None:
        now = time.perf_counter(), time.process_time()
        self.run.seconds += now[0] - self.at[0]
        self.run.cpu += now[1] - self.at[1]
        self.at = now

    def begin(self) -> None:
        """A step begins, with the waiting for its batches."""
        self.started = time.perf_counter()

    def stepped(self, tokens: int) -> None:
        """It is over."""
        if self.skip:
            self.skip -= 1
        else:
            self.run.stepping += time.perf_counter() - self.started
            self.run.tokens += tokens
        self.read()
