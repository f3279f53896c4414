"""The read model over DuckLake satisfies the port's contract, exactly and within its limits."""

from __future__ import annotations

import itertools
import math
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec import structs

from adapters.ducklake.catalog_state import SETTLED_NS
from adapters.ducklake.database import Location
from adapters.ducklake.query import column_cache, read_model
from adapters.ducklake.query.column_cache import ColumnCache
from adapters.ducklake.query.export import DuckLakePointExport
from adapters.ducklake.query.read_model import DuckLakeReadModel
from adapters.ducklake.query.readers import Readers
from adapters.ducklake.query.series_columns import SeriesColumns
from adapters.memory.read_model import AGGREGATES, MemoryReadModel
from application.projections.errors import (
    ProjectionMissing,
    QueryTooLarge,
    StoreUnavailable,
)
from application.projections.folds import PROJECTIONS
from application.projections.ports import Generation, LiveProgress, Role
from application.reading.ports import Aggregation, Sample, Selection
from tests.contracts.metric_log import NOT_FINITE, Point
from tests.contracts.read_model import (
    DAY,
    LARGEST,
    NOW,
    ReadModelContract,
    ReadModelUnderTest,
    pairs,
    point,
)
from tests.ducklake.lake import Lake, open_lake

suffixes = (f"-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def shared_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """One store for many tests, since creating one takes longer than reading it."""
    with open_lake(tmp_path_factory.mktemp("shared")) as lake:
        yield lake


@pytest.fixture(scope="module")
def shared(shared_lake: Lake) -> Iterator[ReadModelUnderTest]:
    live = shared_lake.create(Role.LIVE)
    model = DuckLakeReadModel(shared_lake.location, clock=lambda: NOW / 1000)
    export = DuckLakePointExport(shared_lake.location)
    yield ReadModelUnderTest(
        model,
        export,
        model,
        lambda events: shared_lake.commit(live, events),
        lambda label, events: shared_lake.commit(shared_lake.create(Role.COPY, label), events),
    )
    model.close()
    export.close()


@pytest.fixture(scope="module")
def uncached(shared_lake: Lake) -> Iterator[DuckLakeReadModel]:
    """A read model that leaves buckets to DuckDB, as with too many points to cache."""
    model = DuckLakeReadModel(shared_lake.location, clock=lambda: NOW / 1000)
    model._cache = ColumnCache(0, max_points=0)
    yield model
    model.close()


class TestDuckLakeReadModel(ReadModelContract):
    @pytest.fixture
    def opened(self, shared: ReadModelUnderTest) -> ReadModelUnderTest:
        return structs.replace(shared, suffix=next(suffixes))


NOTHING = MemoryReadModel()
BLANK = ReadModelUnderTest(NOTHING, NOTHING, NOTHING, lambda _: None, lambda _, __: None)
"""It makes events of organizations without a suffix."""

times = st.one_of(
    st.sampled_from([0, 1, NOW, NOW - DAY, NOW + DAY, 95617584000000]),
    st.integers(NOW - 5_000, NOW + 5_000),
)
values = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 2.5, 5e-324, -1e-310, LARGEST, -LARGEST, 1e16, 1e16 + 2]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(NOT_FINITE),
)
hosts = st.sampled_from(["a", "b", 'a"', "a\\"])
points = st.builds(lambda at, value, host: point(at, value, host=host), times, values, hosts)
bounds = st.one_of(st.none(), times)
aggregations = st.one_of(
    st.none(),
    st.builds(
        Aggregation,
        st.sampled_from(sorted(AGGREGATES)),
        st.sampled_from([1, 1000, 60_000, 7 * 60_000, DAY, 400 * DAY]),
    ),
)


class TestDuckLakeReadModelWithoutCache(ReadModelContract):
    """Large queries are answered by DuckDB, as here are all."""

    @pytest.fixture
    def opened(self, shared: ReadModelUnderTest, uncached: DuckLakeReadModel) -> ReadModelUnderTest:
        return structs.replace(shared, model=uncached, progress=uncached, suffix=next(suffixes))


@pytest.mark.parametrize("catalog", [None, "database"], ids=["sqlite", "postgres"])
@pytest.mark.parametrize("value", [1.5, math.inf, -math.inf, math.nan])
def test_the_catalog_knows_which_files_have_finite_values_only(
    tmp_path: Path, request: pytest.FixtureRequest, catalog: str | None, value: float
) -> None:
    database = None if catalog is None else request.getfixturevalue(catalog)
    with open_lake(tmp_path, catalog=database) as lake:
        live = lake.create(Role.LIVE)
        lake.commit(live, [BLANK.recorded(point(0, 1.0), point(0, value))])
        lake.commit(live, [BLANK.recorded(point(DAY, 1.0), position=2)])
        readers = Readers(lake.location, threads=1, memory=1 << 28)
        with closing(readers), readers.reading("points") as reading:
            first, second = sorted(reading.files(), key=lambda file: file.first)
            assert reading.finite([second])
            assert reading.finite([first]) == reading.finite([first, second]) == (value == 1.5)
            unknown = structs.replace(second, path="merged-since")
            assert not reading.finite([unknown, second])


class TestAgainstStatistics:
    """Answers equal those of plain `statistics` and fractions for the same events."""

    @hypothesis_settings(max_examples=8)
    @given(data=st.data(), batches=st.lists(st.lists(points, max_size=30), min_size=1, max_size=3))
    def test_answers_agree(
        self,
        shared: ReadModelUnderTest,
        uncached: DuckLakeReadModel,
        data: st.DataObject,
        batches: list[list[Point]],
    ) -> None:
        opened = structs.replace(shared, suffix=next(suffixes))
        events = [
            opened.recorded(*batch, position=position, partition=position % 2)
            for position, batch in enumerate(batches, 1)
        ]
        oracle = MemoryReadModel()
        oracle.add(*events)
        opened.add(events)
        for _ in range(5):
            selection = opened.selection(
                tags=data.draw(st.sampled_from([{}, {"host": "a"}, {"host": 'a"'}])),
                start=data.draw(bounds),
                end=data.draw(bounds),
            )
            asked = selection, data.draw(aggregations), data.draw(st.integers(1, 20))
            expected = list(map(repr, oracle.samples(*asked)))
            for model in (opened.model, uncached):
                assert list(map(repr, model.samples(*asked))) == expected, asked

    @pytest.mark.parametrize("aggregator", sorted(AGGREGATES))
    def test_many_points_with_ties_agree(
        self, shared: ReadModelUnderTest, uncached: DuckLakeReadModel, aggregator: str
    ) -> None:
        opened = structs.replace(shared, suffix=next(suffixes))
        draw = random.Random(7)
        event = opened.recorded(
            *(
                point(draw.randrange(0, 600_000, 1000), draw.gauss(1e6, 1) // 0.1 / 10)
                for _ in range(20_000)
            )
        )
        opened.add([event])
        oracle = MemoryReadModel()
        oracle.add(event)
        asked = opened.selection(), Aggregation(aggregator, 60_000), 60
        for model in (opened.model, uncached):
            assert pairs(model.samples(*asked)) == pairs(oracle.samples(*asked))


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with open_lake(tmp_path) as lake:
        yield lake


M = Selection(organization="gilt", metric="m")


@pytest.mark.parametrize("made", [False, True])
def test_there_is_nothing_to_read_before_the_first_build(
    lake: Lake, tmp_path: Path, *, made: bool
) -> None:
    if made:  # and not opened for building yet
        for projection in PROJECTIONS:
            lake.stores.create(projection, Role.LIVE)
    model = DuckLakeReadModel(lake.location)
    with pytest.raises(ProjectionMissing):
        model.samples(M, None, 1)
    with pytest.raises(ProjectionMissing):
        model.metric_names("gilt", None)
    with pytest.raises(ProjectionMissing):
        model.descriptions("gilt", None)
    with pytest.raises(ProjectionMissing):
        model.positions("points")
    assert model.live("points") is None
    model.close()


def test_a_generation_that_becomes_live_is_read_by_the_next_query(lake: Lake) -> None:
    model = DuckLakeReadModel(lake.location)
    first = lake.create(Role.LIVE)
    lake.commit(first, [BLANK.recorded(point(1, 1))])
    points = DuckLakePointExport(lake.location)
    export = points.rows("gilt", None)
    assert [row.value for row in next(export)] == [1]
    second = lake.create(Role.BUILDING)
    lake.commit(second, [BLANK.recorded(point(1, 2), point(2, 3))])
    assert pairs(model.samples(M, None, 9)) == [(1, 1)]
    for generation in second:
        assert lake.stores.swap_in(generation)
    assert pairs(model.samples(M, None, 9)) == [(1, 2), (2, 3)]
    assert next(export, None) is None
    assert pairs(model.samples(M, None, 9)) == [(1, 2), (2, 3)]
    model.close()
    points.close()


@pytest.mark.slow
def test_readers_see_all_of_a_commit_or_nothing_while_it_is_written(lake: Lake) -> None:
    live = lake.create(Role.LIVE)
    model = DuckLakeReadModel(lake.location)
    lake.commit(live, [BLANK.recorded(point(0, 1))])
    done = threading.Event()

    def read() -> set[float]:
        counts = set()
        while not done.is_set():
            (sample,) = model.samples(M, Aggregation("count", DAY), 1)
            counts.add(sample.value % 100)
        return counts

    with ThreadPoolExecutor(2) as readers:
        results = [readers.submit(read) for _ in range(2)]
        for position in range(2, 22):
            batch = [point(at, at) for at in range(100)]
            lake.commit(live, [BLANK.recorded(*batch, position=position)])
        done.set()
        for result in results:
            assert result.result() == {1}
    model.close()


class TestAtHand:
    """Repeated queries are answered from memory until the data changes."""

    BUCKETS = Aggregation("count", DAY)
    SELECTION = Selection(organization="gilt", metric="m", start=0, end=DAY)

    @pytest.fixture
    def live(self, lake: Lake) -> list[Generation]:
        live = lake.create(Role.LIVE)
        lake.commit(live, [BLANK.recorded(*(point(at, at) for at in range(1000)))])
        return live

    @pytest.fixture
    def model(self, lake: Lake, live: list[Generation]) -> Iterator[DuckLakeReadModel]:
        assert live
        model = DuckLakeReadModel(lake.location)
        assert self.at_hand(model) is None
        assert self.ask(model) == 1000  # and opens the registry, which touches its files
        yield model
        model.close()

    def ask(self, model: DuckLakeReadModel) -> int:
        time.sleep(2 * SETTLED_NS / 1e9)
        (sample,) = model.samples(self.SELECTION, self.BUCKETS, 1)
        return int(sample.value)

    def at_hand(self, model: DuckLakeReadModel) -> int | None:
        samples = model.cached_samples(self.SELECTION, self.BUCKETS, 1)
        return None if samples is None else int(samples[0].value)

    def test_a_query_that_was_made_before_is_at_hand(self, model: DuckLakeReadModel) -> None:
        assert self.ask(model) == self.at_hand(model) == 1000
        for selection in (M, structs.replace(M, start=7), structs.replace(M, end=900)):
            for aggregation in (None, self.BUCKETS):
                samples = model.samples(selection, aggregation, 9)
                assert model.cached_samples(selection, aggregation, 9) == samples
        other = structs.replace(self.SELECTION, metric="n")
        assert model.cached_samples(other, self.BUCKETS, 1) is None

    def test_many_values_of_very_different_sizes_are_summed_elsewhere(
        self, lake: Lake, live: list[Generation], model: DuckLakeReadModel
    ) -> None:
        values = [10.0 ** (at % 600 - 300) for at in range(2000)]
        recorded = BLANK.recorded(*(point(at, value) for at, value in enumerate(values)))
        lake.commit(live, [recorded])
        self.ask(model)
        for aggregator, at_hand in (("max", True), ("sum", False), ("stddev", False)):
            aggregation = Aggregation(aggregator, DAY)
            samples = model.samples(self.SELECTION, aggregation, 1)
            found = model.cached_samples(self.SELECTION, aggregation, 1)
            assert found == (samples if at_hand else None)

    def test_points_of_all_ranges_of_time_count_as_values_of_very_different_sizes(
        self,
        lake: Lake,
        live: list[Generation],
        model: DuckLakeReadModel,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The latest buckets are looked for in one range after another; all take time."""
        days = [10, 8, 3, 2]
        lake.commit(live, [BLANK.recorded(*(point(day * DAY, 10.0 ** (day * 9)) for day in days))])
        asked = structs.replace(M, start=DAY, end=11 * DAY), Aggregation("sum", DAY), 4
        self.ask(model)
        samples = model.samples(*asked)
        assert len(samples) == len(days)
        assert model.cached_samples(*asked) == samples
        monkeypatch.setattr(read_model, "MAX_ANY_AT_HAND", len(days) - 1)
        assert model.cached_samples(*asked) is None

    def test_points_of_one_time_are_in_the_order_of_the_log(
        self, lake: Lake, live: list[Generation], model: DuckLakeReadModel
    ) -> None:
        """Columns in memory have that order within a file only."""
        lake.commit(live, [BLANK.recorded(*(point(5000, -at) for at in range(3)), position=3)])
        late = structs.replace(M, start=1000)
        self.ask(model)
        assert pairs(model.samples(late, None, 2)) == [(5000, -1), (5000, -2)]
        assert model.cached_samples(late, None, 2) == model.samples(late, None, 2)
        lake.commit(live, [BLANK.recorded(point(5000, 7), position=2)])
        self.ask(model)
        assert pairs(model.samples(late, None, 2)) == [(5000, -1), (5000, -2)]
        assert pairs(model.samples(late, None, 9)) == [(5000, value) for value in (7, 0, -1, -2)]
        assert model.cached_samples(late, None, 2) is None
        assert pairs(model.cached_samples(late, self.BUCKETS, 1) or []) == [(0, 4)]

    def test_points_arranged_by_series_are_the_same(
        self, lake: Lake, live: list[Generation], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They are arranged for queries of one series, if there is room for that."""
        values = [1.5, math.nan, -0.0, 7.0, math.inf, 5e-324, 2.0]
        for position in (2, 3):
            batch = (
                point(at * 10 // position, values[at % 7], host=f"h{at % 5}", env=f"e{at % 2}")
                for at in range(position * 500)
            )
            lake.commit(live, [BLANK.recorded(*batch, position=position)])
        asked = [
            (structs.replace(M, tags=tags, start=start, end=end), aggregation, limit)
            for tags in ({"host": "h1"}, {"host": "h1", "env": "e0"}, {"env": "e1"}, {"x": "y"}, {})
            for start, end in ((None, None), (1000, 2001), (1001, None), (None, 0))
            for aggregation in (None, Aggregation("sum", 70), Aggregation("p90", 1000))
            for limit in (3, 1000)
        ]

        def answers(least: int) -> list[Sequence[Sample] | None]:
            monkeypatch.setattr(column_cache, "MIN_ARRANGED", least)
            model = DuckLakeReadModel(lake.location)
            found: list[Sequence[Sample] | None] = [model.samples(*query) for query in asked]
            time.sleep(2 * SETTLED_NS / 1e9)
            assert model.samples(*asked[0]) == found[0]  # opens what the sleep made outdated
            for query, samples in zip(asked, found, strict=True):
                assert model.cached_samples(*query) in (None, samples)
            arranged = [c for c in model._cache._kept.values() if isinstance(c, SeriesColumns)]
            assert bool(arranged) == (least == 1)
            model.close()
            return found

        assert answers(1) == answers(10**9)

    def test_a_query_that_would_examine_too_many_rows_is_not_at_hand(
        self, model: DuckLakeReadModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.ask(model)
        tagged = structs.replace(M, tags={"host": "other"})
        assert model.cached_samples(tagged, self.BUCKETS, 1) == []
        for limit in ("MAX_ROWS_AT_HAND", "MAX_FILES_AT_HAND", "MAX_FILES"):
            with monkeypatch.context() as patch:
                patch.setattr(read_model, limit, 0)
                assert model.cached_samples(tagged, self.BUCKETS, 1) is None

    def test_nothing_is_at_hand_after_a_commit_until_the_next_query(
        self, lake: Lake, live: list[Generation], model: DuckLakeReadModel
    ) -> None:
        for position in range(2, 12):
            self.ask(model)
            lake.commit(live, [BLANK.recorded(point(7, 7), position=position)])
            assert self.at_hand(model) is None
            (sample,) = model.samples(self.SELECTION, self.BUCKETS, 1)
            assert sample.value == 1000 + position - 1

    def test_nothing_is_at_hand_after_another_generation_became_live(
        self, lake: Lake, model: DuckLakeReadModel
    ) -> None:
        assert self.ask(model) == 1000
        built = lake.create(Role.BUILDING)
        lake.commit(built, [BLANK.recorded(*(point(at, at) for at in range(1001)))])
        for generation in built:
            assert lake.stores.swap_in(generation)
        assert self.at_hand(model) is None
        assert self.ask(model) == self.at_hand(model) == 1001

    def test_an_answer_that_takes_too_long_to_compute_is_not_at_hand(
        self, model: DuckLakeReadModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.ask(model) == 1000
        monkeypatch.setattr(read_model, "MAX_POINTS_AT_HAND", 999)
        assert self.at_hand(model) is None
        assert self.ask(model) == 1000

    def test_columns_are_the_same_in_any_number_of_pieces(
        self, lake: Lake, live: list[Generation], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Many batches of one file with different tags, and of files with too many points."""
        monkeypatch.setattr(column_cache, "BATCH", 2048)
        for position in (2, 3):
            batch = (point(at, 1, host=f"h{at // 1500 % 5}") for at in range(10_000))
            lake.commit(live, [BLANK.recorded(*batch, position=position)])
        model = DuckLakeReadModel(lake.location)
        for max_points in (10_000, 10_999, 100_000):
            model._cache = ColumnCache(1 << 24, max_points=max_points)
            for host, count in (("h0", 6000), ("h1", 5000), ("h4", 3000), ("h5", 0)):
                selection = structs.replace(self.SELECTION, tags={"host": host})
                found = model.samples(selection, self.BUCKETS, 1)
                assert sum(sample.value for sample in found) == count
        model.close()

    def test_columns_too_large_for_one_query_are_left_to_duckdb(
        self, lake: Lake, live: list[Generation], model: DuckLakeReadModel
    ) -> None:
        lake.commit(live, [BLANK.recorded(*(point(at, at) for at in range(500)), position=2)])
        for memory, at_hand in ((1 << 20, 1500), (1 << 14, None)):
            model._cache = ColumnCache(memory)
            assert self.ask(model) == 1500
            assert self.at_hand(model) == at_hand

    def test_columns_are_evicted_when_memory_is_short(self, model: DuckLakeReadModel) -> None:
        model._cache = ColumnCache(3000)
        assert self.ask(model) == 1000
        assert self.at_hand(model) is None


class TestLimits:
    @pytest.fixture
    def filled(self, lake: Lake) -> Lake:
        batch = [point(at, at) for at in range(50_000)]
        lake.commit(lake.create(Role.LIVE), [BLANK.recorded(*batch)])
        return lake

    def test_a_large_query_returns_its_memory_to_the_system(
        self, filled: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By any way of reading, even if it fails; a small query does not spend the time."""
        given_back: list[bool] = []
        monkeypatch.setattr(read_model, "give_back", lambda: given_back.append(True))
        model = DuckLakeReadModel(filled.location)
        total = Aggregation("sum", DAY)
        model.samples(M, total, 1)
        assert given_back == []
        monkeypatch.setattr(read_model, "LARGE_QUERY", 50_000)
        model.samples(M, total, 1)
        assert given_back == [True]
        model._cache = ColumnCache(0, max_points=0)
        model.samples(M, total, 1)
        model._max_points = 49_999
        with pytest.raises(QueryTooLarge):
            model.samples(M, total, 1)
        assert given_back == [True] * 3
        assert model.samples(M, None, 1)
        assert given_back == [True] * 3
        model.close()

    def test_a_query_is_interrupted_when_its_time_is_up(self, filled: Lake) -> None:
        model = DuckLakeReadModel(filled.location, seconds=0.3)
        endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range < b.range"
        with pytest.raises(QueryTooLarge, match=r"0\.3 s"), model._query("points") as query:
            query.rows((endless, []))
        model._seconds = 60
        assert len(model.samples(M, None, 1)) == 1
        model.close()

    def test_a_query_with_too_many_points_to_hold_is_refused(self, filled: Lake) -> None:
        model = DuckLakeReadModel(filled.location)
        model._cache = ColumnCache(0, max_points=0)
        model._max_points = 49_999
        with pytest.raises(QueryTooLarge, match="49999 points"):
            model.samples(M, Aggregation("sum", DAY), 1)
        assert pairs(model.samples(M, Aggregation("count", DAY), 1)) == [(0, 50_000)]
        model._max_points = 50_000
        assert pairs(model.samples(M, Aggregation("max", DAY), 1)) == [(0, 49_999)]
        model.close()

    def test_a_query_that_exceeds_the_memory_is_refused(self, filled: Lake) -> None:
        model = DuckLakeReadModel(filled.location, memory=32 << 20)
        large = "SELECT list(a.range ORDER BY hash(a.range)) FROM range(20000000) a"
        with pytest.raises(QueryTooLarge, match="memory"), model._query("points") as query:
            query.rows((large, []))
        assert len(model.samples(M, None, 1)) == 1
        model.close()


def test_a_store_that_cannot_be_read_is_retried_and_its_details_are_not_disclosed(
    lake: Lake, tmp_path: Path
) -> None:
    lake.commit(lake.create(Role.LIVE), [BLANK.recorded(point(1, 1))])
    model = DuckLakeReadModel(lake.location)
    assert model.samples(structs.replace(M, metric="other"), None, 9) == []
    files = tmp_path / "series-1" / "files"
    files.rename(tmp_path / "gone")
    with pytest.raises(StoreUnavailable) as raised:
        model.samples(M, None, 9)
    assert str(tmp_path) not in str(raised.value)
    (tmp_path / "gone").rename(files)
    assert pairs(model.samples(M, None, 9)) == [(1, 1)]
    model.close()


@pytest.mark.parametrize("apart", [False, True])
def test_moved_files_are_found(tmp_path: Path, *, apart: bool) -> None:
    """Moved with the data dir, as for a backup, or separately from the catalogs."""
    files = str(tmp_path / "files") if apart else None
    with open_lake(tmp_path / "first", files) as lake:
        batch = [point(at, at) for at in range(10)]
        lake.commit(lake.create(Role.LIVE), [BLANK.recorded(*batch)])
    (tmp_path / "first").rename(tmp_path / "second")
    if apart:
        (tmp_path / "files").rename(tmp_path / "moved")
        files = str(tmp_path / "moved")
    model = DuckLakeReadModel(Location(root=tmp_path / "second", files=files))
    assert pairs(model.samples(M, None, 2)) == [(8, 8), (9, 9)]
    assert pairs(model.samples(M, Aggregation("count", DAY), 1)) == [(0, 10)]
    model.close()


def test_a_catalog_in_postgres_is_read_like_one_in_sqlite(tmp_path: Path, database: str) -> None:
    with open_lake(tmp_path / "a", str(tmp_path / "files"), database) as lake:
        live = lake.create(Role.LIVE)
        model = DuckLakeReadModel(lake.location)
        assert list(model.samples(M, None, 9)) == []
        for position in range(1, 4):
            batch = [point(at, at, host="h") for at in range(position)]
            lake.commit(live, [BLANK.recorded(*batch, position=position)])
            buckets = Aggregation("count", DAY)
            total = position * (position + 1) // 2
            hosts = structs.replace(M, tags={"host": "h"}, start=0, end=DAY)
            for selection in (M, hosts, structs.replace(hosts, tags={"host": "other"})):
                expected = [(0, total)] if selection.tags != {"host": "other"} else []
                assert pairs(model.samples(selection, buckets, 1)) == expected
                assert len(model.samples(selection, None, 9)) == (total if expected else 0)
                assert model.cached_samples(selection, buckets, 1) is None
        assert model.knows("gilt", None, "m")
        model.close()


@pytest.mark.parametrize("catalog", ["sqlite", "postgres"])
def test_the_live_generation_is_reported_with_its_positions_and_whether_it_stopped(
    request: pytest.FixtureRequest, tmp_path: Path, catalog: str
) -> None:
    database = request.getfixturevalue("database") if catalog == "postgres" else None
    with open_lake(tmp_path / "a", str(tmp_path / "files"), database) as lake:
        model = DuckLakeReadModel(lake.location)
        assert model.live("points") is None
        made = lake.create(Role.LIVE)
        lake.create(Role.BUILDING)
        event = BLANK.recorded(point(1, 1), position=7)
        for generation, positions in ((made[0], {}), (made[0], {event.receipt.partition: 7})):
            live = model.live("points")
            assert live is not None
            assert [writer.here for writer in live.writers] == [True]
            assert live == LiveProgress(generation, positions, live.writers)
            if not positions:
                lake.commit(made, [event])
        lake.stores.stop(made[0], "the log is another")
        stopped = model.live("points")
        assert stopped is not None
        assert (stopped.generation.stopped, stopped.positions) == (
            "the log is another",
            {event.receipt.partition: 7},
        )
        names = model.live("metric_names")
        assert names is not None
        assert names.generation == made[1]
        model.close()


def test_nothing_is_opened_before_the_first_query(tmp_path: Path) -> None:
    DuckLakeReadModel(Location(root=tmp_path / "none")).close()
    assert list(tmp_path.iterdir()) == []
