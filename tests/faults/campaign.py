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

from msgspec import Struct

from domain.events import MetricsPublished
from tests.contracts.metric_log import exactly
from tests.service import Service
from tests.waiting import wait_until

ORGANIZATIONS = ("gilt", "acme", "initech")
WRITERS = 8
PAUSE = 0.003
"""Seconds between a writer's batches, by default. It limits the log, which is read completely after
each fault."""


class Findings(Struct, frozen=True):
    """What is wrong with the log: numbers of batches."""

    lost: int = 0
    doubled: int = 0
    torn: int = 0


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
        assert self.compared(service) == Findings()
        assert self.wrong == []

    def compared(self, service: Service) -> Findings:
        """Return what the log lacks, has too often, or has not as it was sent."""
        stored: dict[str, int] = {}
        torn = 0
        for receipt, recorded in service.stored().items():
            if recorded.event.organization in ORGANIZATIONS:
                number = int(next(recorded.event.points.points()).tags["batch"])
                torn += not is_as_sent(recorded.event, number)
                stored[receipt] = number
        lost = self.acknowledged.items() - stored.items()
        once = {*self.acknowledged.values(), *self.completed}
        times = Counter(stored.values())
        return Findings(
            lost=len(lost),
            doubled=sum(
                times[number] > (1 if number in once else self.sent[number]) for number in times
            ),
            torn=torn,
        )


def is_as_sent(event: MetricsPublished, number: int) -> bool:
    """Return whether an event has the points of a batch, all of them and bit for bit."""
    organization, _, _, rows = exactly(event)
    points = points_of(number)
    return (
        organization == organization_of(number)
        and [(name, ms, tags) for name, ms, _, tags in rows]
        == [(point["name"], point["timestamp"] * 1000, point["tags"]) for point in points]
        and list(event.points.values) == [point["value"] for point in points]
    )


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

    def __init__(self, *hosts: Service, writers: int = WRITERS, pause: float = PAUSE) -> None:
        self.hosts = hosts
        self.pause = pause
        self._writers = writers
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
            for number in range(self._writers)
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
        pause = self._campaign.pause
        while not self._stop_asked.wait(pause):
            number = next(self._ledger.numbers)
            while not self._publish(number) and self._keyed:
                self._stop_asked.wait(pause * 10)
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
