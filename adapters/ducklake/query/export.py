"""Reading all points of an owner, one stretch of names or time after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from adapters.ducklake.database import Connection, Location
from adapters.ducklake.query import queries
from adapters.ducklake.query.queries import Stretch
from adapters.ducklake.query.readers import Readers, Reading
from adapters.ducklake.store.nan_bits import without_nan_bits
from application.event_log.receipts import Receipt
from application.projections.folds import POINTS
from application.reading.ports import PointRow
from domain.values import from_bits

SORTED_POINTS = 200_000
"""Points sorted at a time: those of several names, or of some hours of one."""

CHUNK = 10_000
"""Points per chunk of rows."""

MEMORY = 256 << 20
"""Bytes that DuckDB may take; an hour of one name that needs more is sorted on disk."""

HOUR = 3_600_000

_Key = TypeVar("_Key", str, int)

_decode_tags = msgspec.json.Decoder(dict[str, str]).decode


class DuckLakePointExport:
    """Implements the port PointExport. Close it after use.

    The number of statements depends on the number of points, not of names: one for the counts, one
    per SORTED_POINTS, and one for each name with more than SORTED_POINTS.
    """

    def __init__(self, location: Location, *, memory: int = MEMORY, threads: int = 1) -> None:
        self._readers = Readers(location, threads=threads, memory=memory, spills=True)

    def close(self) -> None:
        """Close the store once no export reads it."""
        self._readers.close()

    def rows(
        self,
        organization: str,
        team: str | None,
        *,
        metric: str | None = None,
        start: int | None = None,
        end: int | None = None,
        label: str | None = None,
    ) -> Iterator[Sequence[PointRow]]:
        with self._readers.reading(POINTS.name, label) as reading:
            wanted = Stretch(
                organization=organization,
                team=team,
                first=metric,
                last=metric,
                start=start,
                end=end,
            )
            for names, points in _names(reading, wanted):
                if points <= SORTED_POINTS:
                    yield from _chunks(reading, names)
                    continue
                for hours in _hours(reading, names):
                    yield from _chunks(reading, hours)


def _chunks(reading: Reading, stretch: Stretch) -> Iterator[Sequence[PointRow]]:
    cursor = reading.connection.execute(*queries.rows(reading.source, stretch, reading.value))
    while rows := cursor.fetchmany(CHUNK):
        yield [
            PointRow(
                name,
                milliseconds,
                value if own is None else own,
                tags,
                Receipt.at(partition, position),
                item,
            )
            for name, milliseconds, value, text, partition, position, item in rows
            for tags, own in (_decoded(text),)
        ]


# Rows of a series are mostly adjacent and share their tags.
@lru_cache(maxsize=16_384)
def _decoded(text: str) -> tuple[dict[str, str], float | None]:
    """Return tags as stored, and the value if its bits came with them."""
    tags, bits = without_nan_bits(text)
    return _decode_tags(tags), None if bits is None else from_bits(bits)


def _names(reading: Reading, wanted: Stretch) -> Sequence[tuple[Stretch, int]]:
    """Return stretches of whole names, with the number of points in each."""
    counts = reading.connection.execute(*queries.name_counts(reading.source, wanted))
    return [
        (structs.replace(wanted, first=first, last=last), points)
        for first, last, points in _runs(_fetched(counts))
    ]


def _hours(reading: Reading, name: Stretch) -> Sequence[Stretch]:
    """Return stretches of whole hours of a name, except at the ends of its time range."""
    counts = reading.connection.execute(*queries.hours(reading.source, name))
    return [
        structs.replace(
            name,
            start=max(first * HOUR, name.start or 0),
            end=(last + 1) * HOUR if name.end is None else min((last + 1) * HOUR, name.end),
        )
        for first, last, _ in _runs(_fetched(counts))
    ]


def _runs(counts: Iterable[tuple[_Key, int]]) -> Iterator[tuple[_Key, _Key, int]]:
    """Yield first key, last key and count of runs of at most SORTED_POINTS, or of a larger key."""
    first: _Key | None = None
    last: _Key | None = None
    points = 0
    for key, count in counts:
        if first is not None and last is not None and points + count > SORTED_POINTS:
            yield first, last, points
            first, points = None, 0
        first = key if first is None else first
        last = key
        points += count
    if first is not None and last is not None:
        yield first, last, points


def _fetched(cursor: Connection) -> Iterator[tuple[Any, int]]:
    """Yield a result's rows without holding all of them; there may be many names."""
    while rows := cursor.fetchmany(CHUNK):
        yield from rows
