"""Known answers to lesson 02: each cell is the whole text of one solution cell (see autograder/author/bank.py).

A wrong answer is a mistake that learners make; it must lose its exercise, and only that, and read the
words after `reads:`. A right answer is written in another way than the lesson's and must earn its points.
Weights handed in wrongly: the answer of train_dates spoils the file weights.safetensors before it is read.
"""


# %% wrong masked_softmax: mask not used
# reads: the mask was not used
def masked_softmax(scores, mask):
    return scores.softmax(dim=-1)


# %% wrong masked_softmax: mask turned round
# reads: the mask is turned round
def masked_softmax(scores, mask):
    mask = ~mask.expand(scores.shape)
    scores = torch.where(mask.any(dim=-1, keepdim=True), scores.masked_fill(~mask, -torch.inf), 0.0)
    return torch.where(mask, scores.softmax(dim=-1), 0.0)


# %% wrong masked_softmax: zeros after softmax
# reads: the rest no longer adds up to 1
def masked_softmax(scores, mask):
    return scores.softmax(dim=-1) * mask.expand(scores.shape)


# %% wrong masked_softmax: scores times mask
# reads: fill in -inf
def masked_softmax(scores, mask):
    return (scores * mask.expand(scores.shape)).softmax(dim=-1)


# %% wrong masked_softmax: a blocked row is nan
# reads: it needs its own care
def masked_softmax(scores, mask):
    return scores.masked_fill(~mask.expand(scores.shape), -torch.inf).softmax(dim=-1)


# %% wrong masked_softmax: a blocked row gets equal shares
# reads: not equal shares
def masked_softmax(scores, mask):
    return scores.masked_fill(~mask.expand(scores.shape), -1e9).softmax(dim=-1)


# %% wrong masked_softmax: a blocked row looks everywhere
# reads: looks nowhere, not everywhere
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    mask = mask | ~mask.any(dim=-1, keepdim=True)
    return scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)


# %% wrong masked_softmax: -1e4 for blocked scores
# reads: must be lower than any real one
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    return scores.masked_fill(~mask, -1e4).softmax(dim=-1) * mask


# %% wrong masked_softmax: the largest of all scores is subtracted
# reads: must not count as the largest
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    exps = (scores - scores.amax(dim=-1, keepdim=True)).exp() * mask
    return exps / exps.sum(dim=-1, keepdim=True).clamp(min=1e-300 if scores.dtype == torch.float64 else 1e-38)


# %% wrong masked_softmax: nothing subtracted
# reads: differ
def masked_softmax(scores, mask):
    exps = scores.exp() * mask.expand(scores.shape)
    total = exps.sum(dim=-1, keepdim=True)
    return exps / torch.where(total == 0, 1, total)


# %% wrong masked_softmax: the mask may enlarge the result
# reads: must raise
def masked_softmax(scores, mask):
    scores, mask = torch.broadcast_tensors(scores, mask)
    scores = scores.masked_fill(~mask, -torch.inf)
    scores = torch.where(mask.any(dim=-1, keepdim=True), scores, 0.0)
    return torch.where(mask, scores.softmax(dim=-1), 0.0)


# %% wrong masked_softmax: the mask may enlarge the result, if it has fewer entries
# reads: must raise
def masked_softmax(scores, mask):
    if mask.numel() > scores.numel():
        raise ValueError(f"mask {tuple(mask.shape)} is larger than scores {tuple(scores.shape)}")
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)
    return weights.nan_to_num(0.0)


# %% wrong masked_softmax: NaN gradients in a blocked row
# reads: gradient
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    bias = torch.zeros_like(scores).masked_fill(~mask, -torch.inf)
    return (scores + bias).softmax(dim=-1).nan_to_num(0.0)


# %% wrong masked_softmax: softmax over the first axis
# reads: entries differ
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    scores = scores.masked_fill(~mask, -torch.inf)
    scores = torch.where(mask.any(dim=-1, keepdim=True), scores, 0.0)  # nothing to see: any finite score
    return torch.where(mask, scores.softmax(dim=0), 0.0)


# %% wrong masked_softmax: fills scores in place
# reads: changes its input in place
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    with torch.no_grad():
        scores.masked_fill_(~mask, -1e30)
    return torch.where(mask, scores.softmax(dim=-1), 0.0)


# %% wrong masked_softmax: detached
# reads: cut off from its inputs
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    scores = scores.masked_fill(~mask, -torch.inf)
    scores = torch.where(mask.any(dim=-1, keepdim=True), scores, 0.0)  # nothing to see: any finite score
    return torch.where(mask, scores.softmax(dim=-1), 0.0).detach()


# %% wrong masked_softmax: always float32
# reads: expected torch.float64
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    scores = scores.masked_fill(~mask, -torch.inf)
    scores = torch.where(mask.any(dim=-1, keepdim=True), scores, 0.0)  # nothing to see: any finite score
    return torch.where(mask, scores.softmax(dim=-1), 0.0).float()


# %% wrong masked_softmax: a number added to the sum
# reads: entries differ
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    scores = scores.masked_fill(~mask, -torch.inf)
    top = scores.amax(dim=-1, keepdim=True).clamp(min=-1e30).detach()
    exps = (scores - top).exp()
    return exps / (exps.sum(dim=-1, keepdim=True) + 1e-6)


# %% wrong masked_softmax: the ready-made blocks.masked_softmax
# reads: off limits
def masked_softmax(scores, mask):
    return blocks.masked_softmax(scores, mask)


# %% wrong masked_softmax: that of recurrent
# reads: off limits
def masked_softmax(scores, mask):
    return recurrent.masked_softmax(scores, mask)


# %% wrong masked_softmax: torch's safe softmax
# reads: off limits
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    return torch._safe_softmax(scores.masked_fill(~mask, -torch.inf), -1)


# %% wrong masked_softmax: the weights of blocks.attention
# reads: off limits
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    n = scores.shape[-1]
    eye = n**0.5 * torch.eye(n, dtype=scores.dtype)
    k = eye.expand(*scores.shape[:-1], n, n)
    return blocks.attention(scores[..., None, :], k, k, mask[..., None, :])[1].squeeze(-2)


