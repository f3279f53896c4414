"""Workers describe metrics on a real log, and know what its projection has."""

from __future__ import annotations

import asyncio

from redis import Redis

from adapters.memory.read_model import MemoryReadModel
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.metrics.settings import settle_partitions
from application.event_log.ports import RecordedDescriptions, RecordedEvent
from application.organizations.access import Grant
from domain.metric_description import MetricDescription
from tests.application.doubles import FakeClock, service_use_cases
from tests.contracts.metric_log import DESCRIPTIONS, described, published
from tests.redis_streams.support import reader_of
from tests.servers import LogServer

KEYS = MetricKeys("cave")
GILT = Grant("gilt", None, "t1")
CHANGED = MetricDescription(DESCRIPTIONS[0].name, help="another text")


def test_a_worker_that_starts_later_records_only_what_has_changed(server: LogServer) -> None:
    model = MemoryReadModel()

    def recorded(raw: Redis) -> list[RecordedEvent]:
        page = reader_of(raw, KEYS, 1).read(0, 0, 100)
        return [entry for entry in page if isinstance(entry, RecordedEvent)]

    async def work(*sent: tuple[MetricDescription, ...]) -> None:
        log = RedisMetricLog(server.url, KEYS, 1)
        await log.open()
        describe = service_use_cases(FakeClock(), metric_log=log, read_model=model).describe_metrics
        for descriptions in sent:
            await log.append(published())
            await describe(GILT, descriptions)
        await log.close()

    with Redis.from_url(server.url) as raw:
        settle_partitions(raw, KEYS, 1)
        asyncio.run(work(DESCRIPTIONS, DESCRIPTIONS))
        model.add(*recorded(raw))
        asyncio.run(work(DESCRIPTIONS, (*DESCRIPTIONS[1:], CHANGED), (CHANGED,)))
        model.add(*recorded(raw)[-4:])
        events = [e.event for e in recorded(raw) if isinstance(e, RecordedDescriptions)]
    assert events == [described(), described(descriptions=(CHANGED,))]
    assert model.descriptions("gilt", None) == {
        **{d.name: d for d in DESCRIPTIONS},
        CHANGED.name: CHANGED,
    }
