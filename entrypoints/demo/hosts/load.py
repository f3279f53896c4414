"""Readings of this machine, published to several hosts in turn."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from itertools import cycle, pairwise
from uuid import uuid4

from msgspec import Struct

from adapters.http_client.client import RetryingClient, ServiceUnreachable, bearer
from entrypoints.demo.client import NEW_TOKEN, body_of
from entrypoints.demo.readings import Item, Machine

WRITERS = 4
INTERVAL = 0.05
PAUSE = 0.05
PATIENCE = 60.0


class Acknowledged(Struct, frozen=True):
    """A batch: when and by which host it was acknowledged, its receipt and its points by name."""

    time: float
    host: int
    receipt: str
    points: Counter[str]


class Load:
    """Writers that publish until `stop`, each batch until it is acknowledged by some host.

    They do what a load balancer and a retrying client do together: a batch goes to the next host,
    and with the same Idempotency-Key to another one if that does not take it.
    """

    def __init__(self, urls: Sequence[str], path: str, token: str) -> None:
        self.acknowledged: list[Acknowledged] = []
        self.refused: Counter[str] = Counter()
        self.failures: list[str] = []
        self._urls = urls
        self._path = path
        self._token = token
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop once every batch that was begun is acknowledged, or given up."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def longest_pause(self) -> float:
        """Return the most seconds between one acknowledgement and the next."""
        times = sorted(batch.time for batch in self.acknowledged)
        return max((b - a for a, b in pairwise(times)), default=0.0)

    def points(self) -> Counter[str]:
        """Return the acknowledged points by name."""
        total: Counter[str] = Counter()
        for batch in self.acknowledged:
            total.update(batch.points)
        return total

    def _write(self, number: int) -> None:
        machine = Machine()
        clients = [
            RetryingClient(url, bearer(self._token), retried=(), patience=0) for url in self._urls
        ]
        turns = cycle(enumerate(clients, start=1))
        for _ in range(number):  # not all of them begin with the first host
            next(turns)
        try:
            while not self._stop.wait(INTERVAL):
                if not self._publish(machine.read(), turns):
                    return
        finally:
            for client in clients:
                client.close()

    def _publish(self, items: list[Item], turns: cycle[tuple[int, RetryingClient]]) -> bool:
        """Publish a batch; return whether it was acknowledged in time."""
        key, body = str(uuid4()), body_of(items)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            host, client = next(turns)
            try:
                answer = client.publish(self._path, body, key)
            except ServiceUnreachable as error:
                reason = str(error)
            else:
                if answer.status == HTTPStatus.ACCEPTED and answer.receipt is not None:
                    points = Counter(str(item["name"]) for item in items)
                    self.acknowledged.append(
                        Acknowledged(time.monotonic(), host, answer.receipt, points)
                    )
                    return True
                reason = answer.failure()
                if answer.status not in NEW_TOKEN:
                    self.failures.append(reason)
                    return False
                self.refused[str(answer.status)] += 1
            time.sleep(PAUSE)
        self.failures.append(reason)
        return False
