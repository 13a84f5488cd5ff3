"""Make the learner's notebooks, and nbgrader's, from the sources in solutions/.

    solutions/NN/NN.py --cells--> course/source/NN/NN.ipynb   with solutions and hidden tests
                       --nbgrader's own clearing steps--> lessons/NN/NN.ipynb, what learners open

The steps are those of `nbgrader generate_assignment` without its database. The same source gives
the same bytes: cell ids come from the content, and no time or pairing metadata is written.
Order of this file: notebooks, the leak check, files, nbgrader's release, the two commands.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import v4
from nbgrader import preprocessors
from traitlets.config import Config

from autograder import course as courses
from autograder.author.lesson import LESSONS, MARKERS, SOLUTIONS, Cell, Lesson, LessonError, read
from autograder.nbgrader_config import teach

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# Later steps need what earlier ones leave; checksums change when the hidden tests go.
STEPS = (
    preprocessors.LockCells,
    preprocessors.ClearSolutions,
    preprocessors.ClearOutput,
    preprocessors.CheckCellMetadata,
    preprocessors.ComputeChecksums,
    preprocessors.ClearHiddenTests,
    preprocessors.ComputeChecksums,
    preprocessors.CheckCellMetadata,
)
TELLING = 20  # characters: shorter lines (`return out`) stand in many places and give nothing away


def source_notebook(lesson: Lesson) -> Any:
    """The lesson as nbgrader's source notebook, with solutions and hidden tests."""
    seen: Counter[str] = Counter()
    cells = []
    for cell in lesson.cells:
        node = _new_cell(cell)
        key = f"{lesson.name}\0{cell.kind}\0{cell.grade_id or cell.source}"
        node.id = hashlib.sha256(f"{key}\0{seen[key]}".encode()).hexdigest()[:16]
        seen[key] += 1
        cells.append(node)
    metadata = {"kernelspec": dict(KERNELSPEC), "language_info": {"name": "python"}}
    return v4.new_notebook(cells=cells, metadata=metadata)  # type: ignore[no-untyped-call]


def learner_notebook(lesson: Lesson) -> Any:
    """The lesson without solutions and hidden tests. Raises LessonError if any of them shows."""
    notebook: Any = source_notebook(lesson)
    resources: dict[str, Any] = {}
    config = teach(Config())
    for step in STEPS:
        notebook, resources = step(config=config)(notebook, resources)
    check_leaks(lesson, notebook)
    return notebook


def to_bytes(notebook: Any) -> bytes:
    """The notebook file's bytes, as nbgrader writes them too."""
    return (_text(notebook).rstrip("\n") + "\n").encode()


def _text(notebook: Any) -> str:
    return str(nbformat.writes(notebook))  # type: ignore[no-untyped-call]


def _new_cell(cell: Cell) -> Any:
    make: Any = v4.new_markdown_cell if cell.kind in ("markdown", "written") else v4.new_code_cell
    node = make(cell.source)
    if cell.kind == "test":
        # Folded: what it says stands right below the answer, and its list of mistakes spoils nothing.
        node.source = f"# Check of {cell.exercise}: run this cell\n{cell.source}"
        node.metadata["jupyter"] = {"source_hidden": True}
    if cell.grade_id:
        graded = cell.kind in ("test", "written")
        node.metadata["nbgrader"] = {
            "schema_version": 3,
            "grade_id": cell.grade_id,
            "grade": graded,
            "solution": cell.kind != "test",
            "locked": cell.kind == "test",
            "task": False,
            **({"points": int(cell.points) if cell.points.is_integer() else cell.points} if graded else {}),
        }
    return node


def check_leaks(lesson: Lesson, notebook: Any) -> None:
    """Raise LessonError if a marker, or a line of a solution or hidden test, is in the notebook."""
    shown = _text(notebook)
    for marker in MARKERS:
        if marker.strip("# ") in shown:
            raise LessonError(f"{lesson.name}: '{marker}' is still in the learner's notebook.")
    lines = [line for cell in notebook.cells for line in cell.source.splitlines()]
    public = {line.strip() for cell in lesson.of_kind("test") for line in _outside(cell.source)}
    for cell, line in _secrets(lesson):
        if cell.kind == "test" and any(line in other for other in public):
            continue  # a hidden check may call what a visible one calls
        if any(line in other for other in lines):
            raise LessonError(
                f"{lesson.name}, cell {cell.grade_id}: the line {line!r} is hidden from learners there "
                "but stands elsewhere in their notebook; write one of the two differently."
            )