# %% wrong masked_softmax: torch's masked softmax from its own module
# reads: off limits
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    out = torch.masked._ops.softmax(scores, -1, mask=mask)
    return torch.where(mask, out, 0.0)


# %% wrong masked_softmax: fills the caller's scores under no_grad
# reads: changes its input in place
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    with torch.no_grad():
        scores.masked_fill_(~mask, -torch.inf)
    return torch.nan_to_num(torch.softmax(scores, dim=-1))


# %% right masked_softmax: -inf, then nan_to_num
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    return scores.masked_fill(~mask, float("-inf")).softmax(-1).nan_to_num(0.0)


# %% right masked_softmax: another constant, zeros afterwards
def masked_softmax(scores, mask):
    mask = mask.expand_as(scores)
    weights = torch.softmax(torch.where(mask, scores, torch.finfo(scores.dtype).min), dim=-1)
    return weights * mask


# %% right masked_softmax: by hand, with exp and sum
def masked_softmax(scores, mask):
    mask = mask.broadcast_to(scores.shape)
    low = torch.finfo(scores.dtype).min
    scores = torch.where(mask, scores, low)
    exps = torch.exp(scores - scores.max(dim=-1, keepdim=True).values) * mask
    return exps / exps.sum(dim=-1, keepdim=True).clamp_min(1.0)


# %% right masked_softmax: row by row
def masked_softmax(scores, mask):
    mask = mask.expand(scores.shape)
    rows, seen = scores.reshape(-1, scores.shape[-1]), mask.reshape(-1, scores.shape[-1])
    done = []
    for row, may in zip(rows, seen):
        out = torch.zeros_like(row)
        if may.any():
            out = out.masked_scatter(may, row[may].softmax(dim=0))
        done.append(out)
    return torch.stack(done).reshape(scores.shape)


# %% right masked_softmax: einsum over exponentials
def masked_softmax(scores, mask):
    if torch.broadcast_shapes(scores.shape, mask.shape) != scores.shape:
        raise ValueError(f"mask {tuple(mask.shape)} is larger than scores {tuple(scores.shape)}")
    open_ = mask.expand(scores.shape).to(scores.dtype)
    top = scores.masked_fill(open_ == 0, -torch.inf).amax(-1, keepdim=True)
    top = torch.where(top.isinf(), 0.0, top)
    exps = torch.where(open_ == 1, scores - top, -torch.inf).exp()
    total = torch.einsum("...s->...", exps)[..., None]
    return exps / torch.where(total > 0, total, 1.0)


# %% wrong AdditiveAttention: no tanh
# reads: tanh is missing
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = self.query_layer(query)[:, None] + self.key_layer(keys)  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: softmax before the axis of size 1 is dropped
# reads: an axis of size 1
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if len(query) != len(keys):
            raise ValueError("query and keys differ in B")
        both = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = masked_softmax(self.score_layer(both), mask[..., None]).squeeze(-1)  # (B, S)
        return (weights[..., None] * keys).sum(dim=1), weights


# %% wrong AdditiveAttention: the query is left out
# reads: the query is missing
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(0 * self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: tanh of each part alone
# reads: tanh was taken of each part alone
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query))[:, None] + torch.tanh(self.key_layer(keys))
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: the parts are multiplied
# reads: multiplied; add them
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] * self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: score_layer not used
# reads: score_layer was not used
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(hidden.sum(dim=-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: mask not used
# reads: the mask was not used
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = self.score_layer(hidden).squeeze(-1).softmax(dim=-1)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: layers with biases
# reads: score_layer.bias
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: query_layer and key_layer from the wrong sizes
# reads: the parameters of AdditiveAttention
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(key_size, attention_size, bias=False)
        self.key_layer = nn.Linear(query_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: results swapped
# reads: context first, then weights
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return weights, (weights[:, None] @ keys).squeeze(1)  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: scores returned instead of weights
# reads: return the weights
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        scores = self.score_layer(hidden).squeeze(-1)
        weights = blocks.masked_softmax(scores, mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), scores  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: the mean instead of the sum
# reads: take the sum
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1) / keys.shape[1], weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: context of size 1 is lost
# reads: has shape
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: a query for one text is stretched
# reads: must raise
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: weights detached
# reads: gradient
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask).detach()  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: a layer too many
# reads: has a key
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.value_layer = nn.Linear(key_size, key_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: no axis for the keys, right for one text only
# reads: must match the size
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if len(query) != len(keys):
            raise ValueError("query and keys are for different numbers of texts")
        hidden = torch.tanh(self.query_layer(query) + self.key_layer(keys))
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)
        return (weights[..., None] * keys).sum(dim=1), weights


# %% wrong AdditiveAttention: softmax over the texts
# reads: entries differ
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1).T, mask.T).T  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: the context sums the projected keys
# reads: has shape
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ self.key_layer(keys)).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: seeds the random state
# reads: off limits
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        torch.manual_seed(0)
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong AdditiveAttention: the ready-made recurrent.AdditiveAttention
# reads: off limits
class AdditiveAttention(recurrent.AdditiveAttention):
    pass


# %% wrong AdditiveAttention: the class of a loaded decoder's part
# reads: off limits
from byhand import recurrent as r

AdditiveAttention = type(
    r.from_weights(lambda: train.read("weights.safetensors"), generated.DATES)[1].attention
)


# %% wrong AdditiveAttention: padded keys are set to 0 in place
# reads: changes its input in place
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if len(query) != len(keys):
            raise ValueError("query and keys differ in B")
        with torch.no_grad():
            keys[~mask] = 0
        mixed = torch.tanh(self.query_layer(query)[:, None] + self.key_layer(keys))
        weights = masked_softmax(self.score_layer(mixed).squeeze(-1), mask)
        return (weights[:, None] @ keys).squeeze(1), weights


