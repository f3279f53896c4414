"""Faults of what two hosts share, and of a host, under load: `make faults ARGUMENTS=hosts`.

Two hosts publish, project and archive on one log server, PostgreSQL and S3 server, and their
projectors do all upkeep within seconds. Writers send numbered batches to both, half of them with
keys until they are acknowledged. Clients publish at one host and read at the other. After all
rounds, log, archive, projections and files are compared with what was acknowledged.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException

import structlog
from msgspec import Struct

from tests.faults import host_killed, object_store, postgres
from tests.faults.campaign import Campaign, Findings
from tests.faults.stored_files import missing_files
from tests.faults.watching import Watch, longest_gap
from tests.hosts import Hosts, running_hosts
from tests.waiting import wait_until

PROJECTIONS = ("points", "metric_names", "metric_metadata")
SETTINGS: Mapping[str, str | int] = {
    "ARCHIVE_EVERY": "3s",
    "HOT_AGE": "3s",
    "PROJECTIONS_LEASE": "3s",
    "PARTITIONS": 4,
}
PROGRAM = (sys.executable, "-m", "tests.faults.hasty_service")
PATIENCE = 150.0
LOAD_SECONDS = 0.5
MAX_PRINTED = 20_000
WRITERS = 4
PAUSE = 0.02
"""Both leave time for the projectors and the S3 server, which shares this process."""

Fault = Callable[[Hosts], None]
FAULTS: Mapping[str, Fault] = {
    **postgres.FAULTS,
    **object_store.FAULTS,
    **host_killed.FAULTS,
}


class Round(Struct):
    """What was acknowledged, and the longest times without an answer, in seconds."""

    acknowledged: int
    publishing_out: float
    querying_out: float
    projecting_out: float


class Outcome(Struct, frozen=True):
    """What is wrong after all rounds, in the log, the projections, their files and the answers.

    `damaged` says whether `cave log verify` finds damage in the log or its archive.
    """

    log: Findings = Findings()
    set_aside: int = 0
    wrong_projections: int = 0
    missing_files: int = 0
    damaged: bool = False
    wrong_answers: tuple[str, ...] = ()


class Hardship:
    """Two hosts under load, and what was acknowledged and answered."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._campaign = Campaign(*hosts.services, writers=WRITERS, pause=PAUSE)
        self._watch = Watch(hosts.services, PATIENCE)

    def round(self, fault: Fault) -> Round:
        """Let a fault happen under load, and wait until nothing is left of it."""
        ledger = self._campaign.ledger
        before = len(ledger.times)
        with self._watch.looking() as (queried, projected), self._campaign.load():
            time.sleep(LOAD_SECONDS)
            fault(self._hosts)
            ended = time.monotonic()
            wait_until(lambda: projected and projected[-1] > ended, PATIENCE)
            self._watch.wait_until_all_answer()
            wait_until(lambda: queried and queried[-1] > ended, PATIENCE)
            time.sleep(LOAD_SECONDS)
        acknowledged = sorted(ledger.times[before:])
        return Round(
            acknowledged=len(acknowledged),
            publishing_out=longest_gap(acknowledged),
            querying_out=longest_gap(queried),
            projecting_out=longest_gap(projected),
        )

    def outcome(self) -> Outcome:
        """Wait until all is projected, and compare everything with what was acknowledged."""
        wait_until(self._is_projected, PATIENCE, every=LOAD_SECONDS)
        service = self._hosts.services[0]
        ledger = self._campaign.ledger
        lines = service.cave("projections", "--json").splitlines()
        verified = [service.tried("verify", each, "--json") for each in PROJECTIONS]
        return Outcome(
            log=ledger.compared(service),
            set_aside=sum(len(json.loads(line)["set_aside"]) for line in lines),
            wrong_projections=sum(each.returncode != 0 for each in verified),
            missing_files=len(missing_files(self._hosts)),
            damaged=service.tried("log", "verify").returncode != 0,
            wrong_answers=self.wrong_answers(),
        )

    def wrong_answers(self) -> tuple[str, ...]:
        return (*self._campaign.ledger.wrong, *self._watch.wrong)

    def _is_projected(self) -> bool:
        """Return whether either host knows that every event is in the projections."""
        with suppress(OSError, HTTPException):
            return all(
                service.gauge("cave_projection_lag_events", projection=projection) == 0
                for service in self._hosts.services
                for projection in PROJECTIONS
            )
        return False


@contextmanager
def hardship(replicas: int = 0) -> Iterator[Hardship]:
    """Run two hosts for the block, and print what they said if it fails.

    Each append waits for all `replicas` of the log server. Skips the test without PostgreSQL.
    """
    durability = f"replicated:{replicas}" if replicas else "local"
    with running_hosts(PROGRAM, replicas, DURABILITY=durability, **SETTINGS) as hosts:
        made = Hardship(hosts)
        try:
            yield made
        except BaseException:
            print(*made.wrong_answers(), sep="\n", file=sys.stderr)
            for service in hosts.services:
                print(service.errors()[-MAX_PRINTED:], file=sys.stderr)
            raise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.faults.hosts")
    parser.add_argument("--rounds", type=int, default=20, help="of all faults; Ctrl-C ends them")
    parser.add_argument("--faults", nargs="*", choices=list(FAULTS), default=list(FAULTS))
    parser.add_argument("--replicas", type=int, default=0, help="that each append waits for")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    rounds: dict[str, list[Round]] = {fault: [] for fault in arguments.faults}
    with hardship(arguments.replicas) as hosts:
        with suppress(KeyboardInterrupt):
            for _ in range(arguments.rounds):
                for fault in random.sample(arguments.faults, len(arguments.faults)):
                    rounds[fault].append(hosts.round(FAULTS[fault]))
                    print(fault, rounds[fault][-1], file=sys.stderr, flush=True)
        outcome = hosts.outcome()
    print("| fault | rounds | acknowledged | publishing out | querying out | projecting out |")
    print("|---|---|---|---|---|---|")
    for fault, done in rounds.items():
        print(
            f"| {fault} | {len(done)} | {sum(each.acknowledged for each in done):,} "
            f"| {shown([each.publishing_out for each in done])} "
            f"| {shown([each.querying_out for each in done])} "
            f"| {shown([each.projecting_out for each in done])} |"
        )
    print()
    print(outcome)
    sys.exit(outcome != Outcome())


def shown(seconds: Sequence[float]) -> str:
    if not seconds:
        return ""
    return f"{statistics.median(seconds):.1f} s, at most {max(seconds):.1f} s"


if __name__ == "__main__":
    main()
