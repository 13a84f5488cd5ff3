"""Words, byte-pair encoding and the vocabulary: nothing is lost, and the fast way equals the plain one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from byhand import translation
from byhand.translation import pieces

PAIRS = [
    ("Restart the kernel", "重启内核"),
    ("Restart the 2 kernels", "重启 2 个内核"),
    ("the lab", "实验室"),
]


def slowly_learned(word_counts: dict[str, int], n_merges: int) -> list[tuple[str, str]]:
    split = {word: tuple(word) for word in word_counts}
    merges: list[tuple[str, str]] = []
    for _ in range(n_merges):
        counts: dict[tuple[str, str], int] = {}
        for word, parts in split.items():
            for at in range(len(parts) - 1):
                counts[parts[at : at + 2]] = counts.get(parts[at : at + 2], 0) + word_counts[word]
        if not counts:
            break
        best = max(counts.values())
        merges.append(min(pair for pair, count in counts.items() if count == best))
        split = {word: slowly_applied(parts, merges[-1:]) for word, parts in split.items()}
    return merges


def slowly_applied(parts: tuple[str, ...], merges: list[tuple[str, str]]) -> tuple[str, ...]:
    for merge in merges:
        result: list[str] = []
        rest = list(parts)
        while rest:
            if tuple(rest[:2]) == merge:
                result.append(rest.pop(0) + rest.pop(0))
            else:
                result.append(rest.pop(0))
        parts = tuple(result)
    return parts


@given(st.text(alphabet="ab 12。的了_-▁\n\té"))
def test_words_put_together_are_the_text(text: str) -> None:
    assert "".join(translation.words(text)) == text.replace(" ", "▁")


def test_words_are_runs_of_letters_or_han_and_single_digits_and_marks() -> None:
    got = translation.words("Wait 15s, 等待 MQTT主题  x_y")
    assert got == ["Wait", "▁1", "5", "s", ",", "▁等待", "▁MQTT", "主题", "▁", "▁x", "_", "y"]


def test_words_of_both_languages_are_counted_together() -> None:
    counts = translation.word_counts([("a b", "b 好"), ("a", "好")])
    assert counts == {"a": 2, "▁b": 1, "b": 1, "▁好": 1, "好": 1}


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=8), st.integers(1, 4), max_size=6), st.integers(0, 25)
)
def test_fast_merges_equal_plainly_counted_ones(word_counts: dict[str, int], n_merges: int) -> None:
    before = dict(word_counts)
    merges = pieces.learn(word_counts, n_merges)
    assert merges == slowly_learned(word_counts, n_merges)
    assert word_counts == before
    merger = pieces.Merger(merges)
    for word in [*word_counts, "abcabc", "", "zab"]:
        assert merger.apply(word) == slowly_applied(tuple(word), merges)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "ab", "aa"]), st.sampled_from(["a", "b", "ba"])), max_size=8
    )
)
def test_any_list_of_merges_is_applied_in_its_order(merges: list[tuple[str, str]]) -> None:
    for word in ("aabab", "abba", "bbaaab"):
        assert pieces.Merger(merges).apply(word) == slowly_applied(tuple(word), merges)


def test_a_text_is_encoded_and_decoded_without_loss() -> None:
    vocabulary = translation.Vocabulary.learn(PAIRS, 20)
    for english, chinese in PAIRS:
        for text in (english, chinese):
            ids = vocabulary.encode(text)
            assert vocabulary.decode([translation.BOS, *ids, translation.EOS, translation.PAD]) == text
            assert "".join(vocabulary.pieces(text)) == text.replace(" ", "▁")
    assert len(vocabulary.encode("Restart the kernel")) < len("Restart the kernel")


def test_what_was_never_seen_is_unknown() -> None:
    vocabulary = translation.Vocabulary.learn(PAIRS, 5)
    ids = vocabulary.encode("Zthe")
    assert ids[0] == translation.UNKNOWN
    assert vocabulary.decode(ids) == "\ufffdthe"
    with pytest.raises(ValueError, match="id 999 is not one of this vocabulary's"):
        vocabulary.decode([999])


def test_a_piece_made_by_two_merges_has_one_id() -> None:
    vocabulary = translation.Vocabulary("abc", [("a", "b"), ("ab", "c"), ("b", "c"), ("a", "bc")])
    assert len(vocabulary) == 4 + 3 + 3
    assert vocabulary.piece(4 + 3 + 1) == "abc"


def test_a_vocabulary_comes_back_from_its_metadata() -> None:
    vocabulary = translation.Vocabulary.learn(PAIRS, 20)
    back = translation.Vocabulary.from_metadata(vocabulary.metadata())
    assert (back.characters, back.merges, len(back)) == (
        vocabulary.characters,
        vocabulary.merges,
        len(vocabulary),
    )


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"merges": "[]"}, "lack 'characters'"),
        ({"characters": '["a"]', "merges": '[["a"]]'}, "a list of pairs of texts"),
        ({"characters": "[1]", "merges": "[]"}, "a list of texts"),
        ({"characters": '{"a": 1}', "merges": "[]"}, "have dict as 'characters', not a list"),
    ],
)
def test_metadata_that_make_no_vocabulary_are_refused(facts: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        translation.Vocabulary.from_metadata(facts)
