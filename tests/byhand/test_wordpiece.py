"""byhand.wordpiece: the same pieces as BERT's own tokenizer, where that is easily missed."""

from __future__ import annotations

import pytest

from byhand.wordpiece import LONGEST_WORD, WordPiece, words

TOKENS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "un",
    "una",
    "##ffa",
    "##ble",
    "##affable",
    "a",
    "##a",
    "!",
    "中",
]


@pytest.fixture
def pieces() -> WordPiece:
    return WordPiece(TOKENS)


def test_the_longest_piece_comes_first_even_if_a_shorter_one_would_spell_better(pieces: WordPiece) -> None:
    assert pieces.split("unaffable") == ["una", "##ffa", "##ble"]


def test_a_word_that_cannot_be_spelt_is_unknown_as_a_whole(pieces: WordPiece) -> None:
    assert pieces.split("unx a") == ["[UNK]", "a"]


def test_a_word_that_is_too_long_is_unknown(pieces: WordPiece) -> None:
    assert pieces.split("a" * LONGEST_WORD) == ["a"] + ["##a"] * (LONGEST_WORD - 1)
    assert pieces.split("a" * (LONGEST_WORD + 1)) == ["[UNK]"]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Don't stop!", ["don", "'", "t", "stop", "!"]),
        ("Ünïcödé", ["unicode"]),
        ("A中文b", ["a", "中", "文", "b"]),
        ("a\u00a0b\tc\nd\u3000e", ["a", "b", "c", "d", "e"]),
        ("a\u200bb\0c\ufffdd", ["abcd"]),
        ("5 £ – “x”…", ["5", "£", "–", "“", "x", "”", "…"]),
        ("a^b`c~d|e$f", ["a", "^", "b", "`", "c", "~", "d", "|", "e", "$", "f"]),
        ("  ", []),
    ],
)
def test_text_is_cut_into_words_as_bert_cuts_it(text: str, want: list[str]) -> None:
    assert words(text) == want


def test_ids_begin_and_end_with_the_special_tokens_and_are_cut_inside(pieces: WordPiece) -> None:
    assert pieces.encode("a a a") == [2, 9, 9, 9, 3]
    assert pieces.encode("a a a", max_len=4) == [2, 9, 9, 3]
    assert pieces.batch(["a", "unaffable !", ""]).tolist() == [
        [2, 9, 3, 0, 0, 0],
        [2, 5, 6, 7, 11, 3],
        [2, 3, 0, 0, 0, 0],
    ]


def test_a_vocabulary_without_the_special_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no \[UNK\]"):
        WordPiece(["[PAD]", "[CLS]", "[SEP]"])
