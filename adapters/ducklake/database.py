"""Connections to DuckDB with the projections' databases attached, and its errors translated."""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
from msgspec import Struct

from adapters.ducklake.object_storage import EXTENSIONS, is_object_store, secret
from adapters.ducklake.sql import quoted
from application.projections.errors import (
    ProjectionError,
    ProjectionMissing,
    QueryTooLarge,
    StoreFull,
    StoreUnavailable,
)

BUSY_TIMEOUT_MS = 5000

CONNECTIONS = 16

MIN_ROOM = 1 << 20
"""With fewer bytes than this, SQLite may not even open its files."""

_FULL = ("No space left", "File too large", "is full", "quota exceeded")
_INVALID = (duckdb.DataError, duckdb.IntegrityError, duckdb.InvalidInputException)
_DUPLICATE = "duplicate key value"
_CATALOGS_OWN = "ducklake_"
"""In the names of the catalog's own tables. If a row of theirs cannot be added, another process has
added one, which says nothing about the rows that were to be stored."""

Connection = duckdb.DuckDBPyConnection

_checked: set[str] = set()
"""The extensions of which this process has checked the signature.

DuckDB hashes the entire file in every instance, which takes it longer than all else that opening
one does; within a process, it loads the library only once anyway.
"""


class Location(Struct, frozen=True, kw_only=True):
    """Where projections are stored.

    `root` is a local directory. It holds everything, or only locks and temporary files if `catalog`
    is given. `catalog` is a PostgreSQL connection string (`postgresql://…` or `dbname=… host=…`)
    for catalogs that many machines share. `files` is then where the Parquet files go: a directory
    they share or the URL of an object store, `s3://bucket/prefix`. `connections` is the most
    connections to PostgreSQL of a process that answers queries.
    """

    root: Path
    catalog: str | None = None
    files: str | None = None
    connections: int = CONNECTIONS

    def directory(self, name: str) -> Path:
        """Return the local directory of a generation's catalog."""
        return self.root / name

    def data_path(self, name: str) -> str:
        """Return where a generation's Parquet files are."""
        base = self.files.rstrip("/") if self.files else str(self.root)
        return f"{base}/{name}/files/"


def connect(
    location: Location,
    *,
    threads: int = 1,
    memory: str = "1GB",
    pool: int = 2,
    registry: bool = True,
) -> Connection:
    """Open an in-memory DuckDB, with the registry attached as `registry` unless it is not needed.

    Of each PostgreSQL database that is attached, at most `pool` connections are open; a statement
    waits for one of them. Nothing here needs two of them at once, which could wait for each other.
    Extensions come from the installed wheels; nothing is downloaded. Raises StoreUnavailable.
    """
    # DuckDB creates the last part of its path only, when a query first needs more than its memory.
    spilled = location.root / "tmp"
    spilled.mkdir(parents=True, exist_ok=True)
    extensions = [
        "ducklake",
        "sqlite_scanner" if location.catalog is None else "postgres_scanner",
        *(EXTENSIONS if is_object_store(location.files) else ()),
    ]
    with translated():
        connection = duckdb.connect(
            config={
                "allow_unsigned_extensions": _checked.issuperset(extensions),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "threads": threads,
                "memory_limit": memory,
                "temp_directory": str(spilled / str(os.getpid())),
                "preserve_insertion_order": True,
                # Without them, an idle DuckDB returns no memory: 20 MB of the projector, 10 of a
                # worker, and 350 after a burst of commits.
                "allocator_background_threads": True,
            }
        )
        for extension in extensions:
            connection.execute(f"LOAD {quoted(str(_extension_file(extension)))}")
        _checked.update(extensions)
        if is_object_store(location.files):
            connection.execute(secret())
        if location.catalog is not None:
            connection.execute(f"SET pg_pool_max_connections = {pool}")
            connection.execute("SET pg_pool_acquire_mode = 'wait'")
        if registry:
            _attach_registry(connection, location)
        return connection


def _attach_registry(connection: Connection, location: Location) -> None:
    if location.catalog is None:
        database = str(location.root / "registry.sqlite")
        options = f"TYPE sqlite, JOURNAL_MODE 'WAL', BUSY_TIMEOUT {BUSY_TIMEOUT_MS}"
    else:
        database, options = location.catalog, "TYPE postgres"
    connection.execute(f"ATTACH {quoted(database)} AS registry ({options})")


