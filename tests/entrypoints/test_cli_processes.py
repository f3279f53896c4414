"""`cave` as a process with its own log server: signals, pipes, and the demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import psutil
import pytest

from adapters.embedded_valkey import DataDir
from entrypoints.program import python_module

CAVE = python_module("entrypoints.cli")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CAVE_")}
PATIENCE = 30.0


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory whose path is short enough for a Unix socket."""
    with TemporaryDirectory(prefix="cave-") as path:
        yield Path(path)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CAVE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=ENVIRONMENT,
        check=False,
    )


@contextmanager
def tailing(data_dir: Path, *before: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `cave events tail` behind the words `before`; yield once it waits for events."""
    with subprocess.Popen(
        [*before, *CAVE, "events", "tail", "--data-dir", str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        process_group=0,
    ) as process:
        try:
            while not DataDir(data_dir).socket_path.exists():
                assert process.poll() is None
                time.sleep(0.02)
            # Once another command can use its log server, it is about to tail.
            assert run("org", "list", "--data-dir", data_dir).returncode == 0
            time.sleep(0.5)
            yield process
        finally:
            process.kill()


def interrupt(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGINT)


def terminate(process: subprocess.Popen[bytes]) -> None:
    process.terminate()


def hang_up(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGHUP)


def interrupt_all(process: subprocess.Popen[bytes]) -> None:
    """As a terminal does; the log server that the command started must not get the signal."""
    os.killpg(process.pid, signal.SIGINT)


def terminate_all(process: subprocess.Popen[bytes]) -> None:
    """As `timeout` does."""
    process.terminate()
    os.killpg(process.pid, signal.SIGTERM)


def stop_reading(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (interrupt, 0),
        (interrupt_all, 0),
        (stop_reading, 0),
        (terminate, 128 + signal.SIGTERM),
        (terminate_all, 128 + signal.SIGTERM),
        (hang_up, 128 + signal.SIGHUP),
    ],
)
def test_tail_ends_quietly(
    directory: Path, end: Callable[[subprocess.Popen[bytes]], None], status: int
) -> None:
    with tailing(directory) as process:
        assert process.poll() is None
        end(process)
        assert process.wait(PATIENCE) == status
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_command_under_nohup_ignores_a_hang_up(directory: Path) -> None:
    with tailing(directory, "nohup") as process:
        hang_up(process)
        assert run("org", "list", "--data-dir", directory).returncode == 0
        assert process.poll() is None
        terminate(process)
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM


def test_a_command_sees_the_effect_of_an_earlier_one(directory: Path) -> None:
    created = run("org", "create", "gilt", "--quiet", "--data-dir", directory)
    assert (created.returncode, created.stderr) == (0, "")
    listed = run("org", "list", "--data-dir", directory)
    assert listed.stdout.splitlines()[1].startswith("gilt ")


def test_a_failure_is_one_line_without_a_traceback(directory: Path) -> None:
    failed = run("org", "show", "gilt", "--data-dir", directory)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "Error: there is no organization 'gilt'\n"


def test_an_impossible_data_dir_is_a_failure() -> None:
    failed = run("org", "list", "--data-dir", "/dev/null/data")
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1


@pytest.mark.slow
def test_an_interrupted_demo_leaves_nothing_behind(directory: Path) -> None:
    with subprocess.Popen(
        [*CAVE, "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**ENVIRONMENT, "TMPDIR": str(directory), "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("CAVE serves"):
            assert process.poll() is None
        interrupt(process)
        assert process.wait(PATIENCE) == 1
    assert_nothing_runs_in(directory)


def test_all_checks_of_the_demo_pass_and_its_page_is_served_until_interrupted(
    directory: Path,
) -> None:
    with subprocess.Popen(
        [*CAVE, "demo", "--stay"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**ENVIRONMENT, "TMPDIR": str(directory), "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not (lines and lines[-1].startswith("Open http://")):
            lines.append(process.stdout.readline())
            assert process.poll() is None
        assert "".join(lines).count("✓") == 9
        token, url = lines[-2].strip(), lines[-1].split()[1]
        with urlopen(url, timeout=PATIENCE) as page:
            assert page.headers.get_content_type() == "text/html"
        asking = Request(urljoin(url, "/whoami"), headers={"Authorization": f"Bearer {token}"})
        with urlopen(asking, timeout=PATIENCE) as answer:
            assert json.load(answer)["scopes"] == ["read"]
        interrupt(process)
        assert process.wait(PATIENCE) == 0
    assert_nothing_runs_in(directory)


@pytest.mark.slow
def test_several_hosts_lose_nothing_when_the_log_server_dies(directory: Path) -> None:
    with subprocess.Popen(
        [*CAVE, "demo", "--hosts", "2", "--stay"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, "TMPDIR": str(directory), "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines: list[str] = []
        while not (lines and lines[-1].startswith("and sign in")):
            lines.append(process.stdout.readline())
            assert process.poll() is None, process.stderr.read()
        assert "".join(lines).count("✓") == 6
        asked = [line.split()[1] for line in lines if line.startswith("Open http://")]
        assert len(asked) == 2
        for url in asked:
            with urlopen(urljoin(url, "/health/ready"), timeout=PATIENCE) as answer:
                assert answer.status == 200
        interrupt(process)
        assert process.wait(PATIENCE) == 0
    assert_nothing_runs_in(directory)


def assert_nothing_runs_in(directory: Path) -> None:
    assert list(directory.iterdir()) == []
    running = [other.info["cmdline"] or [] for other in psutil.process_iter(["cmdline"])]
    assert not [words for words in running if str(directory) in " ".join(words)]
