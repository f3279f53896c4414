"""The read side of the metric log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import chain
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from adapters.event_format.codec import MetricDecoder
from adapters.redis_streams.metrics.keys import MetricKeys
from application.errors import LogUnavailable, UnknownReceipt
from application.event_log.partitioning import partition_of
from application.event_log.ports import (
    Recorded,
    RecordedMetrics,
    UnreadableEvent,
    UnreadableMetrics,
)
from application.event_log.receipts import Receipt

EPOCH = datetime.fromtimestamp(0, UTC)
PAGE = 200
COUNT_PAGE = 1000
WAIT_MS = 250

Entry = tuple[bytes, Mapping[bytes, bytes]]


class RedisMetricLogReader:
    """Implements the port MetricLogReader. The client is the caller's, to be closed by it."""

    def __init__(
        self,
        client: Redis,
        keys: MetricKeys,
        partitions: int,
        decoder: MetricDecoder | None = None,
    ) -> None:
        self._client = client
        self._keys = keys
        self._partitions = partitions
        self._decoder = decoder or MetricDecoder()

    def partitions(self) -> int:
        return self._partitions

    def read(self, partition: int, after: int, limit: int) -> Sequence[Recorded]:
        after_id = _event_id(Receipt.at(partition, after))
        return [
            self._recorded(partition, entry)
            for entry in self._range(partition, f"({after_id}", limit)
        ]

    def news(self, after: Sequence[int]) -> Sequence[int]:
        positions: dict[Any, Any] = {
            self._keys.log(partition).encode(): _event_id(Receipt.at(partition, position))
            for partition, position in enumerate(after)
        }
        with _translated():
            found = self._client.xread(positions, count=1, block=WAIT_MS)
        logs = list(positions)
        return [logs.index(log) for log, _ in cast("list[tuple[bytes, object]]", found)]

    def count(self, partition: int, after: int = 0) -> int:
        if after == 0:
            with _translated():
                return int(self._client.xlen(self._keys.log(partition)))
        count = 0
        low = _event_id(Receipt.at(partition, after))
        while page := self._range(partition, f"({low}", COUNT_PAGE):
            count += len(page)
            low = page[-1][0].decode()
        return count

    def get(self, receipt: Receipt) -> RecordedMetrics:
        event_id = _event_id(receipt)
        if receipt.partition < self._partitions:
            for entry in self._range(receipt.partition, event_id, 1, event_id):
                return _readable(self._recorded(receipt.partition, entry))
        raise UnknownReceipt(f"no event has the receipt {receipt}")

    def last_position(self, partition: int) -> int:
        with _translated():
            entries = self._client.xrevrange(self._keys.log(partition), count=1)
        return _receipt(partition, cast("Entry", entries[0])[0]).position if entries else 0

    def of_organization(
        self, organization: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[RecordedMetrics]:
        partition = partition_of(organization, self._partitions)
        name = organization.encode()
        low = "-" if since is None else str(max(0, _milliseconds(since)))
        # An id without a sequence ends with the last of its millisecond.
        high = "+" if until is None else str(_milliseconds(until) - 1)
        if high.startswith("-"):
            return
        while page := self._range(partition, low, PAGE, high):
            for entry in page:
                # Told apart before decoding: a partition is shared.
                if entry[1].get(b"organization") == name:
                    yield _readable(self._recorded(partition, entry))
            low = f"({page[-1][0].decode()}"

    def _range(self, partition: int, low: str, limit: int, high: str = "+") -> list[Entry]:
        with _translated():
            entries = self._client.xrange(self._keys.log(partition), low, high, count=limit)
        return cast("list[Entry]", entries)

    def _recorded(self, partition: int, entry: Entry) -> Recorded:
        event_id, fields = entry
        receipt = _receipt(partition, event_id)
        digest = _digest(event_id, fields)
        try:
            return RecordedMetrics(receipt, self._decoder.event(fields), digest)
        except UnreadableEvent as error:
            return UnreadableMetrics(receipt, str(error), digest)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise LogUnavailable(f"the event log cannot be read: {error}") from error


def _readable(recorded: Recorded) -> RecordedMetrics:
    if isinstance(recorded, UnreadableMetrics):
        raise UnreadableEvent(f"cannot read the event {recorded.receipt}: {recorded.reason}")
    return recorded


def _digest(event_id: bytes, fields: Mapping[bytes, bytes]) -> bytes:
    """Digest an entry: every part behind its length, so that no two entries digest alike."""
    parts = (event_id, *chain.from_iterable(fields.items()))
    return sha256(b"".join([b"%d:%b" % (len(part), part) for part in parts])).digest()


def _receipt(partition: int, event_id: bytes) -> Receipt:
    milliseconds, _, sequence = event_id.partition(b"-")
    return Receipt(partition, int(milliseconds), int(sequence))


def _event_id(receipt: Receipt) -> str:
    return f"{receipt.milliseconds}-{receipt.sequence}"


def _milliseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)
