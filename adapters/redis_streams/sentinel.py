"""Following the primary of a service that Sentinels watch.

The URL has the form that Python's packages share; redis-py has none of its own:
``redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/database][?options]``,
and ``rediss+sentinel://`` for TLS. User, password, database and options are those of the log
server, as in redis-py's URLs. `sentinel_username` and `sentinel_password` are for the Sentinels.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from msgspec import Struct
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, parse_url
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

DEFAULT_PORT = 26379
POLL_SECONDS = 0.5
"""How often the Sentinels are asked whether the primary is another one."""

SENTINEL_SECONDS = 0.5
"""The longest that a Sentinel may take to answer. They are asked one after another."""

CONNECT_SECONDS = 1.0
"""The longest that connecting to a primary may take: its machine may be gone."""

Address = tuple[str, int]

_log = structlog.get_logger(__name__)
_is_scheme = re.compile(r"redis(s?)\+sentinel://", re.IGNORECASE).match
_host = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/@\s]+)(?::([0-9]{1,5}))?\Z").match


class SentinelUrl(Struct, frozen=True):
    """Where the Sentinels are, the name of the service, and redis-py's options for connections."""

    sentinels: tuple[Address, ...]
    service: str
    tls: bool
    options: Mapping[str, Any]
    sentinel_options: Mapping[str, Any]

    @classmethod
    def parse(cls, url: str) -> SentinelUrl:
        """Parse a URL. Raises ValueError, whose message has no secret of the URL."""
        if not (scheme := _is_scheme(url)):
            raise ValueError("the URL does not begin with redis+sentinel:// or rediss+sentinel://")
        before, _, query = url[scheme.end() :].partition("?")
        authority, _, path = before.partition("/")
        user, _, hosts = authority.rpartition("@")
        service, _, database = path.partition("/")
        if not service:
            raise ValueError(
                "the URL names no service; it is redis+sentinel://host:port,host:port/service"
            )
        if database and not re.fullmatch(r"[0-9]{1,5}", database):
            raise ValueError(f"the database in the URL has to be a number, not {database!r}")
        plain = f"redis://{user}{'@' if user else ''}primary/{database}?{query}"
        options: dict[str, Any] = parse_url(plain)  # type: ignore[no-untyped-call]
        del options["host"]
        sentinel_options = {
            name.removeprefix("sentinel_"): options.pop(name)
            for name in ("sentinel_username", "sentinel_password")
            if name in options
        }
        return cls(
            sentinels=tuple(map(_address, hosts.split(","))),
            service=service,
            tls=bool(scheme[1]),
            options=options,
            sentinel_options=sentinel_options,
        )


def is_sentinel_url(url: str) -> bool:
    return bool(_is_scheme(url))


def _address(text: str) -> Address:
    match = _host(text)
    if not match or not 0 < int(match[2] or DEFAULT_PORT) < 1 << 16:
        raise ValueError(f"{text!r} is not the address of a Sentinel (host or host:port)")
    return match[1].strip("[]"), int(match[2] or DEFAULT_PORT)


