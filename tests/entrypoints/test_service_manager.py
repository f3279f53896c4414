"""A service manager that asks for it hears when the service is ready and when it stops."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoints.processes.service_manager import VARIABLE, ServiceManager
from tests.service import CAVE, Service, clean_environment, running
from tests.waiting import SECONDS, wait_until

START_SECONDS = 120.0
"""A service takes a second to start, but much longer on a machine that is very busy."""


@pytest.fixture
def directory() -> Iterator[Path]:
    with TemporaryDirectory(prefix="cave-") as directory:
        yield Path(directory)


@pytest.fixture
def manager(directory: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(directory / "notify"))
        listening.settimeout(START_SECONDS)
        yield listening


@contextmanager
def managed(command: str, variables: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [*CAVE, command],
        env={**clean_environment(), **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_the_manager_hears_when_the_service_is_ready_and_when_it_stops(
    directory: Path, manager: socket.socket
) -> None:
    variables = {
        "CAVE_DATA_DIR": str(directory / "data"),
        "CAVE_PORT": "0",
        VARIABLE: str(directory / "notify"),
    }
    with managed("serve", variables) as process:
        assert manager.recv(100) == b"READY=1"
        process.terminate()
        assert manager.recv(100) == b"STOPPING=1"
        assert process.wait(SECONDS) == 0


def test_a_projector_of_its_own_serves_a_service_without_one(
    directory: Path, manager: socket.socket
) -> None:
    with running(Service(directory, NO_PROJECTOR=1)) as service:
        assert service.pids("projector") == []
        token = service.register("gilt", "publish", "read")
        point = {"name": "a", "timestamp": 1398788625, "value": 1, "tags": {}}
        service.ask("POST", "/organizations/gilt/metrics", {"metrics": [point]}, token)
        query = "/organizations/gilt/metrics?metric=a"
        assert service.answer("GET", query, token=token)[0] != 200
        variables = {
            "CAVE_DATA_DIR": str(service.data_dir.path),
            VARIABLE: str(directory / "notify"),
        }
        with managed("projector", variables) as process:
            assert manager.recv(100) == b"READY=1"
            wait_until(lambda: service.answer("GET", query, token=token)[0] == 200)
            process.terminate()
            assert process.wait(SECONDS) == 0


def test_an_abstract_socket_is_named_with_an_at_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0cave-test-{os.getpid()}")
        listening.settimeout(SECONDS)
        monkeypatch.setenv(VARIABLE, f"@cave-test-{os.getpid()}")
        ServiceManager().ready()
        assert listening.recv(100) == b"READY=1"


def test_children_are_not_asked_to_speak_for_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/nowhere/notify")
    ServiceManager()
    assert VARIABLE not in os.environ


@pytest.mark.parametrize("address", ["", "/nowhere/notify"])
def test_a_manager_that_cannot_be_notified_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(VARIABLE, address)
    manager = ServiceManager()
    manager.ready()
    manager.stopping()
