"""The queries as SQL, each with its parameters.

`source` is an attached generation's alias. Queries that take `files` read the Parquet files
directly: DuckLake's catalog lookup takes longer than reading a few files. `value` is the SQL for a
point's value, which depends on the generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from adapters.ducklake.store.nan_bits import DIGITS, END
from adapters.ducklake.store.rows import tag_text
from adapters.ducklake.store.stored_names import (
    METRIC_METADATA_TABLE,
    METRIC_NAMES_TABLE,
    POINTS_TABLE,
)
from application.reading.ports import Selection

Query = tuple[str, list[Any]]

EXACT_IN_SQL = {"count": "count(*)::DOUBLE", "min": "min({})", "max": "max({})"}
"""Aggregators that DuckDB computes exactly as specified, of the value between the braces."""

LOG_ORDER = ("time", "partition", "position", "item")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_MILLISECOND = timedelta(milliseconds=1)

_FILES = "read_parquet(?, hive_partitioning = false, filename = true)"

# See `store.nan_bits`.
_TAGS_ALONE = f"if(ends_with(tags, '{END}'), tags, left(tags, -{DIGITS}))"

# DuckDB skips files only if `time` is compared with its own type, TIMESTAMP_MS. For any other type
# it casts the column and reads them all.
_FROM = "time >= ?::TIMESTAMP_MS"
_TO = "time < ?::TIMESTAMP_MS"


def points(files: Sequence[str], selection: Selection, limit: int, value: str) -> Query:
    """Rows (time in ms, value) of the points with a finite value, the latest first."""
    condition, parameters = _condition(selection, only_finite=True)
    order = ", ".join(f"{column} DESC" for column in LOG_ORDER)
    return (
        f"SELECT epoch_ms(time), {value} FROM {_FILES} WHERE {condition} "
        f"ORDER BY {order} LIMIT {limit:d}",
        [files, *parameters],
    )


def buckets(
    files: Sequence[str],
    selection: Selection,
    aggregator: str,
    period: int,
    limit: int,
    value: str,
    *,
    finite: bool,
) -> Query:
    """Rows (bucket's number, value) for an aggregator of EXACT_IN_SQL, the latest first.

    Values that are not finite are left out; `finite` says that the files have none.
    """
    condition, parameters = _condition(selection, only_finite=not finite)
    aggregate = EXACT_IN_SQL[aggregator].format(value)
    # Adding zero turns minus zero into zero.
    return (
        f"SELECT epoch_ms(time) // {period:d} AS bucket, {aggregate} + 0.0 "
        f"FROM {_FILES} WHERE {condition} GROUP BY bucket ORDER BY bucket DESC LIMIT {limit:d}",
        [files, *parameters],
    )


def values(
    files: Sequence[str],
    selection: Selection,
    period: int,
    limit: int,
    value: str,
    *,
    finite: bool,
) -> Query:
    """Columns `bucket` (its number) and `value`, a row per point with a finite value, in any order.

    `finite` says that the files have no others.
    """
    condition, parameters = _condition(selection, only_finite=not finite)
    return (
        f"SELECT epoch_ms(time) // {period:d} AS bucket, {value} AS value FROM {_FILES} "
        f"WHERE {condition} LIMIT {limit:d}",
        [files, *parameters],
    )


def columns(
    files: Sequence[str],
    selection: Selection,
    limit: int,
    value: str,
    tags: Sequence[str] | None = None,
) -> Query:
    """Columns of the points in files, in any order: `time` (ms), `value`, `tags`, `filename`,
    `partition`, `position` and `item`.

    Values and tags are as stored (see `store.nan_bits`), and values need not be finite. `tags` are
    the texts of tag sets, without the bits of NaNs; None for all.
    """
    condition, parameters = _condition(selection, only_finite=False)
    if tags is not None:
        condition += f" AND {_TAGS_ALONE} IN (SELECT unnest(?))"
        parameters.append(list(tags))
    return (
        f"SELECT epoch_ms(time) AS time, {value} AS value, tags, filename, "
        "partition::BIGINT AS partition, "
        "position, item::BIGINT AS item "
        f"FROM {_FILES} WHERE {condition} "
        f"LIMIT {limit:d}",
        [files, *parameters],
    )


def series(
    files: Sequence[str], organization: str, team: str | None, metric: str | None = None
) -> Query:
    """Columns `filename`, `name` and `tags` (as text) of an owner's series in files, each once.

    With `metric`, those of one metric.
    """
    condition, parameters = "organization = ? AND team = ?", [files, organization, team or ""]
    if metric is not None:
        condition += " AND name = ?"
        parameters.append(metric)
    return (
        f"SELECT DISTINCT filename, name, {_TAGS_ALONE} AS tags FROM {_FILES} WHERE {condition}",
        parameters,
    )


def names(source: str, organization: str, team: str | None) -> Query:
    """Rows (name, list of its tags), sorted."""
    return (
        "SELECT name, coalesce(list(DISTINCT tag ORDER BY tag) FILTER (tag <> ''), []) "
        f"FROM {source}.{METRIC_NAMES_TABLE} WHERE organization = ? AND team = ? "
        "GROUP BY name ORDER BY name",
        [organization, team or ""],
    )


def name(source: str, organization: str, team: str | None, metric: str) -> Query:
    """A row if the name exists."""
    return (
        f"SELECT 1 FROM {source}.{METRIC_NAMES_TABLE} "
        "WHERE organization = ? AND team = ? AND name = ? LIMIT 1",
        [organization, team or "", metric],
    )


def descriptions(source: str, organization: str, team: str | None) -> Query:
    """Rows (name, type, unit, help, temporality) of each name's last event, in any order."""
    last = ", ".join(
        f"arg_max({column}, position)" for column in ("type", "unit", "help", "temporality")
    )
    return (
        f"SELECT name, {last} FROM {source}.{METRIC_METADATA_TABLE} "
        "WHERE organization = ? AND team = ? GROUP BY name",
        [organization, team or ""],
    )


def positions(source: str) -> Query:
    """Rows (partition, position)."""
    return f"SELECT partition, position FROM {source}.checkpoints", []


class Stretch(Struct, frozen=True, kw_only=True):
    """An owner's points with names from `first` to `last`, both inclusive, in a time range.

    None means unbounded. Times are as in Selection.
    """

    organization: str
    team: str | None
    first: str | None = None
    last: str | None = None
    start: int | None = None
    end: int | None = None


def name_counts(source: str, stretch: Stretch) -> Query:
    """Rows (name, number of points), sorted by name."""
    condition, parameters = _stretch_condition(stretch)
    return (
        f"SELECT name, count(*) FROM {source}.{POINTS_TABLE} WHERE {condition} "
        "GROUP BY name ORDER BY name",
        parameters,
    )


def hours(source: str, stretch: Stretch) -> Query:
    """Rows (hours since the epoch, number of points), in order."""
    condition, parameters = _stretch_condition(stretch)
    return (
        f"SELECT epoch_ms(time) // 3600000 AS hour, count(*) FROM {source}.{POINTS_TABLE} "
        f"WHERE {condition} GROUP BY hour ORDER BY hour",
        parameters,
    )


def rows(source: str, stretch: Stretch, value: str) -> Query:
    """Rows (name, time in ms, value, tags, partition, position, item) by name, time, log order.

    Values and tags are as stored (see `store.nan_bits`).
    """
    condition, parameters = _stretch_condition(stretch)
    return (
        f"SELECT name, epoch_ms(time), {value}, tags, partition, position, item "
        f"FROM {source}.{POINTS_TABLE} WHERE {condition} ORDER BY name, {', '.join(LOG_ORDER)}",
        parameters,
    )


def _condition(selection: Selection, *, only_finite: bool) -> tuple[str, list[Any]]:
    conditions = ["organization = ?", "team = ?", "name = ?"]
    if only_finite:  # reads the column, which a count does not need otherwise
        conditions.append("(value IS NULL OR isfinite(value))")  # decimals are finite
    parameters: list[Any] = [selection.organization, selection.team or "", selection.metric]
    for tag, value in selection.tags.items():
        conditions.append("contains(tags, ?)")
        parameters.append(tag_text(tag, value))
    return _within(conditions, parameters, selection.start, selection.end)


def _stretch_condition(stretch: Stretch) -> tuple[str, list[Any]]:
    conditions = ["organization = ?", "team = ?"]
    parameters: list[Any] = [stretch.organization, stretch.team or ""]
    for condition, name in (("name >= ?", stretch.first), ("name <= ?", stretch.last)):
        if name is not None:
            conditions.append(condition)
            parameters.append(name)
    return _within(conditions, parameters, stretch.start, stretch.end)


def _within(
    conditions: list[str], parameters: list[Any], start: int | None, end: int | None
) -> tuple[str, list[Any]]:
    for condition, time in ((_FROM, start), (_TO, end)):
        if time is not None:
            conditions.append(condition)
            parameters.append(_EPOCH + time * _MILLISECOND)
    return " AND ".join(conditions), parameters
