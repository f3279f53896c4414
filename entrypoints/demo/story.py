"""The demo's steps in order, and their output."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from adapters.http_client.client import Answer, basic, bearer
from entrypoints.demo.archiving import Archiving
from entrypoints.demo.client import body_of, metrics_client
from entrypoints.demo.ledger import Ledger, Sent, Stored, Streams, look_at_streams, read_back
from entrypoints.demo.reading_back import AGGREGATED, ReadingBack
from entrypoints.demo.readings import Item, Machine
from entrypoints.demo.service import Address, Cave
from entrypoints.errors import CommandFailed
from entrypoints.processes.reaching import reach_log
from entrypoints.settings import LogSettings
from entrypoints.wiring.commands import open_commands

ORGANIZATION = "gilt"
PATH = f"/organizations/{ORGANIZATION}/metrics"
READING_SECONDS = 5.0
INTERVAL = 0.25
WAITING_SECONDS = 3600.0

EXAMPLE: list[Item] = [
    {
        "name": name,
        "timestamp": 1398788625,
        "value": value,
        "tags": {"service": "svc-important", "host": "svc12.prod.iad"},
    }
    for name, value in [("http.cache.hits", 123), ("http.cache.misses", 12)]
]
MISTAKES: list[Item] = [
    {"name": "good.enough", "timestamp": 1398788625, "value": 1, "tags": {}},
    {"name": "2nd", "timestamp": 1398788625, "value": "12", "tags": {"host": ""}},
]


def run_demo(console: Console, log: LogSettings, scratch: Path, *, stay: bool) -> bool:
    """Run the demo on a log; `scratch` is a directory for the service's own output.

    With `stay`, the service then runs until Ctrl-C. Return whether all checks passed. Raises
    CommandFailed if it cannot continue.
    """
    return _Story(console, log).run(scratch, stay=stay)


class _Story:
    def __init__(self, console: Console, log: LogSettings) -> None:
        self._console = console
        self._log = log
        variables = {"CAVE_DATA_DIR": str(log.data_dir), "CAVE_KEY_PREFIX": log.key_prefix}
        if log.redis_url is not None:
            variables["CAVE_REDIS_URL"] = log.redis_url
        self._cave = Cave(variables)
        self._ledger = Ledger()

    def run(self, scratch: Path, *, stay: bool) -> bool:
        self._heading("The service")
        self._say("$ cave serve")
        with self._cave.running_service(scratch) as address:
            self._say(f"CAVE serves {address}")
            token = self._create_organization()
            self._publish_example(address, token)
            self._publish_readings(address, token)
            refused = self._publish_mistakes(address, token)
            stored, checks = self._look_into_the_log(refused)
            reading = ReadingBack(ORGANIZATION, self._cave, self._say, self._heading)
            last_receipt = str(self._ledger.sent[-1].answer.receipt)
            checks |= reading.run(address, last_receipt, stored)
            if self._log.redis_url is None:  # a log server of one's own has no archive yet
                archiving = Archiving(self._cave, self._say, self._heading)
                checks |= archiving.run(len(stored.receipts))
            self._heading("Checks")
            for check, passed in checks.items():
                self._console.print("[green]✓[/]" if passed else "[red]✗[/]", check)
            self._heading("The page")
            if stay:
                self._show_page(address)
            else:
                self._say("To look at these metrics in a browser: cave demo --stay")
        return all(checks.values())

    def _show_page(self, address: Address) -> None:
        """Say how to look at the metrics in a browser, and wait for Ctrl-C."""
        arguments = ("token", "issue", ORGANIZATION, "--scope", "read")
        self._say(f"$ cave {' '.join(arguments)} --quiet")
        self._say(self._cave.run(*arguments, "--description", "page", "--quiet"))
        # From the moment that the address is shown, Ctrl-C is the usual end.
        with suppress(KeyboardInterrupt):
            self._say(f"Open {address}/?metric={AGGREGATED}&aggregator=max&period=1s&last=15m")
            self._say("and sign in with this token. Ctrl-C ends the service.")
            self._console.file.flush()
            while True:
                time.sleep(WAITING_SECONDS)

    def _create_organization(self) -> str:
        self._heading("An organization and its first token")
        self._say(f"$ cave org create {ORGANIZATION} --quiet")
        token = self._cave.run("org", "create", ORGANIZATION, "--quiet")
        self._say(token)
        return token

    def _publish_example(self, address: Address, token: str) -> None:
        self._heading("Two points, published twice: both batches count")
        for scheme, authorization in [("Basic", basic(token)), ("Bearer", bearer(token))]:
            with metrics_client(address, ORGANIZATION, authorization, new_token=True) as client:
                client.publish([])  # returns once the token is known: only what follows is timed
                answer = client.publish(EXAMPLE, key=f"example-{scheme}")
                self._acknowledged(answer, EXAMPLE)
                self._say(f"POST {PATH} ({scheme}): {answer.status}, receipt {answer.receipt}")
                again = client.publish(EXAMPLE, key=f"example-{scheme}")
        if not again.replayed or again.receipt != answer.receipt:
            raise CommandFailed(f"a retry was not recognized: {again.failure()}")
        self._say("… and again with the same Idempotency-Key: same receipt, nothing stored twice")

    def _publish_readings(self, address: Address, token: str) -> None:
        self._heading(f"Metrics of this machine, for {READING_SECONDS:.0f} s")
        machine = Machine()
        batches = round(READING_SECONDS / INTERVAL)
        first = len(self._ledger.sent)
        publishing = self._console.status("publishing …")
        with publishing, metrics_client(address, ORGANIZATION, bearer(token)) as client:
            started = time.monotonic()
            for batch in range(1, batches + 1):
                time.sleep(max(0.0, started + batch * INTERVAL - time.monotonic()))
                items = machine.read()
                self._acknowledged(client.publish(items), items)
        sent = self._ledger.sent[first:]
        points = sum(batch.points for batch in sent)
        self._say(f"{len(sent)} batches, {points} points: processors, memory, disk, network")

    def _publish_mistakes(self, address: Address, token: str) -> Answer:
        self._heading("An invalid batch: refused as a whole")
        with metrics_client(address, ORGANIZATION, bearer(token)) as client:
            answer = client.publish(MISTAKES)
        problem = answer.problem()
        self._say(f"{answer.status} {problem.title}: {problem.detail}")
        for fault in problem.errors:
            self._say(f"  {fault.pointer} {fault.detail}")
        return answer

    def _look_into_the_log(self, refused: Answer) -> tuple[Stored, dict[str, bool]]:
        self._heading("The log")
        with reach_log(self._log) as url, open_commands(self._log, url) as commands:
            stored = read_back(commands.metrics, ORGANIZATION)
            streams = look_at_streams(url, self._log.key_prefix)
        self._console.print(self._table(stored, streams))
        return stored, {
            "the log has exactly the acknowledged receipts": (
                stored.receipts == self._ledger.receipts()
                and streams.entries == len(stored.receipts)
            ),
            "the log has as many points as were acknowledged": stored.points
            == self._ledger.points(),
            "the log has nothing of the refused batch": (
                refused.status == 400 and not stored.names & {item["name"] for item in MISTAKES}
            ),
        }

    def _table(self, stored: Stored, streams: Streams) -> Table:
        typical, longest = self._ledger.milliseconds()
        points = max(stored.points, 1)
        table = Table(show_header=False)
        table.add_column(style="bold")
        table.add_column(justify="right")
        table.add_row("organizations", str(len(stored.organizations)))
        table.add_row("events", str(len(stored.receipts)))
        table.add_row("points", str(stored.points))
        table.add_row("names", str(len(stored.names)))
        table.add_row("bytes per point, as sent", f"{self._ledger.bytes_sent() / points:.1f}")
        table.add_row("bytes per point, in the log", f"{streams.size / points:.1f}")
        table.add_row("time until durable", f"{typical:.1f} ms median, {longest:.1f} ms maximum")
        return table

    def _acknowledged(self, answer: Answer, items: list[Item]) -> None:
        if answer.status != 202 or answer.receipt is None:
            raise CommandFailed(f"publishing failed: {answer.failure()}")
        self._ledger.sent.append(Sent(answer, len(items), len(body_of(items))))

    def _heading(self, text: str) -> None:
        self._console.print(f"\n[bold cyan]{text}[/]")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
