# %% [markdown]
# # 08 · Fine-tuning: adapt what you trained
#
# **Goal.** Teach lesson 07's translator the words of a new field, JupyterLab's own menus. You write frozen layers, LoRA, rates by layer, early stopping, and a measure of what is forgotten. At the end it translates **the very menu you are looking at**, after a minute of training on two cores.
#
# **Why.** Almost nobody trains from nothing. One large model is trained once; thousands are made of it, each with a few texts and a small file.
#
# You need the idea of lesson 07, not its weights: the course ships its own. About 135 minutes, training included. The texts are fetched by `byhand data`.

# %%
import copy
import math
import pickle
from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.nn import functional

from byhand import check, data, lora, plot, train, translation
from byhand.probes.rates import step_once
from byhand.probes.tuning import make_model
from byhand.translation import tuning, tuning_draw

read_adapter, greedy = tuning.read_adapter, translation.greedy  # the last check calls them

# %% [markdown]
# ## The idea: most of it is known already
# The shipped translator was trained on 30,616 pairs of texts of a smart home, a cloud and a language course. It knows Chinese grammar, what a button says, what *delete* means. Nobody told it about *kernels* and *cells*.
#
# **Question:** below are ten menus of JupyterLab, and what it makes of them. Which words does it know, which does it guess?
# <details><summary>Answer</summary>Words of any product are right: <em>clear</em>, <em>confirm</em>, <em>save and reload</em>. Of <em>kernel</em>, <em>cell</em> and <em>headings</em> it copies some letters and guesses the rest: Ker and 隧道, a tunnel. <em>Debugger</em> became 已调整, adjusted, which looks right and is not.</details>

# %%
for english, chinese in zip(tuning.MENU, tuning.say(tuning.start()), strict=True):
    print(f"{english:<32} {chinese}")

# %% [markdown]
# Training all its numbers on 2,258 menus would mend that, at a price: a whole new file for each field, and what menus do not say is overwritten. Three ways out: **freeze** most of it, learn **slowly** where it knows best, or learn a small **correction** beside it.
#
# Is small enough? The course trained all numbers once. A matrix's change is a sum of **directions**, each a column times a row; their number is its **rank**. Below: the share that the best few hold. **Question:** at what rank is it half, and for random numbers?
# <details><summary>Answer</summary>At 16 of 160; random numbers need 29. So training prefers some directions, but the best three, as many as your LoRA will have, hold only a seventh of this change.</details>

# %%
caption = f"What to see: {tuning_draw.directions_in_words()}"
ax = tuning_draw.directions(caption=caption)

# %% [markdown]
# ### Before you start
# Checks try your functions on small models, made by `make_model` from a plan: names and layers. Look at one, and at the names of its parameters: those names are what patterns and targets choose from.

# %%
toy = make_model(
    {
        "embedding": ("Embedding", 5, 4),
        "blocks": ("List", [{"up": ("Linear", 4, 6)}, {"up": ("Linear", 4, 6)}]),
    }
)
for name, parameter in toy.named_parameters():
    print(f"{name:<20} {tuple(parameter.shape)}")

# %% [markdown]
# ### Exercise 1 · `freeze` — 2 points, difficulty 2/3, importance 3/3, about 14 minutes
# What is frozen takes part, but gets no gradient. A **shell pattern** chooses parameters by their names, `encoder.0.norm1.weight`: `*` any text (dots too), `?` one character, `[01]` one of these.
# 1. Training stops where a pattern matches the **full name** (`fnmatchcase`). All else stays **as it is**: frozen stays frozen.
# 2. A shared parameter has several names; one match is enough, and it counts once.
# 3. A pattern that matches nothing is misspelt: a `ValueError` that names it, **before anything changes**.
# 4. Return how many **numbers** can still be trained.
#
# **Predict first:** the translator's input table is also its output layer. Freezing `embedding.*` freezes the head, too: right or wrong?
# <details><summary>Answer</summary>Right: it is one parameter.</details>
# <details><summary>Hint 1 · idea</summary>Look for every pattern first; then freeze; then count.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>named_parameters(remove_duplicate=False)</code> gives every name of every parameter; <code>model.parameters()</code> gives each once.</details>
# <details><summary>Hint 3 · nearly there</summary><code>requires_grad_(False)</code> stops one, <code>numel()</code> counts its numbers.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "freeze", "locked": false, "solution": true, "task": false}
def freeze(model, patterns):
    """Stop the training of all parameters whose full name matches a shell pattern (fnmatchcase).

    Returns: how many elements can still be trained; a shared parameter counts once.
    Raises: ValueError that names a pattern without a match; nothing has changed then.
    """
    ### BEGIN SOLUTION
    named = list(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name, _ in named):
            raise ValueError(f"no parameter matches {pattern!r}")
    for name, parameter in named:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_freeze", "locked": true, "points": 2, "solution": false, "task": false}
from byhand.probes import tuning as probe_tuning

