"""The contract of MetricLog, for every adapter, as observed by MetricLogReader."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import struct
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec import Struct

from adapters.event_format.codec import MetricEventCodec
from application.errors import IdempotencyFull, UnknownReceipt
from application.event_log.partitioning import partition_of
from application.event_log.ports import (
    EntryLog,
    RecordedEvent,
    RecordedMetrics,
    SkippedMetrics,
)
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.publishing.ports import Appended, Idempotency, MetricLog
from domain.errors import IdempotencyConflict
from domain.events import MetricEvent, MetricsDescribed, MetricsPublished
from domain.metric_description import MetricDescription, MetricType, Temporality
from domain.metric_point import PointBatch, TagSet, tag_set
from domain.values import STALE, from_bits

PARTITIONS = 4
Point = tuple[str, int, float, dict[str, str]]

POINT: Point = ("http.cache.hits", 1398788625000, 123.0, {"host": "svc12.prod.iad"})
NOT_FINITE = [
    math.inf,
    -math.inf,
    math.nan,
    STALE,
    *map(from_bits, (0xFFF8000000000000, 0x7FF8000000000001, 0xFFF0000000000002, 2**63 - 1)),
]
"""The infinities and NaNs; of the latter some are quiet and some signaling."""

TRICKY_BATCHES: dict[str, list[Point]] = {
    "negative zero": [("a", 0, -0.0, {}), ("a", 0, 0.0, {})],
    "subnormal numbers": [("a", 0, 5e-324, {}), ("a", 0, -2.225073858507201e-308, {})],
    "the largest numbers": [
        ("a", 0, 1.7976931348623157e308, {}),
        ("a", 0, -1.7976931348623157e308, {}),
    ],
    "values that are not finite": [("a", 0, value, {}) for value in [1.5, *NOT_FINITE]],
    "numbers without an exact decimal": [("a", 0, 0.1 + 0.2, {}), ("a", 0, 1 / 3, {})],
    "whole numbers": [("a", 0, 2.0**53, {}), ("a", 0, 1.0, {}), ("a", 0, -1e15, {})],
    "the first and the last instant": [("a", 0, 1.0, {}), ("a", 95617584000000, 1.0, {})],
    "instants in no order": [("a", t, 1.0, {}) for t in (5, 3, 9_000_000, 3, 0, 8)],
    "one point twice": [POINT, POINT],
    "ten tags": [("a", 0, 1.0, {f"t{i}": f"v{i}" for i in range(10)})],
    "no tags beside some": [("a", 0, 1.0, {}), POINT, ("a", 0, 1.0, {})],
    "tag values in every script": [
        ("a", 0, 1.0, {"v": value})
        for value in (
            "Ærøskøbing",
            "名前",
            "😀" * 127,
            "e\u0301",
            "\u2028",
            "a,b:c\\",
            " ",
            "42",
            "'\"",
        )
    ],
    "the longest names": [("n" * 255, 0, 1.0, {"t" * 255: "v" * 1024})],
    "the most tags": [("n", 0, 1.0, {f"t{i}": "v" * 1024 for i in range(40)})],
    "series that differ by a tag's place": [
        ("a", 0, 1.0, {"x": "y"}),
        ("a", 0, 2.0, {"y": "x"}),
        ("x", 0, 3.0, {"a": "y"}),
    ],
}
COMPRESSED = {"tag values in every script", "the longest names", "the most tags"}
"""The batches whose payload is so large that it is compressed."""


class MetricLogPorts(Struct):
    """One log through its two ports, and a reader of its events."""

    log: MetricLog
    entries: EntryLog

    @property
    def reader(self) -> MetricLogReader:
        return MetricLogReader(self.entries, MetricEventCodec())


def batch_of(points: list[Point]) -> PointBatch:
    return PointBatch(
        [name for name, _, _, _ in points],
        [timestamp for _, timestamp, _, _ in points],
        [value for _, _, value, _ in points],
        [_tags(tags) for _, _, _, tags in points],
    )


def _tags(tags: dict[str, str]) -> TagSet:
    valid = tag_set(tags)
    assert valid is not None
    return valid


def published(
    organization: str = "gilt",
    team: str | None = None,
    points: list[Point] | None = None,
    token_id: str = "t1",
) -> MetricsPublished:
    batch = batch_of([POINT] if points is None else points)
    return MetricsPublished(organization=organization, team=team, token_id=token_id, points=batch)


DESCRIPTIONS = (
    MetricDescription(
        "http.cache.hits", MetricType.COUNTER, "1", "Hits, é名😀.", Temporality.CUMULATIVE
    ),
    MetricDescription("a9b", MetricType.EXPONENTIAL_HISTOGRAM, "s", "", Temporality.DELTA),
    MetricDescription("n" * 255, help="h" * 1024),
)


def described(
    organization: str = "gilt",
    team: str | None = None,
    descriptions: tuple[MetricDescription, ...] = DESCRIPTIONS,
    token_id: str = "t1",
) -> MetricsDescribed:
    return MetricsDescribed(
        organization=organization, team=team, token_id=token_id, descriptions=descriptions
    )


def exactly(event: MetricEvent) -> tuple[Any, ...]:
    """Return everything in an event, values bit for bit, whatever types its columns have."""
    if isinstance(event, MetricsDescribed):
        return event.organization, event.team, event.token_id, event.descriptions
    rows = [
        (point.name, point.timestamp, struct.pack(">d", point.value), point.tags)
        for point in event.points.points()
    ]
    return event.organization, event.team, event.token_id, rows


def organizations_in(partition: int, count: int) -> list[str]:
    """Return names of organizations whose metrics are in the partition."""
    names = (f"org{i}" for i in itertools.count())
    here = (name for name in names if partition_of(name, PARTITIONS) == partition)
    return list(itertools.islice(here, count))


def read_events(
    reader: MetricLogReader, partition: int, after: int, limit: int
) -> list[RecordedMetrics]:
    """Read a page, all of whose entries must be readable."""
    page = reader.read(partition, after, limit)
    events = [entry for entry in page if isinstance(entry, RecordedMetrics)]
    assert len(events) == len(page)
    return events


class MetricLogContract(ABC):
    """Subclass it as `Test…` and implement how a log is opened."""

    @abstractmethod
    def open_log(self, **limits: int) -> AbstractAsyncContextManager[MetricLogPorts]:
        """Open a new, empty log with `PARTITIONS` partitions, and close it at the end.

        `max_records` limits the idempotency keys that it remembers.
        """

    async def let_a_millisecond_pass(self) -> None:
        """Let at least a millisecond pass on the clock that the log stamps events with."""
        await asyncio.sleep(0.003)

    def run(
        self, scenario: Callable[[MetricLog, MetricLogReader], Awaitable[None]], **limits: int
    ) -> None:
        async def with_a_log() -> None:
            async with self.open_log(**limits) as ports:
                await scenario(ports.log, ports.reader)

        asyncio.run(with_a_log())

    def test_a_new_log_has_its_partitions_and_nothing_in_them(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            assert reader.entries.partitions() == PARTITIONS
            for partition in range(PARTITIONS):
                assert reader.entries.last_position(partition) == 0
                assert list(reader.read(partition, 0, 10)) == []
            assert list(reader.of_organization("gilt")) == []

        self.run(scenario)

    def test_an_appended_event_can_be_read_at_its_receipt(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            event = published(team="web", token_id="t42")
            appended = await log.append(event)
            receipt = appended.receipt
            assert not appended.replayed
            assert receipt.partition == partition_of("gilt", PARTITIONS)
            assert receipt.position > 0
            found = reader.get(receipt)
            assert found.receipt == receipt
            assert exactly(found.event) == exactly(event)
            (read,) = read_events(reader, receipt.partition, 0, 10)
            assert read.receipt == receipt
            assert exactly(read.event) == exactly(event)
            assert reader.entries.last_position(receipt.partition) == receipt.position

        self.run(scenario)

    def test_a_receipt_can_be_formatted_and_parsed_back(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            receipt = (await log.append(published())).receipt
            assert reader.get(Receipt.parse(str(receipt))).receipt == receipt
            assert Receipt.at(receipt.partition, receipt.position) == receipt

        self.run(scenario)

    def test_a_receipt_that_no_event_has_is_unknown(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            receipt = (await log.append(published())).receipt
            other = (receipt.partition + 1) % PARTITIONS
            for unknown in (
                Receipt(receipt.partition, receipt.milliseconds, receipt.sequence + 1),
                Receipt(receipt.partition, receipt.milliseconds + 1, receipt.sequence),
                Receipt(receipt.partition, receipt.milliseconds - 1, receipt.sequence),
                Receipt(receipt.partition, 0, 0),
                Receipt(other, receipt.milliseconds, receipt.sequence),
                Receipt(PARTITIONS, receipt.milliseconds, receipt.sequence),
                Receipt(99_999, receipt.milliseconds, receipt.sequence),
            ):
                with pytest.raises(UnknownReceipt):
                    reader.get(unknown)

        self.run(scenario)

    def test_consecutive_appends_are_in_order(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            receipts = [
                (await log.append(published(points=[("a", 0, float(i), {})]))).receipt
                for i in range(20)
            ]
            assert receipts == sorted(set(receipts))
            positions = [receipt.position for receipt in receipts]
            assert positions == sorted(set(positions))
            read = read_events(reader, receipts[0].partition, 0, 100)
            assert [recorded.receipt for recorded in read] == receipts
            assert [recorded.event.points.values[0] for recorded in read] == list(range(20))
            assert reader.entries.last_position(receipts[0].partition) == positions[-1]

        self.run(scenario)

    def test_concurrent_appends_are_each_kept_once(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            events = [published(f"org{i % 7}", points=[("a", i, 1.0, {})]) for i in range(60)]
            appended = await asyncio.gather(*map(log.append, events))
            assert len({a.receipt for a in appended}) == len(events)
            for event, one in zip(events, appended, strict=True):
                assert exactly(reader.get(one.receipt).event) == exactly(event)
            in_all = sum(len(reader.read(partition, 0, 100)) for partition in range(PARTITIONS))
            assert in_all == len(events)

        self.run(scenario)

    def test_events_appended_together_are_each_kept_once_in_their_order(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            groups = [
                [published(f"org{i % 7}", points=[("a", i, float(n), {})]) for i in range(n)]
                for n in (1, 2, 30)
            ]
            found = await asyncio.gather(*map(log.append_together, groups))
            receipts = [each for group in found for each in group if isinstance(each, Receipt)]
            assert len(set(receipts)) == len(receipts) == sum(map(len, groups))
            left = iter(receipts)
            for group in groups:
                ours = []
                for event in group:
                    place = next(left)
                    if event.organization == "org0":
                        ours.append(place)
                    assert place.partition == partition_of(event.organization, PARTITIONS)
                    assert exactly(reader.get(place).event) == exactly(event)
                assert ours == sorted(ours)
            single = (await log.append(published("org0"))).receipt
            assert single > max(r for r in receipts if r.partition == single.partition)

        self.run(scenario)

    def test_nothing_appended_together_is_nothing(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            assert list(await log.append_together([])) == []

        self.run(scenario)

    def test_a_partition_is_read_page_by_page_above_a_position(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            receipts = [(await log.append(published())).receipt for _ in range(7)]
            partition = receipts[0].partition
            pages: list[list[Receipt]] = []
            after = 0
            while page := reader.read(partition, after, 3):
                pages.append([recorded.receipt for recorded in page])
                after = page[-1].receipt.position
            assert pages == [receipts[:3], receipts[3:6], receipts[6:]]
            assert after == reader.entries.last_position(partition)
            for index, receipt in enumerate(receipts):
                rest = reader.read(partition, receipt.position, 100)
                assert [recorded.receipt for recorded in rest] == receipts[index + 1 :]
                (this, *_) = reader.read(partition, receipt.position - 1, 1)
                assert this.receipt == receipt

        self.run(scenario)

    def test_an_organizations_events_are_in_its_partition_only(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            for partition in range(PARTITIONS):
                (organization,) = organizations_in(partition, 1)
                receipt = (await log.append(published(organization))).receipt
                assert receipt.partition == partition
            for partition in range(PARTITIONS):
                (recorded,) = read_events(reader, partition, 0, 10)
                assert partition_of(recorded.event.organization, PARTITIONS) == partition
                assert reader.entries.last_position(partition) == recorded.receipt.position

        self.run(scenario)

    def test_an_organizations_events_exclude_those_of_others_in_its_partition(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            ours, theirs = organizations_in(partition=2, count=2)
            receipts: dict[str, list[Receipt]] = {ours: [], theirs: []}
            for organization, team in [
                (ours, None), (theirs, None), (ours, "web"), (theirs, "web"), (ours, None),
            ]:  # fmt: skip
                appended = await log.append(published(organization, team))
                receipts[organization].append(appended.receipt)
            for organization, expected in receipts.items():
                found = list(reader.of_organization(organization))
                assert [recorded.receipt for recorded in found] == expected
                assert {recorded.event.organization for recorded in found} == {organization}
            teams = [recorded.event.team for recorded in reader.of_organization(ours)]
            assert teams == [None, "web", None]

        self.run(scenario)

    def test_since_is_inclusive_and_until_exclusive_to_the_millisecond(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            receipts = []
            for _ in range(4):
                receipts.append((await log.append(published())).receipt)
                await self.let_a_millisecond_pass()
            times = [
                datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=receipt.milliseconds)
                for receipt in receipts
            ]
            assert len(set(times)) == len(times)

            def between(since: datetime | None, until: datetime | None) -> list[Receipt]:
                found = reader.of_organization("gilt", since=since, until=until)
                return [recorded.receipt for recorded in found]

            millisecond = timedelta(milliseconds=1)
            assert between(times[1], None) == receipts[1:]
            assert between(times[1] + millisecond, None) == receipts[2:]
            assert between(None, times[2]) == receipts[:2]
            assert between(None, times[2] + millisecond) == receipts[:3]
            assert between(times[1], times[3]) == receipts[1:3]
            assert between(times[1], times[1]) == []
            assert between(times[2], times[1]) == []
            assert between(datetime(1970, 1, 1, tzinfo=UTC), None) == receipts
            assert between(None, datetime(1970, 1, 1, tzinfo=UTC)) == []
            elsewhere = timezone(timedelta(hours=-7))
            assert between(times[1].astimezone(elsewhere), None) == receipts[1:]

        self.run(scenario)

    @pytest.mark.parametrize(
        "points",
        [
            pytest.param(points, id=name, marks=[pytest.mark.compressed] * (name in COMPRESSED))
            for name, points in TRICKY_BATCHES.items()
        ],
    )
    def test_points_come_back_bit_for_bit(self, points: list[Point]) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            event = published(points=points)
            receipt = (await log.append(event)).receipt
            found = [
                reader.get(receipt),
                *read_events(reader, receipt.partition, 0, 10),
                *reader.of_organization("gilt"),
            ]
            assert len(found) == 3
            for recorded in found:
                assert exactly(recorded.event) == exactly(event)

        self.run(scenario)

    @pytest.mark.parametrize(
        "count", [1, 2, *(pytest.param(n, marks=pytest.mark.compressed) for n in (10, 1000))]
    )
    def test_batches_of_any_size_come_back_whole_and_in_order(self, count: int) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            chance = random.Random(count)
            points: list[Point] = [
                (
                    f"m{chance.randrange(5)}.{'x' * chance.randrange(20)}",
                    chance.randrange(95617584000000),
                    chance.uniform(-1, 1) * 10.0 ** chance.randrange(-300, 300),
                    {f"t{i}": chance.choice("aé名😀") * 5 for i in range(chance.randrange(11))},
                )
                for _ in range(count)
            ]
            event = published(points=points)
            receipt = (await log.append(event)).receipt
            assert exactly(reader.get(receipt).event) == exactly(event)

        self.run(scenario)

    def test_a_replay_returns_the_first_receipt_and_appends_nothing(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            idempotency = Idempotency("key", b"body")
            first = await log.append(published(), idempotency)
            await self.let_a_millisecond_pass()
            again = [await log.append(published(), idempotency) for _ in range(2)]
            assert not first.replayed
            assert [(a.receipt, a.replayed) for a in again] == [(first.receipt, True)] * 2
            assert len(reader.read(first.receipt.partition, 0, 10)) == 1

        self.run(scenario)

    def test_a_key_with_another_body_is_a_conflict_and_appends_nothing(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            first = await log.append(published(), Idempotency("key", b"body"))
            with pytest.raises(IdempotencyConflict, match="'key'"):
                await log.append(published(), Idempotency("key", b"other body"))
            again = await log.append(published(), Idempotency("key", b"body"))
            assert again.receipt == first.receipt
            assert again.replayed
            assert len(reader.read(first.receipt.partition, 0, 10)) == 1

        self.run(scenario)

    def test_a_key_is_recalled_without_an_append(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            for key in (Idempotency("key", b"body"), Idempotency("key 2", b"body", repeat=True)):
                assert await log.recall("gilt", key) is None
                first = await log.append(published(), key)
                assert await log.recall("gilt", key) == Appended(first.receipt, replayed=True)
                assert await log.recall("other", key) is None
                with pytest.raises(IdempotencyConflict, match=repr(key.key)):
                    await log.recall("gilt", Idempotency(key.key, b"other body", key.repeat))
            assert len(list(reader.of_organization("gilt"))) == 2

        self.run(scenario)

    def test_organizations_do_not_share_keys(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            ours, theirs = organizations_in(partition=1, count=2)
            one = await log.append(published(ours), Idempotency("key", b"one"))
            other = await log.append(published(theirs), Idempotency("key", b"other"))
            assert not one.replayed
            assert not other.replayed
            assert len(reader.read(1, 0, 10)) == 2

        self.run(scenario)

    def test_another_key_or_none_is_another_event_even_with_the_same_body(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            appended = [
                await log.append(published(), idempotency)
                for idempotency in (
                    Idempotency("key", b"body"), Idempotency("Key", b"body"), None, None,
                )
            ]  # fmt: skip
            assert not any(one.replayed for one in appended)
            assert len({one.receipt for one in appended}) == len(appended)

        self.run(scenario)

    def test_keys_with_every_visible_character_and_of_full_length_are_distinguished(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            visible = "".join(map(chr, range(0x21, 0x7F)))
            keys = ["k" * 255, "k" * 254 + "l", visible, visible[::-1], ":", "*", "{k}", "{k"]
            for replayed in (False, True):
                for key in keys:
                    appended = await log.append(published(), Idempotency(key, b"body"))
                    assert appended.replayed is replayed
            assert len(list(reader.of_organization("gilt"))) == len(keys)

        self.run(scenario)

    def test_only_one_of_concurrent_appends_with_one_key_is_kept(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            idempotency = Idempotency("key", b"body")
            appended = await asyncio.gather(
                *(log.append(published(), idempotency) for _ in range(20))
            )
            assert len({one.receipt for one in appended}) == 1
            assert [one.replayed for one in appended].count(False) == 1
            assert len(reader.read(appended[0].receipt.partition, 0, 100)) == 1

        self.run(scenario)

    @pytest.mark.parametrize("limit", [1, 3])
    def test_at_the_limit_only_new_keys_are_refused_and_they_append_nothing(
        self, limit: int
    ) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            keys = [Idempotency(f"key {n}", b"body") for n in range(limit)]
            first = [await log.append(published(), key) for key in keys]
            for _ in range(2):
                with pytest.raises(IdempotencyFull, match="--idempotency-memory") as refused:
                    await log.append(published(), Idempotency("new", b"body"))
                assert refused.value.limit == limit
            again = [await log.append(published(), key) for key in keys]
            assert again == [Appended(each.receipt, replayed=True) for each in first]
            with pytest.raises(IdempotencyConflict):
                await log.append(published(), Idempotency("key 0", b"other body"))
            without = await log.append(published())
            read = reader.read(without.receipt.partition, 0, 10)
            assert [e.receipt for e in read] == [each.receipt for each in [*first, without]]

        self.run(scenario, max_records=limit)

    @pytest.mark.parametrize("team", [None, "web"])
    @pytest.mark.parametrize(
        "descriptions",
        [DESCRIPTIONS, tuple(MetricDescription(f"m{n}", help="text" * n) for n in range(200))],
        ids=["few", "many"],
    )
    def test_descriptions_are_events_of_the_same_log(
        self, team: str | None, descriptions: tuple[MetricDescription, ...]
    ) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            events: list[MetricEvent] = [
                published(team=team),
                described(team=team, descriptions=descriptions),
                published(team=team),
                described(team=team, descriptions=descriptions[::-1]),
            ]
            receipts = [(await log.append(event)).receipt for event in events]
            assert {receipt.partition for receipt in receipts} == {receipts[0].partition}
            found = [
                [*map(reader.get, receipts)],
                reader.read(receipts[0].partition, 0, 10),
                [*reader.of_organization("gilt")],
            ]
            for read in found:
                assert [recorded.receipt for recorded in read] == receipts
                for recorded, event in zip(read, events, strict=True):
                    assert isinstance(recorded, RecordedEvent)
                    assert type(recorded.event) is type(event)
                    assert exactly(recorded.event) == exactly(event)
            assert all(reader.has(receipt, "gilt") for receipt in receipts)

        self.run(scenario)

    def test_descriptions_take_an_idempotency_key_like_batches(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            key = Idempotency("key", b"body")
            first = await log.append(described(), key)
            assert await log.append(described(), key) == Appended(first.receipt, replayed=True)
            assert exactly(reader.get(first.receipt).event) == exactly(described())

        self.run(scenario)

    def test_of_both_types_of_events_one_can_be_read_alone(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            events: list[MetricEvent] = [published(points=[POINT] * 7), described(), published()]
            receipts = [(await log.append(event)).receipt for event in events]
            partition = receipts[0].partition
            whole = reader.read(partition, 0, 10)
            for wanted in (MetricsPublished, MetricsDescribed):
                only = reader.read_only(wanted, partition, 0, 10)
                assert [entry.receipt for entry in only] == receipts
                assert [entry.digest for entry in only] == [entry.digest for entry in whole]
                first, *rest = reader.read_from(wanted, partition, receipts[0].position, 2)
                assert (first.receipt, first.digest) == (receipts[0], whole[0].digest)
                assert isinstance(first, SkippedMetrics)
                assert rest == only[1:3]
                for entry, event, read in zip(only, events, whole, strict=True):
                    if isinstance(event, wanted):
                        assert entry == read
                        continue
                    assert isinstance(entry, SkippedMetrics)
                    assert entry.outline.event is type(event)
                    assert entry.outline.count == (
                        len(event.points)
                        if isinstance(event, MetricsPublished)
                        else len(event.descriptions)
                    )

        self.run(scenario)

    def test_many_threads_may_read_concurrently(self) -> None:
        async def scenario(log: MetricLog, reader: MetricLogReader) -> None:
            receipts = [(await log.append(published())).receipt for _ in range(10)]

            def read(_: int) -> list[RecordedEvent]:
                return [
                    *read_events(reader, receipts[0].partition, 0, 100),
                    *map(reader.get, receipts),
                    *reader.of_organization("gilt"),
                ]

            with ThreadPoolExecutor(4) as threads:
                answers = list(threads.map(read, range(8)))
            for answer in answers:
                assert [recorded.receipt for recorded in answer] == receipts * 3

        self.run(scenario)
