"""The reader of `prometheus.WriteRequest` (Remote-Write 1.0, "Protocol").

It parses with protobuf, and a memo has what the labels of a series mean: they are the same in each
body of a client. Exemplars are left out: Prometheus sends them along with the samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from adapters.point_formats.remote_write.descriptions import description, type_of
from adapters.point_formats.remote_write.labels import Identities, Known, size_of
from adapters.point_formats.remote_write.messages import Label, WriteRequest
from adapters.point_formats.remote_write.series import SeriesPoints
from adapters.point_formats.remote_write.wire import pieces
from application.errors import MalformedBody
from application.publishing.ports import BodyTerms, Decoded
from domain.memo import Memo
from domain.metric_description import MetricDescription

_labels_of = attrgetter("labels")


class Version1Reader:
    """Reads bodies, for one thread at a time. Keeps a bounded memo of labels."""

    def __init__(self) -> None:
        identities = Identities()
        self._known: Memo[tuple[bytes, ...], Known] = Memo(
            lambda labels: identities.of(label_pairs(labels)),
            lambda labels, known: sum(map(len, labels)) + 40 * len(labels) + size_of(known),
        )

    def read(self, body: bytes, terms: BodyTerms) -> Decoded:
        """Return the points. Raises MalformedBody, BodyTooLarge."""
        points = SeriesPoints(terms)
        described: dict[str, MetricDescription] = {}
        try:
            for piece in pieces(body, 2 * terms.max_points):
                request = WriteRequest.FromString(piece)
                labels = map(tuple, map(_labels_of, request.timeseries))
                points.add_all([*map(self._known.__getitem__, labels)], request.timeseries)
                described |= descriptions_in(request.metadata)
        except DecodeError as error:
            raise MalformedBody(f"the body is not a prometheus.WriteRequest: {error}") from None
        return points.decoded(described.values())


def descriptions_in(metadata: Iterable[Any]) -> dict[str, MetricDescription]:
    """Return the descriptions in these MetricMetadata messages, by the metrics' names."""
    found = (
        description(
            each.metric_family_name.decode("utf-8", "replace"),
            type_of(each.type),
            each.unit,
            each.help,
        )
        for each in metadata
    )
    return {each.name: each for each in found if each is not None}


def label_pairs(labels: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and values of Label messages. Raises DecodeError."""
    for label in map(Label.FromString, labels):
        yield label.name, label.value
