"""What attention costs: bytes alive at once, slopes of curves, and the table beside torch."""

from __future__ import annotations

import numpy as np
import torch

from autograder.bench import attention
from byhand import meter


def test_the_meter_counts_bytes_alive_at_the_same_time():
    with meter.Meter() as one:
        x = torch.zeros(1000)
        y = x + 1
        del y
        x.view(10, 100)
        torch.zeros(500)
    assert one.peak == 8000


def test_full_attention_is_quadratic_in_memory_and_prints_its_slope(capsys):
    _, sizes = meter.curves({"full": meter.full}, [64, 128, 256, 512], short=["full"], longest=256)
    assert "slope in time" in capsys.readouterr().out
    assert 3 < sizes["full"][2] / sizes["full"][1] < 5
    assert np.isnan(sizes["full"][3])


def test_the_table_names_every_way_and_a_compiler_that_is_missing(capsys, monkeypatch):
    def missing(*arguments):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(meter, "flex", missing)
    ratios = meter.beside_torch(lambda q, k, v, window: v, n_tokens=256, sizes=(4,))
    text = capsys.readouterr().out
    assert list(ratios) == ["local D=4"]
    assert "full, torch's fused" in text
    assert "does not compile here (RuntimeError)" in text


def test_the_bench_runs_the_lessons_own_local_attention():
    local = attention.reference()
    q, k, v = torch.randn(3, 300, 4, generator=torch.Generator().manual_seed(0))
    far = (torch.arange(300) - torch.arange(300)[:, None]).abs() > 7
    want = (q @ k.T / 2).masked_fill(far, -torch.inf).softmax(-1) @ v
    assert torch.allclose(local(q, k, v, 7), want, atol=1e-5)
