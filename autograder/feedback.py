"""Feedback pages without hidden tests: a step of `nbgrader generate_feedback`, set in nbgrader_config.

Of a test cell the learner sees what was released to them and what the check said, never a hidden line
and never a traceback through the test.
"""

from __future__ import annotations

from typing import Any

from nbgrader import utils
from nbgrader.preprocessors import ClearHiddenTests, NbGraderPreprocessor
from traitlets import Bool

NAMES_ONLY = "This check did not pass. Run it in your own notebook: it shows what it compares."


class HideTests(NbGraderPreprocessor):  # type: ignore[misc]
    """Reduces each test cell to its visible part and the check's message."""

    names_only = Bool(False, help="say only that a check failed, not how").tag(config=True)

    def preprocess(self, notebook: Any, resources: Any) -> tuple[Any, Any]:
        clear = ClearHiddenTests(parent=self.parent)
        for node in notebook.cells:
            if not utils.is_grade(node) or utils.is_solution(node):
                continue
            clear._remove_hidden_test_region(node)
            node.outputs = [self._message(output) for output in node.get("outputs", ())]
        return notebook, resources

    def _message(self, output: Any) -> Any:
        if output.output_type == "error":
            message = NAMES_ONLY if self.names_only else output.evalue or output.ename
            output.evalue, output.traceback = message, message.splitlines()
        return output
