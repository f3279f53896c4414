"""500: a defect, on a real connection. The answer shows no internals."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from adapters.http.publish.endpoint import PublishEndpoint
from adapters.point_formats.json.format import JsonFormat
from application.publishing.ports import Appended, Idempotency
from domain.events import MetricEvent
from tests.application.doubles import AppendsSingly
from tests.e2e.tenant import POINT, metrics
from tests.http.conftest import Service, problem_of, service  # noqa: F401  the fixture

LIMIT = 1 << 20


class BrokenLog(AppendsSingly):
    """A port that fails with an unexpected error."""

    async def append(self, event: MetricEvent, idempotency: Idempotency | None = None) -> Appended:
        raise ZeroDivisionError("internal words")

    async def recall(self, organization: str, idempotency: Idempotency) -> Appended | None:
        raise ZeroDivisionError("internal words")


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application from a thread; yield its URL."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def test_a_defect_shows_no_internals(
    service: Service,  # noqa: F811
    capfd: pytest.CaptureFixture[str],
) -> None:
    token = service.register("gilt", "publish")
    service.follower.catch_up()
    publish: Any = PublishEndpoint(
        service.use_cases.access,
        service.composed(BrokenLog()).publish_metrics,
        {"json": JsonFormat(100)},
        max_body=LIMIT,
        max_inflated=LIMIT,
        max_body_memory=LIMIT,
    )
    service.publish = publish
    headers = {"Authorization": f"Bearer {token}"}
    with served(service.app_for(None)) as url:
        path = f"{url}/organizations/gilt/metrics?query=hidden"
        for _ in range(2):
            response = httpx.post(path, content=metrics(POINT), headers=headers)
            problem_of(response, 500)
            for internal in ("internal words", "ZeroDivision", "Traceback", ".py"):
                assert internal not in response.text + str(response.headers)
    logged = "".join(capfd.readouterr())
    assert "ZeroDivisionError: internal words" in logged
    assert token not in logged
    assert "hidden" not in logged
