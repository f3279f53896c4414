"""The quick reader of bodies: typed decoding, then whole columns.

It reads what is right and gives up on everything else, which the careful reader then looks at.
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
    """The same in the name's other spelling."""

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
    """The quick reader gives up; the careful one finds out why, or reads the body."""


def _known_tag_set(raw: bytes) -> TagSet:
    tags = read_tag_set(raw)
    if tags is None:
        raise _Unreadable
    return tags


def read_tag_set(raw: bytes) -> TagSet | None:
    """Return the tags that a JSON text is, None if it is none."""
    try:
        return tag_set(_decode_tags(raw))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class QuickReader:
    """Reads bodies for one thread; keeps a bounded memo of tag sets between them."""

    def __init__(self) -> None:
        self._tag_sets = Memo(_known_tag_set, len)

    def read(self, body: bytes, latest: int, max_points: int) -> PointBatch | None:
        """Return the batch, or None if it must be read carefully. Raises BodyTooLarge.

        `latest` is the last timestamp accepted, in milliseconds.
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
