"""check.source: helpers in other cells and ways round the names, closed while grading."""

from __future__ import annotations

import pytest
import torch.nn  # noqa: F401 - modules are known once they are loaded, as they are while grading

from byhand import check
from byhand.checking import ready
from tests.byhand.checking.test_source import Cells, said

COURSE = "from byhand import blocks\nfrom torch import nn"
PART = ("EncoderBlock",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("b = blocks\nweights = b.EncoderBlock", "uses byhand.blocks.EncoderBlock"),
        ("from byhand.parts.encoder import EncoderBlock as E", "uses byhand.parts.encoder.EncoderBlock"),
        ("import byhand.parts.encoder as home", "uses byhand.parts.encoder"),
        ("from byhand.probes import encoder", "uses byhand.probes.encoder"),
        ("weights = blocks.__getattr__('Encoder' 'Block')", "uses byhand.blocks.__getattr__"),
        ("def weights(course=blocks):\n    return course.parts", "hands on all of byhand.blocks"),
        ("weights = pick(blocks)", "hands on all of byhand.blocks"),
        ("weights = getattr(blocks, 'Encoder' + 'Block')", "asks byhand.blocks for a name that it works out"),
        ("weights = getattr(nn, name)", "asks torch.nn for a name that it works out"),
        (
            "import importlib\nm = importlib.import_module('byhand.' + name)",
            "a module whose name it works out",
        ),
        ("import sys\nweights = sys.modules['x'].y", "uses sys.modules"),
        ("weights = nn.Module.__subclasses__()", "uses torch.nn.Module.__subclasses__"),
        ("weights = (b := blocks).EncoderBlock", "uses byhand.blocks.EncoderBlock"),
        ("weights = globals()['blocks'].EncoderBlock", "uses byhand.blocks.EncoderBlock"),
        ("weights = vars(blocks).get('EncoderBlock')", "uses byhand.blocks.EncoderBlock"),
        ("weights = [*vars(blocks).values()][0]", "takes all names at once"),
        ("weights = {**globals()}['x']", "takes all names at once"),
        ("class H:\n    b = blocks\nweights = H.b.parts", "hands on all of byhand.blocks"),
        ("def weights(x, lib=nn):\n    return getattr(lib, x)", "hands on all of torch.nn"),
        ("from functools import reduce\nweights = reduce(getattr, names, nn)", "hands on"),
        (
            "match blocks:\n    case object(EncoderBlock=weights):\n        pass",
            "uses byhand.blocks.EncoderBlock",
        ),
        ("import operator\nweights = operator.attrgetter('x')(nn)", "uses operator.attrgetter"),
        ("weights = __builtins__.eval('x')", "uses __builtins__.eval"),
        ("weights = %mymagic x", "uses get_ipython"),
    ],
)
def test_ways_round_the_names_are_closed(monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    assert words in said(monkeypatch, text, COURSE, forbid=PART)


@pytest.mark.parametrize(
    "text",
    [
        "b = blocks\nweights = b.attention",
        "def weights(self, n):\n    return getattr(self, f'norm{n}')",
        "weights = map(blocks.attention, x)",
        "weights = getattr(blocks, 'attention')",
        "from byhand.blocks import attention",
        "from byhand import translation\nweights = translation.fit(1)",
        "def weights(layer, n):\n    return getattr(layer, f'norm{n}')",
        "weights = globals().get('mine') or blocks.attention",
        "import copy\nweights = copy.deepcopy(layer)",
        "token = 3\nweights = [token]",
        "weights = vars(self)['norm']",
    ],
)
def test_parts_of_the_course_may_be_used_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert said(monkeypatch, text, COURSE, forbid=PART) == ""


def test_helpers_in_other_cells_are_read_while_grading(monkeypatch: pytest.MonkeyPatch) -> None:
    helper = "def near(x):\n    return far(x)\n\ndef far(x):\n    return blocks.EncoderBlock(x)"
    text, options = "def weights(x):\n    return near(x)", {"forbid": PART}
    assert said(monkeypatch, text, COURSE, helper, **options) == ""
    told = said(monkeypatch, text, COURSE, helper, grading=True, **options)
    assert "line 5 of the definition of far, which it uses, uses byhand.blocks.EncoderBlock" in told
    assert said(monkeypatch, "weights = 1", COURSE, helper, grading=True, **options) == ""
    assert "far" in said(monkeypatch, "weights = 1", COURSE, helper, grading=True, also=["near"], **options)


def test_an_exercise_that_is_solved_in_a_forbidden_way_costs_no_other_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other, options = (
        "def solved_before(x):\n    return blocks.EncoderBlock(x)",
        {"forbid": PART, "grading": True},
    )
    text = "weights = solved_before(1)"
    assert said(monkeypatch, text, COURSE, other, failed="solved_before", **options) == ""
    assert "EncoderBlock" in said(monkeypatch, text, COURSE, other, **options)


def test_what_an_exercise_may_use_is_read_unless_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Cells(
        "weights = before(1)", COURSE, "def before(x):\n    return blocks.EncoderBlock(x)", grading=True
    )
    monkeypatch.setattr(check, "host", host)
    with pytest.raises(check.CheckFailed, match="the definition of before"):
        check.source("weights", PART, uses=["before"])
    host.record("before", False, "")
    check.source("weights", PART, uses=["before"])


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("def weights(x):\n    return lib(x)", "def get():\n    global lib\n    lib = blocks.EncoderBlock"),
        ("def weights(x):\n    return np.lib(x)", "import numpy as np\nnp.lib = blocks.EncoderBlock"),
        ("def weights(x):\n    return t[0](x)", "t = []\nt.append(blocks.EncoderBlock)"),
        ("def weights(x):\n    return t[0](x)", "t = [0]\ndef put():\n    t[0] = blocks.EncoderBlock\nput()"),
        ("def weights(x):\n    return T.lib(x)", "class T: ...\nsetattr(T, 'lib', blocks.EncoderBlock)"),
        ("def weights(x):\n    return lib(x)", "%time lib = blocks.EncoderBlock"),
        ("old = weights\ndef weights(x):\n    return old(x)", "weights = blocks.EncoderBlock"),
        (
            "def weights(x):\n    class K:\n        lib = lib\n    return K.lib(x)",
            "lib = blocks.EncoderBlock",
        ),
        (
            "class K:\n    if 0:\n        lib = 0\n    g = lib\ndef weights(x):\n    return K.g(x)",
            "lib = blocks.EncoderBlock",
        ),
        (
            "class K:\n    for lib in [lib]: ...\ndef weights(x):\n    return K.lib(x)",
            "lib = blocks.EncoderBlock",
        ),
        (
            "class K:\n    g = lib\n    def lib(self): ...\ndef weights(x):\n    return K.g(x)",
            "lib = blocks.EncoderBlock",
        ),
        (
            "class K:\n    g = lib\n    import lib\ndef weights(x):\n    return K.g(x)",
            "lib = blocks.EncoderBlock",
        ),
        ("def weights(x):\n    class K:\n        t += []\n    return K.t[0](x)", "t = [blocks.EncoderBlock]"),
        ("t += []\ndef weights(x):\n    return None", "t = [blocks.EncoderBlock]"),
        (
            "def weights(x):\n    return lib(x)",
            "if True:\n    def lib(x):\n        return blocks.EncoderBlock(x)",
        ),
        ("def weights(x):\n    return lib(x)", "for lib in [blocks.EncoderBlock]: pass"),
        ("def weights(x):\n    return lib(x)", "match [blocks.EncoderBlock]:\n    case [lib]: pass"),
        ("def weights(x):\n    return globals()['lib'](x)", "lib = blocks.EncoderBlock"),
        ("def weights(x):\n    return lib(x)", "import builtins\nbuiltins.lib = blocks.EncoderBlock"),
        ("def weights(x):\n    return ascii(x)", "import builtins\nbuiltins.ascii = blocks.EncoderBlock"),
        ("def weights(x):\n    return lib(x)", "lib = 0\nglobals().update(lib=blocks.EncoderBlock)"),
        ("def weights(x):\n    return lib(x)", "globals()['lib'] = blocks.EncoderBlock"),
        ("def weights(x):\n    return lib(x)", "    lib = blocks.EncoderBlock"),
        ("def weights(x):\n    return lib(x)", ">>> lib = blocks.EncoderBlock"),
        ("def weights(x):\n    return mine.part(x)", "import mine_of_no_library as mine"),
    ],
)
def test_helpers_given_in_unusual_ways_are_read(
    monkeypatch: pytest.MonkeyPatch, text: str, other: str
) -> None:
    words = "a file and no library" if "mine" in text else "EncoderBlock"
    assert words in said(monkeypatch, text, COURSE, other, forbid=PART, grading=True)


