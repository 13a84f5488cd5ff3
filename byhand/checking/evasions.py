"""What a cell calls without naming it: by helpers in other cells, or in ways that cannot be read.

    forbidden("EncoderBlock", text, cells, forbid, allowed, skip)     "" or why the answer is refused

Refused are names that a cell works out, and modules of the course that it hands on as values. A process
that runs a stranger's code cannot be kept from every way to a library; these are the short ones.
Order: forbidden, helpers, evasions.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from byhand.checking.source import (
    DEFINED,
    Names,
    assignments,
    dotted,
    is_off_limits,
    known_names,
    nodes_of,
    parse,
    text_in,
    uses,
)

_COURSE = Path(__file__).parents[1]


def forbidden(
    name: str,
    text: str,
    others: Sequence[str],
    forbid: Sequence[str],
    allowed: str | None = None,
    skip: Collection[str] | None = None,
    also: Sequence[str] = (),
) -> str:
    """'' or the first use of a forbidden name in the cell `text`, with its line and what is allowed.

    skip: names that other cells may give any meaning (exercises: they are the learner's); the meaning of all
    others that the cell looks up is read, too, and that of `also`. None: only the cell itself is read.
    """
    if not text.strip():
        return f"{name}: its cell was not found. Run the cell that defines {name}, then this check again."
    tree = parse(text)
    if isinstance(tree, SyntaxError):
        return f"{name}: its cell is not valid Python, line {tree.lineno or 1}: {tree.msg}."
    if not forbid:
        return ""
    rest = [other for other in map(parse, others) if isinstance(other, ast.Module)]
    instead = f"\n  Allowed instead: {allowed}" if allowed else ""
    parts = {"": tree} | ({} if skip is None else _helpers(tree, rest, also, skip))
    for helper, part in parts.items():
        whose = f"the definition of {helper}, which it uses," if helper else "its cell"
        if why := _in_part(part, rest, forbid, whose, skip or ()):
            return f"{name}: {why}{instead}"
    return ""


def _in_part(
    tree: ast.Module, rest: Sequence[ast.Module], forbid: Sequence[str], whose: str, own: Collection[str]
) -> str:
    known, bound = known_names(tree, rest)
    used = (use for use in uses(tree, known, bound) if use.name not in own)
    hits = [use for use in used if is_off_limits(use.name, forbid)]
    if hits:
        hit = max((use for use in hits if use.line == hits[0].line), key=lambda use: len(use.name))
        what = f"the method {hit.name}" if hit.name.startswith(".") else hit.name
        return f"line {hit.line} of {whose} uses {what}, which is off limits in this exercise."
    evasion = next(evasions(tree, known), None)
    return f"line {evasion.line} of {whose} {evasion.does}" if evasion else ""


# Helpers


def _helpers(
    tree: ast.Module, cells: Sequence[ast.Module], also: Sequence[str], skip: Collection[str]
) -> dict[str, ast.Module]:
    """All statements that give names which the cell looks up a meaning, and what these look up."""
    given: dict[str, list[ast.stmt]] = {}
    for statement in (one for cell in cells for one in cell.body):
        for name in _gives(statement):
            given.setdefault(name, []).append(statement)
    found: dict[str, ast.Module] = {}
    wanted = _looked_up(tree) | set(also)
    while new := wanted & set(given) - set(found) - set(skip):
        for name in sorted(new):
            found[name] = ast.Module(given[name], [])
            wanted |= _looked_up(found[name])
    return found


@lru_cache(maxsize=1024)
def _gives(statement: ast.stmt) -> frozenset[str]:
    """What a top-level statement gives a meaning, imports aside: those are known anyway."""
    if isinstance(statement, DEFINED):
        return frozenset({statement.name})
    names = (node for node in nodes_of(statement) if isinstance(node, ast.Name))
    return frozenset(name.id for name in names if isinstance(name.ctx, ast.Store))


@lru_cache(maxsize=256)
def _looked_up(tree: ast.Module) -> set[str]:
    """Global names that the code looks up, in its functions too."""
    try:
        top = symtable.symtable(ast.unparse(tree), "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return set()
    names = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    inner = list(top.get_children())
    for scope in inner:
        names |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
        inner += scope.get_children()
    return names


# Evasions


@dataclass(frozen=True)
class Evasion:
    """A way round the names. does: the rest of a sentence that begins with its line."""

    does: str
    line: int


def evasions(tree: ast.Module, known: Names) -> Iterator[Evasion]:
    """Names that the code works out, and modules of the course that it hands on."""
    nodes = nodes_of(tree)
    read: set[ast.expr] = {value for _, value in assignments(nodes)}  # of these, what is taken can be read
    read |= {node.value for node in nodes if isinstance(node, ast.Attribute)}
    read |= {node.func for node in nodes if isinstance(node, ast.Call)}  # may be called like its module
    for node in nodes:
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = {name.rpartition(".")[2] for name in dotted(node.func, known)}
        if called & {"__import__", "import_module"} and not text_in(node.args[0]):
            yield Evasion("imports a module whose name it works out; write the import out.", node.lineno)
        if "getattr" in called and len(node.args) > 1:
            read.add(node.args[0])
            of = next((name for name in dotted(node.args[0], known) if _is_imported(name, known)), "")
            if of and not text_in(node.args[1]):
                yield Evasion(f"asks {of} for a name that it works out; write the name out.", node.lineno)
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute) and node not in read and isinstance(node.ctx, ast.Load):
            of = next(filter(_is_course_module, sorted(dotted(node, known))), "")
            if of:
                yield Evasion(f"hands on all of {of}; take what it needs by name.", node.lineno)


def _is_imported(name: str, known: Names) -> bool:
    first = name.partition(".")[0]
    return any(value.partition(".")[0] == first for values in known.values() for value in values)


def _is_course_module(name: str) -> bool:
    first, *path = name.split(".")
    home = _COURSE.joinpath(*path)
    return first == _COURSE.name and (home.is_dir() or home.with_suffix(".py").is_file())
