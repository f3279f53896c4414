"""`cave replay points` compared with its limits: decoding the payloads, and inserting the rows."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import duckdb
import msgspec
import pyarrow as pa
from redis import Redis

from adapters.ducklake.store.rows import points_table
from adapters.ducklake.store.tables import POINTS
from adapters.event_format.decoder import MetricDecoder
from application.event_log.ports import RecordedMetrics
from application.event_log.receipts import Receipt
from application.projections.replay import COMMIT_POINTS
from tests.benchmarks import goals
from tests.benchmarks.bench import Bench, Invalid
from tests.benchmarks.contestants.base import Place
from tests.benchmarks.contestants.cave import Cave, run_cave
from tests.benchmarks.points import point
from tests.benchmarks.prepared import requests
from tests.benchmarks.pusher import push

if sys.version_info >= (3, 14):
    from compression.zstd import decompress
else:
    from backports.zstd import decompress

PART = "replay"
TOTAL, QUICK_TOTAL = 5_000_000, 500_000
SIZE = 1000
CONNECTIONS = 8
DECODING, INSERTING = "msgspec decoding", "DuckDB inserting"

PAGE = 1000

_Entry = tuple[bytes, dict[bytes, bytes]]


def run(bench: Bench) -> None:
    total = bench.settings.total or (QUICK_TOTAL if bench.settings.quick else TOTAL)
    total -= total % SIZE
    for contestant in bench.present([Cave()]):
        with TemporaryDirectory(prefix="cave-bench-") as directory:
            place = Place(Path(directory), bench.cores.both)
            with contestant.running(place) as server:
                bodies = requests(server.head, server.form, SIZE, total // SIZE)
                pushed = push(server.port, bodies, connections=CONNECTIONS)
                server.wait_until_readable(point(total - 1), pushed)
                assert pushed.receipt is not None
                partition = pushed.receipt.partition
                entries = _entries(place.directory / "data", partition)
            tables = _tables(entries, partition)
            for number in range(bench.settings.rounds):
                _measure(bench, number, place.directory, entries, tables, total)


def _measure(
    bench: Bench,
    number: int,
    directory: Path,
    entries: Sequence[_Entry],
    tables: Sequence[pa.Table],
    total: int,
) -> None:
    limits = []
    for name, seconds in (
        (DECODING, _decoding(entries)),
        (INSERTING, _inserting(directory / "limit.duckdb", tables)),
    ):
        with bench.measuring(PART, name, number=number) as figures:
            figures[goals.POINTS] = total / seconds
        limits.append(total / seconds)
    with bench.measuring(PART, goals.SLOWER_LIMIT, number=number) as figures:
        figures[goals.POINTS] = min(limits)
    with bench.measuring(PART, goals.REPLAY, number=number) as figures:
        # The time it reports: without the start of the interpreter and of the log server.
        done = json.loads(run_cave("replay", "points", "--json", data=directory / "data"))
        if done["points"] != total:
            raise Invalid(f"of {total} points {done['points']} were replayed")
        figures[goals.POINTS] = total / done["seconds"]


def _entries(data: Path, partition: int) -> list[_Entry]:
    """Return all entries of a partition of the log."""
    found: list[_Entry] = []
    log = f"{{cave:metrics:{partition}}}:log"
    with Redis(unix_socket_path=str(data / "valkey.sock")) as client:
        low = "-"
        while page := cast("list[_Entry]", client.xrange(log, low, "+", count=PAGE)):
            found += page
            low = f"({page[-1][0].decode()}"
    return found


def _tables(entries: Sequence[_Entry], partition: int) -> list[pa.Table]:
    """Return the rows that a replay inserts, one table per commit."""
    decoder = MetricDecoder()
    batches = [
        RecordedMetrics(Receipt.parse(f"{partition}-{key.decode()}"), decoder.event(fields), b"")
        for key, fields in entries
    ]
    events = COMMIT_POINTS // SIZE
    return [points_table(batches[at : at + events]) for at in range(0, len(batches), events)]


def _decoding(entries: Sequence[_Entry]) -> float:
    """Return the seconds that decompressing and decoding the payloads takes."""
    decode = msgspec.msgpack.Decoder().decode
    began = time.perf_counter()
    for _, fields in entries:
        payload = fields[b"payload"]
        decode(decompress(payload) if fields[b"encoding"] else payload)
    return time.perf_counter() - began


def _inserting(file: Path, tables: Sequence[pa.Table]) -> float:
    """Return the seconds that inserting rows from memory into a DuckDB file takes."""
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE OR REPLACE TABLE points ({POINTS.columns})")
        began = time.perf_counter()
        for table in tables:
            connection.register("arriving", table)
            connection.execute(f"INSERT INTO points {POINTS.add}")
        connection.execute("CHECKPOINT")
        return time.perf_counter() - began
