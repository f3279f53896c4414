"""A writer that is paused for longer than its lease never commits again; its successor is exact.

The paused one is a process stopped by SIGSTOP, in whatever it was doing: committing, merging or
sweeping.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest

from adapters.ducklake.database import Location
from adapters.ducklake.store.generation import DuckLakeStore
from adapters.ducklake.store.sessions import limited
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.errors import ProjectionBusy, ProjectionMissing, StoreUnavailable
from application.projections.folds import POINTS
from application.projections.live import live_generation
from application.projections.ports import Generation, Role
from tests.contracts.projection_store import commit, recorded, some_points
from tests.ducklake.churning import TAKEN_OVER
from tests.ducklake.support import POINTS_PER_EVENT, digests_at_once, number_of
from tests.waiting import wait_until

LEASE = 1.0
KEEP_SECONDS = 60
LONG = 600.0
PAUSES = 2


@contextmanager
def writing(location: Location, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that commits one event after another, with all upkeep, for the block."""
    places = [str(location.root), "commit", str(seconds)]
    if location.catalog is not None:
        places += [location.catalog, str(location.files)]
    command = [sys.executable, "-m", "tests.ducklake.churning", *places]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"began\n"
            yield process
        finally:
            process.kill()


@contextmanager
def taken_over(
    stores: DuckLakeStores, paused: subprocess.Popen[bytes]
) -> Iterator[tuple[Generation, DuckLakeStore]]:
    """Open the live generation as soon as its paused writer's lease has expired."""
    live = live_generation(stores, "points")
    assert live is not None
    with ExitStack() as opened:
        found: list[DuckLakeStore] = []

        def is_open() -> bool:
            try:
                found.append(opened.enter_context(stores.open(live)))
            except StoreUnavailable:
                # It was paused with SQLite's lock of the whole catalog.
                paused.send_signal(signal.SIGCONT)
                time.sleep(0.02)
                paused.send_signal(signal.SIGSTOP)
            except ProjectionBusy:
                time.sleep(0.05)
            return bool(found)

        wait_until(is_open, 60)
        yield live, found[0]


def let_expire(stores: DuckLakeStores) -> None:
    """Make all leases expire now, as if their holders had been paused for long."""
    with stores._leases._opened() as table:
        for holder in table.holders().values():
            table.release(holder.owner)


@pytest.fixture(params=[pytest.param("one host", marks=pytest.mark.slow), "two hosts"])
def locations(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Location, Location]:
    """The locations of the two writers."""
    if request.param == "one host":
        return Location(root=tmp_path), Location(root=tmp_path)
    catalog, files = request.getfixturevalue("database"), str(tmp_path / "files")
    first, second = (
        Location(root=tmp_path / host, catalog=catalog, files=files) for host in ("a", "b")
    )
    return first, second


def test_a_writer_that_was_paused_and_taken_over_never_commits_again(
    locations: tuple[Location, Location], tmp_path: Path
) -> None:
    rng = random.Random(7)
    first, second = locations
    with closing(DuckLakeStores(second, lease_seconds=LONG)) as stores:
        for _ in range(PAUSES):
            with writing(first, LEASE) as paused:
                time.sleep(rng.uniform(0.1, 1.0))
                paused.send_signal(signal.SIGSTOP)
                with taken_over(stores, paused) as (live, store):
                    number = number_of(store.checkpoints())
                    for next_ in range(number + 1, number + 4):
                        commit(store, recorded(0, next_, some_points(POINTS_PER_EVENT, next_)))
                    store._upkeep.expire(KEEP_SECONDS)
                    store._upkeep.delete_orphans(0)
                    paused.send_signal(signal.SIGCONT)
                    wait_until(lambda: paused.poll() == TAKEN_OVER, 60)
                    number += 4
                    commit(store, recorded(0, number, some_points(POINTS_PER_EVENT, number)))
                    store._upkeep.expire(0)
                    store._upkeep.delete_orphans(0)
                    known = store._connection.execute(
                        "SELECT data_file FROM ducklake_list_files('lake', 'series')"
                    ).fetchall()
            assert stores.info(live).rows == POINTS_PER_EVENT * number
            files = {str(file) for file in tmp_path.glob("**/series-1/**/*.parquet")}
            assert files == {name for (name,) in known}
        assert stores.digests(live) == digests_at_once(stores, number)


