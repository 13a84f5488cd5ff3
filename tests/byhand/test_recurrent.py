"""byhand.recurrent and probes.rnn: the course's layers are right, others may be, and wrong ones are not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from byhand import check, generated, recurrent, train
from byhand.probes import dates, known, rnn as probe, slow


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def additive(query: list[float], key: list[float], parts: dict) -> float:
    w_query, w_key, v = (parts[f"{name}_layer.weight"] for name in ("query", "key", "score"))
    rows = zip(w_query, w_key, strict=True)
    return slow.dot(v[0], [math.tanh(slow.dot(a, query) + slow.dot(b, key)) for a, b in rows])


@pytest.mark.parametrize("sizes", [(3, 2, 4), (1, 1, 1)])
def test_attention_has_every_property_asked_for(sizes: tuple[int, int, int]):
    probe.attention("AdditiveAttention", recurrent.AdditiveAttention, sizes, additive, generator())


def test_the_encoder_has_every_property_asked_for():
    probe.encoder(recurrent.Encoder, generator())


def test_the_decoder_has_every_property_asked_for():
    probe.decoder(recurrent.AttentionDecoder, generator())


class Decoder(known.Decoder):
    def step(self, *given):
        return self.write(*given)


def test_decoding_has_every_property_asked_for():
    probe.decoding(recurrent.greedy_decode, Decoder, check.rng())


# Answers with names and layouts of their own


class TwoLstms(nn.Module):
    def __init__(self, vocab_size: int, embed_size: int, hidden_size: int, pad_id: int = 0) -> None:
        super().__init__()
        self.right = nn.LSTM(embed_size, hidden_size)
        self.left = nn.LSTM(embed_size, hidden_size)
        self.tokens = nn.Embedding(vocab_size, embed_size)

    def forward(self, src, lengths):
        if lengths.shape != src.shape[:1]:
            raise ValueError("one length for each text")
        memory, h, c = [], [], []
        for row, n in zip(src, lengths, strict=True):
            x = self.tokens(row[:n])
            left, (h1, c1) = self.left(x)
            right, (h2, c2) = self.right(x.flip(0))
            both = torch.cat([left, right.flip(0)], dim=-1)
            memory.append(torch.cat([both, both.new_zeros(len(row) - int(n), both.shape[1])]))
            h.append(h1 + h2)
            c.append(c1 + c2)
        return torch.stack(memory), (torch.stack(h, dim=1), torch.stack(c, dim=1))


def test_an_encoder_of_two_lstms_in_any_order_is_right():
    probe.encoder(TwoLstms, generator())


class NoBias(recurrent.AttentionDecoder):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__(vocab_size, embed_size, hidden_size, memory_size, attention)
        self.from_context = nn.Linear(memory_size, vocab_size, bias=False)
        self.output_layer = nn.Linear(hidden_size, vocab_size)

    def step(self, token, state, memory, mask):
        context, weights = self.attention(state[0][0], memory, mask)
        h, c = self.cell(torch.cat([context, self.embedding(token)], dim=-1), (state[0][0], state[1][0]))
        return self.output_layer(h) + self.from_context(context), (h[None], c[None]), weights


def test_a_decoder_with_layers_of_its_own_is_right():
    probe.decoder(NoBias, generator())


class OldState(recurrent.AttentionDecoder):
    def step(self, token, state, memory, mask):
        _, new, weights = super().step(token, state, memory, mask)
        context, _ = self.attention(state[0][0], memory, mask)
        return self.output_layer(torch.cat([state[0][0], context], dim=-1)), new, weights


def test_a_decoder_that_reads_the_old_state_is_wrong():
    with pytest.raises(check.CheckFailed, match="logits did not change when token did"):
        probe.decoder(OldState, generator())


class StateOnly(NoBias):
    def step(self, token, state, memory, mask):
        logits, new, weights = super().step(token, state, memory, mask)
        context, _ = self.attention(state[0][0], memory, mask)
        return logits - self.from_context(context), new, weights


def test_a_decoder_that_reads_the_new_state_alone_is_wrong():
    with pytest.raises(check.CheckFailed, match="h and the context side by side"):
        probe.decoder(StateOnly, generator())


class Swapped(recurrent.Encoder):
    def forward(self, src, lengths):
        memory, state = super().forward(src, lengths)
        return memory.roll(memory.shape[-1] // 2, dims=-1), state


def test_an_encoder_with_the_backward_half_first_is_wrong():
    with pytest.raises(check.CheckFailed):
        probe.encoder(Swapped, generator())


# Grading weights


def translators() -> tuple[recurrent.Encoder, recurrent.AttentionDecoder]:
    source, target = len(generated.DATES.source), len(generated.DATES.target)
    encoder = recurrent.Encoder(source, 4, 6)
    return encoder, recurrent.AttentionDecoder(target, 5, 6, 12, recurrent.AdditiveAttention(6, 12, 3))


def test_weights_alone_give_the_translator_back():
    both = translators()
    state = nn.ModuleList(both).state_dict()
    named = nn.ModuleDict(dict(zip(("encoder", "decoder"), both, strict=True))).state_dict()
    src, lengths, _ = generated.DATES.batch(5, seed=0)
    want = recurrent.greedy_decode(*both, src, lengths, 1, 2, 6)
    for weights in (state, named):
        again = recurrent.from_weights(lambda weights=weights: weights, generated.DATES)
        assert again is not None
        assert recurrent.greedy_decode(*again, src, lengths, 1, 2, 6) == want


def test_weights_of_another_model_or_none_give_nothing():
    def missing():
        raise train.WeightsError("none")

    assert recurrent.from_weights(missing, generated.DATES) is None
    assert recurrent.from_weights(lambda: {"a": torch.zeros(2)}, generated.DATES) is None


def test_the_exact_share_counts_whole_answers(monkeypatch: pytest.MonkeyPatch):
    pairs = generated.dates(4, 0, "test")
    ids = [generated.DATES.target.ids(answer) for _, answer in pairs]
    ids[1][-1] = ids[1][-1] % 10 + 3  # one symbol of one answer
    monkeypatch.setattr(recurrent, "greedy_decode", lambda *_: ids)
    assert recurrent.exact_share(None, None, generated.DATES, 4, 0, "test") == 0.75


def test_a_training_is_judged_by_its_dates_and_one_that_returns_nothing_says_so(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(check, "host", check.Host())
    with pytest.raises(check.CheckFailed, match="Is a `return` missing"):
        dates.trained(lambda: None, dict, "test", 3)
    with pytest.raises(check.CheckFailed, match=r"0\.0% of 3 unseen dates .* at least 98 % must"):
        dates.trained(translators, dict, "test", 3)


def test_a_look_has_one_row_of_weights_for_each_symbol():
    symbols, weights = recurrent.look(generated.DATES, *translators(), "22 July 2040")
    assert weights.shape == (len(symbols), 12)
    assert torch.allclose(weights.sum(dim=1), torch.ones(len(symbols)))


def test_no_attention_gives_nothing_to_see():
    keys = torch.ones(2, 3, 4)
    context, weights = recurrent.NoAttention()(torch.ones(2, 5), keys, torch.ones(2, 3, dtype=torch.bool))
    assert context.equal(torch.zeros(2, 4))
    assert weights.equal(torch.zeros(2, 3))
