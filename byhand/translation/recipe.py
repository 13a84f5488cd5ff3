"""How a translator is trained: every number that a training depends on, in one frozen record.

    recipe("cpu")                      some 10 minutes of processor time
    recipe("cpu", seed=1, steps=100)   the same, but for these
    recipe("cpu").with_texts(["steps=100", "compile=yes"])

Order: Recipe, the presets, changing one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from byhand.translation.vocabulary import PAD

_COUNTS = ["d_model", "n_heads", "d_hidden", "n_layers", "max_len", "steps", "tokens_per_batch", "accumulate"]
_CHOICES = {"decay": ("cosine", "root"), "amp": ("none", "bf16")}


@dataclass(frozen=True)
class Recipe:
    """Tokens are counted in source and target together, padding too; steps from 1."""

    # The model
    n_merges: int = 2000
    d_model: int = 160
    n_heads: int = 4
    d_hidden: int = 640
    n_layers: int = 2
    max_len: int = 160  # ids of a text, bos or eos among them
    dropout: float = 0.1
    # The batches
    steps: int = 4400
    tokens_per_batch: int = 1000  # of all processes together
    accumulate: int = 1  # batches to a step
    bucketed: bool = True  # texts of like length together
    # The optimizer
    rate: float = 2e-3  # at its highest, after warm-up
    warmup: int = 400
    decay: str = "cosine"  # to 0 at the last step; or "root": 1/√step, as in 2017
    beta2: float = 0.98
    weight_decay: float = 0.0
    smoothing: float = 0.1
    clip: float = 1.0
    average: int = 200  # steps whose weights are averaged; 0: none
    # How it runs
    amp: str = "none"  # or "bf16": matrix products in bfloat16
    compile: bool = False
    fused: bool = True  # all of Adam in one kernel; attention on a GPU: fit decides
    seed: int = 0
    eval_every: int = 550  # steps; 0: BLEU is not measured while training
    eval_pairs: int = 100  # of the validation split

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(choices)}")
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model = {self.d_model} is not divisible by n_heads = {self.n_heads}")

    def sizes(self, vocab_size: int) -> dict[str, Any]:
        """The arguments of Transformer."""
        names = ("d_model", "n_heads", "d_hidden", "n_layers", "max_len", "dropout")
        return {"vocab_size": vocab_size, "pad_id": PAD, **{name: getattr(self, name) for name in names}}

    def rate_at(self, step: int) -> float:
        """The learning rate of a step: up in a line, then down along a cosine or as 1/√step."""
        if step <= self.warmup:
            return self.rate * step / self.warmup
        if self.decay == "root":
            return self.rate * math.sqrt(max(1, self.warmup) / step)
        passed = (step - self.warmup) / max(1, self.steps + 1 - self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, passed)))

    def texts(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}

    def with_texts(self, changes: Iterable[str]) -> Recipe:
        """Of texts like "steps=100". Raises: ValueError, which names what there is."""
        types = {part.name: type(getattr(self, part.name)) for part in fields(self)}
        found: dict[str, Any] = {}
        for change in changes:
            name, _, text = change.partition("=")
            if name not in types:
                raise ValueError(f"a recipe has no {name!r}. It has: {', '.join(types)}")
            found[name] = _value(name, text, types[name])
        return replace(self, **found)


def _value(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() not in ("yes", "no", "true", "false", "1", "0"):
            raise ValueError(f"{name} is {text!r}; it must be yes or no")
        return text.lower() in ("yes", "true", "1")
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}; it must be a number") from None


_SMOKE = Recipe(
    n_merges=200, d_model=32, n_heads=2, d_hidden=64, n_layers=1, steps=20, tokens_per_batch=600, warmup=5,
    average=5, eval_every=10, eval_pairs=8,
)  # fmt: skip
_CPU = Recipe()
_GPU = Recipe(
    n_merges=4000, d_model=256, n_heads=8, d_hidden=1024, n_layers=4, dropout=0.3, steps=6000,
    tokens_per_batch=16_000, rate=2e-3, warmup=600, weight_decay=0.01, average=300, amp="bf16", compile=True,
    eval_every=1000, eval_pairs=200,
)  # fmt: skip
RECIPES: Mapping[str, Recipe] = MappingProxyType({"smoke": _SMOKE, "cpu": _CPU, "gpu": _GPU})


def recipe(name: str = "cpu", **changes: Any) -> Recipe:
    """A preset ("smoke", "cpu", "gpu"), with some numbers changed."""
    if name not in RECIPES:
        raise ValueError(f"there is no recipe {name!r}. There is: {', '.join(RECIPES)}")
    unknown = [key for key in changes if key not in RECIPES[name].texts()]
    if unknown:
        raise ValueError(f"a recipe has no {unknown[0]!r}. It has: {', '.join(RECIPES[name].texts())}")
    return replace(RECIPES[name], **changes)
