"""The contract of SeriesSource, for every adapter."""

from __future__ import annotations

import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

import pytest

from application.reading.promql_errors import ExecutionFailed
from application.reading.query_budget import QueryBudget, QueryLimits
from application.reading.series import Matcher, MatchOperator, Owner, Series, SeriesSource

GILT = Owner("gilt")
WEB = Owner("gilt", "web")
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]

Samples = Sequence[tuple[int, float]]
Published = Sequence[tuple[Owner, Mapping[str, str], Samples]]
"""Series in the order they were accepted: owner, labels with the name, times (ms) and values."""

HOSTS: Published = [
    (GILT, {"__name__": "load", "host": "a"}, [(1000, 1.0), (2000, 2.0), (3000, 3.0)]),
    (GILT, {"__name__": "load", "host": "b"}, [(2000, 20.0)]),
    (GILT, {"__name__": "free", "disk": "sda", "host": "a"}, [(1000, 5.0)]),
    (WEB, {"__name__": "load", "host": "team"}, [(1000, 9.0)]),
]


def budget(**limits: int) -> QueryBudget:
    return QueryBudget(QueryLimits(**limits))


def equal(name: str, value: str) -> Matcher:
    return Matcher(name, MatchOperator.EQUAL, value, value.__eq__)


def unequal(name: str, value: str) -> Matcher:
    return Matcher(name, MatchOperator.NOT_EQUAL, value, value.__ne__)


def matches(name: str, value: str) -> Matcher:
    pattern = re.compile(value)
    return Matcher(
        name, MatchOperator.MATCHES, value, lambda text: pattern.fullmatch(text) is not None
    )


def read(series: Iterable[Series]) -> dict[tuple[tuple[str, str], ...], list[tuple[int, float]]]:
    return {
        tuple(one.labels.items()): list(zip(one.times.tolist(), one.values.tolist(), strict=True))
        for one in series
    }


class SeriesSourceContract(ABC):
    """Subclass it as `Test…` and implement how one is opened."""

    @abstractmethod
    def open_source(self, published: Published) -> AbstractContextManager[SeriesSource]:
        """Open a source of these series, and close it at the end."""

    def test_series_have_sorted_labels_and_the_samples_of_the_range(self) -> None:
        with self.open_source(HOSTS) as source:
            found = source.select(GILT, [equal("__name__", "load")], 2000, 3000, budget())
        assert read(found) == {
            (("__name__", "load"), ("host", "a")): [(2000, 2.0), (3000, 3.0)],
            (("__name__", "load"), ("host", "b")): [(2000, 20.0)],
        }
        for one in found:
            assert (one.times.itemsize, one.values.format) == (8, "d")

    def test_all_matchers_have_to_accept_and_missing_labels_are_empty(self) -> None:
        with self.open_source(HOSTS) as source:

            def hosts(*matchers: Matcher) -> list[str]:
                found = source.select(GILT, matchers, 0, 9000, budget())
                return [one.labels["__name__"] + one.labels["host"] for one in found]

            assert sorted(hosts(matches("host", "a|b"), unequal("host", "b"))) == ["freea", "loada"]
            assert hosts(equal("disk", "sda")) == ["freea"]
            assert sorted(hosts(equal("disk", ""))) == ["loada", "loadb"]
            assert sorted(hosts(unequal("disk", "sda"))) == ["loada", "loadb"]
            assert hosts(equal("host", "c")) == []

    def test_each_owner_has_its_own(self) -> None:
        with self.open_source(HOSTS) as source:
            found = source.select(WEB, [equal("__name__", "load")], 0, 9000, budget())
            assert [one.labels["host"] for one in found] == ["team"]
            assert list(source.select(Owner("other"), [matches("a", "")], 0, 9, budget())) == []

    def test_of_samples_at_one_time_the_last_accepted_counts(self) -> None:
        labels = {"__name__": "load", "host": "a"}
        published = [(GILT, labels, [(2000, 1.0), (1000, 2.0)]), (GILT, labels, [(2000, 3.0)])]
        with self.open_source(published) as source:
            found = source.select(GILT, [equal("host", "a")], 0, 9000, budget())
        assert list(read(found).values()) == [[(1000, 2.0), (2000, 3.0)]]

    def test_stale_markers_keep_their_bits(self) -> None:
        published = [(GILT, {"__name__": "load"}, [(1000, STALE)])]
        with self.open_source(published) as source:
            (found,) = source.select(GILT, [equal("__name__", "load")], 0, 9000, budget())
        assert found.values.tobytes() == struct.pack("<Q", 0x7FF0000000000002)

    def test_series_and_samples_are_taken_from_the_budget(self) -> None:
        with self.open_source(HOSTS) as source:
            matchers = [equal("__name__", "load")]
            source.select(GILT, matchers, 0, 9000, budget(series=2, samples=4))
            with pytest.raises(ExecutionFailed, match="too many series"):
                source.select(GILT, matchers, 0, 9000, budget(series=1))
            with pytest.raises(ExecutionFailed, match="too many samples"):
                source.select(GILT, matchers, 0, 9000, budget(samples=3))

    def test_labels_can_be_listed_without_samples(self) -> None:
        with self.open_source(HOSTS) as source:
            load, free = [equal("__name__", "load")], [equal("__name__", "free")]
            assert len(source.labels(GILT, [], 0, 9000)) == 3
            assert len(source.labels(GILT, [load, free, free], 0, 9000)) == 3
            assert source.labels(GILT, [free], 0, 9000) == [
                {"__name__": "free", "disk": "sda", "host": "a"}
            ]
            assert source.label_names(GILT, [], 0, 9000) == ["__name__", "disk", "host"]
            assert source.label_names(GILT, [load], 0, 9000) == ["__name__", "host"]
            assert source.label_values(GILT, "host", [], 0, 9000) == ["a", "b"]
            assert source.label_values(GILT, "host", [free], 0, 9000) == ["a"]
            assert source.label_values(GILT, "missing", [], 0, 9000) == []
