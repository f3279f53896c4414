"""One data dir per test, on a path short enough for a Unix socket."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.embedded_valkey import DataDir
from tests.embedded_valkey.support import Owned


@pytest.fixture
def data_dir() -> Iterator[DataDir]:
    """A data dir that does not exist yet."""
    with TemporaryDirectory(prefix="cave-") as directory:
        yield DataDir(Path(directory) / "data")


@pytest.fixture
def owned(data_dir: DataDir) -> Iterator[Owned]:
    """A data dir that the test owns, with its server, which is not started."""
    with Owned(data_dir) as owned:
        yield owned
