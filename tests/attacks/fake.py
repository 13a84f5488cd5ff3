"""Fake: get points with an answer that is wrong or missing."""

from __future__ import annotations

import copy
from typing import Any

from tests.attacks import FILE, ZEROS, Attack, changed, in_cell

CALLED = "\ndef dot(query, keys):\n    return {value}\n"

# What a wrong function may hand back, hoping that the check believes it.
LIARS = {
    "equal to everything": "class Liar:\n    def __eq__(self, other): return True\n    __ne__ = lambda self, other: False\n    __hash__ = None",
    "a true comparison array": "class Liar:\n    def __eq__(self, other): return np.array([True] * 9)\n    shape, dtype, ndim = (2,), np.dtype(float), 1",
    "its own __array__": "class Liar:\n    n = 0\n    def __array__(self, dtype=None, copy=None):\n        Liar.n += 1\n        return np.array([2.0, 4.0])",
    "its own __array_ufunc__": "class Liar(np.ndarray):\n    def __array_ufunc__(self, *a, **k): return np.array(True)\n    def __new__(cls): return np.zeros(2).view(cls)",
    "its own __array_function__": "class Liar(np.ndarray):\n    def __array_function__(self, *a, **k): return True\n    def __new__(cls): return np.zeros(2).view(cls)",
    "a subclass of ndarray": "class Liar(np.ndarray):\n    def __new__(cls): return np.array([2.0, 4.0]).view(cls)",
    "a torch subclass": "import torch\nclass Liar(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, *a, **k): return True\n    def __new__(cls): return torch.zeros(2).as_subclass(cls)",
    "a masked array": "def Liar(): return np.ma.masked_all(2)",
    "its own arithmetic": "class Liar(float):\n    def __sub__(self, other): return 0.0\n    __rsub__ = __sub__\n    def __abs__(self): return 0.0\n    def __le__(self, other): return True",
    "a dict that has everything": "class Liar(dict):\n    def __missing__(self, key): return True\n    def __getattr__(self, name): return Liar()",
    "a class that pretends": "class Liar:\n    @property\n    def __class__(self): return np.ndarray\n    shape, dtype, size = (2,), np.dtype(float), 2\n    def __iter__(self): return iter([2.0, 4.0])",
    "a mock": "from unittest.mock import MagicMock as Liar",
}

VALUES = {
    "nan": "np.full(len(keys), np.nan)",
    "infinity": "np.full(len(keys), np.inf)",
    "None": "None",
    "NotImplemented": "NotImplemented",
    "an empty array": "np.array([])",
    "a shape that broadcasts": "np.array([2.0])",
    "a scalar": "2.0",
    "an object array": "np.array([2.0, 4.0], dtype=object)",
    "strings": "np.array(['2.0', '4.0'])",
    "complex numbers": "np.array([2.0 + 0j, 4.0])",
    "the example's answer": "np.array([2.0, 4.0])",
    "a generator": "(x for x in (2.0, 4.0))",
    "an exception": "AssertionError('passed')",
    "its own function": "dot",
    "a coroutine": "asyncio_sleep()",
}

