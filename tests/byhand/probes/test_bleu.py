"""The checks of lesson 07's bleu and mfu tell right answers from wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from byhand import check
from byhand.probes import bleu as probe_bleu


def bleu(hypotheses, references, tokenize="zh", **options):
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} and {len(references)}")
    if not hypotheses:
        return 0.0
    return BLEU(tokenize=tokenize, **options).corpus_score(list(hypotheses), [list(references)]).score


def mfu(tokens, each, peak, most=1.0, factor=1.0):
    if peak <= 0 or factor * tokens * each / peak > most:
        raise ValueError(f"{tokens} {each} {peak} {tokens * each}")
    return factor * tokens * each / peak


def rng():
    return np.random.default_rng(0)


def test_sacrebleus_own_score_passes():
    probe_bleu.small(bleu)
    probe_bleu.scores(bleu, rng())


def _sentences(hypotheses, references, tokenize="zh"):
    each = [bleu([one], [two], tokenize) for one, two in zip(hypotheses, references, strict=True)]
    return sum(each) / len(each)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda *given: bleu(*given, smooth_method="none"), "without smoothing"),
        (lambda *given: bleu(*given, effective_order=True, smooth_method="none"), "were left out|smooth"),
        (lambda *given: bleu(*given) / 100, "from 0 to 100"),
        (_sentences, "mean over sentences"),
        (lambda ours, theirs, tokenize="13a": bleu(ours, theirs, tokenize), "tokenize is zh unless"),
    ],
)
def test_a_mistake_in_bleu_is_named(wrong, said):
    with pytest.raises(check.CheckFailed, match=said):
        probe_bleu.small(wrong)


@pytest.mark.parametrize(
    "options",
    [{"lowercase": True}, {"smooth_method": "add-k"}, {"max_ngram_order": 3}, {"effective_order": True}],
)
def test_other_settings_of_sacrebleu_do_not_pass(options):
    with pytest.raises(check.CheckFailed):
        probe_bleu.scores(lambda *given: bleu(*given, **options), rng())


def test_a_right_utilisation_passes():
    probe_bleu.utilisation(mfu, rng())


@pytest.mark.parametrize("options", [{"most": 2.0}, {"factor": 3.0}])
def test_a_wrong_utilisation_is_noticed(options):
    with pytest.raises((check.CheckFailed, ValueError)):
        probe_bleu.utilisation(lambda *given: mfu(*given, **options), rng())
