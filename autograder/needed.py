"""Which cells of a lesson its answers and tests depend on, so that grading need not draw every picture.

A lesson's own code cell is needed if a solution, a test, a cell of the learner's own or another needed
cell uses a name that it defines at top level. Read from the text alone; nothing is run.
Order: what a submission needs, what one answer touches, names in a cell.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from autograder.lesson import Cell

_PROSE = ("markdown", "written")


def needed(cells: Sequence[Cell], always: Collection[int] = ()) -> list[int]:
    """Places, in order, of the cells to run: solutions, tests, those in `always`, and what these use."""
    trees = {place: _parsed(cell) for place, cell in enumerate(cells) if cell.kind not in _PROSE}
    if None in trees.values():  # magics, or a mistake: what such a cell uses cannot be read
        return list(trees)
    modules = {name for tree in trees.values() if tree for name in _imported(tree)}
    wanted: set[str] = set()
    places: list[int] = []
    for place, tree in reversed(trees.items()):
        assert tree is not None
        if cells[place].kind != "code" or place in always or _defined(tree, modules) & wanted:
            places.append(place)
            wanted |= _used(cells[place].source, tests=cells[place].kind == "test")
    return places[::-1]


def touched(cells: Sequence[Cell], exercise: str) -> list[int]:
    """Places, in order, of the cells that can show what the answer to one exercise does.

    The tests that use it, also by way of other cells, and all that these tests use. Every needed cell,
    if the answer does more at top level than define names: what that changes cannot be read.
    """
    everything = needed(cells)
    trees = {place: _parsed(cells[place]) for place in everything}
    answer = next(p for p in everything if cells[p].kind == "solution" and cells[p].grade_id == exercise)
    if not all(trees.values()) or not _only_defines(trees[answer]):
        return everything
    modules = {name for tree in trees.values() if tree for name in _imported(tree)}
    changed: set[str] = set()
    tests: set[int] = set()
    for place in (p for p in everything if p >= answer):
        test, tree = cells[place].kind == "test", trees[place]
        assert tree is not None
        if place == answer or _used(cells[place].source, test) & changed:
            tests |= {place} if test else set()
            changed |= set() if test else _defined(tree, modules)
    others = {p for p in everything if cells[p].kind == "test"} - tests
    shown = [replace(cells[p], kind="code" if cells[p].kind == "solution" else cells[p].kind)
             for p in everything if p not in others]  # fmt: skip
    places = [p for p in everything if p not in others]
    return [places[at] for at in needed(shown, {places.index(answer)})]


def _only_defines(tree: ast.Module | None) -> bool:
    """Whether a cell only imports, and binds names to functions, classes and values."""
    simple = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    return tree is not None and all(
        isinstance(statement, simple)
        or (isinstance(statement, ast.Assign) and all(isinstance(t, ast.Name) for t in statement.targets))
        for statement in tree.body
    )


def _parsed(cell: Cell) -> ast.Module | None:
    """The cell's syntax tree, None if it is not plain Python."""
    try:
        symtable.symtable(cell.source, "<cell>", "exec")  # refuses some that ast accepts
        return ast.parse(cell.source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _defined(tree: ast.Module, modules: set[str]) -> set[str]:
    """Names that a cell binds at top level, and objects whose methods it calls, which may change them."""
    bound: set[str] = set(_imported(tree))
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(statement.name)
            continue
        bound |= _names(statement, ast.Store)
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                bound |= _names(node.func, ast.Load) - modules
    return bound


def _used(source: str, tests: bool) -> set[str]:
    """Global names that a cell looks up; a test's own names are its own, even in its functions."""
    top = symtable.symtable(source, "<cell>", "exec")
    names = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    inner = list(top.get_children())
    for scope in inner:
        names |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
        inner += scope.get_children()
    own = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    return names - own if tests else names


def _names(tree: ast.AST, context: type[ast.expr_context]) -> set[str]:
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {node.id for node in found if isinstance(node.ctx, context)}


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
