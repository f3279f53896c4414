"""A client of the service, over one connection, that retries as the contract permits."""

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
"""Seconds for which a request is retried. A pause that would exceed them is not started."""

PASSING = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses of temporary failures."""

_back_off = wait_random_exponential(multiplier=0.2, max=10.0)
_is_seconds = re.compile(r"[0-9]{1,9}").fullmatch


class ServiceUnreachable(Exception):
    """No attempt at a request was answered."""


class Fault(Struct):
    """A fault in the item of a batch at `index`, or in the whole batch if None."""

    detail: str = ""
    index: int | None = None
    pointer: str = ""


class Problem(Struct):
    """A problem document (RFC 9457). All fields are empty if an answer has none."""

    title: str = ""
    detail: str = ""
    errors: list[Fault] = []


class Answer(Struct, frozen=True):
    """An answer that arrived `seconds` after the first attempt started."""

    status: int
    reason: str
    headers: Message
    body: bytes
    seconds: float

    @property
    def receipt(self) -> str | None:
        """The batch's place in the log."""
        return self.headers["Cave-Receipt"]

    @property
    def replayed(self) -> bool:
        """Whether the batch had already been stored under the same key."""
        return self.headers["Idempotent-Replayed"] == "true"

    def problem(self) -> Problem:
        """Return the problem document, an empty one if there is none."""
        try:
            return msgspec.json.decode(self.body, type=Problem)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Problem()

    def failure(self) -> str:
        """Return one line with the status and, if the answer says it, the reason."""
        problem = self.problem()
        return f"{self.status} {problem.detail or problem.title or self.reason}"


def basic(token: str) -> str:
    """Return the Authorization header with the token as user name and an empty password."""
    return f"Basic {b64encode(f'{token}:'.encode()).decode()}"


def bearer(token: str) -> str:
    """Return the Authorization header with the token as Bearer token."""
    return f"Bearer {token}"


class RetryingClient:
    """Sends requests over one connection. Close it after use; for one thread.

    A publish is sent with an Idempotency-Key, so every request may be repeated. Retries after
    connection errors and the statuses in `retried`, for up to `patience` seconds, with pauses at
    least as long as Retry-After.
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
        """`on_retry` is called with the reason before each pause.

        Raises ValueError for a bad URL or token.
        """
        parts = urlsplit(url)
        kinds: dict[str, type[http.client.HTTPConnection]] = {
            "http": http.client.HTTPConnection,
            "https": http.client.HTTPSConnection,
        }
        if parts.scheme not in kinds or not parts.hostname:
            raise ValueError("not the URL of a service, such as http://127.0.0.1:8000")
        if not (authorization.isascii() and authorization.isprintable()):
            raise ValueError("not a token: it has characters that are not allowed in tokens")
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

        It is stored only once, however often it is sent. Raises ServiceUnreachable.
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
    """Return Retry-After in seconds, 0 if it is absent or a date, which the service never sends."""
    seconds = str(headers["Retry-After"] or "")
    return float(seconds) if _is_seconds(seconds) else 0.0
