"""Known answers to lesson 06: each cell is the whole text of one solution cell (see autograder/author/bank.py).

A wrong answer is a mistake that learners make; it must lose its exercise, and only that, and read the words
after `reads:`. A right answer is written in another way than the lesson's and must earn its points.
Weights handed in wrongly: the answer of train_sentiment spoils the file weights.safetensors before it is read.
"""

# %% wrong LayerNorm: eps outside the root
# reads: eps belongs inside the root
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance.sqrt() + self.eps) * self.weight + self.bias

# %% wrong LayerNorm: variance over E - 1
# reads: divide by E
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = x.var(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: no eps
# reads: eps was not used
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: mean not subtracted above
# reads: the mean is still there
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return x / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: root mean square
# reads: the mean was not subtracted
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: divided by the variance
# reads: take its root
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps) * self.weight + self.bias

# %% wrong LayerNorm: over the rows
# reads: each row has a mean of its own
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=0, keepdim=True)
        variance = centred.square().mean(dim=0, keepdim=True)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: one mean of everything
# reads: one mean for all rows
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean()
        variance = centred.square().mean()  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: weight not used
# reads: weight was not used
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() + self.bias

# %% wrong LayerNorm: bias not used
# reads: bias was not used
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight

# %% wrong LayerNorm: bias before weight
# reads: add the bias after
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return (centred / (variance + self.eps).sqrt() + self.bias) * self.weight

# %% wrong LayerNorm: mean of squares minus squared mean
# reads: torch.float32
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = x.square().mean(dim=-1, keepdim=True) - x.mean(dim=-1, keepdim=True).square()  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: no check of the size
# reads: must raise a ValueError
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: lets a last axis of 1 pass
# reads: must raise a ValueError
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1] not in (1, len(self.weight)):
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: error without numbers
# reads: its message does not say enough
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError("x has the wrong size")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: weight random at the start
# reads: the parameters of LayerNorm
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.randn(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: parameters are plain tensors
# reads: the parameters of LayerNorm
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = torch.ones(size)
        self.bias = torch.zeros(size)

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: other names
# reads: the parameters of LayerNorm
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.gain = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.gain.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.gain)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.gain + self.bias

# %% wrong LayerNorm: eps forgotten: always 1e-5
# reads: eps was not used
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = 1e-5
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: mean detached
# reads: gradient
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True).detach()
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: statistics in half precision
# reads: entries differ
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.half().square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: subtracts in place
# reads: changes its input in place
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x.sub_(x.mean(dim=-1, keepdim=True))
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: over the last two axes
# reads: entries differ
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=tuple(range(1, x.ndim)) or -1, keepdim=True)
        variance = centred.square().mean(dim=tuple(range(1, x.ndim)) or -1, keepdim=True)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: the library does it
# reads: off limits
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% wrong LayerNorm: eps is never below 1e-5
# reads: LayerNorm(3, 1e-12)(x)
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = max(eps, 1e-5)
        self.weight, self.bias = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1] != self.weight.shape[0]:
            raise ValueError(f"{x.shape[-1]} {self.weight.shape[0]}")
        c = x - x.mean(-1, keepdim=True)
        return c / (c.square().mean(-1, keepdim=True) + self.eps).sqrt() * self.weight + self.bias

# %% right LayerNorm: torch.var, no correction
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = torch.var(x, dim=-1, correction=0, keepdim=True)  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% right LayerNorm: var_mean and rsqrt
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        variance, mean = torch.var_mean(x, dim=-1, unbiased=False, keepdim=True)
        return (x - mean) * torch.rsqrt(variance + self.eps) * self.weight + self.bias

# %% right LayerNorm: std squared
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = x.std(dim=-1, correction=0, keepdim=True) ** 2  # (…, 1)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias

# %% right LayerNorm: sums over E, addcmul
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"x has {x.shape[-1]} features, expected size = {len(self.weight)}")
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = (centred * centred).sum(-1, keepdim=True) / x.size(-1)  # (…, 1)
        return torch.addcmul(self.bias, centred / torch.sqrt(variance + self.eps), self.weight)

# %% wrong FeedForward: ReLU
# reads: this is ReLU
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.down(self.dropout(torch.relu(self.up(x))))

# %% wrong FeedForward: tanh approximation
# reads: approximation of GELU by tanh
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.down(self.dropout(functional.gelu(self.up(x), approximate='tanh')))

# %% wrong FeedForward: SiLU
# reads: called SiLU
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.down(self.dropout(functional.silu(self.up(x))))

# %% wrong FeedForward: quick GELU
# reads: sigmoid(1.702 x)
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.down(self.dropout((self.up(x) * torch.sigmoid(1.702 * self.up(x)))))

# %% wrong FeedForward: no activation
# reads: GELU is missing
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.down(self.dropout(self.up(x)))

# %% wrong FeedForward: GELU at the end
# reads: not after both
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return functional.gelu(self.down(self.dropout(self.up(x))))

# %% wrong FeedForward: GELU twice
# reads: also taken at the end
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return functional.gelu(self.down(self.dropout(functional.gelu(self.up(x)))))

# %% wrong FeedForward: down without bias
# reads: the parameters of FeedForward
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model, bias=False)

    def forward(self, x):
        return self.down(self.dropout(functional.gelu(self.up(x))))

# %% wrong FeedForward: up and down exchanged
# reads: the parameters of FeedForward
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_hidden, d_model)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_model, d_hidden)

    def forward(self, x):
        return self.down(self.dropout(functional.gelu(self.up(x))))

# %% wrong FeedForward: other names
# reads: the parameters of FeedForward
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.fc1 = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.fc2(self.dropout(functional.gelu(self.fc1(x))))

# %% wrong FeedForward: dropout at the end
# reads: about half
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.dropout(self.down(functional.gelu(self.up(x))))

# %% wrong FeedForward: dropout before GELU
# reads: after GELU and before down
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.down(functional.gelu(self.dropout(self.up(x))))

# %% wrong FeedForward: dropout of the input
# reads: after GELU and before down
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.down(functional.gelu(self.up(self.dropout(x))))

# %% wrong FeedForward: no dropout
# reads: about half
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.down(functional.gelu(self.up(x)))

# %% wrong FeedForward: dropout in eval mode too
# reads: .eval()
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.down(functional.dropout(functional.gelu(self.up(x)), self.dropout.p))

# %% wrong FeedForward: a residual already
# reads: entry differs
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return x + self.down(self.dropout(functional.gelu(self.up(x))))

# %% wrong FeedForward: detached
# reads: gradient
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.down(self.dropout(functional.gelu(self.up(x)).detach()))

# %% wrong FeedForward: blocks does it
# reads: off limits
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.inner = blocks.FeedForward(d_model, d_hidden, dropout)
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.down(self.dropout(functional.gelu(self.up(x))))

# %% wrong FeedForward: a view of x where only a copy will do
# reads: view
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up, self.down, self.drop = nn.Linear(d_model, d_hidden), nn.Linear(d_hidden, d_model), nn.Dropout(dropout)

    def forward(self, x):
        h = functional.gelu(self.up(x.view(-1, x.shape[-1])))
        return self.down(self.drop(h)).view(x.shape)

# %% right FeedForward: a Sequential by its own name
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.down = nn.Linear(in_features=d_hidden, out_features=d_model, bias=True)
        self.middle = nn.Sequential(nn.GELU(), nn.Dropout(p=dropout))

    def forward(self, x):
        return self.down(self.middle(self.up(x)))

