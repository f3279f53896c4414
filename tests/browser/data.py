"""The data that the browser tests look at, published over HTTP to a real service."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

from msgspec import Struct

from tests.service import Service
from tests.waiting import wait_until

START = 1_795_046_400
"""2026-11-19T00:00:00Z, when the data begin. They last two hours."""

MINUTES = 120
LATENCY = "http.latency"
HOSTS = ("web-1", "web-2", "web-10")
GAP = range(40, 80)
"""The minutes without points of `web-2`."""

DISK = "disk.free"
MARKUP = "<img src=x onerror=\"document.title='run'\">"
FORMULA = '=HYPERLINK("x")'
MOUNTS = (MARKUP, FORMULA, "/var, a\\b")
REQUESTS = "http_requests_total"
WIDE = "wide"
SHARDS = 130
TEAM = "web"


class Account(Struct, frozen=True):
    """An organization with data, and the values of its tokens."""

    organization: str
    admin: str
    read: str
    publish: str
    team: str


def latency(host: int, minute: int) -> float:
    """Return the latency in seconds: each host has another size."""
    return (host + 1) * 0.1 + (minute % 7) * 0.01


def fill(service: Service, organization: str = "shop") -> Account:
    """Register an organization, publish its data, and return once they can be read."""
    admin = service.register(organization, "publish", "admin")
    path = f"/organizations/{organization}"
    service.ask("POST", f"{path}/teams", {"name": TEAM}, admin)
    account = Account(
        organization,
        admin,
        issue(service, path, admin, "read"),
        issue(service, path, admin, "publish"),
        issue(service, f"{path}/teams/{TEAM}", admin, "read"),
    )
    readable(service, account, publish(service, account, _points()), LATENCY)
    receipt = publish(service, account, [_point("team.only", 0, 1.0)], team=TEAM)
    readable(service, account, receipt, "team.only", TEAM)
    describe(service, account, _described())
    return account


def publish(
    service: Service, account: Account, items: list[dict[str, Any]], team: str | None = None
) -> str:
    """Publish points; return the receipt."""
    owner = f"/organizations/{account.organization}" + (f"/teams/{team}" if team else "")
    return _send(service, f"{owner}/metrics", account.publish, {"metrics": items})


def readable(
    service: Service, account: Account, receipt: str, metric: str, team: str | None = None
) -> None:
    """Wait until a batch can be read."""
    owner = f"/organizations/{account.organization}" + (f"/teams/{team}" if team else "")
    path = f"{owner}/metrics?metric={metric}&limit=1&receipt={receipt}"
    wait_until(lambda: service.answer("GET", path, token=account.read)[0] == 200)


def issue(service: Service, owner: str, admin: str, scope: str) -> str:
    issued = service.ask("POST", f"{owner}/tokens", {"scopes": [scope]}, admin)
    token = str(issued["token"])
    service.wait_for_all_workers(lambda: service.answer("GET", "/whoami", token=token)[0] == 200)
    return token


def _send(service: Service, path: str, token: str, body: object) -> str:
    request = Request(
        service.url + path,
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urlopen(request, timeout=30) as answer:
        return str(answer.headers["Cave-Receipt"])


def _point(name: str, minute: int, value: float, **tags: str) -> dict[str, Any]:
    return {"name": name, "timestamp": START + minute * 60, "value": value, "tags": tags}


def _points() -> list[dict[str, Any]]:
    return [
        *(
            _point(LATENCY, minute, latency(number, minute), host=host, env="prod")
            for minute in range(MINUTES)
            for number, host in enumerate(HOSTS)
            if host != "web-2" or minute not in GAP
        ),
        *(
            _point(DISK, minute, (number + 1) * 2.0**30, mount=mount)
            for minute in range(0, MINUTES, 10)
            for number, mount in enumerate(MOUNTS)
        ),
        *(
            _point(WIDE, minute, float(shard), shard=f"s{shard}")
            for minute in range(5)
            for shard in range(SHARDS)
        ),
        *(_point(WIDE, minute, -1.0) for minute in range(5)),
    ]


def describe(service: Service, account: Account, metrics: list[dict[str, Any]]) -> None:
    """Publish metrics as OTLP has them, and wait until their descriptions can be read."""
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}
    owner = f"/organizations/{account.organization}"
    _send(service, f"{owner}/otlp/v1/metrics", account.publish, body)
    wanted = {metric["name"] for metric in metrics}

    def known() -> set[str]:
        path = f"{owner}/metric-names?metadata=true"
        names: Any = service.ask("GET", path, token=account.read)
        return {each["name"] for each in names if "help" in each}

    wait_until(lambda: wanted <= known())


def _described() -> list[dict[str, Any]]:
    counter = {
        "isMonotonic": True,
        "aggregationTemporality": 2,
        "dataPoints": [
            {"timeUnixNano": str((START + minute * 60) * 10**9), "asDouble": minute * 60.0}
            for minute in range(MINUTES)
        ],
    }
    gauge: dict[str, Any] = {"dataPoints": []}
    described = [
        (REQUESTS, "1", f"Requests {MARKUP}", {"sum": counter}),
        (LATENCY, "s", "The time to answer a request", {"gauge": gauge}),
        (DISK, "By", "Free space of file systems", {"gauge": gauge}),
    ]
    return [
        {"name": name, "unit": unit, "description": words, **data}
        for name, unit, words, data in described
    ]
