"""Exhaust: use up time, memory, disk, processes or the reader's patience. The class is graded all the same."""

from __future__ import annotations

import io
import zipfile

from tests.attacks import FILE, RIGHT_DOT, ZEROS, Attack, Kit, changed, in_cell

# In a cell. The dot after it is right where the resource is merely wasted, so 2 points would be fair there.
IN_A_CELL = {
    "an endless loop": "while True: pass",
    "a loop that swallows interrupts": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "a long sleep": "import time\ntime.sleep(3600)",
    "ignored signals": "import signal, time\nfor n in range(1, 60):\n    try: signal.signal(n, signal.SIG_IGN)\n    except Exception: pass\ntime.sleep(3600)",
    "a wait for input": "input('name? ')",
    "a wait for a debugger": "breakpoint()",
    "a slow regular expression": "import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')",
    "a huge power": "x = 9 ** 9 ** 9",
    "a huge sum in C": "sum(range(10 ** 15))",
    "a sort without end": "sorted(iter(int, 1))",
    "memory in a list": "hold = []\nwhile True: hold.append(bytearray(2 ** 24))",
    "memory in one array": "hold = np.ones(2 ** 36)",
    "memory in a string": "hold = 'x' * 2 ** 40",
    "memory by torch": "import torch\nhold = [torch.ones(2 ** 26) for _ in range(2 ** 12)]",
    "mapped memory": "import mmap\nhold = [mmap.mmap(-1, 2 ** 30) for _ in range(2 ** 10)]\nfor m in hold: m.write(b'x' * 2 ** 30)",
    "processes": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "processes by a shell": "import os\nos.system(':(){ :|:& };:')",
    "threads": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(600,)).start()",
    "one large file": "with open('big', 'wb') as f:\n    while True: f.write(b'x' * 2 ** 20)",
    "many small files": "n = 0\nwhile True:\n    open(f'file{n}', 'w').close()\n    n += 1",
    "deep folders": "import os\nwhile True:\n    os.mkdir('d')\n    os.chdir('d')",
    "file descriptors": "hold = []\nwhile True: hold.append(open('/dev/null'))",
    "sockets": "import socket\nhold = []\nwhile True: hold.append(socket.socketpair())",
    "output in one line": "print('x' * 200_000_000)",
    "output in a million lines": "for n in range(10 ** 6): print('line', n)",
    "output without end": "while True: print('x' * 1000)",
    "output of the C library": "import os\nwhile True: os.write(1, b'x' * 65536)",
    "a flood on stderr": "import sys\nfor n in range(10 ** 6): sys.stderr.write('warning\\n')",
    "a flood of figures": "import matplotlib.pyplot as plt\nfor n in range(5000):\n    plt.figure()\n    plt.plot([1, 2])\n    plt.show()",
    "a flood of displays": "from IPython.display import display\nfor n in range(10 ** 6): display(n)",
    "a huge picture": "from IPython.display import Image, display\ndisplay(Image(b'\\x89PNG' + b'x' * 50_000_000, format='png'))",
    "a giant last value": "'x' * 100_000_000",
    "a repr without end": "class Long:\n    def __repr__(self):\n        while True: pass\nLong()",
    "an error with a giant text": "raise ValueError('x' * 100_000_000)",
    "a chain of errors": "def fail(n):\n    try:\n        raise ValueError('x' * 10_000)\n    except ValueError:\n        if n: fail(n - 1)\n        raise\nfail(500)",
}

IN_A_CALL = {
    "an endless loop": "while True: pass",
    "a long sleep": "__import__('time').sleep(3600)",
    "a huge array": "return np.zeros((2 ** 16, 2 ** 12))",
    "a huge integer": "return 10 ** 10_000_000",
    "a huge string": "return 'x' * 500_000_000",
    "a deep list": "x = []\n    for _ in range(100_000): x = [x]\n    return x",
    "a list that holds itself": "x = []\n    x.append(x)\n    return x",
    "a long list": "return [0.0] * 50_000_000",
    "a wide dict": "return {n: n for n in range(10_000_000)}",
    "a generator without end": "return iter(int, 1)",
    "an error with a giant text": "raise ValueError('x' * 100_000_000)",
    "an error whose text never ends": "class Slow(Exception):\n        def __str__(self):\n            while True: pass\n    raise Slow",
    "an error that nests": "raise ExceptionGroup('x', [ValueError('y' * 1000) for _ in range(100_000)])",
    "output": "print('x' * 200_000_000)\n    return np.zeros(len(keys))",
    "memory": "hold = []\n    while True: hold.append(bytearray(2 ** 24))",
    "processes": "import os\n    while True:\n        try: os.fork()\n        except OSError: pass",
    "many threads": "import threading, time\n    for _ in range(100_000): threading.Thread(target=time.sleep, args=(600,)).start()",
}


def _zip_bomb(kit: Kit) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(200_000_000))
    return buffer.getvalue()


def _many_cells(text: str, count: int) -> Attack:
    def change(notebook: dict) -> None:
        own = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": text}
        notebook["cells"][1:1] = [{**own, "id": f"own{n}"} for n in range(count)]

    return changed(f"{count} cells of {text!r}", change)


ATTACKS = [
    *(in_cell(f"in a cell: {name}", text + ZEROS) for name, text in IN_A_CELL.items()),
    *(
        in_cell(f"in a call: {name}", "\ndef dot(query, keys):\n    " + text + "\n")
        for name, text in IN_A_CALL.items()
    ),
    _many_cells("import time; time.sleep(0.9)", 200),
    _many_cells("print('x' * 50_000)", 500),
    _many_cells("pass", 20_000),
    changed("a 100 MB notebook", lambda nb: nb["cells"][0].update(source="x" * 100_000_000)),
    changed(
        "a 100 MB attachment",
        lambda nb: nb["cells"][0].update(attachments={"a.png": {"image/png": "A" * 100_000_000}}),
    ),
    changed(
        "100 MB of stored output",
        lambda nb: nb["cells"][1].update(
            outputs=[{"output_type": "stream", "name": "stdout", "text": "x" * 100_000_000}]
        ),
    ),
    Attack("20,000-deep JSON", lambda kit: {FILE: b'{"cells": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"}),
    Attack(
        "a notebook of 100,000 cells",
        lambda kit: {
            FILE: b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": ['
            + b",".join([b'{"cell_type": "raw", "metadata": {}, "source": ""}'] * 100_000)
            + b"]}"
        },
    ),
    Attack(
        "a number of a million digits",
        lambda kit: {FILE: b'{"nbformat": ' + b"9" * 1_000_000 + b', "cells": []}'},
    ),
    Attack(
        "a zip bomb as weights",
        lambda kit: {FILE: kit.answered(dot=ZEROS), "weights.safetensors": _zip_bomb(kit)},
    ),
    Attack(
        "200 MB of weights",
        lambda kit: {FILE: kit.answered(dot=ZEROS), "weights.safetensors": bytes(200_000_000)},
    ),
    Attack(
        "5,000 files",
        lambda kit: {FILE: kit.answered(dot=ZEROS), **{f"file{n}.txt": b"x" for n in range(5000)}},
    ),
    in_cell("wastes nothing, and is right", RIGHT_DOT, dot=2.0),
]
