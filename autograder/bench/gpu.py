"""What a GPU makes of lessons 05 and 07: speed, translation quality, the ladder, long attention.

    python -m autograder.bench.gpu                   every stage; autograder/results/gpu.json
    python -m autograder.bench.gpu train --minutes 6 one stage; the file keeps what the others found
    python -m autograder.bench.gpu --tiny --out x    small, on a CPU: only to see that everything runs

    train   the `gpu` recipe: minutes, tokens/s, MFU, BLEU on the test split beside the shipped translator's
    ladder  target tokens/s of each rung of the speed ladder
    wide    tokens/s and MFU of the same training step at sizes that fill a large GPU
    local   lesson 05's local_attention and FlexAttention beside torch's fused full attention, 4k to 64k

The file is written after every stage; a stage that fails is noted under "errors" there, and the others go
on. Where a command may last ten minutes only, run a stage a call: a training that was cut off goes on in
the next call, from its files in artefacts/gpu. It needs this repository, its texts (`make data`; of
.cache/data the folder general is enough), torch, numpy, safetensors, tqdm, matplotlib and sacrebleu:

    PYTHONPATH=. python3 -u -m autograder.bench.gpu train --out FOLDER      then ladder, wide, local

Order: the stages, what they share, the command.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

from byhand import blocks, data, meter, train, translation
from byhand._device import made_on
from byhand.translation import RECIPES, Recipe, Vocabulary, decode, ladder, ranks, speed
from byhand.translation.batches import Batches, ahead
from byhand.translation.fused import without_cudnn
from byhand.translation.step import Stepper

FIGURES = Path(__file__).parents[1] / "results" / "gpu.json"
TRAINED = Path(__file__).parents[2] / "artefacts" / "gpu"
WIDE: dict[str, Any] = {
    "n_merges": 8000, "d_model": 1024, "n_heads": 16, "d_hidden": 4096, "n_layers": 6, "max_len": 64,
    "tokens_per_batch": 65_536,
}  # fmt: skip
LENGTHS, WINDOW = (4096, 8192, 16384, 32768, 65536), 128
Found = dict[str, Any]


def train_stage(tiny: bool, minutes: float, place: Path) -> Found:
    """Train the recipe, at most so many minutes; a training that was cut off goes on in the next run."""
    recipe, device = RECIPES["smoke" if tiny else "gpu"], ranks.device()
    texts = [data.pairs("general", split) for split in data.SPLITS]
    pairs, valid, held_out = (
        [part[:many] for part, many in zip(texts, (200, 8, 8), strict=True)] if tiny else texts
    )
    vocabulary = Vocabulary.learn(pairs, recipe.n_merges)
    with train.seeded(recipe.seed):
        model = blocks.Transformer(**recipe.sizes(len(vocabulary)))
    with chdir(place), alarm(minutes):  # training keeps its state beside its file
        try:
            translation.fit(
                model, vocabulary, recipe, pairs, "gpu.safetensors", device, quiet=tiny, valid=valid
            )
        except train.Stopped as stopped:
            print(stopped)
    trained = translation.read(place / "gpu.safetensors")
    facts = trained.facts
    return {
        "recipe": recipe.texts(),
        "parameters": sum(part.numel() for part in model.parameters()),
        "steps": int(facts["steps"]),
        "minutes": round(float(facts["seconds"]) / 60, 2),
        "tokens_per_second": round(float(facts["tokens"]) / max(float(facts["stepping"]), 0.1)),
        "mfu": float(facts["mfu"]) or None,
        "bleus": json.loads(facts["bleus"]),
        "bleu": bleu(trained, held_out, device),
        "bleu_of_shipped": bleu(translation.base(), held_out, device),
    }


def bleu(trained: translation.Checkpoint, pairs: Sequence[data.Pair], device: torch.device) -> float:
    model = trained.model().to(device)
    return round(decode.bleu_of(model, trained.vocabulary, pairs), 2)


def ladder_stage(tiny: bool, minutes: float, place: Path) -> Found:
    gpu = RECIPES["gpu"]  # its batches are the ladder's larger ones
    lowest = replace(gpu, tokens_per_batch=gpu.tokens_per_batch // ladder.TIMES)
    rungs = ladder.climb(recipe=None if tiny else lowest, quick=tiny, steps=30)
    return {"rungs": [asdict(rung) for rung in rungs], "ratio": round(rungs[-1].rate / rungs[0].rate, 2)}


def wide_stage(tiny: bool, minutes: float, place: Path) -> Found:
    """The same step on a large model, to see what the code reaches when the GPU has enough to do."""
    recipe = RECIPES["smoke"] if tiny else replace(RECIPES["gpu"], **WIDE)
    pairs = data.pairs("general")[: 200 if tiny else None]
    vocabulary, device = Vocabulary.learn(pairs, recipe.n_merges), ranks.device()
    model = blocks.Transformer(**recipe.sizes(len(vocabulary))).to(device)
    batches = Batches(pairs, vocabulary, recipe)
    texts = list(zip(batches.sources[:32], batches.targets[:32], strict=True))
    with without_cudnn():
        rate = steps_per_second(model, recipe, batches, device, tiny)
    flops = speed.flops_per_token(model, texts)
    peak = speed.peak(device)
    return {
        "recipe": recipe.texts(),
        "parameters": sum(part.numel() for part in model.parameters()),
        "tokens_per_second": round(rate),
        "mfu": round(rate * flops / peak.flops, 4) if peak else None,
        "peak": peak.said if peak else "not known",
    }


def steps_per_second(
    model: torch.nn.Module, recipe: Recipe, batches: Batches, device: torch.device, tiny: bool
) -> float:
    """Tokens that are not padding, of source and target together, a second of steps."""
    warm, timed = (1, 2) if tiny else (8, 40)
    stepper, numbers = Stepper(model, recipe, device, ranks.Ranks()), range(1, warm + timed + 1)
    started, tokens = 0.0, 0
    for number, share in zip(numbers, ahead(batches, numbers, device), strict=True):
        if number == warm + 1:
            started, tokens = now(device), 0
        stepper.step(number, share)
        list(stepper.read())
        tokens += share.tokens
    return tokens / (now(device) - started)


def local_stage(tiny: bool, minutes: float, place: Path) -> Found:
    """Milliseconds of each way, 8 heads of 64 in bfloat16, window 128 to either side, no gradients."""
    from autograder.bench.attention import reference

    local, device, rows = reference(), ranks.device(), []
    kind = torch.float32 if device.type == "cpu" else torch.bfloat16
    for n_tokens in (256, 512) if tiny else LENGTHS:
        q, k, v = torch.randn(3, 1, 8, n_tokens, 64, device=device, dtype=kind)
        ways: dict[str, meter.Attention] = {"full": meter.fused, "local": partial(local, window=WINDOW)}
        if device.type == "cuda":
            ways["flex"] = lambda q, k, v: meter.flex(WINDOW, k.shape[-2], "cuda")(q, k, v)
        row = {name: timed(partial(way, q, k, v), device) for name, way in ways.items()}
        rows.append({"tokens": n_tokens, **row})
        print(", ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    return {"window": WINDOW, "heads": 8, "head_size": 64, "milliseconds": rows}


def timed(way: Callable[[], torch.Tensor], device: torch.device) -> float | None:
    """Milliseconds; None, and a line that says why, for what does not compile or fit into memory."""
    try:
        with torch.no_grad(), made_on(device):
            return round(meter.milliseconds(way, device.type), 3)
    except Exception as problem:
        print(f"left out: {said(problem)}", flush=True)
        return None


STAGES: dict[str, Callable[[bool, float, Path], Found]] = {
    "train": train_stage, "ladder": ladder_stage, "wide": wide_stage, "local": local_stage,
}  # fmt: skip


# ---- what the stages share


def now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@contextmanager
def alarm(minutes: float) -> Iterator[None]:
    """Interrupt this process after so many minutes, as Ctrl+C would."""
    timer = threading.Timer(minutes * 60, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def said(problem: Exception) -> str:
    """One line of an error."""
    return f"{type(problem).__name__}: {str(problem).strip()}".splitlines()[0][:300]


def measured(name: str, options: argparse.Namespace) -> Found:
    """What a stage found, and where and when; its weights are kept apart from the results."""
    place = (options.weights / ("tiny" if options.tiny else "")).resolve()
    place.mkdir(parents=True, exist_ok=True)
    # The ladder's lowest rung is true float32; TF32 stands in for it elsewhere.
    torch.set_float32_matmul_precision("highest" if name == "ladder" else "high")
    began = time.perf_counter()
    result = STAGES[name](options.tiny, options.minutes, place)
    print({key: value for key, value in result.items() if key != "recipe"}, flush=True)
    return {**about(), "took": round(time.perf_counter() - began, 1), **result}


def about() -> Found:
    device = ranks.device()
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }


# ---- the command


def main(arguments: Sequence[str] | None = None) -> int:
    """0: measured; 1: a stage failed, the others are in the file; 2: there is no GPU."""
    parser = argparse.ArgumentParser(prog="python -m autograder.bench.gpu", description="Measure on a GPU.")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"of {', '.join(STAGES)}; all if none")
    parser.add_argument("--tiny", action="store_true", help="small, on whatever is here: no measurement")
    parser.add_argument("--minutes", type=float, default=6.0, help="at most so long for train (6)")
    parser.add_argument("--out", type=Path, help="a folder for gpu.json")
    parser.add_argument("--weights", type=Path, default=TRAINED, help="a folder for the trained model")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.stages if name not in STAGES]
    if unknown:
        parser.error(f"there is no stage {unknown[0]!r}. There is: {', '.join(STAGES)}")
    if not options.tiny and not torch.cuda.is_available():
        print("bench.gpu: torch finds no GPU here. --tiny tries the same code on the CPU.", file=sys.stderr)
        return 2
    file = options.out / "gpu.json" if options.out else FIGURES
    file.parent.mkdir(parents=True, exist_ok=True)
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    failed = False
    for name in options.stages or STAGES:
        print(f"-- {name}", flush=True)
        errors = {key: text for key, text in found.pop("errors", {}).items() if key != name}
        try:
            found[name] = measured(name, options)
        except Exception as problem:  # a stage of an earlier call stays as it was
            traceback.print_exc()
            errors[name], failed = said(problem), True
        found |= {"errors": errors} if errors else {}
        file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
