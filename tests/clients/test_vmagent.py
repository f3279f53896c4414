"""vmagent, unmodified, scrapes and sends by remote write; the log has what it scraped."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from domain.metric_point import MetricPoint
from tests.e2e.tenant import Tenant
from tests.point_formats.remote_write.requests import STALE
from tests.waiting import wait_until

VMAGENT = shutil.which("vmagent") or ""

pytestmark = pytest.mark.skipif(not VMAGENT, reason="vmagent is not installed")

EXPOSITION = b"""\
# TYPE requests_total counter
requests_total{path="/a b",empty=""} 3
# TYPE odd gauge
odd NaN
odd_too{le="+Inf"} +Inf
too_long{path="%b"} 1
""" % (b"x" * 2000)


class _Target(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if not self.server.is_up:  # type: ignore[attr-defined]
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(EXPOSITION)))
        self.end_headers()
        self.wfile.write(EXPOSITION)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        pass


class _Server(ThreadingHTTPServer):
    """The target of scrapes, which fail while it is not up."""

    is_up = True

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


@pytest.fixture
def target() -> Iterator[_Server]:
    """Serve an exposition."""
    server = _Server(("127.0.0.1", 0), _Target)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def vmagent(tenant: Tenant, target: _Server, directory: Path) -> Iterator[None]:
    """Run vmagent, and end it as an operator does: it then sends what it has."""
    config = directory / "scrape.yml"
    config.write_text(
        "global: {scrape_interval: 1s, external_labels: {site: berlin}}\n"
        f"scrape_configs: [{{job_name: test, static_configs: [{{targets: [{target.address}]}}]}}]\n"
    )
    command = [
        VMAGENT,
        "-httpListenAddr=127.0.0.1:0",
        f"-promscrape.config={config}",
        f"-remoteWrite.url={tenant.service.url}/api/v1/write",
        f"-remoteWrite.bearerToken={tenant.token}",
        f"-remoteWrite.tmpDataPath={directory / 'queue'}",
    ]
    output = directory / "vmagent.log"
    with output.open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(60) == 0, output.read_text()


def is_stale(point: MetricPoint) -> bool:
    return struct.pack("<d", point.value) == STALE


def points(tenant: Tenant, name: str) -> list[MetricPoint]:
    """Return the points of a metric, in the order they were accepted."""
    return [
        point
        for recorded in tenant.events().values()
        for point in recorded.event.points.points()
        if point.name == name
    ]


def test_what_is_scraped_is_stored_with_its_labels(
    tenant: Tenant, target: _Server, tmp_path: Path
) -> None:
    with vmagent(tenant, target, tmp_path):
        wait_until(lambda: len(points(tenant, "requests_total")) >= 3)
        target.is_up = False
        wait_until(lambda: is_stale(points(tenant, "requests_total")[-1]))
    tags = {"instance": target.address, "job": "test", "site": "berlin"}
    found = points(tenant, "requests_total")
    assert {(p.value, tuple(sorted(p.tags.items()))) for p in found[:3]} == {
        (3.0, tuple(sorted({**tags, "path": "/a b"}.items())))
    }
    times = [point.timestamp for point in found]
    assert times == sorted(set(times))
    assert {point.value for point in points(tenant, "up")[:3]} == {1.0}
    assert points(tenant, "odd_too")[0].value == float("inf")
    assert [is_stale(point) for point in found] == [False] * (len(found) - 1) + [True]
    assert points(tenant, "up")[-1].value == 0.0
    assert points(tenant, "too_long") == []
    answer = tenant.client.get(
        f"{tenant.path}/refused", headers={"Authorization": f"Bearer {tenant.token}"}
    )
    refused = answer.json()["refused"]
    assert {(each["protocol"], each["reason"]) for each in refused} == {
        ("remote_write", "invalid_tag")
    }
