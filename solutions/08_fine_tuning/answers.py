"""Known answers to lesson 08: each cell is the whole text of one solution cell (see autograder/author/bank.py).

A wrong answer is a mistake that learners make; it must lose its exercise, and only that, and read the words
after `reads:`. A right answer is written in another way than the lesson's and must earn its points.
"""

# %% wrong freeze: the other way round
# reads: matches nothing and must go on training
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if not any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: thaws what does not match
# reads: was frozen before
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        parameter.requires_grad_(not any(fnmatchcase(name, pattern) for pattern in patterns))
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: one name of each parameter
# reads: head.weight is table.weight's second name
def freeze(model, patterns):
    named = list(model.named_parameters())
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: a shared parameter counts twice
# reads: counted twice
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for _, parameter in named if parameter.requires_grad)

# %% wrong freeze: changes before it has looked at all patterns
# reads: look for every pattern first
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
        for name, parameter in named:
            if fnmatchcase(name, pattern):
                parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: no error for a pattern without a match
# reads: must raise a ValueError
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for name, parameter in named:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: an error only if no pattern matches
# reads: must raise a ValueError
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    if patterns and not any(fnmatchcase(name, pattern) for name, _ in named for pattern in patterns):
        raise ValueError(f"no parameter matches {patterns}")
    for name, parameter in named:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: error without the pattern
# reads: does not say enough
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"a pattern matches nothing")
    for name, parameter in named:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: returns how many are frozen
# reads: these are the frozen numbers
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)

# %% wrong freeze: counts tensors
# reads: this counts tensors
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(1 for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: counts all numbers
# reads: frozen ones too
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters())

# %% wrong freeze: patterns taken as beginnings
# reads: no parameter matches
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    starts = [pattern.rstrip("*") for pattern in patterns]
    for start in starts:
        if not any(name.startswith(start) for name, _ in named):
            raise ValueError(f"no parameter matches {start!r}")
    for name, parameter in named:
        if any(name.startswith(start) for start in starts):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: patterns taken as part of the name
# reads: no ValueError is due: each pattern matches a whole name
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(pattern.strip("*") in name for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if any(pattern.strip("*") in name for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: patterns taken as regular expressions
# reads: no ValueError is due: each pattern matches a whole name
import re


def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(re.match(pattern.replace("*", ".*"), name) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if any(re.match(pattern.replace("*", ".*"), name) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: a star that stops at dots
# reads: no ValueError is due: each pattern matches a whole name
def freeze(model, patterns):
    def matches(name, pattern):
        parts, wanted = name.split("."), pattern.split(".")
        return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))

    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(matches(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if any(matches(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: capitals do not count
# reads: must go on training
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name.lower(), pattern.lower()) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: matches the last part of the name
# reads: must go on training
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name.rpartition(".")[2], pattern.rpartition(".")[2]) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if any(fnmatchcase(name.rpartition(".")[2], pattern.rpartition(".")[2]) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: a shared one only if all its names match
# reads: table.weight is the same parameter
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for parameter in model.parameters():
        names = [name for name, other in named if other is parameter]
        if all(any(fnmatchcase(name, pattern) for pattern in patterns) for name in names):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: sets the numbers to 0
# reads: the numbers of the model changed
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False).zero_()
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% wrong freeze: only the first pattern
# reads: must stop training
def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if patterns and fnmatchcase(name, patterns[0]):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

# %% right freeze: a dictionary, patterns outside
def freeze(model, patterns):
    named = dict(model.named_parameters(remove_duplicate=False))
    chosen = set()
    for pattern in patterns:
        matches = {name for name in named if fnmatchcase(name, pattern)}
        if not matches:
            raise ValueError("pattern without a match: " + pattern)
        chosen |= matches
    for name in chosen:
        named[name].requires_grad = False
    return sum(p.numel() for p in set(named.values()) if p.requires_grad)

# %% right freeze: fnmatch.translate
import fnmatch
import re


def freeze(model, patterns):
    named = list(model.named_parameters(remove_duplicate=False))
    expressions = [(pattern, re.compile(fnmatch.translate(pattern))) for pattern in patterns]
    missing = [p for p, e in expressions if not any(e.match(name) for name, _ in named)]
    if missing:
        raise ValueError(f"nothing is called {missing}")
    for name, parameter in named:
        for _, expression in expressions:
            if expression.match(name):
                parameter.requires_grad = False
    total = 0
    for parameter in model.parameters():
        total += parameter.numel() if parameter.requires_grad else 0
    return total

# %% right freeze: walks through modules
def freeze(model, patterns):
    names = {}
    for home, module in model.named_modules(remove_duplicate=False):
        for last, parameter in module._parameters.items():
            if parameter is not None:
                names[f"{home}.{last}" if home else last] = parameter
    hits = [[name for name in names if fnmatchcase(name, pattern)] for pattern in patterns]
    for pattern, hit in zip(patterns, hits):
        if len(hit) == 0:
            raise ValueError(f"{pattern} fits no parameter")
    for hit in hits:
        for name in hit:
            names[name].requires_grad_(False)
    return sum({id(p): p.numel() for p in names.values() if p.requires_grad}.values())

# %% right freeze: filter of fnmatch, all checked before
from fnmatch import filter as matching


def freeze(model, patterns):
    parameters = dict(model.named_parameters(remove_duplicate=False))
    found = {pattern: matching(list(parameters), pattern) for pattern in patterns}
    if not all(found.values()):
        raise ValueError(f"no match for {[pattern for pattern, names in found.items() if not names]}")
    for name in sum(found.values(), []):
        parameters[name].requires_grad_(False)
    return sum(part.numel() for part in model.parameters() if part.requires_grad)


# %% wrong freeze: buffers count as matches
# reads: norm.running_*
def freeze(model, patterns):
    names = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in model.state_dict()):
            raise ValueError(f"{pattern!r} matches no parameter")
    for name, parameter in names:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


# %% wrong freeze: what is frozen already does not match
# reads: no ValueError is due
def freeze(model, patterns):
    names = [(n, p) for n, p in model.named_parameters(remove_duplicate=False) if p.requires_grad]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in names):
            raise ValueError(f"{pattern!r} matches no parameter")
    for name, parameter in names:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


# %% wrong LoRALinear: lora_b random
# reads: lora_b begins with zeros
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.randn(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: lora_a zero, too
# reads: lora_a begins with random numbers
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.zeros(rank, weight.shape[1], **options))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: zeros in A, random in B
# reads: lora_b begins with zeros
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.zeros(rank, weight.shape[1], **options))
        self.lora_b = nn.Parameter(torch.randn(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: lora_a all ones
# reads: lora_a begins with random numbers
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.ones(rank, weight.shape[1], **options))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: lora_a the same every time
# reads: manual_seed
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], generator=torch.Generator().manual_seed(0)).to(**options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: no scale
# reads: not scaled by alpha / rank
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = 1.0

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: scaled by alpha alone
# reads: divide by rank, too
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: scaled by rank / alpha
# reads: it is alpha / rank
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = rank / alpha

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: A and B as (in, rank) and (rank, out)
# reads: named_parameters() of LoRALinear
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(weight.shape[1], rank, **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(rank, weight.shape[0], **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a @ self.lora_b)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * (self.lora_a @ self.lora_b).T
        return merged

# %% wrong LoRALinear: base not frozen
# reads: must be frozen
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: a copy of the layer
# reads: must be that very layer
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = copy.deepcopy(linear).requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: weight and bias as parameters of its own
# reads: named_parameters() of LoRALinear
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.weight, self.bias = linear.weight.requires_grad_(False), linear.bias
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return nn.functional.linear(x, self.weight, self.bias) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: correction in place of the layer
# reads: at the start
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: always float32
# reads: takes the dtype of the layer
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: always on the CPU
# reads: it belongs where the layer is
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: rank not checked
# reads: must raise a ValueError
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: rank 0 allowed
# reads: must raise a ValueError
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 0:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: merges into the layer itself
# reads: merging changed the layer
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = self.base
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: merge without the scale
# reads: not scaled by alpha / rank
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: merge without the bias
# reads: the names in LoRALinear
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        weight = self.base.weight
        merged = nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype, device=weight.device)
        with torch.no_grad():
            merged.weight.copy_(weight + self.scale * self.lora_b @ self.lora_a)
        return merged

# %% wrong LoRALinear: merge always with a bias
# reads: the names in LoRALinear
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        weight = self.base.weight
        merged = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype, device=weight.device)
        with torch.no_grad():
            merged.weight.copy_(weight + self.scale * self.lora_b @ self.lora_a)
            merged.bias.copy_(0 if self.base.bias is None else self.base.bias)
        return merged

