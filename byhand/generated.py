"""Texts made by rule, in any amount: dates in many styles -> ISO, English number words -> Chinese numerals.

    dates(2, seed=0)      [("Sunday, 22 July 2040", "2040-07-22"), ...]
    numbers(2, seed=0)    [("three fifths", "五分之三"), ...]
    DATES.batch(64, seed) the same as tensors: source ids, their lengths, target ids

The same arguments give the same texts on every machine. Each date or number belongs to one split, so
nothing that was trained on is ever asked. Order: dates, numbers, then vocabularies and batches.
"""

from __future__ import annotations

import datetime
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Pair = tuple[str, str]
SPLITS = {"train": range(2, 20), "test": range(1, 2), "exam": range(1)}  # of 20 parts; exam: for grading


def _random(name: str, seed: int, split: str) -> random.Random:
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; the splits are {', '.join(SPLITS)}.")
    return random.Random(f"{name} {seed} {split}")


def _belongs(answer: str, split: str) -> bool:
    """Whether this answer, in whatever style it is asked for, is in the split."""
    return zlib.crc32(answer.encode()) % 20 in SPLITS[split]


# Dates

FIRST_DAY, LAST_DAY = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
]  # fmt: skip
DATE_STYLES = (
    "{weekday}, {day} {month} {year}",
    "{weekday}, {month} {day}, {year}",
    "{weekday} {day} {month} {year}",
    "{weekday} the {nth} of {month} {year}",
    "{day} {month} {year}",
    "{month} {day}, {year}",
    "{month} {nth}, {year}",
    "{month} {nth} {year}",
    "the {nth} of {month}, {year}",
    "{nth} of {month} {year}",
    "{nth} {month} {year}",
    "{year} {month} {day}",
    "{day} {mon} {year}",
    "{mon} {day}, {year}",
    "{wkd}, {day} {mon} {year}",
    "{wkd} {mon} {day} {year}",
    "{day}-{mon}-{year}",
    "{year} {mon} {day}",
    "{day}.{number}.{year}",
    "{day:02}.{number:02}.{year}",
    "{year}/{number:02}/{day:02}",
)  # a number of the month comes after a dot and the day, or in the middle after the year: never in doubt
CASES: tuple[Callable[[str], str], ...] = (str, str, str, str.lower, str.upper)


