"""OpenTelemetry's exporter of remote write for Python, and k6."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.clients.account import Account
from tests.clients.mapping import has_long_value, mapped
from tests.clients.packages import python
from tests.clients.points import same
from tests.clients.processes import StartClient
from tests.clients.recorder import recording
from tests.clients.remote_write import Recorder

PROGRAMS = Path(__file__).parent / "programs"
MISSING = "is missing; `make clients` fetches it"


def test_opentelemetry(account: Account, start_client: StartClient, tmp_path: Path) -> None:
    interpreter = python("remote-write")
    if interpreter is None:
        pytest.skip(f"OpenTelemetry's exporter {MISSING}")
    (tmp_path / "client.py").write_text(account.config("opentelemetry_remote_write.py"))
    recorder = Recorder()
    with recording(recorder.record) as port:
        client = start_client(
            interpreter,
            PROGRAMS / "opentelemetry_remote_write.py",
            f"http://127.0.0.1:{port}/recorded",
            "2",
            PYTHONPATH=str(tmp_path),
        )
        client.wait()
    same(account.stored(), mapped(recorder.points))
    assert account.refused() == sum(map(has_long_value, recorder.points)) > 0


def test_k6(account: Account, start_client: StartClient, tmp_path: Path) -> None:
    """The last value of each counter is that in k6's own summary."""
    interpreter = python("k6")
    if interpreter is None:
        pytest.skip(f"k6 {MISSING}")
    summary = tmp_path / "summary.json"
    client = start_client(
        interpreter.with_name("k6"),
        *("run", "--quiet", "--no-usage-report", "--out", "experimental-prometheus-rw"),
        *("--summary-export", summary, PROGRAMS / "k6.js"),
        HOME=str(tmp_path),
        PATH=os.environ["PATH"],
        **account.environment("k6.env"),
    )
    client.wait()
    assert "level=error" not in client.errors() + client.output()
    stored = sorted(account.stored(), key=lambda point: point.time)
    last = {point.name: point.value for point in stored}
    metrics = json.loads(summary.read_text())["metrics"]
    assert last["k6_orders_total"] == metrics["orders"]["count"] == 120
    assert last["k6_iterations_total"] == metrics["iterations"]["count"] == 40
    assert last["k6_latency_p99"] == pytest.approx(19.5, abs=1)
    assert len({(p.name, p.tags, p.time) for p in stored}) == len(stored)
    assert account.refused() == 0
