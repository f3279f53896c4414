"""Plain requests that arrive within a few turns of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from adapters.http.problems import header_lines
from adapters.http.publish import plain_publish
from adapters.http.publish.answers.json import RECEIPT_LINES, JsonAnswers
from adapters.http.publish.answers.ports import Asked
from adapters.http.publish.endpoint import PublishEndpoint
from adapters.http.publish.plain_heads import PlainHead, PlainHeads
from adapters.http.publish.plain_publish import MORE_TURNS, PlainPublish
from adapters.memory.metric_log import MemoryMetricLog
from adapters.point_formats.formats import all_formats, shared_format
from adapters.point_formats.json.quick import QuickReader
from application.errors import LogError, LogFull
from application.event_log.receipts import Receipt
from application.publishing.ports import Appended
from application.publishing.publish_metrics import Published
from domain.events import MetricsPublished
from tests.http.conftest import Service

BODY = b'{"metrics":[{"name":"a","timestamp":%d,"value":1,"tags":{"b":"c"}}]}'
LIMIT = 1 << 20


class Log(MemoryMetricLog):
    """Records how many events are appended together; may refuse some, or fail."""

    groups: list[int]
    full: bool = False
    failure: Exception | None = None
    gate: asyncio.Future[None] | None = None

    async def append_together(
        self, events: Sequence[MetricsPublished]
    ) -> Sequence[Receipt | LogError]:
        self.groups.append(len(events))
        if self.gate is not None:
            await self.gate
        if self.failure is not None:
            raise self.failure
        results = await super().append_together(events)
        return [LogFull("full") if self.full and n % 2 else r for n, r in enumerate(results)]


async def pass_turns(count: int) -> None:
    """Let so many turns of the event loop pass."""
    for _ in range(count):
        await asyncio.sleep(0)


class Turns:
    """Sends requests within one turn; `memory` is for the bodies of all that are in progress."""

    def __init__(self, service: Service, memory: int = 8 * LIMIT) -> None:
        self.service = service
        self.log = Log(lambda: service.now)
        self.log.groups = []
        self.token = service.register("gilt", "publish")
        self.other = service.register("other", "publish")
        use_cases = service.composed(self.log)
        formats = all_formats(1000)
        endpoint = PublishEndpoint(
            use_cases.access,
            use_cases.publish_metrics,
            formats,
            max_body=LIMIT,
            max_inflated=LIMIT,
            max_body_memory=memory,
        )
        self.plain = PlainPublish(endpoint, use_cases.publish_together, shared_format(formats))
        self._heads = PlainHeads(LIMIT)
        service.follower.catch_up()

    def head(self, body: bytes, token: str | None = None, organization: str = "gilt") -> PlainHead:
        lines = [
            f"POST /organizations/{organization}/metrics HTTP/1.1",
            f"Authorization: Bearer {token or self.token}",
            f"Content-Length: {len(body)}",
        ]
        found = self._heads.find("\r\n".join(lines).encode())
        assert found is not None
        return found

    def send(self, requests: Sequence[tuple[PlainHead, bytes]]) -> list[tuple[int, bytes, bytes]]:
        """Return status, headers and body of each answer."""
        answers: dict[int, tuple[int, bytes, bytes]] = {}

        async def turn() -> None:
            done = asyncio.get_running_loop().create_future()

            def answered(place: int, *answer: Any) -> None:
                assert place not in answers
                answers[place] = answer
                if len(answers) == len(requests):
                    done.set_result(None)

            for place, request in enumerate(requests):
                self.plain.take(*request, partial(answered, place))
            await done

        asyncio.run(turn())
        return [answers[place] for place in range(len(requests))]


@pytest.fixture
def turns(service: Service) -> Turns:
    return Turns(service)


def test_those_of_one_turn_are_appended_together_and_have_a_receipt_each(turns: Turns) -> None:
    bodies = [BODY % n for n in range(1, 6)]
    answers = turns.send(
        [(turns.head(body), body) for body in bodies]
        + [(turns.head(BODY % 7, turns.other, "other"), BODY % 7)]
    )
    assert turns.log.groups == [6]
    assert [status for status, _, _ in answers] == [202] * 6
    assert len({lines for _, lines, _ in answers}) == 6


def test_a_bad_body_or_token_affects_no_other(turns: Turns) -> None:
    good, bad = BODY % 1, BODY.replace(b'"a"', b'"?"') % 1
    empty = b'{"metrics":[]}'
    answers = turns.send(
        [
            (turns.head(good), good),
            (turns.head(bad), bad),
            (turns.head(good, turns.other), good),
            (turns.head(empty), empty),
            (turns.head(good), good),
        ]
    )
    assert [status for status, _, _ in answers] == [202, 400, 403, 202, 202]
    assert b"cave-receipt" not in answers[3][1]
    assert b"/metrics/0/name" in answers[1][2]
    assert turns.log.groups[0] == 2


def test_an_error_of_one_event_is_answered_to_its_request(turns: Turns) -> None:
    turns.log.full = True
    body = BODY % 1
    answers = turns.send([(turns.head(body), body)] * 4)
    assert [status for status, _, _ in answers] == [202, 503, 202, 503]
    assert b"retry-after" in answers[1][1].lower()


def test_a_defect_is_a_500_for_each_and_shows_no_internals(turns: Turns) -> None:
    turns.log.failure = ZeroDivisionError("internal words")
    body = BODY % 1
    answers = turns.send([(turns.head(body), body)] * 2)
    assert [status for status, _, _ in answers] == [500, 500]
    assert b"internal words" not in answers[0][2]


def test_a_defect_with_one_body_affects_no_other(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = BODY % 1, BODY % 7
    read = QuickReader.read

    def fails(self: QuickReader, body: bytes, *limits: int) -> Any:
        if body == bad:
            raise ZeroDivisionError
        return read(self, body, *limits)

    monkeypatch.setattr(QuickReader, "read", fails)
    answers = turns.send([(turns.head(each), each) for each in (good, bad, good)])
    assert [status for status, _, _ in answers] == [202, 500, 202]


def test_a_connection_that_cannot_be_answered_affects_no_other(turns: Turns) -> None:
    body = BODY % 1

    async def scenario() -> None:
        reported: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append(context)
        )
        answers: list[int] = []

        def fails(*_: Any) -> None:
            raise ZeroDivisionError

        for expected in ([202], [202, 202]):  # the second time, those of the next turn
            turns.plain.take(turns.head(body), body, fails)
            turns.plain.take(turns.head(body), body, lambda status, *_: answers.append(status))
            await pass_turns(MORE_TURNS + 5)
            assert answers == expected
        assert [type(each["exception"]) for each in reported] == [ZeroDivisionError] * 2

    asyncio.run(scenario())


def test_the_memory_for_bodies_bounds_them_and_is_given_back(service: Service) -> None:
    body = BODY % 1
    turns = Turns(service, memory=3 * len(body))
    for _ in range(3):
        assert [s for s, _, _ in turns.send([(turns.head(body), body)] * 3)] == [202] * 3
        assert [s for s, _, _ in turns.send([(turns.head(body), body)] * 4)] == [503] * 4


def test_large_bodies_do_not_wait_for_more(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    body = BODY % 1
    monkeypatch.setattr(plain_publish, "MAX_TOGETHER", 2 * len(body))
    answers = turns.send([(turns.head(body), body)] * 5)
    assert [status for status, _, _ in answers] == [202] * 5
    assert turns.log.groups == [2, 2, 1]


def test_those_that_arrive_while_others_are_appended_are_appended_together(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = BODY % 1
    monkeypatch.setattr(plain_publish, "MAX_TOGETHER", 4 * len(body))

    async def scenario() -> None:
        turns.log.gate = asyncio.get_running_loop().create_future()
        answers: list[int] = []

        def arrive(count: int) -> None:
            for _ in range(count):
                turns.plain.take(turns.head(body), body, lambda status, *_: answers.append(status))

        arrive(2)
        await pass_turns(MORE_TURNS + 1)
        for _ in range(3):
            arrive(1)
            await pass_turns(MORE_TURNS + 1)
        assert (turns.log.groups, answers) == ([2], [])
        arrive(1)  # enough not to wait
        assert (turns.log.groups, answers) == ([2, 4], [])
        arrive(1)
        turns.log.gate.set_result(None)
        turns.log.gate = None
        await pass_turns(MORE_TURNS + 5)
        assert (turns.log.groups, answers) == ([2, 4, 1], [202] * 7)

    asyncio.run(scenario())


def test_those_that_arrive_a_few_turns_later_are_appended_together(turns: Turns) -> None:
    body = BODY % 1

    async def scenario() -> None:
        answers: list[int] = []
        for _ in range(MORE_TURNS + 1):
            turns.plain.take(turns.head(body), body, lambda status, *_: answers.append(status))
            await pass_turns(1)
        assert turns.log.groups == [MORE_TURNS + 1]
        await pass_turns(5)
        assert answers == [202] * (MORE_TURNS + 1)

    asyncio.run(scenario())


def test_the_short_answer_is_that_of_the_protocol() -> None:
    receipt = Receipt(3, 1_735_689_600_000, 7)
    answer = JsonAnswers().stored(Published(1, Appended(receipt)), Asked("json"))
    assert (answer.status, answer.body) == (202, b"")
    assert header_lines(answer.headers) == RECEIPT_LINES % str(receipt).encode()
