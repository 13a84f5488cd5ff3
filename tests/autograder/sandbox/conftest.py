"""Workers that the sandbox's tests share, one of each kind for a module."""

from collections.abc import Iterator

import pytest

from tests.inside.ask import Worker, worker


@pytest.fixture(scope="module")
def bare() -> Iterator[Worker]:
    """Without libraries: starts at once."""
    with worker(warm=False) as one:
        yield one


@pytest.fixture(scope="module")
def warm() -> Iterator[Worker]:
    with worker() as one:
        yield one
