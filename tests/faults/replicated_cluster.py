"""A master of a cluster killed while a slot moves, under load: `make faults ARGUMENTS=replicated`.

Three masters with a replica each; a node that does not answer for a second counts as down. A slot
moves from master to master, key by key. In the middle of that, one of the two is killed. Once its
replica is promoted, it starts again, and the move is completed, as an operator would. Meanwhile
writers append numbered batches, every other one with a key until it is acknowledged. After each
round, every acknowledged batch is looked for in the log.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from redis.exceptions import RedisError

from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from application.event_log.durability import Durability
from tests.clusters import Cluster
from tests.contracts.metric_log import PARTITIONS
from tests.faults.replicated import (
    DOWN_AFTER,
    HEADING,
    KEYS,
    LOAD_SECONDS,
    PATIENCE,
    WRITERS,
    Ledger,
    Result,
    compared,
    longest_gap,
    row,
    write,
)
from tests.servers import LogServer
from tests.waiting import wait_until

FAULT = "master killed while a slot moves"
PROMOTION_SECONDS = 30.0
MOST_MOVED = 6
"""Keys of the slot that have been moved when the master is killed: up to so many, at random."""


def kill_while_moving(running: Cluster) -> None:
    """Move a partition's slot, kill its old or its new master meanwhile, and complete the move."""
    log = KEYS.log(random.randrange(PARTITIONS))
    source = running.master_of(log)
    target = random.choice([node for node in running.masters() if node is not source])
    running.begin_move(log, target)
    moved = sum(
        running.move_keys(log, target, most=1) for _ in range(random.randint(0, MOST_MOVED))
    )
    killed = random.choice([source, target])
    killed.kill()
    print(
        f"{log} from {source.port} to {target.port}, {moved} keys moved, {killed.port} killed",
        file=sys.stderr,
        flush=True,
    )
    try:
        wait_until(lambda: killed not in masters(running), PROMOTION_SECONDS, every=0.05)
    except AssertionError:
        # On a machine that is too busy, the nodes may not agree on a replica in time.
        print("no replica was promoted in time", file=sys.stderr, flush=True)
    killed.start()
    wait_until(lambda: repaired(running, log), PATIENCE, every=0.1)
    print(f"{log} is on {running.master_of(log).port}", file=sys.stderr, flush=True)


def masters(running: Cluster) -> list[LogServer]:
    with suppress(RedisError):
        return running.masters()
    return running.nodes


def repaired(running: Cluster, key: str) -> bool:
    """Complete or give up the move of a slot; return whether that is done."""
    with suppress(RedisError):
        return running.repair(key)
    return False


async def load(running: Cluster, durability: Durability) -> Ledger:
    """Publish, let it happen, and publish until all partitions work again, and a little longer."""
    ledger, numbers = Ledger(), count(time.time_ns() // 1000)
    log = RedisMetricLog(running.url, KEYS, PARTITIONS, durability=durability)
    await log.open()
    writers = [
        asyncio.ensure_future(write(log, ledger, numbers, keyed=n >= WRITERS // 2))
        for n in range(WRITERS)
    ]
    try:
        await asyncio.sleep(LOAD_SECONDS)
        await asyncio.to_thread(kill_while_moving, running)
        await until_usable(log)
        await asyncio.sleep(LOAD_SECONDS)
    finally:
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
        await asyncio.to_thread(heal, running)
        await until_usable(log)
        await log.close()
    return ledger


async def until_usable(log: RedisMetricLog) -> None:
    async with asyncio.timeout(PATIENCE):
        while await log.failures():  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.1)


def heal(running: Cluster) -> None:
    for node in running.nodes:
        if not node.running:
            node.start()
    wait_until(running.is_whole, PATIENCE, every=0.1)
    running.spread_replicas()
    wait_until(running.is_whole, PATIENCE, every=0.1)


def measure(running: Cluster, durability: Durability) -> Result:
    ledger = asyncio.run(load(running, durability))
    times: defaultdict[int, list[float]] = defaultdict(list)
    for partition, at in zip(ledger.partitions, ledger.times, strict=True):
        times[partition].append(at)
    return compared(running.url, ledger, max(map(longest_gap, times.values())))


@contextmanager
def cluster(replicas: int) -> Iterator[Cluster]:
    with TemporaryDirectory(prefix="cave-") as directory:
        running = Cluster(Path(directory), replicas=replicas, down_after=DOWN_AFTER)
        try:
            yield running
        finally:
            running.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--replicas", type=int, default=1, help="of each master")
    parser.add_argument(
        "--durability", nargs="*", type=Durability.parse, default=[Durability(), Durability(1)]
    )
    arguments: Any = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    print(HEADING, flush=True)
    for durability in arguments.durability:
        with cluster(arguments.replicas) as running:
            results = []
            for _ in range(arguments.rounds):
                results.append(measure(running, durability))
                print(row(FAULT, durability, results), file=sys.stderr, flush=True)
        print(row(FAULT, durability, results), flush=True)


if __name__ == "__main__":
    main()
