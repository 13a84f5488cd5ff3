"""byhand.generated: pairs that are right, come again for the same seed, and are never in two splits."""

from __future__ import annotations

import datetime

import pytest

from byhand import generated
from byhand.generated import in_chinese, in_words

VALUES = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"两": 2}
SIZES = {"十": 10, "百": 100, "千": 1000}


def read_chinese(text: str) -> int:
    """The number that Chinese numerals mean, by another way than they are made."""
    total = section = digit = 0
    for sign in text:
        if sign == "万":
            total, section, digit = (section + digit) * 10_000, 0, 0
        elif sign in SIZES:
            section, digit = section + (digit or 1) * SIZES[sign], 0
        else:
            digit = VALUES[sign]
    return total + section + digit


def read_words(text: str) -> int:
    """The number that English words mean."""
    total = part = 0
    for word in generated.words(text):
        if word == "hundred":
            part *= 100
        elif word in ("thousand", "million"):
            total, part = total + part * (1000 if word == "thousand" else 1_000_000), 0
        elif word != "and":
            names = generated.UNITS if word in generated.UNITS else generated.TENS
            part += names.index(word) * (1 if names is generated.UNITS else 10)
    return total + part


ALL_KINDS = [
    *range(2100),
    *range(9_990, 12_345, 7),
    *range(19_990, 100_000, 91),
    10**5,
    1_234_567,
    99_999_999,
]


def test_numerals_in_both_languages_mean_the_number():
    for number in ALL_KINDS:
        assert read_chinese(in_chinese(number)) == number
        assert read_words(in_words(number)) == number
        assert read_words(in_words(number, british=False)) == number


@pytest.mark.parametrize(
    ("number", "chinese"),
    [
        (0, "零"), (2, "二"), (10, "十"), (12, "十二"), (20, "二十"), (100, "一百"), (101, "一百零一"),
        (110, "一百一十"), (112, "一百一十二"), (200, "二百"), (1001, "一千零一"), (1010, "一千零一十"),
        (2000, "两千"), (2222, "两千二百二十二"), (10_000, "一万"), (10_001, "一万零一"),
        (10_100, "一万零一百"), (12_000, "一万二千"), (20_000, "两万"), (90_909, "九万零九百零九"),
        (100_000, "十万"), (120_000, "十二万"), (20_000_000, "两千万"), (10_000_001, "一千万零一"),
    ],
)  # fmt: skip
def test_chinese_numerals_are_those_people_write(number: int, chinese: str):
    assert in_chinese(number) == chinese


def test_english_words_are_those_people_write():
    assert in_words(99_999) == "ninety-nine thousand nine hundred and ninety-nine"
    assert in_words(99_999, british=False) == "ninety-nine thousand nine hundred ninety-nine"
    assert in_words(1_000_005) == "one million and five"
    assert in_words(0) == "zero"


def test_a_number_out_of_range_is_refused_with_its_value():
    for make in (in_words, in_chinese):
        with pytest.raises(ValueError, match="-1"):
            make(-1)
        with pytest.raises(ValueError, match="100000000"):
            make(100_000_000)


def test_fractions_say_the_parts_first_in_chinese():
    assert generated.fraction_in_words(3, 5) == "three fifths"
    assert generated.fraction_in_words(1, 2) == "one half"
    assert generated.fraction_in_chinese(3, 5) == "五分之三"


@pytest.mark.parametrize("style", generated.DATE_STYLES)
def test_every_style_of_date_leaves_no_doubt(style: str):
    first = datetime.date(1900, 1, 1)
    days = [first + datetime.timedelta(days=37 * step) for step in range(1900)]
    said = [generated.say_date(day, style) for day in days]
    assert len(set(said)) == len(days)
    assert all(str(day.year) in text for day, text in zip(days, said, strict=True))


def test_dates_are_said_as_people_say_them():
    day = datetime.date(2040, 7, 22)
    assert generated.say_date(day, generated.DATE_STYLES[0]) == "Sunday, 22 July 2040"
    assert [generated.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 31)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "31st",
    ]  # fmt: skip


@pytest.mark.parametrize("make", [generated.dates, generated.numbers])
def test_the_same_seed_gives_the_same_pairs_and_another_seed_others(make):
    assert make(30, seed=5) == make(30, seed=5)
    assert make(30, seed=5)[:10] == make(10, seed=5)
    assert make(30, seed=5) != make(30, seed=6)


def test_the_pairs_of_a_seed_never_change():
    assert generated.dates(2, seed=0) == [
        ("SEP 25, 1944", "1944-09-25"),
        ("Thursday 20 June 1991", "1991-06-20"),
    ]
    assert generated.numbers(2, seed=0) == [
        ("ninety-four percent", "百分之九十四"),
        ("one fifteenth", "十五分之一"),
    ]


@pytest.mark.parametrize("make", [generated.dates, generated.numbers])
def test_no_answer_is_in_two_splits(make):
    found = {split: {answer for _, answer in make(1500, 1, split)} for split in generated.SPLITS}
    assert all(found.values())
    assert not found["train"] & (found["test"] | found["exam"])
    assert not found["test"] & found["exam"]


def test_an_unknown_split_or_kind_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'valid'.*train, test, exam"):
        generated.dates(1, seed=0, split="valid")
    with pytest.raises(ValueError, match=r"'roman'.*whole, fraction, percent"):
        generated.numbers(1, seed=0, kinds=("whole", "roman"))


def test_numbers_keep_to_the_largest_and_to_the_kinds_asked_for():
    pairs = generated.numbers(400, seed=2, most=999, kinds=("whole",))
    assert max(read_chinese(answer) for _, answer in pairs) <= 999
    assert all(answer.startswith("百分之") for _, answer in generated.numbers(50, seed=2, kinds=("percent",)))


@pytest.mark.parametrize("task", [generated.DATES, generated.NUMBERS])
def test_a_batch_is_its_pairs_in_ids_padded_to_the_longest(task: generated.Task):
    source, lengths, target = task.batch(40, seed=3)
    pairs = task.pairs(40, 3)
    assert source.shape == (40, int(lengths.max()))
    for row, length, wanted, (text, answer) in zip(source, lengths, target, pairs, strict=True):
        assert task.source.split(task.source.text(row)) == task.source.split(text)
        assert (row[:length] > 2).all()
        assert (row[length:] == generated.PAD).all()
        ids = wanted.tolist()
        assert task.target.text(ids) == answer
        assert ids[len(task.target.split(answer))] == generated.EOS
        assert set(ids[len(task.target.split(answer)) + 1 :]) <= {generated.PAD}


def test_every_text_and_answer_of_a_task_can_be_written_with_its_vocabulary():
    for task in (generated.DATES, generated.NUMBERS):
        for split in generated.SPLITS:
            task.batch(800, seed=9, split=split)
    generated.NUMBERS.batch(300, seed=9, most=99_999_999)


def test_a_vocabulary_names_ids_and_refuses_what_it_does_not_know():
    vocabulary = generated.NUMBERS.source
    ids = vocabulary.ids("ninety-one")
    assert vocabulary.named([1, *ids, 2, 0]) == ["<begin>", "ninety", "one", "<end>", ""]
    assert len(vocabulary) == 3 + len(vocabulary.tokens)
    with pytest.raises(ValueError, match="'eleventy'"):
        vocabulary.ids("eleventy one")
