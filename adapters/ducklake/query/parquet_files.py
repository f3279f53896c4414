"""The Parquet files that hold a generation's points, according to its catalog.

DuckLake's specification defines the catalog's tables. Points are never deleted one by one, nor
stored in the catalog itself, so the files hold all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from adapters.ducklake.database import Connection
from adapters.ducklake.store import decimals
from adapters.ducklake.store.stored_names import POINTS_TABLE
from application.projections.errors import ProjectionMissing
from application.reading.ports import Selection


class ParquetFile(Struct, frozen=True):
    """A Parquet file with its number of points, from `first` to `last` (ms). It never changes.

    `first_position` is the lowest position of its points' events. Files are written in the order of
    the log, and only neighbours are merged, so it orders the files of a partition's events.
    """

    path: str
    points: int
    first: int
    last: int
    first_position: int

    def overlaps(self, selection: Selection) -> bool:
        """Return whether it may have points in the selection's time range."""
        start, end = selection.start, selection.end
        return (start is None or self.last >= start) and (end is None or self.first < end)


class ParquetFiles:
    """Lists the files of the generation attached as `source`. Raises ProjectionMissing.

    `schema` is the database schema of the catalog's tables, `data_path` where the files are.
    `value` is the SQL for a point's value.
    """

    def __init__(self, connection: Connection, source: str, schema: str, data_path: str) -> None:
        self._catalog = f"__ducklake_metadata_{source}.{schema}"
        found = connection.execute(
            "SELECT ? || schemas.path || tables.path, table_id, "
            "max(column_id) FILTER (column_name = 'time'), "
            "max(column_id) FILTER (column_name = 'position'), "
            "max(column_id) FILTER (column_name = 'value'), "
            "bool_or(column_name = 'digits') "
            f"FROM {self._catalog}.ducklake_table tables "
            f"JOIN {self._catalog}.ducklake_schema schemas USING (schema_id) "
            f"JOIN {self._catalog}.ducklake_column columns USING (table_id) "
            "WHERE table_name = ? GROUP BY ALL",
            [data_path, POINTS_TABLE],
        ).fetchone()
        if found is None:
            raise ProjectionMissing("the points have not been built yet")
        self._directory, self._table, self._time, self._position, self._value, decimal = found
        self.value = decimals.SQL if decimal else "value"

    def __call__(self, connection: Connection) -> Sequence[ParquetFile]:
        """Return the files of the latest snapshot."""
        rows = connection.execute(
            "SELECT path, record_count, epoch_ms(times.min_value::TIMESTAMP_MS), "
            "epoch_ms(times.max_value::TIMESTAMP_MS), positions.min_value::BIGINT "
            f"FROM {self._catalog}.ducklake_data_file files "
            f"JOIN {self._catalog}.ducklake_file_column_stats times "
            "ON times.data_file_id = files.data_file_id AND times.column_id = ? "
            f"JOIN {self._catalog}.ducklake_file_column_stats positions "
            "ON positions.data_file_id = files.data_file_id AND positions.column_id = ? "
            "WHERE files.table_id = ? AND files.end_snapshot IS NULL",
            [self._time, self._position, self._table],
        ).fetchall()
        return [ParquetFile(self._directory + path, *more) for path, *more in rows]

    def finite(self, connection: Connection, files: Sequence[ParquetFile]) -> bool:
        """Return whether the catalog knows that the files have finite values only."""
        # TRY_CAST, because DuckDB may look at the columns that have no numbers first.
        ((finite,),) = connection.execute(
            f"SELECT count(*) FROM {self._catalog}.ducklake_data_file files "
            f"JOIN {self._catalog}.ducklake_file_column_stats stats USING (data_file_id) "
            "WHERE files.table_id = ? AND stats.column_id = ? AND list_contains(?, ? || path) "
            # Decimals are finite, and all values of a file may be.
            "AND NOT contains_nan AND (value_count = 0 OR "
            "isfinite(TRY_CAST(min_value AS DOUBLE)) AND isfinite(TRY_CAST(max_value AS DOUBLE)))",
            [self._table, self._value, [file.path for file in files], self._directory],
        ).fetchall()
        return bool(finite == len(files))
