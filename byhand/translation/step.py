"""One step of training: forward and backward over its batches, then Adam.

    batches ─ logits ─ label-smoothed loss ─ gradients ─ clipped ─ Adam at this step's rate

The random numbers of a step depend on seed, step and process alone. Order: losses, Stepper, what a step
found, too little memory, Adam, compiling.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from byhand._device import made_on
from byhand.train import NotANumberError, kind, seeded
from byhand.translation.batches import Batch, Share, is_filler
from byhand.translation.ranks import Ranks
from byhand.translation.recipe import Recipe
from byhand.translation.vocabulary import PAD

Loss = Callable[[Any, Tensor, Tensor], Tensor]


class OutOfMemory(MemoryError):  # noqa: N818 - what happened, as MemoryError itself
    """A step did not fit into memory; the sentence says which size to try."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def loss_of(network: Callable[[Tensor, Tensor], Tensor], batch: Batch, smoothing: float) -> Tensor:
    """The sum of the label-smoothed losses of all target ids that are not padding."""
    logits = network(batch.src, batch.tgt[:, :-1])
    wanted = batch.tgt[:, 1:].flatten()
    return functional.cross_entropy(
        logits.flatten(0, 1), wanted, ignore_index=PAD, label_smoothing=smoothing, reduction="sum"
    )


def mean_of(loss: Loss) -> Callable[[Any, Batch, float], Tensor]:
    """A learner's loss (model, src, tgt) -> mean over the target ids, as the sum that a step adds up.

    Raises: TypeError if it does not return a 0-d tensor with a gradient.
    """

    def summed(network: Any, batch: Batch, smoothing: float) -> Tensor:
        value = loss(network, batch.src, batch.tgt)
        if not isinstance(value, Tensor) or value.ndim != 0 or not value.requires_grad:
            raise TypeError(f"loss must return a 0-d tensor with a gradient, got {kind(value)}.")
        return value * batch.tgt[:, 1:].ne(PAD).sum()

    return summed


class Stepper:
    """Does step after step. On a GPU a step's loss is read while the next one runs: `lag` is 1."""

    lag = 0  # of how many steps the loss is not waited for
    whole = True  # no step was broken off before it was noted

    def __init__(
        self, model: nn.Module, recipe: Recipe, device: torch.device, here: Ranks, loss: Loss | None = None
    ) -> None:
        self.model, self.recipe, self.device, self.ranks = model, recipe, device, here
        self.parameters = [part for part in model.parameters() if part.requires_grad]
        self.network: Any = model
        if here.world > 1:
            self.network = nn.parallel.DistributedDataParallel(model)
        own = mean_of(loss) if loss else loss_of
        self.loss = compiled(own, device) if recipe.compile else own
        self.optimizer = optimizer(self.parameters, recipe)
        # The fused kernel itself can leave out a step whose gradient is nan, so nobody has to wait for it.
        if device.type == "cuda" and recipe.fused:
            self.lag = 1
        self._unread: deque[Facts] = deque()

    def step(self, number: int, share: Share, stop: bool = False) -> None:
        """Train on the batches of step `number`. stop: this process was asked to stop."""
        self.gradients(number, share, stop)
        self.update()

    def gradients(self, number: int, share: Share, stop: bool = False) -> None:
        """The first half of a step; the weights are as before."""
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate_at(number)
        self.optimizer.zero_grad(set_to_none=True)
        with told_if_too_large(number, self.recipe, self.device):
            loss = self._gradients(number, share)
            norm = nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        facts = self.ranks.total(torch.stack([loss, loss.new_full((), float(stop))]))
        self._now = Facts(number, torch.cat([facts, norm.detach()[None]]))
        if self.lag:
            self.optimizer.found_inf = (~(facts[0] + norm).isfinite()).float()  # type: ignore[attr-defined]
        else:
            self._now.raise_if_not_finite()

    def update(self) -> None:
        """The second half: Adam."""
        self.whole = False  # until the caller has noted the step
        with told_if_too_large(self._now.number, self.recipe, self.device):
            self.optimizer.step()
        self._unread.append(self._now)

    def read(self, everything: bool = False) -> Iterator[tuple[float, bool]]:
        """The losses not read yet, of all steps but the last `lag`, and whether a process wants to stop.

        Raises: NotANumberError at the first that is none; the fused kernel has left that step out.
        """
        while len(self._unread) > (0 if everything else self.lag):
            facts = self._unread.popleft()
            facts.raise_if_not_finite()
            yield facts.loss, facts.asked

    def _gradients(self, number: int, share: Share) -> Tensor:
        seed = self.recipe.seed * 1_000_003 + number + self.ranks.rank * 7_919_000_003
        total = torch.zeros((), device=self.device)
        with seeded(seed, self.device), made_on(self.device):
            for at, batch in enumerate(share.batches, 1):
                last = at == len(share.batches)
                together = (
                    contextlib.nullcontext() if last or self.ranks.world == 1 else self.network.no_sync()
                )
                with together:
                    with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.amp == "bf16"):
                        value = self._loss_of(batch) / share.predicted
                    (value * self.ranks.world).backward()  # type: ignore[no-untyped-call]
                total += value.detach()
        return total

    def _loss_of(self, batch: Batch) -> Tensor:
        if self.ranks.world > 1 and is_filler(batch):
            # A mean over nothing is nan. All parameters must be in the graph, or the others wait for ever.
            value: Tensor = self.network(batch.src, batch.tgt[:, :-1]).sum() * 0.0
            return value
        return self.loss(self.network, batch, self.recipe.smoothing)


