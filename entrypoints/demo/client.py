"""The demo's client of the service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from adapters.http_client.client import PASSING, Answer, RetryingClient, ServiceUnreachable
from entrypoints.errors import CommandFailed

PATIENCE = 10.0

NEW_TOKEN = PASSING | {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
"""Statuses to retry with a new token or organization: workers know it within a second."""


class MetricsClient:
    """Publishes to an organization and queries it; see `metrics_client`."""

    def __init__(self, client: RetryingClient, organization: str) -> None:
        self._client = client
        self._place = f"/organizations/{quote(organization)}"

    def publish(self, items: Sequence[dict[str, Any]], key: str | None = None) -> Answer:
        """Publish a batch, under a new Idempotency-Key if none is given; return the answer."""
        try:
            return self._client.publish(
                f"{self._place}/metrics", body_of(items), key or str(uuid4())
            )
        except ServiceUnreachable as error:
            raise CommandFailed(str(error)) from error

    def metric_names(self) -> list[dict[str, Any]]:
        """Return each name with its tag names."""
        names: list[dict[str, Any]] = self._get(f"{self._place}/metric-names")
        return names

    def metrics(self, metric: str, **parameters: str | int) -> list[dict[str, Any]]:
        """Return points or, with `aggregator` and `period`, buckets of them."""
        query = urlencode({"metric": metric, **parameters})
        metrics: list[dict[str, Any]] = self._get(f"{self._place}/metrics?{query}")["metrics"]
        return metrics

    def _get(self, target: str) -> Any:
        try:
            answer = self._client.get(target)
        except ServiceUnreachable as error:
            raise CommandFailed(str(error)) from error
        if answer.status != HTTPStatus.OK:
            raise CommandFailed(f"GET {target}: {answer.failure()}")
        return json.loads(answer.body)


@contextmanager
def metrics_client(
    url: object, organization: str, authorization: str, *, new_token: bool = False
) -> Iterator[MetricsClient]:
    """Yield a client for the block. With `new_token` it retries until workers know the token."""
    retried = NEW_TOKEN if new_token else PASSING
    client = RetryingClient(str(url), authorization, retried=retried, patience=PATIENCE)
    try:
        yield MetricsClient(client, organization)
    finally:
        client.close()


def body_of(items: Sequence[dict[str, Any]]) -> bytes:
    """Return the body of a publish."""
    return json.dumps({"metrics": items}).encode()