def attach(
    connection: Connection, location: Location, name: str, alias: str, *, read_only: bool = False
) -> None:
    """Attach the DuckLake of a generation as `alias`, creating it unless `read_only`.

    Raises ProjectionMissing if it is read-only and does not exist yet.
    """
    # The catalog's file paths are relative to their directory, which may have been moved.
    options = [f"DATA_PATH {quoted(location.data_path(name))}", "OVERRIDE_DATA_PATH true"]
    if location.catalog is None:
        catalog = location.directory(name) / "catalog.sqlite"
        if not read_only:
            catalog.parent.mkdir(parents=True, exist_ok=True)
        elif not catalog.exists() or not catalog.stat().st_size:
            raise ProjectionMissing(f"{name} has not been built yet")
        url = f"ducklake:sqlite:{catalog}"
        options += ["META_JOURNAL_MODE 'WAL'", f"META_BUSY_TIMEOUT {BUSY_TIMEOUT_MS}"]
    else:
        url = f"ducklake:postgres:{location.catalog}"
        options += [f"METADATA_SCHEMA {quoted(metadata_schema(name))}"]
    if read_only:
        options.append("READ_ONLY")
    with translated():
        try:
            connection.execute(f"ATTACH {quoted(url)} AS {alias} ({', '.join(options)})")
        except duckdb.Error as error:
            if read_only and "does not exist" in str(error):
                raise ProjectionMissing(f"{name} has not been built yet") from error
            raise


def metadata_schema(name: str) -> str:
    """Return the PostgreSQL schema of a generation's catalog."""
    return "cave_" + name.replace("-", "_")


@contextmanager
def translated(
    invalid: type[ProjectionError] = StoreUnavailable,
    exhausted: type[ProjectionError] = QueryTooLarge,
    root: Path | None = None,
) -> Iterator[None]:
    """Raise DuckDB's errors as ours.

    Errors in the data become `invalid`, exceeded memory or time `exhausted`. With `root`, a
    directory that is written to, an I/O error without a cause counts as a full disk if no space is
    left.
    """
    try:
        yield
    except duckdb.Error as error:
        text = str(error)
        if any(words in text for words in _FULL) or ("I/O error" in text and _is_full(root)):
            raise StoreFull(f"the projections' disk is full: {_brief(text)}") from error
        if isinstance(error, (duckdb.InterruptException, duckdb.OutOfMemoryException)):
            raise exhausted(_brief(text)) from error
        duplicate = isinstance(error, duckdb.IntegrityError) or _DUPLICATE in text
        if duplicate and _CATALOGS_OWN in text:
            raise StoreUnavailable(
                f"another process has written meanwhile: {_brief(text)}"
            ) from error
        if isinstance(error, _INVALID) or duplicate:
            raise invalid(_brief(text)) from error
        raise StoreUnavailable(f"the projections' store does not work: {_brief(text)}") from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StoreFull(f"the projections' disk is full: {error}") from error
        raise StoreUnavailable(f"the projections' store does not work: {error}") from error


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit everything the block does, or nothing if it raises."""
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: Connection) -> None:
    """End the transaction of a connection, if there is one: a commit that failed has ended it."""
    with suppress(duckdb.Error):
        connection.execute("ROLLBACK")


def close(connection: Connection) -> None:
    """Close a connection, and first end its transaction, if there is one.

    Closing would end it as well, but an error there, as when PostgreSQL was lost meanwhile, has
    nobody to go to: DuckDB then ends the process. A DuckDB that a fatal error has invalidated
    refuses to end transactions, so its connections stay open for as long as the process runs.
    """
    try:
        connection.execute("ROLLBACK")
    except duckdb.FatalException:
        keep_for_ever(connection)
        return
    except duckdb.Error:
        """There was none, or it cannot be ended in order and is gone."""
    connection.close()


def keep_for_ever(connection: Connection) -> None:
    """Let nothing collect a connection, not even the interpreter when it ends."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


@contextmanager
def closing_connection(connection: Connection) -> Iterator[Connection]:
    """Close a connection after the block, as `close` does."""
    try:
        yield connection
    finally:
        close(connection)


def _extension_file(extension: str) -> Path:
    package = importlib.util.find_spec(f"duckdb_extension_{extension}")
    if package is None or package.origin is None:
        raise StoreUnavailable(f"the package duckdb-extension-{extension} is not installed")
    files = sorted(Path(package.origin).parent.rglob(f"{extension}.duckdb_extension"))
    if not files:
        raise StoreUnavailable(f"the package duckdb-extension-{extension} contains no extension")
    return files[-1]


def _is_full(root: Path | None) -> bool:
    return root is not None and shutil.disk_usage(root).free < MIN_ROOM


def _brief(text: str) -> str:
    return " ".join(text.split())[:300]
