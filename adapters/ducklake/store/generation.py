"""A generation that is open for writing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa

from adapters.ducklake.database import Connection, translated
from adapters.ducklake.store.tables import Table
from adapters.ducklake.store.upkeep import Upkeep
from adapters.ducklake.store.writer_fence import WriterFence
from application.event_log.receipts import Receipt
from application.projections.errors import ProjectionError, RowsRefused, StoreUnavailable
from application.projections.folds import Rows
from application.projections.ports import Checkpoint, SetAside

MAX_KNOWN = 100_000
"""Keys of stored rows to remember, so that most commits need not query them."""

MAX_REASON = 2000

BALANCE_EVERY = 1.0
"""Seconds between looks at the other writers of a generation that is shared out."""


class DuckLakeStore:
    """Implements the port ProjectionStore over a connection with the generation as `lake`.

    `fence` is that of the connection, and `root` the local directory that it writes to. `clock`
    returns seconds and is monotonic.
    """

    def __init__(
        self,
        connection: Connection,
        table: Table,
        fence: WriterFence,
        root: Path,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._connection = connection
        self._table = table
        self._clock = clock
        self._fence = fence
        self._upkeep = Upkeep(connection, table, fence, clock)
        self._root = root
        self._balance_due = clock()
        self._known: set[Hashable] = set()
        self.checkpoints()

    def checkpoints(self) -> Mapping[int, Checkpoint]:
        with self._translated():
            return self._fence.checkpoints()

    def writes(self, partition: int) -> bool:
        return self._fence.writes(partition)

    def balance(self) -> bool:
        now = self._clock()
        if now < self._balance_due:
            return False
        self._balance_due = now + BALANCE_EVERY
        with self._translated():
            return self._fence.balance()

    def commit(
        self, rows: Rows, set_aside: Sequence[SetAside], checkpoints: Sequence[Checkpoint]
    ) -> None:
        keys, arriving = self._arriving(rows)
        with self._translated(RowsRefused), self._fence.committing(checkpoints):
            if arriving is not None:
                self._connection.register("arriving", arriving)
                self._connection.execute(f"INSERT INTO lake.{self._table.name} {self._table.add}")
                self._connection.unregister("arriving")
            self._insert(
                "set_aside",
                [(e.receipt.partition, e.receipt.position, _storable(e.reason)) for e in set_aside],
            )
        self._upkeep.note_commit()
        if len(self._known) + len(keys) > MAX_KNOWN:
            self._known.clear()
        self._known.update(keys)

    def set_aside(self) -> Sequence[SetAside]:
        with self._translated():
            return read_set_aside(self._connection)

    def tidy(self) -> None:
        with self._translated():
            self._upkeep.run()

    def _arriving(self, rows: Rows) -> tuple[set[Hashable], pa.Table | None]:
        """Return the keys and columns of the rows that are not known to be stored."""
        keys: set[Hashable] = set()
        new: Sequence[Any] = rows
        if self._table.key is not None:
            by_key = {self._table.key(row): row for row in reversed(rows)}
            keys = by_key.keys() - self._known
            new = [by_key[key] for key in keys]
        if not new:
            return keys, None
        try:
            return keys, self._table.arrow(new)
        except (OverflowError, TypeError, ValueError) as error:
            raise RowsRefused(f"the rows cannot be stored: {error}") from error

    def _translated(
        self, invalid: type[ProjectionError] = StoreUnavailable
    ) -> AbstractContextManager[None]:
        return translated(invalid, StoreUnavailable, self._root)

    def _insert(self, table: str, rows: Sequence[tuple[int, int, object]]) -> None:
        if rows:
            places = ", ".join(["(?, ?, ?)"] * len(rows))
            self._connection.execute(
                f"INSERT INTO lake.{table} VALUES {places}",
                [value for row in rows for value in row],
            )


def read_set_aside(connection: Connection, lake: str = "lake") -> list[SetAside]:
    """Return the events that a generation set aside, in log order."""
    rows = connection.execute(
        f"SELECT partition, position, reason FROM {lake}.set_aside ORDER BY partition, position"
    ).fetchall()
    return [
        SetAside(Receipt.at(partition, position), reason) for partition, position, reason in rows
    ]


def _storable(reason: str) -> str:
    """Return a reason that every catalog accepts: it may quote the bytes that were unreadable."""
    text = reason[:MAX_REASON].replace("\0", "\\0")
    return text.encode(errors="backslashreplace").decode()
