"""Publish over HTTP: the hot path.

What a framework does for a request before its handler costs several times what accepting a batch
does, so this endpoint takes the bare ASGI connection, or from `publish_protocol` a body that is
complete; its OpenAPI entry is in `adapters.http.openapi`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from time import perf_counter
from typing import Any

from msgspec import Struct

from adapters.http.body import (
    BodyBudget,
    ClientDisconnected,
    Holding,
    Receive,
    check_media,
    inflate,
    read_body,
    too_large,
)
from adapters.http.credentials import presented_token
from adapters.http.failures import failure_answer
from adapters.http.header_fields import content_length, header_fields
from adapters.http.problems import Answer
from adapters.http.publish.plain_heads import PlainHead
from adapters.http.telemetry import record_publish
from adapters.point_formats.json.readers import MetricsBodyReader, read_carefully
from application.organizations.access import AccessControl, Grant
from application.publishing.ports import Appended, Idempotency
from application.publishing.publish_metrics import PublishMetrics, PublishMetricsHandler
from domain.idempotency import check_idempotency_key
from domain.metric_point import PointBatch
from domain.token import Scope

LARGE = 256 * 1024
"""Bytes from which on slow work on a body leaves the event loop to others."""

_NOTHING_APPENDED = Answer(202, [(b"content-length", b"0")], b"")


class _Seen(Struct):
    """What is counted of a request: bytes of its body as sent, points of its batch."""

    size: int = 0
    points: int = 0


class PublishEndpoint:
    """Answers `POST …/metrics`. Limits are in bytes and points; see entrypoints.settings."""

    def __init__(
        self,
        access: AccessControl,
        publish_metrics: PublishMetricsHandler,
        *,
        max_body: int,
        max_inflated: int,
        max_points: int,
        max_body_memory: int,
    ) -> None:
        self._access = access
        self._publish_metrics = publish_metrics
        self._reader = MetricsBodyReader(max_points)
        self._budget = BodyBudget(max_body_memory)
        self._max_body = max_body
        self._max_inflated = max_inflated
        self._max_points = max_points

    async def __call__(
        self, scope: Any, receive: Receive, send: Any, organization: str, team: str | None
    ) -> None:
        """Answer one request; any failure becomes its row of the contract's table."""
        started = perf_counter()
        seen = _Seen()
        try:
            headers = header_fields(scope["headers"])
            token = presented_token(headers.get(b"authorization"))
            granted = partial(self._access.grant, organization, team, token, Scope.PUBLISH)
            granted()
            coding = check_media(headers)
            self._check_length(headers)
            with Holding(self._budget) as holding:
                body = await read_body(receive, self._max_body, holding.take)
                seen.size = len(body)
                if coding is not None:
                    body = await self._inflated(body, coding)
                    holding.take(len(body))
                key = headers.get(b"idempotency-key")
                idempotency = None if key is None else _idempotency(key, team, body)
                batch = await self._batch(body)
                seen.points = len(batch)
                # Asked again: since the first time, however long the body took, it may have ended.
                answer = await self._published(granted(), batch, idempotency)
        except ClientDisconnected:
            return
        except Exception as error:  # noqa: BLE001  answered by the table, a defect as a 500
            answer = failure_answer(error, scope["method"], scope["path"])
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        )
        await send({"type": "http.response.body", "body": answer.body})
        record_publish(answer.status, seen.points, seen.size, perf_counter() - started)

    def admits(self, head: PlainHead) -> bool:
        """Tell whether a request may publish, going by its head."""
        try:
            self._granted(head)
        except Exception:  # noqa: BLE001  whatever it is, its answer is given in the usual way
            return False
        return True

    async def answer(self, head: PlainHead, body: bytes) -> Answer:
        """Return the answer to a request whose body is here; the same as on the connection."""
        started = perf_counter()
        seen = _Seen(len(body))
        try:
            grant = self._granted(head)
            with Holding(self._budget) as holding:
                holding.take(len(body))
                batch = await self._batch(body)
                seen.points = len(batch)
                answer = await self._published(grant, batch)
        except Exception as error:  # noqa: BLE001  answered by the table, a defect as a 500
            answer = failure_answer(error, "POST", head.path)
        record_publish(answer.status, seen.points, seen.size, perf_counter() - started)
        return answer

    def _granted(self, head: PlainHead) -> Grant:
        return self._access.grant(head.organization, head.team, head.token, Scope.PUBLISH)

    async def _published(
        self, grant: Grant, batch: PointBatch, idempotency: Idempotency | None = None
    ) -> Answer:
        return _accepted(await self._publish_metrics(PublishMetrics(grant, batch, idempotency)))

    def _check_length(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a body by its declared length, before any of it is read."""
        if content_length(headers) > self._max_body:
            raise too_large(self._max_body)

    async def _inflated(self, body: bytes, coding: str) -> bytes:
        if len(body) < LARGE:
            return inflate(body, coding, self._max_inflated)
        return await asyncio.to_thread(inflate, body, coding, self._max_inflated)

    async def _batch(self, body: bytes) -> PointBatch:
        latest = self._publish_metrics.latest()
        batch = self._reader.read_quickly(body, latest)
        if batch is not None:
            return batch
        if len(body) < LARGE:
            return read_carefully(body, latest, self._max_points)
        return await asyncio.to_thread(read_carefully, body, latest, self._max_points)


def _idempotency(key: bytes, team: str | None, body: bytes) -> Idempotency:
    digest = sha256(f"{team or ''}\n".encode())
    digest.update(body)
    return Idempotency(check_idempotency_key(key.decode("latin-1")), digest.digest())


def _accepted(appended: Appended | None) -> Answer:
    if appended is None:
        return _NOTHING_APPENDED
    headers = [
        (b"content-length", b"0"),
        (b"cave-receipt", str(appended.receipt).encode()),
    ]
    if appended.replayed:
        headers.append((b"idempotent-replayed", b"true"))
    return Answer(202, headers, b"")
