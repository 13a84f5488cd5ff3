"""Print requirements.lock: the installed version of everything that pyproject.toml leads to.

    python -m autograder.author.lock > requirements.lock        # or: make lock

The extras count; what is installed besides does not. The local part of a version
(2.13.0+cpu) is left out; so are the libraries for NVIDIA cards, which differ between builds of PyTorch.
"""

from __future__ import annotations

from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

COURSE, EXTRAS = "attention-by-hand", frozenset({"dev", "cluster", "postgres"})
NVIDIA = ("nvidia-", "cuda-", "triton")
HEADER = """\
# The exact versions this course was tested with (Linux, Python 3.11); pip adds what only other systems need.
# Made by `make lock`. To change one: .venv/bin/python -m pip install NAME==VERSION, make lock, make test.
"""


def closure() -> dict[str, str]:
    """Name -> installed version of everything that the course needs, directly or not, itself excepted."""
    found = {"setuptools": metadata.version("setuptools")}  # builds the editable install
    seen, todo = set(), [(COURSE, EXTRAS)]
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found[name] = metadata.version(name).split("+")[0]
        for requirement in map(Requirement, metadata.requires(name) or ()):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *extras}):
                todo.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    del found[COURSE]
    return {name: version for name, version in found.items() if not name.startswith(NVIDIA)}


def text() -> str:
    return HEADER + "".join(f"{name}=={version}\n" for name, version in sorted(closure().items()))


if __name__ == "__main__":
    print(text(), end="")
