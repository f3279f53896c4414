"""The projection stores: all generations of all projections."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

import duckdb
from msgspec import structs

from adapters.ducklake.database import (
    Connection,
    Location,
    attach,
    close,
    closing_connection,
    connect,
    transaction,
    translated,
)
from adapters.ducklake.lease.leases import SECONDS, Leases
from adapters.ducklake.lease.shares import SHARES
from adapters.ducklake.store.checkpoints import read_checkpoints
from adapters.ducklake.store.fence import take_over
from adapters.ducklake.store.generation import DuckLakeStore, read_set_aside
from adapters.ducklake.store.generation_files import remove, stored_bytes
from adapters.ducklake.store.registry import Registry
from adapters.ducklake.store.sessions import limited
from adapters.ducklake.store.share_fence import ShareFence, share_out, shares_of
from adapters.ducklake.store.stored_names import lake_name
from adapters.ducklake.store.tables import TABLES, as_made, create_tables
from adapters.ducklake.store.writer_fence import WriterFence
from application.projections.errors import ProjectionBusy, ProjectionMissing, StoreUnavailable
from application.projections.folds import Projection
from application.projections.ports import (
    Generation,
    GenerationInfo,
    Owner,
    OwnerDigest,
    Role,
)

RETIRED_SECONDS = 60.0
"""Seconds that a retired generation is kept for queries still reading it; longer than any query."""

LOOK_EVERY = 5.0
"""Seconds between checks for retired or dropped generations."""


class DuckLakeStores:
    """Implements the port ProjectionStores. Close it after use.

    `threads` and `memory` limit the DuckDB of each open generation. `clock` returns seconds since
    the epoch. `lease_seconds` is how long a writer that is not heard of keeps its
    generation, or its shares of one.
    """

    def __init__(
        self,
        location: Location,
        *,
        threads: int = 1,
        memory: str = "1GB",
        clock: Callable[[], float] = time.time,
        retired_seconds: float = RETIRED_SECONDS,
        lease_seconds: float = SECONDS,
    ) -> None:
        self._location = location
        self._leases = Leases(location, lease_seconds)
        self._written = limited(location, lease_seconds)
        self._threads = threads
        self._memory = memory
        self._clock = clock
        self._retired_seconds = retired_seconds
        self._looked_at = 0.0
        self._registry_lock = threading.RLock()
        self._registry: Registry | None = None
        self._reader_lock = threading.Lock()

    def close(self) -> None:
        """Close everything; no generation may be open any more."""
        self._leases.close()
        self._close_registry()

    def _close_registry(self) -> None:
        with self._registry_lock:
            if self._registry is not None:
                close(self._registry.connection)
                self._registry = None

    def generations(self, projection: str) -> Sequence[Generation]:
        with self._registered() as registry:
            return registry.generations(projection)

    def create(
        self,
        projection: Projection,
        role: Role,
        *,
        label: str | None = None,
        until: int | None = None,
    ) -> Generation:
        with self._registered() as registry:
            return registry.add(projection, role, label, until)

    @contextmanager
    def open(self, generation: Generation) -> Iterator[DuckLakeStore]:
        name = _name(generation)
        with self._leases.held(name) as lease:
            self._check_present(generation)
            with self._writing(generation) as connection, ExitStack() as opened:
                with self._failing():
                    shares = self._set_up(connection, generation)
                    if shares:
                        seat = opened.enter_context(self._leases.seated(name, shares))
                        sharing = ShareFence(connection, seat, shares)
                        sharing.take_over(seat.take_all())
                    fence = sharing if shares else take_over(connection, lease)
                yield self._store(connection, generation, fence)

    @contextmanager
    def join(self, generation: Generation) -> Iterator[DuckLakeStore]:
        """See the port. Only catalogs in PostgreSQL are shared out, as several hosts can use them;
        with SQLite it is the same as `open`."""
        if self._location.catalog is None:
            with self.open(generation) as store:
                yield store
            return
        name = _name(generation)
        with self._writing(generation) as connection:
            with self._failing():
                shares = shares_of(connection) or self._share_out(connection, generation)
            with self._leases.seated(name, shares) as seat:
                self._check_present(generation)
                with self._failing():
                    fence = ShareFence(connection, seat, shares)
                    fence.take_over(seat.take())
                yield self._store(connection, generation, fence)

    def _share_out(self, connection: Connection, generation: Generation) -> int:
        with self._leases.held(_name(generation)):
            self._check_present(generation)
            shares = self._set_up(connection, generation)
            if not shares:
                share_out(connection, SHARES)
        return shares or SHARES

    def _set_up(self, connection: Connection, generation: Generation) -> int:
        """Create missing tables; return the number of shares, or 0 if there is one writer."""
        if not _has_tables(connection):
            create_tables(connection, TABLES[generation.projection])
        return shares_of(connection)

    @contextmanager
    def _writing(self, generation: Generation) -> Iterator[Connection]:
        """Attach a generation as `lake`, in a DuckDB of its own."""
        with closing_connection(self._connected(self._written, registry=False)) as connection:
            attach(connection, self._written, _name(generation), "lake")
            yield connection

    def _failing(self) -> AbstractContextManager[None]:
        return translated(exhausted=StoreUnavailable, root=self._location.root)

    def _store(
        self, connection: Connection, generation: Generation, fence: WriterFence
    ) -> DuckLakeStore:
        with self._failing():
            table = as_made(connection, TABLES[generation.projection])
        return DuckLakeStore(connection, table, fence, self._location.root)

    def swap_in(self, generation: Generation) -> bool:
        """See the port. The next writer catches up on what the live one commits meanwhile."""
        with self._registered() as registry:
            generations = self.generations(generation.projection)
            live = [g for g in generations if g.role is Role.LIVE and g.stopped is None]
            if live and _is_behind(self.positions(generation), self.positions(live[0])):
                return False
            registry.make_live(generation, self._clock())
            return True

    def keep(self, generation: Generation) -> Generation:
        with self._registered() as registry:
            registry.set_copied(generation.projection, generation.number)
        return structs.replace(generation, role=Role.COPY)

    def stop(self, generation: Generation, reason: str | None) -> None:
        with self._registered() as registry:
            registry.set_stopped(generation, reason)

    def drop(self, generation: Generation) -> None:
        self._drop(generation.projection, generation.number)

    def drop_retired(self) -> None:
        with self._registered() as registry:
            now = self._clock()
            if 0 <= now - self._looked_at < LOOK_EVERY:
                return
            self._looked_at = now
            unwanted = [*registry.retired(now - self._retired_seconds), *registry.dropped()]
        for projection, number in unwanted:
            with suppress(ProjectionBusy):  # still open somewhere; a later run drops it
                self._drop(projection, number)

    def info(self, generation: Generation) -> GenerationInfo:
        try:
            with self._reading(generation) as connection:
                ((rows,),) = connection.execute(
                    f"SELECT count(*) FROM lake.{TABLES[generation.projection].name}"
                ).fetchall()
                return GenerationInfo(
                    generation,
                    read_checkpoints(connection),
                    rows,
                    stored_bytes(connection, self._location, _name(generation)),
                    read_set_aside(connection),
                    self._leases.writers(_name(generation)),
                )
        except ProjectionMissing:
            return GenerationInfo(generation, {}, 0, 0, [])

    def positions(self, generation: Generation) -> Mapping[int, int]:
        try:
            with self._reading(generation) as connection:
                found = read_checkpoints(connection)
        except ProjectionMissing:
            return {}
        return {partition: checkpoint.position for partition, checkpoint in found.items()}

    def digests(
        self, generation: Generation, up_to: Mapping[int, int] | None = None
    ) -> Mapping[Owner, OwnerDigest]:
        table = TABLES[generation.projection]
        where = ""
        if up_to is not None:
            parts = [f"(partition = {p:d} AND position <= {end:d})" for p, end in up_to.items()]
            where = f"WHERE {' OR '.join(parts) or 'false'}"
        try:
            with self._reading(generation) as connection:
                table = as_made(connection, table)
                rows = connection.execute(
                    f"SELECT organization, team, count(*), sum({table.digest}) "
                    f"FROM lake.{table.name} {where} GROUP BY ALL"
                ).fetchall()
        except ProjectionMissing:
            return {}
        return {(row[0], row[1]): OwnerDigest(row[2], int(row[3])) for row in rows}

    def _check_present(self, generation: Generation) -> None:
        if all(g.number != generation.number for g in self.generations(generation.projection)):
            raise ProjectionMissing(
                f"generation {generation.number} of {generation.projection} no longer exists"
            )

    def _drop(self, projection: str, number: int) -> None:
        name = lake_name(projection, number)
        with self._leases.held(name):
            with self._registered() as registry:
                registry.set_dropped(projection, number)
            with self._cursor() as cursor:
                remove(cursor, self._location, name)
            with self._registered() as registry:
                registry.set_removed(projection, number)

    def _connected(self, location: Location, *, registry: bool = True) -> Connection:
        return connect(location, threads=self._threads, memory=self._memory, registry=registry)

    @contextmanager
    def _registered(self) -> Iterator[Registry]:
        """Hold the registry; reopens it after a failure."""
        with self._registry_lock:
            if self._registry is None:
                self._registry = Registry(self._connected(self._location), self._location)
            try:
                yield self._registry
            except (StoreUnavailable, duckdb.Error):
                self._close_registry()
                raise

    @contextmanager
    def _cursor(self) -> Iterator[Connection]:
        """Hold a cursor of the registry's DuckDB, since a new DuckDB takes long to open.

        One at a time: cursors share attached databases.
        """
        with self._reader_lock:
            with self._registered() as registry:
                cursor = registry.connection.cursor()
            try:
                with closing_connection(cursor):
                    yield cursor
            except (StoreUnavailable, duckdb.Error):
                # A fatal error has invalidated the DuckDB of all cursors.
                self._close_registry()
                raise

    @contextmanager
    def _reading(self, generation: Generation) -> Iterator[Connection]:
        """Read one snapshot of a generation. Raises ProjectionMissing if it was never written."""
        with self._cursor() as cursor:
            attach(cursor, self._location, _name(generation), "lake", read_only=True)
            try:
                with translated(), transaction(cursor):
                    if not _has_tables(cursor):
                        raise ProjectionMissing(f"{_name(generation)} has not been built yet")
                    yield cursor
            finally:
                with suppress(duckdb.Error):
                    cursor.execute("DETACH lake")


def _name(generation: Generation) -> str:
    return lake_name(generation.projection, generation.number)


def _has_tables(connection: Connection) -> bool:
    """Return whether `lake` was set up; a writer may have been killed before that."""
    try:
        connection.execute("FROM lake.set_aside LIMIT 0")
    except duckdb.CatalogException:
        return False
    return True


def _is_behind(positions: Mapping[int, int], live: Mapping[int, int]) -> bool:
    return any(positions.get(partition, 0) < position for partition, position in live.items())
