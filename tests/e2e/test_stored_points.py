"""A batch is one event, read back point for point by our reader and by the one in the docs."""

from __future__ import annotations

import random
import re
import struct
import subprocess
import sys
from ast import literal_eval
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.metric_log import exactly
from tests.e2e.tenant import TEAM, Tenant, metrics

MANUAL = Path(__file__).parents[2] / "docs" / "event-format.md"
Row = tuple[str, int, bytes, dict[str, str]]

# The import of the reader in the docs, by a package that the service has installed.
MSGPACK = "from msgspec.msgpack import decode as unpackb\n"


def thousand_points(seed: int) -> list[dict[str, Any]]:
    """Return points that share some names and tags, with values of every magnitude."""
    chance = random.Random(seed)
    largest = {"n" * 255: "v" * 1024, **{f"t{number}": "é" * 1024 for number in range(39)}}
    ordinary = [
        {
            "name": chance.choice(["http.hits", "cpu-load", "_Q/1", "job:up:rate5m", "n" * 255]),
            "timestamp": chance.randrange(1_398_788_625_000, 1_700_000_000_000) // 1000 * 1000
            + chance.randrange(1000),
            "value": chance.choice(
                [
                    chance.uniform(-1, 1),
                    chance.randrange(-(2**53), 2**53),
                    chance.lognormvariate(0, 100),
                    -0.0,
                    5e-324,
                    1.7976931348623157e308,
                ]
            ),
            "tags": {
                f"_t/{number}": chance.choice(["42", "10.0.0.1:80", "名前", "a b", "v" * 127])
                for number in range(chance.randrange(11))
            },
        }
        for _ in range(999)
    ]
    return [{"name": "largest", "timestamp": 0, "value": 0, "tags": largest}, *ordinary]


def rows(points: list[dict[str, Any]]) -> list[Row]:
    """Return the expected rows, with values bit for bit."""
    return [
        (p["name"], p["timestamp"], struct.pack(">d", float(p["value"])), p["tags"]) for p in points
    ]


@pytest.mark.parametrize("team", [None, TEAM])
def test_a_thousand_points_are_one_event_and_come_back_exactly(
    tenant: Tenant, team: str | None
) -> None:
    points = thousand_points(seed=1)
    response = tenant.publish(metrics(*points), team=team)
    assert response.status_code == 202, response.text
    ((receipt, recorded),) = tenant.events().items()
    assert receipt == response.headers["cave-receipt"]
    organization, owner, _, stored = exactly(recorded.event)
    assert (organization, owner) == (tenant.name, team)
    assert stored == rows(points)


def test_the_docs_reader_finds_every_point_of_every_event(tenant: Tenant, tmp_path: Path) -> None:
    """As printed on the page, with only redis-py and XRANGE; events of both encodings."""
    batches = [thousand_points(seed=2), thousand_points(seed=3)[:1]]
    receipts = [tenant.publish(metrics(*batch)).headers["cave-receipt"] for batch in batches]
    (tmp_path / "msgpack.py").write_text(MSGPACK)
    (tmp_path / "reader.py").write_text(docs_reader())
    done = subprocess.run(
        [sys.executable, str(tmp_path / "reader.py"), str(tenant.service.data_dir.socket_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    line = rf"^(\S+) {tenant.name} (\S+) (\d+) (\S+) (\{{.*\}})$"
    printed = re.findall(line, done.stdout, re.MULTILINE)
    for receipt, batch in zip(receipts, batches, strict=True):
        found = [
            (name, int(time), struct.pack(">d", float(value)), literal_eval(tags))
            for printed_receipt, name, time, value, tags in printed
            if printed_receipt == receipt
        ]
        assert found == rows(batch)
    assert len(printed) == sum(map(len, batches))


def docs_reader() -> str:
    (reader,) = re.findall(
        r"### A complete reader\n\n```python\n(.*?)```", MANUAL.read_text(), re.DOTALL
    )
    return str(reader)
