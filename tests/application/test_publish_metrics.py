"""Publishing: each batch is one event."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256

import pytest
from msgspec.structs import replace

from adapters.memory.metric_log import MemoryMetricLog
from application.errors import BodyTooLarge, LogUnavailable, OutcomeUnknown
from application.event_log.partitioning import partition_of
from application.event_log.ports import RecordedEvent, RecordedMetrics
from application.event_log.reader import MetricLogReader
from application.organizations.access import Grant
from application.publishing.idempotency import idempotency_of
from application.publishing.ports import Appended, BodyTerms, Decoded, Idempotency, MetricLog
from application.publishing.publish_metrics import PublishMetrics
from application.use_cases import Limits
from domain.errors import (
    IdempotencyConflict,
    InvalidArgument,
    QuotaExceeded,
    SeriesLimitExceeded,
)
from domain.events import MetricEvent, MetricsDescribed, MetricsPublished
from domain.limits import BURST_SECONDS
from domain.metric_point import PointBatch
from tests.application.doubles import (
    NOW,
    FakeClock,
    FakeMonotonic,
    service_use_cases,
)
from tests.contracts.metric_log import DESCRIPTIONS, POINT, batch_of, described

GILT = Grant("gilt", None, "t1")
WEB = Grant("gilt", "web", "t2")
OTHER = Grant("other", None, "t3")
DAY_MS = 24 * 60 * 60 * 1000
MAX_POINTS = 1000
BATCH = batch_of([POINT, POINT])
EMPTY = PointBatch((), (), (), ())


class StubFormat:
    """A PointFormat that decodes every body to the given batch, and records its arguments."""

    repeats = False
    keeps_rest = False

    def __init__(self, points: PointBatch = BATCH) -> None:
        self.points = points
        self.asked: list[tuple[bytes, int, int]] = []

    def keeps_the_rest(self, parameters: Mapping[str, str]) -> bool:
        return self.keeps_rest

    async def decode(self, body: bytes, terms: BodyTerms) -> Decoded:
        self.asked.append((body, terms.latest, terms.max_points))
        return Decoded(self.points)


class Publishing:
    """The use case over a log, by default one in memory; `quota` in points per second.

    `series` limits the active series; it may be changed.
    """

    def __init__(
        self,
        clock: FakeClock,
        quota: float | None = None,
        monotonic: FakeMonotonic | None = None,
        log: MetricLog | None = None,
        series: int | None = None,
    ) -> None:
        self.log = MemoryMetricLog(clock)
        self.handler = service_use_cases(
            clock,
            metric_log=log or self.log,
            limits=Limits(
                max_future_ms=DAY_MS, max_points=MAX_POINTS, points_per_second=quota, series=series
            ),
            monotonic=monotonic,
        ).publish_metrics

    def __call__(
        self,
        grant: Grant = GILT,
        points: PointBatch = BATCH,
        *,
        key: str | None = None,
        body: bytes = b"body",
    ) -> Appended | None:
        published = asyncio.run(self.handler(PublishMetrics(grant, StubFormat(points), body, key)))
        assert published.points == len(points)
        return published.appended

    def events(self) -> list[RecordedEvent]:
        reader = MetricLogReader(self.log.entries, self.log.codec)
        partitions = range(self.log.partitions())
        entries = [entry for partition in partitions for entry in reader.read(partition, 0, 1000)]
        return [entry for entry in entries if isinstance(entry, RecordedEvent)]

    def kept(self) -> list[RecordedMetrics]:
        return [event for event in self.events() if isinstance(event, RecordedMetrics)]


@pytest.fixture
def publish(clock: FakeClock) -> Publishing:
    return Publishing(clock)


def test_a_batch_is_one_event_with_the_owner_and_the_token_that_published_it(
    publish: Publishing,
) -> None:
    appended = publish(WEB)
    assert appended is not None
    assert not appended.replayed
    assert appended.receipt.partition == partition_of("gilt", 16)
    (kept,) = publish.kept()
    assert kept.receipt == appended.receipt
    assert kept.event == MetricsPublished(
        organization="gilt", team="web", token_id="t2", points=BATCH
    )


def test_an_empty_batch_appends_nothing_and_has_no_receipt(publish: Publishing) -> None:
    assert publish(points=EMPTY) is None
    assert publish(points=EMPTY, key="key") is None
    assert publish.kept() == []


def test_an_empty_batch_with_the_key_of_another_one_is_a_conflict(publish: Publishing) -> None:
    publish(key="key")
    with pytest.raises(IdempotencyConflict):
        publish(points=EMPTY, key="key", body=b"another")
    assert len(publish.kept()) == 1


def test_equal_batches_are_both_kept(publish: Publishing) -> None:
    publish()
    publish()
    assert len(publish.kept()) == 2


def test_a_batch_sent_again_under_its_key_is_answered_with_the_first_receipt(
    publish: Publishing,
) -> None:
    first = publish(key="key")
    assert first is not None
    assert publish(key="key") == Appended(first.receipt, replayed=True)
    assert len(publish.kept()) == 1


def test_a_key_used_for_another_body_is_a_conflict(publish: Publishing) -> None:
    publish(key="key")
    with pytest.raises(IdempotencyConflict):
        publish(key="key", body=b"other body")
    assert len(publish.kept()) == 1


def test_a_key_is_free_again_after_24_hours_and_not_before(
    publish: Publishing, clock: FakeClock
) -> None:
    publish(key="key")
    clock.advance(timedelta(hours=24, microseconds=-1))
    last_replay = publish(key="key")
    clock.advance(timedelta(microseconds=1))
    later = publish(key="key")
    assert last_replay is not None
    assert last_replay.replayed
    assert later is not None
    assert not later.replayed
    assert len(publish.kept()) == 2


def test_two_organizations_may_use_the_same_key(publish: Publishing) -> None:
    for grant in (GILT, OTHER):
        appended = publish(grant, key="key", body=grant.organization.encode())
        assert appended is not None
        assert not appended.replayed
    assert {kept.event.organization for kept in publish.kept()} == {"gilt", "other"}


def test_an_organization_over_its_quota_is_refused_and_nothing_kept(clock: FakeClock) -> None:
    monotonic = FakeMonotonic()
    publish = Publishing(clock, 0.2, monotonic)
    assert len(BATCH) == BURST_SECONDS * 0.2
    publish()
    with pytest.raises(QuotaExceeded) as refusal:
        publish(WEB)
    assert refusal.value.retry_after == 1
    assert len(publish.kept()) == 1
    publish(OTHER)
    monotonic.seconds += refusal.value.retry_after
    publish(WEB)
    assert len(publish.kept()) == 3


def test_an_empty_batch_costs_no_quota_and_is_never_refused(clock: FakeClock) -> None:
    publish = Publishing(clock, 0.2, FakeMonotonic())
    for _ in range(10):
        publish(points=EMPTY)
    publish()
    assert publish(points=EMPTY) is None


def test_an_error_of_the_log_is_raised_without_a_retry(clock: FakeClock) -> None:
    class BrokenLog(MemoryMetricLog):
        tries = 0

        async def append(
            self, event: MetricEvent, idempotency: Idempotency | None = None
        ) -> Appended:
            self.tries += 1
            raise LogUnavailable("no")

    log = BrokenLog(clock)
    publish = Publishing(clock, log=log)
    with pytest.raises(LogUnavailable):
        publish()
    assert log.tries == 1


def test_a_format_is_called_once_with_the_body_and_the_limits(
    publish: Publishing, clock: FakeClock
) -> None:
    clock.advance(timedelta(milliseconds=1, microseconds=999))
    asked = StubFormat()
    asyncio.run(publish.handler(PublishMetrics(GILT, asked, b"as sent")))
    latest = int(NOW.timestamp()) * 1000 + DAY_MS + 1
    assert asked.asked == [(b"as sent", latest, MAX_POINTS)]


class DescribingFormat(StubFormat):
    """A format whose bodies have descriptions as well as points."""

    async def decode(self, body: bytes, terms: BodyTerms) -> Decoded:
        return replace(await super().decode(body, terms), descriptions=DESCRIPTIONS)


def test_descriptions_of_metrics_are_an_event_before_the_points(publish: Publishing) -> None:
    for _ in range(3):
        asyncio.run(publish.handler(PublishMetrics(WEB, DescribingFormat(), b"body")))
    events = [recorded.event for recorded in publish.events()]
    batch = MetricsPublished(organization="gilt", team="web", token_id="t2", points=BATCH)
    assert events == [described(team="web", token_id="t2"), batch, batch, batch]


def test_descriptions_without_points_have_a_receipt_if_they_are_new(publish: Publishing) -> None:
    body = PublishMetrics(GILT, DescribingFormat(EMPTY), b"body")
    first, second = (asyncio.run(publish.handler(body)) for _ in range(2))
    [recorded] = publish.events()
    assert (first.points, first.appended) == (0, Appended(recorded.receipt))
    assert (second.points, second.appended) == (0, None)


def test_points_are_stored_without_descriptions_that_cannot_be(clock: FakeClock) -> None:
    class PointsOnly(MemoryMetricLog):
        async def append(
            self, event: MetricEvent, idempotency: Idempotency | None = None
        ) -> Appended:
            if isinstance(event, MetricsDescribed):
                raise OutcomeUnknown("no")
            return await super().append(event, idempotency)

    log = PointsOnly(clock)
    publish = Publishing(clock, log=log)
    published = asyncio.run(publish.handler(PublishMetrics(GILT, DescribingFormat(), b"body")))
    assert published.appended is not None
    with pytest.raises(OutcomeUnknown):
        asyncio.run(publish.handler(PublishMetrics(GILT, DescribingFormat(EMPTY), b"body")))


def test_descriptions_cost_no_quota(clock: FakeClock) -> None:
    publish = Publishing(clock, 0.1, FakeMonotonic())
    for _ in range(100):
        asyncio.run(publish.handler(PublishMetrics(GILT, DescribingFormat(EMPTY), b"body")))


def test_a_format_that_does_not_count_is_held_to_the_limit_all_the_same(
    publish: Publishing,
) -> None:
    large = batch_of([POINT] * (MAX_POINTS + 1))
    with pytest.raises(BodyTooLarge):
        publish(points=large)
    assert publish.kept() == []


def test_an_invalid_key_is_refused_before_the_body_is_decoded(publish: Publishing) -> None:
    asked = StubFormat()
    for key in ("", "a b", "ü", "x" * 256):
        with pytest.raises(InvalidArgument):
            asyncio.run(publish.handler(PublishMetrics(GILT, asked, b"body", key)))
    assert asked.asked == []
    assert publish.kept() == []


def test_the_same_body_for_the_organization_and_for_its_team_differs(publish: Publishing) -> None:
    publish(GILT, key="key")
    with pytest.raises(IdempotencyConflict):
        publish(WEB, key="key")


def test_the_digest_of_a_body_is_the_same_as_in_earlier_releases() -> None:
    """SHA-256 over the team, a line feed, and the body: keys are remembered for 24 hours."""
    assert idempotency_of("k", "web", b"body").body_digest == sha256(b"web\nbody").digest()
    assert idempotency_of("k", None, b"body").body_digest == sha256(b"\nbody").digest()


def test_a_batch_that_is_not_stored_costs_no_quota(clock: FakeClock) -> None:
    class BrokenLog(MemoryMetricLog):
        broken = False

        async def append(
            self, event: MetricEvent, idempotency: Idempotency | None = None
        ) -> Appended:
            if self.broken:
                raise LogUnavailable("no")
            return await super().append(event, idempotency)

    log = BrokenLog(clock)
    publish = Publishing(clock, 0.4, FakeMonotonic(), log)
    assert 2 * len(BATCH) == BURST_SECONDS * 0.4
    first = publish(key="key")
    assert first is not None
    for _ in range(10):
        assert publish(key="key") == Appended(first.receipt, replayed=True)
        with pytest.raises(IdempotencyConflict):
            publish(key="key", body=b"another")
    log.broken = True
    for _ in range(10):
        with pytest.raises(LogUnavailable):
            publish()
    log.broken = False
    publish()
    with pytest.raises(QuotaExceeded):
        publish()


def series(*hosts: str) -> PointBatch:
    """Return a batch of a point of each host."""
    return batch_of([("load", 1, 1.0, {"host": host}) for host in hosts])


class KeepingFormat(StubFormat):
    """A format that keeps the good points of a body."""

    keeps_rest = True


class TestSeriesLimit:
    def test_a_batch_with_a_series_too_many_is_refused_and_costs_nothing(
        self, clock: FakeClock
    ) -> None:
        publish = Publishing(clock, 0.4, FakeMonotonic(), series=2)
        publish(points=series("a", "b"))
        for _ in range(10):
            with pytest.raises(SeriesLimitExceeded):
                publish(points=series("a", "c"))
        assert len(publish.kept()) == 1
        publish(points=series("b", "a"))
        assert len(publish.kept()) == 2
        with pytest.raises(QuotaExceeded):
            publish(points=series("a"))

    def test_a_batch_over_the_quota_takes_no_room(self, clock: FakeClock) -> None:
        monotonic = FakeMonotonic()
        publish = Publishing(clock, 0.1, monotonic, series=2)
        publish(points=series("a", "a"))
        with pytest.raises(QuotaExceeded):
            publish(points=series("b"))
        monotonic.seconds += 100
        publish(points=series("c"))
        assert len(publish.kept()) == 2

    def test_a_format_that_keeps_the_rest_stores_the_series_with_room(
        self, clock: FakeClock
    ) -> None:
        publish = Publishing(clock, 0.7, FakeMonotonic(), series=2)
        for hosts, stored in ((("a", "b", "c"), 2), (("c", "d"), 0), (("d", "a", "b"), 2)):
            command = PublishMetrics(GILT, KeepingFormat(series(*hosts)), b"body")
            published = asyncio.run(publish.handler(command))
            assert published.points == stored
            assert published.refused is not None
            assert published.refused.points == len(hosts) - stored
            assert (published.appended is not None) == bool(stored)
        [first, second] = publish.kept()
        assert first.event.points == second.event.points == series("a", "b")
        publish(points=series("a", "b"))

    @pytest.mark.parametrize("keeps_rest", [True, False])
    def test_a_batch_that_was_stored_before_there_was_a_limit_is_answered_as_before(
        self, clock: FakeClock, *, keeps_rest: bool
    ) -> None:
        publish = Publishing(clock, series=2)
        event = MetricsPublished(
            organization="gilt", team=None, token_id="t1", points=series("a", "b", "c")
        )
        first = asyncio.run(publish.log.append(event, idempotency_of("key", None, b"body")))
        publish(points=series("d", "e"))
        sent = StubFormat(series("a", "b", "c"))
        sent.keeps_rest = keeps_rest
        published = asyncio.run(publish.handler(PublishMetrics(GILT, sent, b"body", "key")))
        assert published.appended == Appended(first.receipt, replayed=True)
        assert (published.points, published.refused) == (3, None)
        with pytest.raises(IdempotencyConflict):
            asyncio.run(publish.handler(PublishMetrics(GILT, sent, b"other body", "key")))

    def test_a_batch_whose_append_failed_can_be_sent_again(self, clock: FakeClock) -> None:
        class BrokenLog(MemoryMetricLog):
            broken = True

            async def append(
                self, event: MetricEvent, idempotency: Idempotency | None = None
            ) -> Appended:
                if self.broken:
                    raise LogUnavailable("no")
                return await super().append(event, idempotency)

        log = BrokenLog(clock)
        publish = Publishing(clock, log=log, series=2)
        with pytest.raises(LogUnavailable):
            publish(points=series("a", "b"))
        log.broken = False
        assert publish(points=series("a", "b")) is not None