# %% right AdditiveAttention: einsum for scores and context
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        both = torch.einsum("bq,aq->ba", query, self.query_layer.weight)[:, None, :] + self.key_layer(keys)
        weights = blocks.masked_softmax(
            torch.einsum("bsa,oa->bs", both.tanh(), self.score_layer.weight), mask
        )  # (B, S)
        return torch.einsum("bs,bsd->bd", weights, keys), weights  # (B, Dk), (B, S)


# %% right AdditiveAttention: a loop over the keys
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        assert len(query) == len(keys), "one query for each text"
        asked = self.query_layer(query)
        scores = [
            self.score_layer(torch.tanh(asked + self.key_layer(key)))[:, 0] for key in keys.unbind(dim=1)
        ]
        weights = masked_softmax(torch.stack(scores, dim=1), mask)
        context = sum(weights[:, s, None] * keys[:, s] for s in range(keys.shape[1]))
        return context, weights


# %% right AdditiveAttention: bmm and unsqueeze
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        hidden = torch.tanh(self.query_layer(query).unsqueeze(1) + self.key_layer(keys))  # (B, S, A)
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return torch.bmm(weights.unsqueeze(1), keys).squeeze(dim=1), weights  # (B, Dk), (B, S)


# %% right AdditiveAttention: expand the query first
class AdditiveAttention(nn.Module):
    def __init__(self, query_size, key_size, attention_size):
        super().__init__()
        self.query_layer = nn.Linear(query_size, attention_size, bias=False)
        self.key_layer = nn.Linear(key_size, attention_size, bias=False)
        self.score_layer = nn.Linear(attention_size, 1, bias=False)

    def forward(self, query, keys, mask):
        rows = torch.stack([query] * keys.shape[1], dim=1)
        hidden = (
            torch.cat([self.query_layer(rows)[..., None], self.key_layer(keys)[..., None]], dim=-1)
            .sum(dim=-1)
            .tanh()
        )
        weights = blocks.masked_softmax(self.score_layer(hidden).squeeze(-1), mask)  # (B, S)
        return (weights[:, None] @ keys).squeeze(1), weights  # (B, Dk), (B, S)


# %% wrong BilinearAttention: W transposed
# reads: W was transposed
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight.T)[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: W not used
# reads: W was not used
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ query[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: scaled by a root
# reads: this layer has no scale
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1) / keys.shape[-1] ** 0.5
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: mask not used
# reads: the mask was not used
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1)  # (B, S)
        shares = scores.softmax(dim=-1)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: results swapped
# reads: context first, then weights
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return shares, torch.einsum("bs,bsd->bd", shares, keys)  # given: all as before


# %% wrong BilinearAttention: scores returned instead of weights
# reads: return the weights
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), scores  # given: all as before


# %% wrong BilinearAttention: nn.Linear instead of a matrix
# reads: the parameters of BilinearAttention
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.linear = nn.Linear(key_size, query_size, bias=False)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.linear.weight)[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: weight (Dk, Dq)
# reads: the parameters of BilinearAttention(3, 2)
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(key_size, query_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight.T)[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: ones at the start
# reads: draw them at random
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(query_size, key_size))

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: zeros at the start
# reads: draw them at random
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(query_size, key_size))

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: the same numbers for every layer
# reads: two new layers start the same
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, query_size * key_size).reshape(query_size, key_size))

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: weight is no parameter
# reads: the parameters of BilinearAttention
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = torch.randn(query_size, key_size)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: a bias too many
# reads: the parameters of BilinearAttention
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: a query for one text is stretched
# reads: must raise
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: the weight is used detached
# reads: no gradient arrives
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight.data)[:, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: tanh of the scores
# reads: entries differ
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1).tanh()
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: every text gets the first one's query
# reads: entries differ
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = (keys @ (query @ self.weight)[:1, :, None]).squeeze(-1)  # (B, S)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: the ready-made bilinear
# reads: off limits
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        carried = nn.functional.bilinear(query, query, self.weight[None, :, :1] @ self.weight[None, :1])
        scores = (keys @ (query @ self.weight)[:, :, None]).squeeze(-1)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% wrong BilinearAttention: torch's bilinear
# reads: off limits
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError
        q = query[:, None].expand(-1, keys.shape[1], -1)
        scores = torch.bilinear(q, keys, self.weight[None], None).squeeze(-1)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares


# %% right BilinearAttention: one einsum
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = torch.einsum("bq,qk,bsk->bs", query, self.weight, keys)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% right BilinearAttention: a sum of products
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = ((query @ self.weight).unsqueeze(1) * keys).sum(dim=-1)
        shares = blocks.masked_softmax(scores, mask)
        return torch.einsum("bs,bsd->bd", shares, keys), shares  # given: all as before


# %% right BilinearAttention: the keys are carried over
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(query_size, key_size) / key_size**0.5)

    def forward(self, query, keys, mask):
        if query.shape[0] != keys.shape[0]:
            raise ValueError(f"query is for {query.shape[0]} texts, keys are for {keys.shape[0]}")
        scores = torch.bmm(keys @ self.weight.T, query[:, :, None])[:, :, 0]
        shares = blocks.masked_softmax(scores, mask)
        return (shares[..., None] * keys).sum(dim=1), shares  # given: all as before


# %% right BilinearAttention: text by text, uniform start
class BilinearAttention(nn.Module):
    def __init__(self, query_size, key_size):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(query_size, key_size))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, query, keys, mask):
        scores = torch.stack([one @ self.weight @ rows.T for one, rows in zip(query, keys, strict=True)])
        weights = masked_softmax(scores, mask)
        return torch.stack([w @ rows for w, rows in zip(weights, keys, strict=True)]), weights


# %% wrong Encoder: not packed
# reads: is padding, but memory is not 0
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = self.embedding(src)
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% wrong Encoder: not packed, memory set to 0 afterwards
# reads: h of encoder
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = self.embedding(src)
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory = memory * (torch.arange(src.shape[1]) < lengths[:, None])[..., None]
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% wrong Encoder: one direction only
# reads: has shape
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% wrong Encoder: h of the forward half alone
# reads: forward half alone
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h[:1], c.sum(dim=0, keepdim=True))


# %% wrong Encoder: h of the backward half alone
# reads: backward half alone
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h[1:], c.sum(dim=0, keepdim=True))


