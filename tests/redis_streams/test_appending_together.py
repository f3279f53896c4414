"""Events that are appended together are answered one by one, whatever happens to the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from adapters.redis_streams.durability import ReplicaWait
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.link import Link
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from application.errors import LogFull, LogUnavailable, OutcomeUnknown
from application.event_log.receipts import Receipt
from tests.contracts.metric_log import published

PARTITIONS = 4
ID, FULL = b"$3\r\n7-%d\r\n", b"-OOM command not allowed\r\n"
EVENTS = [published(f"org{index}") for index in range(3)]
WAIT = ReplicaWait(1, fsynced=True)


class Server:
    """The transport to a log server that answers what a test says."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.asked = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.sent.append(data)
        self.asked.set()


class Connection:
    """A log over a link whose server is the test's."""

    def __init__(self, wait: ReplicaWait | None = None) -> None:
        self.server = Server()
        self.link = Link(asyncio.get_running_loop(), 1 << 20, lambda _: None)
        self.link.wait = wait
        self.link.connection_made(self.server)  # type: ignore[arg-type]
        self.log = RedisMetricLog("redis://unused", MetricKeys("cave"), PARTITIONS)
        self.log._connections[0].link = self.link  # type: ignore[attr-defined]

    async def append(self, answer: Callable[[Link], None]) -> list[Any]:
        """Append three events, let the server answer, and return the results."""
        appending = asyncio.ensure_future(self.log.append_together(EVENTS))
        await self.server.asked.wait()
        answer(self.link)
        return list(await appending)


def kinds(results: list[Any]) -> list[type]:
    return [type(result) for result in results]


def appended(answer: Callable[[Link], None], wait: ReplicaWait | None = None) -> list[Any]:
    async def scenario() -> list[Any]:
        return await Connection(wait).append(answer)

    return asyncio.run(scenario())


def test_they_are_one_write() -> None:
    async def scenario() -> None:
        connection = Connection()
        results = await connection.append(
            lambda link: link.data_received(b"".join(ID % n for n in range(3)))
        )
        assert [(each.milliseconds, each.sequence) for each in results] == [(7, 0), (7, 1), (7, 2)]
        (sent,) = connection.server.sent
        assert sent.count(b"XADD") == 3

    asyncio.run(scenario())


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_replies_may_come_in_pieces(pieces: int) -> None:
    def answer(link: Link) -> None:
        replies = b"".join(ID % n for n in range(3))
        for start in range(0, len(replies), pieces):
            link.data_received(replies[start : start + pieces])

    assert kinds(appended(answer)) == [Receipt] * 3


def test_one_that_is_refused_does_not_affect_the_others() -> None:
    results = appended(lambda link: link.data_received(ID % 0 + FULL + ID % 1))
    assert kinds(results) == [Receipt, LogFull, Receipt]


def test_those_answered_before_the_connection_died_are_durable() -> None:
    def answer(link: Link) -> None:
        link.data_received(ID % 0 + FULL)
        link.connection_lost(None)

    assert kinds(appended(answer)) == [Receipt, LogFull, OutcomeUnknown]


def test_none_was_written_if_the_connection_died_before_they_were_sent() -> None:
    async def scenario() -> list[Any]:
        connection = Connection()
        earlier = connection.link.send(b"an earlier command")
        connection.link._flush()
        appending = asyncio.ensure_future(connection.log.append_together(EVENTS))
        await asyncio.sleep(0)  # begins to append
        connection.link.connection_lost(None)
        assert isinstance(earlier.exception(), OutcomeUnknown)
        return list(await appending)

    assert kinds(asyncio.run(scenario())) == [LogUnavailable] * 3


@pytest.mark.parametrize(
    ("replicas", "expected"),
    [
        (b":1\r\n*2\r\n:1\r\n:1\r\n", [Receipt, LogFull, Receipt]),
        (b":0\r\n*2\r\n:1\r\n:0\r\n", [OutcomeUnknown, LogFull, OutcomeUnknown]),
        (b"-ERR no\r\n-ERR no\r\n", [OutcomeUnknown, LogFull, OutcomeUnknown]),
    ],
)
def test_each_that_was_written_waits_for_replicas(replicas: bytes, expected: list[type]) -> None:
    results = appended(lambda link: link.data_received(ID % 0 + FULL + ID % 1 + replicas), WAIT)
    assert kinds(results) == expected


def test_a_reply_that_is_an_array_is_a_single_reply() -> None:
    async def scenario() -> Any:
        connection = Connection(WAIT)
        reply = connection.link.append(b"FCALL")
        connection.link._flush()
        connection.link.data_received(b"*2\r\n$3\r\n7-0\r\n:0\r\n:0\r\n*2\r\n:1\r\n:0\r\n")
        return await reply

    with pytest.raises(OutcomeUnknown):
        asyncio.run(scenario())


def test_a_partition_s_last_event_is_remembered_in_whatever_order_replies_are_processed() -> None:
    async def scenario() -> None:
        log = Connection().log
        for sequence in (1, 3, 2):
            log._remember(Receipt(0, 7, sequence), b"%d" % sequence)
        assert log._acknowledged == {0: (Receipt(0, 7, 3), b"3")}

    asyncio.run(scenario())
