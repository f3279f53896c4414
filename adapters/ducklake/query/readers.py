"""Read-only access for queries: a DuckDB with the generations they need attached."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Generic, TypeVar

import duckdb
import structlog

from adapters.ducklake.catalog_state import CatalogState, catalog_state
from adapters.ducklake.database import (
    Connection,
    Location,
    attach,
    close,
    closing_connection,
    connect,
    metadata_schema,
    translated,
)
from adapters.ducklake.lease.leases import writers
from adapters.ducklake.lease.owners import Owners
from adapters.ducklake.lease.table import lease_table
from adapters.ducklake.query.deadline import Deadline
from adapters.ducklake.query.parquet_files import ParquetFile, ParquetFiles
from adapters.ducklake.store.registry import Registry
from adapters.ducklake.store.stored_names import lake_name
from application.projections.errors import ProjectionMissing, StoreUnavailable
from application.projections.folds import PROJECTIONS
from application.projections.ports import Generation, Role, Writer

T = TypeVar("T")

DATABASES = 1 + len(PROJECTIONS)
"""Databases that are attached: the registry and the live generations. Copies come on top."""

_log = structlog.get_logger(__name__)


class Reading:
    """A generation, attached as `source`, while one thread reads it.

    Its connection is opened on first use: answers from memory need none.
    """

    def __init__(
        self,
        database: _Database,
        generation: Generation,
        source: str,
        deadline: Deadline | None,
    ) -> None:
        self.generation = generation
        self.source = source
        self.points = 0
        """Number of points copied to this process's memory so far."""
        self._database = database
        self._deadline = deadline
        self._opened = ExitStack()
        self._connection: Connection | None = None
        self._files: Sequence[ParquetFile] | None = None

    @property
    def connection(self) -> Connection:
        """A connection of its own; all its statements see one snapshot of the generation."""
        if self._connection is None:
            cursor = self._database.cursor()
            self._connection = self._opened.enter_context(closing_connection(cursor))
            if self._deadline is not None:
                self._opened.enter_context(self._deadline.interrupting(self._connection))
            self._connection.execute("BEGIN")
        return self._connection

    def writers(self) -> tuple[Writer, ...]:
        """Return the processes that write the generation now."""
        return self._database.writers(self.source)

    def files(self) -> Sequence[ParquetFile]:
        """Return the files of the generation's points, as of the first call."""
        if self._files is None:
            self._files = self._database.files(self.source)
        return self._files

    def finite(self, files: Sequence[ParquetFile]) -> bool:
        """Return whether the files are known to have finite values only."""
        return self._database.finite(self.source, files)

    @property
    def value(self) -> str:
        """The SQL for the value of a point of this generation."""
        return self._database.value(self.source, self.connection)

    def close(self) -> None:
        self._opened.close()


class Readers:
    """Opens generations for queries. Thread-safe.

    The live generation is looked up for each query; one that is no longer live is detached as soon
    as no query reads it. A DuckDB that failed is replaced. A query that exceeds `memory` (bytes) is
    refused, or with `spills` uses temporary files.
    """

    def __init__(
        self, location: Location, *, threads: int, memory: int, spills: bool = False
    ) -> None:
        self._location = location
        self._threads = threads
        self._memory = memory
        self._spills = spills
        self._lock = threading.Lock()
        self._database: _Database | None = None

    def close(self) -> None:
        """Close the DuckDB as soon as no query uses it."""
        with self._lock:
            database, self._database = self._database, None
            if database is not None and not database.users:
                database.close()

    @contextmanager
    def reading(
        self, projection: str, label: str | None = None, deadline: Deadline | None = None
    ) -> Iterator[Reading]:
        """Open a snapshot of the live generation, or of the copy with the label, for the block.

        Raises ProjectionMissing, StoreUnavailable, and QueryTooLarge after the deadline. DuckDB's
        errors within the block are translated.
        """
        database = self._enter()
        try:
            with database.reading(projection, label, deadline) as reading:
                yield reading
        except StoreUnavailable as error:
            with self._lock:
                if self._database is database:
                    self._database = None
            _log.warning("projections cannot be read", projection=projection, reason=str(error))
            # DuckDB's message is for operators only: it may contain paths and addresses.
            raise StoreUnavailable("the projections cannot be read now") from error
        finally:
            with self._lock:
                database.users -= 1
                if not database.users and self._database is not database:
                    database.close()

    def files_at_hand(self, projection: str) -> Sequence[ParquetFile] | None:
        """Return the files of the live generation; None if that takes a catalog lookup."""
        database = self._database
        return None if database is None else database.files_at_hand(projection)

    def _enter(self) -> _Database:
        with self._lock:
            if self._database is None:
                self._database = _Database(self._location, self._threads, self._memory)
                if not self._spills:
                    self._database.refuse_to_spill()
            self._database.users += 1
            return self._database


class _Remembered(dict[str, tuple[CatalogState, T]], Generic[T]):
    """Results of catalog reads by name, each with the catalog's state before the read."""

    def as_of(self, name: str, state: CatalogState | None) -> T | None:
        """Return the remembered result, None unless it is known to be current."""
        known = self.get(name)
        return None if known is None or known[0] != state else known[1]