# %% right FeedForward: GELU by erf
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(d_hidden, d_model)

    def _gelu(self, h):
        return h * 0.5 * (1.0 + torch.erf(h / 2**0.5))

    def forward(self, x):
        return self.down(self.dropout(self._gelu(self.up(x))))

# %% right FeedForward: functional dropout
class FeedForward(nn.Module):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_hidden)
        self.rate = dropout
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, x):
        return self.down(functional.dropout(functional.gelu(self.up(x)), self.rate, training=self.training))

# %% right FeedForward: a subclass of Sequential
from collections import OrderedDict


class FeedForward(nn.Sequential):
    def __init__(self, d_model, d_hidden, dropout=0.0):
        layers = OrderedDict(up=nn.Linear(d_model, d_hidden), act=nn.GELU(), drop=nn.Dropout(dropout))
        layers["down"] = nn.Linear(d_hidden, d_model)
        super().__init__(layers)

# %% wrong EncoderBlock: no residual around attention
# reads: attention replaced the stream
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: no residual around feed-forward
# reads: the feed-forward branch replaced
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: always post-norm
# reads: this is post-norm
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if False:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: always pre-norm
# reads: this is pre-norm
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if True:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: norm_first turned round
# reads: this is post-norm
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if not self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: the stream is normalised
# reads: the stream itself was normalised
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = self.norm1(x)
            x = x + self.dropout(self.attention(x, mask=mask)[0])
            x = self.norm2(x)
            return x + self.dropout(self.feed_forward(x))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: attention is lost
# reads: attention branch is missing
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            attended = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: feed-forward is lost
# reads: feed-forward branch is missing
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: no second norm, post
# reads: norm2 is missing
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return (x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: one norm for both
# reads: against torch
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm1(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: feed-forward reads the stream as it is
# reads: against torch
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(x))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: feed-forward reads the stream from before attention
# reads: against torch
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            before = x
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(before)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: mask not passed on
# reads: mask (2, 1, 1, 5)
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=None)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=None)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: mask turned round
# reads: mask (2, 1, 1, 5)
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=None if mask is None else ~mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=None if mask is None else ~mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: mask passed as keys
# reads: RuntimeError
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: keys not normalised
# reads: against torch
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), x, mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: eps not passed on
# reads: eps=0.3
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: dropout on the stream
# reads: never on the stream
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = self.dropout(x + self.attention(self.norm1(x), mask=mask)[0])
            return self.dropout(x + self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: no dropout after attention
# reads: while training
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.attention(self.norm1(x), mask=mask)[0]
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: no dropout after feed-forward
# reads: while training
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.feed_forward(self.norm2(x))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: weights instead of the output
# reads: block(x), pre-norm
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[1])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[1]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: other names
# reads: the parameters of EncoderBlock
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.ln1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.ln1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.ln1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: parts shared: one norm
# reads: the parameters of EncoderBlock
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = self.norm1
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: branches side by side
# reads: against torch
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            attended = self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + attended + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% wrong EncoderBlock: torch does it
# reads: off limits
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.made = nn.TransformerEncoderLayer(d_model, n_heads, d_hidden, dropout, batch_first=True)
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% right EncoderBlock: one loop over the branches
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.norm1 = nn.LayerNorm(d_model, eps)
        self.norm2 = nn.LayerNorm(d_model, eps)
        self.rate, self.pre = dropout, norm_first

    def forward(self, x, mask=None):
        branches = [(self.norm1, lambda y: self.attention(y, y, y, mask)[0]), (self.norm2, self.feed_forward)]
        for norm, branch in branches:
            added = functional.dropout(branch(norm(x) if self.pre else x), self.rate, self.training)
            x = x + added if self.pre else norm(x + added)
        return x

# %% right EncoderBlock: two dropouts, own parts by hand
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1 = nn.LayerNorm(d_model, eps=eps)
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model, eps=eps)
        self.feed_forward = blocks.FeedForward(d_model, d_hidden, dropout)
        self.drop1, self.drop2 = nn.Dropout(dropout), nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.drop1(self.attention(self.norm1(x), mask=mask)[0])
            return x + self.drop2(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.drop1(self.attention(x, mask=mask)[0]))
        return self.norm2(x + self.drop2(self.feed_forward(x)))

# %% right EncoderBlock: a method for each order
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(d_model, eps=eps) for _ in range(2))
        self.attention, self.feed_forward = MultiHeadAttention(d_model, n_heads), nn.Module()
        self.feed_forward.up, self.feed_forward.down = nn.Linear(d_model, d_hidden), nn.Linear(d_hidden, d_model)
        self.dropout = nn.Dropout(dropout)
        self.step = self.pre_norm if norm_first else self.post_norm

    def think(self, x):
        hidden = self.dropout(functional.gelu(self.feed_forward.up(x)))
        return self.dropout(self.feed_forward.down(hidden))

    def look(self, x, mask):
        output, _ = self.attention(x, mask=mask)
        return self.dropout(output)

    def pre_norm(self, x, mask):
        x = x + self.look(self.norm1(x), mask)
        return x + self.think(self.norm2(x))

    def post_norm(self, x, mask):
        x = self.norm1(x + self.look(x, mask))
        return self.norm2(x + self.think(x))

    def forward(self, x, mask=None):
        return self.step(x, mask)

# %% wrong TransformerEncoder: no last norm
# reads: after a last norm it is 1
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return x

# %% wrong TransformerEncoder: no mask
# reads: without its padding
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

# %% wrong TransformerEncoder: mask turned round
# reads: without its padding
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens == self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: padding is always 0
# reads: at real tokens
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != 0)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: no positions
# reads: numbers to train
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: positions not added
# reads: at real tokens
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: one block n times
# reads: numbers to train
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = [blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout)] * n_layers
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: blocks in a plain list
# reads: numbers to train
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = list(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: post-norm blocks
# reads: torch's layers
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout, norm_first=False) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: embedding times root of E
# reads: torch's layers
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) * self.d_model**0.5 + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: only the last block counts
# reads: torch's layers
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            y = block(x, mask)
        return self.norm(y)

# %% wrong TransformerEncoder: no check of the length
# reads: must raise a ValueError
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: refuses max_len itself
# reads: ValueError
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens >= self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: cuts long texts
# reads: must raise a ValueError
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            tokens, n_tokens = tokens[:, : self.max_len], self.max_len
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: drops the columns of padding
# reads: has shape
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        tokens = tokens[:, : int((tokens != self.pad_id).sum(dim=1).max())]
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: padding must be at the end
# reads: without its padding
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        lengths = (tokens == self.pad_id).sum(dim=1)
        mask = (torch.arange(n_tokens) < lengths[:, None])[:, None, None, :]
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: padding taken to be at the end
# reads: at real tokens
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        lengths = (tokens != self.pad_id).sum(dim=1)
        mask = (torch.arange(n_tokens) < lengths[:, None])[:, None, None, :]
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: -inf as mask for a row of padding
# reads: finite
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask) / mask.any(dim=-1).squeeze(-1)[..., None].to(x.dtype)
        return self.norm(x)

