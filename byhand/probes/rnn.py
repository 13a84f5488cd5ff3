"""Every property that attention layers, encoders, decoders and decoding must have (lesson 02).

    probe.attention("AdditiveAttention(3, 2, 4)", AdditiveAttention, (3, 2, 4), score, check.generator())
    probe.encoder(Encoder, check.generator())

The hidden checks call these with fresh random inputs. What is right comes from slow loops in float64
(slow.py). Answers may be in another process: layers are asked only through calls, and parameters are
read as copies. Order: gradients, attention, encoder, decoder, decoding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from byhand import check
from byhand.probes import known, slow
from byhand.probes.slow import Score

AXES = (("text", "feature"), ("text", "key"))


# Gradients


def arrive(layer: Any, output: Callable[[], Tensor]) -> None:
    """Every parameter of the layer gets a finite gradient that is not all 0 from output()."""
    layer.zero_grad()
    result = output()
    say = "no gradient arrives at any parameter; is something detached?"
    check.true("the result", result.requires_grad, say)
    result.backward()  # type: ignore[no-untyped-call]
    for name, part in layer.named_parameters():
        reached(f"the gradient of {name}", part.grad)


def reached(call: str, grad: Tensor | None) -> Tensor:
    """The gradient, if it is one."""
    found = torch.zeros(1) if grad is None else grad
    good = bool(found.isfinite().all()) and bool((found != 0).any())
    check.true(call, good, "it does not arrive, or it is not finite; is something detached?")
    return found


# Attention


def attention(name: str, make: Any, sizes: Sequence[int], score: Score, rng: torch.Generator) -> None:
    """make(*sizes) is attention of one query for each text, with score(query, key, parameters)."""
    for dtype in (torch.float64, torch.float32):
        for texts, n_keys in ((1, 1), (3, 4), (4, 2)):
            layer = _random(make(*sizes).to(dtype), dtype, rng)
            given = _asked(sizes, texts, n_keys, dtype, rng)
            call = f"{name}, {texts} texts, {n_keys} keys, {dtype}"
            check.values(call, layer(*given), slow.attended(layer, score, *given), axes=AXES)
    layer, (query, keys, _) = make(*sizes).double(), _asked(sizes, 3, 4, torch.float64, rng)
    mask = torch.tensor([[True] * 4, [True, True, False, False], [False] * 4])
    check.kept(f"{name}(query, keys, mask)", layer, query, keys, mask)
    context, weights = layer(query, keys, mask)
    longer = torch.cat([keys, 50 + torch.zeros_like(keys[:, :2])], dim=1)
    wide = torch.cat([mask, torch.zeros(3, 2, dtype=torch.bool)], dim=1)
    want = context, torch.cat([weights, torch.zeros_like(weights[:, :2])], dim=1)
    check.values(f"{name}(query, keys with padding, mask)", layer(query, longer, wide), want, axes=AXES)
    call = f"{name}(query[1:2], keys[1:2, :2], mask[1:2, :2])"
    got, want = layer(query[1:2], keys[1:2, :2], mask[1:2, :2]), (context[1:2], weights[1:2, :2])
    check.values(call, got, want, axes=AXES, note="Texts of a batch are independent.")
    call = f"{name}(query, keys, mask)"
    check.gradient(call, lambda query, keys: layer(query, keys, mask), (query, keys))
    arrive(layer, lambda: layer(query, keys, mask)[0].square().sum())
    if min(sizes) > 1:
        _refuses(name, layer, query, keys, mask)


def _refuses(name: str, layer: Any, query: Tensor, keys: Tensor, mask: Tensor) -> None:
    wide = torch.cat([keys, keys[..., :1]], dim=-1)
    cases = {
        "query for 1 text, keys for 3": (query[:1], keys, mask),
        "query for 3 texts, keys for 1": (query, keys[:1], mask[:1]),
        "keys one feature too long": (query, wide, mask),
        "a mask one key too long": (query, keys, torch.cat([mask, mask[:, :1]], dim=1)),
    }
    for what, given in cases.items():
        check.raises(f"{name}(query, keys, mask), {what},", partial(layer, *given), error=Exception)


def _asked(
    sizes: Sequence[int], texts: int, n_keys: int, dtype: torch.dtype, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    query = torch.randn(texts, sizes[0], generator=rng, dtype=torch.float64).to(dtype)
    memory = torch.randn(texts, n_keys, sizes[1], generator=rng, dtype=torch.float64).to(dtype)
    return query, memory, torch.rand(texts, n_keys, generator=rng) < 0.7


def _random(layer: Any, dtype: torch.dtype, rng: torch.Generator) -> Any:
    """The layer, with every parameter drawn anew."""
    shapes = {name: part.shape for name, part in layer.named_parameters()}
    drawn = {name: torch.randn(shape, generator=rng, dtype=torch.float64) for name, shape in shapes.items()}
    layer.load_state_dict({name: part.to(dtype) for name, part in drawn.items()})
    return layer


# Encoder


def encoder(make: Any, rng: torch.Generator) -> None:
    """make(vocab_size, embed_size, hidden_size, pad_id=0) is lesson 02's Encoder."""
    cases = [((9, 3, 2), 0, [3, 5, 1, 4], 5), ((6, 2, 3), 4, [2, 1, 2], 4), ((8, 5, 1), 0, [1], 1)]
    for sizes, pad, rows, longest in cases:
        layer, lengths = make(*sizes, pad_id=pad).double(), torch.tensor(rows)
        src = torch.randint(sizes[0], (len(rows), longest), generator=rng)
        src[0, 0] = pad  # a real token, whatever its id: lengths alone say what is padding
        _reads(f"Encoder{sizes}, pad_id={pad}", layer, sizes, src, lengths, pad)
    layer, src, call = make(9, 4, 3).double(), torch.tensor([[1, 2, 3, 4, 5]]), "encoder(src, lengths)"
    _two_directions(call, layer, src)
    memory, _ = make(9, 4, 3)(src, torch.tensor([3]))
    check.values("the dtype of memory", str(memory.dtype), "torch.float32")
    check.kept(call, layer, torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([1, 3]))
    arrive(layer, lambda: layer(src, torch.tensor([4]))[0].square().sum())
    arrive(layer, lambda: layer(src, torch.tensor([4]))[1][0].square().sum())
    arrive(layer, lambda: layer(src, torch.tensor([4]))[1][1].square().sum())
    for rows in ([2], [2, 1, 2], []):
        given = torch.ones(2, 5).long(), torch.tensor(rows).long()
        check.raises(f"encoder(src (2, 5), lengths {rows})", partial(layer, *given), error=Exception)


