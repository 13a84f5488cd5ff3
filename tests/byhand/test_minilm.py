"""byhand.minilm: one layout of keys, a reference that is BERT, and a sentence without the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from byhand import blocks, minilm
from byhand.data import DataError
from byhand.wordpiece import WordPiece

SIZES = {"vocab": 11, "size": 8, "hidden": 12, "layers": 2, "places": 6}


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return minilm.made_up(torch.Generator().manual_seed(0), **SIZES)


class Bert(nn.Module):
    """The same network by another way: blocks, under the names that minilm.INSIDE gives them."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.state = state
        self.layers = nn.ModuleList()
        for number in range(SIZES["layers"]):
            block = blocks.EncoderBlock(8, 2, 12, norm_first=False, eps=1e-12)
            names = {f"encoder.layer.{number}.{theirs}": ours for theirs, ours in minilm.INSIDE.items()}
            parts = {
                f"{ours}.{kind}": state[f"{theirs}.{kind}"]
                for theirs, ours in names.items()
                for kind in ("weight", "bias")
            }
            block.load_state_dict(parts)
            self.layers.append(block)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        tables = [
            self.state[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
        ]
        x = tables[0][tokens] + tables[1][: tokens.shape[1]] + tables[2][0]
        norm = [self.state[f"embeddings.LayerNorm.{kind}"] for kind in ("weight", "bias")]
        x = functional.layer_norm(x, (8,), *norm, 1e-12)
        for layer in self.layers:
            x = layer(x, mask)
        return x


def test_the_reference_is_a_post_norm_encoder_with_berts_embeddings(state: dict[str, torch.Tensor]) -> None:
    tokens = torch.tensor([[3, 1, 4, 1, 5], [9, 2, 6, 0, 0]])
    real = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    want = Bert(state)(tokens, real[:, None, None])
    got = minilm.reference(state, 2, tokens, real)
    assert torch.allclose(got[real].float(), want[real], atol=1e-4)


def test_the_reference_reads_every_key_but_those_to_be_ignored(state: dict[str, torch.Tensor]) -> None:
    tokens, real = torch.tensor([[3, 1, 4, 1, 5, 9]]), torch.ones(1, 6) > 0
    before = minilm.reference(state, 2, tokens, real)
    shaken = torch.Generator().manual_seed(1)
    for name in minilm.shapes(**SIZES):
        # A bias of the keys adds the same to all scores of a query, so that softmax does not see it.
        moved = state[name] + torch.randn(state[name].shape, generator=shaken)
        changed = not torch.allclose(minilm.reference(state | {name: moved}, 2, tokens, real), before)
        assert changed == (not name.endswith("key.bias")), name


def test_a_made_up_state_has_the_keys_of_its_shapes_and_those_to_be_ignored(
    state: dict[str, torch.Tensor],
) -> None:
    want = minilm.shapes(**SIZES)
    assert set(state) - set(want) == {"pooler.dense.weight", "pooler.dense.bias", "embeddings.position_ids"}
    assert {name: tuple(state[name].shape) for name in want} == want
    assert minilm.shapes(30522, 384, 1536, 6, 512)["encoder.layer.5.output.dense.weight"] == (384, 1536)


def test_sentence_vectors_have_length_one_and_do_not_depend_on_their_company(
    state: dict[str, torch.Tensor],
) -> None:
    pieces = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefg"])
    model = Bert(state)
    together = minilm.vectors(model, pieces, ["a b", "c", "g f e d"])
    assert torch.allclose(together.norm(dim=-1), torch.ones(3))
    for text, vector in zip(["a b", "c", "g f e d"], together, strict=True):
        assert torch.allclose(minilm.vectors(model, pieces, [text])[0], vector, atol=1e-5)


def test_without_the_weights_there_is_a_sentence_and_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> None:
        raise DataError(f"{name} could not be downloaded")

    monkeypatch.setattr(minilm, "weights", missing)
    assert minilm.opened() is None
    said = capsys.readouterr().out
    assert "minilm could not be downloaded" in said
    assert "works without it" in said