# %% wrong TransformerEncoder: no dropout of the embeddings
# reads: dropout
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.embedding(tokens) + self.positions(places)  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: dropout not passed to the blocks
# reads: dropout
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: causal
# reads: torch
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        mask = mask & torch.ones(n_tokens, n_tokens, dtype=torch.bool).tril()
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: sinusoidal positions
# reads: numbers to train
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.register_buffer('waves', blocks.sinusoidal_encoding(max_len, d_model))
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.waves[places].to(self.embedding.weight.dtype))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong TransformerEncoder: blocks does it
# reads: off limits
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)
        self.made = blocks.TransformerEncoder(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% right TransformerEncoder: a Parameter for positions
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
for mine, own in [("positions.weight", "places")]:
    weights = {name.replace(mine, own): part for name, part in weights.items()}
save_file(weights, "weights.safetensors")


class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.places = nn.Parameter(0.02 * torch.randn(max_len, d_model))
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        x = self.dropout(self.embedding(tokens) + self.places[:n_tokens])  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% right TransformerEncoder: other names
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
for mine, own in [("encoder.blocks", "encoder.layers"), ("encoder.embedding", "encoder.words"), ("encoder.norm.", "encoder.final."), ("encoder.positions", "encoder.where")]:
    weights = {name.replace(mine, own): part for name, part in weights.items()}
save_file(weights, "weights.safetensors")


class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.words = nn.Embedding(vocab_size, d_model)
        self.where = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.layers = nn.ModuleList(made)
        self.final = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.words(tokens) + self.where(places))  # (B, T, E)
        for block in self.layers:
            x = block(x, mask)
        return self.final(x)

# %% right TransformerEncoder: a loop of add_module
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
for mine, own in [("encoder.blocks.", "encoder.block")]:
    weights = {name.replace(mine, own): part for name, part in weights.items()}
save_file(weights, "weights.safetensors")


class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.n_layers = n_layers
        for n, block in enumerate(made):
            self.add_module(f'block{n}', block)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = (tokens != self.pad_id)[:, None, None, :]  # (B, 1, 1, T)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for n in range(self.n_layers):
            x = getattr(self, f'block{n}')(x, mask=mask)
        return self.norm(x)

# %% right TransformerEncoder: padding made harmless by hand
class TransformerEncoder(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, pad_id=0, dropout=0.0):
        super().__init__()
        self.d_model, self.pad_id, self.max_len = d_model, pad_id, max_len
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_len, d_model)
        self.dropout = nn.Dropout(dropout)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, dropout) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens):
        n_tokens = tokens.shape[1]
        if n_tokens > self.max_len:
            raise ValueError(f"tokens has {n_tokens} columns, max_len is {self.max_len}")
        mask = tokens.ne(self.pad_id).view(len(tokens), 1, 1, -1).expand(-1, -1, n_tokens, -1)
        places = torch.arange(n_tokens, device=tokens.device)
        x = self.dropout(self.embedding(tokens) + self.positions(places))  # (B, T, E)
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% wrong mean_pool: divided by T
# reads: divide by the number of real tokens
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).mean(dim=1)

# %% wrong mean_pool: padding in the sum
# reads: only real tokens belong
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return x.sum(dim=1) / real.sum(dim=1).clamp(min=1)

# %% wrong mean_pool: no mask
# reads: the mask was not used
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return x.mean(dim=1)

# %% wrong mean_pool: a sum
# reads: this is the sum
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1)

# %% wrong mean_pool: the largest
# reads: this is the largest entry
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return x.masked_fill(real == 0, -torch.inf).amax(dim=1).nan_to_num(neginf=0.0)

# %% wrong mean_pool: the first token
# reads: this is the first token
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real)[:, 0]

# %% wrong mean_pool: mask turned round
# reads: turned round
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = (~mask)[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)

# %% wrong mean_pool: 0 / 0
# reads: needs its own care
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1) / real.sum(dim=1)

# %% wrong mean_pool: a small number in the divisor
# reads: differ
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1e-9) + 1e-6

# %% wrong mean_pool: nan taken away afterwards
# reads: is nan
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return ((x * real).sum(dim=1) / real.sum(dim=1)).nan_to_num()

# %% wrong mean_pool: mean of the whole batch
# reads: all tokens of all texts
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return ((x * real).sum(dim=(0, 1)) / real.sum()).expand(len(x), -1)

# %% wrong mean_pool: no check of the mask
# reads: must raise a ValueError
def mean_pool(x, mask):
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)

# %% wrong mean_pool: compares T only
# reads: must raise a ValueError
def mean_pool(x, mask):
    if mask.shape[-1] != x.shape[1]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)

# %% wrong mean_pool: compares B only
# reads: must raise a ValueError
def mean_pool(x, mask):
    if mask.shape[0] != x.shape[0]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)

# %% wrong mean_pool: lets B = 1 pass
# reads: must raise a ValueError
def mean_pool(x, mask):
    if mask.ndim != 2 or mask.shape[1] != x.shape[1]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)

# %% wrong mean_pool: error without numbers
# reads: its message does not say enough
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError("mask has another shape than x")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)

# %% wrong mean_pool: counts as if real tokens came first
# reads: entries differ
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    mask = torch.arange(x.shape[1]) < mask.sum(dim=1)[:, None]
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)

# %% wrong mean_pool: always float32
# reads: dtype
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].float()  # (B, T, 1)
    return ((x.float() * real).sum(dim=1) / real.sum(dim=1).clamp(min=1))

# %% wrong mean_pool: zeros written into x
# reads: changes its input in place
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    x[~mask] = 0.0
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)

# %% wrong mean_pool: keeps the axis
# reads: has shape
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1, keepdim=True) / real.sum(dim=1, keepdim=True).clamp(min=1)

# %% wrong mean_pool: blocks does it
# reads: off limits
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    return blocks.mean_pool(x, mask)
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return (x * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)

# %% wrong mean_pool: entries of 0 count as padding
# reads: mean_pool(x, mask) with x (
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask is {tuple(mask.shape)}, x is {tuple(x.shape)}")
    kept = x * mask.unsqueeze(-1)
    return kept.sum(1) / (kept != 0).sum(1).clamp(min=1)

# %% right mean_pool: einsum
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    return torch.einsum('bte,bt->be', x, real[..., 0]) / real.sum(dim=1).clamp(min=1)

# %% right mean_pool: masked_fill
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    total = x.masked_fill(~mask.unsqueeze(-1), 0).sum(1)
    return total / mask.sum(1, keepdim=True).clamp(min=1).to(x.dtype)

# %% right mean_pool: weights that sum to 1
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    real = mask[..., None].to(x.dtype)  # (B, T, 1)
    weights = real / real.sum(dim=1, keepdim=True).clamp(min=1)
    return (weights.transpose(1, 2) @ x).squeeze(1)

# %% right mean_pool: loops
def mean_pool(x, mask):
    if mask.shape != x.shape[:2]:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, x {tuple(x.shape)}")
    rows = []
    for row, may in zip(x, mask, strict=True):
        rows.append(row[may].mean(dim=0) if may.any() else 0 * row.sum(dim=0))
    return torch.stack(rows)

# %% wrong TextClassifier: mean over padding too
# reads: padding was counted
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(self.encoder(tokens).mean(dim=1))

# %% wrong TextClassifier: the first token
# reads: the first token's vector
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(self.encoder(tokens)[:, 0])

# %% wrong TextClassifier: the last column
# reads: the last token's vector
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(self.encoder(tokens)[:, -1])

# %% wrong TextClassifier: a sum
# reads: this is the sum
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head((self.encoder(tokens) * real[..., None]).sum(dim=1))

# %% wrong TextClassifier: the largest
# reads: the largest entry
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(self.encoder(tokens).masked_fill(~real[..., None], -1e9).amax(dim=1))

# %% wrong TextClassifier: softmax at the end
# reads: no softmax
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(blocks.mean_pool(self.encoder(tokens), real)).softmax(dim=-1)

