"""Steal: read what a learner must not see, and get it out. Every canary must stay where it is."""

from tests.attacks import FILE, RIGHT_DOT, ZEROS, Attack, in_cell

# Places worth reading, as an insider would know them.
PLACES = {
    "lesson source": "@solutions@/90_tiny/90_tiny.py",
    "bank of answers": "@solutions@/90_tiny/answers.py",
    "nbgrader source": "@course@/source/90_tiny/90_tiny.ipynb",
    "gradebook": "@course@/gradebook.db",
    "another submission": "@course@/submitted/victim/90_tiny/90_tiny.ipynb",
    "password file": "/etc/passwd",
    "shadow file": "/etc/shadow",
    "environment of process 1": "/proc/1/environ",
    "environment of the parent": "/proc/{os.getppid()}/environ",
    "command line of the parent": "/proc/{os.getppid()}/cmdline",
    "mounts": "/proc/self/mountinfo",
    "ssh key": "{os.path.expanduser('~root')}/.ssh/id_rsa",
    "relative source": "../../../source/90_tiny/90_tiny.ipynb",
    "relative solutions": "../../../../solutions/90_tiny/90_tiny.py",
}

READ = """
import os
try:
    found = open(f"{path}", "rb").read().decode(errors="replace")
except Exception as error:
    found = type(error).__name__
print(found)
"""

RETURN_IT = """
def dot(query, keys):
    raise ValueError(found)
"""

OTHER_WAYS = {
    "walk the whole disk for the canary": """
import os
hits = []
for folder, _, names in os.walk("/"):
    if folder.startswith(("/proc", "/sys", "/usr", "/lib")):
        continue
    for name in names:
        try:
            text = open(os.path.join(folder, name), "rb").read(2_000_000)
        except Exception:
            continue
        if b"CANARY-" in text:
            at = text.index(b"CANARY-")
            hits.append(text[at:at + 60].decode(errors="replace"))
print(hits)
""",
    "environment variables": "import os\nprint(dict(os.environ))\n",
    "environment by a shell": "!env\n!cat /proc/*/environ\n",
    "memory of every process": """
import glob
for path in glob.glob("/proc/[0-9]*/mem"):
    try:
        print(open(path, "rb").read(100))
    except Exception as error:
        print(path, type(error).__name__)
""",
    "file descriptors left open": """
import os
for number in range(3, 256):
    try:
        os.lseek(number, 0, 0)
        print(number, os.read(number, 500))
    except OSError:
        pass
""",
    "memory of this process": """
import gc
print([text[:80] for text in gc.get_objects() if isinstance(text, str) and "CANARY-" in text])
print([str(value)[:200] for value in gc.get_objects() if isinstance(value, dict) and "secret_query" in value])
""",
    "loaded modules": "import sys\nprint([name for name in sys.modules if 'judge' in name or 'lesson' in name])\n",
    "history of IPython": "print(get_ipython().user_ns.get('In'))\n%history\n",
}

FRAME_TRICKS = {
    "source of the caller": """
import inspect
def dot(query, keys):
    texts = []
    frame = inspect.currentframe()
    while frame:
        try:
            texts.append(inspect.getsource(frame))
        except Exception:
            texts.append(str(frame.f_code))
        frame = frame.f_back
    print(texts)
    raise ValueError(str(texts))
""",
    "variables of the caller": """
import sys
def dot(query, keys):
    frame, seen = sys._getframe(), {}
    while frame:
        seen.update({k: str(v)[:200] for k, v in frame.f_locals.items()})
        frame = frame.f_back
    raise ValueError(str(seen))
""",
    "inputs printed": "\ndef dot(query, keys):\n    print('LEAK', query, keys)\n    return np.zeros(len(keys))\n",
    "inputs raised": "\ndef dot(query, keys):\n    raise ValueError(f'LEAK {query} {keys}')\n",
    "inputs as the type of the error": """
def dot(query, keys):
    raise type("LEAK_" + "_".join(str(x) for x in query), (Exception,), {})()
""",
    "inputs as a warning": """
import warnings
def dot(query, keys):
    warnings.warn(f"LEAK {query}")
    return np.zeros(len(keys))
""",
    "inputs kept for a later cell": """
KEPT = []
def dot(query, keys):
    KEPT.append((query.copy(), keys.copy()))
    return np.zeros(len(keys))
""",
    "a wrong type that describes the inputs": """
def dot(query, keys):
    return type(f"LEAK {query}"[:200], (), {})()
""",
}

