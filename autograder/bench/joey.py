"""The course's translator beside Joey NMT: the same texts, pieces, sizes, rates and processor seconds.

    beside(10)      both trained for 10 minutes of processor time on one thread, then the test split

Joey NMT gets the texts cut into the course's pieces, so both predict the same tokens of one vocabulary, and
batches of a size by which both predict as many tokens a step: padding, of which its batches hold more, as
they mix lengths, is its own affair. It is
installed on demand into an environment of its own, .cache/joey, which sees the course's torch. Each trains
in a process of its own, start-up included, and is interrupted when its processor time is up.
Order: the comparison, texts, Joey NMT, ours, a process on a budget.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from autograder.author.lesson import ROOT
from byhand import blocks, data, train, translation
from byhand.translation import RECIPES, Recipe, Vocabulary, decode
from byhand.translation.batches import Batches, by_length, cut
from byhand.translation.vocabulary import SPECIAL

JOEY, NEEDS = (
    "joeynmt==2.3.0",
    ("sentencepiece", "subword-nmt", "plotly", "importlib_metadata", "tensorboard"),
)
PLACE = ROOT / ".cache" / "joey"
UNKNOWN = "<unk>"  # as Joey NMT writes it
FOREVER = 10**7  # steps; time ends it


@dataclass(frozen=True)
class Side:
    """tokens_per_second: target tokens for each processor second, start-up included."""

    name: str
    parameters: int
    steps: int
    tokens_per_second: float
    bleu: float


@dataclass(frozen=True)
class Beside:
    minutes: float
    sides: tuple[Side, Side]

    def __str__(self) -> str:
        lines = [
            f"{side.name}: {side.parameters:,} parameters, {side.steps:,} steps, "
            f"{side.tokens_per_second:,.0f} target tokens/s, BLEU {side.bleu:.1f}"
            for side in self.sides
        ]
        return "\n".join([f"{self.minutes:g} minutes of processor time each:", *lines])


def recipe() -> Recipe:
    """The sizes of "cpu", and a rate that needs no known end, as both have it."""
    return replace(RECIPES["cpu"], steps=FOREVER, decay="root", weight_decay=0.0, eval_every=0)


def beside(minutes: float) -> Beside:
    """Train both, translate the test split with both."""
    pairs = data.pairs("general")
    vocabulary = Vocabulary.learn(pairs, recipe().n_merges)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_texts(place, vocabulary)
        sides = ours(place, vocabulary, minutes * 60), joey(place, vocabulary, minutes * 60)
    return Beside(minutes, sides)


# ---- texts


def write_texts(place: Path, vocabulary: Vocabulary) -> None:
    """train, valid and test as lines of pieces, en and zh; vocabulary.txt with a piece a line."""
    for split in data.SPLITS:
        rows = [[line(vocabulary, text) for text in pair] for pair in data.pairs("general", split)]
        for column, language in enumerate(("en", "zh")):
            text = "".join(row[column] + "\n" for row in rows)
            (place / f"{split}.{language}").write_text(text, encoding="utf-8")
    pieces = [vocabulary.piece(number) for number in range(SPECIAL, len(vocabulary))]
    (place / "vocabulary.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    (place / "vocabulary.json").write_text(json.dumps(vocabulary.metadata()), encoding="utf-8")


def line(vocabulary: Vocabulary, text: str) -> str:
    """Pieces with a space between them. A character that breaks lines ends up as an unknown piece."""
    return " ".join(re.sub(r"\s", UNKNOWN, piece) for piece in vocabulary.pieces(text))


def joined(pieces: str) -> str:
    """The text of such a line."""
    return "".join(pieces.split(" ")).replace("▁", " ")


# ---- Joey NMT


def joey(place: Path, vocabulary: Vocabulary, seconds: float) -> Side:
    python, config = environment(), place / "joey.yaml"
    size = batch_size(Batches(data.pairs("general"), vocabulary, recipe()))
    config.write_text(json.dumps(settings(place, recipe(), size)), encoding="utf-8")  # JSON is YAML
    used = on_budget([str(python), "-m", "joeynmt", "train", str(config), "--skip-test"], place, seconds)
    facts = _run([str(python), "-c", _READ, str(place / "joey" / "latest.ckpt")], place)
    parameters, steps, tokens = json.loads(facts.splitlines()[-1])
    sources = (place / "test.en").read_text(encoding="utf-8")
    said = _run([str(python), "-m", "joeynmt", "translate", str(config)], place, sources)
    references = [pair.chinese for pair in data.pairs("general", "test")]
    texts = [joined(row) for row in said.splitlines()[-len(references) :]]
    bleu = translation.bleu(texts, references)
    return Side("Joey NMT", parameters, steps, tokens / used, bleu)


_READ = """\
import json, sys, torch
found = torch.load(sys.argv[1], map_location="cpu")
state = found["model_state"].items()
shared = {part.data_ptr(): part.numel() for name, part in state if name[-5:] != "pe.pe"}
stats = found["stats_state"]
print(json.dumps([sum(shared.values()), stats["steps"], stats["total_tokens"]]))
"""


def environment() -> Path:
    """The Python of an environment with Joey NMT, made if it is not there."""
    python = PLACE / "bin" / "python"
    if not (PLACE / "ready").is_file():
        shutil.rmtree(PLACE, ignore_errors=True)
        print(f"installing {JOEY} into {PLACE.relative_to(ROOT)}", flush=True)
        _run([sys.executable, "-m", "venv", str(PLACE)], ROOT)
        libraries = _run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], ROOT)
        Path(libraries.strip(), "course.pth").write_text(
            sysconfig.get_path("purelib") + "\n", encoding="utf-8"
        )
        # Its own list asks for an old protobuf and for linters; this is what its training imports.
        _run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", JOEY], ROOT)
        _run([str(python), "-m", "pip", "install", "--quiet", *NEEDS], ROOT)
        (PLACE / "ready").touch()
    return python


def batch_size(ours: Batches) -> int:
    """The size by which Joey NMT's batches hold as many target tokens as the course's, in the mean."""
    order = np.random.default_rng(0).permutation(len(ours.sizes))
    longer = ours.sizes[order].max(axis=1).tolist()
    n_batches = sum(
        1 for _ in cut(ours.sizes, order[by_length(ours.sizes[order])], ours.recipe.tokens_per_batch)
    )
    few, many = 1, max(longer) * len(longer)
    while few < many:
        size = (few + many) // 2
        few, many = (few, size) if batches_of(longer, size) <= n_batches else (size + 1, many)
    return few


def batches_of(lengths: Sequence[int], size: int) -> int:
    """How many batches Joey NMT makes of texts in this order: one is full at `size`, padding counted."""
    found = rows = longest = 0
    for length in lengths:
        rows, longest = rows + 1, max(longest, length)
        if rows * longest >= size:
            found, rows, longest = found + 1, 0, 0
    return found + (rows > 0)


def settings(place: Path, recipe: Recipe, size: int) -> dict[str, Any]:
    """Joey NMT's configuration for the same training."""
    tokens = {"level": "word", "voc_file": str(place / "vocabulary.txt"), "max_length": recipe.max_len - 1}
    part = {
        "type": "transformer", "num_layers": recipe.n_layers, "num_heads": recipe.n_heads,
        "hidden_size": recipe.d_model, "ff_size": recipe.d_hidden, "dropout": recipe.dropout,
        "embeddings": {"embedding_dim": recipe.d_model, "scale": True, "dropout": recipe.dropout},
        "layer_norm": "pre", "activation": "gelu",
    }  # fmt: skip
    return {
        "name": "beside", "model_dir": str(place / "joey"), "use_cuda": False, "random_seed": recipe.seed,
        "data": {
            "train": str(place / "train"), "dev": str(place / "valid"), "test": str(place / "test"),
            "dataset_type": "plain", "src": {"lang": "en", **tokens}, "trg": {"lang": "zh", **tokens},
        },
        "model": {
            "initializer": "xavier_uniform", "embed_initializer": "normal",
            "embed_init_weight": recipe.d_model**-0.5, "tied_embeddings": True, "tied_softmax": True,
            "encoder": part, "decoder": part,
        },
        "training": {
            "optimizer": "adam", "adam_betas": [0.9, recipe.beta2], "learning_rate": recipe.rate,
            "learning_rate_min": 0.0, "learning_rate_warmup": recipe.warmup,
            "scheduling": "warmupinversesquareroot", "loss": "crossentropy", "normalization": "tokens",
            "label_smoothing": recipe.smoothing, "clip_grad_norm": recipe.clip, "epochs": FOREVER,
            "batch_size": size, "batch_type": "token",
            "logging_freq": 100, "validation_freq": FOREVER // 100 * 100, "overwrite": True,
        },
        "testing": {
            "load_model": str(place / "joey" / "latest.ckpt"), "beam_size": 1, "batch_size": 64,
            "batch_type": "sentence", "max_output_length": 64, "eval_metrics": [],
        },
    }  # fmt: skip


