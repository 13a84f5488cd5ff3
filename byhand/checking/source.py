"""Which library calls a cell makes, read from its text: aliases of imports are resolved.

    F.softmax, torch.nn.functional.softmax, from torch.nn.functional import softmax as s,
    getattr(F, "softmax") and __import__("torch").softmax are all found as …softmax.

Where there is a rule, what the course keeps for itself is off limits, too: its checks' own references, its
private modules. What cannot be read is in evasions.py.
Order: parse (cells are not quite Python), uses (what is called), names (what aliases mean).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

_RUN_MAGIC = re.compile(r"^(\s*(?:[\w., ]+=\s*)?)%(?:time|prun)\b(?:\s+-\w+)*[ \t]+(?=\S)")  # runs the rest
_GIVEN_BY_MAGIC = re.compile(r"^(\s*[\w., ]+=\s*)%")
_MAGIC = re.compile(r"^(\s*)(?:[%!?]|[\w., ]+=\s*!|[\w.]+\?{1,2}\s*$)")
_INDENT = re.compile(r"\n*([ \t]+)")
_PROMPT = re.compile(r"^\s*(?:>>>|\.\.\.+:?|In \[\d+\]:)(?: |$)", re.MULTILINE)
DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_DEPTH = 8
_MOST = 64  # what one name may stand for; `x = x.T` again and again would have no end
_RUNS_TEXT = {f"{home}{name}" for home in ("", "builtins.") for name in ("eval", "exec", "compile")}
_LOOKS_INSIDE = (  # of anything, for what is in it; or runs what is text or bytes here
    "sys.modules", "gc.", "inspect.", "pkgutil.", "runpy.", "ctypes.", "__main__.", "__builtins__.",
    ".__subclasses__", ".__globals__", ".__getattribute__", ".f_globals", ".f_builtins",
    "operator.attrgetter", "operator.methodcaller", "get_ipython", "CompilationUnit", "pickle.", "marshal.",
)  # fmt: skip
_OF_CHECKS = re.compile(r"byhand\.((checking|parts|probes)\b|(.*\.)?_)")  # what is right, and how it is made


@dataclass(frozen=True)
class Use:
    """A library name used in a cell. name: dotted and resolved, torch.nn.functional.softmax."""

    name: str
    line: int


Names = dict[str, set[str]]


@lru_cache(maxsize=256)  # grading asks about the same few cells again and again
def parse(text: str) -> ast.Module | SyntaxError:
    """The cell's syntax tree; lines of IPython's own (%magic, !command, name?) count as `pass`.

    What %time and %prun run is read; what another magic gives counts as IPython's.
    """
    text = _unprompted(text.replace("\r\n", "\n"))
    try:
        return _parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        lines = "\n".join(map(_as_python, text.split("\n")))
    try:
        return _parsed(lines)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxError(str(error))


def _unprompted(text: str) -> str:
    """The cell as IPython reads it: without the indent of its first line, and without prompts."""
    if indent := _INDENT.match(text):
        text = re.sub(f"^{indent[1]}", "", text, flags=re.MULTILINE)
    return _PROMPT.sub("", text) if _PROMPT.match(text) else text


def _parsed(text: str) -> ast.Module:
    tree = ast.parse(text)
    vars(tree)["text"] = text
    return tree


def text_of(tree: ast.Module) -> str:
    """The text of which parse made the tree; of another tree one that Python reads alike."""
    return vars(tree).get("text") or ast.unparse(tree)


def _as_python(line: str) -> str:
    if _RUN_MAGIC.match(line):
        return _RUN_MAGIC.sub(r"\1", line)
    if _GIVEN_BY_MAGIC.match(line):
        return _GIVEN_BY_MAGIC.sub(r"\1get_ipython()  #", line)
    return _MAGIC.sub(r"\1pass  #", line) if _MAGIC.match(line) else line


@lru_cache(maxsize=1024)
def nodes_of(tree: ast.AST) -> tuple[ast.AST, ...]:
    """All nodes of a tree that nobody changes, walked once: each rule of a submission asks anew."""
    if isinstance(tree, ast.Module):
        return (tree, *(node for statement in tree.body for node in nodes_of(statement)))
    return tuple(ast.walk(tree))


def is_off_limits(name: str, forbid: Sequence[str]) -> bool:
    return name in _RUNS_TEXT or bool(_OF_CHECKS.match(name)) or _is_any(name, (*forbid, *_LOOKS_INSIDE))


def _is_any(name: str, entries: Sequence[str]) -> bool:
    """An entry ends the dotted name; ".softmax" wants something before it, "scipy." is all of scipy, and one
    with a star is a pattern of the whole name: "*.*softmax*"."""
    for entry in entries:
        if "*" in entry:
            hit = fnmatchcase(name, entry)
        elif entry.endswith("."):
            hit = f"{name}.".startswith(entry)
        else:
            hit = name.endswith(entry) if entry.startswith(".") else f".{name}".endswith(f".{entry}")
        if hit:
            return True
    return False


# What is called


def uses(tree: ast.Module, known: Names, bound: set[str]) -> list[Use]:
    """Every dotted name the cell uses or imports, by line. known, bound: known_names of it."""
    found = {use for node in nodes_of(tree) for use in _uses_of(node, known, bound)}
    return sorted(found, key=lambda use: (use.line, use.name))


def known_names(tree: ast.Module, others: Sequence[ast.Module]) -> tuple[Names, set[str]]:
    """What names stand for in the cell, and which of them the cell itself gives a meaning."""
    nodes = nodes_of(tree)
    bound = bound_in(nodes)
    known = {name: set(values) for name, values in _names(tree).items()}
    for other in others:
        for name, values in _names(other).items():
            if name not in bound:
                known.setdefault(name, set()).update(values)
    theirs = assignments(part for other in others for part in other.body)
    _follow(known, [*assignments(nodes), *((name, value) for name, value in theirs if name not in bound)])
    return known, bound


def _uses_of(node: ast.AST, known: Names, bound: set[str]) -> Iterator[Use]:
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Import | ast.ImportFrom):
        for name in imported(node).values():
            yield Use(name, line)
    elif isinstance(node, ast.Match):
        for name in _taken_by_match(node, known):
            yield Use(name, node.lineno)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        if node.id in known or node.id not in bound:
            for name in dotted(node, known):
                yield Use(name, line)
    elif isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        for name in dotted(node, known):
            yield Use(name, line)


def _taken_by_match(node: ast.Match, known: Names) -> Iterator[str]:
    """torch.softmax of `match torch: case object(softmax=f)`, and .softmax where the subject is unknown."""
    taken = [
        part for case in node.cases for part in ast.walk(case.pattern) if isinstance(part, ast.MatchClass)
    ]
    parts = [part for part in ast.walk(node.subject) if isinstance(part, ast.expr)]
    homes = {""}.union(*(dotted(part, known) for part in parts))
    yield from (f"{home}.{name}" for part in taken for name in part.kwd_attrs for home in homes)


# Names


@lru_cache(maxsize=256)
def _names(tree: ast.Module) -> Names:
    """What imported and assigned names stand for: {"F": {"torch.nn.functional"}}; "*" holds star imports."""
    names: Names = {}
    nodes = nodes_of(tree)
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias, name in imported(node).items():
                names.setdefault(alias, set()).add(name)
    if starred := stars(tree):
        names["*"] = set(starred)
    _follow(names, list(assignments(nodes)))
    return names


def stars(tree: ast.AST) -> list[str]:
    """The modules of which the code imports everything."""
    imports = (node for node in nodes_of(tree) if isinstance(node, ast.ImportFrom))
    return [node.module or "" for node in imports if node.names[0].name == "*"]


def _follow(names: Names, assigned: Sequence[tuple[str, ast.expr]]) -> None:
    """Let assigned names stand for what they were given."""
    for _ in range(_DEPTH if assigned else 0):
        before = sum(map(len, names.values()))
        for target, value in assigned:
            values = {name for name in dotted(value, names) if "." in name}
            if values and len(names.get(target, ())) < _MOST:
                names.setdefault(target, set()).update(values)
        if sum(map(len, names.values())) == before:
            break


def imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        return {part.asname or part.name: f"{module}.{part.name}" for part in node.names if part.name != "*"}
    return {
        part.asname or part.name.split(".")[0]: part.name if part.asname else part.name.split(".")[0]
        for part in node.names
    }


def assignments(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
                elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = zip(target.elts, node.value.elts, strict=False)
                    yield from ((left.id, right) for left, right in pairs if isinstance(left, ast.Name))
        elif isinstance(node, ast.NamedExpr | ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield from [(node.target.id, node.value)] if node.value else []


def bound_in(nodes: Iterable[ast.AST]) -> set[str]:
    """Names the cell itself gives a meaning: definitions, arguments, assignments."""
    bound: set[str] = set()
    for node in nodes:
        if isinstance(node, DEFINED):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
    return bound


def dotted(node: ast.expr, names: Names, depth: int = 0) -> set[str]:
    """The dotted names an expression may stand for; `(…).softmax` on an unknown object is ".softmax"."""
    if depth > 4 * _DEPTH:
        return set()
    if isinstance(node, ast.Name):
        stars = {f"{module}.{node.id}" for module in names.get("*", ()) if node.id not in names}
        return names.get(node.id, {node.id}) | stars
    if isinstance(node, ast.NamedExpr):
        return dotted(node.value, names, depth + 1)
    part = ""
    base: ast.expr = node
    if (item := item_of(node)) and is_own_names(item[0]):
        return dotted(ast.Name(item[1]), names, depth + 1)  # globals()["name"]
    if isinstance(node, ast.Attribute):
        base, part = node.value, node.attr
    elif item and (owner := namespace(item[0])) is not None:
        base, part = owner, item[1]
    elif isinstance(node, ast.Call) and node.args:
        called = {name.rpartition(".")[2] for name in dotted(node.func, names, depth + 1)}
        if called & {"__import__", "import_module"}:
            return {text_in(node.args[0])} - {""}
        if "getattr" in called and len(node.args) > 1:
            base, part = node.args[0], text_in(node.args[1])
    if not part:
        return set()
    bases = dotted(base, names, depth + 1) or {""}
    return {f"{name}.{part}" for name in bases}


def text_in(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def item_of(node: ast.AST) -> tuple[ast.expr, str] | None:
    """The x and "name" of x["name"] and x.get("name")."""
    if isinstance(node, ast.Subscript) and (name := text_in(node.slice)):
        return node.value, name
    called = node.func if isinstance(node, ast.Call) and node.args else None
    if isinstance(node, ast.Call) and isinstance(called, ast.Attribute) and called.attr == "get":
        return (called.value, name) if (name := text_in(node.args[0])) else None
    return None


def is_own_names(node: ast.AST) -> bool:
    """globals(), locals() and vars()"""
    called = node.func if isinstance(node, ast.Call) and not node.args else None
    return isinstance(called, ast.Name) and called.id in ("globals", "locals", "vars")


def namespace(node: ast.AST) -> ast.expr | None:
    """The x of vars(x) and x.__dict__."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "vars"
        and node.args
    ):
        return node.args[0]
    return node.value if isinstance(node, ast.Attribute) and node.attr == "__dict__" else None
