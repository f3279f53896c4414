"""Upkeep keeps files and catalog small without changing any readable data."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.ducklake.database import Location, metadata_schema
from adapters.ducklake.store import upkeep
from adapters.ducklake.store.generation import DuckLakeStore
from adapters.ducklake.store.upkeep import (
    GIVE_BACK_EVERY,
    IDLE_SECONDS,
    KEEP_SECONDS,
    MERGE_EVERY,
    MERGE_FROM,
    ORPHAN_SECONDS,
    SETTLED_SECONDS,
    TIERS,
    Tier,
)
from application.projections.folds import METRIC_NAMES, POINTS, MetricNameRow
from application.projections.ports import Checkpoint, Role
from tests.contracts.metric_log import Point
from tests.contracts.projection_store import ManualClock, commit, recorded, some_points
from tests.ducklake.support import live_store, unleased_store

POINT_BYTES = 2
"""What a point takes at least in merged files (docs/benchmarks.md)."""

DAYS = 4
"""Days that `some_points` are of."""


def files(store: DuckLakeStore, table: str = "series") -> list[str]:
    return [
        name
        for (name,) in store._connection.execute(
            f"SELECT data_file FROM ducklake_list_files('lake', '{table}')"
        ).fetchall()
    ]


def catalog_rows(store: DuckLakeStore, location: Location) -> int:
    """Return the number of rows in all tables of the catalog's database."""
    schema = "main" if location.catalog is None else metadata_schema("series-1")
    tables = store._connection.execute(
        "SELECT table_name FROM duckdb_tables() "
        "WHERE database_name = '__ducklake_metadata_lake' AND schema_name = ?",
        [schema],
    ).fetchall()
    counts = [
        store._connection.execute(
            f'SELECT count(*) FROM __ducklake_metadata_lake.{schema}."{table}"'
        ).fetchall()
        for (table,) in tables
    ]
    return sum(rows for ((rows,),) in counts)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "sqlite":
        return Location(root=tmp_path)
    return Location(root=tmp_path, catalog=request.getfixturevalue("database"))


def test_files_stay_few_and_rows_unchanged(location: Location) -> None:
    clock = ManualClock()
    count = 2 * MERGE_FROM + 8
    events = [recorded(0, n, some_points(40, n)) for n in range(1, count + 1)]
    with (
        live_store(location) as (stores, live, _),
        unleased_store(location, live, clock) as store,
    ):
        most = 0
        for event in events:
            commit(store, event)
            clock.now += MERGE_EVERY
            store.tidy()
            most = max(most, len(files(store)))
        assert most <= DAYS * MERGE_FROM
        assert len(files(store)) < count
        merged = stores.digests(live)
        assert merged["gilt", ""].rows == 40 * count
        once = stores.create(POINTS, Role.BUILDING)
        with stores.open(once) as other:
            commit(other, *events)
        assert stores.digests(once) == merged


def test_old_snapshots_with_their_files_and_checkpoints_are_removed(location: Location) -> None:
    with live_store(location) as (stores, live, store):
        sizes = []
        for round_ in range(3):
            for number in range(MERGE_FROM):
                points: list[Point] = [("a", round_ * 86_400_000, 1.0, {})]
                commit(store, recorded(0, round_ * MERGE_FROM + number + 1, points))
            before = stores.digests(live)
            store._upkeep.merge(seconds=10)
            store._upkeep.expire(keep=0)
            assert stores.digests(live) == before
            sizes.append(catalog_rows(store, location))
            local = list(location.root.glob("series-1/files/**/*.parquet"))
            assert {str(file) for file in local} == set(files(store))
            assert len(local) == round_ + 1
        assert sizes[2] - sizes[1] <= sizes[1] - sizes[0] <= 40


def test_a_merge_is_limited_to_its_target_size() -> None:
    """A commit waits at most for a merge of about a million points, not of an entire day."""
    assert all(tier.high * 4 <= tier.target for tier in TIERS)
    assert all((tier.target + tier.high) / POINT_BYTES < 1_500_000 for tier in TIERS)


