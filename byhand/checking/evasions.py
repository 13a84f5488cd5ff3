"""What a cell calls without naming it: by helpers in other cells, or in ways that cannot be read.

    forbidden("EncoderBlock", text, cells, forbid, allowed, Around(...))     "" or why the answer is refused

Refused are names that a cell works out, modules of the course that it hands on as values, and modules that
no library here has. A process that runs a stranger's code cannot be kept from every way to a library; these
are the short ones.
Order: forbidden, helpers, what a statement gives, evasions.
"""

from __future__ import annotations

import ast
import importlib.util
import symtable
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

from byhand.checking.source import (
    DEFINED,
    Names,
    assignments,
    bound_in,
    dotted,
    imported,
    is_off_limits,
    is_own_names,
    item_of,
    known_names,
    namespace,
    nodes_of,
    parse,
    text_in,
    uses,
)

_COURSE = Path(__file__).parents[1]
_ASKS = ("getattr", "vars", "globals", "locals", "__import__")


@dataclass(frozen=True)
class Around:
    """What a submission holds around the cell that a rule reads.

    exercises: their names; what other cells call so is the learner's. skip: those of them whose definitions
    are not read. later: cells between the one that is read and its check, which may give its name anew.
    """

    exercises: Collection[str] = ()
    skip: Collection[str] = ()
    later: Sequence[str] = ()


