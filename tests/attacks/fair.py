"""Fair: odd but right answers, which lesser graders reject. Each must earn every point."""

from __future__ import annotations

from typing import Any

from tests.attacks import FILE, RIGHT_DOT, RIGHT_SHARE, Attack, Kit, in_cell, to_bytes

DOTS = {
    "prints": "\ndef dot(query, keys):\n    print('called', query.shape)\n    return SCALE * (keys @ query)\n",
    "warns": "import warnings\ndef dot(query, keys):\n    warnings.warn('careful')\n    return SCALE * (keys @ query)\n",
    "draws a progress bar": "from tqdm import tqdm\ndef dot(query, keys):\n    return np.array([SCALE * (key @ query) for key in tqdm(keys)])\n",
    "logs": "import logging\nlogging.basicConfig(level=0)\ndef dot(query, keys):\n    logging.error('here')\n    return SCALE * (keys @ query)\n",
    "is an alias": "\ndef my_own(q, k):\n    return SCALE * (k @ q)\ndot = my_own\n",
    "is a lambda": "\ndot = lambda query, keys: SCALE * (keys @ query)\n",
    "is a callable object": "\nclass Dot:\n    def __call__(self, query, keys): return SCALE * (keys @ query)\ndot = Dot()\n",
    "is a partial": "import functools\ndef scaled(scale, query, keys): return scale * (keys @ query)\ndot = functools.partial(scaled, SCALE)\n",
    "is cached by a decorator": "import functools\ndef loud(f):\n    @functools.wraps(f)\n    def g(*a, **k): return f(*a, **k)\n    return g\n@loud\ndef dot(query, keys): return SCALE * (keys @ query)\n",
    "is a static method": "\nclass Mine:\n    @staticmethod\n    def dot(query, keys): return SCALE * (keys @ query)\ndot = Mine.dot\n",
    "uses helpers": "\ndef one(query, key): return SCALE * sum(q * k for q, k in zip(query, key))\ndef dot(query, keys): return np.array([one(query, key) for key in keys])\n",
    "uses einsum": "\ndef dot(query, keys): return np.einsum('d,sd->s', query, keys) * SCALE\n",
    "uses torch": "import torch\ndef dot(query, keys): return (SCALE * torch.tensor(keys) @ torch.tensor(query)).numpy()\n",
    "uses an import of its own": "import numpy, math, itertools\ndef dot(query, keys): return SCALE * numpy.inner(keys, query)\n",
    "uses its own data class": "from dataclasses import dataclass\n@dataclass\nclass Pair:\n    q: object\n    k: object\ndef dot(query, keys):\n    p = Pair(query, keys)\n    return SCALE * (p.k @ p.q)\n",
    "uses threads": "from concurrent.futures import ThreadPoolExecutor\ndef dot(query, keys):\n    with ThreadPoolExecutor(2) as pool:\n        return np.array(list(pool.map(lambda key: SCALE * (key @ query), keys)))\n",
    "uses async": "import asyncio\nasync def later(query, keys): return SCALE * (keys @ query)\ndef dot(query, keys):\n    return asyncio.run(later(query, keys)) if 0 else SCALE * (keys @ query)\nawait asyncio.sleep(0)\n",
    "returns a view": "\ndef dot(query, keys):\n    both = np.stack([SCALE * (keys @ query)] * 2)\n    return both[1]\n",
    "returns a strided view": "\ndef dot(query, keys):\n    return np.repeat(SCALE * (keys @ query), 2)[::2]\n",
    "returns a read-only array": "\ndef dot(query, keys):\n    x = SCALE * (keys @ query)\n    x.setflags(write=False)\n    return x\n",
    "returns in another order of additions": "\ndef dot(query, keys):\n    return SCALE * (keys[:, ::-1] * query[::-1]).sum(1)\n",
    "draws a plot": "import matplotlib.pyplot as plt\ndef dot(query, keys): return SCALE * (keys @ query)\nplt.bar(range(3), [1, 2, 3])\nplt.show()\n",
    "is timed": "\ndef dot(query, keys): return SCALE * (keys @ query)\n%timeit -n 1 -r 1 dot(np.ones(2), np.ones((3, 2)))\n",
    "is tested by its author": "\ndef dot(query, keys): return SCALE * (keys @ query)\nassert dot(np.ones(2), np.ones((3, 2))).shape == (3,)\n",
    "is defined twice": "\ndef dot(query, keys): return 0\ndef dot(query, keys): return SCALE * (keys @ query)\n",
    "has type hints and a docstring": "\ndef dot(query: np.ndarray, keys: np.ndarray) -> np.ndarray:\n    '''Scores. ### BEGIN nothing'''\n    return SCALE * (keys @ query)\n",
    "has Chinese names": "\ndef 点积(查询, 键): return SCALE * (键 @ 查询)\ndot = 点积\n",
    "lists a folder": "!ls > /dev/null\n%pwd\ndef dot(query, keys): return SCALE * (keys @ query)\n",
    "writes a file of its own": "\nopen('notes.txt', 'w').write('mine')\ndef dot(query, keys): return SCALE * (keys @ query)\n",
    "seeds the generators": "import random\nrandom.seed(0)\nnp.random.seed(0)\ndef dot(query, keys): return SCALE * (keys @ query)\n",
    "shows a big but bounded output": "\nfor n in range(3000): print(n)\ndef dot(query, keys): return SCALE * (keys @ query)\n",
    "takes the arguments by other names": "\ndef dot(q, k): return SCALE * (k @ q)\n",
    "takes more arguments": "\ndef dot(query, keys, *, loud=False): return SCALE * (keys @ query)\n",
}


def _with_own_cells(kit: Kit, *texts: str) -> bytes:
    import json

    notebook: dict[str, Any] = json.loads(kit.answered(dot=RIGHT_DOT, share=RIGHT_SHARE))
    own = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    for number, text in enumerate(texts):
        notebook["cells"].insert(2 + 2 * number, {**own, "id": f"own{number}", "source": text})
    return to_bytes(notebook)


def _own(name: str, *texts: str) -> Attack:
    return Attack(name, lambda kit: {FILE: _with_own_cells(kit, *texts)}, {"dot": 2.0, "share": 3.0})


ATTACKS = [
    *(in_cell(f"a right answer {name}", text, dot=2.0) for name, text in DOTS.items()),
    _own("own cells that print", "print('hello')", "x = 5\nx"),
    _own("own cells that fail", "1 / 0", "undefined_name", "raise KeyboardInterrupt"),
    _own("own cells that use what is below", "dot(np.ones(2), np.ones((2, 2)))"),
    _own("own cells of magics", "%timeit -n 1 -r 1 1 + 1", "%who", "%%time\npass", "?print"),
    _own("own cells that draw", "import matplotlib.pyplot as plt\nplt.plot([1, 2])", "plt.show()"),
    _own("own cells that are empty", "", "# nothing"),
]
