"""Converting events to Arrow columns without touching single points.

DuckDB reads Arrow directly. Text is passed as indices into a dictionary, the form it already has in
the log's batches. Here the batches' dictionaries become one, and NumPy maps their codes to it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from adapters.ducklake.store.decimals import as_decimals
from adapters.ducklake.store.nan_bits import with_nan_bits
from application.event_log.ports import RecordedMetrics
from application.projections.folds import MetricDescriptionRow, MetricNameRow
from domain.columns import CodedColumn, coded
from domain.memo import Memo
from domain.metric_point import TagSet

_T = TypeVar("_T")
_Column = npt.NDArray[Any]

DAY = 86_400_000

FEW_DAYS = 8
MANY_DAYS = 64
MANY_POINTS = 1000
"""A commit writes one file per day for its few most common days, and for up to `MANY_DAYS` days
that have `MANY_POINTS` each. All other points go into one file. Anyone may send points of thousands
of days, and a file for each would exhaust the memory."""

MAX_KEY = 1 << 62

_encode_json = msgspec.json.Encoder().encode


def tags_text(tags: TagSet) -> str:
    """Return tags as canonical JSON: names sorted, no spaces. Results are cached.

    The text of a tag, `"name":"value"`, occurs in it exactly if the point has the tag. Quotes
    within values are escaped and colons outside values only follow names, so `"name":` occurs only
    where the tag begins. After it, equal text means an equal value.
    """
    return _tags_texts[tags]


def _tags_text(tags: TagSet) -> str:
    return _encode_json(tags.as_dict()).decode()


_tags_texts = Memo(_tags_text, lambda tags, text: tags.size() + len(text))


def tag_text(name: str, value: str) -> str:
    """Return one tag as it appears in `tags_text`."""
    return f"{_encode_json(name).decode()}:{_encode_json(value).decode()}"


def points_table(events: Sequence[RecordedMetrics]) -> pa.Table:
    """Return the points as columns, series by series, and each in log order.

    `time` is in milliseconds, `item` is a point's index in its batch, `day` comes from `days`,
    zeros are unsigned, `decimals` and `nan_bits` say where the values and the bits of NaNs are.
    Raises OverflowError, TypeError or ValueError for values that no column can hold.
    """
    batches = [recorded.event.points for recorded in events]
    counts = np.fromiter(map(len, batches), np.int64, len(batches))
    names, name_codes = _merged([coded(batch.names) for batch in batches], counts)
    tag_sets, tag_codes = _merged([coded(batch.tag_sets) for batch in batches], counts)
    organizations, organization_codes = _constant([r.event.organization for r in events], counts)
    teams, team_codes = _constant([r.event.team or "" for r in events], counts)
    times = _joined("q", (batch.timestamps for batch in batches))
    # Before zero is added, which changes the bits of some NaNs.
    texts, tag_codes, values = with_nan_bits(
        [tags_text(tags) for tags in tag_sets],
        tag_codes,
        _joined("d", (batch.values for batch in batches)),
    )
    # Parquet's dictionaries do not distinguish minus zero from zero. Adding zero makes both zero,
    # whatever file they are written to.
    values = values + 0.0
    order = _order(
        (organizations, organization_codes),
        (teams, team_codes),
        (names, name_codes),
        (texts, tag_codes),
    )
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    columns: dict[str, Any] = {
        "organization": _dictionary(organizations, organization_codes[order]),
        "team": _dictionary(teams, team_codes[order]),
        "name": _dictionary(names, name_codes[order]),
        "tags": _dictionary(texts, tag_codes[order]),
        "time": times[order],
        **as_decimals(values[order], name_codes[order]),
        "partition": np.repeat([r.receipt.partition for r in events], counts)[order],
        "position": np.repeat([r.receipt.position for r in events], counts)[order],
        "item": (np.arange(len(starts)) - starts)[order],
        "day": days(times[order]),
    }
    return pa.table(columns)


def metric_names_table(rows: Sequence[MetricNameRow]) -> pa.Table:
    """Return metric names as columns; the row of a name alone has an empty tag."""
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


def metric_metadata_table(rows: Sequence[MetricDescriptionRow]) -> pa.Table:
    """Return descriptions of metrics as columns."""
    columns: dict[str, Sequence[str]] = {
        "organization": [row.organization for row in rows],
        "team": [row.team or "" for row in rows],
        "name": [row.description.name for row in rows],
        "type": [row.description.type for row in rows],
        "unit": [row.description.unit for row in rows],
        "help": [row.description.help for row in rows],
        "temporality": [row.description.temporality for row in rows],
    }
    return pa.table(
        {
            **{name: pa.array(values, pa.string()) for name, values in columns.items()},
            "partition": pa.array([row.receipt.partition for row in rows], pa.int64()),
            "position": pa.array([row.receipt.position for row in rows], pa.int64()),
        }
    )


def days(times: _Column) -> pa.Array:
    """Return the day of each time (ms), null for days that get no file of their own."""
    if not len(times):
        return pa.array([], pa.date32())
    numbers = times // DAY
    first = numbers.min()
    alone = np.ones(len(numbers), bool)
    if numbers.max() - first >= FEW_DAYS:
        distinct, of_row, counts = np.unique(numbers, return_inverse=True, return_counts=True)
        by_count = np.argsort(-counts, kind="stable")
        kept = np.zeros(len(distinct), bool)
        kept[by_count[:FEW_DAYS]] = True
        many = by_count[:MANY_DAYS]
        kept[many[counts[many] >= MANY_POINTS]] = True
        alone = kept[of_row]
    return pa.array(numbers.astype(np.int32), pa.int32(), mask=~alone).cast(pa.date32())


def _merged(columns: Sequence[CodedColumn[_T]], counts: _Column) -> tuple[list[_T], _Column]:
    """Return one table of values for all columns, and all their codes into it."""
    entries = list(chain.from_iterable(column.table for column in columns))
    table = list(dict.fromkeys(entries))
    numbers = dict(zip(table, range(len(table)), strict=True))
    of_entry = np.fromiter(map(numbers.__getitem__, entries), np.uint32, len(entries))
    sizes = np.fromiter((len(column.table) for column in columns), np.int64, len(columns))
    types = {column.codes.typecode for column in columns}
    if len(types) == 1:
        codes = _joined(types.pop(), (column.codes for column in columns))
    else:
        codes = np.concatenate([np.asarray(column.codes) for column in columns])
    return table, of_entry[codes + np.repeat(np.cumsum(sizes) - sizes, counts)]


def _joined(type_code: str, columns: Iterable[Sequence[Any]]) -> _Column:
    """Concatenate the columns; one `array` append each is far cheaper than NumPy's."""
    joined: array[Any] = array(type_code)
    for column in columns:
        joined.extend(column)
    return np.asarray(joined)


def _constant(values: Sequence[str], counts: _Column) -> tuple[list[str], _Column]:
    """Return a column with one value per event."""
    column = coded(values)
    return list(column.table), np.repeat(np.asarray(column.codes), counts)


def _order(*columns: tuple[list[str], _Column]) -> _Column:
    """Return the stable order of rows by these columns.

    Sorts by the rank of each distinct combination, which takes a tenth of the time DuckDB takes to
    sort text.
    """
    key = np.zeros(len(columns[0][1]), np.int64)
    for table, codes in columns:
        by_text = sorted(range(len(table)), key=table.__getitem__)
        rank = np.empty(len(table), np.int64)
        rank[by_text] = np.arange(len(table))
        if len(key) and (key.max() + 1) * len(table) > MAX_KEY:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
        key = key * len(table) + rank[codes]
    if len(key) and key.max() < 1 << 16:
        key = key.astype(np.uint16)  # NumPy radix-sorts 16-bit integers
    return np.argsort(key, kind="stable")


def _dictionary(table: Sequence[str], codes: _Column) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.uint32, copy=False)), pa.array(table, pa.string())
    )
