"""byhand.train: resumes exactly, survives interrupts and nan, loads when graded, says what is wrong."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from byhand import _live, train
from tests.training import FILE, batch, fit, model, weights

pytestmark = pytest.mark.usefixtures("own_folder")


def test_training_lowers_the_loss_and_leaves_the_model_in_eval_mode():
    network = model()
    run = fit(network, 60)
    assert run.done == run.steps == 60
    assert sum(run.losses[-10:]) < 0.7 * sum(run.losses[:10])
    assert not network.training
    assert run.seconds > 0


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    networks = [model() for _ in range(3)]
    for network, seed, file in zip(networks, (0, 0, 1), "abc", strict=True):
        fit(network, 12, seed=seed, file=f"{file}.safetensors")
    assert weights(networks[0]) == weights(networks[1])
    assert weights(networks[0]) != weights(networks[2])


def test_a_run_in_two_sittings_is_the_run_in_one():
    whole, first, second = model(), model(), model(seed=9)
    run = fit(whole, 20, file="whole.safetensors")
    fit(first, 8)
    again = fit(second, 20)
    assert again.losses == run.losses
    assert weights(second) == weights(whole)


def test_a_finished_run_is_loaded_and_not_repeated(capsys: pytest.CaptureFixture[str]):
    fit(model(), 10)
    network, asked = model(seed=3), []
    run = fit(network, 10, batches=lambda step: asked.append(step))
    assert not asked
    assert run.done == 10
    assert load_file(FILE)["0.weight"].equal(network.state_dict()["0.weight"])
    assert "not repeated" in capsys.readouterr().out
    assert not network.training


def test_a_finished_run_shows_its_curve_again_but_not_in_a_check(monkeypatch: pytest.MonkeyPatch):
    fit(model(), 10)
    shown = []
    monkeypatch.setattr(_live.Live, "update", lambda self, losses, seconds: shown.append(len(losses)))
    fit(model(), 10)
    with train.check.exercise("train"):
        fit(model(), 10)
    assert shown == [10]


def test_forget_starts_anew(capsys: pytest.CaptureFixture[str]):
    first = fit(model(), 5)
    train.forget(FILE)
    assert not Path(FILE).exists()
    assert fit(model(), 5).losses == first.losses
    train.forget("other.safetensors")
    assert "other.safetensors: nothing was there." in capsys.readouterr().out


def test_batches_are_asked_for_by_step_from_one():
    asked: list[int] = []
    fit(model(), 3, batches=lambda step: (asked.append(step), batch(step))[1])
    fit(model(), 5, batches=lambda step: (asked.append(step), batch(step))[1])
    assert asked == [1, 2, 3, 4, 5]


def test_the_rate_may_follow_the_step():
    still = model()
    before = weights(still)
    fit(still, 3, rate=lambda step: 0.0)
    assert weights(still) == before


def test_groups_with_rates_of_their_own_follow_the_schedule_in_proportion():
    network, seen = model(), []

    def groups(parameters, lr):
        made = torch.optim.SGD([{"params": parameters[:2], "lr": lr / 10}, {"params": parameters[2:]}], lr=lr)
        seen.append(made)
        return made

    fit(network, 3, optimizer=groups, rate=lambda step: 0.5 / step)
    rates = [group["lr"] for group in seen[0].param_groups]
    assert rates == pytest.approx([0.05 / 3, 0.5 / 3])


def test_a_rate_below_zero_is_refused_with_its_step():
    with pytest.raises(ValueError, match=r"rate of step 3 is -1\.0"):
        fit(model(), 5, rate=lambda step: 2.0 - step)


def test_an_interrupt_finishes_the_step_keeps_all_and_a_second_run_goes_on():
    whole, stopped = model(), model()
    run = fit(whole, 12, file="whole.safetensors")

    def interrupted(step: int):
        if step == 5:
            signal.raise_signal(signal.SIGINT)
        return batch(step)

    with pytest.raises(train.Stopped, match=r"after step 5 of 12.*Run this cell again"):
        fit(stopped, 12, batches=interrupted)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not stopped.training
    resumed = model(seed=4)
    assert fit(resumed, 12).losses == run.losses
    assert weights(resumed) == weights(whole)


def test_a_second_interrupt_stops_at_once_and_keeps_the_steps_before():
    def impatient(step: int):
        if step == 5:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return batch(step)

    with pytest.raises(KeyboardInterrupt):
        fit(model(), 12, batches=impatient)
    assert fit(model(), 4).done == 4
    with safe_open(FILE, framework="pt") as file:
        assert file.metadata()["steps"] == "4"


def test_a_process_that_dies_loses_at_most_what_was_not_saved(monkeypatch: pytest.MonkeyPatch):
    program = """