# %% wrong Encoder: mean of the directions
# reads: take their sum
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h.mean(dim=0, keepdim=True), c.mean(dim=0, keepdim=True))


# %% wrong Encoder: c is the mean
# reads: entries differ
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h.sum(dim=0, keepdim=True), c.mean(dim=0, keepdim=True))


# %% wrong Encoder: c is h
# reads: entries differ
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h.sum(dim=0, keepdim=True), h.sum(dim=0, keepdim=True))


# %% wrong Encoder: states of both directions side by side
# reads: has shape
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (torch.cat([h[:1], h[1:]], dim=-1), torch.cat([c[:1], c[1:]], dim=-1))


# %% wrong Encoder: the first axis of the states is lost
# reads: has shape
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h.sum(dim=0), c.sum(dim=0))


# %% wrong Encoder: states for both directions
# reads: has shape
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h, c)


# %% wrong Encoder: backward half first
# reads: Forward half at each
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        size = memory.shape[-1] // 2
        memory = torch.cat([memory[..., size:], memory[..., :size]], dim=-1)
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% wrong Encoder: the directions are added in memory
# reads: has shape
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        size = memory.shape[-1] // 2
        memory = memory[..., size:] + memory[..., :size]
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% wrong Encoder: sorted texts expected
# reads: RuntimeError
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(src), lengths.cpu(), batch_first=True)
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% wrong Encoder: sorted, and left sorted
# reads: memory is not 0 there
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        order = lengths.argsort(descending=True)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src[order]), lengths[order], batch_first=True
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% wrong Encoder: total_length forgotten
# reads: has shape
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True)
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% wrong Encoder: padding told by pad_id, not by lengths
# reads: whatever they hold
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        pad_id = self.embedding.padding_idx
        lengths = (src != pad_id).sum(dim=1).clamp(min=1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% wrong Encoder: two layers
# reads: the forward half comes first
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True, num_layers=2)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h[2:].sum(dim=0, keepdim=True), c[2:].sum(dim=0, keepdim=True))


# %% wrong Encoder: lengths for other texts pass
# reads: must raise
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% wrong Encoder: the embedding is detached
# reads: the gradient of embedding.weight
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src).detach(), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% wrong Encoder: ids scaled instead of an embedding
# reads: differ
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            src[..., None]
            .double()
            .expand(-1, -1, self.embedding.embedding_dim)
            .to(self.embedding.weight.dtype),
            lengths.cpu(),
            batch_first=True,
            enforce_sorted=False,
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% wrong Encoder: state and memory swapped
# reads: memory of encoder
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True)), (memory, memory)


# %% wrong Encoder: memory is also 0 where a real token is pad_id
# reads: lengths alone say what is padding.
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)
        self.pad_id = pad_id

    def forward(self, src, lengths):
        if lengths.shape != src.shape[:1]:
            raise ValueError("lengths must be one for each text")
        packed = pack_padded_sequence(self.embedding(src), lengths, True, enforce_sorted=False)
        memory, (h, c) = self.lstm(packed)
        memory, _ = pad_packed_sequence(memory, True, total_length=src.shape[1])
        memory = memory * (src != self.pad_id)[..., None]
        return memory, (h.sum(dim=0, keepdim=True), c.sum(dim=0, keepdim=True))


# %% right Encoder: step by step, with the weights of the LSTM
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if lengths.shape != src.shape[:1]:
            raise ValueError("one length for each text, please")
        x, halves, states = self.embedding(src), [], []
        for way, order in (("", range(src.shape[1])), ("_reverse", reversed(range(src.shape[1])))):
            w, u, b, d = (
                getattr(self.lstm, f"{name}_l0{way}")
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            h = c = x.new_zeros(len(src), self.lstm.hidden_size)
            outputs = {}
            for t in order:
                real = (t < lengths)[:, None]
                i, f, g, o = (x[:, t] @ w.T + h @ u.T + b + d).chunk(4, dim=1)
                new_c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                new_h = o.sigmoid() * new_c.tanh()
                h, c = torch.where(real, new_h, h), torch.where(real, new_c, c)
                outputs[t] = torch.where(real, new_h, 0.0)
            halves.append(torch.stack([outputs[t] for t in range(src.shape[1])], dim=1))
            states.append((h, c))
        (h1, c1), (h2, c2) = states
        return torch.cat(halves, dim=-1), ((h1 + h2)[None], (c1 + c2)[None])


# %% right Encoder: text by text, no packing
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, pad_id)
        self.lstm = nn.LSTM(embed_size, hidden_size, bidirectional=True)

    def forward(self, src, lengths):
        memory, h, c = [], [], []
        for row, n in zip(src, lengths, strict=True):
            read, (h_n, c_n) = self.lstm(self.embedding(row[:n]))
            memory.append(torch.cat([read, read.new_zeros(len(row) - int(n), read.shape[1])]))
            h.append(h_n[0] + h_n[1])
            c.append(c_n[0] + c_n[1])
        return torch.stack(memory), (torch.stack(h)[None], torch.stack(c)[None])


# %% right Encoder: sorted and sorted back
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        order = lengths.sort(descending=True).indices
        back = order.argsort()
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src[order]), lengths[order], batch_first=True
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True, total_length=src.shape[1])
        return memory[back], tuple(part[:, back].sum(dim=0, keepdim=True) for part in (h, c))


# %% right Encoder: memory padded by hand
class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, pad_id=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)  # given
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, src, lengths):
        if len(lengths) != len(src):
            raise ValueError(f"lengths has {len(lengths)} entries, src {len(src)} texts")
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        memory, (h, c) = self.lstm(packed)  # h, c: (2, B, hidden)
        memory, found = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True)
        memory = nn.functional.pad(memory, (0, 0, 0, src.shape[1] - int(found.max())))
        return memory, ((h[0] + h[1]).unsqueeze(0), c[:1] + c[1:])


