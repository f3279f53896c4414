"""The examples work as copied, against a running service, and retry as documented."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.entrypoints.scripted_service import Said, scripted_service
from tests.service import Service, clean_environment, running

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 60


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with (
        TemporaryDirectory(prefix="cave-") as directory,
        running(Service(Path(directory))) as service,
    ):
        yield service


def run(name: str, url: str, token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an example in another directory, where it cannot import anything of this project."""
    with TemporaryDirectory() as elsewhere:
        return subprocess.run(
            [sys.executable, "-I", "-S", "-W", "error", str(EXAMPLES / name), *arguments],
            env={**clean_environment(), "CAVE_URL": url, "CAVE_TOKEN": token},
            cwd=elsewhere,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def test_published_points_are_read(service: Service) -> None:
    token = service.register("gilt", "publish", "read")
    published = run("publish.py", service.url, token, "gilt")
    assert re.fullmatch(r"\d+-\d+-\d+\n", published.stdout), published.stderr
    receipt = published.stdout.strip()
    assert len(service.stored()[receipt].event.points) == 2

    read = run("read.py", service.url, token, "gilt", "http.cache.hits", receipt)
    assert read.returncode == 0, read.stderr
    time, value = r"  \d{4}-\d\d-\d\dT[\d:.]+Z  ", "123\n"
    assert re.fullmatch(f"points\n{time}{value}maximum per minute\n{time}{value}", read.stdout)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record pauses instead of making them."""
    made: list[float] = []
    monkeypatch.setattr("time.sleep", made.append)
    return made


def load(name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the globals of an example."""
    monkeypatch.setenv("CAVE_URL", url)
    monkeypatch.setenv("CAVE_TOKEN", "t0")
    return runpy.run_path(str(EXAMPLES / name), run_name="example")


def test_a_publish_is_retried_with_its_key(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    with scripted_service() as scripted:
        publish = load("publish.py", scripted.url, monkeypatch)["publish"]
        scripted.script = [Said(503, {"Retry-After": "17"}), Said(0), Said(500), Said(429)]
        assert publish("gilt", []) == "0-1-0"
        keys = [received.key for received in scripted.received]
        assert (len(keys), len(set(keys)), len(pauses)) == (5, 1, 4)
        assert keys[0]
        assert pauses[0] == 17
        publish("gilt", [])
        assert scripted.received[-1].key != keys[0]


@pytest.mark.parametrize(
    ("script", "attempts"), [([Said(400)], 1), ([Said(503)] * 99, 8), ([Said(0)] * 99, 8)]
)
def test_a_publish_ends_with_an_error(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], script: list[Said], attempts: int
) -> None:
    with scripted_service() as scripted:
        publish = load("publish.py", scripted.url, monkeypatch)["publish"]
        scripted.script = script
        with pytest.raises(OSError, match=r"HTTP Error|closed|reset"):
            publish("gilt", [])
        assert len(scripted.received) == attempts
