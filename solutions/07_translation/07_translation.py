# %% [markdown]
# # 07 · English → Chinese, from nothing: a full Transformer, trained by you
#
# **Goal.** Build a translator from an empty file: pieces of words, encoder and decoder, loss, search, score. Train it on pairs of sentences: on an idle CPU in some ten minutes, or on a GPU.
#
# **Why.** The Transformer of 2017 was a translator; the language models of today are its right half, grown.
#
# You need lessons 03, 04 and 06. About 280 minutes, training included. `byhand data` fetches the texts; all before the training runs without.

# %%
import math
from collections import Counter
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from byhand import blocks, check, data, plot, train, translation, two_sides

# %% [markdown]
# ## The idea: one side reads, the other writes
# The **encoder** reads the whole English sentence and leaves one vector for each piece: the **memory**. The **decoder** writes Chinese, piece by piece. In each block it looks at what it has written, then, by **cross-attention**, at the memory: queries come from Chinese, keys and values from English.
#
# **Question:** ten pieces of Chinese are written. How often does each side read the English?
# <details><summary>Answer</summary>The encoder reads it once. Every block of the decoder looks at the memory at each step: ten times, and once more to write the end.</details>

# %%
ax = two_sides.draw()

# %% [markdown]
# ### Before you start
# Layers of earlier lessons are used under their own names. **Use yours:** paste your classes into a new cell after the next one; your translator is then made of them.
#
# **Letters:** `B` sentences, `S` source pieces, `T` target pieces, `H` heads, `E` model size, `V` vocabulary, `L` layers. A mask is boolean, **True means "may attend"**. Ids: 0 padding, 1 begin, 2 end, 3 unknown; but no function assumes these.

# %%
MultiHeadAttention = blocks.MultiHeadAttention
FeedForward, EncoderBlock = blocks.FeedForward, blocks.EncoderBlock


def lent(*sizes, **options):
    """Your Transformer, made of the course's DecoderBlock: while grading, so that a slip there costs nothing here."""
    global DecoderBlock
    yours, DecoderBlock = globals().get("DecoderBlock"), blocks.DecoderBlock
    try:
        return Transformer(*sizes, **options)
    finally:
        DecoderBlock = yours


# %% [markdown]
# ## Pieces of words
# A model has a fixed list of symbols. Whole words: too many, and each new name is unknown. Characters: short list, long sentences. **Byte-pair encoding** lies between: what often stands together becomes one piece. Rare words fall into parts, common ones stay whole, Chinese and English share one list.
#
# The words of a few texts, `▁` for a space before. **Question:** which two signs, ▁ among them, would you join first?
# <details><summary>Answer</summary>▁ and t in the fetched texts: not only <em>▁the</em> and <em>▁to</em> begin so. In the numbers, made without a download, it is e and n, as in <em>seven</em> and <em>percent</em>. Exercise 1 counts them.</details>

# %%
fetched = data.is_there("general") and not check.host.grading
texts = data.pairs("general") if fetched else data.generated("numbers", 3000)  # which need no download
counted = Counter(translation.word_counts(texts))
english, chinese = texts[19142 % len(texts)]
print(english, chinese, translation.words(english), translation.words(chinese), sep="\n")
print(f"{len(counted):,} different words; the commonest: {counted.most_common(8)}")

# %% [markdown]
# ### Exercise 1 · `learn_bpe` — 3 points, difficulty 2/3, importance 3/3, about 28 minutes
# Each word starts as its characters. Then, `n_merges` times: count every pair of neighbours in all words, join the commonest pair everywhere, write it down.
# 1. A pair counts at **every** adjacent position, times the word's count: *aaa*, seen 5 times, has (a, a) 10 times.
# 2. Equally common: take the smallest tuple, as Python compares them.
# 3. A pair seen once is still joined. Stop early only if no word has a pair left.
# 4. `word_counts` stays as it is.
#
# **Predict first:** the first two merges of {"aab": 3, "ab": 1}?
# <details><summary>Answer</summary>(a, b), seen 4 times against 3 of (a, a). Then (a, ab).</details>
# <details><summary>Hint 1 · idea</summary>Two steps in a loop: count pairs, join one pair in each word.</details>
# <details><summary>Hint 2 · shape of the answer</summary>A dictionary {word: its pieces} beside the counts, and a Counter of pairs, made anew each time.</details>
# <details><summary>Hint 3 · nearly there</summary><code>min</code> with a key of two parts, minus the count and the pair, settles ties. To join, walk along with an index: after a hit, step over both.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "learn_bpe", "locked": false, "solution": true, "task": false}
def learn_bpe(word_counts, n_merges):
    """Which pairs of pieces to join, in order.

    word_counts: {word: how often it occurs}; not changed. A word starts as its characters, without an end mark.
    Returns: a list of at most n_merges pairs, tuples of two strings. Source: Sennrich, Haddow, Birch 2016.
    """
    ### BEGIN SOLUTION
    pieces, merges = {word: list(word) for word in word_counts}, []
    for _ in range(n_merges):
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in pairwise(parts):
                pairs[pair] += word_counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for parts in pieces.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = ["".join(best)]
                at += 1
    return merges
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_learn_bpe", "locked": true, "points": 3, "solution": false, "task": false}
from byhand.probes import pieces as probe_pieces

with check.exercise("learn_bpe"):
    check.source("learn_bpe", **probe_pieces.RULES)
    counts = {"cdab": 2, "ab": 2, "cd": 2, "efg": 1, "efh": 1, "efi": 1}
    call, want = f"learn_bpe({counts}, 3)", [("a", "b"), ("c", "d"), ("e", "f")]
    check.values(call, learn_bpe(counts, 3), want, known_wrong=probe_pieces.TIES)
    call = 'learn_bpe({"aaa": 2, "bc": 3}, 1)'
    check.values(call, learn_bpe({"aaa": 2, "bc": 3}, 1), [("a", "a")], known_wrong=probe_pieces.TWICE)
    call = 'learn_bpe({"abc": 1}, 5)'
    check.values(call, learn_bpe({"abc": 1}, 5), [("a", "b"), ("ab", "c")], known_wrong=probe_pieces.ENDS)
    ### BEGIN HIDDEN TESTS
    probe_pieces.learning(learn_bpe, check.rng())
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2 · `apply_bpe` — 2 points, difficulty 1/3, importance 3/3, about 15 minutes
# A new word gets the same merges: start with its characters, then take the merges **in their order**. Each has its turn once: from left to right, it joins what it finds, and never comes back.
#
# `apply_bpe("aaa", [("a", "a")])` gives `("aa", "a")`. The empty word gives `()`. Characters that no merge knows stay single.
#
# **Predict first:** merges (b, c), then (a, b). What becomes of *abc*?
# <details><summary>Answer</summary>(a, bc): the earlier merge took the b away.</details>
# <details><summary>Hint 1 · idea</summary>It is the last part of Exercise 1, for one word.</details>
# <details><summary>Hint 2 · shape of the answer</summary>An outer loop over merges, an inner one over places; a tuple at the end.</details>
# <details><summary>Hint 3 · nearly there</summary>Let <code>at</code> run while it is below the number of pieces minus 1, which shrinks; where the two pieces fit, put one in their place.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "apply_bpe", "locked": false, "solution": true, "task": false}
def apply_bpe(word, merges):
    """The pieces of a word: each merge in turn, from left to right. Returns: a tuple of strings."""
    ### BEGIN SOLUTION
    pieces = list(word)
    for left, right in merges:
        at = 0
        while at < len(pieces) - 1:
            if (pieces[at], pieces[at + 1]) == (left, right):
                pieces[at : at + 2] = [left + right]
            at += 1
    return tuple(pieces)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_apply_bpe", "locked": true, "points": 2, "solution": false, "task": false}
