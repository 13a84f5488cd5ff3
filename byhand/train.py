"""The training loop of every lesson: it can be watched, interrupted, resumed, and repeated exactly.

    train.fit(model, loss, batches, steps=600, file="weights.safetensors")

It writes two files, both safetensors: `file`, the weights, which are handed in, and a checkpoint in
.training/ with the optimizer's state and the loss curve. An interrupt, a crash or a loss of nan keeps
both, and the next call goes on from there. While grading nothing is trained: `fit` loads `file`.
Order: how it can stop, fit, one step, files.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from byhand import _live, _weights, check
from byhand._patience import Patience
from byhand._weights import WeightsError

__all__ = ["NotANumberError", "Run", "Stopped", "WeightsError", "fit", "forget", "load", "read", "seeded"]

CHECKPOINTS = Path(".training")  # beside the notebook; not handed in
SAVE_SECONDS = 10.0  # a crash loses no more than this

Loss = Callable[[Any], Tensor]
Batches = Callable[[int], Any]
Rate = float | Callable[[int], float]
Optimizer = Callable[..., torch.optim.Optimizer]
Keep = Callable[[str], bool] | None


class Stopped(KeyboardInterrupt):
    """Training was interrupted after a whole step; everything is saved."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class NotANumberError(ArithmeticError):
    """A loss or a gradient was nan or infinite; the weights from before that step are saved."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass
class Run:
    """What came of a training. losses: one for each step; seconds: all sittings together."""

    file: str
    steps: int
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def done(self) -> int:
        return len(self.losses)


def fit(
    model: nn.Module,
    loss: Loss,
    batches: Batches,
    steps: int,
    *,
    rate: Rate = 1e-3,
    file: str = "weights.safetensors",
    optimizer: Optimizer = torch.optim.Adam,
    clip: float = 1.0,
    seed: int = 0,
    keep: Keep = None,
    metadata: Mapping[str, str] | None = None,
    handed_in: bool = True,
) -> Run:
    """Train `model` to `steps` steps in all, from where the last call stopped; it ends in eval mode.

    loss: batch -> 0-d tensor. batches: step (1, 2, …) -> batch, the same for the same step.
    rate: of the optimizer, a number or step -> number. clip: the largest norm of all gradients.
    keep: which names of the state go into `file` (all). metadata: texts to store in `file`.
    handed_in: False for an experiment: `file` goes to .training/, and while grading nothing happens.
    Raises: Stopped when interrupted; NotANumberError; while grading, WeightsError if `file` does not fit.
    """
    name = _live.title(file)
    file = file if handed_in else str(CHECKPOINTS / f"weights_{file}")
    run = Run(file, steps)
    if check.host.grading:
        if handed_in:
            load(model, file, keep)
        print(f"{file}: {'loaded' if handed_in else 'not needed'}. Nothing is trained while grading.")
        return run
    stepper = _Stepper(model, loss, batches, optimizer, rate, clip, seed)
    saver = _Saver(run, model, stepper.optimizer, keep, dict(metadata or {}))
    saver.resume()
    live = _live.Live(name, steps, run.done)
    if run.done >= steps:
        model.eval()
        if check._current.get() is None:  # a check that calls the training again needs no picture
            live.update(run.losses, run.seconds)
            live.close()
        return run
    try:
        with Patience() as patience:
            _loop(run, stepper, saver, live, patience)
    finally:
        live.update(run.losses, run.seconds)
        live.close()
        model.eval()
    return run


def _loop(run: Run, stepper: _Stepper, saver: _Saver, live: _live.Live, patience: Patience) -> None:
    before, saved = run.seconds, time.monotonic()
    started, first = saved, run.done
    try:
        while run.done < run.steps:
            run.losses.append(stepper.step(run.done + 1))
            now = time.monotonic()
            run.seconds = before + now - started
            live.tick(run.losses, run.seconds)
            if now - saved > SAVE_SECONDS:
                saver.save()
                saved = now
            if patience.over:
                at = f"after step {run.done:,} of {run.steps:,}"
                raise Stopped(f"Interrupted {at}; all is kept. Run this cell again to go on from there.")
    finally:
        if run.done > first and stepper.whole:
            saver.save()


# One step


class _Stepper:
    """Does step after step; the random numbers of a step depend on seed and step alone."""

    whole = True  # no step was broken off halfway

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        batches: Batches,
        optimizer: Optimizer,
        rate: Rate,
        clip: float,
        seed: int,
    ) -> None:
        for name, gives, given in (("loss", "batch -> number", loss), ("batches", "step -> batch", batches)):
            if not callable(given):
                raise TypeError(f"{name} must be a function, {gives}, got {kind(given)}.")
        self.model, self.loss, self.batches, self.clip, self.seed = model, loss, batches, clip, seed
        self.parameters = [part for part in model.parameters() if part.requires_grad]
        if not self.parameters:
            raise ValueError("model has no parameter to train; is a layer stored under self?")
        self.rate = rate if callable(rate) else lambda step: rate
        first = self.rate(1)
        self.optimizer = optimizer(self.parameters, lr=first)
        # Groups may have rates of their own; all follow the schedule in proportion.
        self.shares = [group["lr"] / first if first else 1.0 for group in self.optimizer.param_groups]

    def step(self, number: int) -> float:
        """Train on batch `number`; its loss. The weights stay as they are if loss or gradient is nan."""
        self.model.train()
        with seeded(self.seed * 1_000_003 + number, self.parameters[0].device):
            value = self.loss(self.batches(number))
            if not isinstance(value, Tensor) or value.ndim != 0 or not value.requires_grad:
                raise TypeError(f"loss must return a 0-d tensor with a gradient, got {kind(value)}.")
            self.optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
        norm = float(nn.utils.clip_grad_norm_(self.parameters, self.clip))
        found = float(value.detach())
        if not math.isfinite(found) or not math.isfinite(norm):
            what = f"the loss is {found}" if not math.isfinite(found) else f"the gradient's norm is {norm}"
            raise NotANumberError(
                f"Step {number:,}: {what}. Training stopped; the weights are those from before this step. "
                "Next: a smaller rate, or look for a division by 0 or a softmax over nothing."
            )
        rate = self.rate(number)
        if not rate >= 0:
            raise ValueError(f"the rate of step {number:,} is {rate}; it must not be below 0.")
        for group, share in zip(self.optimizer.param_groups, self.shares, strict=True):
            group["lr"] = rate * share
        self.whole = False
        self.optimizer.step()
        self.whole = True
        return found


def kind(value: object) -> str:
    """What a loss was, for a message."""
    if isinstance(value, Tensor):
        return f"shape {tuple(value.shape)}{'' if value.requires_grad else ' without a gradient'}"
    return f"a {type(value).__name__}"


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Inside, torch's random numbers are those of this seed; afterwards all is as before."""
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


