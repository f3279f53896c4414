"""Entries as earlier releases wrote them, and packing that is always on."""

from __future__ import annotations

from array import array

import msgspec

from adapters.event_format.codes import little_endian
from adapters.event_format.column_writing import PACK_FROM, ColumnWriting
from adapters.event_format.compression import COMPRESS_FROM, Compressor
from domain.columns import code_type, coded
from domain.events import MetricsPublished
from domain.values import all_finite

_compress = Compressor().compress


def always_loaded(pack_from: int = PACK_FROM) -> ColumnWriting:
    """Return what uses compiled code for batches of any size, and packs from this size on."""
    writing = ColumnWriting(pack_from)
    writing.loader.load()
    return writing


def earlier_fields(event: MetricsPublished, version: int | None = None) -> dict[bytes, bytes]:
    """Return the fields of an entry, of the version if given, else of the one that was written."""
    points = event.points
    if version is None:
        version = 1 if all_finite(points.values) else 2
    names, tag_sets = coded(points.names), coded(points.tag_sets)
    payload = msgspec.msgpack.encode(
        (
            list(names.table),
            [dict(tags.pairs) for tags in tag_sets.table],
            little_endian(array(code_type(len(names.table)), names.codes)),
            little_endian(array(code_type(len(tag_sets.table)), tag_sets.codes)),
            little_endian(array("q", points.timestamps)),
            little_endian(array("d", points.values)),
        )
    )
    encoding = b""
    if len(payload) >= COMPRESS_FROM:
        payload, encoding = _compress(payload), b"zstd"
    return {
        b"topic": b"metrics.published.v%d" % version,
        b"organization": event.organization.encode(),
        b"team": (event.team or "").encode(),
        b"token": event.token_id.encode(),
        b"count": b"%d" % len(points),
        b"encoding": encoding,
        b"payload": payload,
    }
