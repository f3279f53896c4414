"""The reader of `io.prometheus.write.v2.Request` (Remote-Write 2.0, "Protobuf Message").

It parses with protobuf, and a memo has what the labels of a series mean: their texts, whatever
their numbers in a body's table are.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from adapters.point_formats.mapping import Unmappable
from adapters.point_formats.remote_write.descriptions import description, family_of, type_of
from adapters.point_formats.remote_write.labels import Identities, Identity, Known, size_of
from adapters.point_formats.remote_write.messages import Metadata, Series, Symbols
from adapters.point_formats.remote_write.series import SeriesPoints
from adapters.point_formats.remote_write.wire import pieces
from application.errors import MalformedBody
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason
from domain.memo import Memo
from domain.metric_description import MetricDescription

SYMBOLS_PER_POINT = 4
"""Symbols of a body per point of its limit; more are refused."""

_references_of, _exemplars_of, _metadata_of = map(
    attrgetter, ("labels_refs", "exemplars", "metadata")
)


class Version2Reader:
    """Reads bodies, for one thread at a time. Keeps a bounded memo of labels."""

    def __init__(self) -> None:
        self._identities = Identities()
        self._known: Memo[tuple[bytes, ...], Known] = Memo(
            self._identity_of,
            lambda labels, known: sum(map(len, labels)) + 40 * len(labels) + size_of(known),
        )

    def read(self, body: bytes, terms: BodyTerms) -> Decoded:
        """Return the points. Raises MalformedBody, BodyTooLarge."""
        points = SeriesPoints(terms)
        described = _Descriptions()
        try:
            parts = [*pieces(body, (1 + SYMBOLS_PER_POINT) * terms.max_points)]
            symbols = [symbol for part in parts for symbol in Symbols.FromString(part).symbols]
            if symbols and symbols[0]:  # "The first element ... MUST be an empty string"
                raise MalformedBody("the first symbol is not empty")
            number = 1
            for part in parts:
                series = Series.FromString(part).timeseries
                known = [self._identity(each, symbols) for each in map(_references_of, series)]
                points.add_all(known, series)
                self._refuse_exemplars(points, number, series)
                described.add(known, series, symbols)
                number += len(series)
        except DecodeError as error:
            raise MalformedBody(
                f"the body is not an io.prometheus.write.v2.Request: {error}"
            ) from None
        return points.decoded(described.found.values())

    def _identity(self, references: Sequence[int], symbols: Sequence[bytes]) -> Known:
        try:
            return self._known[tuple(map(symbols.__getitem__, references))]
        except IndexError:  # "References MUST point to the existing index"
            detail = f"a label is symbol {max(references)}, but the body has {len(symbols)} symbols"
            return Unmappable(Reason.SYNTAX, detail)

    def _identity_of(self, labels: tuple[bytes, ...]) -> Known:
        """Return the identity of a series with these names and values, alternating."""
        if len(labels) % 2:  # "always a multiple of two" (the message's comment)
            return Unmappable(Reason.SYNTAX, "a label has no value")
        return self._identities.of(zip(labels[::2], labels[1::2], strict=True))

    @staticmethod
    def _refuse_exemplars(points: SeriesPoints, first: int, series: Sequence[Any]) -> None:
        """Refuse exemplars, which are not stored.

        "Receivers MUST NOT return a 2xx HTTP status code if any of the pieces of sent data known to
        the Receiver (e.g. Samples, Histograms, Exemplars) were NOT written" ("Response").
        """
        for number, exemplars in enumerate(map(len, map(_exemplars_of, series)), first):
            if exemplars:
                detail = "exemplars are not stored"
                points.refuse(f"series {number}", Reason.UNSUPPORTED, detail, exemplars)


class _Descriptions:
    """Collects the descriptions that come with series; those of a metric's series are alike."""

    def __init__(self) -> None:
        self.found: dict[str, MetricDescription] = {}
        self._seen: set[tuple[str, bytes]] = set()

    def add(self, known: Sequence[Known], series: Sequence[Any], symbols: Sequence[bytes]) -> None:
        """Add the descriptions of series with these identities. Raises DecodeError."""
        for found, content, each in zip(known, map(_metadata_of, series), series, strict=True):
            if content and isinstance(found, Identity):
                key = found.name, content
                if key not in self._seen:
                    self._seen.add(key)
                    self._add(found.name, Metadata.FromString(content), each, symbols)

    def _add(self, name: str, metadata: Any, series: Any, symbols: Sequence[bytes]) -> None:
        kind = type_of(metadata.type)
        family = name if series.histograms else family_of(name, kind)
        if max(metadata.help_ref, metadata.unit_ref) < len(symbols):
            unit, text = symbols[metadata.unit_ref], symbols[metadata.help_ref]
            described = description(family, kind, unit, text)
            if described is not None:
                self.found[described.name] = described
