"""Training a translator when something goes wrong: what is kept, and the sentence that says what is next."""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from byhand import train, translation
from byhand.translation import batches as loading
from byhand.translation.step import Stepper
from tests.translator import FIT, PAIRS, STEP, VOCABULARY, fit, model, recipe, weights

pytestmark = pytest.mark.usefixtures("own_folder")


def test_a_crash_in_the_middle_of_a_step_loses_that_step_only(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = fit(recipe(), file="whole.safetensors")
    monkeypatch.setattr(FIT, "SAVE_SECONDS", 0.0)
    real = torch.optim.AdamW.step
    calls: list[int] = []

    def crashes(self: torch.optim.AdamW, *rest: Any) -> None:
        calls.append(1)
        real(self, *rest)
        if len(calls) == 4:
            raise SystemError("the power failed")

    monkeypatch.setattr(torch.optim.AdamW, "step", crashes)
    with pytest.raises(SystemError, match="the power failed"):
        fit(recipe())
    monkeypatch.setattr(torch.optim.AdamW, "step", real)
    run, _ = fit(recipe())
    assert run.losses == whole.losses


def failing(at: int, problem: BaseException) -> Callable[..., Any]:
    """A loss or a loader that fails once, at its call `at`."""
    calls: list[int] = []

    def wrapped(real: Callable[..., Any]) -> Callable[..., Any]:
        def function(*arguments: Any) -> Any:
            calls.append(1)
            if len(calls) == at:
                raise problem
            return real(*arguments)

        return function

    return wrapped


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ("step.loss_of", torch.OutOfMemoryError("CUDA out of memory.")),
        ("batches.Batches.of", OSError("the disk is gone")),
    ],
)
def test_no_step_is_done_twice_or_left_out_after_an_error(
    lag: int, where: str, problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, undisturbed = fit(recipe(), file="whole.safetensors")
    monkeypatch.setattr(Stepper, "lag", lag)
    with monkeypatch.context() as once:
        module, _, name = f"byhand.translation.{where}".rpartition(".")
        real = getattr(importlib.import_module("byhand.translation.batches").Batches, name, STEP.loss_of)
        once.setattr(f"{module}.{name}", failing(5, problem)(real))
        with pytest.raises((OSError, translation.OutOfMemory)):
            fit(recipe())
    assert translation.read("weights.safetensors").facts["steps"] == "4"
    run, network = fit(recipe())
    assert run.losses == whole.losses
    assert weights(network) == weights(undisturbed)


def test_after_a_loss_of_nan_the_steps_behind_it_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    for lag in (0, 1):
        with monkeypatch.context() as spoilt:
            spoilt.setattr(Stepper, "lag", lag)
            spoil(spoilt, at=5, factor=float("nan"))
            with pytest.raises(train.NotANumberError, match="Step 5"):
                fit(recipe(), file=f"{lag}.safetensors")
        kept.append(translation.read(f"{lag}.safetensors").state)
    assert all(torch.equal(part, kept[1][name]) for name, part in kept[0].items())


@pytest.mark.parametrize("lag", [0, 1])
def test_a_loss_of_nan_stops_with_the_step_and_keeps_good_weights(
    lag: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stepper, "lag", lag)
    spoil(monkeypatch, at=5, factor=float("nan"))
    with pytest.raises(
        train.NotANumberError, match=r"Step 5: the loss is nan\. Training stopped; the weights"
    ):
        fit(recipe(accumulate=1))
    found = translation.read("weights.safetensors")
    assert found.facts["steps"] == "4"
    assert all(bool(part.isfinite().all()) for part in found.state.values())


def test_a_loss_that_is_no_single_number_is_refused_with_its_shape() -> None:
    with pytest.raises(TypeError, match=r"loss must return a 0-d tensor with a gradient, got shape \("):
        fit(recipe(), loss=lambda network, src, tgt: network(src, tgt[:, :-1]))


def spoil(monkeypatch: pytest.MonkeyPatch, at: int, factor: float) -> None:
    calls: list[int] = []
    real = STEP.loss_of

    def spoilt(*arguments: Any) -> torch.Tensor:
        calls.append(1)
        return real(*arguments) * (factor if len(calls) == at else 1.0)

    monkeypatch.setattr(STEP, "loss_of", spoilt)


def on_a_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def on_the_cpu() -> None:
    torch.empty(2**60)


def in_cublas() -> None:
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


def outside_of_torch() -> None:
    raise type("AcceleratorError", (RuntimeError,), {})("CUDA error: out of memory")


@pytest.mark.parametrize("takes_too_much", [on_a_gpu, on_the_cpu, in_cublas, outside_of_torch])
def test_too_little_memory_is_a_sentence_with_the_size_to_try(
    takes_too_much: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: Any) -> torch.Tensor:
        takes_too_much()
        raise AssertionError("there was memory enough")

    monkeypatch.setattr(STEP, "loss_of", too_large)
    with pytest.raises(translation.OutOfMemory, match="Next: tokens_per_batch=60 and accumulate=2") as caught:
        fit(recipe())
    assert "tokens_per_batch = 120 did not fit into cpu's memory" in str(caught.value)
    assert "training starts anew" in str(caught.value)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("torch.optim.AdamW.step", "Next: tokens_per_batch=60"),
        ("byhand.translation.batches.Batches.of", "Next: tokens_per_batch=60"),
        ("byhand.translation.decode.bleu_of", "BLEU after step 4 .* Next: eval_every=0; training goes on"),
    ],
)
def test_too_little_memory_is_a_sentence_wherever_it_lacks(
    where: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, failing(1, torch.OutOfMemoryError("CUDA out of memory."))(lambda: None))
    with pytest.raises(translation.OutOfMemory, match=words):
        fit(recipe(eval_every=4), valid=PAIRS[:4])