from byhand.probes import pieces as probe_pieces

with check.exercise("apply_bpe"):
    check.source("apply_bpe", **probe_pieces.RULES)
    call, merges = 'apply_bpe("abcabc", [("b", "c"), ("a", "b")])', [("b", "c"), ("a", "b")]
    check.values(call, apply_bpe("abcabc", merges), ("a", "bc", "a", "bc"), known_wrong=probe_pieces.TURNS)
    call, got = 'apply_bpe("aaa", [("a", "a")])', apply_bpe("aaa", [("a", "a")])
    check.values(call, got, ("aa", "a"), known_wrong=probe_pieces.STEPS)
    ### BEGIN HIDDEN TESTS
    probe_pieces.applying(apply_bpe, check.rng())
    ### END HIDDEN TESTS

# %% [markdown]
# ### Your pieces at work
# 1,000 merges of the commonest words, by your function. Merges come in order: the first 100 are just what a call for 100 gives. **Questions:** which pieces mean something, which are chance? Whose sentences shrink less, and why? Try `apply_bpe` on a word of yours.
# <details><summary>Answer</summary>In the fetched texts, whole words such as <em>▁return</em> and the plural <em>s</em> mean something; the parts of <em>s|che|du|le|d</em> only meet often. Chinese shrinks less. Without spaces, its words are whole runs of signs, most of them seen once, so few are among the 1,000 commonest. And it has thousands of characters, each with a meaning: pairs repeat more rarely.</details>

# %%
merges = learn_bpe(dict(counted.most_common(1000)), 1000)
for n in (0, 100, 1000):
    print(f"{n:>5} merges:", *("|".join(apply_bpe(word, merges[:n])) for word in translation.words(english)))
