"""The panels of a dashboard ask all at once, also a service that has just been started."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

from tests.e2e.conftest import StartService
from tests.waiting import wait_until

PANELS = 30
HOSTS = 20
MINUTES = 240
MINUTE = 60


def test_thirty_panels_of_a_cold_service_are_all_answered(start_service: StartService) -> None:
    service = start_service(WORKERS=1)
    token = service.register("gilt", "publish", "read")
    end = int(time.time()) // MINUTE * MINUTE
    path = "/organizations/gilt/metrics"
    for host in range(HOSTS):
        points = [
            {
                "name": "requests",
                "timestamp": end - ago * MINUTE,
                "value": (MINUTES - ago) * (host + 1),
                "tags": {"host": f"h{host}"},
            }
            for ago in range(MINUTES)
        ]
        service.ask("POST", path, {"metrics": points}, token)
    last = max(service.stored(), key=lambda receipt: [int(part) for part in receipt.split("-")])
    readable = f"{path}?metric=requests&receipt={last}"
    wait_until(lambda: service.answer("GET", readable, token=token)[0] == 200)
    service.stop()
    service.start()

    def panel(number: int) -> tuple[int, Any]:
        parameters = {
            "query": f"sum by (host) (rate(requests[{number + 2}m])) * {number}",
            "start": end - (MINUTES - PANELS - 5) * MINUTE,
            "end": end,
            "step": MINUTE,
        }
        asked = f"/organizations/gilt/prometheus/api/v1/query_range?{urlencode(parameters)}"
        return service.answer("GET", asked, token=token)

    with ThreadPoolExecutor(PANELS) as panels:
        for number, (status, answer) in enumerate(panels.map(panel, range(PANELS))):
            assert status == 200, answer
            found = answer["data"]["result"]
            assert len(found) == HOSTS
            [first] = [series for series in found if series["metric"]["host"] == "h0"]
            assert {round(float(value) * MINUTE, 6) for _, value in first["values"]} == {number}
