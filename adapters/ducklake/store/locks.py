"""Locks that allow only one writer per generation."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.ducklake.database import (
    Connection,
    Location,
    metadata_schema,
    translated,
)
from adapters.ducklake.sql import quoted
from application.projections.errors import ProjectionBusy


@contextmanager
def local_lock(location: Location, name: str) -> Iterator[None]:
    """Hold this machine's lock of a generation. Raises ProjectionBusy.

    It is released when the process ends, however that happens.
    """
    locks = location.root / "locks"
    with translated():
        locks.mkdir(parents=True, exist_ok=True)
        file = (locks / name).open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ProjectionBusy(f"another process is writing {name}") from error
        yield


def shared_lock(connection: Connection, location: Location, name: str) -> None:
    """Lock a generation in PostgreSQL, if the catalogs are there, until the connection is closed.

    Raises ProjectionBusy. The lock belongs to a PostgreSQL session. If that is lost, still only one
    of two writers can commit.
    """
    if location.catalog is None:
        return
    key = f"hashtext('cave'), hashtext('{metadata_schema(name)}')"
    with translated():
        connection.execute("SET pg_pool_idle_timeout_millis = 0")
        connection.execute(f"ATTACH {quoted(location.catalog)} AS writer_lock (TYPE postgres)")
        connection.execute("RESET pg_pool_idle_timeout_millis")
        ((locked,),) = connection.execute(
            "SELECT * FROM postgres_query('writer_lock', ?)",
            [f"SELECT pg_try_advisory_lock({key})"],
        ).fetchall()
    if not locked:
        raise ProjectionBusy(f"another process is writing {name}")
