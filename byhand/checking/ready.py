"""What is ready-made, by what it makes: entries for the source rules of several exercises.

    check.source("softmax", check.ready.SOFTMAX)

Layers and attention are looked for in libraries alone: a layer may well call its own weights
`self.attention_weights`. Functions that tensors have as methods, too, are looked for everywhere.
"""

from __future__ import annotations


def _in_libraries(*words: str) -> tuple[str, ...]:
    return tuple(f"{library}.*{word}*" for library in ("torch", "byhand") for word in words)


_BLOCKS = _in_libraries("[mM]ulti[hH]ead[aA]ttention", "multi_head_attention", "EncoderBlock", "DecoderBlock")
# Layers of several heads.
LAYERS = (
    *_BLOCKS,
    *_in_libraries("Transformer"),
    "byhand.minilm.",
    "byhand.translation.",
)
ATTENTION = (*LAYERS, *_in_libraries("[aA]ttention"), "byhand.meter.")
MASKED = ("*.*masked_softmax*", "*._safe_softmax*", "torch.masked.", "torch.sparse.", *ATTENTION)
_LOSSES = "*.*cross_entropy*", "*.*[cC]rossEntropy*", "*.*nll_loss*", "*.*NLLLoss*", "*.*AdaptiveLogSoftmax*"
ENTROPY = (*_LOSSES, "*.*ctc_loss*", "*.*CTCLoss*", "torch.distributions.", "byhand.translation.")
SOFTMAX = ("*.*[sS]oftm[ai][nx]*", "*.*logsumexp*", *ENTROPY, *ATTENTION)
COSINE = ("*.*[cC]osine*",)
BILINEAR = ("Bilinear", ".bilinear", "manual_seed", *ATTENTION)
_MODULES = "byhand.blocks.", "byhand.recurrent.", "byhand.translation.", "torch.nn.attention."
MASKS = (*_MODULES, "generate_square_subsequent_mask")
