"""The demo's chapter on the archive: events in two tiers, read as one log."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from entrypoints.demo.service import Cave

Say = Callable[[str], None]


class Archiving:
    """Moves the log to its archive, and shows that nothing is lost or changed by that."""

    def __init__(self, cave: Cave, say: Say, heading: Say) -> None:
        self._cave = cave
        self._say = say
        self._heading = heading

    def run(self, events: int) -> dict[str, bool]:
        """Seal, trim, replay and verify a log of so many events; return the checks."""
        self._heading("The archive: the log's older part")
        before = self._cave.run("verify", "points")
        self._shown("log", "archive", "--now")
        self._cave.run("log", "trim")
        on_server, archived = self._tiers()
        self._say(f"$ cave log trim: {on_server} events on the server, {archived} in the archive")
        self._shown("replay", "points")
        after = self._cave.run("verify", "points")
        verified: dict[str, Any] = json.loads(self._shown("log", "verify", "--json"))
        return {
            "every event is in the archive, and few are on the server": (
                archived == events and on_server < events
            ),
            "a replay over archive and server gives the same points": before == after,
            "the chain of all events is sound": verified["damages"] == [],
        }

    def _tiers(self) -> tuple[int, int]:
        """Return the numbers of events on the server and in the archive."""
        partitions = json.loads(self._cave.run("log", "status", "--json"))["partitions"]
        return (
            sum(partition["server"]["events"] for partition in partitions),
            sum(partition["archive"]["events"] for partition in partitions),
        )

    def _shown(self, *arguments: str) -> str:
        self._say(f"$ cave {' '.join(arguments)}")
        output = self._cave.run(*arguments)
        self._say(output)
        return output
