"""The command `autograder`: one verb per module, each with add_parser(subparsers) and a run function.

    autograder release 01_scoring        autograder lessons --check        autograder demo

Exit status: 0 done, 1 a check failed, 2 the command could not do its work.
Order of this file: the verbs, then main, then lesson names.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence

from autograder.author import lesson

# Verb -> the module that offers it. Only the module of the verb that was typed is imported.
VERBS = {
    "release": "autograder.author.release",
    "lessons": "autograder.author.release",
    "demo": "autograder.demo",
    "environment": "autograder.course",
    "grade": "autograder.grading.grade",
    "feedback": "autograder.feedback.generate",
    "replay": "autograder.grading.replay",
    "bench": "autograder.bench.grader",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Prints a sentence, never a traceback, for what a user can cause."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    verb = next((word for word in typed if not word.startswith("-")), "")
    try:
        if verb and verb not in VERBS:
            raise lesson.LessonError(f"no command is called {verb}.{suggest(verb, list(VERBS))}")
        options = _parser(verb).parse_args(typed)
        if hasattr(options, "lessons"):
            options.lessons = lesson_names(options.lessons)
        status: int = options.run(options)
        return status
    except lesson.LessonError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a folder that may not be written
        print(f"autograder: {error.strerror or error}: {error.filename or 'no file named'}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("autograder: stopped; what was finished is kept.", file=sys.stderr)
        return 2


def _parser(verb: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="autograder",
        description="Release lessons, grade submissions, return feedback.",
        epilog="example: autograder release 01_scoring",
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    modules = [VERBS[verb]] if verb else list(dict.fromkeys(VERBS.values()))
    for module in modules:
        importlib.import_module(module).add_parser(subparsers)
    return parser


def lesson_names(typed: Sequence[str], known: Sequence[str] | None = None) -> list[str]:
    """The lessons meant; all if none is named. Raises LessonError for a name that is not a lesson."""
    known = lesson.names() if known is None else known
    for name in typed:
        if name not in known:
            listed = ", ".join(known) or "none yet"
            raise lesson.LessonError(
                f"no lesson is called {name}.{suggest(name, known)}\n  Lessons: {listed}. Nothing was done."
            )
    return list(typed or known)


def suggest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


if __name__ == "__main__":
    sys.exit(main())
