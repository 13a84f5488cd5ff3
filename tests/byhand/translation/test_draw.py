"""Pictures of translation: true weights for any model, a beam that is a beam search, words for everyone."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from matplotlib.text import Text
from torch import nn

from byhand import blocks, translation
from byhand.translation import draw
from byhand.translation.attended import END, attended
from byhand.translation.beam import answer, beam_steps
from byhand.translation.decode import greedy
from byhand.translation.fused import fused, unfused

pytestmark = pytest.mark.usefixtures("paper")
VOCABULARY = translation.Vocabulary("abcde▁你好吗文件", [("a", "b"), ("文", "件")])
SRC = [4, 5, 8, 2]


def model(vocab_size: int = len(VOCABULARY), seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    made = blocks.Transformer(vocab_size, 16, 2, 32, 2, 16)
    with torch.no_grad():  # louder than at the start, so that the beam has something to decide
        for part in made.decoder.parameters():
            part.mul_(5.0)
    return made


def texts(figure: Any) -> list[str]:
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


class Slow(blocks.MultiHeadAttention):
    """Lesson 03's layer under a learner's names, with a signature of its own."""

    def forward(self, x, keys=None, values=None, allowed=None):
        return super().forward(x, keys, values, allowed)


class Bare(blocks.MultiHeadAttention):
    """A layer that returns the output alone."""

    def forward(self, query, key=None, value=None, mask=None):
        return super().forward(query, key, value, mask)[0]


def of_learner(net: nn.Module) -> nn.Module:
    """The same weights in a model whose cross-attention keeps its weights, as in lesson 03."""
    for block in net.decoder:
        layer = Slow(16, 2)
        layer.load_state_dict(block.cross_attention.state_dict())
        block.cross_attention = layer
        block.forward = _forward(block)
    return net


def _forward(block: nn.Module) -> Any:
    def forward(x, memory, self_mask=None, memory_mask=None):
        x = x + block.self_attention(block.norm1(x), mask=self_mask)[0]
        x = x + block.cross_attention(block.norm2(x), memory, allowed=memory_mask)[0]
        return x + block.feed_forward(block.norm3(x))

    return forward


def test_weights_taken_from_queries_and_keys_are_those_the_layer_would_return() -> None:
    fast = attended(model(), VOCABULARY, "abc de", "你好")
    slow = attended(of_learner(model()), VOCABULARY, "abc de", "你好")
    torch.testing.assert_close(fast.weights, slow.weights, rtol=1e-5, atol=1e-6)
    assert slow.weights.shape == (2, 2, len(slow.target), len(slow.source))
    torch.testing.assert_close(slow.weights.sum(-1), torch.ones(2, 2, 3))


def test_labels_are_pieces_and_the_ends() -> None:
    maps = attended(model(), VOCABULARY, "ab dz", "文件吗")
    assert maps.source == ["ab", "▁", "d", "z", END]  # z is unknown to the vocabulary, not to the reader
    assert maps.target == ["文件", "吗", END]


def test_without_a_translation_the_models_own_is_used() -> None:
    net = model()
    maps = attended(net, VOCABULARY, "abc", max_len=5)
    ids = greedy(net, [[*VOCABULARY.encode("abc"), 2]], 5)[0]
    assert maps.target == [*(VOCABULARY.piece(number) for number in ids), END]


def test_watching_leaves_no_hook_and_no_mode_behind() -> None:
    net = model().train()
    attended(net, VOCABULARY, "abc", "好")
    assert net.training
    assert not any(module._forward_hooks for module in net.modules())


def test_a_model_without_cross_attention_is_told_so() -> None:
    net = model()
    net.decoder = nn.ModuleList()
    with pytest.raises(ValueError, match="no part called cross_attention"):
        attended(net, VOCABULARY, "abc", "好")


def test_the_attention_of_one_head_is_drawn_with_its_own_weights() -> None:
    maps = attended(model(), VOCABULARY, "abc", "你好")
    ax = draw.attention(maps, layer=0, head=1, title="The title", caption="See this.")
    shown = ax.images[0].get_array()
    torch.testing.assert_close(torch.as_tensor(shown.data), maps.weights[0, 1].double())
    assert ax.images[0].get_clim() == (0, 1)
    assert {"你", "好", END, "The title", "See this."} <= set(texts(ax.figure))


def test_the_mean_is_over_heads_and_if_asked_over_layers() -> None:
    maps = attended(model(), VOCABULARY, "abc", "你好")
    torch.testing.assert_close(maps.mean(), maps.weights[-1].mean(0))
    torch.testing.assert_close(maps.mean(None), maps.weights.mean((0, 1)))
    with pytest.raises(ValueError, match="head 1 of which layer"):
        draw.attention(maps, layer=None, head=1)


def test_every_head_has_its_small_map_and_the_figure_its_words() -> None:
    maps = attended(model(), VOCABULARY, "abc", "你好")
    figure = draw.heads(maps, title="Heads", caption="Four of them.")
    assert {"layer 0, head 0", "layer 1, head 1", "你", "Four of them."} <= set(texts(figure))
    assert figure.alt.startswith("Heads. Four of them. Mean of all heads. Attention weights of 3 queries")


def test_a_beam_of_one_is_greedy() -> None:
    net = model(seed=3)
    ids, _ = answer(beam_steps(net, SRC, 1, 8))
    assert [number for number in ids if number != 2] == greedy(net, [SRC], 8)[0]


@torch.no_grad()
def test_a_beam_that_holds_everything_finds_the_best_of_all() -> None:
    net = model(vocab_size=6, seed=1).double()
    found, total = answer(beam_steps(net, [4, 5, 2], 6**3, 3), length_penalty=0.0)
    memory = net.eval().encode(torch.tensor([[4, 5, 2]]))
    rated = []
    for ids in itertools.product(range(6), repeat=3):
        produced = ids[: ids.index(2) + 1] if 2 in ids else ids
        logits = net.decode(torch.tensor([[1, *produced[:-1]]]), memory, torch.ones(1, 3, dtype=torch.bool))
        rows = logits[0].log_softmax(-1)
        rated.append((float(rows[range(len(produced)), produced].sum()), produced))
    best, ids = max(rated)
    assert found == ids
    assert total == pytest.approx(best)


def test_finished_hypotheses_stay_and_are_not_continued() -> None:
    for seed in range(4):
        steps = beam_steps(model(seed=seed), SRC, 3, 9)
        assert all(number != 2 for kept in steps for ids, _ in kept for number in ids[:-1])
        assert all(kept == sorted(kept, key=lambda one: -one[1]) for kept in steps)
        assert all(ids[-1:] == (2,) for ids, _ in steps[-1]) or len(steps) == 9


def test_the_beam_shows_pieces_sums_and_the_answer_in_words() -> None:
    steps = [
        [((15,), -0.5), ((9,), -1.25)],
        [((15, 2), -0.75), ((9, 10), -1.5)],
    ]
    ax = draw.beam(steps, VOCABULARY, title="Beam", caption="Two of them.")
    assert {VOCABULARY.piece(15), "-0.50", END, "-0.75", "-1.50", "1", "2"} <= set(texts(ax.figure))
    assert f"answer {VOCABULARY.piece(15)!r}, score -0.38" in ax.figure.alt


def test_a_long_search_is_cut_to_as_many_columns_as_fit() -> None:
    steps = [[((5,) * (length + 1), -float(length))] for length in range(30)]
    ax = draw.beam(steps, VOCABULARY, most=4)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2", "3", "4"]


def test_curves_show_each_run_and_say_where_it_ended() -> None:
    run = SimpleNamespace(losses=[4.0, 3.0, 2.0, 1.0], seconds=8.0, bleus=[(2, 5.0), (4, 12.5)])
    bare = SimpleNamespace(losses=[4.0, 2.0], seconds=4.0, bleus=[])
    figure = draw.curves({"long": run, "short": bare}, title="Curves")
    assert figure.alt == "Curves. long: loss 1.00, BLEU 12.5 after 8 s; short: loss 2.00 after 4 s."
    left, right = figure.axes
    assert list(left.lines[0].get_xdata()) == [2.0, 4.0, 6.0, 8.0]
    assert right.lines[0].get_xydata().tolist() == [[4.0, 5.0], [8.0, 12.5]]


def test_swapped_attention_gives_the_same_logits_and_gradients() -> None:
    net, src, tgt = (
        model().double().eval(),
        torch.tensor([[4, 5, 6, 2], [7, 2, 0, 0]]),
        torch.tensor([[1, 5], [1, 6]]),
    )
    results = []
    for swap in (fused, unfused):
        net.zero_grad()
        with swap(net):
            logits = net(src, tgt)
            logits.square().sum().backward()
        results.append([logits.detach(), *(part.grad for part in net.parameters())])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


def test_afterwards_every_layer_is_as_it_was_even_after_an_error() -> None:
    net = model()
    with pytest.raises(KeyError), fused(net), unfused(net):
        raise KeyError
    assert not any("forward" in vars(module) for module in net.modules())


def test_layers_of_any_signature_and_kind_of_result_can_be_swapped() -> None:
    x, memory = torch.randn(2, 3, 16), torch.randn(2, 5, 16)
    allowed = torch.rand(2, 1, 1, 5) > 0.3
    for layer, call in ((Slow(16, 2), {"allowed": allowed}), (Bare(16, 2), {"mask": allowed})):
        want = layer(x, memory, **call)
        with fused(layer):
            got = layer(x, memory, **call)
        assert isinstance(got, tuple) == isinstance(want, tuple)
        torch.testing.assert_close(
            got[0] if isinstance(got, tuple) else got, want[0] if isinstance(want, tuple) else want
        )


def test_heads_must_be_known_and_layers_there() -> None:
    layer = Slow(16, 2)
    del layer.n_heads
    with pytest.raises(ValueError, match="n_heads"), fused(layer):
        pass
    with pytest.raises(ValueError, match="no layer with q_proj"), fused(nn.Linear(2, 2)):
        pass
