"""An organization that clients publish for, and what has become of their points."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.clients.points import Point, point
from tests.service import Service

CONFIGS = Path(__file__).parent / "configs"

PORT = "8000"
"""The port, organization and token that the configuration files have."""
ORGANIZATION = "gilt"
TOKEN = "cave_YOUR_TOKEN"

_numbers = count()


class Account:
    """An organization of its own, with a token for `publish`, `read` and `admin`."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.name = f"gilt{next(_numbers)}"
        self.token = service.register(self.name, "publish", "read", "admin")
        self._counted_before = self._counted()

    def url(self, path: str) -> str:
        """Return the URL of a path below the organization."""
        return f"{self.service.url}/organizations/{self.name}/{path}"

    def config(self, name: str) -> str:
        """Return the text of a configuration file, for this service and this organization."""
        text = (CONFIGS / name).read_text()
        text = text.replace(f"organizations/{ORGANIZATION}", f"organizations/{self.name}")
        return text.replace(PORT, str(self.service.port)).replace(TOKEN, self.token)

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables of a configuration file that has one on each line."""
        lines = self.config(name).splitlines()
        pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
        return {variable: value.strip('"') for variable, value in pairs}

    def stored(self) -> list[Point]:
        """Return the points in the log, without those of the organization's teams."""
        return [each for batch in self.stored_batches() for each in batch]

    def stored_batches(self) -> list[list[Point]]:
        """Return the batches in the log, without those of the organization's teams."""
        return [
            [
                point(each.name, each.timestamp, each.value, each.tags)
                for each in recorded.event.points.points()
            ]
            for recorded in self.service.stored().values()
            if recorded.event.organization == self.name and recorded.event.team is None
        ]

    def refused(self) -> int:
        """Return how many points were refused; the list of them must agree with the counts."""
        path = f"/organizations/{self.name}/refused"
        entries = self.service.ask("GET", path, token=self.token)["refused"]
        listed = sum(entry["points"] for entry in entries)
        assert listed == self._counted() - self._counted_before
        return int(listed)

    def _counted(self) -> float:
        """Return how many points the service has refused since its start, of anybody."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.service.text("/metrics"))
            for sample in family.samples
            if sample.name == "cave_points_refused_total"
        )