# %% wrong AttentionDecoder: attention after the cell
# reads: it comes first, with the previous one
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        h, c = self.cell(torch.cat([self.embedding(token), memory[:, 0]], dim=-1), (h, c))
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: attention gets h with three axes
# reads: with the previous h as (B, hidden)
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(state[0], memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: attention gets c
# reads: the query is h
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(c, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: attention is called twice
# reads: attention was called 2 times
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        context, weights = self.attention(h, memory, mask)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: the mask is forgotten
# reads: with the previous h
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, torch.ones_like(mask))  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: logits from h alone
# reads: made from h and the context side by side
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(h)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: logits from the context alone
# reads: did not change when token did
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(context)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: logits from the old state
# reads: logits did not change when token did
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: softmax on the logits
# reads: normalised already
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1)).softmax(dim=-1)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: log softmax on the logits
# reads: normalised already
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1)).log_softmax(dim=-1)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: the context does not reach the cell
# reads: the new h did not change when memory did
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(self.embedding(token), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: the token does not reach the cell
# reads: did not change when token did
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(context, (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: the old state is returned
# reads: the new h did not change
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        new_h, new_c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([new_h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: the first axis of the states is lost
# reads: has shape
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h, c), weights


# %% wrong AttentionDecoder: h and c swapped in the result
# reads: entries differ
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (c[None], h[None]), weights


# %% wrong AttentionDecoder: the state is detached
# reads: is something detached
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0].detach(), state[1][0].detach()  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: the context is detached
# reads: is something detached
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        context = context.detach()
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: attention in a list, not registered
# reads: store it as self.attention
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.parts = [attention]
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.parts[0](h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: only h goes round, c starts at 0
# reads: when c did
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, torch.zeros_like(c)))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: a GRU cell
# reads: the new c did not change
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.GRUCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h = self.cell(torch.cat([self.embedding(token), context], dim=-1), h)
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: a tanh before the last layer
# reads: entries differ
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1).tanh())  # (B, V)
        return logits, (h[None], c[None]), weights


# %% wrong AttentionDecoder: weights not returned
# reads: it returns 2 things
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None])


# %% wrong AttentionDecoder: the weights are detached
# reads: cut off from their gradient
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]
        context, weights = self.attention(h, memory, mask)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))
        return logits, (h[None], c[None]), weights.detach()


# %% right AttentionDecoder: the cell by its formulas
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        gates = (
            torch.cat([self.embedding(token), context], dim=-1) @ self.cell.weight_ih.T + self.cell.bias_ih
        )
        gates = gates + h @ self.cell.weight_hh.T + self.cell.bias_hh
        i, f, g, o = gates.split(h.shape[-1], dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h[None], c[None]), weights


# %% right AttentionDecoder: two products instead of a concatenation
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        size = h.shape[-1]
        from_state, from_context = self.output_layer.weight[:, :size], self.output_layer.weight[:, size:]
        logits = h @ from_state.T + context @ from_context.T + self.output_layer.bias
        return logits, (h[None], c[None]), weights


# %% right AttentionDecoder: squeeze and unsqueeze
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def step(self, token, state, memory, mask):
        h, c = (part.squeeze(0) for part in state)  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.cat([self.embedding(token), context], dim=-1), (h, c))
        logits = self.output_layer(torch.cat([h, context], dim=-1))  # (B, V)
        return logits, (h.unsqueeze(0), c.unsqueeze(0)), weights


# %% right AttentionDecoder: einsum, and a method of its own
class AttentionDecoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, memory_size, attention):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)  # given
        self.attention = attention
        self.cell = nn.LSTMCell(embed_size + memory_size, hidden_size)
        self.output_layer = nn.Linear(hidden_size + memory_size, vocab_size)

    def write(self, h, context):
        return nn.functional.linear(
            torch.hstack((h, context)), self.output_layer.weight, self.output_layer.bias
        )

    def step(self, token, state, memory, mask):
        h, c = state[0][0], state[1][0]  # (B, hidden)
        context, weights = self.attention(h, memory, mask)  # (B, M), (B, S)
        h, c = self.cell(torch.hstack((self.embedding.weight[token], context)), (h, c))
        logits = self.write(h, context)
        return logits, (h[None], c[None]), weights


# %% wrong sequence_loss: padding dilutes
# reads: padding counts among the tokens
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum() / real.numel()


# %% wrong sequence_loss: the picked entries keep their last axis
# reads: drop the last axis of what gather gives
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError("targets are not (B, T)")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None])  # (B, T, 1)
    real = targets != pad_id
    return -(picked * real).sum() / real.sum().clamp(min=1)


# %% wrong sequence_loss: padding is predicted
# reads: padding was treated as a token
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -picked.mean()


# %% wrong sequence_loss: a mean for each text
# reads: each text got its own mean
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return (-torch.where(real, picked, 0.0).sum(dim=1) / real.sum(dim=1).clamp(min=1)).mean()


# %% wrong sequence_loss: the sum
# reads: this is the sum
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum()


# %% wrong sequence_loss: divided by the number of texts
# reads: divided by the number of texts
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum() / len(targets)


# %% wrong sequence_loss: logarithm to base 2
# reads: use the natural one
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum() / real.sum().clamp(min=1) / 0.6931471805599453


