"""The connection to DuckDB."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import cast

import duckdb
import pytest

from adapters.ducklake import database
from adapters.ducklake.database import Connection, Location, close, connect
from application.projections.errors import ProjectionError


def test_a_process_loads_no_extension_whose_signature_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = database._extension_file

    def changed(extension: str) -> Path:
        copy = tmp_path / original(extension).name
        content = original(extension).read_bytes()
        copy.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        return copy

    monkeypatch.setattr(database, "_checked", set())
    monkeypatch.setattr(database, "_extension_file", changed)
    for _ in range(2):
        with pytest.raises((ProjectionError, duckdb.Error), match="signature"):
            connect(Location(root=tmp_path))


def test_a_query_that_needs_more_than_its_memory_uses_the_disk(tmp_path: Path) -> None:
    with closing(connect(Location(root=tmp_path / "new"), memory="64MB")) as connection:
        rows = connection.execute(
            "SELECT count(*) FROM (SELECT hash(i) h, i FROM range(5_000_000) r(i) ORDER BY h)"
        ).fetchone()
        connection.execute("CREATE TABLE kept AS SELECT i, hash(i) h FROM range(8_000_000) r(i)")
    assert rows == (5_000_000,)


class InTransaction:
    """A connection that refuses to end its transaction."""

    def __init__(self, error: duckdb.Error) -> None:
        self.closed = False
        self._error = error

    def execute(self, statement: str) -> None:
        assert statement == "ROLLBACK"
        raise self._error

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("error", "closed"),
    [
        (duckdb.TransactionException("no transaction is active"), True),
        (duckdb.IOException("the server is lost"), True),
        (duckdb.FatalException("database has been invalidated"), False),
    ],
)
def test_a_connection_whose_transaction_cannot_be_ended_is_kept(
    error: duckdb.Error, *, closed: bool
) -> None:
    """Closing it would end the process: DuckDB would throw the same error in a destructor."""
    connection = InTransaction(error)
    close(cast("Connection", connection))
    assert connection.closed is closed


def test_a_transaction_is_ended_before_its_connection_is_closed(tmp_path: Path) -> None:
    with closing(connect(Location(root=tmp_path))) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute("CREATE TABLE undone (i INTEGER)")
        close(cursor)
        assert connection.execute("FROM duckdb_tables()").fetchall() == []
