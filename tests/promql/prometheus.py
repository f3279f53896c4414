"""A real Prometheus, as Debian packages it, on samples that are written first."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cramjam

from adapters.embedded_valkey import tied_to_parent
from application.reading.promql import (
    InstantResult,
    InstantSample,
    InstantVector,
    Matrix,
    MatrixSeries,
    Scalar,
    String,
)
from tests.debian import fetch, program
from tests.point_formats.remote_write.requests import request_1, sample, series_1
from tests.promql.samples import SampleSeries, array_of

SLICE = 600_000
"""Milliseconds per request of remote write."""


class PrometheusMissing(Exception):
    """Prometheus is neither installed, nor can it be downloaded as a Debian package."""


class QueryRefused(Exception):
    """Prometheus answered with an error."""

    def __init__(self, error_type: str, error: str) -> None:
        super().__init__(error)
        self.error_type = error_type


class Prometheus:
    """Asks a running Prometheus. Times are in ms since the epoch.

    Functions may have their newer names.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def instant(self, expression: str, at: int) -> InstantResult:
        expression = _in_older_names(expression)
        return _result(self._ask("query", {"query": expression, "time": f"{at / 1000:.3f}"}))

    def range(self, expression: str, start: int, end: int, step: int) -> Matrix:
        parameters = {
            "query": _in_older_names(expression),
            "start": f"{start / 1000:.3f}",
            "end": f"{end / 1000:.3f}",
            "step": f"{step / 1000:.3f}",
        }
        result = _result(self._ask("query_range", parameters))
        assert isinstance(result, Matrix)
        return result

    def formatted(self, expression: str) -> str:
        return str(self._ask("format_query", {"query": expression}))

    def _ask(self, path: str, parameters: Mapping[str, str]) -> Any:
        body = urllib.parse.urlencode(parameters).encode()
        try:
            with urllib.request.urlopen(f"{self._address}/api/v1/{path}", body, 120) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            content = json.load(error)
            raise QueryRefused(content["errorType"], content["error"]) from error


@contextmanager
def prometheus_with(series: Iterable[SampleSeries], directory: Path) -> Iterator[Prometheus]:
    """Run Prometheus on these samples until the end of the block. Raises PrometheusMissing."""
    prometheus = prometheus_program()
    (directory / "prometheus.yml").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [
                prometheus,
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                "--storage.tsdb.retention.time=100y",
                "--web.enable-remote-write-receiver",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stderr=log,
            preexec_fn=tied_to_parent(signal.SIGKILL),
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_ready(address, process)
            _write(address, series)
            yield Prometheus(address)
        finally:
            process.terminate()
            process.wait()


def prometheus_program() -> Path:
    """Return the path of prometheus. Raises PrometheusMissing."""
    if program("prometheus") is None:
        try:
            fetch("prometheus")
        except (OSError, subprocess.CalledProcessError) as error:
            raise PrometheusMissing("Prometheus is not installed") from error
    prometheus = program("prometheus")
    assert prometheus
    return prometheus


def _in_older_names(expression: str) -> str:
    return expression.replace("double_exponential_smoothing(", "holt_winters(")


def _write(address: str, series: Iterable[SampleSeries]) -> None:
    """Send the samples by remote write, in the order of time, as Prometheus wants them."""
    slices: defaultdict[int, list[bytes]] = defaultdict(list)
    for one in series:
        labels = [(name.encode(), value.encode()) for name, value in sorted(one.labels.items())]
        samples: defaultdict[int, list[bytes]] = defaultdict(list)
        for at, value in zip(one.times, one.values, strict=True):
            samples[at // SLICE].append(sample(struct.pack("<d", value), at))
        for number, these in samples.items():
            slices[number].append(series_1(labels, *these))
    for number in sorted(slices):
        body = bytes(cramjam.snappy.compress_raw(request_1(*slices[number])))
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        request = urllib.request.Request(f"{address}/api/v1/write", body, headers)
        urllib.request.urlopen(request, timeout=60).close()


def _wait_until_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise PrometheusMissing(f"Prometheus ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"{address}/-/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise PrometheusMissing("Prometheus did not become ready")


def _result(data: Any) -> InstantResult:
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return Scalar(round(result[0] * 1000), float(result[1]))
    if kind == "string":
        return String(round(result[0] * 1000), result[1])
    if kind == "vector":
        at = round(result[0]["value"][0] * 1000) if result else 0
        return InstantVector(
            at, [InstantSample(one["metric"], float(one["value"][1])) for one in result]
        )
    return Matrix(
        [
            MatrixSeries(
                one["metric"],
                array_of("q", (round(at * 1000) for at, _ in one["values"])),
                array_of("d", (float(value) for _, value in one["values"])),
            )
            for one in result
        ]
    )
