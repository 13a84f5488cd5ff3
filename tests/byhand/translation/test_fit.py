"""Training a translator: it learns, stops and goes on exactly."""

from __future__ import annotations

import importlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from byhand import train, translation
from byhand.translation.step import Stepper
from tests.translator import FIT, PAIRS, VOCABULARY, fit, recipe, weights

pytestmark = pytest.mark.usefixtures("own_folder")


def test_training_makes_it_translate_texts_it_has_learned() -> None:
    run, network = fit(
        recipe(steps=150, d_model=32, rate=1e-2, warmup=20, dropout=0.0, average=5), valid=PAIRS
    )
    assert run.losses[-1] < run.losses[0] / 2
    english, chinese = zip(*PAIRS, strict=True)
    assert translation.bleu(translation.translate(network, VOCABULARY, english), chinese) > 80
    assert not network.training


def test_the_file_holds_the_averaged_model_in_half_the_bytes_with_sizes_and_vocabulary() -> None:
    wanted = recipe()
    run, network = fit(wanted)
    with safe_open(run.file, "pt") as file:
        assert file.get_tensor("embedding.weight").dtype == torch.bfloat16
    found = translation.read(run.file)
    assert found.arguments == wanted.sizes(len(VOCABULARY))
    assert found.vocabulary.merges == VOCABULARY.merges
    assert found.facts["steps"] == "8"
    for name, part in network.state_dict().items():
        assert torch.equal(part.bfloat16(), found.state[name].bfloat16())


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    runs = [fit(recipe(seed=seed), file=f"{number}.safetensors") for number, seed in enumerate((1, 1, 2))]
    assert runs[0][0].losses == runs[1][0].losses
    assert weights(runs[0][1]) == weights(runs[1][1])
    assert runs[0][0].losses != runs[2][0].losses


@pytest.mark.parametrize("bad_step", [1, 5, 7])
def test_interrupted_and_resumed_is_undisturbed_bit_for_bit(
    bad_step: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = recipe(eval_every=4)
    whole, undisturbed = fit(wanted, file="whole.safetensors", valid=PAIRS[:4])
    gradients = Stepper.gradients

    def interrupted(self: Stepper, number: int, *rest: Any) -> None:
        if number == bad_step:
            os.kill(os.getpid(), signal.SIGINT)
        gradients(self, number, *rest)

    monkeypatch.setattr(Stepper, "gradients", interrupted)
    with pytest.raises(train.Stopped, match=f"Interrupted after step {bad_step} of 8; all is kept"):
        fit(wanted, valid=PAIRS[:4])
    monkeypatch.setattr(Stepper, "gradients", gradients)
    run, network = fit(wanted, valid=PAIRS[:4])
    assert f"{bad_step} steps are done, training goes on" in capsys.readouterr().out
    assert run.losses == whole.losses
    assert run.bleus == whole.bleus
    assert run.tokens == whole.tokens
    assert weights(network) == weights(undisturbed)


def test_a_finished_training_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    first, network = fit(recipe())
    again, other = fit(recipe())
    assert again.losses == first.losses
    assert weights(other) == weights(network)
    assert "8 steps are done, training is not repeated" in capsys.readouterr().out


def test_another_recipe_starts_anew_and_keeps_the_old_file(capsys: pytest.CaptureFixture[str]) -> None:
    fit(recipe())
    run, _ = fit(recipe(rate=1e-3))
    said = capsys.readouterr().out
    assert "weights.safetensors is of another training (rate was 0.005, is 0.001)" in said
    assert len(run.losses) == 8
    assert Path(".training/state_weights.before.safetensors").is_file()


def test_a_file_that_was_not_there_is_not_said_to_be_kept(capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = fit(recipe())
    Path(run.file).unlink()
    fit(recipe(rate=1e-3), quiet=False)
    said = capsys.readouterr().out
    assert "was of another training (rate was 0.005, is 0.001); this starts anew." in said
    assert "kept" not in said


def test_accumulated_batches_are_one_larger_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = recipe(accumulate=2, dropout=0.0, steps=3)
    apart, _ = fit(wanted)
    real = FIT.Batches.of

    def together(self: Any, step: int) -> Any:
        share = real(self, step)
        return share._replace(batches=[_joined(share.batches)])

    monkeypatch.setattr(FIT.Batches, "of", together)
    joined, _ = fit(wanted, file="joined.safetensors")
    assert apart.losses == pytest.approx(joined.losses, rel=1e-5)


def _joined(batches: list[Any]) -> Any:
    parts = []
    for sides in zip(*batches, strict=True):
        width = max(side.shape[1] for side in sides)
        parts.append(torch.cat([torch.nn.functional.pad(side, (0, width - side.shape[1])) for side in sides]))
    return type(batches[0])(*parts)


def own_loss(network: Any, src: torch.Tensor, tgt: torch.Tensor) -> torch.Tensor:
    """As a learner writes it: the mean over the ids to predict."""
    logits, wanted = network(src, tgt[:, :-1]), tgt[:, 1:]
    return torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), wanted, ignore_index=translation.PAD, label_smoothing=0.1
    )


