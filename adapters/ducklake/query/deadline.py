"""Ending a query that takes too long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import duckdb

from adapters.ducklake.database import Connection
from application.projections.errors import QueryTooLarge

AGAIN = 0.05
"""Seconds between interrupts: one that comes between two statements is lost."""


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = monotonic() + seconds

    def check(self) -> None:
        """Raises QueryTooLarge once the time is over."""
        if monotonic() >= self._at:
            raise QueryTooLarge(
                f"the query took more than {self._seconds:g} s; ask for a shorter range of time"
            )

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say of a query within the block why it was ended. Raises QueryTooLarge."""
        self.check()
        try:
            yield
        except duckdb.InterruptException:
            self.check()
            raise
        except duckdb.OutOfMemoryException as error:
            raise QueryTooLarge(
                "the query takes more memory than one may; ask for a shorter range of time"
            ) from error

    @contextmanager
    def interrupting(self, connection: Connection) -> Iterator[None]:
        """Interrupt what the block runs on the connection when the time is over."""
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
