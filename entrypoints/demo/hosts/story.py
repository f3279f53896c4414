"""The steps of the demo of several hosts, and their output."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from rich.console import Console

from adapters.http_client.client import RetryingClient, ServiceUnreachable, bearer
from application.event_log.receipts import Receipt
from entrypoints.demo.client import metrics_client
from entrypoints.demo.hosts.load import Load
from entrypoints.demo.hosts.servers import DURABILITY, Host, Running, running_hosts
from entrypoints.demo.reading_back import AGGREGATED
from entrypoints.errors import CommandFailed

ORGANIZATION = "gilt"
PATH = f"/organizations/{ORGANIZATION}/metrics"
SECONDS_BEFORE = 1.5
SECONDS_AFTER = 1.5
WAITING_SECONDS = 3600.0
MOST_POINTS = 1440
READY_SECONDS = 60.0


def run_hosts_demo(console: Console, scratch: Path, hosts: int, *, stay: bool) -> bool:
    """Run the demo on so many hosts; everything is kept in the directory `scratch`.

    With `stay`, all of it then runs until Ctrl-C. Return whether all checks passed. Raises
    CommandFailed if it cannot continue.
    """
    return _Story(console).run(scratch, hosts, stay=stay)


class _Log(Struct, frozen=True):
    """What the log has: receipts and points of the organization."""

    receipts: list[str]
    points: Counter[str]


class _Story:
    def __init__(self, console: Console) -> None:
        self._console = console

    def run(self, scratch: Path, count: int, *, stay: bool) -> bool:
        self._heading(f"{count} hosts and the servers that they share, all on this machine")
        with running_hosts(scratch, count, self._say) as running:
            self._say(f"Every host: CAVE_DURABILITY={DURABILITY}, so a batch is acknowledged once")
            self._say("it is on the disks of the log server and of one of its replicas.")
            token = self._create_organization(running)
            load = self._publish_through_a_failover(running, token)
            checks = self._check(running, load)
            self._heading("Checks")
            for check, passed in checks.items():
                self._console.print("[green]✓[/]" if passed else "[red]✗[/]", check)
            if stay:
                self._wait_for_the_user(running)
            else:
                self._say(f"\nTo look around while it runs: cave demo --hosts {count} --stay")
        return all(checks.values())

    def _create_organization(self, running: Running) -> str:
        self._heading("An organization and its token")
        self._say(f"$ cave org create {ORGANIZATION} --quiet")
        token = running.cave.run("org", "create", ORGANIZATION, "--quiet")
        self._say(token)
        return token

    def _publish_through_a_failover(self, running: Running, token: str) -> Load:
        """Publish on all hosts while the log server is killed and a replica is promoted."""
        self._heading("Metrics of this machine, published to the hosts in turn")
        load = Load([str(host.address) for host in running.hosts], PATH, token)
        load.start()
        try:
            self._wait_for_all_hosts(running, load)
            time.sleep(SECONDS_BEFORE)
            former = running.log.primary()
            self._say(f"{_by_host(load)}. The log server :{former} is killed …")
            killed = time.monotonic()
            running.log.kill(former)
            promoted = running.log.wait_for_another_primary(former)
            seconds = time.monotonic() - killed
            self._say(f"Sentinel has promoted the replica :{promoted}, {seconds:.1f} s later.")
            self._wait_for_all_hosts(running, load)
            self._say(f"All hosts go on: {_by_host(load)}.")
            running.log.restart(former)
            self._say(f"The log server :{former} is started again, now as a replica.")
            time.sleep(SECONDS_AFTER)
        finally:
            load.stop()
        if load.failures:
            raise CommandFailed(f"publishing failed: {load.failures[0]}")
        self._say(f"At the end, {_by_host(load)}.")
        self._say(f"The longest time without an acknowledgement was {load.longest_pause():.1f} s.")
        if load.refused:
            refused = ", ".join(f"{status} {times} times" for status, times in load.refused.items())
            self._say(f"Answers after which a batch was sent again: {refused}.")
        return load

    def _wait_for_all_hosts(self, running: Running, load: Load) -> None:
        """Wait until every host has acknowledged another batch."""
        seen = len(load.acknowledged)
        deadline = time.monotonic() + READY_SECONDS
        hosts = {host.number for host in running.hosts}
        while {batch.host for batch in load.acknowledged[seen:]} != hosts:
            if load.failures:
                raise CommandFailed(f"publishing failed: {load.failures[0]}")
            if time.monotonic() > deadline:
                raise CommandFailed("a host acknowledges nothing")
            time.sleep(0.02)

    def _check(self, running: Running, load: Load) -> dict[str, bool]:
        self._heading("What the log has, and what the hosts answer")
        log = self._read_log(running)
        receipts = [batch.receipt for batch in load.acknowledged]
        last = max(receipts, key=Receipt.parse)
        token = running.cave.run(
            "token", "issue", ORGANIZATION, "--scope", "read", "--description", "demo", "--quiet"
        )
        answers = [self._read_host(host, token, last, log) for host in running.hosts]
        archived = self._archive(running)
        counts = {name: answer["count"] for name, answer in answers[0].items()}
        return {
            "every acknowledged batch is in the log, once": (
                sorted(log.receipts) == sorted(receipts)
            ),
            "every acknowledged point is in the log": log.points == load.points(),
            "the hosts answer with exactly these points": counts == dict(load.points()),
            "all hosts give the same answers": all(answer == answers[0] for answer in answers),
            "every event is in the archive, too": archived == len(receipts),
            "no host reports a gap in the log": not any(map(_gaps, running.hosts)),
        }

    def _read_log(self, running: Running) -> _Log:
        arguments = ("events", "tail", "--org", ORGANIZATION, "--from-start", "--no-follow")
        self._say(f"$ cave {' '.join(arguments)} --json")
        lines = running.cave.run(*arguments, "--json").splitlines()
        records = [json.loads(line) for line in lines]
        points = Counter(point["name"] for record in records for point in record["points"])
        self._say(f"{len(records)} events, {points.total()} points")
        return _Log([record["receipt"] for record in records], points)

    def _archive(self, running: Running) -> int:
        """Seal everything, and return the number of events in the archive that the hosts share."""
        self._say("$ cave log archive --now")
        self._say(running.cave.run("log", "archive", "--now"))
        partitions = json.loads(running.cave.run("log", "status", "--json"))["partitions"]
        return sum(int(partition["archive"]["events"]) for partition in partitions)

    def _read_host(self, host: Host, token: str, last: str, log: _Log) -> dict[str, Any]:
        """Return a host's count and raw points of every metric."""
        read: dict[str, Any] = {}
        with metrics_client(host.address, ORGANIZATION, bearer(token), new_token=True) as client:
            for name in log.points:
                counted = client.metrics(name, aggregator="count", period="1d", receipt=last)
                read[name] = {
                    "count": sum(bucket["value"] for bucket in counted),
                    "points": client.metrics(name, limit=MOST_POINTS),
                }
        total = sum(answer["count"] for answer in read.values())
        self._say(f"host {host.number} answers with {len(read)} metrics, {total:.0f} points")
        return read

    def _wait_for_the_user(self, running: Running) -> None:
        self._heading("Look around")
        arguments = ("token", "issue", ORGANIZATION, "--scope", "read")
        self._say(f"$ cave {' '.join(arguments)} --quiet")
        self._say(running.cave.run(*arguments, "--description", "page", "--quiet"))
        page = f"/?metric={AGGREGATED}&aggregator=max&period=1s&last=15m"
        # From the moment that an address is shown, Ctrl-C is the usual end.
        with suppress(KeyboardInterrupt):
            for host in running.hosts:
                self._say(f"Open {host.address}{page}")
            self._say("and sign in with this token. Ctrl-C ends everything.")
            self._console.file.flush()
            while True:
                time.sleep(WAITING_SECONDS)

    def _heading(self, text: str) -> None:
        self._console.print(f"\n[bold cyan]{text}[/]")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _by_host(load: Load) -> str:
    taken = Counter(batch.host for batch in list(load.acknowledged))
    shares = ", ".join(f"{taken[host]} by host {host}" for host in sorted(taken))
    return f"{taken.total()} batches are acknowledged: {shares}"


def _gaps(host: Host) -> bool:
    """Return whether a host's metrics report that events are missing. Raises CommandFailed."""
    client = RetryingClient(str(host.address), bearer("none"))
    try:
        answer = client.get("/metrics")
    except ServiceUnreachable as error:
        raise CommandFailed(str(error)) from error
    finally:
        client.close()
    return re.search(rb"^cave_log_gaps 0(\.0)?$", answer.body, re.MULTILINE) is None
