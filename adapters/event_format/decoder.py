"""Decodes an entry's fields to `MetricsPublished`. The format: docs/event-format.md."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from adapters.event_format.codes import codes_of
from adapters.event_format.compression import inflated
from adapters.event_format.earlier_payload import EarlierPayload, earlier_batch
from adapters.event_format.topics import EARLIER_POINTS, METRIC_TOPICS, TOPIC_OF_FINITE
from adapters.event_format.values import RAW, Packed, floats_of, unpacked
from adapters.event_format.vectors import vectors
from application.event_log.ports import UnreadableEvent
from application.event_log.versioned_topics import VersionedTopics
from domain.columns import CodedColumn
from domain.events import MetricsPublished
from domain.memo import Memo
from domain.metric_point import MAX_TIMESTAMP, PointBatch, TagSet, names_fault, tag_set

_T = TypeVar("_T")

COLUMN_OVERHEAD = 400
STRING_OVERHEAD = 60
"""Approximate bytes of a column of one row, and of a string, besides their contents."""

_OUT_OF_RANGE = "a time is out of range"


class _Payload(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """A payload of version 3. Values are floats if there are no exponents.

    The tables of names and tag sets stay encoded, as events of single points have the same again
    and again.
    """

    names: msgspec.Raw
    tag_sets: msgspec.Raw
    times: list[int]
    name_codes: bytes | None
    tag_codes: bytes | None
    time_codes: bytes | None
    values: bytes
    exponents: bytes | None = None
    base: int = 0
    lag: int = 0

    def has_codes(self) -> bool:
        """Return whether any column has codes stored, rather than only zeros."""
        return (
            self.name_codes is not None or self.tag_codes is not None or self.time_codes is not None
        )


_decode = msgspec.msgpack.Decoder(_Payload).decode
_decode_names = msgspec.msgpack.Decoder(list[str]).decode
_decode_tag_sets = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_earlier = msgspec.msgpack.Decoder(EarlierPayload).decode
_decode_tags = msgspec.msgpack.Decoder(dict[str, str]).decode


class MetricDecoder:
    """Decodes events. Thread-safe.

    Keeps bounded memos of what recurs: tag sets in batches, and the names and tag sets of single
    points as whole columns, which their batches then share.
    """

    def __init__(self, topics: VersionedTopics[Mapping[bytes, bytes]] = METRIC_TOPICS) -> None:
        self._topics = topics
        self._tag_sets = Memo(_tag_set, lambda raw, tags: len(raw) + tags.size())
        self._name_of_one = Memo(_name_of_one, _size_of_names)
        self._tags_of_one = Memo(self._find_tags_of_one, _size_of_tags)

    def event(self, fields: Mapping[bytes, bytes]) -> MetricsPublished:
        """Return the event of an entry's fields. Raises UnreadableEvent."""
        try:
            topic = fields[b"topic"].decode()
            name, fields = self._topics.upcast(topic, fields)
            payload, count = inflated(fields), int(fields[b"count"])
            return MetricsPublished(
                organization=fields[b"organization"].decode(),
                team=fields[b"team"].decode() or None,
                token_id=fields[b"token"].decode(),
                points=self._earlier_points(payload, count, finite=topic == TOPIC_OF_FINITE)
                if name == EARLIER_POINTS
                else self._points(payload, count),
            )
        except KeyError as error:
            raise UnreadableEvent(f"the field {error} is missing") from None
        except (ValueError, RecursionError) as error:  # the latter from nested arrays
            raise UnreadableEvent(str(error)) from error

    def _points(self, payload: bytes, count: int) -> PointBatch:
        if count < 1:
            raise ValueError(f"the count is {count}")
        columns = _decode(payload)
        if count == 1 and (point := self._point(columns)) is not None:
            return point
        # Before anything of the length that `count` says is made: the values have at least that.
        exponents, values = columns.exponents, columns.values
        if len(values) < count:
            raise ValueError(f"there are fewer than {count} values")
        name_table = _name_table(columns.names)
        names = codes_of(columns.name_codes, len(name_table), count, "names")
        tag_sets = self._found_tag_sets(_decode_tag_sets(columns.tag_sets))
        tags = codes_of(columns.tag_codes, len(tag_sets), count, "tag sets")
        if exponents is None:
            found = floats_of(values, count)
        elif len(exponents) != len(name_table):
            raise ValueError(f"{len(name_table)} names have {len(exponents)} exponents")
        else:
            found = unpacked(Packed(values, exponents, columns.base, columns.lag), names)
        return PointBatch(
            CodedColumn(name_table, names),
            _times(columns.times, columns.time_codes, count),
            found,
            CodedColumn(tag_sets, tags),
            known_finite=exponents is not None and RAW not in exponents,
        )

    def _point(self, columns: _Payload) -> PointBatch | None:
        """Return the batch of a single point as it is usually stored, or None for any other one.

        It takes a third of the time that it takes to make each column.
        """
        if len(columns.times) != 1 or columns.exponents is not None or columns.has_codes():
            return None
        (time,) = columns.times
        if not 0 <= time <= MAX_TIMESTAMP:
            raise ValueError(_OUT_OF_RANGE)
        return PointBatch(
            self._name_of_one[bytes(columns.names)],
            array("q", (time,)),
            floats_of(columns.values, 1),
            self._tags_of_one[bytes(columns.tag_sets)],
        )

    def _find_tags_of_one(self, encoded: bytes) -> CodedColumn[TagSet]:
        return _column_of_one(self._found_tag_sets(_decode_tag_sets(encoded)), "tag sets")

    def _earlier_points(self, payload: bytes, count: int, *, finite: bool) -> PointBatch:
        columns = _decode_earlier(payload)
        return earlier_batch(columns, self._found_tag_sets(columns[1]), count, finite=finite)

    def _found_tag_sets(self, encoded: Sequence[msgspec.Raw]) -> list[TagSet]:
        return [self._tag_sets[bytes(tags)] for tags in encoded]


