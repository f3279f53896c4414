"""The fastest reader of bodies: one pass of compiled code over their bytes.

The scanner writes columns directly, and says where each line has its series and each point its key.
A line that is not plain is left to the readable reader, and the pass goes on behind it. A body with
many of those is left to the quick reader, and so is one with a series or a time that is invalid.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from adapters.point_formats.influx.compiled_scan import (
    FULL,
    NO_TIME,
    ODD,
    PADDING,
    RECENT,
    Columns,
    Counts,
    scan,
)
from adapters.point_formats.influx.precisions import ToMilliseconds
from adapters.point_formats.influx.quick import NotPlain, Series, read_plain_name, read_plain_series
from adapters.point_formats.influx.readable import LineReader, Point
from application.publishing.limits import check_count
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Refusals
from domain.columns import CodedColumn, code_type, coded
from domain.memo import Memo
from domain.metric_point import PointBatch, TagSet, timestamp_fault

MAX_ODD_LINES = 200
"""Lines of a body that are read readably, which takes some 30 µs each."""

MAX_ODD_BODY = 1 << 20
"""Bytes of a body that may have such lines, since they are read on the event loop."""

MAX_KEYS = 1 << 14

T = TypeVar("T")


class LineScanner:
    """Scans bodies of at most `max_points` points, for one thread.

    Memory is bounded: 68 bytes of arrays per point of `max_points`, and memos of series and names.
    """

    def __init__(self, max_points: int) -> None:
        self._series = Memo(_series, lambda text, series: len(text) + series.tags.size())
        self._names = Memo(_name, lambda of, name: len(of[0]) + len(of[1]) + len(name))
        self._columns = Columns(
            series=np.zeros(2 * max_points, np.int64),
            lines=np.zeros(max_points, np.uint32),
            keys=np.zeros(max_points, np.uint32),
            times=np.zeros(max_points, np.uint32),
            values=np.zeros(max_points, np.float64),
            key_table=np.zeros(2 * MAX_KEYS, np.int64),
            time_table=np.zeros(max_points, np.int64),
            hard=np.zeros(3 * max_points, np.int64),
            recent_keys=np.zeros(RECENT, np.int64),
            recent_times=np.zeros(RECENT, np.int64),
        )

    def scan(
        self, body: bytes, terms: BodyTerms, to_milliseconds: ToMilliseconds
    ) -> Decoded | None:
        """Return the points of a body, or None if it gives up. Raises BodyTooLarge."""
        columns = self._columns
        padded = np.frombuffer(body + PADDING, np.uint8)
        refused = Refusals()
        odd_lines = LineReader(terms, to_milliseconds, refused)
        odd: list[tuple[int, Point]] = []
        text: str | None = None
        counts, at, tries = Counts(), 0, 0
        number, counted = 1, 0  # of lines up to a place
        while True:
            ended, at, found = scan(padded, len(body), at, counts, columns)
            counts = Counts(*found)
            if ended != ODD:
                break
            tries += 1
            if tries > MAX_ODD_LINES or len(body) > MAX_ODD_BODY or not body.isascii():
                return None
            if text is None:
                text = body.decode("ascii")
            number += text.count("\n", counted, at)
            counted = at
            points, end = odd_lines.read(text, at, number)
            odd += [(counts.rows, point) for point in points]
            if counts.rows + len(odd) > terms.max_points:
                return None
            at = end
        if ended == FULL:
            return None
        try:
            batch = self._batch(body, counts, terms, to_milliseconds)
        except NotPlain:
            return None
        check_count(counts.rows + len(odd), terms.max_points)
        times = columns.time_table[: counts.times]
        timed = odd_lines.timed and not (times == NO_TIME).any()
        return Decoded(_merged(batch, odd) if odd else batch, refused or None, timed)

    def _batch(
        self, body: bytes, counts: Counts, terms: BodyTerms, to_milliseconds: ToMilliseconds
    ) -> PointBatch:
        """Return the points of the plain lines. Raises NotPlain."""
        if not counts.rows:
            return PointBatch((), (), (), ())
        columns, rows = self._columns, slice(counts.rows)
        lines, keys = columns.lines[rows], columns.keys[rows]
        series_of_line = coded(
            [
                *map(
                    self._series.__getitem__,
                    _texts(body, columns.series[: 2 * counts.lines].tolist()),
                )
            ]
        )
        table = series_of_line.table
        series = np.frombuffer(series_of_line.codes, series_of_line.codes.typecode)[lines]
        for row, start, end in columns.hard[: 3 * counts.hard].reshape(-1, 3).tolist():
            columns.values[row] = float(body[start:end])
        values = array("d", columns.values[rows].tobytes())
        if not math.isfinite(sum(values)) and not all(map(math.isfinite, values)):
            raise NotPlain
        key_table = _texts(body, columns.key_table[: 2 * counts.keys].tolist())
        times = columns.time_table[: counts.times].tolist()
        return PointBatch(
            self._names_of(table, series, key_table, keys),
            _column([_time(time, terms, to_milliseconds) for time in times], columns.times[rows]),
            values,
            _column([each.tags for each in table], series),
        )

    def _names_of(
        self,
        table: Sequence[Series],
        series: NDArray[np.unsignedinteger],
        keys: Sequence[bytes],
        key_of: NDArray[np.uint32],
    ) -> CodedColumn[str]:
        """Return the names of points, each made once per measurement and key."""
        measurements = coded([each.measurement for each in table])
        codes = np.frombuffer(measurements.codes, measurements.codes.typecode)
        pairs = codes[series].astype(np.int64) * len(keys) + key_of
        distinct, inverse = np.unique(pairs, return_inverse=True)
        names = [
            self._names[measurements.table[pair // len(keys)], keys[pair % len(keys)]]
            for pair in distinct.tolist()
        ]
        return _column(names, inverse)


def _texts(body: bytes, places: Sequence[int]) -> list[bytes]:
    """Return the texts at pairs of places."""
    return [body[start:end] for start, end in zip(places[::2], places[1::2], strict=True)]


def _series(text: bytes) -> Series:
    return read_plain_series(_decoded(text))


def _name(field: tuple[str, bytes]) -> str:
    return read_plain_name((field[0], _decoded(field[1])))


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise NotPlain from None


def _time(time: int, terms: BodyTerms, to_milliseconds: ToMilliseconds) -> int:
    milliseconds = terms.received if time == NO_TIME else to_milliseconds(time)
    if timestamp_fault(milliseconds, terms.latest):
        raise NotPlain
    return milliseconds


def _column(table: Sequence[T], codes: NDArray[np.integer]) -> CodedColumn[T]:
    sort = code_type(len(table))
    return CodedColumn(table, array(sort, codes.astype(sort).tobytes()))


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
