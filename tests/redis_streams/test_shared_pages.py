"""Projections that share what they read of a log on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack

from redis import Redis

from adapters.event_format.codec import MetricEventCodec
from adapters.memory.projection_stores import MemoryProjectionStores
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.metrics.settings import settle_partitions
from application.projections.folds import PROJECTIONS
from application.projections.ports import Role
from application.projections.runner import MAX_PAGE, ProjectionRunner
from application.projections.shared_pages import SharedPages
from domain.events import MetricEvent
from tests.contracts.metric_log import PARTITIONS, described, published
from tests.redis_streams.support import calls, reader_of
from tests.servers import LogServer

KEYS = MetricKeys("cave")
ROUNDS = 3
EVENTS = MAX_PAGE + 100
"""More than a page, per round."""


class Counting(MetricEventCodec):
    decoded = 0

    def decode(self, fields: Mapping[bytes, bytes]) -> MetricEvent:
        self.decoded += 1
        return super().decode(fields)


async def publish(url: str) -> None:
    log = RedisMetricLog(url, KEYS, PARTITIONS)
    await log.open()
    try:
        events: list[MetricEvent] = [*(published() for _ in range(EVENTS)), described()]
        await asyncio.gather(*map(log.append, events))
    finally:
        await log.close()


def test_each_event_is_read_and_decoded_once_for_all_projections(server: LogServer) -> None:
    codec = Counting()
    with Redis.from_url(server.url) as client, ExitStack() as opened:
        settle_partitions(client, KEYS, PARTITIONS)
        pages = SharedPages(reader_of(client, KEYS, PARTITIONS, codec))
        stores = MemoryProjectionStores()
        runners = []
        for projection in PROJECTIONS:
            store = opened.enter_context(stores.open(stores.create(projection, Role.LIVE)))
            reader = opened.enter_context(pages.reader(projection.event))
            runners.append(ProjectionRunner(pages.log, store, projection, pages=reader))
            reader.begin(runners[-1].positions)
        before = calls(client, "xrange")  # other tests may have used the server
        for _ in range(ROUNDS):
            asyncio.run(publish(server.url))
            for runner in runners:
                while runner.step().events:
                    pass
        ends = [pages.log.entries.last_position(partition) for partition in range(PARTITIONS)]
        assert [runner.positions for runner in runners] == [ends] * len(runners)
        assert codec.decoded == ROUNDS * (EVENTS + 1)
        # The first one reads two pages per round and then none, the others only that there is none.
        assert calls(client, "xrange") - before <= ROUNDS * (3 + 1 + 1) + PARTITIONS
        assert pages.held == 0
        rows = {p.name: stores.info(stores.generations(p.name)[0]).rows for p in PROJECTIONS}
        assert rows["points"] >= ROUNDS * EVENTS
