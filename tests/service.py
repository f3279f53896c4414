"""`cave serve` as a process that tests query, disturb, kill and restart on the same data."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.request import urlopen

from redis import Redis

from adapters.archive import open_archive
from adapters.embedded_valkey import DataDir
from adapters.event_format.codec import MetricEventCodec
from adapters.redis_streams.metrics.hot_log import RedisHotLog
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.settings import settle_partitions
from application.event_log.ports import RecordedDescriptions, RecordedMetrics
from application.event_log.reader import MetricLogReader
from application.event_log.tiered import TieredLog
from entrypoints.program import python_module
from tests.entrypoints.served import kill_with_children
from tests.waiting import wait_until

CAVE = python_module("entrypoints.cli")
OPERATOR = "the-operator-of-the-tests"
SECONDS = 30.0
START_SECONDS = 90.0
"""On a machine that is busy with other tests."""

_serves = re.compile(r"CAVE serves http://(\S+):(\d+) ").match


class Service:
    """One service on a data dir in `directory`, whose path must be short (there is a socket in it).

    `settings` are `CAVE_*` variables without the prefix. It has one worker unless they say
    otherwise, since starting another one takes as long as many a test. The service and its commands
    run in `cwd`, the service in its own process group. Its output goes to files.
    """

    def __init__(
        self,
        directory: Path,
        arguments: Sequence[str] = (),
        cwd: Path | None = None,
        **settings: str | int,
    ) -> None:
        self.data_dir = DataDir(directory / "data")
        self.host = ""
        self.port = 0
        self.program: Sequence[str] = CAVE
        """What runs `serve`."""
        self._arguments = arguments
        self._cwd = cwd
        self._out = directory / "out"
        self._errors = directory / "err"
        self._environment = clean_environment() | {
            "CAVE_OPERATOR_TOKEN": OPERATOR,
            "CAVE_WORKERS": "1",
            **{f"CAVE_{name}": str(value) for name, value in settings.items()},
        }
        self._settings = {name: str(value) for name, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base URL; the port changes with each start."""
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The id of the supervisor, and of the process group."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and return once it is ready."""
        with self._out.open("wb") as out, self._errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [*self.program, "serve", "--port", "0", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env=self._environment | {"CAVE_DATA_DIR": str(self.data_dir.path)},
                cwd=self._cwd,
                process_group=0,
            )
        wait_until(lambda: self._process_ended() or _serves(self._out.read_text()), START_SECONDS)
        announced = _serves(self._out.read_text())
        assert announced, self.errors()[-3000:]
        self.host, self.port = announced[1], int(announced[2])

    def terminate(self) -> None:
        """Send SIGTERM."""
        assert self._process is not None
        self._process.terminate()

    def stop(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait until the supervisor has ended, and return its exit status."""
        assert self._process is not None
        return self._process.wait(SECONDS)

    def kill_all(self) -> None:
        """Kill it with all its children, and wait for it. Does nothing if it does not run."""
        if self._process is not None:
            kill_with_children(self._process)

    def errors(self) -> str:
        """Return its standard error, over all starts."""
        return self._errors.read_text()

    def pids(self, child: str) -> list[int]:
        """Return the latest pids of the children whose name begins with `child`."""
        lines = self.errors().split("\n")[:-1]
        records = [json.loads(line) for line in lines if '"child ready"' in line]
        latest = {record["child"]: record["pid"] for record in records}
        return [pid for name, pid in latest.items() if name.startswith(child)]

    def cave(self, *arguments: str) -> str:
        """Run a `cave` command with the settings of the service and return its output."""
        done = self.tried(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def tried(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `cave` command, which may fail."""
        environment = self._environment | {"CAVE_DATA_DIR": str(self.data_dir.path)}
        return subprocess.run(
            [*CAVE, *arguments],
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            env=environment,
            cwd=self._cwd,
            check=False,
        )

    def gauge(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's values with these labels; each is up to a second old."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [
            line for line in self.text("/metrics").splitlines() if line.startswith(f"{name}{{")
        ]
        return sum(
            float(line.split()[-1]) for line in lines if all(each in line for each in wanted)
        )

    @contextmanager
    def log(self) -> Iterator[Redis]:
        """Yield a client of the log server."""
        with Redis.from_url(self._settings.get("REDIS_URL", self.data_dir.url)) as client:
            yield client

    def stored(self) -> dict[str, RecordedMetrics]:
        """Return all batches of the metric log by receipt."""
        codec = MetricEventCodec()
        archive = self._settings.get("ARCHIVE", str(self.data_dir.path / "archive"))
        with self.log() as client, closing(open_archive(archive, codec.digest)) as opened:
            keys = MetricKeys("cave")
            hot = RedisHotLog(client, keys, settle_partitions(client, keys, None))
            reader = MetricLogReader(TieredLog(hot, codec, opened), codec)
            return {
                str(recorded.receipt): _readable(recorded)
                for partition in range(reader.entries.partitions())
                for recorded in reader.read(partition, 0, sys.maxsize)
                if not isinstance(recorded, RecordedDescriptions)
            }

    def answer(
        self, method: str, path: str, body: object = None, token: str = OPERATOR
    ) -> tuple[int, dict[str, Any]]:
        """Send one request on a new connection; return the status and the JSON."""
        status, _, answer = self.answer_with_headers(method, path, body, token)
        return status, answer

    def answer_with_headers(
        self,
        method: str,
        path: str,
        body: object = None,
        token: str = OPERATOR,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Send one request on a new connection; return status, headers in lower case, and JSON."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=SECONDS)
        sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, sent)
            with connection.getresponse() as response:
                received = {name.lower(): value for name, value in response.headers.items()}
                return response.status, received, json.loads(response.read() or b"{}")
        finally:
            connection.close()

    def ask(
        self, method: str, path: str, body: object = None, token: str = OPERATOR
    ) -> dict[str, Any]:
        """Send a request that must succeed and return the answer's JSON."""
        status, answer = self.answer(method, path, body, token)
        assert status < 300, answer
        return answer

    def text(self, path: str) -> str:
        """Return the text of a GET that must succeed."""
        with urlopen(f"{self.url}{path}", timeout=SECONDS) as answer:
            return str(answer.read().decode())

    def register(self, name: str, *scopes: str) -> str:
        """Register an organization, wait until every worker knows it, and return its token.

        The token has the given scopes, by default `publish` and `admin`.
        """
        body = {"name": name, "scopes": scopes or ("publish", "admin")}
        token: str = self.ask("POST", "/organizations", body)["default_token"]["token"]
        path = f"/organizations/{name}/metrics"
        self.wait_for_all_workers(lambda: self.answer("POST", path, {}, token)[0] != 404)
        return token

    def wait_for_all_workers(self, true: Callable[[], bool]) -> None:
        """Wait until a condition that asks one worker on a new connection holds for all workers.

        The kernel chooses the worker: with 20 of 20 answers, the chance that one of two workers
        was never asked is 2 ** -19.
        """
        times = 20 if len(self.pids("worker")) > 1 else 1
        wait_until(lambda: all(true() for _ in range(times)))

    def _process_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None


@contextmanager
def running(service: Service) -> Iterator[Service]:
    """Run a service for the block; afterwards it is killed if it still runs."""
    try:
        service.start()
        yield service
    finally:
        service.kill_all()


def clean_environment() -> dict[str, str]:
    """Return our environment without `CAVE_*` variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CAVE_")}


def _readable(recorded: object) -> RecordedMetrics:
    assert isinstance(recorded, RecordedMetrics), recorded
    return recorded
