"""What other cells of a submission give the names that an answer looks up: its helpers.

    helpers("softmax", tree, cells, also, around)     name -> the statements that give it a meaning

Order: what lies around a cell, helpers, what a statement gives, what code looks up. Names that nothing gives
are found by given.py.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from byhand.checking.handed import handed_on
from byhand.checking.source import (
    DEFINED,
    bound_in,
    imported,
    is_own_names,
    item_of,
    nodes_of,
    parse,
    stars,
    text_of,
)


@dataclass(frozen=True)
class Around:
    """What a submission holds around the cell that a rule reads.

    exercises: their names; what other cells call so is the learner's. skip: those of them whose definitions
    are not read. later: cells between the one that is read and its check, which may give its name anew.
    """

    exercises: Collection[str] = ()
    skip: Collection[str] = ()
    later: Sequence[str] = ()


def helpers(
    name: str, tree: ast.Module, cells: Sequence[ast.Module], also: Sequence[str], around: Around
) -> dict[str, ast.Module]:
    """All statements that give names which the cell looks up a meaning, and what these look up."""
    given: dict[str, list[ast.stmt]] = {}
    modules = {alias for cell in cells for alias in aliases(cell)}
    handed = handed_on([tree, *cells])
    for statement in (one for cell in cells for one in cell.body):
        gives, changes = _gives(statement)
        for one in gives | (changes.union(handed.by.get(statement, ())) - modules):
            given.setdefault(one, []).extend(_giving(statement, one))
    later = [statement for cell in _trees(around.later) for statement in _anew(cell, name)]
    earlier = given.get(name, []) if _before_it_is_defined(tree, name) else []
    found = {name: ast.Module([*earlier, *later], [])} if earlier or later else {}
    wanted = looked_up(tree).union(also, *map(looked_up, found.values()))
    while new := wanted & set(given) - set(found) - {name, *around.skip}:
        for one in sorted(new):
            found[one] = ast.Module(given[one], [])
            wanted |= looked_up(found[one]).union(handed.second.get(one, ()))
    return found


def _trees(texts: Sequence[str]) -> list[ast.Module]:
    return [tree for tree in map(parse, texts) if isinstance(tree, ast.Module)]


def _anew(cell: ast.Module, name: str) -> Iterator[ast.stmt]:
    """The statements of a later cell that may give this name another meaning; of a star import, the name."""
    for statement in cell.body:
        if name in _gives(statement)[0] or name in aliases(statement):
            yield statement
        elif stars(statement):
            looked_up = ast.copy_location(ast.Expr(ast.Name(name, ast.Load())), statement)
            yield from (statement, ast.fix_missing_locations(looked_up))


def _before_it_is_defined(tree: ast.Module, name: str) -> bool:
    """Whether the cell looks its own name up before it gives it a meaning: `old = softmax`."""
    for statement in tree.body:
        gives = name in _gives(statement)[0]
        for part in _run_at_once(statement):
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
    gives |= put_behind(nodes)
    put = [node for node in nodes if isinstance(getattr(node, "ctx", None), ast.Store)]
    put += [node.args[0] for node in nodes if isinstance(node, ast.Call) and node.args and _is_setattr(node)]
    called = [node.value for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    parts = {root(node) for node in put if not isinstance(node, ast.Name) or node.id}
    changes = {root(node.func) for node in called if isinstance(node.func, ast.Attribute)}
    if isinstance(statement, DEFINED):
        own = bound_in(nodes) - gives
        return frozenset({statement.name} | gives | (parts - own) - {""}), frozenset(changes - own - {""})
    named = {name for node in _in_scope(statement) if (name := _named(node))}
    return frozenset((gives | parts | named) - {""}), frozenset(changes - {""})


@lru_cache(maxsize=4096)
def _giving(statement: ast.stmt, name: str) -> Sequence[ast.stmt]:
    """The part of a statement that gives the name: of `if x: def name(): …` the definition alone."""
    if isinstance(statement, DEFINED):
        return [statement]
    nodes = [node for node in _in_scope(statement) if node is not statement]
    defined = [node for node in nodes if isinstance(node, DEFINED) and node.name == name]
    named = (node for node in nodes if isinstance(node, ast.Name) and node.id == name)
    return defined if defined and all(isinstance(node.ctx, ast.Load) for node in named) else [statement]


def put_behind(nodes: Sequence[ast.AST]) -> set[str]:
    """The x of builtins.x = …, globals()["x"] = … and globals().update(x=…)."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and root(node) == "builtins":
            found.add(node.attr)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            item = item_of(node)
            found |= {item[1]} if item and is_own_names(item[0]) else set()
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "update"
        ):
            found |= {part.arg for part in node.keywords if part.arg and is_own_names(node.func.value)}
    return found


def _in_scope(part: ast.AST) -> list[ast.AST]:
    """The nodes of a part that run where it stands: definitions in it, but nothing in a scope of its own."""
    nodes: list[ast.AST] = [part]
    for node in nodes:
        if isinstance(node, ast.Lambda):
            nodes += [default for default in (*node.args.defaults, *node.args.kw_defaults) if default]
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            bound = bound_in(part for one in node.generators for part in nodes_of(one.target))
            inner = (one for one in ast.walk(node) if isinstance(one, ast.Name))
            nodes += (one for one in inner if one.id not in bound)  # the scope around may have to give it
        elif not isinstance(node, DEFINED):
            nodes += ast.iter_child_nodes(node)
    return nodes


