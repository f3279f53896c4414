"""A service manager that asks for it hears when the service is ready and when it stops."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoints.processes.service_manager import VARIABLE, ServiceManager
from tests.service import CAVE, clean_environment
from tests.waiting import SECONDS


@pytest.fixture
def directory() -> Iterator[Path]:
    with TemporaryDirectory(prefix="cave-") as directory:
        yield Path(directory)


@pytest.fixture
def manager(directory: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(directory / "notify"))
        listening.settimeout(SECONDS)
        yield listening


@pytest.mark.parametrize(
    ("command", "heard"),
    [
        (["serve", "--port", "0"], [b"READY=1", b"STOPPING=1"]),
        (["projector"], [b"READY=1"]),
    ],
    ids=lambda value: value[0] if isinstance(value[0], str) else "",
)
def test_the_manager_is_told(
    directory: Path, manager: socket.socket, command: list[str], heard: list[bytes]
) -> None:
    environment = clean_environment() | {
        "CAVE_DATA_DIR": str(directory / "data"),
        VARIABLE: str(directory / "notify"),
    }
    with subprocess.Popen(
        [*CAVE, *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            told = [manager.recv(100)]
            process.terminate()
            told += [manager.recv(100) for _ in heard[1:]]
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
    assert told == heard


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
def test_a_manager_that_cannot_be_told_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(VARIABLE, address)
    manager = ServiceManager()
    manager.ready()
    manager.stopping()
