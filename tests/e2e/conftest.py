"""One service for all tests except those that disturb it, and one organization per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.e2e.tenant import Tenant
from tests.service import Service, running

MAX_BODY = 1 << 20
MAX_INFLATED = 2 << 20
MAX_POINTS = 5000

StartService = Callable[..., Service]


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """A service with low limits that logs everything."""
    # Not pytest's own temporary directories: their paths can be too long for a socket.
    with TemporaryDirectory(prefix="cave-") as directory:
        service = Service(
            Path(directory),
            WORKERS=2,
            LOG_LEVEL="debug",
            MAX_BODY=MAX_BODY,
            MAX_INFLATED=MAX_INFLATED,
            MAX_POINTS=MAX_POINTS,
        )
        with running(service):
            yield service


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client


@pytest.fixture
def tenant(service: Service, client: httpx.Client) -> Tenant:
    return Tenant(service, client)


@pytest.fixture
def start_service() -> Iterator[StartService]:
    """Start services for one test."""
    with ExitStack() as stack:

        def start(*arguments: str, **settings: str | int) -> Service:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="cave-")))
            return stack.enter_context(running(Service(directory, arguments, None, **settings)))

        yield start
