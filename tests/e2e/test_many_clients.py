"""64 clients on two workers, while tokens are issued and revoked: no answer is wrong."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time

from msgspec import Struct

from tests.e2e.conftest import StartService
from tests.e2e.tenant import POINT, point
from tests.service import Service

CLIENTS = 64
ROTATIONS = 12
GRACE = 1.0
"""Seconds within which every worker knows a change of tokens."""


class Held(Struct, eq=False):
    """A token and the times of its changes, in seconds of the monotonic clock."""

    id: str
    value: str
    issued: float
    revoking: float = float("inf")
    revoked: float = float("inf")


class Answered(Struct):
    token: Held
    sent: float
    came: float
    status: int
    receipt: str | None
    value: int

    def is_right(self) -> bool:
        """Return whether it is a 202 until a second after the revocation, or a 403 from it on."""
        if self.status == 202:
            return self.sent <= self.token.revoked + GRACE and self.receipt is not None
        new = self.sent < self.token.issued + GRACE
        return self.status == 403 and (self.came >= self.token.revoking or new)


class Rotation:
    """An organization's tokens, replaced one after the other."""

    def __init__(self, service: Service, organization: str) -> None:
        self._service = service
        self._path = f"/organizations/{organization}/tokens"
        self._admin = service.register(organization, "admin")
        self.tokens = [self._issued() for _ in range(3)]

    def turn(self) -> None:
        """Revoke the oldest of the latest three tokens and issue another one."""
        oldest = self.tokens[-3]
        oldest.revoking = time.monotonic()
        self._service.ask("DELETE", f"{self._path}/{oldest.id}", token=self._admin)
        oldest.revoked = time.monotonic()
        self.tokens.append(self._issued())

    def _issued(self) -> Held:
        answer = self._service.ask("POST", self._path, {}, self._admin)
        return Held(answer["id"], answer["token"], time.monotonic())


def publish(
    service: Service, rotations: list[tuple[str, Rotation]], number: int, stop: threading.Event
) -> list[Answered]:
    """Publish with old and new tokens, each batch with a unique value."""
    chance = random.Random(number)
    connection = http.client.HTTPConnection(service.host, service.port, timeout=30)
    answers = []
    value = number * 1_000_000
    while not stop.is_set():
        value += 1
        organization, rotation = chance.choice(rotations)
        token = chance.choice(rotation.tokens[-5:])
        body = json.dumps({"metrics": [point(value=value), POINT]})
        sent = time.monotonic()
        connection.request(
            "POST",
            f"/organizations/{organization}/metrics",
            body,
            {"Authorization": f"Bearer {token.value}"},
        )
        with connection.getresponse() as response:
            response.read()
            receipt = response.headers["cave-receipt"]
        came = time.monotonic()
        answers.append(Answered(token, sent, came, response.status, receipt, value))
        if chance.random() < 0.02:
            connection.close()  # the next connection may go to another worker
    connection.close()
    return answers


def test_no_answer_is_wrong_and_the_log_has_exactly_the_acknowledged_batches(
    start_service: StartService,
) -> None:
    service = start_service(WORKERS=2)
    rotations = [(name, Rotation(service, name)) for name in ("gilt", "acme")]
    stop = threading.Event()
    answers: list[Answered] = []

    def client(number: int) -> None:
        answers.extend(publish(service, rotations, number, stop))

    clients = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in clients:
        thread.start()
    try:
        for _ in range(ROTATIONS):
            for _, rotation in rotations:
                rotation.turn()
            # Long enough for clients to use tokens whose time of grace is over.
            stop.wait(0.25)
    finally:
        stop.set()
        for thread in clients:
            thread.join()

    assert [answer for answer in answers if not answer.is_right()] == []
    acknowledged = {a.receipt: float(a.value) for a in answers if a.status == 202}
    stored = {
        receipt: recorded.event.points.values[0] for receipt, recorded in service.stored().items()
    }
    assert stored == acknowledged
    assert len(acknowledged) == sum(answer.status == 202 for answer in answers)
    assert {answer.status for answer in answers} == {202, 403}
