"""Every property that lesson 07's bleu and mfu must have; what is right comes from sacreBLEU itself.

    probe_bleu.small(bleu)
    probe_bleu.scores(bleu, check.rng())
    probe_bleu.utilisation(mfu, check.rng())
Order: the visible check, scores, utilisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sacrebleu.metrics.bleu import BLEU

from byhand import check
from byhand.probes import known_translation

ENGLISH = ["the", "a", "cat", "dog", "sat", "on", "mat,", "is", "not", ".", "2.5%", "house?", "don't", "The"]
CHINESE = ["我", "爱", "你", "不", "是", "大", "小", "的", "。", "，", "2.5%", "ok", "北京", "上海", "(x)"]


def small(bleu: Any) -> None:
    """The visible check: scores to work out by hand, the default cutter, lists that do not fit."""
    ours, theirs = ["the the cat sat on the mat", "a dog"], ["the cat is on the mat", "a small dog barks"]
    rules: dict[str, Any] = {"known_wrong": known_translation.BLEU, "tolerance": 1e-6}
    got = bleu(ours, theirs, "13a"), bleu(["a b c d"], ["b a d c"], "13a")
    call = f'bleu({ours}, {theirs}, "13a"), bleu(["a b c d"], ["b a d c"], "13a")'
    want = (
        100 * math.exp(1 - 10 / 9) * (7 / 9 * 3 / 7 * 1 / 5 * 0.5 / 4) ** 0.25,
        100 * (4 / 4 * 0.5 / 3 * 0.25 / 2 * 0.125 / 1) ** 0.25,
    )
    note = "By hand, the first: 7/9, 3/7, 1/5 and ½/4 of the n-grams match; 9 words against 10."
    check.values(call, got, want, note=note, **rules)
    want_zh = 100 * (3 / 5 * 1 / 4 * 0.5 / 3 * 0.25 / 2) ** 0.25
    note = "tokenize is zh unless given: one sign is one word, as is the mark at the end."
    call = 'bleu(["我爱北京。"], ["我爱上海。"])'
    check.values(call, bleu(["我爱北京。"], ["我爱上海。"]), want_zh, note=note, tolerance=1e-6)
    check.values('bleu(["你"], ["我"])', bleu(["你"], ["我"]), 0.0, note="Nothing matches.")
    note = "There is no run of four words at all."
    check.values('bleu(["a b c"], ["a b c"], "13a")', bleu(["a b c"], ["a b c"], "13a"), 0.0, note=note)
    lists = ["a", "b", "c"], ["a"]
    check.raises('bleu(["a", "b", "c"], ["a"])', lambda: bleu(*lists), mentions=("3", "1"))


def scores(bleu: Any, rng: Any) -> None:
    """bleu(hypotheses, references, tokenize) is sacreBLEU's corpus score, with its defaults."""
    for words, joint, tokenize in (
        (CHINESE, "", "zh"),
        (ENGLISH, " ", "13a"),
        (CHINESE, "", "char"),
        (ENGLISH, " ", "zh"),
    ):
        for n, longest, noise in [
            (1, 12, 0.2),
            (6, 9, 0.3),
            (20, 6, 0.1),
            (3, 20, 0.0),
            (8, 3, 0.7),
            (1, 3, 0.0),
        ]:
            references = [_text(rng, words, joint, 1, longest) for _ in range(n)]
            hypotheses = [_noisy(rng, words, joint, one, noise) for one in references]
            for ours, theirs in ((hypotheses, references), (references, hypotheses)):
                _equals(bleu, ours, theirs, tokenize)
    _edges(bleu, rng)


def _text(rng: Any, words: Sequence[str], joint: str, least: int, most: int) -> str:
    return joint.join(rng.choice(words, int(rng.integers(least, most + 1))))


