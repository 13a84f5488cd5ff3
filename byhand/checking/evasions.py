"""What a cell calls without naming it: by helpers in other cells, or in ways that cannot be read.

    forbidden("EncoderBlock", text, cells, forbid, allowed, Around(...))     "" or why the answer is refused

Refused are names that a cell works out or that nothing in the notebook gives, modules of the course that it
hands on as values, and modules that no library here has. A process that runs a stranger's code cannot be kept
from every way to a library; these are the short ones.
Order: forbidden, evasions. What other cells hold is found by helpers.py and given.py.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from byhand.checking.given import is_installed, unknown
from byhand.checking.helpers import Around, aliases, helpers, looked_up, root
from byhand.checking.source import (
    Names,
    assignments,
    dotted,
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
_PUTS = re.compile(  # ways to give a name a meaning that nobody reads
    r"builtins|__dict__|__main__|__globals__|f_globals|globals|locals|vars|ipython|exec|eval|setattr|import_module"
    r"|__import__|import \*|\bsys\b|\bgc\b|inspect|^\s*%(?!matplotlib|%?time)",
    re.MULTILINE,
)
_ASKS = ("getattr", "vars", "globals", "locals", "__import__")


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
    parts = {"": tree} | ({} if around is None else helpers(name, tree, rest, also, around))
    for helper, part in parts.items():
        whose = f"the definition of {helper}, which it uses," if helper else "its cell"
        whose = f"another cell, which defines {name} anew," if helper == name else whose
        own = around.exercises if around else ()  # none where nothing is graded
        if why := _in_part(part, rest, forbid, whose, own):
            return f"{name}: {why}{instead}"
        if own and (lost := _lost(part, [tree, *rest], others)):
            why = f"{whose} looks up {lost}, which no cell defines or imports; write it in a cell."
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
    others = chain.from_iterable(aliases(part).items() for part in rest)
    imports = {alias: name for alias, name in others if alias not in bound} | aliases(tree)
    ways = chain(evasions(tree, known, imports), _of_no_library(tree, imports) if own else ())
    evasion = next(ways, None)
    return f"line {evasion.line} of {whose} {evasion.does}" if evasion else ""


def _lost(tree: ast.Module, cells: Sequence[ast.Module], texts: Sequence[str]) -> str:
    """A name that no cell gives and that can be anything, "" if there is none.

    It can if some text may put names in place, or if IPython does; else nothing is there but a NameError.
    """
    lost = unknown(tree, cells)
    if lost and not any(isinstance(parse(text), SyntaxError) or _PUTS.search(text) for text in texts):
        lost = {name for name in lost if name.startswith("_") or name in ("In", "Out")}
    return min(lost, default="")


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
    return root(node) in imports and name in sys.modules


def _of_no_library(tree: ast.Module, imports: Mapping[str, str]) -> Iterator[Evasion]:
    """Modules that the cell imports or looks up and that were not installed here: files of the learner's."""
    for alias in sorted(looked_up(tree) & set(imports) | set(aliases(tree))):
        if (first := imports[alias].partition(".")[0]) and not is_installed(first):
            yield Evasion(f"uses {first}, a file and no library; write what it needs in a cell.", 1)
