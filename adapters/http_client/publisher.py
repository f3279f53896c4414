"""Publishing to a service over HTTP, patiently: each batch once, however often it is sent."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_before_delay,
    wait_random_exponential,
)

TIMEOUT = 30.0
PATIENCE = 60.0
"""Seconds that a batch is tried for, unless the service asks to wait for longer than is left."""

_back_off = wait_random_exponential(multiplier=0.2, max=10.0)


class PublishFailed(Exception):
    """A batch was not accepted, and sending it again would not help, or did not."""


class BatchRefused(PublishFailed):
    """Items of a batch break a rule: `faults` has each one's index, None for the whole, and why."""

    def __init__(self, faults: list[tuple[int | None, str]]) -> None:
        super().__init__(faults[0][1])
        self.faults = faults


class _NotNow(PublishFailed):
    """It may help to try again, after so many seconds."""

    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


class _Fault(Struct):
    detail: str = ""
    index: int | None = None
    pointer: str = ""


class _Problem(Struct):
    title: str = ""
    detail: str = ""
    errors: list[_Fault] = []


class Publisher:
    """Sends batches over one connection. Close it after use; for one thread."""

    def __init__(
        self, url: str, path: str, token: str, on_wait: Callable[[str], None] = lambda _: None
    ) -> None:
        """`on_wait` is told why a batch is sent again. Raises ValueError for a bad URL or token."""
        parts = urlsplit(url)
        kinds: dict[str, type[http.client.HTTPConnection]] = {
            "http": http.client.HTTPConnection,
            "https": http.client.HTTPSConnection,
        }
        if parts.scheme not in kinds or not parts.hostname:
            raise ValueError("not a URL of a service, such as http://127.0.0.1:8000")
        if not (token.isascii() and token.isprintable()):
            raise ValueError("not a token: it has characters that none has")
        self._connection = kinds[parts.scheme](parts.hostname, parts.port, timeout=TIMEOUT)
        self._place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._path = parts.path.rstrip("/") + path
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._on_wait = on_wait

    def publish(self, body: bytes, key: str) -> bool:
        """Publish a batch under its Idempotency-Key; tell whether it was stored before.

        Overload, defects and broken connections are tried again for a while. Raises BatchRefused,
        PublishFailed.
        """
        trying = Retrying(
            retry=retry_if_exception_type(_NotNow),
            wait=_pause,
            stop=stop_before_delay(PATIENCE),
            before_sleep=self._tell,
            reraise=True,
        )
        stored_before: bool = trying(self._try, body, key)
        return stored_before

    def close(self) -> None:
        self._connection.close()

    def _try(self, body: bytes, key: str) -> bool:
        try:
            self._connection.request(
                "POST", self._path, body, {**self._headers, "Idempotency-Key": key}
            )
            with self._connection.getresponse() as response:
                content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            reason = str(error) or type(error).__name__
            raise _NotNow(f"{self._place} does not answer: {reason}") from error
        if response.status == http.HTTPStatus.ACCEPTED:
            return response.headers["Idempotent-Replayed"] == "true"
        raise _failure(response, _problem(content))

    def _tell(self, state: RetryCallState) -> None:
        self._on_wait(str(_error(state)))


def _pause(state: RetryCallState) -> float:
    error = _error(state)
    return max(_back_off(state), error.seconds if isinstance(error, _NotNow) else 0.0)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _failure(response: http.client.HTTPResponse, problem: _Problem) -> PublishFailed:
    reason = f"{response.status} {problem.detail or problem.title or response.reason}"
    if response.status == http.HTTPStatus.TOO_MANY_REQUESTS or response.status >= 500:
        return _NotNow(reason, _seconds(response.headers["Retry-After"]))
    if response.status == http.HTTPStatus.BAD_REQUEST and problem.errors:
        return BatchRefused([(fault.index, fault.detail) for fault in problem.errors])
    return PublishFailed(reason)


def _problem(content: bytes) -> _Problem:
    try:
        return msgspec.json.decode(content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Problem()


def _seconds(retry_after: Any) -> float:
    """Read a Retry-After in seconds; a date, which the service does not send, counts as none."""
    return float(retry_after) if retry_after and str(retry_after).isdecimal() else 0.0
