"""CAVE as in production: tokens and points are checked, the log is fsynced on every write."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from entrypoints.program import python_module
from tests.benchmarks.contestants.base import (
    AnswerRefused,
    Bucket,
    Contestant,
    Database,
    Place,
    Question,
)
from tests.benchmarks.formats import CAVE, Format
from tests.benchmarks.points import NAMES, Point
from tests.benchmarks.processes import running, size_of, wait_for, wait_for_line
from tests.benchmarks.pusher import Pushed

ORGANIZATION = "bench"
PATH = f"/organizations/{ORGANIZATION}/metrics"
COMMAND = python_module("entrypoints.cli")
READABLE_SECONDS = 1800.0


class _Sample(msgspec.Struct):
    time: datetime
    value: float


class _Samples(msgspec.Struct):
    metrics: list[_Sample]


class Cave(Contestant):
    """`workers`, if given, overrides the number in the place; `options` are more of `serve`.

    `path` is that of a protocol below the organization, and `form` the format of its bodies.
    """

    def __init__(
        self,
        name: str = "CAVE",
        workers: int | None = None,
        options: Sequence[str] = (),
        path: str = "metrics",
        form: Format = CAVE,
    ) -> None:
        self.name = name
        self._workers = workers
        self._options = options
        self._path = f"/organizations/{ORGANIZATION}/{path}"
        self._form = form

    def missing(self) -> str | None:
        return None

    def version(self) -> str:
        parts = [f"{name} {version(name)}" for name in ("litestar", "uvicorn", "msgspec", "duckdb")]
        return f"{version('cave')}, Python {sys.version.split()[0]}, {', '.join(parts)}"

    @contextmanager
    def running(self, place: Place) -> Iterator[CaveServer]:
        data = place.directory / "data"
        workers = str(self._workers or place.workers)
        command = [*COMMAND, "serve", "--port", "0", "--workers", workers, "--data-dir", str(data)]
        command += self._options
        with running(command, place.cores, place.directory) as process:
            found = wait_for_line(process, place.directory, r"^CAVE serves http://[^:]+:(\d+) ")
            token = run_cave("org", "create", ORGANIZATION, "--quiet", data=data)
            port = int(found[1])
            server = CaveServer(process, place, port, token, self._path, self._form)
            wait_for(process, place.directory, server.knows_its_token)
            yield server


class CaveServer(Database):
    """`cave serve` with one organization."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        place: Place,
        port: int,
        token: str,
        path: str,
        form: Format,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """`variables` are settings of the commands, beside the data directory."""
        super().__init__(process, place, port, path, form)
        self._token = token
        self._variables = variables or {}

    def cave(self, *arguments: str) -> str:
        """Run a `cave` command on its data and return its output."""
        return run_cave(*arguments, data=self.directory / "data", variables=self._variables)

    def headers(self) -> Mapping[str, str]:
        return _authorization(self._token)

    def ask_headers(self) -> Mapping[str, str]:
        return _authorization(self._read_token)

    @cached_property
    def _read_token(self) -> str:
        arguments = ("token", "issue", ORGANIZATION, "--scope", "read", "--quiet")
        token = self.cave(*arguments)
        wait_for(self.process, self.directory, lambda: self._may_read(token))
        return token

    def knows_its_token(self) -> bool | None:
        """Return True if the worker accepts the token, for an empty batch; None if not yet."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        with closing(connection):
            connection.request("POST", PATH, b'{"metrics":[]}', dict(self.headers()))
            return connection.getresponse().status == HTTPStatus.ACCEPTED or None

    def _may_read(self, token: str) -> bool | None:
        try:
            self.get(f"/organizations/{ORGANIZATION}/metric-names", _authorization(token))
        except AnswerRefused:
            return None
        return True

    def accepted(self) -> int:
        total = 0.0
        for line in self.get("/metrics").decode().splitlines():
            name, _, value = line.rpartition(" ")
            if name.partition("{")[0] == "cave_points_accepted_total":
                total += float(value)
        return int(total)

    def log_bytes(self) -> int:
        return size_of(self.directory / "data" / "valkey")

    def wait_until_readable(self, point: Point, pushed: Pushed) -> None:
        assert pushed.receipt is not None
        # From that point on, so that the query reads little.
        asked = {"metric": point.name, "receipt": pushed.receipt, "limit": 1, "start": point.second}
        query = urlencode(asked)
        headers = self.ask_headers()

        def readable() -> bool | None:
            try:
                self.get(f"{PATH}?{query}", headers)
            except AnswerRefused:
                return None
            return True

        wait_for(self.process, self.directory, readable, READABLE_SECONDS)

    def count(self) -> int:
        total = 0.0
        for name in NAMES:
            query = {"metric": name, "aggregator": "count", "period": "1d", "limit": 1440}
            answer = self.get(f"{PATH}?{urlencode(query)}", self.ask_headers())
            total += sum(sample.value for sample in _samples(answer))
        return int(total)

    def question(self, question: Question) -> str:
        query: dict[str, str | int] = {
            "metric": question.metric,
            "start": question.start,
            "end": question.end,
            "limit": 1440,
        }
        if question.tag is not None:
            query["tags"] = ":".join(question.tag)
        if question.aggregator is not None:
            query |= {"aggregator": question.aggregator, "period": f"{question.period}s"}
        return f"{PATH}?{urlencode(query)}"

    def buckets(self, _question: Question, answer: bytes) -> Sequence[Bucket]:
        return [Bucket(int(sample.time.timestamp()), sample.value) for sample in _samples(answer)]


def _samples(answer: bytes) -> Sequence[_Sample]:
    return msgspec.json.decode(answer, type=_Samples).metrics


def _authorization(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{token}:'.encode()).decode()}"}


def run_cave(*arguments: str, data: Path, variables: Mapping[str, str] | None = None) -> str:
    """Run a `cave` command on a data directory and return its output."""
    command = [*COMMAND, *arguments, "--data-dir", str(data)]
    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()
