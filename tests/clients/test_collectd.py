"""collectd writes in KairosDB's format, and the same values to CSV files."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.account import Account
from tests.clients.conftest import SECONDS
from tests.clients.points import Point, point, same
from tests.clients.processes import StartClient
from tests.debian import data, library_path, program
from tests.waiting import wait_until

COLLECTD = program("collectd")
CONFIG = """
Hostname "web-1"
FQDNLookup false
Interval 1
BaseDir "{directory}"
PIDFile "{directory}/pid"
PluginDir "{plugins}"
TypesDB "{types}"
LoadPlugin cpu
LoadPlugin interface
LoadPlugin load
LoadPlugin memory
LoadPlugin csv
<Plugin csv>
  DataDir "{directory}/csv"
</Plugin>
"""


def sent(directory: Path) -> Iterator[Point]:
    """Yield what is in the CSV files, host/plugin[-instance]/type[-instance]-date."""
    for file in directory.glob("*/*/*"):
        host, (plugin, _, plugin_instance) = file.parts[-3], file.parts[-2].partition("-")
        kind, _, instance = file.name[: -len("-2026-01-01")].partition("-")
        tags = {"host": host, "plugin_instance": plugin_instance, "type": kind}
        tags = {name: value for name, value in tags.items() if value}
        if instance:
            tags["type_instance"] = instance
        with file.open() as lines:
            for row in csv.DictReader(lines):
                time = round(float(row.pop("epoch")) * 1000)
                for source, value in row.items():
                    several = {"ds": source} if len(row) > 1 else {}
                    yield point(f"collectd.{plugin}", time, float(value), tags | several)


def rounded(stored: Point) -> Point:
    """Return a point with the decimals that the CSV files have."""
    return point(stored.name, stored.time, float(f"{stored.value:.6f}"), dict(stored.tags))


@pytest.mark.skipif(COLLECTD is None, reason="collectd is missing; `make clients` fetches it")
def test_what_is_in_the_files_is_stored(
    account: Account, start_client: StartClient, tmp_path: Path
) -> None:
    assert COLLECTD
    config = CONFIG.format(
        directory=tmp_path,
        plugins=data("/usr/lib/collectd"),
        types=data("/usr/share/collectd/types.db"),
    )
    (tmp_path / "collectd.conf").write_text(config + account.config("collectd.conf"))
    client = start_client(
        COLLECTD, "-f", "-C", tmp_path / "collectd.conf", LD_LIBRARY_PATH=library_path()
    )
    wait_until(lambda: [*tmp_path.glob("csv/*/load/*")])
    time.sleep(min(SECONDS, 10))
    client.stop()
    same(map(rounded, account.stored()), sent(tmp_path / "csv"))
    assert account.refused() == 0