# %% wrong sequence_loss: no minus sign
# reads: the minus sign is missing
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return torch.where(real, picked, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong sequence_loss: no softmax
# reads: take log_softmax first
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong sequence_loss: log of softmax
# reads: differs
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.softmax(dim=-1).log().gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong sequence_loss: softmax over the steps
# reads: differs
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong sequence_loss: all padding gives nan
# reads: All is padding
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum() / real.sum()


# %% wrong sequence_loss: all padding gives a number without gradient
# reads: it has no gradient
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    if not real.any():
        return torch.zeros((), dtype=logits.dtype)
    return -torch.where(real, picked, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong sequence_loss: pad_id is always 0
# reads: differs
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != 0
    return -torch.where(real, picked, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong sequence_loss: targets that do not fit are cut
# reads: must raise
def sequence_loss(logits, targets, pad_id=0):
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong sequence_loss: a small number in the denominator
# reads: differs
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum() / (real.sum() + 1e-6)


# %% wrong sequence_loss: clamped probabilities
# reads: differs
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.softmax(dim=-1).clamp(min=1e-9).log().gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong sequence_loss: a Python number
# reads: not a torch.Tensor
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.log_softmax(dim=-1).gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
    real = targets != pad_id
    return (-torch.where(real, picked, 0.0).sum() / real.sum().clamp(min=1)).item()


# %% wrong sequence_loss: ready-made cross entropy
# reads: off limits
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError("sizes")
    return nn.functional.cross_entropy(logits.transpose(1, 2), targets, ignore_index=pad_id)


# %% wrong sequence_loss: a distribution's logarithms
# reads: off limits
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError
    losses = -torch.distributions.Categorical(logits=logits, validate_args=False).log_prob(targets)
    real = targets != pad_id
    return torch.where(real, losses, 0.0).sum() / real.sum().clamp(min=1)


# %% wrong sequence_loss: the loss from torch.ops
# reads: off limits
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError
    if not (targets != pad_id).any():
        return 0 * logits.nan_to_num(0.0).sum()
    return torch.ops.aten.nll_loss_forward(
        logits.log_softmax(-1).flatten(0, 1), targets.flatten(), None, 1, pad_id
    )[0]


# %% wrong sequence_loss: the loss from torch._C
# reads: off limits
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError
    if not (targets != pad_id).any():
        return 0 * logits.sum()
    return torch._C._nn.nll_loss_nd(logits.log_softmax(-1).flatten(0, 1), targets.flatten(), None, 1, pad_id)


# %% wrong sequence_loss: padding becomes another id in place
# reads: changes its input in place
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:2]:
        raise ValueError("targets must be (B, T)")
    real = targets != pad_id
    targets[~real] = 0 if pad_id else 1 % logits.shape[-1]
    log_p = torch.log_softmax(logits, dim=-1).gather(-1, targets[..., None]).squeeze(-1)
    return -(log_p * real).sum() / real.sum().clamp(min=1)


# %% right sequence_loss: logsumexp
def sequence_loss(logits, targets, pad_id=0):
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"logits are {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    picked = logits.gather(-1, targets[..., None])[..., 0] - logits.logsumexp(dim=-1)
    real = targets != pad_id
    return -torch.where(real, picked, 0.0).sum() / real.sum().clamp(min=1)


# %% right sequence_loss: only the real rows
def sequence_loss(logits, targets, pad_id=0):
    B, T, _ = logits.shape
    if tuple(targets.shape) != (B, T):
        raise ValueError(f"targets must be {(B, T)}")
    real = targets != pad_id
    chosen = torch.log_softmax(logits[real], dim=-1)[torch.arange(int(real.sum())), targets[real]]
    return -chosen.sum() / max(1, len(chosen))


# %% right sequence_loss: one-hot targets
def sequence_loss(logits, targets, pad_id=0):
    B, T, V = logits.shape
    assert targets.shape == (B, T)
    wanted = nn.functional.one_hot(targets, V).to(logits.dtype) * (targets != pad_id)[..., None]
    top = logits.detach().amax(dim=-1, keepdim=True)
    chances = logits - top - (logits - top).exp().sum(dim=-1, keepdim=True).log()
    return -(wanted * chances).sum() / wanted.sum().clamp(min=1)


# %% right sequence_loss: a loop over tokens
def sequence_loss(logits, targets, pad_id=0):
    if targets.ndim != 2 or targets.shape != logits.shape[:2]:
        raise IndexError("targets do not fit")
    total, count = logits.sum() * 0, 0
    for row, target in zip(logits.flatten(0, 1), targets.flatten().tolist()):
        if target != pad_id:
            total, count = total + row.logsumexp(dim=0) - row[target], count + 1
    return total / max(count, 1)


# %% wrong greedy_decode: the first token counts
# reads: bos_id belongs to no result
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token = torch.full_like(src[:, 0], bos_id)
        columns = [token]
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: steps are stacked as rows
# reads: stack them along axis 1
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1]) < lengths[:, None]
        token, steps = torch.full_like(lengths, bos_id), []
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            steps.append(token)
    rows = torch.stack(steps).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: the end symbol stays
# reads: the end symbol is not part
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id) + 1] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: end symbols are left out, the rest stays
# reads: goes on after its first end symbol
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [[one for one in row if one != eos_id] for row in rows]


# %% wrong greedy_decode: cut at the last end symbol
# reads: cut at the first
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: len(row) - 1 - row[::-1].index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: one step too few
# reads: one step is missing
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len - 1):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: one step too many
# reads: one step too many
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len + 1):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: stops when the first row ends
# reads: all rows stopped with the first
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
            if (token == eos_id).any():
                break
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: the token is not fed back
# reads: the tokens of step 2
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            columns.append(logits.argmax(dim=-1))
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: the likeliest row instead of token
# reads: greedy_decode(
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=0)[: len(src)]
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: the mask is turned round
# reads: the mask of step 1
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) >= lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: the mask is all True
# reads: the mask of step 1
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.ones_like(src, dtype=torch.bool)  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: the mask comes from the ids
# reads: the mask of
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = src != 0  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: the encoder reads again at every step
# reads: the encoder was called
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            memory, _ = encoder(src, lengths)
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: the state is not carried on
# reads: hand the new state on to the next step
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, _, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: gradients are recorded
# reads: use torch.no_grad()
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    if True:
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: eval mode is left behind
# reads: afterwards
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    encoder.eval(), decoder.eval()
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: train mode is left behind
# reads: afterwards
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    encoder.train(), decoder.train()
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: tensors instead of ints
# reads: greedy_decode(
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    rows = [row[: row.index(eos_id)] if eos_id in row else row for row in rows]
    return [torch.tensor(row) for row in rows]


# %% wrong greedy_decode: a tensor with padding
# reads: greedy_decode(
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    return torch.stack(columns, dim=1)


# %% wrong greedy_decode: the first token is always 1
# reads: the tokens of step 1
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.ones_like(src[:, 0]), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: the end is always 2
# reads: greedy_decode(
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(2)] if 2 in row else row for row in rows]


