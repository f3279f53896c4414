"""Helpers for the tests of the embedded server."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from adapters.embedded_valkey import DataDir, EmbeddedValkey

STREAM = "stream"


class Owned(ExitStack):
    """A data dir owned by this process, with a server that ends with the block."""

    def __init__(self, data_dir: DataDir, max_memory: int | None = None) -> None:
        super().__init__()
        self.data_dir = data_dir
        self._max_memory = max_memory
        self.server: EmbeddedValkey

    def __enter__(self) -> Self:
        super().__enter__()
        ownership = self.enter_context(self.data_dir.own("serve", lambda _holder: 0.0))
        self.server = EmbeddedValkey(ownership, self._max_memory)
        self.callback(self.server.stop)
        return self

    @property
    def last_file(self) -> Path:
        """The file that the server appends to."""
        return self.data_dir.log_path / "appendonlydir" / "appendonly.aof.1.incr.aof"

    def append(self, values: Iterable[object], *, transaction: bool = False) -> None:
        """Start the server, append one entry per value, or all in one transaction, and stop it."""
        self.server.start()
        with connect(self.server.url) as client:
            pipeline = client.pipeline(transaction=transaction)
            for value in values:
                pipeline.xadd(STREAM, {"value": str(value), "padding": "x" * 40})
            pipeline.execute()
        self.server.stop()

    def values(self) -> list[str]:
        """Return the values of all entries of a running server."""
        with connect(self.server.url) as client:
            return values(client)


def connect(url: str) -> Any:
    """Return a client that never retries."""
    return Redis.from_url(url, decode_responses=True, retry=Retry(NoBackoff(), 0))


def values(client: Any) -> list[str]:
    """Return the values of all entries."""
    return [fields["value"] for _, fields in client.xrange(STREAM)]


def wait_until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait until a condition holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process is running; a zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid: int | None) -> None:
    """Send SIGKILL."""
    assert pid
    os.kill(pid, signal.SIGKILL)
