"""Two hosts as if they were one service: each request goes to the next of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from tests.service import Service
from tests.waiting import wait_until

ROUNDS = 2


class Alternating:
    """Has the methods of a `Service`; each call is one of the next host.

    What is not a request is the same for all hosts that share a log, so any may do it.
    """

    def __init__(self, hosts: Sequence[Service]) -> None:
        self.hosts = hosts
        self._turns = itertools.cycle(hosts)

    def __getattr__(self, name: str) -> Any:
        return getattr(next(self._turns), name)

    def register(self, name: str, *scopes: str) -> str:
        """Register an organization at one host, wait until all know it, and return its token."""
        token = next(self._turns).register(name, *scopes)
        path = f"/organizations/{name}/metrics"
        self.wait_for_all_workers(
            lambda: next(self._turns).answer("POST", path, {}, token)[0] != 404
        )
        return token

    def wait_for_all_workers(self, true: Callable[[], bool]) -> None:
        """Wait until a condition that makes one request holds for all hosts, one after another."""
        wait_until(lambda: all(true() for _ in range(ROUNDS * len(self.hosts))))


class AlternatingTransport(httpx.BaseTransport):
    """Sends each request to the next host, whatever its URL says."""

    def __init__(self, hosts: Sequence[Service]) -> None:
        self._turns = itertools.cycle(hosts)
        self._transport = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = next(self._turns)
        request.url = request.url.copy_with(host=host.host, port=host.port)
        return self._transport.handle_request(request)

    def close(self) -> None:
        self._transport.close()