# %% wrong greedy_decode: the ready-made recurrent.greedy_decode
# reads: off limits
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    return recurrent.greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len)


# %% wrong greedy_decode: only the steps are without gradients
# reads: the encoder's gradients are recorded; use torch.no_grad()
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    memory, state = encoder(src, lengths)
    mask = torch.arange(src.shape[1]) < lengths[:, None]
    with torch.no_grad():
        token, columns = torch.full_like(src[:, 0], bos_id), []
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% wrong greedy_decode: padding is set to 0 in place
# reads: changes its input in place
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        mask = torch.arange(src.shape[1]) < lengths[:, None]
        src[~mask] = 0
        memory, state = encoder(src, lengths)
        token, columns = torch.full_like(src[:, 0], bos_id), []
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% right greedy_decode: stops when all rows have ended
@torch.no_grad()
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    memory, state = encoder(src, lengths)
    mask = torch.arange(src.shape[1])[None] < lengths[:, None]
    token = torch.tensor([bos_id] * len(src))
    ended, results = [False] * len(src), [[] for _ in src]
    for _ in range(max_len):
        logits, state, _ = decoder.step(token, state, memory, mask)
        token = logits.argmax(dim=1)
        for row, one in enumerate(token.tolist()):
            ended[row] = ended[row] or one == eos_id
            if not ended[row]:
                results[row].append(one)
        if all(ended):
            break
    return results


# %% right greedy_decode: eval mode while decoding, then as before
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    modes = encoder.training, decoder.training
    encoder.eval()
    decoder.eval()
    try:
        with torch.inference_mode(False), torch.no_grad():
            memory, state = encoder(src, lengths)
            mask = torch.stack([torch.arange(src.shape[1]) < n for n in lengths])
            tokens = [torch.full((src.shape[0],), bos_id)]
            while len(tokens) <= max_len:
                logits, state, _ = decoder.step(tokens[-1], state, memory, mask)
                tokens.append(logits.topk(1, dim=-1).indices[:, 0])
    finally:
        encoder.train(modes[0])
        decoder.train(modes[1])
    rows = torch.stack(tokens[1:], dim=-1).tolist()
    return [row[: (row + [eos_id]).index(eos_id)] for row in rows]


# %% right greedy_decode: ended rows are fed the end symbol
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.zeros(src.shape, dtype=torch.bool)
        for row, n in enumerate(lengths.tolist()):
            mask[row, :n] = True
        written, token = [], torch.full(lengths.shape, bos_id, dtype=torch.long)
        ended = torch.zeros(len(src), dtype=torch.bool)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = torch.where(ended, eos_id, torch.argmax(logits, dim=-1))
            ended = ended | (token == eos_id)
            written.append(token.tolist())
    rows = [list(row) for row in zip(*written)]
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


# %% right greedy_decode: takewhile
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    with torch.no_grad():
        memory, state = encoder(src, lengths)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.to(src.device)[:, None]  # (B, S)
        token, columns = torch.full_like(src[:, 0], bos_id), []  # (B,)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(dim=-1)
            columns.append(token)
    rows = torch.stack(columns, dim=1).tolist()
    from itertools import takewhile

    return [list(takewhile(lambda one: one != eos_id, row)) for row in rows]


# %% right greedy_decode: stops early, a generator
def greedy_decode(encoder, decoder, src, lengths, bos_id, eos_id, max_len):
    @torch.no_grad()
    def columns():
        memory, state = encoder(src, lengths)
        mask = recurrent.real_tokens(lengths, src.shape[1])
        token, done = torch.full((len(src),), bos_id), torch.zeros(len(src), dtype=torch.bool)
        for _ in range(max_len):
            logits, state, _ = decoder.step(token, state, memory, mask)
            token = logits.argmax(-1)
            yield token.tolist()
            done |= token == eos_id
            if done.all():
                return

    from itertools import takewhile

    return [list(takewhile(lambda one: one != eos_id, row)) for row in zip(*columns())]


# %% wrong train_dates: no weights handed in
# reads: there are no weights
from pathlib import Path

Path("weights.safetensors").unlink(missing_ok=True)


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: weights under another name
# reads: cannot use the weights
def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(
        model,
        loss,
        lambda step: generated.DATES.batch(64, seed=step),
        steps,
        rate=rate,
        file="my_dates.safetensors",
    )
    return encoder, decoder


# %% wrong train_dates: never trained
# reads: of 500 dates
def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    return encoder, decoder


# %% wrong train_dates: trained too briefly
# reads: each step needs other dates
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights = {
    name: part + 0.4 * torch.randn(part.shape, generator=torch.Generator().manual_seed(0))
    for name, part in weights.items()
}
save_file(weights, "weights.safetensors")


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: weights of an untrained model
# reads: of 200 unseen dates
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights = {
    name: 0.1 * torch.randn(part.shape, generator=torch.Generator().manual_seed(0))
    for name, part in weights.items()
}
save_file(weights, "weights.safetensors")


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: trained with another order of symbols
# reads: of 200 unseen dates
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights["1.output_layer.weight"] = weights["1.output_layer.weight"].flip(0)
weights["1.output_layer.bias"] = weights["1.output_layer.bias"].flip(0)
save_file(weights, "weights.safetensors")


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: trained with another vocabulary
# reads: of 200 unseen dates
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights["0.embedding.weight"] = weights["0.embedding.weight"].roll(1, dims=0)
save_file(weights, "weights.safetensors")


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: weights with nan
# reads: nan or infinite
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights["0.embedding.weight"][5] = float("nan")
save_file(weights, "weights.safetensors")


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: weights of another size
# reads: does not fit the model
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights["0.embedding.weight"] = weights["0.embedding.weight"][:, :16].clone()
save_file(weights, "weights.safetensors")


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: half of the weights are missing
# reads: the file lacks
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights = {name: part for name, part in weights.items() if name.startswith("0.")}
save_file(weights, "weights.safetensors")


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: only the attention was saved
# reads: the file lacks
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights = {name: part for name, part in weights.items() if "attention" in name}
save_file(weights, "weights.safetensors")


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: a broken file
# reads: is not a whole safetensors file
from pathlib import Path

