"""Make plain pairs of one sentence each out of what a translator's file holds, or drop them.

    markup and line ends go -> lines and sentences are paired -> each pair must pass every rule

Order: pairs, plain text, sentences, the rules, the mask that finds texts that are as good as the same.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Pair(NamedTuple):
    """A text and its translation."""

    english: str
    chinese: str


LONGEST = 400  # characters of English; a handful of entries are longer

PLACE = re.compile(
    r"\$?\{[^{}\n]*\}"  # {name}, ${name}, {0}
    r"|%\(\w+\)[a-z]"  # %(name)s
    r"|%[sdifr](?![A-Za-z])|%\d"  # %s, %1
    r"|\$\w+"  # $name
)
DIGITS = re.compile(r"[0-9]+")
WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")


def pairs(raw: Iterable[tuple[str, str]]) -> list[Pair]:
    """The clean pairs of all raw ones, each once, in an order that does not depend on theirs.

    Of pairs that differ only in case, digits, placeholders or punctuation the commonest stays.
    """
    counted = Counter(pair for english, chinese in raw for pair in split(english, chinese) if good(pair))
    chosen: dict[tuple[str, str], Pair] = {}
    for pair in sorted(counted, key=lambda pair: (-counted[pair], pair)):
        chosen.setdefault((mask(pair.english), mask(pair.chinese)), pair)
    return sorted(chosen.values())


# ---- plain text

TAG = re.compile(
    r"</?(?:a|abbr|b|br|code|dd|div|dl|dt|em|h[1-6]|i|img|kbd|li|ol|p|pre|samp|small|span|strong|tt|u|ul|var)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
IMAGE = re.compile(r"!\[[^\]]*\]\([^()]*\)")
LINK = re.compile(r"\[([^\[\]]+)\]\([^()]*\)")
MARKS = re.compile(r"\*\*|__(?=\S)|(?<=\S)__|`+|^\s*(?:[-*•]|#+)\s+", re.MULTILINE)
SPACE = re.compile(r"[\s\u200b\ufeff]+")


def plain(text: str) -> str:
    """The text without HTML and Markdown, with single spaces; line ends stay."""
    text = html.unescape(TAG.sub(" ", text))
    text = MARKS.sub("", LINK.sub(r"\1", IMAGE.sub(" ", text)))
    lines = (SPACE.sub(" ", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


# ---- sentences

ENGLISH_END = re.compile(r"(?<=[.!?])[\"'”’)]?\s+(?=[\"'“(]?[A-Z{%])")
CHINESE_END = re.compile(r"(?<=[。！？])(?![”’」』）)])\s*|(?<=[。！？][”’」』）)])\s*")
NO_END = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|Mr|Mrs|Ms|Dr|St|No|approx|[A-Z])\.$")


def split(english: str, chinese: str) -> Iterator[Pair]:
    """The sentences of a text with those of its translation, where both have as many; else the whole."""
    texts, translations = plain(english).split("\n"), plain(chinese).split("\n")
    if len(texts) != len(translations):
        texts, translations = [" ".join(texts)], ["".join(translations)]
    for text, translation in zip(texts, translations, strict=True):
        left, right = english_sentences(text), chinese_sentences(translation)
        parts = [Pair(*pair) for pair in zip(left, right, strict=False)]
        if len(left) == len(right) and all(map(consistent, parts)):
            yield from parts
        else:
            yield Pair(text, translation)


def english_sentences(text: str) -> list[str]:
    found: list[str] = []
    for part in ENGLISH_END.split(text):
        if found and NO_END.search(found[-1]):
            found[-1] += " " + part
        else:
            found.append(part)
    return found


def chinese_sentences(text: str) -> list[str]:
    return [part for part in CHINESE_END.split(text) if part]


# ---- the rules


def good(pair: Pair) -> bool:
    """Whether a pair is worth learning from: translated, long enough, and nothing lost on the way."""
    english, chinese = PLACE.sub(" ", pair.english), PLACE.sub(" ", pair.chinese)
    return (
        len(WORD.findall(english)) >= 2
        and len(HAN.findall(chinese)) >= 2
        and not HAN.search(english)
        and 4 * len(HAN.findall(chinese)) >= len(WORD.findall(english))  # else it is not all translated
        and len(pair.english) <= LONGEST
        and consistent(pair)
    )


def consistent(pair: Pair) -> bool:
    """Whether placeholders and numbers are the same on both sides, in any order."""
    return all(
        Counter(find(pair.english)) == Counter(find(pair.chinese)) for find in (PLACE.findall, numbers)
    )


def numbers(text: str) -> list[str]:
    return DIGITS.findall(PLACE.sub(" ", text))


# ---- the mask

NOT_LETTERS = re.compile(r"[^0a-z{}\u00c0-\u024f\u3400-\u4dbf\u4e00-\u9fff]+")


def mask(text: str) -> str:
    """What is left when case, numbers, placeholders, spaces and punctuation do not count."""
    return NOT_LETTERS.sub("", DIGITS.sub("0", PLACE.sub("{}", text)).lower())


# ---- labelled texts


def labelled(raw: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The texts with one label each, in an order that does not depend on theirs.

    Of texts with the same mask one stays; where people disagreed on the label, none.
    """
    found: dict[str, set[tuple[str, str]]] = {}
    for text, label in raw:
        text = plain(text).replace("\n", " ")
        if len(WORD.findall(text)) >= 2 and "\ufffd" not in text:
            found.setdefault(mask(text), set()).add((text, label))
    agreed = [min(same) for same in found.values() if len({label for _, label in same}) == 1]
    return sorted(agreed)
