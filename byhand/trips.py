"""Requests to a travel agent, made by rule, with a tag for each word: what lesson 06 tags.

    requests(2, seed=0)    [Request(("fly", "to", "paris", …), ("-", "-", "to", …)), …]
    batch(64, seed=0)      the same as tensors: word ids (B, T), tag ids (B, T)
    word_baseline(train)   the commonest tag of each word, whatever stands around it

A name's tag depends on the words around it, before and after: "from paris", "i am paris". The same
arguments give the same requests on every machine. Each request is in one split, and no request of the
split "new" uses a sentence pattern of the others. Order: words, patterns, requests, tensors, baselines.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from byhand.generated import Vocabulary, padded, words

if TYPE_CHECKING:
    from torch import Tensor

TAGS = ("-", "person", "from", "to", "leave", "return")
NO_TAG = -100  # of padding: torch's losses leave it out

# Each can be a person or a place.
BOTH = [
    "paris", "sydney", "florence", "austin", "jordan", "madison", "chelsea",
    "charlotte", "victoria", "georgia", "virginia", "adelaide", "vienna", "savannah",
    "brooklyn", "kingston", "lincoln", "houston", "jackson", "dakota",
]  # fmt: skip
PEOPLE = ["anna", "omar", "wei", "maria", "john", "fatima", "ivan", "yuki", "elena", "kofi"]
PLACES = ["rome", "boston", "berlin", "tokyo", "cairo", "lima", "delhi", "oslo", "madrid", "shanghai"]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

# A pattern's {names} become words with these tags; other words have none.
SEEN = (
    "fly from {from} to {to} on {leave}",
    "fly to {to} from {from} on {leave}",
    "{person} wants to go from {from} to {to} and come back on {return}",
    "{person} wants to go to {to} from {from} and leave on {leave}",
    "please book a train for {person} from {from} to {to}",
    "please book a train to {to} for {person}",
    "on {leave} i fly to {to} and on {return} i come back to {from}",
    "on {return} {person} comes back from {to} and lands in {from}",
    "i am {person} and i live in {from} but i work in {to}",
    "{to} is where {person} wants to be and {from} is where the trip starts",
    "{from} is where the trip starts and {to} is where {person} wants to be",
    "{person} and {person} leave {from} on {leave} and reach {to} later",
    "leave {from} on {leave} and return on {return} with {person}",
    "return on {return} but leave {from} for {to} on {leave}",
    "{from} to {to} , out {leave} , back {return} , for {person}",
    "{to} from {from} , back {return} , out {leave} , for {person}",
    "a seat for {person} , {from} to {to}",
    "meet {person} in {to} on {leave} and return on {return}",
    "{leave} is when {person} leaves and {return} is when {person} comes back",
    "{return} is when {person} comes back and {leave} is when {person} leaves",
    "not on {return} but on {leave} {person} leaves for {to}",
    "the trip of {person} to {to} starts on {leave} in {from}",
)
NEW = (
    "{person} leaves {from} on {leave} and is back on {return}",
    "book {from} to {to} for {person} , back on {return}",
    "on {leave} {person} wants to fly to {to} from {from}",
    "{to} is where i work and {from} is where i live",
    "a train from {from} for {person} and {person} , out {leave}",
    "{person} starts in {from} on {leave} and lands in {to}",
)
SPLITS = {"train": range(2, 20), "test": range(1, 2), "exam": range(1), "new": range(20)}  # of 20 parts


class Request(NamedTuple):
    """Words, and a tag for each."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def _word(tag: str, rng: random.Random) -> str:
    own = {"person": PEOPLE, "from": PLACES, "to": PLACES}.get(tag)
    return rng.choice(DAYS) if own is None else rng.choice(BOTH if rng.random() < 0.7 else own)


def fill(pattern: str, rng: random.Random) -> Request:
    """The pattern with a fresh word, never the same twice, at each of its places."""
    said, tags = list[str](), list[str]()
    for part in pattern.split():
        tag = part.strip("{}") if part.startswith("{") else TAGS[0]
        word = part
        while tag != TAGS[0] and (word == part or word in said):
            word = _word(tag, rng)
        said.append(word)
        tags.append(tag)
    return Request(tuple(said), tuple(tags))


def requests(n: int, seed: int, split: str = "train") -> list[Request]:
    """n requests of a split: "train", "test" or "exam", or "new", whose patterns the others never use."""
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; the splits are {', '.join(SPLITS)}.")
    rng, found = random.Random(f"trips {seed} {split}"), list[Request]()
    while len(found) < n:
        request = fill(rng.choice(NEW if split == "new" else SEEN), rng)
        if zlib.crc32(" ".join(request.words).encode()) % 20 in SPLITS[split]:
            found.append(request)
    return found


# Tensors

_FIXED = sorted({part for pattern in (*SEEN, *NEW) for part in pattern.split() if part[0] != "{"})
VOCABULARY = Vocabulary((*_FIXED, *BOTH, *PEOPLE, *PLACES, *DAYS), words)


def batch(n: int, seed: int, split: str = "train") -> tuple[Tensor, Tensor]:
    """n requests as word ids (B, T), padded with 0, and tag ids (B, T), NO_TAG at padding."""
    made = requests(n, seed, split)
    tokens = padded([[VOCABULARY.numbers[word] for word in request.words] for request in made])
    tags = padded([[TAGS.index(tag) for tag in request.tags] for request in made])
    return tokens, tags.masked_fill(tokens == 0, NO_TAG)


# Baselines

Tagger = Callable[[Sequence[str]], Sequence[str]]


def word_baseline(seen: Sequence[Request]) -> Tagger:
    """A tagger that gives each word the tag it most often had in `seen`, whatever stands around it."""
    counts: dict[str, Counter[str]] = {}
    for request in seen:
        for word, tag in zip(*request, strict=True):
            counts.setdefault(word, Counter())[tag] += 1
    best = {word: max(TAGS, key=lambda tag, c=found: c[tag]) for word, found in counts.items()}  # type: ignore[misc]
    return lambda said: [best.get(word, TAGS[0]) for word in said]


def shares(tagger: Tagger, asked: Sequence[Request]) -> tuple[float, float]:
    """Which share of the names has the right tag, and which share of requests is right in all words."""
    names = right = whole = 0
    for request in asked:
        got = list(tagger(request.words))
        pairs = [(a, b) for a, b in zip(got, request.tags, strict=True) if b != TAGS[0]]
        names, right = names + len(pairs), right + sum(a == b for a, b in pairs)
        whole += got == list(request.tags)
    return right / names, whole / len(asked)


def tagger_of(model: Callable[[Tensor], Tensor]) -> Tagger:
    """A tagger made of a TokenTagger: word ids (1, T) -> logits (1, T, tags), the largest wins."""
    import torch

    def tagged(said: Sequence[str]) -> list[str]:
        with torch.no_grad():
            logits = model(torch.tensor([[VOCABULARY.numbers[word] for word in said]]))
        return [TAGS[at] for at in logits[0].argmax(dim=-1).tolist()]

    return tagged
