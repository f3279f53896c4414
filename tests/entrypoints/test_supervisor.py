"""`cave serve`'s supervisor, with real log servers and stand-in workers."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from redis import Redis

from adapters.embedded_valkey import DataDir, reach_log_server
from entrypoints.processes.stages import SHORT_STOP_LIMIT
from entrypoints.stop_signals import STOPPING
from tests.entrypoints.served import Served, is_running
from tests.waiting import wait_until

Serve = Callable[..., Served]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def data_dir() -> Iterator[DataDir]:
    with TemporaryDirectory(prefix="cave-") as directory:
        yield DataDir(Path(directory) / "data")


@pytest.fixture
def serve(data_dir: DataDir) -> Iterator[Serve]:
    """Start supervisors, which are killed afterwards if they still run."""
    with ExitStack() as stack:

        def start(place: DataDir = data_dir, **options: object) -> Served:
            served = Served(place, **options)  # type: ignore[arg-type]
            stack.callback(served.kill_all)
            return served

        yield start


def log_client(data_dir: DataDir) -> "Redis":
    return Redis.from_url(data_dir.url, decode_responses=True)


def test_one_line_says_when_and_where_it_serves(serve: Serve, data_dir: DataDir) -> None:
    served = serve(workers=2)
    assert served.wait_until_ready().group(2, 3) == ("2", f"in {data_dir.path}")
    assert served.ask() in served.pids("worker-1") + served.pids("worker-2")
    assert "top-secret" not in served.errors()


def test_connections_are_spread_over_the_workers(serve: Serve) -> None:
    served = serve(workers=2)
    served.wait_until_ready()
    # Each goes to either worker by a hash: the chance that all go to one is 2 ** -39.
    answered = {served.ask() for _ in range(40)}
    assert answered == {*served.pids("worker-1"), *served.pids("worker-2")}


def test_a_stop_ends_workers_first_then_the_log_server(serve: Serve, data_dir: DataDir) -> None:
    served = serve(workers=2)
    served.wait_until_ready()
    workers = {*served.pids("worker-1"), *served.pids("worker-2")}
    assert served.end(signal.SIGTERM) == 0
    assert [record["child"] for record in served.events("child ended")][-1] == "log-server"
    assert {record["status"] for record in served.events("child ended")} == {0}
    with reach_log_server(data_dir.path) as url, Redis.from_url(url) as client:
        assert {int(pid) for pid in client.lrange("ended", 0, -1)} == workers


@pytest.mark.parametrize("number", STOPPING)
def test_children_ignore_signals_and_stop_when_the_supervisor_asks(
    serve: Serve, data_dir: DataDir, number: signal.Signals
) -> None:
    """Process managers signal every process of a service; the log server must end last."""
    served = serve(workers=2)
    served.wait_until_ready()
    workers = [pid for name in ("worker-1", "worker-2") for pid in served.pids(name)]
    (log_server,) = served.pids("log-server")
    for pid in workers:
        os.kill(pid, number)
    if number is not signal.SIGINT:  # the signal by which its owner stops it
        os.kill(log_server, number)
    with log_client(data_dir) as client:
        assert client.ping()
    assert served.ask() in workers
    assert served.end(number) == 0
    assert [record["child"] for record in served.events("child ended")][-1] == "log-server"
    assert {record["status"] for record in served.events("child ended")} == {0}
    with reach_log_server(data_dir.path) as url, Redis.from_url(url) as client:
        assert sorted(map(int, client.lrange("ended", 0, -1))) == sorted(workers)


def test_every_child_has_a_process_group_of_its_own_in_the_supervisors_session(
    serve: Serve,
) -> None:
    """Then neither a terminal nor a signal to the process group reaches it.

    On Linux, niceness counts only within a session: in one of its own, the projector would take as
    much of a busy processor as the workers.
    """
    served = serve(workers=2)
    served.wait_until_ready()
    for name in ("log-server", "worker-1", "worker-2"):
        (pid,) = served.pids(name)
        assert os.getpgid(pid) == pid
        assert os.getsid(pid) == os.getsid(psutil.Process(pid).ppid())


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_that_was_ignored_at_the_start_stays_ignored(
    serve: Serve, number: signal.Signals
) -> None:
    served = serve(ignored=number)
    served.wait_until_ready()
    served.process.send_signal(number)
    served.ask()
    other = next(stop for stop in STOPPING if stop is not number)
    assert served.end(other) == 0
    assert len(served.events("stopping")) == 1


def test_a_further_signal_shortens_the_wait(serve: Serve, data_dir: DataDir) -> None:
    served = serve()
    served.wait_until_ready()
    (data_dir.path / "stubborn").touch()
    served.process.send_signal(signal.SIGTERM)
    wait_until(lambda: served.events("stopping"))
    while not (killed := served.events("child killed")):
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    assert served.process.wait(20) == 0
    found = [(record["child"], record["seconds_waited"]) for record in killed]
    assert found == [("worker-1", SHORT_STOP_LIMIT)]


def test_a_killed_log_server_is_restarted_and_the_workers_stay(
    serve: Serve, data_dir: DataDir
) -> None:
    served = serve()
    served.wait_until_ready()
    with log_client(data_dir) as client:
        client.set("key", "value")
    worker = served.ask()
    os.kill(served.pids("log-server")[0], signal.SIGKILL)
    wait_until(lambda: len(served.pids("log-server")) == 2)
    with log_client(data_dir) as client:
        assert client.get("key") == "value"
    assert served.ask() == worker


def test_a_killed_worker_is_restarted_on_its_socket(serve: Serve) -> None:
    served = serve()
    served.wait_until_ready()
    worker = served.ask()
    os.kill(worker, signal.SIGKILL)
    # Connections that the killed worker had accepted are reset.
    with suppress(ConnectionError):
        served.ask()
    assert served.ask() not in (worker, 0)
    (ended,) = served.events("child ended, will be restarted")
    assert (ended["child"], ended["status"]) == ("worker-1", -signal.SIGKILL)
    assert served.output().count("\n") == 1


def test_a_worker_that_cannot_start_stops_the_service_with_a_reason(
    serve: Serve, data_dir: DataDir
) -> None:
    data_dir.path.mkdir()
    (data_dir.path / "broken").touch()
    served = serve()
    assert served.process.wait(20) == 1
    last = served.errors().splitlines()[-1]
    assert last.startswith("cave serve: worker-1 failed to start 3 times in a row: ")
    assert "exit status 7" in last
    assert not data_dir.socket_path.exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_taken_port_is_one_error_line_and_no_server_starts(
    serve: Serve, data_dir: DataDir, workers: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        served = serve(port=port, workers=workers)
        assert served.process.wait(20) == 1
    assert served.errors() == (
        f"cave serve: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    )
    assert not data_dir.socket_path.exists()


def test_a_second_service_on_the_data_dir_is_refused(serve: Serve, data_dir: DataDir) -> None:
    first = serve()
    first.wait_until_ready()
    with TemporaryDirectory() as elsewhere:
        link = DataDir(Path(elsewhere) / "data")
        link.path.symlink_to(data_dir.path)
        second = serve(link)
        assert second.process.wait(20) == 1
        assert second.errors() == (
            f"cave serve: {link.path} is in use by `cave serve` with pid {first.process.pid}\n"
        )
    first.ask()


def test_a_killed_supervisor_takes_its_children_along_and_can_be_restarted(
    serve: Serve,
) -> None:
    served = serve(workers=2)
    served.wait_until_ready()
    children = [pid for name in ("log-server", "worker-1", "worker-2") for pid in served.pids(name)]
    served.process.kill()
    served.process.wait()
    again = serve()
    again.wait_until_ready()
    wait_until(lambda: not any(is_running(pid) for pid in children))
    again.ask()


def test_a_service_killed_with_all_its_children_can_be_restarted_immediately(
    serve: Serve, data_dir: DataDir
) -> None:
    for value in ("0", "1", "2"):
        served = serve(workers=2)
        served.wait_until_ready()
        with log_client(data_dir) as client:
            client.rpush("values", value)
        served.kill_all()
    with reach_log_server(data_dir.path) as url, Redis.from_url(url) as client:
        assert client.lrange("values", 0, -1) == [b"0", b"1", b"2"]


def test_with_an_external_log_server_none_is_started(serve: Serve, data_dir: DataDir) -> None:
    with TemporaryDirectory(prefix="cave-") as elsewhere, reach_log_server(Path(elsewhere)) as url:
        served = serve(redis_url=f"{url}?password=hush")
        assert served.wait_until_ready()[3].startswith("at unix:///")
        assert "hush" not in served.output() + served.errors()
        assert served.pids("log-server") == []
        served.ask()
        served.end()
    assert not data_dir.path.exists()