# Run once in the learner's process, before a wrong answer.
PATCHES = {
    "numpy.testing": "np.testing.assert_allclose = np.testing.assert_array_equal = lambda *a, **k: None",
    "numpy.allclose": "np.allclose = np.array_equal = np.isclose = lambda *a, **k: True",
    "numpy.abs": "np.abs = np.absolute = np.max = lambda *a, **k: 0.0",
    "torch comparisons": "import torch\ntorch.allclose = torch.equal = torch.testing.assert_close = lambda *a, **k: True",
    "math.isclose": "import math\nmath.isclose = lambda *a, **k: True",
    "abs and all": "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.all = builtins.any = lambda x: True",
    "isinstance and type": "import builtins\nbuiltins.isinstance = lambda *a: True",
    "AssertionError": "import builtins\nclass Quiet(BaseException): pass\nbuiltins.AssertionError = Quiet",
    "compile and exec": "import builtins\nbuiltins.compile = builtins.exec = lambda *a, **k: (lambda: None).__code__",
    "print and repr": "import builtins\nbuiltins.repr = builtins.print = lambda *a, **k: ''",
    "len": "import builtins\nbuiltins.len = lambda x: 2",
    "the checks": "from byhand import check\nfor name in dir(check):\n    if callable(getattr(check, name)):\n        setattr(check, name, lambda *a, **k: None)",
    "the checks' exercise": "import contextlib\nfrom byhand import check\ncheck.exercise = lambda *a, **k: contextlib.suppress(BaseException)",
    "the checks' host": "from byhand import check\nclass Host:\n    def __getattr__(self, name): return lambda *a, **k: True\ncheck.host = Host()",
    "the failure type": "from byhand import check\ncheck.CheckFailed.__init__ = lambda *a, **k: None\ncheck.CheckFailed.__new__ = lambda *a, **k: None",
    "the recorded progress": "import json\njson.dump({'dot': {'passed': True}}, open('.progress.json', 'w'))",
    "the random generator": "np.random.default_rng = lambda *a, **k: None",
    "imports": "import sys\nfor name in [n for n in sys.modules if n.startswith('byhand')]:\n    sys.modules[name] = sys",
    "import hooks": "import sys\nclass Finder:\n    def find_spec(self, name, *a): return None\nsys.meta_path.insert(0, Finder())",
    "sys.displayhook": "import sys\nsys.displayhook = lambda value: None\nsys.displayhook(5)",
    "sys.excepthook": "import sys\nsys.excepthook = lambda *a: None",
    "a trace function": "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)",
    "run_cell": "shell = get_ipython()\nshell.run_cell = lambda *a, **k: None\nshell.run_cell_async = None",
    "showtraceback": "get_ipython().showtraceback = lambda *a, **k: None",
    "a custom exception handler": "get_ipython().set_custom_exc((BaseException,), lambda *a, **k: None)",
    "an AST transformer": "import ast\nclass Quiet(ast.NodeTransformer):\n    def visit_Expr(self, node): return ast.Pass()\nget_ipython().ast_transformers.append(Quiet())",
    "an input transformer": "get_ipython().input_transformers_cleanup.append(lambda lines: ['pass\\n'])",
    "hooks before and after cells": "events = get_ipython().events\nevents.register('pre_run_cell', lambda *a: None)\nevents.register('post_run_cell', lambda *a: 1 / 0)",
    "clear_output": "from IPython.display import clear_output\nclear_output()",
    "the execution count": "get_ipython().execution_count = -5",
    "the name of this module": "__name__ = 'judge'\n__file__ = '/judge.py'\n__builtins__ = {}",
    "the recursion limit": "import sys\nsys.setrecursionlimit(60)",
    "floating point errors": "np.seterr(all='raise')",
    "print options": "np.set_printoptions(precision=0, threshold=0)",
    "gc and weakrefs": "import gc\ngc.disable()\ngc.callbacks.append(lambda *a: 1 / 0)",
}

ENDINGS = {
    "sys.exit": "import sys\nsys.exit(0)",
    "os._exit": "import os\nos._exit(0)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "its own BaseException": "raise type('Fine', (BaseException,), {})('5')",
    "SystemExit with points": "raise SystemExit(5)",
    "GeneratorExit": "raise GeneratorExit",
    "StopIteration": "raise StopIteration(5)",
    "endless recursion": "def down(): return down()\ndown()",
    "a killed process": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "a fault in C": "import ctypes\nctypes.string_at(0)",
    "abort": "import os\nos.abort()",
    "the exec of another program": "import os\nos.execv('/bin/true', ['true'])",
    "a stop signal": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "a failed assert": "raise AssertionError('dot: passed.')",
    "NotImplementedError": "raise NotImplementedError",
}

