"""The log's format: bytes per point, the log server's memory, encoding and decoding."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec.structs import replace
from redis import Redis

from adapters.event_format.codec import MetricEventCodec
from adapters.event_format.encoder import MetricEncoder, origin_fields
from domain.columns import coded
from domain.events import MetricsPublished
from tests.benchmarks import goals
from tests.benchmarks.batches import event
from tests.benchmarks.bench import Bench
from tests.event_format.support import always_loaded, earlier_fields
from tests.servers import start_valkey

PART = "log"
SIZES = (1, 10, 100, 1000)
TOTAL, QUICK_TOTAL = 400_000, 40_000
MAX_EVENTS = 50_000
PAGE = 1000
KEY = "log"
CURRENT, EARLIER = "CAVE", "version 2"
"""What writes the events: this release, or a copy of what releases before `p.v3` wrote."""

Fields = dict[bytes, bytes]
Write = Callable[[MetricsPublished], Fields]


def run(bench: Bench) -> None:
    total = bench.settings.total or (QUICK_TOTAL if bench.settings.quick else TOTAL)
    encoder = MetricEncoder(always_loaded())

    def current(event: MetricsPublished) -> Fields:
        fields = (*origin_fields(event), *encoder.points_fields(event.points))
        parts = [part.encode() if isinstance(part, str) else part for part in fields]
        return dict(zip(parts[::2], parts[1::2], strict=True))

    with TemporaryDirectory(prefix="cave-bench-") as directory:
        server = start_valkey(Path(directory))
        try:
            with Redis.from_url(server.url) as client:
                for size in SIZES:
                    count = min(total // size, MAX_EVENTS)
                    events = [_as_decoded(event(each * size, size)) for each in range(count)]
                    for name, write in ((CURRENT, current), (EARLIER, earlier_fields)):
                        for number in range(bench.settings.rounds):
                            _measure(bench, client, name, write, events, number)
        finally:
            server.kill()


def _as_decoded(event: MetricsPublished) -> MetricsPublished:
    """Return an event with the columns that the readers of requests make."""
    points = event.points
    columns = {name: coded(getattr(points, name)) for name in ("names", "timestamps", "tag_sets")}
    return replace(event, points=replace(points, **columns))


def _measure(
    bench: Bench,
    client: Redis,
    name: str,
    write: Write,
    events: Sequence[MetricsPublished],
    number: int,
) -> None:
    size = len(events[0].points)
    points = size * len(events)
    write(events[0])  # its compressor is made on the first use
    with bench.measuring(PART, name, size=size, number=number) as figures:
        began = time.process_time()
        entries = [write(each) for each in events]
        if name == CURRENT:  # the copy is not as fast as those releases were
            figures["µs per event, encoding"] = (time.process_time() - began) / len(events) * 1e6
        codec = MetricEventCodec()
        began = time.process_time()
        for fields in entries:
            codec.decode(fields)
        figures["µs per event, decoding"] = (time.process_time() - began) / len(events) * 1e6
        figures["payload B/point"] = sum(len(fields[b"payload"]) for fields in entries) / points
        figures[goals.SERVER_BYTES] = _memory(client, entries) / points


def _memory(client: Redis, entries: Sequence[Fields]) -> int:
    """Return the bytes of the server's memory that a stream of the entries takes."""
    client.delete(KEY)
    for start in range(0, len(entries), PAGE):
        pipeline = client.pipeline(transaction=False)
        for fields in entries[start : start + PAGE]:
            stored: Any = fields
            pipeline.xadd(KEY, stored)
        pipeline.execute()
    # All of the stream's nodes are looked at, not a sample.
    return int(client.memory_usage(KEY, samples=0))  # type: ignore[arg-type]
