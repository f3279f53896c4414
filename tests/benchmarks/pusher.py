"""A client that sends prepared requests, each once, until all are accepted.

wrk runs for a time; this sends a number of requests. It costs far less than any contestant for
batches of 100 points, but would itself be the bottleneck with single points.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator

import uvloop
from msgspec import Struct

from application.event_log.receipts import Receipt

RECEIPT = b"\r\ncave-receipt:"


class PushRefused(Exception):
    """A contestant did not accept a request."""


REST_SECONDS = 0.5


class Pushed(Struct, frozen=True):
    """The number of accepted requests, the seconds, and the last receipt, if there were any."""

    requests: int
    seconds: float
    receipt: Receipt | None


def push(
    port: int, requests: Iterable[bytes], *, connections: int, rate: float | None = None
) -> Pushed:
    """Send requests, each on the next free connection, and wait for all answers.

    `rate` limits the requests per second. Raises PushRefused, OSError.
    """
    return uvloop.run(_Pusher(port, requests, rate).run(connections))


class _Pusher:
    def __init__(self, port: int, requests: Iterable[bytes], rate: float | None) -> None:
        self._port = port
        self._requests: Iterator[bytes] = iter(requests)
        self._rate = rate
        self._sent = 0
        self._began = 0.0
        self._receipt: Receipt | None = None

    async def run(self, connections: int) -> Pushed:
        opened = [
            await asyncio.open_connection("127.0.0.1", self._port) for _ in range(connections)
        ]
        self._began = time.perf_counter()
        try:
            async with asyncio.TaskGroup() as group:
                for reader, writer in opened:
                    group.create_task(self._send(reader, writer))
        except ExceptionGroup as failed:
            # Not `except*`: up to Python 3.11.3 an exception raised there becomes a group again.
            refused, _ = failed.split(PushRefused)
            if refused is None:
                raise
            raise refused.exceptions[0] from None
        finally:
            for _, writer in opened:
                writer.close()
        seconds = time.perf_counter() - self._began
        return Pushed(self._sent, seconds, self._receipt)

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for request in self._requests:
            self._sent += 1
            if self._rate:
                due = self._began + self._sent / self._rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 20"):
                raise PushRefused(head.decode(errors="replace") + await _rest(reader))
            self._note(head)

    def _note(self, head: bytes) -> None:
        """Remember the last receipt; all are of one partition."""
        _, found, rest = head.lower().partition(RECEIPT)
        if found:
            receipt = Receipt.parse(rest.partition(b"\r\n")[0].strip().decode())
            if self._receipt is None or self._receipt < receipt:
                self._receipt = receipt


async def _rest(reader: asyncio.StreamReader) -> str:
    """Return the beginning of a body, if there is one."""
    try:
        async with asyncio.timeout(REST_SECONDS):
            return (await reader.read(1000)).decode(errors="replace")
    except TimeoutError:
        return ""
