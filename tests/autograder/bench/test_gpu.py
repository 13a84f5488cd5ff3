"""autograder.bench.gpu: its stages run on a CPU when told to be tiny, and its file grows stage by stage."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator

import pytest

from autograder.bench import gpu
from byhand import train, translation


def test_every_stage_but_the_ladder_runs_on_a_cpu_and_says_what_it_found(tmp_path) -> None:
    # The ladder's own tests climb it.
    folders = ["--out", str(tmp_path / "out"), "--weights", str(tmp_path)]
    assert gpu.main(["wide", "local", "train", "--tiny", *folders]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["gpu.json"]
    found = json.loads((tmp_path / "out" / "gpu.json").read_text(encoding="utf-8"))
    assert list(found) == ["wide", "local", "train"]
    assert all(part["device"] == "cpu" and part["torch"] for part in found.values())
    assert found["wide"]["tokens_per_second"] > 0
    assert found["wide"]["mfu"] > 0
    assert [row["tokens"] for row in found["local"]["milliseconds"]] == [256, 512]
    assert all(row["full"] > 0 and row["local"] > 0 for row in found["local"]["milliseconds"])
    assert found["train"]["steps"] == 20
    assert found["train"]["bleu"] >= 0
    assert (tmp_path / "tiny" / "gpu.safetensors").is_file()


def test_a_stage_keeps_what_the_others_found(tmp_path, monkeypatch) -> None:
    (tmp_path / "gpu.json").write_text('{"train": {"bleu": 1.0}, "ladder": {"ratio": 2.0}}', encoding="utf-8")
    monkeypatch.setitem(gpu.STAGES, "ladder", lambda tiny, minutes, place: {"ratio": 9.0})
    gpu.main(["ladder", "--tiny", "--out", str(tmp_path), "--weights", str(tmp_path)])
    found = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert found["train"] == {"bleu": 1.0}
    assert found["ladder"]["ratio"] == 9.0


def test_a_training_that_was_cut_off_is_scored_as_far_as_it_came(tmp_path, monkeypatch) -> None:
    fit = translation.fit

    def cut(model, vocabulary, recipe, *rest, **more):
        fit(model, vocabulary, recipe, *rest, **more)
        raise train.Stopped("Interrupted after step 20 of 8,000")

    monkeypatch.setattr(translation, "fit", cut)
    found = gpu.train_stage(True, 9.0, tmp_path)
    assert found["steps"] == 20
    assert found["mfu"] > 0
    assert [step for step, _ in found["bleus"]] == [10, 20]


def test_a_stage_that_fails_is_noted_and_the_others_are_kept(tmp_path, monkeypatch) -> None:
    def broken(tiny, minutes, place):
        raise RuntimeError("no kernel image\nlong story")

    monkeypatch.setitem(gpu.STAGES, "wide", broken)
    monkeypatch.setitem(gpu.STAGES, "local", lambda tiny, minutes, place: {"window": 1})
    options = ["--tiny", "--out", str(tmp_path), "--weights", str(tmp_path / "weights")]
    assert gpu.main(["wide", "local", *options]) == 1
    found = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert found["errors"] == {"wide": "RuntimeError: no kernel image"}
    assert found["local"]["window"] == 1
    monkeypatch.setitem(gpu.STAGES, "wide", lambda tiny, minutes, place: {"mfu": 0.5})
    assert gpu.main(["wide", *options]) == 0
    found = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert (found["wide"]["mfu"], found["local"]["window"], "errors" in found) == (0.5, 1, False)


def test_a_way_that_does_not_compile_is_left_out(monkeypatch, capsys) -> None:
    def broken(*_):
        raise RuntimeError("no compiler")

    assert gpu.timed(broken, gpu.torch.device("cpu")) is None
    assert "left out: RuntimeError: no compiler" in capsys.readouterr().out


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """As in a terminal: what runs in the background may have been started with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_time_that_is_up_interrupts() -> None:
    with pytest.raises(KeyboardInterrupt), gpu.alarm(0.001):
        threading.Event().wait(20)


def test_time_that_is_not_up_interrupts_nothing() -> None:
    before = threading.active_count()
    with gpu.alarm(60):
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert threading.active_count() <= before + 1


def test_without_a_gpu_nothing_is_measured(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    assert gpu.main(["wide", "--out", str(tmp_path)]) == 2
    assert "torch finds no GPU here" in capsys.readouterr().err
    assert not (tmp_path / "gpu.json").exists()


def test_a_stage_that_is_not_there_is_named(capsys) -> None:
    with pytest.raises(SystemExit):
        gpu.main(["fast"])
    assert "there is no stage 'fast'. There is: train, ladder, wide, local" in capsys.readouterr().err
