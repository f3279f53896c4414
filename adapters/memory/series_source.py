"""Labelled series in memory. Skips: keeping samples compact, and an index; every call scans all."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from application.reading.query_budget import QueryBudget
from application.reading.series import Matcher, Owner, SelectedSeries, all_accept

Key = tuple[tuple[str, str], ...]


class MemorySeriesSource:
    """Implements SeriesSource over the samples that were added."""

    def __init__(self) -> None:
        self._series: defaultdict[Owner, dict[Key, dict[int, float]]] = defaultdict(dict)

    def add(
        self, owner: Owner, labels: Mapping[str, str], samples: Iterable[tuple[int, float]]
    ) -> None:
        """Add samples (time in ms, value); at a time that has one, the new value counts."""
        key = tuple(sorted((name, value) for name, value in labels.items() if value))
        self._series[owner].setdefault(key, {}).update(samples)

    def select(
        self,
        owner: Owner,
        matchers: Sequence[Matcher],
        start: int,
        end: int,
        budget: QueryBudget,
    ) -> SelectedSeries:
        found = []
        times, values, ends = array("q"), array("d"), array("q")
        for labels, samples in self._matching(owner, [matchers]):
            own = sorted(samples)
            own = own[bisect_left(own, start) : bisect_right(own, end)]
            if own:
                budget.take_series(1)
                budget.take_samples(len(own))
                found.append(labels)
                times.extend(own)
                values.extend(map(samples.__getitem__, own))
                ends.append(len(times))
        return SelectedSeries(found, memoryview(times), memoryview(values), memoryview(ends))

    def labels(
        self, owner: Owner, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Sequence[Mapping[str, str]]:
        return [
            labels
            for labels, samples in self._matching(owner, selectors or [()])
            if any(start <= time <= end for time in samples)
        ]

    def label_names(
        self, owner: Owner, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Sequence[str]:
        return sorted({name for one in self.labels(owner, selectors, start, end) for name in one})

    def label_values(
        self, owner: Owner, name: str, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Sequence[str]:
        found = self.labels(owner, selectors, start, end)
        return sorted({labels[name] for labels in found if name in labels})

    def _matching(
        self, owner: Owner, selectors: Sequence[Sequence[Matcher]]
    ) -> Iterator[tuple[Mapping[str, str], Mapping[int, float]]]:
        for key, samples in sorted(self._series[owner].items()):
            labels = dict(key)
            if any(all_accept(matchers, labels) for matchers in selectors):
                yield labels, samples
