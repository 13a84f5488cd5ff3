"""Cleaning: what is kept, what is dropped, and that the order of the rows does not matter."""

from __future__ import annotations

import random

import pytest

from byhand.data import clean
from byhand.data.clean import Pair
from tests import parcel


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("Open the door", "打开门"),
        ("Delete {count} files?", "删除 {count} 个文件？"),
        ("%(user)s cannot open %s", "%s 无法由 %(user)s 打开"),
        ("Wait 30 seconds", "等待 30 秒"),
        ("It's 100% done", "已完成 100%"),
    ],
)
def test_a_translation_is_kept_as_it_is(english: str, chinese: str) -> None:
    assert clean.pairs([(english, chinese)]) == [(english, chinese)]


@pytest.mark.parametrize(
    ("english", "chinese", "why"),
    [
        ("Door", "打开门", "one English word"),
        ("{first} {second} door", "{first} {second} 打开门", "placeholders are no words"),
        ("Open the door", "门", "one Chinese sign"),
        ("Open the door", "Open the door", "untranslated"),
        ("Open the 门", "打开门", "Chinese in the English"),
        ("Delete {count} files", "删除文件", "a placeholder was lost"),
        ("Delete {count} files", "删除 {number} 个文件", "another placeholder"),
        ("Delete {a} files", "删除 {a} 个 {a} 文件", "a placeholder twice"),
        ("Wait 30 seconds", "等待 20 秒", "another number"),
        ("Wait thirty seconds", "等待 30 秒", "a number on one side"),
        ("Run get one two three four five six seven eight", "运行 get one two three", "mostly untranslated"),
        ("word " * 100, "单词" * 100, "too long"),
    ],
)
def test_what_is_no_whole_translation_is_dropped(english: str, chinese: str, why: str) -> None:
    assert clean.pairs([(english, chinese)]) == [], why


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("<b>Bold</b> &amp;  wide\ttext", "Bold & wide text"),
        ("see [the **guide**]({url}) `here`", "see the guide here"),
        ("![logo]({logo}) Log in", "Log in"),
        ("- one\n\n* two\n# three", "one\ntwo\nthree"),
        ("keep <name>, a_b and {x}", "keep <name>, a_b and {x}"),
    ],
)
def test_markup_goes_and_the_words_stay(raw: str, plain: str) -> None:
    assert clean.plain(raw) == plain


def test_sentences_are_paired_where_both_sides_have_as_many() -> None:
    raw = ("The file is open. Close it first! Then e.g. Move it.", "文件已打开。请先关闭！然后例如移动它。")
    assert list(clean.split(*raw)) == [
        ("The file is open.", "文件已打开。"),
        ("Close it first!", "请先关闭！"),
        ("Then e.g. Move it.", "然后例如移动它。"),
    ]


def test_sentences_stay_together_where_the_numbers_differ() -> None:
    raw = ("The file is open. Close it.", "文件已打开，请关闭。")
    assert list(clean.split(*raw)) == [raw]


def test_sentences_that_would_lose_a_placeholder_stay_together() -> None:
    raw = ("Open {name} now. Then close it.", "先做好准备。然后打开 {name}。")
    assert list(clean.split(*raw)) == [raw]


def test_lines_are_paired_before_sentences() -> None:
    assert clean.pairs([("First line here\n\nSecond line here", "这是第一行\n这是第二行")]) == [
        ("First line here", "这是第一行"),
        ("Second line here", "这是第二行"),
    ]


def test_of_pairs_that_differ_in_little_the_commonest_stays() -> None:
    rows = [("Open the door", "打开门"), ("open the door!", "打开门"), ("open the door!", "打开门")]
    assert clean.pairs(rows) == [Pair("open the door!", "打开门")]


def test_one_text_may_have_two_translations() -> None:
    rows = [("Open the door", "打开门"), ("Open the door", "开启门")]
    assert sorted(clean.pairs(rows)) == sorted(rows)


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = [*parcel.sentences(), ("Open the door", "打开门"), ("open the door", "打开门")]
    rows += rows[7:9]
    shuffled = random.Random(1).sample(rows, len(rows))
    assert shuffled != rows
    assert clean.pairs(rows) == sorted(clean.pairs(rows))
    assert clean.pairs(shuffled) == clean.pairs(rows)


def test_the_mask_forgets_case_numbers_placeholders_and_punctuation() -> None:
    assert clean.mask("Open {name}, 12 times!") == clean.mask("open %s: 7 TIMES")
    assert clean.mask("打开 {name}！") == clean.mask("打开%1")
    assert clean.mask("Open it") != clean.mask("Open them")


def test_labelled_texts_come_once_and_only_where_the_label_is_agreed() -> None:
    rows = [("A fine film", "positive"), ("a  fine film!", "positive"), ("It is long", "positive")]
    rows.append(("it is long", "negative"))
    assert clean.labelled(rows) == [("A fine film", "positive")]
