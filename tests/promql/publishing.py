"""Publishing series to a running service, by remote write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from urllib.parse import quote

import httpx

from tests.clients.remote_write import write_request
from tests.promql.samples import SampleSeries
from tests.waiting import wait_until

SAMPLES = 20_000
"""In one request, about."""


def publish(url: str, organization: str, token: str, series: Sequence[SampleSeries]) -> None:
    """Publish series for an organization, and return once they can be read."""
    path = f"/organizations/{organization}/prometheus/api/v1/write"
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    with httpx.Client(base_url=url, auth=(token, ""), timeout=60) as client:
        for batch in _batches(series):
            answer = client.post(path, content=write_request(batch), headers=headers)
            assert answer.status_code == httpx.codes.NO_CONTENT, answer.text
            readable = (
                f"/organizations/{organization}/metrics?limit=1"
                f"&metric={quote(batch[0].labels['__name__'])}"
                f"&receipt={answer.headers['cave-receipt']}"
            )
            wait_until(partial(_succeeds, client, readable), 60)


def _succeeds(client: httpx.Client, path: str) -> bool:
    return client.get(path).is_success


def _batches(series: Sequence[SampleSeries]) -> Iterator[list[SampleSeries]]:
    batch: list[SampleSeries] = []
    for one in series:
        batch.append(one)
        if sum(len(each.times) for each in batch) >= SAMPLES:
            yield batch
            batch = []
    if batch:
        yield batch