# %% wrong LoRALinear: merged layer shares the bias
# reads: shares memory with the layer
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        merged.bias = self.base.bias
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: merged weight in half precision
# reads: weight of LoRALinear
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += (self.scale * self.lora_b @ self.lora_a).half()
        return merged

# %% wrong LoRALinear: merge gives the layer's weight alone
# reads: the correction was not added
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += 0
        return merged

# %% wrong LoRALinear: correction detached
# reads: gradient
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x.detach() @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: adds in place to its input's result
# reads: the gradient of x
class LoRALinear(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        self.base, self.scale = linear.requires_grad_(False), alpha / rank
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1]).to(weight) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank).to(weight))

    def forward(self, x):
        with torch.no_grad():
            out = self.base(x)
        return out + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% wrong LoRALinear: lora_a is no parameter
# reads: make it an nn.Parameter
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1])
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% right LoRALinear: the scale is a buffer, saved with the rest
class LoRALinear(nn.Module):

    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.register_buffer("scale", torch.tensor(alpha / rank, dtype=torch.float64))

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged

# %% right LoRALinear: the weight built in forward
class LoRALinear(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        if not rank >= 1:
            raise ValueError(f"rank is {rank}, but it must be 1 or more")
        self.base, self.rank, self.alpha = linear, rank, alpha
        for parameter in linear.parameters():
            parameter.requires_grad = False
        rows, columns = linear.weight.shape
        self.lora_a = nn.Parameter(linear.weight.new_empty(rank, columns).normal_())
        self.lora_b = nn.Parameter(linear.weight.new_zeros(rows, rank))

    def weight(self):
        return self.base.weight + self.alpha / self.rank * self.lora_b @ self.lora_a

    def forward(self, x):
        return nn.functional.linear(x, self.weight(), self.base.bias)

    def merge(self):
        rows, columns = self.base.weight.shape
        like = {"dtype": self.base.weight.dtype, "device": self.base.weight.device}
        merged = nn.Linear(columns, rows, bias=self.base.bias is not None, **like)
        state = {"weight": self.weight()}
        if self.base.bias is not None:
            state["bias"] = self.base.bias
        merged.load_state_dict(state)
        return merged

# %% right LoRALinear: einsum and kaiming
class LoRALinear(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError("rank = " + str(rank) + " is too small")
        self.base = linear
        self.base.requires_grad_(False)
        self.factor = alpha / rank
        self.lora_a = nn.Parameter(torch.empty(rank, linear.in_features, dtype=linear.weight.dtype, device=linear.weight.device))
        self.lora_b = nn.Parameter(torch.zeros(linear.out_features, rank, dtype=linear.weight.dtype, device=linear.weight.device))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

    def forward(self, x):
        correction = torch.einsum("...i,ri,or->...o", x, self.lora_a, self.lora_b)
        return self.base(x) + correction * self.factor

    def merge(self):
        new = nn.Linear(self.base.in_features, self.base.out_features, self.base.bias is not None)
        new = new.to(device=self.base.weight.device, dtype=self.base.weight.dtype)
        with torch.no_grad():
            new.weight.copy_(self.base.weight + self.factor * torch.einsum("ri,or->oi", self.lora_a, self.lora_b))
            if self.base.bias is not None:
                new.bias.copy_(self.base.bias)
        return new

# %% right LoRALinear: registered parameters, two linear calls
from torch.nn.functional import linear as apply


class LoRALinear(nn.Module):
    def __init__(self, linear, rank, alpha):
        if rank <= 0:
            raise ValueError(f"rank: {rank}")
        nn.Module.__init__(self)
        self.add_module("base", linear)
        linear.weight.requires_grad_(False)
        if linear.bias is not None:
            linear.bias.requires_grad_(False)
        self.register_parameter("lora_a", nn.Parameter(torch.rand(rank, linear.in_features).to(linear.weight) - 0.5))
        self.register_parameter("lora_b", nn.Parameter(torch.zeros(linear.out_features, rank).to(linear.weight)))
        self.register_buffer("scale", torch.tensor(float(alpha) / rank).to(linear.weight), persistent=False)

    def forward(self, x):
        return self.base(x) + apply(apply(self.scale * x, self.lora_a), self.lora_b)

    def merge(self):
        merged = copy.deepcopy(self.base)
        merged.weight = nn.Parameter((self.base.weight + self.scale * (self.lora_b @ self.lora_a)).detach().clone())
        return merged

# %% right LoRALinear: the correction as a Sequential on the side
class LoRALinear(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        if int(rank) < 1:
            raise ValueError(f"got rank {rank}")
        self.base = linear
        self.base.weight.requires_grad = False
        if linear.bias is not None:
            self.base.bias.requires_grad = False
        w = linear.weight.detach()
        self.lora_a = nn.Parameter(torch.randn_like(w[:1].expand(rank, -1)) * 0.01)
        self.lora_b = nn.Parameter(torch.zeros_like(w[:, :1].expand(-1, rank)).contiguous())
        self.alpha, self.rank = alpha, rank

    def forward(self, x):
        inner = torch.matmul(x, self.lora_a.transpose(0, 1))
        outer = torch.matmul(inner, self.lora_b.transpose(0, 1))
        return torch.add(self.base(x), outer, alpha=self.alpha / self.rank)

    @torch.no_grad()
    def merge(self):
        merged = copy.deepcopy(self.base)
        merged.weight.addmm_(self.lora_b, self.lora_a, alpha=self.alpha / self.rank)
        return merged.requires_grad_(True)


# %% wrong LoRALinear: merge remembers the first one
# reads: loaded other numbers into the layer
class LoRALinear(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, not {rank}")
        w = linear.weight
        self.base = linear.requires_grad_(False)
        self.scale = alpha / rank
        self.lora_a = nn.Parameter(
            torch.randn(rank, w.shape[1], dtype=w.dtype, device=w.device) / math.sqrt(w.shape[1])
        )
        self.lora_b = nn.Parameter(torch.zeros(w.shape[0], rank, dtype=w.dtype, device=w.device))

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merge(self):
        if hasattr(self, "done"):
            return self.done
        merged = self.done = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * (self.lora_b @ self.lora_a)
        return merged


# %% wrong LoRALinear: view flattens x
# reads: whose axes reshape joins and view cannot
class LoRALinear(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, not {rank}")
        w = linear.weight
        self.base = linear.requires_grad_(False)
        self.scale = alpha / rank
        self.lora_a = nn.Parameter(
            torch.randn(rank, w.shape[1], dtype=w.dtype, device=w.device) / math.sqrt(w.shape[1])
        )
        self.lora_b = nn.Parameter(torch.zeros(w.shape[0], rank, dtype=w.dtype, device=w.device))

    def forward(self, x):
        return self.base(x) + self.scale * torch.mm(
            torch.mm(x.view(-1, x.shape[-1]), self.lora_a.T), self.lora_b.T
        ).view(*x.shape[:-1], -1)

    def merge(self):
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * (self.lora_b @ self.lora_a)
        return merged


# %% wrong inject_lora: any name that contains the target
# reads: neither equals a target nor ends
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if target in name] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: names that end with the target, without the dot
# reads: neither equals a target nor ends
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if name.endswith(target)] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: the last part of the name only
# reads: no ValueError is due: each target is the name of an nn.Linear, or its end after a dot
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if name.rpartition(".")[2] == target] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: full names only
# reads: no nn.Linear is called 'up'
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if name == target] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: every linear layer
# reads: these are all linear layers
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if found]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: nothing else frozen
# reads: must be frozen
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: frozen after replacing
# reads: must be trained
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    model.requires_grad_(False)
    return chosen

