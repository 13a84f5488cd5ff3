"""Fine-tuning the translator on JupyterLab's own menus (lesson 08): texts as batches, marks, files, numbers.

    model = tuning.start()                  the shipped translator
    tuning.batch(step)                      (src, tgt): ids of menus and of their translations
    tuning.marks(model)                     {"menus BLEU": ..., "menus chrF": ..., "general BLEU": ...}
    tuning.measured()                       what `python -m byhand.translation.tuning_runs` measured

Order: the base, batches and losses, marks, an adapter's file, the numbers.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from byhand import _weights, data, lora, train, translation
from byhand._weights import WeightsError
from byhand.translation import decode
from byhand.translation.batches import Batch, Batches
from byhand.translation.recipe import Recipe

NUMBERS = Path(__file__).with_name("tuning.json")
BASES = ("shipped", "medium", "large")  # of which runs were measured, by size: see tuning_bases
TOKENS = 500  # of one batch, padding included
MENU = (
    "Open Edit Menu", "Clear outputs", "Confirm Kernel Restart", "Paste Cell Below", "Show Left Sidebar",
    "Running Terminals and Kernels", "New Console for Notebook", "Expand All Headings", "Start debugger",
    "Save and Reload",
)  # fmt: skip
EXAMS = {"menus": "domain", "general": "general"}
N_EXAM = {"valid": 30, "test": 100}  # pairs of each collection
MARKS = ("menus BLEU", "menus chrF", "general BLEU")

Marks = dict[str, float]

# The base


@lru_cache(maxsize=1)
def base() -> translation.Checkpoint:
    """The shipped translator, read once."""
    return translation.base()


def start() -> nn.Module:
    """A new model with the shipped weights, in eval mode."""
    return base().model()


def share_trained(model: nn.Module) -> float:
    """How many of a model's numbers are trained, as a share of all."""
    sizes = [(part.numel(), part.requires_grad) for part in model.parameters()]
    return sum(size for size, trains in sizes if trains) / sum(size for size, _ in sizes)


def say(model: nn.Module, texts: Sequence[str] = MENU) -> list[str]:
    """Translations of some texts, greedily."""
    return translation.translate(model, base().vocabulary, texts)


# Batches and losses


def recipe(seed: int = 0, tokens: int = TOKENS) -> Recipe:
    return translation.recipe("cpu", seed=seed, tokens_per_batch=tokens, max_len=base().arguments["max_len"])


@lru_cache(maxsize=4)
def _batches(split: str, seed: int) -> Batches:
    return Batches(data.pairs("domain", split), base().vocabulary, recipe(seed))


def batch(step: int, seed: int = 0) -> Batch:
    """Batch 1, 2, … of the menus to train on: src (B, S) with eos, tgt (B, T + 1) with bos and eos."""
    return _batches("train", seed).of(step).batches[0]


def valid_loss(model: nn.Module) -> float:
    """Cross-entropy of one target id, in nats, over the menus of the validation split."""
    batches, total, count, step = _batches("valid", 0), 0.0, 0, 0
    with decode.at_rest(model):
        while count < batches.sizes[:, 1].sum():  # until every menu was there once
            step += 1
            share = batches.of(step)
            src, tgt = share.batches[0]
            logits, wanted = model(src, tgt[:, :-1]).flatten(0, 1), tgt[:, 1:].flatten()
            total += float(functional.cross_entropy(logits, wanted, ignore_index=0, reduction="sum"))
            count += share.predicted
    return total / count


def new_to_base(rare: int = 10) -> tuple[float, float]:
    """Of menus to train on: the share of pieces that the base met fewer than `rare` times, and the share of
    Chinese pieces side by side that it never met so.
    """
    (met, met_so), (pieces, beside) = map(_counted, ("general", "domain"))
    seldom = sum(count for piece, count in pieces.items() if met[piece] < rare)
    never = sum(count for two, count in beside.items() if two not in met_so)
    return seldom / pieces.total(), never / beside.total()


def _counted(name: str) -> tuple[Counter[int], Counter[tuple[int, int]]]:
    """Pieces of both languages, and Chinese ones two by two."""
    encode, pieces, beside = base().vocabulary.encode, Counter[int](), Counter[tuple[int, int]]()
    for pair in data.pairs(name):
        chinese = encode(pair.chinese)
        pieces.update([*encode(pair.english), *chinese])
        beside.update(pairwise(chinese))
    return pieces, beside


# Marks


