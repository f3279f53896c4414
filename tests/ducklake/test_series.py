"""Series of the projection are those of a slow, readable source."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ducklake.query import queries
from adapters.ducklake.query.metric_columns import MetricColumns
from adapters.ducklake.query.read_model import DuckLakeReadModel
from adapters.ducklake.query.series_columns import SeriesColumns
from adapters.ducklake.query.series_index import SeriesIndex
from adapters.ducklake.store import upkeep
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


@settings(max_examples=15)
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


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Sources]:
    """A read model on a store without points."""
    with open_lake(tmp_path) as lake, closing(DuckLakeReadModel(lake.location)) as model:
        yield Sources(lake, model, lake.create(Role.LIVE))


class Reads:
    """The files that were listed, and those whose points were read, since the last question."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._listed: list[str] = []
        self._read: list[str] = []
        series, columns = queries.series, queries.columns

        def listing(files: Sequence[str], *more: Any) -> queries.Query:
            self._listed += files
            return series(files, *more)

        def reading(files: Sequence[str], *more: Any) -> queries.Query:
            self._read += files
            return columns(files, *more)

        monkeypatch.setattr(queries, "series", listing)
        monkeypatch.setattr(queries, "columns", reading)

    def taken(self) -> tuple[int, int]:
        """Return how many files were listed, and of how many points were read."""
        found = len(self._listed), len(self._read)
        self._listed.clear()
        self._read.clear()
        return found