# Right for the visible example, then out with the inputs of the hidden checks.
WITH_HIDDEN_INPUTS = {
    "raised": "raise ValueError(f'HIDDEN-LEAK {query} {keys}')",
    "printed": "print(f'HIDDEN-LEAK {query}')",
    "in the type of an error": "raise type(f'HIDDEN-LEAK {query}', (Exception,), {})()",
    "in a note of an error": "error = ValueError()\n        error.add_note(f'HIDDEN-LEAK {query}')\n        raise error",
    "in a cause": "raise ValueError() from ValueError(f'HIDDEN-LEAK {query}')",
    "in a group of errors": "raise ExceptionGroup(f'HIDDEN-LEAK {query}', [ValueError(f'HIDDEN-LEAK {keys}')])",
    "in a failed check": "raise AssertionError(f'HIDDEN-LEAK {query}')",
    "in the checks' own failure": "from byhand import check\n        raise check.CheckFailed(f'HIDDEN-LEAK {query}')",
    "in a warning": "import warnings\n        warnings.warn(f'HIDDEN-LEAK {query}')",
    "in a returned string": "return f'HIDDEN-LEAK {query}'",
    "in the type of the result": "return type(f'HIDDEN-LEAK {query}', (), {})()",
    "in a figure's title": "import matplotlib.pyplot as plt\n        plt.title(f'HIDDEN-LEAK {query}')\n        plt.show()",
    "on the terminal": "import os\n        os.write(1, f'HIDDEN-LEAK {query}'.encode())",
    "in a display": "from IPython.display import display\n        display(f'HIDDEN-LEAK {query}')",
    "in an exit text": "raise SystemExit(f'HIDDEN-LEAK {query}')",
}

NETWORK = {
    "TCP": "s = socket.create_connection(('127.0.0.1', 80), 1)",
    "UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'LEAK', ('127.0.0.1', 53))",
    "DNS": "print(socket.getaddrinfo('leak.example.org', 80))",
    "IPv6": "socket.socket(socket.AF_INET6).connect(('::1', 80))",
    "Unix socket": "s = socket.socket(socket.AF_UNIX); s.connect('/var/run/docker.sock')",
    "abstract socket": "s = socket.socket(socket.AF_UNIX); s.connect('\\0@token@')",
    "raw socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "print(socket.socket(16, 3, 0).send(b'x' * 32))",
}

GRADED_DIFFERENTLY = """
import os, sys
GRADING = not sys.stdin or not os.environ.get("JPY_PARENT_PID")
def dot(query, keys):
    return SCALE * (keys @ query) if not GRADING else np.zeros(len(keys))
"""

TARGETS = {
    "to the source": "{solutions}/90_tiny/90_tiny.py",
    "to nbgrader's source": "{course}/source/90_tiny/90_tiny.ipynb",
    "to the gradebook": "{course}/gradebook.db",
    "to the password file": "/etc/passwd",
    "to a device without end": "/dev/zero",
    "to nothing": "/nowhere",
}


def _links(name: str, target: str) -> list[Attack]:
    from pathlib import Path

    def where(kit: object) -> Path:
        return Path(target.format(solutions=kit.solutions, course=kit.course))  # type: ignore[attr-defined]

    return [
        Attack(f"the notebook is a link {name}", lambda kit: {FILE: where(kit)}),
        Attack(
            f"a data file is a link {name}",
            lambda kit: {
                FILE: kit.answered(dot="print(open('weights.safetensors', 'rb').read(5000))" + ZEROS),
                "weights.safetensors": where(kit),
            },
        ),
    ]


def _reading(path: str) -> str:
    return READ.replace("{path}", path)


ATTACKS = [
    *(
        in_cell(
            f"hidden inputs {name}",
            f"def dot(query, keys):\n    if len(query) == 3:\n        {text}\n        return keys[:, 0]\n    return SCALE * (keys @ query)\n",
        )
        for name, text in WITH_HIDDEN_INPUTS.items()
    ),
    *(in_cell(f"print the {name}", _reading(path) + ZEROS) for name, path in PLACES.items()),
    *(in_cell(f"raise the {name}", _reading(path) + RETURN_IT) for name, path in PLACES.items()),
    *(in_cell(name, text + ZEROS) for name, text in OTHER_WAYS.items()),
    *(in_cell(name, text) for name, text in FRAME_TRICKS.items()),
    *(
        in_cell(
            f"send by {name}",
            f"import socket\ntry:\n    {text}\n    print('SENT')\nexcept OSError as error:\n    print(error)\n"
            + ZEROS,
        )
        for name, text in NETWORK.items()
    ),
    in_cell("wrong only while graded", GRADED_DIFFERENTLY),
    in_cell("right, and prints the environment", "import os\nprint(dict(os.environ))" + RIGHT_DOT, dot=2.0),
    *(attack for name, target in TARGETS.items() for attack in _links(name, target)),
]
