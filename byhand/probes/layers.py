"""What the tests of lesson 06's small layers share: names, a reference in formulas of torch's, heads.

    probe_layers.has("FeedForward(1, 2)", layer, {"up.weight": (2, 1), "up.bias": (2,), ...})
    probe_layers.follows("FeedForward", FeedForward, reference, [((3, 5), (2, 4, 3)), ...])
    probe_layers.head("TokenTagger", TokenTagger, pools=False)

Answers may be in another process: layers are asked only through calls, parameters are read as copies.
Order: parameters, a layer against a reference, an encoder whose answers are known, heads on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from byhand import blocks, check

Reference = Callable[..., Tensor]
KINDS = ("layer", "group", "batch", "instance")
NORMS = (*(f"{kind}_norm" for kind in KINDS), *(f"native_{kind}_norm" for kind in KINDS), "byhand.blocks.")
NORMS += ("LayerNorm", "GroupNorm", *(f"{kind}Norm{n}d" for kind in ("Batch", "Instance") for n in (1, 2, 3)))
NORMS += ("nn.Transformer", "TransformerEncoderLayer", "TransformerDecoderLayer")  # which hold some

# Parameters


def has(call: str, layer: Any, want: Mapping[str, Any]) -> None:
    """The layer's parameters are these: name -> its shape, a tuple, or its numbers, a list."""
    got = {
        name: part.tolist() if isinstance(want.get(name), list) else tuple(part.shape)
        for name, part in layer.named_parameters()
    }
    check.values(f"the parameters of {call}", dict(sorted(got.items())), dict(sorted(want.items())))


def redrawn(layer: Any, rng: torch.Generator, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """Draw every parameter of the layer anew; what they are now, in this dtype."""
    layer.to(dtype)
    shapes = {name: tuple(part.shape) for name, part in layer.named_parameters()}
    drawn = {
        name: (0.6 * torch.randn(shape, generator=rng, dtype=torch.float64)).to(dtype)
        for name, shape in shapes.items()
    }
    layer.load_state_dict(drawn, strict=False)
    return drawn


# A layer against a reference


def follows(
    name: str,
    make: Callable[..., Any],
    reference: Reference,
    cases: Iterable[tuple[tuple[Any, ...], tuple[int, ...]]],
    *,
    about: float = 0.0,
    tolerance: float | None = None,
) -> None:
    """make(*sizes)(x) is reference(x, parameters, *sizes), with random numbers everywhere, in both dtypes.

    So are the gradients of x and of every parameter, in float64; x stays as it is.
    cases: (sizes, shape of x). about: the mean of x.
    """
    rng = check.generator()
    for sizes, shape in cases:
        for dtype in (torch.float64, torch.float32):
            layer = make(*sizes)
            parts = redrawn(layer, rng, dtype)
            x = (about + 2 * torch.randn(shape, generator=rng, dtype=torch.float64)).to(dtype)
            call = f"{name}({', '.join(map(str, sizes))})(x), x {shape}, {dtype}, about {about:g} ± 2"
            leaves = {"x": x} | parts
            exact = {key: part.double().clone().requires_grad_() for key, part in leaves.items()}
            want = reference(exact["x"], exact, *sizes)
            check.kept(call, layer, x)
            check.values(call, layer(x), want.detach().to(dtype), tolerance=tolerance)
            if dtype == torch.float64:
                _learns(call, layer, x, want, exact)


def _learns(call: str, layer: Any, x: Tensor, want: Tensor, exact: Mapping[str, Tensor]) -> None:
    """The gradients of x and of every parameter are those of the reference's result."""
    cotangent = torch.cos(torch.arange(want.numel(), dtype=want.dtype)).view(want.shape)
    slopes = torch.autograd.grad((want * cotangent).sum(), list(exact.values()))
    check.learns(call, layer, layer, {"x": x}, cotangent, dict(zip(exact, slopes, strict=True)))


# An encoder whose answers are known


class KnownEncoder(nn.Module):
    """Gives each id the row of a table, and notes what it was asked: what a head makes of it is known."""

    def __init__(self, table: Tensor, pad_id: int) -> None:
        super().__init__()
        self.table = nn.Parameter(table)
        self.d_model, self.pad_id = table.shape[1], pad_id
        self._seen: list[Tensor] = []

    def forward(self, tokens: Tensor) -> Tensor:
        self._seen.append(tokens)
        return self.table[tokens]


def small_head(make: Callable[..., Any], padding: float) -> Any:
    """make(encoder, 2), with a head of weights ((1, 0), (1, 1)) and bias (0, 10).

    The encoder gives (1, 0), (0, 1), (3, 5) for the ids 1, 2, 3, and (padding, padding) for 0, its pad_id.
    """
    encoder = KnownEncoder(torch.tensor([[padding, padding], [1, 0], [0, 1], [3, 5]]), pad_id=0)
    model = make(encoder, 2)
    say = "it is not the encoder that was given; keep that one."
    check.true("model.encoder", model.encoder is encoder, say)
    state = {"head.weight": torch.tensor([[1.0, 0], [1, 1]]), "head.bias": torch.tensor([0.0, 10])}
    model.load_state_dict(state, strict=False)
    return model


def head(name: str, make: Callable[..., Any], pools: bool) -> None:
    """make(encoder, n) is a linear layer on the encoder's vectors, or, if it pools, on each text's mean."""
    rng, axes = check.generator(), ("text", "class") if pools else ("text", "token", "tag")
    sizes = [(6, 3, 4, 0, (5, 6)), (5, 1, 2, 3, (4, 1)), (9, 7, 1, 8, (4, 3)), (4, 4, 4, 2, (4, 4))]
    for V, E, n, pad, shape in sizes:
        table = torch.randn(V, E, generator=rng)
        encoder, tokens = KnownEncoder(table, pad), torch.randint(V, shape, generator=rng)
        tokens[0, :4], tokens[1], tokens[2, shape[1] // 2] = pad, pad, pad
        tokens[-1, 0] = (pad + 1) % V  # at least one is real
        model = make(encoder, n)
        call = f"{name}(encoder, {n})(tokens), encoder.d_model {E}, encoder.pad_id {pad}, tokens {shape}"
        weight, bias = model.head.weight.detach(), model.head.bias.detach()
        shapes = tuple(weight.shape), tuple(bias.shape)
        check.values(f"the shapes of head in {call}", shapes, ((n, E), (n,)))
        leaves = [part.clone().requires_grad_() for part in (table, weight, bias)]
        want = leaves[0][tokens]
        want = nn.functional.linear(blocks.mean_pool(want, tokens != pad) if pools else want, *leaves[1:])
        check.values(call, model(tokens), want.detach(), axes=axes)
        check.values(f"what the encoder received in {call}", encoder._seen, [tokens])
        check.kept(call, model, tokens)
        model.zero_grad()
        model(tokens).sum().backward()
        slopes = torch.autograd.grad(want.sum(), leaves)
        parts = dict(model.named_parameters())
        found = [encoder.table.grad, parts["head.weight"].grad, parts["head.bias"].grad]
        reached = ("that reaches the encoder", "of head.weight", "of head.bias")
        for what, got, slope in zip(reached, found, slopes, strict=True):
            check.values(f"the gradient {what} in {call}", got, slope, tolerance=1e-4)
