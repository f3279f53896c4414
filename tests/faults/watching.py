"""Clients of two hosts during a fault: when they get answers, and whether these are right."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from types import MappingProxyType
from typing import Any

from tests.service import Service
from tests.waiting import wait_until

NAME = "looks"
PATH = f"/organizations/{NAME}/metrics"
START = 1_398_788_625
LOOK_SECONDS = 0.1


class Watch:
    """Publishes numbered points at one host after the other, and reads them at the next one.

    `wrong` has every answer that is neither right nor a 503: a name or a receipt that is not found
    though it was acknowledged, a point missing, one too many.
    """

    def __init__(self, hosts: Sequence[Service], patience: float) -> None:
        self.wrong: list[str] = []
        self._hosts = hosts
        self._patience = patience
        self._token = hosts[0].register(NAME, "publish", "read")
        self._turns = itertools.cycle(hosts)
        self._published = 0
        self._projected = 0
        self._probe(lambda: False)
        for host in hosts:
            wait_until(lambda host=host: self._counted(host), patience)  # type: ignore[misc]

    @contextmanager
    def looking(self) -> Iterator[tuple[list[float], list[float]]]:
        """Yield the times at which queries were answered, and at which new points were read.

        The first of both is the beginning. Each host is asked by a thread of its own: clients would
        ask the other one while one has just started and reads its first files.
        """
        stop = threading.Event()
        queried, projected = [time.monotonic()], [time.monotonic()]

        def query(host: Service) -> None:
            while not stop.wait(LOOK_SECONDS):
                if self._counted(host):
                    queried.append(time.monotonic())

        def probe() -> None:
            while not stop.wait(LOOK_SECONDS):
                if self._probe(stop.is_set):
                    projected.append(time.monotonic())

        threads = [threading.Thread(target=query, args=(host,)) for host in self._hosts]
        threads.append(threading.Thread(target=probe))
        for thread in threads:
            thread.start()
        try:
            yield queried, projected
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def wait_until_all_answer(self) -> None:
        """Wait until every host answers a query, with every point."""
        before = self._published
        for host in self._hosts:
            wait_until(
                lambda host=host: (self._counted(host) or 0) >= before,  # type: ignore[misc]
                self._patience,
            )

    def _probe(self, ended: Callable[[], bool]) -> bool:
        """Publish the next point and wait until it can be read; return whether it could."""
        number = self._published
        point = {"name": "a", "timestamp": START + number, "value": number, "tags": {}}
        body = {"metrics": [point]}
        key = {"Idempotency-Key": str(number)}
        receipt = ""
        while not receipt:
            status, headers, answer = self._asked(next(self._turns), "POST", PATH, body, key)
            if status == 202:
                receipt = headers["cave-receipt"]
            elif status not in (0, 503):
                self.wrong.append(f"publish: {status} {answer}")
                return False
            elif ended():
                # With its key, the next round goes on with this point.
                return False
        self._published = number + 1
        path = f"{PATH}?metric=a&limit=1&receipt={receipt}"
        while not ended():
            status, _, answer = self._asked(next(self._turns), "GET", path)
            if status == 200:
                if [sample["value"] for sample in answer["metrics"]] != [number]:
                    self.wrong.append(f"the point {number} as {answer}")
                self._projected = number + 1
                return True
            if status not in (0, 503):
                self.wrong.append(f"receipt {receipt}: {status} {answer}")
                return False
        return False

    def _counted(self, host: Service) -> int | None:
        """Return the number of points that a query counts; None if it was not answered."""
        least = self._projected
        status, _, answer = self._asked(host, "GET", f"{PATH}?metric=a&aggregator=count&period=1d")
        # A point that is being published, or was without an answer, may be there already.
        most = self._published + 1
        if status == 200:
            found = int(sum(bucket["value"] for bucket in answer["metrics"]))
            if not least <= found <= most:
                self.wrong.append(f"{found} points, not {least} to {most}")
            return found
        if status not in (0, 503) and not (status == 404 and least == 0):
            self.wrong.append(f"query: {status} {answer}")
        return None

    def _asked(
        self,
        host: Service,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Return status, headers and JSON of an answer; the status 0 if there is none."""
        try:
            return host.answer_with_headers(method, path, body, self._token, headers)
        except (OSError, HTTPException):
            time.sleep(LOOK_SECONDS / 10)
            return 0, {}, {}


def longest_gap(times: Sequence[float]) -> float:
    """Return the seconds of the longest time between two of them."""
    return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)
