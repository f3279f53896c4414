"""What a partition's connection does with what a node of a cluster refuses, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import hiredis
import pytest

from adapters.redis_streams.metrics import slot_connection
from adapters.redis_streams.metrics.append_connection import Send
from adapters.redis_streams.metrics.link import ASKING
from adapters.redis_streams.metrics.refusals import Refusal
from adapters.redis_streams.metrics.slot_connection import SlotConnection
from adapters.redis_streams.urls import Address
from application.errors import LogSaturated, LogUnavailable, OutcomeUnknown

ONE, TWO = ("one", 1), ("two", 2)
MOVED, ASK, LATER = "MOVED 5 two:2", "ASK 5 two:2", "TRYAGAIN later"
LOOK = b"*1\r\n$4\r\nLOOK\r\n"


class FakeLink:
    """Notes what is sent; the test answers it. What `prepare` sends is answered at once."""

    alive = True
    full = False

    def __init__(self, address: Address) -> None:
        self.address = address
        self.sent: list[bytes] = []
        self.looked = 0
        self._open: list[asyncio.Future[Any]] = []

    def send(self, packed: bytes) -> asyncio.Future[Any]:
        if self.full and packed != LOOK:
            raise LogSaturated("full")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if packed == LOOK:
            self.looked += 1
            future.set_result(b"fine")
        else:
            self.sent.append(packed)
            self._open.append(future)
        return future

    append = send

    def ask(self) -> None:
        if self.full:
            raise LogSaturated("full")
        self.sent.append(ASKING)

    def answer(self, *replies: object) -> None:
        for reply in replies:
            future = self._open.pop(0)
            if isinstance(reply, Exception):
                future.set_exception(reply)
            else:
                future.set_result(hiredis.ReplyError(reply) if isinstance(reply, str) else reply)


class FakeNodes:
    def __init__(self, *links: FakeLink) -> None:
        self.links = {link.address: link for link in links}
        self.refreshed = 0

    def link(self, address: Address) -> Any:
        return self.links.get(address)

    async def changed(self, seconds: float) -> None:
        await asyncio.sleep(0.001)

    def refresh(self) -> None:
        self.refreshed += 1


async def look(send: Send) -> None:
    await send(("LOOK",))


def run(
    scenario: Callable[[SlotConnection, FakeLink, FakeLink, FakeNodes], Awaitable[None]],
) -> None:
    async def with_a_connection() -> None:
        one, two = FakeLink(ONE), FakeLink(TWO)
        nodes = FakeNodes(one, two)
        connection = SlotConnection(nodes, look, max_waiting=10)
        connection.use(ONE)
        await connection.ready()
        await scenario(connection, one, two, nodes)
        await connection.close()

    asyncio.run(with_a_connection())


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.001)


def test_what_a_moved_slot_refused_is_sent_to_its_master_in_order_and_before_what_came_since() -> (
    None
):
    async def scenario(
        connection: SlotConnection, one: FakeLink, two: FakeLink, nodes: FakeNodes
    ) -> None:
        answers = [connection.append(name) for name in (b"a", b"b", b"c")]
        one.answer(b"1-1", MOVED)
        await until(lambda: connection._refused)
        answers.append(connection.append(b"d"))
        await asyncio.sleep(0.02)
        assert not two.sent, "c has not been answered"
        one.answer(MOVED)
        await until(lambda: len(two.sent) == 3)
        assert two.sent == [b"b", b"c", b"d"]
        assert two.looked == 1
        assert nodes.refreshed
        two.answer(b"1-2", b"1-3", b"1-4")
        assert await asyncio.gather(*answers) == [b"1-1", b"1-2", b"1-3", b"1-4"]
        connection.append(b"e").cancel()
        assert two.sent[-1] == b"e"
        two.answer(b"1-5")

    run(scenario)


def test_a_node_is_asked_for_a_key_that_it_has_already_and_the_others_go_to_the_master() -> None:
    async def scenario(
        connection: SlotConnection, one: FakeLink, two: FakeLink, _: FakeNodes
    ) -> None:
        answers = [connection.append(name) for name in (b"a", b"b")]
        one.answer(ASK, ASK)
        await until(lambda: len(two.sent) == 4)
        answers.append(connection.append(b"c"))
        assert two.sent == [ASKING, b"a", ASKING, b"b"]
        assert one.sent == [b"a", b"b"], "c waits until they are answered"
        two.answer(b"1-1", b"1-2")
        await until(lambda: len(one.sent) == 3)
        one.answer(b"1-3")
        assert await asyncio.gather(*answers) == [b"1-1", b"1-2", b"1-3"]
        assert (one.looked, two.looked) == (1, 0), "the master is the same"

    run(scenario)


def test_what_can_be_executed_later_is_sent_again_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(
        connection: SlotConnection, one: FakeLink, _: FakeLink, __: FakeNodes
    ) -> None:
        answer = connection.append(b"a")
        one.answer(LATER)
        await until(lambda: one.sent == [b"a", b"a"])
        one.answer(b"1-1")
        assert await answer == b"1-1"

        monkeypatch.setattr(slot_connection, "REPLY_TIMEOUT", 0.1)
        answer = connection.append(b"b")
        while not answer.done():
            await asyncio.sleep(0.01)
            if one._open:
                one.answer(LATER)
        assert str(await answer) == LATER

    run(scenario)


def test_what_died_with_a_connection_is_not_sent_again() -> None:
    async def scenario(
        connection: SlotConnection, one: FakeLink, two: FakeLink, nodes: FakeNodes
    ) -> None:
        sent = connection.append(b"a")
        one.alive = False
        del nodes.links[ONE]
        one.answer(OutcomeUnknown("died"))
        connection.look()
        with pytest.raises(OutcomeUnknown):
            await sent
        with pytest.raises(LogUnavailable, match="not connected"):
            connection.append(b"b")
        assert connection.failure is not None
        connection.use(TWO)
        await connection.ready()
        assert connection.failure is None
        assert (two.looked, two.sent) == (1, [])

    run(scenario)


def test_a_connection_that_takes_no_more_refuses_what_is_sent_again() -> None:
    async def scenario(
        connection: SlotConnection, one: FakeLink, two: FakeLink, _: FakeNodes
    ) -> None:
        for reply in (ASK, MOVED):
            two.full = True
            answers = [connection.append(name) for name in (b"a", b"b")]
            gone = connection.append(b"c")
            gone.cancel()
            one.answer(reply, reply, reply)
            for answer in answers:
                with pytest.raises(LogSaturated):
                    await answer
            two.full = False
        assert two.sent == []

    run(scenario)


def test_closing_waits_until_what_was_refused_is_answered() -> None:
    async def scenario(
        connection: SlotConnection, one: FakeLink, two: FakeLink, _: FakeNodes
    ) -> None:
        answer = connection.append(b"a")
        closing = asyncio.ensure_future(connection.close())
        await asyncio.sleep(0)
        one.answer(MOVED)
        await until(lambda: two.sent)
        two.answer(b"1-1")
        await closing
        assert await answer == b"1-1"

    run(scenario)


def test_what_waits_for_a_master_is_bounded() -> None:
    async def scenario(
        connection: SlotConnection, one: FakeLink, two: FakeLink, nodes: FakeNodes
    ) -> None:
        del nodes.links[TWO]
        refused = connection.append(b"a")
        one.answer(MOVED)
        await until(lambda: connection.master == TWO)
        held = connection.append(b"123456")
        with pytest.raises(LogSaturated, match="6 bytes"):
            connection.append(b"78901")
        nodes.links[TWO] = two
        await until(lambda: len(two.sent) == 2)
        two.answer(b"1-1", b"1-2")
        assert [await refused, await held] == [b"1-1", b"1-2"]

    run(scenario)


def test_a_partition_that_comes_back_is_looked_at_again() -> None:
    async def scenario(
        connection: SlotConnection, one: FakeLink, two: FakeLink, _: FakeNodes
    ) -> None:
        for master, link, looked in ((TWO, two, 1), (ONE, one, 2)):
            connection.use(master)
            await connection.ready()
            assert link.looked == looked
        connection.look()
        connection.use(ONE)
        assert one.looked == 2

    run(scenario)


@pytest.mark.parametrize(
    ("reply", "refusal"),
    [
        ("MOVED 5 10.0.0.1:7000", Refusal("MOVED", ("10.0.0.1", 7000))),
        ("MOVED 5 :7000", Refusal("MOVED", ("one", 7000))),
        ("ASK 5 ::1:7000", Refusal("ASK", ("::1", 7000))),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Refusal("TRYAGAIN")),
        ("CLUSTERDOWN The cluster is down", Refusal("CLUSTERDOWN")),
        ("LOADING Valkey is loading the dataset in memory", Refusal("LOADING")),
        ("OOM command not allowed", None),
        ("ERR MOVED is not the code", None),
    ],
)
def test_only_what_was_certainly_not_executed_is_sent_again(
    reply: str, refusal: Refusal | None
) -> None:
    assert Refusal.of(hiredis.ReplyError(reply), ONE) == refusal
    assert Refusal.of(reply.encode(), ONE) is None
