"""All generations of all projections."""

from __future__ import annotations

import fcntl
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from adapters.ducklake.database import (
    Connection,
    Location,
    attach,
    connect,
    metadata_schema,
    translated,
)
from adapters.ducklake.registry import Registry
from adapters.ducklake.store import DuckLakeStore, read_checkpoints, read_set_aside
from adapters.ducklake.tables import TABLES, create_tables
from application.projections.errors import ProjectionBusy, ProjectionMissing
from application.projections.folds import Projection
from application.projections.ports import (
    Generation,
    GenerationInfo,
    Owner,
    OwnerDigest,
    Role,
)

RETIRED_SECONDS = 60.0
"""A retired generation is kept this long for queries that began on it; longer than one may take."""


class DuckLakeStores:
    """Implements the port ProjectionStores. Close it after use."""

    def __init__(
        self,
        location: Location,
        *,
        threads: int = 1,
        memory: str = "1GB",
        clock: Callable[[], float] = time.time,
        retired_seconds: float = RETIRED_SECONDS,
    ) -> None:
        self._location = location
        self._threads = threads
        self._memory = memory
        self._clock = clock
        self._retired_seconds = retired_seconds
        self._lock = threading.RLock()
        self._connection = connect(location)
        self._registry = Registry(self._connection, location)

    def close(self) -> None:
        """Give up the connection to the registry."""
        self._connection.close()

    def generations(self, projection: str) -> Sequence[Generation]:
        with self._lock:
            return self._registry.generations(projection)

    def create(
        self,
        projection: Projection,
        role: Role,
        *,
        label: str | None = None,
        until: int | None = None,
    ) -> Generation:
        with self._lock:
            return self._registry.add(projection, role, label, until)

    @contextmanager
    def open(self, generation: Generation) -> Iterator[DuckLakeStore]:
        table = TABLES[generation.projection]
        with self._locked(generation):
            self._check_present(generation)
            with self._attached(generation, read_only=False) as connection:
                with translated():
                    if not _has_tables(connection):
                        create_tables(connection, table)
                yield DuckLakeStore(connection, table)

    def swap_in(self, generation: Generation) -> bool:
        with self._lock:
            live = [g for g in self.generations(generation.projection) if g.role is Role.LIVE]
            behind = live and _is_behind(self._positions(generation), self._positions(live[0]))
            if behind:
                return False
            self._registry.make_live(generation, self._clock())
            return True

    def stop(self, generation: Generation, reason: str | None) -> None:
        with self._lock:
            self._registry.set_stopped(generation, reason)

    def drop(self, generation: Generation) -> None:
        with self._locked(generation), self._lock:
            current = {g.number: g for g in self.generations(generation.projection)}
            found = current.get(generation.number)
            if found is not None and found.role is Role.LIVE:
                raise ProjectionBusy(f"{_name(generation)} is the live one")
            self._registry.set_dropped(generation)
            self._remove_files(_name(generation))

    def drop_retired(self) -> None:
        with self._lock:
            before = self._clock() - self._retired_seconds
            for projection, number in self._registry.retired(before):
                self.drop(
                    Generation(projection=projection, number=number, version=0, role=Role.RETIRED)
                )
            for projection, number in self._registry.dropped():
                self._remove_files(f"{projection}-{number}")

    def info(self, generation: Generation) -> GenerationInfo:
        with self._attached(generation, read_only=True) as connection, translated():
            if not _has_tables(connection):
                return GenerationInfo(generation, {}, 0, 0, [])
            ((rows,),) = connection.execute(
                f"SELECT count(*) FROM lake.{generation.projection}"
            ).fetchall()
            ((stored,),) = connection.execute(
                "SELECT coalesce(sum(file_size_bytes), 0) FROM ducklake_table_info('lake')"
            ).fetchall()
            catalog = self._location.directory(_name(generation)) / "catalog.sqlite"
            return GenerationInfo(
                generation,
                read_checkpoints(connection),
                rows,
                int(stored) + (catalog.stat().st_size if catalog.exists() else 0),
                read_set_aside(connection),
            )

    def digests(
        self, generation: Generation, up_to: Mapping[int, int] | None = None
    ) -> Mapping[Owner, OwnerDigest]:
        table = TABLES[generation.projection]
        where = ""
        if up_to is not None:
            parts = [f"(partition = {p} AND position <= {end})" for p, end in up_to.items()]
            where = f"WHERE {' OR '.join(parts) or 'false'}"
        with self._attached(generation, read_only=True) as connection, translated():
            if not _has_tables(connection):
                return {}
            rows = connection.execute(
                f"SELECT organization, team, count(*), sum({table.digest}) "
                f"FROM lake.{table.name} {where} GROUP BY ALL"
            ).fetchall()
        return {(row[0], row[1]): OwnerDigest(row[2], int(row[3])) for row in rows}

    def _positions(self, generation: Generation) -> dict[int, int]:
        with self._attached(generation, read_only=True) as connection, translated():
            if not _has_tables(connection):
                return {}
            found = read_checkpoints(connection)
        return {partition: checkpoint.position for partition, checkpoint in found.items()}

    def _check_present(self, generation: Generation) -> None:
        if all(g.number != generation.number for g in self.generations(generation.projection)):
            raise ProjectionMissing(f"{_name(generation)} is not there any more")

    @contextmanager
    def _attached(self, generation: Generation, *, read_only: bool) -> Iterator[Connection]:
        name = _name(generation)
        with closing(
            connect(self._location, threads=self._threads, memory=self._memory)
        ) as connection:
            catalog = self._location.directory(name) / "catalog.sqlite"
            if read_only and self._location.catalog is None and not catalog.exists():
                # Nobody has opened it for writing yet: as good as an empty one.
                connection.execute("ATTACH ':memory:' AS lake")
            else:
                attach(connection, self._location, name, "lake", read_only=read_only)
            yield connection

    @contextmanager
    def _locked(self, generation: Generation) -> Iterator[None]:
        """Hold a generation's lock. Raises ProjectionBusy.

        The lock is this machine's; beyond it the checkpoints tell a writer of another.
        """
        locks = self._location.root / "locks"
        with translated():
            locks.mkdir(parents=True, exist_ok=True)
            with (locks / _name(generation)).open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise ProjectionBusy(
                        f"another process is writing {_name(generation)}"
                    ) from error
                yield

    def _remove_files(self, name: str) -> None:
        if self._location.catalog is not None:
            self._remove_shared(name)
        shutil.rmtree(self._location.directory(name), ignore_errors=True)
        (self._location.root / "locks" / name).unlink(missing_ok=True)

    def _remove_shared(self, name: str) -> None:
        """Remove files wherever they are through DuckLake itself, then its catalog."""
        schema = metadata_schema(name)
        with translated():
            ((known,),) = self._connection.execute(
                "SELECT count(*) FROM postgres_query('registry', "
                f"'SELECT 1 FROM pg_namespace WHERE nspname = ''{schema}''')"
            ).fetchall()
            if not known:
                return
            with closing(connect(self._location)) as connection:
                attach(connection, self._location, name, "lake")
                for (table,) in connection.execute(
                    "SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'"
                ).fetchall():
                    connection.execute(f"DROP TABLE lake.{table}")
                connection.execute("CALL ducklake_expire_snapshots('lake', older_than => now())")
                connection.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")
            self._connection.execute(
                f"CALL postgres_execute('registry', 'DROP SCHEMA IF EXISTS {schema} CASCADE')"
            )
            data = Path(self._location.data_path(name))
            if data.is_dir():
                shutil.rmtree(data.parent, ignore_errors=True)


def _name(generation: Generation) -> str:
    return f"{generation.projection}-{generation.number}"


def _has_tables(connection: Connection) -> bool:
    """Tell whether `lake` was set up; a writer that was killed may not have got that far."""
    try:
        connection.execute("FROM lake.set_aside LIMIT 0")
    except duckdb.CatalogException:
        return False
    return True


def _is_behind(positions: Mapping[int, int], live: Mapping[int, int]) -> bool:
    return any(positions.get(partition, 0) < position for partition, position in live.items())
