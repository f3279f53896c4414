"""Several writers share out the partitions of a generation, with catalogs in PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import duckdb
import pytest

from adapters.ducklake.database import Location
from adapters.ducklake.query.read_model import DuckLakeReadModel
from adapters.ducklake.store import generation as generation_module
from adapters.ducklake.store.generation import DuckLakeStore
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.errors import ProjectionBusy, StoreUnavailable
from application.projections.folds import POINTS
from application.projections.live import live_generation
from application.projections.ports import Generation, Role
from tests.contracts.projection_store import checkpoint, commit, recorded
from tests.ducklake import churning
from tests.ducklake.support import digests_of_all, number_of
from tests.waiting import wait_until

PARTITIONS = range(churning.PARTITIONS)
LONG = 600.0
LEASE = 1.0
SECONDS = 120.0


class Hosts:
    """Hosts with a directory each, on one PostgreSQL and one directory of files."""

    def __init__(self, directory: Path, database: str, opened: ExitStack) -> None:
        self._directory = directory
        self._database = database
        self._opened = opened
        self.stores: list[DuckLakeStores] = []
        self.live: Generation | None = None

    def location(self, host: int) -> Location:
        return Location(
            root=self._directory / str(host),
            catalog=self._database,
            files=str(self._directory / "files"),
        )

    def add(self, lease_seconds: float = LONG) -> DuckLakeStores:
        stores = DuckLakeStores(self.location(len(self.stores)), lease_seconds=lease_seconds)
        self._opened.enter_context(closing(stores))
        self.stores.append(stores)
        return stores

    def join(self, lease_seconds: float = LONG) -> DuckLakeStore:
        stores = self.add(lease_seconds)
        if self.live is None:
            self.live = stores.create(POINTS, Role.LIVE)
        return self._opened.enter_context(stores.join(self.live))


@pytest.fixture
def hosts(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    monkeypatch.setattr(generation_module, "BALANCE_EVERY", 0.0)
    with ExitStack() as opened:
        yield Hosts(tmp_path, database, opened)


def written(store: DuckLakeStore) -> set[int]:
    return {partition for partition in PARTITIONS if store.writes(partition)}


def balance(*stores: DuckLakeStore) -> None:
    """Let the stores balance until nothing changes any more; afterwards all know their part."""
    while sum(store.balance() for store in stores):
        pass
    for store in stores:
        store.checkpoints()


def test_partitions_are_shared_out_evenly_and_stay_so(hosts: Hosts) -> None:
    first = hosts.join()
    assert written(first) == set(PARTITIONS)
    others = [hosts.join() for _ in range(2)]
    balance(first, *others)
    parts = [written(store) for store in (first, *others)]
    assert sorted(map(len, parts)) == [4, 4, 8]
    assert set.union(*parts) == set(PARTITIONS)
    for _ in range(3):
        balance(first, *others)
        assert [written(store) for store in (first, *others)] == parts


def test_writers_commit_side_by_side_and_readers_see_all_of_it(hosts: Hosts) -> None:
    first, second = hosts.join(), hosts.join()
    balance(first, second)
    for number in range(1, 4):
        for store in (first, second):
            commit(store, *(recorded(p, number) for p in sorted(written(store))))
    assert hosts.live is not None
    info = hosts.stores[0].info(hosts.live)
    assert info.rows == 3 * len(PARTITIONS)
    assert info.checkpoints.keys() == set(PARTITIONS)
    assert len(info.writers) == 2
    with closing(DuckLakeReadModel(hosts.location(9))) as model:
        found = model.live("points")
        assert found is not None
        assert found.positions == {p: c.position for p, c in info.checkpoints.items()}
        assert [writer.here for writer in found.writers] == [False, False]


def test_a_share_that_was_taken_over_is_never_written_by_its_last_holder(hosts: Hosts) -> None:
    first = hosts.join()
    commit(first, *(recorded(p, 1) for p in PARTITIONS))
    before = first.checkpoints()
    with hosts.stores[0]._leases._opened() as table:
        for holder in table.holders().values():
            table.release(holder.owner)
    second = hosts.join()
    assert written(second) == set(PARTITIONS)
    assert second.checkpoints() == before
    for store_of_last in (lambda: commit(first, recorded(3, 2)), first.checkpoints):
        with pytest.raises((ProjectionBusy, StoreUnavailable)):
            store_of_last()
    with pytest.raises((ProjectionBusy, StoreUnavailable)):
        first._upkeep.delete_orphans(0)
    commit(second, recorded(3, 2))
    assert hosts.live is not None
    assert hosts.stores[1].info(hosts.live).rows == len(PARTITIONS) + 1


def test_a_generation_with_one_writer_is_shared_out_as_it_is(hosts: Hosts) -> None:
    """As earlier releases made it, and replays do. Its last writer commits nothing more."""
    stores = hosts.add()
    hosts.live = stores.create(POINTS, Role.LIVE)
    with stores.open(hosts.live) as sole:
        commit(sole, *(recorded(p, 1) for p in PARTITIONS))
        known = sole.checkpoints()
        with pytest.raises(ProjectionBusy):
            hosts.join()
        with stores._leases._opened() as table:
            for holder in table.holders().values():
                table.release(holder.owner)
        first, second = hosts.join(), hosts.join()
        balance(first, second)
        assert {**first.checkpoints(), **second.checkpoints()} == known
        for refused in (lambda: commit(sole, recorded(0, 2)), sole.checkpoints):
            with pytest.raises((ProjectionBusy, StoreUnavailable)):
                refused()
    for store in (first, second):
        commit(store, *(recorded(p, 2) for p in written(store)))
    assert stores.info(hosts.live).rows == 2 * len(PARTITIONS)
    with pytest.raises(ProjectionBusy), stores.open(hosts.live):
        pytest.fail("it is being written")
    with pytest.raises(ProjectionBusy):
        stores.drop(hosts.live)


def test_one_writer_can_open_all_partitions_of_a_generation_that_was_shared_out(
    hosts: Hosts,
) -> None:
    stores = hosts.add()
    live = stores.create(POINTS, Role.LIVE)
    with stores.join(live) as store:
        commit(store, *(recorded(p, 1) for p in PARTITIONS))
    with stores.open(live) as store:
        assert written(store) == set(PARTITIONS)
        assert store.checkpoints().keys() == set(PARTITIONS)
        commit(store, *(recorded(p, 2) for p in PARTITIONS))
        with hosts.add().join(live) as other:
            assert written(other) == set()
    assert stores.info(live).rows == 2 * len(PARTITIONS)


def test_no_file_is_deleted_that_another_writer_is_about_to_commit(hosts: Hosts) -> None:
    """Its commit fails if its file may be gone, and is repeated with another."""
    first, second = hosts.join(), hosts.join()
    balance(first, second)
    keeper, other = (first, second) if first.writes(0) else (second, first)
    partition = min(written(other))
    with ExitStack() as opened:
        opened.enter_context(pytest.raises(duckdb.TransactionException, match="has dropped it"))
        opened.enter_context(other._fence.committing([checkpoint(recorded(partition, 1))]))
        other._connection.execute("INSERT INTO lake.series (organization, day) VALUES ('a', now())")
        keeper._upkeep.delete_orphans(0)
    commit(other, recorded(partition, 1))
    assert hosts.live is not None
    assert hosts.stores[0].info(hosts.live).rows == 1
    files = keeper._connection.execute(
        "SELECT data_file FROM ducklake_list_files('lake', 'series')"
    ).fetchall()
    assert all(Path(file).exists() for (file,) in files)


def test_writers_that_are_killed_and_paused_double_and_lose_nothing(
    hosts: Hosts, tmp_path: Path
) -> None:
    """All upkeep is due every 0.2 s."""
    observer = hosts.add(LEASE)

    def start(host: int) -> subprocess.Popen[bytes]:
        location = hosts.location(10 + host)
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.ducklake.churning", str(location.root), "share"),
                *(str(LEASE), str(location.catalog), str(location.files)),
            ],
            stdout=subprocess.DEVNULL,
        )

    def numbers() -> dict[int, int]:
        live = live_generation(observer, "points")
        known = {} if live is None else observer.info(live).checkpoints
        return {p: number_of(known, p) for p in PARTITIONS}

    def wait_for_all() -> None:
        """Wait until every partition has moved on, whoever wrote it before."""
        before = numbers()
        wait_until(lambda: all(n > before[p] for p, n in numbers().items()), SECONDS)

    processes = [start(host) for host in range(2)]
    try:
        wait_for_all()
        processes[0].kill()
        processes.append(start(2))
        wait_for_all()
        processes[1].send_signal(signal.SIGSTOP)
        wait_for_all()
        processes[1].send_signal(signal.SIGCONT)
        wait_for_all()
    finally:
        for process in processes:
            process.kill()
            process.wait()
    live = live_generation(observer, "points")
    assert live is not None
    assert observer.digests(live) == digests_of_all(observer, numbers())
    assert observer.info(live).set_aside == []
