"""Every property that the Transformer must have (lesson 07).

    probe_translation.transformer(Transformer)

The hidden checks call this with fresh random inputs; what is right comes from probe_decoder's slow formulas.
The model's own embed gives them their positions, so that other rounding there costs nothing.
Order: names and formulas, all cases, embed, encode, decode, forward, lengths, dropout, the start.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from byhand import blocks, check
from byhand.probes.decoder import (
    ATTENTIONS,
    AXES,
    Parts,
    Shapes,
    block_shapes,
    has,
    norm,
    redrawn,
    stepped,
    within,
)
from byhand.probes.tuning import welcome

LIBRARY = (
    "Transformer", "TransformerEncoder", "TransformerDecoder", "TransformerEncoderLayer",
    "TransformerDecoderLayer", "byhand.translation.", "manual_seed",
)  # fmt: skip
ALLOWED = "EncoderBlock, DecoderBlock, blocks.DecoderBlock, nn.Embedding, nn.ModuleList."
RULES: dict[str, Any] = {
    "forbid": LIBRARY, "allow_text": ALLOWED, "also": ("lent",),  # lent makes it, too
    "uses": ("DecoderBlock",),
}  # fmt: skip
LOGITS = ("text", "token", "piece")
FUTURE = "No token may see a later one."


# Names and formulas


def transformer_shapes(vocab: int, size: int, hidden: int, n_layers: int) -> Shapes:
    """The parameters of a Transformer, and their shapes."""
    found: Shapes = {"embedding.weight": (vocab, size)}
    for side, attentions in (("encoder", ("attention",)), ("decoder", ATTENTIONS)):
        for n in range(n_layers):
            inside = block_shapes(size, hidden, attentions)
            found |= {f"{side}.{n}.{name}": shape for name, shape in inside.items()}
        found |= {f"{side}_norm.weight": (size,), f"{side}_norm.bias": (size,)}
    return found


def encoded(parts: Parts, n_heads: int, x: Tensor, real: Tensor) -> Tensor:
    """The memory of embedded texts x (B, S, E)."""
    for n in range(sum(name.endswith(".attention.q_proj.bias") for name in parts)):
        x = stepped(within(parts, f"encoder.{n}."), n_heads, x, real[:, None, None])
    return norm(parts, "encoder_norm", x)


def decoded(parts: Parts, n_heads: int, x: Tensor, memory: Tensor, real: Tensor) -> Tensor:
    """The logits (B, T, V) of embedded texts x (B, T, E)."""
    causal = torch.ones(x.shape[1], x.shape[1]).tril() > 0
    for n in range(sum(name.endswith(".self_attention.q_proj.bias") for name in parts)):
        x = stepped(within(parts, f"decoder.{n}."), n_heads, x, causal, memory, real[:, None, None])
    return norm(parts, "decoder_norm", x) @ parts["embedding.weight"].T


# All cases


def fairly(checks: Callable[[Any], None], own: Any, lent: Any) -> None:
    """checks(own) must pass; while grading, checks(lent) may pass instead: made of parts of the course's."""
    try:
        checks(own)
    except Exception:
        if not check.host.grading:
            raise
        checks(lent)


