"""Markdown to HTML for feedback pages and the formgrader: formulas as MathML, and nothing that acts.

    $\\frac{1}{2}$ --latex2mathml--> elements --what is known to be harmless--> <math>…</math>

nbgrader's pages fetch MathJax from a CDN and show raw TeX without a network, or where scripts may not run
(JupyterLab shows a page it does not trust that way). Browsers draw MathML by themselves. A formula that
cannot be read stays as it was typed. Order: formulas, then the markdown filter set in nbgrader_config.
"""

from __future__ import annotations

import html
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

from jinja2 import pass_context
from latex2mathml.converter import convert_to_element
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

LONGEST = 4000  # characters of one formula; a longer one stays text
NAMESPACE = "http://www.w3.org/1998/Math/MathML"
TAGS = frozenset(
    (
        *(
            "math",
            "mrow",
            "mi",
            "mn",
            "mo",
            "mtext",
            "mspace",
            "mfrac",
            "msqrt",
            "mroot",
            "mstyle",
            "mpadded",
        ),
        *(
            "mphantom",
            "mover",
            "munder",
            "munderover",
            "msub",
            "msup",
            "msubsup",
            "mmultiscripts",
            "mprescripts",
        ),
        *("none", "mtable", "mtr", "mtd", "menclose", "merror"),
    )
)
ATTRIBUTES = frozenset(
    (
        *(
            "display",
            "mathvariant",
            "stretchy",
            "fence",
            "separator",
            "form",
            "accent",
            "accentunder",
            "largeop",
        ),
        *("movablelimits", "symmetric", "minsize", "maxsize", "lspace", "rspace", "width", "height", "depth"),
        *(
            "voffset",
            "linethickness",
            "displaystyle",
            "scriptlevel",
            "columnalign",
            "rowalign",
            "columnlines",
        ),
        *("rowlines", "columnspacing", "rowspacing", "notation", "numalign"),
    )
)
SPACES = {"negativethinmathspace": "-0.167em"}  # a name that browsers do not know


@lru_cache(maxsize=4096)
def mathml(tex: str, block: bool) -> str:
    """A formula as MathML; "" if it cannot be read."""
    if len(tex) > LONGEST:
        return ""
    try:
        root = convert_to_element(html.unescape(tex), display="block" if block else "inline")
        _tidy(root)
        root.set("xmlns", NAMESPACE)
        return ElementTree.tostring(root, encoding="unicode")
    except Exception:  # what a learner types may be anything, also too deep
        return ""


def _tidy(root: ElementTree.Element) -> None:
    """Resolve the converter's entities, and keep only elements and attributes known to be harmless."""
    for element in root.iter():
        if element.tag not in TAGS:
            element.tag = "mrow"
        kept = {
            name: SPACES.get(value, value) for name, value in element.attrib.items() if name in ATTRIBUTES
        }
        element.attrib.clear()
        element.attrib.update(kept)
        element.text = html.unescape(element.text) if element.text else None
        element.tail = html.unescape(element.tail) if element.tail else None


class Renderer(IPythonRenderer):
    """nbconvert's renderer with formulas drawn, links that cannot run code, and no picture from elsewhere."""

    def block_math(self, body: str) -> str:
        return mathml(body, True) or str(super().block_math(body))

    def inline_math(self, body: str) -> str:
        return mathml(body, False) or str(super().inline_math(body))

    def latex_environment(self, name: str, body: str) -> str:
        said = mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", True)
        return said or str(super().latex_environment(name, body))

    def image(self, text: str, url: str, title: str | None = None) -> str:
        name = url.removeprefix("attachment:")
        if name != url and name not in self.attachments:
            return f"[{self.escape_html(text or name)}]"
        if url.startswith("//") or url.lower().startswith(("http:", "https:")):
            return str(self.link(text or url, url, title))  # it would tell its owner who looks at the page
        return str(super().image(text, url, title))


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """nbconvert's filter of this name; in a template, `{{ cell.source | markdown2html }}`."""
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = Renderer(escape=False, allow_harmful_protocols=False, attachments=attachments)
    return str(MarkdownWithMath(renderer=renderer).render(source))
