"""byhand.data and `byhand data`: what is asked for by name comes, the same everywhere, or a sentence."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from byhand import cli, data, doctor, generated
from byhand.data import cache, fetch, sources
from tests import parcel

PAIRS = parcel.sentences()
SHARED = [(english.replace("Please", "They"), chinese.replace("请", "他们")) for english, chinese in PAIRS]
INSTEAD = [
    (english.replace("Please", "Robots"), chinese.replace("请", "机器人")) for english, chinese in PAIRS
]
FILMS = [(f"What a {word} film it was", "positive") for word in ("fine", "grand", "lovely", "warm")]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A course with made-up sources, whose packages lie in a folder that pip looks into."""
    index = tmp_path / "index"
    wheels = {
        name: parcel.wheel(index, name, parcel.graded(name, pairs))
        for name, pairs in {"plain": PAIRS, "shared": SHARED, "instead": INSTEAD, "menus": MENUS}.items()
    }
    model = parcel.wheel(index, "model", {"model/sentences.json": b"{}"})
    listed = {name: parcel.source(path, name) for name, path in wheels.items()}
    listed["shared"] += "share_alike = true\n"
    text = [
        parcel.collection("general", "plain,shared", 'instead = { shared = "instead" }'),
        parcel.collection("domain", "menus", 'apart_from = ["general"]'),
        parcel.collection("model", "model", "default = false", kind="weights"),
        *listed.values(),
        parcel.source(model, "model", reader="model"),
    ]
    monkeypatch.setattr(sources, "SOURCES", tmp_path / "sources.toml")
    (tmp_path / "sources.toml").write_text("".join(text), encoding="utf-8")
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", index.as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    sources._file.cache_clear()
    yield tmp_path
    sources._file.cache_clear()


MENUS = [(f"Show the {name} panel", f"显示{chinese}面板") for name, chinese in parcel.THINGS.items()]
MENUS += [PAIRS[0], (f"{PAIRS[1][0]}s", "别的什么东西"), ("Something else entirely", f"{PAIRS[2][1]}")]


def get(*more: str) -> int:
    """`byhand data` with the packages in their folder, which takes no time."""
    return cli.main(["data", "--quiet", "--from", str(sources.SOURCES.parent / "index"), *more])


def files(name: str) -> dict[str, bytes]:
    return {split: (sources.home() / name / f"{split}.tsv").read_bytes() for split in data.SPLITS}


# ---- good


def test_texts_are_fetched_by_pip_checked_split_and_loaded() -> None:
    assert cli.main(["data", "--quiet"]) == 0
    pairs = [pair for split in data.SPLITS for pair in data.pairs("general", split)]
    assert sorted(pairs) == sorted(PAIRS + SHARED)
    assert pairs[0].english in dict(PAIRS + SHARED)
    assert all(len(data.pairs("general", split)) > 0 for split in data.SPLITS)


def test_no_package_stays_on_the_disk() -> None:
    cli.main(["data", "--quiet", "general", "domain"])
    left = [path.name for path in sources.home().rglob("*") if path.is_file()]
    assert [name for name in left if name.endswith((".whl", ".tmp"))] == []
    assert {path.name for path in sources.home().iterdir()} == {"raw", "general", "domain"}


def test_a_second_run_fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    get()
    before = files("general")
    monkeypatch.setattr(fetch, "download", None)
    assert get() == 0
    assert files("general") == before


def test_same_packages_same_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    get()
    before = files("general")
    monkeypatch.setenv("BYHAND_DATA", str(tmp_path / "other"))
    get()
    assert files("general") == before
    assert cache.about("general")["sha256"] == {
        split: hashlib.sha256(text).hexdigest() for split, text in before.items()
    }


def test_the_domain_holds_nothing_that_is_like_a_general_text() -> None:
    get()
    domain = [pair for split in data.SPLITS for pair in data.pairs("domain", split)]
    assert sorted(domain) == sorted(MENUS[:-3])


