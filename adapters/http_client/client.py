"""A client of the service that retries what the contract says is safe, over one connection."""

from __future__ import annotations

import http.client
import re
import time
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from email.message import Message
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_before_delay,
    wait_random_exponential,
)

TIMEOUT = 30.0
PATIENCE = 60.0
"""Seconds that a request is retried for. A longer wait is not begun."""

PASSING = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses that may be others the next time."""

_back_off = wait_random_exponential(multiplier=0.2, max=10.0)
_is_seconds = re.compile(r"[0-9]{1,9}").fullmatch


class ServiceUnreachable(Exception):
    """No attempt at a request was answered."""


class Fault(Struct):
    """What is wrong with a batch: with the item of that index, None for the batch."""

    detail: str = ""
    index: int | None = None
    pointer: str = ""


class Problem(Struct):
    """A problem document (RFC 9457); all of it empty if an answer has none."""

    title: str = ""
    detail: str = ""
    errors: list[Fault] = []


class Answer(Struct, frozen=True):
    """An answer, `seconds` after the request was first sent."""

    status: int
    reason: str
    headers: Message
    body: bytes
    seconds: float

    @property
    def receipt(self) -> str | None:
        """Where the log has the batch."""
        return self.headers["Cave-Receipt"]

    @property
    def replayed(self) -> bool:
        """Whether the batch had been stored before, under the same key."""
        return self.headers["Idempotent-Replayed"] == "true"

    def problem(self) -> Problem:
        """Return what is wrong."""
        try:
            return msgspec.json.decode(self.body, type=Problem)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Problem()

    def failure(self) -> str:
        """Say in a line what is wrong: the status, and why if the answer says so."""
        problem = self.problem()
        return f"{self.status} {problem.detail or problem.title or self.reason}"


def basic(token: str) -> str:
    """Return the Authorization header with the token as user name and an empty password."""
    return f"Basic {b64encode(f'{token}:'.encode()).decode()}"


def bearer(token: str) -> str:
    """Return the Authorization header with the token as it is."""
    return f"Bearer {token}"


class RetryingClient:
    """Sends requests over one connection. Close it after use; for one thread.

    A publish is sent with an Idempotency-Key, so every request may be repeated. Retried are broken
    connections and the statuses of `retried`, for up to `patience` seconds, waiting at least as
    long as Retry-After asks.
    """

    def __init__(
        self,
        url: str,
        authorization: str,
        *,
        retried: Collection[int] = PASSING,
        patience: float = PATIENCE,
        on_retry: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_retry` takes the reason before each pause.

        Raises ValueError for a bad URL or token.
        """
        parts = urlsplit(url)
        kinds: dict[str, type[http.client.HTTPConnection]] = {
            "http": http.client.HTTPConnection,
            "https": http.client.HTTPSConnection,
        }
        if parts.scheme not in kinds or not parts.hostname:
            raise ValueError("not a URL of a service, such as http://127.0.0.1:8000")
        if not (authorization.isascii() and authorization.isprintable()):
            raise ValueError("not a token: it has characters that no token has")
        self._connection = kinds[parts.scheme](parts.hostname, parts.port, timeout=TIMEOUT)
        self._place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._base = parts.path.rstrip("/")
        self._headers = {"Authorization": authorization}
        self._on_retry = on_retry
        self._retrying = Retrying(
            retry=retry_if_exception_type(ServiceUnreachable)
            | retry_if_result(lambda answer: answer.status in retried),
            wait=_pause,
            stop=stop_before_delay(patience),
            before_sleep=self._before_sleep,
            # The last answer, or the last exception.
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )

    def get(self, target: str) -> Answer:
        """Send a GET; return the last answer. Raises ServiceUnreachable."""
        return self._send("GET", target, None, {})

    def publish(self, path: str, body: bytes, key: str) -> Answer:
        """Send a batch under its Idempotency-Key; return the last answer.

        However often it is sent, it is stored once. Raises ServiceUnreachable.
        """
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return self._send("POST", path, body, headers)

    def close(self) -> None:
        self._connection.close()

    def _send(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        began = time.monotonic()

        def attempt() -> Answer:
            try:
                self._connection.request(
                    method, self._base + target, body, {**self._headers, **headers}
                )
                with self._connection.getresponse() as response:
                    content = response.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                reason = str(error) or type(error).__name__
                raise ServiceUnreachable(f"{self._place} does not answer: {reason}") from error
            seconds = time.monotonic() - began
            return Answer(response.status, response.reason, response.headers, content, seconds)

        answer: Answer = self._retrying(attempt)
        return answer

    def _before_sleep(self, state: RetryCallState) -> None:
        error, answer = _outcome(state)
        self._on_retry(answer.failure() if answer is not None else str(error))


def _outcome(state: RetryCallState) -> tuple[BaseException | None, Answer | None]:
    if state.outcome is None:
        return None, None
    error = state.outcome.exception()
    return error, None if error else state.outcome.result()


def _pause(state: RetryCallState) -> float:
    _, answer = _outcome(state)
    asked = retry_after(answer.headers) if answer is not None else 0.0
    return max(_back_off(state), asked)


def retry_after(headers: Message) -> float:
    """Read Retry-After in seconds; a date, which the service does not send, counts as none."""
    seconds = str(headers["Retry-After"] or "")
    return float(seconds) if _is_seconds(seconds) else 0.0
