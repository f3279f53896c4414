"""Projections in DuckLake satisfy the ports' contracts, with catalogs in SQLite or PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from adapters.ducklake.database import Location
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.folds import METRIC_NAMES, POINTS, Projection
from application.projections.ports import Generation, ProjectionStore, ProjectionStores, Role
from tests.contracts.projection_store import (
    ManualClock,
    OpenStores,
    ProjectionStoresContract,
    commit,
    recorded,
    some_points,
)
from tests.ducklake.support import live_store, unleased_store


class _DuckLakeContract(ProjectionStoresContract):
    @pytest.fixture
    def location(self, tmp_path: Path) -> Location:
        raise NotImplementedError

    @pytest.fixture
    def open_stores(self, clock: ManualClock, location: Location) -> OpenStores:
        self.used = location

        @contextmanager
        def opened() -> Iterator[ProjectionStores]:
            with closing(DuckLakeStores(location, clock=clock)) as stores:
                yield stores

        return opened

    @contextmanager
    def second_writer(
        self, stores: ProjectionStores, generation: Generation
    ) -> Iterator[ProjectionStore]:
        with unleased_store(self.used, generation) as store:
            yield store


class TestInSqlite(_DuckLakeContract):
    @pytest.fixture
    def location(self, tmp_path: Path) -> Location:
        return Location(root=tmp_path / "it's here")


class TestInPostgres(_DuckLakeContract):
    @pytest.fixture
    def location(self, tmp_path: Path, database: str) -> Location:
        return Location(root=tmp_path / "local", catalog=database, files=str(tmp_path / "shared"))


def test_a_directory_that_was_moved_can_be_read_and_written(tmp_path: Path) -> None:
    with live_store(Location(root=tmp_path / "before")) as (_, live, store):
        commit(store, recorded(0, 1, some_points(3)))
    (tmp_path / "before").rename(tmp_path / "after")
    with closing(DuckLakeStores(Location(root=tmp_path / "after"))) as stores:
        assert stores.info(live).rows == 3
        with stores.open(live) as store:
            commit(store, recorded(0, 2, some_points(4)))
        assert stores.info(live).rows == 7
    assert not (tmp_path / "before").exists()


def test_two_processes_change_the_registry_at_once(tmp_path: Path) -> None:
    """SQLite immediately answers "locked" to a transaction that read before another one wrote."""
    two = (POINTS, METRIC_NAMES)
    gate = threading.Barrier(len(two))

    def change(projection: Projection) -> None:
        with closing(DuckLakeStores(Location(root=tmp_path))) as stores:
            gate.wait()
            for _ in range(20):
                stores.drop(stores.create(projection, Role.BUILDING))

    with ThreadPoolExecutor(2) as executor:
        for done in [executor.submit(change, projection) for projection in two]:
            done.result()
    with closing(DuckLakeStores(Location(root=tmp_path))) as stores:
        assert [list(stores.generations(p.name)) for p in two] == [[], []]
