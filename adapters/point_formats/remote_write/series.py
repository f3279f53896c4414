"""The points of the series of a body (1.0, "Protocol"; 2.0, "Samples and Histogram Samples")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from adapters.point_formats.mapping import Unmappable
from adapters.point_formats.point_columns import PointColumns
from adapters.point_formats.remote_write.histograms import histogram_rows
from adapters.point_formats.remote_write.labels import Known
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason
from domain.metric_description import MetricDescription
from domain.metric_point import timestamp_fault

SAMPLES, HISTOGRAMS = "samples", "histograms"
"""What is counted besides points (2.0, "Required `Written` Response Headers")."""


class SeriesPoints:
    """Collects the points of a body's series, and refuses those that are invalid."""

    def __init__(self, terms: BodyTerms) -> None:
        self._terms = terms
        self._columns = PointColumns(terms)
        self._samples = self._histograms = 0

    def add(self, place: str, known: Known, samples: Iterable[Any], histograms: Any) -> None:
        """Add the points of a series, with its Sample and Histogram messages. Raises BodyTooLarge.

        A sample's value may be any float, and its time is in milliseconds since the epoch.
        """
        if isinstance(known, Unmappable):
            if count := len([*samples]) + len(histograms):
                self._columns.refused.add(place, known.reason, str(known), count)
            return
        for sample in samples:
            self._samples += self._columns.add(
                place, known.name, sample.timestamp, sample.value, known.tags
            )
        for histogram in histograms:
            self._histograms += self._add_histogram(place, known, histogram)

    def _add_histogram(self, place: str, known: Any, histogram: Any) -> bool:
        """Add all the points of a histogram or none."""
        time = histogram.timestamp
        if fault := timestamp_fault(time, self._terms.latest):
            self.refuse(place, Reason.TIME, f"the timestamp {fault}")
            return False
        try:
            rows = histogram_rows(known, histogram)
        except Unmappable as refusal:
            self.refuse(place, refusal.reason, str(refusal))
            return False
        for name, value, tags in rows:
            self._columns.add(place, name, time, value, tags)
        return True

    def refuse(self, place: str, reason: Reason, detail: str, points: int = 1) -> None:
        """Count something that is not stored."""
        self._columns.refused.add(place, reason, detail, points)

    def decoded(self, descriptions: Iterable[MetricDescription]) -> Decoded:
        """Return what was collected."""
        return self._columns.decoded(
            sent={SAMPLES: self._samples, HISTOGRAMS: self._histograms},
            descriptions=tuple(descriptions),
        )