with check.exercise("freeze"):
    plan = {"up": ("Linear", 2, 3), "norm": ("LayerNorm", 3), "down": ("Linear", 3, 1)}
    model = make_model(plan)  # up has 6 + 3 numbers, norm 3 + 3, down 3 + 1
    call = probe_tuning.told("freeze", plan, ["up.*", "*.bias"])
    left, want = freeze(model, ["up.*", "*.bias"]), {"norm.weight": True, "down.weight": True}
    want |= {"up.weight": False, "up.bias": False, "norm.bias": False, "down.bias": False}
    probe_tuning.flags(call, probe_tuning.training(model), want, ["up.*", "*.bias"], "")
    wrong = {
        "these are the frozen numbers; return how many can still be trained.": 13,
        "this counts tensors, not the numbers in them.": 2,
        "this counts all numbers, frozen ones too.": 19,
    }
    check.values(call, left, 6, known_wrong=wrong)
    model = make_model(plan)
    call = probe_tuning.told("freeze", plan, ["up.*", "pu.*"])
    check.raises(call, lambda: freeze(model, ["up.*", "pu.*"]), mentions=("pu.*",))
    check.true(call, all(probe_tuning.training(model).values()), probe_tuning.TOO_EARLY)
    tied = {"table": ("Embedding", 4, 3), "up": ("Linear", 3, 3), "head": {"weight": "=table.weight"}}
    call, model = probe_tuning.told("freeze", tied, ["head.*"]), make_model(tied)
    wrong = {"table.weight is the same parameter: its training stops, too.": 24}
    why = "head.weight is table.weight's second name; named_parameters() gives only the first, unless asked."
    left = probe_tuning.welcome(call, lambda: freeze(model, ["head.*"]), why)
    check.values(call, left, 12, known_wrong=wrong)
    ### BEGIN HIDDEN TESTS
    probe_tuning.freezes(freeze, make_model)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2 · `LoRALinear` — 3 points, difficulty 2/3, importance 3/3, about 20 minutes
# A layer of `in × out` numbers is frozen. Beside it learns a correction of low **rank** $r$: two thin matrices, $A$ `(r, in)` and $B$ `(out, r)`:
# $$y = \text{base}(x) + \frac{\alpha}{r}\, x A^\top B^\top$$
# 1. `base` is **that very layer**, frozen. `lora_a` is random, `lora_b` zero, each an `nn.Parameter`: at the start nothing changes.
# 2. Both take dtype and device of the layer. `rank` below 1: a `ValueError` that names `rank` and its value.
# 3. `merge()` gives a **new** `nn.Linear` with the same results and no memory in common; the layer stays as it is.
#
# **Predict first:** if `lora_a` were zero, too, what would learn?
# <details><summary>Answer</summary>Nothing, ever: the gradient of each is multiplied by the other.</details>
# <details><summary>Hint 1 · idea</summary>Never build the <code>(out, in)</code> matrix in <code>forward</code>: first x times Aᵀ, then times Bᵀ.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>(…, in) → (…, r) → (…, out)</code>. In <code>merge</code> the weight is <code>W + α/r · B A</code>.</details>
# <details><summary>Hint 3 · nearly there</summary><code>torch.randn(r, n, dtype=w.dtype, device=w.device)</code>, divided by √in; a layer may have no bias; <code>torch.no_grad()</code> for the copies.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "LoRALinear", "locked": false, "solution": true, "task": false}
class LoRALinear(nn.Module):
    """A frozen linear layer plus a correction of low rank. Source: Hu et al. 2021.

    base: the very layer that was given, frozen. lora_a (rank, in) random, lora_b (out, rank) zeros.
    Raises: ValueError if rank is below 1; the message names it and its value.
    """

    def __init__(self, linear, rank, alpha):
        super().__init__()
        ### BEGIN SOLUTION
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        weight = linear.weight
        options = {"dtype": weight.dtype, "device": weight.device}
        self.base = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(rank, weight.shape[1], **options) / math.sqrt(weight.shape[1]))
        self.lora_b = nn.Parameter(torch.zeros(weight.shape[0], rank, **options))
        self.scale = alpha / rank
        ### END SOLUTION

    def forward(self, x):
        """x (…, in) -> (…, out)"""
        ### BEGIN SOLUTION
        return self.base(x) + self.scale * (x @ self.lora_a.T @ self.lora_b.T)
        ### END SOLUTION

    def merge(self):
        """A new nn.Linear with the same results; it shares no memory with this layer."""
        ### BEGIN SOLUTION
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight += self.scale * self.lora_b @ self.lora_a
        return merged
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_LoRALinear", "locked": true, "points": 3, "solution": false, "task": false}
from byhand.probes import lora as probe_lora, tuning as probe_tuning