def _reads(
    name: str, layer: Any, sizes: tuple[int, int, int], src: Tensor, lengths: Tensor, pad: int
) -> None:
    """Memory and state are right, and depend on nothing but the text itself."""
    call = f"{name}, src {tuple(src.shape)}, lengths {lengths.tolist()}"
    memory, (h, c) = layer(src, lengths)
    check.shape(f"memory of {call}", memory, (*src.shape, 2 * sizes[2]))
    real = torch.arange(src.shape[1]) < lengths[:, None]
    say = "memory is 0 at a real token, whose id is pad_id; lengths alone say what is padding."
    check.true(call, bool(memory[real].any(dim=-1).all()), say)
    blank = torch.where(real, src, pad)
    note = "Positions from lengths on are padding, whatever they hold."
    check.values(f"{call}, other ids there", layer(blank, lengths), (memory, (h, c)), note=note)
    got, nothing = layer(torch.cat([src, src], dim=1), lengths), torch.zeros_like(memory)
    want = torch.cat([memory, nothing], dim=1), (h, c)
    check.values(f"{call}, more padding", got, want, note="S may exceed every length.")
    want = slow.encoded(layer, sizes, src, lengths, memory)
    if want is not None:
        check.values(call, (memory, (h, c)), want, note="Both directions, step by step, with your weights.")
    for at, n in enumerate(lengths.tolist()):
        got = layer(src[at : at + 1, :n], lengths[at : at + 1])
        want = memory[at : at + 1, :n], (h[:, at : at + 1], c[:, at : at + 1])
        check.values(f"{call}, text {at} alone", got, want, note="Texts of a batch are independent.")


