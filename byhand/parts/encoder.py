"""The Transformer's encoder: what blocks takes over from lesson 06.

Apart from blocks, since a lesson that needs no torch should not wait for it to load.
Order: feed-forward, the block, the encoder, pooling, the two models on top of it.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from byhand.parts.attention import MultiHeadAttention


class FeedForward(nn.Sequential):
    """down(dropout(GELU(up(x)))), for each position alone."""

    def __init__(self, d_model: int, d_hidden: int, dropout: float = 0.0) -> None:
        up, down = nn.Linear(d_model, d_hidden), nn.Linear(d_hidden, d_model)
        parts = {"up": up, "gelu": nn.GELU(), "dropout": nn.Dropout(dropout), "down": down}
        super().__init__(OrderedDict(parts))


class EncoderBlock(nn.Module):
    """Two branches on a residual stream: attention, then a feed-forward network.

    norm_first: each branch reads the normalised stream; else the stream is normalised after each sum.
    forward(x (B, T, E), mask) -> (B, T, E); mask: bool, True = may attend, broadcasts to (B, H, T, T).
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        d_hidden: int,
        dropout: float = 0.0,
        norm_first: bool = True,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.norm1, self.norm2 = nn.LayerNorm(d_model, eps), nn.LayerNorm(d_model, eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for norm, branch, options in (
            (self.norm1, self._attend, {"mask": mask}),
            (self.norm2, self.feed_forward, {}),
        ):
            added = self.dropout(branch(norm(x) if self.norm_first else x, **options))
            x = x + added if self.norm_first else norm(x + added)
        return x

    def _attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        output: Tensor = self.attention(x, mask=mask)[0]
        return output


class TransformerEncoder(nn.Module):
    """Token embedding + learned positions, pre-norm blocks, a last norm: ids (B, T) -> (B, T, E).

    Ids equal to pad_id are padding, which no token attends to. Raises: ValueError if T > max_len.
    """

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        n_heads: int,
        d_hidden: int,
        n_layers: int,
        max_len: int,
        pad_id: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.shape[1] > self.max_len:
            raise ValueError(f"tokens has {tokens.shape[1]} columns, max_len is {self.max_len}")
        mask = tokens.ne(self.pad_id)[:, None, None]  # (B, 1, 1, T)
        x = self.dropout(self.embedding(tokens) + self.positions.weight[: tokens.shape[1]])
        for block in self.blocks:
            x = block(x, mask)
        normed: Tensor = self.norm(x)
        return normed


def mean_pool(x: Tensor, mask: Tensor) -> Tensor:
    """(B, E), the mean of x (B, T, E) where mask (B, T) is True; zeros where it is nowhere."""
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask {tuple(mask.shape)} does not fit x {tuple(x.shape)}")
    total = torch.einsum("bte,bt->be", x, mask.to(x.dtype))
    return total / mask.sum(dim=1, keepdim=True).clamp(min=1)


class TextClassifier(nn.Module):
    """Logits (B, n_classes) of a text: a linear layer on the mean of its real tokens."""

    def __init__(self, encoder: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(int(encoder.d_model), n_classes)  # type: ignore[arg-type]

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(mean_pool(self.encoder(tokens), tokens.ne(self.encoder.pad_id)))  # type: ignore[arg-type]
        return logits


class TokenTagger(nn.Module):
    """Logits (B, T, n_tags), for each token of a text."""

    def __init__(self, encoder: nn.Module, n_tags: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(int(encoder.d_model), n_tags)  # type: ignore[arg-type]

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(tokens))
        return logits
