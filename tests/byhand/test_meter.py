"""What attention costs: bytes alive at once, slopes of curves, and the table beside torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from autograder.bench import attention
from byhand import meter
from tests.places import ROOT


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


def test_the_bench_needs_nothing_that_only_authors_have():
    code = """
import sys
from autograder.bench import attention, gpu
attention.reference()
attention.reference("07_translation", "KVCache")
print({"jupytext", "nbformat", "sacrebleu", "IPython", "psutil"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize(("ratio", "code"), [(10.0, 0), (9.9, 1)])
def test_the_bench_fails_where_the_promise_is_not_kept(ratio, code, tmp_path, monkeypatch):
    monkeypatch.setattr(meter, "beside_torch", lambda *_: {"local D=16": ratio, "local D=64": 3.0})
    monkeypatch.setattr(attention, "FIGURES", tmp_path / "attention.json")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert attention.main(["--write"]) == code
    found = json.loads((tmp_path / "attention.json").read_text(encoding="utf-8"))
    assert found["times_as_fast"] == {"local D=16": ratio, "local D=64": 3.0}
    assert found["machine"]["device"] == "CPU"


def test_masks_made_without_a_device_are_made_where_the_queries_are(monkeypatch):
    def local(q, k, v, window):
        near = (torch.arange(q.shape[-2])[:, None] - torch.arange(k.shape[-2])).abs() <= window
        return (q @ k.mT).masked_fill(~near, -torch.inf).softmax(-1) @ v

    monkeypatch.setattr(meter, "milliseconds", lambda function, device: float(function().is_meta))
    q = torch.empty(1, 1, 64, 4, device="meta")  # another device than the CPU, on every machine
    assert meter._row("local", lambda: local(q, q, q, 3), "meta", 0.0) == 1.0


@pytest.mark.slow
def test_flex_attention_in_a_window_compiles_here_and_is_right():
    if shutil.which(os.environ.get("CXX", "c++")) is None:
        pytest.skip("torch.compile needs a C++ compiler on a CPU, and there is none")
    q, k, v = torch.randn(3, 1, 1, 256, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        got = meter.flex(40, 256, "cpu")(q, k, v)
    torch.testing.assert_close(got, attention.reference()(q, k, v, 40), rtol=1e-4, atol=1e-5)


def test_the_bench_runs_the_lessons_own_local_attention():
    local = attention.reference()
    q, k, v = torch.randn(3, 300, 4, generator=torch.Generator().manual_seed(0))
    far = (torch.arange(300) - torch.arange(300)[:, None]).abs() > 7
    want = (q @ k.T / 2).masked_fill(far, -torch.inf).softmax(-1) @ v
    assert torch.allclose(local(q, k, v, 7), want, atol=1e-5)
