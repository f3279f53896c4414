"""The quick reader of OpenTSDB's JSON: typed decoding, then whole columns.

It reads bodies of valid points and gives up on all others.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from operator import attrgetter

import msgspec
from msgspec import Raw, Struct

from adapters.point_formats.json_points import GaveUp, Known
from adapters.point_formats.opentsdb.readable import to_milliseconds
from application.publishing.limits import check_count
from application.publishing.ports import BodyTerms
from domain.columns import CodedColumn, coded
from domain.metric_point import PointBatch, timestamp_fault
from domain.values import all_finite


class _Put(Struct, gc=False):
    metric: str
    timestamp: int
    value: float | str
    tags: Raw = Raw(b"{}")


_decode = msgspec.json.Decoder(list[_Put] | _Put).decode
_metric, _timestamp, _value, _tags = map(attrgetter, ("metric", "timestamp", "value", "tags"))
_are_numbers = re.compile("[0-9.eE+-]*").fullmatch


class PutReader:
    """Reads bodies, for one thread. Keeps bounded memos of names and tag sets."""

    def __init__(self) -> None:
        self._known = Known()

    def read(self, body: bytes, terms: BodyTerms) -> PointBatch | None:
        """Return the points, or None if the body must be read readably. Raises BodyTooLarge."""
        try:
            if not body.isascii():
                body.decode()  # which msgspec does not check in fields that it skips
            decoded = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        puts = decoded if isinstance(decoded, list) else [decoded]
        check_count(len(puts), terms.max_points)
        if not puts:
            return PointBatch((), (), (), ())
        try:
            names = coded([*map(_metric, puts)])
            tags = coded([*map(bytes, map(_tags, puts))])
            times = coded([*map(_timestamp, puts)])
            return PointBatch(
                CodedColumn([*map(self._known.names.__getitem__, names.table)], names.codes),
                CodedColumn([_time_of(time, terms.latest) for time in times.table], times.codes),
                _numbers([*map(_value, puts)]),
                CodedColumn([*map(self._known.tags.__getitem__, tags.table)], tags.codes),
            )
        except GaveUp:
            return None


def _time_of(timestamp: int, latest: int) -> int:
    # A float has every integer of this size, so the readable reader comes to the same time.
    if not 0 < timestamp < 1 << 53:
        raise GaveUp
    time = to_milliseconds(timestamp)
    if timestamp_fault(time, latest):
        raise GaveUp
    return time


def _numbers(values: Sequence[float | str]) -> array[float]:
    """Return values as finite numbers."""
    texts = [value for value in values if isinstance(value, str)]
    if texts and not _are_numbers("".join(texts)):
        raise GaveUp
    try:
        numbers = array("d", [*map(float, values)])
    except ValueError:
        raise GaveUp from None
    if not all_finite(numbers):
        raise GaveUp
    return numbers
