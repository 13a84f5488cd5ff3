"""Lesson 08's texts, marks, adapters and numbers; with a tiny translator, and with the shipped one."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import torch

from autograder.author import lesson
from byhand import blocks, data, lora, translation
from byhand.data import Pair
from byhand.translation import checkpoint, tuning, tuning_bases, tuning_runs, tuning_ways

PAIRS = [Pair(f"Open file {number}", f"打开文件{number}") for number in range(40)]
CACHED = (tuning.base, tuning._batches, tuning.exam, tuning.measured, tuning_bases.size)


def _forget() -> None:
    for function in CACHED:
        function.cache_clear()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A translator of a few numbers in place of the shipped one, 40 pairs in place of the texts."""
    vocabulary = translation.Vocabulary.learn(PAIRS, 20)
    sizes = translation.recipe("smoke").sizes(len(vocabulary))
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = blocks.Transformer(**sizes)
    made = translation.Checkpoint(sizes, vocabulary, model.state_dict())
    file = tmp_path / "base.safetensors"
    checkpoint.write(file, model.state_dict(), sizes, vocabulary)
    _forget()
    monkeypatch.setattr(checkpoint, "BASE", file)
    monkeypatch.setattr(translation, "base", lambda: made)
    monkeypatch.setattr(data, "pairs", lambda name="general", split="train": PAIRS)
    monkeypatch.setattr(tuning, "NUMBERS", tmp_path / "tuning.json")
    yield made
    _forget()


@pytest.mark.usefixtures("tiny")
def test_batches_of_an_epoch_show_every_menu_once_and_repeat_by_seed():
    batches = tuning._batches("train", 1)
    seen, step = 0, 0
    while seen < len(PAIRS):
        step += 1
        seen += len(batches.of(step).batches[0].src)
    assert seen == len(PAIRS)
    assert torch.equal(tuning.batch(3, seed=1).tgt, tuning.batch(3, seed=1).tgt)
    assert (tuning.batch(1).tgt[:, 0] == translation.BOS).all()


@pytest.mark.usefixtures("tiny")
def test_the_validation_loss_is_the_mean_over_all_target_ids():
    model = tuning.start()
    total, count = 0.0, 0
    for english, chinese in PAIRS:
        vocabulary = tuning.base().vocabulary
        src = torch.tensor([[*vocabulary.encode(english), translation.EOS]])
        tgt = torch.tensor([[translation.BOS, *vocabulary.encode(chinese), translation.EOS]])
        with torch.no_grad():
            logs = model(src, tgt[:, :-1]).log_softmax(-1)
        total -= float(logs.gather(2, tgt[:, 1:, None]).sum())
        count += tgt.shape[1] - 1
    assert tuning.valid_loss(model) == pytest.approx(total / count, rel=1e-4)


@pytest.mark.usefixtures("tiny")
def test_who_translates_perfectly_gets_100_in_every_mark_and_an_empty_answer_0():
    vocabulary = tuning.base().vocabulary
    known = {tuple(vocabulary.encode(english)): vocabulary.encode(chinese) for english, chinese in PAIRS}
    found = tuning.marks_of(lambda rows: [known[tuple(row[:-1])] for row in rows], n=20)
    assert found == {mark: pytest.approx(100.0) for mark in tuning.MARKS}
    assert set(tuning.marks_of(lambda rows: [[] for _ in rows], n=20).values()) == {0.0}


@pytest.mark.usefixtures("tiny")
def test_a_decoder_that_loses_a_row_is_told_so():
    with pytest.raises(translation.WeightsError, match="lists of ids must come back"):
        tuning.marks_of(lambda rows: rows[:-1], n=20)


@pytest.mark.usefixtures("tiny")
def test_an_adapter_is_put_into_the_base_and_changes_what_it_says():
    model = tuning.start()
    lora.inject_lora(model, ["q_proj", "up"], 2, 4.0)
    with torch.no_grad():
        for name, part in model.named_parameters():
            if lora.trained(name):
                part.normal_(generator=torch.Generator().manual_seed(0))
    parts = {name: part for name, part in model.state_dict().items() if lora.trained(name)}
    other = tuning.adapted(parts, tuning.metadata(2, 4.0, ["q_proj", "up"]))
    src = torch.tensor([[5, 6, 7, 2]])
    assert torch.equal(other.encode(src), model.encode(src))
    assert not torch.equal(other.encode(src), tuning.start().encode(src))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda parts, facts: parts.update({"embedding.weight": torch.ones(1)}), "it holds embedding.weight"),
        (lambda parts, facts: parts.clear(), "no lora_a"),
        (lambda parts, facts: facts.pop("alpha"), "its metadata lack alpha"),
        (lambda parts, facts: facts.update(rank="two"), "does not fit the base"),
        (lambda parts, facts: facts.update(targets='["nobody"]'), "nobody"),
        (lambda parts, facts: parts.popitem(), "the file lacks"),
        (lambda parts, facts: parts.update({name: part * torch.nan for name, part in parts.items()}), "nan"),
        (lambda parts, facts: parts.update(dict.fromkeys(parts, torch.ones(2, 5))), r"\(2, 5\).*\(2, 32\)"),
    ],
)
def test_a_wrong_adapter_is_refused_in_a_sentence(change, said):
    model = tuning.start()
    lora.inject_lora(model, ["q_proj"], 2, 4.0)
    parts = {name: part for name, part in model.state_dict().items() if lora.trained(name)}
    facts = tuning.metadata(2, 4.0, ["q_proj"])
    change(parts, facts)
    with pytest.raises(translation.WeightsError, match=said):
        tuning.adapted(parts, facts)


