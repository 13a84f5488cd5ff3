"""What a translator of dates must have: it was trained, not written (lesson 02).

probe_dates.reads_its_table(encoder, decoder, generated.DATES, 50, seed, "exam")
"""

from __future__ import annotations

from typing import Any

import torch

from byhand import check, recurrent
from byhand.generated import BOS, EOS, Task


def reads_its_table(encoder: Any, decoder: Any, task: Task, n: int, seed: int, split: str) -> None:
    """A reader that was trained knows a symbol by its row of the embedding: with the rows in another order,
    and the symbols' ids too, nothing changes."""
    size, call = len(task.source), "train_dates()"
    tables = {name: part.detach() for name, part in encoder.named_parameters() if size in tuple(part.shape)}
    tables = {name: part for name, part in tables.items() if "embedding" in name} or tables
    say = f"no parameter of the encoder has a row for each of the {size} symbols of a date; embed them."
    check.true(call, bool(tables), say)
    order = torch.cat([torch.arange(3), 3 + torch.randperm(size - 3, generator=check.generator())])
    moved = {}
    for name, part in tables.items():
        axis = tuple(part.shape).index(size)
        moved[name] = torch.empty_like(part).index_copy_(axis, order, part)
    encoder.load_state_dict(moved, strict=False)
    pairs = task.pairs(n, seed, split)
    src, lengths = task.encode([text for text, _ in pairs])
    longest = 2 + max(len(answer) for _, answer in pairs)
    try:
        rows = recurrent.greedy_decode(encoder, decoder, order[src], lengths, BOS, EOS, longest)
    except Exception:  # rules may stop at what is no date to them
        rows = [[] for _ in pairs]
    encoder.load_state_dict(tables, strict=False)
    right = sum(task.target.text(row) == answer for row, (_, answer) in zip(rows, pairs, strict=True)) / n
    say = f"{right:.1%} come out right when symbols and the rows of their embedding are renumbered alike."
    check.true(call, right >= 0.9, f"{say} Dates must be read by what training found, not by rules.")