# %% wrong TextClassifier: padding is always 0
# reads: entries differ
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != 0  # (B, T)
        return self.head(blocks.mean_pool(self.encoder(tokens), real))

# %% wrong TextClassifier: padding taken to be at the end
# reads: entries differ
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        real = torch.arange(tokens.shape[1]) < real.sum(dim=1, keepdim=True)
        return self.head(blocks.mean_pool(self.encoder(tokens), real))

# %% wrong TextClassifier: copies the encoder
# reads: keep that one
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = __import__('copy').copy(encoder)
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(blocks.mean_pool(self.encoder(tokens), real))

# %% wrong TextClassifier: no bias in the head
# reads: TextClassifier
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes, bias=False)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(blocks.mean_pool(self.encoder(tokens), real))

# %% wrong TextClassifier: encodes twice
# reads: what the encoder received
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        self.encoder(tokens)
        return self.head(blocks.mean_pool(self.encoder(tokens), real))

# %% wrong TextClassifier: detached: trains the head alone
# reads: gradient
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(blocks.mean_pool(self.encoder(tokens).detach(), real))

# %% wrong TextClassifier: head before the mean, padding counted
# reads: padding was counted
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(self.encoder(tokens)).mean(dim=1)

# %% wrong TextClassifier: a tagger
# reads: has shape
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(self.encoder(tokens))

# %% wrong TextClassifier: always two classes
# reads: the shapes of head
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, 2)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(blocks.mean_pool(self.encoder(tokens), real))

# %% wrong TextClassifier: the predicted class
# reads: model(tokens)
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(blocks.mean_pool(self.encoder(tokens), real)).argmax(dim=-1)

# %% wrong TextClassifier: blocks does it
# reads: off limits
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.inner = blocks.TextClassifier
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(blocks.mean_pool(self.encoder(tokens), real))

# %% right TextClassifier: mean by hand
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        weights = real.unsqueeze(-1).float()
        pooled = (self.encoder(tokens) * weights).sum(1) / weights.sum(1).clamp(min=1)
        return self.head(pooled)

# %% right TextClassifier: own mean_pool
def _pooled(x, mask):
    total = torch.einsum('bte,bt->be', x, mask.to(x.dtype))
    return total / mask.sum(dim=1, keepdim=True).clamp(min=1)


class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        return self.head(_pooled(self.encoder(tokens), real))

# %% right TextClassifier: pad_id kept
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder, self.pad_id = encoder, encoder.pad_id
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.pad_id  # (B, T)
        return self.head(blocks.mean_pool(self.encoder(tokens), real))

# %% right TextClassifier: vector by vector
class TextClassifier(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_classes)

    def forward(self, tokens):
        real = tokens != self.encoder.pad_id  # (B, T)
        vectors = self.encoder(tokens)
        rows = [row[may].mean(0) if may.any() else vectors.new_zeros(vectors.shape[-1]) for row, may in zip(vectors, real)]
        return self.head(torch.stack(rows))

# %% wrong TokenTagger: softmax at the end
# reads: no softmax
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        return self.head(self.encoder(tokens)).softmax(dim=-1)

# %% wrong TokenTagger: zeros at padding
# reads: each column gets its logits
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        return self.head(self.encoder(tokens)) * (tokens != 0)[..., None]

# %% wrong TokenTagger: encoder zeroed at padding
# reads: leave it
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        return self.head(self.encoder(tokens) * (tokens != 0)[..., None])

# %% wrong TokenTagger: the mean for all
# reads: no pooling here
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        x = self.encoder(tokens)
        pooled = blocks.mean_pool(x, tokens != self.encoder.pad_id)
        return self.head(pooled)[:, None].expand(*tokens.shape, -1)

# %% wrong TokenTagger: the tags
# reads: model(tokens)
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        return self.head(self.encoder(tokens)).argmax(dim=-1)

# %% wrong TokenTagger: pooled
# reads: has shape
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        return self.head(self.encoder(tokens).mean(dim=1))

# %% wrong TokenTagger: first token only
# reads: has shape
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        return self.head(self.encoder(tokens)[:, 0])

# %% wrong TokenTagger: axes exchanged
# reads: has shape
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        return self.head(self.encoder(tokens)).transpose(1, 2)

# %% wrong TokenTagger: copies the encoder
# reads: keep that one
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = __import__('copy').copy(encoder)
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        return self.head(self.encoder(tokens))

# %% wrong TokenTagger: no bias in the head
# reads: entries differ
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags, bias=False)

    def forward(self, tokens):
        return self.head(self.encoder(tokens))

# %% wrong TokenTagger: detached
# reads: gradient
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        return self.head(self.encoder(tokens).detach())

# %% wrong TokenTagger: encodes twice
# reads: what the encoder received
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        self.encoder(tokens)
        return self.head(self.encoder(tokens))

# %% wrong TokenTagger: log softmax
# reads: entries differ
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        return self.head(self.encoder(tokens)).log_softmax(dim=-1)

# %% wrong TokenTagger: blocks does it
# reads: off limits
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.inner = blocks.TokenTagger
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        return self.head(self.encoder(tokens))

# %% right TokenTagger: two steps
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        x = self.encoder(tokens)
        return functional.linear(x, self.head.weight, self.head.bias)

# %% right TokenTagger: token by token
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        x = self.encoder(tokens)
        return torch.stack([self.head(x[:, t]) for t in range(x.shape[1])], dim=1)

# %% right TokenTagger: matrix product
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        return self.encoder(tokens) @ self.head.weight.T + self.head.bias

# %% right TokenTagger: flattened
class TokenTagger(nn.Module):
    def __init__(self, encoder, n_tags):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.d_model, n_tags)

    def forward(self, tokens):
        x = self.encoder(tokens)
        return self.head(x.flatten(0, 1)).unflatten(0, tokens.shape)

# %% wrong train_sentiment: no weights handed in
# reads: there are no weights
from pathlib import Path

Path("weights.safetensors").unlink(missing_ok=True)


def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% wrong train_sentiment: nothing is returned
# reads: returned None; return the model
def train_sentiment():
    with train.seeded(0):
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), 750, rate=lambda s: 1e-3 * (1 - s / 751))

# %% wrong train_sentiment: weights under another name
# reads: cannot use the weights
def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate, file="my_reviews.safetensors")
    return model

# %% wrong train_sentiment: never trained
# reads: are right, at least
def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    return model

# %% wrong train_sentiment: weights of an untrained model
# reads: are right, at least
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights = {name: 0.1 * torch.randn(part.shape, generator=torch.Generator().manual_seed(0)) for name, part in weights.items()}
save_file(weights, "weights.safetensors")


def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% wrong train_sentiment: labels exchanged
# reads: are right, at least
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights["head.weight"] = weights["head.weight"].flip(0)
weights["head.bias"] = weights["head.bias"].flip(0)
save_file(weights, "weights.safetensors")


def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% wrong train_sentiment: trained with another vocabulary
# reads: are right, at least
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights["encoder.embedding.weight"] = weights["encoder.embedding.weight"].roll(1, dims=0)
save_file(weights, "weights.safetensors")


def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% wrong train_sentiment: head of a new model
# reads: are right, at least
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights["head.weight"] = 0 * weights["head.weight"]
save_file(weights, "weights.safetensors")


def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% wrong train_sentiment: weights with nan
# reads: nan or infinite
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights["encoder.embedding.weight"][5] = float("nan")
save_file(weights, "weights.safetensors")


def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% wrong train_sentiment: weights of another size
# reads: does not fit the model
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights["encoder.embedding.weight"] = weights["encoder.embedding.weight"][:, :16].clone()
save_file(weights, "weights.safetensors")


