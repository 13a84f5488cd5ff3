"""What a training leaves behind: the translator, and a state from which the training goes on.

    weights.safetensors                     averaged, bfloat16, with sizes and vocabulary: handed in
    .training/state_weights.safetensors     everything, exactly: weights, mean, Adam, curves

Order: Run, State.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from byhand import _weights, train
from byhand.translation import checkpoint
from byhand.translation.average import Average
from byhand.translation.recipe import Recipe
from byhand.translation.vocabulary import Vocabulary

# These change how a training is watched or how fast it is, not what it learns.
_FREE = ("eval_every", "eval_pairs", "compile", "fused")


@dataclass
class Run:
    """What came of a training, all sittings together.

    losses: one for each step, smoothing included; bleus: (step, BLEU on validation texts); seconds: in
    all; cpu: of processor time; stepping: of steps and of waiting for their batches, without those in which
    a sitting compiles; tokens: of the same steps, padding not counted.
    """

    file: str
    steps: int
    losses: list[float] = field(default_factory=list)
    bleus: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0
    stepping: float = 0.0
    cpu: float = 0.0
    tokens: float = 0.0
    flops_per_token: float = 0.0
    peak: float = 0.0  # operations a second; 0: not known

    @property
    def done(self) -> int:
        return len(self.losses)

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.stepping if self.stepping else 0.0

    @property
    def mfu(self) -> float | None:
        """The share of the device's peak that was used; None if that is not known."""
        return self.tokens_per_second * self.flops_per_token / self.peak if self.peak else None


_NUMBERS = ("seconds", "stepping", "cpu", "tokens")


class State:
    """Reads and writes both files of a run."""

    def __init__(
        self,
        run: Run,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: Average,
        vocabulary: Vocabulary,
        recipe: Recipe,
    ) -> None:
        self.run, self.model, self.optimizer, self.average = run, model, optimizer, average
        self.vocabulary, self.recipe = vocabulary, recipe
        self.path = Path(run.file)
        self.beside = train.CHECKPOINTS / f"state_{self.path.name}"

    def write(self) -> None:
        """The state first: a file of weights without one would be of an unknown step."""
        _weights.write(self.beside, self._tensors(), self._facts())
        with self.average.inside():
            self.write_weights()

    def write_weights(self) -> None:
        """The weights as they are in the model now."""
        run = self.run
        facts = {name: f"{getattr(run, name):.1f}" for name in _NUMBERS}
        facts |= {"steps": str(run.done), "recipe": json.dumps(self.recipe.texts())}
        facts |= {"mfu": f"{run.mfu or 0.0:.4f}", "bleus": json.dumps(run.bleus)}
        sizes = self.recipe.sizes(len(self.vocabulary))
        # Under every name, and without buffers: so they load into any class with the course's names.
        weights = dict(self.model.named_parameters(remove_duplicate=False))
        checkpoint.write(self.path, weights, sizes, self.vocabulary, facts)

    def resume(self, first: bool = True) -> str:
        """Take up the state of an earlier sitting, if there is one of this model and recipe; what to say.

        first: of several processes, the one that writes.
        """
        try:
            tensors, facts = _weights.read(self.beside)
        except FileNotFoundError:
            return ""
        except _weights.WeightsError as problem:
            return str(problem)
        model = _under("model.", tensors)
        different = _weights.misfit(self.model.state_dict(), model) or self._other(facts)
        if different:
            return self._set_aside(different, first)
        _weights.copy_into(self.model, model)
        _weights.into_optimizer(self.optimizer, tensors)
        for name, part in _under("mean.", tensors).items():
            self.average.mean[name].copy_(part)
        self._recall(tensors)
        goes = "goes on" if self.run.done < self.run.steps else "is not repeated"
        return f"{self.run.done:,} steps are done, training {goes}. Anew: train.forget({self.run.file!r})"

    def _tensors(self) -> dict[str, Tensor]:
        run = self.run
        tensors = {f"model.{name}": part for name, part in self.model.state_dict().items()}
        tensors |= {f"mean.{name}": part for name, part in self.average.mean.items()}
        tensors |= _weights.of_optimizer(self.optimizer)
        numbers = {
            "losses": run.losses,
            "bleus": [list(pair) for pair in run.bleus],
            "numbers": [getattr(run, name) for name in _NUMBERS],
        }
        return tensors | {name: torch.tensor(part, dtype=torch.float64) for name, part in numbers.items()}

    def _facts(self) -> dict[str, str]:
        texts = json.dumps(self.vocabulary.metadata()).encode()
        return {"recipe": json.dumps(self.recipe.texts()), "vocabulary": hashlib.sha256(texts).hexdigest()}

    def _other(self, facts: Mapping[str, str]) -> str:
        """'' or how another recipe or vocabulary made this state."""
        now = self._facts()
        was, texts = json.loads(facts.get("recipe", "{}")), self.recipe.texts()
        for name, text in texts.items():
            if name not in _FREE and was.get(name) != text:
                return f"{name} was {was.get(name)}, is {text}"
        return "" if facts.get("vocabulary") == now["vocabulary"] else "it has another vocabulary"

    def _recall(self, tensors: Mapping[str, Tensor]) -> None:
        run = self.run
        run.losses = tensors["losses"].tolist()
        run.bleus = [(int(step), bleu) for step, bleu in tensors["bleus"].tolist()]
        for name, value in zip(_NUMBERS, tensors["numbers"].tolist(), strict=True):
            setattr(run, name, value)

    def _set_aside(self, different: str, first: bool) -> str:
        old = self.beside.with_suffix(".before.safetensors")
        if not self.path.is_file():
            return f"{self.run.file} was of another training ({different}); this starts anew."
        if first:
            self.path.replace(old)
        return f"{self.run.file} is of another training ({different}). It is kept as {old}; this starts anew."


def _under(head: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(head): part for name, part in tensors.items() if name.startswith(head)}
