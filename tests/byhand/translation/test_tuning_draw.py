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
    assert [list(line.get_xdata()) for line in drawn] == [[2.0, 4.0, 6.0]] * 2
    assert [list(line.get_ydata()) for line in drawn] == [[25.0, 25.0, 25.0], [50.0, 70.0, 90.0]]
    assert tuning_draw.by_size_in_words().endswith(
        "in the layers 25% and 25%; in the pieces of menus 50% and 90%."
    )
