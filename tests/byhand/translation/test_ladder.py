"""byhand.translation.ladder: every rung is measured, one change at a time, and nothing of it stays behind."""

from __future__ import annotations

import pytest
import torch

from byhand import blocks, translation
from byhand.translation import OutOfMemory, ladder, step
from byhand.translation.recipe import RECIPES

PAIRS = [("a b" * length, "你好" * length) for length in range(1, 9)] * 10
VOCABULARY = translation.Vocabulary("ab▁你好", [("你", "好")])
NAMES = [name for name, _ in ladder.CHANGES]


def climb(**more):
    return ladder.climb(None, VOCABULARY, RECIPES["smoke"], PAIRS, device="cpu", quick=True, **more)


def test_all_rungs_are_measured_and_compiling_is_left_out_with_a_sentence(capsys) -> None:
    rungs = climb()
    assert [rung.name for rung in rungs] == [name for name in NAMES if name != "compiled"]
    assert all(rung.rate > 0 for rung in rungs)
    said = capsys.readouterr().out
    assert "compiled          left out: on a CPU compiling alone takes minutes" in said
    assert all(name in said for name in NAMES)


def test_a_learners_attention_without_n_heads_has_as_many_as_the_recipe() -> None:
    model = blocks.Transformer(**RECIPES["smoke"].sizes(len(VOCABULARY)))
    for layer in [part for part in model.modules() if hasattr(part, "q_proj")]:
        layer.heads = layer.n_heads
        del layer.n_heads
        layer.forward = lambda x, key=None, mask=None: (x, None)
    rungs = ladder.climb(model, VOCABULARY, RECIPES["smoke"], PAIRS, device="cpu", quick=True)
    assert rungs[-1].name == NAMES[-1]


def test_where_no_compiler_is_that_rung_is_left_out(monkeypatch, capsys) -> None:
    monkeypatch.setattr(step, "compiled", lambda function, device: function)
    assert "compiled" not in [rung.name for rung in climb(compile=True)]
    assert "there is no compiler that works here" in capsys.readouterr().out


def seen(monkeypatch, rates, device="cuda"):
    """The recipe and the attention of each rung, if it measured these rates."""
    found = []

    def rung(measure, name, recipe):
        measure.device = torch.device(device)  # as if it had been there
        names = [type(m).__name__ for m in measure.model.modules() if "forward" in vars(m)]
        kernel = next(vars(m)["forward"].args[2] for m in measure.model.modules() if "forward" in vars(m))
        found.append((name, recipe, kernel.__name__, len(names)))
        return ladder.Rung(name, next(rates), 0.0)

    monkeypatch.setattr(ladder._Measure, "rung", rung)
    return found


def test_each_rung_makes_one_change_and_keeps_those_below(monkeypatch) -> None:
    found = seen(monkeypatch, iter(range(1, 9)))
    climb(compile=True)
    size = RECIPES["smoke"].tokens_per_batch
    assert [(r.amp, r.compile, kernel, r.bucketed, r.tokens_per_batch) for _, r, kernel, _ in found] == [
        ("none", False, "_by_formula", False, size),
        ("bf16", False, "_by_formula", False, size),
        ("bf16", True, "_by_formula", False, size),
        ("bf16", True, "_fused", False, size),
        ("bf16", True, "_fused", True, size),
        ("bf16", True, "_fused", True, size * ladder.TIMES),
    ]
    assert {count for *_, count in found} == {3}  # every attention layer of a small model


def test_on_a_cpu_a_change_that_makes_it_slower_is_not_kept(monkeypatch, capsys) -> None:
    found = seen(monkeypatch, iter([4.0, 2.0, 8.0, 16.0, 1.0]), "cpu")
    climb()
    assert [recipe.amp for _, recipe, *_ in found] == ["none", "bf16", "none", "none", "none"]
    said = capsys.readouterr().out.splitlines()
    assert said[1].endswith("0.50 times the first; not kept, since it is slower here")
    assert " 2.00 times the rung below,  2.00 times the first" in said[3]


def test_what_does_not_fit_into_memory_is_left_out_and_the_rest_goes_on(monkeypatch, capsys) -> None:
    rates = iter([1.0, 2.0, 3.0, 4.0])

    def rung(measure, name, recipe):
        if name == "larger batches":
            raise OutOfMemory("too much")
        return ladder.Rung(name, next(rates), 0.0)

    monkeypatch.setattr(ladder._Measure, "rung", rung)
    assert len(climb()) == 4
    assert "larger batches    left out: too much" in capsys.readouterr().out


def test_the_model_and_the_threads_are_left_as_they_were() -> None:
    torch.manual_seed(0)
    model = blocks.Transformer(**RECIPES["smoke"].sizes(len(VOCABULARY))).eval()
    before, threads = (
        {name: part.clone() for name, part in model.state_dict().items()},
        torch.get_num_threads(),
    )
    ladder.climb(model, VOCABULARY, RECIPES["smoke"], PAIRS, device="cpu", quick=True)
    assert not model.training
    assert all(torch.equal(before[name], part) for name, part in model.state_dict().items())
    assert torch.get_num_threads() == threads


def test_on_a_gpu_more_steps_warm_up_and_seconds_are_timed(monkeypatch) -> None:
    monkeypatch.setattr(ladder._Measure, "_now", lambda measure: 0.0 if not numbers else len(numbers) / 10)
    monkeypatch.setattr(ladder._Measure, "_passed", lambda measure, started: len(numbers) / 10 - started)
    numbers: list[int] = []
    monkeypatch.setattr(step.Stepper, "step", lambda stepper, number, share: numbers.append(number))
    recipe = RECIPES["smoke"]
    model = blocks.Transformer(**recipe.sizes(len(VOCABULARY)))
    measure = ladder._Measure(model, VOCABULARY, PAIRS, torch.device("cpu"), 4)
    measure.warm_up, measure.seconds = ladder.GPU_WARM_UP, ladder.GPU_SECONDS
    assert measure.rung("a", recipe).rate > 0
    assert len(numbers) == 10 + 50  # a tenth of a second each


def test_the_picture_has_a_bar_for_each_rung() -> None:
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    ax = ladder.draw([ladder.Rung("a", 10.0, 0.0), ladder.Rung("b", 30.0, 0.0)], title="Ladder")
    assert [bar.get_height() for bar in ax.patches] == [0.01, 0.03]
    assert ax.get_xlabel() == "one change after another"
    plt.close("all")


def test_draw_and_ladder_are_found_and_other_names_are_not() -> None:
    assert translation.ladder is ladder
    assert callable(translation.draw.attention)
    with pytest.raises(AttributeError, match="translation has no 'nothing'"):
        translation.nothing  # noqa: B018
