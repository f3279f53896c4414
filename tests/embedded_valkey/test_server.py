"""The server: settings, start and stop."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from redis.exceptions import OutOfMemoryError

from adapters.embedded_valkey import DataDir, LogCorrupt, LogServerFailed, SocketPathTooLong
from adapters.embedded_valkey.machine_memory import machine_memory
from tests.embedded_valkey.support import STREAM, Owned, connect, is_running, kill, wait_until

PROMISED = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "aof-load-truncated": "no",
    "maxmemory-policy": "noeviction",
    "port": "0",
    "save": "",
    "unixsocketperm": "700",
}


@pytest.fixture
def strange(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    return DataDir(tmp_path_factory.mktemp("s") / 'a b%20"ü')


def test_the_settings_needed_for_durability_are_in_effect(owned: Owned) -> None:
    owned.server.start()
    with connect(owned.server.url) as client:
        assert {name: client.config_get(name)[name] for name in PROMISED} == PROMISED


def test_its_environment_has_none_of_our_settings_and_keeps_the_users(
    owned: Owned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAVE_OPERATOR_TOKEN", "secret")
    monkeypatch.setenv("LANG", "C.UTF-8")
    owned.server.start()
    with connect(owned.server.url) as client:
        pid = client.info("server")["process_id"]
    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert b"LANG=C.UTF-8" in variables
    assert b"GLIBC_TUNABLES=glibc.malloc.tcache_count=512" in variables
    assert not [each for each in variables if each.startswith(b"CAVE_")]


def test_the_memory_limit_is_a_quarter_of_the_machines_unless_one_is_given(
    data_dir: DataDir,
) -> None:
    for given, expected in ((None, machine_memory() // 4), (64 << 20, 64 << 20)):
        with Owned(data_dir, given) as owned:
            owned.server.start()
            with connect(owned.server.url) as client:
                assert int(client.config_get("maxmemory")["maxmemory"]) == expected


def test_a_log_larger_than_the_memory_limit_is_loaded_and_read_but_not_written(
    data_dir: DataDir,
) -> None:
    with Owned(data_dir) as owned:
        owned.append(range(20_000))
    with Owned(data_dir, 1 << 20) as owned:
        owned.server.start()
        with connect(owned.server.url) as client:
            assert client.info("memory")["used_memory"] > 1 << 20
            with pytest.raises(OutOfMemoryError):
                client.xadd(STREAM, {"value": "refused"})
            client.bgrewriteaof()
        assert owned.values() == [str(number) for number in range(20_000)]
        owned.server.stop()
        owned.server.start()
        assert owned.values() == [str(number) for number in range(20_000)]


def test_data_dir_and_socket_are_accessible_to_the_owner_only(owned: Owned) -> None:
    owned.server.start()
    place = owned.data_dir
    private = [place.path, place.log_path, place.socket_path]
    assert [stat.S_IMODE(path.stat().st_mode) for path in private] == [0o700] * 3
    assert stat.S_IMODE(place.server_log_path.stat().st_mode) == 0o600


def test_a_restart_keeps_the_data(owned: Owned) -> None:
    owned.append(range(3))
    owned.append(range(3, 5))
    owned.server.start()
    assert owned.values() == ["0", "1", "2", "3", "4"]


def test_a_stop_ends_the_process_cleanly_and_may_be_repeated(owned: Owned) -> None:
    owned.server.start()
    owned.server.stop()
    owned.server.stop()
    assert owned.server.poll() == 0


def test_a_server_that_hangs_is_killed_after_the_limit(owned: Owned) -> None:
    owned.server.start()
    assert owned.server.pid
    os.kill(owned.server.pid, signal.SIGSTOP)
    owned.server.stop(limit=0.1)
    assert owned.server.poll() == -signal.SIGKILL


def test_the_socket_file_of_a_killed_server_does_not_prevent_a_start(owned: Owned) -> None:
    owned.server.start()
    kill(owned.server.pid)
    wait_until(lambda: owned.server.poll() is not None)
    assert owned.data_dir.socket_path.exists()
    owned.server.start()
    assert owned.values() == []


def test_files_left_by_a_killed_rewrite_are_removed(owned: Owned) -> None:
    owned.append([1])
    leftover = owned.data_dir.log_path / "temp-rewriteaof-bg-1.aof"
    leftover.write_bytes(b"half")
    owned.server.start()
    assert not leftover.exists()


def test_the_path_may_contain_any_characters(strange: DataDir) -> None:
    with Owned(strange) as owned:
        owned.append([1])
        owned.server.start()
        assert owned.values() == ["1"]


def test_a_path_too_long_for_a_socket_is_refused_with_the_limit(tmp_path: Path) -> None:
    place = DataDir(tmp_path / ("x" * 108))
    with Owned(place) as owned, pytest.raises(SocketPathTooLong, match=r"valkey\.sock.* 107"):
        owned.server.start()


def test_the_reason_is_reported_if_the_server_cannot_start(owned: Owned) -> None:
    owned.data_dir.socket_path.mkdir()
    with pytest.raises(LogServerFailed, match=r"ended with 1: .*Unix socket"):
        owned.server.start()


def test_files_that_the_server_refuses_are_reported_as_corrupt(owned: Owned) -> None:
    owned.append([1])
    base = owned.last_file.with_name("appendonly.aof.1.base.rdb")
    base.write_bytes(base.read_bytes()[:-8] + b"checksum")
    with pytest.raises(LogCorrupt, match="refuses its files"):
        owned.server.start()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG exists on Linux only")
def test_the_server_of_a_killed_owner_ends_and_only_then_the_lock_is_free(
    data_dir: DataDir,
) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from adapters.embedded_valkey import DataDir, EmbeddedValkey\n"
        "ownership = DataDir(Path(sys.argv[1])).own('serve', lambda _: 0)\n"
        "server = EmbeddedValkey(ownership); server.start()\n"
        "print(server.pid, flush=True); time.sleep(60)\n"
    )
    argv = [sys.executable, "-c", script, str(data_dir.path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        server_pid = int(owner.stdout.readline())
        os.kill(server_pid, signal.SIGSTOP)  # so that it does not end immediately
        owner.kill()
        owner.wait()
    assert data_dir.try_to_own("serve") is None, "the lock is free while the server still exists"
    os.kill(server_pid, signal.SIGCONT)
    data_dir.own("serve", lambda _holder: 10.0).release()
    assert not is_running(server_pid)