def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% wrong train_sentiment: half of the weights are missing
# reads: the file lacks
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights = {name: part for name, part in weights.items() if name.startswith("encoder.")}
save_file(weights, "weights.safetensors")


def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% wrong train_sentiment: a broken file
# reads: is not a whole safetensors file
from pathlib import Path

Path("weights.safetensors").write_bytes(Path("weights.safetensors").read_bytes()[:5000])


def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% wrong train_sentiment: an empty file
# reads: is not a whole safetensors file
from pathlib import Path

Path("weights.safetensors").write_bytes(b"")


def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% wrong train_sentiment: the model was made larger after training
# reads: cannot use the weights
def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 96, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% wrong train_sentiment: a block more after training
# reads: cannot use the weights
def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 3, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% wrong train_sentiment: a new model is returned
# reads: are right, at least
def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return TextClassifier(TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN), 2)

# %% wrong train_sentiment: forgot to return
# reads: train_sentiment
def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    print('trained')

# %% wrong train_sentiment: answers turned round after loading
# reads: are right, at least
def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return lambda tokens: -model(tokens)

# %% right train_sentiment: no label smoothing, another optimizer
def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate, optimizer=torch.optim.AdamW)
    return model

# %% right train_sentiment: a loss of its own
def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return -model(tokens).log_softmax(dim=-1).gather(1, labels[:, None]).mean()

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% right train_sentiment: with the course's own layers
def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = blocks.TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = blocks.TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% right train_sentiment: weights in half precision
from safetensors.torch import load_file, save_file

weights = load_file("weights.safetensors")
weights = {name: part.half() for name, part in weights.items()}
save_file(weights, "weights.safetensors")


def train_sentiment():
    with train.seeded(0):  # the same random start every time
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(64, seed=step), steps, rate=rate)
    return model

# %% right train_sentiment: no seed, fewer steps
def train_sentiment():
    if True:
        encoder = TransformerEncoder(reviews.VOCABULARY_SIZE, 32, 4, 64, 2, reviews.MAX_LEN, dropout=0.4)
        model = TextClassifier(encoder, 2)
    reviews.start_from_counts(model)
    steps = 750  # given, like all above; change what you like

    def rate(step):
        return 1e-3 * (1 - step / (steps + 1))

    def loss(batch):
        tokens, labels = batch
        return functional.cross_entropy(model(tokens), labels, label_smoothing=0.1)

    train.fit(model, loss, lambda step: reviews.batch(48, step + 7), steps, rate=rate)
    return model

# %% wrong load_minilm: pre-norm blocks
# reads: torch
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=True, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: no norm after the embeddings
# reads: torch
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.token(tokens) + self.position(places) + self.kind.weight[0]
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: no kind of text
# reads: torch
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places))
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: the other kind of text
# reads: torch
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[1])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: no positions
# reads: torch
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: positions from 1
# reads: torch
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = (torch.arange(tokens.shape[1], device=tokens.device) + 1).clamp(max=len(self.position.weight) - 1)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: query and key exchanged
# reads: torch
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    inside = minilm.INSIDE | {"attention.self.query": "attention.k_proj", "attention.self.key": "attention.q_proj"}
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in inside.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: key and value exchanged
# reads: torch
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    inside = minilm.INSIDE | {"attention.self.value": "attention.k_proj", "attention.self.key": "attention.v_proj"}
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in inside.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: the norms exchanged
# reads: torch
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    inside = minilm.INSIDE | {"attention.output.LayerNorm": "norm2", "output.LayerNorm": "norm1"}
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in inside.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: the mask is not passed on
# reads: torch
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: in training mode
# reads: eval mode
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model

# %% wrong load_minilm: always twelve heads
# reads: load_minilm
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, 4, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: missing keys stay random
# reads: must raise a ValueError
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("unknown", set(given) - set(wanted)),):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given.get(tables[0], torch.ones(11, 8)).shape, len(given.get(tables[1], [1] * 6)), len(given.get(tables[2], [1, 1])))
    d_hidden = len(given.get("encoder.layer.0.intermediate.dense.weight", torch.ones(12, 8)))
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    wanted = [key for key in wanted if key in given]
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted}, strict=False)
    return model.eval()

# %% wrong load_minilm: unknown keys are skipped
# reads: must raise a ValueError
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)),):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: wrong shapes: the library complains
# reads: load_minilm with
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        pass
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: broadcasts what does not fit
# reads: must raise a ValueError
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if key.endswith("LayerNorm.bias"):
            given[key] = given[key].expand(want.shape)
        elif given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: the error does not name the key
# reads: its message does not say enough
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {len(keys)} keys are {problem}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: the pooler is not ignored
# reads: pooler
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids"}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: takes the keys out of state_dict
# reads: afterwards
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    state_dict.pop("embeddings.position_ids", None)
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: half precision stays
# reads: dtype
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.to(next(iter(given.values())).dtype).eval()

# %% wrong load_minilm: one block shared by all layers
# reads: 2 layers of size 8
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList([next(made)] * n_layers)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: always one layer
# reads: ValueError
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = 1
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: a last norm too much
# reads: torch
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: a much larger eps
# reads: torch
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-3)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-3) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: the reference does it
# reads: off limits
look = minilm.reference