@lru_cache(maxsize=4)
def exam(name: str, split: str = "test", n: int = 0) -> tuple[data.Pair, ...]:
    """The fixed pairs on which a model is marked: every so-manieth of the sorted split."""
    return tuple(decode.spread(data.pairs(EXAMS[name], split), n or N_EXAM[split]))


def marks(model: nn.Module, split: str = "test", n: int = 0) -> Marks:
    """How well a model translates both exams."""
    return marks_of(lambda rows: translation.greedy(model, rows), split, n)


def marks_of(decoder: decode.Decoder, split: str = "test", n: int = 0) -> Marks:
    """The same for whatever maps rows of ids to rows of ids, as translation.greedy does."""
    found: Marks = {}
    for name in EXAMS:
        pairs = exam(name, split, n)
        said = decode.translate_by(decoder, base().vocabulary, [pair.english for pair in pairs])
        wanted = [pair.chinese for pair in pairs]
        found[f"{name} BLEU"] = translation.bleu(said, wanted)
        if name == "menus":
            found["menus chrF"] = translation.chrf(said, wanted)
    return found


# An adapter's file


def metadata(rank: int, alpha: float, targets: Sequence[str]) -> dict[str, str]:
    """What a file of LoRA's weights must say besides: how they are to be put into the base."""
    return {"rank": str(rank), "alpha": str(alpha), "targets": json.dumps(list(targets))}


def read_adapter(file: str = "weights.safetensors") -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a file. Raises: WeightsError, which says what is wrong with it."""
    return _weights.read_own(file)


def wrong_with(parts: Mapping[str, Tensor], facts: Mapping[str, str]) -> str:
    """'' or what is wrong with an adapter, as a sentence."""
    others = [name for name in parts if not lora.trained(name)]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        return f"it holds {others[0]}{more}; only names ending in lora_a or lora_b belong there."
    if not parts:
        return "it holds no lora_a and no lora_b: call inject_lora before train.fit."
    missing = [name for name in ("rank", "alpha", "targets") if name not in facts]
    if missing:
        return f"its metadata lack {', '.join(missing)}: pass metadata=tuning.metadata(rank, alpha, targets)."
    return _weights.broken(parts)


def adapted(parts: Mapping[str, Tensor], facts: Mapping[str, str]) -> nn.Module:
    """The base with an adapter from anywhere. Raises: WeightsError, with name and both shapes."""
    problem = wrong_with(parts, facts)
    if problem:
        raise WeightsError(f"this adapter cannot be used: {problem}")
    model = start()
    try:
        rank, alpha, targets = int(facts["rank"]), float(facts["alpha"]), json.loads(facts["targets"])
        if not any(len(part) == rank for name, part in parts.items() if name.endswith("lora_a")):
            raise ValueError(f"rank is {rank}, but no lora_a has as many rows")
        lora.inject_lora(model, [str(target) for target in targets], rank, alpha)
    except (ValueError, TypeError) as said:
        raise WeightsError(f"this adapter does not fit the base: {said}") from None
    different = _weights.misfit(_weights.kept(model.state_dict(), lora.trained), parts)
    if different:
        raise WeightsError(f"this adapter does not fit the base: {different}.")
    _weights.copy_into(model, parts)
    return model.eval()


# The numbers


def numbers(base: str = BASES[0]) -> Path:
    """Where the reference runs of a base are written."""
    return NUMBERS if base == BASES[0] else NUMBERS.with_name(f"tuning_{base}.json")


@lru_cache(maxsize=4)
def measured(base: str = BASES[0]) -> dict[str, Any]:
    """The reference runs: {"base": marks, "runs": [...], "bars": {...}, "facts": {...}}."""
    found: dict[str, Any] = json.loads(numbers(base).read_text(encoding="utf-8"))
    return found


def bars(split: str = "test") -> Marks:
    """What tune_translator must reach: see bars in tuning_runs."""
    found: Marks = measured()["bars"][split]
    return found


def below(found: Marks, split: str) -> str:
    """'' or which marks are below their bars, as a sentence."""
    short = [
        f"{mark} is {found[mark]:.1f}, at least {bar:.1f} must be."
        for mark, bar in bars(split).items()
        if not found[mark] >= bar
    ]
    return " ".join(short)


def mean_and_spread(numbers: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation."""
    return statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else 0.0


def seeded_start(
    seed: int, change: Callable[[nn.Module], object], of: translation.Checkpoint | None = None
) -> nn.Module:
    """The base, or another one, changed with random numbers of this seed."""
    model = (of or base()).model()
    with train.seeded(seed):
        change(model)
    return model
