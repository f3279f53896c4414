"""Archive a small data dir that is written by the release checked out at RELEASE.

    PYTHONPATH=RELEASE python tests/compatibility/make_data_dir.py RELEASE NAME.tar.xz

Uses only the command line, HTTP and the log server, so it works with any release. The archive
contains `data`, the data dir, and `expected.json`, everything that must be read back from it.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from redis import Redis

CAVE = (sys.executable, "-m", "entrypoints.cli")
PROJECTIONS = ("series", "catalog")
POINTS = 240
BATCH = 16

NAMES = ("http.cache.hits", "http.cache.misses", "orders", "a", "Temp_1-x.y")
VALUES = (0.0, -0.0, 1.0, 0.1, -273.15, 5e-324, 1.7976931348623157e308, 2**53 + 1, 123)
TIMES = (0, 1, 1398788625, 1398788625123, 1414154248500000)
TAG_SETS: tuple[dict[str, str], ...] = (
    {},
    {"host": "svc12.prod.iad", "service": "svc-important"},
    {"host": "42"},
    {"path": "C:\\", "quote": 'say "hello", twice: \\"'},
    {"shipTo": "Zürich", "emoji": "🦀", "kanji": "東京"},
    {f"tag{number}": str(number) for number in range(10)},
    {"long": "x" * 127},
)


class Release:
    """A running `cave serve` of the release."""

    def __init__(self, release: Path, data: Path) -> None:
        self.data = data
        self.directory = release
        self.environment = {**os.environ, "PYTHONPATH": str(release), "CAVE_DATA_DIR": str(data)}
        self.process = subprocess.Popen(
            [*CAVE, "serve", "--port", "0"],
            cwd=release,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        found = re.search(r"http://\S+", self.process.stdout.readline())
        assert found is not None
        self.url = found[0].rstrip("/")

    def cave(self, *arguments: str) -> str:
        done = subprocess.run(
            [*CAVE, *arguments],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def publish(self, owner: str, token: str, items: list[dict[str, Any]], key: str = "") -> str:
        """Publish a batch; return its receipt."""
        request = urllib.request.Request(
            f"{self.url}/organizations/{owner}/metrics",
            json.dumps({"metrics": items}).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        if key:
            request.add_header("Idempotency-Key", key)
        with urllib.request.urlopen(request) as answer:
            receipt: str = answer.headers["Cave-Receipt"]
            return receipt

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(60) == 0


def milliseconds(timestamp: int) -> int:
    """Return a timestamp as stored; one above the largest in seconds has a finer unit."""
    unit = 1
    while timestamp > 95617584000 * unit:
        unit *= 1000
    return timestamp * 1000 // unit


def item(chance: random.Random) -> dict[str, Any]:
    timestamp = chance.choice(TIMES) if chance.random() < 0.3 else 1700000000 + chance.randrange(60)
    return {
        "name": chance.choice(NAMES),
        "timestamp": timestamp,
        "value": chance.choice(VALUES) if chance.random() < 0.5 else chance.uniform(-1e3, 1e3),
        "tags": chance.choice(TAG_SETS),
    }


def as_read(item: dict[str, Any]) -> dict[str, Any]:
    """Return a point as exported: minus zero becomes zero."""
    return {
        "name": item["name"],
        "time": milliseconds(item["timestamp"]),
        "value": float(item["value"]) + 0.0,
        "tags": item["tags"],
    }


def make(release: Path, data: Path) -> dict[str, Any]:
    chance = random.Random(9)
    service = Release(release, data)
    try:
        tokens = {
            owner: service.cave("org", "create", owner, "--quiet") for owner in ("gilt", "acme.eu")
        }
        tokens["gilt/teams/checkout"] = service.cave(
            "team", "create", "gilt", "checkout", "--quiet"
        )
        reading = {
            owner: service.cave("token", "issue", owner, "--scope", "read", "--quiet")
            for owner in ("gilt", "acme.eu")
        }
        expiring = service.cave("token", "issue", "acme.eu", "--expires-in", "1s", "--quiet")
        revoked = service.cave("token", "issue", "gilt", "--quiet")
        listed = json.loads(service.cave("token", "list", "gilt", "--json").splitlines()[-1])
        service.cave("token", "revoke", "gilt", listed["id"])
        time.sleep(1.5)
        events: list[dict[str, Any]] = []

        def publish(owner: str, items: list[dict[str, Any]], key: str = "") -> str:
            receipt = service.publish(owner, tokens[owner], items, key)
            events.append(
                {"receipt": receipt, "owner": owner, "points": [as_read(item) for item in items]}
            )
            return receipt

        for start in range(0, POINTS, BATCH):
            owner = list(tokens)[start // BATCH % len(tokens)]
            publish(owner, [item(chance) for _ in range(BATCH)])
            publish(owner, [item(chance)])
        twice = item(chance)
        publish("gilt", [twice, twice])
        key, body = "one-batch-only", [item(chance)]
        with_key = publish("gilt", body, key)
        assert service.publish("gilt", tokens["gilt"], body, key) == with_key
        until = int(time.time() * 1000)
        time.sleep(0.1)
        copied = len(events)
        for projection in PROJECTIONS:
            service.cave("replay", projection, "--until", f"{until / 1000:.3f}", "--as", "at-noon")
        for owner in tokens:
            publish(owner, [item(chance) for _ in range(BATCH)])
        partition = events[0]["receipt"].split("-")[0]
        (server,) = data.rglob("*.sock")
        with Redis(unix_socket_path=str(server)) as client:
            unreadable = client.xadd(
                f"{{cave:metrics:{partition}}}:log", {"topic": "metrics.of-another-time.v9"}
            )
        publish(next(iter(tokens)), [item(chance)])
        time.sleep(3)  # the projector commits twice a second
        digests = {
            projection: json.loads(service.cave("verify", projection, "--json"))
            for projection in PROJECTIONS
        }
    finally:
        service.stop()
    return {
        "tokens": tokens,
        "reading": reading,
        "refused": {"expired": ["acme.eu", expiring], "revoked": ["gilt", revoked]},
        "events": events,
        "copied": copied,
        "set_aside": f"{partition}-{unreadable.decode()}",
        "digests": digests,
    }


def main() -> None:
    release, archive = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory(prefix="cave-") as place:
        data = Path(place) / "data"
        expected = make(release, data)
        for leftover in (*data.rglob("*.sock"), *data.rglob("tmp"), *data.rglob("*.log")):
            if leftover.is_dir():
                leftover.rmdir()
            else:
                leftover.unlink()
        (Path(place) / "expected.json").write_text(
            json.dumps(expected, ensure_ascii=False, indent=1)
        )
        with tarfile.open(archive, "w:xz") as tar:
            tar.add(data, "data")
            tar.add(Path(place) / "expected.json", "expected.json")
    print(archive, archive.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