class Primary:
    """The primary of a service, as its Sentinels name it. Thread-safe; close it after use.

    A thread asks the Sentinels regularly. Once they name another primary, it shuts down the sockets
    that lead elsewhere: whoever waits on a server that hangs, or was cut off, connects again.
    """

    def __init__(self, url: SentinelUrl) -> None:
        self._service = url.service
        self._sentinels = [
            Redis(
                host=host,
                port=port,
                ssl=url.tls,
                socket_timeout=SENTINEL_SECONDS,
                socket_connect_timeout=SENTINEL_SECONDS,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                **url.sentinel_options,
                **{name: value for name, value in url.options.items() if name.startswith("ssl_")},
            )
            for host, port in url.sentinels
        ]
        self._lock = threading.Lock()
        self._sockets: WeakKeyDictionary[socket.socket, Address] = WeakKeyDictionary()
        self._listeners: list[Callable[[Address], None]] = []
        self._closed = threading.Event()
        self._watching: threading.Thread | None = None
        self._silent = False

    def address(self) -> Address:
        """Ask the Sentinels for the primary's address. Raises redis-py's ConnectionError.

        Their answers differ for up to two seconds after a failover: the one of the highest epoch is
        the newest.
        """
        with self._lock:
            if self._watching is None:
                self._watching = threading.Thread(target=self._watch, name="sentinel", daemon=True)
                self._watching.start()
        return self._ask()

    def listen(self, listener: Callable[[Address], None]) -> None:
        """Call `listener` with the primary's address after each time that it was asked for.

        In the watching thread, so it has to be quick, and must not raise.
        """
        with self._lock:
            self._listeners.append(listener)

    def opened(self, connected: socket.socket, address: Address) -> None:
        """Shut the socket down as soon as the primary has another address."""
        with self._lock:
            self._sockets[connected] = address

    def close(self) -> None:
        """Stop asking. Connections stay as they are."""
        self._closed.set()
        if self._watching is not None and self._watching is not threading.current_thread():
            self._watching.join()
        for sentinel in self._sentinels:
            sentinel.close()

    def _ask(self) -> Address:
        newest: tuple[int, Address] | None = None
        reasons = []
        for sentinel in self._sentinels:
            try:
                found = self._answer_of(sentinel)
            except RedisError as error:
                reasons.append(str(error))
            else:
                newest = found if newest is None else max(newest, found)
        if newest is None:
            raise DriverConnectionError(
                f"no Sentinel names a primary of {self._service}: {'; '.join(reasons)}"
            )
        return newest[1]

    def _answer_of(self, sentinel: Redis) -> tuple[int, Address]:
        """Return the epoch of a Sentinel's configuration, and the primary in it."""
        state: Any = sentinel.sentinel_master(self._service)
        # During a failover it already names the new primary here, but not yet in the state.
        address: Any = sentinel.sentinel_get_master_addr_by_name(self._service)
        host, port = address
        named = host.decode() if isinstance(host, bytes) else str(host), int(port)
        if "o_down" in state["flags"] and named == (state["ip"], state["port"]):
            raise DriverConnectionError(f"the primary {named[0]}:{named[1]} is down")
        return state["config-epoch"], named

    def _watch(self) -> None:
        while not self._closed.wait(POLL_SECONDS):
            try:
                address = self._ask()
            except RedisError as error:
                if not self._silent:
                    _log.warning("the log server's primary is unknown", reason=str(error))
                self._silent = True
                continue
            if self._silent:
                _log.info("the log server's primary is known", host=address[0], port=address[1])
            self._silent = False
            self._cut_others(address)

    def _cut_others(self, primary: Address) -> None:
        with self._lock:
            others = [each for each, address in self._sockets.items() if address != primary]
            listeners = list(self._listeners)
            for each in others:
                del self._sockets[each]
        if others:
            _log.warning("the log server has another primary", host=primary[0], port=primary[1])
        for each in others:
            with suppress(OSError):  # closed meanwhile
                # Not the method of a TLS socket, which is not for use by two threads.
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        for listener in listeners:
            listener(primary)


class PrimaryConnection(Connection):
    """A connection to the primary, whichever server that is when it connects."""

    def __init__(self, *, primary: Primary, **options: Any) -> None:
        self._primary = primary
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def _connect(self) -> socket.socket:
        address = self._primary.address()
        self.host, self.port = address
        connected: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        self._primary.opened(connected, address)
        return connected

    def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: FBT001, FBT002
        super().on_connect_check_health(check_health=check_health)
        self.send_command("ROLE", check_health=False)  # type: ignore[no-untyped-call]
        check_role(self.read_response(), f"{self.host}:{self.port}")


class PrimarySSLConnection(PrimaryConnection, SSLConnection):
    """Does the same with TLS."""


def check_role(reply: Any, server: str) -> None:
    """Raise redis-py's ConnectionError unless the reply to ROLE is that of a primary.

    A Sentinel may name a server that was a primary, and that will not be one for long.
    """
    role = reply[0] if isinstance(reply, list) else reply
    if role != b"master":
        raise DriverConnectionError(f"{server} is no primary, but {role!r}")
