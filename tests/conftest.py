"""Order of the tests: those that drive a browser run last, so that what fails fast fails first.

One thread for torch: a fork of a process whose torch has used several may hang, and tests fork.
"""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in an empty folder, as a learner does: not while grading, with no check run before."""
    from byhand import check
    from byhand.checking.host import Host

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BYHAND_GRADING", raising=False)
    monkeypatch.setattr(check, "host", Host())


@pytest.fixture
def paper() -> Iterator[None]:
    """Draw without a window, take any warning for a failure, leave no figure behind."""
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    plt.close("all")
