"""The fastest reader of bodies: one pass of compiled code over their bytes.

The scanner writes columns directly: numbers as numbers, and each measurement with its tags as the
number of its text. A new text is read once and then remembered.

A line that is not plain is left to the readable reader, and the pass goes on behind it. A body with
many of those is left to the quick reader, and so is one with a series or a time that is invalid.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.point_formats.influx.compiled_scan import (
    FULL,
    NO_TIME,
    ODD,
    PROGRAM,
    RECENT,
    TEXTS_FULL,
    Columns,
    Counts,
)
from adapters.point_formats.influx.precisions import ToMilliseconds
from adapters.point_formats.influx.quick import NotPlain, plain_name, plain_series, plain_tags
from adapters.point_formats.influx.readable import LineReader, Point
from adapters.point_formats.known_series import KnownSeries, OddSeries, coded_column, distinct
from adapters.point_formats.scanned_texts import PADDING
from application.publishing.limits import check_count
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Refusals
from domain.columns import CodedColumn
from domain.memo import Memo
from domain.metric_point import PointBatch, TagSet, timestamp_fault
from domain.values import all_finite

MAX_ODD_LINES = 200
"""Lines of a body that are read readably, which takes some 30 µs each."""

MAX_ODD_BODY = 1 << 20
"""Bytes of a body that may have such lines, since they are read on the event loop."""

MAX_KEYS = 1 << 14


class _Scanned(NamedTuple):
    """What a pass has found: the plain points are in the columns, `odd` says before which rows."""

    counts: Counts
    odd: list[tuple[int, Point]]
    refused: Refusals
    timed: bool


class LineScanner:
    """Scans bodies of at most `max_points` points, for one thread. Raises NotCompiled.

    Memory is bounded: 56 bytes of arrays per point of `max_points`, what `KnownSeries` keeps, and a
    memo of names.
    """

    def __init__(self, max_points: int) -> None:
        self._series = KnownSeries(_series)
        self._names = Memo(_name, lambda of, name: len(of[0]) + len(of[1]) + len(name))
        self._columns = Columns(
            series=np.zeros(max_points, np.uint32),
            keys=np.zeros(max_points, np.uint32),
            times=np.zeros(max_points, np.uint32),
            values=np.zeros(max_points, np.float64),
            key_table=np.zeros(2 * MAX_KEYS, np.int64),
            time_table=np.zeros(max_points, np.int64),
            hard=np.zeros(3 * max_points, np.int64),
            recent_keys=np.zeros(RECENT, np.int64),
            recent_times=np.zeros(RECENT, np.int64),
        )
        self._scan = PROGRAM.load()(self._series.arrays, self._columns)

    def scan(
        self, body: bytes, terms: BodyTerms, to_milliseconds: ToMilliseconds
    ) -> Decoded | None:
        """Return the points of a body, or None if it gives up. Raises BodyTooLarge."""
        try:
            found = self._scanned(body, terms, to_milliseconds)
            if found is None:
                return None
            batch = self._batch(body, found.counts, terms, to_milliseconds)
        except (NotPlain, OddSeries):
            return None
        check_count(found.counts.rows + len(found.odd), terms.max_points)
        points = _merged(batch, found.odd) if found.odd else batch
        return Decoded(points, found.refused or None, found.timed)

    def _scanned(
        self, body: bytes, terms: BodyTerms, to_milliseconds: ToMilliseconds
    ) -> _Scanned | None:
        columns = self._columns
        padded = body + PADDING
        refused = Refusals()
        odd_lines = LineReader(terms, to_milliseconds, refused)
        odd: list[tuple[int, Point]] = []
        text: str | None = None
        counts, at, tries = Counts(), 0, 0
        number, counted = 1, 0  # of lines up to a place
        while True:
            ended, at, *read = self._scan(padded, len(body), at, *counts)
            counts = Counts(*read)
            self._series.learn()
            if ended == TEXTS_FULL:
                self._series.forget()
            if ended != ODD:
                break
            tries += 1
            if tries > MAX_ODD_LINES or len(body) > MAX_ODD_BODY or not body.isascii():
                return None
            if text is None:
                text = body.decode("ascii")
            number += text.count("\n", counted, at)
            counted = at
            points, at = odd_lines.read(text, at, number)
            odd += [(counts.rows, point) for point in points]
            if counts.rows + len(odd) > terms.max_points:
                return None
        if ended in (FULL, TEXTS_FULL):
            return None
        timed = odd_lines.timed and not (columns.time_table[: counts.times] == NO_TIME).any()
        return _Scanned(counts, odd, refused, timed)

    def _batch(
        self, body: bytes, counts: Counts, terms: BodyTerms, to_milliseconds: ToMilliseconds
    ) -> PointBatch:
        """Return the points of the plain lines. Raises NotPlain, OddSeries."""
        if not counts.rows:
            return PointBatch((), (), (), ())
        columns, rows = self._columns, slice(counts.rows)
        for row, start, end in columns.hard[: 3 * counts.hard].reshape(-1, 3).tolist():
            columns.values[row] = float(body[start:end])
        values = array("d", columns.values[rows].tobytes())
        if not all_finite(values):
            raise NotPlain
        series = columns.series[rows]
        times = columns.time_table[: counts.times].tolist()
        tags, tag_codes = distinct(self._series.tag_sets_of(series), len(self._series.tag_sets))
        return PointBatch(
            self._names_of(body, series, columns.keys[rows], counts.keys),
            coded_column(
                [_time(time, terms, to_milliseconds) for time in times], columns.times[rows]
            ),
            values,
            coded_column([*map(self._series.tag_sets.__getitem__, tags)], tag_codes),
        )

    def _names_of(
        self, body: bytes, series: NDArray[np.uint32], key_of: NDArray[np.uint32], count: int
    ) -> CodedColumn[str]:
        """Return the names of points, each made once per measurement and key."""
        places = self._columns.key_table[: 2 * count].tolist()
        keys = [body[start:end] for start, end in zip(places[::2], places[1::2], strict=True)]
        measurements = self._series.names
        pairs = self._series.names_of(series) * count + key_of
        found, codes = distinct(pairs, len(measurements) * count)
        names = [self._names[measurements[each // count], keys[each % count]] for each in found]
        return coded_column(names, codes)


def _series(text: bytes) -> tuple[str, TagSet] | None:
    """Return the measurement and tags that a text is, None if it is to be read readably."""
    try:
        measurement, pairs = plain_series(text[:-1].decode())
        return measurement, plain_tags(pairs)
    except (NotPlain, UnicodeDecodeError):
        return None


def _name(field: tuple[str, bytes]) -> str:
    try:
        return plain_name((field[0], field[1].decode()))
    except UnicodeDecodeError:
        raise NotPlain from None


def _time(time: int, terms: BodyTerms, to_milliseconds: ToMilliseconds) -> int:
    milliseconds = terms.received if time == NO_TIME else to_milliseconds(time)
    if timestamp_fault(milliseconds, terms.latest):
        raise NotPlain
    return milliseconds


def _merged(plain: PointBatch, odd: Sequence[tuple[int, Point]]) -> PointBatch:
    """Return points with others put in, each before the row that it is given with."""
    names: list[str] = []
    times: list[int] = []
    values = array("d")
    tag_sets: list[TagSet] = []
    last = 0
    for row, (name, time, value, tags) in odd:
        between = slice(last, row)
        names += [*plain.names[between], name]
        times += [*plain.timestamps[between], time]
        values.extend([*plain.values[between], value])
        tag_sets += [*plain.tag_sets[between], tags]
        last = row
    names += plain.names[last:]
    times += plain.timestamps[last:]
    values.extend(plain.values[last:])
    tag_sets += plain.tag_sets[last:]
    return PointBatch(names, times, values, tag_sets)


def main() -> None:
    """Compile ahead of time, into a cache beside the code or in the user's cache directory."""
    LineScanner(1).scan(b"", BodyTerms(0, 0, 1), lambda time: time)
