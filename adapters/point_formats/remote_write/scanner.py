"""The fastest reader of a WriteRequest: one pass of compiled code over its bytes.

A parser makes an object per label and per sample, which then have to be sorted into columns. The
scanner writes the columns directly, and knows series by the bytes of their labels. It gives up on
anything that few clients write, such as a native histogram or a label behind a sample.
"""

from __future__ import annotations

from array import array

import numpy as np
from google.protobuf.message import DecodeError

from adapters.point_formats.known_series import KnownSeries, OddSeries, coded_column, distinct
from adapters.point_formats.remote_write.compiled_scan import FULL, PROGRAM, Columns
from adapters.point_formats.remote_write.labels import Identity, identity_of
from adapters.point_formats.remote_write.messages import TimeSeries, WriteRequest
from adapters.point_formats.remote_write.series import HISTOGRAMS, SAMPLES
from adapters.point_formats.remote_write.version_1 import descriptions_in, label_pairs
from adapters.point_formats.scanned_texts import PADDING
from application.publishing.ports import BodyTerms, Decoded
from domain.metric_description import MetricDescription
from domain.metric_point import PointBatch, TagSet


class Scanner:
    """Scans bodies of at most `max_points` samples, for one thread at a time. Raises NotCompiled.

    Memory is bounded: 36 bytes of arrays per point of `max_points`, and what `KnownSeries` keeps.
    """

    def __init__(self, max_points: int) -> None:
        self._known = KnownSeries(_series)
        self._columns = Columns(
            series=np.zeros(max_points, np.uint32),
            times=np.zeros(max_points, np.int64),
            values=np.zeros(max_points, np.uint64),
            metadata=np.zeros(2 * max_points, np.int64),
        )
        self._scan = PROGRAM.load()(self._known.arrays, self._columns)

    def scan(self, body: bytes, terms: BodyTerms) -> Decoded | None:
        """Return the points of a body, all of which are good, or None if it gives up."""
        columns, known = self._columns, self._known
        rows, described = self._scanned(body)
        times = columns.times[: max(rows, 0)]
        if rows <= 0 or rows > terms.max_points or times.max() > terms.latest:
            return None
        series = columns.series[:rows]
        try:
            names, name_codes = distinct(known.names_of(series), len(known.names))
            tags, tag_codes = distinct(known.tag_sets_of(series), len(known.tag_sets))
            descriptions = self._descriptions(body, described)
        except (OddSeries, DecodeError):
            return None
        points = PointBatch(
            coded_column([*map(known.names.__getitem__, names)], name_codes),
            array("q", times.tobytes()),
            array("d", columns.values[:rows].tobytes()),
            coded_column([*map(known.tag_sets.__getitem__, tags)], tag_codes),
        )
        return Decoded(points, sent={SAMPLES: rows, HISTOGRAMS: 0}, descriptions=descriptions)

    def _scanned(self, body: bytes) -> tuple[int, int]:
        """Return the numbers of samples and of metadata, after learning new labels."""
        padded = body + PADDING
        rows, described = self._scan(padded, len(body))
        if rows == FULL:
            self._known.forget()
            rows, described = self._scan(padded, len(body))
        self._known.learn()
        return rows, described

    def _descriptions(self, body: bytes, described: int) -> tuple[MetricDescription, ...]:
        """Return the descriptions. Raises DecodeError."""
        if not described:
            return ()
        places = self._columns.metadata[: 2 * described].tolist()
        fields = (body[a:b] for a, b in zip(places[::2], places[1::2], strict=True))
        return tuple(descriptions_in(WriteRequest.FromString(b"".join(fields)).metadata).values())


def _series(labels: bytes) -> tuple[str, TagSet] | None:
    """Return the name and tags of a series with these labels, None if they are not good."""
    try:
        known = identity_of(label_pairs(TimeSeries.FromString(labels).labels))
    except DecodeError:
        return None
    return (known.name, known.tags) if isinstance(known, Identity) else None