with check.exercise("LoRALinear"):
    library = ("LoRALinear", "byhand.lora.", "peft.", "manual_seed")
    check.source("LoRALinear", forbid=library, allow_text="nn.Parameter, @.")
    linear, mine = probe_tuning.pair(make_model, ("Linear", 2, 3))
    call, x = "LoRALinear(make_model(('Linear', 2, 3)), rank=2, alpha=6.0)", torch.tensor([[1.0, 2.0]])
    layer = LoRALinear(linear, 2, 6.0)
    probe_lora.starts(call, layer, mine, 2, x)
    state = {"base.weight": torch.eye(3, 2), "base.bias": torch.tensor([0.0, 10, 0])}
    state |= {"lora_a": torch.tensor([[1.0, 1], [0, 1]]), "lora_b": torch.tensor([[1.0, 0], [1, 1], [0, 2]])}
    layer.load_state_dict(state, strict=False)
    wrong = {
        "the correction is not scaled by alpha / rank.": [[4.0, 17, 4]],
        "the correction is scaled by alpha; divide by rank, too.": [[19.0, 42, 24]],
        "the correction is scaled by rank / alpha; it is alpha / rank.": [[2.0, 13.666667, 1.333333]],
        "the correction was not added.": [[1.0, 12, 0]],
        "the base layer's own result is missing.": [[9.0, 15, 12]],
        "lora_a is transposed.": [[4.0, 24, 18]],
        "the base layer's bias is missing.": [[10.0, 17, 12]],
    }
    given = "base eye(3, 2), bias (0, 10, 0), lora_a ((1, 1), (0, 1)), lora_b ((1, 0), (1, 1), (0, 2))"
    want = torch.tensor([[10.0, 27, 12]])
    check.values(f"layer(torch.tensor([[1.0, 2.0]])), {given}", layer(x), want, known_wrong=wrong)
    probe_lora.merges(call, layer, x, state, 3.0)
    ### BEGIN HIDDEN TESTS
    probe_lora.corrects(LoRALinear, make_model)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 3 · `inject_lora` — 3 points, difficulty 3/3, importance 3/3, about 18 minutes
# Put the new layer into a finished model, whatever it is called.
# 1. A target matches an `nn.Linear` whose full name **equals** it or **ends with** `"." + target`: `q_proj` means every layer's, `encoder.0.attention.q_proj` one.
# 2. Each match becomes a `LoRALinear(layer, rank, alpha)` under its old name. **Everything else is frozen.**
# 3. Return the full names in the order of `named_modules()`.
# 4. A target that matches nothing: `ValueError` that names it, nothing changed.
#
# Use your `LoRALinear`; if it fails, the course's `lora.LoRALinear`.
#
# **Predict first:** rank 4 on one layer of 128 × 128. How many numbers are trained, of how many?
# <details><summary>Answer</summary>4 · (128 + 128) = 1,024, of 16,384 and the bias.</details>
# <details><summary>Hint 1 · idea</summary>First list the names and look for every target, then replace: an error must leave the model as it was.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>"blocks.0.up"</code>: the parent is <code>"blocks.0"</code>, the attribute <code>"up"</code>.</details>
# <details><summary>Hint 3 · nearly there</summary><code>name.rpartition(".")</code>, <code>model.get_submodule(parent)</code>, <code>setattr</code>; it works in lists, too. Freeze before you replace.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "inject_lora", "locked": false, "solution": true, "task": false}
def inject_lora(model, targets, rank, alpha):
    """Replace each nn.Linear that a target names by a LoRALinear, and freeze all else.

    A target names a layer whose full name equals it or ends with "." + target.
    Returns: the full names replaced, in named_modules() order.
    Raises: ValueError that names a target without a layer; nothing has changed then.
    """
    ### BEGIN SOLUTION
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
    return chosen
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_inject_lora", "locked": true, "points": 3, "solution": false, "task": false}
from byhand.probes import lora as probe_lora, tuning as probe_tuning

with check.exercise("inject_lora", needs=("LoRALinear",)):
    forbidden = ("inject_lora", "lora.fits", "peft.", "manual_seed")
    check.source("inject_lora", forbid=forbidden, allow_text="named_modules, get_submodule, setattr.")
    model, mine = probe_tuning.pair(make_model, probe_tuning.STACK)
    call, want = "inject_lora(make_model(probe_tuning.STACK), ['up'], 2, 6.0)", ["blocks.0.up", "blocks.1.up"]
    wrong = {
        "these are all linear layers; a target chooses.": [
            "blocks.0.up",
            "blocks.0.down",
            *want[1:],
            "blocks.1.down",
            "head",
        ],
        "only the last part of the name came back; give the full name.": ["up", "up"],
        "only the first match was replaced.": want[:1],
        "nothing matched: compare the end of the full name, too.": [],
    }
    check.values(call, probe_lora.plain(inject_lora(model, ["up"], 2, 6.0)), want, known_wrong=wrong)
    probe_lora.injected(call, model, mine, want, 2, 3.0)
    model = make_model(probe_tuning.STACK)
    call = "inject_lora(make_model(probe_tuning.STACK), ['up', 'q_proj'], 2, 6.0)"
    check.raises(call, lambda: inject_lora(model, ["up", "q_proj"], 2, 6.0), mentions=("q_proj",))
    ### BEGIN HIDDEN TESTS
    probe_lora.injects(inject_lora, make_model)
    ### END HIDDEN TESTS

# %% [markdown]
# How many numbers is that, in the translator? **Try** other targets: `["q_proj", "v_proj"]` is what the paper began with.

