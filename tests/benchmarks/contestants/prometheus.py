"""Prometheus, which takes samples by remote write."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.contestants.base import AnswerRefused, Contestant, Place, Server
from tests.benchmarks.formats import REMOTE_WRITE
from tests.benchmarks.processes import running, wait_for
from tests.debian import program
from tests.servers import free_port

PATH = "/api/v1/write"


class Prometheus(Contestant):
    name = "Prometheus"

    def missing(self) -> str | None:
        return None if program("prometheus") else "prometheus is not installed"

    def version(self) -> str:
        asked = subprocess.run(
            [str(program("prometheus")), "--version"], capture_output=True, text=True, check=False
        )
        return (asked.stdout or asked.stderr).partition("\n")[0]

    @contextmanager
    def running(self, place: Place) -> Iterator[PrometheusServer]:
        port, configuration = free_port(), place.directory / "prometheus.yml"
        configuration.write_text("{}")
        command = [
            str(program("prometheus")),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={place.directory / 'data'}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
            "--log.level=error",
        ]
        environment = {"GOMAXPROCS": str(place.go_procs)}
        with running(command, place.cores, place.directory, environment) as process:
            server = PrometheusServer(process, place, port, PATH, REMOTE_WRITE)
            wait_for(process, place.directory, server.answers)
            yield server


class PrometheusServer(Server):
    """A Prometheus that scrapes nothing."""

    def answers(self) -> bool | None:
        """Return True if it answers, None if not yet."""
        try:
            self.get("/-/ready")
        except (OSError, AnswerRefused):
            return None
        return True

    def accepted(self) -> int | None:
        return None
