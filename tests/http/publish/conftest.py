"""Publishing through the real endpoint, over a log in memory."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import httpx
import pytest

from adapters.http.publish.endpoint import PublishEndpoint
from adapters.http.publish.plain_heads import PlainHead, PlainHeads
from adapters.http.publish.plain_publish import PlainPublish
from adapters.point_formats.formats import all_formats, shared_format
from application.event_log.ports import RecordedMetrics
from application.event_log.reader import MetricLogReader
from domain.metric_point import MetricPoint
from tests.http.conftest import Service, head_of, service  # noqa: F401  a fixture

LIMIT = 1 << 20
MAX_POINTS = 1000
ORGANIZATION = "gilt"
NEIGHBOR = "neighbor"
PLAIN = b'{"metrics":[{"name":"a","timestamp":1,"value":1,"tags":{"of":"the neighbor"}}]}'


class Publishing:
    """A service with an organization and a team; `token` may publish for both.

    With `together`, each plain request is published together with two of a neighbor.
    """

    def __init__(self, service: Service, *, together: bool = False) -> None:  # noqa: F811
        self._neighbor = service.register(NEIGHBOR, "publish") if together else None
        self.service = service
        self.admin = service.register(ORGANIZATION)
        service.create_team(ORGANIZATION, "web")
        self.token = service.issue(ORGANIZATION, "publish")
        self.team_token = service.issue(ORGANIZATION, "publish", team="web")
        formats = all_formats(MAX_POINTS)
        self._heads = PlainHeads(LIMIT)
        self._endpoint = PublishEndpoint(
            service.use_cases.access,
            service.use_cases.publish_metrics,
            formats,
            max_body=LIMIT,
            max_inflated=LIMIT,
            max_body_memory=8 * LIMIT,
        )
        self._plain = PlainPublish(
            self._endpoint, service.use_cases.publish_together, shared_format(formats)
        )
        publish: Any = self._endpoint
        service.publish = publish
        service.app = service.app_for(None)

    def post(self, path: str, content: bytes, token: str | None = "", **headers: str) -> Any:
        """Publish a body with the organization's token, another or (None) none."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        chosen = self.token if token == "" else token
        if self._neighbor is not None:
            answer = self._posted_together(path, chosen, content, sent)
            if answer is not None:
                return answer
        return self.service.call("POST", path, chosen, content=content, headers=sent)

    def _posted_together(
        self, path: str, token: str | None, content: bytes, headers: dict[str, str]
    ) -> httpx.Response | None:
        """Publish a body the short way; return None if that is not possible."""
        self.service.follower.catch_up()
        requests = [
            self._plain_request(f"/organizations/{NEIGHBOR}/metrics", self._neighbor, PLAIN, {}),
            self._plain_request(path, token, content, headers),
        ]
        head = requests[1][0]
        if head is None or not self._plain.admits(head):
            return None
        answers: dict[int, httpx.Response] = {}

        async def publish() -> None:
            done = asyncio.get_running_loop().create_future()

            def answered(place: int, status: int, lines: bytes, body: bytes) -> None:
                headers = [line.partition(b": ")[::2] for line in lines.splitlines()]
                answers[place] = httpx.Response(status, headers=headers, content=body)
                if len(answers) == 3:
                    done.set_result(None)

            for place, (head, body) in enumerate((requests[0], requests[1], requests[0])):
                assert head is not None
                self._plain.take(head, body, partial(answered, place))
            await done

        asyncio.run(publish())
        assert answers[0].status_code == answers[2].status_code
        return answers[1]

    def _plain_request(
        self, path: str, token: str | None, content: bytes, headers: dict[str, str]
    ) -> tuple[PlainHead | None, bytes]:
        sent = dict(headers)
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        request = httpx.Request("POST", f"http://cave.test{path}", headers=sent, content=content)
        return self._heads.find(head_of(request)), content

    def events(self) -> list[RecordedMetrics]:
        """Return the events of the log."""
        log = self.service.log
        reader = MetricLogReader(log.entries, log.codec)
        found = [each for p in range(log.partitions()) for each in reader.read(p, 0, 1000)]
        events = [each for each in found if isinstance(each, RecordedMetrics)]
        return [each for each in events if each.event.organization != NEIGHBOR]

    def points(self) -> list[MetricPoint]:
        """Return the points of the log, in order."""
        return [point for recorded in self.events() for point in recorded.event.points.points()]

    def refused(self) -> list[dict[str, Any]]:
        """Return the refused points that are kept, the newest first."""
        answer = self.service.call("GET", f"/organizations/{ORGANIZATION}/refused", self.admin)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["refused"]
        return found


@pytest.fixture(params=["alone", "together"])
def publishing(service: Service, request: pytest.FixtureRequest) -> Publishing:  # noqa: F811
    return Publishing(service, together=request.param == "together")
