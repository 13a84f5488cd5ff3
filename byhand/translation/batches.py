"""Batches of translations: texts of like length together, so that little of a batch is padding.

    pairs ─ ids ─ an epoch's order (seed, epoch) ─ rows within tokens_per_batch ─ Batch(src, tgt)

The batches of step n depend on the recipe and n alone, so a training resumes anywhere. Several
processes each take every so-manieth row of the same batches. Order: what a step gets, Batches, loading ahead.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from byhand.translation.recipe import Recipe
from byhand.translation.vocabulary import BOS, EOS, PAD, Vocabulary

AHEAD = 4  # steps that are made ready beforehand
FILLER = [BOS, PAD]  # every process must take part in every step: the target of one that has no row in it


class Batch(NamedTuple):
    """Ids (B, S) with eos, and (B, T + 1) with bos and eos; padded on the right."""

    src: Tensor
    tgt: Tensor


class Share(NamedTuple):
    """One step of one process: its batches, and what all processes together have in this step.

    predicted: target ids to predict; tokens: those and the source's, padding not counted.
    """

    batches: list[Batch]
    predicted: int
    tokens: int


class Batches:
    """The batches of every step: `batches.of(step)`, for steps 1, 2, … in any order."""

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        vocabulary: Vocabulary,
        recipe: Recipe,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if not pairs:
            raise ValueError("pairs is empty; there is nothing to train on")
        self.recipe, self.rank, self.world = recipe, rank, world
        longest = recipe.max_len
        self.sources = [[*vocabulary.encode(english)[: longest - 1], EOS] for english, _ in pairs]
        self.targets = [[BOS, *vocabulary.encode(chinese)[: longest - 1], EOS] for _, chinese in pairs]
        # bos is not predicted, so a target counts as many ids as a model reads or predicts.
        self.sizes = np.array([(len(a), len(b) - 1) for a, b in zip(self.sources, self.targets, strict=True)])
        self._flat = Flat(self.sources), Flat(self.targets)
        self._ends = [0]  # batches before each epoch; an epoch's number of batches may differ
        self._plan: tuple[int, list[NDArray[np.int64]]] = (-1, [])

    def of(self, step: int) -> Share:
        """This process's rows of the step's `accumulate` batches."""
        first = (step - 1) * self.recipe.accumulate
        rows = [self._rows(number) for number in range(first, first + self.recipe.accumulate)]
        counted = sum(self.sizes[some].sum(axis=0) for some in rows)
        return Share([self._batch(some) for some in rows], int(counted[1]), int(counted.sum()))

    def _rows(self, number: int) -> NDArray[np.int64]:
        """Which pairs are in batch 0, 1, …, counted through all epochs."""
        while number >= self._ends[-1]:
            self._ends.append(self._ends[-1] + len(self._epoch(len(self._ends) - 1)))
        epoch = int(np.searchsorted(self._ends, number, side="right")) - 1
        return self._epoch(epoch)[number - self._ends[epoch]]

    def _epoch(self, epoch: int) -> list[NDArray[np.int64]]:
        if self._plan[0] != epoch:
            rng = np.random.default_rng([self.recipe.seed, epoch])
            order = rng.permutation(len(self.sizes))
            if self.recipe.bucketed:
                order = order[by_length(self.sizes[order])]
            batches = list(cut(self.sizes, order, self.recipe.tokens_per_batch))
            self._plan = epoch, [batches[at] for at in rng.permutation(len(batches))]
        return self._plan[1]

    def _batch(self, rows: NDArray[np.int64]) -> Batch:
        mine = rows[self.rank :: self.world]
        if not len(mine):
            return Batch(torch.tensor([self.sources[rows[0]]]), torch.tensor([FILLER]))
        n_src, n_tgt = (self._width(int(size)) for size in self.sizes[mine].max(axis=0))
        return Batch(self._flat[0].rows(mine, n_src), self._flat[1].rows(mine, n_tgt + 1))

    def _width(self, longest: int) -> int:
        """Tensor cores like multiples of 8."""
        if self.recipe.amp == "none":
            return longest
        return max(longest, min(self.recipe.max_len, -(-longest // 8) * 8))


def is_filler(batch: Batch) -> bool:
    """Whether nothing of it is to be predicted; a GPU is asked for nothing but the shape of most batches."""
    return batch.tgt.shape == (1, len(FILLER)) and batch.tgt[0].tolist() == FILLER


def by_length(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """An order in which neighbours are alike in both lengths: up and down the sources, along the targets."""
    group = sizes[:, 1] // 2
    source = np.where(group % 2, sizes[:, 0], -sizes[:, 0])
    return np.lexsort((source, group))


class Flat:
    """Rows of ids, one behind the other in one array: a batch of them is filled without a loop in Python."""

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        self.lengths = np.array([len(row) for row in rows], dtype=np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.ids = np.fromiter(itertools.chain.from_iterable(rows), np.int64, int(self.lengths.sum()))

    def rows(self, which: NDArray[np.int64], width: int) -> Tensor:
        """(B, width), each row padded on the right."""
        columns = np.arange(width)
        real = columns < self.lengths[which, None]  # (B, width)
        found = np.full(real.shape, PAD, dtype=np.int64)
        found[real] = self.ids[(self.starts[which, None] + columns)[real]]
        return torch.from_numpy(found)


def cut(sizes: NDArray[np.int64], order: NDArray[np.int64], limit: int) -> Iterator[NDArray[np.int64]]:
    """The order in pieces of at most `limit` tokens, padding counted; a longer text is alone."""
    start, longest = 0, np.zeros(2, dtype=np.int64)
    for at, row in enumerate(order):
        grown = np.maximum(longest, sizes[row])
        if at > start and (at + 1 - start) * int(grown.sum()) > limit:
            yield order[start:at]
            start, grown = at, sizes[row]
        longest = grown
    yield order[start:]


def ahead(batches: Batches, steps: range, device: torch.device) -> Generator[Share, None, None]:
    """The batches of these steps on the device; on a GPU a thread makes them ready and pins their memory."""
    if device.type == "cuda":
        yield from from_thread(batches, steps, device)
    else:
        yield from (batches.of(step) for step in steps)


def from_thread(batches: Batches, steps: range, device: torch.device) -> Generator[Share, None, None]:
    """The same, made by a thread; it ends with the steps, or when nobody asks for more."""
    ready: _Ready = queue.Queue(AHEAD)
    over = threading.Event()
    maker = threading.Thread(target=_fill, args=(batches, steps, ready, over), daemon=True)
    maker.start()
    try:
        for _ in steps:
            found = ready.get()
            if isinstance(found, BaseException):
                raise found
            yield found._replace(batches=[_moved(batch, device) for batch in found.batches])
    finally:
        over.set()
        maker.join()


_Ready = queue.Queue[Share | BaseException]


def _moved(batch: Batch, device: torch.device) -> Batch:
    return Batch(*(part.to(device, non_blocking=True) for part in batch))


def _fill(batches: Batches, steps: range, ready: _Ready, over: threading.Event) -> None:
    try:
        for step in steps:
            share = batches.of(step)
            pinned = [Batch(batch.src.pin_memory(), batch.tgt.pin_memory()) for batch in share.batches]
            _put(ready, share._replace(batches=pinned), over)
    except BaseException as problem:  # raised again where the batch is awaited
        _put(ready, problem, over)


def _put(ready: _Ready, item: Share | BaseException, over: threading.Event) -> None:
    while not over.is_set():
        with contextlib.suppress(queue.Full):
            ready.put(item, timeout=0.1)
            return
