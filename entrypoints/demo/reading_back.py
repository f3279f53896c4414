"""The second half of the demo: the points are read, plotted, rebuilt and verified."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from adapters.http_client.client import bearer
from entrypoints.demo.client import MetricsClient, metrics_client
from entrypoints.demo.ledger import Stored
from entrypoints.demo.service import Address, Cave

CATALOG_SECONDS = 10.0
SHOWN = 3

RAW = "machine.memory.used"
AGGREGATED = "machine.cpu.percent"

Say = Callable[[str], None]


class ReadingBack:
    """Reads an organization's metrics as a client, and with the commands.

    `say` and `head` print a line and a heading; `cave` runs the commands.
    """

    def __init__(self, organization: str, cave: Cave, say: Say, head: Say) -> None:
        self._organization = organization
        self._cave = cave
        self._say = say
        self._head = head

    def run(self, address: Address, last_receipt: str, stored: Stored) -> dict[str, bool]:
        """Return the checks and whether each passed. Raises CommandFailed."""
        names = self._query(address, last_receipt, stored)
        exported = self._export()
        self._plot()
        before, after = self._rebuild()
        return {
            "exactly the names in the log are listed": names == stored.names,
            "every point in the log can be read exactly once": exported == stored.points,
            "the projection rebuilt from the log equals the one before": before == after,
        }

    def _query(self, address: Address, last_receipt: str, stored: Stored) -> set[str]:
        self._head("Queries")
        token = self._cave.run("token", "issue", self._organization, "--scope", "read", "--quiet")
        place = f"GET /organizations/{self._organization}"
        client = metrics_client(address, self._organization, bearer(token), new_token=True)
        with client as reader:
            points = reader.metrics(RAW, limit=SHOWN, receipt=last_receipt)
            self._say(f"{place}/metrics?metric={RAW}&limit={SHOWN}&receipt={last_receipt}")
            self._show(points)
            buckets = reader.metrics(AGGREGATED, aggregator="max", period="1s", limit=SHOWN)
            self._say(f"{place}/metrics?metric={AGGREGATED}&aggregator=max&period=1s&limit={SHOWN}")
            self._show(buckets)
            names = _names_once_complete(reader, stored.names)
        self._say(f"{place}/metric-names")
        self._say(f"  {', '.join(sorted(names))}")
        return names

    def _show(self, samples: Sequence[dict[str, object]]) -> None:
        for sample in samples:
            self._say(f"  {sample['time']}  {sample['value']}")

    def _export(self) -> int:
        arguments = ("export", self._organization, "--format", "jsonl")
        count = len(self._cave.run(*arguments).splitlines())
        self._say(f"$ cave {' '.join(arguments)} | wc -l\n{count}")
        return count

    def _plot(self) -> None:
        self._head("A plot")
        arguments = ("plot", self._organization, RAW, "--period", "1s")
        self._say(f"$ cave {' '.join(arguments)}")
        self._say(self._cave.run(*arguments))

    def _rebuild(self) -> tuple[str, str]:
        """Return the digests before and after."""
        self._head("The projection, rebuilt from the events")
        printed = []
        for command in ("verify", "replay", "verify"):
            self._say(f"$ cave {command} points")
            printed.append(self._cave.run(command, "points"))
            self._say(printed[-1])
        return printed[0], printed[-1]


def _names_once_complete(reader: MetricsClient, wanted: set[str]) -> set[str]:
    """Return the names once they include those wanted, or time is up."""
    deadline = time.monotonic() + CATALOG_SECONDS
    while True:
        names = {known["name"] for known in reader.metric_names()}
        if names >= wanted or time.monotonic() > deadline:
            return names
        time.sleep(0.1)
