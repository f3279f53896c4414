"""The reader of `io.prometheus.write.v2.Request` (Remote-Write 2.0, "Protobuf Message").

It parses with protobuf, and a memo has what the labels of a series mean: their texts, whatever
their numbers in a body's table are.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from google.protobuf.message import DecodeError

from adapters.point_formats.mapping import Unmappable
from adapters.point_formats.remote_write.descriptions import description, family_of, type_of
from adapters.point_formats.remote_write.labels import Identity, Known, identity_of, size_of
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


class Version2Reader:
    """Reads bodies, for one thread at a time. Keeps a bounded memo of labels."""

    def __init__(self) -> None:
        self._known: Memo[tuple[bytes, ...], Known] = Memo(
            _identity,
            lambda labels, known: sum(map(len, labels)) + 40 * len(labels) + size_of(known),
        )

    def read(self, body: bytes, terms: BodyTerms) -> Decoded:
        """Return the points. Raises MalformedBody, BodyTooLarge."""
        points = SeriesPoints(terms)
        described = _Descriptions()
        numbers = count(1)
        try:
            parts = [*pieces(body, (1 + SYMBOLS_PER_POINT) * terms.max_points)]
            symbols = [symbol for part in parts for symbol in Symbols.FromString(part).symbols]
            if symbols and symbols[0]:  # "The first element ... MUST be an empty string"
                raise MalformedBody("the first symbol is not empty")
            text_of = symbols.__getitem__
            for part in parts:
                for series in Series.FromString(part).timeseries:
                    place = f"series {next(numbers)}"
                    try:
                        known = self._known[tuple(map(text_of, series.labels_refs))]
                    except IndexError:  # "References MUST point to the existing index"
                        known = _out_of_range(series.labels_refs, len(symbols))
                    points.add(place, known, series.samples, series.histograms)
                    if exemplars := len(series.exemplars):
                        # "MUST NOT return a 2xx HTTP status code if any of the pieces of sent data
                        # known to the Receiver (e.g. Samples, Histograms, Exemplars) were NOT
                        # written" ("Response")
                        detail = "exemplars are not stored"
                        points.refuse(place, Reason.UNSUPPORTED, detail, exemplars)
                    if isinstance(known, Identity):
                        described.add(known.name, series, symbols)
        except DecodeError as error:
            raise MalformedBody(
                f"the body is not an io.prometheus.write.v2.Request: {error}"
            ) from None
        return points.decoded(described.found.values())


class _Descriptions:
    """Collects the descriptions that come with series; those of a metric's series are alike."""

    def __init__(self) -> None:
        self.found: dict[str, MetricDescription] = {}
        self._seen: set[tuple[str, bytes]] = set()

    def add(self, name: str, series: Any, symbols: Sequence[bytes]) -> None:
        """Add the description of a series with this name, if it has one. Raises DecodeError."""
        content = b"".join(series.metadata)
        key = name, content
        if not content or key in self._seen:
            return
        self._seen.add(key)
        metadata = Metadata.FromString(content)
        kind = type_of(metadata.type)
        family = name if series.histograms else family_of(name, kind)
        if max(metadata.help_ref, metadata.unit_ref) < len(symbols):
            unit, text = symbols[metadata.unit_ref], symbols[metadata.help_ref]
            described = description(family, kind, unit, text)
            if described is not None:
                self.found[described.name] = described


def _identity(labels: tuple[bytes, ...]) -> Known:
    """Return the identity of a series with these names and values, alternating."""
    if len(labels) % 2:  # "always a multiple of two" (the message's comment)
        return Unmappable(Reason.SYNTAX, "a label has no value")
    return identity_of(zip(labels[::2], labels[1::2], strict=True))


def _out_of_range(references: Sequence[int], symbols: int) -> Unmappable:
    return Unmappable(
        Reason.SYNTAX, f"a label is symbol {max(references)}, but the body has {symbols} symbols"
    )
