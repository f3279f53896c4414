"""The quick reader of KairosDB's JSON: typed decoding, then whole columns.

It reads bodies of valid points and gives up on all others.
"""

from __future__ import annotations

from array import array

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from adapters.point_formats.json_points import GaveUp, Known
from adapters.point_formats.kairosdb.readable import STRING
from application.publishing.limits import check_count
from application.publishing.ports import BodyTerms
from domain.metric_point import PointBatch, TagSet, timestamp_fault
from domain.values import all_finite


class _Metric(Struct, gc=False):
    name: str
    timestamp: int | UnsetType = UNSET
    value: float | UnsetType = UNSET
    datapoints: list[tuple[int, float]] | UnsetType = UNSET
    tags: Raw = Raw(b"{}")
    type: str = ""


_decode = msgspec.json.Decoder(list[_Metric] | _Metric).decode


class KairosReader:
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
        metrics = decoded if isinstance(decoded, list) else [decoded]
        try:
            return self._batch(metrics, terms)
        except GaveUp:
            return None

    def _batch(self, metrics: list[_Metric], terms: BodyTerms) -> PointBatch:
        names: list[str] = []
        times: list[int] = []
        values = array("d")
        tag_sets: list[TagSet] = []
        known_names, known_tags = self._known.names, self._known.tags
        for metric in metrics:
            if metric.type == STRING:
                raise GaveUp
            name, tags = known_names[metric.name], known_tags[bytes(metric.tags)]
            time, value, datapoints = metric.timestamp, metric.value, metric.datapoints
            count = len(times)
            if time is not UNSET and value is not UNSET:
                times.append(time)
                values.append(value)
            elif time is not UNSET or value is not UNSET or datapoints is UNSET:
                raise GaveUp
            if datapoints is not UNSET:
                times += [time for time, _ in datapoints]
                values.extend([value for _, value in datapoints])
            added = len(times) - count
            check_count(len(times), terms.max_points)
            names += [name] * added
            tag_sets += [tags] * added
        if times and (timestamp_fault(min(times), terms.latest) or max(times) > terms.latest):
            raise GaveUp
        if not all_finite(values):
            raise GaveUp
        return PointBatch(names, times, values, tag_sets)
