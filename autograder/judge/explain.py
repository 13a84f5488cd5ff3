"""What an error in a test means: whose fault it is, and what the learner reads.

A test of a lesson passes with the lesson's own solution, so once an answer of the learner's code has
come back, an error in the test is taken as that answer's doing; before, it is the grader's fault, and so
are texts that are not on its machine.
"""

from __future__ import annotations

from autograder.author.lesson import Cell
from autograder.judge.questions import Gone, JudgePeer, RemoteError, clean
from autograder.verdict import Fault, Status
from autograder.wire.errors import Unsendable
from byhand import check
from byhand.data.sources import DataError

_OURS = (Unsendable, SyntaxError, ImportError, MemoryError, RecursionError, OSError)
_TOO_MUCH = (MemoryError, RecursionError)


def explained(cell: Cell, peer: JudgePeer, error: BaseException) -> tuple[Status, Fault, str]:
    """Whose fault an error in a test is, and what the learner reads."""
    if isinstance(error, Gone) or peer.gone is not None:
        reason = error.reason if isinstance(error, Gone) else str(peer.gone)
        if not peer.answers:
            return "unchecked", "learner", f"{cell.exercise} could not be checked: {reason}"
        return "failed", "learner", reason
    if isinstance(error, check.CheckFailed):
        return "failed", "learner", peer.scrubbed(str(error)) + _place(error.__cause__)
    if isinstance(error, RemoteError):
        notes = "".join(f"\n  {note}" for note in getattr(error, "__notes__", []))
        return "failed", "learner", _raised(error, peer.hidden) + notes
    if isinstance(error, AssertionError):
        lines = clean(str(error), 300).splitlines()
        return (
            "failed",
            "learner",
            peer.scrubbed(lines[0]) if lines else f"a check of {cell.exercise} fails.",
        )
    if isinstance(error, _TOO_MUCH) and peer.answers:
        said = f"{cell.exercise} could not be checked: what came back is too large or too deep to look at"
        return "unchecked", "learner", f"{said} ({type(error).__name__})."
    if isinstance(error, DataError):
        said = f"{cell.exercise} could not be checked: on the grader's machine, {clean(str(error), 500)}"
        return "unchecked", "grader", said
    if not isinstance(error, Exception) or isinstance(error, _OURS) or not peer.answers:
        return (
            "unchecked",
            "grader",
            f"{cell.grade_id}: {type(error).__name__}: {clean(str(error), 500)}",
        )
    text = "" if peer.hidden else f": {clean(str(error), 300)}"
    return (
        "failed",
        "learner",
        (f"{cell.exercise}: the check could not use what came back ({type(error).__name__}{text})."),
    )


def _raised(error: RemoteError, hidden: bool) -> str:
    """One sentence: which call raised which error, and where in the learner's cell."""
    what = error.origin.names[0] if hidden else _error_name(error)
    where = f" (line {error.line} of your cell {error.label})" if error.line else ""
    return f"{error.call} raised {what}{where}."


def _error_name(error: RemoteError) -> str:
    name, text = error.origin.names[0], clean(error.origin.text, 300)
    return f"{name}: {text}" if text else name


def error_text(error: RemoteError) -> str:
    where = f" (line {error.line})" if error.line else ""
    return f"{_error_name(error)}{where}"


def _place(cause: BaseException | None) -> str:
    """Where it happened, for a failed check that an error of the learner's code caused."""
    origin = getattr(cause, "origin", None)
    return f"\n  It happened in {origin.place}" if origin is not None and origin.place else ""
