"""One step of training: forward and backward over its batches, then Adam.

    batches ─ logits ─ label-smoothed loss ─ gradients ─ clipped ─ Adam at this step's rate

The random numbers of a step depend on seed, step and process alone. Order: errors, Stepper, compiling.
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

from byhand.train import NotANumberError, kind, seeded
from byhand.translation.batches import Batch, Share
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
        self, model: nn.Module, recipe: Recipe, device: torch.device, ranks: Ranks, loss: Loss | None = None
    ) -> None:
        self.model, self.recipe, self.device, self.ranks = model, recipe, device, ranks
        self.parameters = [part for part in model.parameters() if part.requires_grad]
        self.network: Any = model
        if ranks.world > 1:
            self.network = nn.parallel.DistributedDataParallel(model)
        own = mean_of(loss) if loss else loss_of
        self.loss = compiled(own, device) if recipe.compile else own
        self.optimizer = optimizer(self.parameters, recipe)
        # The fused kernel itself can leave out a step whose gradient is nan, so nobody has to wait for it.
        if device.type == "cuda" and recipe.fused:
            self.lag = 1
        self._unread: deque[tuple[int, Tensor]] = deque()

    def step(self, number: int, share: Share, stop: bool = False) -> None:
        """Train on the batches of step `number`. stop: this process was asked to stop."""
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate_at(number)
        self.optimizer.zero_grad(set_to_none=True)
        with self._told_if_too_large(number):
            loss = self._gradients(number, share)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        facts = self.ranks.total(torch.stack([loss, loss.new_full((), float(stop))]))
        self._unread.append((number, torch.cat([facts, norm.detach()[None]])))
        if self.lag:
            self.optimizer.found_inf = (~(facts[0] + norm).isfinite()).float()  # type: ignore[attr-defined]
        else:
            _raise_if_not_finite(*self._unread[-1])
        self.whole = False  # until the caller has noted the step
        self.optimizer.step()

    def read(self, everything: bool = False) -> Iterator[tuple[float, bool]]:
        """The losses not read yet, of all steps but the last `lag`, and whether a process wants to stop."""
        while len(self._unread) > (0 if everything else self.lag):
            number, facts = self._unread.popleft()
            try:
                _raise_if_not_finite(number, facts)
            except NotANumberError:
                self.whole = True  # the kernel left this step out
                raise
            yield float(facts[0]), bool(facts[1] > 0)

    def _gradients(self, number: int, share: Share) -> Tensor:
        seed = self.recipe.seed * 1_000_003 + number + self.ranks.rank * 7_919_000_003
        total = torch.zeros((), device=self.device)
        with seeded(seed, self.device):
            for at, batch in enumerate(share.batches, 1):
                last = at == len(share.batches)
                together = (
                    contextlib.nullcontext() if last or self.ranks.world == 1 else self.network.no_sync()
                )
                with together:
                    with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.amp == "bf16"):
                        value = self.loss(self.network, batch, self.recipe.smoothing) / share.predicted
                    (value * self.ranks.world).backward()  # type: ignore[no-untyped-call]
                total += value.detach()
        return total

    @contextlib.contextmanager
    def _told_if_too_large(self, number: int) -> Iterator[None]:
        try:
            yield
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as problem:
            if not _lacks_memory(problem):
                raise
            size, times = self.recipe.tokens_per_batch, self.recipe.accumulate
            raise OutOfMemory(
                f"Step {number:,} with tokens_per_batch = {size:,} did not fit into {self.device}'s memory. "
                f"Next: tokens_per_batch={size // 2} and accumulate={2 * times}, which learns the same."
            ) from None


def _lacks_memory(problem: Exception) -> bool:
    if isinstance(problem, (torch.OutOfMemoryError, MemoryError)):
        return True
    return type(problem) is RuntimeError and "can't allocate memory" in str(problem)  # the CPU's


def _raise_if_not_finite(number: int, facts: Tensor) -> None:
    loss, _, norm = facts.tolist()
    if math.isfinite(loss) and math.isfinite(norm):
        return
    what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
    raise NotANumberError(
        f"Step {number:,}: {what}. Training stopped; the weights are the last good ones. "
        "Next: a smaller rate, or look for a division by 0 or a softmax over nothing."
    )


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
