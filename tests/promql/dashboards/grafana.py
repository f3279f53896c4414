"""Grafana's Prometheus data source, as far as its requests go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import httpx
from msgspec import Struct

from tests.promql.dashboards.intervals import TimeRange

LIMIT = "40000"
"""Of series, labels and values, as Grafana asks."""

HEADERS = {
    "User-Agent": "Grafana/12.1.0",
    "Accept-Encoding": "gzip",
    "X-Grafana-Org-Id": "1",
    "X-Grafana-Referer": "http://127.0.0.1:3000/d/tests",
    "X-Dashboard-Title": "Tests",
    "X-Datasource-Uid": "cave",
    "X-Query-Group-Id": "1",
    "X-Rule-Uid": "",
}


class Refusal(Struct, frozen=True):
    """A request that got an error: what it was for, what it asked, and the answer."""

    purpose: str
    path: str
    parameters: Mapping[str, str]
    status: int
    answer: str


class Grafana:
    """Asks as the data source does, and keeps the errors. `url` is that of the data source.

    `queries` are forms that are posted, unless the data source is set to GET; look-ups of labels'
    values and of metadata are always in the URL. What fails returns nothing.
    """

    def __init__(self, url: str, token: str, *, uid: str = "", method: str = "POST") -> None:
        self._client = httpx.Client(
            base_url=f"{url}/api/v1/",
            auth=(token, ""),
            headers={**HEADERS, "X-Dashboard-Uid": uid},
            timeout=60,
        )
        self._method = method
        self.purpose = ""
        self.refusals: list[Refusal] = []
        self.asked = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def connect(self) -> None:
        """Ask what Grafana asks when the data source is saved, and when its editor is opened."""
        self.purpose = "connection"
        self.query("1+1", 4_000)
        # A POST first, and after a 405 a GET.
        self.ask("status/buildinfo")
        self.ask("rules", method="GET")
        self.ask("metadata", {"limit": LIMIT}, method="GET")
        shown = TimeRange(0, 4_000)
        self.label_names(shown)
        self.label_values("__name__", shown)
        self.series('{__name__!=""}', shown)

    def query(self, expression: str, time: int) -> Sequence[Any]:
        """Return an instant query's samples; of a scalar its value."""
        data = self.ask("query", {"query": expression, "time": _seconds(time)})
        if data is None:
            return []
        result: list[Any] = data["result"]
        return result[1:] if data["resultType"] in ("scalar", "string") else result

    def query_range(self, expression: str, shown: TimeRange, step: int) -> Sequence[Any]:
        """Return a range query's series; its ends are rounded down to multiples of the step."""
        form = {
            "query": expression,
            "start": _seconds(shown.start // step * step),
            "end": _seconds(shown.end // step * step),
            "step": _seconds(step),
        }
        data = self.ask("query_range", form)
        return data["result"] if data else []

    def query_exemplars(self, expression: str, shown: TimeRange) -> None:
        ends = {"start": _seconds(shown.start), "end": _seconds(shown.end)}
        self.ask("query_exemplars", {"query": expression, **ends})

    def label_names(self, shown: TimeRange, selector: str = "") -> Sequence[str]:
        return self.ask("labels", _selecting(shown, selector)) or []

    def label_values(self, name: str, shown: TimeRange, selector: str = "") -> Sequence[str]:
        path = f"label/{name}/values"
        return self.ask(path, _selecting(shown, selector), method="GET") or []

    def series(self, selector: str, shown: TimeRange) -> Sequence[Mapping[str, str]]:
        return self.ask("series", _selecting(shown, selector)) or []

    def ask(
        self, path: str, parameters: Mapping[str, str] | None = None, *, method: str | None = None
    ) -> Any:
        """Return the data of an answer, None for an error."""
        self.asked += 1
        parameters = parameters or {}
        if (method or self._method) == "POST":
            answer = self._client.post(path, data=dict(parameters))
            if answer.status_code == httpx.codes.METHOD_NOT_ALLOWED:
                answer = self._client.get(path, params=dict(parameters))
        else:
            answer = self._client.get(path, params=dict(parameters))
        if answer.is_success and answer.json()["status"] == "success":
            return answer.json()["data"]
        self.refusals.append(
            Refusal(self.purpose, path, parameters, answer.status_code, answer.text)
        )
        return None


def _selecting(shown: TimeRange, selector: str) -> dict[str, str]:
    ends = {"start": _seconds(shown.start), "end": _seconds(shown.end)}
    return {"limit": LIMIT, **ends, **({"match[]": selector} if selector else {})}


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".")
