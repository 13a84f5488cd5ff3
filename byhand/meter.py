"""What attention costs on this machine: processor time and memory against length, and torch beside it.

    meter.curves(methods, lengths)   seconds and MiB of each method at each length, slopes printed
    meter.beside_torch(local)        windowed attention, torch's fused full one, FlexAttention: a table
Order: memory, time, curves, the table.
"""

from __future__ import annotations

import time
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from byhand._device import made_on
from byhand._threads import one_thread

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
FLEX = "FlexAttention"
fused = torch.nn.functional.scaled_dot_product_attention


def full(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention by the formula, every score in memory."""
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    scores = scores if mask is None else scores.masked_fill(~mask, float("-inf"))
    output: Tensor = scores.softmax(dim=-1) @ v
    return output


class Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is on: peak, the bytes of all new tensors alive at the same time, at most."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.known: weakref.WeakSet[Any] = weakref.WeakSet()
        self.live = self.peak = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [part for part in _pytree.tree_leaves(args) if torch.is_tensor(part)]
        old = {id(part.untyped_storage()) for part in given}
        results = function(*args, **(kwargs or {}))
        for part in _pytree.tree_leaves(results):
            storage = part.untyped_storage() if torch.is_tensor(part) else None
            if storage is not None and storage not in self.known and id(storage) not in old:
                self.known.add(storage)
                self.live += storage.nbytes()
                weakref.finalize(storage, self.free, storage.nbytes())
        self.peak = max(self.peak, self.live)
        return results

    def free(self, size: int) -> None:
        self.live -= size


def seconds(function: Callable[[], Any], most: int = 5) -> float:
    """Processor seconds of the best of `most` calls, of fewer if they are slow: others do not count."""
    found: list[float] = []
    while len(found) < most and sum(found) < 0.5:
        start = time.process_time()
        function()
        found.append(time.process_time() - start)
    return min(found)


def cost(function: Attention, n_tokens: int) -> tuple[float, float]:
    """Processor seconds and MiB of new tensors for random q, k, v (n_tokens, 16)."""
    q, k, v = torch.randn(3, n_tokens, 16, generator=torch.Generator().manual_seed(n_tokens))
    with torch.no_grad():
        with Meter() as meter:
            function(q, k, v)
        return seconds(lambda: function(q, k, v)), max(meter.peak, 1) / 2**20


def curves(
    methods: Mapping[str, Attention], lengths: Sequence[int], short: Sequence[str] = (), longest: int = 4096
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """(seconds, MiB) of each method at each length, on one core; prints the slopes on log-log paper.

    A line for each method ends with its cost at its longest text.

    short: methods to be measured only up to `longest` tokens; nan beyond.
    """
    times, sizes = {}, {}
    with one_thread():  # so that machines can be compared
        for name, function in methods.items():
            print(f"{name:<17} ", end="", flush=True)  # some take long: say which one is at work
            reach = [n for n in lengths if n <= longest or name not in short]
            found = np.full((len(lengths), 2), np.nan)
            found[: len(reach)] = [cost(function, n) for n in reach]
            end = np.log(found[len(reach) - 3 : len(reach)])
            slope = [np.polyfit(np.log(reach[-3:]), end[:, column], 1)[0] for column in (0, 1)]
            slopes = f"slope in time {slope[0]:3.1f}, in memory {slope[1]:3.1f}"
            last = f"{1000 * found[len(reach) - 1, 0]:7.1f} ms, {found[len(reach) - 1, 1]:5.1f} MiB"
            print(f"{slopes}; at {reach[-1]:6,} tokens {last}", flush=True)
            times[name], sizes[name] = found.T
    return times, sizes


@cache
def flex(window: int, n_tokens: int, device: str) -> Attention:
    """FlexAttention with a window, compiled at its first call. Raises if it does not compile here."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    def near(batch: Any, head: Any, i: Any, j: Any) -> Any:
        return (i - j).abs() <= window

    # Compiled: else it holds every pair of tokens, 34 GB of them for 65,536 tokens.
    pairs = torch.compile(create_block_mask)(near, None, None, n_tokens, n_tokens, device=device)
    compiled = torch.compile(flex_attention)
    return lambda q, k, v: compiled(q, k, v, block_mask=pairs)


def milliseconds(function: Callable[[], Tensor], device: str) -> float:
    """The best of some calls after one that warms up or compiles. Processor time; on a GPU, wall clock."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    found: list[float] = []
    while len(found) < 6 and sum(found[1:]) < 1:
        start = clock()
        function()[0, 0, -1, -1].item()  # reading a number waits for a GPU to finish
        found.append(clock() - start)
    return 1000 * min(found[1:])


def beside_torch(
    local: Callable[..., Tensor], window: int = 128, n_tokens: int = 16384, sizes: Sequence[int] = (16, 64)
) -> dict[str, float]:
    """Print milliseconds and ratios, torch's fused full attention = 1. Returns {"local D=16": ratio, …}.

    On a CPU all run on one core, in processor time, so that other programs do not count.
    """
    device, ratios = "cuda" if torch.cuda.is_available() else "cpu", {}
    rivals: dict[str, Attention] = {
        "full, torch's fused": fused,
        "local": lambda q, k, v: local(q, k, v, window),
        FLEX: lambda q, k, v: flex(window, n_tokens, device)(q, k, v),
    }
    print(f"{n_tokens:,} tokens, window {window}, on {device}{', one core' if device == 'cpu' else ''}")
    with one_thread():
        for D in sizes:
            generator = torch.Generator(device).manual_seed(1)
            q, k, v = torch.randn(3, 1, 1, n_tokens, D, device=device, generator=generator)
            print(f"  head size D = {D}")
            whole = 0.0
            for name, function in rivals.items():
                taken = _row(name, partial(function, q, k, v), device, whole)
                whole = whole or taken
                if taken and function is not fused:
                    ratios[f"{name} D={D}"] = whole / taken
    return ratios


def _row(name: str, function: Callable[[], Tensor], device: str, whole: float) -> float:
    """Print a line of the table. Returns milliseconds, 0.0 if it does not run here."""
    print(f"  {name:<20}", end=" ", flush=True)  # before the wait
    try:
        with torch.no_grad(), made_on(device), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the compiler's own
            taken = milliseconds(function, device)
    except Exception as error:  # compiling fails in many ways
        if name != FLEX:
            raise
        print(f"does not compile here ({type(error).__name__}); nothing depends on it")
        return 0.0
    print(f"{taken:9.1f} ms, {(whole or taken) / taken:5.1f} times as fast", flush=True)
    return taken