def test_looking_up_series_reads_no_points_and_each_file_once(
    fresh: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Owner("gilt")
    batch: list[Point] = [("m", number, 1.0, {"host": f"h{number}"}) for number in range(300)]
    fresh.add(owner.organization, [batch[:100], batch[100:]])
    fast, reads = fresh.model.series, Reads(monkeypatch)
    one = [
        matcher("__name__", MatchOperator.EQUAL, "m"),
        matcher("host", MatchOperator.EQUAL, "h7"),
    ]
    whole = 0, 299

    def look_up() -> None:
        assert len(fast.label_values(owner, "host", [], *whole)) >= 300
        assert fast.label_names(owner, [one], *whole) == ["__name__", "host"]
        assert [dict(each) for each in fast.labels(owner, [one], *whole)] == [
            {"__name__": "m", "host": "h7"}
        ]

    look_up()
    assert reads.taken() == (2, 0)
    look_up()
    assert reads.taken() == (0, 0)
    fresh.add(owner.organization, [[("m", 5, 1.0, {"host": "new"})]])
    look_up()
    assert reads.taken() == (1, 0)


def test_a_selector_with_a_name_lists_no_series_and_reads_each_file_once(
    fresh: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Owner("gilt")
    slow = fresh.add(owner.organization, [[("m", 1, 1.0, {"host": "a"})]])
    fast, reads = fresh.model.series, Reads(monkeypatch)
    name = [matcher("__name__", MatchOperator.EQUAL, "m")]
    expected = plain(slow.select(owner, name, 0, 20, budget()))
    assert plain(fast.select(owner, name, 0, 20, budget())) == expected
    assert reads.taken() == (0, 1)
    assert plain(fast.select(owner, name, 0, 20, budget())) == expected
    assert reads.taken() == (0, 0)
    fresh.add(owner.organization, [[("m", 2, 1.0, {"host": "b"})]])
    assert len(fast.select(owner, name, 0, 20, budget())) == 2
    assert reads.taken() == (0, 1)


def test_series_that_do_not_match_are_not_counted(sources: Sources) -> None:
    owner = Owner(f"org{next(numbers)}")
    batch: list[Point] = [("m", number, 1.0, {"host": f"h{number}"}) for number in range(50)]
    sources.add(owner.organization, [batch])
    one = [matcher("host", MatchOperator.EQUAL, "h7")]
    small = QueryBudget(QueryLimits(series=1, samples=1))
    assert len(sources.model.series.select(owner, one, 0, 99, small)) == 1


@pytest.mark.parametrize("second", [range(100, 200), range(50, 150), range(99, 199), range(100)])
def test_long_series_of_several_files_are_joined_in_time(sources: Sources, second: range) -> None:
    """Whether their files follow one another, overlap by some points, or have the same times."""
    owner = Owner(f"org{next(numbers)}")
    batches: list[list[Point]] = [
        [("m", time, value + time, {"host": host}) for time in times for host in "ab"]
        for value, times in ((0.25, range(100)), (0.5, second))
    ]
    slow = sources.add(owner.organization, batches)
    for start, end in ((0, 300), (20, 120), (99, 100)):
        selected = sources.model.series.select(owner, [], start, end, budget())
        assert sorted(plain(selected)) == sorted(
            plain(slow.select(owner, [], start, end, budget()))
        )


def test_the_series_wanted_of_files_with_too_many_points_are_read_alone(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Owner(f"org{next(numbers)}")
    batch: list[Point] = [
        ("m", time, STALE if time % 7 == 3 else float(time), {"host": host})
        for time in range(50)
        for host in ("a", "b", "ab")
    ]
    slow = sources.add(owner.organization, [batch])
    monkeypatch.setattr(sources.model._cache, "_max_points", 10)
    for wanted in ("a", "b", "c"):
        one = [matcher("host", MatchOperator.EQUAL, wanted)]
        selected = sources.model.series.select(owner, one, 5, 30, budget())
        assert plain(selected) == plain(slow.select(owner, one, 5, 30, budget()))


def test_the_index_follows_when_files_are_merged(
    fresh: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "MERGE_FROM", 4)
    monkeypatch.setattr(upkeep, "MERGE_EVERY", 0.0)
    owner, slow, fast = Owner("gilt"), MemorySeriesSource(), fresh.model.series
    for turn in range(12):
        labels = {"host": f"h{turn % 5}"}
        fresh.add("gilt", [[("m", turn, float(turn), labels)]])
        slow.add(owner, {"__name__": "m", **labels}, [(turn, float(turn))])
        selected = fast.select(owner, [], 0, 99, budget())
        assert sorted(plain(selected)) == sorted(plain(slow.select(owner, [], 0, 99, budget())))
        hosts = fast.label_values(owner, "host", [], 0, 99)
        assert hosts == slow.label_values(owner, "host", [], 0, 99)
    assert len(fast._owners[owner].files) < 12


@pytest.mark.parametrize(
    "pattern",
    [
        "ab",
        "ab?",
        "ab*c",
        "a{0}bc",
        "ab.*",
        "ab.+",
        "a|bc",
        "abc?|",
        "(?i)AB.*",
        "a b-c/.*",
        "",
        ".*",
    ],
)
def test_a_pattern_accepts_the_same_values_in_an_index(pattern: str) -> None:
    values = ["a", "ab", "abc", "abbc", "b", "bc", "AB", "a b-c/d", "x"]
    index = SeriesIndex("m")
    index.numbers([*(f'{{"tag":"{value}"}}' for value in values), "{}"])
    one = matcher("tag", MatchOperator.MATCHES, pattern)
    expected = [re.fullmatch(pattern, value) is not None for value in (*values, "")]
    assert index.matching([one]).tolist() == expected


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), min_size=1, max_size=60),
    st.integers(1, 40),
    st.integers(-5, 70),
    st.integers(-5, 70),
)
def test_rows_of_a_range_are_those_with_times_in_it(
    points: list[tuple[int, int]], alike: int, start: int, end: int
) -> None:
    """However many tag sets have the same times."""
    rows = [(time, series) for time, series in points]
    rows += [(time, 100 + copy) for copy in range(alike) for time in range(20)]
    times, series = (np.array(column) for column in zip(*rows, strict=True))
    texts, codes = np.unique(series, return_inverse=True)
    columns = SeriesColumns.of(
        MetricColumns.of(
            times, times.astype(float), codes, pa.array([f'{{"n":"{text}"}}' for text in texts])
        )
    )
    sets = np.arange(len(texts))
    begin, after = columns.rows(sets, start, end)
    for one in sets.tolist():
        first, last = int(begin[one]), int(after[one])
        found = np.empty(max(0, last - first), np.int64)
        columns.write_times(one, first, last, found)
        own = sorted(time for time, code in zip(times.tolist(), codes, strict=True) if code == one)
        assert found.tolist() == [time for time in own if start <= time <= end]
        assert columns.values[first:last].tolist() == found.tolist()
        all_rows = np.arange(first, max(first, last))
        assert columns.all_times(np.full(len(all_rows), one), all_rows).tolist() == found.tolist()
