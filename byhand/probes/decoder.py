"""Every property that a decoder's block must have, and the formulas that it is compared with (lesson 07).

    probe_decoder.block(DecoderBlock, check.generator())

The hidden checks call this with fresh random inputs. What is right comes from slow formulas in float64, head
by head, which tests/byhand/probes/test_translation.py compares with torch's own layers. Answers may be in
another process: layers are asked only through calls, parameters are set by load_state_dict.
Order: names and shapes, the slow formulas, a decoder's block.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from byhand import check

Parts = Mapping[str, Tensor]
Shapes = dict[str, tuple[int, ...]]
AXES = ("text", "token", "feature")
LIBRARY = (
    "TransformerDecoderLayer", "TransformerDecoder", "Transformer", "DecoderBlock",
    "byhand.translation.", "manual_seed",
)  # fmt: skip
RULES: dict[str, Any] = {"forbid": LIBRARY, "allow_text": "MultiHeadAttention, FeedForward, nn.LayerNorm."}
ATTENTIONS = ("self_attention", "cross_attention")


# Names and shapes


def block_shapes(size: int, hidden: int, attentions: tuple[str, ...] = ATTENTIONS) -> Shapes:
    """The parameters of a decoder's block, or with one attention of an encoder's, and their shapes."""
    found: Shapes = {}
    for attention in attentions:
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            found |= layer_shapes(f"{attention}.{part}", size, size)
    for number in range(len(attentions) + 1):
        found |= {f"norm{number + 1}.weight": (size,), f"norm{number + 1}.bias": (size,)}
    return (
        found
        | layer_shapes("feed_forward.up", hidden, size)
        | layer_shapes("feed_forward.down", size, hidden)
    )


def layer_shapes(name: str, n_out: int, n_in: int) -> Shapes:
    return {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}


def has(call: str, layer: Any, want: Shapes) -> None:
    """These are the layer's parameters, each of them once; a second name for one of them is free."""
    named = {name: tuple(part.shape) for name, part in layer.named_parameters(remove_duplicate=False)}
    missing, known = sorted(set(want) - set(named)), ", ".join(sorted(set(named) - set(want))[:4])
    text = f"there is no {', '.join(missing[:4])}; names that the lesson does not know: {known or 'none'}."
    check.true(f"the parameters of {call}", not missing, text)
    shapes = {name: named[name] for name in sorted(want)}
    check.values(f"the shapes of the parameters of {call}", shapes, dict(sorted(want.items())))
    trained = [tuple(part.shape) for _, part in layer.named_parameters() if part.requires_grad]
    counted = sum(map(math.prod, trained))
    wanted = sum(map(math.prod, want.values()))
    say = f"it has {counted} numbers to train, expected {wanted}."
    say += " One table serves both languages and the output." if "embedding.weight" in want else ""
    check.true(call, counted == wanted, say)


def redrawn(
    layer: Any, want: Shapes, rng: torch.Generator, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    """Draw every parameter anew; what they are now, in this dtype. The layer is then in eval mode."""
    layer.to(dtype)
    layer.eval()
    drawn = {
        name: 0.5 * torch.randn(shape, generator=rng, dtype=torch.float64) for name, shape in want.items()
    }
    drawn = {
        name: (part + (".norm" in f".{name}" or "_norm" in name)).to(dtype) for name, part in drawn.items()
    }
    layer.load_state_dict(drawn, strict=False)
    return drawn


# The slow formulas


def within(parts: Parts, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): part for name, part in parts.items() if name.startswith(prefix)}


def linear(parts: Parts, name: str, x: Tensor) -> Tensor:
    return x @ parts[f"{name}.weight"].T + parts[f"{name}.bias"]


def norm(parts: Parts, name: str, x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], parts[f"{name}.weight"], parts[f"{name}.bias"])


