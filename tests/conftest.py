"""Order of the tests: those that drive a browser run last, so that what fails fast fails first.

One thread for torch: a fork of a process whose torch has used several may hang, and tests fork.
"""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
