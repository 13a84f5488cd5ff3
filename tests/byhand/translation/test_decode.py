"""byhand.translation.decode: greedy is the plain loop, whatever the batch, the mode and the model."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from byhand import blocks, translation
from byhand.translation import decode
from byhand.translation.decode import at_rest, sources

EOS = translation.EOS


def model(seed: int = 0, **more: int) -> nn.Module:
    torch.manual_seed(seed)
    sizes = {"vocab_size": 12, "d_model": 16, "n_heads": 2, "d_hidden": 32, "n_layers": 1, "max_len": 16}
    made = blocks.Transformer(**(sizes | more))
    with torch.no_grad():  # louder than at the start, so that rows differ and some of them end
        for part in made.decoder.parameters():
            part.mul_(6.0)
    return made


SRC = torch.tensor([[4, 5, 6, 2, 0], [7, 8, 9, 10, 2], [11, 2, 0, 0, 0], [5, 5, 2, 0, 0]])


@torch.no_grad()
def plain(net: nn.Module, row: Tensor, max_len: int) -> list[int]:
    net.eval()
    src, made = row[row != 0][None], [1]
    while len(made) <= max_len:
        made.append(int(net(src, torch.tensor([made]))[0, -1].argmax()))
        if made[-1] == EOS:
            return made[1:-1]
    return made[1:]


@pytest.mark.parametrize("seed", range(6))
def test_greedy_is_the_plain_loop_over_each_row(seed: int) -> None:
    net = model(seed)
    assert decode.greedy(net, SRC, 9) == [plain(net, row, 9) for row in SRC]


def test_rows_that_end_at_different_steps_are_among_those_tests() -> None:
    lengths = {len(row) for seed in range(6) for row in decode.greedy(model(seed), SRC, 9)}
    assert len(lengths) > 2


def test_lists_of_ids_and_a_padded_tensor_give_the_same() -> None:
    net = model(1)
    rows = [[number for number in row if number] for row in SRC.tolist()]
    assert decode.greedy(net, rows, 9) == decode.greedy(net, SRC, 9)


def test_many_rows_are_decoded_in_parts_with_the_same_result(monkeypatch) -> None:
    net, sizes = model(2), []
    want = decode.greedy(net, SRC, 6)
    monkeypatch.setattr(decode, "LOGITS", 2 * 12 * 2)
    kept = net.decode
    net.decode = lambda made, *rest: sizes.append(made.numel()) or kept(made, *rest)
    assert decode.greedy(net, SRC, 6) == want
    assert max(sizes) <= 6  # in parts of one row as soon as two rows would be too many


class Counting(blocks.Transformer):
    calls = 0

    def encode(self, src: Tensor) -> Tensor:
        self.calls += 1
        return super().encode(src)


def test_the_sources_are_encoded_once() -> None:
    net = Counting(12, 16, 2, 32, 1, 16)
    decode.greedy(net, SRC, 5)
    assert net.calls == 1


class Ending(nn.Module):
    """Row r says 5 for r steps, then ends; it notes how many rows each call has."""

    pad_id = 0

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.seen = nn.Parameter(torch.zeros(1)), []

    def encode(self, src: Tensor) -> Tensor:
        return src[:, :1, None].float()

    def decode(self, tgt: Tensor, memory: Tensor, src_mask: Tensor) -> Tensor:
        self.seen.append(len(tgt))
        logits = torch.zeros(*tgt.shape, 8)
        logits[..., 5] = 1
        logits[tgt.shape[1] > memory[:, 0, 0], :, EOS] = 2
        return logits


def test_rows_that_have_ended_are_decoded_no_more() -> None:
    net = Ending()
    assert decode.greedy(net, torch.tensor([[1], [3], [2]]), 10) == [[5], [5, 5, 5], [5, 5]]
    assert net.seen == [3, 3, 2, 1]


def test_max_len_counts_the_end_too() -> None:
    assert decode.greedy(Ending(), torch.tensor([[3], [2]]), 3) == [[5, 5, 5], [5, 5]]


def test_no_more_is_made_than_the_model_has_positions_for() -> None:
    net = model(3, max_len=6)
    net.embedding.weight.data[EOS] = 0
    assert all(len(row) <= 6 for row in decode.greedy(net, SRC, 99))


def test_every_part_keeps_its_mode_and_no_graph_is_built() -> None:
    net = model(4)
    net.train()
    net.encoder.eval()
    before = [module.training for module in net.modules()]
    with at_rest(net):
        assert not net(SRC, SRC).requires_grad
        assert not any(module.training for module in net.modules())
    assert [module.training for module in net.modules()] == before


def test_a_model_in_training_mode_decodes_without_dropout() -> None:
    net = model(5)
    assert decode.greedy(net.train(), SRC, 9) == decode.greedy(net.eval(), SRC, 9)


def test_translations_come_in_the_order_of_the_texts_and_of_any_length() -> None:
    vocabulary = translation.Vocabulary("abc 你好", [])
    torch.manual_seed(0)
    net = blocks.Transformer(len(vocabulary), 16, 2, 32, 1, 8)
    texts = ["abcabcabcabcabc", "", "a", "bc"]
    got = translation.translate(net, vocabulary, texts, 5)
    assert got == [translation.translate(net, vocabulary, [text], 5)[0] for text in texts]
    assert [len(row) for row in sources(vocabulary, texts, 8)] == [8, 1, 2, 3]


def test_scores_are_those_of_sacrebleu() -> None:
    from sacrebleu import corpus_bleu, corpus_chrf

    got, want = ["重新启动内核", "打开文件"], ["重启内核", "打开文件夹"]
    assert translation.bleu(got, want) == corpus_bleu(got, [want], tokenize="zh").score
    assert translation.chrf(got, want) == corpus_chrf(got, [want]).score
    assert translation.bleu([], []) == 0.0


def test_as_many_hypotheses_as_references_are_asked_for() -> None:
    with pytest.raises(ValueError, match="2 hypotheses do not fit 1 ref"):
        translation.bleu(["a", "b"], ["a"])


def test_the_exam_is_the_same_every_time_and_spread_over_the_split() -> None:
    from byhand import data

    every, some = data.pairs("general", "test"), translation.exam(n=100)
    places = [every.index(pair) for pair in some]
    assert some == translation.exam(n=100)
    assert places == sorted(set(places))
    assert max(b - a for a, b in itertools.pairwise(places)) <= len(every) // 100 + 1
    with pytest.raises(ValueError, match="n is 0"):
        translation.exam(n=0)
