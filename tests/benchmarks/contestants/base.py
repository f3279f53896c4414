"""The interfaces of contestants and of their running servers."""

from __future__ import annotations

import http.client
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path

from msgspec import Struct

from tests.benchmarks.formats import Format
from tests.benchmarks.points import Point
from tests.benchmarks.processes import memory, size_of, stop
from tests.benchmarks.pusher import Pushed

ASK_SECONDS = 300.0


class Place(Struct, frozen=True):
    """The environment of a contestant: an empty directory with a short path, and its cores.

    `go_procs` is GOMAXPROCS, `workers` is CAVE's.
    """

    directory: Path
    cores: Sequence[int]
    go_procs: int = 1
    workers: int = 1


class AnswerRefused(Exception):
    """A contestant did not answer a GET with a 2xx."""


class Bucket(Struct, frozen=True):
    """The first second of a period and the aggregate of the values in it, or a point."""

    second: int
    value: float


class Question(Struct, frozen=True):
    """The aggregate per period of a metric's points with one tag, or with any tags.

    From one whole period to another; times and periods are in seconds. `aggregator` is one of
    mean, max and p99, or None for the points themselves.
    """

    metric: str
    tag: tuple[str, str] | None
    start: int
    end: int
    aggregator: str | None
    period: int


class Server(ABC):
    """A running contestant. `head` is a publish request up to the value of Content-Length.

    `port` is for publishing, `ask_port` for questions.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], place: Place, port: int, path: str, form: Format
    ) -> None:
        self.process = process
        self.directory = place.directory
        self.port = self.ask_port = port
        self.path = path
        self.form = form

    @property
    def head(self) -> bytes:
        lines = [f"POST {self.path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in self.headers().items()]
        if self.form.coding:
            lines.append(f"Content-Encoding: {self.form.coding}")
        return "\r\n".join(
            [*lines, f"Content-Type: {self.form.content_type}", "Content-Length: "]
        ).encode()

    def headers(self) -> Mapping[str, str]:
        """Return additional headers of publish requests."""
        return {}

    @abstractmethod
    def accepted(self) -> int | None:
        """Return its own count of accepted points since the start, None if it has none."""

    def memory(self) -> Mapping[str, int]:
        """Return the bytes in memory of its processes by kind."""
        return memory(self.process.pid)

    def stopped_disk_bytes(self) -> int:
        """Stop it, so that all data are on disk, and return the bytes of its data directory.

        Raises NotRunning.
        """
        stop(self.process)
        return size_of(self.directory / "data")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        """Return the body of a GET. Raises AnswerRefused."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ask_port, timeout=ASK_SECONDS)
        with closing(connection):
            return got(connection, path, headers or {})


class Database(Server):
    """A running contestant that points can be read from."""

    @abstractmethod
    def log_bytes(self) -> int | None:
        """Return the bytes of its write-ahead log, None if it has none."""

    @abstractmethod
    def wait_until_readable(self, point: Point, pushed: Pushed) -> None:
        """Wait until the last published point can be read. Raises NotRunning."""

    @abstractmethod
    def count(self) -> int:
        """Return the number of points that can be read."""

    @abstractmethod
    def question(self, question: Question) -> str:
        """Return the path of the query for a question."""

    @abstractmethod
    def buckets(self, question: Question, answer: bytes) -> Sequence[Bucket]:
        """Return the buckets or points of the answer to a question, oldest first."""

    def ask_headers(self) -> Mapping[str, str]:
        """Return additional headers of questions."""
        return {}


class Contestant(ABC):
    """A system, and one way to publish points to it over HTTP."""

    name: str

    @abstractmethod
    def missing(self) -> str | None:
        """Return why it cannot take part, None if it can."""

    @abstractmethod
    def version(self) -> str:
        """Return its version, on one line."""

    @abstractmethod
    def running(self, place: Place) -> AbstractContextManager[Server]:
        """Run it for the block, ready to accept points. Raises NotRunning."""


def got(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> bytes:
    """Return the body of a GET on a connection. Raises AnswerRefused."""
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    body = response.read()
    if response.status >= 300:
        raise AnswerRefused(f"{path}: {response.status} {body[:500].decode(errors='replace')}")
    return body
