"""A connection for appends that is lost at an awkward moment. The server is the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from adapters.redis_streams.metrics.append_connection import AppendConnection, Send
from adapters.redis_streams.urls import Address
from application.errors import LogUnavailable


class Place:
    """Implements the protocol Server for a port of this host."""

    moves = False

    def __init__(self, port: int) -> None:
        self._port = port

    def address(self) -> Mapping[str, Any]:
        return {"host": "127.0.0.1", "port": self._port, "tls": False}

    def listen(self, listener: Callable[[Address], None]) -> None:
        """Do nothing: it stays where it is."""


def test_one_that_is_lost_behind_the_last_reply_is_made_again() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.CancelledError):
            while await reader.read(1000):
                writer.write(b"+PONG\r\n")
        writer.close()

    async def scenario() -> None:
        prepared = 0

        async def prepare(send: Send) -> None:
            nonlocal prepared
            prepared += 1
            assert await send(("PING",)) == b"PONG"
            if prepared == 1:
                link = connection._opening
                assert link is not None
                link.abort()
                while link.alive:  # noqa: ASYNC110  there is no event for it
                    await asyncio.sleep(0)

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            place = Place(server.sockets[0].getsockname()[1])
            connection = AppendConnection(place, max_waiting=1000, prepare=prepare)
            with pytest.raises(LogUnavailable):
                await connection.open()
            async with asyncio.timeout(30):
                while not await connection.answers():  # noqa: ASYNC110  there is no event for it
                    await asyncio.sleep(0.01)
            assert prepared == 2
            await connection.close()

    asyncio.run(scenario())
