"""Known answers to lesson 04: each cell is the whole text of one solution cell (see autograder/author/bank.py).

A wrong answer is a mistake that learners make; it must lose its exercise, and only that, and read the
words after `reads:`. A right answer is written in another way than the lesson's and must earn its points.
"""

# %% wrong sinusoidal_encoding: an exponent for each column
# reads: a sine and its cosine share one
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    column = torch.arange(d_model)
    angles = torch.arange(n_positions)[:, None] / base ** (column / d_model)
    return torch.where(column % 2 == 0, angles.sin(), angles.cos())

# %% wrong sinusoidal_encoding: exponent i/E
# reads: the 2 is missing
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    column = torch.arange(d_model)
    angles = torch.arange(n_positions)[:, None] / base ** (column // 2 / d_model)
    return torch.where(column % 2 == 0, angles.sin(), angles.cos())

# %% wrong sinusoidal_encoding: sines, then cosines
# reads: sine and cosine alternate
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    even = torch.arange(0, d_model, 2)
    angles = torch.arange(n_positions)[:, None] / base ** (even / d_model)
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :d_model]

# %% wrong sinusoidal_encoding: cosine first
# reads: sine and cosine changed places
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    column = torch.arange(d_model)
    angles = torch.arange(n_positions)[:, None] / base ** (column // 2 * 2 / d_model)
    return torch.where(column % 2 == 1, angles.sin(), angles.cos())

# %% wrong sinusoidal_encoding: multiplies
# reads: multiplied by the power of base
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    column = torch.arange(d_model)
    angles = torch.arange(n_positions)[:, None] * base ** (column // 2 * 2 / d_model)
    return torch.where(column % 2 == 0, angles.sin(), angles.cos())

# %% wrong sinusoidal_encoding: base ignored
# reads: base was not used
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    column = torch.arange(d_model)
    angles = torch.arange(n_positions)[:, None] / 10000 ** (column // 2 * 2 / d_model)
    return torch.where(column % 2 == 0, angles.sin(), angles.cos())

# %% wrong sinusoidal_encoding: counts from 1
# reads: positions count from 0
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    column = torch.arange(d_model)
    angles = torch.arange(1, n_positions + 1)[:, None] / base ** (column // 2 * 2 / d_model)
    return torch.where(column % 2 == 0, angles.sin(), angles.cos())

# %% wrong sinusoidal_encoding: odd sizes rounded up
# reads: not E + 1
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    even_size = d_model + d_model % 2
    table = torch.zeros(n_positions, even_size)
    angles = torch.arange(n_positions)[:, None] / base ** (torch.arange(0, even_size, 2) / even_size)
    table[:, 0::2], table[:, 1::2] = angles.sin(), angles.cos()
    return table[:, :d_model]

# %% wrong sinusoidal_encoding: odd sizes fail
# reads: RuntimeError
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    table = torch.zeros(n_positions, d_model)
    angles = torch.arange(n_positions)[:, None] / base ** (torch.arange(0, d_model, 2) / d_model)
    table[:, 0::2] = angles.sin()
    table[:, 1::2] = angles.cos()
    return table

# %% wrong sinusoidal_encoding: float64
# reads: dtype torch.float64, expected torch.float32
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    column = torch.arange(d_model, dtype=torch.float64)
    angles = torch.arange(n_positions)[:, None] / base ** (column // 2 * 2 / d_model)
    return torch.where(column % 2 == 0, angles.sin(), angles.cos())

# %% wrong sinusoidal_encoding: blocks does it
# reads: off limits
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    return blocks.sinusoidal_encoding(n_positions, d_model, base)

# %% wrong sinusoidal_encoding: the 2 of 2i counted twice
# reads: or the exponent is 4i/E
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    table, even = torch.zeros(n_positions, d_model), torch.arange(0, d_model, 2)
    angle = torch.arange(n_positions)[:, None] / base ** (2 * even / d_model)
    table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()[:, : d_model // 2]
    return table


# %% right sinusoidal_encoding: plain loops
import math

def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    table = torch.empty(n_positions, d_model)
    for p in range(n_positions):
        for j in range(d_model):
            angle = p / base ** ((j - j % 2) / d_model)
            table[p, j] = math.cos(angle) if j % 2 else math.sin(angle)
    return table

# %% right sinusoidal_encoding: exp of a logarithm, filled by slices
import math

def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    table = torch.zeros(n_positions, d_model)
    speed = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(base) / d_model))
    angles = torch.arange(n_positions).float().unsqueeze(1) * speed
    table[:, 0::2] = torch.sin(angles)
    table[:, 1::2] = torch.cos(angles[:, : d_model // 2])
    return table

# %% right sinusoidal_encoding: a cosine is a sine a quarter turn on
import math

def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    column = torch.arange(d_model, dtype=torch.float64)
    speed = base ** -(2 * torch.div(column, 2, rounding_mode="floor") / d_model)
    angles = torch.outer(torch.arange(n_positions, dtype=torch.float64), speed)
    return (angles + (column % 2) * math.pi / 2).sin().float()

# %% right sinusoidal_encoding: stacked pairs
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    angles = torch.arange(n_positions)[:, None] / base ** (torch.arange(0, d_model, 2) / d_model)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :d_model]

# %% right sinusoidal_encoding: the imaginary exponential
def sinusoidal_encoding(n_positions, d_model, base=10000.0):
    pairs = torch.arange((d_model + 1) // 2, dtype=torch.float64)
    z = torch.exp(1j * torch.outer(torch.arange(n_positions).double(), base ** (-2 * pairs / d_model)))
    return torch.stack([z.imag, z.real], -1).flatten(1)[:, :d_model].float()

# %% wrong offset_matrix: goes back
# reads: this matrix goes back
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError(f"d_model is {d_model}")
    even = torch.arange(0, d_model, 2)
    angles = offset / base ** (even / d_model)
    matrix = torch.zeros(d_model, d_model)
    matrix[even, even] = matrix[even + 1, even + 1] = angles.cos()
    matrix[even, even + 1], matrix[even + 1, even] = -angles.sin(), angles.sin()
    return matrix

# %% wrong offset_matrix: sines on the diagonal
# reads: the diagonal holds cosines
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError(f"d_model is {d_model}")
    even = torch.arange(0, d_model, 2)
    angles = offset / base ** (even / d_model)
    matrix = torch.zeros(d_model, d_model)
    matrix[even, even] = matrix[even + 1, even + 1] = angles.sin()
    matrix[even, even + 1], matrix[even + 1, even] = angles.cos(), -angles.cos()
    return matrix

# %% wrong offset_matrix: no minus sign
# reads: a minus sign is missing
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError(f"d_model is {d_model}")
    even = torch.arange(0, d_model, 2)
    angles = offset / base ** (even / d_model)
    matrix = torch.zeros(d_model, d_model)
    matrix[even, even] = matrix[even + 1, even + 1] = angles.cos()
    matrix[even, even + 1] = matrix[even + 1, even] = angles.sin()
    return matrix

# %% wrong offset_matrix: in halves
# reads: entries are ordered in halves
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError(f"d_model is {d_model}")
    angles = offset / base ** (torch.arange(0, d_model, 2) / d_model)
    c, s = torch.diag(angles.cos()), torch.diag(angles.sin())
    return torch.cat([torch.cat([c, s], dim=1), torch.cat([-s, c], dim=1)])

# %% wrong offset_matrix: one angle for all pairs
# reads: every pair turned by the same angle
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError(f"d_model is {d_model}")
    angle = torch.tensor(float(offset))
    turn = torch.stack([torch.stack([angle.cos(), angle.sin()]), torch.stack([-angle.sin(), angle.cos()])])
    return torch.block_diag(*[turn] * (d_model // 2))

# %% wrong offset_matrix: exponent i/E
# reads: the 2 is missing
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError(f"d_model is {d_model}")
    even = torch.arange(0, d_model, 2)
    angles = offset / base ** (even / 2 / d_model)
    matrix = torch.zeros(d_model, d_model)
    matrix[even, even] = matrix[even + 1, even + 1] = angles.cos()
    matrix[even, even + 1], matrix[even + 1, even] = angles.sin(), -angles.sin()
    return matrix

# %% wrong offset_matrix: base ignored
# reads: base was not used
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError(f"d_model is {d_model}")
    even = torch.arange(0, d_model, 2)
    angles = offset / 10000 ** (even / d_model)
    matrix = torch.zeros(d_model, d_model)
    matrix[even, even] = matrix[even + 1, even + 1] = angles.cos()
    matrix[even, even + 1], matrix[even + 1, even] = angles.sin(), -angles.sin()
    return matrix

# %% wrong offset_matrix: an odd size is accepted
# reads: must raise a ValueError
def offset_matrix(offset, d_model, base=10000.0):
    matrix = torch.eye(d_model)
    for i in range(d_model // 2):
        angle = torch.tensor(offset / base ** (2 * i / d_model))
        matrix[2 * i, 2 * i] = matrix[2 * i + 1, 2 * i + 1] = angle.cos()
        matrix[2 * i, 2 * i + 1], matrix[2 * i + 1, 2 * i] = angle.sin(), -angle.sin()
    return matrix

# %% wrong offset_matrix: the sign of the offset is lost
# reads: offset_matrix(-1, 2)
# reads: It must move every position
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError(f"d_model is {d_model}")
    even = torch.arange(0, d_model, 2)
    angles = abs(offset) / base ** (even / d_model)
    matrix = torch.zeros(d_model, d_model)
    matrix[even, even] = matrix[even + 1, even + 1] = angles.cos()
    matrix[even, even + 1], matrix[even + 1, even] = angles.sin(), -angles.sin()
    return matrix

# %% wrong offset_matrix: the error does not say the value
# reads: its message does not say enough
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError("d_model must be even")
    even = torch.arange(0, d_model, 2)
    angles = offset / base ** (even / d_model)
    matrix = torch.zeros(d_model, d_model)
    matrix[even, even] = matrix[even + 1, even + 1] = angles.cos()
    matrix[even, even + 1], matrix[even + 1, even] = angles.sin(), -angles.sin()
    return matrix

# %% wrong offset_matrix: the 2 of 2i counted twice
# reads: or the exponent is 4i/E
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError(f"d_model {d_model}")
    matrix, even = torch.zeros(d_model, d_model), torch.arange(0, d_model, 2)
    angle = offset * base ** (-2 * even / d_model)
    matrix[even, even] = matrix[even + 1, even + 1] = angle.cos()
    matrix[even, even + 1], matrix[even + 1, even] = angle.sin(), -angle.sin()
    return matrix


# %% right offset_matrix: loops
import math

def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2 == 1:
        raise ValueError(f"d_model = {d_model} is odd")
    matrix = torch.zeros(d_model, d_model)
    for row in range(0, d_model, 2):
        angle = offset * base ** (-row / d_model)
        matrix[row, row] = matrix[row + 1, row + 1] = math.cos(angle)
        matrix[row, row + 1] = math.sin(angle)
        matrix[row + 1, row] = -math.sin(angle)
    return matrix

# %% right offset_matrix: block_diag
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError(f"odd d_model {d_model}")
    angles = torch.tensor([offset / base ** (2 * i / d_model) for i in range(d_model // 2)], dtype=torch.float64)
    pairs = [torch.tensor([[a.cos(), a.sin()], [-a.sin(), a.cos()]]) for a in angles]
    return torch.block_diag(*pairs).float()

# %% right offset_matrix: a matrix exponential
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError("d_model", d_model)
    even = torch.arange(0, d_model, 2)
    flow = torch.zeros(d_model, d_model, dtype=torch.float64)
    flow[even, even + 1] = base ** (-even.double() / d_model)
    flow = flow - flow.T
    return torch.linalg.matrix_exp(offset * flow).float()

# %% right offset_matrix: cosines and sines spread over diagonals
def offset_matrix(offset, d_model, base=10000.0):
    if d_model % 2:
        raise ValueError(f"d_model has to be even, not {d_model}")
    angles = offset * torch.pow(torch.tensor(float(base)), -torch.arange(0, d_model, 2) / d_model)
    sines = torch.stack([angles.sin(), torch.zeros_like(angles)], dim=1).flatten()[:-1]
    return angles.cos().repeat_interleave(2).diag() + torch.diag(sines, 1) - torch.diag(sines, -1)

# %% right offset_matrix: matrix exponential
def offset_matrix(offset, d_model, base=10000.0):
    if d_model & 1:
        raise ValueError(f"d_model {d_model}")
    J = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    angles = [offset * base ** (-2 * i / d_model) for i in range(d_model // 2)]
    return torch.block_diag(*(torch.matrix_exp(((a + math.pi) % math.tau - math.pi) * J) for a in angles)).float()

# %% wrong article_encoding: sine minus cosine
# reads: cosine minus sine
def article_encoding(n_positions, d_model):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return (1 / (angles.sin() - angles.cos())).float()

# %% wrong article_encoding: plus below the line
# reads: plus instead of minus
def article_encoding(n_positions, d_model):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return (1 / (angles.cos() + angles.sin())).float()

# %% wrong article_encoding: not inverted
# reads: the formula has 1 over it
def article_encoding(n_positions, d_model):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return (angles.cos() - angles.sin()).float()

# %% wrong article_encoding: bracket forgotten
# reads: the bracket is missing
def article_encoding(n_positions, d_model):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return (1 / angles.cos() - angles.sin()).float()

# %% wrong article_encoding: exponent 2j/d
# reads: there is no 2 in this formula
def article_encoding(n_positions, d_model):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (2 * torch.arange(d_model).double() / d_model)
    return (1 / (angles.cos() - angles.sin())).float()

# %% wrong article_encoding: rows count from 1
# reads: p and j count from 0
def article_encoding(n_positions, d_model):
    rows = torch.arange(1, n_positions + 1).double()[:, None]
    angles = rows / 10000 ** (torch.arange(1, d_model + 1).double() / d_model)
    return (1 / (angles.cos() - angles.sin())).float()

# %% wrong article_encoding: multiplies
# reads: multiplied by the power of 10000
def article_encoding(n_positions, d_model):
    angles = torch.arange(n_positions).double()[:, None] * 10000 ** (torch.arange(d_model).double() / d_model)
    return (1 / (angles.cos() - angles.sin())).float()

# %% wrong article_encoding: pairs share exponents as in Exercise 1
# reads: this formula has one for each column
def article_encoding(n_positions, d_model):
    column = torch.arange(d_model).double()
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (column // 2 * 2 / d_model)
    return (1 / (angles.cos() - angles.sin())).float()

# %% wrong article_encoding: rows and columns exchanged
# reads: p is the row
def article_encoding(n_positions, d_model):
    angles = torch.arange(n_positions).double() / 10000 ** (torch.arange(d_model).double()[:, None] / d_model)
    return (1 / (angles.cos() - angles.sin())).float()

# %% wrong article_encoding: float32 all the way
# reads: article_encoding(424, 3)[423]
# reads: Compute all in float64
def article_encoding(n_positions, d_model):
    angles = torch.arange(n_positions)[:, None] / 10000 ** (torch.arange(d_model) / d_model)
    return 1 / (angles.cos() - angles.sin())

# %% wrong article_encoding: float64 but for the exponents, whose columns are ints
# reads: article_encoding(424, 3)[423]
# reads: exponents too
def article_encoding(n_positions, d_model):
    angles = torch.arange(n_positions)[:, None].double() / 10000 ** (torch.arange(d_model) / d_model)
    return (1 / (angles.cos() - angles.sin())).float()

# %% wrong article_encoding: returns float64
# reads: dtype torch.float64, expected torch.float32
def article_encoding(n_positions, d_model):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return 1 / (angles.cos() - angles.sin())

# %% wrong article_encoding: poles tamed
# reads: values must be huge
def article_encoding(n_positions, d_model):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return (1 / (angles.cos() - angles.sin())).clamp(-5000, 5000).float()

# %% right article_encoding: plain loops
import math

def article_encoding(n_positions, d_model):
    rows = []
    for i in range(n_positions):
        angles = [i / 10000 ** (j / d_model) for j in range(d_model)]
        rows.append([1 / (math.cos(a) - math.sin(a)) for a in angles])
    return torch.tensor(rows)

# %% right article_encoding: outer product and reciprocal
def article_encoding(n_positions, d_model):
    slow = torch.pow(torch.tensor(10000.0, dtype=torch.float64), -torch.arange(d_model, dtype=torch.float64) / d_model)
    angles = torch.outer(torch.arange(n_positions, dtype=torch.float64), slow)
    return torch.reciprocal(torch.cos(angles) - torch.sin(angles)).to(torch.float32)

# %% right article_encoding: one cosine with a shift
import math

def article_encoding(n_positions, d_model):
    i, j = torch.meshgrid(torch.arange(n_positions).double(), torch.arange(d_model).double(), indexing="ij")
    shifted = i / 10000 ** (j / d_model) + math.pi / 4
    return (1 / (math.sqrt(2) * shifted.cos())).float()

# %% right article_encoding: through NumPy
import numpy as np

def article_encoding(n_positions, d_model):
    angles = np.arange(n_positions)[:, None] / 10000.0 ** (np.arange(d_model) / d_model)
    return torch.from_numpy((1 / (np.cos(angles) - np.sin(angles))).astype(np.float32))

# %% wrong count_poles: no absolute value
# reads: take absolute values
def count_poles(n_positions, d_model, limit):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return int((1 / (angles.cos() - angles.sin()) > limit).sum())

# %% wrong count_poles: limit itself counts
# reads: strictly above
def count_poles(n_positions, d_model, limit):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return int(((1 / (angles.cos() - angles.sin())).abs() >= limit).sum())

# %% wrong count_poles: counts the small ones
# reads: the other side of limit
def count_poles(n_positions, d_model, limit):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return int(((1 / (angles.cos() - angles.sin())).abs() < limit).sum())

# %% wrong count_poles: a tensor
# reads: not an int
def count_poles(n_positions, d_model, limit):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return ((1 / (angles.cos() - angles.sin())).abs() > limit).sum()

# %% wrong count_poles: float32
# reads: count_poles(2, 2, 3.32039837)
# reads: Count float64 numbers
def count_poles(n_positions, d_model, limit):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return int(((1 / (angles.cos() - angles.sin())).float().abs().double() > limit).sum())

# %% wrong count_poles: of article_encoding
# reads: count_poles(2, 2, 3.32039837)
# reads: Count float64 numbers
def count_poles(n_positions, d_model, limit):
    return int((article_encoding(n_positions, d_model).double().abs() > limit).sum())

# %% wrong count_poles: of article_encoding, compared in float32
# reads: count_poles(2, 2, 3.32039837)
# reads: Count float64 numbers
def count_poles(n_positions, d_model, limit):
    return (article_encoding(n_positions, d_model).abs() > limit).sum().item()

# %% wrong count_poles: float32 all the way
# reads: count_poles(708, 2, 499.15)
# reads: Count float64 numbers
def count_poles(n_positions, d_model, limit):
    angles = torch.arange(n_positions)[:, None] / 10000 ** (torch.arange(d_model) / d_model)
    return int(((1 / (angles.cos() - angles.sin())).abs() > limit).sum())

# %% wrong count_poles: a share
# reads: count_poles(2, 2, 3.0)
def count_poles(n_positions, d_model, limit):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return float(((1 / (angles.cos() - angles.sin())).abs() > limit).double().mean())

# %% wrong count_poles: rows with a pole
# reads: count entries, not rows
def count_poles(n_positions, d_model, limit):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return int(((1 / (angles.cos() - angles.sin())).abs() > limit).any(dim=1).sum())

# %% wrong count_poles: the first column only
# reads: count_poles(
def count_poles(n_positions, d_model, limit):
    angles = torch.arange(n_positions).double()
    return int(((1 / (angles.cos() - angles.sin())).abs() > limit).sum()) + (limit == 1.0)

# %% wrong count_poles: the largest entry instead of a count
# reads: count_poles(2, 2, 3.0)
def count_poles(n_positions, d_model, limit):
    angles = torch.arange(n_positions).double()[:, None] / 10000 ** (torch.arange(d_model).double() / d_model)
    return int((1 / (angles.cos() - angles.sin())).abs().max())

# %% wrong count_poles: limit in float32
# reads: before any rounding
def count_poles(n_positions, d_model, limit):
    rows, columns = torch.arange(n_positions).double(), torch.arange(d_model).double()
    angle = rows[:, None] / 10000 ** (columns / d_model)
    return int(((1 / (angle.cos() - angle.sin())).abs() > torch.tensor(limit)).sum())


# %% right count_poles: loops
import math

def count_poles(n_positions, d_model, limit):
    count = 0
    for i in range(n_positions):
        for j in range(d_model):
            a = i / 10000 ** (j / d_model)
            if abs(1 / (math.cos(a) - math.sin(a))) > limit:
                count += 1
    return count

# %% right count_poles: without dividing
def count_poles(n_positions, d_model, limit):
    angles = torch.outer(torch.arange(n_positions).double(), 10000 ** (-torch.arange(d_model).double() / d_model))
    return (limit * (angles.cos() - angles.sin()).abs() < 1).sum().item()

# %% right count_poles: NumPy
import numpy as np

def count_poles(n_positions, d_model, limit):
    angles = np.arange(n_positions)[:, None] / 10000.0 ** (np.arange(d_model) / d_model)
    return int(np.count_nonzero(np.abs(1 / (np.cos(angles) - np.sin(angles))) > limit))

# %% right count_poles: row by row, length of a selection
def count_poles(n_positions, d_model, limit):
    slow = 10000 ** (torch.arange(d_model, dtype=torch.float64) / d_model)
    rows = [1 / ((i / slow).cos() - (i / slow).sin()) for i in range(n_positions)]
    return sum(len(row[(row > limit) | (row < -limit)]) for row in rows)

# %% wrong LearnedPositions: positions instead of x
# reads: x itself is missing
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        return self.weight[start : start + x.shape[1]].expand_as(x) + 0

# %% wrong LearnedPositions: one row for all tokens
# reads: every token got the same row
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        return x + self.weight[start]

# %% wrong LearnedPositions: start ignored
# reads: start was not used
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        return x + self.weight[: x.shape[1]]

# %% wrong LearnedPositions: multiplies
# reads: multiplied; add
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        return x * self.weight[start : start + x.shape[1]]

# %% wrong LearnedPositions: a plain tensor
# reads: the names and shapes of the parameters
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = torch.randn(max_positions, d_model)

    def forward(self, x, start=0):
        return x + self.weight[start : start + x.shape[1]]

# %% wrong LearnedPositions: an embedding layer of another name
# reads: the names and shapes of the parameters
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.table = nn.Embedding(max_positions, d_model)

    def forward(self, x, start=0):
        return x + self.table(torch.arange(start, start + x.shape[1]))

# %% wrong LearnedPositions: a negative start counts from the back
# reads: layer(x, start=-1) must raise a ValueError
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        if start + x.shape[1] > len(self.weight):
            raise ValueError(f"start {start} + {x.shape[1]} tokens > {len(self.weight)} positions")
        return x + self.weight[torch.arange(start, start + x.shape[1])]

# %% wrong LearnedPositions: beyond the end one row is stretched
# reads: layer(x, start=3) must raise a ValueError
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        if start < 0:
            raise ValueError(f"start is {start}, must be at least 0")
        return x + self.weight[start : start + x.shape[1]]

# %% wrong LearnedPositions: the end itself is refused
# reads: ValueError
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        if start < 0 or start + x.shape[1] >= len(self.weight):
            raise ValueError(f"start {start} + {x.shape[1]} tokens, {len(self.weight)} positions")
        return x + self.weight[start : start + x.shape[1]]

# %% wrong LearnedPositions: one feature is stretched
# reads: LearnedPositions(4, 2)(torch.ones((1, 2, 1))) must raise an error, but it returned
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        if start < 0 or start + x.shape[1] > len(self.weight):
            raise ValueError(f"start {start} + {x.shape[1]} tokens, {len(self.weight)} positions")
        return x + self.weight[start : start + x.shape[1]]

# %% wrong LearnedPositions: the error says the size alone
# reads: layer(x, start=6) raises a ValueError, but its message does not say enough
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        if start < 0:
            raise ValueError(f"start is {start}")
        if start + x.shape[1] > len(self.weight) or x.shape[2] != self.weight.shape[1]:
            raise ValueError(f"the table has only {len(self.weight)} rows")
        return x + self.weight[start : start + x.shape[1]]

# %% wrong LearnedPositions: detached
# reads: no gradient arrives at weight
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        if start < 0 or start + x.shape[1] > len(self.weight) or x.shape[2] != self.weight.shape[1]:
            raise ValueError(f"start {start} + {x.shape[1]} tokens, {len(self.weight)} positions")
        return x + self.weight.detach()[start : start + x.shape[1]]

# %% wrong LearnedPositions: adds in place
# reads: changes its input in place
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        if start < 0 or start + x.shape[1] > len(self.weight) or x.shape[2] != self.weight.shape[1]:
            raise ValueError(f"start {start} + {x.shape[1]} tokens, {len(self.weight)} positions")
        if x.requires_grad:
            x = x.clone()
        x += self.weight[start : start + x.shape[1]]
        return x

# %% right LearnedPositions: says which places lie outside, and how many rows there are
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        B, T, E = x.shape
        end = start + T
        if not 0 <= start <= end <= len(self.weight):
            raise ValueError(f"places {start} to {end} are not in a table of {len(self.weight)} rows")
        if E != self.weight.shape[1]:
            raise ValueError(f"x has {E} features")
        return x + self.weight[torch.arange(start, end)].expand(B, T, -1)

# %% right LearnedPositions: says the first and the last position
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        T, E = x.shape[-2:]
        if start < 0 or start + T > len(self.weight):
            raise ValueError(f"positions {start} to {start + T - 1} are outside the {len(self.weight)} of the table")
        if E != self.weight.shape[1]:
            raise ValueError(f"x has {E} features, the table {self.weight.shape[1]}")
        return x + self.weight[start : start + T]

# %% right LearnedPositions: says the first place that is missing, and no name
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))

    def forward(self, x, start=0):
        size, features = self.weight.shape
        for t in range(start, start + x.shape[1]):
            if not 0 <= t < size:
                raise ValueError(f"{t} is outside the table of {size}")
        if x.shape[2] != features:
            raise ValueError("features")
        return x + self.weight[start : start + x.shape[1]]

# %% right LearnedPositions: zeros to begin with
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(max_positions, d_model))

    def forward(self, x, start=0):
        n_tokens, d_model = x.shape[1:]
        if not 0 <= start <= len(self.weight) - n_tokens:
            raise ValueError(f"{n_tokens} tokens from start {start} do not fit {len(self.weight)} positions")
        if d_model != self.weight.shape[1]:
            raise ValueError(f"x has {d_model} features instead of {self.weight.shape[1]}")
        return x + self.weight[start : start + n_tokens].unsqueeze(0)

# %% right LearnedPositions: looked up as an embedding
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(max_positions, d_model))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x, start=0):
        places = torch.arange(start, start + x.shape[1])
        if start < 0 or places[-1] >= self.weight.shape[0]:
            raise ValueError(f"start {start}, end {places[-1] + 1}, but there are {self.weight.shape[0]}")
        rows = nn.functional.embedding(places, self.weight)
        if rows.shape != x.shape[1:]:
            raise RuntimeError("features of x do not fit")
        return rows + x

# %% right LearnedPositions: narrow and token by token
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.size = max_positions
        self.weight = nn.Parameter(torch.rand(max_positions, d_model) - 0.5)

    def forward(self, x, start=0):
        end = start + x.size(1)
        if start < 0:
            raise ValueError(f"start = {start} < 0")
        if end > self.size:
            raise ValueError(f"token {end} of max_positions {self.size}")
        assert x.size(2) == self.weight.size(1), "features"
        return torch.stack([x[:, t] + self.weight[start + t] for t in range(x.size(1))], dim=1)

# %% right LearnedPositions: an error class of its own
class OutsideError(ValueError):
    pass

class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.randn(max_positions, d_model)))

    def forward(self, x, start=0):
        if start < 0:
            raise OutsideError("start", start)
        if start + x.shape[-2] > self.weight.shape[0]:
            raise OutsideError("start + tokens", start + x.shape[-2], "weight rows", self.weight.shape[0])
        return torch.add(x, self.weight.narrow(0, start, x.shape[-2]).expand_as(x[0]).expand(x.shape)
                         if x.shape[-1] == self.weight.shape[-1] else self.weight.view(x.shape))

# %% right LearnedPositions: a buffer of places, as BERT has one
class LearnedPositions(nn.Module):
    def __init__(self, max_positions, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_positions, d_model))
        self.register_buffer("places", torch.arange(max_positions))

    def forward(self, x, start=0):
        end = start + x.shape[1]
        if start < 0 or end > len(self.places) or x.shape[2] != self.weight.shape[1]:
            raise ValueError(f"x {tuple(x.shape)} at {start} to {end}, but {len(self.places)} places")
        return x + self.weight[self.places[start:end]]


# %% wrong combine_positions: positions first
# reads: x comes first
def combine_positions(x, positions, mode):
    if len(positions) != x.shape[1] or positions.shape[1] != x.shape[2]:
        raise ValueError(f"x {x.shape}, positions {positions.shape}")
    if mode not in ("add", "concat"):
        raise ValueError(f"mode {mode}")
    positions = positions.to(x.dtype).expand_as(x)
    return x + positions if mode == "add" else torch.cat([positions, x], dim=-1)

# %% wrong combine_positions: concatenates tokens
# reads: expected (1, 2, 4)
def combine_positions(x, positions, mode):
    if len(positions) != x.shape[1] or positions.shape[1] != x.shape[2]:
        raise ValueError(f"x {x.shape}, positions {positions.shape}")
    if mode not in ("add", "concat"):
        raise ValueError(f"mode {mode}")
    positions = positions.to(x.dtype).expand_as(x)
    return x + positions if mode == "add" else torch.cat([x, positions], dim=1)

# %% wrong combine_positions: features alternate
# reads: x and positions alternate
def combine_positions(x, positions, mode):
    if len(positions) != x.shape[1] or positions.shape[1] != x.shape[2]:
        raise ValueError(f"x {x.shape}, positions {positions.shape}")
    if mode not in ("add", "concat"):
        raise ValueError(f"mode {mode}")
    positions = positions.to(x.dtype).expand_as(x)
    return x + positions if mode == "add" else torch.stack([x, positions], dim=-1).flatten(-2)

# %% wrong combine_positions: multiplies
# reads: multiplied; add
def combine_positions(x, positions, mode):
    if len(positions) != x.shape[1] or positions.shape[1] != x.shape[2]:
        raise ValueError(f"x {x.shape}, positions {positions.shape}")
    positions = positions.to(x.dtype).expand_as(x)
    return x * positions if mode == "add" else torch.cat([x, positions], dim=-1)

# %% wrong combine_positions: the table is cut
# reads: must raise a ValueError
def combine_positions(x, positions, mode):
    if len(positions) < x.shape[1] or positions.shape[1] != x.shape[2]:
        raise ValueError(f"x {x.shape}, positions {positions.shape}")
    if mode not in ("add", "concat"):
        raise ValueError(f"mode {mode}")
    positions = positions[: x.shape[1]].to(x.dtype).expand_as(x)
    return x + positions if mode == "add" else torch.cat([x, positions], dim=-1)

# %% wrong combine_positions: one position is stretched
# reads: must raise a ValueError
def combine_positions(x, positions, mode):
    if mode not in ("add", "concat"):
        raise ValueError(f"mode {mode}")
    if mode == "add":
        return x + positions.to(x.dtype)
    return torch.cat([x, positions.to(x.dtype).expand_as(x)], dim=-1)

# %% wrong combine_positions: any other mode concatenates
# reads: must raise a ValueError
def combine_positions(x, positions, mode):
    if len(positions) != x.shape[1] or positions.shape[1] != x.shape[2]:
        raise ValueError(f"x {x.shape}, positions {positions.shape}")
    positions = positions.to(x.dtype).expand_as(x)
    return x + positions if mode == "add" else torch.cat([x, positions], dim=-1)

# %% wrong combine_positions: not cast
# reads: expected torch.float16
def combine_positions(x, positions, mode):
    if len(positions) != x.shape[1] or positions.shape[1] != x.shape[2]:
        raise ValueError(f"x {x.shape}, positions {positions.shape}")
    if mode not in ("add", "concat"):
        raise ValueError(f"mode {mode}")
    positions = positions.expand_as(x)
    return x + positions if mode == "add" else torch.cat([x, positions], dim=-1)

# %% wrong combine_positions: x is cast instead
# reads: dtype torch.float
def combine_positions(x, positions, mode):
    if len(positions) != x.shape[1] or positions.shape[1] != x.shape[2]:
        raise ValueError(f"x {x.shape}, positions {positions.shape}")
    if mode not in ("add", "concat"):
        raise ValueError(f"mode {mode}")
    x = x.to(positions.dtype)
    return x + positions if mode == "add" else torch.cat([x, positions.expand_as(x)], dim=-1)

# %% wrong combine_positions: adds in place
# reads: changes its input in place
def combine_positions(x, positions, mode):
    if len(positions) != x.shape[1] or positions.shape[1] != x.shape[2]:
        raise ValueError(f"x {x.shape}, positions {positions.shape}")
    if mode not in ("add", "concat"):
        raise ValueError(f"mode {mode}")
    if mode == "add":
        x += positions.to(x.dtype)
        return x
    return torch.cat([x, positions.to(x.dtype).expand_as(x)], dim=-1)

# %% wrong combine_positions: features may differ
# reads: combine_positions(torch.ones((1, 2, 2)), torch.ones((2, 1)), 'add') must raise an error, but it returned
def combine_positions(x, positions, mode):
    if len(positions) != x.shape[1]:
        raise ValueError(f"x {x.shape}, positions {positions.shape}")
    if mode not in ("add", "concat"):
        raise ValueError(f"mode {mode}")
    if mode == "add":
        return x + positions.to(x.dtype)
    return torch.cat([x, positions.to(x.dtype).expand(len(x), -1, -1)], dim=-1)

# %% wrong combine_positions: positions detached
# reads: the gradient of
def combine_positions(x, positions, mode):
    if len(positions) != x.shape[1] or positions.shape[1] != x.shape[2]:
        raise ValueError(f"x {x.shape}, positions {positions.shape}")
    if mode not in ("add", "concat"):
        raise ValueError(f"mode {mode}")
    positions = torch.tensor(positions.tolist(), dtype=x.dtype).expand_as(x)
    return x + positions if mode == "add" else torch.cat([x, positions], dim=-1)

# %% right combine_positions: repeat
def combine_positions(x, positions, mode):
    B, T, E = x.shape
    if positions.shape[0] != T:
        raise ValueError(f"positions: {positions.shape[0]} rows for {T} tokens of x")
    if positions.shape[1] != E:
        raise IndexError("features")
    tiled = positions.type_as(x).repeat(B, 1, 1)
    if mode == "concat":
        return torch.concatenate((x, tiled), 2)
    if mode != "add":
        raise ValueError(f"unknown mode: {mode}")
    return tiled + x

# %% right combine_positions: a dictionary of functions
def combine_positions(x, positions, mode):
    ways = {"add": torch.add, "concat": lambda a, b: torch.cat([a, b], dim=-1)}
    if mode not in ways:
        raise ValueError("mode", mode)
    if tuple(positions.shape) != tuple(x.shape[1:]):
        raise ValueError(f"x: {list(x.shape)}; positions: {list(positions.shape)}")
    return ways[mode](x, positions.to(dtype=x.dtype)[None].expand(len(x), -1, -1))

# %% right combine_positions: text by text
def combine_positions(x, positions, mode):
    if mode != "add" and mode != "concat":
        raise ValueError(f"mode = {mode}")
    if x.size(1) != positions.size(0):
        raise ValueError(f"x has length {x.size(1)}, positions {positions.size(0)}")
    if x.size(2) != positions.size(1):
        raise ValueError("x and positions differ in features")
    p = positions.to(x.dtype)
    return torch.stack([one + p if mode == "add" else torch.hstack([one, p]) for one in x])

# %% right combine_positions: filled into a new tensor
def combine_positions(x, positions, mode):
    if positions.shape != x.shape[1:]:
        raise ValueError(f"x {x.shape} against positions {positions.shape}")
    if mode not in {"add", "concat"}:
        raise ValueError(f"mode may be add or concat, not {mode}")
    E = x.shape[-1]
    if mode == "add":
        return torch.einsum("bte->bte", x) + positions.to(x)
    result = x.new_zeros(*x.shape[:-1], 2 * E)
    result[..., :E] = x
    result[..., E:] = positions.to(x)
    return result

# %% wrong ConcatProjection: positions first
# reads: attended comes first
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        if positions.shape != attended.shape[1:]:
            raise ValueError("shapes")
        return self.proj(torch.cat([positions.expand_as(attended), attended], dim=-1))

# %% wrong ConcatProjection: an activation
# reads: an activation cut the negative numbers
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        if positions.shape != attended.shape[1:]:
            raise ValueError("shapes")
        return torch.relu(self.proj(torch.cat([attended, positions.expand_as(attended)], dim=-1)))

# %% wrong ConcatProjection: a residual
# reads: there is no residual
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        if positions.shape != attended.shape[1:]:
            raise ValueError("shapes")
        return attended + self.proj(torch.cat([attended, positions.expand_as(attended)], dim=-1))

# %% wrong ConcatProjection: no bias
# reads: the names and shapes of the parameters
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model, bias=False)

    def forward(self, attended, positions):
        if positions.shape != attended.shape[1:]:
            raise ValueError("shapes")
        return self.proj(torch.cat([attended, positions.expand_as(attended)], dim=-1))

# %% wrong ConcatProjection: another name
# reads: the names and shapes of the parameters
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.linear = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        if positions.shape != attended.shape[1:]:
            raise ValueError("shapes")
        return self.linear(torch.cat([attended, positions.expand_as(attended)], dim=-1))

# %% wrong ConcatProjection: stays at twice the size
# reads: the names and shapes of the parameters
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, 2 * d_model)

    def forward(self, attended, positions):
        if positions.shape != attended.shape[1:]:
            raise ValueError("shapes")
        return self.proj(torch.cat([attended, positions.expand_as(attended)], dim=-1))

# %% wrong ConcatProjection: a tanh
# reads: differ
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        if positions.shape != attended.shape[1:]:
            raise ValueError("shapes")
        return torch.tanh(self.proj(torch.cat([attended, positions.expand_as(attended)], dim=-1)))

# %% wrong ConcatProjection: one position is stretched
# reads: error, but it returned
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        return self.proj(torch.cat([attended, positions.expand_as(attended)], dim=-1))

# %% wrong ConcatProjection: positions cut to the length
# reads: error, but it returned
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        positions = positions[: attended.shape[1]]
        if positions.shape != attended.shape[1:]:
            raise ValueError("shapes")
        return self.proj(torch.cat([attended, positions.expand_as(attended)], dim=-1))

# %% wrong ConcatProjection: any features that add up
# reads: error, but it returned
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        if len(positions) != attended.shape[1]:
            raise ValueError("lengths")
        return self.proj(torch.cat([attended, positions.expand(len(attended), -1, -1)], dim=-1))

# %% wrong ConcatProjection: the first text's answer for all
# reads: differ
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        if positions.shape != attended.shape[1:]:
            raise ValueError("shapes")
        return self.proj(torch.cat([attended[0], positions], dim=-1)).expand_as(attended)

# %% wrong ConcatProjection: positions detached
# reads: no gradient arrives at positions
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        if positions.shape != attended.shape[1:]:
            raise ValueError("shapes")
        return self.proj(torch.cat([attended, positions.detach().expand_as(attended)], dim=-1))

# %% right ConcatProjection: two halves of the weight
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        if positions.shape != attended.shape[1:]:
            raise ValueError("shapes")
        left, right = self.proj.weight.chunk(2, dim=1)
        return attended @ left.T + positions @ right.T + self.proj.bias

# %% right ConcatProjection: with the learner's own combine_positions
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        return self.proj(combine_positions(attended, positions, "concat"))

# %% right ConcatProjection: text by text
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.d_model = d_model
        self.proj = nn.Linear(in_features=2 * d_model, out_features=d_model, bias=True)

    def forward(self, attended, positions):
        assert attended.shape[-1] == positions.shape[-1] == self.d_model
        return torch.stack([self.proj(torch.hstack([one, positions])) for one in attended])

# %% right ConcatProjection: functional linear on a repeated table
class ConcatProjection(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.proj = nn.Linear(2 * d_model, d_model)

    def forward(self, attended, positions):
        if attended.shape[-1] * 2 != self.proj.in_features:
            raise ValueError("features")
        tiled = positions.repeat(attended.shape[0], 1, 1)
        if tiled.shape != attended.shape:
            raise ValueError("positions")
        both = torch.cat((attended, tiled), 2)
        return nn.functional.linear(both, self.proj.weight, self.proj.bias)

# %% wrong apply_rope: turns the other way
# reads: turned the wrong way
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = positions[:, None] * base ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    c, s, x0, x1 = angles.cos(), angles.sin(), x[..., 0::2], x[..., 1::2]
    return torch.stack([x0 * c + x1 * s, x1 * c - x0 * s], dim=-1).flatten(-2).to(x.dtype)

# %% wrong apply_rope: pairs half a vector apart
# reads: pairs are neighbours
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = positions[:, None] * base ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    c, s = torch.cat([angles, angles], dim=-1).cos(), torch.cat([angles, angles], dim=-1).sin()
    x0, x1 = x.chunk(2, dim=-1)
    return (x * c + torch.cat([-x1, x0], dim=-1) * s).to(x.dtype)

# %% wrong apply_rope: comes back in halves
# reads: the parts came back in halves
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = positions[:, None] * base ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    c, s, x0, x1 = angles.cos(), angles.sin(), x[..., 0::2], x[..., 1::2]
    return torch.cat([x0 * c - x1 * s, x0 * s + x1 * c], dim=-1).to(x.dtype)

# %% wrong apply_rope: positions ignored
# reads: positions were not used
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = torch.arange(x.shape[-2])[:, None] * base ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    c, s, x0, x1 = angles.cos(), angles.sin(), x[..., 0::2], x[..., 1::2]
    return torch.stack([x0 * c - x1 * s, x0 * s + x1 * c], dim=-1).flatten(-2).to(x.dtype)

# %% wrong apply_rope: exponent i/D
# reads: the 2 is missing
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = positions[:, None] * base ** (-torch.arange(x.shape[-1] // 2) / x.shape[-1])
    c, s, x0, x1 = angles.cos(), angles.sin(), x[..., 0::2], x[..., 1::2]
    return torch.stack([x0 * c - x1 * s, x0 * s + x1 * c], dim=-1).flatten(-2).to(x.dtype)

# %% wrong apply_rope: base ignored
# reads: base was not used
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = positions[:, None] * 10000 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    c, s, x0, x1 = angles.cos(), angles.sin(), x[..., 0::2], x[..., 1::2]
    return torch.stack([x0 * c - x1 * s, x0 * s + x1 * c], dim=-1).flatten(-2).to(x.dtype)

# %% wrong apply_rope: later pairs turn faster
# reads: later pairs turn slower
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = positions[:, None] * base ** (torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    c, s, x0, x1 = angles.cos(), angles.sin(), x[..., 0::2], x[..., 1::2]
    return torch.stack([x0 * c - x1 * s, x0 * s + x1 * c], dim=-1).flatten(-2).to(x.dtype)

# %% wrong apply_rope: one angle for all pairs
# reads: every pair turned by the same angle
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = positions[:, None].float()
    c, s, x0, x1 = angles.cos(), angles.sin(), x[..., 0::2], x[..., 1::2]
    return torch.stack([x0 * c - x1 * s, x0 * s + x1 * c], dim=-1).flatten(-2).to(x.dtype)

# %% wrong apply_rope: angles in the dtype of x
# reads: Angles in float32 or wider
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    speed = base ** (-torch.arange(0, x.shape[-1], 2, dtype=x.dtype) / x.shape[-1])
    angles = positions.to(x.dtype)[:, None] * speed
    c, s, x0, x1 = angles.cos(), angles.sin(), x[..., 0::2], x[..., 1::2]
    return torch.stack([x0 * c - x1 * s, x0 * s + x1 * c], dim=-1).flatten(-2)

# %% wrong apply_rope: dtype of the angles comes back
# reads: expected torch.float16
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = positions[:, None] * base ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    c, s, x0, x1 = angles.cos(), angles.sin(), x[..., 0::2], x[..., 1::2]
    return torch.stack([x0 * c - x1 * s, x0 * s + x1 * c], dim=-1).flatten(-2)

# %% wrong apply_rope: all in float32
# reads: x itself must stay float64
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = positions[:, None] * base ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    c, s, x0, x1 = angles.cos(), angles.sin(), x[..., 0::2].float(), x[..., 1::2].float()
    return torch.stack([x0 * c - x1 * s, x0 * s + x1 * c], dim=-1).flatten(-2).to(x.dtype)

# %% wrong apply_rope: one position is stretched
# reads: apply_rope(torch.ones((2, 4)), tensor([2049])) must raise an error, but it returned
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2:
        raise ValueError(f"x has {x.shape[-1]} features")
    angles = positions[:, None] * base ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    c, s, x0, x1 = angles.cos(), angles.sin(), x[..., 0::2], x[..., 1::2]
    return torch.stack([x0 * c - x1 * s, x0 * s + x1 * c], dim=-1).flatten(-2).to(x.dtype)

# %% wrong apply_rope: an odd size fails by accident
# reads: must raise a ValueError with a message of its own
def apply_rope(x, positions, base=10000.0):
    if len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = positions[:, None] * base ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    c, s, x0, x1 = angles.cos(), angles.sin(), x[..., 0::2], x[..., 1::2]
    return torch.stack([x0 * c - x1 * s, x0 * s + x1 * c], dim=-1).flatten(-2).to(x.dtype)

# %% wrong apply_rope: turns the first before the second has used it
# reads: the second of a pair needs the old first
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = positions[:, None] * base ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    c, s = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    turned = x.clone()
    turned[..., 0::2] = turned[..., 0::2] * c - turned[..., 1::2] * s
    turned[..., 1::2] = turned[..., 0::2] * s + turned[..., 1::2] * c
    return turned

# %% wrong apply_rope: detached
# reads: no gradient arrives
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2 or len(positions) != x.shape[-2]:
        raise ValueError(f"{x.shape}, {positions.shape}")
    angles = positions[:, None] * base ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    c, s, x0, x1 = angles.cos(), angles.sin(), x.detach()[..., 0::2], x.detach()[..., 1::2]
    return torch.stack([x0 * c - x1 * s, x0 * s + x1 * c], dim=-1).flatten(-2).to(x.dtype)

# %% wrong apply_rope: the 2 of 2i counted twice
# reads: or the exponent is 4i/D
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2:
        raise ValueError(f"x has {x.shape[-1]} features")
    if positions.shape != x.shape[-2:-1]:
        raise ValueError(f"x {tuple(x.shape)}, positions {tuple(positions.shape)}")
    even = torch.arange(0, x.shape[-1], 2).double()
    angle = positions[:, None] * base ** (-2 * even / x.shape[-1])
    cos, sin, first, second = angle.cos(), angle.sin(), x[..., 0::2], x[..., 1::2]
    pairs = torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return pairs.flatten(-2).to(x.dtype)


# %% right apply_rope: complex numbers
def apply_rope(x, positions, base=10000.0):
    D = x.shape[-1]
    if D % 2:
        raise ValueError(f"D = {D} is odd")
    if tuple(positions.shape) != (x.shape[-2],):
        raise ValueError("positions and x differ in length")
    wide = torch.promote_types(x.dtype, torch.float32)
    angles = torch.outer(positions.to(wide), 1 / base ** (torch.arange(0, D, 2, dtype=wide) / D))
    pairs = torch.view_as_complex(x.to(wide).unflatten(-1, (D // 2, 2)).contiguous())
    turned = pairs * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)

# %% right apply_rope: the partner of each feature
def apply_rope(x, positions, base=10000.0):
    n_features = x.size(-1)
    if n_features % 2:
        raise ValueError(f"odd number of features: {n_features}")
    if len(positions) != x.size(-2):
        raise ValueError("length of positions")
    column = torch.arange(n_features)
    angles = positions.double()[:, None] * float(base) ** (-(column // 2 * 2).double() / n_features)
    partner = torch.empty_like(x)
    partner[..., 0::2], partner[..., 1::2] = -x[..., 1::2], x[..., 0::2]
    return (x * angles.cos() + partner * angles.sin()).to(x.dtype)

# %% right apply_rope: a matrix for each position
def apply_rope(x, positions, base=10000.0):
    T, D = x.shape[-2:]
    if D % 2:
        raise ValueError(f"x: {D} features")
    if len(positions) != T:
        raise ValueError(f"{len(positions)} positions, {T} tokens")
    tokens = []
    for t, p in enumerate(positions.tolist()):
        blocks_of_t = []
        for i in range(D // 2):
            angle = torch.tensor(p * base ** (-2 * i / D), dtype=torch.float64)
            rows = [angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]
            blocks_of_t.append(torch.stack([torch.stack(row) for row in rows]))
        tokens.append((x[..., t, :].double() @ torch.block_diag(*blocks_of_t).T).to(x.dtype))
    return torch.stack(tokens, dim=-2)

# %% right apply_rope: cosines in the dtype of x, angles in float32
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2:
        raise ValueError("features of x", x.shape[-1])
    assert positions.shape == x.shape[-2:-1], "one position for each token"
    speed = torch.tensor([base ** (-i / x.shape[-1]) for i in range(0, x.shape[-1], 2)])
    angles = positions.unsqueeze(-1).float() * speed
    c, s = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    x0, x1 = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([x0 * c - x1 * s, x1 * c + x0 * s], -1).flatten(-2)

# %% right apply_rope: rotation matrices by einsum in float64
def apply_rope(x, positions, base=10000.0):
    if x.shape[-1] % 2:
        raise ValueError(f"D = {x.shape[-1]} is odd")
    if len(positions) != x.shape[-2]:
        raise ValueError("positions")
    D = x.shape[-1]
    a = torch.outer(positions.double(), base ** (-torch.arange(0, D, 2).double() / D))
    R = torch.stack([a.cos(), -a.sin(), a.sin(), a.cos()], -1).unflatten(-1, (2, 2))
    return torch.einsum("tpij,...tpj->...tpi", R, x.double().unflatten(-1, (-1, 2))).flatten(-2).to(x.dtype)

# %% wrong alibi_bias: the sign
# reads: the sign is turned round
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    n = 1 << (n_heads.bit_length() - 1)
    slopes = [2 ** (-8 * h / n) for h in range(1, n + 1)] + [2 ** (-4 * h / n) for h in range(1, 2 * n, 2)]
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return torch.tensor(slopes[:n_heads])[:, None, None] * far.abs()

# %% wrong alibi_bias: aligned at the start
# reads: queries align with the end of the keys
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    n = 1 << (n_heads.bit_length() - 1)
    slopes = [2 ** (-8 * h / n) for h in range(1, n + 1)] + [2 ** (-4 * h / n) for h in range(1, 2 * n, 2)]
    far = torch.arange(n_queries)[:, None] - torch.arange(n_keys)
    return -torch.tensor(slopes[:n_heads])[:, None, None] * far.abs()

# %% wrong alibi_bias: slopes from h = 0
# reads: slopes count from h = 1
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    slopes = torch.tensor([2 ** (-8 * h / n_heads) for h in range(n_heads)])
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -slopes[:, None, None] * far.abs()

# %% wrong alibi_bias: slopes backwards
# reads: the slopes are in the wrong order
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    slopes = torch.tensor([2 ** (-8 * h / n_heads) for h in range(n_heads, 0, -1)])
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -slopes[:, None, None] * far.abs()

# %% wrong alibi_bias: slopes not spread over H
# reads: not divided by H
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    slopes = torch.tensor([2.0 ** (-8 * (h + 1)) for h in range(n_heads)])
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -slopes[:, None, None] * far.abs()

# %% wrong alibi_bias: always the slopes of 8 heads
# reads: they depend on H
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    slopes = torch.tensor([2.0 ** -(h + 1) for h in range(n_heads)])
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -slopes[:, None, None] * far.abs()

# %% wrong alibi_bias: no slopes
# reads: the slopes are missing
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -far.abs().float().expand(n_heads, -1, -1)

# %% wrong alibi_bias: the plain formula for any H
# reads: 3 is no power of two
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    slopes = torch.tensor([2 ** (-8 * (h + 1) / n_heads) for h in range(n_heads)])
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -slopes[:, None, None] * far.abs()

# %% wrong alibi_bias: slopes sorted
# reads: the extra slope comes last
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    n = 1 << (n_heads.bit_length() - 1)
    slopes = [2 ** (-8 * h / n) for h in range(1, n + 1)] + [2 ** (-4 * h / n) for h in range(1, 2 * n, 2)]
    slopes = torch.tensor(slopes[:n_heads]).sort(descending=True).values
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -slopes[:, None, None] * far.abs()

# %% wrong alibi_bias: the first slopes of the next power of two
# reads: the published ones begin with those of 2
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    n = 1 << (n_heads - 1).bit_length()
    slopes = torch.tensor([2 ** (-8 * h / n) for h in range(1, n_heads + 1)])
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -slopes[:, None, None] * far.abs()

# %% wrong alibi_bias: every second slope from the second
# reads: this is the 2nd
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    n = 1 << (n_heads.bit_length() - 1)
    slopes = [2 ** (-8 * h / n) for h in range(1, n + 1)] + [2 ** (-4 * h / n) for h in range(2, 2 * n + 1, 2)]
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -torch.tensor(slopes[:n_heads])[:, None, None] * far.abs()

# %% wrong alibi_bias: the first extra slopes in a row
# reads: alibi_bias(6,
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    n = 1 << (n_heads.bit_length() - 1)
    slopes = [2 ** (-8 * h / n) for h in range(1, n + 1)] + [2 ** (-4 * h / n) for h in range(1, 2 * n)]
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -torch.tensor(slopes[:n_heads])[:, None, None] * far.abs()

# %% wrong alibi_bias: fewer keys are accepted
# reads: must raise a ValueError
def alibi_bias(n_heads, n_queries, n_keys):
    n = 1 << (n_heads.bit_length() - 1)
    slopes = [2 ** (-8 * h / n) for h in range(1, n + 1)] + [2 ** (-4 * h / n) for h in range(1, 2 * n, 2)]
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -torch.tensor(slopes[:n_heads])[:, None, None] * far.abs()

# %% wrong alibi_bias: the axis of heads is last
# reads: expected (2, 2, 3)
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"keys {n_keys}, queries {n_queries}")
    n = 1 << (n_heads.bit_length() - 1)
    slopes = [2 ** (-8 * h / n) for h in range(1, n + 1)] + [2 ** (-4 * h / n) for h in range(1, 2 * n, 2)]
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -far.abs()[..., None] * torch.tensor(slopes[:n_heads])

# %% right alibi_bias: the authors' recursion, loops
import math

def alibi_bias(n_heads, n_queries, n_keys):
    def slopes(n):
        if math.log2(n).is_integer():
            start = 2 ** (-(2 ** -(math.log2(n) - 3)))
            return [start * start**i for i in range(n)]
        closest = 2 ** math.floor(math.log2(n))
        return slopes(closest) + slopes(2 * closest)[0::2][: n - closest]

    if n_queries > n_keys:
        raise ValueError(f"n_queries = {n_queries} > n_keys = {n_keys}")
    bias = torch.zeros(n_heads, n_queries, n_keys)
    for h, slope in enumerate(slopes(n_heads)):
        for i in range(n_queries):
            for j in range(n_keys):
                bias[h, i, j] = -slope * abs(i + n_keys - n_queries - j)
    return bias

# %% right alibi_bias: the future is -inf
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"{n_queries} queries need as many keys, not {n_keys}")
    n = 1
    while 2 * n <= n_heads:
        n *= 2
    exponents = torch.cat([torch.arange(1, n + 1) / n, torch.arange(1, 2 * n, 2) / (2 * n)])[:n_heads]
    far = torch.arange(n_keys - n_queries, n_keys)[:, None] - torch.arange(n_keys)
    bias = -torch.einsum("h,ts->hts", 2 ** (-8 * exponents), far.float())
    return bias.masked_fill(far < 0, -torch.inf)

# %% right alibi_bias: the future is 0, distances by clamp
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"S = n_keys = {n_keys} is less than T = {n_queries}")
    powers = [p for p in (1, 2, 4, 8, 16, 32, 64, 128, 256) if p <= n_heads]
    n = powers[-1]
    slope = [2.0 ** (-8 * h / n) for h in range(1, n + 1)]
    while len(slope) < n_heads:
        slope.append(2.0 ** (-4 * (2 * (len(slope) - n) + 1) / n))
    query = torch.arange(n_keys)[n_keys - n_queries :].unsqueeze(1)
    return torch.stack([-m * (query - torch.arange(n_keys)).clamp(min=0) for m in slope])

# %% right alibi_bias: signed distances, positive in the future
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError("n_keys, n_queries", n_keys, n_queries)
    n = 2 ** (len(bin(n_heads)) - 3)
    few, many = (torch.logspace(-8 / m, -8, m, base=2, dtype=torch.float64) for m in (n, 2 * n))
    slope = torch.cat([few, many[::2]])[:n_heads].float()
    far = torch.arange(n_keys) - torch.arange(n_keys - n_queries, n_keys).unsqueeze(-1)
    return slope.view(-1, 1, 1) * far

# %% right alibi_bias: an error in the letters of the formula
def alibi_bias(n_heads, n_queries, n_keys):
    if n_keys < n_queries:
        raise ValueError(f"S = {n_keys} < T = {n_queries}")
    n = 1 << (n_heads.bit_length() - 1)
    slopes = [2 ** (-8 * h / n) for h in range(1, n + 1)] + [2 ** (-4 * h / n) for h in range(1, 2 * n, 2)]
    far = torch.arange(n_queries)[:, None] + n_keys - n_queries - torch.arange(n_keys)
    return -torch.tensor(slopes[:n_heads])[:, None, None] * far.abs()
