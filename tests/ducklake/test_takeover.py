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

import pytest

from adapters.ducklake.database import Location
from adapters.ducklake.store.generation import DuckLakeStore
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.errors import ProjectionBusy, StoreUnavailable
from application.projections.live import live_generation
from application.projections.ports import Generation
from tests.contracts.projection_store import commit, recorded, some_points
from tests.ducklake.churning import TAKEN_OVER
from tests.ducklake.support import POINTS_PER_EVENT, digests_at_once, number_of
from tests.waiting import wait_until

LEASE = 1.0
KEEP_SECONDS = 60
LONG = 600.0
PAUSES = 3


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


@pytest.fixture(params=["one host", "two hosts"])
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
    with closing(DuckLakeStores(second, lease_seconds=LEASE)) as stores:
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
    """It learns of its successor even if it has nothing to commit."""
    first, second = locations
    with (
        writing(first, LEASE) as paused,
        closing(DuckLakeStores(second, lease_seconds=LEASE)) as stores,
    ):
        live = live_generation(stores, "points")
        assert live is not None
        with pytest.raises(ProjectionBusy), stores.open(live):
            pytest.fail("taken over from a running writer")
        before = stores.info(live).writer
        assert before is not None
        assert before.here == (first.root == second.root)
        paused.send_signal(signal.SIGSTOP)
        with taken_over(stores, paused):
            after = stores.info(live).writer
            assert after is not None
            assert after.here
            assert after.name != before.name


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
            with others._leases._opened() as table:
                for holder in table.holders().values():
                    table.release(holder.owner)
            with others.open(live) as successor:
                with pytest.raises((ProjectionBusy, StoreUnavailable)):
                    commit(store, recorded(0, number + 1))
                with pytest.raises(ProjectionBusy):
                    store.checkpoints()
                with pytest.raises(ProjectionBusy):
                    store._upkeep.delete_orphans(0)
                assert number_of(successor.checkpoints()) == number
