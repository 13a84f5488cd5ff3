"""What is ready-made, by what it makes: entries for the source rules of several exercises.

check.source("softmax", check.ready.SOFTMAX)
"""

from __future__ import annotations

_LAYERS = (
    "*.*[mM]ulti[hH]ead[aA]ttention*",
    "*.*multi_head_attention*",
    "*.*EncoderBlock*",
    "*.*DecoderBlock*",
)
LAYERS = (*_LAYERS, "*.*Transformer*", "byhand.minilm.", "byhand.translation.")  # that hold several heads
ATTENTION = (*LAYERS, "*.*[aA]ttention*", "byhand.meter.")
MASKED = ("*.*masked_softmax*", "*._safe_softmax*", "torch.masked.", "torch.sparse.", *ATTENTION)
_LOSSES = "*.*cross_entropy*", "*.*[cC]rossEntropy*", "*.*nll_loss*", "*.*NLLLoss*", "*.*AdaptiveLogSoftmax*"
ENTROPY = (*_LOSSES, "*.*ctc_loss*", "*.*CTCLoss*", "torch.distributions.", "byhand.translation.")
SOFTMAX = ("*.*[sS]oftm[ai][nx]*", "*.*logsumexp*", *ENTROPY, *ATTENTION)
COSINE = ("*.*[cC]osine*",)
BILINEAR = ("Bilinear", ".bilinear", "manual_seed", *ATTENTION)
_MODULES = "byhand.blocks.", "byhand.recurrent.", "byhand.translation.", "torch.nn.attention."
MASKS = (*_MODULES, "generate_square_subsequent_mask")
