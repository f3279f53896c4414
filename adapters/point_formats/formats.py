"""Every format of points, by its name in the publish routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapters.point_formats.influx import precisions
from adapters.point_formats.influx.format import InfluxFormat, LineReaders
from adapters.point_formats.json.format import JsonFormat
from adapters.point_formats.json_points import JsonPointsFormat
from adapters.point_formats.kairosdb.quick import KairosReader
from adapters.point_formats.kairosdb.readable import read_kairos
from adapters.point_formats.opentsdb.quick import PutReader
from adapters.point_formats.opentsdb.readable import read_put
from adapters.point_formats.otlp.attributes import RESOURCE_ATTRIBUTES, Allowlist
from adapters.point_formats.otlp.json import JsonReader
from adapters.point_formats.otlp.protobuf import ProtobufReader
from adapters.point_formats.reader_format import ReaderFormat
from adapters.point_formats.remote_write.scanning import ScanningReader, scanners
from adapters.point_formats.remote_write.version_2 import Version2Reader
from application.publishing.ports import PointFormat, SharedFormat


def all_formats(
    max_points: int, otlp_resource_attributes: Iterable[str] = RESOURCE_ATTRIBUTES
) -> Mapping[str, PointFormat]:
    """Return the formats; `max_points` is the maximum number of points in a body.

    `otlp_resource_attributes` are the attributes of resources that become tags (see `Allowlist`).
    """
    resource_attributes = Allowlist(otlp_resource_attributes)
    version_1 = scanners(max_points)
    lines = LineReaders(max_points)
    return {
        "json": JsonFormat(max_points),
        "otlp_protobuf": ReaderFormat(lambda: ProtobufReader(resource_attributes)),
        "otlp_json": ReaderFormat(lambda: JsonReader(resource_attributes)),
        "influx_1": InfluxFormat(lines, precisions.VERSION_1),
        "influx_2": InfluxFormat(lines, precisions.VERSION_2),
        "influx_3": InfluxFormat(lines, precisions.VERSION_3),
        "remote_write_1": ReaderFormat(lambda: ScanningReader(version_1)),
        "remote_write_2": ReaderFormat(Version2Reader),
        "opentsdb": JsonPointsFormat(PutReader, read_put),
        "kairosdb": JsonPointsFormat(KairosReader, read_kairos),
    }


def shared_format(formats: Mapping[str, PointFormat]) -> SharedFormat:
    """Return the one of all formats that decodes bodies together, the service's own JSON."""
    found = formats["json"]
    assert isinstance(found, JsonFormat)  # noqa: S101
    return found
