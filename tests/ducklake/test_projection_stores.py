"""Projections in DuckLake keep the ports' contracts, the catalog in SQLite or in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from adapters.ducklake.database import Location, attach, connect
from adapters.ducklake.store import DuckLakeStore
from adapters.ducklake.stores import DuckLakeStores
from adapters.ducklake.tables import TABLES
from application.projections.ports import Generation, ProjectionStore, ProjectionStores
from tests.contracts.projection_store import (
    ManualClock,
    OpenStores,
    ProjectionStoresContract,
)


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
        with closing(connect(self.used)) as connection:
            name = f"{generation.projection}-{generation.number}"
            attach(connection, self.used, name, "lake")
            yield DuckLakeStore(connection, TABLES[generation.projection], self.used.root)


class TestInSqlite(_DuckLakeContract):
    @pytest.fixture
    def location(self, tmp_path: Path) -> Location:
        return Location(root=tmp_path / "it's here")


class TestInPostgres(_DuckLakeContract):
    @pytest.fixture
    def location(self, tmp_path: Path, database: str) -> Location:
        return Location(root=tmp_path / "local", catalog=database, files=str(tmp_path / "shared"))