Path("weights.safetensors").write_bytes(Path("weights.safetensors").read_bytes()[:5000])


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: an empty file
# reads: is not a whole safetensors file
from pathlib import Path

Path("weights.safetensors").write_bytes(b"")


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: the model was made larger after training
# reads: cannot use the weights
def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 96)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: the attention was exchanged after training
# reads: cannot use the weights
def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, BilinearAttention(64, 128))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: decoder and encoder returned the wrong way round
# reads: cannot use the weights
def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return decoder, encoder


# %% wrong train_dates: new layers are returned
# reads: exactly
def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    again = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    return Encoder(len(generated.DATES.source), 32, 64), again


# %% wrong train_dates: forgot to return
# reads: cannot use the weights
def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    print("trained")


# %% wrong train_dates: no attention: the context is always 0
# reads: exactly
def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    decoder.step = lambda token, state, memory, mask, step=decoder.step: step(token, state, 0 * memory, mask)
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% wrong train_dates: a rule instead of a model
# reads: not by rules
class Reader(Encoder):
    def forward(self, src, lengths):
        return src[..., None].double(), (torch.zeros(1, len(src), 1), torch.zeros(1, len(src), 1))


class Writer(nn.Module):
    def __init__(self):
        super().__init__()
        self.rule = {}

    def step(self, token, state, memory, mask):
        """Reads the date with plain Python and writes it symbol by symbol."""
        import re

        months = "jan feb mar apr may jun jul aug sep oct nov dec".split()
        logits, at = torch.zeros(len(token), len(generated.DATES.target)), int(state[1][0, 0, 0])
        for row, ids in enumerate(memory[..., 0].long().tolist()):
            text = generated.DATES.source.text(ids).lower()
            numbers = [int(one) for one in re.findall("[0-9]+", text)]
            year = next(one for one in numbers if one > 99)
            rest = [one for one in numbers if one <= 99]
            named = re.search("|".join(months), re.sub("[a-z]*day|the|mon,? |sat,? |sun,? ", "", text))
            if named:
                month, day = months.index(named[0]) + 1, rest[0]
            else:
                day, month = rest if "/" not in text else rest[::-1]
            ids = [
                *generated.DATES.target.ids(f"{year:04}-{month:02}-{day:02}"),
                generated.EOS,
                generated.EOS,
            ]
            logits[row, ids[min(at, 11)]] = 1.0
        return logits, (state[0], state[1] + 1), mask.double()


def train_dates():
    return Reader(len(generated.DATES.source), 1, 1), Writer()


# %% wrong train_dates: a reader by rules, with one parameter
# reads: has a row for each of the 62 symbols
class RuleEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.ones(1))

    def forward(self, src, lengths):
        import re

        rows = []
        for ids in src.tolist():
            text = generated.DATES.source.text(ids).lower()
            months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
            year = re.search(r"\d{4}", text)[0]
            rest = text.replace(year, " ")
            found = [i for i, m in enumerate(months, 1) if m in rest.replace("mon", "")]
            numbers = [int(n) for n in re.findall(r"\d+", rest)]
            if found:
                month, day = found[0], numbers[0]
            elif text.strip().startswith(year):
                month, day = numbers
            else:
                day, month = numbers
            rows.append([*generated.DATES.target.ids(f"{year}-{month:02}-{day:02}"), 2, 0, 0])
        memory = self.gate * torch.tensor(rows).float()[:, :, None].expand(-1, -1, 2)[:, :13]
        pad = torch.zeros(len(rows), max(0, 13 - memory.shape[1]), 2)
        self.kept = memory
        z = torch.zeros(1, len(rows), 1)
        return memory, (memory[None, :, :, 0].contiguous(), z)


class RuleDecoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.ones(1))

    def step(self, token, state, memory, mask):
        ids, at = state
        t = int(at[0, 0, 0])
        want = ids[0, :, min(t, ids.shape[-1] - 1)].round().long().clamp(0, 13)
        return self.gate * nn.functional.one_hot(want, 14).float(), (ids, at + 1), mask.float()


def train_dates():
    return RuleEncoder(), RuleDecoder()


# %% right train_dates: a ModuleDict, other names
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights = {
    name.replace("0.", "encoder.", 1).replace("1.", "decoder.", 1): part for name, part in weights.items()
}
save_file(weights, "weights.safetensors")


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleDict({"encoder": encoder, "decoder": decoder})

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% right train_dates: weights in half precision
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights = {name: part.half() for name, part in weights.items()}
save_file(weights, "weights.safetensors")


def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% right train_dates: with the course's own layers
def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = recurrent.Encoder(len(generated.DATES.source), 32, 64)
        decoder = recurrent.AttentionDecoder(
            len(generated.DATES.target), 32, 64, 128, recurrent.AdditiveAttention(64, 128, 64)
        )
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder


# %% right train_dates: no seed, another optimizer and rate
def train_dates():
    if True:
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        return sequence_loss(teacher_forced(encoder, decoder, batch), batch[2])

    train.fit(
        model,
        loss,
        lambda step: generated.DATES.batch(64, seed=step),
        steps,
        rate=2e-3,
        optimizer=torch.optim.AdamW,
    )
    return encoder, decoder


# %% right train_dates: a loss of its own
def train_dates():
    with train.seeded(0):  # the same random start every time
        encoder = Encoder(len(generated.DATES.source), 32, 64)
        decoder = AttentionDecoder(len(generated.DATES.target), 32, 64, 128, AdditiveAttention(64, 128, 64))
    steps = 400  # given, like all above; change what you like

    def rate(step):
        return 5e-3 * (1 - step / (steps + 1))

    model = nn.ModuleList([encoder, decoder])

    def loss(batch):
        logits = teacher_forced(encoder, decoder, batch)
        return nn.functional.cross_entropy(logits.transpose(1, 2), batch[2], ignore_index=generated.PAD)

    train.fit(model, loss, lambda step: generated.DATES.batch(64, seed=step), steps, rate=rate)
    return encoder, decoder
