"""Libraries for PromQL return what the service answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.packages import node_modules, python
from tests.clients.processes import StartClient
from tests.clients.reading import ReadableAccount

PROGRAMS = Path(__file__).parent / "programs"
MISSING = "is missing; `make clients` fetches it"


class Asked:
    """What a program found over half an hour, and the same asked directly."""

    def __init__(self, account: ReadableAccount, start: StartClient, directory: Path) -> None:
        self.api = account.api()
        self.end = account.end // 1000 - 600
        self.start = self.end - 1800
        self._account = account
        self._start = start
        self._directory = directory

    def by(self, interpreter: Path | str, program: str, config: str) -> Any:
        """Run a program with its client's configuration, and return what it prints."""
        suffix = Path(program).suffix
        (self._directory / f"client{suffix}").write_text(self._account.config(config))
        (self._directory / program).write_text((PROGRAMS / program).read_text())
        process = self._start(
            interpreter, program, str(self.start), str(self.end), directory=self._directory
        )
        process.wait()
        return json.loads(process.output())

    def series(self, query: str) -> Any:
        """Return the result of a range query with a step of a minute."""
        over = {"start": self.start, "end": self.end, "step": 60}
        return self.api.ask("query_range", query=query, **over)["result"]


@pytest.fixture
def asked(readable: ReadableAccount, start_client: StartClient, tmp_path: Path) -> Asked:
    return Asked(readable, start_client, tmp_path)


def test_prometheus_api_client(asked: Asked) -> None:
    interpreter = python("prometheus-api")
    if interpreter is None:
        pytest.skip(f"prometheus-api-client {MISSING}")
    found = asked.by(interpreter, "prometheus_api.py", "prometheus_api_client.py")
    api = asked.api
    assert found["connected"] is True
    assert found["metrics"] == api.ask("label/__name__/values")
    assert found["labels"] == api.ask("labels")
    assert found["values"] == ["attic", "cellar", "hall", "kitchen"]
    assert {series["metric"]["device"] for series in found["current"]} == {"sda"}
    assert found["series"] == api.ask("series", **{"match[]": "demo_disk_size_bytes"})
    assert len(found["series"]) == 4
    query = {"query": "sum(demo_requests_total)", "time": asked.end}
    assert found["query"] == api.ask("query", **query)["result"]
    assert found["range"] == asked.series("demo_requests_total")
    assert len(found["range"]) == 12
    # Each of the three parts is a query of its own for 10 minutes of samples.
    assert sum(len(series["values"]) for series in found["chunks"]) > 3 * 4 * 30
    assert found["targets"] == {"activeTargets": [], "droppedTargets": []}
    assert found["metadata"] == []


def test_prometheus_query(asked: Asked) -> None:
    modules = node_modules()
    if modules is None or not (modules / "prometheus-query").exists():
        pytest.skip(f"prometheus-query {MISSING}")
    (asked._directory / "node_modules").symlink_to(modules)
    found = asked.by("node", "prometheus_query.mjs", "prometheus-query.mjs")
    [total] = asked.api.ask("query", query="sum(demo_requests_total)", time=asked.end)["result"]
    assert [sample["value"]["value"] for sample in found["query"]] == [float(total["value"][1])]
    assert [len(series["values"]) for series in found["range"]] == [
        len(series["values"]) for series in asked.series("demo_requests_total")
    ]
    assert len(found["series"]) == 8
    assert found["labels"] == ["__name__", "device", "instance", "path", "status"]
    assert found["values"] == ["attic", "cellar", "hall", "kitchen"]
    assert found["rules"] == found["alerts"] == []
    assert found["targets"] == {"activeTargets": [], "droppedTargets": []}
    assert found["metadata"] == {}
    assert found["build"]["version"]
    assert found["error"]["errorType"] == "bad_data"
