"""The command in a terminal, and two processes that train one model as one process would."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from byhand import data, translation
from byhand.translation.__main__ import main
from byhand.translation.batches import Batches
from byhand.translation.ranks import Ranks
from byhand.translation.step import Stepper
from tests.places import ROOT
from tests.translator import PAIRS, VOCABULARY, model, recipe

CHILD = """
import json, sys
from byhand import data
from tests.translator import fit, recipe
from byhand.translation import ranks
with ranks.group() as here:
    wanted = recipe(steps=6, dropout=0.0, accumulate=2, tokens_per_batch=40, seed=3)
    run, model = fit(wanted, file=sys.argv[1])
    if here.first:
        norms = [part.detach().norm().item() for part in model.parameters() if part.ndim > 1]
        print(json.dumps([run.losses, run.tokens, norms]))
"""


def started(folder: Path, rank: int, world: int, port: int) -> subprocess.Popen[str]:
    torchruns = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    torchruns |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    root = str(ROOT)
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder / f"{world}.safetensors")],
        env=os.environ | torchruns | {"PYTHONPATH": root}, cwd=folder, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip


def trained_by(folder: Path, world: int) -> Any:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [started(folder, rank, world, port) for rank in range(world)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * world
    assert outputs[1:] == [""] * (world - 1)
    return json.loads(outputs[0].splitlines()[-1])


def test_two_processes_have_the_loss_curve_of_one(tmp_path: Path) -> None:
    losses, tokens, norms = trained_by(tmp_path, 1)
    both_losses, both_tokens, both_norms = trained_by(tmp_path, 2)
    assert both_losses == pytest.approx(losses, rel=1e-5)
    assert both_norms == pytest.approx(norms, rel=1e-4)
    assert both_tokens == tokens
    assert losses[-1] < losses[0]


def test_a_process_without_rows_adds_nothing_to_a_learners_mean() -> None:
    wanted = recipe(dropout=0.0)
    network = model(wanted)

    def loss(one: Any, src: torch.Tensor, tgt: torch.Tensor) -> torch.Tensor:
        logits, right = one(src, tgt[:, :-1]), tgt[:, 1:]
        return torch.nn.functional.cross_entropy(logits.transpose(1, 2), right, ignore_index=translation.PAD)

    stepper = Stepper(network, wanted, torch.device("cpu"), Ranks(), loss)
    stepper.ranks = Ranks(1, 2)  # the second of two, and the batch has one row
    share = Batches(PAIRS[:1], VOCABULARY, wanted, 1, 2).of(1)
    assert stepper._gradients(1, share).item() == 0
    assert all(part.grad is not None and not part.grad.any() for part in network.parameters())


@pytest.fixture
def _few_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        data, "pairs", lambda name="general", split="train": [data.Pair(*pair) for pair in PAIRS]
    )


@pytest.mark.usefixtures("_few_texts")
def test_the_command_trains_writes_and_shows_translations(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("_live", "translation.watch"):
        monkeypatch.setattr(f"byhand.{module}.notebook_shell", lambda: None)
    assert (
        main(
            ["--recipe", "smoke", "--seed", "1", "--file", "a.safetensors", "--set", "steps=4", "d_model=16"]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert "step 4 of 4" in said
    assert "a.safetensors: 0.0 minutes" in said
    assert "(reference: " in said
    found = translation.read("a.safetensors")
    recipe = json.loads(found.facts["recipe"])
    assert (recipe["seed"], recipe["steps"], found.arguments["d_model"]) == ("1", "4", 16)


@pytest.mark.usefixtures("_few_texts")
def test_the_command_refuses_a_number_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--recipe", "smoke", "--set", "epochs=4"])
    assert stopped.value.code == 2
    assert "a recipe has no 'epochs'" in capsys.readouterr().err


@pytest.mark.usefixtures("_few_texts")
def test_the_command_ends_with_a_sentence_when_it_cannot_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("byhand.translation.step.loss_of", too_large)
    assert main(["--recipe", "smoke"]) == 1
    assert "Next: tokens_per_batch=300" in capsys.readouterr().err
