"""A second reader of both versions, slow and close to the specifications' messages.

It shares the meaning of labels and of histograms with the service, but no way to read bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from adapters.point_formats.mapping import Unmappable
from adapters.point_formats.remote_write.histograms import histogram_rows
from adapters.point_formats.remote_write.labels import Known, identity_of
from adapters.point_formats.remote_write.messages import WriteRequest
from application.publishing.ports import Decoded
from application.publishing.refusals import Reason
from domain.metric_description import MetricDescription, MetricType, description_of
from tests.point_formats.remote_write.wire import (
    FIXED64,
    LENGTH,
    VARINT,
    Malformed,
    fields,
    text,
    varints,
)

LATEST = 2_000_000_000_000

Row = tuple[str, int, bytes, tuple[tuple[str, str], ...]]
"""A point's name, time, the bits of its value, and its tags."""

Refused = tuple[str, Reason, int]
"""Where something was refused, why, and how many points."""

_TYPES = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info")
_TYPE_OF = dict(enumerate([*_TYPES, "stateset"]))
_SUFFIXES = {
    "histogram": ("_bucket", "_count", "_sum"),
    "gaugehistogram": ("_bucket", "_gcount", "_gsum"),
    "summary": ("_count", "_sum"),
}


class Reading:
    """The verdict on a body. `sent` is the numbers of samples and histograms stored.

    `latest` is the latest time that is accepted, in milliseconds since the epoch.
    """

    def __init__(self, latest: int = LATEST) -> None:
        self.latest = latest
        self.rows: list[Row] = []
        self.refused: list[Refused] = []
        self.sent = {"samples": 0, "histograms": 0}
        self.descriptions: dict[str, MetricDescription] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reading) and self._parts() == other._parts()

    def _parts(self) -> dict[str, object]:
        """Return the parts; in which order points were refused is nobody's concern."""
        return {**vars(self), "refused": sorted(self.refused)}

    def __repr__(self) -> str:
        return repr(vars(self))

    __hash__ = None  # type: ignore[assignment]

    def describe(self, name: str, kind: int, unit: bytes, help_text: bytes) -> None:
        known = _TYPE_OF.get(kind, "unknown")
        if known == "unknown" and not unit and not help_text:
            return
        mapped = identity_of([(b"__name__", name.encode())])
        if isinstance(mapped, Unmappable):
            return
        unit_text, text_ = (each.decode("utf-8", "replace") for each in (unit, help_text))
        found = description_of(mapped.name, MetricType(known), unit_text, text_)
        assert found is not None
        self.descriptions[found.name] = found

    def add(self, number: int, known: Known, samples: list[bytes], histograms: list[bytes]) -> None:
        place = f"series {number}"
        messages = [*map(sample, samples)]
        parsed = [*map(histogram, histograms)]
        if isinstance(known, Unmappable):
            if messages or parsed:
                self.refused.append((place, known.reason, len(messages) + len(parsed)))
            return
        for time, value in messages:
            if 0 <= time <= self.latest:
                self.rows.append((known.name, time, value, known.tags.pairs))
                self.sent["samples"] += 1
            else:
                self.refused.append((place, Reason.TIME, 1))
        for each in parsed:
            if not 0 <= each.timestamp <= self.latest:
                self.refused.append((place, Reason.TIME, 1))
                continue
            try:
                rows = histogram_rows(known, each)
            except Unmappable as refusal:
                self.refused.append((place, refusal.reason, 1))
                continue
            for name, number_value, tags in rows:
                bits = struct.pack("<d", number_value)
                self.rows.append((name, each.timestamp, bits, tags.pairs))
            self.sent["histograms"] += 1


def read_version_1(body: bytes, latest: int = LATEST) -> Reading:
    """Read a prometheus.WriteRequest. Raises Malformed."""
    found = Reading(latest)
    descriptions = []
    number = 0
    for field, wire_type, content in fields(body):
        if field == 1 and wire_type == LENGTH:
            number += 1
            series = fields(as_bytes(content))
            known = identity_of([*map(label, repeated(series, 1))])
            found.add(number, known, repeated(series, 2), repeated(series, 4))
        elif field == 3 and wire_type == LENGTH:
            descriptions.append(fields(as_bytes(content)))
    for described in descriptions:
        name = last_bytes(described, 2).decode("utf-8", "replace")
        kind = signed(last_varint(described, 1), 32)
        found.describe(name, kind, last_bytes(described, 5), last_bytes(described, 4))
    return found


