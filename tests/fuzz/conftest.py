"""One service for all tests. CAVE_FUZZ_EXAMPLES sets the examples per test, 100 by default."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from msgspec import Struct
from redis import Redis

from adapters.event_format.codec import MetricEventCodec
from adapters.redis_streams.metrics.hot_log import RedisHotLog
from adapters.redis_streams.metrics.keys import MetricKeys
from application.event_log.ports import RecordedMetrics
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.event_log.tiered import TieredLog
from tests.fuzz.bodies import MAX_BODY
from tests.fuzz.verdict import Row
from tests.service import Service, running

IDLE = 30.0
"""Seconds between two tests after which a new connection is opened."""

EXAMPLES = int(os.environ.get("CAVE_FUZZ_EXAMPLES", "100"))

many = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Answer(Struct):
    status: int
    receipt: str | None
    body: bytes

    def problem(self) -> dict[str, Any]:
        """Return the problem document, which every refusal has."""
        problem: dict[str, Any] = json.loads(self.body)
        assert problem["status"] == self.status
        return problem


class Target:
    """The service, an organization's token, and the connection to it."""

    organization = "gilt"

    def __init__(self, service: Service, log: Redis) -> None:
        self.service = service
        self.token = service.register(self.organization)
        self._connection = http.client.HTTPConnection(service.host, service.port, timeout=30)
        self._used = time.monotonic()
        keys = MetricKeys("cave")
        partitions = int(log.hget(keys.settings, "partitions") or 0)
        self._reader = MetricLogReader(
            TieredLog(RedisHotLog(log, keys, partitions), MetricEventCodec()), MetricEventCodec()
        )

    def send(
        self,
        body: bytes,
        headers: Mapping[str, str | bytes] | None = None,
        path: str = "/organizations/gilt/metrics",
    ) -> Answer:
        """Post a body, with the token unless `headers` are given."""
        if headers is None:
            headers = {"Authorization": f"Bearer {self.token}"}
        if time.monotonic() - self._used > IDLE:
            self._connection.close()  # reopened by the next request: the service may have closed it
        self._used = time.monotonic()
        try:
            self._connection.request("POST", path, body, dict(headers))
            with self._connection.getresponse() as response:
                return Answer(response.status, response.headers["cave-receipt"], response.read())
        except BaseException:
            self._connection.close()
            raise

    def stored(self, receipt: str) -> list[Row]:
        """Return the points of an event."""
        recorded = self._reader.get(Receipt.parse(receipt))
        assert isinstance(recorded, RecordedMetrics)
        return [(p.name, p.timestamp, p.value, p.tags) for p in recorded.event.points.points()]

    def events(self) -> int:
        """Return how many events the log has."""
        return sum(self._reader.entries.count(p) for p in range(self._reader.entries.partitions()))

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="session")
def target() -> Iterator[Target]:
    """Check at the end that the service is ready and has logged no errors."""
    with TemporaryDirectory(prefix="cave-") as directory:
        service = Service(Path(directory), MAX_BODY=MAX_BODY, LOG_LEVEL="error")
        with running(service), service.log() as log:
            target = Target(service, log)
            yield target
            target.close()
            assert service.answer("GET", "/health/ready")[0] == 200
            assert service.errors() == ""
