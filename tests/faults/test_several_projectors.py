"""Projectors of several hosts share the partitions, and are killed, paused and stopped at random.

The log server and PostgreSQL are real ones. All upkeep is due every 0.2 s, the lease is a second.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.ducklake.database import Connection, Location, attach, connect
from adapters.ducklake.lease.leases import Leases
from adapters.ducklake.store.stored_names import lake_name
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from application.projections.folds import PROJECTIONS
from application.projections.overview import ProjectionOverview
from entrypoints.wiring.projections import open_projections
from tests.contracts.metric_log import published
from tests.ducklake.postgres import PostgresServer, running_postgres
from tests.faults.conftest import ROUNDS
from tests.faults.hasty_projector import LEASE, settings
from tests.servers import start_valkey
from tests.waiting import wait_until

DISTURBANCES = ("kill", "stop", "pause")
DAYS = 3
POINTS = 20
SECONDS = 120.0
MAX_SNAPSHOTS = 10
"""More than upkeep leaves when nothing is published, far fewer than there were commits."""


class Hosts:
    """Hosts with a projector each, on one log server, PostgreSQL and directory of files."""

    def __init__(self, directory: Path, url: str, catalog: str, count: int) -> None:
        self.count = count
        self.url = url
        self.files = directory / "files"
        self.location = Location(
            root=directory / "observer" / "projections", catalog=catalog, files=str(self.files)
        )
        self._directory = directory
        self._catalog = catalog
        self._leases = Leases(self.location)
        self._projectors = [self._start(host) for host in range(count)]

    def disturb(self, how: str) -> None:
        """Kill, pause or stop a projector that writes points; then all of them run again."""
        wait_until(lambda: all(map(self._runs, range(self.count))), SECONDS)
        wait_until(lambda: bool(self._writers()), SECONDS)
        host = random.choice(self._writers() or [0])
        projector = self._projectors[host]
        match how:
            case "kill":
                projector.kill()
                projector.wait()
                self._projectors[host] = self._start(host)
            case "stop":
                projector.terminate()
                assert projector.wait(SECONDS) in {0, -signal.SIGTERM}, "it may not have begun yet"
                self._projectors[host] = self._start(host)
            case "pause":
                projector.send_signal(signal.SIGSTOP)
                time.sleep(LEASE.total_seconds() * random.uniform(0.5, 2.0))
                projector.send_signal(signal.SIGCONT)

    def end(self) -> None:
        for projector in self._projectors:
            assert projector.poll() is None, "a projector ended by itself"
            projector.terminate()
        for projector in self._projectors:
            assert projector.wait(SECONDS) in {0, -signal.SIGTERM}

    def close(self) -> None:
        self._leases.close()
        for projector in self._projectors:
            projector.kill()
            projector.wait()

    def output(self) -> str:
        return "".join(path.read_text() for path in self._directory.glob("*.[oe][ur]*"))

    @contextmanager
    def observed(self) -> Iterator[Callable[[], list[ProjectionOverview]]]:
        """Yield a function that returns the overview of all projections, as from a third host."""
        observer = settings(self.location.root.parent, self.url, self._catalog, str(self.files))
        with open_projections(observer, self.url) as tools:
            yield lambda: list(tools.overview())

    def verify(self) -> None:
        """Compare every projection with the log."""
        observer = settings(self.location.root.parent, self.url, self._catalog, str(self.files))
        with open_projections(observer, self.url) as tools:
            for projection in PROJECTIONS:
                assert tools.verify(projection, lambda progress: None).agrees

    def _writers(self) -> list[int]:
        """Return the hosts whose projectors write points."""
        pids = [int(writer.name.split("-")[-2]) for writer in self._leases.writers("series-1")]
        return [host for host, each in enumerate(self._projectors) if each.pid in pids]

    def _runs(self, host: int) -> bool:
        return "projector runs" in (self._directory / f"{host}.out").read_text()

    def _start(self, host: int) -> subprocess.Popen[bytes]:
        with (
            (self._directory / f"{host}.out").open("wb") as out,
            (self._directory / f"{host}.err").open("ab") as errors,
        ):
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.faults.hasty_projector"),
                    *(self._directory / str(host), self.url, self._catalog, self.files),
                ],
                stdout=out,
                stderr=errors,
            )


class Publisher:
    """Publishes events of several organizations for the block, and counts them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self.events = 0

    @contextmanager
    def publishing(self) -> Iterator[None]:
        thread = threading.Thread(target=lambda: asyncio.run(self._publish()))
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    async def _publish(self) -> None:
        log = RedisMetricLog(self._url, MetricKeys("cave"), 16)
        await log.open()
        while not self._stop.is_set():
            self.events += 1
            day = self.events % DAYS * 86_400_000
            points = [(f"m{n}", day + n, 1.0, {"event": str(self.events)}) for n in range(POINTS)]
            await log.append(published(f"org{self.events % 7}", points=points))
            await asyncio.sleep(0.004)
        await log.close()


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


def is_swept(hosts: Hosts, overviews: list[ProjectionOverview]) -> bool:
    """Return whether only files of current snapshots are left, and few snapshots."""
    for overview in overviews:
        assert overview.live is not None
        name = lake_name(overview.status.now.projection, overview.live.generation.number)
        with closing(connect(hosts.location)) as connection:
            attach(connection, hosts.location, name, "lake", read_only=True)
            known, snapshots = _contents(connection)
        if {str(file) for file in hosts.files.glob(f"{name}/**/*.parquet")} != known:
            return False
        if snapshots > MAX_SNAPSHOTS:
            return False
    return True


def _contents(connection: Connection) -> tuple[set[str], int]:
    """Return the files of all current tables, and the number of snapshots."""
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'"
    ).fetchall()
    known = {
        file
        for (table,) in tables
        for (file,) in connection.execute(
            f"SELECT data_file FROM ducklake_list_files('lake', '{table}')"
        ).fetchall()
    }
    ((snapshots,),) = connection.execute(
        "SELECT count(*) FROM ducklake_snapshots('lake')"
    ).fetchall()
    return known, snapshots


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_projectors_keep_every_row_once_whatever_happens_to_them(
    postgres: PostgresServer, count: int
) -> None:
    with TemporaryDirectory(prefix="cave-") as name:
        directory = Path(name)
        server = start_valkey(directory / "log")
        hosts = Hosts(directory, server.url, postgres.new_database(), count)
        publisher = Publisher(server.url)
        try:
            with publisher.publishing():
                for _ in range(ROUNDS):
                    for how in random.sample(DISTURBANCES, len(DISTURBANCES)):
                        hosts.disturb(how)
                        time.sleep(random.uniform(0, 1.0))
            with hosts.observed() as overviews:
                wait_until(lambda: not sum(each.status.lag_events for each in overviews()), SECONDS)
                wait_until(lambda: is_swept(hosts, overviews()), SECONDS)
                found = {each.status.now.projection: each for each in overviews()}
            hosts.end()
            for each in found.values():
                assert each.live is not None
                assert each.live.set_aside == []
            points = found["points"].live
            assert points is not None
            assert points.rows == POINTS * publisher.events
            hosts.verify()
        except BaseException:
            print(hosts.output()[-10_000:])
            raise
        finally:
            hosts.close()
            server.kill()
