"""Entries of the metric log that earlier releases wrote are read, bit for bit.

`make_events.py` wrote each file: `events_1_2.jsonl` with a release whose topics were
`metrics.published.v1` and `v2`, `events_3.jsonl` with the one that introduced `p.v3`.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.event_format.codec import MetricEventCodec
from application.event_log.ports import Entry, Outline
from application.event_log.receipts import Receipt
from domain.events import MetricsPublished

FOLDER = Path(__file__).parent
RECEIPT = Receipt(3, 1795483306612, 7)

ENTRIES: list[Any] = [
    msgspec.json.decode(line)
    for name in ("events_1_2.jsonl", "events_3.jsonl")
    for line in (FOLDER / name).read_bytes().splitlines()
]


@pytest.mark.parametrize("written", ENTRIES, ids=range(len(ENTRIES)))
def test_an_entry_is_read_as_it_was_written(written: Any) -> None:
    codec = MetricEventCodec()
    parts = [*map(bytes.fromhex, written["fields"])]
    fields = dict(zip(parts[::2], parts[1::2], strict=True))
    event = codec.decode(fields)
    assert isinstance(event, MetricsPublished)
    assert (event.organization, event.team, event.token_id) == ("gilt", "checkout", "7c4b9d2e1f30")
    points = [
        [point.name, point.timestamp, struct.pack(">d", point.value).hex(), point.tags]
        for point in event.points.points()
    ]
    assert points == written["points"]
    assert codec.outline(fields) == Outline(MetricsPublished, len(points))
    assert codec.digest(Entry(RECEIPT, fields)).hex() == written["digest"]


def test_all_versions_are_among_them() -> None:
    topics = {bytes.fromhex(written["fields"][1]) for written in ENTRIES}
    assert topics == {b"metrics.published.v1", b"metrics.published.v2", b"p.v3"}