# ---- ours


def ours(place: Path, vocabulary: Vocabulary, seconds: float) -> Side:
    used = on_budget([sys.executable, "-m", "autograder.bench.joey", str(place)], place, seconds)
    found = translation.read(place / "ours.safetensors")
    model, steps = found.model(), int(found.facts["steps"])
    batches = Batches(data.pairs("general"), vocabulary, recipe())
    tokens = sum(batches.of(step).predicted for step in range(1, steps + 1))
    parameters = sum(part.numel() for part in model.parameters())
    bleu = decode.bleu_of(model, vocabulary, data.pairs("general", "test"))
    return Side("the course's", parameters, steps, tokens / used, bleu)


def main(arguments: Sequence[str]) -> int:
    """Train in this process until it is interrupted; the folder holds the vocabulary."""
    place = Path(arguments[0])
    vocabulary = Vocabulary.from_metadata(json.loads((place / "vocabulary.json").read_text(encoding="utf-8")))
    model = blocks.Transformer(**recipe().sizes(len(vocabulary)))
    os.chdir(place)
    try:
        translation.fit(model, vocabulary, recipe(), data.pairs("general"), "ours.safetensors", quiet=True)
    except train.Stopped as stopped:
        print(stopped)
    return 0


# ---- a process on a budget


def on_budget(command: Sequence[str], place: Path, seconds: float) -> float:
    """Run it on one thread for so many processor seconds, then interrupt it. Returns the seconds it used."""
    with open(place / "log.txt", "w+", encoding="utf-8") as log:
        child = subprocess.Popen(
            command, cwd=place, env=_environment(), stdout=log, stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's `&` ignores it
        )  # fmt: skip
        try:
            used = _used(child, seconds)
            child.send_signal(signal.SIGINT)
            child.wait(timeout=300)
        finally:
            child.kill()
        log.seek(0)
        if used < seconds:
            raise RuntimeError(f"{' '.join(command[:4])} ended after {used:.0f} s:\n{log.read()[-2000:]}")
    return used


def _used(child: subprocess.Popen[bytes], most: float) -> float:
    """Wait until the process has used so many processor seconds, or has ended."""
    watched, used = psutil.Process(child.pid), 0.0
    while child.poll() is None and used < most:
        time.sleep(0.2)
        with contextlib.suppress(psutil.Error):
            times = watched.cpu_times()
            used = times.user + times.system
    return used


def _run(command: Sequence[str], place: Path, given: str | None = None) -> str:
    done = subprocess.run(command, cwd=place, env=_environment(), input=given, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:5])} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def _environment() -> dict[str, str]:
    # The checkpoint is one that this process made; Joey NMT reads it in the old way.
    one = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
    return {**os.environ, **one, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
