"""Which cells of a lesson its answers and tests depend on, so that grading need not draw every picture.

A lesson's own code cell is needed if a solution, a test, a cell of the learner's own or another needed
cell uses a name that it defines at top level. Read from the text alone; nothing is run.
Order: what a submission needs, what one answer touches, names in a cell.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from autograder.author.lesson import Cell
from byhand.checking.given import binds
from byhand.checking.helpers import looked_up_in

LONGEST = 50_000  # characters of a cell that is read; a longer one runs, whatever it uses
_PROSE = ("markdown", "written")
# By these any name can be reached.
_ANYTHING = {"eval", "exec", "globals", "locals", "vars", "builtins", "__main__", "get_ipython"}


@dataclass(frozen=True)
class _Facts:
    """What the text of a cell says. called: names whose methods it calls, which may change them.

    only_defines: it only imports, and binds names to functions, classes and values.
    own: names that it binds at its top level, anywhere in it. looked_up: global names, in its functions too.
    """

    imported: frozenset[str]
    bound: frozenset[str]
    called: frozenset[str]
    only_defines: bool
    own: frozenset[str]
    looked_up: frozenset[str]

    def defined(self, modules: set[str]) -> frozenset[str]:
        """Names that the cell binds at top level, and objects that it may change."""
        return self.imported | self.bound | (self.called - modules)


def needed(cells: Sequence[Cell], always: Collection[int] = ()) -> list[int]:
    """Places, in order, of the cells to run: solutions, tests, those in `always`, and what these use."""
    facts = {place: _facts(cell.source) for place, cell in enumerate(cells) if cell.kind not in _PROSE}
    if None in facts.values():  # magics, or a mistake: what such a cell uses cannot be read
        return list(facts)
    modules = {name for fact in facts.values() if fact for name in fact.imported}
    wanted: set[str] = set()
    places: set[int] = set()
    found = -1
    while found < len(places):  # a function may use what a later cell gives
        found = len(places)
        for place, fact in reversed(facts.items()):
            assert fact is not None
            if cells[place].kind != "code" or place in always or fact.defined(modules) & wanted:
                places.add(place)
                wanted |= used(cells[place].source, tests=cells[place].kind == "test")
    theirs = (fact for place, fact in facts.items() if place in always or cells[place].kind == "solution")
    return list(facts) if any(fact and fact.looked_up & _ANYTHING for fact in theirs) else sorted(places)


def touched(cells: Sequence[Cell], exercise: str) -> list[int]:
    """Places, in order, of the cells that can show what the answer to one exercise does.

    The tests that use it, also by way of other cells, and all that these tests use. Every needed cell,
    if the answer does more at top level than define names: what that changes cannot be read.
    """
    everything = needed(cells)
    facts = {place: fact for place in everything if (fact := _facts(cells[place].source)) is not None}
    answer = next(p for p in everything if cells[p].kind == "solution" and cells[p].grade_id == exercise)
    if len(facts) < len(everything) or not facts[answer].only_defines:
        return everything
    modules = {name for fact in facts.values() for name in fact.imported}
    changed: set[str] = set()
    tests: set[int] = set()
    for place in (p for p in everything if p >= answer):
        test = cells[place].kind == "test"
        if place == answer or used(cells[place].source, test) & changed:
            tests |= {place} if test else set()
            changed |= set() if test else facts[place].defined(modules)
    places = [p for p in everything if cells[p].kind != "test" or p in tests]
    as_code = [replace(cells[p], kind="code") if cells[p].kind == "solution" else cells[p] for p in places]
    return [places[at] for at in needed(as_code, {places.index(answer)})]


def _facts(source: str) -> _Facts | None:
    """None if the cell is not plain Python, or too long to be read."""
    return _read(source) if len(source) <= LONGEST else None


@lru_cache(maxsize=1024)  # most cells of a class are the lesson's own
def _read(source: str) -> _Facts | None:
    try:
        top = symtable.symtable(source, "<cell>", "exec")  # refuses some that ast accepts
        tree = ast.parse(source)
        looked_up = looked_up_in(top, tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    bound: set[str] = set()
    called: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(statement.name)
            continue
        bound |= _names(statement, ast.Store)
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called |= _names(node.func, ast.Load)
    only_defines = all(map(_defines, tree.body))
    imported = frozenset(_imported(tree)) if "import" in source else frozenset()
    own = frozenset(binds(top))
    return _Facts(imported, frozenset(bound), frozenset(called), only_defines, own, looked_up)


def _defines(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        return all(isinstance(target, ast.Name) for target in statement.targets)
    return isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom))


def used(source: str, tests: bool) -> frozenset[str]:
    """Global names that a cell looks up; a test's own names are its own, even in its functions.

    Raises: SyntaxError if the cell cannot be read.
    """
    facts = _facts(source)
    if facts is None:
        raise SyntaxError("not plain Python, or too long")
    return facts.looked_up - facts.own if tests else facts.looked_up


def _names(tree: ast.AST, context: type[ast.expr_context]) -> set[str]:
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {node.id for node in found if isinstance(node.ctx, context)}


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
