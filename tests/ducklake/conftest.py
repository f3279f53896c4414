"""One PostgreSQL server per session, for tests with catalogs in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ducklake.postgres import PostgresServer, postgres_binaries


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running server; skips the test if PostgreSQL is not installed."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed, or its account is missing")
    server = PostgresServer(binaries)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """The connection string of an empty database."""
    return postgres.new_database()