def _two_directions(call: str, layer: Any, src: Tensor) -> None:
    other, length = torch.tensor([[1, 2, 8, 4, 5]]), torch.tensor([5])
    moved = (layer(src, length)[0] != layer(other, length)[0])[0]
    say = "when token 2 changed, the first half of memory moved before it; the forward half comes first."
    check.true(call, not bool(moved[:2, :3].any()), say)
    say = "when token 2 changed, the second half of memory moved after it; it must read from the right."
    check.true(call, not bool(moved[3:, 3:].any()), say)
    check.true(
        call, bool(moved[2:, :3].all() & moved[:3, 3:].all()), "memory does not hold all that was read."
    )


# Decoder

PARTS = ("logits", "the new h", "the new c")


def decoder(make: Any, rng: torch.Generator) -> None:
    """make(vocab_size, embed_size, hidden_size, memory_size, attention) is lesson 02's AttentionDecoder."""
    sizes, attention = (7, 3, 2, 6), known.Attention()
    layer, mask = make(*sizes, attention).double(), torch.tensor([[True, True], [True, False], [True, True]])
    shapes, token = [(1, 3, 2), (1, 3, 2), (3, 2, 6)], torch.tensor([4, 1, 6])
    h, c, memory = (torch.randn(shape, generator=rng, dtype=torch.float64) for shape in shapes)
    given = {"token": token, "h": h, "c": c, "memory": memory, "mask": mask}
    check.kept("step(token, h, c, memory, mask)", partial(_step, layer), *given.values())
    formulas(layer, sizes, **given)
    before = _step(layer, **given)
    alone = _step(layer, token[1:2], h[:, 1:2], c[:, 1:2], memory[1:2], mask[1:2])
    wide = _step(
        layer, token, h, c, torch.cat([memory, memory + 5], 1), torch.cat([mask, torch.zeros_like(mask)], 1)
    )
    for name in PARTS:
        check.values(f"{name} of text 1 alone", alone[name], before[name][1:2], note="Texts are independent.")
        check.values(f"{name} with more padding", wide[name], before[name])
    arrive(layer, lambda: _step(layer, **given)["logits"].square().sum())
    layer.eval()
    say = "it is not part of the decoder; store it as self.attention."
    check.true("the attention you received", not attention.training and layer.attention is attention, say)
    single = _step(make(*sizes, known.Attention()), token, h.float(), c.float(), memory.float(), mask)
    check.values("the dtype of logits", str(single["logits"].dtype), "torch.float32")
    for what, other in {"token": token[:1], "memory": memory[..., :5], "h": h[..., :1]}.items():
        call = f"decoder.step, where {what} has shape {tuple(other.shape)}, for 3 texts,"
        check.raises(call, partial(_step, layer, **given | {what: other}), error=Exception)


def formulas(
    layer: Any, sizes: tuple[int, ...], token: Tensor, h: Tensor, c: Tensor, memory: Tensor, mask: Tensor
) -> None:
    """One step is what lesson 02's formulas say. layer: AttentionDecoder(*sizes, known.Attention())."""
    call, given = "decoder.step(token, (h, c), memory, mask)", (token, h, c, memory, mask)
    names, before = ("token", "h", "c", "memory", "mask"), _step(layer, *given)
    for what, other in {"token": token - 1, "h": h + 1, "c": c + 1, "memory": memory.flip(0) + 1}.items():
        after = _step(layer, **dict(zip(names, given, strict=True)) | {what: other})
        for name in PARTS:
            moved = bool((before[name] != after[name]).any(dim=-1).all())
            check.true(call, moved, f"{name} did not change when {what} did.")
    context = (mask.double() / mask.sum(dim=-1, keepdim=True))[:, None] @ memory
    three, note = [before[name] for name in PARTS], "Compared with the three formulas."
    want = slow.stepped(layer, sizes, token, (h, c), context.squeeze(1), three)
    if want is not None:
        check.values(f"[logits, new h, new c] of {call}", three, want, note=note)
    _depends(call, layer, token, h, c, memory[:, :1], mask[:, :1])


def _step(layer: Any, token: Tensor, h: Tensor, c: Tensor, memory: Tensor, mask: Tensor) -> dict[str, Tensor]:
    logits, (new_h, new_c), weights = layer.step(token, (h, c), memory, mask)
    return {"logits": logits, "the new h": new_h[0], "the new c": new_c[0], "the weights": weights}


