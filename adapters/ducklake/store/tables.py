"""The tables of a generation, and the SQL for each projection's rows."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import pyarrow as pa
from msgspec import Struct, structs

from adapters.ducklake.database import Connection, transaction
from adapters.ducklake.store import decimals
from adapters.ducklake.store.rows import (
    metric_metadata_table,
    metric_names_table,
    points_table,
)
from adapters.ducklake.store.stored_names import (
    METRIC_METADATA_TABLE,
    METRIC_NAMES_TABLE,
    POINTS_TABLE,
)
from application.projections import folds
from application.projections.folds import MetricDescriptionRow, MetricNameRow

INLINED_ROWS = 1000
"""Inserts of at most this many rows, except points, are stored in the catalog's own database."""

ROW_GROUP = 245_760
"""Rows per row group of points: twice DuckDB's default. Dictionaries are written once per group."""

OPTIONS = (f"'data_inlining_row_limit', {INLINED_ROWS}", "'parquet_compression', 'zstd'")


class Table(Struct, frozen=True):
    """A projection's table: its columns, and how rows are converted to Arrow, added and digested.

    Changing how rows are stored requires raising the projection's version, so that generations made
    before are rebuilt, unless they are still read and written as they are (see
    `application.projections.folds`).

    `add` selects from the Arrow table `arriving`. `digest` is a 64-bit hash of one row, stable
    within one version of DuckDB. `key` identifies rows that are stored only once. `view` is the
    name and the SQL of a view that shows the rows to others.
    """

    name: str
    columns: str
    layout: tuple[str, ...]
    options: tuple[str, ...]
    arrow: Callable[[Any], pa.Table]
    add: str
    digest: str
    key: Callable[[Any], Hashable] | None = None
    view: tuple[str, str] | None = None


def _metric_name_key(row: MetricNameRow) -> Hashable:
    return row.organization, row.team, row.name, row.tag


def _description_key(row: MetricDescriptionRow) -> Hashable:
    return row.organization, row.team, row.description.name, row.receipt


POINTS = Table(
    name=POINTS_TABLE,
    columns=(
        "organization VARCHAR, team VARCHAR, name VARCHAR, tags VARCHAR, time TIMESTAMP_MS, "
        "value DOUBLE, partition USMALLINT, position BIGINT, item UINTEGER, day DATE, "
        "digits BIGINT, divisor INTEGER"
    ),
    # By day (see `rows.days`), then by owner and name, so that a query reads little of few files,
    # and by series, whose points take the fewest bytes in a row. New rows arrive sorted, so that
    # sorting merged files takes little more than merging runs.
    layout=(
        "SET PARTITIONED BY (day)",
        "SET SORTED BY (organization, team, name, tags, time)",
    ),
    options=(
        *OPTIONS,
        f"'sort_on_insert', false, table_name => '{POINTS_TABLE}'",
        f"'data_inlining_row_limit', 0, table_name => '{POINTS_TABLE}'",
        # Version 2 has differences of integers (see `decimals`).
        f"'parquet_version', 2, table_name => '{POINTS_TABLE}'",
        f"'parquet_row_group_size', {ROW_GROUP}, table_name => '{POINTS_TABLE}'",
    ),
    arrow=points_table,
    add=(
        "SELECT organization, team, name, tags, make_timestamp_ms(time), value, "
        "partition, position, item, day, digits, divisor FROM arriving"
    ),
    digest=f"hash(name, tags, epoch_ms(time), {decimals.SQL}, partition, position, item)",
    view=(
        "points",
        f"SELECT organization, team, name, tags, time, {decimals.SQL} AS value, "
        f"partition, position, item FROM {POINTS_TABLE}",
    ),
)
POINTS_IN_DOUBLES = structs.replace(
    POINTS,
    add=(
        f"SELECT organization, team, name, tags, make_timestamp_ms(time), {decimals.SQL}, "
        "partition, position, item, day FROM arriving"
    ),
    digest="hash(name, tags, epoch_ms(time), value, partition, position, item)",
)
"""Points as earlier releases made their table, which is written so until it is rebuilt."""

METRIC_NAMES = Table(
    name=METRIC_NAMES_TABLE,
    columns=(
        "organization VARCHAR, team VARCHAR, name VARCHAR, tag VARCHAR, "
        "partition USMALLINT, position BIGINT"
    ),
    layout=("SET SORTED BY (organization, team, name, tag)",),
    options=OPTIONS,
    arrow=metric_names_table,
    add=(
        f"FROM arriving ANTI JOIN lake.{METRIC_NAMES_TABLE} USING (organization, team, name, tag)"
    ),
    digest="hash(name, tag, partition, position)",
    key=_metric_name_key,
)
METRIC_METADATA = Table(
    name=METRIC_METADATA_TABLE,
    columns=(
        "organization VARCHAR, team VARCHAR, name VARCHAR, type VARCHAR, unit VARCHAR, "
        "help VARCHAR, temporality VARCHAR, partition USMALLINT, position BIGINT"
    ),
    layout=("SET SORTED BY (organization, team, name, position)",),
    options=OPTIONS,
    arrow=metric_metadata_table,
    add="FROM arriving",
    digest="hash(name, type, unit, help, temporality, partition, position)",
    key=_description_key,
)
TABLES = {
    folds.POINTS.name: POINTS,
    folds.METRIC_NAMES.name: METRIC_NAMES,
    folds.METRIC_METADATA.name: METRIC_METADATA,
}

CHECKPOINTS = "partition USMALLINT, position BIGINT, digest BLOB"
SET_ASIDE = "partition USMALLINT, position BIGINT, reason VARCHAR"


def create_tables(connection: Connection, table: Table) -> None:
    """Create a generation's missing tables in the DuckLake attached as `lake`.

    DuckLake cannot set options of a table in the transaction that creates it. So there are several
    transactions, each idempotent; `set_aside` comes last and marks the set as complete.
    """
    with transaction(connection):
        connection.execute(f"CREATE TABLE IF NOT EXISTS lake.{table.name} ({table.columns})")
        for statement in table.layout:
            connection.execute(f"ALTER TABLE lake.{table.name} {statement}")
        connection.execute(f"CREATE TABLE IF NOT EXISTS lake.checkpoints ({CHECKPOINTS})")
    for option in table.options:
        connection.execute(f"CALL lake.set_option({option})")
    if table.view is not None and as_made(connection, table) is table:
        name, query = table.view
        connection.execute(f"CREATE VIEW IF NOT EXISTS lake.{name} AS {query}")
    connection.execute(f"CREATE TABLE IF NOT EXISTS lake.set_aside ({SET_ASIDE})")


def as_made(connection: Connection, table: Table) -> Table:
    """Return the table as the release made it that created the generation attached as `lake`."""
    if table is POINTS and not has_decimals(connection, "lake"):
        return POINTS_IN_DOUBLES
    return table


def has_decimals(connection: Connection, lake: str) -> bool:
    """Return whether the points of an attached generation are stored as `decimals` says."""
    found = connection.execute(f"FROM {lake}.{POINTS_TABLE} LIMIT 0").description
    return any(column[0] == "digits" for column in found)
