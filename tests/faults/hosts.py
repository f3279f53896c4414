"""Faults of what two hosts share, and of a host, under load: `make faults ARGUMENTS=hosts`.

Two hosts publish, project and archive on one log server, PostgreSQL and S3 server. Writers send
numbered batches to both, half of them with keys until they are acknowledged. After all rounds, the
log has every acknowledged batch once, and every projection has the rows of the log.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import get_args

from msgspec import Struct

from tests.faults.campaign import Campaign
from tests.faulty_s3 import Mode
from tests.hosts import Hosts, running_hosts
from tests.service import Service
from tests.waiting import wait_until

PROJECTIONS = ("points", "metric_names", "metric_metadata")
SETTINGS = {"ARCHIVE_EVERY": "1s", "HOT_AGE": "1s"}
PATIENCE = 90.0
LOAD_SECONDS = 0.5
LOOK_SECONDS = 0.1
MODES: list[Mode] = [mode for mode in get_args(Mode) if mode != "right"]

Fault = Callable[[Hosts], None]


def postgres_killed(hosts: Hosts) -> None:
    """Kill the server with its sessions, and start it again."""
    hosts.postgres.kill()
    time.sleep(random.uniform(0.0, 1.0))
    hosts.postgres.start()


def session_killed(hosts: Hosts) -> None:
    """Kill one session, in the middle of a commit or of anything else; the server then restarts."""
    sessions: list[int] = []
    while not sessions:
        sessions = hosts.postgres.sessions()
    with suppress(ProcessLookupError):
        os.kill(random.choice(sessions), signal.SIGKILL)


def object_store_refuses(hosts: Hosts) -> None:
    """Let the object store fail in one way after the other."""
    for mode in random.sample(MODES, len(MODES)):
        hosts.s3.mode = mode
        time.sleep(random.uniform(0.2, 0.6))
    hosts.s3.mode = "right"


def host_killed(hosts: Hosts) -> None:
    """Kill all processes of one host, and start it again after its lease has expired."""
    service = random.choice(hosts.services)
    service.kill_all()
    time.sleep(random.uniform(0.0, 4.0))
    service.start()


FAULTS: dict[str, Fault] = {
    "PostgreSQL killed": postgres_killed,
    "session of PostgreSQL killed": session_killed,
    "object store refuses": object_store_refuses,
    "host killed": host_killed,
}


class Round(Struct):
    """The longest times without an answer, and until all events were projected, in seconds."""

    publishing_out: float
    querying_out: float
    behind: float


class Hardship:
    """Two hosts under load, and what was acknowledged and projected."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.campaign = Campaign(*hosts.services)
        self._token = hosts.services[0].register("looks", "publish", "read")
        self._path = "/organizations/looks/metrics"
        point = {"name": "a", "timestamp": 1_398_788_625, "value": 1.0, "tags": {}}
        hosts.services[0].ask("POST", self._path, {"metrics": [point]}, self._token)
        wait_until(lambda: all(map(self._answers, hosts.services)), PATIENCE)

    def round(self, fault: Fault) -> Round:
        """Let a fault happen under load, and wait until nothing is left of it."""
        with self._looking() as looks, self.campaign.load():
            time.sleep(LOAD_SECONDS)
            fault(self.hosts)
            ended = time.monotonic()
            time.sleep(LOAD_SECONDS)
            wait_until(lambda: all(map(self._answers, self.hosts.services)), PATIENCE)
        wait_until(self._is_projected, PATIENCE, every=LOOK_SECONDS)
        return Round(
            publishing_out=longest_gap(self.campaign.ledger.times),
            querying_out=longest_gap(looks),
            behind=time.monotonic() - ended,
        )

    def check(self) -> None:
        """Compare log and projections with what was acknowledged."""
        service = self.hosts.services[0]
        self.campaign.ledger.check(service)
        for line in service.cave("projections", "--json").splitlines():
            assert json.loads(line)["set_aside"] == []
        for projection in PROJECTIONS:
            assert json.loads(service.cave("verify", projection, "--json"))["agrees"]

    @contextmanager
    def _looking(self) -> Iterator[list[float]]:
        """Query one host for the block, and note when it answered."""
        answered: list[float] = []
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(LOOK_SECONDS):
                if any(map(self._answers, self.hosts.services)):
                    answered.append(time.monotonic())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield answered
        finally:
            stop.set()
            thread.join()

    def _answers(self, service: Service) -> bool:
        with suppress(OSError, HTTPException):
            status, found = service.answer("GET", f"{self._path}?metric=a", token=self._token)
            assert status in (200, 404, 503), found
            return status == 200
        return False

    def _is_projected(self) -> bool:
        with suppress(OSError, HTTPException):
            return all(
                service.gauge("cave_projection_lag_events", projection=projection) == 0
                for service in self.hosts.services
                for projection in PROJECTIONS
            )
        return False


def longest_gap(times: list[float]) -> float:
    times = sorted(times)
    return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.faults.hosts")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--faults", nargs="*", choices=list(FAULTS), default=list(FAULTS))
    arguments = parser.parse_args()
    print("| fault | rounds | acknowledged | publishing out | querying out | projected after |")
    print("|---|---|---|---|---|---|", flush=True)
    for fault in arguments.faults:
        with running_hosts(**SETTINGS) as hosts:
            hardship = Hardship(hosts)
            rounds = [hardship.round(FAULTS[fault]) for _ in range(arguments.rounds)]
            hardship.check()
            acknowledged = len(hardship.campaign.ledger.acknowledged)
        figures = [
            shown([each.publishing_out for each in rounds]),
            shown([each.querying_out for each in rounds]),
            shown([each.behind for each in rounds]),
        ]
        print(f"| {fault} | {len(rounds)} | {acknowledged:,} | {' | '.join(figures)} |", flush=True)


def shown(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} s, at most {max(seconds):.1f} s"


if __name__ == "__main__":
    main()
