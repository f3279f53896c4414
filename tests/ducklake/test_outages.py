"""Projections survive an outage of PostgreSQL, and many processes that start at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from adapters.ducklake.database import Location
from adapters.ducklake.query.readers import Readers, Reading
from adapters.ducklake.store.stored_names import POINTS_TABLE
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.errors import StoreUnavailable
from application.projections.folds import POINTS
from application.projections.ports import Role
from tests.contracts.projection_store import commit, recorded
from tests.ducklake.postgres import PostgresServer, running_postgres
from tests.ducklake.support import live_store

CREATORS = 4


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


def test_writing_resumes_after_postgres_was_down(
    own_server: PostgresServer, tmp_path: Path
) -> None:
    location = Location(root=tmp_path, catalog=own_server.new_database())
    with live_store(location) as (stores, live, store):
        commit(store, recorded(0, 1))
        own_server.stop()
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                commit(store, recorded(0, 2))
            with pytest.raises(StoreUnavailable):
                stores.generations("points")
            with pytest.raises(StoreUnavailable):
                stores.info(live)
        own_server.start()
        assert list(stores.generations("points")) == [live]
        assert stores.info(live).rows == 1
    with closing(DuckLakeStores(location)) as stores, stores.open(live) as store:
        assert set(store.checkpoints()) == {0}
        commit(store, recorded(0, 2))
        assert stores.info(live).rows == 2


@pytest.mark.parametrize("asks", [False, True], ids=["idle", "asking"])
def test_a_reader_outlives_a_server_that_is_killed_during_its_transaction(
    own_server: PostgresServer, tmp_path: Path, *, asks: bool
) -> None:
    """DuckDB ends the process if a connection is closed in a transaction that cannot be ended."""
    location = Location(root=tmp_path, catalog=own_server.new_database())
    with live_store(location) as (_, _, store):
        commit(store, recorded(0, 1))
    with closing(Readers(location, threads=1, memory=1 << 30)) as readers:
        with suppress(StoreUnavailable), readers.reading("points") as reading:
            assert counted(reading) == 1
            own_server.kill()
            if asks:
                counted(reading)
        with pytest.raises(StoreUnavailable), readers.reading("points") as reading:
            counted(reading)
        own_server.start()
        with readers.reading("points") as reading:
            assert counted(reading) == 1


def counted(reading: Reading) -> int:
    query = f"SELECT count(*) FROM {reading.source}.{POINTS_TABLE}"
    [(count,)] = reading.connection.execute(query).fetchall()
    return int(count)


def test_stores_can_be_made_while_postgres_is_down(tmp_path: Path) -> None:
    location = Location(root=tmp_path, catalog=f"host={tmp_path} dbname=none")
    with closing(DuckLakeStores(location)) as stores:
        with pytest.raises(StoreUnavailable):
            stores.generations("points")
        with pytest.raises(StoreUnavailable):
            stores.drop_retired()


def test_files_at_a_url_are_removed_with_their_generation(database: str, tmp_path: Path) -> None:
    files = tmp_path / "bucket"
    files.mkdir()
    location = Location(root=tmp_path / "local", catalog=database, files=f"file://{files}")
    with closing(DuckLakeStores(location)) as stores:
        generation = stores.create(POINTS, Role.BUILDING)
        with stores.open(generation) as store:
            commit(store, recorded(0, 1), recorded(1, 1))
            commit(store, recorded(0, 2))
        assert len(list(files.rglob("*.parquet"))) == 2
        assert stores.info(generation).bytes > 0
        stores.drop(generation)
        assert list(files.rglob("*.parquet")) == []


@pytest.mark.parametrize("catalog", ["sqlite", "postgres"])
def test_processes_that_come_at_once_share_the_first_registry(
    request: pytest.FixtureRequest, tmp_path: Path, catalog: str
) -> None:
    """Each creates its own generation, and one creates the live one."""
    dsn = request.getfixturevalue("database") if catalog == "postgres" else ""
    command = [sys.executable, "-m", "tests.ducklake.creating", str(tmp_path), dsn]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(CREATORS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    for process in processes:
        assert process.wait(60) == 0
        assert process.stdout is not None
        process.stdout.close()
    with closing(DuckLakeStores(Location(root=tmp_path, catalog=dsn or None))) as stores:
        found = stores.generations("points")
        assert [g.number for g in found] == list(range(1, CREATORS + 2))
        assert sorted(g.role for g in found) == ["building"] * CREATORS + ["live"]