class Facts:
    """Loss, wish to stop and norm of a step. From a GPU they are under way: reading waits for them alone."""

    def __init__(self, number: int, facts: Tensor) -> None:
        self.number, self._facts = number, facts.to("cpu", non_blocking=facts.is_cuda)
        self._there = torch.cuda.Event() if facts.is_cuda else None  # type: ignore[no-untyped-call]
        if self._there:
            self._there.record()

    def _read(self) -> list[float]:
        if self._there:
            self._there.synchronize()
        return self._facts.tolist()

    @property
    def loss(self) -> float:
        return self._read()[0]

    @property
    def asked(self) -> bool:
        return self._read()[1] > 0

    def raise_if_not_finite(self) -> None:
        loss, _, norm = self._read()
        if math.isfinite(loss) and math.isfinite(norm):
            return
        what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
        raise NotANumberError(
            f"Step {self.number:,}: {what}. Training stopped; the weights are the last good ones. "
            "Next: a smaller rate, or look for a division by 0 or a softmax over nothing."
        )


# Too little memory


@contextlib.contextmanager
def told_if_too_large(number: int, recipe: Recipe, device: torch.device) -> Iterator[None]:
    """Raises: OutOfMemory where what is inside, a part of step `number`, does not fit."""
    size, times = recipe.tokens_per_batch, recipe.accumulate
    with out_of_memory(
        f"Step {number:,} with tokens_per_batch = {size:,} did not fit into {device}'s memory. "
        f"Next: tokens_per_batch={size // 2} and accumulate={2 * times}, which learns the same; "
        "but these are other batches, so training starts anew."
    ):
        yield


@contextlib.contextmanager
def out_of_memory(said: str) -> Iterator[None]:
    """Raises: OutOfMemory with this sentence for whatever says that memory lacks."""
    try:
        yield
    except (MemoryError, RuntimeError) as problem:
        if isinstance(problem, OutOfMemory) or not _lacks_memory(problem):
            raise
        raise OutOfMemory(said) from None


def _lacks_memory(problem: Exception) -> bool:
    if isinstance(problem, (torch.OutOfMemoryError, MemoryError)):
        return True
    return any(words in str(problem) for words in _LACKS)


# Of the CPU's allocator, of a GPU outside of torch's allocator, of cuBLAS and cuDNN.
_LACKS = ("can't allocate memory", "CUDA error: out of memory", "_ALLOC_FAILED", "_ALLOCATION_FAILED")


def optimizer(parameters: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """Adam; weights, but neither biases nor norms, decay by recipe.weight_decay."""
    matrices = [part for part in parameters if part.ndim > 1]
    others = [part for part in parameters if part.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": others},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=recipe.rate, betas=(0.9, recipe.beta2), eps=1e-9, weight_decay=0.0, fused=recipe.fused or None,
    )  # fmt: skip


def compiled(function: Callable[..., Tensor], device: torch.device) -> Callable[..., Tensor]:
    """The function through torch.compile; where no compiler works, the function and a line that says so."""
    try:
        torch.compile(lambda x: x * 2 + 1)(torch.ones(3, device=device))
    except Exception as problem:
        why = (str(problem).strip() or type(problem).__name__).splitlines()[0]
        print(f"torch.compile finds no compiler that works here ({why[:120]}); training goes on without it.")
        return function
    result: Callable[..., Tensor] = torch.compile(function, dynamic=True)
    return result
