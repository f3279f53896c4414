"""The checkpoints of a generation, in tables of its DuckLake.

A generation with one writer has them in the table `checkpoints`. If its writers share it out, each
share has a table of its own, and `checkpoints` is a view of them all. Rows are only added to these
tables, which costs half as much as replacing them, and the last position of a partition counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.ducklake.database import Connection
from application.projections.ports import Checkpoint

CHECKPOINTS = "checkpoints"


def share_table(share: int) -> str:
    """Return the name of the table with a share's checkpoints."""
    return f"{CHECKPOINTS}_{share}"


def latest(source: str) -> str:
    """Return a query of the last checkpoint of each partition in the rows of a share's table."""
    return (
        "SELECT partition, max(position) AS position, arg_max(digest, position) AS digest "
        f"FROM {source} WHERE partition IS NOT NULL GROUP BY partition"
    )


def read_checkpoints(connection: Connection, lake: str = "lake") -> dict[int, Checkpoint]:
    """Return a generation's checkpoints by partition."""
    rows = connection.execute(
        f"SELECT partition, position, digest FROM {lake}.{CHECKPOINTS}"
    ).fetchall()
    return {row[0]: Checkpoint(*row) for row in rows}


def replace_checkpoints(
    connection: Connection, table: str, checkpoints: Sequence[Checkpoint]
) -> None:
    """Replace the checkpoints of these partitions in a table of the DuckLake `lake`."""
    if not checkpoints:
        return
    connection.execute(
        f"DELETE FROM lake.{table} WHERE list_contains(?::USMALLINT[], partition)",
        [[checkpoint.partition for checkpoint in checkpoints]],
    )
    add_checkpoints(connection, table, checkpoints)


def add_checkpoints(connection: Connection, table: str, checkpoints: Sequence[Checkpoint]) -> None:
    """Add checkpoints to a table of the DuckLake `lake`."""
    places = ", ".join(["(?, ?, ?)"] * len(checkpoints))
    connection.execute(
        f"INSERT INTO lake.{table} VALUES {places}",
        [value for c in checkpoints for value in (c.partition, c.position, c.digest)],
    )
