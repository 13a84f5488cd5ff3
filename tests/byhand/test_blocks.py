"""byhand.blocks: parts of earlier lessons, right at the edges too."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from byhand import blocks


def slow_softmax(scores: list[float]) -> list[float]:
    top = max(scores)
    if top == -math.inf:
        return [0.0 for _ in scores]
    parts = [math.exp(score - top) for score in scores]
    return [part / math.fsum(parts) for part in parts]


@pytest.mark.parametrize("scores", [[0.0, 1.0], [1e4, -1e4, 1e4], [-math.inf, 2.0], [-math.inf] * 3, [7.0]])
def test_softmax_equals_the_slow_one(scores: list[float]) -> None:
    assert blocks.softmax(np.array(scores)).tolist() == pytest.approx(slow_softmax(scores), abs=1e-12)


def test_softmax_runs_along_the_given_axis() -> None:
    scores = np.random.default_rng(0).normal(size=(2, 3, 4))
    for axis in (0, 1, -1):
        want = np.apply_along_axis(lambda row: np.array(slow_softmax(row.tolist())), axis, scores)
        assert np.allclose(blocks.softmax(scores, axis=axis), want, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_softmax_keeps_the_dtype(dtype: str) -> None:
    weights = blocks.softmax(np.array([1e4, 0.0, -np.inf], dtype=dtype))
    assert type(weights) is np.ndarray
    assert weights.dtype == dtype
    assert weights.tolist() == [1.0, 0.0, 0.0]


def test_softmax_leaves_its_input_alone_and_takes_any_view() -> None:
    scores = np.arange(6.0)
    scores.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights = blocks.softmax(scores[::-2])
    assert weights.tolist() == pytest.approx(slow_softmax([5.0, 3.0, 1.0]))
    assert scores.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_softmax_agrees_with_torchs(dtype: torch.dtype) -> None:
    scores = 30 * torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    scores[0, 1:3] = -math.inf
    for axis in (0, 1):
        got = torch.from_numpy(blocks.softmax(scores.numpy(), axis))
        torch.testing.assert_close(got, torch.softmax(scores, axis), atol=1e-6, rtol=2e-3)


def test_softmax_of_what_is_no_number_is_none_and_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(blocks.softmax(np.array([math.nan, 1.0]))).all()
        assert np.isnan(blocks.softmax(np.array([math.inf, 1.0]))).any()


def test_softmax_refuses_integers_with_the_remedy() -> None:
    with pytest.raises(TypeError, match="got dtype int64; write 1"):
        blocks.softmax(np.array([1, 2]))


def test_blocks_loads_torch_only_when_asked() -> None:
    use = "from byhand import blocks, check, plot; import numpy; blocks.softmax(numpy.ones(2))"
    look = f"import sys; {use}; assert 'torch' not in sys.modules; blocks.attention"
    subprocess.run([sys.executable, "-c", f"{look}; assert 'torch' in sys.modules"], check=True)


def test_an_unknown_block_is_named_with_those_there_are() -> None:
    with pytest.raises(AttributeError, match=r"no 'atention'. It has: .*attention"):
        _ = blocks.atention
    assert {"MultiHeadAttention", "softmax"} <= set(dir(blocks))


def test_padding_mask_marks_real_tokens() -> None:
    mask = blocks.padding_mask(torch.tensor([2, 1]), 3)
    assert mask.tolist() == [[True, True, False], [True, False, False]]
    with pytest.raises(ValueError, match="up to 4, but max_len is 3"):
        blocks.padding_mask(torch.tensor([1, 4]), 3)


def test_causal_mask_is_aligned_at_the_end() -> None:
    assert blocks.causal_mask(2, 3).tolist() == [[True, True, False], [True, True, True]]
    with pytest.raises(ValueError, match="n_keys is 2, but n_queries is 3"):
        blocks.causal_mask(3, 2)


def _attention_slowly(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """One query after another, q (T, D), as plain Python."""
    rows = []
    for one, may in zip(q, mask, strict=True):
        scores = [float(one @ key) / len(one) ** 0.5 for key in k]
        weights = slow_softmax([s if ok else -math.inf for s, ok in zip(scores, may, strict=True)])
        rows.append(sum(w * value for w, value in zip(weights, v, strict=True)))
    return torch.stack(rows)


def test_attention_equals_the_slow_one_with_and_without_heads() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(2, 3, n, d, generator=generator, dtype=torch.float64) for n, d in [(4, 5), (6, 5), (6, 2)]
    )
    mask = torch.rand(2, 1, 4, 6, generator=generator) > 0.4
    mask[0, 0, 1] = False
    output, weights = blocks.attention(q, k, v, mask)
    for b in range(2):
        for h in range(3):
            want = _attention_slowly(q[b, h], k[b, h], v[b, h], mask[b, 0])
            assert torch.allclose(output[b, h], want, atol=1e-12)
            assert torch.allclose(
                blocks.attention(q[b, h], k[b, h], v[b, h], mask[b, 0])[0], want, atol=1e-12
            )
    assert torch.allclose(weights @ v, output)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_attention_to_nothing_is_zero_with_finite_gradients(dtype: torch.dtype) -> None:
    q, k, v = (torch.ones(2, 3, dtype=dtype, requires_grad=True) for _ in range(3))
    output, weights = blocks.attention(q, k, v, torch.tensor([[False, False], [True, False]]))
    assert output.dtype == weights.dtype == dtype
    assert weights.tolist() == [[0, 0], [1, 0]]
    assert output.tolist() == [[0, 0, 0], [1, 1, 1]]
    (output.sum() + weights.sum()).backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in (q, k, v))


@pytest.mark.parametrize(
    ("q", "k", "v", "mask"),
    [
        ((2, 3), (4, 1), (4, 5), None),
        ((2, 3), (1, 3), (4, 5), None),
        ((2, 2, 3), (1, 4, 3), (1, 4, 5), None),
        ((2, 3), (4, 3), (4, 5), (3, 4)),
        ((2, 3), (4, 3), (4, 5), (6, 2, 4)),
    ],
)
def test_attention_refuses_sizes_that_do_not_fit(
    q: tuple[int, ...], k: tuple[int, ...], v: tuple[int, ...], mask: tuple[int, ...] | None
) -> None:
    with pytest.raises(ValueError, match=r"do not fit|values|does not broadcast"):
        blocks.attention(*map(torch.ones, (q, k, v)), None if mask is None else torch.ones(mask) > 0)


def test_heads_are_blocks_of_features_and_merge_again() -> None:
    x = torch.arange(16.0).reshape(1, 2, 8)
    heads = blocks.split_heads(x, 4)
    assert heads.shape == (1, 4, 2, 2)
    assert heads[0, 1].tolist() == [[2, 3], [10, 11]]
    assert torch.equal(blocks.merge_heads(heads), x)
    with pytest.raises(ValueError, match="8 features, not divisible by n_heads = 3"):
        blocks.split_heads(x, 3)


@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_equals_torchs_given_its_weights(bias: bool) -> None:
    theirs = nn.MultiheadAttention(6, 3, bias=bias, batch_first=True)
    ours = blocks.MultiHeadAttention(6, 3, bias)
    names = ["q_proj", "k_proj", "v_proj"]
    state = dict(zip([f"{n}.weight" for n in names], theirs.in_proj_weight.chunk(3), strict=True))
    state["out_proj.weight"] = theirs.out_proj.weight
    if bias:
        state |= dict(zip([f"{n}.bias" for n in names], torch.randn(18).chunk(3), strict=True))
        state["out_proj.bias"] = torch.randn(6)
        theirs.in_proj_bias.data = torch.cat([state[f"{n}.bias"] for n in names])
        theirs.out_proj.bias.data = state["out_proj.bias"]
    ours.load_state_dict(state)
    x, memory, mask = torch.randn(2, 4, 6), torch.randn(2, 5, 6), torch.tensor([[1, 1, 1, 1, 0]]) > 0
    want = theirs(x, memory, memory, average_attn_weights=False, key_padding_mask=~mask.expand(2, 5))
    for got, right in zip(ours(x, memory, mask=mask), want, strict=True):
        assert torch.allclose(got, right, atol=1e-6)
    assert torch.allclose(ours(x)[0], theirs(x, x, x)[0], atol=1e-6)


def test_the_layer_refuses_a_mask_of_three_axes_and_sizes_not_divisible() -> None:
    with pytest.raises(ValueError, match="d_model = 6 is not divisible by n_heads = 4"):
        blocks.MultiHeadAttention(6, 4)
    with pytest.raises(ValueError, match="has 3 axes"):
        blocks.MultiHeadAttention(6, 3)(torch.ones(2, 4, 6), mask=torch.ones(2, 4, 4) > 0)


def test_window_mask_equals_its_definition() -> None:
    for n_queries, n_keys, window, causal in [
        (1, 1, 0, False),
        (2, 5, 1, False),
        (4, 4, 9, True),
        (3, 7, 2, True),
    ]:
        far = n_keys - n_queries
        want = [
            [abs(i + far - j) <= window and (j <= i + far or not causal) for j in range(n_keys)]
            for i in range(n_queries)
        ]
        assert blocks.window_mask(n_queries, n_keys, window, causal).tolist() == want


def test_window_mask_names_the_numbers_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="n_keys is 2, but n_queries is 3"):
        blocks.window_mask(3, 2, 1)
    with pytest.raises(ValueError, match="window must not be below 0, got -1"):
        blocks.window_mask(2, 2, -1)


def test_sinusoidal_rows_hold_a_sine_and_a_cosine_of_each_speed() -> None:
    for size in (1, 5, 8):
        table = blocks.sinusoidal_encoding(1000, size)
        assert table.dtype == torch.float32
        assert table.shape == (1000, size)
        for p, j in [(0, 0), (7, size - 1), (999, size - 1), (999, 0)]:
            angle = p / 10000 ** (j // 2 * 2 / size)
            assert float(table[p, j]) == pytest.approx(
                math.cos(angle) if j % 2 else math.sin(angle), abs=1e-6
            )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_rope_turns_neighbours_and_keeps_the_dtype(dtype: torch.dtype) -> None:
    x, positions = torch.ones(2, 3, 2, 4, dtype=dtype), torch.tensor([4096, 0])
    turned = blocks.apply_rope(x, positions)
    assert turned.dtype == dtype
    assert torch.equal(turned[..., 1, :], x[..., 1, :])
    want = [math.cos(a) + sign * math.sin(a) for a in (4096.0, 40.96) for sign in (-1, 1)]
    assert turned[1, 2, 0].tolist() == pytest.approx(want, abs=2e-2 if dtype.itemsize < 4 else 1e-3)


def test_scores_after_rope_depend_on_the_distance_alone() -> None:
    q, k = torch.randn(2, 1, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scores = [
        float((blocks.apply_rope(q, torch.tensor([p + 5])) * blocks.apply_rope(k, torch.tensor([p]))).sum())
        for p in (0, 31, 4000)
    ]
    assert scores == pytest.approx([scores[0]] * 3, abs=1e-9)


def test_rope_refuses_odd_sizes_and_other_lengths() -> None:
    with pytest.raises(ValueError, match="odd number of features, 5"):
        blocks.apply_rope(torch.ones(2, 5), torch.arange(2))
    with pytest.raises(ValueError, match="x has 2 tokens"):
        blocks.apply_rope(torch.ones(2, 4), torch.arange(1))


@pytest.mark.parametrize(
    ("n_heads", "slopes"),
    [(1, [8]), (2, [4, 8]), (3, [4, 8, 2]), (6, [2, 4, 6, 8, 1, 3]), (8, [1, 2, 3, 4, 5, 6, 7, 8])],
)
def test_alibi_slopes_come_in_the_published_order(n_heads: int, slopes: list[int]) -> None:
    bias = blocks.alibi_bias(n_heads, 2, 3)
    assert bias.dtype == torch.float32
    assert (-bias[:, 0, 0]).tolist() == pytest.approx([2.0**-exponent for exponent in slopes])
    assert torch.allclose(bias[0], bias[0, 0, 0] * torch.tensor([[1.0, 0, 1], [2, 1, 0]]))
    with pytest.raises(ValueError, match="n_keys is 2, but n_queries is 3"):
        blocks.alibi_bias(n_heads, 3, 2)


MASKS = [(2, 3, 4), (3, 4), (2, 1, 4), (3, 1), (4,), ()]


@pytest.mark.parametrize("shape", MASKS)
def test_masked_softmax_is_softmax_among_what_may_be_seen(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    rng = torch.Generator().manual_seed(len(shape))
    scores = 1e3 * torch.randn(2, 3, 4, generator=rng, dtype=torch.float64)
    mask = torch.rand(shape, generator=rng) < 0.5
    weights = blocks.masked_softmax(scores, mask)
    for row, may, got in zip(
        scores.view(-1, 4), mask.expand(2, 3, 4).reshape(-1, 4), weights.view(-1, 4), strict=True
    ):
        hidden = [score if seen else -math.inf for score, seen in zip(row.tolist(), may, strict=True)]
        assert got.tolist() == pytest.approx(slow_softmax(hidden), abs=1e-12)


def test_masked_softmax_of_a_blocked_row_is_zero_with_finite_gradients() -> None:
    torch = pytest.importorskip("torch")
    scores = torch.tensor([[1e4, -1e4], [1.0, 2.0]], requires_grad=True)
    weights = blocks.masked_softmax(scores, torch.tensor([[False, False], [False, True]]))
    assert weights.tolist() == [[0.0, 0.0], [0.0, 1.0]]
    weights.square().sum().backward()
    assert scores.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_masked_softmax_refuses_a_mask_that_would_enlarge_the_result() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError):
        blocks.masked_softmax(torch.zeros(4), torch.ones(3, 4, dtype=torch.bool))