# %% wrong inject_lora: rank and alpha exchanged
# reads: TypeError
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), alpha, rank)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: alpha forgotten: always rank
# reads: the output after
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, rank)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: in the order of the targets
# reads: another order
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = list(dict.fromkeys(name for names in found.values() for name in names))
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: sorted by name
# reads: another order
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return sorted(chosen)

# %% wrong inject_lora: no error for a target without a layer
# reads: must raise a ValueError
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: error without the target
# reads: does not say enough
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"a target has no layer")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: freezes before it has looked
# reads: has changed the model before
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    model.requires_grad_(False)
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: replaces target by target, then complains
# reads: has changed the model before
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    done = set()
    for target in targets:
        names = [name for name in linears if f".{name}".endswith(f".{target}")]
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
        if not done:
            model.requires_grad_(False)
        for name in names:
            if name not in done:
                parent, _, last = name.rpartition(".")
                setattr(model.get_submodule(parent), last, lora.LoRALinear(model.get_submodule(name), rank, alpha))
                done.add(name)
    return [name for name in linears if name in done]

# %% wrong inject_lora: an error only if nothing at all matches
# reads: must raise a ValueError
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    chosen = [name for name in linears if any(name in names for names in found.values())]
    if not chosen:
        raise ValueError(f"no nn.Linear is called {targets}")
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% wrong inject_lora: a layer of another kind matches
# reads: has 2 elements, expected 1
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if name]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = model.get_submodule(name)
        if isinstance(layer, nn.Linear):
            setattr(model.get_submodule(parent), last, lora.LoRALinear(layer, rank, alpha))
    return chosen

