"""promtool asks what it can ask of a Prometheus."""

from __future__ import annotations

import json
import shlex
import subprocess

import pytest

from tests.clients.account import Account
from tests.clients.reading import PromqlApi, ReadableAccount
from tests.debian import program

PROMTOOL = program("promtool")

pytestmark = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is missing; `make clients` fetches it"
)


class Tool:
    """promtool, with the address of an account's PromQL as it is documented."""

    def __init__(self, account: Account) -> None:
        _, _, _, self.address, _ = shlex.split(account.config("promtool.sh"))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it with the address in place of `ADDRESS`."""
        assert PROMTOOL
        return subprocess.run(
            [PROMTOOL, *(each.replace("ADDRESS", self.address) for each in arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def output(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def tool(readable: ReadableAccount) -> Tool:
    return Tool(readable)


@pytest.fixture
def api(readable: ReadableAccount) -> PromqlApi:
    return readable.api()


def test_instant(tool: Tool, api: PromqlApi) -> None:
    query = "sum by (status) (demo_requests_total offset 10m)"
    found = json.loads(tool.output("query", "instant", "-o", "json", "ADDRESS", query))
    at = found[0]["value"][0]
    assert found == api.ask("query", query=query, time=at)["result"]
    assert len(found) == 2


def test_range(tool: Tool, readable: ReadableAccount) -> None:
    end = readable.end // 1000 - 600
    query = "rate(demo_requests_total[5m])"
    over = {"start": end - 3600, "end": end, "step": 60}
    flags = [f"--start={over['start']}", f"--end={over['end']}", "--step=1m"]
    text = tool.output("query", "range", "-o", "json", *flags, "ADDRESS", query)
    assert json.loads(text) == readable.api().ask("query_range", query=query, **over)["result"]


def test_series_and_labels(tool: Tool) -> None:
    found = tool.output("query", "series", "--match=demo_disk_size_bytes", "ADDRESS")
    assert found.count("demo_disk_size_bytes") == 4
    assert tool.output("query", "labels", "ADDRESS", "device").split() == ["sda", "sdb"]


def test_errors_are_shown(tool: Tool) -> None:
    done = tool.run("query", "instant", "ADDRESS", "sum(")
    assert done.returncode == 1
    assert "bad_data" in done.stderr
    tool.address = tool.address.replace("//cave_", "//cave_other")
    assert "token is unknown" in tool.run("query", "instant", "ADDRESS", "up").stderr
