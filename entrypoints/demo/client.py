"""A client of the service, of the standard library alone: an example to copy from."""

from __future__ import annotations

import http.client
import json
import time
from base64 import b64encode
from collections.abc import Sequence
from email.message import Message
from typing import Any
from uuid import uuid4

from msgspec import Struct

ATTEMPTS = 6
FIRST_PAUSE = 0.1
TIMEOUT = 10.0


class Answer(Struct, frozen=True):
    """What came back for a batch, `size` bytes of JSON, and `seconds` after it was first sent."""

    status: int
    headers: Message
    body: bytes
    size: int
    seconds: float

    @property
    def receipt(self) -> str | None:
        return self.headers["Cave-Receipt"]

    @property
    def replayed(self) -> bool:
        return self.headers["Idempotent-Replayed"] == "true"


def basic(token: str) -> str:
    """Return the Authorization header that has the token as user name, the password empty."""
    return f"Basic {b64encode(f'{token}:'.encode()).decode()}"


def bearer(token: str) -> str:
    """Return the Authorization header that has the token as it is."""
    return f"Bearer {token}"


class MetricsClient:
    """Publishes batches over one connection. Close it after use; for one thread."""

    def __init__(self, host: str, port: int, path: str, authorization: str) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        self._path = path
        self._headers = {"Authorization": authorization, "Content-Type": "application/json"}

    def publish(self, items: Sequence[dict[str, Any]], key: str | None = None) -> Answer:
        """Send a batch, again where that may help; return the last answer.

        A 503, a 429 and a broken connection are tried again. A connection that broke leaves open
        whether the batch was stored, so every attempt has the same Idempotency-Key: stored once is
        enough, and the service answers with the first receipt. Raises OSError where no attempt
        was answered.
        """
        body = json.dumps({"metrics": items}).encode()
        headers = {**self._headers, "Idempotency-Key": key or str(uuid4())}
        pause = FIRST_PAUSE
        started = time.monotonic()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._connection.request("POST", self._path, body, headers)
                with self._connection.getresponse() as response:
                    content = response.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                if attempt == ATTEMPTS:
                    raise ConnectionError(f"the service does not answer: {error!r}") from error
            else:
                if response.status not in (429, 503) or attempt == ATTEMPTS:
                    seconds = time.monotonic() - started
                    return Answer(response.status, response.headers, content, len(body), seconds)
                pause = max(pause, float(response.headers.get("Retry-After", 0)))
            time.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable")

    def close(self) -> None:
        self._connection.close()
