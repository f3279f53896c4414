"""What a contestant is, and what one that runs can be asked."""

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
from tests.benchmarks.processes import memory, size_of
from tests.benchmarks.pusher import Pushed

ASK_SECONDS = 300.0


class Place(Struct, frozen=True):
    """Where a contestant runs: an empty directory with a short path, and its cores.

    `go_procs` is GOMAXPROCS, `workers` is CAVE's.
    """

    directory: Path
    cores: Sequence[int]
    go_procs: int = 1
    workers: int = 1


class AnswerRefused(Exception):
    """A contestant did not answer a question with a 2xx."""


class Bucket(Struct, frozen=True):
    """A minute, by its first second, and the mean of the values in it."""

    second: int
    mean: float


class Question(Struct, frozen=True):
    """The mean by minute of a metric's points with one tag, from a whole minute to another one."""

    metric: str
    tag: tuple[str, str]
    start: int
    end: int


class Server(ABC):
    """A contestant that runs. `head` is a publish request up to the length of its body.

    `port` takes the points, `ask_port` questions.
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
        return "\r\n".join(
            [*lines, f"Content-Type: {self.form.content_type}", "Content-Length: "]
        ).encode()

    def headers(self) -> Mapping[str, str]:
        """Return what publish requests need beyond the usual."""
        return {}

    @abstractmethod
    def accepted(self) -> int | None:
        """Return how many points it says that it took since it started, None if it counts none."""

    def memory(self) -> Mapping[str, int]:
        """Return the resident bytes of its processes by what they are."""
        return memory(self.process.pid)

    def disk_bytes(self) -> int:
        """Return the bytes of all that it keeps."""
        return size_of(self.directory / "data")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        """Return what a GET answers. Raises AnswerRefused."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ask_port, timeout=ASK_SECONDS)
        with closing(connection):
            return got(connection, path, headers or {})


class Database(Server):
    """A contestant from which points can be read back."""

    @abstractmethod
    def log_bytes(self) -> int | None:
        """Return the bytes of its write-ahead log, None if it has none."""

    @abstractmethod
    def wait_until_readable(self, point: Point, pushed: Pushed) -> None:
        """Return when the last point that was pushed can be read. Raises NotRunning."""

    @abstractmethod
    def count(self) -> int:
        """Return how many points can be read."""

    @abstractmethod
    def question(self, question: Question) -> str:
        """Return the path that asks for it."""

    @abstractmethod
    def buckets(self, answer: bytes) -> Sequence[Bucket]:
        """Read an answer, oldest first."""

    def ask_headers(self) -> Mapping[str, str]:
        """Return the headers of questions."""
        return {}


class Contestant(ABC):
    """A system that takes points over HTTP, in one way."""

    name: str

    @abstractmethod
    def missing(self) -> str | None:
        """Say why it cannot take part, None if it can."""

    @abstractmethod
    def version(self) -> str:
        """Return its version, on one line."""

    @abstractmethod
    def running(self, place: Place) -> AbstractContextManager[Server]:
        """Run it, ready to take points, and end it in the end. Raises NotRunning."""


def got(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> bytes:
    """Return what a GET answers on a connection. Raises AnswerRefused."""
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    body = response.read()
    if response.status >= 300:
        raise AnswerRefused(f"{path}: {response.status} {body[:500].decode(errors='replace')}")
    return body