def _name_table(encoded: bytes | msgspec.Raw) -> list[str]:
    names = _decode_names(encoded)
    if fault := names_fault(names):
        raise ValueError(fault)
    return names


def _name_of_one(encoded: bytes) -> CodedColumn[str]:
    return _column_of_one(_name_table(encoded), "names")


def _size_of_names(encoded: bytes, names: CodedColumn[str]) -> int:
    return 2 * len(encoded) + COLUMN_OVERHEAD + STRING_OVERHEAD * len(names.table)


def _size_of_tags(encoded: bytes, tag_sets: CodedColumn[TagSet]) -> int:
    return len(encoded) + COLUMN_OVERHEAD + sum(tags.size() for tags in tag_sets.table)


def _column_of_one(table: Sequence[_T], what: str) -> CodedColumn[_T]:
    """Return a column of one row, the first of its table, as it is if no codes are stored."""
    return CodedColumn(table, codes_of(None, len(table), 1, what))


def _tag_set(encoded: bytes) -> TagSet:
    tags = tag_set(_decode_tags(encoded))
    if tags is None:
        raise ValueError("a tag set is invalid")
    return tags


def _times(differences: Sequence[int], stored: bytes | None, count: int) -> array[int]:
    """Return each point's time, from the table of times and the codes as stored."""
    table = _time_table(differences)
    if len(table) == 1 and stored is None:  # most batches
        return table * count
    codes = codes_of(stored, len(table), count, "times")
    if np := vectors(count):
        return array("q", np.asarray(table).take(codes).tobytes())
    return array("q", map(table.__getitem__, codes))


def _time_table(differences: Sequence[int]) -> array[int]:
    if not differences:
        raise ValueError("there are no times")
    times: Any
    if np := vectors(len(differences)):
        try:
            steps = np.asarray(array("q", differences))
        except OverflowError as error:
            raise ValueError(_OUT_OF_RANGE) from error
        times = steps.cumsum()
        # A sum that wraps around needs a step that is out of range, or one from a time that is.
        bounds = steps.min(), steps.max(), times.min(), times.max()
    else:
        times = [*accumulate(differences)]
        bounds = 0, 0, min(times), max(times)
    least_step, greatest_step, first, last = bounds
    if not -MAX_TIMESTAMP <= least_step <= greatest_step <= MAX_TIMESTAMP:
        raise ValueError(_OUT_OF_RANGE)
    if not 0 <= first <= last <= MAX_TIMESTAMP:
        raise ValueError(_OUT_OF_RANGE)
    return array("q", times.tobytes() if np else times)
