"""`cave demo --hosts` without a server that it would like to have."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from entrypoints.demo.hosts import postgresql, servers
from tests.entrypoints.cli_in_memory import CommandLine


def test_a_directory_and_projections_of_each_host_take_the_place_of_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "is_installed", lambda: False)
    monkeypatch.setattr(postgresql, "INSTALLED", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    with ExitStack() as stack:
        variables = servers._shared_files(tmp_path, stack, said.append)
    assert variables == {"CAVE_ARCHIVE": str(tmp_path / "archive")}
    assert "pip install moto" in said[0]
    assert "apt-get install postgresql" in said[1]


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--redis-url", "redis://log"), ("--data-dir", "data"), ("--key-prefix", "other")],
)
def test_several_hosts_have_servers_of_their_own(cave: CommandLine, flag: str, value: str) -> None:
    result = cave("demo", "--hosts", "2", flag, value)
    assert result.exit_code == 2
    assert f"{flag} does not go with --hosts" in result.stderr
