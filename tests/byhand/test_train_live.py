"""What byhand.train shows while it runs: the bar and the curve."""

from __future__ import annotations

from byhand import _live


def test_the_bar_says_step_loss_rate_and_time_left():
    text = _live.words([2.0, 1.0], steps=10, first=0, passed=4.0, seconds=4.0)
    assert text == "████░░░░░░░░░░░░░░░░ 20%, step 2 of 10, loss 1.5, 0.5 steps/s, 0:16 left"
    assert _live.words([1.0] * 4, 4, 0, 2.0, 61.0).endswith("step 4 of 4, loss 1, 1:01 in all")
    assert "left" not in _live.words([1.0], 10, first=1, passed=0.0, seconds=3.0)
    assert _live.clock(3661) == "1:01:01"


def test_the_curve_shows_every_step_in_at_most_so_many_points():
    import matplotlib.pyplot as plt

    losses = [1000.0 / step for step in range(1, 1001)]
    figure = _live.curve(losses, "a.safetensors")
    line = figure.axes[0].lines[0]
    assert len(line.get_xdata()) == _live.DOTS
    assert line.get_xdata()[-1] == 1000
    assert figure.axes[0].get_yscale() == "log"
    assert "falls: mean of the first 20 steps 180, of the last 20 steps 1.01." in figure.alt
    plt.close(figure)


def test_the_curve_compares_means_of_steps_only_where_there_are_enough():
    assert _live.told([3.0] * 30, "training") == "training."
    same = "training, the loss does not fall: mean of the first 20 steps 3, of the last 20 steps 3."
    assert _live.told([3.0] * 40, "training") == same


def test_a_loss_curve_is_labelled_with_plain_numbers():
    import matplotlib.pyplot as plt

    for losses, wanted in (([8.0, 4.0, 2.5], {"3", "4", "6"}), ([2.0, 0.02, 0.0002], {"0.001", "0.1", "1"})):
        figure = _live.curve(losses, "training")
        figure.canvas.draw()
        labels = {text.get_text() for text in figure.axes[0].get_yticklabels(which="both")} - {""}
        assert wanted <= labels
        assert not [label for label in labels if "times" in label or "{" in label]
        plt.close(figure)


def test_the_file_handed_in_does_not_name_a_training():
    assert _live.title("weights.safetensors") == _live.title("somewhere/weights.safetensors") == "training"
    assert _live.title("no_attention.safetensors") == "no attention"
