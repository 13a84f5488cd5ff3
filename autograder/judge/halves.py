"""A test cell in two halves: the visible checks, and the hidden ones that go on where those stopped.

    code = halves(source, "test_softmax")     exec(code, names)     run = names.pop(NAME)()
    next(run, None): the visible half         next(run, None): the hidden half

The cell becomes a generator that stops at `### BEGIN HIDDEN TESTS`; names that it binds stay global. So
no visible check runs twice, and none of a learner's answers is asked for twice.
Order: the visible part as text, halves.
"""

from __future__ import annotations

import ast
import inspect
import re
import symtable
from functools import lru_cache
from types import CodeType

from byhand.checking.given import binds

NAME = "__halves__"
_HIDDEN = re.compile(
    r"^([ \t]*)### BEGIN HIDDEN TESTS$(.*?)^[ \t]*### END HIDDEN TESTS$", re.MULTILINE | re.DOTALL
)


def visible_part(source: str) -> str:
    """The test cell without its hidden checks, lines where they were."""
    return _HIDDEN.sub(lambda found: f"{found[1]}pass" + "\n" * found[0].count("\n"), source)


@lru_cache(maxsize=256)
def halves(source: str, name: str) -> CodeType | None:
    """What defines the generator NAME; None for a cell that cannot be halved: it has no hidden part, or
    something after it, or hides it in a function."""
    found = _HIDDEN.search(source)
    if found is None or source[found.end() :].strip():
        return None
    text = f"{source[: found.start()]}{found[1]}yield{found[2]}"
    try:
        tree = ast.parse(text)
        run = ast.parse(f"def {NAME}(): pass").body[0]
        assert isinstance(run, ast.FunctionDef)
        names = sorted(binds(symtable.symtable(source, "<cell>", "exec")))
        run.body = [*([ast.Global(names)] if names else []), *tree.body]
        code = compile(ast.fix_missing_locations(ast.Module([run], [])), f"<{name}>", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return None
    (inner,) = [part for part in code.co_consts if isinstance(part, CodeType)]
    return code if inner.co_flags & inspect.CO_GENERATOR else None