# %%
for rank in (1, 3, 8):
    model = tuning.start()
    lora.inject_lora(model, ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], rank, 16.0 * rank)
    whole = sum(part.numel() for part in model.parameters())  # the corrections count, too
    print(f"rank {rank:>2}: {tuning.share_trained(model):6.2%} of {whole:,} numbers")

# %% [markdown]
# ### Exercise 4 · `layerwise_rates` — 3 points, difficulty 3/3, importance 2/3, about 22 minutes
# Early layers know what all texts share; late ones know the task. So the last layer learns at `base_rate`, each earlier one × `decay`.
# 1. Layers are the **direct children**, in order. A `ModuleList` or `Sequential` stands for its elements; what has no parameters does not count.
# 2. Parameters that the model holds itself, in no child, belong to the first layer.
# 3. Every **trainable** parameter is in one group, a shared one with the first layer that holds it. A wholly frozen layer gives no group, but counts as a step.
#
# Groups are dictionaries `{"params": [...], "lr": ...}`, first layer first.
#
# **Predict first:** 12 layers, decay 0.8. How fast is the first?
# <details><summary>Answer</summary>0.8 to the power of 11: 9 % of base_rate.</details>
# <details><summary>Hint 1 · idea</summary>Two steps: a list of layers, each a list of parameters; then rates, and a set of what is already taken.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Layer i of n learns at <code>base_rate * decay ** (n - 1 - i)</code>, n counted before frozen ones are left out.</details>
# <details><summary>Hint 3 · nearly there</summary><code>model.parameters(recurse=False)</code> are its own. Parameters are compared by <code>id</code>, since <code>==</code> compares numbers.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "layerwise_rates", "locked": false, "solution": true, "task": false}
def layerwise_rates(model, base_rate, decay):
    """Optimizer groups, first layer first: the last layer at base_rate, each before it × decay.

    Returns: a list of {"params": [...], "lr": ...}. Source: Howard, Ruder 2018, section 3.2.
    """
    ### BEGIN SOLUTION
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
    return groups
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_layerwise_rates", "locked": true, "points": 3, "solution": false, "task": false}
from byhand.probes import rates as probe_rates

with check.exercise("layerwise_rates"):
    plan = {"embedding": ("Embedding", 3, 2), "drop": ("Dropout",)}
    plan |= {"blocks": ("List", [("Linear", 2, 2), ("Linear", 2, 2)]), "head": ("Linear", 2, 3)}
    model, names = probe_rates.numbered(make_model, plan, [])
    call = probe_rates.told("layerwise_rates", plan, 0.8, 0.5)
    wrong = {
        "the two blocks are one layer here; a ModuleList stands for its elements.": [0.2, 0.4, 0.8],
        "dropout has no parameters and does not count as a layer.": [0.05, 0.2, 0.4, 0.8],
        "the order is turned round: the first layer has the smallest rate, the last base_rate.": [
            0.8,
            0.4,
            0.2,
            0.1,
        ],
        "the last layer learns at base_rate itself.": [0.05, 0.1, 0.2, 0.4],
        "each layer's rate is the next one's times decay.": [0.8, 0.8, 0.8, 0.8],
    }
    parts = [["embedding.weight"], ["blocks.0.bias", "blocks.0.weight"], ["blocks.1.bias", "blocks.1.weight"]]
    want = list(zip([0.1, 0.2, 0.4, 0.8], [*parts, ["head.bias", "head.weight"]], strict=True))
    probe_rates.grouped(call, layerwise_rates(model, 0.8, 0.5), want, names, wrong)
    ### BEGIN HIDDEN TESTS
    probe_rates.rates(layerwise_rates, make_model, step_once)
    ### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 5 · `EarlyStopping` — 2 points, difficulty 1/3, importance 2/3, about 17 minutes
# A small model on few texts soon learns them by heart: the training loss falls on, the loss on texts it does not train with rises. Stop when that second loss has not improved for `patience` updates.
# 1. An improvement is `loss < best − min_delta`. **Only** that moves `best`.
# 2. `update(loss)` returns True when the last `patience` updates brought none, and from then on.
# 3. A loss of NaN: True at once; `best` stays. What later updates say then is yours to choose.
# 4. Losses are floats or 0-d tensors, the answer is a `bool`. `patience` below 1: a `ValueError` that names it and its value.
#
# **Predict first:** losses 1.0, 0.95, 0.91, `min_delta` 0.1. What is `best`?
# <details><summary>Answer</summary>1.0: neither is better by more than 0.1.</details>
# <details><summary>Hint 1 · idea</summary>Count updates since the last improvement.</details>
# <details><summary>Hint 2 · shape of the answer</summary>Three numbers to remember: the best loss, the count, and whether it is over.</details>
# <details><summary>Hint 3 · nearly there</summary><code>float(loss)</code> serves both kinds. Every comparison with NaN is False, so ask <code>math.isnan</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "EarlyStopping", "locked": false, "solution": true, "task": false}
class EarlyStopping:
    """Says when a loss has stopped improving. best: the lowest loss that counted as an improvement.

    patience: updates without an improvement, at least 1, else a ValueError with its value.
    min_delta: what an improvement must exceed.
    """

    def __init__(self, patience, min_delta=0.0):
        ### BEGIN SOLUTION
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience, self.min_delta = patience, min_delta
        self.best, self.waited, self.over = math.inf, 0, False
        ### END SOLUTION

    def update(self, loss):
        """Note a loss, a float or a 0-d tensor. Returns: True to stop."""
        ### BEGIN SOLUTION
        loss = float(loss)
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        self.over = self.over or math.isnan(loss) or self.waited >= self.patience
        return self.over
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_EarlyStopping", "locked": true, "points": 2, "solution": false, "task": false}
from byhand.probes import rates as probe_rates

