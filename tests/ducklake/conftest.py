"""One PostgreSQL server per session, for tests with catalogs in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ducklake.postgres import PostgresServer, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running server; skips the test if PostgreSQL is not installed."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """The connection string of an empty database."""
    return postgres.new_database()
