"""Paths of Prometheus' HTTP API whose answer is empty: the service scrapes nothing, evaluates no
rules, and keeps no exemplars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import HttpMethod

from adapters.http.problems import Answer
from adapters.http.prometheus import answers
from adapters.http.prometheus.api import GET_AND_POST, Asking, endpoint
from application.reading.promql_queries import PromqlQueries

EMPTY: Mapping[str, object] = {
    "query_exemplars": [],
    "rules": {"groups": []},
    "alerts": {"alerts": []},
    "alertmanagers": {"activeAlertmanagers": [], "droppedAlertmanagers": []},
    "targets": {"activeTargets": [], "droppedTargets": []},
    "targets/metadata": [],
    "scrape_pools": {"scrapePools": []},
    "status/config": {"yaml": ""},
    "status/flags": {},
}
"""What is answered by each path."""


def _handler(path: str, data: object) -> Any:
    methods = GET_AND_POST if path == "query_exemplars" else [HttpMethod.GET]

    async def answer(_: PromqlQueries, __: Asking, ___: Mapping[str, str]) -> Answer:
        return answers.success(data)

    return endpoint(path, methods)(answer)


ROUTE_HANDLERS = tuple(_handler(path, data) for path, data in EMPTY.items())
