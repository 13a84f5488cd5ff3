"""The encoder-decoder: what blocks takes over from lesson 07.

    src ─ embed ─ encoder blocks ─ encoder_norm ─ memory
                                                    │ keys and values
    tgt ─ embed ─ decoder blocks ───────────────────┘ ─ decoder_norm ─ · embeddingᵀ = logits

Apart from blocks, since a lesson that needs no torch should not wait for it to load. Attention here asks
torch for the output alone, so that its fused kernels do the work: no (T, S) weights are ever stored.
Order: fused attention, the two blocks, the model.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from byhand.parts.attention import MultiHeadAttention
from byhand.parts.encoder import EncoderBlock, FeedForward
from byhand.parts.positions import sinusoidal_encoding

# Large enough to be seen beside the positions' 0.7; but with more, since one matrix embeds and scores, the
# start's likeliest next token is the one just read: its logit is about √E times this, squared.
_EMBEDDED = 2.2  # times E^-1/4: size of an embedded feature at the start, after the factor √E


class FusedAttention(MultiHeadAttention):
    """MultiHeadAttention with the same parameters, without its weights: forward(...) -> (output, None)."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, None]:
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask), None


class FusedEncoderBlock(EncoderBlock):
    """Lesson 06's pre-norm block with fused attention."""

    def __init__(self, d_model: int, n_heads: int, d_hidden: int, dropout: float = 0.0) -> None:
        super().__init__(d_model, n_heads, d_hidden, dropout)
        self.attention = FusedAttention(d_model, n_heads)


class DecoderBlock(nn.Module):
    """Three branches on a residual stream: attention to itself, to the source, a feed-forward network.

    forward(x (B, T, E), memory (B, S, E), self_mask, memory_mask) -> (B, T, E). Pre-norm; it has no
    mask of its own. Masks: bool, True = may attend, broadcast to (B, H, T, T) and (B, H, T, S).
    """

    def __init__(self, d_model: int, n_heads: int, d_hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model) for _ in range(3))
        self.self_attention = FusedAttention(d_model, n_heads)
        self.cross_attention = FusedAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        self_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        added: Tensor = self.dropout(self.feed_forward(self.norm3(x)))
        return x + added


class Transformer(nn.Module):
    """forward(src (B, S), tgt (B, T)) -> logits (B, T, V) of the token after each of tgt.

    One (V, E) matrix embeds both languages and scores the next token. Nothing is shifted inside.
    Ids equal to pad_id in src are padding, which no token attends to.
    """

    positions: Tensor

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        n_heads: int,
        d_hidden: int,
        n_layers: int,
        max_len: int,
        pad_id: int = 0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=_EMBEDDED * d_model**-0.75)
        self.register_buffer("positions", sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = (d_model, n_heads, d_hidden, dropout)
        self.encoder = nn.ModuleList(FusedEncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)

    def embed(self, tokens: Tensor, start: int = 0) -> Tensor:
        """(B, T, E) for ids (B, T) at the positions from `start` on. Raises: ValueError beyond max_len."""
        end = start + tokens.shape[1]
        if start < 0 or end > self.max_len:
            raise ValueError(f"tokens has positions {start} to {end - 1}, max_len is {self.max_len}")
        weight = self.embedding(tokens) * math.sqrt(self.d_model)
        embedded: Tensor = self.dropout(weight + self.positions[start:end].to(weight.dtype))
        return embedded

    def encode(self, src: Tensor) -> Tensor:
        """The memory (B, S, E) of source ids (B, S)."""
        x, mask = self.embed(src), src.ne(self.pad_id)[:, None, None]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        memory: Tensor = self.encoder_norm(x)
        return memory

    def decode(self, tgt: Tensor, memory: Tensor, src_mask: Tensor) -> Tensor:
        """Logits (B, T, V) for ids tgt (B, T); src_mask: (B, S) bool, True at real source tokens."""
        x, length = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=tgt.device).tril()
        mask = src_mask[:, None, None]
        for block in self.decoder:
            x = block(x, memory, causal, mask)
        return functional.linear(self.decoder_norm(x), self.embedding.weight)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        return self.decode(tgt, self.encode(src), src.ne(self.pad_id))
