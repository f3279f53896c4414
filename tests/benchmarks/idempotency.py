"""`python -m tests.benchmarks.idempotency [KEYS]`: what an idempotency key costs the log server.

Appends batches of one point, each with a key of its own, to an embedded server without fsync.
Prints the server's memory per key, the batches not counted, and its processor time per append with
and without a key.
"""

from __future__ import annotations

import asyncio
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from redis import Redis

from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from application.publishing.ports import Idempotency
from domain.events import MetricsPublished
from domain.metric_point import PointBatch, TagSet
from tests.servers import LogServer, start_valkey

KEYS = MetricKeys("cave")
ORGANIZATIONS = 200
GROUP = 500

_POINT = PointBatch(["m"], [1398788625000], [1.0], [TagSet((("host", "svc5"),))])


def main() -> None:
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    for partitions in (1, 16):
        with TemporaryDirectory(prefix="cave-") as directory:
            server = start_valkey(Path(directory))
            try:
                _measure(server, partitions, keys)
            finally:
                server.kill()


def _measure(server: LogServer, partitions: int, keys: int) -> None:
    with Redis.from_url(server.url) as client:
        client.config_set("appendfsync", "no")
        client.config_set("lazyfree-lazy-user-del", "no")
        asyncio.run(_append(server, partitions, GROUP, keyed=True))
        _forget_batches(client, partitions)
        before = client.info("memory")["used_memory"]
        client.config_resetstat()
        asyncio.run(_append(server, partitions, keys, keyed=True))
        with_key = _microseconds(client, "fcall")
        _forget_batches(client, partitions)
        memory = (client.info("memory")["used_memory"] - before) / keys
        client.config_resetstat()
        asyncio.run(_append(server, partitions, keys // 10, keyed=False))
        without = _microseconds(client, "xadd")
    print(
        f"{keys:,} keys in {partitions} partitions: {memory:.1f} bytes per key; "
        f"{with_key:.1f} µs per append with a key, {without:.1f} µs without"
    )


async def _append(server: LogServer, partitions: int, count: int, *, keyed: bool) -> None:
    log = RedisMetricLog(server.url, KEYS, partitions)
    await log.open()
    try:
        for start in range(0, count, GROUP):
            await asyncio.gather(
                *(
                    log.append(_event(number), _key(f"{count}-{number}") if keyed else None)
                    for number in range(start, min(start + GROUP, count))
                )
            )
    finally:
        await log.close()


def _event(number: int) -> MetricsPublished:
    organization = f"org{number % ORGANIZATIONS}"
    return MetricsPublished(organization=organization, team=None, token_id="t1", points=_POINT)


def _key(name: str) -> Idempotency:
    return Idempotency(f"batch-{name}", sha256(name.encode()).digest())


def _forget_batches(client: Redis, partitions: int) -> None:
    client.delete(*(KEYS.log(partition) for partition in range(partitions)))


def _microseconds(client: Redis, command: str) -> float:
    statistics: Any = client.info("commandstats")
    return float(statistics[f"cmdstat_{command}"]["usec_per_call"])


if __name__ == "__main__":
    main()
