"""Write entries of the metric log with the release checked out at RELEASE, one per line.

    PYTHONPATH=RELEASE python tests/compatibility/make_events.py > tests/compatibility/NAME.jsonl

Each line is a JSON object with the fields of an entry in hexadecimal, its digest at the receipt
3-1795483306612-7, and its points: name, time, the bits of the value in hexadecimal, tags.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from itertools import chain

from adapters.event_format.codec import MetricEventCodec
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt
from domain.events import MetricsPublished
from domain.metric_point import PointBatch, tag_set

RECEIPT = Receipt(3, 1795483306612, 7)

Points = list[tuple[str, int, float, dict[str, str]]]

HOST = {"host": "svc12.prod.iad", "service": "svc-important"}
ODD = [struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in (0x7FF0000000000002, 2**63 - 1)]

BATCHES: list[Points] = [
    [("http.cache.hits", 1398788625000, 123.0, HOST)],
    [("a", 0, -0.0, {}), ("b", 95617584000000, 5e-324, {"v": "東京"})],
    [("a", 7, value, {}) for value in (float("inf"), float("-inf"), float("nan"), *ODD, 1.5)],
    [("a", 5000 - row, row / 8, HOST if row % 3 else {}) for row in range(12)],
    # Counters, numbers with two decimals, and others: packed with exponents of every kind.
    [
        (f"m{row % 3}", 1700000000000 + row // 9, (row * 1e9, row / 100, row / 7)[row % 3], HOST)
        for row in range(36)
    ],
    [("up", row * 1000, row * 1e6, {}) for row in range(40)],
    # Codes of 16 bits.
    [(f"n{row * 7 % 300}", 0, float(row % 5), {}) for row in range(310)],
]


def batch(points: Points) -> PointBatch:
    names, times, values, tags = zip(*points, strict=True)
    found = [tag_set(each) for each in tags]
    return PointBatch(names, times, values, found)  # type: ignore[arg-type]


def entries(event: MetricsPublished) -> Iterator[dict[bytes, bytes]]:
    """Yield the fields of an event, in each form that the release may write."""
    fields = dict(MetricEventCodec().encode(event))
    yield fields
    try:
        from adapters.event_format.column_writing import ColumnWriting
        from adapters.event_format.encoder import MetricEncoder
    except ImportError:  # a release before version 3, or one that packs in another way
        return
    writing = ColumnWriting(pack_from=1)
    writing.loader.load()
    content = MetricEncoder(writing).points_fields(event.points)
    packed = {**fields, **dict(zip(content[::2], content[1::2], strict=True))}
    if packed != fields:
        yield packed


def main() -> None:
    for points in BATCHES:
        event = MetricsPublished(
            organization="gilt", team="checkout", token_id="7c4b9d2e1f30", points=batch(points)
        )
        for fields in entries(event):
            entry = {
                "fields": [part.hex() for part in chain.from_iterable(fields.items())],
                "digest": MetricEventCodec().digest(Entry(RECEIPT, fields)).hex(),
                "points": [
                    [name, time, struct.pack(">d", value).hex(), tags]
                    for name, time, value, tags in points
                ],
            }
            print(json.dumps(entry, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
