"""Names that something in a notebook gives a meaning: a cell, an import, Python; and those that nothing does.

    unknown(tree, cells)     the first name that the code looks up and nothing gives, "" if there is none

Order: unknown, what a cell binds, which modules are libraries.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import sys
from collections.abc import Sequence
from functools import lru_cache

from byhand.checking.helpers import looked_up, put_behind, table_of
from byhand.checking.source import bound_in, nodes_of

_ALWAYS = {*vars(builtins), "display"}  # display is IPython's


def unknown(tree: ast.Module, cells: Sequence[ast.Module]) -> str:
    """The first name that the code looks up and that no cell, import or builtin gives, "" if there is none.

    Names that only annotations mention are left out, and those that classes bind somewhere.
    """
    nodes = nodes_of(tree)
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    own = bound_in(part for one in classes for part in nodes_of(one))
    given = own.union(_ALWAYS, *map(_binds, (tree, *cells)))
    if "*" in given:  # of a library that is not loaded here
        return ""
    lost = {name for name in looked_up(tree) - given if not name.startswith("__")}
    return min(lost - _only_annotated(nodes), default="") if lost else ""


@lru_cache(maxsize=256)
def _binds(tree: ast.Module) -> frozenset[str]:
    """Names that a cell binds at its top level or as global, those of its star imports too."""
    table = table_of(tree)
    scopes = [table] if table else []
    names: set[str] = set()
    for scope in scopes:
        symbols = (one for one in scope.get_symbols() if scope is table or one.is_declared_global())
        names |= {one.get_name() for one in symbols if one.is_assigned() or one.is_imported()}
        scopes += scope.get_children()
    for node in nodes_of(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and node.names[0].name == "*"
            and is_installed(node.module or ".")
        ):
            names |= set(dir(sys.modules[node.module])) if node.module in sys.modules else {"*"}
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
