"""One generation, open for writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic

from adapters.ducklake.database import Connection, transaction, translated
from adapters.ducklake.tables import Table
from adapters.ducklake.upkeep import Upkeep
from application.projections.errors import RowsRefused, StoreUnavailable
from application.projections.folds import Rows
from application.projections.ports import Checkpoint, SetAside
from application.receipts import Receipt


class DuckLakeStore:
    """Implements the port ProjectionStore over a connection with the generation as `lake`."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        self._table = table
        self._opened = monotonic()
        self._upkeep = Upkeep(connection, table)
        with translated():
            self._checkpoints = read_checkpoints(connection)

    def checkpoints(self) -> Mapping[int, Checkpoint]:
        with translated():
            self._checkpoints = read_checkpoints(self._connection)
        return self._checkpoints

    def commit(
        self, rows: Rows, set_aside: Sequence[SetAside], checkpoints: Sequence[Checkpoint]
    ) -> None:
        with translated(RowsRefused), transaction(self._connection):
            if read_checkpoints(self._connection) != self._checkpoints:
                raise StoreUnavailable("another process writes this generation")
            if rows:
                arriving = self._table.arrow(rows)
                self._connection.register("arriving", arriving)
                self._connection.execute(f"INSERT INTO lake.{self._table.name} {self._table.add}")
                self._connection.unregister("arriving")
            self._insert(
                "set_aside",
                [(e.receipt.partition, e.receipt.position, e.reason) for e in set_aside],
            )
            partitions = [checkpoint.partition for checkpoint in checkpoints]
            self._connection.execute(
                "DELETE FROM lake.checkpoints WHERE list_contains(?::USMALLINT[], partition)",
                [partitions],
            )
            self._insert("checkpoints", [(c.partition, c.position, c.digest) for c in checkpoints])
        new = {checkpoint.partition: checkpoint for checkpoint in checkpoints}
        self._checkpoints = {**self._checkpoints, **new}

    def set_aside(self) -> Sequence[SetAside]:
        with translated():
            return read_set_aside(self._connection)

    def tidy(self) -> None:
        with translated():
            self._upkeep.run(monotonic() - self._opened)

    def _insert(self, table: str, rows: Sequence[tuple[int, int, object]]) -> None:
        if rows:
            places = ", ".join(["(?, ?, ?)"] * len(rows))
            self._connection.execute(
                f"INSERT INTO lake.{table} VALUES {places}",
                [value for row in rows for value in row],
            )


def read_checkpoints(connection: Connection, lake: str = "lake") -> dict[int, Checkpoint]:
    """Return a generation's checkpoints by partition."""
    rows = connection.execute(
        f"SELECT partition, position, digest FROM {lake}.checkpoints"
    ).fetchall()
    return {row[0]: Checkpoint(*row) for row in rows}


def read_set_aside(connection: Connection, lake: str = "lake") -> list[SetAside]:
    """Return the events a generation set aside, in log order."""
    rows = connection.execute(
        f"SELECT partition, position, reason FROM {lake}.set_aside ORDER BY position, partition"
    ).fetchall()
    return [
        SetAside(Receipt.at(partition, position), reason) for partition, position, reason in rows
    ]
