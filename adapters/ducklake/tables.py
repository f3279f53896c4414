"""The tables of a generation, and what is done with each projection's rows in SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from msgspec import Struct

from adapters.ducklake.database import Connection
from adapters.ducklake.rows import catalog_table, series_table

INLINED_ROWS = 5000
"""Catalog rows and checkpoints are few: they are kept in the catalog's own database."""


class Table(Struct, frozen=True):
    """A projection's table: its columns, how rows become Arrow, are added, and are digested.

    `add` selects from the Arrow table `arriving`; `digest` is a 64-bit hash of one row.
    """

    name: str
    columns: str
    layout: tuple[str, ...]
    arrow: Callable[[Any], pa.Table]
    add: str
    digest: str


SERIES = Table(
    name="series",
    columns=(
        "organization VARCHAR, team VARCHAR, name VARCHAR, tags VARCHAR, time TIMESTAMP_MS, "
        "value DOUBLE, partition USMALLINT, position BIGINT, item UINTEGER"
    ),
    # By day, then by who and what is asked for, so that a query reads few files, and little of
    # them. New rows come sorted already (see `rows`); merged files are sorted again.
    layout=(
        "ALTER TABLE lake.series SET PARTITIONED BY (year(time), month(time), day(time))",
        "ALTER TABLE lake.series SET SORTED BY (organization, team, name, time)",
        "CALL lake.set_option('sort_on_insert', false, table_name => 'series')",
        "CALL lake.set_option('data_inlining_row_limit', 0, table_name => 'series')",
    ),
    arrow=series_table,
    add=(
        "SELECT organization, team, name, tags, make_timestamp_ms(time), value, "
        "partition, position, item FROM arriving"
    ),
    digest="hash(name, tags, epoch_ms(time), value, signbit(value), partition, position, item)",
)
CATALOG = Table(
    name="catalog",
    columns=(
        "organization VARCHAR, team VARCHAR, name VARCHAR, tag VARCHAR, "
        "partition USMALLINT, position BIGINT"
    ),
    layout=(),
    arrow=catalog_table,
    add="FROM arriving ANTI JOIN lake.catalog USING (organization, team, name, tag)",
    digest="hash(name, tag, partition, position)",
)
TABLES = {table.name: table for table in (SERIES, CATALOG)}

CHECKPOINTS = "partition USMALLINT, position BIGINT, digest BLOB"
SET_ASIDE = "partition USMALLINT, position BIGINT, reason VARCHAR"


def create_tables(connection: Connection, table: Table) -> None:
    """Make a generation's tables in the DuckLake attached as `lake`."""
    for statement in (
        f"CALL lake.set_option('data_inlining_row_limit', {INLINED_ROWS})",
        "CALL lake.set_option('parquet_compression', 'zstd')",
        f"CREATE TABLE lake.{table.name} ({table.columns})",
        *table.layout,
        f"CREATE TABLE lake.checkpoints ({CHECKPOINTS})",
        f"CREATE TABLE lake.set_aside ({SET_ASIDE})",
    ):
        connection.execute(statement)