with check.exercise("EarlyStopping"):
    check.source("EarlyStopping", forbid=("byhand.",), allow_text="math.")
    stopper, losses = EarlyStopping(2), [3.0, 2.0, 2.5, 1.0, 1.0, 4.0, 0.5]
    wrong = {
        "it stops too late: an equal loss is no improvement, and `patience` updates are enough.": [False] * 7,
        "count anew after an improvement.": [False] * 4 + [True] * 3,
        "once True, it stays True.": [False] * 5 + [True, False],
        "it stops too early: a lower loss improves, and `patience` updates without one are needed.": [False]
        * 2
        + [True] * 5,
        "no loss improves on `best` here; it begins at infinity.": [False] + [True] * 6,
    }
    call = (
        "[stopper.update(loss) for loss in [3.0, 2.0, 2.5, 1.0, 1.0, 4.0, 0.5]], stopper = EarlyStopping(2)"
    )
    check.values(
        call, [stopper.update(loss) for loss in losses], [False] * 5 + [True, True], known_wrong=wrong
    )
    stopper = EarlyStopping(9, min_delta=0.5)
    for loss in (3.0, 2.75, 2.25, 2.0):
        stopper.update(loss)
    wrong = {
        "best moved by less than min_delta; only an improvement moves it.": 2.0,
        "2.25 is lower than 3.0 by more than min_delta; best must move there.": 3.0,
    }
    call = "stopper.best, stopper = EarlyStopping(9, min_delta=0.5), after 3.0, 2.75, 2.25, 2.0"
    check.values(call, stopper.best, 2.25, known_wrong=wrong)
    ### BEGIN HIDDEN TESTS
    probe_rates.stops(EarlyStopping)
    ### END HIDDEN TESTS

# %% [markdown]
# Where would yours have stopped? The curve is a training of all numbers, by the course, twice as long as the others below; the loss is that on 255 menus it did not train with. It does not rise here, it only stops falling. **Questions:** what would a patience of 1 have cost? The printed lines are a run of 600 steps and this one: what did the second 600 steps buy, and at what price?
# <details><summary>Answer</summary>A stop at step 420, at the first tiny rise, though the loss could still fall by a tenth. The second 600 steps bought some points on menus and cost about twice as many on general texts: the loss on menus does not see those.</details>

# %%
steps, losses = tuning_draw.curve()
stopper = EarlyStopping(patience=3, min_delta=0.02)
stop = next((step for step, loss in zip(steps, losses, strict=True) if stopper.update(loss)), steps[-1])
caption = f"What to see: the loss falls fast, then hardly. EarlyStopping(3, 0.02) ends at step {stop}."
ax = plot.lines(
    steps, {"menus not trained with": losses}, xlabel="step", ylabel="loss (nats a piece)", caption=caption
)
line = ax.axvline(stop, color="#c2410c")
for run in tuning.measured()["runs"]:
    if run["way"] == "full" and run["seed"] == 0:
        print(f"after {run['steps']:>5} steps:", run["test"])

# %% [markdown]
# ### Exercise 6 · `forgetting` — 1 point, difficulty 1/3, importance 3/3, about 5 minutes
# What was learned for menus is paid for elsewhere. `before` and `after` hold scores by name, higher is better. **Return** a dictionary: name → before − after, in the order of `before`. What got better stays **negative**: a gain is no forgetting of 0. Different names are a mistake in the measurement: `ValueError` that names them, from either side.
#
# **Predict first:** `forgetting({"menus": 10.0}, {"menus": 40.0})`?
# <details><summary>Answer</summary>{"menus": -30.0}.</details>
# <details><summary>Hint 1 · idea</summary>Compare the two sets of names first.</details>
# <details><summary>Hint 2 · shape of the answer</summary><code>before.keys() ^ after.keys()</code> are the names of one side only.</details>
# <details><summary>Hint 3 · nearly there</summary>One dictionary comprehension over <code>before</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "forgetting", "locked": false, "solution": true, "task": false}
def forgetting(before, after):
    """How much of each score was lost: name -> before − after, in before's order; gains are negative.

    Raises: ValueError with the names that only one of them has.
    """
    ### BEGIN SOLUTION
    different = before.keys() ^ after.keys()
    if different:
        raise ValueError(f"before and after differ in {', '.join(sorted(different))}")
    return {name: before[name] - after[name] for name in before}
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_forgetting", "locked": true, "points": 1, "solution": false, "task": false}
from byhand.probes import rates as probe_rates

