"""Load of distinguishable batches, and the check after a fault."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from tests.contracts.metric_log import exactly
from tests.service import Service
from tests.waiting import wait_until

ORGANIZATIONS = ("gilt", "acme", "initech")
WRITERS = 8
PAUSE = 0.003
"""Seconds between a writer's batches; limits the log, which is read completely after each fault."""


class Ledger:
    """The batches sent and those acknowledged, by number."""

    def __init__(self) -> None:
        self.numbers = count()
        self.sent: Counter[int] = Counter()
        self.acknowledged: dict[str, int] = {}
        self.completed: set[int] = set()
        self.times: list[float] = []
        self.wrong: list[str] = []

    def check(self, service: Service) -> None:
        """Compare with the log: every acknowledged batch is there as sent, exactly once.

        Other batches may be there, complete, at most as often as they were sent without a key.
        Batches sent with a key until they were acknowledged are there once.
        """
        assert self.wrong == []
        stored: dict[str, int] = {}
        for receipt, recorded in service.stored().items():
            organization, _, _, rows = exactly(recorded.event)
            if organization not in ORGANIZATIONS:
                continue
            number = int(rows[0][3]["batch"])
            points = points_of(number)
            assert organization == organization_of(number)
            assert [(name, ms, tags) for name, ms, _, tags in rows] == [
                (point["name"], point["timestamp"] * 1000, point["tags"]) for point in points
            ]
            assert list(recorded.event.points.values) == [point["value"] for point in points]
            stored[receipt] = number
        lost = self.acknowledged.items() - stored.items()
        assert lost == set()
        times = Counter(stored.values())
        assert all(times[number] <= self.sent[number] for number in times)
        assert all(times[number] == 1 for number in self.acknowledged.values())
        assert all(times[number] == 1 for number in self.completed)


def organization_of(number: int) -> str:
    return ORGANIZATIONS[number % len(ORGANIZATIONS)]


def points_of(number: int) -> list[dict[str, Any]]:
    """Return the batch of that number: 1 to 40 points, or 1500 in 1 % of the batches."""
    chance = random.Random(number)
    size = 1500 if chance.random() < 0.01 else chance.randrange(1, 41)
    return [
        {
            "name": f"metric.{place % 7}",
            "timestamp": 1_398_788_625 + place,
            "value": chance.random(),
            "tags": {"batch": str(number), "host": f"host{place % 3}"},
        }
        for place in range(size)
    ]


class Campaign:
    """A service's hosts, its organizations' tokens, and the ledger of all batches sent to it."""

    def __init__(self, *hosts: Service) -> None:
        self.hosts = hosts
        self.ledger = Ledger()
        self._tokens = {name: hosts[0].register(name) for name in ORGANIZATIONS}

    @contextmanager
    def load(self) -> Iterator[None]:
        """Publish for the block from several connections, half of them with keys.

        The block begins once every writer has had an acknowledgement.
        """
        stop = threading.Event()
        writers = [
            Writer(self, self.hosts[number % len(self.hosts)], stop, keyed=number % 4 < 2)
            for number in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        try:
            wait_for_acknowledgements(writers)
            yield
            wait_for_acknowledgements(writers)
        finally:
            stop.set()
            for writer in writers:
                writer.join()

    def authorization(self, number: int) -> str:
        return f"Bearer {self._tokens[organization_of(number)]}"


class Writer(threading.Thread):
    """Publishes batch after batch until stopped, also after the service's port has changed.

    With `keyed` each batch is sent with its own key until it is acknowledged, otherwise once.
    """

    def __init__(
        self, campaign: Campaign, service: Service, stop: threading.Event, *, keyed: bool
    ) -> None:
        super().__init__()
        self.acknowledgements = 0
        self._campaign = campaign
        self._service = service
        self._ledger = campaign.ledger
        self._stop_asked = stop
        self._keyed = keyed
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        while not self._stop_asked.wait(PAUSE):
            number = next(self._ledger.numbers)
            while not self._publish(number) and self._keyed:
                self._stop_asked.wait(PAUSE * 10)
        self._disconnect()

    def _publish(self, number: int) -> bool:
        """Send a batch once and record the answer; return whether it was acknowledged."""
        headers = {"Authorization": self._campaign.authorization(number)}
        if self._keyed:
            headers["Idempotency-Key"] = f"batch-{number}"
        self._ledger.sent[number] += 1
        try:
            response, content = self._send(number, headers)
        except (OSError, http.client.HTTPException):
            self._disconnect()
            return False
        if response.status == 202:
            self._ledger.acknowledged[str(response.headers["cave-receipt"])] = number
            self._ledger.times.append(time.monotonic())
            if self._keyed:
                self._ledger.completed.add(number)
            self.acknowledgements += 1
            return True
        if response.status != 503 or "retry-after" not in response.headers:
            self._ledger.wrong.append(f"{response.status} {content!r}")
        return False

    def _send(self, number: int, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        if self._connection is None:
            service = self._service
            self._connection = http.client.HTTPConnection(service.host, service.port, timeout=10)
        path = f"/organizations/{organization_of(number)}/metrics"
        body = json.dumps({"metrics": points_of(number)})
        self._connection.request("POST", path, body, headers)
        with self._connection.getresponse() as response:
            return response, response.read()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def wait_for_acknowledgements(writers: list[Writer]) -> None:
    """Wait until every writer has had another one."""
    before = [writer.acknowledgements for writer in writers]
    wait_until(
        lambda: all(w.acknowledgements > b for w, b in zip(writers, before, strict=True)),
    )
