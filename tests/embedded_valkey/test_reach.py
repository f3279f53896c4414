"""A command's log server: the running one, or else its own, with any number of commands at once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.embedded_valkey import DataDir, Holder, LogServerUnreachable, reach_log_server
from tests.embedded_valkey.support import STREAM, Owned, connect, kill, values, wait_until

COMMAND = """
import sys, time
from pathlib import Path
from redis import Redis
from adapters.embedded_valkey import reach_log_server
sys.stdin.readline()
with reach_log_server(Path(sys.argv[1])) as url, Redis.from_url(url) as client:
    for _ in range(3):
        client.xadd("stream", {"value": sys.argv[2]})
        time.sleep(float(sys.argv[3]))
"""


@contextmanager
def command(data_dir: DataDir, name: str, pause: float = 0.0) -> Iterator[subprocess.Popen[str]]:
    """Start a process that appends its name three times once it gets a line."""
    argv = [sys.executable, "-c", COMMAND, str(data_dir.path), name, str(pause)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def result(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def append(url: str, value: str) -> None:
    with connect(url) as client:
        client.xadd(STREAM, {"value": value})


def test_without_a_running_server_one_runs_during_the_block_only(data_dir: DataDir) -> None:
    with reach_log_server(data_dir.path) as url:
        append(url, "a")
        assert data_dir.holder() == Holder(os.getpid(), "command")
        assert data_dir.try_to_own("serve") is None
    with Owned(data_dir) as owned:
        owned.server.start()
        assert owned.values() == ["a"]


def test_a_running_server_is_used_and_keeps_running(owned: Owned) -> None:
    owned.server.start()
    with reach_log_server(owned.data_dir.path) as url:
        append(url, "a")
    assert owned.values() == ["a"]


def test_a_server_that_is_restarting_is_waited_for(owned: Owned) -> None:
    owned.server.start()
    kill(owned.server.pid)
    wait_until(lambda: owned.server.poll() is not None)

    def use() -> None:
        with reach_log_server(owned.data_dir.path) as url:
            append(url, "a")

    with ThreadPoolExecutor(1) as pool:
        using = pool.submit(use)
        assert not using.done()
        owned.server.start()
        using.result(10)
    assert owned.values() == ["a"]


def test_an_owner_without_a_server_is_not_waited_for_forever(owned: Owned) -> None:
    with (
        pytest.raises(LogServerUnreachable, match=f"pid {os.getpid()}, but no log server answers"),
        reach_log_server(owned.data_dir.path, patience=0.1),
    ):
        pass


def test_the_owning_command_waits_for_users_of_its_server(data_dir: DataDir) -> None:
    with command(data_dir, "guest", pause=0.3) as guest:
        with reach_log_server(data_dir.path) as url:
            go(guest)
            with connect(url) as client:
                wait_until(lambda: values(client) == ["guest"])
        # The block ended in the middle of the guest's work.
        assert result(guest) == (0, "")
    with Owned(data_dir) as owned:
        owned.server.start()
        assert owned.values() == ["guest"] * 3


def test_the_owning_command_releases_the_data_dir_when_its_block_fails(data_dir: DataDir) -> None:
    with pytest.raises(KeyError), reach_log_server(data_dir.path):
        raise KeyError
    with data_dir.own("serve", lambda _holder: 0.0):
        pass


def test_commands_that_start_simultaneously_all_succeed(data_dir: DataDir) -> None:
    names = [str(number) for number in range(6)]
    with ThreadPoolExecutor(len(names)) as pool:

        def run(name: str) -> tuple[int, str]:
            with command(data_dir, name, pause=0.01) as process:
                go(process)
                return result(process)

        assert list(pool.map(run, names)) == [(0, "")] * len(names)
    with Owned(data_dir) as owned:
        owned.server.start()
        assert sorted(owned.values()) == sorted(names * 3)


def test_a_service_that_starts_during_a_command_gets_the_data_dir_after_it(
    data_dir: DataDir,
) -> None:
    with command(data_dir, "first", pause=0.2) as first:
        go(first)
        wait_until(data_dir.socket_path.exists)
        with data_dir.own("serve", lambda _holder: 10.0):
            assert result(first) == (0, "")


def test_a_missing_parent_of_the_data_dir_is_created(tmp_path: Path) -> None:
    with reach_log_server(tmp_path / "a" / "b") as url:
        append(url, "a")
