"""InfluxDB's clients of all three versions write lines."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.clients.account import Account
from tests.clients.mapping import metric_name
from tests.clients.packages import node_modules, python
from tests.clients.points import Point, point, same
from tests.clients.processes import Client, StartClient
from tests.waiting import wait_until

PROGRAMS = Path(__file__).parent / "programs"
CLIENT_OF = {
    "influxdb_v1.py": "influxdb.py",
    "influxdb_v3.py": "influxdb3.py",
    "influx.mjs": "influx.mjs",
}
"""The configurations that programs import; the others are configured by the environment."""

MISSING = "is missing; `make clients` fetches it"
Item = Mapping[str, Any]


def items(seed: int, *, count: int = 50, texts: bool = False) -> list[Item]:
    """Return points with fields of every type, with texts only if they are wanted.

    Measurements have no character that needs an escape: not all clients escape them rightly.
    """
    chance = random.Random(seed)
    now = int(time.time() * 1000)
    return [
        {
            "measurement": chance.choice(["cpu", "disk/io", "http.requests", "größe"]),
            "tags": {"host": chance.choice(["a", "b c", "d,e=f", "ü"]), "number": str(number)},
            "fields": {
                "value": chance.uniform(-1e6, 1e6),
                "total": chance.randrange(2**53),
                "idle time": chance.choice([0.25, 1e300, -5e-324]),
                "up": chance.choice([True, False]),
                **({"text": 'not "stored"'} if texts and number % 5 == 0 else {}),
            },
            "time": now + number,
        }
        for number in range(count)
    ]


def expected(sent: list[Item]) -> Iterator[Point]:
    """Yield the points that items must become; texts are refused."""
    for item in sent:
        tags = item["tags"]
        for field, value in item["fields"].items():
            if isinstance(value, str):
                continue
            name = item["measurement"] + ("" if field == "value" else f"_{field}")
            yield point(metric_name(name), item["time"], float(value), tags)


def start(
    start_client: StartClient, account: Account, directory: Path, program: str, sent: object
) -> Client:
    """Start a program that writes batches; skip the test if its client is missing."""
    interpreter: Path | str | None = sys.executable
    if program.endswith(".mjs"):
        modules = node_modules()
        interpreter = "node" if modules else None
        if modules:
            (directory / "node_modules").symlink_to(modules)
    elif program == "influxdb_v3.py":
        interpreter = python("influxdb3")
    if interpreter is None:
        pytest.skip(f"the client of {program} {MISSING}")
    if config := CLIENT_OF.get(program):
        (directory / f"client{Path(program).suffix}").write_text(account.config(config))
    (directory / program).write_text((PROGRAMS / program).read_text())
    (directory / "batches.json").write_text(json.dumps(sent))
    environment = account.environment("influxdb-client.env")
    return start_client(interpreter, program, directory=directory, **environment)


@pytest.mark.parametrize(
    "program", ["influxdb_v1.py", "influxdb_v2.py", "influxdb_v3.py", "influx.mjs"]
)
def test_numbers_are_stored_and_texts_refused(
    account: Account, start_client: StartClient, tmp_path: Path, program: str
) -> None:
    batches = [items(1), items(2, texts=True), items(3)]
    client = start(start_client, account, tmp_path, program, batches)
    client.wait()
    first, second, third = client.output().splitlines()
    assert first == third == "stored"
    assert "text" in second
    sent = [item for batch in batches for item in batch]
    same(account.stored(), expected(sent))
    assert account.refused() == sum("text" in item["fields"] for item in sent) > 0


def test_killed_workers_and_a_killed_service_lose_and_double_nothing(
    disturbed: Account, start_client: StartClient, tmp_path: Path
) -> None:
    """A client that gathers batches tries again for as long as it was configured to."""
    service, sent = disturbed.service, items(4, count=1000)
    client = start(start_client, disturbed, tmp_path, "influxdb_v2_batching.py", [sent])
    wait_until(client.output)
    for pid in service.pids("worker"):
        os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    service.kill_all()
    time.sleep(1)
    service.start()
    client.wait()
    assert set(client.output().splitlines()) == {"stored"}
    same(disturbed.stored(), expected(sent))