def test_a_loss_of_the_learners_own_trains_as_the_scripts_own_does() -> None:
    scripts, _ = fit(recipe(accumulate=2))
    learners, _ = fit(recipe(accumulate=2), file="own.safetensors", loss=own_loss)
    assert learners.losses == pytest.approx(scripts.losses, rel=1e-4)


def test_reading_a_loss_one_step_late_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, network = fit(recipe())
    monkeypatch.setattr(Stepper, "lag", 1)
    late, other = fit(recipe(), file="late.safetensors")
    assert late.losses == at_once.losses
    assert weights(other) == weights(network)


def test_while_grading_the_file_is_loaded_and_no_texts_are_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, trained = fit(recipe())
    monkeypatch.setenv("BYHAND_GRADING", "1")
    _, network = fit(recipe(seed=5), pairs=None)
    assert "Nothing is trained while grading" in capsys.readouterr().out
    for name, part in network.state_dict().items():
        assert torch.equal(part, trained.state_dict()[name].bfloat16().float())
    with pytest.raises(
        translation.WeightsError, match=r"embedding.weight is \(\d+, 16\) in the file, \(\d+, 32\)"
    ):
        fit(recipe(d_model=32))


def test_a_learners_loss_gets_logits_in_float32_and_the_model_is_left_as_it_was() -> None:
    kinds = set()

    def loss(network: Any, src: torch.Tensor, tgt: torch.Tensor) -> torch.Tensor:
        kinds.add(network(src, tgt[:, :-1]).dtype)
        return own_loss(network, src, tgt)

    _, network = fit(recipe(amp="bf16", steps=2), loss=loss)
    assert kinds == {torch.float32}
    assert not network._forward_hooks


def test_the_log_has_a_line_for_each_bleu(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("_live", "translation.watch"):
        monkeypatch.setattr(f"byhand.{module}.notebook_shell", lambda: None)
    run, _ = fit(recipe(eval_every=4), quiet=False, valid=PAIRS[:4])
    lines = [line for line in capsys.readouterr().out.splitlines() if "BLEU" in line]
    assert [step for step, _ in run.bleus] == [4, 8]
    assert len(lines) == 2
    assert "step 4 of 8" in lines[0]
    for part in ("tokens/s", "MFU", "left", "loss"):
        assert part in lines[0]


def test_the_bar_counts_the_time_left_from_where_training_went_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gradients = Stepper.gradients

    def interrupted(self: Stepper, number: int, *rest: Any) -> None:
        if number == 3:
            os.kill(os.getpid(), signal.SIGINT)
        gradients(self, number, *rest)

    monkeypatch.setattr(Stepper, "gradients", interrupted)
    with pytest.raises(train.Stopped):
        fit(recipe())
    monkeypatch.setattr(Stepper, "gradients", gradients)
    seen: list[int] = []
    monkeypatch.setattr(FIT.Watch, "tick", lambda self, losses, seconds: seen.append(self.first))
    fit(recipe())
    assert set(seen) == {3}


def test_event_files_need_tensorboard_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match="TensorBoard is not installed"):
        fit(recipe(), log="events")


@pytest.mark.parametrize("lag", [0, 1])
def test_event_files_get_loss_and_bleu(lag: int, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, int]] = []

    class Writer:
        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, step))

        def close(self) -> None:
            written.append(("closed", 0))

    watch = importlib.import_module("byhand.translation.watch")
    monkeypatch.setattr(watch, "_events", lambda folder: Writer())
    monkeypatch.setattr(Stepper, "lag", lag)
    fit(recipe(eval_every=8), log="events", valid=PAIRS[:4])
    assert written[:8] == [("loss", step) for step in range(1, 9)]
    assert written[8:] == [("validation BLEU", 8), ("tokens per second", 8), ("closed", 0)]
