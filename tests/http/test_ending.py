"""When a worker stops, a connection ends only after all requests sent on it are answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState

from adapters.http.problems import Answer
from adapters.http.publish import ending
from adapters.http.publish.driving import drive
from adapters.http.publish.plain_heads import PlainHead, PlainHeads
from adapters.http.publish.plain_publish import Answered
from adapters.http.publish.protocol import PublishProtocol

SHORT, OTHER, CHUNKED, QUERY, UPGRADE = "short", "other", "chunked", "query", "upgrade"
KINDS = (SHORT, OTHER, CHUNKED, QUERY, UPGRADE)
SECONDS = 10


def request(kind: str, body: bytes = b"0123456789") -> bytes:
    """Return a request of a kind. A query has its `body` in its URL, in hexadecimal digits."""
    if kind == QUERY:
        return b"GET /?%b HTTP/1.1\r\nAuthorization: Bearer t\r\n\r\n" % body.hex().encode()
    head = b"POST /organizations/gilt/metrics HTTP/1.1\r\nAuthorization: Bearer t\r\n"
    if kind == CHUNKED:
        return b"%bTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
            head,
            len(body),
            body,
        )
    if kind == OTHER:
        head += b"Idempotency-Key: k\r\n"
    if kind == UPGRADE:
        head += b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


class Worker:
    """A server in this process that answers a request with its body, once `may_answer` is set."""

    def __init__(self) -> None:
        self.state = ServerState()
        self.config = uvicorn.Config(
            self._app,
            ws="none",
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            log_config=None,
        )
        self.config.load()
        self.begun = 0
        self.begins = asyncio.Event()
        self.may_answer = asyncio.get_running_loop().create_future()
        self.heads = PlainHeads(1000)

    def admits(self, _head: PlainHead) -> bool:
        return True

    def take(self, _head: PlainHead, body: bytes, answered: Answered) -> None:
        async def answer() -> None:
            await self._leave()
            answered(202, b"content-length: %d\r\n" % len(body), body)

        drive(answer(), lambda _: None)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body = bytes.fromhex(scope["query_string"].decode())
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        await self._leave()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _leave(self) -> None:
        self.begun += 1
        self.begins.set()
        if not self.may_answer.done():
            # Not `may_answer` itself, which a cancelled waiter would cancel for all.
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.may_answer.add_done_callback(lambda _: mine.set_result(None))
            await mine

    def protocol(self) -> PublishProtocol:
        return PublishProtocol(
            self.heads,
            self,  # type: ignore[arg-type]
            QueriesThen(self),  # type: ignore[arg-type]
            config=self.config,
            server_state=self.state,
            app_state={},
        )

    def stop(self) -> None:
        for connection in list(self.state.connections):
            connection.shutdown()

    def release(self) -> None:
        if not self.may_answer.done():
            self.may_answer.set_result(None)


class QueriesThen:
    """Answers queries at once if the worker may answer, else leaves them to the server."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def answer(self, head: bytes) -> Answer | None:
        if not head.startswith(b"GET /?") or not self._worker.may_answer.done():
            return None
        self._worker.begun += 1
        body = bytes.fromhex(head[len(b"GET /?") :].split(b" ")[0].decode())
        return Answer(202, [(b"content-length", b"%d" % len(body))], body)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()
        for _ in range(3):
            await asyncio.sleep(0)

    async def answer(self) -> tuple[bytes, bool]:
        """Return the body of the next answer, and whether it has `Connection: close`."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 202 ")
        length = int(head.partition(b"content-length: ")[2].split()[0])
        return await self._reader.readexactly(length), b"connection: close\r\n" in head

    async def rest(self) -> bytes:
        """Return everything up to the end. Raises ConnectionResetError if it is a reset."""
        return await self._reader.read()


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  there is no event to await
        await asyncio.sleep(0.001)


@asynccontextmanager
async def connected(worker: Worker) -> AsyncIterator[Client]:
    server = await asyncio.get_running_loop().create_server(worker.protocol, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            await until(lambda: bool(worker.state.connections))
            yield Client(reader, writer)
        finally:
            writer.close()
            worker.release()


Story = Callable[[Worker, Client], Awaitable[None]]


def run(story: Story) -> None:
    async def whole() -> None:
        async with asyncio.timeout(SECONDS):
            worker = Worker()
            async with connected(worker) as client:
                await story(worker, client)
            await until(lambda: not worker.state.connections)

    uvloop.run(whole())


@pytest.fixture(autouse=True, scope="module")
def patience() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ending, "QUIET_SECONDS", 0.1)
        patch.setattr(ending, "STALLED_SECONDS", 0.3)
        patch.setattr(ending, "LINGER_SECONDS", 0.1)
        yield


def test_an_idle_connection_ends() -> None:
    async def story(worker: Worker, client: Client) -> None:
        worker.stop()
        assert await client.rest() == b""

    run(story)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", [0, 1])
def test_a_request_sent_after_the_stop_is_answered_as_the_last(kind: str, before: int) -> None:
    async def story(worker: Worker, client: Client) -> None:
        worker.release()
        for _ in range(before):
            await client.send(request(kind))
            assert await client.answer() == (b"0123456789", False)
        worker.stop()
        await client.send(request(kind))
        assert await client.answer() == (b"0123456789", True)
        assert await client.rest() == b""

    run(story)


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_being_answered_at_the_stop_is_the_last(kind: str) -> None:
    async def story(worker: Worker, client: Client) -> None:
        await client.send(request(kind))
        await worker.begins.wait()
        worker.stop()
        worker.release()
        assert await client.answer() == (b"0123456789", True)
        assert await client.rest() == b""

    run(story)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("here", [1, 30, -12, -3])
def test_a_request_arriving_at_the_stop_is_answered(kind: str, here: int) -> None:
    async def story(worker: Worker, client: Client) -> None:
        worker.release()
        content = request(kind)
        await client.send(content[:here])
        await asyncio.sleep(0.02)
        worker.stop()
        for at in range(len(content) + here if here < 0 else here, len(content)):
            await client.send(content[at : at + 1])
        assert await client.answer() == (b"0123456789", True)
        assert await client.rest() == b""

    run(story)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("here", [1, 30, -12, -3])
def test_a_request_that_stops_arriving_does_not_hold_up_the_stop(kind: str, here: int) -> None:
    async def story(worker: Worker, client: Client) -> None:
        await client.send(request(kind)[:here])
        await asyncio.sleep(0.02)
        worker.stop()
        assert await client.rest() == b""
        assert worker.begun == 0

    run(story)


def test_data_sent_after_the_last_answer_does_not_reset_the_connection() -> None:
    async def story(worker: Worker, client: Client) -> None:
        await client.send(request(SHORT))
        await worker.begins.wait()
        worker.stop()
        worker.release()
        await asyncio.sleep(0.02)
        await client.send(request(SHORT) * 100)
        assert await client.answer() == (b"0123456789", True)
        assert await client.rest() == b""

    run(story)


def test_the_connection_is_closed_even_if_the_client_never_closes() -> None:
    async def story(worker: Worker, client: Client) -> None:
        worker.stop()
        assert await client.rest() == b""
        await until(lambda: not worker.state.connections)

    run(story)


requests = st.lists(
    st.tuples(st.sampled_from(KINDS), st.binary(min_size=1, max_size=8)), min_size=1, max_size=8
)


@given(requests, st.lists(st.integers(1, 60), max_size=12), st.data())
def test_all_requests_are_answered_in_order_and_the_last_answer_says_close(
    sent: list[tuple[str, bytes]], cuts: list[int], data: st.DataObject
) -> None:
    """However the requests are cut into pieces, and between whichever pieces the stop comes."""
    content = b"".join(request(kind, body) for kind, body in sent)
    pieces = []
    for cut in cuts:
        pieces.append(content[:cut])
        content = content[cut:]
    pieces = [piece for piece in (*pieces, content) if piece]
    stops_before = data.draw(st.integers(0, len(pieces)))

    async def story(worker: Worker, client: Client) -> None:
        for place, piece in enumerate(pieces):
            if place == stops_before:
                worker.stop()
            await client.send(piece)
        if stops_before == len(pieces):
            worker.stop()
        worker.release()
        answers = [await client.answer() for _ in sent]
        assert [body for body, _ in answers] == [body for _, body in sent]
        assert [last for _, last in answers] == [False] * (len(sent) - 1) + [True]
        assert await client.rest() == b""

    run(story)