PUT = (
    "import sys\nsetattr(sys.modules['built' 'ins'], 'lib', 1)",
    "get_ipython().push({'lib': 1})",
    "import __main__\n__main__.lib = 1",
    "%load_ext lib",
    "lib = ",  # what cannot be read might
)


@pytest.mark.parametrize("other", PUT)
@pytest.mark.parametrize(
    "text",
    [
        "def weights(x):\n    return lib(x)",
        "def weights(x):\n    return globals()['lib'](x)",
        "def weights(x):\n    return helper(x)\ndef helper(x):\n    return [lib(one) for one in x]",
        "class K:\n    def f(self, lib): ...\ndef weights(x):\n    return lib(x)",
    ],
)
def test_a_name_that_is_put_in_place_by_other_ways_than_code_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str, other: str
) -> None:
    words = "looks up lib, which no cell defines or imports"
    assert words in said(monkeypatch, text, COURSE, other, forbid=PART, grading=True)
    assert said(monkeypatch, text, COURSE, other, forbid=PART) == ""


def test_what_the_last_output_was_is_not_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("weights = _", "weights = _\ndef draft(x):\n    return Nothing"):
        assert "looks up _, which" in said(monkeypatch, text, COURSE, forbid=PART, grading=True)


@pytest.mark.parametrize(
    "other",
    [
        "lib = 1", "if True:\n    def lib(): ...", "def put():\n    global lib\n    lib = 1",
        "try:\n    pass\nexcept ValueError as lib:\n    pass", "match 1:\n    case lib:\n        pass",
        "for _, (lib, *x) in []: pass", "with open('x') as lib: pass", "class lib: ...", "import lib.part",
        "print(lib := 1)", "from math import lib", "%time lib = 1",
    ],
)  # fmt: skip
def test_a_name_that_any_cell_gives_is_known(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    told = said(monkeypatch, "def weights(x):\n    return lib(x)", other, forbid=PART, grading=True)
    assert "looks up" not in told


@pytest.mark.parametrize(
    "text",
    [
        "from wave import *\ndef weights(x):\n    return open(x) or Wave_read(x)",
        "from math import *\ndef weights(x):\n    return cos(x)",
        "from __future__ import annotations\ndef weights(x: Array) -> Array:\n    return x",
        "def weights(x):\n    return [super, __name__, display, print, len(x), lambda y: y, {z for z in x}]",
        "class weights:\n    if True:\n        size = 1\n    double = size * 2",
        "def weights(x):\n    def inner():\n        nonlocal x\n        x += 1\n    return inner",
        "def weights(x):\n    return globals().get('mine') or x\nmine = 1",
        "def weights(x):\n    return solved_before(x)",
    ],
)
def test_names_of_python_of_libraries_and_of_exercises_are_known(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    assert said(monkeypatch, text, COURSE, "def solved_before(x): ...", forbid=PART, grading=True) == ""


@pytest.mark.parametrize(
    "text",
    [
        "class K:\n    lib = 1\n    twice = lib * 2\ndef weights(x):\n    return x",
        "class K:\n    lib: int = 1\n    twice: int = lib * 2\ndef weights(x):\n    return x",
        "class K:\n    f = staticmethod(lambda lib: lib - 1)\ndef weights(x):\n    return K.f(x)",
        "class K:\n    f = [lib for lib in range(3)]\ndef weights(x):\n    return K.f",
        "class K:\n    for lib in [1]:\n        print(lib)\ndef weights(x):\n    return x",
        "def weights(x, lib=0):\n    class K(lib):\n        def f(self, y=lib): ...\n    return x",
        "def weights(x):\n    lib = 1\n    lib += x\n    return locals()['lib']",
        "def weights(x):\n    return x\nlib = weights(1)\nprint(lib)",
        "def weights(x):\n    return x\nfor lib in range(3):\n    print(weights(lib))",
    ],
)
def test_names_that_an_answer_gives_itself_are_not_those_of_other_cells(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    assert said(monkeypatch, text, COURSE, "lib = blocks.EncoderBlock", forbid=PART, grading=True) == ""


@pytest.mark.parametrize(
    "text",
    [
        "def draft(x):\n    return npp.exp(x)\ndef weights(x):\n    return x",
        "def weights(x):\n    return x\n    print(result)",
        "def weights(x):\n    if x is None:\n        raise ValeuError\n    return x",
    ],
)
def test_a_name_that_nothing_can_put_in_place_is_left_to_python(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    assert said(monkeypatch, text, COURSE, "model.train()\nlib = 1", forbid=PART, grading=True) == ""


def test_beside_a_helper_inside_an_if_other_names_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    other = (
        "if True:\n    y = blocks.EncoderBlock\n    def lib(x): ...\n    class Ref:\n        def run(x): ..."
    )
    text = "def weights(x):\n    return lib(x)\ndef run(): ..."
    assert said(monkeypatch, text, COURSE, other, forbid=PART, grading=True) == ""


@pytest.mark.parametrize(
    "after",
    [
        "weights = blocks.EncoderBlock",
        "def weights(x):\n    return helper(x)\ndef helper(x):\n    return blocks.EncoderBlock(x)",
        "from byhand.blocks import EncoderBlock as weights",
        "def give():\n    global weights\n    weights = blocks.EncoderBlock\ngive()",
    ],
)
def test_a_later_cell_that_gives_the_name_anew_is_read(monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    text, options = "def weights(x):\n    return x", {"forbid": PART, "grading": True}
    told = said(monkeypatch, text, COURSE, after, after=after, **options)
    assert "EncoderBlock" in told
    assert said(monkeypatch, text, COURSE, after, **options) == ""  # an earlier one has no effect


def test_a_star_import_in_a_later_cell_may_give_the_name_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    text, star = "def weights(x):\n    return x", "from byhand.blocks import *"
    told = said(monkeypatch, text, star, after=star, forbid=("blocks.weights",), grading=True)
    assert "another cell, which defines weights anew, uses byhand.blocks.weights" in told


def test_a_layer_may_call_its_own_weights_what_is_ready_made(monkeypatch: pytest.MonkeyPatch) -> None:
    own = "def weights(self, x):\n    self.attention_weights = x.T\n    return self.attention_weights"
    assert said(monkeypatch, own, COURSE, forbid=ready.ATTENTION) == ""
    ours = "weights = blocks.attention"
    assert "uses byhand.blocks.attention" in said(monkeypatch, ours, COURSE, forbid=ready.ATTENTION)