def _depends(call: str, layer: Any, token: Tensor, *given: Tensor) -> None:
    """Gradients reach state and memory; and logits move in more directions than the new h has."""
    h, c, memory, mask = *(part.clone().requires_grad_() for part in given[:3]), given[3]
    result, rows = _step(layer, token, h, c, memory, mask), []
    say = "they are cut off from their gradient; return attention's weights as they are."
    check.true(f"the weights of {call}", result["the weights"].requires_grad, say)
    for score in result["logits"][0]:
        memory.grad = None
        score.backward(retain_graph=True)
        grad = reached("the gradient of memory", memory.grad)
        rows.append(grad[0, 0])
    free = int(torch.linalg.matrix_rank(torch.stack(rows), rtol=1e-9))
    say = "the logits read the new h alone; they are made from h and the context side by side."
    check.true(call, free > h.shape[-1], say)
    torch.stack([result[name].square().sum() for name in PARTS]).sum().backward()  # type: ignore[no-untyped-call]
    reached("the gradient of h", h.grad)
    reached("the gradient of c", c.grad)


# Decoding


def decoding(decode: Any, known_decoder: Any, rng: Any) -> None:
    """decode is lesson 02's greedy_decode. known_decoder: a known.Decoder whose step is its write."""
    for B, S, bos, eos, most in [
        (1, 1, 1, 2, 1),
        (4, 3, 1, 2, 6),
        (3, 5, 0, 3, 4),
        (6, 2, 2, 1, 9),
        (2, 4, 5, 0, 5),
    ]:
        scripts = {n: rng.integers(0, 12, size=rng.integers(1, 7)).tolist() for n in range(12)}
        scripts[11] = [eos, 4, eos]
        src, lengths = torch.tensor(rng.integers(0, 12, (B, S))), torch.tensor(rng.integers(1, S + 1, B))
        src[0, 0], encoder, decoder = 11, known.Encoder(), known_decoder(scripts)
        call = f"greedy_decode(encoder, decoder, src ({B}, {S}), lengths, {bos}, {eos}, max_len={most})"
        said = [[decoder.says(first, at) for at in range(most)] for first in src[:, 0].tolist()]
        want = [row[: row.index(eos)] if eos in row else row for row in said]
        note = "Each row ends before its own first end symbol, and after at most max_len ids."
        check.values(call, decode(encoder, decoder, src, lengths, bos, eos, most), want, note=note)
        check.values(f"what the encoder received in {call}", encoder.seen, [(src, lengths)])
        say = "the encoder's gradients are recorded; use torch.no_grad() round it, too."
        check.true(call, encoder.graphs == [False], say)
        steps = len(decoder.seen)
        check.true(call, 0 < steps <= most, f"{steps} steps were made, expected at most max_len.")
        for at, seen in enumerate(decoder.seen):
            going = [row for row in range(B) if eos not in said[row][:at]]
            right = torch.tensor([said[row][at - 1] if at else bos for row in going], dtype=torch.long)
            _asked_well(f"step {at + 1} in {call}", seen, src, lengths, going, right)
    for one, two in [(True, False), (False, True)]:
        encoder.train(one), decoder.train(two)
        decode(encoder, decoder, src, lengths, 1, 2, 3)
        got = encoder.training, decoder.training
        check.values("(encoder.training, decoder.training) afterwards", got, (one, two), note="As before.")
    src, lengths = torch.tensor([[4, 5, 6], [7, 8, 9]]), torch.tensor([1, 2])  # never seen before
    check.kept("decode(src, lengths)", lambda *given: decode(encoder, decoder, *given, 1, 2, 3), src, lengths)


def _asked_well(
    where: str, seen: Any, src: Tensor, lengths: Tensor, going: Sequence[int], right: Tensor
) -> None:
    """What one step of the decoder received."""
    token, memory, mask, graph = seen
    check.true(where, graph is False, "gradients are recorded while decoding; use torch.no_grad().")
    want = torch.arange(src.shape[1]) < lengths[:, None]
    check.values(f"the mask of {where}", mask, want, note="Made from lengths; True means a real token.")
    check.values(f"the memory of {where}", memory, src[..., None].float(), note="Pass on the encoder's.")
    check.shape(f"the tokens of {where}", token, (len(src),))
    check.values(f"the tokens of {where}", token[list(going)], right, note="Feed back what was written.")
