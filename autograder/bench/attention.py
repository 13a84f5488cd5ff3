"""`make bench` for lesson 05: the reference local_attention beside torch's fused full attention.

The reference solution is read from the lesson's source and run in this process, both in one run on this
machine: the ratio is what to compare. FlexAttention stands beside them where it compiles.

    python -m autograder.bench.attention            a table; 1 if on a CPU less is reached than is promised
    python -m autograder.bench.attention --write    into autograder/results/attention.json, too

Order: a lesson's own answer, the table, the command.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from byhand import meter

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "autograder" / "results" / "attention.json"
LESSON, EXERCISE = "05_local_attention", "local_attention"
PROMISED, AT = 10, "local D=16"  # times as fast as torch's fused full attention: on a CPU, at the lesson's D
N_TOKENS, WINDOW = 16384, 128
_GIVES = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


def reference(lesson: str = LESSON, exercise: str = EXERCISE) -> Callable[..., Any]:
    """The lesson's own answer to an exercise: its imports, functions and classes, without jupytext."""
    source = (ROOT / "solutions" / lesson / f"{lesson}.py").read_text(encoding="utf-8")
    nodes = [node for node in ast.parse(source).body if isinstance(node, _GIVES)]
    last = next(at for at, node in enumerate(nodes) if getattr(node, "name", "") == exercise)
    space: dict[str, Any] = {"__name__": lesson}
    exec(compile(ast.Module([*nodes[: last + 1]], []), f"<{lesson}>", "exec"), space)
    function: Callable[..., Any] = space[exercise]
    return function


def run(n_tokens: int = N_TOKENS) -> dict[str, float]:
    """Print the table. Returns how many times as fast each one is as torch's fused full attention."""
    ratios = meter.beside_torch(reference(), WINDOW, n_tokens)
    print(f"promised: {AT} at least {PROMISED} times as fast on a CPU, at {N_TOKENS:,} tokens")
    return ratios


def main(arguments: Sequence[str] | None = None) -> int:
    """0: the promise is kept, or there is a GPU, for which none is made; 1: it is not kept."""
    parser = argparse.ArgumentParser(
        prog="python -m autograder.bench.attention", description="Time local attention."
    )
    parser.add_argument("--write", action="store_true", help="into autograder/results/ too")
    options = parser.parse_args(arguments)
    ratios = run()
    if options.write:
        found = {
            "tokens": N_TOKENS,
            "window": WINDOW,
            "promised": PROMISED,
            "times_as_fast": {name: round(ratio, 2) for name, ratio in ratios.items()},
            "machine": machine(),
        }
        FIGURES.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if torch.cuda.is_available() or ratios[AT] >= PROMISED:
        return 0
    print(f"bench.attention: {AT} is {ratios[AT]:.1f} times as fast, not {PROMISED}.", file=sys.stderr)
    return 1


def machine() -> dict[str, Any]:
    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
