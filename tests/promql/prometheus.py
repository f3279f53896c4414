"""A real Prometheus, as Debian packages it, on samples that are written beforehand."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
from tests.promql.samples import SampleSeries, array_of


class PrometheusMissing(Exception):
    """Prometheus is neither installed, nor can it be downloaded as a Debian package."""


class QueryRefused(Exception):
    """Prometheus answered with an error."""

    def __init__(self, error_type: str, error: str) -> None:
        super().__init__(error)
        self.error_type = error_type


class Prometheus:
    """Asks a running Prometheus. Times are in ms since the epoch."""

    def __init__(self, address: str) -> None:
        self._address = address

    def instant(self, expression: str, at: int) -> InstantResult:
        return _result(self._ask("query", {"query": expression, "time": f"{at / 1000:.3f}"}))

    def range(self, expression: str, start: int, end: int, step: int) -> Matrix:
        parameters = {
            "query": expression,
            "start": f"{start / 1000:.3f}",
            "end": f"{end / 1000:.3f}",
            "step": f"{step / 1000:.3f}",
        }
        result = _result(self._ask("query_range", parameters))
        assert isinstance(result, Matrix)
        return result

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
    prometheus, promtool = programs()
    samples, data = directory / "samples.txt", directory / "data"
    samples.write_text("".join(_open_metrics(series)) + "# EOF\n")
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", samples, data],
        check=True,
        capture_output=True,
    )
    (directory / "prometheus.yml").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [
                prometheus,
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_ready(address, process)
            yield Prometheus(address)
        finally:
            process.terminate()
            process.wait()


def programs() -> tuple[Path, Path]:
    """Return the paths of prometheus and promtool. Raises PrometheusMissing."""
    if program("promtool") is None or program("prometheus") is None:
        try:
            fetch("prometheus")
        except (OSError, subprocess.CalledProcessError) as error:
            raise PrometheusMissing("Prometheus is not installed") from error
    prometheus, promtool = program("prometheus"), program("promtool")
    assert prometheus
    assert promtool
    return prometheus, promtool


def _open_metrics(series: Iterable[SampleSeries]) -> Iterator[str]:
    for one in series:
        inner = ",".join(
            f"{name}={json.dumps(value, ensure_ascii=False)}"
            for name, value in one.labels.items()
            if name != "__name__"
        )
        head = f"{one.labels['__name__']}{{{inner}}}"
        for at, value in zip(one.times, one.values, strict=True):
            yield f"{head} {value!r} {at / 1000:.3f}\n"


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
