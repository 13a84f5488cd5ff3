"""The card of the shipped translator, data/base.md, made from the figures of the reference runs.

Order: the whole card, its parts, tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from byhand.data import sources

_SCORES = {"seed": "seed", "exam_bleu": "exam BLEU", "test_bleu": "test BLEU", "test_chrf": "test chrF"}
_ON_A_CPU = {"cpu_minutes": "CPU minutes", "tokens_per_cpu_second": "tokens per CPU second"}
_ON_A_GPU = {"minutes": "minutes", "tokens_per_second": "tokens per second"}

Figures = Mapping[str, Any]


def of(found: Figures) -> str:
    """The text of the card."""
    parts = {
        "": _what(found),
        "Scores": _scores(found),
        "How it was made": _made(found),
        "The texts": _texts(found["data"]),
        "Licence": _licence(),
        "What it says": "Sentences of our own, some like its texts, some not:\n\n"
        + _table(["English, ours", "translation"], found["samples"]),
        "Limits": "It has read short interface texts and simple sentences, nothing else. Names, numbers and\n"
        "rare words it often gets wrong. It is there to learn from, not to rely on.",
    }
    return "\n\n".join(f"## {head}\n\n{text}" if head else text for head, text in parts.items()) + "\n"


def _what(found: Figures) -> str:
    return (
        "# The shipped translator\n\n"
        f"`byhand/translation/base.safetensors`: English to Chinese, {found['parameters']:,} parameters, "
        f"{found['ids']:,} ids,\n{found['bytes'] / 1e6:.1f} MB in bfloat16. It is the model of seed "
        f"{found['runs'][0]['seed']}, the first of the runs below, whatever its score.\n"
        "`make checkpoint` makes it, and this card, anew."
    )


def _scores(found: Figures) -> str:
    exam = found["exam"]
    columns = _SCORES | (_ON_A_CPU if _on_a_cpu(found) else _ON_A_GPU)
    rows = [[f"{run[name]:,}" for name in columns] for run in found["runs"]]
    return (
        f"{_table(list(columns.values()), rows)}\n\n"
        f"Exam: {exam['pairs']} sentences of the test split, on which weights handed in are graded. Mean "
        f"{exam['mean']:.2f}, standard\ndeviation {exam['sd']:.2f}. The preset's bar is mean − 2 standard "
        f"deviations, rounded down: **{found['bar']}**.\n"
        "BLEU and chrF are sacreBLEU's, with zh tokenisation; decoding is greedy. While training, BLEU is\n"
        "measured on the validation split."
    )


def _made(found: Figures) -> str:
    machine = found["machine"]
    settings = [[f"`{name}`", text] for name, text in found["recipe"].items() if name != "seed"]
    if _on_a_cpu(found):
        threads = f"{machine['cores']} cores, {machine['threads']} of them for a run"
        clock = f"{threads},\nshared with other work. Minutes: processor time."
    else:
        clock = "one GPU.\nMinutes: by the clock, compiling and BLEU included; tokens per second: of steps."
    return (
        f"Preset `{found['preset']}`, one process for each seed, on {machine['device']}: {clock} "
        f"Python {machine['python']}, torch {machine['torch']}.\n\n{_table(['setting', 'value'], settings)}"
    )


def _on_a_cpu(found: Figures) -> bool:
    return str(found["machine"]["device"]).startswith("CPU")


def _texts(about: Figures) -> str:
    sums = ", ".join(f"{name} `{text[:8]}`" for name, text in about["sha256"].items())
    return f"The general collection of {', '.join(about['sources'])}.\nsha256 of its files: {sums}."


def _licence() -> str:
    used = [sources.source(name) for name in sources.collection("general", "pairs").sources]
    thanks = "\n".join(f"- {one}: {one.attribution} ({one.licence}, {one.page})" for one in used)
    return (
        "Some of the training texts are under CC-BY-SA-4.0, so these weights are too\n"
        f"([CC-BY-SA-4.0](https://creativecommons.org/licenses/by-sa/4.0/)). The texts are by\n\n{thanks}"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )
