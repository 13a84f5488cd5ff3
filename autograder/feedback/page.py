"""nbgrader's feedback page, made about twenty times as fast: the same template, the same elements.

    autograded/ana/01_scoring.ipynb --steps: hide tests, put marks, style--> template --> page

Only labels differ: "softmax" instead of "Test cell", "Check of softmax" for "Grade cell: test_softmax".
nbgrader copies and validates a notebook at every step, colours the lesson's own unchanged cells anew for
every learner, and reads its own page again to add a word to pictures. Here a cell that was shown before is
taken from memory, with its scores as part of what must be equal.
tests/autograder/feedback/test_feedback.py compares the two.
Order: the exporter, labels, pictures, the style.
"""

# nbconvert is typed in part:
# mypy: disable-error-code="no-untyped-call, override"

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat.v4 import to_notebook_json

from autograder.author.lesson import Cell

ALT = "No description has been provided for this image"  # nbconvert's words
from_dict: Any = nbformat.from_dict
PICTURES = ("image/png", "image/jpeg")
# Whatever the page's template is, it is shown cell by cell, from memory where the same cell was shown before.
FROM_MEMORY = """{%- extends "index.html.j2" -%}
{%- block any_cell scoped -%}{{ resources.shown(cell, super) }}{%- endblock -%}"""
KEPT = 500  # cells in memory; then those that were not shown for longest are forgotten
KEPT_BYTES = 20_000  # a cell that shows more is not kept: figures differ


class Uncopied(nbformat.NotebookNode):
    """A notebook that is read for one page only, so that no copy is needed."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Uncopied:
        return self


class FeedbackPage(HTMLExporter):
    """For c.GenerateFeedback.exporter_class; pages of one lesson, one after the other."""

    def __init__(self, config: Any = None, **options: Any) -> None:
        super().__init__(config=config, **options)
        self.raw_template = FROM_MEMORY
        self._cells: dict[str, str] = {}
        self._styles: dict[str, Any] = {}
        self._lexer: str | None = None

    def from_file(self, file_stream: Any, resources: Any = None, **options: Any) -> tuple[str, Any]:
        text = file_stream.read()
        content = json.loads(text)
        plain = isinstance(content, dict) and content.get("nbformat") == 4
        notebook = to_notebook_json(content) if plain else nbformat.reads(text, as_version=4)
        return self.from_notebook_node(notebook, resources, **options)

    def from_notebook_node(self, notebook: Any, resources: Any = None, **options: Any) -> tuple[str, Any]:
        """The page. The notebook is changed: whoever needs it gives a copy."""
        language = notebook.metadata.get("language_info", {})
        self._lexer = language.get("pygments_lexer", language.get("name", None))
        self.register_filter("highlight_code", Highlight2HTML(pygments_lexer=self._lexer, parent=self))
        about = {"notebook_metadata": self._nb_metadata, "parent": self, "resources": resources}
        self.register_filter("filter_data_type", WidgetsDataTypeFilter(**about))
        own = Uncopied(notebook)
        text, resources = super(HTMLExporter, self).from_notebook_node(own, resources, **options)
        return named(text), resources

    def _preprocess(self, notebook: Any, resources: Any) -> tuple[Any, Any]:
        for step in self._preprocessors:
            notebook, resources = step(notebook, resources)
        for cell in notebook.cells:
            for output in cell.get("outputs", ()):
                _describe(cell, output)
        resources["shown"] = self._shown
        return notebook, resources

    def _shown(self, cell: Any, make: Callable[[], str]) -> str:
        """What the template asks for each cell: the HTML of an equal cell, or that of `make`, kept."""
        key = f"{self._lexer}{json.dumps(cell, sort_keys=True)}"
        if len(key) > KEPT_BYTES:
            return make()
        shown = self._cells.pop(key, None)
        if shown is None:
            shown = make()
            while len(self._cells) >= KEPT:
                del self._cells[next(iter(self._cells))]
        self._cells[key] = shown  # last, so the last to be forgotten
        return shown

    def _init_resources(self, resources: Any) -> Any:
        resources = super()._init_resources(resources)
        include = resources["include_css"]

        def include_css(name: str) -> Any:
            if name not in self._styles:
                self._styles[name] = include(name)
            return self._styles[name]

        resources["include_css"] = include_css
        return resources


def named(page: str) -> str:
    """The page with exercises by their names, where nbgrader says "Test cell" and "Grade cell: test_dot"."""

    def link(found: re.Match[str]) -> str:
        return f'<a href="#{found[1]}">{_exercise(found[1])}</a>'

    page = re.sub('<a href="#([^"<]*)">Test cell</a>', link, page)
    return re.sub(
        "Grade cell: (<code>)([^<]*)", lambda found: f"Check of {found[1]}{_exercise(found[2])}", page
    )


def _exercise(grade_id: str) -> str:
    return Cell("test", "", grade_id).exercise


def _describe(cell: Any, output: Any) -> None:
    """Give a picture without a description nbconvert's words for that."""
    for mime in PICTURES:
        if mime in output.get("data", {}):
            about = output.setdefault("metadata", from_dict({}))
            own = about.get(mime, {})
            if not (own.get("alt") or about.get("alt") or cell.metadata.get("alt")):
                about[mime] = from_dict({**own, "alt": ALT})


class Style(CSSHTMLHeaderPreprocessor):
    """The colours of code, computed once."""

    _made: list[str] | None = None

    def _generate_header(self, resources: Any) -> list[str]:
        if self._made is None:
            self._made = super()._generate_header(resources)
        return self._made


def template_folders() -> list[str]:
    """Where the pages' templates are: ours, which change what is said in them, then nbgrader's."""
    import nbgrader

    theirs = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates"
    return [str(Path(__file__).parent / "templates"), str(theirs)]