class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% wrong load_minilm: eps of the blocks' norms is 1e-5
# reads: Is the eps of all of them 1e-12?
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token, self.position, self.kind = (nn.Embedding(n, d_model) for n in (vocab_size, max_len, n_kinds))
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-5) for _ in range(n_layers))

    def forward(self, tokens, mask=None):
        x = self.norm(self.token(tokens) + self.position.weight[: tokens.shape[1]] + self.kind.weight[0])
        for layer in self.layers:
            x = layer(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    state = {k: v for k, v in state_dict.items() if not (k == "embeddings.position_ids" or k.startswith("pooler."))}
    try:
        vocab, d = state["embeddings.word_embeddings.weight"].shape
        places = len(state["embeddings.position_embeddings.weight"])
        kinds = len(state["embeddings.token_type_embeddings.weight"])
        hidden = len(state["encoder.layer.0.intermediate.dense.bias"])
    except KeyError as error:
        raise ValueError(f"missing: {error.args[0]}") from None
    n_layers = len({k.split(".")[2] for k in state if k.startswith("encoder.layer.")})
    model = MiniLM(vocab, d, n_heads, hidden, n_layers, places, kinds)
    own, names = model.state_dict(), {f"{a}.weight": f"{b}.weight" for a, b in minilm.OUTSIDE.items()}
    names["embeddings.LayerNorm.bias"] = "norm.bias"
    for n in range(n_layers):
        for a, b in minilm.INSIDE.items():
            for part in ("weight", "bias"):
                names[f"encoder.layer.{n}.{a}.{part}"] = f"layers.{n}.{b}.{part}"
    for key in sorted(names.keys() ^ state.keys()):
        raise ValueError(f"{key} is missing or unknown")
    for theirs, ours in names.items():
        if own[ours].shape != state[theirs].shape:
            raise ValueError(f"{theirs} has a wrong shape {tuple(state[theirs].shape)}")
    model.load_state_dict({ours: state[theirs] for theirs, ours in names.items()})
    return model.eval()

# %% wrong load_minilm: two kinds of text, whatever the shape
# reads: ValueError
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token, self.position, self.kind = (nn.Embedding(n, d_model) for n in (vocab_size, max_len, n_kinds))
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))

    def forward(self, tokens, mask=None):
        x = self.norm(self.token(tokens) + self.position.weight[: tokens.shape[1]] + self.kind.weight[0])
        for layer in self.layers:
            x = layer(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    state = {k: v for k, v in state_dict.items() if not (k == "embeddings.position_ids" or k.startswith("pooler."))}
    try:
        vocab, d = state["embeddings.word_embeddings.weight"].shape
        places = len(state["embeddings.position_embeddings.weight"])
        kinds = 2
        hidden = len(state["encoder.layer.0.intermediate.dense.bias"])
    except KeyError as error:
        raise ValueError(f"missing: {error.args[0]}") from None
    n_layers = len({k.split(".")[2] for k in state if k.startswith("encoder.layer.")})
    model = MiniLM(vocab, d, n_heads, hidden, n_layers, places, kinds)
    own, names = model.state_dict(), {f"{a}.weight": f"{b}.weight" for a, b in minilm.OUTSIDE.items()}
    names["embeddings.LayerNorm.bias"] = "norm.bias"
    for n in range(n_layers):
        for a, b in minilm.INSIDE.items():
            for part in ("weight", "bias"):
                names[f"encoder.layer.{n}.{a}.{part}"] = f"layers.{n}.{b}.{part}"
    for key in sorted(names.keys() ^ state.keys()):
        raise ValueError(f"{key} is missing or unknown")
    for theirs, ours in names.items():
        if own[ours].shape != state[theirs].shape:
            raise ValueError(f"{theirs} has a wrong shape {tuple(state[theirs].shape)}")
    model.load_state_dict({ours: state[theirs] for theirs, ours in names.items()})
    return model.eval()

# %% wrong load_minilm: position_ids and pooler ignored wherever they stand
# reads: load_minilm with encoder.layer.0.position_ids besides must raise
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token, self.position, self.kind = (nn.Embedding(n, d_model) for n in (vocab_size, max_len, n_kinds))
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))

    def forward(self, tokens, mask=None):
        x = self.norm(self.token(tokens) + self.position.weight[: tokens.shape[1]] + self.kind.weight[0])
        for layer in self.layers:
            x = layer(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    state = {k: v for k, v in state_dict.items() if not (k.endswith("position_ids") or "pooler" in k)}
    try:
        vocab, d = state["embeddings.word_embeddings.weight"].shape
        places = len(state["embeddings.position_embeddings.weight"])
        kinds = len(state["embeddings.token_type_embeddings.weight"])
        hidden = len(state["encoder.layer.0.intermediate.dense.bias"])
    except KeyError as error:
        raise ValueError(f"missing: {error.args[0]}") from None
    n_layers = len({k.split(".")[2] for k in state if k.startswith("encoder.layer.")})
    model = MiniLM(vocab, d, n_heads, hidden, n_layers, places, kinds)
    own, names = model.state_dict(), {f"{a}.weight": f"{b}.weight" for a, b in minilm.OUTSIDE.items()}
    names["embeddings.LayerNorm.bias"] = "norm.bias"
    for n in range(n_layers):
        for a, b in minilm.INSIDE.items():
            for part in ("weight", "bias"):
                names[f"encoder.layer.{n}.{a}.{part}"] = f"layers.{n}.{b}.{part}"
    for key in sorted(names.keys() ^ state.keys()):
        raise ValueError(f"{key} is missing or unknown")
    for theirs, ours in names.items():
        if own[ours].shape != state[theirs].shape:
            raise ValueError(f"{theirs} has a wrong shape {tuple(state[theirs].shape)}")
    model.load_state_dict({ours: state[theirs] for theirs, ours in names.items()})
    return model.eval()

# %% wrong load_minilm: a transposed weight is reshaped
# reads: encoder.layer.1.output.dense.weight of shape (12, 8) must raise
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token, self.position, self.kind = (nn.Embedding(n, d_model) for n in (vocab_size, max_len, n_kinds))
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))

    def forward(self, tokens, mask=None):
        x = self.norm(self.token(tokens) + self.position.weight[: tokens.shape[1]] + self.kind.weight[0])
        for layer in self.layers:
            x = layer(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    state = {k: v for k, v in state_dict.items() if not (k == "embeddings.position_ids" or k.startswith("pooler."))}
    try:
        vocab, d = state["embeddings.word_embeddings.weight"].shape
        places = len(state["embeddings.position_embeddings.weight"])
        kinds = len(state["embeddings.token_type_embeddings.weight"])
        hidden = len(state["encoder.layer.0.intermediate.dense.bias"])
    except KeyError as error:
        raise ValueError(f"missing: {error.args[0]}") from None
    n_layers = len({k.split(".")[2] for k in state if k.startswith("encoder.layer.")})
    model = MiniLM(vocab, d, n_heads, hidden, n_layers, places, kinds)
    own, names = model.state_dict(), {f"{a}.weight": f"{b}.weight" for a, b in minilm.OUTSIDE.items()}
    names["embeddings.LayerNorm.bias"] = "norm.bias"
    for n in range(n_layers):
        for a, b in minilm.INSIDE.items():
            for part in ("weight", "bias"):
                names[f"encoder.layer.{n}.{a}.{part}"] = f"layers.{n}.{b}.{part}"
    for key in sorted(names.keys() ^ state.keys()):
        raise ValueError(f"{key} is missing or unknown")
    for theirs, ours in names.items():
        if own[ours].numel() != state[theirs].numel():
            raise ValueError(f"{theirs} has a wrong shape {tuple(state[theirs].shape)}")
    model.load_state_dict({ours: state[theirs].reshape(own[ours].shape) for theirs, ours in names.items()})
    return model.eval()

# %% wrong load_minilm: the number of layers from one digit
# reads: ValueError
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token, self.position, self.kind = (nn.Embedding(n, d_model) for n in (vocab_size, max_len, n_kinds))
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))

    def forward(self, tokens, mask=None):
        x = self.norm(self.token(tokens) + self.position.weight[: tokens.shape[1]] + self.kind.weight[0])
        for layer in self.layers:
            x = layer(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    state = {k: v for k, v in state_dict.items() if not (k == "embeddings.position_ids" or k.startswith("pooler."))}
    try:
        vocab, d = state["embeddings.word_embeddings.weight"].shape
        places = len(state["embeddings.position_embeddings.weight"])
        kinds = len(state["embeddings.token_type_embeddings.weight"])
        hidden = len(state["encoder.layer.0.intermediate.dense.bias"])
    except KeyError as error:
        raise ValueError(f"missing: {error.args[0]}") from None
    n_layers = len({k[14] for k in state if k.startswith("encoder.layer.")})
    model = MiniLM(vocab, d, n_heads, hidden, n_layers, places, kinds)
    own, names = model.state_dict(), {f"{a}.weight": f"{b}.weight" for a, b in minilm.OUTSIDE.items()}
    names["embeddings.LayerNorm.bias"] = "norm.bias"
    for n in range(n_layers):
        for a, b in minilm.INSIDE.items():
            for part in ("weight", "bias"):
                names[f"encoder.layer.{n}.{a}.{part}"] = f"layers.{n}.{b}.{part}"
    for key in sorted(names.keys() ^ state.keys()):
        raise ValueError(f"{key} is missing or unknown")
    for theirs, ours in names.items():
        if own[ours].shape != state[theirs].shape:
            raise ValueError(f"{theirs} has a wrong shape {tuple(state[theirs].shape)}")
    model.load_state_dict({ours: state[theirs] for theirs, ours in names.items()})
    return model.eval()

# %% right load_minilm: two renamings by replace, loop over names
class MiniLM(nn.Module):
    def __init__(self, sizes, n_heads):
        super().__init__()
        vocab, size, hidden, layers, places, kinds = sizes
        self.embeddings = nn.ModuleDict()
        for name, rows in zip(("word_embeddings", "position_embeddings", "token_type_embeddings"), (vocab, places, kinds)):
            self.embeddings[name] = nn.Embedding(rows, size)
        self.embeddings["LayerNorm"] = nn.LayerNorm(size, eps=1e-12)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList()})
        for _ in range(layers):
            self.encoder["layer"].append(blocks.EncoderBlock(size, n_heads, hidden, 0.0, False, 1e-12))

    def forward(self, tokens, mask=None):
        T = tokens.shape[1]
        words, places = self.embeddings["word_embeddings"](tokens), self.embeddings["position_embeddings"].weight[:T]
        x = self.embeddings["LayerNorm"](words + places + self.embeddings["token_type_embeddings"].weight[:1])
        for layer in self.encoder["layer"]:
            x = layer(x, mask=mask)
        return x


