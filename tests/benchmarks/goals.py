"""CAVE's goals, as ratios within one run."""

from __future__ import annotations

from tests.benchmarks.results import Goal

REQUESTS = "requests/s"
POINTS = "points/s"
MEGABYTES = "MB/s"
LOG_BYTES = "log B/point"
SERVER_BYTES = "server's memory, B/point"
QUERY_MEDIAN = "p50 ms"
RATIO_MEDIAN, RATIO_P95 = "median of Prometheus' time", "p95 of Prometheus' time"
WORKER_GROWTH = "worker MB at the end / half-way"

VICTORIA = "VictoriaMetrics /api/put"
VICTORIA_IMPORT = "VictoriaMetrics import"
INFLUX = "InfluxDB"
EMPTY = "empty application"

REMOTE_WRITE, OTLP, LINES, PUT = "remote write", "OTLP", "line protocol", "OpenTSDB"
"""Parts of the benchmark, one per protocol; VictoriaMetrics is called so in each."""

TWO_WORKERS = "CAVE, 2 workers"
ONE_NAME, MANY_NAMES = "one name", "176,000 names"
REPLAY, SLOWER_LIMIT = "cave replay", "slower limit"
SEALING, ARCHIVE, XRANGE = "sealing", "archive", "XRANGE"

GOALS = (
    *(
        Goal(part="publish", figure=REQUESTS, size=size, theirs=theirs, factor=factor)
        for theirs, size, factor in (
            (VICTORIA, 1, 0.5),
            (VICTORIA, 100, 1.0),
            (VICTORIA, 1000, 2.0),
            (INFLUX, 1, 1.5),
            (INFLUX, 100, 3.0),
            (INFLUX, 1000, 2.5),
            (EMPTY, 1, 0.6),
        )
    ),
    Goal(part=REMOTE_WRITE, figure=REQUESTS, theirs="VictoriaMetrics", factor=0.7),
    Goal(part=LINES, figure=REQUESTS, theirs="VictoriaMetrics", factor=0.7),
    Goal(part=LINES, figure=REQUESTS, theirs=INFLUX, factor=2.0),
    Goal(part="end-to-end", figure=POINTS, size=1000, theirs=VICTORIA, factor=0.5),
    Goal(part="end-to-end", figure=POINTS, size=1000, theirs=INFLUX, factor=2.0),
    Goal(part="end-to-end", figure=LOG_BYTES, size=1000, factor=4.5, at_most=True),
    Goal(part="log", figure=SERVER_BYTES, size=1000, factor=4.5, at_most=True),
    Goal(part="log", figure=SERVER_BYTES, size=1, factor=60, at_most=True),
    Goal(part="workers", figure=REQUESTS, ours=TWO_WORKERS, theirs="CAVE", factor=1.7),
    Goal(part="memory", figure=WORKER_GROWTH, factor=1.05, at_most=True),
    Goal(part="replay", figure=POINTS, ours=REPLAY, theirs=SLOWER_LIMIT, factor=0.5),
    Goal(part="archive", figure=MEGABYTES, ours=ARCHIVE, theirs=XRANGE, factor=1.0),
    Goal(part="promql", figure=RATIO_MEDIAN, factor=2.0, at_most=True),
    Goal(part="promql", figure=RATIO_P95, factor=4.0, at_most=True),
    Goal(part="export", figure=POINTS, ours=MANY_NAMES, theirs=ONE_NAME, factor=0.5),
    *(
        Goal(
            part="query",
            figure=f"{case} {QUERY_MEDIAN}",
            theirs=VICTORIA_IMPORT,
            factor=2.0,
            at_most=True,
        )
        for case in (
            "host",
            "host's maximum",
            "host's percentile",
            "host's points",
            "host, all points",
            "datacenter",
            "all hosts",
        )
    ),
)
