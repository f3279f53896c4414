"""The quick reader of bodies: typed decoding, then whole columns.

It reads valid bodies and gives up on all others, which are then read carefully.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import msgspec
from msgspec import Raw, Struct

from adapters.point_formats.json.timestamps import to_milliseconds
from application.publishing.limits import check_count
from domain.columns import CodedColumn, coded
from domain.memo import Memo
from domain.metric_point import PointBatch, TagSet, batch_of, tag_set


class _Item(Struct, gc=False, forbid_unknown_fields=True):
    name: str
    timestamp: int
    value: float
    tags: Raw


class _MetricItem(Struct, gc=False, forbid_unknown_fields=True, rename={"name": "metric"}):
    """An item whose name is spelled `metric`."""

    name: str
    timestamp: int
    value: float
    tags: Raw


class _Body(Struct, gc=False, forbid_unknown_fields=True):
    metrics: list[_Item]


class _MetricBody(Struct, gc=False, forbid_unknown_fields=True):
    metrics: list[_MetricItem]


_DECODERS = (msgspec.json.Decoder(_Body), msgspec.json.Decoder(_MetricBody))
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode
_name, _timestamp, _value_of, _tags = map(attrgetter, ("name", "timestamp", "value", "tags"))


class _Unreadable(Exception):
    """The quick reader gives up on a body."""


def _known_tag_set(raw: bytes) -> TagSet:
    tags = read_tag_set(raw)
    if tags is None:
        raise _Unreadable
    return tags


def read_tag_set(raw: bytes) -> TagSet | None:
    """Return the tags of a JSON object, or None if they are invalid."""
    try:
        return tag_set(_decode_tags(raw))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class QuickReader:
    """Reads bodies, for one thread. Keeps a bounded memo of tag sets."""

    def __init__(self) -> None:
        self._tag_sets = Memo(_known_tag_set, lambda raw, tags: len(raw) + tags.size())

    def read(self, body: bytes, latest: int, max_points: int) -> PointBatch | None:
        """Return the batch, or None if it must be read carefully. Raises BodyTooLarge.

        `latest` is the latest timestamp accepted, in milliseconds since the epoch.
        """
        for decoder in _DECODERS:
            try:
                items: Sequence[_Item | _MetricItem] = decoder.decode(body).metrics
            except msgspec.ValidationError:
                continue
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None
            check_count(len(items), max_points)
            texts = coded([*map(bytes, map(_tags, items))])
            try:
                tag_sets = [*map(self._tag_sets.__getitem__, texts.table)]
            except _Unreadable:
                return None
            times = coded([*map(_timestamp, items)])
            return batch_of(
                [*map(_name, items)],
                CodedColumn([*map(to_milliseconds, times.table)], times.codes),
                [*map(_value_of, items)],
                CodedColumn(tag_sets, texts.codes),
                latest=latest,
            )
        return None
