"""Every property that an encoder's block and an encoder must have (lesson 06).

    probe_encoder.block(EncoderBlock, check.generator())
    probe_encoder.encoder(TransformerEncoder, check.generator())

The hidden checks call these with fresh random inputs. What is right comes from torch's own layers. Answers
may be in another process: layers are asked only through calls, parameters are read as copies.
Order: block, encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from byhand import check
from byhand.probes.layers import has, redrawn

AXES = ("text", "token", "feature")
BLOCKS: tuple[str, ...] = (
    "EncoderBlock",
    "TransformerEncoderLayer",
    "TransformerEncoder",
    "blocks.Transformer",
)
BLOCKS += ("nn.Transformer", "manual_seed")  # blocks, and what holds some
THREE = ("q_proj", "k_proj", "v_proj")
HOMES = {
    "self_attn.out_proj": "attention.out_proj",
    "norm1": "norm1",
    "norm2": "norm2",
    "linear1": "feed_forward.up",
    "linear2": "feed_forward.down",
}


# Block


def block_shapes(size: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """The parameters of an encoder's block, and their shapes."""
    found: dict[str, tuple[int, ...]] = {}
    for name in (*(f"attention.{part}" for part in THREE), "attention.out_proj"):
        found |= {f"{name}.weight": (size, size), f"{name}.bias": (size,)}
    for name in ("norm1", "norm2"):
        found |= {f"{name}.weight": (size,), f"{name}.bias": (size,)}
    found |= {"feed_forward.up.weight": (hidden, size), "feed_forward.up.bias": (hidden,)}
    return found | {"feed_forward.down.weight": (size, hidden), "feed_forward.down.bias": (size,)}


def torchs(parts: Mapping[str, Tensor], n_heads: int, norm_first: bool, eps: float) -> Any:
    """nn.TransformerEncoderLayer with these parameters, which are named as in the lesson."""
    hidden, size = parts["feed_forward.up.weight"].shape
    layer = nn.TransformerEncoderLayer(
        size, n_heads, hidden, 0.0, "gelu", eps, batch_first=True, norm_first=norm_first, dtype=torch.float64
    )
    layer.load_state_dict(_renamed(parts))
    return layer