with check.exercise("forgetting"):
    before, after = {"news": 30.0, "menus": 10.0}, {"menus": 40.0, "news": 24.0}
    call = "forgetting({'news': 30.0, 'menus': 10.0}, {'menus': 40.0, 'news': 24.0})"
    wrong = {
        "this is after − before; what was lost is positive.": {"news": -6.0, "menus": 30.0},
        "a gain stays negative; do not cut it at 0.": {"news": 6.0, "menus": 0.0},
        "a gain is negative: no absolute value.": {"news": 6.0, "menus": 30.0},
        "scores were matched by place; match them by name.": {"news": -10.0, "menus": -14.0},
        "this is a share of before; return the difference.": {"news": 0.2, "menus": -3.0},
    }
    got = forgetting(before, after)
    check.values(call, got, {"news": 6.0, "menus": -30.0}, known_wrong=wrong)
    check.values(f"list({call})", list(got), ["news", "menus"])
    call = "forgetting({'news': 30.0}, {'menus': 40.0})"
    check.raises(call, lambda: forgetting({"news": 30.0}, {"menus": 40.0}), mentions=("news", "menus"))
    ### BEGIN HIDDEN TESTS
    probe_rates.forgets(forgetting)
    ### END HIDDEN TESTS
# %% [markdown]
# ## Loading what others trained
# Fine-tuning begins with a file from elsewhere. A **pickle** (`.pt`, `.bin` in the old way) is a program: whoever reads it runs it. A **safetensors** file is names, shapes and numbers; nothing in it can run. So this course reads nothing else, and looks at every name and shape before it copies a number.


# %%
class Innocent:
    def __reduce__(self):  # what pickle calls to rebuild it: any function, any arguments
        return print, ("This was printed by READING a pickle. It could have deleted your files.",)


pickle.loads(pickle.dumps(Innocent()))
shapes = {
    "encoder.0.attention.q_proj.lora_a": torch.zeros(2, 100),
    "encoder.0.attention.q_proj.lora_b": torch.zeros(100, 2),
}
try:
    tuning.adapted(shapes, tuning.metadata(rank=2, alpha=4.0, targets=["encoder.0.attention.q_proj"]))
except translation.WeightsError as error:
    print(f"\nAn adapter for another model: {error}")
print("\nWhat exercise 7 asks, on 100 menus and 100 other texts that no training saw: the mean of")
print("eight runs of its recipe less two standard deviations. Beside it, what the base reaches:")
for mark, bar in tuning.bars().items():
    print(f"  {mark:<13} at least {bar:4.1f}   base {tuning.measured()['base']['test'][mark]:4.1f}")

# %% [markdown]
# **Question:** a row of 160 numbers, copied into a matrix (3, 160), fills all its rows without a word. What would a translator say then, and who would notice?
# <details><summary>Answer</summary>Chinese, without any error. We did it to every <code>lora_a</code> of the course's adapter: menus came out worse than from the base. Done to a single one, it still reached the bars printed above, with each of the nine we tried. Only who compares shapes before copying notices both.</details>
#
# ### Exercise 7 · `tune_translator` — 4 points, difficulty 2/3, importance 3/3, about 21 minutes
# **Teach it JupyterLab's words**: 2,258 menus, about a minute. Handed in, it must reach the bars printed above; the check below takes 30 texts of each kind, and bars of its own.
# 1. Much is given. Inject inside `train.seeded(0)` (a `with`), for the same start each time. Functions that fail: take them from `lora`.
# 2. `tuning.batch(step)` gives `(src, tgt)`; `tgt` begins with bos. Smooth with 0.1; padding is 0.
# 3. `train.fit(model, loss, tuning.batch, steps, …)` calls `loss(batch)` and writes `weights.safetensors`: **only** corrections (`keep=lora.trained`), with `metadata`. **Hand that file in.** Return the model.
#
# **Predict first:** the shipped file keeps two bytes a number, yours four. How large will yours be beside it?
# <details><summary>Answer</summary>Twice the share that rank 3 trains, printed after Exercise 3: a few hundredths.</details>
# <details><summary>Hint 1 · idea</summary>Lesson 07's loss, fewer parameters: inject first, so that <code>fit</code> finds only what is to be trained.</details>
# <details><summary>Hint 2 · shape of the answer</summary>The model reads <code>tgt[:, :-1]</code> and predicts <code>tgt[:, 1:]</code>.</details>
# <details><summary>Hint 3 · nearly there</summary><code>functional.cross_entropy</code> of flattened logits with <code>ignore_index=0</code>; <code>rate=rate, keep=lora.trained, metadata=tuning.metadata(rank, alpha, targets)</code>.</details>


# %% nbgrader={"schema_version": 3, "grade": false, "grade_id": "tune_translator", "locked": false, "solution": true, "task": false}
def tune_translator():
    """Adapt the shipped translator to menus by LoRA; corrections go to weights.safetensors. Returns: the model."""
    model = tuning.start()
    targets, rank, alpha = ["q_proj", "k_proj", "v_proj", "out_proj", "up", "down"], 3, 48.0
    steps = 600  # given, like all above; change what you like

    def rate(step):
        return 3e-3 * min(step / 20, 1 - step / (steps + 1))

    ### BEGIN SOLUTION
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
    ### END SOLUTION


