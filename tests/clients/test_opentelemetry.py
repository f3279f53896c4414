"""OpenTelemetry's SDKs for Python and Node.js export by OTLP, protobuf and JSON."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.clients.account import Account
from tests.clients.conftest import SECONDS
from tests.clients.otlp import exports, is_refused, stored_points
from tests.clients.packages import node_modules, python
from tests.clients.points import doubled, same
from tests.clients.processes import Client, StartClient
from tests.waiting import wait_until

PROGRAMS = Path(__file__).parent / "programs"
MISSING = "is missing; `make clients` fetches it"


def check(account: Account, client: Client) -> None:
    """Check that what was exported is stored once, except what cannot be, which is refused."""
    made = exports(client.output())
    assert {export.result for export in made} == {"SUCCESS"}, client.errors()[-3000:]
    assert len(made) > 3
    same(account.stored(), stored_points(made))
    refused = [each for export in made for each in export.data_points if is_refused(each)]
    assert account.refused() == len(refused) > 0


@pytest.mark.parametrize("encoding", ["proto", "json"])
@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_python(
    account: Account, start_client: StartClient, encoding: str, temporality: str
) -> None:
    interpreter = Path(sys.executable) if encoding == "proto" else python("otlp-json")
    if interpreter is None:
        pytest.skip(f"the exporter of JSON {MISSING}")
    client = start_client(
        interpreter,
        PROGRAMS / "opentelemetry_sdk.py",
        encoding,
        str(min(SECONDS, 3)),
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=temporality,
        **account.environment("opentelemetry.env"),
    )
    client.wait()
    check(account, client)


@pytest.mark.parametrize("encoding", ["proto", "http"])
def test_node(account: Account, start_client: StartClient, encoding: str, tmp_path: Path) -> None:
    modules = node_modules()
    if modules is None:
        pytest.skip(f"Node.js or its exporter {MISSING}")
    (tmp_path / "node_modules").symlink_to(modules)
    program = tmp_path / "opentelemetry_sdk.mjs"
    program.write_text((PROGRAMS / program.name).read_text())
    client = start_client(
        "node",
        program,
        encoding,
        str(min(SECONDS, 3)),
        **account.environment("opentelemetry.env"),
    )
    client.wait()
    check(account, client)


@pytest.mark.slow
def test_killed_workers_and_a_killed_service_lose_and_double_nothing(
    disturbed: Account, start_client: StartClient
) -> None:
    """The SDK tries again for as long as its timeout, here a minute."""
    service = disturbed.service
    client = start_client(
        sys.executable,
        PROGRAMS / "opentelemetry_sdk.py",
        "proto",
        "8",
        **disturbed.environment("opentelemetry.env"),
    )
    wait_until(lambda: '"result"' in client.output())
    for pid in service.pids("worker"):
        os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    service.kill_all()
    time.sleep(1)
    service.start()
    client.wait()
    made = exports(client.output())
    assert {export.result for export in made} == {"SUCCESS"}, client.errors()[-3000:]
    same(disturbed.stored(), stored_points(made))
    assert "retrying" in client.errors()


def test_a_killed_client_that_starts_again_loses_and_doubles_nothing(
    account: Account, start_client: StartClient
) -> None:
    """An export that had no answer when the client was killed is stored or not, but not twice."""
    client = start_client(
        sys.executable,
        PROGRAMS / "opentelemetry_sdk.py",
        "proto",
        "2",
        **account.environment("opentelemetry.env"),
    )
    wait_until(lambda: client.output().count('"result"') > 3)
    client.kill()
    output = client.output()
    client.start()
    client.wait()
    made = exports(output) + exports(client.output()[len(output) :])
    answered = stored_points(export for export in made if export.result == "SUCCESS")
    unanswered = set(stored_points(export for export in made if export.result is None))
    stored = account.stored()
    assert not doubled(stored)
    same([point for point in stored if point not in unanswered], answered)