class _Database:
    def __init__(self, location: Location, threads: int, memory: int) -> None:
        self.users = 0
        self._location = location
        self._lock = threading.Lock()
        self._queries: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        self._live: dict[str, str] = {}
        self._generations = _Remembered[Sequence[Generation]]()
        self._list_files: dict[str, ParquetFiles] = {}
        self._files = _Remembered[Sequence[ParquetFile]]()
        self._connection = connect(
            location,
            threads=threads,
            memory=f"{memory}B",
            pool=max(1, location.connections // DATABASES),
        )
        self._registry = Registry(self._connection, location)
        self._leases = lease_table(location, self.cursor)
        self._owners = Owners(location)

    def refuse_to_spill(self) -> None:
        with translated():
            self._connection.execute("SET temp_directory = ''")

    def close(self) -> None:
        self._leases.close()
        with suppress(duckdb.Error):
            close(self._connection)

    @contextmanager
    def reading(
        self, projection: str, label: str | None, deadline: Deadline | None
    ) -> Iterator[Reading]:
        generation, alias = self._acquire(projection, label)
        reading = Reading(self, generation, alias, deadline)
        try:
            with translated():
                try:
                    yield reading
                except duckdb.CatalogException as error:
                    raise ProjectionMissing(f"{projection} has not been built yet") from error
                finally:
                    reading.close()
        finally:
            self._release(alias)

    def cursor(self) -> Connection:
        return self._connection.cursor()

    def writers(self, alias: str) -> tuple[Writer, ...]:
        return writers(self._leases, self._owners, self._names[alias])

    def files(self, alias: str) -> Sequence[ParquetFile]:
        """Return an attached generation's files; lists them again if its catalog changed."""
        name = self._names[alias]
        state = self._state(f"{name}/catalog.sqlite")
        files = self._files.as_of(alias, state)
        if files is None:
            # In a transaction that begins after the state was taken.
            with closing_connection(self.cursor()) as connection:
                files = self._listing(alias, connection)(connection)
            if state is not None:
                self._files[alias] = state, files
        return files

    def finite(self, alias: str, files: Sequence[ParquetFile]) -> bool:
        # Not on the query's own connection, which would keep one to PostgreSQL until it ends.
        with closing_connection(self.cursor()) as connection:
            return self._listing(alias, connection).finite(connection, files)

    def value(self, alias: str, connection: Connection) -> str:
        return self._listing(alias, connection).value

    def _listing(self, alias: str, connection: Connection) -> ParquetFiles:
        if alias not in self._list_files:
            name = self._names[alias]
            schema = "main" if self._location.catalog is None else metadata_schema(name)
            self._list_files[alias] = ParquetFiles(
                connection, alias, schema, self._location.data_path(name)
            )
        return self._list_files[alias]

    def files_at_hand(self, projection: str) -> Sequence[ParquetFile] | None:
        generations = self._generations.as_of(projection, self._state("registry.sqlite"))
        for generation in generations or ():
            if generation.role is Role.LIVE:
                name = lake_name(projection, generation.number)
                return self._files.as_of(_alias(name), self._state(f"{name}/catalog.sqlite"))
        return None

    def _state(self, database: str) -> CatalogState | None:
        if self._location.catalog is not None:
            return None
        return catalog_state(f"{self._location.root}/{database}")

    def _acquire(self, projection: str, label: str | None) -> tuple[Generation, str]:
        with self._lock:
            generation = self._find(projection, label)
            name = lake_name(projection, generation.number)
            alias = _alias(name)
            if alias not in self._names:
                attach(self._connection, self._location, name, alias, read_only=True)
                self._names[alias] = name
            self._queries[alias] += 1
            if label is None:
                self._live[projection] = alias
                self._detach_unused()
            return generation, alias

    def _release(self, alias: str) -> None:
        with self._lock:
            self._queries[alias] -= 1
            self._detach_unused()

    def _find(self, projection: str, label: str | None) -> Generation:
        for generation in self._known_generations(projection):
            if label is None and generation.role is Role.LIVE:
                return generation
            if label is not None and generation.role is Role.COPY and generation.label == label:
                return generation
        if label is None:
            raise ProjectionMissing(f"{projection} has not been built yet")
        raise ProjectionMissing(f"there is no copy {label!r} of {projection}")

    def _known_generations(self, projection: str) -> Sequence[Generation]:
        """Return a projection's generations; reads them again if the registry changed."""
        state = self._state("registry.sqlite")
        generations = self._generations.as_of(projection, state)
        if generations is None:
            generations = self._registry.generations(projection)
            if state is not None:
                self._generations[projection] = state, generations
        return generations

    def _detach_unused(self) -> None:
        unused = {a for a in self._names if not self._queries[a]} - set(self._live.values())
        for alias in unused:
            del self._names[alias]
            del self._queries[alias]
            self._list_files.pop(alias, None)
            self._files.pop(alias, None)
            with translated():
                self._connection.execute(f"DETACH {alias}")


def _alias(name: str) -> str:
    """Return the alias under which a generation is attached."""
    return name.replace("-", "_")