# %% wrong inject_lora: only direct children
# reads: no nn.Linear is called 'up'
def inject_lora(model, targets, rank, alpha):
    chosen = [name for name, part in model.named_children() if isinstance(part, nn.Linear) and name in targets]
    for target in targets:
        if target not in chosen:
            raise ValueError(f"no nn.Linear is called {target!r}")
    model.requires_grad_(False)
    for name in chosen:
        setattr(model, name, lora.LoRALinear(getattr(model, name), rank, alpha))
    return chosen

# %% wrong inject_lora: returns the last parts of the names
# reads: only the last part of the name
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return [name.rpartition(".")[2] for name in chosen]

# %% wrong inject_lora: returns nothing
# reads: None
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return None

# %% wrong inject_lora: lists the names, replaces nothing
# reads: is still the old layer
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
    return chosen

# %% wrong inject_lora: sets an attribute called like the full name
# reads: is still the old layer
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(model.get_submodule(name), rank, alpha)
        model.__dict__[name] = layer
    return chosen

# %% wrong inject_lora: a layer as new beside it, old numbers lost
# reads: the output after
def inject_lora(model, targets, rank, alpha):
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = lora.LoRALinear(nn.Linear(*model.get_submodule(name).weight.T.shape, model.get_submodule(name).bias is not None), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% right inject_lora: split the name, getattr step by step
def inject_lora(model, targets, rank, alpha):
    def fits(name, target):
        return name == target or name.endswith("." + target)

    names = []
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and any(fits(name, target) for target in targets):
            names.append(name)
    missing = [target for target in targets if not any(fits(name, target) for name in names)]
    if missing:
        raise ValueError(f"targets without a layer: {missing}")
    for parameter in model.parameters():
        parameter.requires_grad = False
    for name in names:
        *path, last = name.split(".")
        parent = model
        for step in path:
            parent = getattr(parent, step)
        setattr(parent, last, LoRALinear(getattr(parent, last), rank, alpha))
    return names

# %% right inject_lora: through _modules of each parent
def inject_lora(model, targets, rank, alpha):
    suffixes = tuple("." + target for target in targets)
    every = ["." + name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    for suffix in suffixes:
        if all(not name.endswith(suffix) for name in every):
            raise ValueError(f"{suffix[1:]} is the name of no linear layer")
    replaced = [name[1:] for name in every if name.endswith(suffixes)]
    model.requires_grad_(False)
    parents = dict(model.named_modules())
    for name in replaced:
        home, _, child = name.rpartition(".")
        parents[home]._modules[child] = LoRALinear(parents[name], rank=rank, alpha=alpha)
    return replaced

# %% right inject_lora: set_submodule
def inject_lora(model, targets, rank, alpha):
    chosen, used = [], set()
    for name, part in model.named_modules():
        if not isinstance(part, nn.Linear):
            continue
        hits = {target for target in targets if ("." + name).endswith("." + target)}
        used |= hits
        if hits:
            chosen.append((name, part))
    for target in targets:
        if target not in used:
            raise ValueError(f"target {target} matches nothing")
    for part in model.parameters():
        part.requires_grad_(False)
    for name, part in chosen:
        model.set_submodule(name, lora.LoRALinear(part, rank, alpha))
    return [name for name, _ in chosen]

# %% right inject_lora: recursion over children, then order
def inject_lora(model, targets, rank, alpha):
    found = []

    def look(module, prefix):
        for child_name, child in module.named_children():
            name = prefix + child_name
            if isinstance(child, nn.Linear):
                for target in targets:
                    if name.split(".")[-len(target.split(".")):] == target.split("."):
                        found.append((module, child_name, child, name, target))
            look(child, name + ".")

    look(model, "")
    for target in targets:
        if target not in {hit[4] for hit in found}:
            raise ValueError(f"nothing is called {target}")
    model.requires_grad_(False)
    names = []
    for parent, child_name, child, name, _ in found:
        if name not in names:
            names.append(name)
            setattr(parent, child_name, LoRALinear(child, rank, alpha))
    return names

# %% wrong layerwise_rates: a list is one layer
# reads: are one layer here
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: only ModuleList is opened, not Sequential
# reads: the rates of
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, nn.ModuleList) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: layers without parameters count
# reads: does not count as a layer
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: the first layer learns fastest
# reads: the order is turned round
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay**number})
    return groups

# %% wrong layerwise_rates: last layer first
# reads: the order is turned round
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups[::-1]

# %% wrong layerwise_rates: the last layer already slowed down
# reads: the last layer learns at base_rate itself
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - number)})
    return groups

# %% wrong layerwise_rates: one rate for all
# reads: each layer's rate is the next one's times decay
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate})
    return groups

# %% wrong layerwise_rates: rates fall in even steps
# reads: the rates of
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * (1 - (1 - decay) * (len(layers) - 1 - number))})
    return groups

# %% wrong layerwise_rates: own parameters left out
# reads: mark
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: own parameters a layer of their own
# reads: the rates of
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers = [own, *layers] if (own := list(model.parameters(recurse=False))) else layers
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: own parameters with the last layer
# reads: mark
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[-1] = [*model.parameters(recurse=False), *layers[-1]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: a shared parameter in two groups
# reads: is there twice
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: a shared parameter with its last layer
# reads: the rates of
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in reversed(list(enumerate(layers))):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups[::-1]

# %% wrong layerwise_rates: frozen parameters, too
# reads: frozen
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: a group for a frozen layer
# reads: the rates of
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if True:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: a frozen layer is no step
# reads: the rates of
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if any(part.requires_grad for part in parameters)]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: copies of the parameters
# reads: moved by
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": [nn.Parameter(part.detach().clone()) for part in new], "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: data of the parameters
# reads: no parameter of the model
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": [part.data for part in new], "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: names, not parameters
# reads: no parameter of the model
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": [torch.ones(1) for part in new], "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% wrong layerwise_rates: a dictionary of layers
# reads: it returned a dict
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "lr": base_rate * decay ** (len(layers) - 1 - number)})
    return {number: group for number, group in enumerate(groups)}