def test_no_file_of_weights_is_a_sentence_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(translation.WeightsError, match="there are no weights"):
        tuning.read_adapter()


def test_marks_below_their_bars_are_named_with_both_numbers(monkeypatch):
    monkeypatch.setattr(tuning, "bars", lambda split: {"menus BLEU": 20.0, "general BLEU": 10.0})
    assert tuning.below({"menus BLEU": 20.0, "general BLEU": 10.0}, "test") == ""
    said = tuning.below({"menus BLEU": 19.94, "general BLEU": float("nan")}, "test")
    assert said == "menus BLEU is 19.9, at least 20.0 must be. general BLEU is nan, at least 10.0 must be."


def test_bars_are_the_mean_less_two_standard_deviations_and_at_least_a_point():
    marks = [dict.fromkeys(tuning.MARKS, value) for value in (10.0, 12.0, 14.0)]
    runs = [{"rank": tuning_ways.RANK, "test": one, "valid marks": one} for one in marks]
    assert tuning_runs.bars(runs)["test"]["menus BLEU"] == 8.0
    assert tuning_runs.bars(runs[:1])["test"]["menus BLEU"] == 9.0


@pytest.fixture
def few(tiny, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs of two or three steps, one seed of each; the ways that were run."""
    for name, value in {"STEPS": 2, "LONG": 3, "OWN_STEPS": 3, "SEEDS": (0,), "OWN_SEEDS": (0,)}.items():
        monkeypatch.setattr(tuning_runs, name, value)
    done: list[str] = []
    real = tuning_runs.run
    monkeypatch.setattr(tuning_runs, "run", lambda *given: done.append(given[0].name) or real(*given))
    return done


def test_runs_go_on_where_they_stopped_and_begin_anew_with_another_base(few: list[str]) -> None:
    assert tuning_runs.main(["--check"]) == 1
    assert tuning_runs.main([]) == 0
    assert len(few) == len(tuning_ways.ways()) + 1
    assert tuning_runs.main([]) == 0
    assert tuning_runs.main(["--check"]) == 0
    assert len(few) == len(tuning_ways.ways()) + 1
    checkpoint.BASE.write_bytes(checkpoint.BASE.read_bytes() + b" ")
    assert len(tuning_runs.missing(tuning_runs.kept())) == len(few)


def test_a_larger_base_is_trained_once_and_its_runs_have_a_file_of_their_own(
    few: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small = ("d_model=32", "d_hidden=48", "n_heads=2", "n_layers=1", "steps=3", "eval_every=0")
    monkeypatch.setattr(tuning_bases, "LARGER", {"large": small})
    monkeypatch.setattr(tuning_bases, "FOLDER", tmp_path / "bases")
    monkeypatch.setattr(tuning_runs, "ROWS", 4)  # else 2 % of so few numbers are none
    monkeypatch.setattr(tuning_ways, "ROWS", 4)
    assert tuning_runs.main(["--base", "large"]) == 0
    assert few == ["full", "LoRA, rank 3", tuning_ways.PIECES, tuning_ways.BOTH, "full"]
    assert not tuning.NUMBERS.exists()
    found = json.loads(tuning.numbers("large").read_text())
    assert found["facts"]["numbers"] == tuning_bases.size("large")[0] != tuning_bases.size("shipped")[0]
    [pieces] = [run for run in found["runs"] if run["way"] == tuning_ways.PIECES]
    assert pieces["trained"] <= tuning_runs.SHARE
    monkeypatch.setattr(tuning_bases, "LARGER", {"large": (*small[:-2], "steps=4", "eval_every=0")})
    assert len(tuning_runs.missing(tuning_runs.kept("large"), "large")) == 5


@pytest.mark.usefixtures("tiny")
def test_each_way_trains_what_its_name_says():
    trained = {}
    for way in tuning_ways.ways():
        model = tuning.seeded_start(0, way.prepare)
        trained[way.name] = {name for name, part in model.named_parameters() if part.requires_grad}
    every = {name for name, _ in tuning.start().named_parameters()}
    assert trained["full"] == trained["full, rates by layer"] == every
    assert trained["table alone"] == {"embedding.weight", "decoder_norm.weight", "decoder_norm.bias"}
    assert all(lora.trained(name) for way in trained if way.startswith("LoRA") for name in trained[way])
    layers = tuning_ways.by_layer(tuning.start(), 0.5)
    assert sum(len(parts) for parts, _ in layers) == len(every)
    assert [share for _, share in layers] == sorted(share for _, share in layers)
    assert layers[-1][1] == 1.0


@pytest.mark.usefixtures("tiny")
def test_a_correction_of_the_table_changes_the_rows_of_common_pieces_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tuning_ways, "ROWS", 4)
    rows = tuning_ways.commonest_pieces(4)
    assert rows[:2] == [translation.BOS, translation.EOS]
    before = tuning.start().get_submodule("embedding").weight
    model = tuning.seeded_start(0, tuning_ways.ways()[-1].prepare)
    table = model.get_submodule("embedding")
    assert torch.equal(table.weight, before)
    with torch.no_grad():
        for part in model.parameters():
            part.add_(float(part.requires_grad))
    changed = (table.weight != before).any(dim=1).nonzero().flatten().tolist()
    assert changed == sorted(rows)


def test_what_is_new_to_the_base_is_counted(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"general": [Pair("open", "打开"), Pair("file", "文件")], "domain": [Pair("open", "打文件")]}
    monkeypatch.setattr(tiny.vocabulary, "encode", lambda text: [ord(letter) for letter in text])
    monkeypatch.setattr(data, "pairs", lambda name: texts[name])
    assert tuning.new_to_base(rare=2) == (pytest.approx(6 / 7), 0.5)  # e alone was met twice; 打文 never


# The shipped numbers


def test_the_numbers_are_of_the_shipped_base_and_no_run_is_missing():
    found = tuning.measured()
    sha = hashlib.sha256(checkpoint.BASE.read_bytes()).hexdigest()
    assert found["facts"]["base"] == sha, "next: python -m byhand.translation.tuning_runs"
    assert tuning_runs.missing(found) == []
    assert found["bars"] == tuning_runs.bars(found["runs"])


@pytest.mark.parametrize("name", tuning_bases.LARGER)
def test_of_a_larger_base_no_run_is_missing_and_lora_trains_two_per_cent(name: str) -> None:
    found = tuning_runs.kept(name)
    assert found["facts"]["numbers"] > tuning.measured()["facts"]["numbers"]
    assert tuning_runs.missing(found, name) == [], f"next: tuning_runs --base {name}"
    assert all(run["trained"] <= 0.02 for run in found["runs"] if run["way"].startswith("LoRA"))


def test_the_lesson_trains_as_the_reference_runs_did_and_its_numbers_are_few():
    (cell,) = [cell for cell in lesson.read("08_fine_tuning").cells
               if cell.kind == "solution" and cell.grade_id == "tune_translator"]  # fmt: skip
    given = re.search(r"targets, rank, alpha = (\[.*\]), (\d+), ([\d.]+)\n    steps = (\d+)", cell.source)
    assert given is not None
    assert json.loads(given[1]) == list(tuning_ways.ALL)
    assert (int(given[2]), float(given[3])) == (tuning_ways.RANK, tuning_ways.ALPHA)
    assert int(given[4]) == tuning_ways.STEPS
    assert f"{tuning_ways.RATE:.0e}".replace("e-0", "e-") in cell.source
    own = [run for run in tuning.measured()["runs"] if run["rank"] == tuning_ways.RANK]
    assert all(run["trained"] <= 0.02 for run in own)


def test_the_base_itself_is_below_the_bars_of_the_menus():
    base = tuning.measured()["base"]["test"]
    assert base["menus BLEU"] < tuning.bars()["menus BLEU"] - 2
    assert base["menus chrF"] < tuning.bars()["menus chrF"]
    assert "menus BLEU" in tuning.below(tuning.measured()["base"]["valid"], "valid")


def test_every_run_of_the_lessons_own_way_reaches_the_bars():
    own = [run for run in tuning.measured()["runs"] if run["rank"] == tuning_ways.RANK]
    assert [tuning.below(run["test"], "test") for run in own] == [""] * len(tuning_runs.OWN_SEEDS)
    assert [tuning.below(run["valid marks"], "valid") for run in own] == [""] * len(own)


def test_a_way_may_have_a_dropout_of_its_own(tiny: object) -> None:
    rates = {None: set[float](), 0.25: set[float]()}
    for dropout in rates:
        model = tuning.start()
        tuning_ways.Way("all", 1e-3, dropout=dropout).prepare(model)
        rates[dropout] |= {part.p for part in model.modules() if isinstance(part, torch.nn.Dropout)}
    assert rates[0.25] == {0.25} != rates[None]
