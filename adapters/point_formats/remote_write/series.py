"""The points of the series of a body (1.0, "Protocol"; 2.0, "Samples and Histogram Samples")."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from operator import attrgetter
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

_samples_of, _histograms_of = map(attrgetter, (SAMPLES, HISTOGRAMS))
_timestamp_of, _value_of = map(attrgetter, ("timestamp", "value"))
_name_of, _tags_of = map(attrgetter, ("name", "tags"))


def _is_refused(known: Known) -> bool:
    return isinstance(known, Unmappable)


class SeriesPoints:
    """Collects the points of a body's series, and refuses those that are invalid."""

    def __init__(self, terms: BodyTerms) -> None:
        self._terms = terms
        self._columns = PointColumns(terms)
        self._series = self._samples = self._histograms = 0

    def add_all(self, known: Sequence[Known], series: Sequence[Any]) -> None:
        """Add the points of TimeSeries messages, whose identities are `known`. Raises BodyTooLarge.

        A sample's value may be any float, and its time is in milliseconds since the epoch.
        """
        first = self._series + 1
        self._series += len(series)
        if not self._added_by_column(known, series):
            for number, (found, each) in enumerate(zip(known, series, strict=True), first):
                self._add(f"series {number}", found, each.samples, each.histograms)

    def _added_by_column(self, known: Sequence[Known], series: Sequence[Any]) -> bool:
        """Add the points if all are samples and good, which takes a third of the time."""
        if any(map(_is_refused, known)) or any(map(len, map(_histograms_of, series))):
            return False
        samples = [*map(_samples_of, series)]
        flat = [*chain.from_iterable(samples)]
        if len(flat) != len(series) or not all(samples):
            known = [*chain.from_iterable(map(repeat, known, map(len, samples)))]
        names, tag_sets = map(_name_of, known), map(_tags_of, known)
        times = [*map(_timestamp_of, flat)]
        added = self._columns.add_all(names, times, map(_value_of, flat), tag_sets)
        if added:
            self._samples += len(flat)
        return added

    def _add(self, place: str, known: Known, samples: Any, histograms: Any) -> None:
        if isinstance(known, Unmappable):
            if count := len(samples) + len(histograms):
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
        self._columns.descriptions.update((each.name, each) for each in descriptions)
        return self._columns.decoded(sent={SAMPLES: self._samples, HISTOGRAMS: self._histograms})
