"""Gradients across the boundary: copies of tensors whose graph another process keeps.

    here: y = f(x), a copy       there: y = f(x), with its graph
    y.backward()  --"grad", cotangents-->  autograd  --gradient of x-->  x.grad

Imported only when such a tensor arrives, since it needs torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from autograder.wire import arrays
from autograder.wire.errors import WireError

if TYPE_CHECKING:
    from autograder.wire.peer import Peer


class _Kept:
    """A graph that the other side keeps until nothing here refers to it."""

    def __init__(self, peer: Peer, graph: int, tensors: Sequence[torch.Tensor]) -> None:
        self.peer, self.graph, self.tensors = peer, graph, tensors

    def __del__(self) -> None:
        self.peer.dropped[1].append(self.graph)


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kept: _Kept, starter: torch.Tensor, *leaves: torch.Tensor) -> Any:
        ctx.kept, ctx.shapes = kept, [(leaf.shape, leaf.dtype) for leaf in leaves]
        ctx.set_materialize_grads(False)
        return tuple(kept.tensors)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> Any:
        plain = [None if one is None else one.detach() for one in cotangents]
        found = ctx.kept.peer.gradients(ctx.kept.graph, plain)
        if type(found) is not list or len(found) != len(ctx.shapes):
            raise WireError("gradients of another number")
        for gradient, (shape, dtype) in zip(found, ctx.shapes, strict=True):
            fits = gradient is None or (arrays.is_array(gradient) and isinstance(gradient, torch.Tensor))
            if not fits or (gradient is not None and (gradient.shape != shape or gradient.dtype != dtype)):
                raise WireError("a gradient that does not fit its input")
        return None, None, *found


def link(peer: Peer, graph: int, tensors: list[Any], leaves: list[Any]) -> Sequence[torch.Tensor]:
    """The tensors, as results of the leaves, whose gradient the other side computes."""
    for tensor in tensors:
        floating = type(tensor) is torch.Tensor and (tensor.is_floating_point() or tensor.is_complex())
        if not floating or tensor.requires_grad:
            raise WireError("a result with a gradient that cannot have one")
    with torch.enable_grad():
        starter = torch.zeros((), requires_grad=True)  # parameters over there need no input of ours
        results: Sequence[torch.Tensor] = _Through.apply(  # type: ignore[no-untyped-call]
            _Kept(peer, graph, tensors), starter, *leaves
        )
    return results