def test_an_offered_folder_is_used_instead_of_the_network(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    monkeypatch.setattr(fetch, "download", None)
    assert get() == 0
    assert data.is_there("general")
    assert (place / "index" / "plain-1.0-py3-none-any.whl").is_file()


# ---- share alike


def test_without_share_alike_another_source_comes_instead() -> None:
    assert get("--no-share-alike") == 0
    pairs = [pair for split in data.SPLITS for pair in data.pairs("general", split)]
    assert sorted(pairs) == sorted(PAIRS + INSTEAD)


def test_the_choice_is_remembered_until_it_is_taken_back() -> None:
    get("--no-share-alike")
    get()
    assert cache.about("general")["sources"] == ["plain 1.0", "instead 1.0"]
    get("--share-alike")
    assert cache.about("general")["sources"] == ["plain 1.0", "shared 1.0"]


# ---- missing


def test_missing_texts_raise_a_sentence_with_the_next_step() -> None:
    assert not data.is_there("general")
    with pytest.raises(data.DataError) as raised:
        data.pairs("general", "train")
    said = str(raised.value)
    assert said.startswith(
        "the general texts (made up) are not on this machine.\n  They are read from plain 1.0"
    )
    assert "lessons 01 to 05 need no data" in said
    assert "`byhand data general`" in said


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: data.pairs("genral"), "no data is called 'genral'. Did you mean general?"),
        (
            lambda: data.pairs("general", "tset"),
            "split is 'tset'; the splits of general are train, valid, test.",
        ),
        (lambda: data.labelled("general"), "no data is called 'general'.\n  There is: ."),
        (
            lambda: data.generated("data", 1),
            "no texts called 'data' are generated.\n  There is: dates, numbers.",
        ),
    ],
)
def test_a_wrong_name_gets_the_right_ones(call, said: str) -> None:
    with pytest.raises(data.DataError) as raised:
        call()
    assert str(raised.value).startswith(said)


def test_texts_made_by_another_recipe_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    get()
    about = sources.home() / "general" / "about.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "key": "older"}))
    assert not data.is_there("general")
    monkeypatch.setattr(fetch, "download", None)  # the rows are still there
    assert get() == 0
    assert data.is_there("general")


def test_a_folder_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "--from", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("byhand: nowhere is no folder.\n  Next: ")


def test_a_submission_in_the_sandbox_is_told_that_it_sees_no_texts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BYHAND_GRADING", "1")
    monkeypatch.setattr(sources, "SOURCES", tmp_path / "not shown")
    sources._file.cache_clear()
    with pytest.raises(data.DataError, match="while a submission is graded its own cells see no texts"):
        data.pairs("general")


def test_the_doctor_says_what_is_there_and_what_the_rest_would_add() -> None:
    (before,) = doctor.data()
    assert (before.mark, "lesson 07 needs it" in before.say, "`byhand data`" in before.say) == (
        "--",
        True,
        True,
    )
    get()
    (after,) = doctor.data()
    assert (after.mark, after.say) == ("ok", "data: general, domain are there; lessons 01 to 05 need none")


# ---- labels, weights, generated texts, the list


def test_labels_are_numbers_in_the_order_of_their_names(place: Path) -> None:
    rows = [*FILMS, *((text.replace("What a", "Not a"), "negative") for text, _ in FILMS)]
    text = parcel.collection("films", "plain", 'labels = ["negative", "positive"]', kind="labelled")
    with (place / "sources.toml").open("a", encoding="utf-8") as file:
        file.write(text)
    sources._file.cache_clear()
    cache.save_raw(sources.source("plain"), rows)
    cache.make(sources.collection("films"), True)
    assert data.labels("films") == ("negative", "positive")
    found = [row for split in data.SPLITS for row in data.labelled("films", split)]
    assert {row.text: row.label for row in found} == {text: int(label == "positive") for text, label in rows}


def test_weights_are_fetched_when_asked_for_and_the_size_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    get()
    assert not data.is_there("model")
    capsys.readouterr()
    folder = data.weights("model")
    assert capsys.readouterr().out == "Fetching made up: 0 MB, once (model 1.0).\n"
    assert (folder / "sentences.json").read_bytes() == b"{}"
    assert data.weights("model") == folder
    assert capsys.readouterr().out == ""


def test_nothing_is_fetched_while_grading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_GRADING", "1")
    with pytest.raises(data.DataError, match="nothing is fetched while grading"):
        data.weights("model")


def test_generated_texts_come_through_the_same_door() -> None:
    assert data.generated("dates", 3, seed=7) == generated.dates(3, 7)
    assert data.generated("numbers", 3, seed=7, split="test") == generated.numbers(3, 7, "test")


def test_the_list_says_counts_licence_and_samples(capsys: pytest.CaptureFixture[str]) -> None:
    get()
    capsys.readouterr()
    assert cli.main(["data", "--list"]) == 0
    printed = capsys.readouterr().out
    counts = data.about("general")["count"]
    assert (
        f"general    360 pairs: {counts['train']} train, {counts['valid']} valid, {counts['test']} test"
        in printed
    )
    assert "from plain 1.0, 0.0 MB: CC0. nobody." in printed
    assert f"    {data.pairs()[0].english} → {data.pairs()[0].chinese}" in printed
    assert "model      not there" in printed


def test_the_list_of_what_is_not_there_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "--list", "model"]) == 0
    assert capsys.readouterr().out.endswith("  Next: byhand data model\n")