some = texts[:: len(texts) // 100]
steps, lengths = range(0, 1001, 100), {}
for language, name in enumerate(("English", "Chinese")):
    asked = [word for pair in some for word in translation.words(pair[language])]
    lengths[name] = [sum(len(apply_bpe(word, merges[:n])) for word in asked) / len(some) for n in steps]
caption = "What to see: the first merges shorten a sentence most; each further one helps rarer words."
ax = plot.lines(steps, lengths, xlabel="merges", ylabel="pieces per sentence", caption=caption)

# %% [markdown]
# ### Exercise 3 · `DecoderBlock` — 4 points, difficulty 2/3, importance 3/3, about 18 minutes
# The encoder's block with one branch more, all of them pre-norm:
# $$x \leftarrow x + \text{drop}(\text{self}(\text{norm}_1(x))), \quad x \leftarrow x + \text{drop}(\text{cross}(\text{norm}_2(x), \text{memory})), \quad x \leftarrow x + \text{drop}(\text{ff}(\text{norm}_3(x)))$$
# Parts: `norm1, self_attention, norm2, cross_attention, norm3, feed_forward`. Memory comes normalised: take it as it is. Masks come from outside; the block has none of its own. Use the classes above and `nn.LayerNorm`, `FeedForward` with its dropout; no ready-made decoder.
#
# **Predict first:** 5 Chinese pieces so far, 7 English. What shape have the cross-attention's weights?
# <details><summary>Answer</summary>(B, H, 5, 7): who asks, then who is asked.</details>
# <details><summary>Hint 1 · idea</summary>Three lines, each "stream plus dropped branch of the normalised stream".</details>
# <details><summary>Hint 2 · shape of the answer</summary>Cross-attention has the normalised stream as query, <code>memory</code> as key; values are then memory by themselves.</details>
# <details><summary>Hint 3 · nearly there</summary>Attention gives two results; take the first. <code>self_mask</code> belongs to the first attention, <code>memory_mask</code> to the second; pass both by name.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "DecoderBlock", "locked": false, "solution": true, "task": false}
class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward, on a pre-norm stream. Source: Vaswani et al. 2017, section 3.1.

    forward: x (B, T, E), memory (B, S, E), bool masks that broadcast to (B, H, T, T) and (B, H, T, S) -> (B, T, E).
    """

    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0):
        super().__init__()
        ### BEGIN SOLUTION
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        ### BEGIN SOLUTION
        x = x + self.dropout(self.self_attention(self.norm1(x), mask=self_mask)[0])
        x = x + self.dropout(self.cross_attention(self.norm2(x), memory, mask=memory_mask)[0])
        return x + self.dropout(self.feed_forward(self.norm3(x)))
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_DecoderBlock", "locked": true, "points": 4, "solution": false, "task": false}
from byhand.probes import decoder as probe_decoder

with check.exercise("DecoderBlock"):
    check.source("DecoderBlock", **probe_decoder.RULES)
    layer = probe_decoder.small(DecoderBlock)
    x, memory, want = torch.tensor([[[[3.0, 1]]], [[[10.0, 20]]], [[[14.0, 25]]]])
    note = "x is (3, 1); self-attention adds (1, 0), cross-attention memory, (10, 20), feed-forward (0, 4)."
    check.values("block(x, memory)", layer(x, memory), want, note=note, **probe_decoder.SHOWN)
    ### BEGIN HIDDEN TESTS
    probe_decoder.block(DecoderBlock, check.generator())
    ### END HIDDEN TESTS

# %% [markdown]
# ### Who may look at whom
# Both sides in one picture, a row for each piece that asks. **Question:** where in it do you see the translator's three attentions? Which quarter is empty, and why must it be?
# <details><summary>Answer</summary>Top left, the encoder's own; bottom right, the decoder's own, with its causal triangle; bottom left, cross-attention. Top right is empty: English is read before any Chinese is written, and only once, so the memory cannot depend on it.</details>

# %%
asking = ["the", "cat", "sleeps", "<pad>", "<bos>", "猫", "在", "睡"]
real = torch.tensor([piece != "<pad>" for piece in asking[:4]])
top = torch.cat([real.expand(4, 4), torch.zeros(4, 4) > 0], dim=1)  # the encoder sees English only
low = torch.cat([real.expand(4, 4), blocks.causal_mask(4, 4)], dim=1)  # the decoder: and its own past
caption = "What to see: English sees English; Chinese sees English and its own past; nothing sees padding."
ax = plot.mask(torch.cat([top, low]), queries=asking, keys=asking, caption=caption)

# %% [markdown]
# ### Exercise 4 · `Transformer` — 5 points, difficulty 3/3, importance 3/3, about 35 minutes
# All of it, with **one** table of `(V, E)`: it embeds both languages, and the logits are products with it.
# 1. `embed(tokens, start=0)`: dropout(embedding · √E + `blocks.sinusoidal_encoding`, from `start`). Beyond `max_len`: `ValueError` with both numbers.
# 2. `encode(src)`: blocks, then `encoder_norm`; no piece attends to ids equal to `pad_id`.
# 3. `decode(tgt, memory, src_mask)`: makes its own causal mask; `src_mask` is `(B, S)`; blocks, `decoder_norm`, times embeddingᵀ.
# 4. `forward(src, tgt)` shifts nothing.
# 5. Start the table with a standard deviation of $2.2 \cdot E^{-3/4}$. That of `nn.Embedding`, 1, is far too large for logits; a much smaller one drowns in the positions, and training pays for it. Untrained, the model must lose less than ln V + 1.
#
# **Predict first:** E = 256, the table is N(0, 1). How large are the logits?
# <details><summary>Answer</summary>A sum of 256 products of size 1: about ±16. Softmax is sure of nonsense.</details>
# <details><summary>Hint 1 · idea</summary>Lesson 06's encoder, twice. The masks are the picture above.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>encoder</code> and <code>decoder</code> are <code>nn.ModuleList</code>; masks are <code>(B, 1, 1, S)</code> and <code>(T, T)</code>; positions are a buffer of <code>(max_len, E)</code>, from <code>blocks.sinusoidal_encoding</code>.</details>
# <details><summary>Hint 3 · nearly there</summary><code>nn.init.normal_(weight, std=…)</code> draws the table anew. <code>functional.linear(x, weight)</code> multiplies by weightᵀ. A buffer with <code>persistent=False</code> is not saved.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "Transformer", "locked": false, "solution": true, "task": false}
class Transformer(nn.Module):
    """Source ids (B, S) and target ids (B, T) -> logits (B, T, V) of the piece after each of the target.

    Parts: embedding, encoder, encoder_norm, decoder, decoder_norm. Attributes: pad_id, max_len.
    Raises: ValueError if positions go beyond max_len. Source: Vaswani et al. 2017; pre-norm.
    """

    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.1):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        ### BEGIN SOLUTION
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=2.2 * d_model**-0.75)
        self.register_buffer("positions", blocks.sinusoidal_encoding(max_len, d_model), persistent=False)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, n_heads, d_hidden, dropout
        self.encoder = nn.ModuleList(EncoderBlock(*sizes) for _ in range(n_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder = nn.ModuleList(DecoderBlock(*sizes) for _ in range(n_layers))
        self.decoder_norm = nn.LayerNorm(d_model)
        ### END SOLUTION

    def embed(self, tokens, start=0):
        """ids (B, T) -> (B, T, E), at the positions start, start + 1, …"""
        ### BEGIN SOLUTION
        end = start + tokens.shape[1]
        if end > self.max_len:
            raise ValueError(f"tokens reach position {end}, max_len is {self.max_len}")
        return self.dropout(self.embedding(tokens) * math.sqrt(self.d_model) + self.positions[start:end])
        ### END SOLUTION

    def encode(self, src):
        """ids (B, S) -> memory (B, S, E)"""
        ### BEGIN SOLUTION
        x, mask = self.embed(src), (src != self.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        for block in self.encoder:
            x = block(x, mask)
        return self.encoder_norm(x)
        ### END SOLUTION

    def decode(self, tgt, memory, src_mask):
        """ids (B, T), memory (B, S, E), src_mask (B, S) bool -> logits (B, T, V)"""
        ### BEGIN SOLUTION
        x, n = self.embed(tgt), tgt.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool, device=tgt.device).tril()
        for block in self.decoder:
            x = block(x, memory, causal, src_mask[:, None, None, :])
        return functional.linear(self.decoder_norm(x), self.embedding.weight)
        ### END SOLUTION

    def forward(self, src, tgt):
        """logits (B, T, V); nothing is shifted"""
        ### BEGIN SOLUTION
        return self.decode(tgt, self.encode(src), src != self.pad_id)
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_Transformer", "locked": true, "points": 5, "solution": false, "task": false}
from byhand.probes import translation as probe_translation

with check.exercise("Transformer", needs=() if check.host.grading else ("DecoderBlock",)):
    check.source("Transformer", **probe_translation.RULES)
    probe_translation.fairly(probe_translation.seen, Transformer, lent)
    ### BEGIN HIDDEN TESTS
    probe_translation.fairly(probe_translation.transformer, Transformer, lent)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 5 · `label_smoothed_loss` — 3 points, difficulty 2/3, importance 2/3, about 9 minutes
# A sentence has many good translations; a model told "this piece, with certainty" grows too sure. Smoothing moves a share ε from the right piece to all V alike:
# $$\text{loss} = -\frac1N \sum_{n:\ y_n \ne \text{pad}} \Big( (1-\varepsilon) \log p_{n,y_n} + \frac{\varepsilon}{V} \sum_v \log p_{n,v} \Big)$$
# 1. Padding is left out of sum and count; nothing but padding: 0, with gradients of 0.
# 2. Logits reach ±10,000. Leading axes of any number; shapes that do not fit: `ValueError` with the numbers of both.
# 3. No ready-made cross entropy or NLL loss.
#
# **Predict first:** ε = 0.1. Can the loss reach 0?
# <details><summary>Answer</summary>No. Certainty costs the other pieces' shares: the best p is 0.9 + 0.1 / V.</details>
# <details><summary>Hint 1 · idea</summary>Lesson 02's sequence loss, with a second term: the mean of all log-probabilities.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>log_softmax</code> once; <code>gather</code> picks the right ones; <code>mean(dim=-1)</code> is the second sum over V.</details>
# <details><summary>Hint 3 · nearly there</summary>Masked sum over <code>clamp(min=1)</code> of the count. Compare <code>targets.shape</code> with <code>logits.shape[:-1]</code> first: gather does not complain.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "label_smoothed_loss", "locked": false, "solution": true, "task": false}
def label_smoothed_loss(logits, targets, smoothing=0.1, pad_id=0):
    """Mean cross entropy over real targets, with `smoothing` of each target's share spread over all V pieces.

    logits: (…, V) floats. targets: (…) ids; pad_id marks padding. Returns: 0-d, logits' dtype; 0 if all is padding.
    Raises: ValueError if targets do not fit; the message holds both shapes. Source: Szegedy et al. 2016, section 7.
    """
    ### BEGIN SOLUTION
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {tuple(logits.shape)}")
    logs, real = logits.log_softmax(dim=-1), targets != pad_id
    right = logs.gather(-1, targets[..., None]).squeeze(-1)  # (…)
    each = (1 - smoothing) * right + smoothing * logs.mean(dim=-1)
    return -torch.where(real, each, 0.0).sum() / real.sum().clamp(min=1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_label_smoothed_loss", "locked": true, "points": 3, "solution": false, "task": false}
from byhand.probes import loss as probe_loss

with check.exercise("label_smoothed_loss"):
    check.source("label_smoothed_loss", **probe_loss.RULES)
    shares = torch.tensor([[4.0, 2, 1, 1], [1, 4, 2, 1], [2, 2, 2, 2]])  # eighths
    logits, targets, ln2 = shares.log(), torch.tensor([1, 1, 0]), math.log(2)
    call, got = "label_smoothed_loss(logits, targets, 0.2)", label_smoothed_loss(logits, targets, 0.2)
    check.values(call, got, torch.tensor(1.65 * ln2), known_wrong=probe_loss.SMOOTHED)
    call = "label_smoothed_loss(logits (3, 4), targets[:2])"
    check.raises(call, lambda: label_smoothed_loss(logits, targets[:2]), mentions=("3", "2"))
    ### BEGIN HIDDEN TESTS
    probe_loss.smoothed(label_smoothed_loss, check.generator())
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6 · `warmup_rate` — 1 point, difficulty 1/3, importance 2/3, about 7 minutes
# At the start gradients point anywhere, and Adam's averages know nothing: a full step would throw the model off. So the rate climbs in a line, then falls with the root:
# $$\text{rate}(n) = E^{-1/2} \cdot \min\left(n^{-1/2},\ n \cdot w^{-3/2}\right)$$
# $E$ is `d_model`, $w$ `warmup_steps`. Steps count from 1; step 0 gives 0.0. Return a plain float.
#
# **Predict first:** at which step do both branches meet, and how high?
# <details><summary>Answer</summary>At n = w: there both are 1 / √w, times 1 / √E.</details>
# <details><summary>Hint 1 · idea</summary>The formula, and one case before it.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Python's <code>min</code> and <code>**</code>; no tensor.</details>
# <details><summary>Hint 3 · nearly there</summary><code>0 ** -0.5</code> stops with an error, so ask for step 0 first.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "warmup_rate", "locked": false, "solution": true, "task": false}
def warmup_rate(step, d_model, warmup_steps):
    """The learning rate at step 1, 2, …, a float; 0.0 at step 0. Source: Vaswani et al. 2017, section 5.3."""
    ### BEGIN SOLUTION
    if step == 0:
        return 0.0
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_warmup_rate", "locked": true, "points": 1, "solution": false, "task": false}
from byhand.probes import loss as probe_loss

with check.exercise("warmup_rate"):
    call, got = "[warmup_rate(n, 4, 16) for n in (4, 16, 64)]", [warmup_rate(n, 4, 16) for n in (4, 16, 64)]
    check.values(call, got, [0.03125, 0.125, 0.0625], known_wrong=probe_loss.WARMED)
    check.values("warmup_rate(0, 4, 16)", warmup_rate(0, 4, 16), 0.0)
    ### BEGIN HIDDEN TESTS
    probe_loss.warming(warmup_rate, check.rng())
    ### END HIDDEN TESTS

# %% [markdown]
# **Question:** twice the warm-up: how much lower is the peak, and from where on do both rates agree?
# <details><summary>Answer</summary>The peak is 1 / √(E · w): twice the w divides it by √2, so it is 29 % lower. From step 8,000 on, where the longer warm-up ends, both are 1 / √(E · n), without w.</details>

# %%
steps, sizes = [n / 10 for n in range(201)], [(512, 4000), (512, 8000), (256, 4000)]
rates = {f"E = {E}, w = {w:,}": [1000 * warmup_rate(1000 * n, E, w) for n in steps] for E, w in sizes}
caption = "What to see: up in a line, down with the root; a longer warm-up has a lower, later peak."
ax = plot.lines(steps, rates, xlabel="step, thousands", ylabel="learning rate, thousandths", caption=caption)

# %% [markdown]
# ## Writing with the model
# A model gives a probability for every next id. Somebody must choose, and a good choice now can be a bad one three words later. The checks make models of their own, with the names in this cell.

# %%
from byhand.probes import cache as probe_cache

make_model, count_flops = blocks.Transformer, probe_cache.counted

# %% [markdown]
# ### Exercise 7 · `translate_greedy` — 3 points, difficulty 2/3, importance 3/3, about 21 minutes
# Take the likeliest id, append it, ask again, for all rows at once:
# 1. `model.encode(src)` **once**. `src_mask` is where `src` differs from `model.pad_id`.
# 2. `model.decode(written, memory, src_mask)` gives `(B, T, V)`; the last position speaks of the next id. `written` begins with `bos_id`.
# 3. At most `max_len` ids a row, `eos_id` counted. Stop as soon as **every** row has ended.
# 4. Return plain ints, each row cut before its first `eos_id`. No graph; the model's mode stays.
#
# **Predict first:** rows end after 3, 7 and 5 ids. How often is `decode` called, how often `encode`?
# <details><summary>Answer</summary>7 times and once. Rows that ended early go along and are cut later.</details>
# <details><summary>Hint 1 · idea</summary>Grow one tensor by a column a step, and cut at the very end.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>written</code> is <code>(B, 1 + steps)</code>; <code>ended</code>, (B,) bool, only ever grows.</details>
# <details><summary>Hint 3 · nearly there</summary><code>[:, -1].argmax(dim=-1)</code> gives the new column; <code>ended |= ids == eos_id</code>, then <code>ended.all()</code>; <code>row.index(eos_id)</code> cuts.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "translate_greedy", "locked": false, "solution": true, "task": false}
def translate_greedy(model, src, bos_id, eos_id, max_len):
    """The likeliest id, step by step, with model.encode, model.decode and model.pad_id alone.

    src: (B, S) ids. Returns: a list of B lists of ints, at most max_len made for each, without bos and eos.
    """
    ### BEGIN SOLUTION
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        written = torch.full_like(src[:, :1], bos_id)  # (B, 1)
        ended = torch.zeros_like(src[:, 0], dtype=torch.bool)  # (B,)
        for _ in range(max_len):
            ids = model.decode(written, memory, src_mask)[:, -1].argmax(dim=-1)
            written = torch.cat([written, ids[:, None]], dim=1)  # (B, T + 1)
            ended = ended | (ids == eos_id)
            if ended.all():
                break
    rows = written[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_translate_greedy", "locked": true, "points": 3, "solution": false, "task": false}
from byhand.probes import decoding as probe_decoding, known_translation

Toy = known_translation.toy(lambda self, src: self.read(src), lambda self, *a, **k: self.say(*a, **k))

with check.exercise("translate_greedy"):
    check.source("translate_greedy", forbid=("byhand.translation.",), allow_text="encode, decode.")
    # A source that begins with 4 becomes 5 3 2; one with 5 becomes 4 2 3 2; one with 3 never ends.
    model = Toy(6, pad_id=0, scripts={4: [5, 3, 2], 5: [4, 2, 3, 2], 3: [5, 4, 5, 4, 5, 4]})
    src = torch.tensor([[4, 3, 3], [5, 3, 0], [3, 0, 0]])
    call, want = "translate_greedy(model, src, bos_id=1, eos_id=2, max_len=4)", [[5, 3], [4], [5, 4, 5, 4]]
    rules = {"known_wrong": known_translation.GREEDY, "note": "src_mask is src != model.pad_id, here 0."}
    check.values(call, translate_greedy(model, src, 1, 2, 4), want, **rules)
    probe_decoding.asked_well(call, model, src, 9)
    ### BEGIN HIDDEN TESTS
    probe_decoding.greedy(translate_greedy, Toy, make_model, check.rng())
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 8 · `beam_search` — 5 points, difficulty 3/3, importance 3/3, about 31 minutes
# Keep several beginnings, so that a strong second word can make up for a weak first. For each row:
# 1. Start with `[bos_id]`, sum 0.
# 2. **Candidates**: every extension of every unfinished one, its log-probability added; finished ones stay, as they are. Keep the `beam` highest sums. `beam` may exceed `V`.
# 3. Stop when all kept are finished, or after `max_len` steps.
# 4. Only now: score = sum / length$^{\text{length\_penalty}}$, length = ids made, `eos_id` counted. Answer: the kept one with the highest **score**, as a pair: its ids without bos and eos, and the score, a float.
#
# **Predict first:** why divide at all?
# <details><summary>Answer</summary>Every id adds a negative number, so sums prefer short texts.</details>
# <details><summary>Hint 1 · idea</summary>One row at a time, as a list of (sum, ids). A finished one ends with eos_id.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Per step: split kept into going and finished; one <code>decode</code> for all going, <code>(N, T)</code>; finished + extensions; sort, cut.</details>
# <details><summary>Hint 3 · nearly there</summary><code>memory[row].expand(N, -1, -1)</code> gives each its memory; <code>log_softmax(dim=-1).tolist()</code> the numbers to add; tuples sort by their first entry.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "beam_search", "locked": false, "solution": true, "task": false}
def beam_search(model, src, beam, length_penalty, bos_id, eos_id, max_len):
    """The best of the `beam` texts that are kept, for each row alone.

    src: (B, S) ids. Returns: a list of B pairs, ids without bos and eos, and their score, a float.
    """
    ### BEGIN SOLUTION
    answers = []
    with torch.no_grad():
        memory, src_mask = model.encode(src), src != model.pad_id
        for row in range(len(src)):
            finished, going = [], [(0.0, [])]
            for _ in range(max_len):
                written = torch.tensor([[bos_id, *ids] for _, ids in going], device=src.device)  # (N, T)
                each = written.new_full((len(going),), row)
                logits = model.decode(written, memory[each], src_mask[each])[:, -1]  # (N, V)
                for (total, ids), gains in zip(going, logits.log_softmax(dim=-1).tolist(), strict=True):
                    finished += [(total + gain, [*ids, token]) for token, gain in enumerate(gains)]
                kept = sorted(finished, reverse=True)[:beam]
                going = [one for one in kept if one[1][-1] != eos_id]
                finished = [one for one in kept if one[1][-1] == eos_id]
                if not going:
                    break
            score, ids = max((total / len(ids) ** length_penalty, ids) for total, ids in kept)
            answers.append((ids[:-1] if ids[-1] == eos_id else ids, score))
    return answers
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_beam_search", "locked": true, "points": 5, "solution": false, "task": false}
from byhand.probes import decoding as probe_decoding, known_translation

Toy = known_translation.toy(lambda self, src: self.read(src), lambda self, *a, **k: self.say(*a, **k))

with check.exercise("beam_search"):
    check.source("beam_search", forbid=("byhand.translation.",), allow_text="encode, decode.")
    model, src = Toy(5, pad_id=0, tables=known_translation.TABLES), torch.tensor([[3, 4, 4], [4, 0, 0]])
    call = "beam_search(model, src, beam=2, length_penalty=2.0, bos_id=1, eos_id=2, max_len=4)"
    want = [([4, 4], math.log(0.4 * 0.9 * 0.95) / 3**2), ([3, 3], math.log(0.6 * 0.45 * 0.34) / 3**2)]
    rules = {"known_wrong": known_translation.BEAM, "tolerance": 1e-5}
    check.values(call, beam_search(model, src, 2, 2.0, 1, 2, 4), want, **rules)
    probe_decoding.asked_well(call, model, src, 12, each_row=True)
    ### BEGIN HIDDEN TESTS
    probe_decoding.beams(beam_search, Toy, make_model, check.rng())
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 9 · `KVCache` — 6 points, difficulty 3/3, importance 3/3, about 47 minutes
# Step 100 of `decode` works out 100 keys and values, though 99 were known. Keep them:
# 1. `KVCache(model, src)` encodes once, and stores each block's **cross** keys and values once.
# 2. `step(token)` embeds one id a row **at its position**, adds its keys and values to each block's, returns logits `(B, V)`: what `decode` gives last. No graph.
# 3. `len(cache)`: steps so far. `reorder(rows)`: row i goes on with what row `rows[i]` held; N rows, repeats too.
#
# A block is `norm1, self_attention, norm2, cross_attention, norm3, feed_forward`; an attention `q_proj, k_proj, v_proj, out_proj, n_heads`. `functional.scaled_dot_product_attention` attends; `blocks.attention` costs too much here: to return the weights as well, it multiplies by an n × n identity for n keys, at every step.
#
# **Predict first:** does one new query need a causal mask?
# <details><summary>Answer</summary>No: all keys that there are come before it.</details>
# <details><summary>Hint 1 · idea</summary>Write <code>decode</code> for T = 1. Only keys and values come from more than x.</details>
# <details><summary>Hint 2 · shape of the answer</summary>A pair (keys, values), each (B, H, T, D), per block, for self and cross. <code>torch.cat(…, dim=2)</code> grows the first; <code>tensor[rows]</code> reorders all, mask included.</details>
# <details><summary>Hint 3 · nearly there</summary>x = <code>model.embed(token[:, None], start=len(self))</code>; each branch reads its norm and is added; then decoder_norm, and embedding.weight transposed.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "KVCache", "locked": false, "solution": true, "task": false}
class KVCache:
    """Decodes one id a row at a time: step(token (B,)) -> logits (B, V), from keys and values that are kept."""

    def __init__(self, model, src):
        ### BEGIN SOLUTION
        self.model, self.size, self.own, self.cross = model, 0, [None] * len(model.decoder), []
        self.mask = (src != model.pad_id)[:, None, None, :]  # (B, 1, 1, S)
        with torch.no_grad():
            memory = model.encode(src)
            for layer in (block.cross_attention for block in model.decoder):
                both = layer.k_proj(memory), layer.v_proj(memory)
                self.cross.append([blocks.split_heads(part, layer.n_heads) for part in both])
        ### END SOLUTION

    def __len__(self):
        ### BEGIN SOLUTION
        return self.size
        ### END SOLUTION

    def reorder(self, rows):
        ### BEGIN SOLUTION
        self.mask = self.mask[rows]
        for kept in (self.own, self.cross):
            kept[:] = [pair and [part[rows] for part in pair] for pair in kept]
        ### END SOLUTION

    def step(self, token):
        ### BEGIN SOLUTION
        with torch.no_grad():
            x = self.model.embed(token[:, None], start=self.size)  # (B, 1, E)
            for n, block in enumerate(self.model.decoder):
                own = (block.self_attention, block.norm1, self.own, None)
                cross = (block.cross_attention, block.norm2, self.cross, self.mask)
                for layer, norm, kept, mask in (own, cross):
                    parts = (layer.q_proj, layer.k_proj, layer.v_proj)[: 3 if kept is self.own else 1]
                    y = norm(x)
                    q, *new = (blocks.split_heads(part(y), layer.n_heads) for part in parts)
                    if new:  # (B, H, 1, D), behind what is there
                        pairs = zip(kept[n] or [], new, strict=False)
                        kept[n] = [torch.cat(two, dim=2) for two in pairs] or new
                    found = functional.scaled_dot_product_attention(q, *kept[n], attn_mask=mask)
                    x = x + layer.out_proj(blocks.merge_heads(found))
                x = x + block.feed_forward(block.norm3(x))
            self.size += 1
            return self.model.decoder_norm(x)[:, 0] @ self.model.embedding.weight.T
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_KVCache", "locked": true, "points": 6, "solution": false, "task": false}
from byhand.probes import cache as probe_cache

with check.exercise("KVCache"):
    check.source("KVCache", forbid=("byhand.translation.", ".decode"), allow_text="the model's blocks.")
    probe_cache.small(KVCache, make_model)
    ### BEGIN HIDDEN TESTS
    probe_cache.cache(KVCache, make_model, count_flops, check.generator())
    ### END HIDDEN TESTS

# %% [markdown]
# ## How good, how fast
# BLEU asks how many runs of 1, 2, 3, 4 words of a translation also stand in a person's. It cuts texts into words first; here are sacreBLEU's cutters. **Question:** why does Chinese need its own?
# <details><summary>Answer</summary>It has no spaces. For 13a, 中打开文件。 is one word: one other character, and nothing of it matches. zh cuts between Chinese characters, and keeps <em>JupyterLab</em> and <em>4.2</em> whole; char cuts those, too.</details>

# %%
from sacrebleu.tokenizers import tokenizer_13a, tokenizer_char, tokenizer_zh

cutters = tokenizer_zh.TokenizerZh(), tokenizer_13a.Tokenizer13a(), tokenizer_char.TokenizerChar()
TOKENIZERS = dict(zip(("zh", "13a", "char"), cutters, strict=True))  # each: text -> text with spaces
for name, cut in TOKENIZERS.items():
    print(f"{name:<5}", cut("在 JupyterLab 4.2 中打开文件。").split())

# %% [markdown]
# ### Exercise 10 · `bleu` — 4 points, difficulty 2/3, importance 2/3, about 27 minutes
# $$\text{BLEU} = 100 \cdot \min(1, e^{1 - r/c}) \cdot \sqrt[4]{p_1 p_2 p_3 p_4}$$
# 1. $p_n$ = matches / n-grams of the hypotheses, both **added over all sentences first**. An n-gram matches at most as often as its sentence's reference has it.
# 2. $c$, $r$: words of all hypotheses, of all references.
# 3. *Smoothing*: the first order without a match counts ½ match, the next ¼, then ⅛.
# 4. No match at all, or an order without n-grams: 0.0. Other lengths of the lists: a `ValueError` with both numbers.
#
# **Predict first:** "the the the" against "the cat": what is $p_1$?
# <details><summary>Answer</summary>1/3: one <em>the</em> matches, clipped.</details>
# <details><summary>Hint 1 · idea</summary>Two lists of four counts, filled sentence by sentence; formulas only afterwards.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>collections.Counter</code> of tuples; <code>&amp;</code> of two takes the smaller counts.</details>
# <details><summary>Hint 3 · nearly there</summary><code>zip(*(words[i:] for i in range(n)))</code> gives n-grams. Halve a number at each order without a match.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "bleu", "locked": false, "solution": true, "task": false}
def bleu(hypotheses, references, tokenize="zh"):
    """How near texts are to their references, 0 to 100, as sacreBLEU scores. Source: Papineni et al. 2002.

    tokenize: "zh", "13a" or "char". Raises: ValueError if there are not as many of both.
    """
    ### BEGIN SOLUTION
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, but {len(references)} references")
    lengths, matches, totals = Counter(), Counter(), Counter()
    for texts in zip(hypotheses, references, strict=True):
        ours, theirs = (TOKENIZERS[tokenize](text.rstrip()).split() for text in texts)
        lengths.update(c=len(ours), r=len(theirs))
        for n in range(1, 5):
            grams = [zip(*(words[i:] for i in range(n)), strict=False) for words in (ours, theirs)]
            found, given = map(Counter, grams)
            matches[n] += (found & given).total()
            totals[n] += found.total()
    if not any(matches.values()) or not totals[4]:
        return 0.0
    half, product = 1.0, 1.0
    for n in range(1, 5):
        half = half if matches[n] else half / 2
        product *= (matches[n] or half) / totals[n]
    return 100 * min(1.0, math.exp(1 - lengths["r"] / lengths["c"])) * product**0.25
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_bleu", "locked": true, "points": 4, "solution": false, "task": false}
from byhand.probes import bleu as probe_bleu

with check.exercise("bleu"):
    off = ("sacrebleu.metrics.", "sacrebleu.BLEU", "corpus_bleu", "raw_corpus_bleu", "byhand.translation.")
    check.source("bleu", forbid=off, allow_text="sacrebleu.tokenizers, collections.Counter.")
    probe_bleu.small(bleu)
    ### BEGIN HIDDEN TESTS
    probe_bleu.scores(bleu, check.rng())
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 11 · `mfu` — 1 point, difficulty 1/3, importance 2/3, about 5 minutes
# *Model FLOPs utilisation*: how much of what a device could compute goes into the model?
# $$\text{mfu} = \frac{\text{tokens/s} \cdot \text{FLOPs/token}}{\text{peak FLOPs/s}}$$
# FLOPs per token count forward **and** backward already. Never clip: more than 1 means that a number is wrong, so it is a `ValueError`, as is a peak that is not above 0; both with the values.
#
# **Predict first:** 40,000 tokens/s, 10 million parameters, about 6 FLOPs for each and token, peak 60 · 10¹² a second?
# <details><summary>Answer</summary>4%: 2.4 of 60 TFLOP/s. Small models leave large devices idle.</details>
# <details><summary>Hint 1 · idea</summary>What is done each second, over what could be.</details>
# <details><summary>Hint 2 · shape of the answer</summary>A fraction, not percent.</details>
# <details><summary>Hint 3 · nearly there</summary>Look at the peak before you divide, at the result before you return it.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "mfu", "locked": false, "solution": true, "task": false}
def mfu(tokens_per_second, flops_per_token, peak_flops):
    """The share of a device's peak that a model uses, 0 to 1, else a ValueError. Source: Chowdhery et al. 2022."""
    ### BEGIN SOLUTION
    if peak_flops <= 0:
        raise ValueError(f"peak_flops must be above 0, got {peak_flops}")
    share = tokens_per_second * flops_per_token / peak_flops
    if share > 1:
        raise ValueError(f"mfu would be {share}, {tokens_per_second} x {flops_per_token} of {peak_flops}")
    return share
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_mfu", "locked": true, "points": 1, "solution": false, "task": false}
from byhand.probes import bleu as probe_bleu, known_translation

with check.exercise("mfu"):
    check.values("mfu(4e4, 6e7, 6e13)", mfu(4e4, 6e7, 6e13), 0.04, known_wrong=known_translation.MFU)
    check.values("mfu(2.0, 3.0, 6.0)", mfu(2.0, 3.0, 6.0), 1.0, note="Exactly 1 is possible, if only just.")
    check.raises("mfu(100.0, 3.0, 200.0)", lambda: mfu(100.0, 3.0, 200.0), mentions=(("1.5", "300", "100"),))
    check.raises("mfu(100.0, 3.0, 0.0)", lambda: mfu(100.0, 3.0, 0.0), mentions=("0",))
    ### BEGIN HIDDEN TESTS
    probe_bleu.utilisation(mfu, check.rng())
    ### END HIDDEN TESTS

# %% [markdown]
# ## Train it
# One script stands behind the next exercise, `byhand/translation/fit.py`; it trains any model with the names of this lesson, so yours too. Batches hold pairs of like length, up to a number of tokens. The rate warms up (Exercise 6), then falls along a cosine; gradients are clipped, the last weights averaged. Stop it when you like: run again, it goes on from there. So after a change to your model or loss, call `train.forget()` first: the old training would go on.
#
# | recipe | for | takes |
# |---|---|---|
# | `smoke` | a try | seconds |
# | `cpu` | one core | about 10 minutes if nothing else runs; the bar shows what is left |
# | `gpu` | one large GPU | made for 10 minutes; not timed yet |

# %%
recipe = translation.recipe("cpu", seed=1)  # with a GPU: "gpu"; the shipped one began with seed 0
vocabulary = translation.base().vocabulary  # the pieces that learn_bpe finds in all of the training texts
texts_are_there = data.is_there("general")
print(f"{len(vocabulary):,} pieces; {recipe.steps:,} steps of {recipe.tokens_per_batch:,} tokens")
exam, bar = (translation.figures()[name] for name in ("exam", "bar"))
print(f"our three runs: BLEU {exam['mean']}, standard deviation {exam['sd']}; asked of you: {bar}")
greedy = translation.greedy  # for the check: ids in, ids out


def handed_in():
    """The translator in your file, in the course's classes: for its pieces, and if a class of yours fails."""
    return translation.read("weights.safetensors")


# %% [markdown]
# ### Exercise 12 · `train_translator` — 5 points, difficulty 2/3, importance 3/3, about 23 minutes
# **Train your Transformer**, some ten minutes more, and hand in `weights.safetensors`. Only the loss is left to write. The script gives `src` and `tgt`, ids that are filled up with padding; a row of `tgt` is bos, its pieces, eos. From every piece the model must guess the **next** one.
# 1. The decoder reads `tgt` without its last column; it is measured against `tgt` without its first.
# 2. `loss` returns your `label_smoothed_loss` of that, with `recipe.smoothing`. If yours fails: `functional.cross_entropy` smooths, too; it wants logits as `(B, V, T − 1)`, and `ignore_index=0`.
# 3. Return the model.
#
# **The bar**, printed above: BLEU on 200 hidden sentences, greedy; two standard deviations below our three runs.
#
# **Predict first:** you forget to shift, and measure against `tgt` itself. The loss?
# <details><summary>Answer</summary>Within minutes as low as smoothing lets it: each answer stands in the input. The translations are worthless.</details>
# <details><summary>Hint 1 · idea</summary>Teacher forcing: the decoder reads the true start of the sentence, not what it wrote itself.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>src (B, S)</code>, <code>tgt (B, T)</code>, logits <code>(B, T − 1, V)</code>.</details>
# <details><summary>Hint 3 · nearly there</summary>Two slices of <code>tgt</code>: <code>[:, :-1]</code> and <code>[:, 1:]</code>. The padding that is left costs nothing; the loss leaves it out.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "train_translator", "locked": false, "solution": true, "task": false}
def train_translator():
    """Train a Transformer; its weights go to weights.safetensors. Returns: the model."""
    with train.seeded(recipe.seed):  # the same random start every time
        model = Transformer(**recipe.sizes(len(vocabulary)))

    def loss(model, src, tgt):
        ### BEGIN SOLUTION
        logits = model(src, tgt[:, :-1])  # (B, T - 1, V)
        return label_smoothed_loss(logits, tgt[:, 1:], recipe.smoothing, translation.PAD)
        ### END SOLUTION

    translation.fit(model, vocabulary, recipe, loss=loss)  # writes weights.safetensors
    return model


# %%
translator = train_translator()

# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_train_translator", "locked": true, "points": 5, "solution": false, "task": false}
from byhand.probes import translator as probe_translator

with check.exercise("train_translator", needs=("Transformer", "label_smoothed_loss")):
    probe_translator.trained(train_translator, handed_in, greedy, "valid")
    ### BEGIN HIDDEN TESTS
    probe_translator.trained(train_translator, handed_in, greedy, "test", strict=True)
    ### END HIDDEN TESTS

# %% [markdown]
# ### What it says
# **Try** sentences of your own: a smart home, a cloud, everyday words. **Question:** what does it do with a word it never met?
# <details><summary>Answer</summary>It spells the word in pieces it knows, then guesses, and never says so. It copies pieces, rightly or not, or writes something else: in our two runs <em>My name is Grace</em> became 我的名空间 (my name space) and 我的名称是 Gyr. Or one piece misleads it: <em>Restart the blorptron</em> became 重启蓝色 both times, blue, since <em>blue</em>, too, begins with the piece ▁bl.</details>

# %%
asked = ["Turn off the lights", "Failed to connect to the device", "She is a teacher", "My name is Grace"]
for text, said in zip(asked, translation.translate(translator, vocabulary, asked), strict=True):
    print(f"{text:<36} {said}")

# %% [markdown]
# ### Where it looked
# Cross-attention, a map for each head of each layer: rows are pieces it wrote, columns pieces it read. **Question:** which head follows the words, although the order changes? What does a head do that has nothing to look for?
# <details><summary>Answer</summary>Yours may be another: in both of our runs two heads of layer 1 did, from 连接 to <em>connect</em>, from 设备 to <em>device</em>, and from 失败, the last, to <em>Failed</em>, the first. Weights must sum to 1 all the same. In the row ⟨end⟩, where nothing is left to translate, about half of the heads looked most at the source's ⟨end⟩; others spread their weights.</details>

# %%
maps = translation.attended(translator, vocabulary, "Failed to connect to the device")
caption = "What to see: bright cells are pieces read while one piece was written; each row sums to 1."
figure = translation.draw.heads(maps, caption=caption)

# %% [markdown]
# ### Greedy or beam?
# The tree shows a search with a beam of 3: each column a step. Red is the way to the answer, blue what leads to others still kept at the end, grey what was dropped. Then both ways translate 60 texts. The beam ranks 4 · V candidates a step: with plain lists that takes a minute or two.
#
# **Predict first:** how many points of BLEU does a beam of 4 bring on these texts?
# <details><summary>Answer</summary>Look below. Short texts leave little to regret, and sixty of them are few: another sixty may say otherwise.</details>

# %%
src = translation.padded(translation.decode.sources(vocabulary, ["My computer is new"]))
caption = "What to see: where red leaves rank 1, the best piece so far did not lead to the best sentence."
ax = translation.draw.beam(translation.beam_steps(translator, src, 3), vocabulary, caption=caption)
tried = translation.exam("valid", 60) if texts_are_there else []
if tried:
    pad, ends = translation.padded, (translation.BOS, translation.EOS, 48)
    ways = {"greedy": lambda rows: translate_greedy(translator, pad(rows), *ends)}
    ways["beam 4"] = lambda rows: [ids for ids, _ in beam_search(translator, pad(rows), 4, 1.0, *ends)]
    english, wanted = zip(*tried, strict=True)
    for name, way in ways.items():
        said = translation.decode.translate_by(way, vocabulary, english)
        print(f"{name:<7} BLEU {bleu(said, wanted):.1f}   chrF {translation.chrf(said, wanted):.1f}")

# %% [markdown]
# ### Ten good, ten bad
# An average hides what goes wrong. Exact matches are left out. Read the bad ones and sort them: a word left out, a word never met, a right translation that only differs from its reference, nonsense.
#
# **Question:** which kind is commonest? Which would more data mend, and which a better score?
# <details><summary>Answer</summary>Yours differ. In our run 17 of 60 matched exactly. Of the worst ten, about half stumbled over words hardly ever read: <em>beach</em>, <em>oven</em>, <em>horizon</em> became something else. Four went in circles, the same piece again and again, or spoilt a {placeholder}. Right answers in other words stood higher: 移除项目 for 删除项目 gets 48 points. More data mends the first kind, a second reference the last.</details>

# %%
found = [one for one in translation.judged(translator, vocabulary, tried) if one.made != one.wanted]
translation.errors.show([*found[:10], *found[10:][-10:]])

# %% [markdown]
# ## Experiment: the speed ladder
# How fast could it train? One change at a time, on top of those that helped, on this machine; on a CPU a minute or so in all:
#
# fp32, eager → bf16 → compiled → fused attention → batches of like length → larger ones.
#
# **Predict first:** which rung helps most on a CPU, and which on a GPU?
# <details><summary>Answer</summary>On a CPU, less padding; bf16 may even be slower there. For a GPU we have no measurement: yours is the first.</details>

# %%
if texts_are_there:
    rungs = translation.ladder.climb(translator, vocabulary, recipe, quick=check.host.grading)
    caption = "What to see: each bar adds one change to those that helped; higher is faster."
    ax = translation.ladder.draw(rungs, caption=caption)

# %% [markdown]
# ## Where this is used
# - **Translation** in browsers and chats: this design, larger, with back-translated text.
# - **Speech to text**: Whisper is this encoder-decoder; its source is sound.
# - **Summaries, grammar, code repair**: any text in, any text out (T5, BART).
# - **Images to text**: captions and formulas from photographs.
#
# One honest limit: large translators read millions of sentence pairs, this one thirty thousand, most of them from interfaces. It speaks smart home fluently, and small talk hardly.
# ## Limits
# - BLEU compares words with one reference: a right answer in other words scores low, a wrong number costs little.
# - What the texts never say is made up, fluently. Nothing in the model knows that it does not know.
# - One piece at a time: writing is slow however many cores there are. The cache saves arithmetic, not steps.
# - Sinusoids reach any position, but lengths it never trained on still fail (lesson 04).
#
# ## Summary
# 1. The encoder reads once, the decoder writes one piece at a time, and cross-attention joins them.
# 2. Teacher forcing trains all positions at once; the causal mask keeps each from its answer.
# 3. Speed is a ladder of small measured steps; quality is data, then size, then search.
#
# ## Questions and answers
# **Why does the decoder need a mask, if it never sees the future when writing?** Because training shows it whole sentences. Without the mask it would copy its answer.
#
# **Why one embedding for both languages?** Names, numbers and marks are the same in both, and one table does the work of three: two that embed, one that scores.
#
# **My loss is far below 2.6, where ours ended, and the output is nonsense.** The shift is missing: the model copies its input. Mend the loss, call `train.forget()`, train again.
#
# **Why is a token not a word?** Rare words would have no number. Pieces spell them, and common words stay whole.
#
# **Can I train on my own texts?** Yes: `data.from_files(folder)` gives pairs for `translation.fit`.
# ## Further reading
# - Vaswani et al. 2017, *Attention is all you need* (arXiv:1706.03762): the model, the schedule, label smoothing.
# - Sennrich, Haddow, Birch 2016, *Neural machine translation of rare words with subword units* (arXiv:1508.07909).
# - Press, Wolf 2017, *Using the output embedding to improve language models* (arXiv:1608.05859): one matrix for both ends.
# - Papineni et al. 2002, *BLEU*; Post 2018, *A call for clarity in reporting BLEU scores* (arXiv:1804.08771), on sacreBLEU.
# - Wu et al. 2016, *Google's neural machine translation system* (arXiv:1609.08144): beams and length penalties.
