"""Which tests may question one process: those between which no cell changes what they could see.

    kept_until(cells) -> {place of a test: place of the cell before which its state must be kept}

Each test speaks to the notebook as it is at the test's place, and a process that keeps a state costs a
fork. Most answers only define functions, and a function that nothing before it names changes nothing for
the tests before it. Read from the text alone; what is not plainly harmless counts as a change.
Order: kept_until, what a cell binds and uses, what is harmless.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from autograder.author.lesson import Cell
from autograder.author.needed import used
from byhand.checking.given import is_installed

_CALM = (
    *(ast.Constant, ast.Name, ast.Attribute, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.UnaryOp, ast.BinOp),
    *(ast.operator, ast.unaryop, ast.expr_context, ast.Subscript, ast.Slice),
)
_ASKING = (ast.Attribute, ast.Subscript, ast.UnaryOp, ast.BinOp, ast.Dict, ast.Set)


@dataclass(frozen=True)
class _Facts:
    """bound: top-level names, each with the import that it is, "" for anything else.

    asked: names of which more is asked than what they stand for, so that a learner's class could answer.
    """

    bound: dict[str, str] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    harmless: bool = False
    asked: frozenset[str] = frozenset()


def kept_until(cells: Sequence[Cell]) -> dict[int, int]:
    """For each test the place of the next cell that may change its state, len(cells) if none does."""
    until: dict[int, int] = {}
    waiting: list[int] = []
    bound: dict[str, str] = {}
    known: set[str] = set()
    for place, cell in enumerate(cells):
        if cell.kind not in ("test", "code", "solution") or not cell.source.strip():
            continue
        facts = _facts(cell.source, cell.kind == "test")
        if cell.kind == "test":
            waiting.append(place)
        else:
            same = {name for name, what in facts.bound.items() if what and bound.get(name) == what}
            own = {name for name in facts.asked if not _is_of_a_library(name, bound | facts.bound)}
            if not facts.harmless or own or (known | set(bound)) & (set(facts.bound) - same):
                until |= dict.fromkeys(waiting, place)
                waiting = []
            bound |= facts.bound
        known |= facts.used
    return until | dict.fromkeys(waiting, len(cells))


def _is_of_a_library(name: str, bound: dict[str, str]) -> bool:
    return bool(bound[name]) if name in bound else hasattr(builtins, name)


@lru_cache(maxsize=1024)
def _facts(source: str, test: bool) -> _Facts:
    try:
        tree, names = ast.parse(source), used(source, test)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _Facts()
    bound: dict[str, str] = {}
    for statement in tree.body:
        bound |= _bound(statement)
    if not all(map(_harmless, tree.body)):
        return _Facts(bound, frozenset(names))
    return _Facts(bound, frozenset(names), True, frozenset(_asked(tree.body)))


def _bound(statement: ast.stmt) -> dict[str, str]:
    """What a harmless statement binds."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        source = f"{statement.level}{statement.module}" if isinstance(statement, ast.ImportFrom) else ""
        names = [(alias.asname or alias.name.split(".")[0], alias) for alias in statement.names]
        return {name: f"{source}:{alias.name}:{alias.asname}" for name, alias in names}
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name: ""}
    if isinstance(statement, ast.Assign):
        return {target.id: "" for target in statement.targets if isinstance(target, ast.Name)}
    return {}


def _harmless(statement: ast.stmt) -> bool:
    """Whether running it can only bind names."""
    if isinstance(statement, ast.Import):
        return all(is_installed(alias.name) for alias in statement.names)
    if isinstance(statement, ast.ImportFrom):
        return is_installed(statement.module or "") and all(alias.name != "*" for alias in statement.names)
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return not statement.decorator_list and _calm(statement.args) and _calm(statement.returns)
    if isinstance(statement, ast.ClassDef):
        plain = not statement.decorator_list and not statement.keywords and all(map(_calm, statement.bases))
        return plain and all(map(_harmless, statement.body))
    if isinstance(statement, ast.Assign):
        return _calm(statement.value) and all(isinstance(target, ast.Name) for target in statement.targets)
    nothing = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return nothing or isinstance(statement, ast.Pass)


def _asked(statements: Sequence[ast.stmt]) -> Iterator[str]:
    """Names whose classes harmless statements ask for something: an attribute, an item, a sum, a subclass."""
    for statement in statements:
        parts: list[ast.AST | None] = []
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            parts = [statement.args, statement.returns]
        elif isinstance(statement, ast.Assign):
            parts = [statement.value]
        elif isinstance(statement, ast.ClassDef):
            values = (one.value for one in statement.body if isinstance(one, ast.Assign))  # have __set_name__
            yield from (name for part in (*statement.bases, *values) for name in _names(part))
            yield from _asked(statement.body)
        asking = (node for part in parts if part for node in ast.walk(part) if isinstance(node, _ASKING))
        yield from (name for node in asking for name in _names(node))


def _names(part: ast.AST) -> Iterator[str]:
    return (node.id for node in ast.walk(part) if isinstance(node, ast.Name))


def _calm(part: ast.AST | None) -> bool:
    """Whether evaluating it calls nothing that the cell wrote as a call."""
    if part is None:
        return True
    inner = ast.walk(part)
    return all(isinstance(node, (*_CALM, ast.arguments, ast.arg)) for node in inner)
