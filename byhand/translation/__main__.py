"""Train a translator from a terminal, on one device or, under torchrun, on several.

python -m byhand.translation --recipe cpu --seed 1 --file weights.safetensors --set steps=100
torchrun --nproc-per-node 2 -m byhand.translation --recipe gpu
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

import torch

from byhand import blocks, data, train
from byhand.translation import checkpoint, decode, ranks
from byhand.translation.fit import fit
from byhand.translation.recipe import RECIPES
from byhand.translation.step import OutOfMemory
from byhand.translation.vocabulary import Vocabulary


def main(arguments: Sequence[str] | None = None) -> int:
    """0: trained; 1: stopped, with a sentence that says why; 2: the command was not understood."""
    parser = argparse.ArgumentParser(prog="python -m byhand.translation", description="Train a translator.")
    parser.add_argument("--recipe", choices=list(RECIPES), default="cpu")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--file", default="weights.safetensors")
    parser.add_argument(
        "--set", nargs="*", action="extend", default=[], metavar="NAME=VALUE", help="change a number"
    )
    parser.add_argument("--log", default="", metavar="FOLDER", help="write TensorBoard's files there")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args(arguments)
    try:
        recipe = RECIPES[options.recipe].with_texts(options.set)
    except ValueError as problem:
        parser.error(str(problem))
    if options.seed is not None:
        recipe = replace(recipe, seed=options.seed)
    try:
        with ranks.group() as here:
            pairs = data.pairs("general")
            vocabulary = Vocabulary.learn(pairs, recipe.n_merges)
            with train.seeded(recipe.seed):
                model = blocks.Transformer(**recipe.sizes(len(vocabulary)))
            run = fit(model, vocabulary, recipe, file=options.file, quiet=options.quiet, log=options.log)
            if here.first and not options.quiet:
                print(_said(options.file, run.seconds, run.tokens_per_second))
    except (train.Stopped, train.NotANumberError, OutOfMemory, data.DataError, ImportError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _said(file: str, seconds: float, speed: float) -> str:
    found = checkpoint.read(file)
    english, chinese = zip(*decode.exam(n=5), strict=True)
    made = decode.translate(found.model(), found.vocabulary, english)
    lines = [f"{a}\n  {b}\n  (reference: {c})" for a, b, c in zip(english, made, chinese, strict=True)]
    return "\n".join(
        [f"{file}: {seconds / 60:.1f} minutes, {speed:,.0f} tokens/s on {ranks.device()}.", *lines]
    )


if __name__ == "__main__":
    torch.set_float32_matmul_precision("high")  # TF32 where a GPU has it
    sys.exit(main())
