"""The checks that lesson 05's tests share tell right answers from wrong ones."""

from __future__ import annotations

import pytest
import torch

from byhand import attends, blocks, check


def near(T, S, window):
    return (torch.arange(S) - torch.arange(T)[:, None]).abs() <= window


def right(q, k, v, window):
    attends.check_sizes(q, k, v, same=True)
    return blocks.attention(q, k, v, near(q.shape[-2], k.shape[-2], window))[0]


SIZES = [((), 3, 3, 2, 1, 1), ((2,), 4, 4, 2, 3, 0)]


def compared(function):
    attends.as_masked("f(q, k, v, window)", function, near, SIZES, [1])


def test_an_answer_that_equals_the_masked_one_passes():
    compared(right)


def test_another_window_is_noticed_with_its_call():
    with pytest.raises(check.CheckFailed, match=r"f\(q, k, v, window\) with q \(3, 2\).*window 1, float64"):
        compared(lambda q, k, v, window: right(q, k, v, window + 1))


def test_an_unstable_softmax_is_noticed():
    def unstable(q, k, v, window):
        scores = (q @ k.mT / q.shape[-1] ** 0.5).clamp(-600, 600).exp() * near(
            q.shape[-2], k.shape[-2], window
        )
        return scores @ v / scores.sum(dim=-1, keepdim=True)

    with pytest.raises(check.CheckFailed, match="stable one"):
        compared(unstable)


def test_a_cut_gradient_is_noticed():
    with pytest.raises(check.CheckFailed, match="gradient"):
        compared(lambda q, k, v, window: right(q.detach(), k.detach(), v.detach(), window))


def test_sizes_that_do_not_fit_must_be_refused():
    attends.refuses_sizes("f", right, 1, aligned=True)
    with pytest.raises(check.CheckFailed, match="must raise a ValueError"):
        attends.refuses_sizes("f", lambda q, k, v: None)


def test_the_given_checks_name_argument_and_numbers():
    with pytest.raises(ValueError, match="window must be at least 0, got -1"):
        attends.at_least(0, window=-1)
    with pytest.raises(ValueError, match=r"mask \(2, 7\) does not broadcast to \(2, 4\)"):
        attends.check_mask(torch.ones(2, 7) > 0, (2, 4))
    attends.check_mask(torch.ones(4) > 0, (3, 2, 4))


def test_masks_that_do_not_fit_must_be_refused():
    def masked(q, k, v, mask):
        attends.check_mask(mask, (q.shape[-2], k.shape[-2]))

    attends.refuses_masks("f", masked)
    with pytest.raises(check.CheckFailed, match="must raise a ValueError"):
        attends.refuses_masks("f", lambda q, k, v, mask: None)


def test_too_much_memory_is_noticed():
    with pytest.raises(check.CheckFailed, match=r"needs more than the 1,024 MiB|uses .* of memory"):
        attends.in_one_gib("f", lambda q, k, v: torch.zeros(2**29))


def test_extreme_scores_and_gradients_past_infinity():
    plain = lambda q, k, v: blocks.attention(q, k, v)[0]  # noqa: E731
    attends.extreme_scores("f(q, k, v)", plain, ())
    with pytest.raises(check.CheckFailed, match="The scores are rising"):
        attends.extreme_scores("f(q, k, v)", lambda q, k, v: plain(q, k.clamp(-1, 1), v), ())
    attends.reached("f(x)", lambda x: x * 2, x=torch.ones(2))
    with pytest.raises(check.CheckFailed, match=r"the gradient of x in f\(x\): it is infinite or not"):
        attends.reached("f(x)", lambda x: (x - 1).sqrt(), x=torch.ones(2))
    with pytest.raises(check.CheckFailed, match=r"the gradient of y in f\(x, y\): it is missing"):
        attends.reached("f(x, y)", lambda x, y: x * y.detach(), x=torch.ones(2), y=torch.ones(2))


class Cache:
    """Keeps a view of all, or a copy of the end."""

    def __init__(self, copies):
        self.copies = copies

    def append(self, k, v):
        end = k[-2:]
        self.keys = end.clone() if self.copies else end
        return self.keys, v[-2:]


def test_a_cache_that_keeps_views_is_noticed():
    attends.stays_small(lambda window: Cache(True))
    with pytest.raises(check.CheckFailed, match="180 MiB"):
        attends.stays_small(lambda window: Cache(False))