def test_files_that_belong_to_no_snapshot_are_deleted(location: Location) -> None:
    with live_store(location) as (_, _, store):
        commit(store, recorded(0, 1))
        (known,) = files(store)
        orphan = Path(known).with_name("ducklake-left-by-a-crash.parquet")
        orphan.write_bytes(Path(known).read_bytes())
        store._upkeep.delete_orphans(ORPHAN_SECONDS)
        assert orphan.exists(), "it may be new"
        store._upkeep.delete_orphans(keep=0)
        assert not orphan.exists()
        assert Path(known).exists()


def test_many_names_are_moved_to_files(tmp_path: Path) -> None:
    with live_store(Location(root=tmp_path), METRIC_NAMES) as (stores, live, store):
        for number in range(1, 14):
            event = recorded(0, number)
            rows = [
                MetricNameRow("gilt", None, f"name{number}-{i}", None, event.receipt)
                for i in range(900)
            ]
            store.commit(rows, [], [Checkpoint(0, event.receipt.position, event.digest)])
        assert files(store, "catalog") == []
        before = stores.digests(live)
        store._upkeep.expire(KEEP_SECONDS)
        assert len(files(store, "catalog")) == 1
        assert stores.digests(live) == before
        store.commit(rows, [], [])
        assert stores.info(live).rows == 13 * 900


def test_without_commits_there_is_nothing_to_look_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle projector takes no processor time for it."""
    clock = ManualClock()
    done: list[str] = []
    with (
        live_store(Location(root=tmp_path)) as (_, live, _),
        unleased_store(Location(root=tmp_path), live, clock) as store,
    ):
        upkeep = store._upkeep
        is_due, real_expire = upkeep._due, upkeep.expire

        def due(tier: Tier, least: int) -> bool:
            done.append("look")
            return is_due(tier, least)

        def expire(keep: int) -> None:
            done.append("expire")
            real_expire(keep)

        monkeypatch.setattr(upkeep, "_due", due)
        monkeypatch.setattr(upkeep, "expire", expire)

        def idle_for(seconds: float) -> set[str]:
            done.clear()
            end = clock.now + seconds
            while clock.now < end:
                clock.now += MERGE_EVERY
                store.tidy()
            return set(done)

        commit(store, recorded(0, 1, some_points(3)))
        assert idle_for(IDLE_SECONDS + MERGE_EVERY) == {"look"}
        assert idle_for(SETTLED_SECONDS) == {"expire"}
        assert idle_for(SETTLED_SECONDS) == set()
        commit(store, recorded(0, 2, some_points(3)))
        assert idle_for(SETTLED_SECONDS) == {"look", "expire"}


def test_memory_that_commits_have_freed_is_given_back_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    given_back: list[float] = []
    monkeypatch.setattr(upkeep, "give_back", lambda: given_back.append(clock.now))
    with (
        live_store(Location(root=tmp_path)) as (_, live, _),
        unleased_store(Location(root=tmp_path), live, clock) as store,
    ):
        began = clock.now
        for number in range(1, 4):
            commit(store, recorded(0, number, some_points(1)))
            clock.now += GIVE_BACK_EVERY / 2
            store.tidy()
        for _ in range(4):
            clock.now += GIVE_BACK_EVERY / 2
            store.tidy()
    assert given_back == [began + GIVE_BACK_EVERY, began + 2 * GIVE_BACK_EVERY]


def test_files_are_merged_once_nothing_more_is_committed(location: Location) -> None:
    """However few there are: each costs every query some time."""
    clock = ManualClock()
    with (
        live_store(location) as (stores, live, _),
        unleased_store(location, live, clock) as store,
    ):
        for number in range(1, 4):
            commit(store, recorded(0, number, some_points(40, number)))
            clock.now += IDLE_SECONDS - 1
            store.tidy()
        before = stores.digests(live)
        assert len(files(store)) > DAYS
        clock.now += MERGE_EVERY
        store.tidy()
        assert len(files(store)) == DAYS
        assert stores.digests(live) == before


def test_merging_ends_where_nothing_can_be_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live_store(Location(root=tmp_path)) as (_, _, store):
        for number in range(1, 4):
            commit(store, recorded(0, number))
        calls: list[str] = []

        def call(statement: str) -> int:
            calls.append(statement)
            return 0

        monkeypatch.setattr(store._upkeep, "_call", call)
        assert store._upkeep.merge(seconds=60, least=2)
        assert len(calls) == 1
