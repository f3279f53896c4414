"""Commands work beside a running service on the same data directory, and also without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.e2e.tenant import point
from tests.entrypoints.test_cli_commands import LEAVES
from tests.service import Service, running
from tests.waiting import wait_until

ORGANIZATION = "gilt"
ELSEWHERE = {"compile", "demo", "import", "log accept-loss", "log restore", "projector", "serve"}
"""Commands that read no data directory, run a service or need a damaged log; other tests have
these."""


def commands(receipt: str, token_id: str, *, named: str) -> list[tuple[str, ...]]:
    """Return one call of every other command, in an order in which all succeed."""
    return [
        ("org", "create", named),
        ("org", "list"),
        ("org", "show", ORGANIZATION),
        ("org", "limits", ORGANIZATION, "--points-per-second", "1000"),
        ("team", "create", ORGANIZATION, named),
        ("team", "list", ORGANIZATION),
        ("token", "issue", ORGANIZATION),
        ("token", "list", ORGANIZATION),
        ("token", "revoke", ORGANIZATION, token_id),
        ("events", "tail", "--from-start", "--no-follow"),
        ("events", "show", receipt),
        ("events", "refused", ORGANIZATION),
        ("projections",),
        ("query", ORGANIZATION, "sum(http_cache_hits)"),
        ("export", ORGANIZATION),
        ("plot", ORGANIZATION, "http.cache.hits"),
        ("replay", "points"),
        ("verify", "points"),
        ("log", "archive", "--now"),
        ("log", "status"),
        ("log", "trim", "--dry-run"),
        ("log", "verify"),
        ("org", "erase", named, "--yes"),
    ]


@pytest.fixture
def service() -> Iterator[Service]:
    """A service with a batch that can be read, which runs."""
    with (
        TemporaryDirectory(prefix="cave-") as directory,
        running(Service(Path(directory), WORKERS=1)) as service,
    ):
        token = service.register(ORGANIZATION, "publish", "read")
        path = f"/organizations/{ORGANIZATION}/metrics"
        service.ask("POST", path, {"metrics": [point(value=1.0)]}, token)
        (receipt,) = service.stored()
        query = f"{path}?metric=http.cache.hits&receipt={receipt}"
        wait_until(lambda: service.answer("GET", query, token=token)[0] == 200)
        yield service


def failures(service: Service, *, named: str) -> list[tuple[tuple[str, ...], str]]:
    """Return the commands that do not exit with 0, with what they say."""
    receipt = record(service, "events", "tail", "--from-start", "--no-follow")["receipt"]
    token_id = record(service, "token", "issue", ORGANIZATION)["token"]["id"]
    done = [(each, service.tried(*each)) for each in commands(receipt, token_id, named=named)]
    return [(each, found.stderr) for each, found in done if found.returncode]


def record(service: Service, *command: str) -> dict[str, Any]:
    """Return the first record that a command prints."""
    found: dict[str, Any] = json.loads(service.cave(*command, "--json").splitlines()[0])
    return found


def test_each_command_is_called_here_or_elsewhere() -> None:
    called = {
        each for each in LEAVES for call in commands("", "", named="") if call[: len(each)] == each
    }
    assert {" ".join(each) for each in set(LEAVES) - called} == ELSEWHERE


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_works_beside_a_service_and_without_one(service: Service) -> None:
    assert failures(service, named="beside") == []
    assert service.stop() == 0
    assert failures(service, named="without") == []
