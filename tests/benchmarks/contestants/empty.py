"""The limit: an application that only reads the body and answers, on CAVE's HTTP server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from tests.benchmarks.contestants.base import Contestant, Place, Server
from tests.benchmarks.formats import CAVE
from tests.benchmarks.processes import running, wait_for_line


class Empty(Contestant):
    name = "empty application"

    def missing(self) -> str | None:
        return None

    def version(self) -> str:
        parts = [f"{name} {version(name)}" for name in ("uvicorn", "uvloop", "httptools")]
        return ", ".join(parts)

    @contextmanager
    def running(self, place: Place) -> Iterator[EmptyServer]:
        command = [sys.executable, "-m", "tests.benchmarks.empty_application"]
        with running(command, place.cores, place.directory) as process:
            found = wait_for_line(process, place.directory, r"^port (\d+)$")
            yield EmptyServer(process, place, int(found[1]), "/", CAVE)


class EmptyServer(Server):
    """Stores nothing."""

    def accepted(self) -> None:
        return None