def seen(make: Any) -> None:
    """The visible checks: names, shape, a text with and without padding, the future, embed, the start.

    What is wrong with the last two still runs, in the right shape: a long training would pay for it.
    """
    call, model = "Transformer(10, 8, 2, 12, 2, max_len=6)", make(10, 8, 2, 12, 2, max_len=6)
    shapes, rng = transformer_shapes(10, 8, 12, 2), torch.Generator().manual_seed(7)
    model.eval()
    has(call, model, shapes)
    logits = model(torch.tensor([[4, 7, 9, 3], [1, 2, 0, 0]]), torch.tensor([[1, 5, 3], [1, 5, 8]]))
    check.shape(f"{call}(src (2, 4), tgt (2, 3))", logits, (2, 3, 10), axes=LOGITS)
    src, tgt = torch.tensor([[4, 7, 0]]), torch.tensor([[1, 5, 8]])
    logits = model(src, tgt).detach()
    note = "Compared with model(src, tgt), src [[4, 7, 0]]: 0 is pad_id, so no piece may attend to it."
    check.values("model(src[:, :2], tgt)", model(src[:, :2], tgt), logits, note=note, tolerance=1e-4)
    note = "Compared with model(src, tgt)[:, :2], tgt [[1, 5, 8]]: what comes later must not be seen."
    check.values("model(src, tgt[:, :2])", model(src, tgt[:, :2]), logits[:, :2], note=note, tolerance=1e-4)
    many = torch.ones(1, 7, dtype=torch.long)
    check.raises("model.embed(torch.ones(1, 7, …))", lambda: model.embed(many), mentions=("6",))
    _embeds(call, model, redrawn(model, shapes, rng), 6, rng)
    _starts(make, rng, [(1000, 32, 4, 64, 2, 40)])


def transformer(make: Any) -> None:
    """make(vocab, d_model, n_heads, d_hidden, n_layers, max_len, pad_id, dropout) is 07's Transformer."""
    rng = check.generator()
    for sizes, pad in [((11, 8, 2, 12, 2, 9), 0), ((7, 6, 3, 5, 1, 8), 3), ((6, 5, 1, 5, 3, 8), 5)]:
        V, E, H, F, L, P = sizes
        model, call = make(*sizes, pad_id=pad), f"Transformer{sizes}, pad_id={pad}"
        shapes = transformer_shapes(V, E, F, L)
        has(call, model, shapes)
        check.values(f"pad_id of {call}", model.pad_id, pad)
        parts = redrawn(model, shapes, rng)
        _embeds(call, model, parts, P, rng)
        ids = torch.tensor([one for one in range(V) if one != pad])
        src, tgt = (ids[torch.randint(len(ids), (4, n), generator=rng)] for n in (6, 5))
        src[0, 4:], src[1, 2], src[2, 0], src[3] = pad, pad, pad, pad
        _reads(call, model, parts, H, src, pad)
        _writes(call, model, parts, H, src, tgt)
        _learns(call, model, parts, H, src, tgt, pad)
    _lengths(make(11, 8, 2, 12, 1, 6))
    _moves(make(11, 8, 2, 12, 1, 6))
    _drops(make)
    _starts(make, rng)


def _embeds(call: str, model: Any, parts: Parts, longest: int, rng: torch.Generator) -> None:
    """embedding · √E + sinusoidal positions from start, up to exactly max_len."""
    table = parts["embedding.weight"]
    V, E = table.shape
    places = blocks.sinusoidal_encoding(longest, E).to(table.dtype)
    for n, start in [(4, 0), (3, 2), (1, longest - 1), (longest, 0), (5, longest - 5)]:
        tokens = torch.randint(V, (2, n), generator=rng)
        want = table[tokens] * math.sqrt(E) + places[start : start + n]
        plain = table[tokens] + places[start : start + n]
        wrong = {
            "the embedding is not multiplied by √E.": plain.tolist(),
            "positions were multiplied by √E, too.": (plain * math.sqrt(E)).tolist(),
            "positions begin at `start`, not at 0.": (want - places[start : start + n] + places[:n]).tolist(),
            "positions are missing.": (want - places[start : start + n]).tolist(),
        }
        asked = f"{call}.embed(tokens (2, {n}), start={start})"
        got = model.embed(tokens, start=start) if start else model.embed(tokens)
        check.values(asked, got, want, axes=AXES, tolerance=1e-4, known_wrong=wrong)