def _secrets(lesson: Lesson) -> Iterator[tuple[Cell, str]]:
    for cell in lesson.of_kind("solution", "test", "written"):
        for line in _inside(cell.source):
            text = line.split("  # ")[0].strip()  # the code: a quotation may leave the comment out
            if len(text) >= TELLING and not text.startswith(("import ", "from ")):
                yield cell, text


def _inside(source: str) -> list[str]:
    return [line for line, hidden in _marked(source) if hidden]


def _outside(source: str) -> list[str]:
    return [line for line, hidden in _marked(source) if not hidden]


def _marked(source: str) -> Iterator[tuple[str, bool]]:
    """Each line but the markers, and whether it stands between two of them."""
    hidden = False
    for line in source.splitlines():
        if line.strip() in MARKERS:
            hidden = "BEGIN" in line
        else:
            yield line, hidden


def regenerate(
    names: Sequence[str], *, check: bool = False, solutions: Path = SOLUTIONS, lessons: Path = LESSONS
) -> list[Path]:
    """Write the learner's notebooks (with `check`, only compare). Returns those that were out of date."""
    changed = []
    for name in names:
        path = lessons / name / f"{name}.ipynb"
        wanted = to_bytes(learner_notebook(read(name, solutions)))
        if not path.is_file() or path.read_bytes() != wanted:
            changed.append(path)
            if not check:
                _write(path, wanted)
    return changed


def without_source(solutions: Path = SOLUTIONS, lessons: Path = LESSONS) -> list[Path]:
    """Notebooks in lessons/ that no source makes any more."""
    made = {path.parent.name for path in solutions.glob("*/*.py") if path.stem == path.parent.name}
    return sorted(path for path in lessons.glob("*/*.ipynb") if path.stem not in made)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def release(name: str, course: courses.Course, solutions: Path = SOLUTIONS) -> None:
    """Put a lesson where learners fetch it: source, then nbgrader's generate and release steps."""
    lesson = read(name, solutions)
    learner_notebook(lesson)  # refuses a leak before anything is released
    _write(course.prepare().step("source", name) / f"{name}.ipynb", to_bytes(source_notebook(lesson)))
    api = course.api()
    courses.result_of(f"nbgrader generate_assignment {name}", api.generate_assignment(name))
    courses.result_of(f"nbgrader release_assignment {name}", api.release_assignment(name))


def add_parser(subparsers: Any) -> None:
    """`autograder release` and `autograder lessons`."""
    parser = subparsers.add_parser(
        "release",
        help="regenerate lessons and put them where learners fetch them",
        description="Regenerate lessons/ and release the lessons through nbgrader's exchange.",
        epilog="example: autograder release 01_scoring",
    )
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="which lessons (all, if none is named)")
    parser.set_defaults(run=run_release)
    parser = subparsers.add_parser(
        "lessons",
        help="regenerate lessons/ from solutions/",
        description="Regenerate the learners' notebooks in lessons/ from their sources in solutions/.",
        epilog="example: autograder lessons --check",
    )
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="which lessons (all, if none is named)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if one is out of date")
    parser.set_defaults(run=run_lessons)


def run_release(options: argparse.Namespace) -> int:
    course = courses.here()
    regenerate(options.lessons)
    for name in options.lessons:
        release(name, course)
        print(f"{name}: released to {course.exchange / courses.COURSE_ID / 'outbound' / name}")
    return 0


def run_lessons(options: argparse.Namespace) -> int:
    changed = regenerate(options.lessons, check=options.check)
    stale = without_source()
    for path in changed:
        print(
            f"{path.relative_to(LESSONS.parent)}: {'differs from its source' if options.check else 'written'}"
        )
    for path in stale:
        print(f"{path.relative_to(LESSONS.parent)}: solutions/{path.stem}/ is missing, so nothing makes it")
    if options.check and changed:
        print("Next: autograder lessons, then commit lessons/.")
    if not changed and not stale:
        print(f"{len(options.lessons)} lessons are up to date.")
    return 1 if stale or (options.check and changed) else 0
