"""The reference runs behind lesson 07's bars, the shipped translator, and its card: `make checkpoint`.

    seeds 0, 1, 2 ─ fit ─ exam and test split ─ base.json ─ data/base.md
    seed 0's file ─ base.safetensors                bar = mean − 2 standard deviations of the exam's BLEU

The shipped one is always the first seed's, whatever its score. Runs that are finished are not repeated.
Order: one run, all of them, the command.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from byhand import blocks, data, train
from byhand.translation import card, checkpoint, decode
from byhand.translation.fit import fit
from byhand.translation.recipe import RECIPES, Recipe
from byhand.translation.step import OutOfMemory
from byhand.translation.vocabulary import Vocabulary

SEEDS = (0, 1, 2)
ROOT = Path(__file__).resolve().parents[2]
CARD = ROOT / "data" / "base.md"
FOLDER = ROOT / "artefacts" / "translation"
SHOWN = (  # on the card: sentences of our own, since texts of others are not kept here
    "Turn off the lights",
    "Failed to connect to the device",
    "The battery is low and the door is open",
    "She is a teacher",
    "I have two brothers",
    "My name is Grace",
)


# One run


def one(recipe: Recipe, file: str, quiet: bool) -> dict[str, Any]:
    """Train to the end, or go on to it, and score the file that was written."""
    pairs = data.pairs("general")
    vocabulary = Vocabulary.learn(pairs, recipe.n_merges)
    with train.seeded(recipe.seed):
        model = blocks.Transformer(**recipe.sizes(len(vocabulary)))
    run = fit(model, vocabulary, recipe, file=file, quiet=quiet)
    found = checkpoint.read(file)
    return {
        "seed": recipe.seed,
        **scores(found),
        "cpu_minutes": round(run.cpu / 60, 2),
        "minutes": round(run.seconds / 60, 2),
        "tokens": round(run.tokens),
        "tokens_per_cpu_second": round(run.tokens / run.cpu),
        "tokens_per_second": round(run.tokens_per_second),
        "last_loss": round(mean(run.losses[-50:]), 3),
        "valid_bleu": [[step, round(bleu, 2)] for step, bleu in run.bleus],
    }


def scores(found: checkpoint.Checkpoint) -> dict[str, float]:
    """BLEU on the exam's sentences, BLEU and chrF on the whole test split, all greedy."""
    model, result = found.model(), {}
    for name, pairs in (("exam", decode.exam()), ("test", data.pairs("general", "test"))):
        english, chinese = zip(*pairs, strict=True)
        made = decode.translate(model, found.vocabulary, english)
        result[f"{name}_bleu"] = round(decode.bleu(made, chinese), 2)
        result[f"{name}_chrf"] = round(decode.chrf(made, chinese), 2)
    return result


# All of them


def bar(values: Sequence[float]) -> float:
    """Mean − 2 standard deviations, rounded down to one decimal."""
    return math.floor((mean(values) - 2 * stdev(values)) * 10) / 10


def together(runs: Sequence[dict[str, Any]], recipe: Recipe, preset: str, first: Path) -> dict[str, Any]:
    exams = [run["exam_bleu"] for run in runs]
    found = checkpoint.read(first)
    return {
        "preset": preset,
        "bar": bar(exams),
        "exam": {"pairs": len(decode.exam()), "mean": round(mean(exams), 2), "sd": round(stdev(exams), 2)},
        "runs": list(runs),
        "parameters": sum(part.numel() for part in found.state.values()),
        "ids": len(found.vocabulary),
        "bytes": first.stat().st_size,
        "recipe": recipe.texts(),
        "data": data.about("general"),
        "machine": machine(),
        "samples": samples(found),
    }


def machine() -> dict[str, Any]:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "device": gpu or f"CPU, {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def samples(found: checkpoint.Checkpoint) -> list[list[str]]:
    made = decode.translate(found.model(), found.vocabulary, SHOWN)
    return [[english, text] for english, text in zip(SHOWN, made, strict=True)]


# The command


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m byhand.translation.reference", description=__doc__)
    parser.add_argument("--recipe", choices=list(RECIPES), default="cpu")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the runs' files are kept")
    parser.add_argument("--score", action="store_true", help="train, but write neither translator nor card")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args(arguments)
    if not data.about("general")["share_alike"]:
        parser.error(
            "the texts here leave out those under share-alike licences; the shipped model has read them"
        )
    options.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(options.folder)
    runs, recipe = [], RECIPES[options.recipe]
    files = [Path(f"{options.recipe}_{seed}.safetensors") for seed in options.seeds]
    try:
        for seed, file in zip(options.seeds, files, strict=True):
            runs.append(one(replace(recipe, seed=seed), str(file), options.quiet))
            print(json.dumps(runs[-1]), flush=True)
    except (train.Stopped, train.NotANumberError, OutOfMemory) as problem:
        print(problem, file=sys.stderr)
        return 1
    if options.score or len(runs) < 2:
        return 0
    write(together(runs, recipe, options.recipe, files[0]), files[0])
    return 0


def write(found: dict[str, Any], first: Path) -> None:
    shutil.copyfile(first, checkpoint.BASE)
    checkpoint.FIGURES.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    CARD.write_text(card.of(found), encoding="utf-8")
    written = ", ".join(path.name for path in (checkpoint.BASE, checkpoint.FIGURES, CARD))
    print(f"Written: {written}. The bar is {found['bar']} BLEU.")


if __name__ == "__main__":
    sys.exit(main())
