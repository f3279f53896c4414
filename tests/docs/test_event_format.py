"""The reader in docs/event-format.md reads whatever a log may have."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from redis import Redis

from adapters.event_format.codec import MetricEventCodec
from adapters.event_format.encoder import MetricEncoder
from adapters.redis_streams.metrics.keys import MetricKeys
from domain.events import MetricsPublished
from tests.contracts.metric_log import TRICKY_BATCHES, Point, described, published
from tests.docs.markdown import ROOT, blocks
from tests.event_format.support import always_loaded, earlier_fields
from tests.servers import LogServer, start_valkey

KEYS = MetricKeys("cave")


@pytest.fixture
def server() -> Iterator[LogServer]:
    with TemporaryDirectory(prefix="cave-") as directory:
        server = start_valkey(Path(directory))
        yield server
        server.kill()


def batches() -> Iterator[list[Point]]:
    chance = random.Random(3)
    yield from TRICKY_BATCHES.values()
    for count, names in ((1, 1), (8, 2), (60, 3), (500, 300)):
        for digits in (0, 2, 17):
            yield [
                (
                    f"m{row % names}",
                    1_700_000_000_000 + row % 7 * 250,
                    # The first name's values may have more digits than an integer can.
                    round(chance.uniform(0, 1e4), 0 if row % names else digits),
                    {"host": f"h{row % 290}"},
                )
                for row in range(count)
            ]
    yield [("up", row, row * 1e6, {}) for row in range(400)]  # with a lag


def entries() -> Iterator[tuple[MetricsPublished, Any]]:
    """Yield each batch as an event of every version, its values as floats and packed."""
    codec, packing = MetricEventCodec(), MetricEncoder(always_loaded(pack_from=1))
    for points in batches():
        event = published(points=points)
        fields = dict(codec.encode(event))
        yield event, fields
        content = packing.points_fields(event.points)
        yield event, {**fields, **dict(zip(content[::2], content[1::2], strict=True))}
        yield event, earlier_fields(event)


def test_it_reads_every_version_and_every_form(server: LogServer) -> None:
    expected = []
    with Redis.from_url(server.url) as client:
        client.hset(KEYS.settings, "partitions", 1)
        stored: Any = MetricEventCodec().encode(described())
        client.xadd(KEYS.log(0), stored)
        for event, stored in entries():
            name = client.xadd(KEYS.log(0), stored).decode()
            for point in event.points.points():
                columns = (point.name, point.timestamp, point.value, point.tags)
                expected.append(" ".join(map(str, (f"0-{name}", event.organization, *columns))))
    (reader,) = blocks(ROOT / "docs" / "event-format.md", "python")
    command = [sys.executable, "-c", reader, server.url.removeprefix("unix://")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:-1] == expected
