"""Prometheus scrapes itself and a node exporter, and writes to the service and to a recorder."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.clients.account import Account
from tests.clients.conftest import SECONDS, takes_long
from tests.clients.points import Point, doubled, same
from tests.clients.processes import StartClient, listens
from tests.clients.recorder import recording
from tests.clients.remote_write import STALE, Recorder
from tests.debian import program
from tests.servers import free_port
from tests.waiting import wait_until

PROMETHEUS, NODE_EXPORTER = program("prometheus"), program("prometheus-node-exporter")
LABELS = {("cluster", "eu-1"), ("replica", "a"), ("env", "production")}

pytestmark = pytest.mark.skipif(
    PROMETHEUS is None or NODE_EXPORTER is None,
    reason="prometheus or prometheus-node-exporter is missing; `make clients` fetches them",
)


class Agent:
    """A Prometheus with a node exporter, and what else receives what it writes."""

    def __init__(
        self,
        account: Account,
        recorder: Recorder,
        recorder_port: int,
        start: StartClient,
        directory: Path,
    ) -> None:
        assert PROMETHEUS
        assert NODE_EXPORTER
        self.recorder = recorder
        self._recorder_port = recorder_port
        self._port, self._exporter_port = free_port(), free_port()
        self._config = directory / "prometheus.yml"
        self._configure(account.config("prometheus.yml"))
        self.exporter = start(
            NODE_EXPORTER, f"--web.listen-address=127.0.0.1:{self._exporter_port}"
        )
        self.process = start(
            PROMETHEUS,
            f"--config.file={self._config}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        )
        self.wait_until_scraping()

    def wait_until_scraping(self) -> None:
        """Wait until it has scraped both targets again; it takes 5 s to find them."""
        begun = time.time() * 1000
        wait_until(lambda: self.process.runs() and listens(self._port))
        wait_until(lambda: len(self._up_since(begun)) == 2)

    def drain(self) -> None:
        """End all scraping, and wait until all series are ended and everything is written."""
        # The jobs stay: without its job, a target gets no markers.
        text = self._config.read_text()
        self._config.write_text(re.sub(r"targets: \[.*\]", "targets: []", text))
        self.process.send(signal.SIGHUP)
        wait_until(lambda: self._all_ended() and self._all_written(), 120)

    def _all_ended(self) -> bool:
        """Return whether the latest point of each series marks its end."""
        latest: dict[object, Point] = {}
        for each in self.recorder.points[:]:
            key = each.name, each.tags
            latest[key] = max(latest.get(key, each), each, key=lambda point: point.time)
        return all(point.bits == STALE for point in latest.values())

    def _all_written(self) -> bool:
        """Return whether both receivers have answered for every sample."""
        sent = self.metric("samples_total") - self.metric("samples_retried_total")
        return sent == 2 * self.metric("samples_in_total") and not self.metric("samples_pending")

    def _up_since(self, time: float) -> set[object]:
        points = self.recorder.points[:]
        return {p.tags for p in points if p.name == "up" and p.value == 1 and p.time > time}

    def metric(self, name: str) -> float:
        """Return the sum of a metric of its remote storage over all its receivers."""
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=30) as answer:
                text = answer.read().decode()
        except URLError:
            return -1
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"prometheus_remote_storage_{name}"
        )

    def _configure(self, text: str) -> None:
        text = text.replace("scrape_interval: 15s", "scrape_interval: 1s")
        text = text.replace("127.0.0.1:9090", f"127.0.0.1:{self._port}")
        text = text.replace("127.0.0.1:9100", f"127.0.0.1:{self._exporter_port}")
        text += f"  - url: http://127.0.0.1:{self._recorder_port}/recorded\n"
        # Metadata are sent once a minute otherwise.
        soon = r"\1\n    metadata_config:\n      send_interval: 2s"
        self._config.write_text(re.sub(r"(  - url: .*)", soon, text))


def described(account: Account) -> set[str]:
    """Return the names of families that have metadata."""
    path = f"/organizations/{account.name}/metric-names?metadata=true"
    names: Any = account.service.ask("GET", path, token=account.token)
    known = {each["name"] for each in names if "help" in each}
    return known | {re.sub("_(bucket|count|sum)$", "", name) for name in known}


@pytest.fixture
def agent(account: Account, start_client: StartClient, tmp_path: Path) -> Iterator[Agent]:
    recorder = Recorder()
    with recording(recorder.record) as port:
        yield Agent(account, recorder, port, start_client, tmp_path)


@pytest.mark.timeout(0)
def test_nothing_is_lost_neither_samples_nor_markers_of_their_end(
    account: Account, agent: Agent
) -> None:
    time.sleep(SECONDS)
    agent.exporter.kill()
    time.sleep(2)
    agent.drain()
    stored = account.stored()
    same(stored, agent.recorder.points)
    assert account.refused() == 0
    wait_until(lambda: described(account) >= agent.recorder.families)
    assert agent.metric("samples_failed_total") == agent.metric("samples_dropped_total") == 0
    assert all(point.tags >= LABELS for point in stored)
    series = {(point.name, point.tags) for point in stored}
    assert series == {(point.name, point.tags) for point in stored if point.bits == STALE}
    assert len(series) > 500


@takes_long
@pytest.mark.timeout(0)
def test_killed_workers_and_a_killed_service_lose_and_double_nothing(
    disturbed: Account, start_client: StartClient, tmp_path: Path
) -> None:
    service, recorder = disturbed.service, Recorder()
    with recording(recorder.record) as port:
        agent = Agent(disturbed, recorder, port, start_client, tmp_path)
        for pid in service.pids("worker"):
            os.kill(pid, signal.SIGKILL)
        time.sleep(1.5)
        service.kill_all()
        time.sleep(1.5)
        service.start()
        agent.drain()
        same(disturbed.stored(), recorder.points)
        assert agent.metric("samples_retried_total") > 0
        assert agent.metric("samples_failed_total") == agent.metric("samples_dropped_total") == 0


@takes_long
@pytest.mark.timeout(0)
def test_a_killed_client_that_starts_again_loses_nothing_from_then_on_and_doubles_nothing(
    account: Account, agent: Agent
) -> None:
    """Prometheus itself never sends again what it had scraped and not sent when it was killed."""
    time.sleep(2)
    agent.process.kill()
    killed = time.time() * 1000
    agent.process.start()
    agent.wait_until_scraping()
    time.sleep(2)
    agent.drain()
    stored = account.stored()
    assert not doubled(stored)
    same(
        [point for point in stored if point.time > killed],
        [point for point in agent.recorder.points if point.time > killed],
    )
