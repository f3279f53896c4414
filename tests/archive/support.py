"""Entries, and archives to put them in."""

from __future__ import annotations

import random

from adapters.event_format.codec import MetricEventCodec
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt

CODEC = MetricEventCodec()
NOW = 1_700_000_000_000


def entries(
    count: int, *, partition: int = 3, start: int = 1000, size: int = 40, seed: int = 0
) -> list[Entry]:
    """Return entries at ascending places, with fields of about `size` random bytes."""
    source = random.Random(f"{seed} {start}")
    found = []
    milliseconds, sequence = start, 0
    for number in range(count):
        if source.random() < 0.7:
            milliseconds, sequence = milliseconds + source.randrange(1, 50), 0
        else:
            sequence += 1
        organization = b"gilt" if source.random() < 0.5 else b"acme"
        fields = {
            b"topic": b"metrics.published.v1",
            b"organization": organization,
            b"number": b"%d" % number,
            b"": b"",
            b"payload": source.randbytes(source.randrange(2 * size)),
        }
        found.append(Entry(Receipt(partition, milliseconds, sequence), fields))
    return found