# Files


class _Saver:
    """Reads and writes what a run leaves behind."""

    def __init__(
        self,
        run: Run,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        keep: Keep,
        metadata: dict[str, str],
    ) -> None:
        self.run, self.model, self.optimizer = run, model, optimizer
        self.keep, self.metadata = keep, metadata
        self.path, self.checkpoint = Path(run.file), _checkpoint(run.file)

    def save(self) -> None:
        facts = {"steps": str(self.run.done), "seconds": f"{self.run.seconds:.1f}"}
        state = self.model.state_dict()
        _weights.write(self.path, _weights.kept(state, self.keep), self.metadata | facts)
        everything = {f"model.{name}": tensor for name, tensor in state.items()}
        everything |= _weights.of_optimizer(self.optimizer)
        everything["losses"] = torch.tensor(self.run.losses, dtype=torch.float64)
        _weights.write(self.checkpoint, everything, facts)

    def resume(self) -> None:
        """Take up the last checkpoint, if there is one and it fits the model."""
        try:
            tensors, facts = _weights.read(self.checkpoint)
        except FileNotFoundError:
            return
        except WeightsError as problem:
            print(problem)
            return
        state = {name.removeprefix("model."): part for name, part in tensors.items() if name[:6] == "model."}
        different = _weights.misfit(self.model.state_dict(), state)
        if different:
            self._set_aside(different)
            return
        _weights.copy_into(self.model, state)
        _weights.into_optimizer(self.optimizer, tensors)
        self.run.losses = tensors["losses"].tolist()
        self.run.seconds = float(facts["seconds"])
        goes = "goes on" if self.run.done < self.run.steps else "is not repeated"
        print(f"{self.run.done:,} steps are done, training {goes}. Anew: train.forget({self.run.file!r})")

    def _set_aside(self, different: str) -> None:
        old = self.checkpoint.with_suffix(".before.safetensors")
        (self.path if self.path.is_file() else self.checkpoint).replace(old)
        print(f"{self.run.file} is of another model ({different}). It is kept as {old}; this starts anew.")


def read(file: str) -> dict[str, Tensor]:
    """The tensors of `file`. Raises: WeightsError, which says in a sentence what is wrong with it."""
    return _weights.read_own(file)[0]


def load(model: nn.Module, file: str, keep: Keep = None) -> None:
    """Put the weights of `file` into the model, which is in eval mode afterwards; keep: as in fit."""
    tensors = read(file)
    different = _weights.misfit(_weights.kept(model.state_dict(), keep), tensors)
    if different:
        raise WeightsError(
            f"{file} does not fit the model that this notebook builds: {different}. "
            "Was the model changed after training? Then train again."
        )
    broken = _weights.broken(tensors)
    if broken:
        raise WeightsError(f"{file}: {broken} Train again.")
    _weights.copy_into(model, tensors)
    model.eval()


def forget(file: str = "weights.safetensors") -> None:
    """Delete the weights and the checkpoint of a training, so that the next one starts anew."""
    found: Sequence[Path] = [path for path in (Path(file), _checkpoint(file)) if path.is_file()]
    for path in found:
        path.unlink()
    print(f"{file}: {'forgotten.' if found else 'nothing was there.'}")


def _checkpoint(file: str) -> Path:
    return CHECKPOINTS / f"state_{Path(file).name}"
