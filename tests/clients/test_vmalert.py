"""vmalert evaluates rules on what it reads, writes what they record, and reads that again."""

from __future__ import annotations

import json
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.clients.processes import StartClient
from tests.clients.reading import ReadableAccount
from tests.clients.recorder import recording
from tests.debian import program
from tests.servers import free_port
from tests.service import Service
from tests.waiting import wait_until

VMALERT = program("vmalert")

RULES = """
groups:
  - name: demo
    interval: 1s
    rules:
      - record: path:demo_requests:rate1h
        expr: sum by (path) (rate(demo_requests_total[1h]))
        labels:
          source: vmalert
      - record: path:demo_requests:recorded
        expr: path:demo_requests:rate1h
      - alert: Requests
        expr: path:demo_requests:rate1h > 0
        for: 1s
        annotations:
          summary: "{{ $value }} of {{ $labels.path }}"
"""

pytestmark = pytest.mark.skipif(
    VMALERT is None, reason="vmalert is missing; `make clients` fetches it"
)


def test_rules_are_evaluated_recorded_and_restored(
    service: Service, start_client: StartClient, tmp_path: Path
) -> None:
    account = ReadableAccount(service)
    api = account.api()
    (tmp_path / "rules.yml").write_text(RULES)
    alerts: list[Any] = []
    with recording(lambda body: alerts.extend(json.loads(body))) as port:
        text = account.config("vmalert.sh").replace("\\\n", " ").replace("9093", str(port))
        _, *arguments = shlex.split(text)
        assert VMALERT
        process = start_client(
            VMALERT,
            *arguments,
            "-remoteWrite.flushInterval=1s",
            f"-httpListenAddr=127.0.0.1:{free_port()}",
            directory=tmp_path,
        )

        def series_of(name: str) -> set[str]:
            found = api.ask("query", query=name)["result"]
            return {series["metric"]["path"] for series in found}

        paths = {"/a", "/b", "/c"}

        def recorded(name: str) -> bool:
            return process.runs() and series_of(name) == paths

        for name in ("path:demo_requests:rate1h", "path:demo_requests:recorded"):
            wait_until(partial(recorded, name), 60)
        firing = 'ALERTS{alertname="Requests", alertstate="firing"}'
        wait_until(lambda: series_of(firing) == paths, 60)
        wait_until(lambda: {alert["labels"]["path"] for alert in alerts} == paths)
        began = api.ask("query", query="ALERTS_FOR_STATE")["result"]
        # After a restart, it goes on with what it reads: alerts stay active since they began.
        process.stop()
        process.start()
        [first] = {each["value"][1] for each in began if each["metric"]["path"] == "/a"}
        count = 'count_over_time(ALERTS{alertstate="firing", path="/a"}[1h])'

        def firings() -> float:
            found = api.ask("query", query=count)["result"]
            return float(found[0]["value"][1]) if found else 0

        before = firings()
        wait_until(lambda: process.runs() and firings() > before + 1, 60)
        again = api.ask("query", query='ALERTS_FOR_STATE{path="/a"}')["result"]
        assert [each["value"][1] for each in again] == [first]
    source = api.ask("label/source/values", **{"match[]": "path:demo_requests:rate1h"})
    assert source == ["vmalert"]
    assert account.refused() == 0
