"""The reference runs: the bar, what is written, and a card that agrees with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from byhand import data, translation
from byhand.translation import card, checkpoint, reference
from byhand.translation.recipe import RECIPES
from tests.translator import PAIRS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    many = [data.Pair(f"{english} {n}", f"{chinese}{n}") for n in range(4) for english, chinese in PAIRS]
    about = {"share_alike": True, "sources": ["made up 1"], "sha256": {"train": "0123456789"}}
    monkeypatch.setattr(data, "pairs", lambda name="general", split="train": many)
    monkeypatch.setattr(data, "about", lambda name: about)
    monkeypatch.setattr(checkpoint, "BASE", tmp_path / "base.safetensors")
    monkeypatch.setattr(checkpoint, "FIGURES", tmp_path / "base.json")
    monkeypatch.setattr(reference, "CARD", tmp_path / "base.md")
    small = translation.recipe("smoke", steps=2, d_model=8, d_hidden=8, eval_every=0)
    monkeypatch.setattr(reference, "RECIPES", {**RECIPES, "smoke": small})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_bar_is_two_deviations_below_the_mean_rounded_down() -> None:
    assert reference.bar([10.0, 12.0, 14.0]) == 8.0
    assert reference.bar([20.0, 20.1, 20.2]) == 19.9
    assert reference.bar([20.0, 20.03]) == 19.9


def test_runs_are_scored_and_the_first_seed_is_shipped(folder: Path) -> None:
    options = ["--recipe", "smoke", "--seeds", "4", "5", "--folder", str(folder / "runs"), "--quiet"]
    assert reference.main(options) == 0
    found: dict[str, Any] = translation.figures()
    assert [run["seed"] for run in found["runs"]] == [4, 5]
    assert found["bar"] == reference.bar([run["exam_bleu"] for run in found["runs"]])
    assert (folder / "base.safetensors").read_bytes() == (folder / "runs/smoke_4.safetensors").read_bytes()
    assert json.loads(checkpoint.read(folder / "base.safetensors").facts["recipe"])["seed"] == "4"
    assert (folder / "base.md").read_text(encoding="utf-8") == card.of(found)


def test_without_shared_alike_texts_nothing_is_shipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "about", lambda name: {"share_alike": False})
    with pytest.raises(SystemExit):
        reference.main(["--recipe", "smoke"])
    assert not (folder / "base.safetensors").exists()


def test_the_card_of_runs_on_a_gpu_counts_by_the_clock() -> None:
    found = translation.figures()
    runs = [run | {"minutes": 7.25, "tokens_per_second": 400_000} for run in found["runs"]]
    said = card.of(found | {"runs": runs, "machine": found["machine"] | {"device": "NVIDIA H200"}})
    assert "| minutes | tokens per second |" in said
    assert "| 7.25 | 400,000 |" in said
    assert "on NVIDIA H200: one GPU." in said
    assert "CPU" not in said


def test_too_little_memory_ends_with_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_large(*_: Any, **__: Any) -> None:
        raise translation.OutOfMemory("Step 1 did not fit.")

    monkeypatch.setattr(reference, "fit", too_large)
    assert reference.main(["--recipe", "smoke", "--folder", str(folder / "runs"), "--quiet"]) == 1
    assert capsys.readouterr().err == "Step 1 did not fit.\n"


def test_the_shipped_card_and_translator_are_of_the_shipped_figures() -> None:
    found = translation.figures()
    assert reference.CARD.read_text(encoding="utf-8") == card.of(found)
    assert checkpoint.BASE.stat().st_size == found["bytes"] <= 20_000_000
    base = translation.base()
    assert json.loads(base.facts["recipe"]) == found["recipe"]
    assert sum(part.numel() for part in base.state.values()) == found["parameters"]
    model = base.model()
    assert len(translation.translate(model, base.vocabulary, ["Restart the device"])) == 1
