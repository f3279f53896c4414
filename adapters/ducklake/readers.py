"""What queries run on: a DuckDB with the generations attached, read-only, that they ask for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import duckdb
import structlog
from msgspec import Struct

from adapters.ducklake.database import Connection, Location, attach, connect, translated
from adapters.ducklake.registry import Registry
from application.projections.errors import ProjectionMissing, StoreUnavailable
from application.projections.ports import Generation, Role

_log = structlog.get_logger(__name__)


class Reading(Struct, frozen=True):
    """A connection of its own, and the alias of the generation that it reads."""

    connection: Connection
    source: str


class Readers:
    """Opens generations for queries. Thread-safe.

    Which generation is live is looked up for each query; one that is no longer live is let go of
    as soon as no query reads it. A DuckDB that failed is replaced, not used again.
    """

    def __init__(self, location: Location, *, threads: int, memory: int) -> None:
        self._location = location
        self._threads = threads
        self._memory = memory
        self._lock = threading.Lock()
        self._database: _Database | None = None

    def close(self) -> None:
        """Close the DuckDB, as soon as no query uses it."""
        with self._lock:
            database, self._database = self._database, None
            if database is not None and not database.users:
                database.close()

    @contextmanager
    def reading(self, projection: str, label: str | None = None) -> Iterator[Reading]:
        """Open the live generation, or the copy of a label, as it is now.

        Raises ProjectionMissing where there is none, StoreUnavailable; errors of DuckDB within the
        block are translated.
        """
        database = self._enter()
        try:
            with database.reading(projection, label) as reading:
                yield reading
        except StoreUnavailable as error:
            with self._lock:
                if self._database is database:
                    self._database = None
            _log.warning("projections cannot be read", projection=projection, reason=str(error))
            # DuckDB's words, which are for operators, may tell of paths and addresses.
            raise StoreUnavailable("the projections cannot be read now") from error
        finally:
            with self._lock:
                database.users -= 1
                if not database.users and self._database is not database:
                    database.close()

    def _enter(self) -> _Database:
        with self._lock:
            if self._database is None:
                self._database = _Database(self._location, self._threads, self._memory)
            self._database.users += 1
            return self._database


class _Database:
    def __init__(self, location: Location, threads: int, memory: int) -> None:
        self.users = 0
        self._location = location
        self._lock = threading.Lock()
        self._queries: Counter[str] = Counter()
        self._attached: set[str] = set()
        self._live: dict[str, str] = {}
        self._connection = connect(location, threads=threads, memory=f"{memory}B")
        with translated():
            # A query that does not fit its memory is refused, not written to the disk.
            self._connection.execute("SET temp_directory = ''")
        self._registry = Registry(self._connection, location)

    def close(self) -> None:
        with suppress(duckdb.Error):
            self._connection.close()

    @contextmanager
    def reading(self, projection: str, label: str | None) -> Iterator[Reading]:
        alias = self._acquire(projection, label)
        try:
            with translated(), closing(self._connection.cursor()) as connection:
                try:
                    connection.execute("BEGIN")
                    yield Reading(connection, alias)
                except duckdb.CatalogException as error:
                    raise ProjectionMissing(f"{projection} was not built yet") from error
        finally:
            self._release(alias)

    def _acquire(self, projection: str, label: str | None) -> str:
        with self._lock:
            generation = self._find(projection, label)
            alias = f"{projection}_{generation.number}"
            if alias not in self._attached:
                name = f"{projection}-{generation.number}"
                attach(self._connection, self._location, name, alias, read_only=True)
                self._attached.add(alias)
            self._queries[alias] += 1
            if label is None:
                self._live[projection] = alias
                self._detach_unused()
            return alias

    def _release(self, alias: str) -> None:
        with self._lock:
            self._queries[alias] -= 1
            self._detach_unused()

    def _find(self, projection: str, label: str | None) -> Generation:
        for generation in self._registry.generations(projection):
            if label is None and generation.role is Role.LIVE:
                return generation
            if label is not None and generation.role is Role.COPY and generation.label == label:
                return generation
        if label is None:
            raise ProjectionMissing(f"{projection} was not built yet")
        raise ProjectionMissing(f"there is no copy {label!r} of {projection}")

    def _detach_unused(self) -> None:
        unused = {a for a in self._attached if not self._queries[a]} - set(self._live.values())
        for alias in unused:
            self._attached.remove(alias)
            del self._queries[alias]
            with translated():
                self._connection.execute(f"DETACH {alias}")
