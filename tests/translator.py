"""A translator small enough for tests, and texts made up for it. No test in here."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch import nn

from byhand import blocks, train, translation

NOUNS = {"door": "门", "light": "灯", "window": "窗户", "device": "设备", "room": "房间", "file": "文件"}
VERBS = {"open": "打开", "close": "关闭", "find": "查找", "delete": "删除", "check": "检查"}
PAIRS = [
    (f"{verb} the {noun}{again}", f"{做}{物}{再}")
    for verb, 做 in VERBS.items()
    for noun, 物 in NOUNS.items()
    for again, 再 in (("", ""), (" again", "，再一次"))
]
# The modules; byhand.translation.fit itself is the function.
FIT, STEP = (import_module(f"byhand.translation.{name}") for name in ("fit", "step"))
VOCABULARY = translation.Vocabulary.learn(PAIRS, 30)


def recipe(**changes: Any) -> translation.Recipe:
    small: dict[str, Any] = {
        "d_model": 16, "n_heads": 2, "d_hidden": 32, "n_layers": 1, "max_len": 40, "steps": 8,
        "tokens_per_batch": 120, "warmup": 3, "rate": 5e-3, "eval_every": 0, "average": 3,
    }  # fmt: skip
    return translation.recipe("cpu", **(small | changes))


def model(wanted: translation.Recipe, vocabulary: translation.Vocabulary = VOCABULARY) -> nn.Module:
    with train.seeded(wanted.seed):
        return blocks.Transformer(**wanted.sizes(len(vocabulary)))


def weights(network: nn.Module) -> list[Any]:
    return [part.tolist() for part in network.parameters()]


def fit(wanted: translation.Recipe, file: str = "weights.safetensors", **more: Any) -> Any:
    """(run, model) of a training on PAIRS."""
    network = more.pop("model", None) or model(wanted)
    more = {"pairs": PAIRS, "quiet": True, "device": "cpu"} | more
    return translation.fit(network, VOCABULARY, wanted, file=file, **more), network
