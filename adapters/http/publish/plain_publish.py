"""Plain publish requests, whose complete bodies come from `protocol`.

Those that arrive within a few turns of the event loop, or while others are being appended, are
published together: their bodies are decoded by one call, and their events are sent to the log by
one write. What is the same for all of them is then done once. A request that needs more than that
is answered alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter

from msgspec import Struct

from adapters.http.body import Holding
from adapters.http.failures import failure_answer
from adapters.http.problems import Answer, header_lines
from adapters.http.publish.answers import ANSWERS
from adapters.http.publish.answers.json import RECEIPT_LINES
from adapters.http.publish.driving import drive
from adapters.http.publish.endpoint import PublishEndpoint, Seen
from adapters.http.publish.plain_heads import PlainHead
from adapters.http.telemetry import record_accepted, record_publish
from application.event_log.receipts import Receipt
from application.organizations.access import Grant
from application.publishing.ports import SharedFormat
from application.publishing.publish_together import PublishTogether, event_of
from domain.events import MetricsPublished
from domain.metric_point import PointBatch

MAX_TOGETHER = 64 * 1024
"""Bytes of bodies that do not wait for more: they are enough to share what can be shared."""

MORE_TURNS = 2
"""Turns of the event loop, after the one in which a request arrived, in which others may join it.
Clients that were answered send their next requests then, and an fsync costs the same for more."""


Answered = Callable[[int, bytes, bytes], None]
"""Takes an answer: its status, the lines of its headers, its body."""


class _Request(Struct):
    """A request, the function that takes its answer, and its grant once it is known."""

    head: PlainHead
    body: bytes
    answered: Answered
    grant: Grant | None = None


class PlainPublish:
    """Answers plain publish requests as `endpoint` does. For one event loop."""

    def __init__(
        self,
        endpoint: PublishEndpoint,
        publish_together: PublishTogether,
        shared_format: SharedFormat,
    ) -> None:
        self._endpoint = endpoint
        self._publish_together = publish_together
        self._format = shared_format
        self._gathered: list[_Request] = []
        self._gathered_bytes = 0
        self._gathering_since = 0.0
        self._appending = 0

    def admits(self, head: PlainHead) -> bool:
        """Return whether a request may publish, according to its head."""
        try:
            self._endpoint.grant(head.destination, head.token)
        except Exception:  # noqa: BLE001  the error is answered in the usual way
            return False
        return True

    def take(self, head: PlainHead, body: bytes, answered: Answered) -> None:
        """Call `answered` with the answer to a request with a complete body."""
        if not head.is_shared:
            self._answer_alone(head, body, answered)
            return
        if not self._gathered:
            self._gathering_since = perf_counter()
            if not self._appending:
                self._publish_soon()
        self._gathered.append(_Request(head, body, answered))
        self._gathered_bytes += len(body)
        if self._gathered_bytes >= MAX_TOGETHER:
            self._publish_gathered()

    def _publish_soon(self, turns: int = MORE_TURNS) -> None:
        """Publish what was gathered after the end of this turn and of so many more."""
        call_soon = asyncio.get_running_loop().call_soon
        if turns:
            call_soon(self._publish_soon, turns - 1)
        else:
            call_soon(self._publish_gathered)

    async def _answer(self, head: PlainHead, body: bytes) -> Answer:
        """Return the answer to a request by itself."""
        started = perf_counter()
        endpoint, seen = self._endpoint, Seen(len(body))
        route = head.destination.route
        try:
            grant = endpoint.grant(head.destination, head.token)
            with Holding(endpoint.budget) as holding:
                holding.take(len(body))
                sent = body
                if head.coding is not None:
                    body = await endpoint.inflated(body, head.coding)
                    holding.take(len(body))
                answer = await endpoint.publish(grant, route, head.asked, body, sent, seen)
        except Exception as error:  # noqa: BLE001  answered, a defect with a 500
            problem = failure_answer(error, "POST", head.path)
            answer = ANSWERS[route.protocol].failed(problem, head.asked)
        record_publish(answer.status, seen.points, seen.size, perf_counter() - started)
        return answer

    def _answer_alone(self, head: PlainHead, body: bytes, answered: Answered) -> None:
        drive(
            self._answer(head, body),
            lambda answer: answered(answer.status, header_lines(answer.headers), answer.body),
        )

    def _publish_gathered(self) -> None:
        """Publish what was gathered, together as far as that is possible."""
        gathered, self._gathered, self._gathered_bytes = self._gathered, [], 0
        granted, alone = self._granted(gathered)
        together, events = [], []
        for request, points in zip(granted, self._decoded(granted), strict=True):
            if points is None or request.grant is None:
                alone.append(request)
            else:
                together.append(request)
                events.append(event_of(request.grant, points))
        if together:
            self._appending += 1
            drive(self._append(together, events, self._gathering_since), self._appended)
        for request in alone:
            self._answer_alone(request.head, request.body, request.answered)

    def _granted(self, gathered: Sequence[_Request]) -> tuple[list[_Request], list[_Request]]:
        """Return the requests that may publish together, with their grants, and all others."""
        grants: dict[tuple[str, str], Grant | None] = {}
        granted: list[_Request] = []
        others: list[_Request] = []
        for request in gathered:
            sender = request.head.path, request.head.token
            if sender not in grants:
                grants[sender] = self._shared_grant(request.head)
            request.grant = grants[sender]
            (others if request.grant is None else granted).append(request)
        return granted, others

    def _decoded(self, requests: Sequence[_Request]) -> Sequence[PointBatch | None]:
        bodies = [request.body for request in requests]
        try:
            return self._publish_together.decoded(self._format, bodies)
        except Exception:  # noqa: BLE001  raised again, and answered, for the body that caused it
            return [None] * len(bodies)

    def _shared_grant(self, head: PlainHead) -> Grant | None:
        try:
            grant = self._endpoint.grant(head.destination, head.token)
        except Exception:  # noqa: BLE001  raised again, and answered, when it is answered alone
            return None
        return grant if self._publish_together.takes(grant.organization) else None

    async def _append(
        self, requests: Sequence[_Request], events: Sequence[MetricsPublished], started: float
    ) -> None:
        """Append the events of requests, and answer each request."""
        results: Sequence[Receipt | Exception]
        sizes = [len(request.body) for request in requests]
        try:
            with Holding(self._endpoint.budget) as holding:
                holding.take(sum(sizes))
                results = await self._publish_together(events)
        except Exception as error:  # noqa: BLE001  answered, a defect with a 500
            results = [error] * len(requests)
        seconds = perf_counter() - started
        accepted = points = sent = 0
        for request, event, size, result in zip(requests, events, sizes, results, strict=True):
            if isinstance(result, Receipt):
                accepted += 1
                points += len(event.points)
                sent += size
                _answer_in_group(request, 202, RECEIPT_LINES % str(result).encode(), b"")
            else:
                answer = failure_answer(result, "POST", request.head.path)
                record_publish(answer.status, 0, size, seconds)
                _answer_in_group(request, answer.status, header_lines(answer.headers), answer.body)
        record_accepted(accepted, points, sent, seconds)

    def _appended(self, _: None) -> None:
        """Go on with what was gathered meanwhile, and with the next requests of who was answered.

        Without the latter, one half of the clients would always wait for the other half.
        """
        self._appending -= 1
        if not self._appending and self._gathered:
            self._publish_soon()


def _answer_in_group(request: _Request, status: int, lines: bytes, body: bytes) -> None:
    """Answer a request of a group. A defect of its connection must not affect the others'."""
    try:
        request.answered(status, lines, body)
    except Exception as error:  # noqa: BLE001  reported, as for any callback of the loop
        asyncio.get_running_loop().call_exception_handler(
            {"message": "an answer could not be given", "exception": error}
        )