# %%
tuned = tune_translator()

# %% nbgrader={"schema_version": 3, "grade": true, "grade_id": "test_tune_translator", "locked": true, "points": 4, "solution": false, "task": false}
from byhand.probes import adapter as probe_adapter

with check.exercise("tune_translator", needs=("LoRALinear", "inject_lora")):
    probe_adapter.graded(tune_translator, greedy, read_adapter, "valid")
    ### BEGIN HIDDEN TESTS
    probe_adapter.graded(tune_translator, greedy, read_adapter, "test")
    ### END HIDDEN TESTS

# %% [markdown]
# ## The menu you are looking at
# It trained with none of these lines. **Questions:** which words did it learn? Was any line better before?
# <details><summary>Answer</summary>Nearly always <em>kernel</em> 内核, <em>cell</em> 单元格, <em>notebook</em> 笔记本, <em>debugger</em> 调试器; <em>clear outputs</em> and <em>save and reload</em> stay right. Hardly a line was better before. But words may now be missing, such as <em>left</em> or <em>below</em>: such a line looks finished, and its mistake is harder to see.</details>

# %%
before, after = tuning.say(tuning.start()), tuning.say(tuned)
for english, old, new in zip(tuning.MENU, before, after, strict=True):
    print(f"{english:<32} {old}  →  {new}")

# %% [markdown]
# What did it cost? Your `forgetting`, on the 100 menus and 100 other texts that count when you hand in. **Predict first:** which numbers are negative?
# <details><summary>Answer</summary>Those of menus: a gain. That of general texts is positive: forgotten.</details>

# %%
if data.is_there("domain") and data.is_there("general"):
    now, bars = tuning.marks(tuned), tuning.bars()
    for mark, drop in forgetting(tuning.measured()["base"]["test"], now).items():
        print(f"{mark:<14} {drop:+5.1f} lost: now {now[mark]:.1f}, at least {bars[mark]:.1f} is asked")
else:
    print("The texts are not here: `byhand data general domain` fetches them.")

# %% [markdown]
# And the corrections can disappear: `merge` adds each to its layer. What is left is a plain translator, no slower than before, in lesson 07's format. **Question:** what can be done with the small file, and no longer with the merged one?
# <details><summary>Answer</summary>Take it off again, halve its effect, or exchange it for another field's, while one base stays in memory. In the merged sums nobody can tell what was base.</details>

# %%
merged = copy.deepcopy(tuned)
for name, part in list(merged.named_modules()):
    if hasattr(part, "lora_a"):
        merged.set_submodule(name, part.merge())
print("the same words:", tuning.say(merged) == after)
print("the same names:", merged.state_dict().keys() == tuning.start().state_dict().keys())

# %% [markdown]
# ## Experiment: how much must be trained?
# Seven ways, all for 600 steps: all numbers; all, slower in early layers; the table alone, which is also the head; LoRA at three ranks; and LoRA in the table instead, of rank 33 in the rows of the 1,100 pieces that menus use most: no more numbers than your way trains. Your way is a mean of eight seeds, full fine-tuning and the last way of three, the others are one run.
#
# **Questions:** does more rank help? Which part of the translator had to change, and why that one? Where would you put 2 % of the numbers?
# <details><summary>Answer</summary>From rank 1 to 3 it seems so; from 3 to 8 by less than the bar. The table had to: alone, it gains nearly what all numbers gain. It is also the head, which scores the next piece, and menus put known pieces side by side in new ways: our guess, not measured. So put the 2 % into its rows of menus' pieces, where they gain more than in all layers.</details>

# %%
caption = f"What to see: {tuning_draw.in_words('menus BLEU')} Bars: one standard deviation over seeds."
ax = tuning_draw.gained("menus BLEU", caption=caption)

# %% [markdown]
# **Catastrophic forgetting.** Nothing in the menus' loss says that *turn off the light* must still come out right. **Questions:** what do the ways that forget least have in common? Is a small correction better than a short full fine-tuning, or only smaller? What would you have to measure?
# <details><summary>Answer</summary>They train few numbers, and gain least, too; only rates by layer forget less and gain nearly as much as full fine-tuning. So compare forgetting at equal gain: all numbers, trained for 120 steps instead of 600, gained at least as much on menus as LoRA of rank 3 does on average, and forgot about as much, with each of three seeds. Here the correction is only smaller.</details>

# %%
caption = f"What to see: {tuning_draw.in_words('general BLEU')}"
ax = tuning_draw.lost("general BLEU", caption=caption)
print(tuning_draw.verdict())