def _named(node: ast.AST) -> str | None:
    """The name that a definition, an except or a case binds, which is no node of its own."""
    if isinstance(node, (*DEFINED, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        return node.name
    return node.rest if isinstance(node, ast.MatchMapping) else None


def _is_setattr(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in ("setattr", "delattr")


def root(node: ast.AST) -> str:
    """The x of x, x.y and x[0].y"""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


@lru_cache(maxsize=1024)
def aliases(tree: ast.AST) -> dict[str, str]:
    """What the imports in it bind, and to what."""
    imports = (node for node in nodes_of(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    return {alias: name for node in imports for alias, name in imported(node).items()}


@lru_cache(maxsize=256)
def looked_up(tree: ast.Module) -> frozenset[str]:
    """Global names that the code looks up, in its functions and classes too, and by globals()["name"]."""
    return looked_up_outside_classes(tree) | _read_in_classes(tree)


@lru_cache(maxsize=256)
def looked_up_outside_classes(tree: ast.Module) -> frozenset[str]:
    """The same without what the bodies of classes read, which they may have bound themselves."""
    table, nodes = table_of(tree), nodes_of(tree)
    read = (node for node in nodes if isinstance(getattr(node, "ctx", ast.Load()), ast.Load))
    asked = {item for node in read if (item := item_of(node)) and is_own_names(item[0])}
    local = bound_in(nodes)  # of a function's locals() these may be
    names = {name for whole, name in asked if name not in local or ast.unparse(whole) == "globals()"}
    return frozenset(names | _by_scopes(table, tree) if table else names)


@lru_cache(maxsize=256)
def table_of(tree: ast.Module) -> symtable.SymbolTable | None:
    try:
        return symtable.symtable(text_of(tree), "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return None


def looked_up_in(top: symtable.SymbolTable, tree: ast.Module) -> frozenset[str]:
    """Global names that code looks up, in its functions and classes too. top: the table of its top level."""
    return frozenset(_by_scopes(top, tree) | _read_in_classes(tree))


def _by_scopes(top: symtable.SymbolTable, tree: ast.Module) -> set[str]:
    names = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()} & _read_in(tree)
    inner = list(top.get_children())
    for scope in inner:
        names |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
        inner += scope.get_children()
    return names | {name for statement in tree.body for name in _changed(statement)}


def _read_in_classes(tree: ast.Module) -> set[str]:
    """Names that bodies of classes may look up before they bind them; what they never bind, scopes tell."""
    classes = [node for node in nodes_of(tree) if isinstance(node, ast.ClassDef)]
    return {name for one in classes for name in _read_in(one) & _bound_in_body(one)}


def _bound_in_body(body: ast.ClassDef) -> set[str]:
    nodes = [node for statement in body.body for node in _in_scope(statement)]
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    imports = (node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))
    return names.union(*map(imported, imports), (name for node in nodes if (name := _named(node))))


def _read_in(body: ast.ClassDef | ast.Module) -> set[str]:
    """Names that a body may look up before it binds them itself: `helper = helper` in a class."""
    read: set[str] = set()
    bound: set[str] = set()
    for statement in body.body:
        parts = _run_at_once(statement)
        names = [node for part in parts for node in _in_scope(part) if isinstance(node, ast.Name)]
        looped = _looped(statement)
        loaded = {node.id for node in names if not isinstance(node.ctx, ast.Store) and node not in looped}
        read |= (loaded | _changed(statement)) - bound
        bound -= {node.id for node in names if isinstance(node.ctx, ast.Del)}
        if isinstance(statement, DEFINED):
            bound.add(statement.name)
        elif isinstance(statement, ast.Assign):
            bound |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
        elif isinstance(statement, ast.AnnAssign) and statement.value:
            bound |= {statement.target.id} if isinstance(statement.target, ast.Name) else set()
    return read


def _looped(statement: ast.stmt) -> set[ast.AST]:
    """Where the body of a loop names what the loop binds."""
    if not isinstance(statement, ast.For):
        return set()
    bound = bound_in(nodes_of(statement.target))
    nodes = (node for one in statement.body for node in nodes_of(one))
    return {node for node in nodes if isinstance(node, ast.Name) and node.id in bound}


def _run_at_once(statement: ast.stmt) -> list[ast.AST]:
    """The parts of a statement that run when it does: of a definition all but its body."""
    if isinstance(statement, ast.ClassDef):
        return [*statement.bases, *statement.keywords, *statement.decorator_list]
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return [part for part in (statement.args, statement.returns, *statement.decorator_list) if part]
    return [statement]


def _changed(statement: ast.stmt) -> set[str]:
    """Names that `x += …` and `del x` look up, those in definitions aside."""
    found = (node for node in _in_scope(statement) if isinstance(node, ast.AugAssign | ast.Delete))
    return {part.id for node in found for part in ast.iter_child_nodes(node) if isinstance(part, ast.Name)}
