"""A stop under load: every request sent is answered, and every acknowledged batch is stored."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
from collections.abc import Callable
from itertools import count

import psutil
import pytest

from adapters.embedded_valkey import reach_log_server
from tests.e2e.conftest import StartService
from tests.e2e.tenant import point
from tests.service import Service

CONNECTIONS = 32
POINTS = 20
WARM = 10
"""The number of answers on each connection before the stop."""

numbers = count()


class Connection:
    """One client connection, and the outcome of the requests sent on it."""

    def __init__(self, service: Service, token: str) -> None:
        self.acknowledged: dict[str, float] = {}
        self.answered = 0
        self.unanswered = 0
        self.refused: list[int] = []
        self.said_close = False
        self.warm = asyncio.Event()
        self._service = service
        self._token = token

    async def open(self) -> None:
        service = self._service
        self._reader, self._writer = await asyncio.open_connection(service.host, service.port)

    def publish(self, *, packed: bool = False) -> tuple[bytes, float]:
        """Return a request with a unique value, and the value."""
        value = float(next(numbers))
        body = json.dumps({"metrics": [point(value=value)] * POINTS}).encode()
        body = gzip.compress(body) if packed else body
        coding = "Content-Encoding: gzip\r\n" if packed else ""
        head = (
            "POST /organizations/gilt/metrics HTTP/1.1\r\nHost: cave\r\n"
            f"Authorization: Bearer {self._token}\r\n{coding}Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body, value

    def send(self, content: bytes, requests: int = 1) -> None:
        self._writer.write(content)
        self.unanswered += requests

    async def answer(self, value: float | None = None) -> None:
        """Read the next answer, to the request with `value`."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        await self._reader.readexactly(int(lines["content-length"]))
        status = int(head.split()[1])
        self.unanswered -= 1
        self.answered += 1
        self.said_close = lines.get("connection") == "close"
        if status >= 300:
            self.refused.append(status)
        elif value is not None:
            self.acknowledged[lines["cave-receipt"]] = value
        if self.answered >= WARM:
            self.warm.set()

    async def ended(self) -> bool:
        """Wait for the end of the connection. Raises ConnectionResetError if it is reset."""
        rest = await self._reader.read()
        self._writer.close()
        return rest == b""

    @property
    def outcome(self) -> tuple[int, list[int], bool]:
        return self.unanswered, self.refused, self.said_close


GOOD: tuple[int, list[int], bool] = (0, [], True)


async def publishing(connection: Connection) -> None:
    """Publish by the short way, one request after the other."""
    await connection.open()
    while not connection.said_close:
        request, value = connection.publish()
        connection.send(request)
        await connection.answer(value)
    assert await connection.ended()


async def publishing_packed(connection: Connection) -> None:
    """Publish by uvicorn's way."""
    await connection.open()
    while not connection.said_close:
        request, value = connection.publish(packed=True)
        connection.send(request)
        await connection.answer(value)
    assert await connection.ended()


async def looking(connection: Connection) -> None:
    """Send requests to Litestar's routes."""
    await connection.open()
    while not connection.said_close:
        connection.send(b"GET /health/live HTTP/1.1\r\nHost: cave\r\n\r\n")
        await connection.answer()
    assert await connection.ended()


async def pausing(connection: Connection) -> None:
    """Be idle most of the time: a request may come just as the connection is being closed."""
    connection.answered = WARM
    await connection.open()
    while not connection.said_close:
        request, value = connection.publish()
        connection.send(request)
        await connection.answer(value)
        await asyncio.sleep(0.3)
    assert await connection.ended()


async def pipelining(connection: Connection) -> None:
    """Send several requests at once, by both ways in turn, and then read their answers."""
    await connection.open()
    while not connection.said_close:
        requests = [connection.publish(packed=place % 3 == 1) for place in range(6)]
        connection.send(b"".join(content for content, _ in requests), len(requests))
        for _, value in requests:
            assert not connection.said_close
            await connection.answer(value)
    assert await connection.ended()


async def arriving(connection: Connection) -> None:
    """Open a connection per request, until one is refused."""
    while True:
        try:
            await connection.open()
        except ConnectionRefusedError:
            connection.said_close = True
            return
        request, value = connection.publish()
        connection.send(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        await connection.answer(value)
        assert await connection.ended()


KINDS = (publishing, publishing_packed, looking, pausing, pipelining, arriving, publishing)


def supervisor(service: Service, number: int) -> None:
    os.kill(service.pid, number)


def group(service: Service, number: int) -> None:
    """As a terminal does."""
    os.killpg(service.pid, number)


def twice(service: Service, number: int) -> None:
    """As `timeout` does: the process, then its group."""
    os.kill(service.pid, number)
    os.killpg(service.pid, number)


def everybody(service: Service, number: int) -> None:
    """As systemd does by default."""
    processes = psutil.Process(service.pid).children(recursive=True)
    for process in (*processes, psutil.Process(service.pid)):
        process.send_signal(number)


@pytest.mark.parametrize(
    ("number", "signalled", "workers"),
    [
        (signal.SIGTERM, supervisor, 2),
        pytest.param(signal.SIGTERM, group, 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, supervisor, 1, marks=pytest.mark.slow),
        (signal.SIGINT, group, 2),
        (signal.SIGTERM, twice, 1),
        pytest.param(signal.SIGTERM, everybody, 2, marks=pytest.mark.slow),
    ],
)
def test_every_request_is_answered_whichever_processes_are_signalled(
    start_service: StartService,
    number: signal.Signals,
    signalled: Callable[[Service, int], None],
    workers: int,
) -> None:
    service = start_service(WORKERS=workers)
    token = service.register("gilt")

    async def load() -> list[Connection]:
        connections = [Connection(service, token) for _ in range(CONNECTIONS)]
        idle = [Connection(service, token) for _ in range(4)]
        for connection in idle:
            await connection.open()
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for place, connection in enumerate(connections):
                group.create_task(KINDS[place % len(KINDS)](connection))
            for connection in connections:
                await connection.warm.wait()
            signalled(service, number)
        assert [await connection.ended() for connection in idle] == [True] * len(idle)
        return connections

    connections = asyncio.run(load())
    assert service.wait() == 0
    assert [connection.outcome for connection in connections] == [GOOD] * CONNECTIONS
    assert '"child killed"' not in service.errors()

    acknowledged = {
        receipt: [value] * POINTS
        for connection in connections
        for receipt, value in connection.acknowledged.items()
    }
    with reach_log_server(service.data_dir.path):
        stored = service.stored()
    found = {receipt: list(stored[receipt].event.points.values) for receipt in acknowledged}
    assert found == acknowledged
    assert len(stored) == len(acknowledged)
