"""Publish over HTTP: any request.

Before it calls a handler, a framework does several times as much work as accepting a batch takes.
So this endpoint uses the bare ASGI connection. `plain_publish` answers plain requests, as it does.
Both are documented in `adapters.http.openapi`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from hashlib import sha256
from time import perf_counter
from typing import Any

from msgspec import Struct

from adapters.http.body import (
    BodyBudget,
    ClientDisconnected,
    Holding,
    Receive,
    inflate,
    read_body,
    too_large,
)
from adapters.http.credentials import TOKEN_PARAMETERS
from adapters.http.failures import failure_answer
from adapters.http.header_fields import content_length, header_fields
from adapters.http.problems import Answer, send_answer
from adapters.http.publish.answers import ANSWERS
from adapters.http.publish.answers.ports import Asked
from adapters.http.publish.plain_heads import route_token
from adapters.http.publish.routes import Destination, PublishRoute
from adapters.http.publish.url_parameters import url_parameters
from adapters.http.telemetry import record_publish, record_refused
from application.organizations.access import AccessControl, Grant
from application.publishing.ports import PointFormat
from application.publishing.publish_metrics import PublishMetrics, PublishMetricsHandler
from domain.token import Scope

LARGE = 256 * 1024
"""Minimum bytes of a body that is decompressed in a thread, to keep the event loop free."""


class Seen(Struct):
    """The counts of a request: bytes of its body as sent, and points of its batch."""

    size: int = 0
    points: int = 0


class PublishEndpoint:
    """Answers every publish route. Limits are in bytes; see `entrypoints.settings`.

    `formats` has the format of each route in `adapters.http.publish.routes`, by its name there.
    """

    def __init__(
        self,
        access: AccessControl,
        publish_metrics: PublishMetricsHandler,
        formats: Mapping[str, PointFormat],
        *,
        max_body: int,
        max_inflated: int,
        max_body_memory: int,
    ) -> None:
        self._access = access
        self._publish_metrics = publish_metrics
        self._formats = formats
        self.budget = BodyBudget(max_body_memory)
        self._max_body = max_body
        self._max_inflated = max_inflated

    async def __call__(
        self, scope: Any, receive: Receive, send: Any, destination: Destination
    ) -> None:
        """Answer one request, any error in its protocol's form."""
        started = perf_counter()
        seen = Seen()
        route = destination.route
        asked = Asked("")
        try:
            headers = header_fields(scope["headers"])
            content_type = headers.get(b"content-type")
            asked = Asked(
                route.known_format_of(content_type), url_parameters(scope["query_string"])
            )
            token = route_token(route, headers.get(b"authorization"), asked.parameters)
            self.grant(destination, token)
            route.format_of(content_type)
            coding = route.coding_of(headers.get(b"content-encoding"), content_type)
            self._check_length(headers)
            key = headers.get(b"idempotency-key")
            with Holding(self.budget) as holding:
                sent = body = await read_body(receive, self._max_body, holding.take)
                seen.size = len(body)
                if coding is not None:
                    body = await self.inflated(body, coding)
                    holding.take(len(body))
                # Checked again, because the token may have become invalid while the body arrived.
                grant = self.grant(destination, token)
                answer = await self.publish(
                    grant,
                    route,
                    asked,
                    body,
                    sent,
                    seen,
                    None if key is None else key.decode("latin-1"),
                )
        except ClientDisconnected:
            return
        except Exception as error:  # noqa: BLE001  answered, a defect with a 500
            problem = failure_answer(error, scope["method"], scope["path"])
            answer = ANSWERS[route.protocol].failed(problem, asked)
        await send_answer(send, answer)
        record_publish(answer.status, seen.points, seen.size, perf_counter() - started)

    def grant(self, destination: Destination, token: str) -> Grant:
        if destination.organization is None:
            return self._access.owners_grant(token, Scope.PUBLISH)
        return self._access.grant(destination.organization, destination.team, token, Scope.PUBLISH)

    async def publish(
        self,
        grant: Grant,
        route: PublishRoute,
        asked: Asked,
        body: bytes,
        sent: bytes,
        seen: Seen,
        key: str | None = None,
    ) -> Answer:
        """Publish `body`, which was decompressed from what was `sent`."""
        point_format = self._formats[asked.format]
        digest = _digest(asked, sent) if point_format.repeats and key is None else None
        published = await self._publish_metrics(
            PublishMetrics(grant, point_format, body, key, route.protocol, asked.parameters, digest)
        )
        seen.points = published.points
        replayed = published.appended is not None and published.appended.replayed
        if published.refused is not None and not replayed:
            record_refused(route.protocol, published.refused)
        return ANSWERS[route.protocol].stored(published, asked)

    def _check_length(self, headers: Mapping[bytes, bytes]) -> None:
        """Raises BodyTooLarge if the declared length is too large, before the body is read."""
        if content_length(headers) > self._max_body:
            raise too_large(self._max_body)

    async def inflated(self, body: bytes, coding: str) -> bytes:
        if len(body) < LARGE:
            return inflate(body, coding, self._max_inflated)
        return await asyncio.to_thread(inflate, body, coding, self._max_inflated)


def _digest(asked: Asked, sent: bytes) -> bytes:
    """Return the SHA-256 of a body as sent, and of what else says what its points are."""
    meaning = sorted((n, v) for n, v in asked.parameters.items() if n not in TOKEN_PARAMETERS)
    digest = sha256(repr((asked.format, meaning)).encode())
    digest.update(sent)
    return digest.digest()