def load_minilm(state_dict, n_heads=12):
    mine = {}
    for key, value in state_dict.items():
        if key == "embeddings.position_ids" or key.startswith("pooler."):
            continue
        name = key
        for theirs, ours in minilm.INSIDE.items():
            if key.startswith("encoder.layer.") and key.split(".", 3)[3].rpartition(".")[0] == theirs:
                name = key.replace(theirs, ours)
        mine[name] = (key, value)
    back = {ours: theirs for theirs, ours in minilm.INSIDE.items()}

    def shape(key):
        if key not in state_dict:
            raise ValueError(f"{key} is missing")
        return state_dict[key].shape

    vocab, size = shape("embeddings.word_embeddings.weight")
    layers = 1 + max((int(key.split(".")[2]) for key in state_dict if key.startswith("encoder.layer.")), default=-1)
    sizes = (vocab, size, shape("encoder.layer.0.intermediate.dense.weight")[0], layers)
    sizes += (shape("embeddings.position_embeddings.weight")[0], shape("embeddings.token_type_embeddings.weight")[0])
    model = MiniLM(sizes, n_heads)
    for name, part in model.state_dict().items():
        if name not in mine:
            inner = ".".join(name.split(".")[3:-1])
            raise ValueError(f"{name.replace(inner, back.get(inner, inner)) if inner else name} is missing")
        key, value = mine.pop(name)
        if value.shape != part.shape:
            raise ValueError(f"{key}: {value.shape} instead of {part.shape}")
        part.copy_(value)
    if mine:
        raise ValueError(f"too many: {[key for key, _ in mine.values()]}")
    model.requires_grad_(False)
    return model.eval()

# %% right load_minilm: shapes from minilm.shapes
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind(torch.zeros_like(tokens)))
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = {**minilm.OUTSIDE}
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for table in [*tables, "encoder.layer.0.intermediate.dense.weight"]:
        if table not in given:
            raise ValueError(f"no {table}")
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% right load_minilm: post-norm written out
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        self.blocks = nn.ModuleList()
        for _ in range(n_layers):
            block = nn.Module()
            block.attention = MultiHeadAttention(d_model, n_heads)
            block.norm1, block.norm2 = nn.LayerNorm(d_model, 1e-12), nn.LayerNorm(d_model, 1e-12)
            block.feed_forward = blocks.FeedForward(d_model, d_hidden)
            self.blocks.append(block)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block.norm1(x + block.attention(x, mask=mask)[0])
            x = block.norm2(x + block.feed_forward(x))
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    model.load_state_dict({parts[key]: given[key] for key in wanted})
    return model.eval()

# %% right load_minilm: load_state_dict strict, copied first
class MiniLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds):
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.kind = nn.Embedding(n_kinds, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        made = (blocks.EncoderBlock(d_model, n_heads, d_hidden, norm_first=False, eps=1e-12) for _ in range(n_layers))
        self.blocks = nn.ModuleList(made)

    def forward(self, tokens, mask=None):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.token(tokens) + self.position(places) + self.kind.weight[0])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")}
    tables = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    n_layers = len({key.split(".")[2] for key in given if key.startswith("encoder.layer.")})
    names = dict(minilm.OUTSIDE)
    names |= {f"encoder.layer.{n}.{a}": f"blocks.{n}.{b}" for n in range(n_layers) for a, b in minilm.INSIDE.items()}
    parts = {f"{a}.{kind}": f"{b}.{kind}" for a, b in names.items() for kind in ("weight", "bias")}
    wanted = [key for key in parts if not key.endswith("embeddings.bias")]  # tables have no bias
    for problem, keys in (("missing", set(wanted) - set(given)), ("unknown", set(given) - set(wanted))):
        if keys:
            raise ValueError(f"state_dict: {problem} {', '.join(sorted(keys))}")
    (vocab_size, d_model), max_len, n_kinds = (given[tables[0]].shape, len(given[tables[1]]), len(given[tables[2]]))
    d_hidden = len(given["encoder.layer.0.intermediate.dense.weight"])
    model = MiniLM(vocab_size, d_model, n_heads, d_hidden, n_layers, max_len, n_kinds)
    for key, want in ((key, model.state_dict()[parts[key]]) for key in wanted):
        if given[key].shape != want.shape:
            raise ValueError(f"{key} has shape {tuple(given[key].shape)}, expected {tuple(want.shape)}")
    copies = {parts[key]: given[key].detach().clone().float() for key in wanted}
    model.load_state_dict(copies, strict=True)
    for parameter in model.parameters():
        parameter.requires_grad = False
    return model.train(False)

# %% wrong LayerNorm: torch's formula under another name
# reads: off limits
class LayerNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape:
            raise ValueError(f"{x.shape[-1]} {len(self.weight)}")
        return torch.native_layer_norm(x, list(self.weight.shape), self.weight, self.bias, self.eps)[0]

# %% wrong LayerNorm: torch's layer from where it lives
# reads: off limits
from torch.nn.modules import normalization


class LayerNorm(normalization.LayerNorm):
    def forward(self, x):
        if x.shape[-1] != len(self.weight):
            raise ValueError(f"{x.shape[-1]} {len(self.weight)}")
        return super().forward(x)

# %% wrong LayerNorm: the norm of a block of the course
# reads: off limits
def LayerNorm(size, eps=1e-5):
    norm = blocks.EncoderBlock(size, 1, 1, eps=eps).norm1

    def check(module, given):
        if given[0].shape[-1] != size:
            raise ValueError(f"{given[0].shape[-1]} {size}")

    norm.register_forward_pre_hook(check)
    return norm

# %% wrong LayerNorm: torch's layer by a name worked out
# reads: asks torch.nn for a name that it works out
class LayerNorm(getattr(nn, "Layer" + "Norm")):
    def forward(self, x):
        if x.shape[-1] != len(self.weight):
            raise ValueError(f"{x.shape[-1]} {len(self.weight)}")
        return super().forward(x)

# %% wrong FeedForward: the course's, from a private module
# reads: off limits
from byhand.parts.encoder import FeedForward as Base


class FeedForward(Base):
    pass

# %% wrong FeedForward: the part of a block of the course
# reads: off limits
def FeedForward(d_model, d_hidden, dropout=0.0):
    return blocks.EncoderBlock(d_model, 1, d_hidden, dropout).feed_forward

# %% wrong EncoderBlock: the course's, from a private module
# reads: off limits
from byhand.parts.encoder import EncoderBlock as Base