def _reads(call: str, model: Any, parts: Parts, n_heads: int, src: Tensor, pad: int) -> None:
    """encode: padding is invisible, whatever its embedding; the rest as by the formulas."""
    longer = torch.cat([src, torch.full_like(src[:, :2], pad)], dim=1)
    check.kept(f"{call}.encode(src)", model.encode, src)
    got, wide = model.encode(src), model.encode(longer)
    note = f"Keys equal to pad_id = {pad} are padding: nothing may attend to them."
    check.values(
        f"{call}.encode(src with more padding)[:, :6]", wide[:, :6], got.detach(), axes=AXES, note=note
    )
    want = encoded(parts, n_heads, model.embed(src), src != pad)
    note = "Embedded, through all pre-norm blocks, then encoder_norm."
    check.values(f"{call}.encode(src)", got, want.detach(), axes=AXES, note=note)


def _writes(call: str, model: Any, parts: Parts, n_heads: int, src: Tensor, tgt: Tensor) -> None:
    """decode: causal, src_mask as it is given, one text apart from the next, logits by the embedding."""
    size = parts["embedding.weight"].shape[1]
    memory = torch.cos(torch.arange(24.0 * size).double()).view(4, 6, size)
    real = src != model.pad_id
    real[1] = ~real[1]  # src_mask counts, not the ids
    check.kept(f"{call}.decode(tgt, memory, src_mask)", model.decode, tgt, memory, real)
    got, changed = model.decode(tgt, memory, real).detach(), tgt.clone()
    changed[:, 3] = (tgt[:, 3] + 1) % len(parts["embedding.weight"])
    other = model.decode(changed, memory, real).detach()
    told = f"{call}.decode(tgt, memory, src_mask)"
    check.values(
        f"{told}[:, :3], with another token at 3", other[:, :3], got[:, :3], axes=LOGITS, note=FUTURE
    )
    hidden = torch.where(real[..., None], memory, 7.0)
    note = "Where src_mask is False, memory must not matter."
    check.values(f"{told} with another memory there", model.decode(tgt, hidden, real), got, note=note)
    want = decoded(parts, n_heads, model.embed(tgt), memory, real).detach()
    wrong = {
        "logits are scaled by √E; only the embedding is, on the way in.": (want * math.sqrt(size)).tolist(),
        "logits are scaled by 1/√E; they stay as they are.": (want / math.sqrt(size)).tolist(),
        "logits stay as they are: no softmax.": want.softmax(dim=-1).tolist(),
        "logits stay as they are: no log_softmax.": want.log_softmax(dim=-1).tolist(),
    }
    note = "Embedded, through all blocks, then decoder_norm, times the embedding."
    check.values(told, got, want, axes=LOGITS, known_wrong=wrong, note=note)


def _learns(call: str, model: Any, parts: Parts, n_heads: int, src: Tensor, tgt: Tensor, pad: int) -> None:
    """forward: both halves put together, nothing shifted, and every gradient."""
    exact = {name: part.clone().requires_grad_() for name, part in parts.items()}
    table, scale = exact["embedding.weight"], math.sqrt(parts["embedding.weight"].shape[1])
    given, written = (
        table[one] * scale + (model.embed(one) - parts["embedding.weight"][one] * scale).detach()
        for one in (src, tgt)
    )
    real = src != pad
    want = decoded(exact, n_heads, written, encoded(exact, n_heads, given, real), real)
    got, note = model(src, tgt), "forward is decode(tgt, encode(src), src != pad_id); nothing is shifted."
    check.values(f"{call}(src, tgt)", got, want.detach(), axes=LOGITS, note=note)
    cotangent = torch.cos(torch.arange(want.numel(), dtype=want.dtype)).view(want.shape)
    slopes = torch.autograd.grad((want * cotangent).sum(), list(exact.values()))
    model.zero_grad()
    (got * cotangent).sum().backward()
    found = {name: part.grad for name, part in model.named_parameters(remove_duplicate=False)}
    for name, slope in zip(exact, slopes, strict=True):
        check.true(call, found[name] is not None, f"no gradient arrives at {name}; is it detached?")
        check.values(f"the gradient of {name} in {call}(src, tgt)", found[name], slope, tolerance=1e-7)


