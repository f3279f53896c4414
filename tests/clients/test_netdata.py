"""netdata exports to OpenTSDB, and the same to a recorder."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.clients.account import Account
from tests.clients.conftest import SECONDS
from tests.clients.mapping import mapped
from tests.clients.points import Point, point, same
from tests.clients.processes import StartClient
from tests.clients.recorder import recording
from tests.debian import data, library_path, program
from tests.waiting import wait_until

NETDATA = program("netdata")
CONFIG = """
[global]
  run as user = root
  hostname = web-1
[db]
  update every = 1
  mode = ram
[directories]
  config = {directory}
  stock config = {stock}
  cache = {directory}
  lib = {directory}
  log = {directory}
  plugins = {directory}
  web = {directory}
[logs]
  errors = stderr
  access = off
[web]
  mode = none
[plugins]
  cgroups = no
  tc = no
  diskspace = no
  timex = no
  idlejitter = no
[ml]
  enabled = no
[health]
  enabled = no
"""
RECORDER = """
[opentsdb:http:recorder]
  enabled = yes
  destination = 127.0.0.1:{port}
  update every = 1
  data source = as collected
"""


@pytest.mark.skipif(NETDATA is None, reason="netdata is missing; `make clients` fetches it")
def test_what_is_exported_is_stored(
    account: Account, start_client: StartClient, tmp_path: Path
) -> None:
    assert NETDATA
    recorded: list[list[Point]] = []

    def record(body: bytes) -> None:
        recorded.append(
            [
                point(item["metric"], item["timestamp"] * 1000, float(item["value"]), item["tags"])
                for item in json.loads(body)
            ]
        )

    config = CONFIG.format(directory=tmp_path, stock=data("/usr/lib/netdata/conf.d"))
    (tmp_path / "netdata.conf").write_text(config)
    exporting = account.config("netdata-exporting.conf")
    exporting = exporting.replace("update every = 10", "update every = 1")
    with recording(record) as port:
        (tmp_path / "exporting.conf").write_text(exporting + RECORDER.format(port=port))
        client = start_client(
            NETDATA, "-D", "-c", tmp_path / "netdata.conf", LD_LIBRARY_PATH=library_path()
        )
        wait_until(lambda: recorded)
        time.sleep(min(SECONDS, 10))
        client.stop()
        time.sleep(1)
    # An export may have no points, or only ones without a time, which are refused.
    sent = [list(mapped(each for each in body if each.time)) for body in recorded]
    same(*in_both(account.stored_batches(), [batch for batch in sent if batch]))
    assert account.refused() == sum(not each.time for body in recorded for each in body)


def in_both(stored: list[list[Point]], sent: list[list[Point]]) -> tuple[list[Point], list[Point]]:
    """Return the points of each list; when netdata is stopped, one may lack the last batch."""
    assert abs(len(stored) - len(sent)) <= 1
    shorter = min(len(stored), len(sent))
    first, second = (
        [each for batch in sorted(batches, key=newest)[:shorter] for each in batch]
        for batches in (stored, sent)
    )
    return first, second


def newest(batch: list[Point]) -> int:
    """Return the time of a batch's newest point, in milliseconds since the epoch."""
    return max(each.time for each in batch)
