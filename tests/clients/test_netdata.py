"""netdata exports to OpenTSDB, and the same to a recorder."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.clients.account import Account
from tests.clients.conftest import SECONDS
from tests.clients.mapping import mapped
from tests.clients.points import Point, point, same
from tests.clients.processes import Client, StartClient
from tests.clients.recorder import recording
from tests.debian import data, library_path, program
from tests.waiting import wait_until

NETDATA = program("netdata")
CONFIG = """
[global]
  run as user = root
  hostname = web-1
  process scheduling policy = keep
  process nice level = 0
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
        # It exports to one after the other, and is killed when both have the same.
        wait_until(lambda: is_paused_between_exports(client, account, recorded), 60)
        client.kill()
    same([each for batch in account.stored_batches() for each in batch], stored_of(recorded))
    assert account.refused() == refused_of(recorded)


def is_paused_between_exports(
    client: Client, account: Account, recorded: list[list[Point]]
) -> bool:
    """Pause netdata; let it go on if one receiver has an export that the other lacks.

    What was not sent goes out only with the next export, a second later, or more on a busy machine.
    Return whether it is paused.
    """
    client.send(signal.SIGSTOP)
    time.sleep(1)
    stored = sum(map(len, account.stored_batches()))
    if (stored, account.refused()) == (len(stored_of(recorded)), refused_of(recorded)):
        return True
    client.send(signal.SIGCONT)
    time.sleep(1.7)
    return False


def stored_of(recorded: list[list[Point]]) -> list[Point]:
    """Return the points that are to be stored: those with a time, as they are mapped."""
    return [*mapped(each for body in recorded for each in body if each.time)]


def refused_of(recorded: list[list[Point]]) -> int:
    """Return the number of points without a time."""
    return sum(not each.time for body in recorded for each in body)
