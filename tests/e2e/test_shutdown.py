"""SIGTERM under load: what is accepted is answered, and what is stored was acknowledged."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import suppress
from itertools import chain

import pytest

from tests.e2e.conftest import StartService
from tests.e2e.tenant import point
from tests.entrypoints.served import wait_until
from tests.service import Service

CLIENTS = 16
POINTS = 20


class Publisher(threading.Thread):
    """Publishes over one connection until that is closed; each batch has a value of its own.

    It may be closed just as a request is on its way, between the service's two. Such a request
    was not accepted, which the log shows.
    """

    def __init__(self, service: Service, organization: str, token: str, number: int) -> None:
        super().__init__()
        self.acknowledged: dict[str, list[float]] = {}
        self.refused: list[int] = []
        self._connection = http.client.HTTPConnection(service.host, service.port, timeout=30)
        self._path = f"/organizations/{organization}/metrics"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._value = number * 1_000_000

    def run(self) -> None:
        with suppress(ConnectionError):
            while self._publish():
                pass
        self._connection.close()

    def _publish(self) -> bool:
        self._value += 1
        body = json.dumps({"metrics": [point(value=self._value)] * POINTS})
        self._connection.request("POST", self._path, body, self._headers)
        with self._connection.getresponse() as response:
            response.read()
        if response.status != 202:
            self.refused.append(response.status)
            return False
        self.acknowledged[response.headers["cave-receipt"]] = [float(self._value)] * POINTS
        return not response.will_close


@pytest.mark.parametrize("workers", [1, 2])
def test_every_202_of_a_service_that_is_stopped_is_in_the_log(
    start_service: StartService, workers: int
) -> None:
    service = start_service(WORKERS=workers)
    token = service.register("gilt")
    publishers = [Publisher(service, "gilt", token, number) for number in range(CLIENTS)]
    for publisher in publishers:
        publisher.start()
    wait_until(lambda: all(len(publisher.acknowledged) > 20 for publisher in publishers))
    assert service.stop() == 0
    for publisher in publishers:
        publisher.join()
    assert [publisher.refused for publisher in publishers] == [[]] * CLIENTS

    service.start()
    stored = {
        receipt: list(recorded.event.points.values)
        for receipt, recorded in service.stored().items()
    }
    assert stored == dict(
        chain.from_iterable(publisher.acknowledged.items() for publisher in publishers)
    )
