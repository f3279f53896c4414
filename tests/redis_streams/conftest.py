"""One server per flavour and session, emptied before each test that uses it."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from eventsourcing.utils import Environment
from redis import Redis

from adapters.redis_streams import Factory
from adapters.redis_streams.organizations.recorders import RedisApplicationRecorder
from tests.redis_streams.cases import FLAVOURS, ServerCase
from tests.servers import LogServer, redis_binary, start_redis, start_valkey

STARTERS = {"valkey": start_valkey, "redis-7": start_redis}


class Servers:
    """Starts a server of each flavour on first use."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = count()
        self._started: dict[str, LogServer] = {}

    def get(self, flavour: str) -> LogServer:
        """Return the flavour's server, emptied; skips the test if it is not installed."""
        if flavour not in self._started:
            self._started[flavour] = self.new(flavour)
        server = self._started[flavour]
        with Redis.from_url(server.url) as client:
            client.flushall()
        return server

    def new(self, flavour: str) -> LogServer:
        """Start a server with its own directory; the caller stops it."""
        if flavour == "redis-7" and redis_binary() is None:
            pytest.skip("redis-server is not on the PATH")
        return STARTERS[flavour](self._directory / str(next(self._numbers)))

    def stop(self) -> None:
        """Stop the servers that `get` started."""
        for server in self._started.values():
            server.stop()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    # Not pytest's own temporary directories: their paths can be too long for a socket.
    with TemporaryDirectory(prefix="cave-") as directory:
        running = Servers(Path(directory))
        yield running
        running.stop()


@pytest.fixture(params=FLAVOURS)
def server(request: pytest.FixtureRequest, servers: Servers) -> LogServer:
    """The session's server of each flavour, emptied."""
    return servers.get(request.param)


@pytest.fixture(params=FLAVOURS)
def own_server(request: pytest.FixtureRequest, servers: Servers) -> Iterator[LogServer]:
    """A server of each flavour for this test only, which may stop, stall or fill it."""
    started = servers.new(request.param)
    yield started
    started.kill()


@pytest.fixture
def make_factory() -> Iterator[Callable[..., Factory]]:
    """Creates factories for a server, with further settings as keyword arguments; closes them."""
    made: list[Factory] = []

    def make(server: LogServer, name: str = "Organizations", **settings: str) -> Factory:
        env = {"REDIS_URL": server.url, "ORIGINATOR_ID_TYPE": "text", **settings}
        made.append(Factory(Environment(name, env)))
        return made[-1]

    yield make
    for factory in made:
        factory.close()


@pytest.fixture
def factory(server: LogServer, make_factory: Callable[..., Factory]) -> Factory:
    """A factory for the test's server, with text as originator ids."""
    return make_factory(server)


@pytest.fixture
def recorder(factory: Factory) -> RedisApplicationRecorder:
    return factory.application_recorder()


@pytest.fixture
def raw(server: LogServer) -> Iterator[Redis]:
    """A client of the test's server, to inspect what the recorders do."""
    with Redis.from_url(server.url) as client:
        yield client


@pytest.fixture(autouse=True)
def _settings_of_a_server_case(
    request: pytest.FixtureRequest, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sets the environment of a `ServerCase` to its flavour's server."""
    case = request.cls
    if case is None or not issubclass(case, ServerCase):
        return
    monkeypatch.setenv("PERSISTENCE_MODULE", "adapters.redis_streams")
    monkeypatch.setenv("REDIS_URL", servers.get(case.flavour).url)
    monkeypatch.setenv("ORIGINATOR_ID_TYPE", case.id_type)