def _noisy(rng: Any, words: Sequence[str], joint: str, text: str, noise: float) -> str:
    """Some words are left out, some said twice, some others."""
    found: list[str] = []
    for word in text.split(joint) if joint else text:
        kind = rng.random() / max(noise, 1e-9)
        found += (
            []
            if kind < 0.3
            else [word, word]
            if kind < 0.6
            else [str(rng.choice(words))]
            if kind < 1
            else [word]
        )
    return joint.join(found)


def _equals(bleu: Any, hypotheses: list[str], references: list[str], tokenize: str) -> None:
    want = BLEU(tokenize=tokenize).corpus_score(hypotheses, [references]).score
    call = f"bleu({_shown(hypotheses)}, {_shown(references)}, {tokenize!r})"
    note = "Compared with sacreBLEU: counts of all sentences added first, then min(1, exp(1 - r / c))."
    check.values(call, bleu(hypotheses, references, tokenize), want, tolerance=1e-6, note=note)


def _shown(texts: list[str]) -> str:
    return repr(texts) if len(texts) < 3 else f"[{texts[0]!r}, …{len(texts)} texts]"


def _edges(bleu: Any, rng: Any) -> None:
    for ours, theirs in (
        (["", ""], ["我", "你"]),
        (["我"], [""]),
        (["我们"], ["你好"]),
        (["The cat sat on a mat"], ["the cat sat on a mat"]),
        (["我爱北京天", "大小"], ["他在这里看书", "的"]),
        (["我是", "", "大的"], ["我是", "了", "小的"]),
        ([" 我 爱 你 们 "], ["我爱你们\n"]),
    ):
        _equals(bleu, ours, theirs, "zh")
    check.values("bleu([], [])", bleu([], []), 0.0)
    texts = [_text(rng, CHINESE, "", 2, 9) for _ in range(4)]
    check.values(
        "bleu(texts, texts), tokenize left out",
        bleu([*texts, "我爱北京"], [*texts, "我爱北京"]),
        100.0,
        tolerance=1e-6,
    )
    check.kept("bleu(hypotheses, references)", bleu, texts, texts[::-1])
    for few, many in ((2, 5), (4, 3), (0, 1), (1, 0)):
        call, one, two = f"bleu of {few} hypotheses and {many} references", ["我"] * few, ["我"] * many
        check.raises(call, lambda one=one, two=two: bleu(one, two), mentions=(str(few), str(many)))  # type: ignore[misc]


def utilisation(mfu: Any, rng: Any) -> None:
    """mfu(tokens_per_second, flops_per_token, peak_flops): their quotient; too much is an error."""
    for share in (*rng.random(6).tolist(), 1e-9, 0.999):
        tokens, each = 10 ** float(rng.uniform(1, 6)), 10 ** float(rng.uniform(4, 10))
        peak = tokens * each / share
        call = f"mfu({tokens!r}, {each!r}, {peak!r})"
        check.values(call, mfu(tokens, each, peak), tokens * each / peak)
    check.values("mfu(8, 4, 64)", mfu(8, 4, 64), 0.5)
    check.values("mfu(0.0, 16.0, 64.0)", mfu(0.0, 16.0, 64.0), 0.0)
    for peak in (0, 0.0, -64.0, -1e12):
        check.raises(f"mfu(4.0, 16.0, {peak})", lambda peak=peak: mfu(4.0, 16.0, peak), mentions=(str(peak),))  # type: ignore[misc]
    for tokens, each, peak in ((5.0, 16.0, 64.0), (96.0, 1.0, 64.0), (65.0, 1.0, 64.0), (3e6, 2e9, 5e13)):
        ask = lambda tokens=tokens, each=each, peak=peak: mfu(tokens, each, peak)  # noqa: E731
        found = (
            str(tokens * each / peak),
            str(100 * tokens * each / peak),
            str(tokens * each),
            str(tokens),
            str(each),
        )
        check.raises(f"mfu({tokens}, {each}, {peak})", ask, mentions=(found, (str(peak), *found[:2])))
