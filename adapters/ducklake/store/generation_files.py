"""The files of a generation: measuring and removing them."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from adapters.ducklake.database import (
    Connection,
    Location,
    attach,
    metadata_schema,
    translated,
)
from adapters.ducklake.object_storage import is_url
from application.projections.errors import StoreUnavailable


def stored_bytes(connection: Connection, location: Location, name: str) -> int:
    """Return the bytes of all files of the generation attached as `lake`.

    In an object store only files in use count, since listing it may take long.
    """
    local = _size(location.directory(name))
    if location.files is None:
        return local
    if not is_url(location.files):
        return local + _size(Path(location.data_path(name)))
    ((stored,),) = connection.execute(
        "SELECT coalesce(sum(file_size_bytes), 0) FROM ducklake_table_info('lake')"
    ).fetchall()
    return local + int(stored)


def remove(connection: Connection, location: Location, name: str) -> None:
    """Remove a generation's catalog and files, or what is left of them.

    Idempotent. Raises StoreUnavailable.
    """
    schema = metadata_schema(name)
    with translated():
        there = location.directory(name).exists()
        if location.catalog is not None:
            there = _has_schema(connection, schema)
        if there and is_url(location.files):
            _empty(connection, location, name)
        if there and location.catalog is not None:
            connection.execute(
                f"CALL postgres_execute('registry', 'DROP SCHEMA IF EXISTS {schema} CASCADE')"
            )
        if location.files is not None and not is_url(location.files):
            _remove_directory(Path(location.data_path(name)).parent)
        _remove_directory(location.directory(name))


def _empty(connection: Connection, location: Location, name: str) -> None:
    """Remove all files through DuckLake, which can do so wherever they are."""
    attach(connection, location, name, "lake")
    for (table,) in connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'"
    ).fetchall():
        connection.execute(f"DROP TABLE lake.{table}")
    for call in (
        "ducklake_expire_snapshots('lake', older_than => now())",
        "ducklake_cleanup_old_files('lake', cleanup_all => true)",
        "ducklake_delete_orphaned_files('lake', cleanup_all => true)",
    ):
        connection.execute(f"SELECT count(*) FROM {call}").fetchall()
    connection.execute("DETACH lake")


def _has_schema(connection: Connection, schema: str) -> bool:
    ((known,),) = connection.execute(
        "SELECT count(*) FROM postgres_query('registry', ?)",
        [f"SELECT 1 FROM pg_namespace WHERE nspname = '{schema}'"],
    ).fetchall()
    return bool(known)


def _remove_directory(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        raise StoreUnavailable(f"{directory} cannot be removed")


def _size(directory: Path) -> int:
    """Return the bytes of a directory's files; skips any that vanish meanwhile."""
    total = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            with suppress(FileNotFoundError):
                total += (Path(parent) / name).stat().st_size
    return total