def test_a_paused_writer_does_not_stay_the_writer(locations: tuple[Location, Location]) -> None:
    """Its successor is shown in its place."""
    first, second = locations
    with (
        writing(first, LEASE) as paused,
        closing(DuckLakeStores(second, lease_seconds=LONG)) as stores,
    ):
        live = live_generation(stores, "points")
        assert live is not None
        wait_until(lambda: stores.info(live).writers, 60)  # late if the machine is busy
        before = stores.info(live).writers
        paused.send_signal(signal.SIGSTOP)
        with taken_over(stores, paused):
            after = stores.info(live).writers
            assert [writer.here for writer in after] == [True]
            assert after != before


def test_a_rebuild_that_was_taken_over_is_not_swapped_in_by_its_first_process(
    locations: tuple[Location, Location],
) -> None:
    first, second = locations
    with closing(DuckLakeStores(first)) as stores, closing(DuckLakeStores(second)) as others:
        building = stores.create(POINTS, Role.BUILDING)
        with stores.open(building) as paused:
            commit(paused, recorded(0, 1))
            let_expire(others)
            with others.open(building) as store:
                commit(store, recorded(0, 2))
                assert others.swap_in(building)
            with pytest.raises((ProjectionBusy, StoreUnavailable)):
                commit(paused, recorded(0, 2))
            with pytest.raises(ProjectionMissing):
                stores.swap_in(building)
        assert stores.info(building).rows == 2
        assert [g.role for g in stores.generations("points")] == [Role.LIVE]


def test_a_killed_writer_is_replaced_at_once_on_its_own_host(tmp_path: Path) -> None:
    location = Location(root=tmp_path)
    with writing(location, LONG) as killed, closing(DuckLakeStores(location)) as stores:
        killed.kill()
        killed.wait()
        live = live_generation(stores, "points")
        assert live is not None
        with stores.open(live) as store:
            assert number_of(store.checkpoints()) >= 0


def test_a_writer_that_was_taken_over_can_neither_commit_nor_read_nor_sweep(
    locations: tuple[Location, Location],
) -> None:
    """Also before its lease is known to be lost."""
    first, second = locations
    with closing(DuckLakeStores(first)) as stores, closing(DuckLakeStores(second)) as others:
        with writing(first, LONG):
            pass
        live = live_generation(stores, "points")
        assert live is not None
        with stores.open(live) as store:
            number = number_of(store.checkpoints()) + 1
            commit(store, recorded(0, number, some_points(POINTS_PER_EVENT, number)))
            let_expire(others)
            with others.open(live) as successor:
                with pytest.raises((ProjectionBusy, StoreUnavailable)):
                    commit(store, recorded(0, number + 1))
                with pytest.raises(ProjectionBusy):
                    store.checkpoints()
                with pytest.raises(ProjectionBusy):
                    store._upkeep.delete_orphans(0)
                assert number_of(successor.checkpoints()) == number


def test_the_locks_of_a_paused_transaction_do_not_stop_the_next_writer(
    database: str, tmp_path: Path
) -> None:
    """PostgreSQL ends the transaction: dropping a table of the catalog would wait for it."""
    location = Location(root=tmp_path, catalog=database)
    with (
        closing(DuckLakeStores(location, lease_seconds=LEASE)) as stores,
        closing(DuckLakeStores(location, lease_seconds=LEASE)) as others,
    ):
        live = stores.create(POINTS, Role.LIVE)
        with stores.open(live) as paused:
            commit(paused, recorded(0, 1))
            paused._connection.execute("BEGIN")
            paused._connection.execute("FROM lake.checkpoints").fetchall()
            let_expire(others)
            with others.open(live) as store:
                commit(store, recorded(0, 2))
                store._upkeep.expire(0)
                commit(store, recorded(0, 3))
            with pytest.raises(duckdb.Error):
                paused._connection.execute("ROLLBACK")
        assert stores.info(live).rows == 3


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("host=a dbname=b", "host=a dbname=b options='{}'"),
        ("postgresql://a/b", "postgresql://a/b?options={}"),
        ("postgresql://a/b?sslmode=require", "postgresql://a/b?sslmode=require&options={}"),
    ],
)
def test_a_writers_sessions_have_limits(given: str, written: str, tmp_path: Path) -> None:
    location = limited(Location(root=tmp_path, catalog=given), 10.0)
    text = "-c idle_in_transaction_session_timeout=30000 -c lock_timeout=60000"
    assert location.catalog == written.format(quote(text) if "://" in given else text)


def test_a_writers_sessions_keep_options_of_their_own(tmp_path: Path) -> None:
    for catalog in (None, "host=a options='-c lock_timeout=1'", "postgresql://a/b?options=-cx%3D1"):
        location = Location(root=tmp_path, catalog=catalog)
        assert limited(location, 10.0) == location
