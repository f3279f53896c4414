"""A histogram of durations that counts several at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString


class Durations(Collector):
    """A histogram in seconds, whose `buckets` end at these. For one thread that counts.

    prometheus_client's own takes two locks for each observation.
    """

    def __init__(
        self, name: str, text: str, buckets: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name = name
        self._text = text
        self._buckets = buckets
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, seconds: float, times: int = 1) -> None:
        """Count a duration so many times."""
        self._counts[bisect_left(self._buckets, seconds)] += times
        self._sum += seconds * times

    def collect(self) -> Iterator[HistogramMetricFamily]:
        names = [*map(floatToGoString, self._buckets), "+Inf"]
        counts = zip(names, accumulate(self._counts), strict=True)
        yield HistogramMetricFamily(self._name, self._text, buckets=[*counts], sum_value=self._sum)
