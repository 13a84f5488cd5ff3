"""Names that something in a notebook gives a meaning: a cell, an import, Python; and those that nothing does.

    unknown(tree, cells)     the names that the code looks up and nothing gives

Order: unknown, what a cell binds, which modules are libraries.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import symtable
import sys
from collections.abc import Sequence
from functools import lru_cache

from byhand.checking.helpers import looked_up_outside_classes, put_behind, table_of
from byhand.checking.source import nodes_of, stars

_ALWAYS = {*vars(builtins), "display"}  # display is IPython's


def unknown(tree: ast.Module, cells: Sequence[ast.Module]) -> set[str]:
    """Names that the code looks up and that no cell, import or builtin gives.

    Names that only annotations mention are left out, and what bodies of classes read: they may have bound it.
    """
    given = _ALWAYS.union(*map(_binds, (tree, *cells)))
    if "*" in given:  # of a library that is not loaded here
        return set()
    lost = {name for name in looked_up_outside_classes(tree) - given if not name.startswith("__")}
    return lost - _only_annotated(nodes_of(tree)) if lost else lost


def binds(scope: symtable.SymbolTable) -> set[str]:
    """Names that a scope binds, anywhere in it; of a cell's top level those that it gives a meaning."""
    return {one.get_name() for one in scope.get_symbols() if one.is_assigned() or one.is_imported()}


@lru_cache(maxsize=256)
def _binds(tree: ast.Module) -> frozenset[str]:
    """Names that a cell binds at its top level or as global, those of its star imports too."""
    table = table_of(tree)
    names = binds(table) if table else set()
    inner = list(table.get_children()) if table else []
    for scope in inner:
        names |= {name for name in binds(scope) if scope.lookup(name).is_declared_global()}
        inner += scope.get_children()
    for module in filter(is_installed, stars(tree)):
        names |= set(dir(sys.modules[module])) if module in sys.modules else {"*"}
    return frozenset(names | put_behind(nodes_of(tree)))


@lru_cache(maxsize=256)
def is_installed(module: str) -> bool:
    """Whether a module, or the package that it is in, is one of this machine's libraries."""
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):  # __main__ has none, either
        return module in ("__main__", "__future__")


def _only_annotated(nodes: Sequence[ast.AST]) -> set[str]:
    parts = (
        part for node in nodes for part in (getattr(node, "annotation", None), getattr(node, "returns", None))
    )
    within = {node for part in parts if isinstance(part, ast.AST) for node in nodes_of(part)}
    names = [node for node in nodes if isinstance(node, ast.Name)]
    return {node.id for node in names if node in within} - {node.id for node in names if node not in within}
