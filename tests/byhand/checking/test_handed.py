"""check.source, while grading: what other cells put into the values that an answer looks up."""

from __future__ import annotations

import pytest
import torch.nn  # noqa: F401 - modules are known once they are loaded, as they are while grading

from tests.byhand.checking.test_evasions import COURSE, PART
from tests.byhand.checking.test_source import said

TAKES_IT = "def weights(x):\n    return store['f'](x)"


@pytest.mark.parametrize(
    "other",
    [
        "store = {}\ndef put(home):\n    home['f'] = blocks.EncoderBlock\nput(store)",
        "store = {}\ndef put(*, home):\n    home['f'] = blocks.EncoderBlock\ndone = put(home=store)",
        "store = dict()\ndef fill():\n    put(store)\ndef put(x):\n    x['f'] = blocks.EncoderBlock\nfill()",
        "store = {}\nsecond = store\nsecond['f'] = blocks.EncoderBlock",
        "store = {}\nsecond = store\nthird = second\nthird['f'] = blocks.EncoderBlock",
        "store = {}\nold = store.setdefault('f', blocks.EncoderBlock)",
        "store = {}\nold = dict.update(store, f=blocks.EncoderBlock)",
        "store = {}\nimport operator\noperator.setitem(store, 'f', blocks.EncoderBlock)",
    ],
)
def test_what_is_put_into_a_value_is_read(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    assert "EncoderBlock" in said(monkeypatch, TAKES_IT, COURSE, other, forbid=PART, grading=True)


def test_what_is_put_on_a_helper_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    other = "def lib(x): ...\ndef put(home):\n    home.f = blocks.EncoderBlock\nput(lib)"
    text = "def weights(x):\n    return lib.f(x)"
    assert "EncoderBlock" in said(monkeypatch, text, COURSE, other, forbid=PART, grading=True)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("def weights(x):\n    return mine(x)", "def mine(x): ...\ncompare(mine, blocks.EncoderBlock)"),
        ("def weights(x):\n    return f(x)", "def f(x): ...\nbest = f\ncompare(best, blocks.EncoderBlock)"),
        ("def weights(x):\n    return x * HALF", "HALF = 1 / 2\ncompare(HALF, blocks.EncoderBlock)"),
        (
            "def weights(x):\n    return x.to(device)",
            "import torch\ndevice = torch.device('cpu')\nblocks.EncoderBlock(device)",
        ),
        ("def weights(x):\n    return store.get(x)", "store = {}\nprint(store, blocks.EncoderBlock)"),
        ("def weights(x):\n    return store.get(x)", "store = {}\nblocks.EncoderBlock(store.get(1))"),
    ],
)  # fmt: skip
def test_beside_what_an_answer_looks_up_all_may_be_tried(
    monkeypatch: pytest.MonkeyPatch, text: str, other: str
) -> None:
    assert said(monkeypatch, text, COURSE, other, forbid=PART, grading=True) == ""
