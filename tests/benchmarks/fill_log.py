"""Fills the log of a running service with points, as fast as the log server takes them.

    python -m tests.benchmarks.fill_log SOCKET POINTS [POINTS_PER_BATCH]

Prints a line per ten seconds: points so far, and the log server's memory.
"""

from __future__ import annotations

import asyncio
import sys
import time
from array import array

from redis import Redis

from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.metrics.settings import settle_partitions
from application.errors import LogFull
from domain.columns import CodedColumn
from domain.events import MetricsPublished
from domain.metric_point import PointBatch, tag_set

ORGANIZATIONS = 8
AT_ONCE = 16
HOSTS = 200
NAMES = 10
EVERY = 10.0


def batch(number: int, points: int) -> PointBatch:
    """Return a batch of gauges with two decimals, of 10 names and 200 hosts."""
    names = [f"metric.{place}" for place in range(NAMES)]
    hosts = [tag_set({"host": f"host{place}", "env": "production"}) for place in range(HOSTS)]
    assert all(hosts)
    start = 1_700_000_000_000 + number * 15_000
    return PointBatch(
        CodedColumn.checked(names, array("B", [place % NAMES for place in range(points)])),
        array("q", [start] * points),
        array("d", [(place * 7919 + number * 104729) % 100_000 / 100 for place in range(points)]),
        CodedColumn.checked(
            [host for host in hosts if host is not None],
            array("B", [place % HOSTS for place in range(points)]),
        ),
    )


async def fill(socket: str, points: int, per_batch: int) -> None:
    url, keys = f"unix://{socket}", MetricKeys("cave")
    with Redis.from_url(url) as client:
        log = RedisMetricLog(url, keys, settle_partitions(client, keys, None))
        await log.open()
        began = shown = time.monotonic()
        sent = number = peak = 0
        while sent < points:
            events = [
                MetricsPublished(
                    organization=f"filled{(number + place) % ORGANIZATIONS}",
                    team=None,
                    token_id="filler",
                    points=batch(number + place, per_batch),
                )
                for place in range(AT_ONCE)
            ]
            for found in await asyncio.gather(*map(log.append, events), return_exceptions=True):
                if isinstance(found, LogFull):
                    await asyncio.sleep(0.1)
                elif isinstance(found, BaseException):
                    raise found
                else:
                    sent += per_batch
            number += AT_ONCE
            if (now := time.monotonic()) - shown >= EVERY or sent >= points:
                used = int(client.info("memory")["used_memory"])
                peak, shown = max(peak, used), now
                rate = sent / (now - began)
                line = f"{sent:,} points, {rate:,.0f} points/s, server {used >> 20} MiB"
                print(f"{line}, most {peak >> 20} MiB", flush=True)
        await log.close()


def main() -> None:
    socket, points, *per_batch = sys.argv[1:]
    asyncio.run(fill(socket, int(points), int(per_batch[0]) if per_batch else 1000))


if __name__ == "__main__":
    main()
