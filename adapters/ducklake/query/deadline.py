"""Interrupting queries that take too long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import duckdb

from adapters.ducklake.database import Connection
from application.projections.errors import QueryTooLarge

AGAIN = 0.05
"""Seconds between interrupts: one that arrives between two statements is lost."""


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = monotonic() + seconds

    def check(self) -> None:
        """Raise QueryTooLarge once the time is up."""
        if monotonic() >= self._at:
            raise QueryTooLarge(
                f"the query took more than {self._seconds:g} s; ask for a shorter range of time"
            )

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise QueryTooLarge, with the reason, for a query in the block that was interrupted."""
        self.check()
        try:
            yield
        except (duckdb.InterruptException, OSError):
            # While results are read as Arrow, an interrupt is an OSError.
            self.check()
            raise
        except duckdb.OutOfMemoryException as error:
            raise QueryTooLarge(
                "the query takes too much memory; ask for a shorter range of time"
            ) from error

    @contextmanager
    def interrupting(self, connection: Connection) -> Iterator[None]:
        """Interrupt the connection's statements within the block once the time is up."""
        done = threading.Event()

        def watch() -> None:
            wait = max(0.0, self._at - monotonic())
            while not done.wait(wait):
                connection.interrupt()
                wait = AGAIN

        watcher = threading.Thread(target=watch, name="query-deadline", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