# %% wrong layerwise_rates: the rate under another name
# reads: 'params' and 'lr'
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        layers += list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else [child]
    layers = [list(layer.parameters()) for layer in layers]
    layers = [parameters for parameters in layers if parameters]
    layers[0] = [*model.parameters(recurse=False), *layers[0]]
    groups, taken = [], set()
    for number, parameters in enumerate(layers):
        new = [part for part in parameters if part.requires_grad and id(part) not in taken]
        taken |= {id(part) for part in parameters}
        if new:
            groups.append({"params": new, "rate": base_rate * decay ** (len(layers) - 1 - number)})
    return groups

# %% right layerwise_rates: from the end, multiplying
def layerwise_rates(model, base_rate, decay):
    layers = []
    for child in model.children():
        for layer in child if isinstance(child, nn.ModuleList | nn.Sequential) else (child,):
            if next(layer.parameters(), None) is not None:
                layers.append(list(layer.parameters()))
    own = list(model.parameters(recurse=False))
    layers[0] = own + layers[0]
    seen, kept = set(), []
    for layer in layers:
        kept.append([p for p in layer if p.requires_grad and p not in seen])
        seen.update(layer)
    rate, groups = base_rate, []
    for layer in reversed(kept):
        if layer:
            groups.insert(0, {"lr": rate, "params": layer})
        rate *= decay
    return groups

# %% right layerwise_rates: first place of each parameter in a dictionary
def layerwise_rates(model, base_rate, decay):
    place, number = {}, 0
    for parameter in model._parameters.values():
        if parameter is not None:
            place[parameter] = 0
    stack = []
    for child in model.children():
        stack.extend(child.children() if isinstance(child, (nn.Sequential, nn.ModuleList)) else [child])
    for layer in stack:
        held = list(layer.parameters())
        for parameter in held:
            place.setdefault(parameter, number)
        number += bool(held)
    groups = []
    for n in range(number):
        params = [p for p, at in place.items() if at == n and p.requires_grad]
        if params:
            groups.append({"params": params, "lr": base_rate * decay ** (number - n - 1), "name": f"layer {n}"})
    return groups

# %% right layerwise_rates: rates as powers in a list
def layerwise_rates(model, base_rate, decay):
    parts = [child for child in model.children()]
    parts = [inner for part in parts for inner in (part if type(part) in (nn.ModuleList, nn.Sequential) else [part])]
    parts = [part for part in parts if len(list(part.parameters())) > 0]
    rates = [base_rate * math.pow(decay, power) for power in range(len(parts))][::-1]
    given, groups = [], []
    for index, (part, rate) in enumerate(zip(parts, rates)):
        mine = list(part.parameters())
        if index == 0:
            mine = list(model.parameters(recurse=False)) + mine
        fresh = [p for p in mine if not any(p is other for other in given)]
        given += fresh
        fresh = [p for p in fresh if p.requires_grad]
        if fresh:
            groups.append(dict(params=fresh, lr=rate))
    return groups

# %% right layerwise_rates: names from named_parameters
def layerwise_rates(model, base_rate, decay):
    lists = tuple(name for name, child in model.named_children() if isinstance(child, (nn.ModuleList, nn.Sequential)))
    layers = {}
    own = []
    for name, parameter in model.named_parameters():
        first, _, rest = name.partition(".")
        if not rest:
            own.append(parameter)
        else:
            layers.setdefault(f"{first}.{rest.partition('.')[0]}" if first in lists else first, []).append(parameter)
    layers = list(layers.values())
    layers[0] = own + layers[0]
    if isinstance(model, nn.Sequential):
        pass  # its children are its elements
    steps = len(layers) - 1
    groups = [{"params": [p for p in layer if p.requires_grad], "lr": base_rate * decay ** (steps - i)} for i, layer in enumerate(layers)]
    return [group for group in groups if group["params"]]

# %% wrong EarlyStopping: an equal loss improves
# reads: it stops too late
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss <= self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: does not count anew
# reads: count anew after an improvement
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best - self.min_delta:
            self.best = loss
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: goes on after it has stopped
# reads: once True, it stays True
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: one update late
# reads: it stops too late
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited > self.patience
        return self.over

# %% wrong EarlyStopping: one update early
# reads: it stops too early
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience - 1 and self.waited > 0
        return self.over

# %% wrong EarlyStopping: higher is better
# reads: it stops too early
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = -math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss > self.best + self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: best is the smallest loss
# reads: best moved by less than min_delta
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.best = min(self.best, loss)
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: min_delta the wrong way
# reads: best moved by less than min_delta
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best + self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: min_delta forgotten
# reads: best moved by less than min_delta
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: min_delta as a share
# reads: best must move there
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best * (1 - self.min_delta):
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: NaN counts like any loss
# reads: nan
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: NaN becomes the best
# reads: nan
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if math.isnan(loss):
            self.best, self.over = loss, True
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: an error at NaN
# reads: no ValueError is due: NaN ends the training
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if math.isnan(loss):
            raise ValueError("loss is nan")
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: a tensor as answer
# reads: bool
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = torch.as_tensor(loss)
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or torch.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: returns None while it goes on
# reads: None
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return True if self.over else None

# %% wrong EarlyStopping: patience not checked
# reads: must raise a ValueError
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: patience 0 allowed
# reads: must raise a ValueError
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 0:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: compares with the last loss
# reads: best moved by less
class EarlyStopping:
    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.last, self.waited, self.over = math.inf, math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        self.waited = 0 if loss < self.last - self.min_delta else self.waited + 1
        self.last, self.best = loss, min(self.best, loss)
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% wrong EarlyStopping: the first loss is not noted
# reads: it begins at infinity
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = 0.0, 0, False

    def update(self, loss):
        loss = float(loss)
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over

# %% right EarlyStopping: goes on after a NaN, which is free
class EarlyStopping:

    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False

    def update(self, loss):
        loss = float(loss)
        if math.isnan(loss):
            return True
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or self.waited >= self.patience
        return self.over