def _lengths(model: Any) -> None:
    """Positions end at max_len = 6."""
    for n, start in [(7, 0), (3, 4), (1, 6), (20, 0), (6, 1)]:
        tokens = torch.ones(1, n, dtype=torch.long)
        ask = lambda tokens=tokens, start=start: model.embed(tokens, start=start)  # noqa: E731
        call = f"Transformer(…, max_len=6).embed(tokens (1, {n}), start={start})"
        check.raises(call, ask, mentions=((str(n), str(n + start), str(n + start - 1)), "6"))
    many, memory = torch.ones(1, 7, dtype=torch.long), torch.zeros(1, 7, 8)
    check.raises("encode(src (1, 7)), max_len 6", lambda: model.encode(many), mentions=("6",))
    call = "decode(tgt (1, 7), memory, src_mask), max_len 6"
    check.raises(call, lambda: model.decode(many, memory, many > 0), mentions=("6",))


def _moves(model: Any) -> None:
    """The positions go where the model goes, here to the device without memory."""
    model.to("meta")
    tokens = torch.ones(2, 3, dtype=torch.long, device="meta")
    call = 'Transformer(…).to("meta").embed(tokens on meta)'
    why = "positions stay on the CPU when the model moves; a buffer moves with it."
    got = welcome(call, lambda: model.embed(tokens), why, RuntimeError)
    check.true(call, str(got.device) == "meta", f"the result is on {got.device}, expected meta.")


def _drops(make: Any) -> None:
    """Dropout of the embedded text and in every block, 0.1 unless told; float32 stays; none in eval mode."""
    tokens = torch.ones(16, 60, dtype=torch.long)
    share = (make(5, 32, 4, 8, 1, 60).embed(tokens) == 0).float().mean().item()
    say = f"{share:.0%} of embedding + positions are dropped in training; 0.1 of the sum should be."
    check.true("Transformer(5, 32, 4, 8, 1, 60).embed(tokens)", 0.07 < share < 0.13, say)
    model, src = make(9, 8, 2, 12, 2, 6, dropout=1.0), torch.tensor([[1, 3, 4]])
    note = "With a dropout of 1 nothing is left before the last norm: the embedding and all blocks need it."
    call = "Transformer(9, 8, 2, 12, 2, 6, dropout=1.0)"
    check.values(f"{call}.encode(src) while training", model.encode(src), torch.zeros(1, 3, 8), note=note)
    memory, zeros = torch.ones(1, 3, 8), torch.zeros(1, 3, 9)
    check.values(
        f"{call}.decode(tgt, memory, src_mask)", model.decode(src, memory, src > 0), zeros, note=note
    )
    model.eval()
    check.true(
        f"{call}.eval()(src, src)", bool((model(src, src) != 0).any()), "nothing is dropped in eval mode."
    )


STARTS: list[tuple[int, ...]] = [(1000, 32, 4, 64, 2, 40), (2000, 48, 4, 96, 3, 40)]


def _starts(make: Any, rng: torch.Generator, cases: list[tuple[int, ...]] = STARTS) -> None:
    """An untrained model knows nothing, and says so: its loss is about ln V."""
    for sizes in cases:
        model, guess = make(*sizes, dropout=0.0), math.log(sizes[0])
        src, tgt, targets = torch.randint(1, sizes[0], (3, 16, 40), generator=rng)
        logits = model(src, tgt)
        check.shape(
            f"Transformer{sizes}(src (16, 40), tgt (16, 40))", logits, (16, 40, sizes[0]), axes=LOGITS
        )
        loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()
        say = f"untrained, it loses {loss:.2f} a piece, but a blind guess only ln V = {guess:.2f}."
        say += " Logits are products with the embedding: let its numbers start small."
        check.true(f"Transformer{sizes}", loss < guess + 1, say)
