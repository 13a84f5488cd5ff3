"""Training a translator fast: bf16, compiled, the gpu preset, and how fast it says that it was."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from byhand import translation
from tests.translator import FIT, PAIRS, STEP, VOCABULARY, fit, recipe

pytestmark = pytest.mark.usefixtures("own_folder")


def test_bf16_trains_on_the_cpu_close_to_float32() -> None:
    exact, _ = fit(recipe(dropout=0.0))
    rough, _ = fit(recipe(dropout=0.0, amp="bf16"), file="rough.safetensors")
    assert rough.losses == pytest.approx(exact.losses, rel=0.03)
    assert rough.losses != exact.losses


def test_without_a_compiler_training_goes_on_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_compiler(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no C++ compiler was found\nlong story")

    monkeypatch.setattr(torch, "compile", no_compiler)
    plain, _ = fit(recipe())
    run, _ = fit(recipe(compile=True), file="compiled.safetensors")
    assert run.losses == plain.losses
    said = capsys.readouterr().out
    assert "no compiler that works here (no C++ compiler was found); training goes on without it.\n" in said


def gpu_preset(**changes: Any) -> translation.Recipe:
    """The gpu preset, its model and batches made small."""
    sizes = {"d_model": 16, "n_heads": 2, "d_hidden": 32, "n_layers": 1, "max_len": 40}
    small = {
        "steps": 4,
        "tokens_per_batch": 120,
        "warmup": 2,
        "eval_every": 4,
        "eval_pairs": 4,
        "n_merges": 30,
    }
    return translation.recipe("gpu", **sizes, **small, **changes)


def test_the_gpu_preset_trains_on_the_cpu_too() -> None:
    run, _ = fit(gpu_preset(compile=False), valid=PAIRS)
    assert len(run.losses) == 4
    assert [step for step, _ in run.bleus] == [4]


@pytest.mark.slow
def test_the_compiled_gpu_preset_learns_what_the_uncompiled_one_learns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(
        "TORCHINDUCTOR_CACHE_DIR", str(tmp_path)
    )  # a compiler that was stopped leaves half a file
    plain, _ = fit(gpu_preset(compile=False, dropout=0.0))
    run, _ = fit(gpu_preset(dropout=0.0), file="compiled.safetensors")
    assert run.losses == pytest.approx(plain.losses, rel=0.02)
    assert "torch.compile finds no compiler" not in capsys.readouterr().out


def test_speed_and_the_share_of_the_peak_are_measured() -> None:
    run, _ = fit(recipe())
    assert run.tokens_per_second > 0
    assert run.flops_per_token > 6 * 16 * len(VOCABULARY) / 2
    assert run.mfu is not None
    assert 0 < run.mfu < 1
    assert run.seconds >= run.stepping > 0
    assert run.cpu > 0


def test_waiting_for_batches_counts_and_compiling_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    real, compiling = FIT.Batches.of, FIT.speed.COMPILING
    monkeypatch.setattr(STEP, "compiled", lambda function, device: function)
    monkeypatch.setattr(FIT.Batches, "of", lambda self, step: time.sleep(0.05) or real(self, step))
    run, _ = fit(recipe(compile=True))
    assert run.seconds > 8 * 0.05
    assert (8 - compiling) * 0.05 < run.stepping < run.seconds - compiling * 0.05
    batches = FIT.Batches(PAIRS, VOCABULARY, recipe())
    assert run.tokens == sum(real(batches, step).tokens for step in range(compiling + 1, 9))
