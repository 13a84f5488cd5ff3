"""Names that other cells hand on whole, to what may put something into what they stand for: `put(store)`.

    handed_on(cells)     which statement hands on which names

Left out are names of what nothing can be put into (numbers, texts), and definitions of which no cell takes a
part: `compare(helper)` is how learners try a helper.
"""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from byhand.checking.source import DEFINED, assignments, bound_in, nodes_of

_READS = set(dir(builtins)) - {"dict", "list", "set", "object", "setattr", "map", "filter", "vars", "type"}
_PUTS = {"setdefault", "__setitem__", "__setattr__", "__ior__", "__iadd__"}
_FIXED = ast.Constant | ast.JoinedStr | ast.UnaryOp | ast.BinOp | ast.Compare | ast.Attribute | ast.Name


@dataclass(frozen=True)
class Handed:
    """by: statement -> names that it hands on. second: name -> further names of the same value."""

    by: Mapping[ast.stmt, Collection[str]]
    second: Mapping[str, Sequence[str]]


def handed_on(cells: Sequence[ast.Module]) -> Handed:
    parts = [_of_cell(cell) for cell in cells]
    taken_apart = {name for part in parts for name in part.taken_apart}
    changeable = {name for part in parts for name in part.changeable | (part.defined & taken_apart)}
    second = defaultdict[str, list[str]](list)
    for new, old in (pair for part in parts for pair in part.names):
        second[old].append(new)
    left = list(changeable)
    for old in left:
        left += set(second[old]) - changeable
        changeable.update(second[old])
    statements = [statement for cell in cells for statement in cell.body]
    by = {one: found for one in statements if (found := changeable & _handed(one))}
    return Handed(by, {name: second[name] for name in changeable})


@dataclass(frozen=True)
class _Cell:
    """What one cell names: values that may change, definitions, what is taken apart; second names."""

    changeable: frozenset[str]
    defined: frozenset[str]
    taken_apart: frozenset[str]
    names: tuple[tuple[str, str], ...]


@lru_cache(maxsize=256)
def _of_cell(cell: ast.Module) -> _Cell:
    nodes = nodes_of(cell)
    given = list(assignments(nodes))
    return _Cell(
        frozenset(name for name, value in given if not _is_fixed(value)),
        frozenset(node.name for node in nodes if isinstance(node, DEFINED)),
        frozenset(_taken_apart(nodes)),
        tuple((name, value.id) for name, value in given if isinstance(value, ast.Name)),
    )


def _is_fixed(value: ast.expr) -> bool:
    """Whether it gives a number, a text, a device: nothing can be put into it."""
    called = value.func if isinstance(value, ast.Call) else None
    if isinstance(called, ast.Name):
        return called.id in _READS
    return isinstance(value, _FIXED) or (isinstance(called, ast.Attribute) and called.attr == "device")


def _taken_apart(nodes: Sequence[ast.AST]) -> set[str]:
    """The x of x.part and x["part"]."""
    parts = (node.value for node in nodes if isinstance(node, ast.Attribute | ast.Subscript))
    return {part.id for part in parts if isinstance(part, ast.Name)}


@lru_cache(maxsize=1024)
def _handed(statement: ast.stmt) -> frozenset[str]:
    nodes = nodes_of(statement)
    found = {name for node in nodes if isinstance(node, ast.Call) for name in _by_call(node)}
    return frozenset(found - bound_in(nodes) if isinstance(statement, DEFINED) else found)


def _by_call(node: ast.Call) -> Iterator[str]:
    """The x of put(x), put(*x), put(key=x) and x.setdefault(…); print(x) only reads it."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in _PUTS:
        yield from _name(node.func.value)
    if not (isinstance(node.func, ast.Name) and node.func.id in _READS):
        for part in (*node.args, *(word.value for word in node.keywords)):
            yield from _name(part)


def _name(part: ast.expr) -> Iterator[str]:
    part = part.value if isinstance(part, ast.Starred) else part
    if isinstance(part, ast.Name):
        yield part.id
