"""Very many series of one metric: looking up labels, and reading the range of one series.

`python -m tests.benchmarks.parts.cardinality DIR SERIES` is the measured process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psutil

from adapters.ducklake.database import Location
from adapters.ducklake.query.read_model import DuckLakeReadModel
from adapters.ducklake.store.stores import DuckLakeStores
from adapters.promql import PromqlEngine
from application.event_log.ports import RecordedMetrics
from application.event_log.receipts import Receipt
from application.projections.folds import POINTS
from application.projections.ports import Checkpoint, Role
from application.reading.query_budget import QueryBudget, QueryLimits
from application.reading.series import Owner
from domain.events import MetricsPublished
from domain.metric_point import PointBatch, TagSet
from tests.benchmarks.bench import Bench

PART = "cardinality"
SERIES, QUICK_SERIES = 200_000, 20_000
ROUNDS = 5
"""Points of each series."""

SIZE = 10_000
COMMIT = 9
NAME = "app_pod_memory_bytes"
OWNER = Owner("bench")
FIRST = 1_735_689_600_000
INTERVAL = 15_000
END = FIRST + ROUNDS * INTERVAL
REPEATS = 7
SECONDS = 300.0


def run(bench: Bench) -> None:
    series = bench.settings.series or (QUICK_SERIES if bench.settings.quick else SERIES)
    with TemporaryDirectory(prefix="cave-bench-") as directory:
        fill(Location(root=Path(directory)), series)
        for number in range(bench.settings.rounds):
            with bench.measuring(PART, "CAVE", number=number) as figures:
                command = [sys.executable, "-m", __name__, directory, str(series)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                figures.update(json.loads(done.stdout))


def fill(location: Location, series: int) -> None:
    """Write a generation with the points of so many series."""
    with closing(DuckLakeStores(location)) as stores:
        live = stores.create(POINTS, Role.LIVE)
        with stores.open(live) as store:
            events = list[RecordedMetrics]()
            for event in _events(series):
                events.append(event)
                if len(events) == COMMIT or event.receipt.position * SIZE >= series * ROUNDS:
                    last = Checkpoint(0, event.receipt.position, b"")
                    store.commit(POINTS.fold(events), [], [last])
                    store.tidy()
                    events = []


def _events(series: int) -> Iterator[RecordedMetrics]:
    tags = [TagSet((("pod", f"pod-{n:06}"), ("zone", f"zone-{n % 50}"))) for n in range(series)]
    for position, start in enumerate(range(0, series * ROUNDS, SIZE), 1):
        numbers = range(start, min(start + SIZE, series * ROUNDS))
        points = PointBatch(
            [NAME] * len(numbers),
            [FIRST + n // series * INTERVAL for n in numbers],
            [float(n % 1009) for n in numbers],
            [tags[n % series] for n in numbers],
        )
        event = MetricsPublished(
            organization=OWNER.organization, team=None, token_id="t", points=points
        )
        yield RecordedMetrics(Receipt.at(0, position), event, b"")


def measured(directory: Path, series: int) -> dict[str, float]:
    """Return the ms of each question, the first time and later, and the memory per series."""
    with closing(DuckLakeReadModel(Location(root=directory), seconds=SECONDS)) as model:
        source, engine = model.series, PromqlEngine(model.series)

        def matching(text: str) -> list[object]:
            return list(source.labels(OWNER, [engine.selector(text)], FIRST, END))

        def values(name: str) -> int:
            return len(source.label_values(OWNER, name, [], FIRST, END))

        def ranged() -> int:
            expression = f'{NAME}{{pod="pod-{series // 2:06}"}}'
            budget = QueryBudget(QueryLimits())
            return len(
                engine.range(OWNER, expression, FIRST, END, INTERVAL, budget).series[0].times
            )

        before = psutil.Process().memory_info().rss
        first = _milliseconds(lambda: values("zone"), 1)
        indexed = psutil.Process().memory_info().rss
        one_first = _milliseconds(ranged, 1)
        questions: dict[str, Callable[[], object]] = {
            "label names": lambda: source.label_names(OWNER, [], FIRST, END),
            "50 label values": lambda: values("zone"),
            "all label values": lambda: values("pod"),
            "one series": lambda: matching(f'{NAME}{{pod="pod-{series // 2:06}"}}'),
            "series by prefix": lambda: matching(f'{NAME}{{pod=~"pod-0000.*"}}'),
            "range of one series": ranged,
        }
        return {
            "first look-up ms": first,
            "first range ms": one_first,
            **{f"{name} ms": _milliseconds(ask, REPEATS) for name, ask in questions.items()},
            "B/series": (indexed - before) / series,
        }


def _milliseconds(ask: Callable[[], object], repeats: int) -> float:
    """Return how long a question takes, the median of some times."""
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    return median(took)


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), int(sys.argv[2]))))
