"""Accepted requests per second of other agents' protocols, with all processes on one core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import goals
from tests.benchmarks.bench import Bench
from tests.benchmarks.contestants.base import Contestant
from tests.benchmarks.contestants.cave import Cave
from tests.benchmarks.contestants.influxdb import InfluxDB
from tests.benchmarks.contestants.victoria_metrics import (
    VictoriaMetricsLines,
    VictoriaMetricsPut,
    VictoriaMetricsWrite,
)
from tests.benchmarks.formats import INFLUX_LINES, OPENTSDB, OTLP, REMOTE_WRITE
from tests.benchmarks.parts.publish import Firing

SIZE = 1000
CONNECTIONS = 32

PROTOCOLS: Mapping[str, Sequence[Contestant]] = {
    goals.REMOTE_WRITE: (
        Cave(path="prometheus/api/v1/write", form=REMOTE_WRITE),
        VictoriaMetricsWrite(),
    ),
    # Debian's VictoriaMetrics has no OTLP: it gets the same points by remote write.
    goals.OTLP: (Cave(path="otlp/v1/metrics", form=OTLP), VictoriaMetricsWrite()),
    goals.LINES: (
        Cave(path="influx/write?precision=s", form=INFLUX_LINES),
        VictoriaMetricsLines(),
        InfluxDB(),
    ),
    goals.PUT: (Cave(path="opentsdb/api/put", form=OPENTSDB), VictoriaMetricsPut()),
}
"""The contestants of each protocol; all of them get the same points."""


def run(bench: Bench) -> None:
    for part, contestants in PROTOCOLS.items():
        for number, contestant in bench.interleaved(contestants):
            with (
                bench.measuring(
                    part, contestant.name, size=SIZE, connections=CONNECTIONS, number=number
                ) as figures,
                bench.started(contestant, bench.cores.server) as server,
                TemporaryDirectory(prefix="cave-bench-") as directory,
            ):
                measured = Firing(bench, server, Path(directory), SIZE).at(CONNECTIONS)
                figures[goals.REQUESTS] = measured.rate
                figures[goals.POINTS] = measured.rate * SIZE
                figures["p99 ms"] = measured.p99 / 1000
