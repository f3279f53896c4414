"""Export of the same number of points with one name and with very many.

`python -m tests.benchmarks.parts.export DIR FORMAT` is the measured process.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.ducklake.database import Location
from adapters.ducklake.query.export import DuckLakePointExport
from adapters.ducklake.store.stores import DuckLakeStores
from adapters.output_files import written
from adapters.point_files import Format, point_writer
from application.event_log.ports import RecordedMetrics
from application.event_log.receipts import Receipt
from application.projections.folds import POINTS
from application.projections.ports import Checkpoint, Role
from domain.events import MetricsPublished
from domain.metric_point import PointBatch, TagSet
from tests.benchmarks import goals
from tests.benchmarks.bench import Bench, Invalid

PART = "export"
TOTAL, QUICK_TOTAL = 5_000_000, 500_000
NAMES = ((1, goals.ONE_NAME), (176_000, goals.MANY_NAMES))
SIZE = 10_000
COMMIT = 10
OWNER = "bench"
FIRST = 1_700_000_000_000


def run(bench: Bench) -> None:
    total = bench.settings.total or (QUICK_TOTAL if bench.settings.quick else TOTAL)
    for names, contestant in NAMES:
        with TemporaryDirectory(prefix="cave-bench-") as directory:
            _fill(Location(root=Path(directory)), total, names)
            for number in range(bench.settings.rounds):
                with bench.measuring(PART, contestant, number=number) as figures:
                    command = [sys.executable, "-m", __name__, directory, Format.JSONL]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    points, seconds, peak = json.loads(done.stdout)
                    if points != total:
                        raise Invalid(f"of {total} points {points} were exported")
                    figures[goals.POINTS] = points / seconds
                    figures["peak MB"] = peak


def _fill(location: Location, total: int, names: int) -> None:
    with closing(DuckLakeStores(location)) as stores:
        live = stores.create(POINTS, Role.LIVE)
        with stores.open(live) as store:
            events = list[RecordedMetrics]()
            for event in _events(total, names):
                events.append(event)
                last = event.receipt.position
                if len(events) == COMMIT or last * SIZE >= total:
                    store.commit(POINTS.fold(events), [], [Checkpoint(0, last, b"")])
                    store.tidy()
                    events = []


def _events(total: int, names: int) -> Iterator[RecordedMetrics]:
    tags = [
        TagSet((("env", "production"), ("host", f"host-{n}"), ("service", f"svc-{n % 40}")))
        for n in range(500)
    ]
    for position, start in enumerate(range(0, total, SIZE), 1):
        numbers = range(start, min(start + SIZE, total))
        points = PointBatch(
            [f"app.metric.number.{n % names:06}" for n in numbers],
            [FIRST + n // 100 for n in numbers],
            [float(n % 1009) for n in numbers],
            [tags[n % 500] for n in numbers],
        )
        event = MetricsPublished(organization=OWNER, team=None, token_id="t", points=points)
        yield RecordedMetrics(Receipt.at(0, position), event, b"")


def _export(directory: Path, form: Format) -> tuple[int, float, float]:
    """Return the points, the seconds, and the process's peak memory in MB."""
    began, points = time.perf_counter(), 0
    with (
        closing(DuckLakePointExport(Location(root=directory))) as export,
        written(str(directory / "out")) as file,
        point_writer(form, file) as writer,
    ):
        for rows in export.rows(OWNER, None):
            writer.write(rows)
            points += len(rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return points, time.perf_counter() - began, peak


if __name__ == "__main__":
    print(json.dumps(_export(Path(sys.argv[1]), Format(sys.argv[2]))))
