"""Events to Arrow columns, without touching single points.

DuckDB takes Arrow as it is. Text is passed as indices into a dictionary, which is what the log's
batches hold already: here their tables become one, and their codes are mapped to it by NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from application.ports import RecordedMetrics
from application.projections.folds import CatalogRow
from domain.columns import CodedColumn, coded
from domain.metric_point import TagSet

_T = TypeVar("_T")
_Codes = npt.NDArray[Any]

_encode_json = msgspec.json.Encoder().encode


@lru_cache(maxsize=65_536)
def tags_text(tags: TagSet) -> str:
    """Return tags as canonical JSON: names sorted, no spaces.

    Quotes within values are escaped, so a tag's own text, `"name":"value"`, is found in it exactly
    where the point has the tag.
    """
    return _encode_json(tags.as_dict()).decode()


def tag_text(name: str, value: str) -> str:
    """Return one tag as it stands in `tags_text`."""
    return f"{_encode_json(name).decode()}:{_encode_json(value).decode()}"


def series_table(events: Sequence[RecordedMetrics]) -> pa.Table:
    """Return the points as columns, sorted by organization, team and name, else in log order.

    `time` is in milliseconds; `item` is a point's place in its batch.
    """
    batches = [recorded.event.points for recorded in events]
    counts = np.array([len(batch) for batch in batches])
    names, name_codes = _merged([coded(batch.names) for batch in batches], counts)
    tag_sets, tag_codes = _merged([coded(batch.tag_sets) for batch in batches], counts)
    organizations, organization_codes = _constant([r.event.organization for r in events], counts)
    teams, team_codes = _constant([r.event.team or "" for r in events], counts)
    order = _order((organizations, organization_codes), (teams, team_codes), (names, name_codes))
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    columns: dict[str, Any] = {
        "organization": _dictionary(organizations, organization_codes[order]),
        "team": _dictionary(teams, team_codes[order]),
        "name": _dictionary(names, name_codes[order]),
        "tags": _dictionary([tags_text(tags) for tags in tag_sets], tag_codes[order]),
        "time": np.concatenate([np.asarray(b.timestamps, np.int64) for b in batches])[order],
        "value": np.concatenate([np.asarray(b.values, np.float64) for b in batches])[order],
        "partition": np.repeat([r.receipt.partition for r in events], counts)[order],
        "position": np.repeat([r.receipt.position for r in events], counts)[order],
        "item": (np.arange(len(starts)) - starts)[order],
    }
    return pa.table(columns)


def catalog_table(rows: Sequence[CatalogRow]) -> pa.Table:
    """Return catalog rows as columns; a name by itself has the empty tag."""
    return pa.table(
        {
            "organization": pa.array([row.organization for row in rows], pa.string()),
            "team": pa.array([row.team or "" for row in rows], pa.string()),
            "name": pa.array([row.name for row in rows], pa.string()),
            "tag": pa.array([row.tag or "" for row in rows], pa.string()),
            "partition": pa.array([row.receipt.partition for row in rows], pa.int64()),
            "position": pa.array([row.receipt.position for row in rows], pa.int64()),
        }
    )


def _merged(
    columns: Sequence[CodedColumn[_T]], counts: npt.NDArray[Any]
) -> tuple[list[_T], _Codes]:
    """Return one table for all columns, and all their codes in it."""
    numbers: dict[_T, int] = {}
    of_entry = np.fromiter(
        (
            numbers.setdefault(v, len(numbers))
            for v in chain.from_iterable(c.table for c in columns)
        ),
        np.uint32,
    )
    sizes = np.array([len(column.table) for column in columns])
    codes = np.concatenate([np.asarray(column.codes) for column in columns]).astype(np.int64)
    codes += np.repeat(np.cumsum(sizes) - sizes, counts)
    return list(numbers), of_entry[codes]


def _constant(values: Sequence[str], counts: npt.NDArray[Any]) -> tuple[list[str], _Codes]:
    """Return a column that has one value an event."""
    column = coded(values)
    return list(column.table), np.repeat(np.asarray(column.codes), counts)


def _order(*columns: tuple[list[str], _Codes]) -> _Codes:
    """Return the stable order of rows by these columns.

    DuckDB would sort text; here each distinct combination gets its rank, and rows are sorted by
    that: a tenth of the time.
    """
    key = np.zeros(len(columns[0][1]), np.int64)
    for table, codes in columns:
        by_text = np.argsort(np.array(table, dtype=object), kind="stable")
        rank = np.empty(len(table), np.int64)
        rank[by_text] = np.arange(len(table))
        key = key * len(table) + rank[codes]
    if len(key) and key.max() < 1 << 16:
        key = key.astype(np.uint16)  # sorted by radix
    return np.argsort(key, kind="stable")


def _dictionary(table: Sequence[str], codes: _Codes) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.uint32, copy=False)), pa.array(table, pa.string())
    )