def test_a_loader_thread_ends_with_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    monkeypatch.setattr(loading, "ahead", loading.from_thread)
    spoil(monkeypatch, at=3, factor=float("nan"))
    before = threading.active_count()
    with pytest.raises(train.NotANumberError) as caught:
        fit(recipe())
    assert threading.active_count() == before, "while the error still holds its frames"
    assert caught.value


def test_another_error_of_the_model_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> torch.Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(STEP, "loss_of", broken)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        fit(recipe())


def test_a_model_of_other_sizes_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"model.embedding.weight is \(\d+, 32\), .* make \(\d+, 16\)"):
        fit(recipe(), model=model(recipe(d_model=32)))


class Masked(torch.nn.Module):
    """As a learner may write it: its mask is made without a word about where."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.max_len, self.pad_id = inner, inner.max_len, inner.pad_id

    def forward(self, src: torch.Tensor, tgt: torch.Tensor) -> torch.Tensor:
        logits = self.inner(src, tgt)
        mask = torch.ones(tgt.shape[1], 1, dtype=torch.bool)
        return logits.where(mask, logits.new_zeros(()))


def test_a_mask_made_without_a_device_is_made_where_the_model_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # meta has none
    place = torch.device("meta")  # another device than the CPU, on every machine
    network, wanted = Masked(model(recipe())).to(place), recipe()
    stepper = Stepper(network, wanted, place, STEP.Ranks())
    share = loading.Batches(PAIRS, VOCABULARY, wanted).of(1)
    batches = [loading.Batch(*(part.to(place) for part in batch)) for batch in share.batches]
    assert stepper._gradients(1, share._replace(batches=batches)).device == place
    with translation.decode.at_rest(network):
        assert network(*batches[0]).device == place


def test_the_model_is_afterwards_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    network, moves = model(recipe()), []
    real = type(network).to
    monkeypatch.setattr(
        type(network), "to", lambda self, place: moves.append(str(place)) or real(self, "cpu")
    )
    fit(recipe(), model=network, device="cpu")
    spoil(monkeypatch, at=1, factor=float("nan"))
    with pytest.raises(train.NotANumberError):
        fit(recipe(), model=network, file="nan.safetensors")
    assert moves == ["cpu"] * 4