def read_version_2(body: bytes, latest: int = LATEST) -> Reading:
    """Read an io.prometheus.write.v2.Request. Raises Malformed."""
    found = Reading(latest)
    request = fields(body)
    symbols = repeated(request, 4)
    if symbols and symbols[0]:
        raise Malformed
    for number, content in enumerate(repeated(request, 5), 1):
        series = fields(content)
        references = [*unsigned_list(series, 1)]
        known = _identity(references, symbols)
        histograms = repeated(series, 3)
        found.add(number, known, repeated(series, 2), histograms)
        if exemplars := len(repeated(series, 4)):
            found.refused.append((f"series {number}", Reason.UNSUPPORTED, exemplars))
        content = last_bytes(series, 5)
        if isinstance(known, Unmappable) or not content:
            continue
        metadata = fields(content)
        kind = signed(last_varint(metadata, 1), 32)
        unit, text_ = (last_varint(metadata, field) & 0xFFFFFFFF for field in (4, 3))
        if max(unit, text_) < len(symbols):
            family = known.name
            for suffix in () if histograms else _SUFFIXES.get(_TYPE_OF.get(kind, ""), ()):
                if family.endswith(suffix) and family != suffix:
                    family = family[: -len(suffix)]
                    break
            found.describe(family, kind, symbols[unit], symbols[text_])
    return found


def _identity(references: list[int], symbols: list[bytes]) -> Known:
    if any(reference >= len(symbols) for reference in references):
        return Unmappable(Reason.SYNTAX, "out of range")
    if len(references) % 2:
        return Unmappable(Reason.SYNTAX, "odd")
    texts = [symbols[reference] for reference in references]
    return identity_of([*zip(texts[::2], texts[1::2], strict=True)])


def label(content: bytes) -> tuple[bytes, bytes]:
    found = fields(content)
    return last_bytes(found, 1), last_bytes(found, 2)


def sample(content: bytes) -> tuple[int, bytes]:
    """Return a sample's time, and the bits of its value."""
    found = fields(content)
    value = bytes(8)
    for field, wire_type, each in found:
        if field == 1 and wire_type == FIXED64:
            value = as_bytes(each)
    return signed(last_varint(found, 2), 64), value


def histogram(content: bytes) -> Any:
    """Return the service's message of a histogram, whose own parts are not read here."""
    fields(content)
    series = text(1, text(4, content))
    try:
        return WriteRequest.FromString(series).timeseries[0].histograms[0]
    except Exception as error:
        raise Malformed from error


def repeated(found: list[tuple[int, int, int | bytes]], number: int) -> list[bytes]:
    return [as_bytes(v) for field, kind, v in found if field == number and kind == LENGTH]


def last_bytes(found: list[tuple[int, int, int | bytes]], number: int) -> bytes:
    return [b"", *repeated(found, number)][-1]


def last_varint(found: list[tuple[int, int, int | bytes]], number: int) -> int:
    values = [v for field, kind, v in found if field == number and kind == VARINT]
    return as_int(values[-1]) if values else 0


def unsigned_list(found: list[tuple[int, int, int | bytes]], number: int) -> Iterator[int]:
    """Yield the numbers of a repeated field, packed or not (Encoding, "Packed Repeated Fields")."""
    for field, kind, value in found:
        if field == number and kind == VARINT:
            yield as_int(value) & 0xFFFFFFFF
        elif field == number and kind == LENGTH:
            yield from (each & 0xFFFFFFFF for each in varints(as_bytes(value)))


def signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


def as_bytes(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


def as_int(value: int | bytes) -> int:
    assert isinstance(value, int)
    return value


def reading_of(decoded: Decoded) -> Reading:
    """Return what the service read, in the terms of this reader."""
    found = Reading()
    points = decoded.points
    for name, time, value, tags in zip(
        points.names, points.timestamps, points.values, points.tag_sets, strict=True
    ):
        found.rows.append((name, time, struct.pack("<d", value), tags.pairs))
    if decoded.refused:
        found.refused = [(each.place, each.reason, each.points) for each in decoded.refused.first]
    found.sent = dict(decoded.sent)
    found.descriptions = {each.name: each for each in decoded.descriptions}
    return found
