"""The fastest reader of a WriteRequest: one pass of compiled code over its bytes.

A parser makes an object per label and per sample, which then have to be sorted into columns. The
scanner writes the columns directly, and says where each series has its labels. It gives up on
anything that few clients write, such as a native histogram or a label behind a sample.
"""

from __future__ import annotations

from array import array

import numpy as np
from google.protobuf.message import DecodeError

from adapters.point_formats.remote_write.compiled_scan import Columns, scan
from adapters.point_formats.remote_write.labels import Identity
from adapters.point_formats.remote_write.messages import TimeSeries, WriteRequest
from adapters.point_formats.remote_write.series import HISTOGRAMS, SAMPLES
from adapters.point_formats.remote_write.version_1 import descriptions_in, identity_of_labels
from application.publishing.ports import BodyTerms, Decoded
from domain.columns import coded
from domain.memo import Memo
from domain.metric_description import MetricDescription
from domain.metric_point import PointBatch, TagSet


class _GaveUp(Exception):
    """The scanner leaves a body to the other reader."""


class Scanner:
    """Scans bodies of at most `max_points` samples, for one thread at a time.

    Memory is bounded: 52 bytes of arrays per point of `max_points`, and a memo of labels.
    """

    def __init__(self, max_points: int) -> None:
        self._columns = Columns(
            series=np.zeros(max_points, np.uint32),
            times=np.zeros(max_points, np.int64),
            values=np.zeros(max_points, np.uint64),
            labels=np.zeros(2 * max_points, np.int64),
            metadata=np.zeros(2 * max_points, np.int64),
        )
        self._identities: Memo[bytes, tuple[str, TagSet]] = Memo(
            _identity, lambda raw, found: len(raw) + len(found[0]) + found[1].size()
        )

    def scan(self, body: bytes, terms: BodyTerms) -> Decoded | None:
        """Return the points of a body, all of which are good, or None if it gives up."""
        columns = self._columns
        rows, series, described = scan(np.frombuffer(body, np.uint8), columns)
        times = columns.times[:rows]
        if rows <= 0 or rows > terms.max_points or times.max() > terms.latest:
            return None
        places = columns.labels[: 2 * series].tolist()
        try:
            found = [
                *map(
                    self._identities.__getitem__,
                    [body[a:b] for a, b in zip(places[::2], places[1::2], strict=True)],
                )
            ]
            descriptions = self._descriptions(body, described)
        except (_GaveUp, DecodeError):
            return None
        if rows != series or (columns.series[:rows] != np.arange(rows)).any():
            found = [*map(found.__getitem__, columns.series[:rows].tolist())]
        names, tag_sets = zip(*found, strict=True)
        points = PointBatch(
            coded(names),
            array("q", times.tobytes()),
            array("d", columns.values[:rows].tobytes()),
            coded(tag_sets),
        )
        return Decoded(points, sent={SAMPLES: rows, HISTOGRAMS: 0}, descriptions=descriptions)

    def _descriptions(self, body: bytes, described: int) -> tuple[MetricDescription, ...]:
        """Return the descriptions. Raises DecodeError."""
        if not described:
            return ()
        places = self._columns.metadata[: 2 * described].tolist()
        fields = (body[a:b] for a, b in zip(places[::2], places[1::2], strict=True))
        return tuple(descriptions_in(WriteRequest.FromString(b"".join(fields)).metadata).values())


def _identity(labels: bytes) -> tuple[str, TagSet]:
    """Return the name and tags of a series with these labels. Raises DecodeError."""
    known = identity_of_labels(TimeSeries.FromString(labels).labels)
    if not isinstance(known, Identity):
        raise _GaveUp
    return known.name, known.tags


def main() -> None:
    """Compile ahead of time, into a cache beside the code or in the user's cache directory."""
    Scanner(1).scan(b"", BodyTerms(0, 0, 1))