def _renamed(parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = {}
    for kind in ("weight", "bias"):
        found[f"self_attn.in_proj_{kind}"] = torch.cat([parts[f"attention.{one}.{kind}"] for one in THREE])
        found |= {f"{theirs}.{kind}": parts[f"{ours}.{kind}"] for theirs, ours in HOMES.items()}
    return found


def block(make: Any, rng: torch.Generator) -> None:
    """make(d_model, n_heads, d_hidden, dropout, norm_first, eps) is lesson 06's EncoderBlock."""
    masks = [None, (2, 1, 1, 5), (5, 5), (2, 3, 5, 5)]
    for norm_first, mask_shape, eps, (E, H, F) in [
        *[(first, shape, 1e-5, (6, 3, 10)) for first in (True, False) for shape in masks],
        (True, None, 0.3, (4, 1, 3)),
        (False, None, 0.3, (4, 4, 1)),
    ]:
        layer = make(E, H, F, norm_first=norm_first, eps=eps)
        parts = redrawn(layer, rng)
        call = f"EncoderBlock({E}, {H}, {F}, norm_first={norm_first}, eps={eps})"
        has(call, layer, block_shapes(E, F))
        x = torch.randn(2, 5, E, generator=rng, dtype=torch.float64)
        mask = None if mask_shape is None else torch.rand(mask_shape, generator=rng) < 0.6
        if mask is not None:
            mask[..., 0] = True
        _against_torch(f"{call}(x, mask {mask_shape})", layer, torchs(parts, H, norm_first, eps), x, mask, H)
    _block_edges(make, rng)


def _against_torch(call: str, layer: Any, theirs: Any, x: Tensor, mask: Tensor | None, n_heads: int) -> None:
    """The same output, and the same gradient of x and of every parameter."""
    blocked = None if mask is None else ~mask.expand(len(x), n_heads, 5, 5).flatten(0, 1)
    mine, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    want = theirs(other, src_mask=blocked)
    got = layer(mine) if mask is None else layer(mine, mask)
    check.values(f"{call}, against torch's layer", got, want.detach(), axes=AXES)
    check.true(call, got.requires_grad, "the result is cut off from its gradient.")
    layer.zero_grad()
    cotangent = torch.cos(torch.arange(x.numel(), dtype=x.dtype)).view(x.shape)
    (got * cotangent).sum().backward()
    (want * cotangent).sum().backward()
    check.values(f"the gradient of x in {call}", mine.grad, other.grad)
    slopes = {name: part.grad for name, part in layer.named_parameters()}
    wanted = {name: part.grad for name, part in theirs.named_parameters()}
    missing = next((name for name, slope in slopes.items() if slope is None), "")
    check.true(call, not missing, f"no gradient arrives at {missing}.")
    for name, slope in _renamed(slopes).items():
        check.values(f"the gradient of {name} (torch's name) in {call}", slope, wanted[name])


def _block_edges(make: Any, rng: torch.Generator) -> None:
    """A query that may attend to nothing, dropout, float32, inputs kept, wrong sizes."""
    layer, x = make(6, 3, 10), torch.randn(2, 5, 6, generator=rng, dtype=torch.float64)
    redrawn(layer, rng)
    nothing = torch.ones(5, 5, dtype=torch.bool)
    nothing[2] = False
    leaf = x.clone().requires_grad_()
    out = layer(leaf, nothing)
    out.square().sum().backward()
    call = "layer(x, mask), where query 2 may attend to nothing"
    finite = bool(out.isfinite().all()) and leaf.grad is not None and bool(leaf.grad.isfinite().all())
    check.true(call, finite, "the output or the gradient is not finite.")
    check.kept("layer(x, mask)", layer, x, nothing)
    single = make(6, 3, 10)
    parts = redrawn(single, rng, torch.float32)
    parts = {name: part.double() for name, part in parts.items()}
    want = torchs(parts, 3, True, 1e-5)(x).detach().float()
    check.values("layer(x) in float32", single(x.float()), want, axes=AXES, tolerance=1e-4)
    check.raises(
        "EncoderBlock(6, 3, 10)(x), x (2, 5, 7)", lambda: single(torch.ones(2, 5, 7)), error=Exception
    )
    check.raises("EncoderBlock(6, 4, 10)", lambda: make(6, 4, 10), error=Exception)
    for norm_first in (True, False):
        _block_dropout(make, norm_first)


def _block_dropout(make: Any, norm_first: bool) -> None:
    """With a dropout of 1 nothing is added to the stream; with 0.5 each branch has its own; none in eval."""
    call = f"EncoderBlock(4, 2, 6, dropout=1.0, norm_first={norm_first})"
    layer, x = (
        make(4, 2, 6, dropout=1.0, norm_first=norm_first).double(),
        torch.eye(4, dtype=torch.float64)[None],
    )
    want = x if norm_first else nn.functional.layer_norm(x, (4,), eps=1e-5)
    say = "Dropout falls on what a branch adds, never on the stream."
    want = want if norm_first else nn.functional.layer_norm(want, (4,), eps=1e-5)
    check.values(f"{call}(x) while training", layer(x), want, note=say)
    layer.eval()
    state = {name: 0 * part for name, part in layer.named_parameters()}
    check.true(f"{call}.eval()(x)", not torch.equal(layer(x), want), "in eval mode nothing is dropped.")
    layer = make(40, 2, 6, dropout=0.5).double()
    state = {name: torch.zeros(tuple(part.shape)) for name, part in layer.named_parameters()}
    ones = torch.ones(40)
    layer.load_state_dict(state | {"attention.out_proj.bias": ones, "feed_forward.down.bias": 4 * ones})
    found = layer(torch.zeros(1, 40, 40, dtype=torch.float64))
    say = "each branch has a dropout of its own, of what it adds to the stream."
    values = sorted({round(number, 6) for number in found.flatten().tolist()})
    check.true("EncoderBlock(40, 2, 6, dropout=0.5)(x) while training", values == [0, 2, 8, 10], say)


# Encoder


def encoder(make: Any, rng: torch.Generator) -> None:
    """make(vocab, d_model, n_heads, d_hidden, n_layers, max_len, pad_id, dropout) is TransformerEncoder."""
    for sizes, pad in [((9, 8, 2, 12, 2, 7), 0), ((6, 4, 4, 3, 1, 5), 3), ((5, 6, 1, 8, 3, 6), 4)]:
        layer = make(*sizes, pad_id=pad)
        call = f"TransformerEncoder{sizes}, pad_id={pad}"
        _counts(call, layer, sizes)
        parts = redrawn(layer, rng)
        ids = torch.tensor([one for one in range(sizes[0]) if one != pad])
        tokens = ids[torch.randint(len(ids), (4, sizes[-1]), generator=rng)]
        tokens[0, 3:], tokens[1, 1], tokens[2, 0] = pad, pad, pad
        tokens[3] = pad
        _reads(call, layer, parts, sizes, tokens, pad)
    _encoder_edges(make, rng)


def _counts(call: str, layer: Any, sizes: tuple[int, ...]) -> None:
    V, E, _, F, L, P = sizes
    block_size = sum(int(torch.tensor(shape).prod()) for shape in block_shapes(E, F).values())
    want = V * E + P * E + L * block_size + 2 * E
    got = sum(int(torch.tensor(tuple(part.shape)).prod()) for _, part in layer.named_parameters())
    say = (
        f"has {got} numbers to train, expected {want}: token embedding {V} x {E}, positions {P} x {E}, "
        f"{L} blocks of their own, the last norm."
    )
    check.true(call, got == want, say)


def _reads(
    call: str, layer: Any, parts: Mapping[str, Tensor], sizes: tuple[int, ...], tokens: Tensor, pad: int
) -> None:
    """Right at every real token, and dependent on real tokens only."""
    real, out = tokens != pad, layer(tokens)
    check.shape(f"{call}, tokens {tuple(tokens.shape)}", out, (*tokens.shape, sizes[1]), axes=AXES)
    check.true(call, bool(out.isfinite().all()), "a row of padding alone gives numbers that are not finite.")
    want = _by_torch(parts, sizes, tokens, real)
    if want is not None:
        note = "Compared with torch's layers: embedding + positions, pre-norm blocks, a last norm."
        check.values(f"{call}, at real tokens", out[real], want[real], note=note)
    short = tokens[:1, :3]
    note = "Padding must not reach real tokens."
    check.values(f"{call}, a text alone without its padding", layer(short), out[:1, :3], note=note)
    table = next(name for name, part in parts.items() if tuple(part.shape) == (sizes[0], sizes[1]))
    moved = parts[table].clone()
    moved[pad] += 5
    layer.load_state_dict({table: moved}, strict=False)
    check.values(f"{call}, another embedding of pad_id", layer(tokens)[real], out[real], note=note)
    layer.load_state_dict({table: parts[table]}, strict=False)
    swapped = layer(tokens[1:2].flip(1)).flip(1)
    differs = not torch.allclose(swapped[real[1:2]], out[1:2][real[1:2]])
    check.true(call, differs, "the order of the tokens changes nothing; are positions added?")
    check.kept(f"{call}(tokens)", layer, tokens)


def _by_torch(
    parts: Mapping[str, Tensor], sizes: tuple[int, ...], tokens: Tensor, real: Tensor
) -> Tensor | None:
    """What torch's own layers make of these parameters; None if their names are not those of the blocks."""
    V, E, H, F, L, P = sizes
    inner = block_shapes(E, F)
    prefixes = [name.removesuffix("norm1.weight") for name in parts if name.endswith("norm1.weight")]
    inside = {prefix + name for prefix in prefixes for name in inner}
    outside = {name: part for name, part in parts.items() if name not in inside}
    tables = [part for part in outside.values() if part.ndim == 2]
    last = [
        part for end in ("weight", "bias") for name, part in outside.items() if name.endswith(f"norm.{end}")
    ]
    if len(prefixes) != L or not inside <= set(parts) or len(outside) != 4 or len(last) != 2 or V == P:
        return None
    words, places = sorted(tables, key=lambda table: len(table) != V)
    x = words[tokens] + places[: tokens.shape[1]]
    mask = ~(real | ~real.any(dim=1, keepdim=True))  # where all is padding, torch's layers may look anywhere
    for prefix in prefixes:
        x = torchs({name: parts[prefix + name] for name in inner}, H, True, 1e-5)(
            x, src_key_padding_mask=mask
        )
    return nn.functional.layer_norm(x, (E,), last[0], last[1], 1e-5).detach()


def _encoder_edges(make: Any, rng: torch.Generator) -> None:
    """Attributes, lengths, gradients, dropout, float32."""
    layer = make(9, 8, 2, 12, 2, 6, pad_id=2)
    got = {name: getattr(layer, name) for name in ("d_model", "pad_id", "max_len")}
    check.values("d_model, pad_id and max_len of the encoder", got, {"d_model": 8, "pad_id": 2, "max_len": 6})
    tokens = torch.tensor([[1, 3, 2, 2, 2, 2], [2, 2, 2, 2, 2, 2]])
    out = layer(tokens)
    check.values("the dtype of the result", str(out.dtype), "torch.float32")
    for T in (7, 20):
        call, many = (
            f"TransformerEncoder(…, max_len=6)(tokens), {T} columns",
            torch.ones(1, T, dtype=torch.long),
        )
        check.raises(call, lambda many=many: layer(many), mentions=(str(T), "6"))  # type: ignore[misc]
    layer.zero_grad()
    layer(torch.tensor([[1, 3, 4, 5, 6, 7], [0, 1, 8, 2, 2, 2], [2] * 6])).square().sum().backward()
    for name, part in layer.named_parameters():
        good = part.grad is not None and bool(part.grad.isfinite().all())
        check.true("the encoder", good, f"the gradient of {name} is missing, or not finite.")
    dropped = make(9, 8, 2, 12, 2, 6, dropout=1.0)
    tokens = torch.tensor([[1, 3, 4]])
    say = (
        "With a dropout of 1 all is 0 before the last norm: drop embeddings, and pass dropout to the blocks."
    )
    check.values(
        "TransformerEncoder(…, dropout=1.0)(tokens) while training",
        dropped(tokens),
        torch.zeros(1, 3, 8),
        note=say,
    )
    dropped.eval()
    check.true("…eval()(tokens)", bool((dropped(tokens) != 0).any()), "in eval mode nothing is dropped.")
