"""The command `byhand`, for learners: one verb per module, each with add_parser(subparsers) and run.

    byhand lab                 open JupyterLab on the lesson where you left off
    byhand progress            which exercises pass
    byhand data                fetch the texts of lessons 06 to 08, once
    byhand doctor              what works on this machine

Exit status: 0 done, 1 something needed does not work, 2 the command could not do its work.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence

# Verb -> the module that offers it. Only the module of the verb that was typed is imported.
VERBS = {
    "lab": "byhand.lab",
    "progress": "byhand.progress",
    "data": "byhand.data.command",
    "doctor": "byhand.doctor",
}


class UserError(Exception):
    """What a user can mend; the message says what, where, and the next step."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Prints a sentence, never a traceback, for what a user can cause."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    verb = typed[0] if typed and not typed[0].startswith("-") else ""
    try:
        if verb and verb not in VERBS:
            raise UserError(
                f"no command is called {verb}.{suggest(verb, VERBS)}\n  Commands: {', '.join(VERBS)}."
            )
        options = parser(verb).parse_args(typed)
        status: int = options.run(options)
        return status
    except (UserError, OSError) as error:
        print(f"byhand: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("byhand: stopped.", file=sys.stderr)
        return 2


def parser(verb: str) -> argparse.ArgumentParser:
    """The command line of one verb, or of all."""
    made = argparse.ArgumentParser(
        prog="byhand", description="Learn attention by writing it.", epilog="example: byhand lab"
    )
    subparsers = made.add_subparsers(required=True, metavar="COMMAND")
    for module in [VERBS[verb]] if verb else VERBS.values():
        importlib.import_module(module).add_parser(subparsers)
    return made


def suggest(word: str, known: Sequence[str] | dict[str, str]) -> str:
    """' Did you mean …?' or ''."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


if __name__ == "__main__":
    from byhand.cli import main as once  # not this copy, whose UserError the verbs do not know

    sys.exit(once())