# %% [markdown]
# **A larger base.** LoRA was made for models of billions. The course trained two larger translators with the same texts and pieces, then fine-tuned each three ways, three seeds: all numbers; LoRA in the layers, of rank 3; LoRA in the rows of menus' pieces, of the highest rank that trains 2 % at most. **Predict first:** which of the two comes closer to full fine-tuning as the base grows?
#
# <details><summary>Answer</summary>The one in the rows: 2 % of more numbers are more directions for the same 1,100 rows. Rank 3 stays rank 3.</details>
#
# Were 600 steps fair? Full fine-tuning is done then: with twice as many its loss on other menus rises again (in this run). LoRA was not. So the last point, on the largest base alone, is LoRA at its best: rows, layers (rank 1) and the norms themselves (as in LongLoRA), still 2 % of the numbers, four times the steps, half the rate, more dropout. We chose that among a dozen tries for its loss on menus of the validation split. But we had seen marks of the test, too, so its share is the hopeful end of what to expect.

# %%
ax = tuning_draw.by_size("menus BLEU", caption=tuning_draw.by_size_in_words("menus BLEU"))
print(tuning_draw.at_its_best())
if data.is_there("domain") and data.is_there("general"):
    rare, never = tuning.new_to_base()
    print(f"Of the pieces in menus, {rare:.1%} are rare in the base's texts: fewer than ten times there.")
    print(f"Of neighbours in Chinese menus, {never:.0%} never stand side by side there.")

# %% [markdown]
# ## Where this is used
# - **Assistants**: a general model is tuned on thousands of good answers; most published models are tunings of a few.
# - **One base, many customers**: corrections of a few megabytes are exchanged while the base stays in memory.
# - **Fields**: medicine, law, a company's own words; a translator for one product's interface.
# - **Images**: a painter's style as a LoRA file.
#
# One honest limit: 2,258 menus teach words, not knowledge. Where the base never saw a grammar or an alphabet, a correction of low rank is too small, and fine-tuning is the wrong tool.
#
# ## Limits
# - 100 menus are few, and eight seeds or one, too: differences as small as the bars in the figure mean nothing.
# - Translators of JupyterLab chose one of several right words. A mark rewards the same choice, not a right one.
# - The general marks are of texts like those the base was trained with. Forgetting elsewhere was not measured.
# - A menu of the test can have a close relative in training; exact and near copies were removed (`data/README.md`).
#
# ## Summary
# 1. Freeze what is known; what trains is chosen by name, and the names are checked before anything changes.
# 2. LoRA trains a correction of low rank beside each frozen matrix: a small file, nothing overwritten, nothing slower once merged.
# 3. Measure both: what was gained in the field, and what was lost elsewhere.
#
# ## Questions and answers
# **Why does LoRA want a larger rate?** B begins at zero and both are small: a step of Adam moves B A by far less than it would move W itself. It wants it in a short training: in the longest one above, half of yours did better.
#
# **What is alpha for?** It fixes the scale of the correction, so that a rate found at one rank serves at another.
#
# **Papers find LoRA as good as full fine-tuning. Why not here?** Nearly, if it gets what it needs. Size is one part: in the last figure the correction of the rows comes closer as the base grows, and GPT-3, where Hu et al. found no gap, has 175 billion numbers. Place is another: nearly all pieces of menus are known to the base, but not side by side (the last lines below the figure). The table, which is also the head, has its say in which piece comes next, and as many numbers in its rows gain clearly more than in all layers. Why, is our guess; that they do, is measured. Time is the third: a correction learns more slowly. And all is a matter of when full fine-tuning ends: its BLEU rises for a while after its loss does, and so does what it forgets.
#
# **Then why freeze the table?** It is a third of this translator: a file that holds it is no small file. Corrections of some of its rows are the way between that the figure shows; `peft` can train chosen rows whole (`trainable_token_indices`).
#
# **Can two corrections be added?** Yes, they are only sums; whether the result makes sense must be measured.
#
# **Is the merged model as good?** It is the same but for rounding: lesson 07's file keeps 8 significant bits of each number.
#
# **My marks stay below the bars.** Is the loss falling? Watch the number above the curve, a mean of 20 steps: single batches jump. Begin anew with `train.forget()`; a rate ten times larger or smaller shows at once. One mark short by less than a point may be chance: try another seed.
#
# **How do I use my own texts?** `data.from_files(folder)` gives pairs; the rest of the lesson stays as it is.
#
# ## Further reading
# - Hu et al. 2021, *LoRA: Low-rank adaptation of large language models* (arXiv:2106.09685).
# - Chen et al. 2023, *LongLoRA* (arXiv:2309.12307): LoRA with the norms and the table trained, too.
# - Howard, Ruder 2018, *Universal language model fine-tuning* (arXiv:1801.06146): rates by layer, gradual unfreezing.
# - Houlsby et al. 2019, *Parameter-efficient transfer learning for NLP* (arXiv:1902.00751): adapters.
# - Aghajanyan et al. 2020, *Intrinsic dimensionality explains the effectiveness of language model fine-tuning* (arXiv:2012.13255).
# - McCloskey, Cohen 1989, *Catastrophic interference in connectionist networks*; French 1999, *Catastrophic forgetting in connectionist networks*.
# - Papineni et al. 2002, *BLEU*; Popović 2015, *chrF*; Post 2018, *A call for clarity in reporting BLEU scores* (sacreBLEU).
