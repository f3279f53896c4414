"""What clients read, asked directly: answers of Prometheus' HTTP API, and how they compare."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from tests.clients.account import Account
from tests.promql.comparison import close
from tests.promql.demo import demo_series
from tests.promql.publishing import publish
from tests.promql.samples import DURATION, MINUTE, START, moved
from tests.service import Service

Values = Mapping[frozenset[tuple[str, str]], Mapping[float, float]]
"""Values by labels and time."""


class ReadableAccount(Account):
    """An account with the series of the demo, moved `later` (ms) so that they end at `end`.

    That is the last whole minute before they were published.
    """

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self.end = int(time.time() * 1000) // MINUTE * MINUTE
        self.later = self.end - (START + DURATION)
        publish(service.url, self.name, self.token, moved(demo_series(), self.later))

    def api(self) -> PromqlApi:
        """Return what asks the service directly."""
        return PromqlApi(self.url("prometheus"), self.token)


class PromqlApi:
    """Asks a Prometheus, or the service in its place."""

    def __init__(self, address: str, token: str = "") -> None:
        self._address = address
        self._auth = (token, "") if token else None

    def ask(self, path: str, **parameters: Any) -> Any:
        """Return the data of an answer that must succeed."""
        answer = self.answer(path, **parameters)
        assert answer["status"] == "success", (path, parameters, answer)
        return answer["data"]

    def answer(self, path: str, **parameters: Any) -> Any:
        """Return an answer, which may be an error."""
        url = f"{self._address}/api/v1/{path}"
        return httpx.get(url, params=parameters, auth=self._auth, timeout=60).json()

    def values(self, path: str, **parameters: Any) -> Values:
        """Return the values of a query's answer."""
        return values_in(self.ask(path, **parameters))


def values_in(data: Any) -> Values:
    """Return the values of a vector, a matrix or a scalar."""
    if data["resultType"] == "scalar":
        at, value = data["result"]
        return {frozenset(): {at: float(value)}}
    return {
        frozenset(series["metric"].items()): {
            at: float(value) for at, value in series.get("values") or [series["value"]]
        }
        for series in data["result"]
    }


def alike(ours: Values, theirs: Values) -> bool:
    """Return whether there are the same series and times, with the same values but for rounding."""
    return ours.keys() == theirs.keys() and all(
        ours[labels].keys() == theirs[labels].keys()
        and all(close(value, theirs[labels][at]) for at, value in ours[labels].items())
        for labels in ours
    )