import os, torch
from torch import nn
from byhand import train
train.SAVE_SECONDS = 0.0
with train.seeded(0):
    network = nn.Linear(3, 1)
def batches(step):
    if step == 7:
        os._exit(1)
    return torch.ones(2, 3)
train.fit(network, lambda x: network(x).square().mean(), batches, 20)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(train.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", program], env=environment, check=False, timeout=120)
    network = nn.Linear(3, 1)
    run = train.fit(network, lambda x: network(x).square().mean(), lambda step: torch.ones(2, 3), 6)
    assert run.done == 6
    assert not list(Path().rglob("*.part"))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_in_words_and_keeps_the_last_good_weights(bad: float):
    good, network = model(), model()
    fit(good, 4, file="good.safetensors")

    def loss(given):
        value = (network(given[0]) - given[1]).square().mean()
        return value * bad if given[2] == 5 else value

    with pytest.raises(train.NotANumberError, match=rf"Step 5: the loss is {bad}.*Next: a smaller rate"):
        fit(network, 9, loss=loss, batches=lambda step: (*batch(step), step))
    assert weights(network) == weights(good)
    assert load_file(FILE)["0.weight"].equal(good.state_dict()["0.weight"])


def test_a_gradient_that_is_no_number_stops_before_it_reaches_the_weights():
    network = model()
    before = weights(network)
    with pytest.raises(train.NotANumberError, match="Step 1: the gradient's norm is nan"):
        fit(network, 3, loss=lambda given: (network(given[0]) * 0).sum().sqrt())
    assert weights(network) == before


def test_the_errors_show_only_their_sentence_in_a_notebook():
    for error in (train.Stopped("a"), train.NotANumberError("a"), train.WeightsError("a")):
        assert error._render_traceback_() == ["a"]


def test_a_changed_model_starts_anew_and_the_old_weights_are_kept(capsys: pytest.CaptureFixture[str]):
    fit(model(), 3)
    wide = nn.Linear(3, 1)
    run = train.fit(wide, lambda given: wide(given[0]).square().mean(), batch, 2)
    assert run.done == 2
    said = capsys.readouterr().out
    assert "another model" in said
    assert "starts anew" in said
    assert len(list(Path(".training").glob("*before*"))) == 1


def test_a_changed_model_keeps_the_old_checkpoint_where_the_old_weights_are_gone():
    fit(model(), 3)
    Path(FILE).unlink()
    wide = nn.Linear(3, 1)
    train.fit(wide, lambda given: wide(given[0]).square().mean(), batch, 2)
    assert len(list(Path(".training").glob("*before*"))) == 1


def test_a_broken_checkpoint_starts_anew(capsys: pytest.CaptureFixture[str]):
    first = fit(model(), 3)
    Path(".training", f"state_{FILE}").write_bytes(b"no tensors")
    assert fit(model(), 3).losses == first.losses
    assert "not a whole safetensors file" in capsys.readouterr().out


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(7)
    want = torch.rand(3)
    torch.manual_seed(7)
    fit(model(), 3)
    assert torch.rand(3).equal(want)


def test_a_model_without_parameters_is_refused():
    with pytest.raises(ValueError, match="no parameter to train"):
        train.fit(nn.ReLU(), lambda given: given, batch, 1)


def test_a_loss_of_the_wrong_kind_is_refused_with_its_shape():
    network = model()
    with pytest.raises(TypeError, match=r"got shape \(8, 1\)"):
        fit(network, 1, loss=lambda given: network(given[0]))
    with pytest.raises(TypeError, match="got a float"):
        fit(network, 1, loss=lambda given: 1.0)


def test_optimizers_with_other_states_resume_too():
    for name, make in (("sgd", torch.optim.SGD), ("adamw", torch.optim.AdamW), ("rms", torch.optim.RMSprop)):
        whole, parts = model(), model()
        fit(whole, 8, optimizer=make, file=f"{name}1.safetensors")
        fit(parts, 4, optimizer=make, file=f"{name}2.safetensors")
        parts = model(seed=8)
        fit(parts, 8, optimizer=make, file=f"{name}2.safetensors")
        assert weights(parts) == weights(whole), name


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"batches": [batch(1), batch(2)]}, "batches must be a function, step -> batch, got a list."),
        ({"batches": batch(1)[0]}, "batches must be a function, step -> batch, got shape (8, 3) without"),
        ({"loss": torch.zeros(())}, "loss must be a function, batch -> number, got shape () without"),
    ],
    ids=["a list", "one batch", "a loss worked out already"],
)
def test_what_should_be_a_function_and_is_none_is_named(more: dict[str, object], said: str):
    with pytest.raises(TypeError, match=re.escape(said)):
        fit(model(), 1, **more)
    assert not Path(FILE).exists()
