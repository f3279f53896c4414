"""VictoriaMetrics, single node, with several of its formats."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlencode

import msgspec

from tests.benchmarks.contestants.base import (
    AnswerRefused,
    Bucket,
    Contestant,
    Database,
    Place,
    Question,
)
from tests.benchmarks.formats import (
    INFLUX_LINES,
    OPENTSDB,
    REMOTE_WRITE,
    VICTORIA_IMPORT,
    Format,
)
from tests.benchmarks.points import FIRST_SECOND, NAMES, Point
from tests.benchmarks.processes import running, wait_for
from tests.benchmarks.pusher import Pushed
from tests.servers import free_port

PROGRAM = "victoria-metrics"
YEARS = 20


class _Series(msgspec.Struct):
    values: list[tuple[float, str]]


class _Found(msgspec.Struct):
    result: list[_Series]


class _Answer(msgspec.Struct):
    data: _Found


class _Exported(msgspec.Struct):
    timestamps: list[int]
    values: list[float]


class _VictoriaMetrics(Contestant):
    form: Format
    path: str

    def missing(self) -> str | None:
        return None if shutil.which(PROGRAM) else f"{PROGRAM} is not installed"

    def version(self) -> str:
        # Debian's build prints no version.
        asked = subprocess.run([PROGRAM, "-version"], capture_output=True, text=True, check=False)
        return asked.stdout.strip() or _package_version()

    @contextmanager
    def running(self, place: Place) -> Iterator[VictoriaMetricsServer]:
        port, opentsdb = free_port(), free_port()
        command = [
            PROGRAM,
            f"-httpListenAddr=127.0.0.1:{port}",
            f"-opentsdbHTTPListenAddr=127.0.0.1:{opentsdb}",
            f"-storageDataPath={place.directory / 'data'}",
            f"-retentionPeriod={YEARS}y",
            "-loggerLevel=ERROR",
        ]
        environment = {"GOMAXPROCS": str(place.go_procs)}
        with running(command, place.cores, place.directory, environment) as process:
            publish_port = opentsdb if self.form is OPENTSDB else port
            server = VictoriaMetricsServer(process, place, publish_port, self.path, self.form)
            server.ask_port = port
            wait_for(process, place.directory, server.answers)
            yield server


class VictoriaMetricsPut(_VictoriaMetrics):
    name = "VictoriaMetrics /api/put"
    form = OPENTSDB
    path = "/api/put"


class VictoriaMetricsImport(_VictoriaMetrics):
    name = "VictoriaMetrics import"
    form = VICTORIA_IMPORT
    path = "/api/v1/import"


class VictoriaMetricsWrite(_VictoriaMetrics):
    name = "VictoriaMetrics"
    form = REMOTE_WRITE
    path = "/api/v1/write"


class VictoriaMetricsLines(_VictoriaMetrics):
    name = "VictoriaMetrics"
    form = INFLUX_LINES
    path = "/write?precision=s"


class VictoriaMetricsServer(Database):
    """A single node. It has no log: points not yet in a file are lost with the process."""

    def answers(self) -> bool | None:
        """Return True if it answers, None if not yet."""
        try:
            self.get("/health")
        except (OSError, AnswerRefused):
            return None
        return True

    def accepted(self) -> int:
        total = 0.0
        for line in self.get("/metrics").decode().splitlines():
            if line.startswith("vm_rows_inserted_total{"):
                total += float(line.rpartition(" ")[2])
        return int(total)

    def log_bytes(self) -> None:
        return None

    def wait_until_readable(self, point: Point, pushed: Pushed) -> None:
        self.get("/internal/force_flush")
        host = point.tags["host"]
        query = urlencode(
            {
                "match[]": f'{{__name__="{point.name}",host="{host}"}}',
                "start": point.second,
                "end": point.second,
            }
        )
        path = f"/api/v1/export?{query}"
        wait_for(self.process, self.directory, lambda: self.get(path).strip() or None)

    def count(self) -> int:
        self.get("/internal/force_flush")
        total = 0
        for name in NAMES:
            selector = f'count_over_time({{__name__="{name}"}}[{YEARS // 2}y])'
            query = urlencode(
                {"query": f"sum({selector})", "time": FIRST_SECOND + YEARS // 2 * 31_000_000}
            )
            found = json.loads(self.get(f"/api/v1/query?{query}"))["data"]["result"]
            total += sum(int(series["value"][1]) for series in found)
        return total

    def question(self, question: Question) -> str:
        labels = {"__name__": question.metric} | dict([question.tag] if question.tag else [])
        selector = "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
        if question.aggregator is None:
            query = {"match[]": selector, "start": question.start, "end": question.end - 1}
            return f"/api/v1/export?{urlencode(query)}"
        # A window of this database ends at its time, inclusive; our periods start at theirs.
        period = question.period
        window = f"{selector}[{period}s] offset -{period * 1000 - 1}ms"
        query = {
            "query": _AGGREGATES[question.aggregator].format(window),
            "start": question.start,
            "end": question.end - period,
            "step": f"{period}s",
        }
        return f"/api/v1/query_range?{urlencode(query)}"

    def buckets(self, question: Question, answer: bytes) -> Sequence[Bucket]:
        if question.aggregator is None:
            line = msgspec.json.decode(answer, type=_Exported)
            points = zip(line.timestamps, line.values, strict=True)
            return [Bucket(milliseconds // 1000, value) for milliseconds, value in points]
        found = msgspec.json.decode(answer, type=_Answer).data.result
        return [Bucket(int(second), float(value)) for second, value in found[0].values]


_AGGREGATES = {
    "mean": "avg(avg_over_time({}))",
    "max": "max(max_over_time({}))",
    "p99": "avg(quantile_over_time(0.99, {}))",
}
"""Aggregates over the series of aggregates over time; the percentile is for one series."""


def _package_version() -> str:
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f=${Version}", PROGRAM], capture_output=True, text=True, check=False
    )
    return f"Debian {asked.stdout.strip()}" if asked.returncode == 0 else "unknown"
