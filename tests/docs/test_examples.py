"""The examples in the docs work as pasted, against a running service."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.markdown import ROOT, blocks
from tests.service import Service, clean_environment, running

CAVE = Path(sys.executable).parent / "cave"
SECONDS = 60


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with (
        TemporaryDirectory(prefix="cave-") as directory,
        running(Service(Path(directory))) as service,
    ):
        yield service


def shell(script: str, service: Service) -> str:
    """Run a script as a reader would, but on this service's address and data directory."""
    script = script.replace("http://127.0.0.1:8000", service.url)
    script = script.replace(".venv/bin/cave", str(CAVE))
    environment = {**clean_environment(), "CAVE_DATA_DIR": str(service.data_dir.path)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_works_as_pasted_and_the_format_suffices_to_read_the_log(
    service: Service,
) -> None:
    publish, read, log = blocks(ROOT / "README.md", "sh")
    published = shell(publish, service)
    assert published.startswith("HTTP/1.1 202 Accepted\n")
    receipt = re.search(r"^cave-receipt: (\S+)$", published, re.MULTILINE | re.IGNORECASE)
    assert receipt, published

    token = service.cave("token", "issue", "gilt", "--scope=read", "--scope=publish", "--quiet")
    service.ask(
        "GET",
        f"/organizations/gilt/metrics?metric=http.cache.hits&receipt={receipt[1]}",
        token=token,
    )
    names, metrics = map(json.loads, shell(read, service).splitlines())
    assert names == [
        {"name": "http.cache.hits", "tags": ["host", "service"]},
        {"name": "http.cache.misses", "tags": ["host", "service"]},
    ]
    assert metrics == {"metrics": [{"time": "2014-04-29T16:00:00.000Z", "value": 123.0}]}

    looked = shell(log, service)
    assert receipt[1] in looked
    assert "projection  points\n" in looked

    (reader,) = blocks(ROOT / "docs" / "event-format.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", reader, str(service.data_dir.socket_path)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    tags = "{'host': 'svc12.prod.iad', 'service': 'svc-important'}"
    assert done.stdout.splitlines() == [
        f"{receipt[1]} gilt http.cache.hits 1398788625000 123.0 {tags}",
        f"{receipt[1]} gilt http.cache.misses 1398788625000 12.0 {tags}",
    ]


def test_the_archive_s_format_suffices_to_read_the_archive(service: Service) -> None:
    token = service.register("archived")
    for number in range(3):
        point = {"name": "a", "timestamp": 1398788625 + number, "value": number, "tags": {}}
        path = "/organizations/archived/metrics"
        service.ask("POST", path, {"metrics": [point]}, token)
    service.cave("log", "archive", "--now")
    (reader,) = blocks(ROOT / "docs" / "archive-format.md", "python")
    partition = next(r for r, e in service.stored().items() if e.event.organization == "archived")
    command = [sys.executable, "-c", reader, str(service.data_dir.path / "archive")]
    done = subprocess.run(
        [*command, partition.partition("-")[0]],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    found = [line.split()[0] for line in done.stdout.splitlines() if "archived" in line]
    receipts = [r for r, e in service.stored().items() if e.event.organization == "archived"]
    assert found == [receipt.partition("-")[2] for receipt in receipts]


def test_streams_are_imported_as_the_page_says(service: Service, tmp_path: Path) -> None:
    [imports] = blocks(ROOT / "docs" / "point-files.md", "sh")
    token = service.register("streams")
    settings = f"cd {tmp_path}\nexport CAVE_TOKEN={token} CAVE_URL=http://127.0.0.1:8000\n"
    script = imports.replace("cave import gilt", ".venv/bin/cave import streams --json")
    records = [json.loads(line) for line in shell(settings + script, service).splitlines()]
    assert [record["stored_before"] for record in records] == [0, 0, 1]
    stored = [recorded.event for recorded in service.stored().values()]
    points = [len(event.points) for event in stored if event.organization == "streams"]
    assert points == [1, 1]


def test_promql_is_asked_as_the_page_says(service: Service) -> None:
    over_http, in_the_terminal = blocks(ROOT / "docs" / "promql.md", "sh")
    token = service.register("asked", "publish", "read")
    now = int(time.time())
    points = [
        {"name": "http.hits", "timestamp": now - ago, "value": 600 - ago, "tags": {"host": "a"}}
        for ago in (60, 45, 30, 15, 0)
    ]
    path = "/organizations/asked/metrics"
    service.ask("POST", path, {"metrics": points}, token)
    [receipt] = [r for r, e in service.stored().items() if e.event.organization == "asked"]
    service.ask("GET", f"{path}?metric=http.hits&receipt={receipt}", token=token)
    script = over_http.replace("gilt", "asked")
    answer = json.loads(shell(f"READ={token}\n{script}", service))
    [found] = answer["data"]["result"]
    assert found["metric"] == {"host": "a"}
    assert 0 < float(found["value"][1]) <= 1
    script = in_the_terminal.replace("cave query gilt", ".venv/bin/cave query asked")
    assert shell(script, service).split()[:3] == ["host", "value", "a"]


def test_health_is_asked_for_as_the_page_says(service: Service) -> None:
    [example] = blocks(ROOT / "docs" / "health.md", "sh")
    token = service.register("asking", "read")
    answer = json.loads(shell(f"READ={token}\n{example.replace('gilt', 'asking')}", service))
    documented = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "health.md").read_text(), re.M)
    assert set(documented) == set(answer)
    assert len(answer["minutes"]) == 61
