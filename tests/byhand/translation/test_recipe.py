"""Recipes: presets within their promises, rates, sizes, and changes that are refused in a sentence."""

from __future__ import annotations

import pytest

from byhand import blocks, translation
from byhand.translation import RECIPES, recipe


def test_there_are_three_presets_and_changes_to_them() -> None:
    assert list(RECIPES) == ["smoke", "cpu", "gpu"]
    assert recipe("cpu", seed=1, steps=5).steps == 5
    assert recipe("cpu") == RECIPES["cpu"]
    with pytest.raises(ValueError, match=r"no recipe 'tpu'\. There is: smoke, cpu, gpu"):
        recipe("tpu")
    with pytest.raises(ValueError, match=r"has no 'epochs'\. It has: n_merges, d_model"):
        recipe("cpu", epochs=3)


def test_the_gpu_preset_fits_its_file_and_asks_for_all_that_is_fast() -> None:
    wanted = RECIPES["gpu"]
    characters = 2_500  # more than the texts have
    sizes = wanted.sizes(4 + characters + wanted.n_merges)
    n_parameters = sum(part.numel() for part in blocks.Transformer(**sizes).parameters())
    assert n_parameters <= 12_000_000
    assert (wanted.amp, wanted.compile, wanted.fused, wanted.bucketed) == ("bf16", True, True, True)
    assert wanted.average > 0


def test_the_rate_climbs_in_a_line_and_falls_to_nothing_or_as_a_root() -> None:
    falling = recipe("cpu", steps=100, warmup=10, rate=1.0, decay="cosine")
    assert [falling.rate_at(step) for step in (1, 5, 10)] == pytest.approx([0.1, 0.5, 1.0])
    rates = [falling.rate_at(step) for step in range(10, 101)]
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.001
    root = recipe("cpu", warmup=16, rate=1.0, decay="root")
    assert [root.rate_at(step) for step in (8, 16, 64)] == pytest.approx([0.5, 1.0, 0.5])
    assert recipe("cpu", warmup=0, steps=9).rate_at(1) > 0


def test_the_root_is_the_schedule_of_2017() -> None:
    d_model, warmup = 64, 40
    wanted = recipe("cpu", decay="root", warmup=warmup, rate=(d_model * warmup) ** -0.5)
    for step in (1, 39, 40, 41, 400):
        assert wanted.rate_at(step) == pytest.approx(d_model**-0.5 * min(step**-0.5, step * warmup**-1.5))


def test_sizes_are_the_arguments_of_the_model() -> None:
    wanted = recipe("smoke", dropout=0.2)
    model = blocks.Transformer(**wanted.sizes(50))
    assert model.embedding.weight.shape == (50, wanted.d_model)
    assert len(model.encoder) == len(model.decoder) == wanted.n_layers
    assert (model.pad_id, model.max_len, model.dropout.p) == (translation.PAD, wanted.max_len, 0.2)


def test_changes_are_read_from_texts_and_written_back() -> None:
    changed = recipe("cpu").with_texts(["steps=7", "rate=1e-4", "compile=yes", "amp=bf16"])
    assert (changed.steps, changed.rate, changed.compile, changed.amp) == (7, 1e-4, True, "bf16")
    assert recipe("smoke").with_texts(f"{name}={text}" for name, text in changed.texts().items()) == changed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("epochs=3", "a recipe has no 'epochs'"),
        ("steps=many", "steps is 'many'; it must be a number"),
        ("compile=maybe", "compile is 'maybe'; it must be yes or no"),
        ("steps=0", "steps is 0; it must be at least 1"),
        ("decay=up", "decay is 'up'; it must be one of cosine, root"),
        ("n_heads=7", "d_model = .* is not divisible by n_heads = 7"),
    ],
)
def test_a_change_that_makes_no_sense_is_named(change: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recipe("cpu").with_texts([change])