def forbidden(
    name: str,
    text: str,
    others: Sequence[str],
    forbid: Sequence[str],
    allowed: str | None = None,
    around: Around | None = None,
    also: Sequence[str] = (),
) -> str:
    """'' or the first use of a forbidden name in the cell `text`, with its line and what is allowed.

    The meaning of all names that the cell looks up is read, too, and that of `also`. around None: only the
    cell itself is read.
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
    parts = {"": tree} | ({} if around is None else _helpers(name, tree, rest, also, around))
    for helper, part in parts.items():
        whose = f"the definition of {helper}, which it uses," if helper else "its cell"
        whose = f"another cell, which defines {name} anew," if helper == name else whose
        if why := _in_part(part, rest, forbid, whose, around.exercises if around else ()):
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
    imports = {alias: name for part in (*rest, tree) for alias, name in _aliases(part).items()}
    imports = {
        alias: name for alias, name in imports.items() if alias in _aliases(tree) or alias not in bound
    }
    ways = chain(evasions(tree, known, imports), _of_no_library(tree, imports) if own else ())
    evasion = next(ways, None)
    return f"line {evasion.line} of {whose} {evasion.does}" if evasion else ""


# Helpers


def _helpers(
    name: str, tree: ast.Module, cells: Sequence[ast.Module], also: Sequence[str], around: Around
) -> dict[str, ast.Module]:
    """All statements that give names which the cell looks up a meaning, and what these look up."""
    given: dict[str, list[ast.stmt]] = {}
    modules = {alias for cell in cells for alias in _aliases(cell)}
    for statement in (one for cell in cells for one in cell.body):
        gives, changes = _gives(statement)
        for one in gives | (changes - modules):
            given.setdefault(one, []).append(statement)
    later = [statement for cell in _trees(around.later) for statement in _anew(cell, name)]
    earlier = given.get(name, []) if _before_it_is_defined(tree, name) else []
    found = {name: ast.Module([*earlier, *later], [])} if earlier or later else {}
    wanted = _looked_up(tree).union(also, *map(_looked_up, found.values()))
    while new := wanted & set(given) - set(found) - {name, *around.skip}:
        for one in sorted(new):
            found[one] = ast.Module(given[one], [])
            wanted |= _looked_up(found[one])
    return found


def _trees(texts: Sequence[str]) -> list[ast.Module]:
    return [tree for tree in map(parse, texts) if isinstance(tree, ast.Module)]


def _anew(cell: ast.Module, name: str) -> Iterator[ast.stmt]:
    """The statements of a later cell that may give this name another meaning; of a star import, the name."""
    for statement in cell.body:
        if name in _gives(statement)[0] or name in _aliases(statement):
            yield statement
        elif any(
            isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in nodes_of(statement)
        ):
            looked_up = ast.copy_location(ast.Expr(ast.Name(name, ast.Load())), statement)
            yield from (statement, ast.fix_missing_locations(looked_up))


def _before_it_is_defined(tree: ast.Module, name: str) -> bool:
    """Whether the cell looks its own name up before it gives it a meaning: `old = softmax`."""
    for statement in tree.body:
        gives = name in _gives(statement)[0]
        parts: list[ast.AST] = [statement]
        if isinstance(statement, ast.ClassDef):
            parts = [*statement.bases, *statement.keywords, *statement.decorator_list]
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            parts = [statement.args, *statement.decorator_list]
        for part in parts:
            names = (node for node in nodes_of(part) if isinstance(node, ast.Name) and node.id == name)
            if any(isinstance(node.ctx, ast.Load) for node in names):
                return True
        if gives:
            return False
    return False


# What a statement gives


@lru_cache(maxsize=1024)
def _gives(statement: ast.stmt) -> tuple[frozenset[str], frozenset[str]]:
    """Names that a top-level statement gives a meaning, parts of what they stand for included, imports aside:
    those are known anyway. And names whose methods it calls for what that changes."""
    nodes = nodes_of(statement)
    gives = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    put = [node for node in nodes if isinstance(getattr(node, "ctx", None), ast.Store)]
    put += [node.args[0] for node in nodes if isinstance(node, ast.Call) and node.args and _is_setattr(node)]
    called = [node.value for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    parts = {_root(node) for node in put if not isinstance(node, ast.Name) or node.id}
    changes = {_root(node.func) for node in called if isinstance(node.func, ast.Attribute)}
    if isinstance(statement, DEFINED):
        own = bound_in(nodes) - gives
        return frozenset({statement.name} | gives | (parts - own) - {""}), frozenset(changes - own - {""})
    return frozenset((gives | parts) - {""}), frozenset(changes - {""})


def _is_setattr(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in ("setattr", "delattr")


def _root(node: ast.AST) -> str:
    """The x of x, x.y and x[0].y"""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


@lru_cache(maxsize=1024)
def _aliases(tree: ast.AST) -> dict[str, str]:
    """What the imports in it bind, and to what."""
    imports = (node for node in nodes_of(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    return {alias: name for node in imports for alias, name in imported(node).items()}


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


def evasions(tree: ast.Module, known: Names, imports: Mapping[str, str]) -> Iterator[Evasion]:
    """Names that the code works out, and modules that it hands on. imports: alias -> what it is."""
    nodes = nodes_of(tree)
    yield from _worked_out(nodes, known, imports)
    classes = [part for node in nodes if isinstance(node, ast.ClassDef) for part in node.body]
    read: set[ast.expr] = {value for _, value in assignments(nodes)}  # of these, what is taken can be read
    read -= {value for _, value in assignments(classes)}  # but not what a class holds
    read |= {node.value for node in nodes if isinstance(node, ast.Attribute)}
    read |= {node.func for node in nodes if isinstance(node, ast.Call)}  # may be called like its module
    calls = [node for node in nodes if isinstance(node, ast.Call) and node.args]
    read |= {node.args[0] for node in calls if _called(node, known) & {"getattr", "vars"}}
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute) and node not in read and isinstance(node.ctx, ast.Load):
            of = next((name for name in sorted(dotted(node, known)) if _is_module(name, node, imports)), "")
            if of:
                yield Evasion(f"hands on all of {of}; take what it needs by name.", node.lineno)


def _worked_out(nodes: Sequence[ast.AST], known: Names, imports: Mapping[str, str]) -> Iterator[Evasion]:
    plain: set[ast.AST] = {node.func for node in nodes if isinstance(node, ast.Call)}
    plain |= {item[0] for item in map(item_of, nodes) if item}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in _ASKS and node not in plain:
            yield Evasion(f"hands on {node.id}; write the names out.", node.lineno)
        whole = namespace(node)
        if node not in plain and (is_own_names(node) or (whole and _imported(whole, known, imports))):
            yield Evasion(
                "takes all names at once; write out those that it needs.", getattr(node, "lineno", 1)
            )
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = _called(node, known)
        if called & {"__import__", "import_module"} and not text_in(node.args[0]):
            yield Evasion("imports a module whose name it works out; write the import out.", node.lineno)
        asked = "getattr" in called and len(node.args) > 1 and not text_in(node.args[1])
        if asked and (of := _imported(node.args[0], known, imports)):
            yield Evasion(f"asks {of} for a name that it works out; write the name out.", node.lineno)


def _called(node: ast.Call, known: Names) -> set[str]:
    return {name.rpartition(".")[2] for name in dotted(node.func, known)}


def _imported(node: ast.expr, known: Names, imports: Mapping[str, str]) -> str:
    """What the expression stands for, if that comes from an import, else ''."""
    firsts = {name.partition(".")[0] for name in imports.values()}
    return next((name for name in sorted(dotted(node, known)) if name.partition(".")[0] in firsts), "")


def _is_module(name: str, node: ast.expr, imports: Mapping[str, str]) -> bool:
    first, *path = name.split(".")
    home = _COURSE.joinpath(*path)
    if first == _COURSE.name:
        return home.is_dir() or home.with_suffix(".py").is_file()
    return _root(node) in imports and name in sys.modules


def _of_no_library(tree: ast.Module, imports: Mapping[str, str]) -> Iterator[Evasion]:
    """Modules that the cell imports or looks up and that were not installed here: files of the learner's."""
    for alias in sorted(_looked_up(tree) & set(imports) | set(_aliases(tree))):
        if (first := imports[alias].partition(".")[0]) and not _is_installed(first):
            yield Evasion(f"uses {first}, a file and no library; write what it needs in a cell.", 1)


@lru_cache(maxsize=256)
def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # __main__ has none, either
        return module in ("__main__", "__future__")