def attended(parts: Parts, n_heads: int, x: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
    """Attention of x (B, T, E) to keys (B, S, E), head by head; a query without keys reads zeros."""
    q, k, v = linear(parts, "q_proj", x), linear(parts, "k_proj", keys), linear(parts, "v_proj", keys)
    size, found = x.shape[-1] // n_heads, []
    shape = (len(x), n_heads, x.shape[1], keys.shape[1])
    may = torch.ones(shape) > 0 if mask is None else mask.expand(shape)
    for h in range(n_heads):
        own = slice(h * size, (h + 1) * size)
        scores = q[..., own] @ k[..., own].transpose(1, 2) / math.sqrt(size)  # (B, T, S)
        shares = (scores - scores.amax(dim=-1, keepdim=True).detach()).exp() * may[:, h]
        total = shares.sum(dim=-1, keepdim=True)
        found.append(shares / torch.where(total > 0, total, 1) @ v[..., own])
    return linear(parts, "out_proj", torch.cat(found, dim=-1))


def stepped(
    parts: Parts,
    n_heads: int,
    x: Tensor,
    mask: Tensor | None,
    memory: Tensor | None = None,
    memory_mask: Tensor | None = None,
) -> Tensor:
    """A pre-norm block: an encoder's, or, with a memory, a decoder's."""
    own, last = ("attention.", "norm2") if memory is None else ("self_attention.", "norm3")
    normed = norm(parts, "norm1", x)
    x = x + attended(within(parts, own), n_heads, normed, normed, mask)
    if memory is not None:
        cross = within(parts, "cross_attention.")
        x = x + attended(cross, n_heads, norm(parts, "norm2", x), memory, memory_mask)
    hidden = linear(parts, "feed_forward.up", norm(parts, last, x))
    return x + linear(parts, "feed_forward.down", hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2)


# A decoder's block


def small(make: Any) -> Any:
    """make(2, 1, 3), whose branches add (1, 0), memory and (0, 4), whatever the stream is."""
    layer, shapes = make(2, 1, 3), block_shapes(2, 3)
    has("DecoderBlock(2, 1, 3)", layer, shapes)
    state = {name: torch.zeros(shape) for name, shape in shapes.items()}
    state |= {f"norm{n}.weight": torch.ones(2) for n in (1, 2, 3)}
    state |= {f"cross_attention.{part}_proj.weight": torch.eye(2) for part in ("v", "out")}
    state |= {"self_attention.out_proj.bias": torch.tensor([1.0, 0])}
    layer.load_state_dict(state | {"feed_forward.down.bias": torch.tensor([0.0, 4])}, strict=False)
    return layer


CASES: list[tuple[tuple[int, int, int], tuple[int, int], Any, Any]] = [
    ((6, 3, 10), (5, 4), None, None),
    ((6, 3, 10), (4, 6), (4, 4), (2, 1, 1, 6)),
    ((4, 1, 3), (3, 3), None, (3, 3)),
    ((4, 4, 1), (5, 2), (2, 1, 1, 5), None),
    ((6, 2, 6), (3, 5), (2, 2, 3, 3), (2, 2, 3, 5)),
    ((2, 1, 4), (1, 1), (1, 1), (2, 1, 1, 1)),
]


def block(make: Any, rng: torch.Generator) -> None:
    """make(d_model, n_heads, d_hidden, dropout) is lesson 07's DecoderBlock."""
    for sizes, (T, S), own, other in CASES:
        layer, call = make(*sizes), f"DecoderBlock{sizes}"
        shapes = block_shapes(sizes[0], sizes[2])
        has(call, layer, shapes)
        parts = redrawn(layer, shapes, rng)
        x, memory = (torch.randn(2, n, sizes[0], generator=rng, dtype=torch.float64) for n in (T, S))
        masks = {"self_mask": own, "memory_mask": other}
        given = {name: torch.rand(shape, generator=rng) < 0.6 for name, shape in masks.items() if shape}
        told = "".join(f", {name} {shape}" for name, shape in masks.items() if shape)
        call = f"{call}(x (2, {T}, {sizes[0]}), memory (2, {S}, {sizes[0]}){told})"
        check.kept(call, layer, x, memory, **given)
        leaves = {"x": x, "memory": memory} | parts
        exact = {name: part.clone().requires_grad_() for name, part in leaves.items()}
        mine, theirs = given.get("self_mask"), given.get("memory_mask")
        want = stepped(exact, sizes[1], exact["x"], mine, exact["memory"], theirs)
        note = None if given else "Without masks all may attend: the block has no mask of its own."
        check.values(call, layer(x, memory, **given), want.detach(), axes=AXES, note=note)
        cotangent = torch.cos(torch.arange(want.numel(), dtype=want.dtype)).view(want.shape)
        slopes = torch.autograd.grad((want * cotangent).sum(), list(exact.values()))
        forward = lambda x, memory: layer(x, memory, **given)  # noqa: B023, E731
        inputs = {"x": x, "memory": memory}
        check.learns(call, layer, forward, inputs, cotangent, dict(zip(exact, slopes, strict=True)))
    _block_edges(make, rng)


def _block_edges(make: Any, rng: torch.Generator) -> None:
    """float32, wrong sizes, dropout of each branch and of nothing else."""
    layer, shapes = make(6, 3, 10), block_shapes(6, 10)
    parts = {name: part.double() for name, part in redrawn(layer, shapes, rng, torch.float32).items()}
    x, memory = torch.randn(2, 3, 6, generator=rng), torch.randn(2, 4, 6, generator=rng)
    want = stepped(parts, 3, x.double(), None, memory.double()).float()
    check.values("layer(x, memory) in float32", layer(x, memory), want, axes=AXES, tolerance=1e-4)
    wrong = {"x (2, 3, 7)": (torch.ones(2, 3, 7), memory), "memory (2, 4, 7)": (x, torch.ones(2, 4, 7))}
    for what, given in wrong.items():
        ask = lambda given=given: layer(*given)  # noqa: E731
        check.raises(f"DecoderBlock(6, 3, 10) of {what}", ask, error=Exception)
    check.raises("DecoderBlock(6, 4, 10)", lambda: make(6, 4, 10), error=Exception)
    call, layer = "DecoderBlock(6, 3, 10, dropout=1.0)(x, memory)", make(6, 3, 10, dropout=1.0)
    say = "Dropout falls on what a branch adds, never on the stream."
    check.values(f"{call} while training", layer(x, memory), x, note=say)
    layer.eval()
    check.true(f"{call} in eval mode", not torch.equal(layer(x, memory), x), "nothing is dropped then.")
    layer = make(40, 2, 6, dropout=0.5)
    state = {name: torch.zeros(shape) for name, shape in block_shapes(40, 6).items()}
    added = {"self_attention.out_proj": 1.0, "cross_attention.out_proj": 4.0, "feed_forward.down": 16.0}
    layer.load_state_dict(state | {f"{name}.bias": torch.full((40,), one) for name, one in added.items()})
    found = layer(torch.zeros(1, 40, 40), torch.zeros(1, 2, 40))
    values = sorted({round(number, 3) for number in found.flatten().tolist()})
    say = "each of the three branches has a dropout of its own, of what it adds to the stream."
    call = "DecoderBlock(40, 2, 6, dropout=0.5)(x, memory) while training"
    check.true(call, values == [0, 2, 8, 10, 32, 34, 40, 42], say)
    _inner_dropout(make, rng)


def _inner_dropout(make: Any, rng: torch.Generator) -> None:
    """While training, what the feed-forward branch adds is not 0 or twice what it adds in eval mode."""
    layer, shapes = make(4, 2, 64, dropout=0.5), block_shapes(4, 64)
    drawn = redrawn(layer, shapes, rng)
    off = [name for name in shapes if "attention.out_proj" in name]  # so that both attentions add 0
    layer.load_state_dict({name: 0 * drawn[name] for name in off}, strict=False)
    x, memory = (torch.randn(1, n, 4, generator=rng, dtype=torch.float64) for n in (5, 2))
    added = (layer(x, memory) - x).detach()
    layer.train()
    found = (layer(x, memory) - x).detach()
    plain = torch.isclose(found, 2 * added) | (found.abs() < 1e-9)
    say = "nothing is dropped inside feed_forward: give FeedForward the dropout, too."
    check.true("DecoderBlock(4, 2, 64, dropout=0.5)(x, memory) while training", not bool(plain.all()), say)


# What known mistakes give in the visible checks

MISTAKES: dict[str, Any] = {
    "cross-attention was left out.": [[[4, 5]]],
    "cross-attention replaced the stream; add it.": [[[10, 24]]],
    "self-attention replaced the stream; add it.": [[[11, 24]]],
    "the feed-forward branch replaced the stream; add it.": [[[0, 4]]],
    "self-attention was left out.": [[[13, 25]]],
    "the feed-forward branch was left out.": [[[14, 21]]],
    "memory was normalised; take it as it is.": [[[3, 6]]],
    "cross-attention reads its values from the stream; keys and values are memory.": [[[5, 4]]],
    "the sums were normalised (post-norm); only what a branch reads is.": [[[-1, 1]]],
}
SHOWN: dict[str, Any] = {"axes": AXES, "known_wrong": MISTAKES, "tolerance": 1e-3}
