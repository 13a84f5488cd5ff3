"""What a tuned translator must reach (lesson 08): the bars of the reference runs, on texts it never saw.

    probe_adapter.graded(tune_translator, greedy, read_adapter, "test")

All three names are the notebook's: the answer, and what translates and reads where the answer is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from byhand import check
from byhand._weights import WeightsError
from byhand.translation import decode, tuning

FILE = "weights.safetensors"
PARTS = ("LoRALinear", "inject_lora")
ADVICE = (
    "Did the loss of your training fall? If it did, and marks are near 0: the model reads tgt[:, :-1] "
    "and is measured against tgt[:, 1:]."
)


def graded(tune: Callable[[], Any], greedy: Callable[..., Any], read: Callable[..., Any], split: str) -> None:
    """tune() gives a model whose marks reach the bars.

    Where it does not, and an earlier exercise is to blame, the file is tried with the course's functions.
    """
    for name in tuning.EXAMS:
        tuning.exam(name, split)  # first of all: without the texts nothing can be said
    if not check.host.written("tune_translator"):
        tune()  # which says so
    parts, facts = read(FILE)
    problem = tuning.wrong_with(parts, facts)
    check.true(FILE, not problem, problem)
    short, failed = "", None
    try:
        model = tune()
        check.true("tune_translator()", model is not None, "it returned None. Is a `return` missing?")
        short = _below(lambda rows: greedy(model, rows), split)
    except Exception as error:
        failed = error
    # While grading, hidden checks (on the test split) run after all visible ones.
    early = check.host.grading and split != "test"
    if (failed or short) and check.host.excused("tune_translator", PARTS, early):
        failed, short = None, _by_course(parts, facts, split)
    if failed is not None:
        raise failed
    where = f"on {tuning.N_EXAM[split]} menus and {tuning.N_EXAM[split]} other texts, "
    check.true("tune_translator()", not short, f"{where}{short} {ADVICE}")


def _below(decoder: decode.Decoder, split: str) -> str:
    try:
        return tuning.below(tuning.marks_of(decoder, split), split)
    except (WeightsError, ValueError) as problem:
        raise check.CheckFailed(f"tune_translator(): {problem}") from problem


def _by_course(parts: Any, facts: Any, split: str) -> str:
    try:
        return tuning.below(tuning.marks(tuning.adapted(parts, facts), split), split)
    except WeightsError as problem:
        raise check.CheckFailed(f"{FILE}: {problem}") from problem
