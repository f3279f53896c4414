"""The questions as SQL, each with its parameters.

`source` is an attached generation's alias. Where it is `files`, the files themselves are asked:
that spares DuckLake's look into its catalog, which takes longer than reading a few of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.ducklake.store.rows import tag_text
from adapters.ducklake.store.stored_names import METRIC_NAMES_TABLE, POINTS_TABLE
from application.reading.ports import Selection

Query = tuple[str, list[Any]]

EXACT_IN_SQL = {"count": "count(*)::DOUBLE", "min": "min(value)", "max": "max(value)"}
"""Aggregators that DuckDB computes as the contract says."""

LOG_ORDER = ("time", "partition", "position", "item")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_MILLISECOND = timedelta(milliseconds=1)

_FILES = "read_parquet(?, hive_partitioning = false, filename = true)"

# Files are left out only where `time` is compared with its own type, TIMESTAMP_MS: any other makes
# DuckDB cast the column instead, and read them all.
_FROM = "time >= ?::TIMESTAMP_MS"
_TO = "time < ?::TIMESTAMP_MS"


def points(files: Sequence[str], selection: Selection, limit: int) -> Query:
    """Rows (time in ms, value), the latest first."""
    condition, parameters = _condition(selection)
    order = ", ".join(f"{column} DESC" for column in LOG_ORDER)
    return (
        f"SELECT epoch_ms(time), value FROM {_FILES} WHERE {condition} "
        f"ORDER BY {order} LIMIT {limit:d}",
        [files, *parameters],
    )


def buckets(
    files: Sequence[str], selection: Selection, aggregator: str, period: int, limit: int
) -> Query:
    """Rows (bucket's number, value) for an aggregator of EXACT_IN_SQL, the latest first."""
    condition, parameters = _condition(selection)
    # Adding zero makes zero of minus zero.
    return (
        f"SELECT epoch_ms(time) // {period:d} AS bucket, {EXACT_IN_SQL[aggregator]} + 0.0 "
        f"FROM {_FILES} WHERE {condition} GROUP BY bucket ORDER BY bucket DESC LIMIT {limit:d}",
        [files, *parameters],
    )


def values(files: Sequence[str], selection: Selection, period: int, limit: int) -> Query:
    """Columns `bucket` (its number) and `value`, a row per point, in any order."""
    condition, parameters = _condition(selection)
    return (
        f"SELECT epoch_ms(time) // {period:d} AS bucket, value FROM {_FILES} "
        f"WHERE {condition} LIMIT {limit:d}",
        [files, *parameters],
    )


def columns(files: Sequence[str], selection: Selection, limit: int) -> Query:
    """Columns `time` (ms), `value`, `tags` and `filename` of the points in files, in any order."""
    condition, parameters = _condition(selection)
    return (
        f"SELECT epoch_ms(time) AS time, value, tags, filename FROM {_FILES} WHERE {condition} "
        f"LIMIT {limit:d}",
        [files, *parameters],
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
    """A row if the name is there."""
    return (
        f"SELECT 1 FROM {source}.{METRIC_NAMES_TABLE} "
        "WHERE organization = ? AND team = ? AND name = ? LIMIT 1",
        [organization, team or "", metric],
    )


def positions(source: str) -> Query:
    """Rows (partition, position)."""
    return f"SELECT partition, position FROM {source}.checkpoints", []


def published_names(source: str, organization: str, team: str | None) -> Query:
    """Rows (name): those of an owner's metrics that have points, sorted."""
    return (
        f"SELECT DISTINCT name FROM {source}.{POINTS_TABLE} WHERE organization = ? AND team = ? "
        "ORDER BY name",
        [organization, team or ""],
    )


def hours(source: str, selection: Selection) -> Query:
    """Rows (hours since the epoch, number of points), in order."""
    condition, parameters = _condition(selection)
    return (
        f"SELECT epoch_ms(time) // 3600000 AS hour, count(*) FROM {source}.{POINTS_TABLE} "
        f"WHERE {condition} GROUP BY hour ORDER BY hour",
        parameters,
    )


def rows(source: str, selection: Selection) -> Query:
    """Rows (time in ms, value, tags, partition, position, item) in time and log order."""
    condition, parameters = _condition(selection)
    return (
        "SELECT epoch_ms(time), value, tags, partition, position, item "
        f"FROM {source}.{POINTS_TABLE} WHERE {condition} ORDER BY {', '.join(LOG_ORDER)}",
        parameters,
    )


def _condition(selection: Selection) -> tuple[str, list[Any]]:
    conditions = ["organization = ?", "team = ?", "name = ?"]
    parameters: list[Any] = [selection.organization, selection.team or "", selection.metric]
    for tag, value in selection.tags.items():
        conditions.append("contains(tags, ?)")
        parameters.append(tag_text(tag, value))
    for condition, time in ((_FROM, selection.start), (_TO, selection.end)):
        if time is not None:
            conditions.append(condition)
            parameters.append(_EPOCH + time * _MILLISECOND)
    return " AND ".join(conditions), parameters
