"""InfluxDB 1.x with its line protocol, its write-ahead log fsynced on every write."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlencode

import msgspec

from tests.benchmarks.contestants.base import (
    Bucket,
    Contestant,
    Database,
    Place,
    Question,
)
from tests.benchmarks.formats import INFLUX_LINES
from tests.benchmarks.points import Point
from tests.benchmarks.processes import running, size_of, wait_for
from tests.benchmarks.pusher import Pushed
from tests.servers import free_port

PROGRAM = "influxd"
DATABASE = "bench"
PATH = f"/write?db={DATABASE}&precision=s"

SETTINGS = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
dir = "{data}/meta"
[data]
dir = "{data}/data"
wal-dir = "{data}/wal"
wal-fsync-delay = "0s"
query-log-enabled = false
[monitor]
store-enabled = false
[subscriber]
enabled = false
[logging]
level = "error"
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
"""


class _Rows(msgspec.Struct):
    values: list[tuple[int, float | None]]


class _Result(msgspec.Struct):
    series: list[_Rows] = []


class _Answer(msgspec.Struct):
    results: list[_Result]


class InfluxDB(Contestant):
    name = "InfluxDB"

    def missing(self) -> str | None:
        return None if shutil.which(PROGRAM) else f"{PROGRAM} is not installed"

    def version(self) -> str:
        asked = subprocess.run([PROGRAM, "version"], capture_output=True, text=True, check=False)
        return asked.stdout.strip()

    @contextmanager
    def running(self, place: Place) -> Iterator[InfluxServer]:
        port = free_port()
        settings = place.directory / "influxdb.conf"
        data = place.directory / "data"
        settings.write_text(SETTINGS.format(data=data, port=port, rpc_port=free_port()))
        command = [PROGRAM, "-config", str(settings)]
        environment = {"GOMAXPROCS": str(place.go_procs)}
        with running(command, place.cores, place.directory, environment) as process:
            server = InfluxServer(process, place, port, PATH, INFLUX_LINES)
            wait_for(process, place.directory, server.makes_database)
            yield server


class InfluxServer(Database):
    """An InfluxDB with one database."""

    def makes_database(self) -> bool | None:
        """Create the database; return None if the server does not answer yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        query = urlencode({"q": f"CREATE DATABASE {DATABASE}"})
        with closing(connection):
            try:
                connection.request("POST", f"/query?{query}")
                return connection.getresponse().status == http.HTTPStatus.OK or None
            except OSError:
                return None

    def accepted(self) -> int:
        statistics = json.loads(self.get("/debug/vars"))
        return int(statistics["write"]["values"]["pointReq"])

    def log_bytes(self) -> int:
        return size_of(self.directory / "data" / "wal")

    def wait_until_readable(self, point: Point, pushed: Pushed) -> None:
        asked = (
            f'SELECT count(value) FROM "{point.name}" '
            f"WHERE host = '{point.tags['host']}' AND time = {point.second}s"
        )
        wait_for(self.process, self.directory, lambda: self._count(asked) or None)

    def count(self) -> int:
        return self._count("SELECT count(value) FROM /.*/")

    def _count(self, asked: str) -> int:
        result = json.loads(self.get(_asking(asked)))["results"][0]
        series: list[dict[str, Any]] = result.get("series", [])
        return sum(int(row["values"][0][1]) for row in series)

    def question(self, question: Question) -> str:
        condition = f"time >= {question.start}s AND time < {question.end}s"
        if question.tag is not None:
            tag, value = question.tag
            condition += f" AND \"{tag}\" = '{value}'"
        asked = f'SELECT {_WANTED[question.aggregator]} FROM "{question.metric}" WHERE {condition}'
        if question.aggregator is not None:
            asked += f" GROUP BY time({question.period}s)"
        return _asking(asked)

    def buckets(self, _question: Question, answer: bytes) -> Sequence[Bucket]:
        series = msgspec.json.decode(answer, type=_Answer).results[0].series
        return [Bucket(s, value) for row in series for s, value in row.values if value is not None]


_WANTED = {
    None: "value",
    "mean": "mean(value)",
    "max": "max(value)",
    "p99": "percentile(value, 99)",
}


def _asking(asked: str) -> str:
    return f"/query?{urlencode({'db': DATABASE, 'epoch': 's', 'q': asked})}"
