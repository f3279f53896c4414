"""Series of the projection are those of a slow, readable source."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ducklake.query.read_model import DuckLakeReadModel
from adapters.memory.series_source import MemorySeriesSource
from application.event_log.ports import RecordedMetrics
from application.event_log.receipts import Receipt
from application.projections.ports import Role
from application.reading.query_budget import QueryBudget, QueryLimits
from application.reading.series import Matcher, MatchOperator, Owner, Series, SeriesSource
from domain.values import STALE
from tests.contracts.metric_log import Point, published
from tests.contracts.series_source import Published, SeriesSourceContract
from tests.ducklake.lake import Lake, open_lake

numbers = itertools.count(1)
TIMES = st.integers(0, 20)
LABELS = st.dictionaries(st.sampled_from(["host", "env"]), st.sampled_from(["a", "b", "1"]))
POINTS = st.tuples(
    st.sampled_from(["m", "n", "mm"]),
    TIMES,
    st.sampled_from([0.0, 1.5, math.nan, math.inf, STALE]),
    LABELS,
)
PATTERNS = st.sampled_from(["a", "", "a|b", ".*", ".+", "m.*", "[ab]?", "1"])


def matcher(name: str, operator: MatchOperator, value: str) -> Matcher:
    accepts = {
        MatchOperator.EQUAL: lambda text: text == value,
        MatchOperator.NOT_EQUAL: lambda text: text != value,
        MatchOperator.MATCHES: lambda text: re.fullmatch(value, text) is not None,
        MatchOperator.DOES_NOT_MATCH: lambda text: re.fullmatch(value, text) is None,
    }[operator]
    return Matcher(name, operator, value, accepts)


MATCHERS = st.builds(
    matcher, st.sampled_from(["__name__", "host", "env"]), st.sampled_from(MatchOperator), PATTERNS
)


class Sources:
    """A read model on a store, and the series in memory, with the same points."""

    def __init__(self, lake: Lake, model: DuckLakeReadModel, live: Any) -> None:
        self.model = model
        self._lake = lake
        self._live = live

    def add(self, organization: str, batches: Sequence[Sequence[Point]]) -> MemorySeriesSource:
        """Add batches, each in a commit of its own."""
        slow = MemorySeriesSource()
        for batch in batches:
            event = published(organization, None, list(batch))
            recorded = RecordedMetrics(Receipt.at(3, next(numbers)), event, b"digest")
            self._lake.commit(self._live, [recorded])
            for name, time, value, tags in batch:
                labels = {"__name__": name, **tags}
                slow.add(Owner(organization), labels, [(time, value)])
        return slow


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    with ExitStack() as opened:
        lake = opened.enter_context(open_lake(tmp_path_factory.mktemp("series")))
        live = lake.create(Role.LIVE)
        model = DuckLakeReadModel(lake.location)
        opened.callback(model.close)
        yield Sources(lake, model, live)


class TestDuckLakeSeries(SeriesSourceContract):
    @pytest.fixture(autouse=True)
    def on_a_lake(self, tmp_path: Path) -> None:
        self.root = tmp_path

    @contextmanager
    def open_source(self, published_series: Published) -> Iterator[SeriesSource]:
        with open_lake(self.root) as lake:
            live = lake.create(Role.LIVE)
            for number, (owner, labels, samples) in enumerate(published_series, 1):
                name, tags = labels["__name__"], {n: v for n, v in labels.items() if n[:2] != "__"}
                points: list[Point] = [(name, time, value, tags) for time, value in samples]
                event = published(owner.organization, owner.team, points)
                lake.commit(live, [RecordedMetrics(Receipt.at(3, number), event, b"digest")])
            model = DuckLakeReadModel(lake.location)
            try:
                yield model.series
            finally:
                model.close()


def plain(found: Iterable[Series]) -> list[Any]:
    return [
        (sorted(each.labels.items()), each.times.tolist(), bytes(each.values.tobytes()))
        for each in found
    ]


def budget() -> QueryBudget:
    return QueryBudget(QueryLimits())


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.lists(POINTS, min_size=1, max_size=8), min_size=1, max_size=4),
    st.lists(MATCHERS, max_size=3),
    TIMES,
    TIMES,
)
def test_series_are_those_of_a_readable_source(
    sources: Sources,
    batches: list[list[Point]],
    matchers: list[Matcher],
    start: int,
    end: int,
) -> None:
    owner = Owner(f"org{next(numbers)}")
    slow = sources.add(owner.organization, batches)
    fast = sources.model.series
    selected = fast.select(owner, matchers, start, end, budget())
    expected = slow.select(owner, matchers, start, end, budget())
    assert sorted(plain(selected)) == sorted(plain(expected))
    whole = 0, 20
    assert fast.label_names(owner, [matchers], *whole) == slow.label_names(
        owner, [matchers], *whole
    )
    for name in ("__name__", "host", "none"):
        assert fast.label_values(owner, name, [], *whole) == slow.label_values(
            owner, name, [], *whole
        )

    def as_pairs(found: Sequence[Any]) -> list[Any]:
        return sorted(sorted(labels.items()) for labels in found)

    assert as_pairs(fast.labels(owner, [matchers], *whole)) == as_pairs(
        slow.labels(owner, [matchers], *whole)
    )


def test_files_with_too_many_points_to_cache_are_read_in_the_range(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Owner("large")
    batch: list[Point] = [("m", time, float(time), {"host": "a"}) for time in range(50)]
    slow = sources.add("large", [batch])
    monkeypatch.setattr(sources.model._cache, "_max_points", 10)
    selected = sources.model.series.select(owner, [], 5, 9, budget())
    assert plain(selected) == plain(slow.select(owner, [], 5, 9, budget()))


def test_of_points_of_a_series_at_one_time_the_last_accepted_counts(sources: Sources) -> None:
    owner = Owner("twice")
    first: list[Point] = [("m", 5, 1.0, {}), ("m", 5, 2.0, {})]
    sources.add("twice", [first, [("m", 5, 3.0, {})], [("n", 5, 1.0, {}), ("n", 5, 0.5, {})]])
    found = sources.model.series.select(owner, [], 0, 9, budget())
    assert [(each.labels["__name__"], each.values.tolist()) for each in found] == [
        ("m", [3.0]),
        ("n", [0.5]),
    ]
