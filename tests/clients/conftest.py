"""Services that clients publish to and read from, and the clients.

`CAVE_CLIENT_SECONDS` is how long a client that measures by itself publishes, 2 s by default.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.clients.account import Account
from tests.clients.processes import Client, StartClient
from tests.clients.reading import ReadableAccount
from tests.servers import free_port
from tests.service import Service, running

takes_long = pytest.mark.skipif(
    "CAVE_CLIENT_SECONDS" not in os.environ, reason="takes long; `make clients` runs it"
)

SECONDS = float(os.environ.get("CAVE_CLIENT_SECONDS", "2"))


@contextmanager
def fresh_service() -> Iterator[Service]:
    """A service that has the same port after each start."""
    # Not pytest's own temporary directories: their paths can be too long for a socket.
    with (
        TemporaryDirectory(prefix="cave-") as directory,
        running(Service(Path(directory), ("--port", str(free_port())))) as service,
    ):
        yield service


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """One service for all tests except those that disturb it."""
    with fresh_service() as service:
        yield service


@pytest.fixture
def account(service: Service) -> Account:
    return Account(service)


@pytest.fixture(scope="session")
def readable(service: Service) -> ReadableAccount:
    """An account with series that end now; tests only read them."""
    return ReadableAccount(service)


@pytest.fixture
def disturbed() -> Iterator[Account]:
    """An account of a service that the test may kill."""
    with fresh_service() as service:
        yield Account(service)


@pytest.fixture
def start_client(tmp_path: Path) -> Iterator[StartClient]:
    """Start clients for one test, which are killed after it."""
    numbers = count()
    with ExitStack() as stack:

        def start(
            *command: str | Path, directory: Path | None = None, **environment: str
        ) -> Client:
            directory = directory or tmp_path / f"client{next(numbers)}"
            directory.mkdir(exist_ok=True)
            client = Client(command, directory, environment)
            stack.callback(client.kill)
            client.start()
            return client

        yield start
