"""A client that reads, of the standard library alone: an example to copy from."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import quote, urlencode

from entrypoints.demo.client import ATTEMPTS, FIRST_PAUSE, TIMEOUT
from entrypoints.errors import CommandFailed


class MetricsReader:
    """Asks an organization's queries over one connection. Close it after use; for one thread."""

    def __init__(self, host: str, port: int, organization: str, authorization: str) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        self._place = f"/organizations/{quote(organization)}"
        self._headers = {"Authorization": authorization}

    def metric_names(self) -> list[dict[str, Any]]:
        """Return each name with its tag names."""
        names: list[dict[str, Any]] = self._get(f"{self._place}/metric-names")
        return names

    def metrics(self, metric: str, **parameters: str | int) -> list[dict[str, Any]]:
        """Return points or, with `aggregator` and `period`, buckets of them."""
        query = urlencode({"metric": metric, **parameters})
        metrics: list[dict[str, Any]] = self._get(f"{self._place}/metrics?{query}")["metrics"]
        return metrics

    def close(self) -> None:
        self._connection.close()

    def _get(self, target: str) -> Any:
        """Ask, and again where that may help; raise CommandFailed where it does not.

        A 503 passes, and so does a 403 for a new token: workers learn of it within a second.
        """
        pause = FIRST_PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            self._connection.request("GET", target, headers=self._headers)
            with self._connection.getresponse() as response:
                content = response.read()
            if response.status == http.HTTPStatus.OK:
                return json.loads(content)
            if response.status not in (403, 503) or attempt == ATTEMPTS:
                raise CommandFailed(f"GET {target}: {response.status} {content.decode()}")
            time.sleep(max(pause, float(response.headers.get("Retry-After", 0))))
            pause *= 2
        raise AssertionError("unreachable")
