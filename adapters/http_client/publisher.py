"""Publishes the batches of an import."""

from __future__ import annotations

from http import HTTPStatus

from adapters.http_client.client import RetryingClient, ServiceUnreachable
from application.publishing.import_points import BatchNotStored, BatchRefused


class HttpPublisher:
    """Implements the port BatchPublisher by publishing to `path` of a service."""

    def __init__(self, client: RetryingClient, path: str) -> None:
        self._client = client
        self._path = path

    def publish(self, body: bytes, key: str, *, any_value: bool = False) -> bool:
        path = f"{self._path}?values=any" if any_value else self._path
        try:
            answer = self._client.publish(path, body, key)
        except ServiceUnreachable as error:
            raise BatchNotStored(str(error)) from error
        if answer.status == HTTPStatus.ACCEPTED:
            return answer.replayed
        faults = answer.problem().errors
        if answer.status == HTTPStatus.BAD_REQUEST and faults:
            raise BatchRefused([(fault.index, fault.detail) for fault in faults])
        raise BatchNotStored(answer.failure())