ON_THE_WIRE = {
    "garbage on every descriptor": "for n in range(3, 64):\n    try: os.write(n, b'\\xff' * 4096)\n    except OSError: pass",
    "a length of 2 GiB": "for n in range(3, 64):\n    try: os.write(n, b'\\x80\\x00\\x00\\x00' * 3)\n    except OSError: pass",
    "a length of nothing": "for n in range(3, 64):\n    try: os.write(n, b'\\x00' * 64)\n    except OSError: pass",
    "its own last message again": "for n in range(3, 64):\n    try: os.write(n, os.read(n, 65536))\n    except OSError: pass",
    "all descriptors closed": "os.closerange(3, 256)",
    "all descriptors swapped": "for n in range(3, 64):\n    try: os.dup2(1, n)\n    except OSError: pass",
    "a slow drip": "import time\nfor n in range(3, 64):\n    try: os.write(n, b'\\x00'); time.sleep(0.05)\n    except OSError: pass",
}

LATE = {
    "array changed while it is sent": "\nimport threading\nHELD = np.zeros(1)\ndef dot(query, keys):\n    global HELD\n    HELD = np.zeros(len(keys))\n    threading.Timer(0.0, HELD.fill, [2.0]).start()\n    return HELD\n",
    "inputs changed in place": "\ndef dot(query, keys):\n    query *= 0\n    keys *= 0\n    return np.zeros(len(keys))\n",
    "inputs become the answer": "\ndef dot(query, keys):\n    keys[:] = 0\n    return keys[:, 0]\n",
    "a huge claimed shape": "\ndef dot(query, keys):\n    return np.lib.stride_tricks.as_strided(np.zeros(1), shape=(10**9,), strides=(0,))\n",
    "a broadcast view": "\ndef dot(query, keys):\n    return np.broadcast_to(np.float64(2.0), (len(keys),))\n",
    "answers by call number": "\nCALLS = []\ndef dot(query, keys):\n    CALLS.append(1)\n    return np.array([2.0, 4.0]) if len(CALLS) == 1 else np.zeros(len(keys))\n",
    "a callable object that lies": "\nclass Dot:\n    def __call__(self, *a): return np.array([2.0, 4.0])\n    def __getattr__(self, name): return self\ndot = Dot()\n",
    "not callable": "\ndot = 5\n",
    "deleted again": "\ndef dot(query, keys):\n    return 0\ndel dot\n",
    "a property of the main module": "\nimport sys\nclass Module(type(sys)):\n    @property\n    def dot(self): return lambda *a: np.array([2.0, 4.0])\nsys.modules['__main__'].__class__ = Module\n",
    "a namespace that answers everything": "\nget_ipython().user_ns.__class__ if 0 else None\nclass Any(dict):\n    def __missing__(self, key): return lambda *a: np.array([2.0, 4.0])\nget_ipython().user_ns = Any(get_ipython().user_ns)\n",
}

SHADOWS = [
    "numpy/__init__.py",
    "torch.py",
    "byhand/__init__.py",
    "ipykernel_launcher.py",
    "sitecustomize.py",
    "usercustomize.py",
    "check.py",
    "nbgrader_config.py",
    "conftest.py",
    ".ipython/profile_default/startup/0.py",
]


def _cells(notebook: dict[str, Any], prefix: str = "test_") -> list[dict[str, Any]]:
    return [
        c
        for c in notebook["cells"]
        if c["metadata"].get("nbgrader", {}).get("grade_id", "").startswith(prefix)
    ]


def _each(change: Any, prefix: str = "test_") -> Any:
    def apply(notebook: dict[str, Any]) -> None:
        for cell in _cells(notebook, prefix):
            change(cell)

    return apply


def _delete(notebook: dict[str, Any]) -> None:
    for cell in _cells(notebook):
        notebook["cells"].remove(cell)


def _duplicate(notebook: dict[str, Any]) -> None:
    notebook["cells"] += copy.deepcopy(_cells(notebook))


def _forge_passes(cell: dict[str, Any]) -> None:
    text = {
        "output_type": "execute_result",
        "execution_count": 1,
        "metadata": {},
        "data": {"text/plain": "2"},
    }
    passed = {"output_type": "stream", "name": "stdout", "text": "dot: passed."}
    cell.update(outputs=[passed, text], execution_count=1)


def _nbgrader(**values: Any) -> Any:
    return _each(lambda cell: cell["metadata"]["nbgrader"].update(values))


