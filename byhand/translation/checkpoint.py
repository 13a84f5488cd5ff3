"""A translator in one file: weights, sizes and vocabulary as safetensors, which nothing can run from.

    Checkpoint = arguments (of Transformer) + vocabulary + state + facts (recipe, steps, seconds, ...)

Order: Checkpoint, write, read, the shipped file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from byhand import _weights, blocks
from byhand._weights import WeightsError
from byhand.translation.vocabulary import Vocabulary

BASE = Path(__file__).with_name("base.safetensors")
FIGURES = BASE.with_suffix(".json")
_SIZES = {
    "vocab_size": int, "d_model": int, "n_heads": int, "d_hidden": int, "n_layers": int,
    "max_len": int, "pad_id": int, "dropout": float,
}  # fmt: skip


@dataclass
class Checkpoint:
    """What a translation file holds. state: float32; facts: texts (recipe, steps, seconds, ...)."""

    arguments: dict[str, Any]
    vocabulary: Vocabulary
    state: dict[str, Tensor]
    facts: dict[str, str] = field(default_factory=dict)

    def model(self, make: Callable[..., nn.Module] | None = None) -> nn.Module:
        """A model of class `make` (blocks.Transformer) with these weights, in eval mode.

        Raises: WeightsError with the name and both shapes where they do not fit.
        """
        model = (make or blocks.Transformer)(**self.arguments)
        self.into(model)
        return model.eval()

    def into(self, model: nn.Module) -> None:
        """Copy the weights into a model; buffers and frozen numbers, which a class may add, are left alone.

        Raises: WeightsError with the name and both shapes where they do not fit.
        """
        names = dict(model.named_parameters(remove_duplicate=False))
        buffers = {name for name, _ in model.named_buffers()}
        given = {name: part for name, part in self.state.items() if name not in buffers}
        # What is trained must be there, a shared parameter under one of its names.
        trained = {name for name, part in model.named_parameters() if part.requires_grad}
        different = _weights.misfit({n: p for n, p in names.items() if n in trained or n in given}, given)
        if different:
            raise WeightsError(
                f"the weights do not fit the model: {different}. Were its sizes or names changed since?"
            )
        with torch.no_grad():
            for name, part in given.items():
                names[name].copy_(part)


def write(
    file: str | Path,
    state: Mapping[str, Tensor],
    arguments: Mapping[str, Any],
    vocabulary: Vocabulary,
    facts: Mapping[str, str] | None = None,
    dtype: torch.dtype = torch.bfloat16,
) -> None:
    """Write a translator; floats are kept as `dtype`, half as large as float32."""
    metadata = {**(facts or {}), "arguments": json.dumps(dict(arguments)), **vocabulary.metadata()}
    small = {name: part.to(dtype) if part.is_floating_point() else part for name, part in state.items()}
    _weights.write(Path(file), small, metadata)


def read(file: str | Path) -> Checkpoint:
    """The translator in `file`, from wherever it comes; nothing in it can run.

    Raises: WeightsError, which says what is wrong with the file and what to do.
    """
    try:
        tensors, facts = _weights.read(Path(file))
    except FileNotFoundError:
        raise WeightsError(f"there are no weights: {file} does not exist. Train first, then read.") from None
    try:
        arguments, vocabulary = _arguments(facts), Vocabulary.from_metadata(facts)
        if arguments["vocab_size"] != len(vocabulary):
            sizes = f'"vocab_size" is {arguments["vocab_size"]:,}, but its merges and characters make'
            raise ValueError(f"{sizes} {len(vocabulary):,} ids")
    except (ValueError, KeyError) as problem:
        raise WeightsError(
            f"{file} is no translator: {problem}. Write it with translation.fit or translation.write."
        ) from None
    broken = _weights.broken(tensors)
    if broken:
        raise WeightsError(f"{file}: {broken} Train again.")
    state = {name: part.float() if part.is_floating_point() else part for name, part in tensors.items()}
    rest = {name: text for name, text in facts.items() if name not in ("arguments", "characters", "merges")}
    return Checkpoint(arguments, vocabulary, state, rest)


def _arguments(facts: Mapping[str, str]) -> dict[str, Any]:
    if "arguments" not in facts:
        raise ValueError("the file's metadata lack 'arguments', the sizes of its model")
    found = json.loads(facts["arguments"])
    if not isinstance(found, dict) or not set(found) <= set(_SIZES) or "vocab_size" not in found:
        raise ValueError(
            f"'arguments' is {found!r}; it must give vocab_size and others of {', '.join(_SIZES)}"
        )
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, (int, _SIZES[name])):
            raise ValueError(f"'arguments' has {name} = {value!r}, not a number")
    return found


def base() -> Checkpoint:
    """The shipped translator; data/base.md is its card."""
    return read(BASE)


def figures() -> dict[str, Any]:
    """What the reference runs measured: "bar", "exam" (pairs, mean, sd), "runs", "recipe", "data", …"""
    found: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return found
