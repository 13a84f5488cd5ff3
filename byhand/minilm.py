"""A small pretrained BERT, all-MiniLM-L6-v2: its weights, its tokenizer, and what it must answer.

    minilm.opened()                        (state_dict, WordPiece): 83 MB, fetched once; or None, and why
    minilm.vectors(model, pieces, texts)   (B, E): the mean over real tokens, with length 1
    minilm.reference(state, n_heads, ...)  the same network made of torch's own layers
    minilm.made_up(generator, ...)         a random state_dict of the same layout, any sizes: for checks

Weights: Apache-2.0, N. Reimers, I. Gurevych and the sentence-transformers authors. Order: keys, files,
vectors, the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from byhand import _weights
from byhand.blocks import mean_pool
from byhand.data import DataError, weights
from byhand.wordpiece import WordPiece

Shapes = dict[str, tuple[int, ...]]

N_HEADS = 12
BATCH = 32  # texts at a time

# The first numbers of sentence vectors, as the transformers library (5.23.0, on a CPU) gives them.
KNOWN = {
    "A query asks, and keys are found.": (0.00889, 0.020473, -0.050242, 0.071125, -0.037365, 0.026939),
    "Attention is a weighted sum of values.": (0.060025, -0.016799, -0.051278, 0.013739, 0.01732, 0.06314),
}


# Keys: BERT's name of each part, and the name that it has in a post-norm EncoderBlock

OUTSIDE = {
    "embeddings.word_embeddings": "token",
    "embeddings.position_embeddings": "position",
    "embeddings.token_type_embeddings": "kind",
    "embeddings.LayerNorm": "norm",
}
INSIDE = {
    "attention.self.query": "attention.q_proj",
    "attention.self.key": "attention.k_proj",
    "attention.self.value": "attention.v_proj",
    "attention.output.dense": "attention.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "feed_forward.up",
    "output.dense": "feed_forward.down",
    "output.LayerNorm": "norm2",
}


def shapes(vocab: int, size: int, hidden: int, layers: int, places: int, kinds: int = 2) -> Shapes:
    """Every key that such a state_dict must have, with its shape."""
    found: Shapes = {f"embeddings.{name}_embeddings.weight": (n, size)
             for name, n in (("word", vocab), ("position", places), ("token_type", kinds))}  # fmt: skip
    wide: Shapes = {"intermediate.dense.weight": (hidden, size), "intermediate.dense.bias": (hidden,)}
    wide |= {"output.dense.weight": (size, hidden)}
    for prefix, names in [("embeddings.", ["LayerNorm"])] + [
        (f"encoder.layer.{n}.", list(INSIDE)) for n in range(layers)
    ]:
        for name in names:
            square = (size,) if name.endswith("LayerNorm") else (size, size)
            for part, shape in (("weight", square), ("bias", (size,))):
                found[f"{prefix}{name}.{part}"] = wide.get(f"{name}.{part}", shape)
    return found


def made_up(
    generator: torch.Generator, vocab: int, size: int, hidden: int, layers: int, places: int
) -> dict[str, Tensor]:
    """A random state_dict in BERT's layout, with the two keys that a loader must ignore."""
    sizes = shapes(vocab, size, hidden, layers, places)
    sizes |= {"pooler.dense.weight": (size, size), "pooler.dense.bias": (size,)}
    state = {name: 0.5 * torch.randn(shape, generator=generator) for name, shape in sizes.items()}
    return state | {"embeddings.position_ids": torch.arange(places)[None]}


# Files


def opened() -> tuple[dict[str, Tensor], WordPiece] | None:
    """The real weights and their tokenizer, fetched if need be; None, after a sentence, if that fails."""
    try:
        folder = weights("minilm")
    except DataError as problem:
        print(f"{problem}\n  All else in this lesson works without it, and so does grading.")
        return None
    lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return _weights.read(folder / "model.safetensors")[0], WordPiece(lines)


# Sentence vectors


@torch.no_grad()
def vectors(model: Callable[..., Tensor], pieces: WordPiece, texts: Sequence[str]) -> Tensor:
    """(B, E): the mean of model(tokens, mask) over real tokens, divided by its length.

    Texts of like length share a batch, so that little is padded; the order of the result is theirs.
    """
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    found = []
    for at in range(0, len(texts), BATCH):
        tokens = pieces.batch([texts[one] for one in order[at : at + BATCH]])
        real = tokens != pieces.ids["[PAD]"]  # (B, T)
        found.append(mean_pool(model(tokens, real[:, None, None]), real))
    in_order = torch.cat(found)[torch.tensor(order).argsort()]
    return functional.normalize(in_order, dim=-1)


# The reference


def reference(state: Mapping[str, Tensor], n_heads: int, tokens: Tensor, real: Tensor) -> Tensor:
    """(B, T, E): BERT made of nn.TransformerEncoderLayer, in float64.

    real: (B, T) bool, at least one True in each row.
    """
    double = {name: part.double() for name, part in state.items()}
    x = double["embeddings.word_embeddings.weight"][tokens]
    x = x + double["embeddings.position_embeddings.weight"][: tokens.shape[1]]
    x = x + double["embeddings.token_type_embeddings.weight"][0]
    weight, bias = (double[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias"))
    x = functional.layer_norm(x, weight.shape, weight, bias, 1e-12)
    layers = {int(name.split(".")[2]) for name in double if name.startswith("encoder.layer.")}
    for number in sorted(layers):
        x = _layer(double, f"encoder.layer.{number}.", n_heads)(x, src_key_padding_mask=~real)
    return x.detach()


def _layer(state: Mapping[str, Tensor], prefix: str, n_heads: int) -> nn.TransformerEncoderLayer:
    """In training mode without dropout: in eval mode torch would take another path."""
    hidden, size = state[f"{prefix}intermediate.dense.weight"].shape
    layer = nn.TransformerEncoderLayer(
        size, n_heads, hidden, 0.0, "gelu", 1e-12, batch_first=True, dtype=torch.float64
    )
    homes = {"self_attn.out_proj": "attention.output.dense", "norm1": "attention.output.LayerNorm"}
    homes |= {"linear1": "intermediate.dense", "linear2": "output.dense", "norm2": "output.LayerNorm"}
    parts = {}
    for kind in ("weight", "bias"):
        three = [state[f"{prefix}attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
        parts[f"self_attn.in_proj_{kind}"] = torch.cat(three)
        parts |= {f"{mine}.{kind}": state[f"{prefix}{name}.{kind}"] for mine, name in homes.items()}
    layer.load_state_dict(parts)
    return layer