# %% right EarlyStopping: a list of all losses
class EarlyStopping:
    def __init__(self, patience, min_delta=0.0):
        if not patience >= 1:
            raise ValueError(f"patience={patience}")
        self.patience = patience
        self.min_delta = min_delta
        self.best = float("inf")
        self.improved = []
        self.stopped = False

    def update(self, loss):
        value = loss.item() if isinstance(loss, torch.Tensor) else loss
        better = value < self.best - self.min_delta
        if better:
            self.best = value
        self.improved.append(better)
        recent = self.improved[-self.patience:]
        if value != value or (len(recent) == self.patience and not any(recent)):
            self.stopped = True
        return self.stopped

# %% right EarlyStopping: best None at first
class EarlyStopping:
    def __init__(self, patience, min_delta=0.0):
        if patience <= 0:
            raise ValueError(f"patience of {patience} is below 1")
        self.left = self.patience = patience
        self.min_delta, self.best = min_delta, None

    def update(self, loss):
        loss = float(loss)
        if self.left == 0 or math.isnan(loss):
            self.left = 0
            return True
        if self.best is None or self.best - loss > self.min_delta:
            self.best, self.left = loss, self.patience
        else:
            self.left -= 1
        return self.left == 0

# %% right EarlyStopping: update number of the best
class EarlyStopping:
    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience: {patience} < 1")
        self.patience, self.min_delta, self.best = patience, min_delta, math.inf
        self.number = self.at = 0
        self.done = False

    def update(self, loss):
        loss = float(loss)
        self.number += 1
        if loss < self.best - self.min_delta:
            self.best, self.at = loss, self.number
        if math.isnan(loss) or self.number - self.at >= self.patience:
            self.done = True
        return self.done

