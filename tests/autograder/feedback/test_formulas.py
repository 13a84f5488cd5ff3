"""Formulas are drawn without a network, and a learner's markdown cannot act in the browser of another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import Environment

from autograder.author import lesson
from autograder.feedback.formulas import ATTRIBUTES, LONGEST, TAGS, markdown2html, mathml

TEX = re.compile(r"(?s)\$\$(.+?)\$\$|(?<![$\\`])\$([^$`]+?)\$")


def shown(text: str, **cell: object) -> str:
    environment = Environment()  # as nbconvert's: what a filter returns is not escaped again
    environment.filters["markdown2html"] = markdown2html
    page = environment.from_string("{{ text | markdown2html }}")
    return page.render(text=text, cell=cell)


@pytest.mark.parametrize("name", lesson.names())
def test_every_formula_of_the_lessons_is_drawn(name: str):
    cells = [cell.source for cell in lesson.read(name).cells if cell.kind in ("markdown", "written")]
    formulas = [match for source in cells for match in TEX.finditer(source)]
    unread = [match[0] for match in formulas if not mathml(match[1] or match[2], bool(match[1]))]
    assert formulas
    assert unread == []


def test_a_formula_is_drawn_where_it_stands():
    page = shown("The sum $a_1 + b$ is\n\n$$\\frac{x}{2} < \\sqrt{y}$$\n\nand so on.")
    assert "<msub><mi>a</mi><mn>1</mn></msub>" in page
    assert '<math display="block"' in page
    assert "$" not in page


def test_what_is_no_formula_stays_as_it_was_typed():
    assert "$\\frac{$" in shown("this $\\frac{$ is unfinished")
    assert mathml("x" * (LONGEST + 1), False) == ""
    assert mathml("{" * 2000 + "}" * 2000, False) == ""


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\text{&lt;script&gt;alert(1)&lt;/script&gt;}",
        r"\href{javascript:alert(1)}{x}",
        r"\color{red;background:url(//evil)}{x}",
        r'\class{" onclick="alert(1)}{x}',
    ],
)
def test_a_formula_cannot_act(tex: str):
    made = mathml(tex, False)
    assert set(re.findall(r"<(\w+)", made)) <= TAGS
    assert set(re.findall(r"<[^>]* (\w+)=", made)) <= ATTRIBUTES | {"xmlns"}


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "vbscript:x", "data:text/html,x"]
)
def test_a_link_cannot_run_code(address: str):
    assert address not in shown(f"[look]({address})")
    assert address not in shown(f"![look]({address})")


def test_a_picture_from_elsewhere_is_a_link_and_a_missing_attachment_is_a_name():
    page = shown(
        "![a cat](https://example.org/cat.png) ![b](//example.org/dog.png) ![c](attachment:none.png)"
    )
    assert "<img" not in page
    assert '<a href="https://example.org/cat.png">a cat</a>' in page
    assert "[c]" in page


def test_an_attachment_is_shown():
    page = shown("![plot](attachment:a.png)", attachments={"a.png": {"image/png": "AAAA"}})
    assert 'src="data:image/png;base64,AAAA"' in page


def test_templates_belong_to_the_package():
    folder = Path(lesson.ROOT) / "autograder" / "feedback" / "templates"
    names = {str(path.relative_to(folder)) for path in folder.glob("*/*.j2")}
    assert names == {"feedback/mathjax.html.j2", "formgrade/mathjax.html.j2"}
