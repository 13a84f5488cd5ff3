"""Pictures of lesson 08: what is taken from the runs before it is drawn."""

from __future__ import annotations

from typing import Any

import pytest

from byhand.translation import tuning, tuning_draw, tuning_ways


def marks(value: float) -> tuning.Marks:
    return dict.fromkeys(tuning.MARKS, value)


def test_means_are_over_seeds_and_sorted_by_what_is_trained() -> None:
    run = {"steps": 5, "trained": 1.0, "way": "full", "test": marks(14.0)}
    other = {"steps": 5, "trained": 0.01, "way": "LoRA, rank 3", "test": marks(12.0)}
    second, long = run | {"test": marks(16.0)}, run | {"steps": 50, "test": marks(99.0)}
    runs = [run, other, second, long]
    found = tuning_draw.means("menus BLEU", {"base": {"test": marks(10.0)}, "runs": runs})
    assert list(found) == ["LoRA, rank 3", "full"]
    assert found["full"] == (1.0, 5.0, pytest.approx(2**0.5))


@pytest.mark.usefixtures("paper")
def test_of_each_base_the_shares_of_the_gain_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(base: str) -> dict[str, Any]:
        at = tuning.BASES.index(base)
        gains = {"full": 20.0, "LoRA, rank 3": 5.0, tuning_ways.PIECES: 10.0 + 4 * at}
        gains |= {tuning_ways.BOTH: 19.0} if base == tuning.BASES[-1] else {}
        runs = [
            {"way": way, "steps": 5, "trained": 0.01, "test": marks(10.0 + gain)}
            for way, gain in gains.items()
        ]
        return {
            "facts": {"numbers": 2_000_000 * (at + 1), "rank": 3},
            "base": {"test": marks(10.0)},
            "runs": runs,
        }

    monkeypatch.setattr(tuning, "measured", measured)
    drawn = [container.lines[0] for container in tuning_draw.by_size().containers]
    assert [list(line.get_xdata()) for line in drawn] == [[2.0, 4.0, 6.0]] * 2 + [[6.0]]
    assert [list(line.get_ydata()) for line in drawn] == [[25.0, 25.0, 25.0], [50.0, 70.0, 90.0], [95.0]]
    said = tuning_draw.by_size_in_words()
    assert "in the layers 25% and 25%; in the pieces of menus 50% and 90%; " in said
    assert said.endswith("in both, for longer 95%, in the largest alone.")


def test_lora_at_its_best_is_told_beside_full_fine_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    def runs(
        way: str, steps: int, trained: float, gains: list[float], general: float
    ) -> list[dict[str, Any]]:
        place = {"way": way, "steps": steps, "trained": trained, "valid": [[0, 9.0], [steps, 2.5]]}
        test = [{"menus BLEU": 10.0 + gain, "general BLEU": 40.0 + general} for gain in gains]
        return [place | {"test": one} for one in test]

    full = runs("full", 6, 1.0, [19.0, 21.0], -20.0) + runs("full", 12, 1.0, [99.0], -30.0)
    both = runs(tuning_ways.BOTH, 15, 0.019, [18.0, 18.0], -15.0)
    base = {"menus BLEU": 10.0, "general BLEU": 40.0}
    found = {"facts": {"rank": 3}, "base": {"test": base}, "runs": [*full, *both]}
    monkeypatch.setattr(tuning, "measured", lambda _: found)
    monkeypatch.setattr(
        tuning_draw, "shares", lambda mark, _: {tuning_draw.LONGER: (0.9 if "menus" in mark else 0.75, 0)}
    )
    told = tuning_draw.at_its_best().split("\n")
    assert told == [
        "full, 100.0% of the numbers, 6 steps, seeds: 2",
        "  menus BLEU +20.0 ± 1.4, general BLEU -20.0 ± 0.0, loss on other menus 2.50",
        f"{tuning_ways.BOTH}, 1.9% of the numbers, 15 steps, seeds: 2",
        "  menus BLEU +18.0 ± 0.0, general BLEU -15.0 ± 0.0, loss on other menus 2.50",
        "So LoRA reaches 90% of the gain and forgets 75% as much. For longer:",
        "full, 100.0% of the numbers, 12 steps, seeds: 1",
        "  menus BLEU +99.0, general BLEU -30.0, loss on other menus 2.50",
    ]