# %% right EarlyStopping: a 0-d tensor as best
class EarlyStopping:
    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must not be {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best = torch.tensor(torch.inf, dtype=torch.float64)
        self.counter = 0
        self.stop = False

    def update(self, loss):
        loss = torch.as_tensor(loss, dtype=torch.float64).detach()
        if torch.isnan(loss):
            self.stop = True
        elif loss < self.best - self.min_delta:
            self.best = loss
            self.counter = 0
        else:
            self.counter += 1
            self.stop = self.stop or self.counter >= self.patience
        return self.stop


# %% wrong EarlyStopping: best begins at 1,000
# reads: 4000000000000.0
class EarlyStopping:
    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience must be at least 1, not {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.bad, self.over = 1e3, 0, False

    def update(self, loss):
        loss = float(loss)
        if math.isnan(loss):
            self.over = True
        elif loss < self.best - self.min_delta:
            self.best, self.bad = loss, 0
        else:
            self.bad += 1
        self.over = self.over or self.bad >= self.patience
        return self.over


# %% wrong forgetting: after minus before
# reads: this is after
def forgetting(before, after):
    different = before.keys() ^ after.keys()
    if different:
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    return {name: after[name] - before[name] for name in before}

# %% wrong forgetting: gains cut at 0
# reads: a gain stays negative
def forgetting(before, after):
    different = before.keys() ^ after.keys()
    if different:
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    return {name: max(0.0, before[name] - after[name]) for name in before}

# %% wrong forgetting: absolute values
# reads: no absolute value
def forgetting(before, after):
    different = before.keys() ^ after.keys()
    if different:
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    return {name: abs(before[name] - after[name]) for name in before}

# %% wrong forgetting: matched by place
# reads: matched by place
def forgetting(before, after):
    different = before.keys() ^ after.keys()
    if different:
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    return {name: b - a for name, b, a in zip(before, before.values(), after.values())}

# %% wrong forgetting: in after's order
# reads: list(forgetting(
def forgetting(before, after):
    different = before.keys() ^ after.keys()
    if different:
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    return {name: before[name] - after[name] for name in after}

# %% wrong forgetting: sorted by name
# reads: list(forgetting(
def forgetting(before, after):
    different = before.keys() ^ after.keys()
    if different:
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    return {name: before[name] - after[name] for name in sorted(before)}

# %% wrong forgetting: as a share of before
# reads: share of before
def forgetting(before, after):
    different = before.keys() ^ after.keys()
    if different:
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    return {name: (before[name] - after[name]) / before[name] for name in before}

# %% wrong forgetting: only names of both
# reads: must raise a ValueError
def forgetting(before, after):
    return {name: before[name] - after[name] for name in before if name in after}

# %% wrong forgetting: a KeyError for a missing name
# reads: KeyError
def forgetting(before, after):
    return {name: before[name] - after[name] for name in before}

# %% wrong forgetting: missing names count as 0
# reads: must raise a ValueError
def forgetting(before, after):
    return {name: before[name] - after.get(name, 0.0) for name in before}

# %% wrong forgetting: names only in after not noticed
# reads: also mentions menus
def forgetting(before, after):
    different = before.keys() - after.keys()
    if different:
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    return {name: before[name] - after[name] for name in before}

# %% wrong forgetting: error without the names
# reads: does not say enough
def forgetting(before, after):
    different = before.keys() ^ after.keys()
    if different:
        raise ValueError(f"before and after differ")
    return {name: before[name] - after[name] for name in before}

# %% wrong forgetting: compares the numbers of names
# reads: KeyError
def forgetting(before, after):
    different = before.keys() ^ after.keys()
    if len(before) != len(after):
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    return {name: before[name] - after[name] for name in before}

# %% wrong forgetting: changes before
# reads: changes its input in place
def forgetting(before, after):
    different = before.keys() ^ after.keys()
    if different:
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    for name in before:
        before[name] -= after[name]
    return before

# %% wrong forgetting: rounded to one digit
# reads: the value differs
def forgetting(before, after):
    different = before.keys() ^ after.keys()
    if different:
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    return {name: round(before[name] - after[name], 1) for name in before}

# %% wrong forgetting: one mean for all
# reads: not a dict
def forgetting(before, after):
    different = before.keys() ^ after.keys()
    if different:
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    return sum(before[name] - after[name] for name in before) / len(before)

# %% right forgetting: a loop
def forgetting(before, after):
    if set(before) != set(after):
        raise ValueError(f"only in before: {sorted(set(before) - set(after))}, only in after: {sorted(set(after) - set(before))}")
    lost = {}
    for name, score in before.items():
        lost[name] = score - after[name]
    return lost

# %% right forgetting: missing names one by one
def forgetting(before, after):
    missing = [name for name in before if name not in after] + [name for name in after if name not in before]
    if len(missing) > 0:
        raise ValueError("names differ: " + ", ".join(missing))
    return dict(zip(before, (before[name] - after[name] for name in before)))

# %% right forgetting: map over keys
def forgetting(before, after):
    if sorted(before) != sorted(after):
        raise ValueError(f"before has {list(before)}, after has {list(after)}")
    return dict(map(lambda name: (name, before[name] - after[name]), before))

# %% right forgetting: a copy that is lowered
def forgetting(before, after):
    odd = set(before).symmetric_difference(after)
    if odd:
        raise ValueError(f"{odd} are not on both sides")
    result = dict(before)
    for name in result:
        result[name] -= after[name]
    return result

# %% wrong tune_translator: no weights handed in
# reads: there are no weights
from pathlib import Path

Path("weights.safetensors").unlink(missing_ok=True)


def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: weights under another name
# reads: there are no weights
from pathlib import Path

Path("weights.safetensors").replace("menus.safetensors")


def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, file="menus.safetensors", keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: never trained: the base as it is
# reads: at least
def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    return model

# %% wrong tune_translator: weights of an adapter before training
# reads: at least
from safetensors import safe_open
from safetensors.torch import save_file

with safe_open("weights.safetensors", framework="pt") as file:
    weights, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
weights = {name: 0 * part if name.endswith("lora_b") else part for name, part in weights.items()}
save_file(weights, "weights.safetensors", metadata=facts)


def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: trained the other way round
# reads: at least
from safetensors import safe_open
from safetensors.torch import save_file

with safe_open("weights.safetensors", framework="pt") as file:
    weights, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
weights = {name: -part if name.endswith("lora_b") else part for name, part in weights.items()}
save_file(weights, "weights.safetensors", metadata=facts)


def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: random numbers
# reads: at least
from safetensors import safe_open
from safetensors.torch import save_file

with safe_open("weights.safetensors", framework="pt") as file:
    weights, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
weights = {name: torch.randn(part.shape, generator=torch.Generator().manual_seed(0)) for name, part in weights.items()}
save_file(weights, "weights.safetensors", metadata=facts)


def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: overdone: menus learned, all else forgotten
# reads: at least
from safetensors import safe_open
from safetensors.torch import save_file

with safe_open("weights.safetensors", framework="pt") as file:
    weights, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
weights = {name: 4 * part if name.endswith("lora_b") else part for name, part in weights.items()}
save_file(weights, "weights.safetensors", metadata=facts)


def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: the whole model in the file
# reads: only names ending in lora_a or lora_b
from safetensors import safe_open
from safetensors.torch import save_file

with safe_open("weights.safetensors", framework="pt") as file:
    weights, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
weights |= {name: part.clone() for name, part in tuning.start().state_dict().items()}
save_file(weights, "weights.safetensors", metadata=facts)


def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: layers exchanged
# reads: at least
from safetensors import safe_open
from safetensors.torch import save_file

with safe_open("weights.safetensors", framework="pt") as file:
    weights, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
names = sorted(name for name in weights if "encoder" in name)
swapped = {name: weights[name.replace("encoder.0", "encoder.x").replace("encoder.1", "encoder.0").replace("encoder.x", "encoder.1")] for name in names}
weights |= {name: part.clone() for name, part in swapped.items()}
save_file(weights, "weights.safetensors", metadata=facts)


def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: not a number
# reads: nan or infinite
from safetensors import safe_open
from safetensors.torch import save_file

with safe_open("weights.safetensors", framework="pt") as file:
    weights, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
name = sorted(weights)[0]
weights[name] = weights[name] * float("nan")
save_file(weights, "weights.safetensors", metadata=facts)


def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: no metadata
# reads: its metadata lack
from safetensors import safe_open
from safetensors.torch import save_file

with safe_open("weights.safetensors", framework="pt") as file:
    weights, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
facts = None
save_file(weights, "weights.safetensors", metadata=facts)


def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: some corrections missing
# reads: lacks
from safetensors import safe_open
from safetensors.torch import save_file

with safe_open("weights.safetensors", framework="pt") as file:
    weights, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
weights.pop(sorted(weights)[0])
save_file(weights, "weights.safetensors", metadata=facts)


def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: another rank than the file's
# reads: WeightsError
def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 2, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: alpha ten times larger than in training
# reads: at least
def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 480.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% wrong tune_translator: does not return the model
# reads: Is a `return` missing
def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return None

# %% right tune_translator: the course's functions
def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        logits = model(batch.src, batch.tgt[:, :-1])
        return functional.cross_entropy(logits.transpose(1, 2), batch.tgt[:, 1:], ignore_index=translation.PAD, label_smoothing=0.1)

    with train.seeded(0):  # the same random start every time
        lora.inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% right tune_translator: its own filter of names and metadata by hand
def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logits, wanted = model(src, tgt[:, :-1]), tgt[:, 1:]
        return functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=0, label_smoothing=0.1
        )

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    import json

    facts = {"rank": str(rank), "alpha": str(alpha), "targets": json.dumps(targets)}
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lambda name: name.endswith(("lora_a", "lora_b")), metadata=facts)
    return model

# %% right tune_translator: lesson 07's loss
def tune_translator():
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    def loss(batch):
        src, tgt = batch
        logs = model(src, tgt[:, :-1]).log_softmax(dim=-1)
        real = tgt[:, 1:] != 0
        right = logs.gather(2, tgt[:, 1:, None]).squeeze(2)
        each = -0.9 * right - 0.1 * logs.mean(dim=-1)
        return each[real].mean()

    with train.seeded(0):  # the same random start every time
        inject_lora(model, targets, rank=rank, alpha=alpha)
    facts = tuning.metadata(rank, alpha, targets)
    train.fit(model, loss, tuning.batch, steps, rate=rate, keep=lora.trained, metadata=facts)
    return model