def ordinal(day: int) -> str:
    """1st, 2nd, 3rd, 4th, …, 11th, 12th, 13th, …"""
    end = {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th") if day % 100 not in (11, 12, 13) else "th"
    return f"{day}{end}"


def say_date(day: datetime.date, style: str) -> str:
    """The date in one of DATE_STYLES (or another that uses the same names in braces)."""
    weekday, month = WEEKDAYS[day.weekday()], MONTHS[day.month - 1]
    long, short = {"weekday": weekday, "month": month}, {"wkd": weekday[:3], "mon": month[:3]}
    return style.format(**long, **short, day=day.day, nth=ordinal(day.day), number=day.month, year=day.year)


def dates(n: int, seed: int, split: str = "train") -> list[Pair]:
    """n pairs (date as people write it, date as ISO 8601 wants it), 1900 to 2099.

    split: "train", "test" or "exam"; a day is in one of them, in every style.
    """
    rng, pairs = _random("dates", seed, split), list[Pair]()
    first, last = FIRST_DAY.toordinal(), LAST_DAY.toordinal()
    while len(pairs) < n:
        day = datetime.date.fromordinal(rng.randint(first, last))
        if _belongs(day.isoformat(), split):
            text = rng.choice(CASES)(say_date(day, rng.choice(DATE_STYLES)))
            pairs.append((text, day.isoformat()))
    return pairs


# Numbers

UNITS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
PARTS = {
    2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth",
    10: "tenth", 11: "eleventh", 12: "twelfth", 13: "thirteenth", 14: "fourteenth", 15: "fifteenth",
    16: "sixteenth", 20: "twentieth", 30: "thirtieth", 50: "fiftieth", 100: "hundredth",
}  # fmt: skip
DIGITS = "零一二三四五六七八九"
MOST = 99_999_999
KINDS = ("whole", "fraction", "percent")


def in_words(number: int, *, british: bool = True) -> str:
    """A whole number from 0 to 99,999,999 in English words; british: "one hundred and one"."""
    if not 0 <= number <= MOST:
        raise ValueError(f"number must be from 0 to {MOST:,}, got {number}.")
    if number < 20:
        return UNITS[number]
    if number < 100:
        return TENS[number // 10] + (f"-{UNITS[number % 10]}" if number % 10 else "")
    size, name = next(
        pair for pair in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")) if number >= pair[0]
    )
    front, rest = divmod(number, size)
    text = f"{in_words(front, british=british)} {name}"
    joint = " and " if british and 0 < rest < 100 else " "
    return text + (joint + in_words(rest, british=british) if rest else "")


def in_chinese(number: int) -> str:
    """A whole number from 0 to 99,999,999 in Chinese numerals: 零 for skipped places, 十 for 10 to 19,
    两 only where the number begins with two thousand or two times ten thousand: 两万二千."""
    if not 0 <= number <= MOST:
        raise ValueError(f"number must be from 0 to {MOST:,}, got {number}.")
    upper, lower = divmod(number, 10_000)
    text = _below_ten_thousand(lower) if lower or not upper else ""
    if upper:
        gap = "零" if 0 < lower < 1000 else ""
        text = f"{_below_ten_thousand(upper)}万{gap}{text}"
    if text.startswith("一十"):
        return text[1:]
    return f"两{text[1:]}" if text[:2] in ("二千", "二万") else text


def _below_ten_thousand(number: int) -> str:
    if number == 0:
        return "零"
    text, skipped = "", False
    for size, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, size)
        if digit:
            text += ("零" if skipped and text else "") + DIGITS[digit] + name
        skipped = digit == 0
    return text


def fraction_in_words(top: int, bottom: int) -> str:
    """three fifths, one half, twenty-one hundredths; bottom is one of PARTS."""
    part = PARTS[bottom]
    plural = part if top == 1 else "halves" if part == "half" else f"{part}s"
    return f"{in_words(top)} {plural}"


def fraction_in_chinese(top: int, bottom: int) -> str:
    """五分之三: of five parts three, so what is said last in English comes first."""
    return f"{in_chinese(bottom)}分之{in_chinese(top)}"


def numbers(
    n: int, seed: int, split: str = "train", most: int = 99_999, kinds: Sequence[str] = KINDS
) -> list[Pair]:
    """n pairs (number in English words, number in Chinese numerals).

    most: the largest whole number; short and long numbers are equally frequent.
    kinds: some of "whole", "fraction" (also after a whole number) and "percent".
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"kinds holds {unknown[0]!r}; the kinds are {', '.join(KINDS)}.")
    rng, pairs = _random("numbers", seed, split), list[Pair]()
    while len(pairs) < n:
        pair = _number(rng, rng.choice(list(kinds)), most)
        if _belongs(pair[1], split):
            pairs.append(pair)
    return pairs


def _number(rng: random.Random, kind: str, most: int) -> Pair:
    if kind == "percent":
        share = rng.randint(1, 100)
        return f"{in_words(share)} percent", f"百分之{in_chinese(share)}"
    if kind == "fraction":
        bottom = rng.choice(list(PARTS))
        top = rng.randint(1, bottom - 1)
        words, chinese = fraction_in_words(top, bottom), fraction_in_chinese(top, bottom)
        if rng.random() < 0.6:
            return words, chinese
        whole = rng.randint(1, min(most, 99))
        return f"{in_words(whole)} and {words}", f"{in_chinese(whole)}又{chinese}"
    whole = rng.randint(0, min(most, 10 ** rng.randint(1, len(str(most))) - 1))
    return in_words(whole, british=rng.random() < 0.5), in_chinese(whole)


# Vocabularies and batches

PAD, BOS, EOS = 0, 1, 2


def characters(text: str) -> list[str]:
    """Every character is a token."""
    return list(text)


def words(text: str) -> list[str]:
    """Every word is a token; so are both sides of a hyphen: "ninety-nine" -> ninety, nine."""
    return text.replace("-", " ").split()


@dataclass(frozen=True)
class Vocabulary:
    """Which id stands for which token. Ids 0, 1 and 2 are padding, begin and end of a text."""

    tokens: tuple[str, ...]
    split: Callable[[str], list[str]] = characters

    def __len__(self) -> int:
        return 3 + len(self.tokens)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Token -> id."""
        return {token: at for at, token in enumerate(self.tokens, 3)}

    def ids(self, text: str) -> list[int]:
        """The text's token ids, without begin and end."""
        try:
            return [self.numbers[token] for token in self.split(text)]
        except KeyError as unknown:
            raise ValueError(f"{unknown} in {text!r} is no token of this vocabulary.") from None

    def named(self, ids: Sequence[int]) -> list[str]:
        """The token of each id, as labels of a picture."""
        special = ("", "<begin>", "<end>")
        return [special[int(at)] if at < 3 else self.tokens[int(at) - 3] for at in ids]

    def text(self, ids: Sequence[int]) -> str:
        """The text of these ids; padding, begin and end are left out."""
        joint = " " if self.split is words else ""
        return joint.join(self.tokens[int(at) - 3] for at in ids if at >= 3)


@dataclass(frozen=True)
class Task:
    """Something to translate: pairs of texts, and the vocabularies of both sides."""

    pairs: Callable[..., list[Pair]]
    source: Vocabulary
    target: Vocabulary

    def batch(self, n: int, seed: int, split: str = "train", **more: Any) -> tuple[Tensor, Tensor, Tensor]:
        """n pairs as tensors: source (B, S), lengths (B,), target (B, T) with the end at its end."""
        pairs = self.pairs(n, seed, split, **more)
        source, lengths = self.encode([text for text, _ in pairs])
        target = padded([[*self.target.ids(answer), EOS] for _, answer in pairs])
        return source, lengths, target

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Texts as source ids (B, S), padded with 0, and their lengths (B,)."""
        import torch

        rows = [self.source.ids(text) for text in texts]
        return padded(rows), torch.tensor([len(row) for row in rows])


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of ids as one tensor (B, longest), filled up with padding."""
    import torch

    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])


def _date_characters() -> tuple[str, ...]:
    names = "".join([*WEEKDAYS, *MONTHS, "the of nd rd st th"])
    return tuple(sorted({*names.lower(), *names.upper(), *"0123456789 ,.-/"}))


def _number_words() -> tuple[str, ...]:
    plurals = [f"{part}s" for part in PARTS.values() if part != "half"]
    joints = ["halves", "hundred", "thousand", "million", "and", "percent"]
    return tuple(dict.fromkeys([*UNITS, *TENS[2:], *PARTS.values(), *plurals, *joints]))


DATES = Task(dates, Vocabulary(_date_characters()), Vocabulary(tuple("0123456789-")))
NUMBERS = Task(numbers, Vocabulary(_number_words(), words), Vocabulary((*DIGITS, *"两十百千万分之又")))
