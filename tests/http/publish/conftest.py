"""Publishing through the real endpoint, over a log in memory."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.http.publish.endpoint import PublishEndpoint
from adapters.point_formats.formats import all_formats
from application.event_log.ports import RecordedMetrics
from application.event_log.reader import MetricLogReader
from domain.metric_point import MetricPoint
from tests.http.conftest import Service, service  # noqa: F401  a fixture

LIMIT = 1 << 20
MAX_POINTS = 1000
ORGANIZATION = "gilt"


class Publishing:
    """A service with an organization and a team; `token` may publish for both."""

    def __init__(self, service: Service) -> None:  # noqa: F811
        self.service = service
        self.admin = service.register(ORGANIZATION)
        service.create_team(ORGANIZATION, "web")
        self.token = service.issue(ORGANIZATION, "publish")
        self.team_token = service.issue(ORGANIZATION, "publish", team="web")
        endpoint: Any = PublishEndpoint(
            service.use_cases.access,
            service.use_cases.publish_metrics,
            all_formats(MAX_POINTS),
            max_body=LIMIT,
            max_inflated=LIMIT,
            max_body_memory=8 * LIMIT,
        )
        service.publish = endpoint
        service.app = service.app_for(None)

    def post(self, path: str, content: bytes, token: str | None = "", **headers: str) -> Any:
        """Publish a body with the organization's token, another or (None) none."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        chosen = self.token if token == "" else token
        return self.service.call("POST", path, chosen, content=content, headers=sent)

    def events(self) -> list[RecordedMetrics]:
        """Return the events of the log."""
        log = self.service.log
        reader = MetricLogReader(log.entries, log.codec)
        found = [each for p in range(log.partitions()) for each in reader.read(p, 0, 1000)]
        return [each for each in found if isinstance(each, RecordedMetrics)]

    def points(self) -> list[MetricPoint]:
        """Return the points of the log, in order."""
        return [point for recorded in self.events() for point in recorded.event.points.points()]

    def refused(self) -> list[dict[str, Any]]:
        """Return the refused points that are kept, the newest first."""
        answer = self.service.call("GET", f"/organizations/{ORGANIZATION}/refused", self.admin)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["refused"]
        return found


@pytest.fixture
def publishing(service: Service) -> Publishing:  # noqa: F811
    return Publishing(service)