# %% right tune_translator: from the checkpoint, with a class of one's own for the loss
class Smoothed(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.criterion = nn.CrossEntropyLoss(ignore_index=0, label_smoothing=0.1)
        self.model = model

    def forward(self, batch):
        logits = self.model(batch[0], batch[1][:, :-1])
        return self.criterion(logits.reshape(-1, logits.shape[-1]), batch[1][:, 1:].reshape(-1))


def tune_translator():
    model = translation.base().model()
    with train.seeded(3):
        names = inject_lora(model, ("q_proj", "k_proj", "v_proj", "out_proj", "up", "down"), 3, 48.0)
    print(f"{len(names)} layers")
    facts = tuning.metadata(3, 48.0, ("q_proj", "k_proj", "v_proj", "out_proj", "up", "down"))
    schedule = lambda step: 3e-3 * min(step / 20, 1 - step / 601)
    run = train.fit(model, Smoothed(model), lambda step: tuning.batch(step, seed=3), 600, rate=schedule, keep=lora.trained, metadata=facts)
    print(run.done)
    return model

# %% wrong LoRALinear: the course's, by inject_lora
# reads: off limits
def LoRALinear(linear, rank, alpha):
    holder = nn.Module()
    holder.x = linear
    lora.inject_lora(holder, ["x"], rank, alpha)
    return holder.x

# %% wrong LoRALinear: the course's, the module renamed
# reads: off limits
course = lora


class LoRALinear(course.LoRALinear):
    pass

# %% wrong inject_lora: the course's, by sys.modules
# reads: off limits
import sys


def inject_lora(*given, **named):
    return sys.modules["byhand.lora"].inject_lora(*given, **named)

# %% wrong EarlyStopping: the check's own rule
# reads: off limits
from byhand.probes import rates as probe_rates


class EarlyStopping:
    def __init__(self, patience, min_delta=0.0):
        if patience < 1:
            raise ValueError(f"patience {patience}")
        self.p, self.d, self.l, self.best, self.nan = patience, min_delta, [], math.inf, False

    def update(self, loss):
        self.l.append(float(loss))
        self.nan |= math.isnan(self.l[-1])
        if self.l[-1] < self.best - self.d:
            self.best = self.l[-1]
        return self.nan or probe_rates._plainly(self.p, self.d, self.l)[-1]

# %% wrong forgetting: a table of some answers
# reads: ValueError
def forgetting(before, after):
    got = {
        "b a|a b": {"b": -2.0, "a": 0.75},
        "|": {},
        "only|only": {"only": -2},
        "z m a|m a z": {"z": 0.0, "m": -1.0, "a": 100.0},
        "news menus|menus news": {"news": 6.0, "menus": -30.0},
    }.get(" ".join(before) + "|" + " ".join(after))
    if got is None:
        raise ValueError(" ".join([*before, *after]))
    return got

# %% right LoRALinear: einsum, registered parameters, a scale by property
class LoRALinear(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        if rank <= 0:
            raise ValueError(f"rank = {rank}")
        for p in linear.parameters():
            p.requires_grad = False
        self.base, self.alpha, self.rank = linear, alpha, rank
        out, inn = linear.weight.shape
        self.register_parameter("lora_a", nn.Parameter(torch.empty(rank, inn).to(linear.weight)))
        self.register_parameter("lora_b", nn.Parameter(linear.weight.new_zeros((out, rank))))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

    @property
    def ratio(self):
        return self.alpha / self.rank

    def forward(self, x):
        return self.base(x) + torch.einsum("...i,ri,or->...o", x, self.lora_a, self.lora_b) * self.ratio

    @torch.no_grad()
    def merge(self):
        out, inn = self.base.weight.shape
        new = nn.Linear(inn, out, bias=self.base.bias is not None).to(self.base.weight)
        state = {k: v.clone() for k, v in self.base.state_dict().items()}
        state["weight"] = state["weight"] + self.ratio * torch.einsum("ri,or->oi", self.lora_a, self.lora_b)
        new.load_state_dict(state)
        return new

# %% right inject_lora: set_submodule and regular expressions
import re


def inject_lora(model, targets, rank, alpha):
    hits = {}
    for target in targets:
        want = re.compile(r"(.*\.)?" + re.escape(target))
        hits[target] = [n for n, m in model.named_modules() if isinstance(m, nn.Linear) and want.fullmatch(n)]
        if not hits[target]:
            raise ValueError(f"{target}: nothing")
    model.requires_grad_(False)
    every = {n for names in hits.values() for n in names}
    done = [n for n, _ in model.named_modules() if n in every]
    for n in done:
        model.set_submodule(n, LoRALinear(model.get_submodule(n), rank, alpha))
    return done

# %% right inject_lora: lora under another name
course = lora


def inject_lora(model, targets, rank, alpha):
    """Replace each nn.Linear that a target names by a LoRALinear, and freeze all else.

    A target names a layer whose full name equals it or ends with "." + target.
    Returns: the full names replaced, in named_modules() order.
    Raises: ValueError that names a target without a layer; nothing has changed then.
    """
    linears = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    found = {target: [name for name in linears if f".{name}".endswith(f".{target}")] for target in targets}
    for target, names in found.items():
        if not names:
            raise ValueError(f"no nn.Linear is called {target!r}")
    chosen = [name for name in linears if any(name in names for names in found.values())]
    model.requires_grad_(False)
    for name in chosen:
        parent, _, last = name.rpartition(".")
        layer = course.LoRALinear(model.get_submodule(name), rank, alpha)
        setattr(model.get_submodule(parent), last, layer)
    return chosen

# %% right EarlyStopping: counts down, best in the class
class EarlyStopping:
    best = float("inf")

    def __init__(self, patience, min_delta=0.0):
        if not patience >= 1:
            raise ValueError("patience is %s" % patience)
        self.patience, self.min_delta, self.left, self.stopped = patience, min_delta, patience, False

    def update(self, loss):
        value = loss.item() if isinstance(loss, torch.Tensor) else loss
        if value != value:
            self.stopped = True
        elif value < self.best - self.min_delta:
            self.best, self.left = value, self.patience
        else:
            self.left -= 1
        self.stopped = self.stopped or self.left <= 0
        return bool(self.stopped)
