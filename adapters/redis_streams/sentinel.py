"""Following the primary of a service that Sentinels watch.

The URL has the form that Python's packages share; redis-py has none of its own:
``redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/database][?options]``,
and ``rediss+sentinel://`` for TLS. User, password, database and options are those of the log
server, as in redis-py's URLs. `sentinel_username` and `sentinel_password` are for the Sentinels.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from adapters.redis_streams.urls import Address, ServersUrl
from adapters.redis_streams.watched import ASKED_SECONDS, Watched

KIND = "sentinel"
DEFAULT_PORT = 26379


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
        parsed = ServersUrl.parse(url, KIND, port=DEFAULT_PORT, what="a Sentinel")
        service, _, database = parsed.path.partition("/")
        if not service:
            raise ValueError(
                "the URL names no service; it is redis+sentinel://host:port,host:port/service"
            )
        if database and not re.fullmatch(r"[0-9]{1,5}", database):
            raise ValueError(f"the database in the URL has to be a number, not {database!r}")
        options = dict(parsed.options)
        if database:
            options["db"] = int(database)
        sentinel_options = {
            name.removeprefix("sentinel_"): options.pop(name)
            for name in ("sentinel_username", "sentinel_password")
            if name in options
        }
        return cls(
            sentinels=parsed.addresses,
            service=service,
            tls=parsed.tls,
            options=options,
            sentinel_options=sentinel_options,
        )


class Primary(Watched[Address]):
    """The primary of a service, as its Sentinels name it."""

    def __init__(self, url: SentinelUrl) -> None:
        super().__init__("sentinel")
        self._service = url.service
        self._sentinels = [
            Redis(
                host=host,
                port=port,
                ssl=url.tls,
                socket_timeout=ASKED_SECONDS,
                socket_connect_timeout=ASKED_SECONDS,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                **url.sentinel_options,
                **{name: value for name, value in url.options.items() if name.startswith("ssl_")},
            )
            for host, port in url.sentinels
        ]

    def close(self) -> None:
        super().close()
        for sentinel in self._sentinels:
            sentinel.close()

    def _is_in_charge(self, address: Address, where: Address) -> bool:
        return address == where

    def _ask(self) -> Address:
        """Return the address that the newest configuration names.

        The Sentinels' answers differ for up to two seconds after a failover: the one of the highest
        epoch is the newest.
        """
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


class PrimaryConnection(Connection):
    """A connection to the primary, whichever server that is when it connects."""

    def __init__(self, *, primary: Primary, **options: Any) -> None:
        self._primary = primary
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def _connect(self) -> socket.socket:
        address = self._primary.where()
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
