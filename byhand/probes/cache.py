"""Every property that a cache of keys and values must have (lesson 07).

    probe_cache.cache(KVCache, make_model, counted, check.generator())

make_model and counted run where the answer runs: what it reads of a model's insides does not cross the wire.
What is right comes from `decode` over all tokens of the same model, made here once more.
Order: what answers run, models, steps, reorder, what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from byhand import blocks, check
from byhand.probes.decoding import redrawn


def counted(function: Callable[..., Any], *given: Any) -> tuple[Any, int]:
    """(function(*given), the floating point operations of its matrix products)."""
    counter = FlopCounterMode(display=False)
    with counter:
        result = function(*given)
    return result, counter.get_total_flops()


AXES = ("row", "id")
_WHOLE = "Compared with model.decode(all tokens so far, memory, src_mask)[:, -1]."
_OF = 8  # steps, of which one is counted
_REORDERED = "Row i goes on with what row rows[i] held: its own keys and values, its source's, and the mask."


def small(make_cache: Any, make_model: Any) -> None:
    """The visible check: three steps, a change of places, and rows that are repeated."""
    model = _Pair(make_model, torch.Generator().manual_seed(7), (7, 8, 2, 12, 2, 9), 0)
    src = torch.tensor([[3, 4, 5], [6, 4, 0], [5, 0, 0]])
    tokens = torch.tensor([[1, 5, 6], [1, 3, 3], [1, 4, 2]])
    call = "KVCache(model, src), model a small Transformer"
    held = make_cache(model.theirs, src)
    check.values("len(KVCache(model, src))", len(held), 0)
    for n in range(1, 4):
        _step(call, model, held, src, tokens[:, :n])
    for rows in ([1, 2, 0], [2, 2, 0, 1]):
        held.reorder(torch.tensor(rows))
        src, tokens = src[rows], torch.cat([tokens[rows], torch.tensor(rows)[:, None]], dim=1)
        _step(f"{call}, after reorder({rows})", model, held, src, tokens, _REORDERED)


def cache(make_cache: Any, make_model: Any, counted: Any, rng: torch.Generator) -> None:
    """make_cache(model, src) is KVCache; make_model and counted are learner-side, see above."""
    for (V, E, H, F, L, P), pad, (B, S), steps, dtype in [
        ((7, 8, 2, 12, 2, 9), 0, (3, 4), 9, torch.float32),
        ((6, 6, 3, 5, 1, 12), 5, (1, 1), 5, torch.float32),
        ((9, 8, 1, 8, 3, 7), 2, (4, 7), 4, torch.float32),
        ((7, 4, 2, 6, 2, 5), 0, (2, 3), 4, torch.float64),
    ]:
        sizes, model = (V, E, H, F, L, P), _Pair(make_model, rng, (V, E, H, F, L, P), pad)
        model.ours.to(dtype), model.theirs.to(dtype)
        src = model.sources(B, S)
        call = f"KVCache(model, src ({B}, {S})), Transformer{sizes}, pad_id={pad}, {dtype}"
        held = make_cache(model.theirs, src.clone())
        other = make_cache(model.theirs, model.sources(B, S))  # one beside it must not disturb it
        tokens = torch.randint(V, (B, steps), generator=rng)
        for at in range(steps):
            other.step(tokens[:, at].flip(0))
            _step(f"{call}, another cache beside it", model, held, src, tokens[:, : at + 1])
        check.values(f"model.training after {call}", model.theirs.training, False, note="As it was before.")
    _reordered(make_cache, make_model, rng)
    model = _Pair(make_model, rng, (6, 4, 2, 6, 1, 3), 0)
    held, token = make_cache(model.theirs, model.sources(2, 3)), torch.tensor([3, 4])
    check.kept("cache.step(token)", held.step, token)
    for _ in range(2):
        held.step(token)
    say = "a step beyond the model's max_len of 3"
    check.raises(say, lambda: held.step(token), error=Exception)
    _costs(make_cache, make_model, counted, rng)


class _Pair:
    """The same random Transformer twice: ours here, theirs where the answer runs."""

    def __init__(
        self, make_model: Any, rng: torch.Generator, sizes: Sequence[int], pad: int, spread: float = 0.4
    ):
        self.rng, self.pad, self.vocab_size = rng, pad, sizes[0]
        here: Any = blocks.Transformer
        self.ours = here(*sizes, pad)
        self.theirs = make_model(*sizes, pad)
        redrawn(self.ours, self.theirs, rng, spread)

    def sources(self, B: int, S: int) -> Tensor:
        ids = torch.tensor([one for one in range(self.vocab_size) if one != self.pad])
        src = ids[torch.randint(len(ids), (B, S), generator=self.rng)]
        for row in range(1, B):
            src[row, S - row % S :] = self.pad if row % S else src[row, :0]
        return src

    @torch.no_grad()
    def want(self, src: Tensor, tokens: Tensor) -> Tensor:
        """decode(all tokens so far)[:, -1]"""
        logits: Tensor = self.ours(src, tokens)[:, -1]
        return logits


def _step(call: str, model: _Pair, held: Any, src: Tensor, tokens: Tensor, note: str = _WHOLE) -> None:
    """One more step: its logits, the graph it must not build, the length."""
    got, n = held.step(tokens[:, -1]), tokens.shape[1]
    where = f"step {n} of {call}"
    rules: dict[str, Any] = {"axes": AXES, "note": note, "tolerance": 1e-4}
    try:
        check.values(where, got, model.want(src, tokens), **rules)
    except check.CheckFailed:
        check.values(where, got, model.want(src, tokens), known_wrong=_causes(model, src, tokens), **rules)
    check.true(where, not got.requires_grad, "a graph is built; use torch.no_grad().")
    check.values(f"len(cache) after {where}", len(held), n)


@torch.no_grad()
def _causes(model: _Pair, src: Tensor, tokens: Tensor) -> dict[str, Tensor]:
    """What usual mistakes give."""
    ours: Any = model.ours
    last = tokens[:, -1:]
    memory, real = ours.encode(src), src != model.pad
    causes = {
        "padding of the source is read; hide it with src != model.pad_id.": ours.decode(
            tokens, memory, torch.ones_like(real)
        ),
        "this is the step before.": ours.decode(tokens, memory, real)[:, :-1],
    }
    embed, norm = ours.embed, ours.decoder_norm
    ours.embed = lambda ids, start=0: torch.cat([embed(one[:, None]) for one in ids.T], dim=1)
    causes["every token is placed at position 0; pass start to embed."] = ours.decode(tokens, memory, real)
    ours.embed = lambda ids, start=0: embed(ids, start=tokens.shape[1] - 1)
    causes["only the last token is known; keep the keys and values of earlier ones."] = ours.decode(
        last, memory, real
    )
    ours.embed, ours.decoder_norm = embed, nn.Identity()
    causes["decoder_norm is missing."] = ours.decode(tokens, memory, real)
    ours.decoder_norm = norm
    causes["is_causal lets one query see the first key alone; it needs no causal mask."] = _first_key(
        ours, tokens, memory, real
    )
    return {say: logits[:, -1] for say, logits in causes.items() if logits.shape[1]}


def _first_key(ours: Any, tokens: Tensor, memory: Tensor, real: Tensor) -> Tensor:
    """decode, where every token sees no token but the first: what is_causal does to one query."""
    x, first = ours.embed(tokens), torch.arange(tokens.shape[1]) == 0
    for block in ours.decoder:
        x = block(x, memory, first[None], real[:, None, None])
    logits: Tensor = ours.decoder_norm(x) @ ours.embedding.weight.T
    return logits


def _reordered(make_cache: Any, make_model: Any, rng: torch.Generator) -> None:
    """Rows dropped, repeated, swapped, also before the first step; each goes on with its own source."""
    model = _Pair(make_model, rng, (7, 8, 2, 10, 2, 9), 0)
    src, tokens = model.sources(3, 4), torch.empty(3, 0, dtype=torch.long)
    held = make_cache(model.theirs, src)
    for rows in ([0, 0, 1, 2, 2], [4, 3, 2, 1, 0], [1, 1], [0, 1, 1, 0], [2, 0, 3]):
        order = torch.tensor(rows)
        call = f"KVCache after reorder({rows})"
        check.kept(f"cache.reorder({rows})", held.reorder, order)
        check.values(f"len(cache), {call}", len(held), tokens.shape[1])
        src, tokens = src[order], tokens[order]
        for _ in range(2 if len(rows) == 5 else 1):
            more = torch.randint(7, (len(src), 1), generator=rng)
            tokens = torch.cat([tokens, more], dim=1)
            _step(call, model, held, src, tokens, _REORDERED)


def _costs(make_cache: Any, make_model: Any, counted: Any, rng: torch.Generator) -> None:
    """256 steps take at most 1.3 times the operations of a perfect cache.

    The count is made where the answer runs, so the time is looked at from here too.
    """
    S, sizes = 12, (24, 64, 4, 256, 1, 256)
    model = _Pair(make_model, rng, sizes, 0, spread=0.1)
    src, tokens = model.sources(1, S), torch.randint(24, (1, 256), generator=rng)
    held, total = counted(make_cache, model.theirs, src)
    step, got, picked = held.step, tokens, torch.randint(_OF, (256 // _OF,), generator=rng)
    for n, token in enumerate(tokens.T):
        if n % _OF == picked[n // _OF]:  # counting takes long: one of each few steps, drawn by lot
            got, more = counted(step, token)
            total += _OF * more
        else:
            got = step(token)
    check.values("step 256 of KVCache", got, model.want(src, tokens), axes=AXES, tolerance=1e-4)
    ratio = total / perfect(1, S, 256, sizes)
    say = (
        f"256 steps take {ratio:.1f} times the operations of a perfect cache, at most 1.3 are allowed.\n"
        "  A step computes keys and values of one new token a row. Those of earlier tokens and of the\n"
        "  source are kept, never made again."
    )
    check.true("KVCache", ratio <= 1.3, say)
    _times(make_cache, make_model, rng)


def _times(make_cache: Any, make_model: Any, rng: torch.Generator) -> None:
    """256 steps of a larger model take clearly less time than decoding without a cache takes here.

    With a cache a tenth of it is enough; made anew but for the last block's, keys take a half.
    """
    model = _Pair(make_model, rng, (24, 128, 4, 512, 2, 256), 0, spread=0.07)
    src, tokens = model.sources(8, 4), torch.randint(24, (8, 256), generator=rng)

    def every_32nd() -> None:
        for n in range(16, 257, 32):
            model.want(src, tokens[:, :n])

    uncached = 32 * check.host.limited(every_32nd, None, None).seconds
    last: list[Tensor] = []
    step = make_cache(model.theirs, src).step

    def decode() -> None:
        last[:] = [step(token) for token in tokens.T][-1:]

    check.cost("256 steps of a KVCache", decode, max_seconds=0.4 * uncached)
    check.values("step 256 of a larger model", last[0], model.want(src, tokens), axes=AXES, tolerance=1e-3)


def perfect(B: int, S: int, steps: int, sizes: Sequence[int]) -> int:
    """Operations of encoding and `steps` cached steps, every key and value made once."""
    V, E, _, F, L = sizes[:5]
    once = L * B * S * (8 * E * E + 4 * S * E + 4 * E * F) + L * B * S * 4 * E * E
    each = L * B * (12 * E * E + 4 * E * S + 4 * E * F) + 2 * B * E * V
    return once + steps * each + L * 4 * B * E * steps * (steps + 1) // 2