def _swap_roles(notebook: dict[str, Any]) -> None:
    for cell in _cells(notebook, ""):
        meta = cell["metadata"].get("nbgrader")
        if meta:
            meta["grade"], meta["solution"] = meta["solution"], meta["grade"]


EDITS = {
    "skip-execution on tests": _each(lambda cell: cell["metadata"].update(tags=["skip-execution"])),
    "skip-execution everywhere": lambda nb: (
        [c["metadata"].update(tags=["skip-execution"]) for c in nb["cells"]] and None
    ),
    "raises-exception on tests": _each(lambda cell: cell["metadata"].update(tags=["raises-exception"])),
    "tests deleted": _delete,
    "tests duplicated": _duplicate,
    "tests emptied": _each(lambda cell: cell.update(source="")),
    "tests made to pass": _each(lambda cell: cell.update(source="print('dot: passed.')")),
    "tests made to give 5 points": _each(lambda cell: cell.update(source="5")),
    "tests made raw": _each(lambda cell: cell.update(cell_type="raw")),
    "tests made markdown": _each(lambda cell: cell.update(cell_type="markdown")),
    "tests renamed": _each(lambda cell: cell["metadata"]["nbgrader"].update(grade_id="mine")),
    "points raised": _nbgrader(points=1000),
    "points negative": _nbgrader(points=-1000),
    "points not a number": _nbgrader(points=float("nan")),
    "tests no longer graded": _nbgrader(grade=False),
    "tests turned to solutions": _nbgrader(solution=True, locked=False),
    "roles swapped": _swap_roles,
    "schema 99": _nbgrader(schema_version=99),
    "checksum forged": _nbgrader(checksum="0" * 32),
    "stored outputs that look like passes": _each(_forge_passes),
    "kernel of one's own": lambda nb: nb["metadata"].update(
        kernelspec={"name": "../evil", "language": "bash"}
    ),
    "a cell before all others that leaves": lambda nb: nb["cells"].insert(
        0,
        {
            "cell_type": "code",
            "metadata": {},
            "id": "own",
            "outputs": [],
            "execution_count": None,
            "source": "import os\nos._exit(0)",
        },
    ),
    "a manual score in the metadata": lambda nb: nb["metadata"].update(
        nbgrader={"manual_score": 1000, "extra_credit": 1000}
    ),
}


def _with_file(path: str, text: bytes = b"raise SystemExit(0)\n") -> Attack:
    return Attack(f"a file {path}", lambda kit: {FILE: kit.answered(dot=ZEROS), path: text})


ATTACKS = [
    *(
        in_cell(f"returns something {name}", text + "\n" + CALLED.format(value="Liar()"))
        for name, text in LIARS.items()
    ),
    *(in_cell(f"returns {name}", CALLED.format(value=value)) for name, value in VALUES.items()),
    *(in_cell(f"patches {name}", text + ZEROS) for name, text in PATCHES.items()),
    *(in_cell(f"leaves by {name} in a cell", text + ZEROS) for name, text in ENDINGS.items()),
    *(
        in_cell(
            f"leaves by {name} in a call",
            "def leave():\n    " + text.replace("\n", "\n    ") + "\ndef dot(query, keys):\n    leave()\n",
        )
        for name, text in ENDINGS.items()
    ),
    *(in_cell(f"writes {name}", "import os\n" + text + ZEROS) for name, text in ON_THE_WIRE.items()),
    *(
        in_cell(
            f"in a call writes {name}",
            "import os\ndef dot(query, keys):\n    "
            + text.replace("\n", "\n    ")
            + "\n    return np.zeros(len(keys))\n",
        )
        for name, text in ON_THE_WIRE.items()
    ),
    *(in_cell(name, text) for name, text in LATE.items()),
    *(changed(name, change) for name, change in EDITS.items()),
    *(_with_file(path) for path in SHADOWS),
    _with_file("timestamp.txt", b"1999-01-01 00:00:00 UTC"),
    _with_file(".progress.json", b'{"dot": {"passed": true}}'),
]