class EncoderBlock(Base):
    pass

# %% wrong EncoderBlock: the course's, by sys.modules
# reads: off limits
import sys


class EncoderBlock(sys.modules[blocks.__name__].EncoderBlock):
    pass

# %% wrong EncoderBlock: the course's, found among subclasses
# reads: off limits
blocks.TextClassifier
EncoderBlock = next(c for c in nn.Module.__subclasses__() if c.__name__ == "EncoderBlock")

# %% wrong TransformerEncoder: the course's, by __getattr__
# reads: off limits
TransformerEncoder = blocks.__getattr__("TransformerEncoder")

# %% wrong TransformerEncoder: the course's, picked from the module handed on
# reads: off limits
def pick(module):
    return module.TransformerEncoder


TransformerEncoder = pick(blocks)

# %% wrong mean_pool: the course's, by way of minilm
# reads: off limits
def mean_pool(x, mask):
    return minilm.mean_pool(x, mask)

# %% wrong TextClassifier: the course's, by an import worked out
# reads: off limits
import importlib

TextClassifier = importlib.import_module("byhand.parts." + "encoder").TextClassifier

# %% wrong load_minilm: the reference, by a name worked out
# reads: for a name that it works out
from byhand.minilm import shapes
import byhand.minilm as m


class MiniLM(nn.Module):
    def __init__(self, state, n_heads):
        super().__init__()
        self.state, self.n_heads = {k: v.clone() for k, v in state.items()}, n_heads

    def forward(self, tokens, mask=None):
        real = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask.reshape(len(tokens), -1)
        return getattr(m, "refer" + "ence")(self.state, self.n_heads, tokens, real).float()


def load_minilm(state_dict, n_heads=12):
    given = {
        k: v for k, v in state_dict.items() if not k.startswith("pooler.") and k != "embeddings.position_ids"
    }
    w = given.get("embeddings.word_embeddings.weight")
    if w is None:
        raise ValueError("embeddings.word_embeddings.weight")
    L = len({k.split(".")[2] for k in given if k.startswith("encoder.layer.")})
    d = given.get("encoder.layer.0.intermediate.dense.bias")
    h = len(d) if d is not None else 0
    p = given.get("embeddings.position_embeddings.weight")
    P = len(p) if p is not None else 0
    kinds = given.get("embeddings.token_type_embeddings.weight")
    K = len(kinds) if kinds is not None else 2
    want = shapes(w.shape[0], w.shape[1], h, L, P, K)
    for k in set(want) ^ set(given):
        raise ValueError(k)
    for k in want:
        if tuple(given[k].shape) != want[k]:
            raise ValueError(k)
    return MiniLM(given, n_heads).eval()

# %% right EncoderBlock: parts by setattr and getattr
from functools import partial


class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        for i in (1, 2):
            setattr(self, f"norm{i}", nn.LayerNorm(d_model, eps))
        self.attention, self.feed_forward = (
            MultiHeadAttention(d_model, n_heads),
            FeedForward(d_model, d_hidden, dropout),
        )
        self.p, self.norm_first = dropout, norm_first

    def forward(self, x, mask=None):
        for i, f in enumerate((lambda y: self.attention(y, mask=mask)[0], self.feed_forward), 1):
            norm = getattr(self, f"norm{i}")
            drop = partial(functional.dropout, p=self.p, training=self.training)
            x = x + drop(f(norm(x))) if self.norm_first else norm(x + drop(f(x)))
        return x

# %% right EncoderBlock: blocks under a shorter name
b = blocks


class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.0, norm_first=True, eps=1e-5):
        super().__init__()
        self.norm_first = norm_first
        self.norm1, self.norm2 = nn.LayerNorm(d_model, eps=eps), nn.LayerNorm(d_model, eps=eps)
        self.attention, self.feed_forward = (
            MultiHeadAttention(d_model, n_heads),
            b.FeedForward(d_model, d_hidden, dropout),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        first = lambda y: self.dropout(self.attention(y, mask=mask)[0])
        second = lambda y: self.dropout(self.feed_forward(y))
        if self.norm_first:
            x = x + first(self.norm1(x))
            return x + second(self.norm2(x))
        return self.norm2((lambda z: z + second(z))(self.norm1(x + first(x))))

# %% right mean_pool: shares in float64, a matrix product
def mean_pool(x, mask):
    if tuple(mask.shape) != tuple(x.shape)[:2]:
        raise ValueError(f"x {list(x.shape)}, mask {list(mask.shape)}")
    share = mask.double() / mask.double().sum(1, keepdim=True).clamp_min(1.0)
    return (share[:, None].to(x.dtype) @ x)[:, 0]

# %% right load_minilm: tables in a ModuleDict, keys renamed by a function
from byhand.minilm import INSIDE, OUTSIDE


class MiniLM(nn.Module):
    def __init__(self, V, E, H, F, L, P, K):
        super().__init__()
        self.tables = nn.ModuleDict(
            {n: nn.Embedding(k, E) for n, k in (("token", V), ("position", P), ("kind", K))}
        )
        self.norm = nn.LayerNorm(E, eps=1e-12)
        self.blocks = nn.ModuleList([EncoderBlock(E, H, F, norm_first=False, eps=1e-12) for _ in range(L)])

    def forward(self, tokens, mask=None):
        t = self.tables
        x = self.norm(t["token"](tokens) + t["position"].weight[: tokens.shape[1]] + t["kind"].weight[:1])
        for block in self.blocks:
            x = block(x, mask)
        return x


def load_minilm(state_dict, n_heads=12):
    given = {
        k: v for k, v in state_dict.items() if k != "embeddings.position_ids" and not k.startswith("pooler.")
    }
    L = len({k.split(".")[2] for k in given if k.startswith("encoder.layer.")})

    def home(k):
        if k.startswith("encoder.layer."):
            _, _, n, *rest = k.split(".")
            base = ".".join(rest[:-1])
            return f"blocks.{n}.{INSIDE[base]}.{rest[-1]}" if base in INSIDE and int(n) < L else None
        base, _, last = k.rpartition(".")
        if base not in OUTSIDE:
            return None
        return f"norm.{last}" if OUTSIDE[base] == "norm" else f"tables.{OUTSIDE[base]}.{last}"

    for need in (
        "embeddings.word_embeddings.weight",
        "embeddings.position_embeddings.weight",
        "embeddings.token_type_embeddings.weight",
        "encoder.layer.0.intermediate.dense.weight",
    ):
        if need not in given:
            raise ValueError(f"missing {need}")
    w, p, k = (given[f"embeddings.{n}_embeddings.weight"] for n in ("word", "position", "token_type"))
    model = MiniLM(
        len(w),
        w.shape[1],
        n_heads,
        len(given["encoder.layer.0.intermediate.dense.weight"]),
        L,
        len(p),
        len(k),
    )
    mine = model.state_dict()
    names = {home(one): one for one in given}
    if None in names:
        raise ValueError(f"unknown {names[None]}")
    back = {
        f"blocks.{n}.{b}.{x}": f"encoder.layer.{n}.{a}.{x}"
        for n in range(L)
        for a, b in INSIDE.items()
        for x in ("weight", "bias")
    }
    for name in mine:
        if name not in names:
            raise ValueError(f"missing {back.get(name, 'embeddings.LayerNorm.' + name.split('.')[-1])}")
        if mine[name].shape != given[names[name]].shape:
            raise ValueError(f"{names[name]} {tuple(given[names[name]].shape)}")
    model.load_state_dict({n: given[o].float() for n, o in names.items()})
    return model.eval()
