"""The port through which labelled series are read, for PromQL and the queries around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Protocol

from msgspec import Struct

from application.reading.query_budget import QueryBudget

NAME = "__name__"
"""The label that holds a metric's name."""


class Owner(Struct, frozen=True):
    """Whose series are read: those of a team, or with `team` None those of the organization."""

    organization: str
    team: str | None = None


class MatchOperator(Enum):
    """How a matcher compares a label's value; a regular expression matches the whole value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    DOES_NOT_MATCH = "!~"


class Matcher(Struct, frozen=True):
    """A condition on one label; a label that is missing has the empty value.

    `accepts` decides for any value. `operator` and `value` say the same as data, for an index.
    """

    name: str
    operator: MatchOperator
    value: str
    accepts: Callable[[str], bool]


def all_accept(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Return whether a series with these labels matches."""
    return all(matcher.accepts(labels.get(matcher.name, "")) for matcher in matchers)


class Series(Struct, frozen=True):
    """A series' samples in a range of time.

    `labels` are sorted by name, include `__name__`, and have no empty values. `times` (int64, ms
    since the epoch, strictly ascending) and `values` (float64) are one-dimensional and of equal
    length. Of points at one time there is the one accepted last. Stale markers are values like
    others, and keep their bits.
    """

    labels: Mapping[str, str]
    times: memoryview
    values: memoryview


class SelectedSeries(Struct, frozen=True):
    """Series with their samples one after the other: those of series i end before `ends[i]`.

    `labels` has each series' labels, `times` and `values` are as in Series, `ends` is int64.
    """

    labels: Sequence[Mapping[str, str]]
    times: memoryview
    values: memoryview
    ends: memoryview

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Series]:
        """Yield one series after the other."""
        start = 0
        for labels, end in zip(self.labels, self.ends.tolist(), strict=True):
            yield Series(labels, self.times[start:end], self.values[start:end])
            start = end


class SeriesSource(Protocol):
    """Reads labelled series. Thread-safe; calls block.

    Times are in ms since the epoch, and both ends belong to the range. Every method raises
    ProjectionMissing if there is nothing to read yet, StoreUnavailable, and what the budget raises.
    """

    def select(
        self,
        owner: Owner,
        matchers: Sequence[Matcher],
        start: int,
        end: int,
        budget: QueryBudget,
    ) -> SelectedSeries:
        """Return the series that satisfy all matchers and have samples in the range.

        Before it copies them, an implementation takes the series and samples from the budget. The
        order of the series depends on their labels only.
        """

    def labels(
        self, owner: Owner, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Sequence[Mapping[str, str]]:
        """Return the labels of the series that satisfy all matchers of any selector, each once.

        Without selectors, return those of all series. An implementation may ignore the range, or
        round it outwards.
        """

    def label_names(
        self, owner: Owner, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Sequence[str]:
        """Return the names of those series' labels, sorted."""

    def label_values(
        self, owner: Owner, name: str, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Sequence[str]:
        """Return the values that a label has in those series, sorted."""
