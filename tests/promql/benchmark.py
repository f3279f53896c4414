"""Times expressions on 1000 counters over 194 steps: `python -m tests.promql.benchmark [--json]`.

The series are in memory, 800 samples each, 15 s apart; 50 targets with their own times. Reported is
the fastest of some runs, and its processor time: on a busy machine look at that.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from platform import python_version

import numpy as np
from msgspec import Struct

from adapters.promql import PromqlEngine
from application.reading.query_budget import QueryBudget, QueryLimits
from application.reading.series import Matcher, Owner, SelectedSeries

SERIES, TARGETS, SAMPLES, INTERVAL = 1000, 50, 800, 15_000
START, END, STEP = 300_000, 11_900_000, 60_000
RUNS = 7

EXPRESSIONS = (
    "x_total",
    "rate(x_total[5m])",
    "sum(rate(x_total[5m]))",
    "sum by (instance) (rate(x_total[5m]))",
    "avg_over_time(x_total[5m])",
    "max_over_time(x_total[5m])",
    "quantile_over_time(0.9, x_total[5m])",
    "x_total / on (instance, cpu) x_total",
    "topk(5, rate(x_total[5m]))",
    "quantile(0.9, x_total)",
)


class Timing(Struct, frozen=True):
    """How long an expression took, in ms."""

    expression: str
    wall: float
    processor: float


class Counters:
    """The counters, whatever is selected."""

    def __init__(self) -> None:
        chance = np.random.default_rng(1)
        times = np.arange(SAMPLES, dtype=np.int64) * INTERVAL + 7
        shifts = np.arange(SERIES) % TARGETS
        self._series = SelectedSeries(
            [
                {
                    "__name__": "x_total",
                    "cpu": f"{number // TARGETS}",
                    "instance": f"i{number % TARGETS}",
                }
                for number in range(SERIES)
            ],
            (times + shifts[:, np.newaxis]).ravel().data,
            chance.integers(0, 50, (SERIES, SAMPLES)).cumsum(axis=1).ravel().astype(float).data,
            (np.arange(SERIES, dtype=np.int64) * SAMPLES + SAMPLES).data,
        )

    def select(
        self, owner: Owner, matchers: Sequence[Matcher], start: int, end: int, budget: QueryBudget
    ) -> SelectedSeries:
        budget.take_series(SERIES)
        budget.take_samples(SERIES * SAMPLES)
        return self._series

    def labels(self, *_: object) -> list[dict[str, str]]:
        return []

    def label_names(self, *_: object) -> list[str]:
        return []

    def label_values(self, *_: object) -> list[str]:
        return []


def timings() -> Iterator[Timing]:
    """Evaluate each expression some times."""
    engine = PromqlEngine(Counters())
    for expression in EXPRESSIONS:
        best = (float("inf"), float("inf"))
        for _ in range(RUNS):
            wall, processor = time.perf_counter(), time.process_time()
            budget = QueryBudget(QueryLimits())
            engine.range(Owner("benchmark"), expression, START, END, STEP, budget)
            taken = time.perf_counter() - wall, time.process_time() - processor
            best = min(best, taken)
        yield Timing(expression, best[0] * 1000, best[1] * 1000)


def main(*, as_json: bool) -> None:
    steps = (END - START) // STEP + 1
    if as_json:
        rows = [
            {"expression": one.expression, "wall_ms": one.wall, "processor_ms": one.processor}
            for one in timings()
        ]
        print(json.dumps({"series": SERIES, "steps": steps, "timings": rows}))
        return
    print(f"{SERIES} series, {steps} steps; Python {python_version()}, NumPy {np.__version__}")
    for one in timings():
        print(f"{one.expression:42} {one.wall:7.1f} ms, processor {one.processor:7.1f} ms")


if __name__ == "__main__":
    main(as_json="--json" in sys.argv)
