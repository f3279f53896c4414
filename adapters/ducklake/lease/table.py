"""The table of leases: who holds each, and until when by the clock of its database."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from adapters.ducklake.database import (
    BUSY_TIMEOUT_MS,
    Connection,
    Location,
    closing_connection,
    translated,
)
from adapters.ducklake.sql import quoted
from application.projections.errors import StoreUnavailable

FILE = "leases.sqlite"
"""A database of its own, because a renewal would make each query read the registry again."""

_CREATE = (
    "CREATE TABLE IF NOT EXISTS {table} "
    "(name VARCHAR(100) PRIMARY KEY, owner VARCHAR(300) NOT NULL, expires_at {time} NOT NULL)"
)
_TAKE = (
    "INSERT INTO {table} AS lease (name, owner, expires_at) "
    "VALUES ({name}, {owner}, {now} + {seconds}) ON CONFLICT (name) DO UPDATE "
    "SET owner = excluded.owner, expires_at = excluded.expires_at "
    "WHERE lease.expires_at <= {now}"
)
_RENEW = "UPDATE {table} SET expires_at = {now} + {seconds} WHERE owner IN ({owners})"
_RELEASE = "DELETE FROM {table} WHERE owner = {owner}"
_GIVE_UP = "DELETE FROM {table} WHERE owner = {owner} AND name = {name}"
_HOLDERS = "SELECT name, owner, expires_at - {now} FROM {table}"


class Holder(Struct, frozen=True):
    """Who holds a lease, and the seconds until it expires; others may take it from 0 on."""

    owner: str
    seconds: float


class LeaseTable(Protocol):
    """Leases by name, each held by at most one owner. Thread-safe; calls block.

    Every method raises StoreUnavailable.
    """

    def take(self, name: str, owner: str, seconds: float) -> None:
        """Take a lease for `seconds`, unless somebody holds it; `holders` has the outcome."""

    def renew(self, owners: Collection[str], seconds: float) -> None:
        """Extend what these owners hold to `seconds` from now."""

    def release(self, owner: str) -> None:
        """Give up everything that an owner holds."""

    def give_up(self, owner: str, name: str) -> None:
        """Give up one lease, if this owner holds it."""

    def holders(self) -> Mapping[str, Holder]:
        """Return the holder of every lease, also of expired ones that nobody has taken."""

    def close(self) -> None:
        """Close what it has opened."""


class SqliteLeases:
    """Implements LeaseTable in the projections' directory, for the processes of one machine.

    The clock is the machine's. Python's SQLite is used: DuckDB never opens this file.
    """

    def __init__(self, root: Path) -> None:
        self._lock = threading.Lock()
        with _sqlite_translated():
            self._database = sqlite3.connect(
                root / FILE,
                timeout=BUSY_TIMEOUT_MS / 1000,
                isolation_level=None,
                check_same_thread=False,
            )
            # Nothing is lost with a lease, so no renewal needs to be on the disk.
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._execute(_CREATE, time="REAL")

    def take(self, name: str, owner: str, seconds: float) -> None:
        self._execute(_TAKE, name=quoted(name), owner=quoted(owner), seconds=str(seconds))

    def renew(self, owners: Collection[str], seconds: float) -> None:
        self._execute(_RENEW, owners=_listed(owners), seconds=str(seconds))

    def release(self, owner: str) -> None:
        self._execute(_RELEASE, owner=quoted(owner))

    def give_up(self, owner: str, name: str) -> None:
        self._execute(_GIVE_UP, owner=quoted(owner), name=quoted(name))

    def holders(self) -> Mapping[str, Holder]:
        return {row[0]: Holder(row[1], row[2]) for row in self._execute(_HOLDERS)}

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _execute(self, statement: str, **values: str) -> list[Any]:
        now = "((julianday('now') - 2440587.5) * 86400.0)"
        with self._lock, _sqlite_translated():
            found = self._database.execute(statement.format(table="leases", now=now, **values))
            return found.fetchall()


class PostgresLeases:
    """Implements LeaseTable in the PostgreSQL attached as `registry`, by that server's clock.

    `cursor` opens a connection with `registry` attached, which is closed after use.
    """

    _TABLE = "cave_projections.leases"
    _NOW = "extract(epoch FROM clock_timestamp())::double precision"

    def __init__(self, cursor: Callable[[], Connection]) -> None:
        self._cursor = cursor
        create = f"CREATE SCHEMA IF NOT EXISTS cave_projections; {_CREATE}"
        try:
            self._execute(create, time="double precision")
        except StoreUnavailable:
            # Another process may have created it meanwhile, which fails this attempt.
            self._execute(create, time="double precision")

    def take(self, name: str, owner: str, seconds: float) -> None:
        self._execute(_TAKE, name=quoted(name), owner=quoted(owner), seconds=str(seconds))

    def renew(self, owners: Collection[str], seconds: float) -> None:
        self._execute(_RENEW, owners=_listed(owners), seconds=str(seconds))

    def release(self, owner: str) -> None:
        self._execute(_RELEASE, owner=quoted(owner))

    def give_up(self, owner: str, name: str) -> None:
        self._execute(_GIVE_UP, owner=quoted(owner), name=quoted(name))

    def holders(self) -> Mapping[str, Holder]:
        query = _HOLDERS.format(table=self._TABLE, now=self._NOW)
        with self._connected() as connection:
            rows = connection.execute(
                f"FROM postgres_query('registry', {quoted(query)})"
            ).fetchall()
        return {row[0]: Holder(row[1], row[2]) for row in rows}

    def close(self) -> None:
        """Do nothing; the caller closes what `cursor` opens connections of."""

    def _execute(self, statement: str, **values: str) -> None:
        text = statement.format(table=self._TABLE, now=self._NOW, **values)
        with self._connected() as connection:
            # DuckDB's transactions are repeatable reads, in which a statement fails instead of
            # waiting for another one on the same row.
            connection.execute(
                f"CALL postgres_execute('registry', {quoted(text)}, use_transaction => false)"
            )

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with translated(), closing_connection(self._cursor()) as connection:
            yield connection


def lease_table(location: Location, cursor: Callable[[], Connection]) -> LeaseTable:
    """Open the table of leases, creating it if there is none. Raises StoreUnavailable.

    `cursor` opens a connection with `registry` attached.
    """
    return SqliteLeases(location.root) if location.catalog is None else PostgresLeases(cursor)


def _listed(owners: Collection[str]) -> str:
    return ", ".join(map(quoted, owners))


@contextmanager
def _sqlite_translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the projections' leases do not work: {error}") from error
